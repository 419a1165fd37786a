//! As whom nodes are asked: the role of `[health] user`, or else somebody who can log in without a client. Not the login itself.

use howdah_core::topology::NodeId;

use crate::pool::Target;
use crate::settings::{Login, Probe, Settings, User};

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
        let looks_up = || here().find_map(|database| database.auth_query.as_ref());
        let credentials = match &settings.probe.login {
            Some(login) => login.clone(),
            None => match settings.users.iter().find(|user| can_log_in(user)) {
                Some(user) => {
                    let mut credentials = user.credentials(node).clone();
                    credentials.user.get_or_insert_with(|| user.name.clone());
                    credentials
                }
                None => {
                    let query = looks_up()?;
                    let mut credentials = query.credentials.clone();
                    credentials.user = Some(query.user.clone());
                    credentials
                }
            },
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

/// Whether servers can be logged in to without what the user's own login reveals.
const fn can_log_in(user: &User) -> bool {
    let named = user.server.user.is_some() || !matches!(user.name.as_bytes(), b"*");
    let secret = user.server.password.is_some() || user.server.md5.is_some();
    named && (secret || matches!(user.login, Login::Trust))
}
