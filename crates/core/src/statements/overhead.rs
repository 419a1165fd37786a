//! How long Howdah itself took over calls: short times as a rule, in less room than a [`Histogram`]. Four buckets to every doubling, up
//! to a second; what is longer is in the last one.
//!
//! Invariant: the counts add up to the number of times that were recorded.

use super::histogram::{Histogram, bucket};

/// Buckets: each is two of a [`Histogram`].
pub(super) const OVERHEADS: usize = 74;

/// The bucket of a time in microseconds.
pub(super) fn overhead_bucket(us: u64) -> usize {
    (bucket(us) / 2).min(OVERHEADS - 1)
}

/// How often Howdah itself took how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overheads(Box<[u64; OVERHEADS]>);

impl Default for Overheads {
    fn default() -> Self {
        Self(Box::new([0; OVERHEADS]))
    }
}

impl Overheads {
    pub(super) fn add_counts(&mut self, counts: &[u32; OVERHEADS]) {
        for (sum, count) in self.0.iter_mut().zip(counts) {
            *sum += u64::from(*count);
        }
    }

    /// Adds the times of others.
    pub fn add(&mut self, others: &Self) {
        for (sum, count) in self.0.iter_mut().zip(others.0.iter()) {
            *sum += count;
        }
    }

    /// The same times with the buckets of a histogram: those of a bucket are spread over its two halves.
    #[must_use]
    pub fn histogram(&self) -> Histogram {
        let mut histogram = Histogram::default();
        for (at, count) in self.0.iter().enumerate() {
            histogram.add_to(2 * at, count.div_ceil(2));
            histogram.add_to(2 * at + 1, count / 2);
        }
        histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_quarter_of_the_true_ones_and_no_time_is_lost() {
        for us in (0..1_000_000_u64).step_by(997) {
            let mut counts = [0; OVERHEADS];
            counts[overhead_bucket(us)] = 7;
            let mut overheads = Overheads::default();
            overheads.add_counts(&counts);
            let histogram = overheads.histogram();
            assert_eq!(histogram.count(), 7);
            let said = histogram.quantile(0.99).unwrap();
            assert!(said.abs_diff(us) <= (us / 4).max(2), "{us}: {said}");
        }
        assert_eq!(overhead_bucket(u64::MAX), OVERHEADS - 1);
    }
}
