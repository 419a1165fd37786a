//! Analyses by exact text, in front of the map by normal form: a text that a driver sends again and again is recognised by
//! one hash and one comparison.
//!
//! Invariant: an analysis is given only for a text that is equal to the one it was made for.

use std::hash::BuildHasher;
use std::sync::Arc;

use howdah_sql::Analysis;

/// Texts that are remembered; a power of two.
const SLOTS: usize = 1024;

/// A longer text costs more to compare and to keep than it saves.
const LONGEST: usize = 4096;

/// One place. A text is kept when it comes for the second time in a row, so that texts with changing literals cost eight
/// bytes and no allocation.
#[derive(Debug, Default)]
struct Slot {
    hash: u64,
    kept: Option<(Box<[u8]>, Arc<Analysis>)>,
}

/// Texts seen lately, by their hash.
#[derive(Debug)]
pub(crate) struct Repeated {
    slots: Vec<Slot>,
    hasher: foldhash::fast::RandomState,
}

impl Default for Repeated {
    fn default() -> Self {
        let slots = std::iter::repeat_with(Slot::default).take(SLOTS).collect();
        Self { slots, hasher: foldhash::fast::RandomState::default() }
    }
}

impl Repeated {
    /// What `sql` is, as `analyse` says.
    pub(crate) fn analyse(
        &mut self,
        sql: &[u8],
        analyse: impl FnOnce(&[u8]) -> Arc<Analysis>,
    ) -> Arc<Analysis> {
        if sql.len() > LONGEST {
            return analyse(sql);
        }
        let hash = self.hasher.hash_one(sql);
        let place = usize::try_from(hash).unwrap_or(0) % SLOTS;
        let Some(slot) = self.slots.get_mut(place) else { return analyse(sql) };
        if slot.hash == hash
            && let Some((text, analysis)) = &slot.kept
            && **text == *sql
        {
            return Arc::clone(analysis);
        }
        let analysis = analyse(sql);
        let again = slot.hash == hash;
        slot.hash = hash;
        slot.kept = again.then(|| (sql.into(), Arc::clone(&analysis)));
        analysis
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_analysed_until_it_is_kept_and_never_taken_for_another() {
        let mut repeated = Repeated::default();
        let mut made = 0;
        for round in 0..4 {
            for number in 0..3_000 {
                let sql = format!("SELECT {number}");
                let analysis = repeated.analyse(sql.as_bytes(), |sql| {
                    made += 1;
                    let mut analysis = Analysis::unknown();
                    analysis.text = String::from_utf8_lossy(sql).into();
                    Arc::new(analysis)
                });
                assert_eq!(*analysis.text, *sql, "round {round}");
            }
        }
        assert!(made > 3_000, "more texts than places");
        let mut calls = 0;
        for _ in 0..10 {
            repeated.analyse(b"SELECT 1 -- often", |_| {
                calls += 1;
                Arc::new(Analysis::unknown())
            });
        }
        assert_eq!(calls, 2);
    }
}
