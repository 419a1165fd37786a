//! How long answers may be given without news from the stream. Not the news.
//!
//! Invariant: while a lease holds, everything that was visible on the primary longer than the bound ago has been delivered: it was in
//! the log before a heartbeat that has come back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When the latest heartbeat that has come back was sent. Read without a lock.
#[derive(Debug)]
pub struct Lease {
    base: Instant,
    /// Nanoseconds from `base`, plus one; 0: none has come back.
    sent: AtomicU64,
}

impl Lease {
    /// None, with moments counted from `base`, which is before all of them.
    #[must_use]
    pub const fn new(base: Instant) -> Self {
        Self { base, sent: AtomicU64::new(0) }
    }

    /// A heartbeat that was sent at this moment, or before, has come back, and so has everything before it.
    pub fn renew(&self, sent: Instant) {
        let since = sent.saturating_duration_since(self.base).as_nanos();
        let since = u64::try_from(since).unwrap_or(u64::MAX - 1);
        self.sent.fetch_max(since + 1, Ordering::AcqRel);
    }

    /// Nothing is known any more.
    pub fn revoke(&self) {
        self.sent.store(0, Ordering::Release);
    }

    /// How old what is known may be, at most. `None`: nothing is known.
    #[must_use]
    pub fn age(&self, now: Instant) -> Option<Duration> {
        let sent = self.sent.load(Ordering::Acquire).checked_sub(1)?;
        let sent = self.base.checked_add(Duration::from_nanos(sent))?;
        Some(now.saturating_duration_since(sent))
    }

    /// Whether answers may be given that promise this bound.
    #[must_use]
    pub fn holds(&self, now: Instant, bound: Duration) -> bool {
        self.age(now).is_some_and(|age| age < bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_counts_from_when_the_heartbeat_was_sent() {
        let base = Instant::now();
        let at = |millis| base + Duration::from_millis(millis);
        let bound = Duration::from_millis(100);
        let lease = Lease::new(base);
        assert!(!lease.holds(base, bound), "nothing has come back");
        lease.renew(at(0));
        assert!(lease.holds(at(99), bound) && !lease.holds(at(100), bound));
        lease.renew(at(50));
        lease.renew(at(20));
        assert!(lease.holds(at(149), bound), "an older heartbeat does not shorten it");
        assert_eq!(lease.age(at(60)), Some(Duration::from_millis(10)));
        lease.revoke();
        assert_eq!(lease.age(at(60)), None);
    }
}
