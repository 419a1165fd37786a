//! How long statements of one form run, as far as sharing a server is concerned: a request must not wait behind a slow one,
//! so only forms that have proven to be short share.
//!
//! Invariant: a form shares only after [`TRIAL`] short runs; it ceases when more than about one run in [`SLOW_DEBT`] is slow,
//! and at once after a very slow one; then it has to work its debt off.

use std::time::Duration;

/// Short runs before a form shares for the first time.
const TRIAL: u16 = 16;
/// What a slow run adds to the debt; a short one takes one off.
const SLOW_DEBT: u16 = 50;
/// A debt above this ends sharing, until it is worked off.
const CREDIT: u16 = 200;
/// The largest debt.
const LARGEST_DEBT: u16 = 4096;
/// A run longer than this is slow,
const SLOW: Duration = Duration::from_millis(4);
/// and one longer than this very slow: it ends sharing by itself.
const VERY_SLOW: Duration = Duration::from_millis(50);
/// A form whose mean is above this does not share.
const SHORT: Duration = Duration::from_millis(1);
/// A reply longer than this makes others wait for the network instead of the processor. Bytes.
const BULKY: usize = 64 * 1024;

/// Run times of one statement form.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    debt: u16,
    proven: bool,
    /// Moving mean over about 16 runs, in nanoseconds.
    mean: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { debt: TRIAL, proven: false, mean: 0 }
    }
}

impl Pace {
    /// Whether requests of this form may share a server.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.proven && self.cost() <= SHORT
    }

    /// Expected run time.
    #[must_use]
    pub const fn cost(&self) -> Duration {
        Duration::from_nanos(self.mean)
    }

    /// A run took `time` and its reply `bytes`.
    pub fn on_run(&mut self, time: Duration, bytes: usize) {
        let debt = if time > VERY_SLOW || bytes > BULKY {
            CREDIT + SLOW_DEBT
        } else if time > SLOW {
            SLOW_DEBT
        } else {
            0
        };
        self.debt = match debt {
            0 => self.debt.saturating_sub(1),
            more => self.debt.saturating_add(more).min(LARGEST_DEBT),
        };
        self.proven = if self.proven { self.debt <= CREDIT } else { self.debt == 0 };
        let nanos = u64::try_from(time.min(Duration::from_secs(1)).as_nanos()).unwrap_or(0);
        self.mean = if self.mean == 0 { nanos } else { (self.mean * 15 + nanos) / 16 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(50);

    fn proven() -> Pace {
        let mut pace = Pace::default();
        for _ in 0..TRIAL {
            assert!(!pace.is_short());
            pace.on_run(QUICK, 100);
        }
        pace
    }

    /// Whether a form shares most of the time of which every `nth` run takes `time`.
    fn shares_with(nth: u32, time: Duration) -> bool {
        let mut pace = Pace::default();
        let short = (0..10_000u32).filter(|run| {
            pace.on_run(if run % nth == 0 { time } else { QUICK }, 100);
            pace.is_short()
        });
        short.count() > 5000
    }

    #[test]
    fn a_form_shares_after_its_trial() {
        assert!(proven().is_short());
        assert_eq!(proven().cost(), QUICK);
    }

    #[test]
    fn rare_slow_runs_are_forgiven_and_frequent_ones_are_not() {
        let slow = Duration::from_millis(5);
        assert!(shares_with(100, slow));
        assert!(!shares_with(30, slow));
    }

    #[test]
    fn one_very_slow_run_ends_sharing_until_its_debt_is_worked_off() {
        let mut pace = proven();
        pace.on_run(Duration::from_millis(500), 100);
        for _ in 0..CREDIT + SLOW_DEBT {
            assert!(!pace.is_short());
            pace.on_run(QUICK, 100);
        }
        assert!(pace.is_short());
        assert!(!shares_with(200, Duration::from_millis(500)));
    }

    #[test]
    fn a_bulky_reply_counts_as_very_slow() {
        let mut pace = proven();
        pace.on_run(QUICK, BULKY + 1);
        assert!(!pace.is_short());
    }

    #[test]
    fn a_form_that_is_always_middling_does_not_share() {
        let mut pace = Pace::default();
        for _ in 0..1000 {
            pace.on_run(Duration::from_millis(2), 100);
        }
        assert!(!pace.is_short());
    }
}
