//! An answer whose row has changed is made anew from what the stream has told of the row, when it is asked for again. What it is made of
//! is `howdah_core::cache::patch`'s.
//!
//! Invariant: what was made anew is judged like any other answer before it is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use howdah_core::cache::Refusal;
use howdah_core::cache::wish::Wish;

use super::place::LocalPlace;
use super::session::word;
use super::store::Entry;
use crate::session::Session;

impl Session {
    /// What was found, or what was made of it, and whether that may be given.
    pub(super) fn judged(
        &self,
        found: Arc<Entry>,
        (key, wish): (&[u8], Wish),
        place: &LocalPlace,
        now: Instant,
    ) -> (Arc<Entry>, Result<(), &'static str>) {
        let verdict = self.may_give(wish, place, found.claim(), now);
        if verdict != Err(word(Refusal::Changed)) {
            return (found, verdict);
        }
        let Some(patched) = found.patched(place).map(Arc::new) else { return (found, verdict) };
        let verdict = self.may_give(wish, place, patched.claim(), now);
        if verdict == Err(word(Refusal::Changed)) {
            return (found, verdict);
        }
        self.worker.shared.store.put(key, Arc::clone(&patched));
        place.tally.on_patched();
        (patched, verdict)
    }
}

impl Entry {
    /// With its row as it has become.
    fn patched(&self, place: &LocalPlace) -> Option<Self> {
        let patch = self.patch.as_ref().filter(|_| !self.counts_only)?;
        let (answer, seen) = place.freshness.patched(patch, &self.answer, self.seen)?;
        Some(Self {
            answer,
            shape: self.shape,
            tags: self.tags.clone(),
            patch: Some(Arc::clone(patch)),
            seen,
            came: self.came,
            analysis: Arc::clone(&self.analysis),
            cost: self.cost,
            counts_only: false,
            about: Arc::clone(&self.about),
            timed: self.timed,
            outlived: AtomicU64::new(self.outlived.load(Ordering::Acquire)),
            asker: self.asker.clone(),
            hits: AtomicU32::new(0),
        })
    }
}
