//! How long a client has had its server for one transaction, and when that is too long: a leak, which is reported, or the end
//! of `pool.transaction_timeout`. Not the other deadlines: those are in `entry` and `holding`.
//!
//! Invariant: a tenure begins with a checkout, or with the first request of a client that keeps its server, and ends when no
//! transaction is open and nothing is owed. Only ticks look whether it is too long.

use std::cell::Cell;
use std::time::{Duration, Instant};

use howdah_core::pool::PoolConfig;
use howdah_core::session::PinReason;

/// A client's hold on a server. Written per request, read per tick.
#[derive(Debug, Default)]
pub(crate) struct Tenure {
    since: Cell<Option<Instant>>,
    /// The server owes an answer; otherwise the client is idle in its transaction.
    asking: Cell<bool>,
    /// When it is a leak; cleared once that was said.
    leak_at: Cell<Option<Instant>>,
    /// When the transaction has to be over, and the limit.
    ends_at: Cell<Option<(Instant, Duration)>>,
    /// It has passed that.
    overdue: Cell<bool>,
    pinned: Cell<Option<(Instant, PinReason)>>,
}

/// A server that was held for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leak {
    /// `active`, `idle in transaction`, or `pinned`: held without a transaction.
    pub(crate) state: &'static str,
    pub(crate) age: Duration,
}

impl Tenure {
    /// A request is sent. `false`: the client held no server before, and the tenure has to [`Self::begin`].
    pub(crate) fn goes_on(&self) -> bool {
        self.asking.set(true);
        self.since.get().is_some()
    }

    /// The client has a server from now on.
    pub(crate) fn begin(&self, now: Instant, config: &PoolConfig) {
        self.asking.set(true);
        self.since.set(Some(now));
        self.leak_at.set(config.leak_threshold.map(|threshold| now + threshold));
        self.ends_at.set(config.transaction_timeout.map(|timeout| (now + timeout, timeout)));
    }

    /// A request is answered inside a transaction, and no other is on its way.
    pub(crate) fn on_idle_in_transaction(&self) {
        self.asking.set(false);
    }

    /// No transaction is open.
    pub(crate) fn end(&self) {
        self.since.set(None);
        self.asking.set(false);
        self.leak_at.set(None);
        self.ends_at.set(None);
        self.overdue.set(false);
    }

    pub(crate) fn set_pin(&self, pin: Option<(Instant, PinReason)>) {
        self.pinned.set(pin);
    }

    /// Why the server is kept beyond a transaction.
    pub(crate) fn pin(&self) -> Option<PinReason> {
        self.pinned.get().map(|(_, reason)| reason)
    }

    /// Whether the server owes an answer.
    pub(crate) fn is_asking(&self) -> bool {
        self.asking.get()
    }

    /// The transaction, if it has just become a leak; once per transaction.
    pub(crate) fn take_leak(&self, now: Instant) -> Option<Leak> {
        self.leak_at.get().filter(|at| now >= *at)?;
        self.leak_at.set(None);
        self.transaction(now)
    }

    /// The limit, if the transaction has just passed it.
    pub(crate) fn take_end(&self, now: Instant) -> Option<Duration> {
        let (_, timeout) = self.ends_at.get().filter(|(at, _)| now >= *at)?;
        self.ends_at.set(None);
        self.overdue.set(true);
        Some(timeout)
    }

    /// Whether this very transaction has passed its limit.
    pub(crate) fn is_overdue(&self) -> bool {
        self.overdue.get()
    }

    /// What is held for longer than `threshold`: a transaction, or a server that is pinned. In session mode every server is kept
    /// as long as its client, so that says nothing.
    pub(crate) fn leak(&self, now: Instant, threshold: Duration) -> Option<Leak> {
        let pinned = self.pinned.get().filter(|(_, reason)| *reason != PinReason::SessionMode);
        let pinned = pinned
            .map(|(since, _)| Leak { state: "pinned", age: now.saturating_duration_since(since) });
        let long = |leak: &Leak| leak.age >= threshold;
        self.transaction(now).filter(long).or_else(|| pinned.filter(long))
    }

    /// What is held for a transaction now.
    pub(crate) fn transaction(&self, now: Instant) -> Option<Leak> {
        let age = now.saturating_duration_since(self.since.get()?);
        let state = if self.asking.get() { "active" } else { "idle in transaction" };
        Some(Leak { state, age })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_is_said_once_per_transaction_and_listed_until_its_end() {
        let config = PoolConfig::default();
        let threshold = config.leak_threshold.expect("on by default");
        let (tenure, begin) = (Tenure::default(), crate::clock::now());
        tenure.begin(begin, &config);
        tenure.on_idle_in_transaction();
        let almost = begin + threshold - Duration::from_millis(1);
        assert_eq!((tenure.take_leak(almost), tenure.leak(almost, threshold)), (None, None));
        let late = begin + threshold;
        let leak = Leak { state: "idle in transaction", age: threshold };
        assert_eq!(tenure.take_leak(late), Some(leak));
        assert_eq!((tenure.take_leak(late), tenure.leak(late, threshold)), (None, Some(leak)));
        tenure.end();
        assert_eq!(tenure.leak(late, threshold), None);
        assert!(!tenure.goes_on());
        tenure.begin(late, &config);
        assert_eq!(tenure.take_leak(late + threshold).map(|leak| leak.state), Some("active"));
    }

    #[test]
    fn later_requests_of_a_transaction_do_not_put_its_end_off() {
        let timeout = Duration::from_secs(5);
        let config = PoolConfig { transaction_timeout: Some(timeout), ..PoolConfig::default() };
        let (tenure, begin) = (Tenure::default(), crate::clock::now());
        tenure.begin(begin, &config);
        assert!(tenure.goes_on());
        assert_eq!(tenure.take_end(begin + timeout / 2), None);
        assert_eq!(tenure.take_end(begin + timeout), Some(timeout));
        assert_eq!((tenure.take_end(begin + timeout), tenure.is_overdue()), (None, true));
        tenure.end();
        assert!(!tenure.is_overdue(), "the next transaction pays for this one");
    }

    #[test]
    fn a_pin_is_listed_without_a_transaction_but_not_that_of_session_mode() {
        let (tenure, begin) = (Tenure::default(), crate::clock::now());
        let second = Duration::from_secs(1);
        tenure.set_pin(Some((begin, PinReason::SessionMode)));
        assert_eq!(tenure.leak(begin + second, second), None);
        tenure.set_pin(Some((begin, PinReason::TemporaryTable)));
        let leak = Leak { state: "pinned", age: second };
        assert_eq!(tenure.leak(begin + second, second), Some(leak));
    }
}
