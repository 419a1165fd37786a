//! Counters of the last hours, to say what happened within a time. Not what it means.
//!
//! Invariant: bounded by [`KEPT`] samples [`STEP`] apart; while nothing changes nothing is added.

use std::collections::VecDeque;
use std::time::Duration;

/// Between two samples.
const STEP: Duration = Duration::from_secs(15);
/// Samples at most: six hours and a little.
const KEPT: usize = 1_480;

/// Some counters, and what they were.
#[derive(Debug)]
pub(super) struct Window<const N: usize> {
    samples: VecDeque<(Duration, [u64; N])>,
    now: [u64; N],
    at: Duration,
}

impl<const N: usize> Default for Window<N> {
    fn default() -> Self {
        Self { samples: VecDeque::new(), now: [0; N], at: Duration::ZERO }
    }
}

impl<const N: usize> Window<N> {
    /// One whose counters begin now, at zero; a default one takes what it sees first for where they begin.
    pub(super) fn from_zero(now: Duration) -> Self {
        Self { samples: VecDeque::from([(now, [0; N])]), now: [0; N], at: now }
    }

    /// The counters are this much now.
    pub(super) fn observe(&mut self, now: Duration, counters: [u64; N]) {
        (self.at, self.now) = (now, counters);
        let due = self
            .samples
            .back()
            .is_none_or(|(at, known)| *known != counters && now.saturating_sub(*at) >= STEP);
        if due {
            if self.samples.len() >= KEPT {
                self.samples.pop_front();
            }
            self.samples.push_back((now, counters));
        }
    }

    /// How much was added within about this time, or since the first look.
    pub(super) fn within(&self, span: Duration) -> [u64; N] {
        let since = self.at.saturating_sub(span);
        let before = self.samples.partition_point(|(at, _)| *at <= since);
        let from = self.samples.get(before.saturating_sub(1)).map_or(self.now, |(_, then)| *then);
        let mut grown = self.now;
        for (now, then) in grown.iter_mut().zip(from) {
            *now = now.saturating_sub(then);
        }
        grown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_within_a_time_is_told_to_a_step() {
        let mut window = Window::default();
        for second in 0..1_000_u64 {
            window.observe(Duration::from_secs(second), [second, 7]);
        }
        let [grown, still] = window.within(Duration::from_secs(300));
        assert!((300..=316).contains(&grown), "{grown}");
        assert_eq!(still, 0);
        assert_eq!(window.within(Duration::from_secs(10_000)), [999, 0], "since the first look");
    }

    #[test]
    fn what_stands_still_costs_nothing_and_what_grows_is_bounded() {
        let mut still = Window::default();
        let mut grows = Window::default();
        for second in 0..100_000_u64 {
            still.observe(Duration::from_secs(second), [1]);
            grows.observe(Duration::from_secs(second), [second]);
        }
        assert_eq!(still.samples.len(), 1);
        assert_eq!(grows.samples.len(), KEPT);
        still.observe(Duration::from_secs(100_000), [6]);
        assert_eq!(still.within(Duration::from_secs(60)), [5]);
    }
}
