//! Facts of one moment, as plain values: what alerts are made from. Counters grow from the start of the process.

use std::time::Duration;

/// Everything that is looked at.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// Nodes of which something is known.
    pub nodes: Vec<NodeSeen>,
    /// Pools.
    pub pools: Vec<PoolSeen>,
    /// Databases that clients have used.
    pub databases: Vec<DatabaseSeen>,
    /// Databases that use the result cache.
    pub caches: Vec<CacheSeen>,
    /// Clients that are connected, and how many may be.
    pub clients: (u64, u64),
    /// Logins that failed.
    pub failed_logins: u64,
    /// How long the certificate for clients is good for; zero: no longer. `None`: there is none.
    pub certificate: Option<Duration>,
    /// How old the last sign of life of each worker is.
    pub workers: Vec<Duration>,
    /// Reloads that were refused because of mistakes.
    pub refused_reloads: u64,
    /// Statement forms that had to make way.
    pub forgotten: u64,
    /// Databases with advice that nobody has decided about.
    pub advice: Vec<AdviceSeen>,
    /// Messages that each sink did not take.
    pub sinks: Vec<(String, u64)>,
}

/// A node.
#[derive(Debug, Clone, Default)]
pub struct NodeSeen {
    /// Its name.
    pub name: String,
    /// Its cluster.
    pub cluster: String,
    /// It answers.
    pub answers: bool,
    /// It takes writes: as its cluster is known, or, of a node alone or not heard of yet, as it is configured.
    pub primary: bool,
    /// It serves reads or could; without it, it is out of its cluster (fenced, detached, of another one).
    pub belongs: bool,
    /// Two nodes take writes, and this is one of them.
    pub rival: bool,
    /// An administrator has taken it out.
    pub drained: bool,
    /// How old what it shows is.
    pub lag: Option<Duration>,
    /// Why it does not answer.
    pub error: Option<String>,
}

/// A pool.
#[derive(Debug, Clone, Default)]
pub struct PoolSeen {
    /// The cluster of its node.
    pub cluster: String,
    /// Its node.
    pub node: String,
    /// Its database.
    pub database: String,
    /// Its user.
    pub user: String,
    /// An administrator has paused it.
    pub paused: bool,
    /// Clients that wait.
    pub waiting: u64,
    /// How long the first of them has waited.
    pub oldest_wait: Duration,
    /// Servers in use.
    pub active: u64,
    /// Servers at most.
    pub max_size: u64,
    /// Servers held beyond a transaction.
    pub pinned: u64,
    /// Why no server can be opened, while none can.
    pub error: Option<String>,
}

/// A database.
#[derive(Debug, Clone, Default)]
pub struct DatabaseSeen {
    /// Its cluster.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// Statements that were answered.
    pub calls: u64,
    /// Of these, that failed because of the server.
    pub server_errors: u64,
    /// Of these, that failed, except for cancelled ones.
    pub errors: u64,
    /// Of these, that took longer than 100 ms.
    pub slow: u64,
    /// Errors for lack of resources: class 53.
    pub out_of_resources: u64,
    /// Age of the oldest transaction.
    pub oldest_transaction: Option<Duration>,
    /// The longest time that somebody has been idle in a transaction, and who.
    pub idle_in_transaction: Option<(Duration, String)>,
}

/// What the result cache does in a database.
#[derive(Debug, Clone, Default)]
pub struct CacheSeen {
    /// The cluster of the database.
    pub cluster: String,
    /// The database.
    pub database: String,
    /// Answers that it gave or would have given.
    pub hits: u64,
    /// Look-ups in vain.
    pub misses: u64,
    /// It should answer, and cannot: why.
    pub trouble: Option<String>,
}

/// Advice for a database that is open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdviceSeen {
    /// The name of the database.
    pub database: String,
    /// How much of it is of high impact.
    pub high: u64,
    /// The title of what saves the most.
    pub first: String,
}
