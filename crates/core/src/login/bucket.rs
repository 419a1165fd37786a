//! A token bucket that lends: who takes more than there is learns how long to wait. Not a queue: whoever waits keeps its own time.
//!
//! Invariant: over a long time no more than the rate is taken without waiting.

use std::time::{Duration, Instant};

/// Tokens that come back at a steady rate, up to a bound.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    /// May be negative: lent.
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn full(burst: u32, now: Instant) -> Self {
        Self { tokens: f64::from(burst), at: now }
    }

    fn fill(&mut self, rate: f64, burst: u32, now: Instant) {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * rate;
        self.tokens = (self.tokens + gained).min(f64::from(burst));
        self.at = self.at.max(now);
    }

    /// Takes a token of a bucket that regains `rate` a second and holds `burst`. Returns how long its taker has to wait for it.
    pub fn take(&mut self, rate: f64, burst: u32, now: Instant) -> Duration {
        self.fill(rate, burst, now);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 || rate <= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(-self.tokens / rate).unwrap_or(Duration::MAX)
    }

    /// Puts a token back that was taken for nothing.
    pub fn give_back(&mut self) {
        self.tokens += 1.0;
    }

    /// Whether nothing is missing: it need not be remembered.
    pub fn is_full(&mut self, rate: f64, burst: u32, now: Instant) -> bool {
        self.fill(rate, burst, now);
        self.tokens >= f64::from(burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exceeds_the_burst_waits_in_line() {
        let begin = Instant::now();
        let mut bucket = Bucket::full(2, begin);
        let waits: Vec<u128> = (0..5).map(|_| bucket.take(10.0, 2, begin).as_millis()).collect();
        assert_eq!(waits, [0, 0, 100, 200, 300]);
        assert!(!bucket.is_full(10.0, 2, begin));
        let later = begin + Duration::from_millis(400);
        assert_eq!(bucket.take(10.0, 2, later), Duration::ZERO);
        assert!(bucket.is_full(10.0, 2, later + Duration::from_secs(1)));
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_gives_no_tokens() {
        let begin = Instant::now() + Duration::from_secs(10);
        let mut bucket = Bucket::full(1, begin);
        bucket.take(1.0, 1, begin);
        let wait = bucket.take(1.0, 1, begin.checked_sub(Duration::from_secs(5)).expect("a time"));
        assert_eq!(wait, Duration::from_secs(1));
    }
}
