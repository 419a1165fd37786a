//! A set of candidates, by their places in a list. Small, copied, compared and hashed.

use crate::candidates::MAX_CANDIDATES;

const WORDS: usize = MAX_CANDIDATES / 64;

/// Places in a list of at most [`MAX_CANDIDATES`]; larger places are never in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Set([u64; WORDS]);

impl Set {
    /// With one more.
    #[must_use]
    pub fn with(mut self, at: usize) -> Self {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
        self
    }

    /// Without one.
    #[must_use]
    pub fn without(mut self, at: usize) -> Self {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word &= !(1 << (at % 64));
        }
        self
    }

    /// Whether it is in it.
    #[must_use]
    pub fn has(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
    }

    /// What is in both.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own &= other);
        self
    }

    /// What is in either.
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own |= other);
        self
    }

    /// What is in this one alone.
    #[must_use]
    pub fn minus(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own &= !other);
        self
    }

    /// Whether all of it is in another one.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(own, other)| own & !other == 0)
    }

    /// Nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Every place, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        (0..MAX_CANDIDATES).filter(|&at| self.has(at))
    }
}

impl FromIterator<usize> for Set {
    fn from_iter<T: IntoIterator<Item = usize>>(places: T) -> Self {
        places.into_iter().fold(Self::default(), Self::with)
    }
}
