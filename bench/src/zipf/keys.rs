//! Keys of which few are asked for often: ranks by Zipf's law with an exponent below one, which pgbench does not have, spread over all
//! keys so that neighbours have nothing in common.
//!
//! After J. Gray, P. Sundaresan, S. Englert, K. Baclawski, P. Weinberger: Quickly Generating Billion-Record Synthetic Databases, SIGMOD 1994.
//!
//! Invariant: a key is from 1 to the number of keys; every rank has a key of its own.

/// A prime number: it has no factor in common with a number of keys that is smaller.
const SPREAD: u64 = 982_451_653;

/// The distribution; for an exponent between 0 and 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zipf {
    keys: u32,
    theta: f64,
    zeta: f64,
    eta: f64,
}

impl Zipf {
    pub(super) fn new(keys: u32, theta: f64) -> Self {
        let zeta = |up_to: u32| (1..=up_to).map(|rank| f64::from(rank).powf(-theta)).sum::<f64>();
        let (all, two) = (zeta(keys), zeta(2));
        let eta = (1.0 - (2.0 / f64::from(keys)).powf(1.0 - theta)) / (1.0 - two / all);
        Self { keys, theta, zeta: all, eta }
    }

    /// The rank of the next one, 0 for the most frequent.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to the number of keys"
    )]
    fn rank(self, dice: &mut Dice) -> u32 {
        let uniform = dice.unit();
        let scaled = uniform * self.zeta;
        if scaled < 1.0 {
            return 0;
        } else if scaled < 1.0 + 0.5_f64.powf(self.theta) {
            return 1;
        }
        let power = 1.0 / (1.0 - self.theta);
        let rank = f64::from(self.keys) * (self.eta * uniform - self.eta + 1.0).powf(power);
        (rank as u32).min(self.keys - 1)
    }

    /// The next key.
    pub(super) fn key(self, dice: &mut Dice) -> u32 {
        let keys = u64::from(self.keys);
        let spread = u64::from(self.rank(dice)) * SPREAD % keys;
        u32::try_from(spread).unwrap_or_default() + 1
    }
}

/// Numbers that look random and are the same in every run (splitmix64).
#[derive(Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1, without 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_come_as_often_as_the_law_says() {
        let zipf = Zipf::new(1000, 0.99);
        let mut dice = Dice(7);
        let mut counts = vec![0_u32; 1000];
        for _ in 0..200_000 {
            counts[zipf.rank(&mut dice) as usize] += 1;
        }
        let expected = |rank: usize| 200_000.0 * ((rank + 1) as f64).powf(-0.99) / zipf.zeta;
        for rank in [0, 1, 9, 99] {
            let share = f64::from(counts[rank]) / expected(rank);
            assert!((0.8..1.25).contains(&share), "rank {rank}: {share}");
        }
    }

    #[test]
    fn every_rank_has_a_key_of_its_own() {
        let keys: std::collections::BTreeSet<u64> =
            (0..1000).map(|rank| rank * SPREAD % 1000).collect();
        assert_eq!(keys.len(), 1000);
    }
}
