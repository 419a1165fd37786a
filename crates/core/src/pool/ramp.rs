//! How fast connections to one node may be opened after it (re)appeared: few at first, twice as many in each further step, until
//! it no longer matters. Not the cap on connections: that is the pool's size and the node's `max_servers`.
//!
//! Invariant: within one step no more openings are admitted than the step's share.

use std::time::{Duration, Instant};

/// Openings admitted in the first step.
const FIRST: u32 = 4;
/// Length of a step.
const STEP: Duration = Duration::from_millis(100);
/// Steps until openings are no longer limited: the last one admits 128.
const STEPS: u32 = 6;

/// The ramp of one node, over all its pools.
#[derive(Debug, Clone)]
pub struct Ramp {
    /// When its first opening was admitted; `None`: not yet.
    begun: Option<Instant>,
    step: u32,
    admitted: u32,
    done: bool,
}

impl Default for Ramp {
    fn default() -> Self {
        Self::new()
    }
}

impl Ramp {
    /// A node that has just appeared.
    #[must_use]
    pub const fn new() -> Self {
        Self { begun: None, step: 0, admitted: 0, done: false }
    }

    /// Asks to open one connection.
    pub fn admit(&mut self, now: Instant) -> bool {
        if self.done {
            return true;
        }
        let begun = *self.begun.get_or_insert(now);
        let passed = now.saturating_duration_since(begun).as_millis() / STEP.as_millis();
        let step = u32::try_from(passed).unwrap_or(STEPS);
        if step >= STEPS {
            self.done = true;
            return true;
        }
        if step != self.step {
            (self.step, self.admitted) = (step, 0);
        }
        let admitted = self.admitted < FIRST << step;
        self.admitted += u32::from(admitted);
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_admits_twice_as_many_until_all_are_admitted() {
        let begin = Instant::now();
        let mut ramp = Ramp::new();
        for (step, share) in [4, 8, 16, 32, 64, 128].into_iter().enumerate() {
            let now = begin + STEP * u32::try_from(step).unwrap();
            let admitted = (0..1000).filter(|_| ramp.admit(now)).count();
            assert_eq!(admitted, share, "step {step}");
        }
        assert!((0..1000).all(|_| ramp.admit(begin + STEP * STEPS)));
    }

    #[test]
    fn a_ramp_begins_with_its_first_opening() {
        let begin = Instant::now() + Duration::from_secs(3600);
        let mut ramp = Ramp::new();
        assert_eq!((0..100).filter(|_| ramp.admit(begin)).count(), 4);
    }
}
