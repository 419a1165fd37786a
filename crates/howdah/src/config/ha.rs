//! `[ha]` and the commands of nodes: what a switchover needs to know. Not part of the settings of the data plane, which makes no use of it.
//!
//! Invariant: there is one entry of commands for each node of the settings, in their order.

use std::collections::HashMap;
use std::time::Duration;

use howdah_proxy::settings::{ServerCredentials, User};

use super::document::{self, Table};
use super::keys::{HA, NODE};
use super::read::{Findings, Reader};
use super::validate::role;

/// How the part of the primary is handed from one node to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ha {
    /// As whom; `None`: as nodes are probed.
    pub login: Option<ServerCredentials>,
    /// In which database.
    pub database: String,
    /// How long transactions in progress may take to end.
    pub drain_timeout: Duration,
    /// How long any other step may take.
    pub step_timeout: Duration,
    /// Commands of the nodes, in the order of the settings.
    pub commands: Vec<NodeCommands>,
}

/// Shell commands that act on the process of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeCommands {
    /// Stops it.
    pub stop: Option<String>,
    /// Starts it as it was.
    pub start: Option<String>,
    /// Starts it as a replica.
    pub follow: Option<String>,
}

/// Reads what there is of it.
pub(crate) fn read(
    root: &Table,
    users: &[User],
    environment: &HashMap<String, String>,
    findings: &mut Findings,
) -> Ha {
    let mut commands = Vec::new();
    for (index, cluster) in root.named("cluster").iter().enumerate() {
        let path = document::path("", cluster.section, Some((index, cluster.name().as_deref())));
        for (index, node) in cluster.named("node").iter().enumerate() {
            let path = document::path(&path, node.section, Some((index, node.name().as_deref())));
            let mut reader = Reader::new(NODE.keys, Some(node), path, findings);
            commands.push(NodeCommands {
                stop: reader.text("stop_command"),
                start: reader.text("start_command"),
                follow: reader.text("follow_command"),
            });
        }
    }
    let mut reader = Reader::new(HA.keys, root.single("ha"), "ha", findings);
    Ha {
        login: role(&mut reader, "postgres", users, environment),
        database: reader.text("database").unwrap_or_default(),
        drain_timeout: reader.duration("drain_timeout").unwrap_or(Duration::MAX),
        step_timeout: reader.duration("step_timeout").unwrap_or(Duration::MAX),
        commands,
    }
}
