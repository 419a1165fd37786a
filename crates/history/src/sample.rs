//! What happened to one subject within one slot, and how it is written: numbers of seven bits a byte.
//!
//! Invariant: samples are merged in any order and grouping with the same result; what is written is read back the same; no bytes of
//! a file make reading panic.

use howdah_core::statements::{BUCKETS, Histogram};

/// The first byte of what is written.
const FORMAT: u8 = 1;
/// More numbers than any subject has: a file that claims more is damaged.
const MOST_VALUES: u64 = 1_000;

/// What happened to one subject within some time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// Looks that levels are averages over.
    pub looks: u64,
    /// Time that was observed, in microseconds.
    pub span_us: u64,
    /// Sum and highest of every series, by position.
    pub values: Vec<(u64, u64)>,
    /// Times of statements, waiting included.
    pub times: Histogram,
}

impl Sample {
    /// One look: that much of each series.
    pub(crate) fn of_look(span_us: u64, values: &[u64]) -> Self {
        let values = values.iter().map(|value| (*value, *value)).collect();
        Self { looks: 1, span_us, values, times: Histogram::default() }
    }

    /// With these times.
    pub(crate) fn with_times(mut self, times: Histogram) -> Self {
        self.times = times;
        self
    }

    /// Adds what happened in another one.
    pub fn merge(&mut self, other: &Self) {
        self.looks = self.looks.saturating_add(other.looks);
        self.span_us = self.span_us.saturating_add(other.span_us);
        if self.values.len() < other.values.len() {
            self.values.resize(other.values.len(), (0, 0));
        }
        for ((sum, most), (of, highest)) in self.values.iter_mut().zip(&other.values) {
            *sum = sum.saturating_add(*of);
            *most = (*most).max(*highest);
        }
        self.times.add(&other.times);
    }

    /// The sum of a series.
    #[must_use]
    pub fn sum(&self, at: usize) -> u64 {
        self.values.get(at).map_or(0, |(sum, _)| *sum)
    }

    /// The highest of a series.
    #[must_use]
    pub fn most(&self, at: usize) -> u64 {
        self.values.get(at).map_or(0, |(_, most)| *most)
    }

    /// As bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        put(&mut bytes, self.looks);
        put(&mut bytes, self.span_us);
        put(&mut bytes, self.values.len() as u64);
        for (sum, most) in &self.values {
            put(&mut bytes, *sum);
            put(&mut bytes, *most);
        }
        let mut last = 0;
        for (bucket, count) in self.times.counts().iter().enumerate() {
            if *count > 0 {
                put(&mut bytes, (bucket - last) as u64);
                put(&mut bytes, *count);
                last = bucket;
            }
        }
        bytes
    }

    /// From bytes; `None`: they are none of a sample.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (format, mut rest) = bytes.split_first()?;
        if *format != FORMAT {
            return None;
        }
        let (looks, span_us) = (take(&mut rest)?, take(&mut rest)?);
        let count = take(&mut rest).filter(|count| *count <= MOST_VALUES)?;
        let values = (0..count).map(|_| Some((take(&mut rest)?, take(&mut rest)?)));
        let values = values.collect::<Option<Vec<_>>>()?;
        let (mut times, mut bucket) = (Histogram::default(), 0_usize);
        while !rest.is_empty() {
            bucket = bucket.checked_add(usize::try_from(take(&mut rest)?).ok()?)?;
            if bucket >= BUCKETS {
                return None;
            }
            times.add_to(bucket, take(&mut rest)?);
        }
        Some(Self { looks, span_us, values, times })
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    fn sample(state: &mut u64) -> Sample {
        let values: Vec<u64> =
            (0..random(state) % 40).map(|_| random(state) >> (random(state) % 60 + 4)).collect();
        let mut times = Histogram::default();
        for _ in 0..random(state) % 50 {
            times.record(random(state) >> (random(state) % 60 + 4));
        }
        Sample::of_look(random(state) % 2_000_000, &values).with_times(times)
    }

    #[test]
    fn what_is_written_is_read_back_and_merging_has_no_order() {
        let mut state = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..500 {
            let (a, b, c) = (sample(&mut state), sample(&mut state), sample(&mut state));
            assert_eq!(Sample::decode(&a.encode()).unwrap(), a);
            let (mut left, mut right) = (a.clone(), b.clone());
            left.merge(&b);
            left.merge(&c);
            right.merge(&c);
            let mut whole = a.clone();
            whole.merge(&right);
            assert_eq!(left, whole);
            let mut other = b.clone();
            other.merge(&a);
            let mut same = a.clone();
            same.merge(&b);
            assert_eq!(other, same);
        }
    }

    #[test]
    fn bytes_of_something_else_are_refused() {
        let mut state = 77;
        let good = sample(&mut state).encode();
        for cut in 0..good.len() {
            let _ = Sample::decode(&good[..cut]);
        }
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..random(&mut state) % 60)
                .map(|_| u8::try_from(random(&mut state) % 256).unwrap())
                .collect();
            let _ = Sample::decode(&bytes);
        }
        assert_eq!(Sample::decode(&[]), None);
        assert_eq!(Sample::decode(&[9, 0, 0, 0]), None);
        assert_eq!(Sample::decode(&[FORMAT, 0, 0, 0, 255, 255, 3, 1]), None);
    }
}
