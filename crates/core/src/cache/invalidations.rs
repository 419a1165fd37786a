//! When each tag was changed last: a fixed array of positions in the log, by hash. Not what changes a tag.
//!
//! Invariant: a slot only rises, except in `Invalidations::forget`. Two tags in one slot cost a hit, nothing else.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Lsn, Tag};

/// A place in the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

/// The array. Whoever raises and whoever reads need no lock.
#[derive(Debug)]
pub struct Invalidations {
    slots: Box<[AtomicU64]>,
    /// Above everything: all tags were changed here at the latest.
    all: AtomicU64,
}

impl Invalidations {
    /// With room for this many tags, rounded up to a power of two, at most 2^31. Eight bytes each.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        let slots = slots.clamp(1, 1 << 31).next_power_of_two();
        Self { slots: (0..slots).map(|_| AtomicU64::new(0)).collect(), all: AtomicU64::new(0) }
    }

    /// Where a tag is.
    #[must_use]
    pub fn slot(&self, tag: Tag) -> Slot {
        let index = tag.0 & (self.slots.len() as u64 - 1);
        Slot(u32::try_from(index).unwrap_or_default())
    }

    /// Up to where the tag was changed; 0/0: never.
    #[must_use]
    pub fn last(&self, tag: Tag) -> Lsn {
        self.at(self.slot(tag))
    }

    /// Up to where all tags count as changed.
    #[must_use]
    pub fn last_all(&self) -> Lsn {
        Lsn(self.all.load(Ordering::Acquire))
    }

    fn at(&self, Slot(index): Slot) -> Lsn {
        let slot = usize::try_from(index).ok().and_then(|index| self.slots.get(index));
        Lsn(slot.map_or(u64::MAX, |slot| slot.load(Ordering::Acquire)))
    }

    /// None of these was changed after `v`.
    #[must_use]
    pub fn unchanged_since(&self, tags: &[Tag], v: Lsn) -> bool {
        self.last_all() <= v && tags.iter().all(|tag| self.last(*tag) <= v)
    }

    /// The tags of this slot were changed here.
    pub fn raise(&self, Slot(index): Slot, to: Lsn) {
        if let Some(slot) = usize::try_from(index).ok().and_then(|index| self.slots.get(index)) {
            slot.fetch_max(to.0, Ordering::AcqRel);
        }
    }

    /// Every tag counts as changed here.
    pub fn raise_all(&self, to: Lsn) {
        self.all.fetch_max(to.0, Ordering::AcqRel);
    }

    /// Forgets everything: positions of another history follow. Whoever reads at the same time must find out by itself that it did.
    pub(super) fn forget(&self) {
        for slot in &self.slots {
            slot.store(0, Ordering::Release);
        }
        self.all.store(0, Ordering::Release);
    }
}
