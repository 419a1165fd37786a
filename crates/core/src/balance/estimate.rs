//! How long a node takes to answer: quick to believe that it has become slower, slower to forget it, and forgetting by itself while
//! nobody asks, so that a node that was avoided is tried again.
//!
//! Invariant: one answer raises an estimate at most eightfold: a long statement is not a slow node.

use std::time::{Duration, Instant};

/// After this without an answer, what was known counts a third.
const DECAY: Duration = Duration::from_secs(2);
/// What one answer can raise an estimate to, as a multiple.
const JUMP: f64 = 8.0;
/// Estimates do not fall below this. Seconds.
const FLOOR: f64 = 10e-6;

/// A decaying estimate that follows peaks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Estimate {
    /// Seconds, and when the last answer came.
    known: Option<(f64, Instant)>,
}

impl Estimate {
    pub(super) fn on_answer(&mut self, latency: Duration, now: Instant) {
        let latency = latency.as_secs_f64().max(FLOOR);
        let estimate = match self.known {
            None => latency,
            Some((estimate, at)) => {
                let kept = kept(at, now);
                if latency >= estimate {
                    latency.min(estimate * JUMP)
                } else {
                    // Close together answers count a little each.
                    let kept = kept.min(0.95);
                    estimate * kept + latency * (1.0 - kept)
                }
            }
        };
        self.known = Some((estimate, now));
    }

    /// Seconds; `None`: it has never answered.
    pub(super) fn at(&self, now: Instant) -> Option<f64> {
        self.known.map(|(estimate, at)| (estimate * kept(at, now)).max(FLOOR))
    }
}

fn kept(at: Instant, now: Instant) -> f64 {
    (-now.saturating_duration_since(at).as_secs_f64() / DECAY.as_secs_f64()).exp()
}
