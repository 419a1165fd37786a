//! One cluster: the topology, the nodes that it is about, and how what changes in it gets to people and to sessions. Not how nodes
//! are asked.
//!
//! Invariant: what is published is what the topology said last; both change under one lock.

use std::sync::Arc;
use std::time::Instant;

use howdah_core::topology::{
    Change, Failure, Hint, NodeId, Observation, Place, Shown, Standing, Topology,
};
use parking_lot::Mutex;

use super::published::News;
use super::question::{Also, Visible};
use super::view::{ClusterView, NodeView};
use crate::node::NodeState;

/// One cluster.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) name: String,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    topology: Topology,
    /// Of this primary.
    shown: (Option<NodeId>, Shown),
    nodes: Vec<(NodeId, Arc<NodeState>)>,
    unlisted: Vec<String>,
    /// People know that the configuration calls another node the primary.
    roles_differ: bool,
    /// People know that nobody can ask.
    barred: bool,
}

impl Watched {
    pub(super) fn new(
        name: String,
        nodes: Vec<(NodeId, Arc<NodeState>)>,
        places: &[Place],
        now: Instant,
    ) -> Self {
        let topology = Topology::new(places, now);
        let inner = Inner {
            topology,
            shown: (None, Shown::default()),
            nodes,
            unlisted: Vec::new(),
            roles_differ: false,
            barred: false,
        };
        inner.publish(now);
        Self { name, inner: Mutex::new(inner) }
    }

    /// The configuration has other nodes, or other numbers for them.
    pub(super) fn set_places(
        &self,
        nodes: Vec<(NodeId, Arc<NodeState>)>,
        places: &[Place],
        now: Instant,
    ) {
        let mut inner = self.inner.lock();
        inner.nodes = nodes;
        // The numbers may mean others now.
        inner.shown = (None, Shown::default());
        let changes = inner.topology.set_places(places, now);
        inner.publish(now);
        inner.tell(&self.name, &changes);
    }

    pub(super) fn id(&self, node: &Arc<NodeState>) -> Option<NodeId> {
        self.inner.lock().id(node)
    }

    pub(super) fn nodes(&self) -> Vec<(NodeId, Arc<NodeState>)> {
        self.inner.lock().nodes.clone()
    }

    /// Whether there is anything to choose.
    pub(super) fn is_worth_asking(&self) -> bool {
        self.inner.lock().nodes.len() > 1
    }

    /// A node has answered or failed. `true`: some node counts as something else now.
    pub(super) fn observe(
        &self,
        node: &Arc<NodeState>,
        now: Instant,
        answer: Result<(Observation, Visible), Failure>,
    ) -> bool {
        let mut inner = self.inner.lock();
        let Some(id) = inner.id(node) else { return false };
        let (answer, visible) = match answer {
            Ok((observation, visible)) => (Ok(observation), Some((observation, visible))),
            Err(failure) => (Err(failure), None),
        };
        let changes = inner.topology.observe(id, now, answer);
        if let Some((observation, visible)) = visible {
            inner.on_visible(id, &observation, &visible);
        }
        inner.publish(now);
        inner.tell(&self.name, &changes);
        drop(inner);
        !changes.is_empty()
    }

    /// What a node is asked besides what it is.
    pub(super) fn also(&self, node: &Arc<NodeState>) -> Also {
        let inner = self.inner.lock();
        let standing = inner.id(node).map(|id| inner.topology.standing(id));
        match (standing, inner.shown.1.question()) {
            (Some(Standing::Primary), _) => Also::Transactions,
            (Some(Standing::Replica), Some((about, xids))) => Also::Committed(about, xids.to_vec()),
            _ => Also::Nothing,
        }
    }

    /// Nobody can log in to a node.
    pub(super) fn bar(&self, node: &Arc<NodeState>, now: Instant) {
        if !std::mem::replace(&mut self.inner.lock().barred, true) {
            tracing::warn!(
                cluster = %self.name,
                "no user is known who could log in to the nodes without a client, so roles are what the configuration says; \
                 [health] user and password name one"
            );
        }
        self.observe(node, now, Err(Failure::Barred));
    }

    /// `true`: some node counts as something else now.
    pub(super) fn on_hint(&self, node: &Arc<NodeState>, hint: Hint, now: Instant) -> bool {
        let mut inner = self.inner.lock();
        let Some(id) = inner.id(node) else { return false };
        let (ask, changes) = inner.topology.on_hint(id, now, hint);
        inner.publish(now);
        inner.tell(&self.name, &changes);
        if ask {
            node.published.want_sample();
        }
        !changes.is_empty()
    }

    /// Who else follows the primary, by what it says. `true`: that is news.
    pub(super) fn on_followers(&self, followers: &[String]) -> bool {
        let mut inner = self.inner.lock();
        let listed =
            |address: &String| inner.nodes.iter().any(|(_, node)| node.is_reached_at(address));
        let unlisted: Vec<_> = followers.iter().filter(|it| !listed(it)).cloned().collect();
        if inner.unlisted == unlisted {
            return false;
        }
        for address in unlisted.iter().filter(|address| !inner.unlisted.contains(address)) {
            tracing::info!(
                cluster = %self.name,
                "a replica at {address} follows the primary and is not configured: no reads go there"
            );
        }
        inner.unlisted = unlisted;
        true
    }

    pub(super) fn show(&self) -> ClusterView {
        let inner = self.inner.lock();
        let node = |(id, state): &(NodeId, Arc<NodeState>)| NodeView {
            id: *id,
            name: state.name().to_owned(),
            state: Arc::clone(state),
            standing: inner.topology.standing(*id),
            role: inner.topology.role(*id),
            timeline: inner.topology.timeline(*id),
        };
        ClusterView {
            name: self.name.clone(),
            primary: inner.topology.primary(),
            incumbent: inner.topology.incumbent(),
            nodes: inner.nodes.iter().map(node).collect(),
            unlisted: inner.unlisted.clone(),
        }
    }
}

impl Inner {
    fn id(&self, node: &Arc<NodeState>) -> Option<NodeId> {
        let found = self.nodes.iter().find(|(_, known)| Arc::ptr_eq(known, node));
        found.map(|(id, _)| *id)
    }

    /// What a node has said of transactions counts as long as it is what it was when it was asked.
    fn on_visible(&mut self, id: NodeId, observation: &Observation, visible: &Visible) {
        let primary = self.topology.primary();
        if self.shown.0 != primary {
            self.shown = (primary, Shown::default());
        }
        match (visible, self.topology.standing(id)) {
            (Visible::Primary(flushed, transactions), Standing::Primary) => {
                self.shown.1.on_primary(observation.asked, *flushed, transactions);
            }
            (Visible::Replica(about, committed), Standing::Replica) => {
                self.shown.1.on_replica(id, *about, observation.lsn, committed);
            }
            _ => {}
        }
    }

    /// All nodes: what one says makes others fresher or staler.
    fn publish(&self, now: Instant) {
        for (id, node) in &self.nodes {
            node.published.publish(
                now,
                &News {
                    standing: self.topology.standing(*id),
                    sample: self.topology.position(*id),
                    fresh: self.topology.fresh_at(*id),
                    lag_bytes: self.topology.lag_bytes(*id),
                    settled: self.shown.1.settled(Some(*id)),
                },
            );
        }
    }

    fn tell(&mut self, cluster: &str, changes: &[Change]) {
        for change in changes {
            let node = self.nodes.iter().find(|(id, _)| *id == change.node);
            let Some((_, node)) = node else { continue };
            let (name, words) = (node.name(), words(change));
            match change.is {
                Standing::Fenced | Standing::Rival | Standing::Stranger => {
                    tracing::error!(%cluster, node = name, "{words}");
                }
                Standing::Down | Standing::Detached => {
                    tracing::warn!(%cluster, node = name, "{words}");
                }
                // Nearly always over in a moment.
                Standing::Suspect => tracing::debug!(%cluster, node = name, "{words}"),
                Standing::Primary | Standing::Replica if change.was == Standing::Suspect => {
                    tracing::debug!(%cluster, node = name, "{words}");
                }
                Standing::Primary | Standing::Replica | Standing::Unheard => {
                    tracing::info!(%cluster, node = name, "{words}");
                }
            }
        }
        let differ = self.topology.differs_from_configuration();
        if differ && !self.roles_differ {
            tracing::warn!(
                %cluster,
                "the configuration calls another node the primary than the one that is; what the nodes say counts"
            );
        }
        self.roles_differ = differ;
    }
}

fn words(change: &Change) -> &'static str {
    match change.is {
        Standing::Unheard => "nothing is known of the node",
        Standing::Primary => "the node is the primary",
        Standing::Replica => "the node is a replica that follows the primary",
        Standing::Detached => {
            "the node is a replica, but not known to be on the primary's timeline: no reads go there"
        }
        Standing::Fenced => {
            "the node takes writes on an older timeline than the primary: it was the primary once, and nothing goes there. Stop it, \
             then make it a replica (pg_rewind, or a new copy)"
        }
        Standing::Rival => {
            "two nodes take writes on the same timeline: nobody can tell which is right, and nothing goes to either. Stop the wrong one"
        }
        Standing::Stranger => "the node is a copy of another database cluster: nothing goes there",
        Standing::Suspect => "something contradicts what the node was; it is asked again",
        Standing::Down => "the node does not answer",
    }
}
