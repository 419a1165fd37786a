//! Up to where the log has been delivered, up to where it is visible, and what is between. A commit may be delivered long before
//! new snapshots show it: the server sends it when it is in the log, and shows it when its backend says so, after synchronous standbys.
//! Not who asks for snapshots.
//!
//! Invariant: every commit up to [`Watermark::visible`] that was delivered is in every snapshot the reader takes from now on.

use super::{Lsn, Reader, Slot, Snapshot};

/// What a commit has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// The tags in these slots, ascending, each once.
    Slots(Box<[Slot]>),
    /// More than is kept: anything.
    Everything,
}

impl Touched {
    /// Whether it has changed something in one of these slots.
    #[must_use]
    pub fn any(&self, slots: &[Slot]) -> bool {
        match self {
            Self::Slots(own) => slots.iter().any(|slot| own.binary_search(slot).is_ok()),
            Self::Everything => true,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Slots(own) => own.len(),
            Self::Everything => 0,
        }
    }
}

/// A commit of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Number of the transaction, lower half.
    pub xid: u32,
    /// Where its record ends.
    pub position: Lsn,
    /// What it has changed.
    pub touched: Touched,
}

/// Slots that all waiting commits together remember; above it a commit counts as having changed everything.
const REMEMBERED_SLOTS: usize = 1 << 22;

/// Where the stream is, and which of its commits are not known to be visible.
#[derive(Debug)]
pub struct Watermark {
    reader: Reader,
    delivered: Lsn,
    visible: Lsn,
    /// In the order of the log.
    waiting: Vec<Commit>,
    slots: usize,
    latest: Snapshot,
}

impl Watermark {
    /// From a position up to which everything is visible already.
    #[must_use]
    pub fn new(reader: Reader, start: Lsn) -> Self {
        let (waiting, latest) = (Vec::new(), Snapshot::default());
        Self { reader, delivered: start, visible: start, waiting, slots: 0, latest }
    }

    /// All commits up to here were delivered: W.
    #[must_use]
    pub const fn delivered(&self) -> Lsn {
        self.delivered
    }

    /// All commits up to here are visible to new snapshots: V.
    #[must_use]
    pub const fn visible(&self) -> Lsn {
        self.visible
    }

    /// Commits that were delivered and are not known to be visible.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The next commit of the stream.
    pub fn on_commit(&mut self, mut commit: Commit) {
        self.delivered = self.delivered.max(commit.position);
        // A snapshot that was taken for a heartbeat is often here before the heartbeat.
        if !self.latest.shows(commit.xid, self.reader) {
            if self.slots + commit.touched.len() > REMEMBERED_SLOTS {
                commit.touched = Touched::Everything;
            }
            self.slots += commit.touched.len();
            self.waiting.push(commit);
        }
        self.advance();
    }

    /// Everything up to here was delivered.
    pub fn on_progress(&mut self, position: Lsn) {
        self.delivered = self.delivered.max(position);
        self.advance();
    }

    /// What a snapshot of the reader shows. They come in the order in which they were taken.
    pub fn on_snapshot(&mut self, snapshot: Snapshot) {
        let reader = self.reader;
        self.waiting.retain(|commit| !snapshot.shows(commit.xid, reader));
        self.slots = self.waiting.iter().map(|commit| commit.touched.len()).sum();
        self.latest = snapshot;
        self.advance();
    }

    /// Numbers of the commits that were delivered, are not known to be visible, and have changed one of these slots.
    #[must_use]
    pub fn in_doubt(&self, slots: &[Slot]) -> Box<[u32]> {
        let touching = self.waiting.iter().filter(|commit| commit.touched.any(slots));
        touching.map(|commit| commit.xid).collect()
    }

    fn advance(&mut self) {
        let up_to = match self.waiting.first() {
            // Everything before the first that is in doubt.
            Some(first) => Lsn(first.position.0.saturating_sub(1)),
            None => self.delivered,
        };
        self.visible = self.visible.max(up_to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(xid: u32, position: u64) -> Commit {
        Commit { xid, position: Lsn(position), touched: Touched::Everything }
    }

    #[test]
    fn visible_moves_over_commits_in_the_order_of_the_log() {
        let mut mark = Watermark::new(Reader::Primary, Lsn(100));
        mark.on_commit(commit(12, 200));
        mark.on_commit(commit(11, 300));
        mark.on_progress(Lsn(350));
        assert_eq!((mark.delivered(), mark.visible()), (Lsn(350), Lsn(199)));
        // The later one in the log is visible first.
        mark.on_snapshot("12:13:12".parse().unwrap());
        assert_eq!(mark.visible(), Lsn(199));
        assert_eq!(*mark.in_doubt(&[]), [12]);
        mark.on_snapshot("13:13:".parse().unwrap());
        assert_eq!((mark.visible(), mark.waiting()), (Lsn(350), 0));
    }

    #[test]
    fn a_snapshot_may_come_before_the_commit_that_it_shows() {
        let mut mark = Watermark::new(Reader::Primary, Lsn(100));
        mark.on_snapshot("13:13:".parse().unwrap());
        mark.on_commit(commit(12, 200));
        assert_eq!(mark.visible(), Lsn(200));
        mark.on_commit(commit(13, 300));
        assert_eq!(mark.visible(), Lsn(299));
    }
}
