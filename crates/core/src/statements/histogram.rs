//! A histogram of times: eight buckets to every doubling, so that a bucket is at most an eighth of its values wide. Fixed size,
//! adding is exact and in any order.
//!
//! Invariant: the counts add up to the number of times that were recorded.

/// Times below this have a bucket each; from here on there are so many buckets to every doubling.
const STEPS: u32 = 8;
/// `STEPS` is two to this power.
const STEPS_LOG: u32 = 3;

/// Buckets of a histogram: up to 71 minutes; what is longer is in the last one.
pub const BUCKETS: usize = 240;

/// How often something took how long, in microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Box<[u64; BUCKETS]>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]) }
    }
}

/// The bucket of a time.
pub(super) fn bucket(us: u64) -> usize {
    let us = u32::try_from(us).unwrap_or(u32::MAX);
    if us < STEPS {
        return us as usize;
    }
    let shift = us.ilog2() - STEPS_LOG;
    (STEPS * shift + (us >> shift)) as usize
}

impl Histogram {
    /// The shortest time in a bucket; of the one after the last, where the last one ends.
    #[must_use]
    pub fn lower(bucket: usize) -> u64 {
        let (bucket, steps) = (bucket as u64, u64::from(STEPS));
        if bucket < steps {
            return bucket;
        }
        (steps + bucket % steps) << (bucket / steps - 1)
    }

    /// Records a time.
    pub fn record(&mut self, us: u64) {
        self.add_to(bucket(us), 1);
    }

    /// Records so many times of one bucket. Beyond the last one there is none.
    pub fn add_to(&mut self, bucket: usize, count: u64) {
        if let Some(of) = self.counts.get_mut(bucket) {
            *of += count;
        }
    }

    /// Adds the times of another one.
    pub fn add(&mut self, other: &Self) {
        for (count, other) in self.counts.iter_mut().zip(other.counts.iter()) {
            *count += other;
        }
    }

    /// The times that were recorded after `earlier`, which is this histogram as it was then.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        for (count, earlier) in since.counts.iter_mut().zip(earlier.counts.iter()) {
            *count = count.saturating_sub(*earlier);
        }
        since
    }

    /// How many times were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Counts by bucket, from the shortest times to the longest.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        self.counts.as_slice()
    }

    /// How many times were at most this long, to within a bucket: all of those in whose bucket nothing is longer, and of the bucket
    /// that the limit is in the part below it.
    #[must_use]
    pub fn at_most(&self, us: u64) -> u64 {
        let last = bucket(us);
        let before: u64 = self.counts.iter().take(last).sum();
        let of = self.counts.get(last).copied().unwrap_or(0);
        let (from, to) = (Self::lower(last), Self::lower(last + 1));
        let part = us.saturating_add(1).saturating_sub(from).min(to - from);
        before
            + u64::try_from(u128::from(of) * u128::from(part) / u128::from(to - from)).unwrap_or(of)
    }

    /// The time, in microseconds, that this share of the times does not exceed (0.5: the median), to within its bucket. `None`: there
    /// are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count is a count"
        )]
        let rank = ((count as f64 * share.clamp(0.0, 1.0)).ceil() as u64).clamp(1, count);
        let mut before = 0;
        for (bucket, of) in self.counts.iter().enumerate() {
            if before + of >= rank {
                let (from, to) = (Self::lower(bucket), Self::lower(bucket + 1));
                // As if those in the bucket were spread over it evenly.
                return Some(from + (to - from).saturating_sub(1) * (rank - before) / of);
            }
            before += of;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        let mut before = 0;
        for us in 0..2_000_000_u64 {
            let at = bucket(us);
            assert!(at == before || at == before + 1, "{us}");
            assert!(Histogram::lower(at) <= us && us < Histogram::lower(at + 1), "{us}");
            before = at;
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        for at in 8..BUCKETS {
            let width = Histogram::lower(at + 1) - Histogram::lower(at);
            assert!(width * 8 <= Histogram::lower(at), "{at}");
        }
    }

    #[test]
    fn quantiles_are_within_a_bucket_of_the_true_ones() {
        let mut histogram = Histogram::default();
        let mut times: Vec<u64> = Vec::new();
        let mut state = 88_172_645_463_325_252_u64;
        for _ in 0..50_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let us = (state % 1_000) * (state >> 40) % 3_000_000;
            histogram.record(us);
            times.push(us);
        }
        times.sort_unstable();
        for permille in [1, 500, 900, 950, 990, 999, 1_000] {
            let rank = (times.len() * permille).div_ceil(1_000).max(1);
            let said = histogram.quantile(permille as f64 / 1_000.0).unwrap();
            let is = times[rank - 1];
            assert_eq!(bucket(said), bucket(is), "{permille}: {said} {is}");
        }
        assert_eq!(histogram.at_most(u64::MAX), 50_000);
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn what_came_later_is_the_difference() {
        let mut whole = Histogram::default();
        whole.record(5);
        let earlier = whole.clone();
        whole.record(900);
        let mut later = Histogram::default();
        later.record(900);
        assert_eq!(whole.since(&earlier), later);
        let mut sum = earlier;
        sum.add(&later);
        assert_eq!(sum, whole);
    }
}
