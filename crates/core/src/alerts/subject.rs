//! What an alert is about: a node, a pool, a database, or the whole process. Not a name for a person to choose.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an alert is about. What is left out does not narrow it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// Name of a cluster.
    pub cluster: Option<String>,
    /// Name of a node.
    pub node: Option<String>,
    /// The database, as clients name it.
    pub database: Option<String>,
    /// The user, as clients name it.
    pub user: Option<String>,
    /// A sink of alerts.
    pub sink: Option<String>,
}

impl Subject {
    /// The whole process.
    #[must_use]
    pub fn process() -> Self {
        Self::default()
    }

    /// A cluster.
    #[must_use]
    pub fn cluster(name: &str) -> Self {
        Self { cluster: Some(name.to_owned()), ..Self::default() }
    }

    /// A node of a cluster.
    #[must_use]
    pub fn node(cluster: &str, name: &str) -> Self {
        Self { node: Some(name.to_owned()), ..Self::cluster(cluster) }
    }

    /// A database of a cluster.
    #[must_use]
    pub fn database(cluster: &str, name: &str) -> Self {
        Self { database: Some(name.to_owned()), ..Self::cluster(cluster) }
    }

    /// Whether what is wrong with one may be why something is wrong with the other: nothing says that they are apart.
    #[must_use]
    pub fn touches(&self, other: &Self) -> bool {
        let together = |a: &Option<String>, b: &Option<String>| match (a, b) {
            (Some(a), Some(b)) => a == b,
            (None, _) | (_, None) => true,
        };
        together(&self.cluster, &other.cluster)
            && together(&self.node, &other.node)
            && together(&self.database, &other.database)
            && together(&self.user, &other.user)
            && together(&self.sink, &other.sink)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.database, &self.user, &self.node, &self.cluster, &self.sink) {
            (Some(database), Some(user), Some(node), ..) => {
                write!(f, "{user} on {database} (node {node})")
            }
            (Some(database), ..) => write!(f, "database {database}"),
            (None, _, Some(node), ..) => write!(f, "node {node}"),
            (None, _, None, Some(cluster), _) => write!(f, "cluster {cluster}"),
            (None, _, None, None, Some(sink)) => write!(f, "sink {sink}"),
            (None, _, None, None, None) => f.write_str("Howdah"),
        }
    }
}
