//! Positions that a node has told, each with the moment at which it was asked. Not what they are good for: `Topology` says that.
//!
//! Invariant: both columns grow. Every answer errs to the safe side: a sample that was dropped makes a moment older and a position
//! later, never the other way round.

use std::time::{Duration, Instant};

use super::Lsn;
use crate::limits;

/// Samples closer together than this are one.
const RESOLUTION: Duration = Duration::from_millis(5);

/// A position, and when it was asked for: before the question was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Before the question was sent.
    pub asked: Instant,
    /// The answer.
    pub lsn: Lsn,
}

/// The samples of one node, oldest first. When there are too many, every second of the older half is dropped.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples {
    kept: Vec<Sample>,
}

impl Samples {
    /// Adds the latest one. A position that goes back begins another history.
    pub(super) fn push(&mut self, sample: Sample) {
        let goes_back = |last: &Sample| sample.lsn < last.lsn || sample.asked < last.asked;
        if self.kept.last().is_some_and(goes_back) {
            self.kept.clear();
        }
        let before = self.kept.len().checked_sub(2).and_then(|at| self.kept.get(at)).copied();
        let close =
            |before: Sample| sample.asked.saturating_duration_since(before.asked) < RESOLUTION;
        match self.kept.last_mut() {
            // The later of two moments at the same position says everything, and so does the later of two moments close together.
            Some(last) if last.lsn == sample.lsn || before.is_some_and(close) => *last = sample,
            Some(_) | None => self.kept.push(sample),
        }
        if self.kept.len() > limits::POSITION_SAMPLES {
            let older = self.kept.len() / 2;
            let mut at = 0;
            self.kept.retain(|_| {
                at += 1;
                at > older || at % 2 == 1
            });
        }
    }

    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }

    pub(super) fn last(&self) -> Option<Sample> {
        self.kept.last().copied()
    }

    /// The latest moment at which the position was known to be at or before `lsn`.
    pub(super) fn latest_within(&self, lsn: Lsn) -> Option<Instant> {
        let within = self.kept.partition_point(|sample| sample.lsn <= lsn);
        Some(self.kept.get(within.checked_sub(1)?)?.asked)
    }

    /// A position that the node had not passed at `moment`: that of the first sample asked for then or later.
    pub(super) fn position_at(&self, moment: Instant) -> Option<Lsn> {
        let first = self.kept.partition_point(|sample| sample.asked < moment);
        self.kept.get(first).map(|sample| sample.lsn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_err_to_the_safe_side_whatever_is_dropped() {
        let start = Instant::now();
        for seed in 1..=50_u64 {
            let mut state = seed;
            let mut random = |below: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) % below
            };
            let (mut samples, mut all) = (Samples::default(), Vec::<Sample>::new());
            let (mut at, mut lsn) = (0, 0);
            for _ in 0..5_000 {
                at += random(20);
                lsn += random(3) * random(100);
                let sample = Sample { asked: start + Duration::from_millis(at), lsn: Lsn(lsn) };
                samples.push(sample);
                all.push(sample);
                assert!(samples.kept.len() <= limits::POSITION_SAMPLES);
                assert_eq!(samples.last(), Some(sample), "seed {seed}");
                let replayed = Lsn(random(lsn + 1));
                let exact = all.iter().rfind(|sample| sample.lsn <= replayed).map(|it| it.asked);
                let told = samples.latest_within(replayed);
                assert!(told <= exact, "seed {seed}: {told:?} is fresher than {exact:?}");
                let moment = start + Duration::from_millis(random(at + 1));
                let exact = all.iter().find(|it| it.asked >= moment).map(|it| it.lsn);
                let told = samples.position_at(moment);
                assert!(told >= exact, "seed {seed}: {told:?} is before {exact:?}");
            }
            // What is left is still worth asking: the whole time is covered.
            let oldest = samples.kept.first().unwrap().asked - start;
            assert!(oldest < Duration::from_secs(5), "seed {seed}: begins after {oldest:?}");
        }
    }

    #[test]
    fn a_position_that_goes_back_begins_another_history() {
        let start = Instant::now();
        let mut samples = Samples::default();
        let at =
            |ms: u64, lsn: u64| Sample { asked: start + Duration::from_millis(ms), lsn: Lsn(lsn) };
        samples.push(at(0, 100));
        samples.push(at(100, 200));
        samples.push(at(200, 150));
        assert_eq!(samples.latest_within(Lsn(149)), None);
        assert_eq!(samples.latest_within(Lsn(150)), Some(start + Duration::from_millis(200)));
        assert_eq!(samples.position_at(start), Some(Lsn(150)));
    }

    #[test]
    fn an_idle_node_stays_fresh_with_one_sample() {
        let start = Instant::now();
        let mut samples = Samples::default();
        for ms in 0..10_000 {
            samples.push(Sample { asked: start + Duration::from_millis(ms), lsn: Lsn(7) });
        }
        assert_eq!(samples.kept.len(), 1);
        assert_eq!(samples.latest_within(Lsn(7)), Some(start + Duration::from_millis(9_999)));
    }
}
