//! What the data plane needs to know, as one immutable snapshot with a revision. Not the configuration file: `howdah::config`
//! parses and validates that and fills this.
//!
//! Invariant: indices into `nodes` are valid and names of databases and users are unique; the configuration checks it.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use howdah_core::balance::Strategy;
use howdah_core::pool::PoolConfig;
use howdah_core::route::Wish;
use howdah_core::route::class::Overrides;
use howdah_core::rules::Rules;

use crate::pool::Target;
use crate::tls::{Acceptor, Connector};

mod auth;
mod users;

pub use howdah_core::login::Rates;
pub use ipnet::IpNet;

pub use crate::cache::shared::SharedCache;

pub use auth::{Auth, AuthQuery, Connection, Method, Names, Rule};
pub use users::{Login, Secret, ServerCredentials, User};

/// An immutable snapshot of everything the data plane is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Number of this snapshot; grows with every reload.
    pub revision: u64,
    /// Where clients connect.
    pub listen: Listen,
    /// Speaks TLS with clients; `None`: they are told that it is not spoken. New connections get what a reload puts here.
    pub tls: Option<Arc<Acceptor>>,
    /// Worker threads, at least 1. Needs a restart to change.
    pub workers: usize,
    /// Clients connected at once; one more is refused with SQLSTATE 53300.
    pub max_clients: usize,
    /// From the first byte to the end of the login.
    pub login_timeout: Duration,
    /// A client idle outside a transaction for longer is disconnected; `None`: never.
    pub client_idle_timeout: Option<Duration>,
    /// How nodes are watched.
    pub health: Health,
    /// How nodes are asked for their role and position.
    pub probe: Probe,
    /// How changes of databases are followed; `None`: they are not.
    pub changes: Option<Changes>,
    /// PostgreSQL instances.
    pub nodes: Vec<Node>,
    /// Which of them belong together.
    pub clusters: Vec<Cluster>,
    /// Databases that clients may name.
    pub databases: Vec<Database>,
    /// Users that clients may log in as.
    pub users: Vec<User>,
    /// How logins are proved and limited, beyond the users themselves.
    pub auth: Auth,
    /// Users (of `users`) that may use the console databases `howdah` and `pgbouncer`.
    /// With trust authentication every loopback or Unix-socket client may.
    pub admin_users: Vec<String>,
    /// Users that may look at everything on the console and change nothing.
    pub stats_users: Vec<String>,
    /// Which of several replicas answers a read.
    pub balance: Strategy,
    /// How long it takes until a replica that comes (back) has its whole share.
    pub slow_start: Duration,
    /// What statements are flagged and refused, and their limits.
    pub rules: Arc<Rules>,
    /// Where statements go, against what would be concluded from them.
    pub overrides: Arc<Overrides>,
    /// What the result cache keeps, and remembers.
    pub kept: Kept,
    /// What is said of the result cache about single tables and forms of statements.
    pub cache_rules: Arc<howdah_core::cache::rules::Rules>,
    /// What the result cache shares with other instances; `None`: nothing.
    pub shared_cache: Option<SharedCache>,
    /// How often nodes are asked what they count about databases; `None`: never.
    pub server_statistics: Option<Duration>,
    /// What statements do is counted.
    pub counts_statements: bool,
    /// Whether and how slow statements are explained.
    pub explain: Explain,
    /// What `SHOW CONFIG` shows.
    pub shown: Vec<ShownKey>,
}

impl Database {
    /// What the server calls it; `name` is what a client does, which this entry may serve as one of many.
    #[must_use]
    pub fn on_server<'a>(&'a self, name: &'a str) -> &'a str {
        self.server_database.as_deref().unwrap_or(name)
    }
}

impl Settings {
    /// The database of a name; `*` serves names without an entry.
    #[must_use]
    pub fn database(&self, name: &str) -> Option<&Database> {
        let named = |wanted: &str| self.databases.iter().find(|database| database.name == wanted);
        named(name).or_else(|| named("*"))
    }

    /// Whether any database may use the result cache: only if changes are told, or answers may rest on their age.
    pub(crate) fn caches(&self) -> bool {
        self.changes.is_some() || self.cache_rules.keep_by_time()
    }

    /// The cluster that a database is in.
    #[must_use]
    pub fn cluster(&self, database: &Database) -> Option<&Cluster> {
        self.clusters.iter().find(|cluster| cluster.primary == database.primary)
    }

    /// The user of a name; `*` serves names without an entry.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&User> {
        let named = |wanted: &str| self.users.iter().find(|user| user.name == wanted);
        named(name).or_else(|| named("*"))
    }

    /// Databases, each with a user, whose pools hold their `min_size` before a client has come: databases with a name, if one user
    /// alone is configured, by name, and servers can be logged in to without what clients reveal.
    pub(crate) fn standing(&self) -> Vec<(&str, &str)> {
        let [user] = self.users.as_slice() else { return Vec::new() };
        let stored = matches!(user.login.secret(), Some(Secret::ScramVerifier(_)));
        let revealed = stored || matches!(user.login, Login::PassThrough | Login::NoPassword);
        if user.name == "*" || (revealed && user.server.password.is_none()) {
            return Vec::new();
        }
        let wanted = |of: &&Database| of.name != "*" && of.pool.min_size > 0;
        let databases = self.databases.iter().filter(wanted);
        databases.map(|database| (database.name.as_str(), user.name.as_str())).collect()
    }

    /// Where servers for a database and user are opened, on the node that the configuration calls the primary, and how many;
    /// `None`: not configured.
    pub(crate) fn pool(
        &self,
        database_name: &str,
        user_name: &str,
    ) -> Option<(Target, PoolConfig)> {
        let primary = self.database(database_name)?.primary;
        self.pool_on(database_name, user_name, primary)
    }

    /// The same on the node at this position.
    pub(crate) fn pool_on(
        &self,
        database_name: &str,
        user_name: &str,
        node: usize,
    ) -> Option<(Target, PoolConfig)> {
        let database = self.database(database_name)?;
        let user = self.user(user_name);
        if user.is_none() && database.auth_query.is_none() {
            return None;
        }
        let node = self.nodes.get(node)?;
        let target = Target {
            node: node.name.clone(),
            address: node.address.clone(),
            tls: node.tls.clone(),
            socket: node.socket.clone(),
            database: database.server_database.clone().unwrap_or_else(|| database_name.to_owned()),
            // Of a user who was looked up nothing is known but what the login teaches.
            credentials: user.map(|user| user.credentials(node).clone()).unwrap_or_default(),
        };
        let mut config = database.pool.clone();
        config.mode = user.and_then(|user| user.pool_mode).unwrap_or(config.mode);
        config.share = user.and_then(|user| user.share).unwrap_or(config.share);
        Some((target, config))
    }
}

/// A key of the configuration as the console shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownKey {
    /// Path of the key, or PgBouncer's name for it.
    pub name: String,
    /// Value in force; hidden if it is a secret.
    pub value: String,
    /// Value when nothing is said.
    pub default: Option<String>,
    /// A reload changes it.
    pub reloads: bool,
}

/// Where clients connect. Needs a restart to change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listen {
    /// TCP addresses; port 0 takes a free one.
    pub tcp: Vec<SocketAddr>,
    /// Directories in which a socket `.s.PGSQL.<port>` is made, as PostgreSQL does.
    pub unix: Vec<UnixListen>,
    /// Where the process that takes over from this one knocks.
    pub takeover: TakeoverSocket,
}

/// The Unix socket over which the next process takes over. The data plane itself opens none unless it is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TakeoverSocket {
    /// In the runtime directory of the user, named after the first address.
    #[default]
    Derived,
    /// None: a restart interrupts clients.
    Off,
    /// This path; its directory belongs to the user.
    At(PathBuf),
}

/// A Unix socket to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixListen {
    /// Directory of the socket file.
    pub directory: PathBuf,
    /// Port number in the file's name.
    pub port: u16,
}

/// How nodes are watched: when one is asked for a sign of life, and when it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// A node that served nothing for this long is asked for a sign of life; `None`: never.
    pub interval: Option<Duration>,
    /// How long it may take to give one.
    pub timeout: Duration,
    /// Failures in a row (attempts to connect, and signs of life) after which a node is only probed, at least 1.
    pub failure_threshold: u32,
    /// How long before the first probe; doubles up to eightfold.
    pub breaker_open: Duration,
    /// Clients of a pool that has worked wait for a node that is down, until it has been down this long; then they are told
    /// at once. `None`: they wait for their `checkout_timeout`.
    pub breaker_hold: Option<Duration>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            interval: Some(Duration::from_secs(10)),
            timeout: Duration::from_secs(5),
            failure_threshold: 5,
            breaker_open: Duration::from_millis(500),
            breaker_hold: Some(Duration::from_secs(30)),
        }
    }
}

/// How nodes are asked for their role and their position. A node alone in its cluster is not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// How often.
    pub interval: Duration,
    /// As whom; `None`: as the first user who can log in without a client.
    pub login: Option<ServerCredentials>,
    /// In which database; `None`: in the first that is configured, or `postgres`.
    pub database: Option<String>,
}

impl Default for Probe {
    fn default() -> Self {
        Self { interval: Duration::from_millis(100), login: None, database: None }
    }
}

/// What the result cache keeps at most, and what it remembers of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Bytes of answers.
    pub size: u64,
    /// Requests that are remembered, to be asked again when their answers are lost.
    pub warm_answers: usize,
    /// Where they are written down; `None`: nowhere.
    pub warm_file: Option<PathBuf>,
}

/// How the changes of databases are followed, for answers that are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Name of the publication, in each database; one without it is not followed.
    pub publication: String,
    /// As whom, a role with REPLICATION; `None`: as the first user who can log in without a client.
    pub login: Option<ServerCredentials>,
    /// How often a heartbeat goes through the log.
    pub heartbeat: Duration,
    /// How often the catalog is asked whether definitions have changed.
    pub catalog_poll: Duration,
    /// Places for tags, 8 bytes each per database.
    pub tags: usize,
}

/// What is found out about statements that took long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Explain {
    /// PostgreSQL is asked for their plans.
    pub plans: bool,
    /// Plans are kept with the constants in them.
    pub shows_values: bool,
}

/// One PostgreSQL instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Name in reports, unique.
    pub name: String,
    /// Where it listens.
    pub address: NodeAddress,
    /// Speaks TLS with it, over TCP; `None`: always in clear.
    pub tls: Option<Arc<Connector>>,
    /// Whether its Unix socket is used in place of TCP.
    pub socket: LocalSocket,
    /// Servers to this node at most, over all pools and workers; `None`: no cap.
    pub max_servers: Option<u32>,
    /// Whether the configuration says that it is a replica. What the node itself says counts.
    pub replica: bool,
    /// Its part of the reads, against the weights of the others; 0: none.
    pub weight: u32,
    /// Reads go to the smallest number first, with the strategy that looks at it.
    pub priority: u32,
}

/// One primary with its replicas; positions in [`Settings::nodes`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// The primary, as the configuration has it.
    pub primary: usize,
    /// All its nodes.
    pub nodes: Range<usize>,
}

impl Cluster {
    /// Its nodes but the primary.
    pub fn replicas(&self) -> impl Iterator<Item = usize> + '_ {
        self.nodes.clone().filter(|node| *node != self.primary)
    }
}

/// Whether servers of a node that listens on TCP are reached by its Unix socket, which is faster. Only if that is certain to lead to
/// the same server, with the same proof, and nothing has to be encrypted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LocalSocket {
    /// If its host is a loopback address or `localhost`: where the server says, or in the usual place.
    #[default]
    Auto,
    /// Never.
    Off,
    /// In this directory.
    At(PathBuf),
}

/// Address of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeAddress {
    /// Host name or address, and port.
    Tcp {
        /// Host name or IP address.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// Socket `.s.PGSQL.<port>` in a directory.
    Unix {
        /// Directory of the socket file.
        directory: PathBuf,
        /// Port number in the file's name.
        port: u16,
    },
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix { directory, port } => {
                write!(f, "{}/.s.PGSQL.{port}", directory.display())
            }
        }
    }
}

/// A database that clients may name.
#[derive(Debug, Clone)]
pub struct Database {
    /// The name clients use; `*` matches every name without an entry of its own.
    pub name: String,
    /// The name on the server; `None`: the client's.
    pub server_database: Option<String>,
    /// Index into [`Settings::nodes`] of the primary.
    pub primary: usize,
    /// Sizes and times of its pools (already merged with the defaults).
    pub pool: PoolConfig,
    /// Servers of all pools of this database at most, over all workers; `None`: no cap.
    pub max_servers: Option<u32>,
    /// How users of it who are not configured are found; `None`: they are unknown.
    pub auth_query: Option<AuthQuery>,
    /// Clients of this database at most (with `*`: of each database); `None`: no cap.
    pub max_clients: Option<usize>,
    /// Where its reads go when nothing else is said.
    pub wish: Wish,
    /// Whether the result cache answers, when nothing else is said.
    pub cache: howdah_core::cache::wish::Wish,
}
