//! Parts of the answers that were forgotten: those of a table, a tag, a form. Not all of them at once: that is the store's.
//!
//! Nothing is looked for and removed: an answer whose statement was sent before its part was forgotten is not given any more.
//!
//! Invariant: once a part was forgotten nothing of it is given whose statement was sent before, wherever it was at that moment.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use howdah_core::cache::{About, Freshness, Lsn, Part};
use parking_lot::Mutex;

/// Parts that are remembered; with more of them everything is forgotten.
const PARTS: usize = 256;

/// See the head of this file.
#[derive(Debug, Default)]
pub(crate) struct Flushes {
    /// Parts that were forgotten, each as often as it was.
    number: AtomicU64,
    parts: Mutex<HashMap<Part, Flushed>>,
}

/// When it was forgotten last.
#[derive(Debug)]
struct Flushed {
    number: u64,
    /// Up to where changes were known then, by place: what others have kept up to there is forgotten, too.
    positions: Vec<(Weak<Freshness>, Lsn)>,
}

impl Flushes {
    /// To be asked before a statement is sent.
    pub(super) fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// Forgets a part; `false`: there are too many, and everything has to be forgotten.
    pub(super) fn forget(&self, part: Part, followed: &[Arc<Freshness>]) -> bool {
        let mut parts = self.parts.lock();
        if parts.len() >= PARTS && !parts.contains_key(&part) {
            parts.clear();
            return false;
        }
        let number = self.number.load(Ordering::Acquire) + 1;
        let position = |one: &Arc<Freshness>| Some((Arc::downgrade(one), one.delivered()?));
        let positions = followed.iter().filter_map(position).collect();
        parts.insert(part, Flushed { number, positions });
        self.number.store(number, Ordering::Release);
        true
    }

    /// Whether nothing that an answer belongs to was forgotten since this was the number; the number now.
    pub(super) fn outlived(&self, about: &About, since: u64) -> Option<u64> {
        let parts = self.parts.lock();
        let mut later = parts.iter().filter(|(_, flushed)| flushed.number > since);
        (!later.any(|(part, _)| about.is_in(part))).then(|| self.number())
    }

    /// Whether something that another instance has kept was forgotten here: what it held, up to there.
    pub(super) fn is_forgotten(&self, about: &About, freshness: &Arc<Freshness>, v: Lsn) -> bool {
        if self.number() == 0 {
            return false;
        }
        let is_here = |(place, _): &&(Weak<Freshness>, Lsn)| {
            place.upgrade().is_some_and(|place| Arc::ptr_eq(&place, freshness))
        };
        let parts = self.parts.lock();
        let mut of_it = parts.iter().filter(|(part, _)| about.is_in(part));
        of_it.any(|(_, flushed)| {
            flushed.positions.iter().find(is_here).is_some_and(|(_, position)| v <= *position)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use howdah_core::cache::rules::Rules;
    use howdah_core::route::class::Name;
    use howdah_core::rules::TableName;
    use howdah_sql::Fingerprint;

    use super::*;

    fn table(name: &str) -> Part {
        Part::Table(TableName::parse(name))
    }

    #[test]
    fn what_was_asked_for_before_is_forgotten_and_nothing_else() {
        let reads = |name| [(1, Name::new("app", name))].into();
        let about = |name| Rules::default().about(Fingerprint(1), reads(name));
        let flushes = Flushes::default();
        let before = flushes.number();
        assert!(flushes.forget(table("a"), &[]));
        assert_eq!(flushes.outlived(&about("a"), before), None);
        assert_eq!(flushes.outlived(&about("b"), before), Some(1));
        let between = flushes.number();
        assert_eq!(flushes.outlived(&about("a"), between), Some(1));
        assert!(flushes.forget(table("a"), &[]));
        assert_eq!(flushes.outlived(&about("a"), between), None);
        assert!(flushes.forget(table("b"), &[]));
        assert_eq!(flushes.outlived(&about("a"), 2), Some(3));
        for other in 0..PARTS {
            let remembered = flushes.forget(table(&format!("t{other}")), &[]);
            assert_eq!(remembered, other + 2 != PARTS, "{other}");
        }
    }
}
