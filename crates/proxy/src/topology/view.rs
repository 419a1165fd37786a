//! A snapshot of all clusters: who is the primary, who follows. Made anew when something changes; what changes with every answer is
//! in [`Published`](super::Published) instead.

use std::sync::Arc;

use howdah_core::topology::{NodeId, Role, Standing};

use crate::node::NodeState;
use crate::report::UnlistedReport;

/// All clusters at one moment.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// Of the settings that the numbers of nodes refer to.
    pub(crate) revision: u64,
    pub(crate) clusters: Vec<ClusterView>,
}

/// One cluster at one moment.
#[derive(Debug)]
pub(crate) struct ClusterView {
    pub(crate) name: String,
    /// Who takes writes; `None`: nobody is known to.
    pub(crate) primary: Option<NodeId>,
    /// Who took writes last, whether it does now or not; before anything was heard, the one that the configuration names.
    pub(crate) incumbent: Option<NodeId>,
    pub(crate) nodes: Vec<NodeView>,
    /// Addresses that follow the primary and are not configured.
    pub(crate) unlisted: Vec<String>,
}

/// One node at one moment.
#[derive(Debug)]
pub(crate) struct NodeView {
    pub(crate) id: NodeId,
    pub(crate) name: String,
    pub(crate) state: Arc<NodeState>,
    pub(crate) standing: Standing,
    pub(crate) role: Role,
    pub(crate) timeline: Option<u32>,
}

impl View {
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &NodeView> {
        self.clusters.iter().flat_map(|cluster| &cluster.nodes)
    }

    pub(crate) fn unlisted(&self) -> Vec<UnlistedReport> {
        let of = |cluster: &ClusterView| {
            let report = |address: &String| UnlistedReport {
                cluster: cluster.name.clone(),
                address: address.clone(),
            };
            cluster.unlisted.iter().map(report).collect::<Vec<_>>()
        };
        self.clusters.iter().flat_map(of).collect()
    }

    pub(crate) fn is_primary(&self, node: NodeId) -> bool {
        self.clusters.iter().any(|cluster| cluster.primary == Some(node))
    }
}
