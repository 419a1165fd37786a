//! What one client address may do before it has proved who it is: connections, logins, failures. Not whether a proof is right.
//!
//! Invariant: memory is bounded: addresses beyond the bound share one account.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use super::Bucket;
use crate::limits;

/// What is allowed; `None`: anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// Failed logins a minute before the answers come late.
    pub failures_per_minute: Option<u32>,
    /// Logins a second before they wait.
    pub logins_per_second: Option<u32>,
    /// Connections that have not logged in.
    pub max_pending: Option<u32>,
}

/// What addresses have done lately; how they are written is the caller's business.
#[derive(Debug)]
pub struct Attempts<K> {
    known: HashMap<Option<K>, Account, foldhash::fast::RandomState>,
    /// When those that need not be remembered were last looked for.
    swept: Option<Instant>,
}

impl<K> Default for Attempts<K> {
    fn default() -> Self {
        Self { known: HashMap::default(), swept: None }
    }
}

/// How often they are looked for at most: it takes a look at all.
const SWEEP: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Account {
    failures: Bucket,
    logins: Bucket,
    pending: u32,
}

impl Rates {
    fn failures(self) -> (f64, u32) {
        let most = self.failures_per_minute.unwrap_or(0);
        (f64::from(most) / 60.0, most)
    }

    fn logins(self) -> (f64, u32) {
        let most = self.logins_per_second.unwrap_or(0);
        (f64::from(most), most)
    }
}

impl Account {
    fn new(rates: Rates, now: Instant) -> Self {
        let failures = Bucket::full(rates.failures().1, now);
        Self { failures, logins: Bucket::full(rates.logins().1, now), pending: 0 }
    }

    fn is_forgettable(&mut self, rates: Rates, now: Instant) -> bool {
        let ((failures, most_failures), (logins, most_logins)) = (rates.failures(), rates.logins());
        self.pending == 0
            && self.failures.is_full(failures, most_failures, now)
            && self.logins.is_full(logins, most_logins, now)
    }
}

impl<K: Hash + Eq> Attempts<K> {
    fn of(&mut self, address: K, rates: Rates, now: Instant) -> &mut Account {
        let mut key = Some(address);
        if !self.known.contains_key(&key) && self.known.len() >= limits::LOGIN_ADDRESSES {
            let due = |swept| now.saturating_duration_since(swept) >= SWEEP;
            if self.swept.is_none_or(due) {
                self.swept = Some(now);
                self.known.retain(|_, account| !account.is_forgettable(rates, now));
            }
            if self.known.len() >= limits::LOGIN_ADDRESSES {
                key = None;
            }
        }
        self.known.entry(key).or_insert_with(|| Account::new(rates, now))
    }

    /// Somebody begins to log in. Returns how long it has to wait, or `None`: too many of this address do so already. Whoever was
    /// let in says [`Self::on_left`] later.
    pub fn begin(&mut self, address: K, rates: Rates, now: Instant) -> Option<Duration> {
        let account = self.of(address, rates, now);
        if rates.max_pending.is_some_and(|most| account.pending >= most) {
            return None;
        }
        account.pending += 1;
        let (rate, burst) = rates.logins();
        Some(match rates.logins_per_second {
            Some(_) => account.logins.take(rate, burst, now),
            None => Duration::ZERO,
        })
    }

    /// Somebody who began is in, refused, or gone.
    pub fn on_left(&mut self, address: K) {
        let key = Some(address);
        let known = if self.known.contains_key(&key) { key } else { None };
        if let Some(account) = self.known.get_mut(&known) {
            account.pending = account.pending.saturating_sub(1);
        }
    }

    /// A proof was wrong. Returns how long the answer has to wait.
    pub fn on_failed(&mut self, address: K, rates: Rates, now: Instant) -> Duration {
        let (rate, burst) = rates.failures();
        match rates.failures_per_minute {
            Some(_) => self.of(address, rates, now).failures.take(rate, burst, now),
            None => Duration::ZERO,
        }
    }

    /// Addresses that are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates =
        Rates { failures_per_minute: Some(60), logins_per_second: Some(2), max_pending: Some(3) };

    #[test]
    fn failures_beyond_the_rate_are_answered_late_and_those_of_others_are_not() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..60 {
            assert_eq!(attempts.on_failed(1, RATES, now), Duration::ZERO);
        }
        assert_eq!(attempts.on_failed(1, RATES, now), Duration::from_secs(1));
        assert_eq!(attempts.on_failed(2, RATES, now), Duration::ZERO);
        let later = now + Duration::from_secs(10);
        assert_eq!(attempts.on_failed(1, RATES, later), Duration::ZERO);
    }

    #[test]
    fn logins_wait_in_line_and_pending_ones_are_counted() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        let begin = |attempts: &mut Attempts<u32>| attempts.begin(1, RATES, now);
        assert_eq!(begin(&mut attempts), Some(Duration::ZERO));
        assert_eq!(begin(&mut attempts), Some(Duration::ZERO));
        assert_eq!(begin(&mut attempts), Some(Duration::from_millis(500)));
        assert_eq!(begin(&mut attempts), None);
        attempts.on_left(1);
        assert!(begin(&mut attempts).is_some());
    }

    #[test]
    fn strangers_do_not_fill_the_memory() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..3 * u32::try_from(limits::LOGIN_ADDRESSES).expect("a bound") {
            attempts.on_failed(number, RATES, now);
        }
        assert!(attempts.len() <= limits::LOGIN_ADDRESSES + 1);
        // Whoever has done nothing wrong lately is forgotten first.
        attempts.on_failed(7, RATES, now + Duration::from_secs(120));
        attempts.on_failed(u32::MAX, RATES, now + Duration::from_secs(120));
        assert!(attempts.len() < 10, "{}", attempts.len());
    }
}
