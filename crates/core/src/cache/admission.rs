//! Which forms of statements are worth being kept: one whose answers are hardly ever asked for again is left alone for a while. And
//! how long it is worth waiting for the answer that somebody else has asked for.
//!
//! Invariant: a form that is left alone comes back.

use std::time::Duration;

/// Look-ups after which a form is judged.
const TRIAL: u32 = 1000;
/// It is left alone with less than one hit in so many look-ups.
const WORTH: u32 = 20;
/// For so many requests.
const REST: u32 = 10_000;

/// How long to wait for the answer to a form of which nobody knows how long it takes,
const UNKNOWN: Duration = Duration::from_secs(1);
/// for any form at least,
const LEAST: Duration = Duration::from_millis(20);
/// and at most.
const MOST: Duration = Duration::from_secs(30);
/// An answer that takes as long is worth looking for elsewhere.
const DEAR: Duration = Duration::from_millis(1);
/// What a new time counts in the mean.
const WEIGHT: u32 = 4;

/// What is known of the use of keeping answers to one form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Worth {
    lookups: u32,
    hits: u32,
    resting: u32,
    /// How long it takes to get an answer: a moving mean; zero: not known.
    takes: Duration,
}

impl Worth {
    /// Its answer was looked up.
    pub const fn on_lookup(&mut self, hit: bool) {
        self.lookups += 1;
        self.hits += hit as u32;
        if self.lookups == TRIAL {
            if self.hits.saturating_mul(WORTH) < self.lookups {
                self.resting = REST;
            }
            (self.lookups, self.hits) = (0, 0);
        }
    }

    /// Whether an answer that was not found is to be kept.
    pub const fn admits(&mut self) -> bool {
        self.resting = self.resting.saturating_sub(1);
        self.resting == 0
    }

    /// An answer that was kept has taken so long, from the request to its end.
    pub fn on_fill(&mut self, took: Duration) {
        self.takes = match self.takes {
            Duration::ZERO => took,
            mean => (mean * (WEIGHT - 1) + took) / WEIGHT,
        };
    }

    /// Whether an answer is worth a question to another place than PostgreSQL: what PostgreSQL answers at once comes as quickly from it.
    #[must_use]
    pub fn is_dear(&self) -> bool {
        self.takes == Duration::ZERO || self.takes >= DEAR
    }

    /// How long to wait for an answer that somebody else has just asked for: about as long as it would take to ask oneself.
    #[must_use]
    pub fn patience(&self) -> Duration {
        match self.takes {
            Duration::ZERO => UNKNOWN,
            mean => mean.saturating_mul(2).clamp(LEAST, MOST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgresql_answers_at_once_is_not_looked_for_elsewhere() {
        let mut worth = Worth::default();
        assert!(worth.is_dear(), "nobody knows");
        worth.on_fill(Duration::from_micros(300));
        assert!(!worth.is_dear());
        (0..20).for_each(|_| worth.on_fill(Duration::from_millis(3)));
        assert!(worth.is_dear());
    }

    #[test]
    fn one_waits_about_as_long_as_it_takes() {
        let (millis, mut worth) = (Duration::from_millis, Worth::default());
        assert_eq!(worth.patience(), UNKNOWN);
        worth.on_fill(millis(100));
        assert_eq!(worth.patience(), millis(200));
        worth.on_fill(millis(500));
        assert_eq!(worth.patience(), millis(400));
        (0..40).for_each(|_| worth.on_fill(millis(1)));
        assert_eq!(worth.patience(), LEAST);
        (0..40).for_each(|_| worth.on_fill(Duration::from_secs(3600)));
        assert_eq!(worth.patience(), MOST);
    }

    #[test]
    fn a_form_without_hits_rests_and_comes_back() {
        let mut worth = Worth::default();
        for at in 0..TRIAL {
            worth.on_lookup(at % 25 == 0);
        }
        let refused = (0..2 * REST).filter(|_| !worth.admits()).count();
        assert_eq!(refused, REST as usize - 1);
    }

    #[test]
    fn a_form_with_some_hits_stays() {
        let mut worth = Worth::default();
        for at in 0..10 * TRIAL {
            worth.on_lookup(at % 10 == 0);
            assert!(worth.admits());
        }
    }
}
