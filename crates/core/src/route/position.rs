//! How far a session has seen: the position of the log that a node must have replayed to show the session nothing older than it has
//! written and read. Found without asking the server anything: a sample of a node's position that was asked for after an answer of
//! that node is at or behind everything which the answer showed.
//!
//! Invariant: whoever has replayed [`Position::floor`] and is admitted shows at least what the session has seen. An answer whose
//! position is not known yet admits nobody but the node that gave it, and the primary.
//!
//! A replica can show a commit a moment before its primary does: what the session has seen there, the primary has to be known to show
//! before the session reads from it ([`Position::ahead`]; `crate::topology::Shown` tells).

use std::time::Instant;

use crate::topology::{Lsn, NodeId};

/// The answer that was given last, whose position in the log is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unplaced {
    by: NodeId,
    at: Instant,
}

/// What a session has seen of replicas, and perhaps not of the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    /// The replica; `None`: several.
    pub by: Option<NodeId>,
    /// When the last of it was seen, or later.
    pub at: Instant,
}

/// What one session has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    floor: Lsn,
    last: Option<Unplaced>,
    /// Whose log the floor is about: it says nothing after another node has become the primary.
    primary: Option<NodeId>,
    ahead: Option<Ahead>,
}

impl Position {
    /// A node has answered, at `now`; `primary` takes writes.
    pub fn on_answer(&mut self, by: NodeId, primary: NodeId, now: Instant) {
        self.follow(primary, now);
        // A replica is never ahead of its primary: the primary's position at this later moment bounds that of the replica's answer, too.
        self.last = Some(Unplaced { by, at: now });
        if by != primary {
            let alone = self.ahead.is_none_or(|ahead| ahead.by == Some(by));
            self.ahead = Some(Ahead { by: alone.then_some(by), at: now });
        }
    }

    /// What the primary may not show yet of what the session has seen.
    #[must_use]
    pub const fn ahead(&self) -> Option<Ahead> {
        self.ahead
    }

    /// The primary shows all that the session has seen, or it is not waited for any longer.
    pub const fn on_caught_up(&mut self) {
        self.ahead = None;
    }

    /// The primary is this one now. Another one has another log: what was seen of the old one is in it, or lost, as of now.
    pub fn follow(&mut self, primary: NodeId, now: Instant) {
        if self.primary.is_some_and(|known| known != primary) {
            self.floor = Lsn::default();
            self.last = Some(Unplaced { by: primary, at: now });
        }
        self.primary = Some(primary);
    }

    /// Looks whether the position of the last answer is known by now. `position_at` tells a position that a node had not passed at
    /// a moment.
    pub fn place(&mut self, position_at: impl Fn(NodeId, Instant) -> Option<Lsn>) {
        let Some(last) = self.last else { return };
        // The node may be gone; its primary's position bounds it as well.
        let own = position_at(last.by, last.at);
        let known = own.or_else(|| position_at(self.primary?, last.at));
        if let Some(lsn) = known {
            self.floor = self.floor.max(lsn);
            self.last = None;
        }
    }

    /// The session was shown what is in the log up to here, by nobody who could be asked for it.
    pub fn saw(&mut self, lsn: Lsn) {
        self.floor = self.floor.max(lsn);
    }

    /// Whether a replica that has replayed up to `replayed` shows at least what the session has seen.
    #[must_use]
    pub fn admits(&self, replica: NodeId, replayed: Lsn) -> bool {
        let placed = self.last.is_none_or(|last| last.by == replica);
        placed && replayed >= self.floor
    }

    /// Since when the position of the last answer is not known.
    #[must_use]
    pub fn unplaced_since(&self) -> Option<Instant> {
        self.last.map(|last| last.at)
    }

    /// What a node must have replayed, as far as it is known.
    #[must_use]
    pub const fn floor(&self) -> Lsn {
        self.floor
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PRIMARY: NodeId = NodeId(0);
    const REPLICA: NodeId = NodeId(1);
    const OTHER: NodeId = NodeId(2);

    fn nowhere(_: NodeId, _: Instant) -> Option<Lsn> {
        None
    }

    #[test]
    fn after_an_answer_of_the_primary_a_replica_has_to_have_replayed_it() {
        let now = Instant::now();
        let mut seen = Position::default();
        assert!(seen.admits(REPLICA, Lsn(0)), "nothing was seen yet");
        seen.on_answer(PRIMARY, PRIMARY, now);
        assert!(!seen.admits(REPLICA, Lsn(u64::MAX)), "where it was is not known");
        seen.place(nowhere);
        assert_eq!(seen.unplaced_since(), Some(now));
        seen.place(|node, at| (node == PRIMARY && at == now).then_some(Lsn(100)));
        assert_eq!((seen.unplaced_since(), seen.floor()), (None, Lsn(100)));
        assert!(seen.admits(REPLICA, Lsn(100)) && !seen.admits(REPLICA, Lsn(99)));
    }

    #[test]
    fn after_an_answer_of_a_replica_it_serves_on_and_another_has_to_have_caught_up() {
        let now = Instant::now();
        let mut seen = Position::default();
        seen.on_answer(REPLICA, PRIMARY, now);
        assert!(seen.admits(REPLICA, Lsn(10)) && !seen.admits(OTHER, Lsn(u64::MAX)));
        seen.place(|node, _| (node == REPLICA).then_some(Lsn(20)));
        assert!(seen.admits(OTHER, Lsn(20)) && !seen.admits(OTHER, Lsn(19)));
        assert!(!seen.admits(REPLICA, Lsn(19)), "it was behind that position, and has gone back");
    }

    #[test]
    fn a_replica_that_is_gone_is_bounded_by_its_primary() {
        let now = Instant::now();
        let mut seen = Position::default();
        seen.on_answer(REPLICA, PRIMARY, now);
        seen.place(|node, _| (node == PRIMARY).then_some(Lsn(30)));
        assert!(seen.admits(OTHER, Lsn(30)) && !seen.admits(OTHER, Lsn(29)));
    }

    #[test]
    fn what_was_shown_by_a_cache_has_to_be_there_as_well() {
        let now = Instant::now();
        let mut seen = Position::default();
        seen.follow(PRIMARY, now);
        seen.saw(Lsn(70));
        seen.saw(Lsn(60));
        assert!(seen.admits(REPLICA, Lsn(70)) && !seen.admits(REPLICA, Lsn(69)));
    }

    #[test]
    fn what_replicas_have_shown_the_primary_has_to_show_as_well() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut seen = Position::default();
        seen.on_answer(PRIMARY, PRIMARY, now);
        assert_eq!(seen.ahead(), None);
        seen.on_answer(REPLICA, PRIMARY, now);
        seen.on_answer(PRIMARY, PRIMARY, later);
        assert_eq!(seen.ahead(), Some(Ahead { by: Some(REPLICA), at: now }));
        seen.on_answer(REPLICA, PRIMARY, later);
        assert_eq!(seen.ahead(), Some(Ahead { by: Some(REPLICA), at: later }));
        seen.on_answer(OTHER, PRIMARY, later);
        assert_eq!(seen.ahead(), Some(Ahead { by: None, at: later }));
        seen.on_caught_up();
        assert_eq!(seen.ahead(), None);
    }

    #[test]
    fn a_position_never_goes_back() {
        let now = Instant::now();
        let mut seen = Position::default();
        seen.on_answer(PRIMARY, PRIMARY, now);
        seen.place(|_, _| Some(Lsn(50)));
        seen.on_answer(REPLICA, PRIMARY, now);
        seen.place(|_, _| Some(Lsn(40)));
        assert_eq!(seen.floor(), Lsn(50));
    }

    #[test]
    fn after_a_failover_what_counts_is_the_log_of_the_new_primary() {
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let mut seen = Position::default();
        seen.on_answer(PRIMARY, PRIMARY, now);
        seen.place(|_, _| Some(Lsn(1000)));
        seen.follow(OTHER, later);
        assert_eq!(seen.floor(), Lsn(0));
        assert!(!seen.admits(REPLICA, Lsn(u64::MAX)), "it may follow the old one still");
        seen.place(|node, at| (node == OTHER && at == later).then_some(Lsn(900)));
        assert!(seen.admits(REPLICA, Lsn(900)) && !seen.admits(REPLICA, Lsn(899)));
    }
}
