//! As whom nodes are asked: the role of `[health] user`, or else somebody who can log in without a client. Not the login itself.

use howdah_core::topology::NodeId;

use crate::pool::Target;
use crate::settings::{Cluster, Node, Probe, ServerCredentials, Settings};

/// Where, as whom and how often a node is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProbeLogin {
    pub(super) target: Target,
    pub(super) probe: Probe,
    /// How long it may take to log in.
    pub(super) timeout: std::time::Duration,
}

impl ProbeLogin {
    /// `None`: nobody can log in without a client.
    pub(super) fn choose(settings: &Settings, cluster: &str, id: NodeId) -> Option<Self> {
        let node = settings.nodes.get(id.0)?;
        let cluster = settings.clusters.iter().find(|known| known.name == cluster)?;
        let here = || settings.databases.iter().filter(|it| cluster.nodes.contains(&it.primary));
        let credentials = match &settings.probe.login {
            Some(login) => login.clone(),
            None => own_credentials(settings, cluster, node)?,
        };
        let named = || here().find(|database| database.name != "*");
        let own =
            || named().map(|it| it.server_database.clone().unwrap_or_else(|| it.name.clone()));
        let database = settings.probe.database.clone().or_else(own);
        let target = Target {
            node: node.name.clone(),
            address: node.address.clone(),
            tls: node.tls.clone(),
            socket: node.socket.clone(),
            database: database.unwrap_or_else(|| "postgres".to_owned()),
            credentials,
        };
        let (probe, timeout) = (settings.probe.clone(), settings.health.timeout);
        Some(Self { target, probe, timeout })
    }
}

/// What somebody logs in to a node with who needs no client for it. `None`: nobody does.
pub(crate) fn own_credentials(
    settings: &Settings,
    cluster: &Cluster,
    node: &Node,
) -> Option<ServerCredentials> {
    if let Some(user) = settings.users.iter().find(|user| user.logs_in_alone()) {
        let mut credentials = user.credentials(node).clone();
        credentials.user.get_or_insert_with(|| user.name.clone());
        return Some(credentials);
    }
    let mut here = settings.databases.iter().filter(|it| cluster.nodes.contains(&it.primary));
    let query = here.find_map(|database| database.auth_query.as_ref())?;
    let mut credentials = query.credentials.clone();
    credentials.user = Some(query.user.clone());
    Some(credentials)
}
