//! Caps on open servers that hold over all workers: per user, per database, per node. Touched when a server is opened or
//! closed, never per request.
//!
//! Invariant: the count of a quota is the number of permits that exist for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A cap shared by all workers; none at first.
#[derive(Debug)]
pub(crate) struct Quota {
    max: AtomicU32,
    taken: AtomicU32,
    /// Workers that have waiters, no server, and got no permit: others give idle servers up for them.
    starving: AtomicU32,
}

impl Default for Quota {
    fn default() -> Self {
        let (max, none) = (AtomicU32::new(u32::MAX), || AtomicU32::new(0));
        Self { max, taken: none(), starving: none() }
    }
}

impl Quota {
    pub(crate) fn set_max(&self, max: Option<u32>) {
        self.max.store(max.unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Servers beyond a cap that was lowered.
    pub(crate) fn excess(&self) -> u32 {
        self.taken.load(Ordering::Relaxed).saturating_sub(self.max.load(Ordering::Relaxed))
    }

    /// `extra`: so many beyond the cap.
    fn take(&self, extra: u32) -> bool {
        let max = self.max.load(Ordering::Relaxed).saturating_add(extra);
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
    /// A place in nothing.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Takes a place in one more quota, also if that is full by less than `extra`; or gives back all.
    pub(crate) fn and(mut self, quota: &Arc<Quota>, extra: u32) -> Option<Self> {
        if !quota.take(extra) {
            return None;
        }
        self.0.push(Arc::clone(quota));
        Some(self)
    }

    /// Takes a place in each of these quotas, too; or gives back all.
    pub(crate) fn and_all(self, quotas: &[Arc<Quota>]) -> Option<Self> {
        quotas.iter().try_fold(self, |permit, quota| permit.and(quota, 0))
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
        let first = Permit::new().and_all(&both);
        assert!(first.is_some());
        assert!(Permit::new().and_all(&both).is_none());
        assert_eq!(
            wide.taken.load(Ordering::Relaxed),
            1,
            "the place in the wide quota was given back"
        );
        drop(first);
        assert!(Permit::new().and_all(&both).is_some());
        assert_eq!(narrow.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_cap_that_comes_later_counts_the_servers_that_are_open() {
        let quota = [Arc::new(Quota::default())];
        let [first, second] = [(), ()].map(|()| Permit::new().and_all(&quota));
        assert!(first.is_some() && second.is_some() && quota[0].excess() == 0);
        quota[0].set_max(Some(1));
        assert!(quota[0].excess() == 1 && Permit::new().and_all(&quota).is_none());
        drop(first);
        assert!(quota[0].excess() == 0 && Permit::new().and_all(&quota).is_none());
        drop(second);
        assert!(Permit::new().and_all(&quota).is_some());
    }
}
