//! Where a read goes: from what is wanted, what the session has seen, and what is known of the nodes. Not whether a statement is a
//! read: `class`; and not which of several equally good replicas: `balance`.
//!
//! Invariant: a replica is chosen only if it satisfies the wish as of now; in doubt the primary.

use std::time::{Duration, Instant};

use super::position::Position;
use super::wish::{Consistency, LagPolicy, Policy, Wish};
use crate::balance::{Balancer, Candidate};
use crate::topology::{Lsn, NodeId};

/// What is known of a replica that follows the primary and is not drained.
#[derive(Debug, Clone, Copy)]
pub struct Replica {
    /// How much of it is wanted, and how busy it is.
    pub candidate: Candidate,
    /// What it has replayed, at least since it was asked for that. A replica that crashes goes back: this holds for connections that
    /// were open when it was asked.
    pub replayed: Lsn,
    /// When it was asked.
    pub asked: Option<Instant>,
    /// A moment up to which it has everything that was committed; `None`: not known.
    pub fresh_at: Option<Instant>,
}

impl Replica {
    /// Whether it may answer.
    #[must_use]
    pub fn satisfies(&self, wish: &Wish, position: &Position, now: Instant) -> bool {
        let recent = |lag: Duration| {
            self.fresh_at.is_some_and(|fresh| now.saturating_duration_since(fresh) <= lag)
        };
        let seen = || position.admits(self.candidate.node, self.replayed);
        let fresh = wish.max_lag.is_none_or(recent);
        match wish.consistency {
            Consistency::Strong => false,
            Consistency::Session => fresh && seen(),
            Consistency::Bounded => fresh && wish.max_lag.is_some(),
            Consistency::Eventual => fresh,
        }
    }
}

/// Why a request goes where it goes. Each is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A read, and a replica is fresh enough.
    Fresh,
    /// A read, and it was the primary's turn.
    Turn,
    /// Not a read that a replica may answer.
    Write,
    /// The policy or the consistency asks for the primary.
    Asked,
    /// A read, and the cache is to keep its answer: what it keeps comes from the primary.
    Kept,
    /// In a session or transaction that stays where it is.
    Held,
    /// No replica is there.
    NoReplica,
    /// No replica is fresh enough for the bound.
    Lag,
    /// No replica has what the session has seen, or that is not known yet.
    Behind,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Fresh,
        Self::Turn,
        Self::Write,
        Self::Asked,
        Self::Kept,
        Self::Held,
        Self::NoReplica,
        Self::Lag,
        Self::Behind,
    ];

    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Turn => "turn",
            Self::Write => "write",
            Self::Asked => "asked",
            Self::Kept => "kept",
            Self::Held => "held",
            Self::NoReplica => "no_replica",
            Self::Lag => "lag",
            Self::Behind => "behind",
        }
    }

    /// It as a sentence for people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Fresh => "a read, and this replica is fresh enough",
            Self::Turn => "a read, and it was the primary's turn",
            Self::Write => "not a read that a replica may answer",
            Self::Asked => "the policy or the consistency asks for the primary",
            Self::Kept => "a read whose answer the cache is to keep",
            Self::Held => "the session or its transaction stays where it is",
            Self::NoReplica => "no replica follows the primary",
            Self::Lag => "no replica is fresh enough",
            Self::Behind => "no replica is known to have what the session has seen",
        }
    }
}

/// Where a read goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// To the primary.
    Primary(Reason),
    /// To this replica. If it is to keep a promise, over a connection that was open at this moment.
    Replica(NodeId, Option<Instant>),
    /// Nowhere now: look again when something is known anew, for so long at most since the request came; then as without a wait.
    Wait(Duration, Reason),
    /// Nowhere: no replica may answer, and the primary must not.
    Refused(Reason),
}

/// Where a read goes. `primary`: the primary as a candidate of its own, for [`Policy::Any`]. `may_wait`: there is time left for it.
/// `chance` is a fresh random number, `candidates` room for them.
pub fn choose(
    wish: &Wish,
    position: &Position,
    (primary, replicas): (Option<Candidate>, &[Replica]),
    balancer: &mut Balancer,
    candidates: &mut Vec<Candidate>,
    (now, chance, may_wait): (Instant, u64, bool),
) -> Route {
    if !wish.is_open() {
        return Route::Primary(Reason::Asked);
    }
    candidates.clear();
    candidates.extend(replicas.iter().map(|replica| Candidate {
        eligible: replica.satisfies(wish, position, now),
        ..replica.candidate
    }));
    let own = primary.filter(|_| wish.policy == Policy::Any);
    candidates.extend(own);
    let chosen = balancer.choose(candidates, now, chance).and_then(|at| candidates.get(at));
    if let Some(chosen) = chosen {
        return match own {
            Some(own) if own.node == chosen.node => Route::Primary(Reason::Turn),
            _ => {
                let of = |replica: &&Replica| replica.candidate.node == chosen.node;
                let asked = replicas.iter().find(of).and_then(|replica| replica.asked);
                Route::Replica(chosen.node, asked.filter(|_| wish.promises()))
            }
        };
    }
    let reason = missing(wish, position, replicas);
    match wish.lag_policy {
        LagPolicy::Wait(time) if may_wait && !replicas.is_empty() => Route::Wait(time, reason),
        LagPolicy::Error => Route::Refused(reason),
        _ if wish.policy == Policy::Replica => Route::Refused(reason),
        LagPolicy::Fallback | LagPolicy::Wait(_) => Route::Primary(reason),
    }
}

/// Why no replica may answer.
fn missing(wish: &Wish, position: &Position, replicas: &[Replica]) -> Reason {
    let seen = |replica: &Replica| position.admits(replica.candidate.node, replica.replayed);
    if replicas.is_empty() {
        Reason::NoReplica
    } else if wish.consistency == Consistency::Session && !replicas.iter().any(seen) {
        Reason::Behind
    } else {
        Reason::Lag
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::Strategy;

    fn replica(node: usize, replayed: u64, fresh_at: Option<Instant>, now: Instant) -> Replica {
        let candidate = Candidate {
            node: NodeId(node),
            eligible: true,
            weight: 1,
            priority: 0,
            busy: 0,
            latency: None,
            since: now,
        };
        Replica { candidate, replayed: Lsn(replayed), asked: Some(now), fresh_at }
    }

    fn wish(policy: Policy, consistency: Consistency, max_lag: Option<u64>) -> Wish {
        let max_lag = max_lag.map(Duration::from_secs);
        Wish { policy, consistency, max_lag, lag_policy: LagPolicy::Fallback }
    }

    fn route(wish: &Wish, position: &Position, replicas: &[Replica], now: Instant) -> Route {
        let mut balancer = Balancer::new(Strategy::RoundRobin, Duration::ZERO, 4);
        choose(wish, position, (None, replicas), &mut balancer, &mut Vec::new(), (now, 0, true))
    }

    #[test]
    fn a_replica_answers_only_within_the_bound_of_the_wish() {
        let now = Instant::now();
        let old = now.checked_sub(Duration::from_secs(5)).unwrap();
        let mut seen = Position::default();
        seen.on_answer(NodeId(0), NodeId(0), old);
        seen.place(|_, _| Some(Lsn(100)));
        let to_replica = Route::Replica(NodeId(1), None);
        let table = [
            (
                wish(Policy::Primary, Consistency::Eventual, None),
                100,
                Some(now),
                Route::Primary(Reason::Asked),
            ),
            (
                wish(Policy::PreferReplica, Consistency::Strong, None),
                100,
                Some(now),
                Route::Primary(Reason::Asked),
            ),
            (wish(Policy::PreferReplica, Consistency::Eventual, None), 0, None, to_replica),
            (
                wish(Policy::PreferReplica, Consistency::Eventual, Some(1)),
                0,
                None,
                Route::Primary(Reason::Lag),
            ),
            (
                wish(Policy::PreferReplica, Consistency::Eventual, Some(1)),
                0,
                Some(old),
                Route::Primary(Reason::Lag),
            ),
            (wish(Policy::PreferReplica, Consistency::Eventual, Some(5)), 0, Some(old), to_replica),
            (wish(Policy::PreferReplica, Consistency::Bounded, Some(5)), 0, Some(old), to_replica),
            (
                wish(Policy::PreferReplica, Consistency::Bounded, Some(4)),
                0,
                Some(old),
                Route::Primary(Reason::Lag),
            ),
            (
                wish(Policy::PreferReplica, Consistency::Session, None),
                99,
                Some(now),
                Route::Primary(Reason::Behind),
            ),
            (wish(Policy::PreferReplica, Consistency::Session, None), 100, None, to_replica),
            (
                wish(Policy::PreferReplica, Consistency::Session, Some(1)),
                100,
                Some(old),
                Route::Primary(Reason::Lag),
            ),
            (
                wish(Policy::Replica, Consistency::Session, None),
                99,
                Some(now),
                Route::Refused(Reason::Behind),
            ),
        ];
        for (wish, replayed, fresh, expected) in table {
            let replicas = [replica(1, replayed, fresh, now)];
            let promised = wish.promises().then_some(now);
            let expected =
                if expected == to_replica { Route::Replica(NodeId(1), promised) } else { expected };
            assert_eq!(
                route(&wish, &seen, &replicas, now),
                expected,
                "{wish:?} {replayed} {fresh:?}"
            );
        }
    }

    #[test]
    fn without_a_fresh_replica_the_lag_policy_decides() {
        let now = Instant::now();
        let late = [replica(1, 0, None, now)];
        let base = wish(Policy::PreferReplica, Consistency::Eventual, Some(1));
        let seen = Position::default();
        let waits = Wish { lag_policy: LagPolicy::Wait(Duration::from_secs(2)), ..base };
        assert_eq!(
            route(&waits, &seen, &late, now),
            Route::Wait(Duration::from_secs(2), Reason::Lag)
        );
        let mut balancer = Balancer::new(Strategy::RoundRobin, Duration::ZERO, 4);
        let over =
            choose(&waits, &seen, (None, &late), &mut balancer, &mut Vec::new(), (now, 0, false));
        assert_eq!(over, Route::Primary(Reason::Lag), "the time is over");
        assert_eq!(route(&waits, &seen, &[], now), Route::Primary(Reason::NoReplica));
        let fails = Wish { lag_policy: LagPolicy::Error, ..base };
        assert_eq!(route(&fails, &seen, &late, now), Route::Refused(Reason::Lag));
        let alone = Wish { policy: Policy::Replica, ..base };
        assert_eq!(route(&alone, &seen, &[], now), Route::Refused(Reason::NoReplica));
    }

    #[test]
    fn with_any_the_primary_takes_its_turns() {
        let now = Instant::now();
        let any = wish(Policy::Any, Consistency::Eventual, None);
        let own = replica(0, 0, None, now).candidate;
        let replicas = [replica(1, 0, None, now)];
        let mut balancer = Balancer::new(Strategy::RoundRobin, Duration::ZERO, 4);
        let (mut primary, mut room) = (0, Vec::new());
        for chance in 0..100 {
            let to = (Some(own), replicas.as_slice());
            let route = choose(
                &any,
                &Position::default(),
                to,
                &mut balancer,
                &mut room,
                (now, chance, true),
            );
            primary += usize::from(route == Route::Primary(Reason::Turn));
        }
        assert_eq!(primary, 50);
    }
}
