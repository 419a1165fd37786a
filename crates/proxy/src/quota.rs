//! Caps on open servers that hold over all workers: per pool, per database, per node. Touched when a server is opened or
//! closed, never per request.
//!
//! Invariant: the count of a quota is the number of permits that exist for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A cap shared by all workers.
#[derive(Debug)]
pub(crate) struct Quota {
    max: AtomicU32,
    taken: AtomicU32,
    /// Workers that have waiters, no server, and got no permit: others give idle servers up for them.
    starving: AtomicU32,
}

impl Quota {
    pub(crate) const fn new(max: u32) -> Self {
        Self { max: AtomicU32::new(max), taken: AtomicU32::new(0), starving: AtomicU32::new(0) }
    }

    pub(crate) fn set_max(&self, max: u32) {
        self.max.store(max, Ordering::Relaxed);
    }

    fn take(&self) -> bool {
        let max = self.max.load(Ordering::Relaxed);
        self.taken
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |taken| {
                (taken < max).then_some(taken + 1)
            })
            .is_ok()
    }

    fn give_back(&self) {
        self.taken.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether a worker has waiters and cannot open a server.
    pub(crate) fn is_wanted(&self) -> bool {
        self.starving.load(Ordering::Relaxed) > 0
    }

    /// A worker begins (`true`) or ceases to starve.
    pub(crate) fn set_starving(&self, starving: bool) {
        if starving {
            self.starving.fetch_add(1, Ordering::Relaxed);
        } else {
            self.starving.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A place for one server in all quotas that apply to it; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit(Vec<Arc<Quota>>);

impl Permit {
    /// Takes a place in every quota, or in none.
    pub(crate) fn take(quotas: &[Arc<Quota>]) -> Option<Self> {
        let mut permit = Self(Vec::with_capacity(quotas.len()));
        for quota in quotas {
            if !quota.take() {
                return None;
            }
            permit.0.push(Arc::clone(quota));
        }
        Some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        for quota in &self.0 {
            quota.give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_takes_a_place_in_all_quotas_or_in_none() {
        let (wide, narrow) = (Arc::new(Quota::new(5)), Arc::new(Quota::new(1)));
        let both = [Arc::clone(&wide), Arc::clone(&narrow)];
        let first = Permit::take(&both);
        assert!(first.is_some());
        assert!(Permit::take(&both).is_none());
        assert_eq!(
            wide.taken.load(Ordering::Relaxed),
            1,
            "the place in the wide quota was given back"
        );
        drop(first);
        assert!(Permit::take(&both).is_some());
        assert_eq!(narrow.taken.load(Ordering::Relaxed), 0);
    }
}
