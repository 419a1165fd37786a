//! What is known of changes in one database, shared by the one task that hears of them ([`stream`]) and by everybody who gives or
//! keeps answers (here). Not the connections, and not the answers.
//!
//! Who asks whether an answer is valid takes no lock. Who is about to ask PostgreSQL takes one only where something in question
//! has just changed.
//!
//! Invariant: an answer that is kept holds every commit up to its `v` that touches its tags, and is valid only while no later one
//! that touches them was delivered, and while everything older than the bound has been.

mod relations;
pub mod standing;
pub mod stream;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::answer::Answer;
use super::faults::{Fault, is_planted};
use super::images::{Images, Told};
use super::lease::Lease;
use super::{Invalidations, Lsn, Patch, Slot, Snapshot, Tag};
use relations::Relations;
pub use relations::{ColumnSets, Unseen};
use stream::Stream;

/// Tags that have a place of their own, by default: 32 MiB.
pub const SLOTS: usize = 1 << 22;

/// Which definitions an answer was made under. Grows with every change of them, and with every new stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// Definitions are changing: nothing is given and nothing is kept.
    const fn is_unsettled(self) -> bool {
        self.0 % 2 == 1
    }
}

/// What an answer holds: every commit up to `v` that touches its tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Position in the log of the primary.
    pub v: Lsn,
    /// Under which definitions.
    pub epoch: Epoch,
}

/// Taken before a statement is sent, for [`Freshness::keep`] after its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stamp {
    /// Nothing that matters is in doubt.
    Cold(Seen),
    /// Something has just changed: `SELECT pg_current_snapshot()` has to run on the same server before the statement, and to be handed
    /// to [`Freshness::keep`].
    Hot {
        /// What the answer holds if the snapshot shows these transactions.
        seen: Seen,
        /// Transactions in doubt that touch its tags.
        in_doubt: Box<[u32]>,
    },
}

/// Why an answer is not given, or not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// There is no stream.
    #[error("changes in the database are not being received")]
    NoStream,
    /// No news for longer than the bound.
    #[error("no news of changes for longer than the staleness that is allowed")]
    Lease,
    /// Definitions have changed, or are changing.
    #[error("definitions have changed")]
    Definitions,
    /// From before the stream.
    #[error("the answer is from before changes were received without a gap")]
    Floor,
    /// One of its tags was changed.
    #[error("data has changed")]
    Changed,
    /// A commit that changes one of its tags is in the log and was not visible when the statement ran.
    #[error("a change was not yet visible when the statement ran")]
    InDoubt,
}

/// A moment that has to come back through the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Fence(u64);

/// See the head of this file.
pub struct Freshness {
    invalidations: Invalidations,
    lease: Lease,
    /// W, V, and from where on answers count; 0: there is no stream.
    delivered: AtomicU64,
    visible: AtomicU64,
    floor: AtomicU64,
    epoch: AtomicU64,
    /// Numbers of the heartbeat that was sent last, and of the latest that has come back.
    sent: AtomicU64,
    heard: AtomicU64,
    stream: Mutex<Stream>,
    relations: Mutex<Relations>,
    images: Images,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Freshness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Freshness")
            .field("delivered", &self.delivered)
            .field("visible", &self.visible)
            .field("floor", &self.floor)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

impl Freshness {
    /// Without a stream. `slots`: see [`Invalidations::new`]; `base`: a moment before all others; `wake` is called when the task of
    /// the stream has something to do, by anybody, at any time.
    #[must_use]
    pub fn new(slots: usize, base: Instant, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            invalidations: Invalidations::new(slots),
            lease: Lease::new(base),
            delivered: AtomicU64::new(0),
            visible: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            epoch: AtomicU64::new(1),
            sent: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            stream: Mutex::default(),
            relations: Mutex::default(),
            images: Images::default(),
            wake,
        }
    }

    /// The place of a tag in the array.
    #[must_use]
    pub fn slot(&self, tag: Tag) -> Slot {
        self.invalidations.slot(tag)
    }

    /// Up to where the stream was delivered: W. `None`: there is none.
    #[must_use]
    pub fn delivered(&self) -> Option<Lsn> {
        position(self.delivered.load(Ordering::Acquire))
    }

    /// Up to where every commit is visible on the primary: V. `None`: it is not known yet.
    #[must_use]
    pub fn visible(&self) -> Option<Lsn> {
        position(self.visible.load(Ordering::Acquire))
    }

    /// Whether an answer may be given at this moment, under this bound. The only question on the way of a hit.
    ///
    /// # Errors
    /// Why not.
    pub fn valid(
        &self,
        tags: &[Tag],
        seen: Seen,
        now: Instant,
        bound: Duration,
    ) -> Result<(), Refusal> {
        // First: what came back before the heartbeat was raised before it.
        if !self.lease.holds(now, bound) {
            return Err(self.refusal_without_lease());
        }
        self.valid_by_tags(tags, seen)
    }

    /// Whether nothing that was delivered speaks against an answer: [`Freshness::valid`] without the bound.
    fn valid_by_tags(&self, tags: &[Tag], seen: Seen) -> Result<(), Refusal> {
        let floor = self.floor.load(Ordering::Acquire);
        let unchanged = self.invalidations.unchanged_since(tags, seen.v);
        // Last: if positions of another history were read above, this sees its epoch.
        fence(Ordering::Acquire);
        if self.epoch.load(Ordering::Acquire) != seen.epoch.0 {
            Err(Refusal::Definitions)
        } else if seen.v.0 < floor {
            Err(Refusal::Floor)
        } else if !unchanged {
            Err(Refusal::Changed)
        } else {
            Ok(())
        }
    }

    /// What an answer holds whose changes are not followed now: nothing that is known speaks against it.
    #[must_use]
    pub fn unfollowed(&self) -> Seen {
        let epoch = Epoch(self.epoch.load(Ordering::Acquire));
        Seen { v: self.delivered().unwrap_or(Lsn(0)), epoch }
    }

    /// Whether one of these tags was raised after a position. That none was is no reason to give an answer.
    #[must_use]
    pub fn has_changed(&self, tags: &[Tag], since: Lsn) -> bool {
        !self.invalidations.unchanged_since(tags, since)
    }

    /// What a commit that is about to be told of says of rows. Before [`Freshness::on_commit`].
    pub fn on_rows(&self, position: Lsn, rows: Vec<(Tag, Told)>) {
        self.images.on_commit(position, rows);
    }

    /// An answer that counts as changed, made anew from the row that it shows, and what it holds then: if the last change of the row is
    /// known, and visible. Whether it may be given has to be asked as of any other.
    #[must_use]
    pub fn patched(&self, patch: &Patch, old: &Answer, seen: Seen) -> Option<(Answer, Seen)> {
        let (position, image) = self.images.get(patch.tag())?;
        // What was told may be visible to nobody yet; what is older than the answer has not changed it.
        let visible = self.visible()? >= position || is_planted(Fault::PatchUnseen);
        if !visible || position <= seen.v {
            return None;
        }
        // A later change of the row is found by its tag when the answer is judged.
        let seen = Seen { v: position, epoch: seen.epoch };
        Some((patch.apply(old, &image)?, seen))
    }

    #[cold]
    fn refusal_without_lease(&self) -> Refusal {
        if self.visible().is_some() { Refusal::Lease } else { Refusal::NoStream }
    }

    /// Before a statement with these tags is sent to the primary, outside a transaction or in one of READ COMMITTED. `tables`: the
    /// [`Tag::table`] of relations whose rows may be tagged in addition once the answer is there.
    ///
    /// Whatever the statement's analysis rests on has to be checked after this: definitions that change from now on change the epoch.
    ///
    /// # Errors
    /// Why its answer could not be kept.
    pub fn stamp(&self, tags: &[Tag], tables: &[Tag]) -> Result<Stamp, Refusal> {
        let epoch = Epoch(self.epoch.load(Ordering::Acquire));
        let v = self.visible().ok_or(Refusal::NoStream)?;
        if epoch.is_unsettled() {
            return Err(Refusal::Definitions);
        }
        if is_planted(Fault::LsnGate) || is_planted(Fault::EpochGate) {
            let v = self.delivered().unwrap_or(v);
            return Ok(Stamp::Cold(Seen { v, epoch }));
        }
        if self.invalidations.unchanged_since(tags, v) {
            return Ok(Stamp::Cold(Seen { v, epoch }));
        }
        self.stamp_hot(tags, tables, epoch)
    }

    #[cold]
    fn stamp_hot(&self, tags: &[Tag], tables: &[Tag], epoch: Epoch) -> Result<Stamp, Refusal> {
        let slots: Vec<Slot> =
            tags.iter().chain(tables).map(|tag| self.invalidations.slot(*tag)).collect();
        let stream = self.stream.lock();
        let mark = stream.watermark().ok_or(Refusal::NoStream)?;
        let (v, in_doubt) = (mark.delivered(), mark.in_doubt(&slots));
        drop(stream);
        // Raised since: there is nothing to wait for here.
        if !self.invalidations.unchanged_since(tags, v) {
            return Err(Refusal::InDoubt);
        }
        let seen = Seen { v, epoch };
        if in_doubt.is_empty() {
            return Ok(Stamp::Cold(seen));
        }
        // What has just changed is asked for: the sooner it is known to be visible, the fewer ask in vain.
        (self.wake)();
        Ok(Stamp::Hot { seen, in_doubt })
    }

    /// After the answer: what it holds, if it may be kept. `snapshot` is what ran before the statement for [`Stamp::Hot`].
    ///
    /// # Errors
    /// Why it may not.
    pub fn keep(
        &self,
        tags: &[Tag],
        stamp: &Stamp,
        snapshot: Option<&Snapshot>,
    ) -> Result<Seen, Refusal> {
        let mut seen = match stamp {
            Stamp::Cold(seen) => *seen,
            Stamp::Hot { seen, in_doubt } => {
                let shows = |snapshot: &Snapshot, xid| snapshot.shows(xid, super::Reader::Primary);
                let snapshot = snapshot.ok_or(Refusal::InDoubt)?;
                let shown = in_doubt.iter().all(|xid| shows(snapshot, *xid));
                shown.then_some(*seen).ok_or(Refusal::InDoubt)?
            }
        };
        let delivered = if is_planted(Fault::LsnGate) || is_planted(Fault::EpochGate) {
            self.delivered().unwrap_or(seen.v)
        } else {
            seen.v
        };
        if is_planted(Fault::LsnGate) {
            seen.v = delivered;
        }
        self.valid_by_tags(tags, seen)?;
        seen.v = delivered;
        Ok(seen)
    }

    /// Now: what was visible before has been delivered once [`Freshness::passed`]. A heartbeat is sent for it at once.
    pub fn fence(&self) -> Fence {
        let fence = self.mark();
        (self.wake)();
        fence
    }

    /// The same for whoever need not know soon: it passes with the next heartbeat that is sent anyway.
    #[must_use]
    pub fn mark(&self) -> Fence {
        // A heartbeat takes its number before it is sent, so the next number was not sent yet.
        Fence(self.sent.load(Ordering::SeqCst) + 1)
    }

    /// Somebody waits for a fence: a heartbeat is sent at once if none was sent for it.
    pub fn want(&self, fence: Fence) {
        if self.sent.load(Ordering::SeqCst) < fence.0 {
            (self.wake)();
        }
    }

    /// Whether everything that was visible at the fence has been delivered, so that a valid answer is not older than it.
    #[must_use]
    pub fn passed(&self, fence: Fence) -> bool {
        self.heard.load(Ordering::Acquire) >= fence.0
    }

    /// Which definitions hold. `None`: they are changing.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        let epoch = Epoch(self.epoch.load(Ordering::Acquire));
        (!epoch.is_unsettled()).then_some(epoch)
    }

    /// How old the latest news may be.
    #[must_use]
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.lease.age(now)
    }
}

fn position(number: u64) -> Option<Lsn> {
    (number > 0).then_some(Lsn(number))
}

#[cfg(test)]
mod tests;
