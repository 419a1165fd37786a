//! Up to when the primary shows everything that replicas have shown. A commit is in the log, and so can be replayed and shown by a
//! replica, before the transaction counts as over where it ran: for microseconds as a rule, for as long as a confirmation takes with
//! synchronous replication. A session that has read it from a replica and then asks the primary would go back.
//!
//! The primary is asked which transactions are under way (`txid_current_snapshot`, and the number that comes next); a replica, which
//! of those it has seen committed (`txid_status`). What a replica had shown before the primary was asked is either shown by the
//! primary's snapshot, or among those under way that a replica calls committed; once a later snapshot of the primary shows these,
//! it shows everything that was shown before the first question. (PostgreSQL: `RecordTransactionCommit` writes the record,
//! `ProcArrayEndTransaction` ends the transaction after it, in src/backend/access/transam/xact.c.)
//!
//! Invariant: a moment that is told errs to the past.

use std::collections::VecDeque;
use std::time::Instant;

use super::{Lsn, NodeId};
use crate::limits;

/// The transactions of a primary as of one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transactions {
    /// Nothing from this number on is shown.
    xmax: u64,
    /// Of those before it, these are under way; sorted.
    running: Vec<u64>,
    /// No transaction had this number, or a later one, when the snapshot was taken or before.
    next: u64,
}

impl Transactions {
    /// From what `txid_current_snapshot()` gives, and `age('3'::xid)` of the same moment or later, which tells the lower half of the
    /// number that comes next. `None`: these are not that.
    #[must_use]
    pub fn parse(snapshot: &str, age_of_first: &str) -> Option<Self> {
        let mut parts = snapshot.splitn(3, ':').skip(1);
        let xmax: u64 = parts.next()?.parse().ok()?;
        let list = parts.next()?.split(',').filter(|xid| !xid.is_empty());
        let mut running = list.map(|xid| xid.parse().ok()).collect::<Option<Vec<u64>>>()?;
        running.sort_unstable();
        let age: i32 = age_of_first.parse().ok()?;
        let lower = age.cast_unsigned().wrapping_add(3);
        let [.., a, b, c, d] = xmax.to_be_bytes();
        let ahead = lower.wrapping_sub(u32::from_be_bytes([a, b, c, d]));
        Some(Self { xmax, running, next: xmax + u64::from(ahead) })
    }

    /// Whether what the transaction did, if it was committed, is shown.
    fn shows(&self, xid: u64) -> bool {
        xid < self.xmax && self.running.binary_search(&xid).is_err()
    }

    /// All that are not over by this snapshot. `None`: too many to look after.
    fn hidden(&self) -> Option<Vec<u64>> {
        let ahead = usize::try_from(self.next.saturating_sub(self.xmax)).ok()?;
        let count = ahead.checked_add(self.running.len())?;
        let hidden = || self.running.iter().copied().chain(self.xmax..self.next).collect();
        (count <= limits::HIDDEN_TRANSACTIONS).then(hidden)
    }
}

/// What a replica has said about the transactions of one [`Moment`].
#[derive(Debug, Clone)]
struct Told {
    by: NodeId,
    /// It had replayed all that was in the log then: nobody has shown more.
    whole: bool,
    /// Those of them that it has seen committed, and that the primary does not show yet.
    committed: Vec<u64>,
}

/// A question to the primary, and what became of the transactions that were under way.
#[derive(Debug, Clone)]
struct Moment {
    asked: Instant,
    /// Replicas cannot have shown more of the log than this before.
    flushed: Lsn,
    hidden: Vec<u64>,
    told: Vec<Told>,
}

/// What is known of it in one cluster, under one primary.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// Oldest first.
    moments: VecDeque<Moment>,
    all: Option<Instant>,
    by: Vec<(NodeId, Instant)>,
}

impl Shown {
    /// The primary, asked at `asked`, has answered with its transactions, and that its log is on disk up to `flushed`.
    pub fn on_primary(&mut self, asked: Instant, flushed: Lsn, transactions: &Transactions) {
        for moment in &mut self.moments {
            moment.hidden.retain(|xid| !transactions.shows(*xid));
            for told in &mut moment.told {
                told.committed.retain(|xid| !transactions.shows(*xid));
            }
        }
        if let Some(hidden) = transactions.hidden() {
            self.moments.push_back(Moment { asked, flushed, hidden, told: Vec::new() });
        }
        if self.moments.len() > limits::HIDDEN_MOMENTS {
            self.moments.pop_front();
        }
        self.settle();
    }

    /// What replicas are to be asked: which of these transactions they have seen committed, and the moment that it is about.
    #[must_use]
    pub fn question(&self) -> Option<(Instant, &[u64])> {
        let latest = self.moments.back()?;
        Some((latest.asked, &latest.hidden))
    }

    /// A replica that had replayed the log up to `replayed` has then been asked the question about a moment: `committed` of those are.
    pub fn on_replica(&mut self, by: NodeId, about: Instant, replayed: Lsn, committed: &[u64]) {
        let Some(moment) = self.moments.iter_mut().find(|moment| moment.asked == about) else {
            return;
        };
        let committed = committed.iter().copied().filter(|xid| moment.hidden.contains(xid));
        let told = Told { by, whole: replayed >= moment.flushed, committed: committed.collect() };
        moment.told.push(told);
        self.settle();
    }

    /// Up to when the primary shows everything that this replica has shown; `None`: any of them.
    #[must_use]
    pub fn settled(&self, by: Option<NodeId>) -> Option<Instant> {
        let own = self.by.iter().find(|(node, _)| Some(*node) == by).map(|(_, at)| *at);
        self.all.max(own)
    }

    fn settle(&mut self) {
        for moment in &self.moments {
            let over = moment.hidden.is_empty();
            let shown = |told: &Told| told.whole && told.committed.is_empty();
            if over || moment.told.iter().any(shown) {
                self.all = self.all.max(Some(moment.asked));
            }
            for told in moment.told.iter().filter(|told| told.committed.is_empty()) {
                match self.by.iter_mut().find(|(node, _)| *node == told.by) {
                    Some((_, at)) => *at = (*at).max(moment.asked),
                    None => self.by.push((told.by, moment.asked)),
                }
            }
        }
        let all = self.all;
        self.moments.retain(|moment| Some(moment.asked) > all);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const REPLICA: NodeId = NodeId(1);
    const OTHER: NodeId = NodeId(2);

    fn transactions(snapshot: &str, next: u64) -> Transactions {
        let age = u32::try_from(next & 0xffff_ffff).unwrap().wrapping_sub(3).cast_signed();
        let parsed = Transactions::parse(snapshot, &age.to_string()).unwrap();
        assert_eq!(parsed.next, next);
        parsed
    }

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn transactions_are_read_from_what_postgresql_says() {
        let read = transactions("100:105:103,100", 107);
        assert_eq!(read.hidden().unwrap(), [100, 103, 105, 106]);
        assert!(read.shows(99) && read.shows(101) && read.shows(104));
        assert!(!read.shows(100) && !read.shows(103) && !read.shows(105));
        // The number is of 64 bits, of which age() tells the lower half; in the third epoch, where it wraps.
        let later = transactions("12884901886:12884901887:12884901886", 12_884_901_890);
        assert_eq!(later.hidden().unwrap().len(), 4);
        let quiet = transactions("100:100:", 100);
        assert_eq!(quiet.hidden().unwrap(), Vec::<u64>::new());
        for nonsense in ["", "100", "100:x:", "100:101:y"] {
            assert_eq!(Transactions::parse(nonsense, "7"), None, "{nonsense}");
        }
        assert_eq!(transactions("100:100:", 5_000_000).hidden(), None, "too many");
    }

    #[test]
    fn with_nothing_under_way_the_primary_shows_everything() {
        let start = Instant::now();
        let mut shown = Shown::default();
        assert_eq!(shown.settled(None), None);
        shown.on_primary(start, Lsn(10), &transactions("100:100:", 100));
        assert_eq!((shown.settled(None), shown.question()), (Some(start), None));
    }

    #[test]
    fn what_is_under_way_counts_until_it_is_over_or_no_replica_has_seen_it_committed() {
        let start = Instant::now();
        let mut shown = Shown::default();
        shown.on_primary(start, Lsn(10), &transactions("100:101:100", 101));
        assert_eq!(shown.settled(None), None);
        assert_eq!(shown.question(), Some((start, [100].as_slice())));
        // One that lags answers for itself alone, one that has everything for all.
        shown.on_replica(OTHER, start, Lsn(9), &[]);
        assert_eq!((shown.settled(Some(OTHER)), shown.settled(None)), (Some(start), None));
        assert_eq!(shown.settled(Some(REPLICA)), None);
        shown.on_replica(REPLICA, start, Lsn(10), &[]);
        assert_eq!((shown.settled(Some(REPLICA)), shown.settled(None)), (Some(start), Some(start)));
        // The transaction goes on; each later moment is asked about anew.
        shown.on_primary(at(start, 1), Lsn(11), &transactions("100:101:100", 101));
        assert_eq!(shown.settled(None), Some(start));
        shown.on_primary(at(start, 2), Lsn(12), &transactions("101:101:", 101));
        assert_eq!(shown.settled(None), Some(at(start, 2)));
    }

    #[test]
    fn what_a_replica_has_seen_committed_has_to_be_shown_by_the_primary_first() {
        let start = Instant::now();
        let mut shown = Shown::default();
        shown.on_primary(start, Lsn(10), &transactions("100:103:100,102", 104));
        shown.on_replica(REPLICA, start, Lsn(20), &[102, 103]);
        assert_eq!(shown.settled(Some(REPLICA)), None);
        shown.on_primary(at(start, 1), Lsn(20), &transactions("100:103:100,102", 104));
        assert_eq!(shown.settled(Some(REPLICA)), None, "neither is shown yet");
        shown.on_primary(at(start, 2), Lsn(20), &transactions("100:104:100,103", 104));
        assert_eq!(shown.settled(Some(REPLICA)), None, "one of two is");
        shown.on_primary(at(start, 3), Lsn(20), &transactions("100:104:100", 104));
        // 100 goes on; nobody has seen it committed.
        assert_eq!(shown.settled(None), Some(start));
    }

    #[test]
    fn answers_about_forgotten_moments_say_nothing_and_moments_are_bounded() {
        let start = Instant::now();
        let mut shown = Shown::default();
        for ms in 0..1000 {
            shown.on_primary(at(start, ms), Lsn(10), &transactions("100:101:100", 101));
        }
        assert!(shown.moments.len() <= limits::HIDDEN_MOMENTS);
        shown.on_replica(REPLICA, start, Lsn(10), &[]);
        assert_eq!(shown.settled(Some(REPLICA)), None);
    }
}
