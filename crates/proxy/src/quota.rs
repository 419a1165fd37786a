//! Caps on open servers that hold over all workers: per user, per database, per node. Touched when a server is opened or
//! closed, never per request.
//!
//! Invariant: the count of a quota is the number of permits that exist for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A cap shared by all workers.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    /// 0: no cap.
    max: AtomicU32,
    taken: AtomicU32,
    /// Workers that have waiters, no server, and got no permit: others give idle servers up for them.
    starving: AtomicU32,
}

impl Quota {
    pub(crate) fn set_max(&self, max: Option<u32>) {
        self.max.store(max.unwrap_or(0), Ordering::Relaxed);
    }

    fn max(&self) -> u32 {
        match self.max.load(Ordering::Relaxed) {
            0 => u32::MAX,
            max => max,
        }
    }

    /// Servers beyond a cap that was lowered.
    pub(crate) fn excess(&self) -> u32 {
        self.taken.load(Ordering::Relaxed).saturating_sub(self.max())
    }

    fn take(&self) -> bool {
        let max = self.max();
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
        let (wide, narrow) = (Arc::new(Quota::default()), Arc::new(Quota::default()));
        narrow.set_max(Some(1));
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

    #[test]
    fn a_cap_that_comes_later_counts_the_servers_that_are_open() {
        let quota = [Arc::new(Quota::default())];
        let [first, second] = [(), ()].map(|()| Permit::take(&quota));
        assert!(first.is_some() && second.is_some() && quota[0].excess() == 0);
        quota[0].set_max(Some(1));
        assert!(quota[0].excess() == 1 && Permit::take(&quota).is_none());
        drop(first);
        assert!(quota[0].excess() == 0 && Permit::take(&quota).is_none());
        drop(second);
        assert!(Permit::take(&quota).is_some());
    }
}
