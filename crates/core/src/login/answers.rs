//! Answers that count for a while, such as those to look-ups of users. Not the look-up itself.
//!
//! Invariant: there are at most as many as the bound; beyond it the oldest is forgotten, which only costs a look-up.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

/// Answers by question.
#[derive(Debug)]
pub struct Answers<K, V> {
    known: HashMap<K, (V, Instant), foldhash::fast::RandomState>,
    bound: usize,
}

impl<K: Hash + Eq + Clone, V> Answers<K, V> {
    /// None yet, and never more than `bound`.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { known: HashMap::default(), bound: bound.max(1) }
    }

    /// The answer of `since` or later.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q, since: Instant) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.known.get(key).filter(|(_, at)| *at >= since).map(|(value, _)| value)
    }

    /// The last answer, of whatever time.
    pub fn last<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.known.get(key).map(|(value, _)| value)
    }

    /// Remembers an answer of `now`.
    pub fn put(&mut self, key: K, value: V, now: Instant) {
        if self.known.len() >= self.bound && !self.known.contains_key(&key) {
            let oldest = self.known.iter().min_by_key(|(_, (_, at))| *at);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.known.remove(&oldest);
            }
        }
        self.known.insert(key, (value, now));
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_answer_counts_from_its_time_on_and_the_oldest_goes_first() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut answers = Answers::new(2);
        answers.put("a".to_owned(), 1, at(0));
        answers.put("b".to_owned(), 2, at(1));
        assert_eq!(answers.get("a", at(0)), Some(&1));
        assert_eq!(answers.get("a", at(1)), None);
        assert_eq!(answers.last("a"), Some(&1));
        answers.put("a".to_owned(), 3, at(2));
        answers.put("c".to_owned(), 4, at(3));
        assert_eq!((answers.last("a"), answers.last("b"), answers.len()), (Some(&3), None, 2));
        answers.clear();
        assert!(answers.is_empty());
    }
}
