//! The nodes of a cluster as the sessions of one worker see them: which replicas there are, how fresh, and whose turn it is.
//!
//! Invariant: per request only atomics are read, and nothing is allocated.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use howdah_core::balance::{Balancer, Candidate};
use howdah_core::route::{Consistency, Position, Reason, Replica, Route, Wish, choose};
use howdah_core::topology::{Lsn, NodeId, Standing};

use super::Reasons;
use crate::faults::{self, Fault};
use crate::node::NodeState;
use crate::settings::{Cluster, Settings};
use crate::shared::Shared;

/// One node.
#[derive(Debug)]
struct Member {
    id: NodeId,
    state: Arc<NodeState>,
    weight: u32,
    priority: u32,
}

/// One cluster.
#[derive(Debug)]
pub(crate) struct Nodes {
    members: RefCell<Vec<Member>>,
    /// Of the settings that the members are from: numbers of nodes may mean others in the next one.
    revision: Cell<u64>,
    /// Who took writes when somebody was known to.
    incumbent: Cell<NodeId>,
    balancer: RefCell<Balancer>,
    /// Room for the replicas that there are and for those that may serve, from one choice to the next.
    room: RefCell<(Vec<Replica>, Vec<Candidate>)>,
    /// Requests of this worker that are with a replica, by node.
    busy: RefCell<Vec<u32>>,
    reasons: Reasons,
}

impl Nodes {
    pub(crate) fn new(shared: &Shared, settings: &Settings, cluster: &Cluster) -> Self {
        let nodes = Self {
            members: RefCell::default(),
            revision: Cell::new(settings.revision),
            incumbent: Cell::new(NodeId(cluster.primary)),
            balancer: RefCell::new(Balancer::new(settings.balance, settings.slow_start, 0)),
            room: RefCell::default(),
            busy: RefCell::default(),
            reasons: Reasons::default(),
        };
        nodes.reload(shared, settings, cluster);
        nodes
    }

    /// The configuration may say something else now.
    pub(crate) fn reload(&self, shared: &Shared, settings: &Settings, cluster: &Cluster) {
        let ids = cluster.nodes.clone();
        let members = ids.filter_map(|at| {
            let node = settings.nodes.get(at)?;
            let state = shared.node(settings, &node.name, &node.address);
            Some(Member { id: NodeId(at), state, weight: node.weight, priority: node.priority })
        });
        *self.members.borrow_mut() = members.collect();
        *self.balancer.borrow_mut() =
            Balancer::new(settings.balance, settings.slow_start, cluster.nodes.end);
        self.busy.borrow_mut().resize(cluster.nodes.end, 0);
        if self.revision.replace(settings.revision) != settings.revision {
            self.incumbent.set(NodeId(cluster.primary));
        }
    }

    /// Whether there are other nodes than the primary.
    pub(crate) fn has_choice(&self) -> bool {
        self.members.borrow().len() > 1
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision.get()
    }

    /// The node that takes writes, or did last.
    pub(crate) fn primary(&self) -> NodeId {
        let members = self.members.borrow();
        let writes = |member: &&Member| member.state.published.standing() == Standing::Primary;
        if let Some(member) = members.iter().find(writes) {
            self.incumbent.set(member.id);
        }
        self.incumbent.get()
    }

    /// Name of a node.
    pub(crate) fn name(&self, node: NodeId) -> Option<String> {
        let members = self.members.borrow();
        let found = members.iter().find(|member| member.id == node);
        found.map(|member| member.state.name().to_owned())
    }

    /// What is known of a node.
    pub(crate) fn state(&self, node: NodeId) -> Option<Arc<NodeState>> {
        let members = self.members.borrow();
        members.iter().find(|member| member.id == node).map(|member| Arc::clone(&member.state))
    }

    /// A position that a node had not passed at `moment`; `None`: it has not been asked since.
    pub(crate) fn position_at(&self, node: NodeId, moment: Instant) -> Option<Lsn> {
        let members = self.members.borrow();
        let member = members.iter().find(|member| member.id == node)?;
        let sample = member.state.published.sample()?;
        (sample.asked >= moment).then_some(sample.lsn)
    }

    /// Whether a node has told its position when asked at `moment` or later.
    pub(crate) fn is_asked_since(&self, node: NodeId, moment: Instant) -> bool {
        self.position_at(node, moment).is_some()
    }

    /// Whether the primary shows what this replica, or any of them, had shown at `moment`.
    pub(crate) fn is_settled(&self, by: Option<NodeId>, moment: Instant) -> bool {
        let members = self.members.borrow();
        let settled = |member: &Member| member.state.published.settled() >= Some(moment);
        // One that was started anew in between may have forgotten what it had shown.
        let lasts = |member: &Member| member.state.published.since() <= Some(moment);
        members.iter().any(|member| {
            let own = by == Some(member.id) && lasts(member);
            (own || member.state.published.standing() == Standing::Primary) && settled(member)
        })
    }

    /// Has all nodes asked for their positions at once.
    pub(crate) fn want_samples(&self) {
        self.members.borrow().iter().for_each(|member| member.state.published.want_sample());
    }

    /// Where a read goes; the `avoided` could not serve it.
    pub(crate) fn choose(
        &self,
        wish: &Wish,
        position: &Position,
        avoided: &[NodeId],
        (now, chance, may_wait): (Instant, u64, bool),
    ) -> Route {
        let busy = self.busy.borrow();
        let (replicas, eligible) = &mut *self.room.borrow_mut();
        replicas.clear();
        let mut own = None;
        for member in self.members.borrow().iter() {
            let published = &member.state.published;
            let candidate = Candidate {
                node: member.id,
                eligible: true,
                weight: member.weight,
                priority: member.priority,
                busy: busy.get(member.id.0).copied().unwrap_or(0),
                latency: None,
                since: published.since().unwrap_or(now),
            };
            let standing = published.standing();
            if standing == Standing::Primary {
                own = Some(candidate);
            }
            let serves = standing == Standing::Replica && !published.is_drained();
            if serves && !avoided.contains(&member.id) {
                // In this order: what is read later may be newer, never older.
                let sample = published.sample();
                let replayed = sample.map_or(Lsn(0), |sample| sample.lsn);
                let (asked, fresh_at) = (sample.map(|sample| sample.asked), published.fresh_at());
                replicas.push(Replica { candidate, replayed, asked, fresh_at });
            }
        }
        let mut balancer = self.balancer.borrow_mut();
        let careless = Wish { consistency: Consistency::Eventual, max_lag: None, ..*wish };
        let skip = faults::is_planted(Fault::SkipPosition) && wish.is_open();
        let wish = if skip { &careless } else { wish };
        choose(wish, position, (own, replicas), &mut balancer, eligible, (now, chance, may_wait))
    }

    /// A request has gone to a replica.
    pub(crate) fn on_sent(&self, node: NodeId) {
        if let Some(count) = self.busy.borrow_mut().get_mut(node.0) {
            *count += 1;
        }
    }

    /// It has come back, answered after `latency` or not at all.
    pub(crate) fn on_back(&self, node: NodeId, latency: Option<Duration>, now: Instant) {
        if let Some(count) = self.busy.borrow_mut().get_mut(node.0) {
            *count = count.saturating_sub(1);
        }
        if let Some(latency) = latency {
            self.balancer.borrow_mut().on_answer(node, latency, now);
        }
    }

    pub(crate) fn count(&self, reason: Reason) {
        self.reasons.count(reason);
    }

    /// How often each reason has decided.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        self.reasons.iter()
    }
}
