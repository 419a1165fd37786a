//! What waits to be written: samples by ring, subject and slot, already merged; names; marks.
//!
//! Invariant: each sample is in every ring of its subject exactly once.

use std::collections::BTreeMap;

use crate::marks::Mark;
use crate::record::{FINEST, WAITING};
use crate::rings::Ring;
use crate::sample::Sample;
use crate::series::Subject;

/// Rows of all rings that may wait; more are dropped.
const ROWS: usize = 20_000;
/// Marks that may.
const MARKS: usize = 1_000;

/// What waits.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) rows: BTreeMap<(Ring, Subject, u64), Sample>,
    pub(crate) texts: BTreeMap<Subject, String>,
    pub(crate) marks: Vec<Mark>,
    /// Texts by name, with their moments; of few names.
    pub(crate) kept: BTreeMap<&'static str, (u64, String)>,
}

impl Pending {
    /// Adds what happened to a subject in the slot of each ring that a moment, in seconds since 1970, is in.
    pub(crate) fn add(&mut self, at: u64, subject: &Subject, sample: &Sample) {
        for ring in subject.rings() {
            let slot = at / ring.seconds();
            self.rows.entry((*ring, subject.clone(), slot)).or_default().merge(sample);
        }
    }

    pub(crate) fn text(&mut self, subject: Subject, text: String) {
        self.texts.insert(subject, text);
    }

    pub(crate) fn mark(&mut self, mark: Mark) {
        if self.marks.len() < MARKS {
            self.marks.push(mark);
        }
    }

    /// It is written.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.texts.clear();
        self.marks.clear();
        self.kept.clear();
    }

    /// Forgets what is too much; how many seconds that were.
    pub(crate) fn bound(&mut self) -> u64 {
        let seconds = || self.rows.keys().filter(|(ring, ..)| *ring == FINEST);
        let all = seconds().count();
        let mut lost = 0;
        if all > WAITING {
            let oldest: Vec<_> = seconds().take(all - WAITING).cloned().collect();
            for key in &oldest {
                self.rows.remove(key);
            }
            lost = oldest.len();
        }
        if self.rows.len() > ROWS {
            lost += WAITING;
            self.rows.clear();
            self.texts.clear();
        }
        u64::try_from(lost).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded() {
        let mut pending = Pending::default();
        for at in 0..100_000 {
            pending.add(at, &Subject::All, &Sample::of_look(1_000_000, &[1]));
            if at % 5 == 0 {
                pending.bound();
            }
            assert!(pending.rows.len() <= ROWS + 100);
        }
        pending.bound();
        assert!(pending.rows.keys().filter(|(ring, ..)| *ring == Ring::Second).count() <= WAITING);
        for _ in 0..10_000 {
            pending.mark(Mark::now("mark", "x"));
        }
        assert_eq!(pending.marks.len(), MARKS);
    }
}
