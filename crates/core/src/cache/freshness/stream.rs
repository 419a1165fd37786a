//! The side of the one task that hears of changes: it tells of the beginning and end of a stream, of commits, heartbeats, snapshots
//! and definitions. Not how it hears of them.
//!
//! Invariant: the tags of a commit are raised before W passes it, and W passes it before a heartbeat behind it counts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Instant;

use super::standing::Standing;
use super::{Epoch, Freshness, Unseen};
use crate::cache::faults::{Fault, is_planted};
use crate::cache::tag::Oid;
use crate::cache::{Commit, Lsn, Reader, Snapshot, Touched, Watermark};

/// Which history positions are of. A standby that is promoted begins another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Of the system.
    pub system: u64,
    /// Number of the timeline.
    pub timeline: u32,
}

/// What is under the lock.
#[derive(Debug, Default)]
pub(super) struct Stream {
    phase: Phase,
    watermark: Option<Watermark>,
    history: Option<History>,
    /// What was read of definitions last, and what has held since they were settled.
    pub(super) definitions: Option<Box<str>>,
    pub(super) standing: Option<Arc<Standing>>,
    /// Heartbeats on their way, and when they were sent.
    beats: VecDeque<(u64, Instant)>,
    /// With a planted bug: what is raised later.
    late: Vec<Commit>,
    counters: Counters,
}

/// How much has happened.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Streams that were begun.
    pub streams: u64,
    /// Commits that were delivered.
    pub commits: u64,
    /// Slots that were raised.
    pub slots: u64,
    /// Commits that counted as a change of everything.
    pub everything: u64,
    /// Times that definitions have changed.
    pub definitions: u64,
}

/// A stream tells what has committed since its start. What committed before may still not be visible, so nothing is kept until all
/// transactions have ended that are older than the first heartbeat.
#[derive(Debug, Default)]
enum Phase {
    #[default]
    Closed,
    Opening {
        heartbeat: Option<u32>,
    },
    Open,
}

impl Stream {
    pub(super) fn watermark(&self) -> Option<&Watermark> {
        self.watermark.as_ref().filter(|_| matches!(self.phase, Phase::Open))
    }
}

/// The state of the stream, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Whether answers can be kept.
    pub open: bool,
    /// W and V.
    pub delivered: Lsn,
    /// See `delivered`.
    pub visible: Lsn,
    /// Answers from before count no more.
    pub floor: Lsn,
    /// Commits between V and W.
    pub in_doubt: usize,
    /// What has happened.
    pub counters: Counters,
}

impl Freshness {
    /// A stream has begun that delivers every commit after `start`. Definitions are unsettled until [`Freshness::on_settled`].
    pub fn on_begin(&self, history: History, start: Lsn) {
        let mut stream = self.stream.lock();
        self.unsettle(&mut stream);
        self.close(&mut stream);
        let before = self.delivered.load(Ordering::Acquire);
        if stream.history != Some(history) || start.0 < before {
            // Whoever has read the old epoch must not take a slot that is empty for one that never rose.
            fence(Ordering::SeqCst);
            self.invalidations.forget();
            self.floor.store(start.0, Ordering::Release);
        }
        self.floor.fetch_max(start.0, Ordering::AcqRel);
        stream.history = Some(history);
        (stream.definitions, stream.standing) = (None, None);
        stream.phase = Phase::Opening { heartbeat: None };
        stream.watermark = Some(Watermark::new(Reader::Primary, start));
        stream.counters.streams += 1;
        self.delivered.store(start.0, Ordering::Release);
        self.images.clear();
        self.forget_sets();
    }

    /// The stream has ended, or is not to be believed any more.
    pub fn on_end(&self) {
        self.close(&mut self.stream.lock());
    }

    fn close(&self, stream: &mut Stream) {
        self.lease.revoke();
        self.visible.store(0, Ordering::Release);
        stream.phase = Phase::Closed;
        stream.watermark = None;
        stream.late.clear();
        stream.beats.clear();
    }

    /// A heartbeat is about to be sent: its number, by which it is known when it comes back.
    pub fn on_heartbeat_sent(&self, now: Instant) -> u64 {
        let mut stream = self.stream.lock();
        let number = self.sent.fetch_add(1, Ordering::SeqCst) + 1;
        stream.beats.push_back((number, now));
        number
    }

    /// A commit was delivered. `heartbeat`: the one that it carried.
    pub fn on_commit(&self, commit: Commit, heartbeat: Option<u64>) {
        let mut stream = self.stream.lock();
        if is_planted(Fault::LateBump) {
            stream.late.push(commit.clone());
        } else {
            self.raise(&mut stream, &commit);
        }
        let (xid, position) = (commit.xid, commit.position);
        stream.counters.commits += 1;
        let Some(mark) = &mut stream.watermark else { return };
        mark.on_commit(commit);
        self.delivered.fetch_max(position.0, Ordering::AcqRel);
        self.show(&stream);
        let Some(number) = heartbeat else { return };
        if let Phase::Opening { heartbeat } = &mut stream.phase {
            heartbeat.get_or_insert(xid);
        }
        while let Some((first, sent)) = stream.beats.front().copied().filter(|it| it.0 <= number) {
            stream.beats.pop_front();
            if first == number && matches!(stream.phase, Phase::Open) {
                self.lease.renew(sent);
                self.heard.fetch_max(number, Ordering::AcqRel);
            }
        }
    }

    /// Everything up to here was delivered.
    pub fn on_progress(&self, position: Lsn) {
        let mut stream = self.stream.lock();
        let Some(mark) = &mut stream.watermark else { return };
        mark.on_progress(position);
        self.delivered.fetch_max(position.0, Ordering::AcqRel);
        self.show(&stream);
    }

    /// What a snapshot of the primary shows, in the order in which they were taken. Whether that has opened the stream.
    pub fn on_snapshot(&self, snapshot: Snapshot) -> bool {
        let mut stream = self.stream.lock();
        for late in std::mem::take(&mut stream.late) {
            self.raise(&mut stream, &late);
        }
        let mut opened = false;
        if let Phase::Opening { heartbeat: Some(xid) } = stream.phase
            && snapshot.is_after(xid)
        {
            stream.phase = Phase::Open;
            opened = true;
        }
        if let Some(mark) = &mut stream.watermark {
            mark.on_snapshot(snapshot);
            if opened {
                self.floor.fetch_max(mark.delivered().0, Ordering::AcqRel);
            }
        }
        self.show(&stream);
        opened
    }

    /// Definitions have changed, or may have: nothing is given or kept until [`Freshness::on_settled`].
    pub fn on_unsettled(&self) {
        self.unsettle(&mut self.stream.lock());
    }

    /// The definitions that hold now are known, to the stream and to everybody else: these relations are seen, or are not for a
    /// reason. Whatever was delivered up to now may have been judged by others.
    pub fn on_settled(&self, relations: BTreeMap<Oid, Option<Unseen>>) {
        let mut stream = self.stream.lock();
        let w = Lsn(self.delivered.load(Ordering::Acquire));
        self.invalidations.raise_all(w);
        self.set_relations(w, relations);
        if self.epoch.load(Ordering::Acquire) % 2 == 1 {
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
        let epoch = Epoch(self.epoch.load(Ordering::Acquire));
        let known = stream.history.zip(stream.definitions.clone());
        let standing = known.map(|(history, definitions)| Standing { history, definitions, epoch });
        stream.standing = standing.map(Arc::new);
        drop(stream);
    }

    /// How it is.
    #[must_use]
    pub fn report(&self) -> Report {
        let stream = self.stream.lock();
        Report {
            open: stream.watermark().is_some(),
            delivered: Lsn(self.delivered.load(Ordering::Acquire)),
            visible: Lsn(self.visible.load(Ordering::Acquire)),
            floor: Lsn(self.floor.load(Ordering::Acquire)),
            in_doubt: stream.watermark.as_ref().map_or(0, Watermark::waiting),
            counters: stream.counters,
        }
    }

    fn raise(&self, stream: &mut Stream, commit: &Commit) {
        match &commit.touched {
            Touched::Slots(slots) => {
                for slot in slots {
                    self.invalidations.raise(*slot, commit.position);
                }
                stream.counters.slots += slots.len() as u64;
            }
            Touched::Everything => {
                self.invalidations.raise_all(commit.position);
                stream.counters.everything += 1;
            }
        }
    }

    /// V, for everybody.
    fn show(&self, stream: &Stream) {
        if let Some(mark) = stream.watermark() {
            self.visible.store(mark.visible().0, Ordering::Release);
        }
    }

    fn unsettle(&self, stream: &mut Stream) {
        if self.epoch.load(Ordering::Acquire).is_multiple_of(2) {
            self.epoch.fetch_add(1, Ordering::SeqCst);
        }
        stream.counters.definitions += 1;
    }
}
