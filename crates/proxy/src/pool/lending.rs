//! The part that this worker's pool is of a pool spread over workers: what it may open, what it asks of the others and what it
//! gives up for them. The rules are `howdah_core::pool::lending`'s.
//!
//! Invariant: what a part wants is counted once with the others, and not at all when the part is gone.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use howdah_core::pool::{Gift, Part, PoolConfig, Want, Wanted};

use super::Pool;
use crate::quota::{Permit, Quota};

/// A pool in all workers: places for its servers, and what its parts want. Touched when a server is opened or closed, and by
/// ticks.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    places: Arc<Quota>,
    loans: AtomicU32,
    shares: AtomicU32,
}

impl Whole {
    pub(crate) fn set_size(&self, size: u32) {
        self.places.set_max(Some(size));
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            loans: self.loans.load(Ordering::Relaxed) > 0,
            shares: self.shares.load(Ordering::Relaxed) > 0,
            excess: self.places.excess(),
        }
    }

    fn count(&self, want: Want) -> Option<&AtomicU32> {
        match want {
            Want::Nothing => None,
            Want::Loan => Some(&self.loans),
            Want::Share => Some(&self.shares),
        }
    }
}

/// What one worker has of a pool.
#[derive(Debug)]
pub(crate) struct Allotment {
    /// Sizes and times; the size is that of the whole.
    pub(crate) config: PoolConfig,
    /// Servers that it may claim.
    pub(crate) share: u32,
    /// Its other parts; `None`: there is one worker.
    pub(crate) whole: Option<Arc<Whole>>,
}

/// A pool's standing with its other parts.
#[derive(Debug)]
pub(super) struct Lending {
    whole: RefCell<Option<Arc<Whole>>>,
    share: Cell<u32>,
    want: Cell<Want>,
}

impl Lending {
    pub(super) const fn new(whole: Option<Arc<Whole>>, share: u32) -> Self {
        Self { whole: RefCell::new(whole), share: Cell::new(share), want: Cell::new(Want::Nothing) }
    }

    pub(super) fn set(&self, whole: Option<Arc<Whole>>, share: u32) {
        self.set_want(Want::Nothing);
        *self.whole.borrow_mut() = whole;
        self.share.set(share);
    }

    fn set_want(&self, want: Want) {
        let before = self.want.replace(want);
        if before == want {
            return;
        }
        if let Some(whole) = &*self.whole.borrow() {
            if let Some(count) = whole.count(before) {
                count.fetch_sub(1, Ordering::Relaxed);
            }
            if let Some(count) = whole.count(want) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Lending {
    fn drop(&mut self) {
        self.set_want(Want::Nothing);
    }
}

impl Pool {
    fn part(&self) -> Part {
        let ledger = self.ledger.borrow();
        Part {
            open: ledger.open(),
            share: self.lending.share.get(),
            least: ledger.floor(),
            waiting: ledger.counts().waiting,
        }
    }

    /// A place for one more server among those of all workers; `None`: there is none now. Writes nothing that others read, unless
    /// there is one.
    pub(super) fn claim(&self, now: Instant) -> Option<Permit> {
        let whole = self.lending.whole.borrow();
        let Some(whole) = &*whole else { return Some(Permit::new()) };
        let part = self.part();
        let claimed = if part.may_open(whole.wanted()) {
            Permit::new().and(&whole.places, self.ledger.borrow().reserve(now))
        } else {
            None
        };
        self.lending.set_want(if claimed.is_some() { Want::Nothing } else { part.want() });
        claimed
    }

    /// What it gives up, at a tick, for its other parts.
    pub(super) fn gives(&self) -> Gift {
        let whole = self.lending.whole.borrow();
        let Some(whole) = &*whole else { return Gift::default() };
        let part = self.part();
        if part.waiting == 0 {
            self.lending.set_want(Want::Nothing);
        }
        part.gives(whole.wanted())
    }
}
