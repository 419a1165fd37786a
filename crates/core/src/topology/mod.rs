//! Who is the primary of a cluster, who follows it, and how far behind: decided from what the nodes say of themselves. Not how
//! they are asked, and not where a read goes.
//!
//! Invariant: at most one node counts as the primary, and never one whose timeline is behind that of an earlier one. A staleness
//! that is told is never smaller than the true one: everything whose commit the primary had answered to anybody before that long
//! ago has been replayed. No two clocks are compared for it: what counts is when this process asked.

mod lsn;
mod member;
mod observation;
mod samples;
mod shown;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

pub use lsn::{Lsn, NotAnLsn};
use member::Member;
pub use observation::{Change, Failure, Hint, NodeId, Observation, Role, Standing};
pub use samples::Sample;
pub use shown::{Shown, Transactions};

/// How long the first decision waits for nodes that have neither answered nor failed: one of them may know better.
const PATIENCE: Duration = Duration::from_secs(1);

/// A node of a cluster, as the configuration has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The node.
    pub node: NodeId,
    /// Whether the configuration calls it the primary: what it is taken for while no node can be asked.
    pub primary: bool,
    /// Its number before; `None`: it is new.
    pub was: Option<NodeId>,
}

/// What is known of one cluster.
#[derive(Debug, Clone)]
pub struct Topology {
    members: Vec<Member>,
    made: Instant,
    /// Every node has been heard of, or long enough has been waited.
    settled: bool,
    system_id: Option<u64>,
    /// The latest timeline of a primary; 0: there was none.
    timeline: u32,
    /// Who was the primary last.
    incumbent: Option<NodeId>,
}

impl Topology {
    /// A cluster of which nothing is known but the configuration.
    #[must_use]
    pub fn new(places: &[Place], now: Instant) -> Self {
        let mut topology = Self {
            members: places.iter().map(|place| Member::new(place.node, place.primary)).collect(),
            made: now,
            settled: false,
            system_id: None,
            timeline: 0,
            incumbent: None,
        };
        topology.judge(now);
        topology
    }

    /// The configuration has other nodes, or other numbers for them. What is known of those that stay is kept.
    pub fn set_places(&mut self, places: &[Place], now: Instant) -> Vec<Change> {
        let kept = |place: &Place| {
            let known = self.members.iter().find(|member| Some(member.node) == place.was);
            let mut member =
                known.cloned().unwrap_or_else(|| Member::new(place.node, place.primary));
            (member.node, member.named) = (place.node, place.primary);
            member
        };
        let members = places.iter().map(kept).collect();
        let moved = |old: NodeId| places.iter().find(|place| place.was == Some(old));
        self.incumbent = self.incumbent.and_then(moved).map(|place| place.node);
        self.members = members;
        self.judge(now)
    }

    /// A node has answered, or has failed to. Nodes that are not of this cluster change nothing.
    pub fn observe(
        &mut self,
        node: NodeId,
        now: Instant,
        answer: Result<Observation, Failure>,
    ) -> Vec<Change> {
        let mut another_system = None;
        if let Some(member) = self.member_mut(node) {
            match answer {
                Ok(observation) => {
                    let renewed = member.system_id.is_some()
                        && observation.system_id.is_some()
                        && member.system_id != observation.system_id
                        && observation.role == Role::Primary;
                    another_system = observation.system_id.filter(|_| renewed);
                    member.on_answer(now, &observation);
                }
                Err(failure) => member.on_failure(failure),
            }
        }
        // The very node that was the primary was made anew: a major upgrade in place, a restore. A new history begins with it.
        if another_system.is_some() && self.incumbent == Some(node) {
            (self.system_id, self.timeline) = (another_system, 0);
        }
        self.judge(now)
    }

    /// Somebody has seen something of a node that contradicts what it counts as. Believed until the node has been asked, unless it
    /// was just found to be wrong. `true`: the node should be asked at once.
    pub fn on_hint(&mut self, node: NodeId, now: Instant, hint: Hint) -> (bool, Vec<Change>) {
        let Some(member) = self.member_mut(node) else { return (false, Vec::new()) };
        let contradicts = match hint {
            Hint::ReadOnly => member.standing == Standing::Primary,
            Hint::ShuttingDown | Hint::Refused => {
                !matches!(member.standing, Standing::Down | Standing::Suspect)
            }
        };
        if !contradicts {
            return (false, Vec::new());
        }
        member.on_hint(now);
        (true, self.judge(now))
    }

    /// The node that takes writes; `None`: none is known to, now.
    #[must_use]
    pub fn primary(&self) -> Option<NodeId> {
        let primary = |member: &&Member| member.standing == Standing::Primary;
        self.members.iter().find(primary).map(|member| member.node)
    }

    /// The node that took writes last, whether it does now or not; before anything was heard, the one that the configuration names.
    #[must_use]
    pub fn incumbent(&self) -> Option<NodeId> {
        let named = || self.members.iter().find(|member| member.named).map(|member| member.node);
        self.incumbent.or_else(named)
    }

    /// Whether the primary is another node than the one that the configuration names.
    #[must_use]
    pub fn differs_from_configuration(&self) -> bool {
        let primary = self.primary().and_then(|primary| self.member(primary));
        primary.is_some_and(|member| !member.named)
    }

    /// What a node counts as.
    #[must_use]
    pub fn standing(&self, node: NodeId) -> Standing {
        self.member(node).map(|member| member.standing).unwrap_or_default()
    }

    /// What a node said it is, last.
    #[must_use]
    pub fn role(&self, node: NodeId) -> Role {
        self.member(node).map(|member| member.role).unwrap_or_default()
    }

    /// The timeline that a node said it is on, last.
    #[must_use]
    pub fn timeline(&self, node: NodeId) -> Option<u32> {
        self.member(node)?.timeline
    }

    /// Whether a replica said last that it is connected to a node that it follows.
    #[must_use]
    pub fn is_receiving(&self, node: NodeId) -> bool {
        self.member(node).is_some_and(|member| member.receiving)
    }

    /// Where a node was, last: for a replica what it has replayed.
    #[must_use]
    pub fn position(&self, node: NodeId) -> Option<Sample> {
        self.member(node)?.samples.last()
    }

    /// A position that a node had not passed at `moment`; what it has answered before then is at or before that. `None`: it has
    /// not been asked since.
    #[must_use]
    pub fn position_at(&self, node: NodeId, moment: Instant) -> Option<Lsn> {
        self.member(node)?.samples.position_at(moment)
    }

    /// A moment up to which a node has everything that the primary had committed then. `None`: that cannot be told, because the
    /// node does not follow the primary's history or is too far behind to remember.
    #[must_use]
    pub fn fresh_at(&self, node: NodeId) -> Option<Instant> {
        let member = self.member(node)?;
        let last = member.samples.last()?;
        if member.standing == Standing::Primary {
            return Some(last.asked);
        }
        let follows = member.standing == Standing::Replica;
        self.written().filter(|_| follows)?.samples.latest_within(last.lsn)
    }

    /// How old what a node shows is at most: zero for the primary; see [`Self::fresh_at`].
    #[must_use]
    pub fn staleness(&self, node: NodeId, now: Instant) -> Option<Duration> {
        if self.standing(node) == Standing::Primary {
            return Some(Duration::ZERO);
        }
        self.fresh_at(node).map(|fresh| now.saturating_duration_since(fresh))
    }

    /// How much of the primary's log a replica has not replayed, by the last answers of both. Bytes.
    #[must_use]
    pub fn lag_bytes(&self, node: NodeId) -> Option<u64> {
        let standing = self.standing(node);
        if standing == Standing::Primary {
            return Some(0);
        }
        let primary = self.written().filter(|_| standing == Standing::Replica)?;
        Some(primary.samples.last()?.lsn.bytes_since(self.position(node)?.lsn))
    }

    /// Whose positions replicas are compared with: the last primary, as long as it has not become something else.
    fn written(&self) -> Option<&Member> {
        self.member(self.incumbent?).filter(|member| member.role == Role::Primary)
    }

    fn member(&self, node: NodeId) -> Option<&Member> {
        self.members.iter().find(|member| member.node == node)
    }

    fn member_mut(&mut self, node: NodeId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.node == node)
    }

    /// Finds anew what every node counts as.
    fn judge(&mut self, now: Instant) -> Vec<Change> {
        let waited = now.saturating_duration_since(self.made) >= PATIENCE;
        let alone = self.members.len() < 2;
        self.settled |= alone || waited || self.members.iter().all(Member::is_known);
        self.learn_system();
        let bench = self.bench();
        let mut changes = Vec::new();
        for member in &mut self.members {
            let (was, is) = (member.standing, bench.standing(member));
            if was != is {
                member.standing = is;
                changes.push(Change { node: member.node, was, is });
            }
        }
        self.timeline = self.timeline.max(bench.timeline.unwrap_or(0));
        self.incumbent = self.primary().or(self.incumbent);
        changes
    }

    /// Which cluster this is: what those say that take writes if they agree, otherwise the one that the configuration names.
    fn learn_system(&mut self) {
        if self.system_id.is_some() || !self.settled {
            return;
        }
        let claims = || self.members.iter().filter(|member| member.claims());
        let first = claims().find_map(|member| member.system_id);
        let agreed = claims().all(|member| member.system_id.is_none() || member.system_id == first);
        let named = || self.members.iter().find(|member| member.named)?.system_id;
        self.system_id = if agreed { first } else { named() };
    }

    /// What all nodes together say, for judging each.
    fn bench(&self) -> Bench {
        let ours = |member: &&Member| is_ours(self.system_id, member);
        let claims = || self.members.iter().filter(|member| member.claims()).filter(ours);
        let latest = claims().filter_map(|member| member.timeline).max();
        let timeline = latest.max((self.timeline > 0).then_some(self.timeline));
        let at_front = claims().filter(|member| member.timeline.or(timeline) == timeline).count();
        // Without a primary ever, the replicas know best.
        let followed = || {
            let replicas = self.members.iter().filter(|member| member.role == Role::Replica);
            replicas.filter(ours).filter_map(|member| member.timeline).max()
        };
        let claimed = self.members.iter().any(|member| member.role == Role::Primary);
        Bench {
            settled: self.settled,
            system_id: self.system_id,
            timeline: if self.settled { timeline } else { None },
            followed: timeline.or_else(followed),
            at_front,
            claimed,
        }
    }
}

/// What all nodes of a cluster together say.
#[derive(Debug)]
struct Bench {
    settled: bool,
    system_id: Option<u64>,
    /// The latest timeline that a primary has said.
    timeline: Option<u32>,
    /// The timeline that replicas have to be on.
    followed: Option<u32>,
    /// How many say that they take writes on that timeline.
    at_front: usize,
    /// Somebody has said that it takes writes.
    claimed: bool,
}

impl Bench {
    fn standing(&self, member: &Member) -> Standing {
        if member.is_down() {
            return Standing::Down;
        }
        match member.role {
            // Nobody could be asked: what the configuration says is all there is.
            Role::Unknown if member.named && self.settled && !self.claimed => Standing::Primary,
            Role::Unknown => Standing::Unheard,
            Role::Primary | Role::Replica if !is_ours(self.system_id, member) => Standing::Stranger,
            Role::Primary | Role::Replica if member.is_suspect() => Standing::Suspect,
            Role::Primary if !self.settled => Standing::Unheard,
            Role::Primary if member.timeline.or(self.timeline) < self.timeline => Standing::Fenced,
            Role::Primary if self.at_front > 1 => Standing::Rival,
            Role::Primary => Standing::Primary,
            Role::Replica if member.timeline.is_some() && member.timeline == self.followed => {
                Standing::Replica
            }
            Role::Replica => Standing::Detached,
        }
    }
}

fn is_ours(system_id: Option<u64>, member: &Member) -> bool {
    system_id.is_none() || member.system_id.is_none() || member.system_id == system_id
}
