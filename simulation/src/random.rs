//! Small seeded random numbers, so that a failed run can be repeated. Not for secrets.

use std::time::Duration;

/// A generator; equal seeds give equal sequences.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (`SplitMix64`).
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which must not be 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in `n` times.
    pub const fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of them.
    ///
    /// # Panics
    /// When there is none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let count = u64::try_from(from.len()).expect("a length");
        let index = usize::try_from(self.below(count)).expect("an index");
        &from[index]
    }

    /// True in `percent` of a hundred cases.
    pub const fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A time below `end`; short ones are more likely than long ones.
    pub fn time_below(&mut self, end: Duration) -> Duration {
        let (once, again) = (self.below(1001), self.below(1001));
        let micros = u64::try_from(end.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(
            micros / 1_000_000 * (once * again) + micros % 1_000_000 * (once * again) / 1_000_000,
        )
    }

    /// A generator of its own for a part of the work.
    #[must_use]
    pub const fn fork(&mut self) -> Self {
        Self(self.next())
    }
}
