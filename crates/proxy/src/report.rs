//! What a running data plane says about itself, as plain values. Not metrics text and not the console: those are made from this.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use hdrhistogram::Histogram;
pub use howdah_core::direct::Direct;
pub use howdah_core::pool::Advice;
pub use howdah_core::server_statistics::Counters;

pub use crate::cache::shared::{SharedCacheReport, SharedCounts};
use crate::rows::ClientRow;
use crate::settings::Settings;
pub use crate::traffic::Counts;

/// State of the whole data plane at one moment, merged over its workers.
#[derive(Debug, Clone)]
pub struct Report {
    /// Since the start.
    pub uptime: Duration,
    /// Revision of the settings in force.
    pub revision: u64,
    /// Connected clients, logged in or not.
    pub clients: usize,
    /// Where it listens.
    pub listening: Vec<ListenAddress>,
    /// One entry per pool, merged over the workers, ordered by database, user, node.
    pub pools: Vec<PoolReport>,
    /// One entry per database whose notifications clients listen to.
    pub notifications: Vec<NotificationReport>,
    /// Nodes that have pools.
    pub nodes: Vec<NodeReport>,
    /// Replicas that follow a primary and are not configured.
    pub unlisted: Vec<UnlistedReport>,
    /// One entry per database that clients have used, ordered by name.
    pub databases: Vec<DatabaseReport>,
    /// Where requests of clusters with replicas went, and why: one entry per cluster and reason.
    pub routes: Vec<RouteReport>,
    /// Databases whose changes are followed.
    pub changes: Vec<ChangesReport>,
    /// The result cache, by database.
    pub cache: Vec<CacheReport>,
    /// Answers that it keeps, and their bytes.
    pub cached: (usize, u64),
    /// What it shares with other instances; `None`: nothing.
    pub shared_cache: Option<SharedCacheReport>,
    /// Statements that wait for locks in PostgreSQL, and for whom: as of a few seconds ago, while statements take long.
    pub locks: Vec<LockReport>,
    /// What PostgreSQL itself counts, by node and database.
    pub server_statistics: Vec<ServerStatisticsReport>,
    /// Rules about statements, in their order.
    pub rules: Vec<RuleReport>,
    /// Counters and times since the start.
    pub totals: Totals,
}

/// What PostgreSQL itself counts about a database on one node.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerStatisticsReport {
    /// Name of the node.
    pub node: String,
    /// Name of the database on the server.
    pub database: String,
    /// As of the last look; `None`: there was none yet.
    pub counters: Option<Counters>,
    /// Blocks found in PostgreSQL's buffers, in a hundred.
    pub buffer_hit_percent: Option<f64>,
    /// How long ago the node answered.
    pub age: Duration,
    /// Why it did not, the last time.
    pub trouble: Option<String>,
}

/// What a node has run for others than clients of Howdah.
#[derive(Debug, Clone, PartialEq)]
pub struct DirectReport {
    /// Name of the node.
    pub node: String,
    /// Why that is not known, and what to do about it.
    pub missing: Option<String>,
    /// Forms, those that took the most time first.
    pub found: Vec<Direct>,
}

impl Report {
    /// How the changes of a database are followed, by the name that clients use; `None`: they are not.
    #[must_use]
    pub fn changes_of(&self, settings: &Settings, database: &str) -> Option<&ChangesReport> {
        let name = settings.database(database).map_or(database, |entry| entry.on_server(database));
        self.changes.iter().find(|changes| changes.database == name)
    }
}

/// How the changes of a database are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangesReport {
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the database on the server.
    pub database: String,
    /// Why they are not, or were not the last time.
    pub trouble: Option<String>,
    /// How old the latest news may be; `None`: there is none.
    pub age: Option<Duration>,
    /// The stream.
    pub stream: howdah_core::cache::freshness::stream::Report,
}

/// A statement that waits for a lock, and one of the sessions that it waits for. Statements are without their literals, and empty if
/// the role that Howdah asked as may not see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockReport {
    /// Address of the node.
    pub node: String,
    /// Name of the database on the server.
    pub database: String,
    /// Process id of the server that waits.
    pub waiter: u32,
    /// Its role.
    pub user: String,
    /// Its `application_name`.
    pub application: String,
    /// Since the statement began.
    pub waited: Duration,
    /// What waits.
    pub statement: String,
    /// Process id of the server that it waits for.
    pub holder: u32,
    /// Its role.
    pub holder_user: String,
    /// Its `application_name`.
    pub holder_application: String,
    /// Where it is connected from; empty for a Unix socket.
    pub holder_address: String,
    /// Its state, in PostgreSQL's words: `idle in transaction`, `active`, ….
    pub holder_state: String,
    /// How long its transaction has been open.
    pub transaction: Option<Duration>,
    /// What it ran last, or runs.
    pub last_statement: String,
}

/// How many requests of a cluster were routed for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteReport {
    /// Name of the cluster.
    pub cluster: String,
    /// A word: `fresh` (a replica answered), `write`, `lag`, ….
    pub reason: &'static str,
    /// The reason as a sentence.
    pub explanation: &'static str,
    /// Since the start.
    pub requests: u64,
}

pub use crate::cache::{
    Counts as CacheCounts, Used as CacheUsed, Uses as CacheUses, UsesByName as CacheUsesByName,
};
pub use crate::outsiders::{Outsider, OutsiderReport};

/// What the result cache has done in one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheReport {
    /// Its name, as clients say it.
    pub database: String,
    /// How often.
    pub counts: CacheCounts,
}

/// A rule about statements, and how often it had a part in something since it is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleReport {
    /// Its name.
    pub name: String,
    /// What it asks for, in a few words.
    pub conditions: String,
    /// What it does, in a few words.
    pub effect: String,
    /// Statements that it decided about, limited, or could not be decided for.
    pub hits: u64,
    /// Statements that it refused.
    pub blocked: u64,
    /// Statements that it flagged.
    pub flagged: u64,
    /// The last of all these.
    pub last_hit: Option<SystemTime>,
}

impl RuleReport {
    /// Adds the same rule of another worker.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.hits += other.hits;
        self.blocked += other.blocked;
        self.flagged += other.flagged;
        self.last_hit = self.last_hit.max(other.last_hit);
    }
}

/// The shared connection that listens for the notifications of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationReport {
    /// Name of the database on its server.
    pub database: String,
    /// Address of the server.
    pub address: String,
    /// Channels that somebody listens to.
    pub channels: u64,
    /// Listeners, each as often as it has channels.
    pub listeners: u64,
    /// Notifications that came for somebody.
    pub notifications: u64,
    /// How often the connection was lost.
    pub losses: u64,
}

/// What has passed through the pools of one database.
#[derive(Debug, Clone, Default)]
pub struct DatabaseReport {
    /// The name clients use.
    pub name: String,
    /// Since the start.
    pub counts: Counts,
    /// In the last minute or two.
    pub recent: Counts,
    /// How long that is exactly.
    pub span: Duration,
}

impl DatabaseReport {
    /// Adds the same database of another worker.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.counts = self.counts.plus(other.counts);
        self.recent = self.recent.plus(other.recent);
        self.span = self.span.max(other.span);
    }
}

/// A bound address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// TCP.
    Tcp(SocketAddr),
    /// Path of a Unix socket.
    Unix(PathBuf),
}

impl std::fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// One node: what is known of its health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: String,
    /// State of the circuit breaker: `closed`, `open` or `half-open`.
    pub breaker: &'static str,
    /// Failures in a row.
    pub failures: u32,
    /// How long the breaker has been open, probes included.
    pub down_for: Option<Duration>,
    /// How long ago it answered last; `None`: not yet.
    pub answered: Option<Duration>,
    /// The last failure, until it answers.
    pub last_error: Option<String>,
    /// The Unix socket that its servers are reached by, or why that is not used; `None`: not looked for yet.
    pub socket: Option<Result<String, String>>,
    /// What it says it is: `primary`, `replica` or `unknown`.
    pub role: &'static str,
    /// What it counts as in its cluster: `primary`, `replica`, `detached`, `fenced`, `rival`, `stranger`, `suspect`, `down` or
    /// `unheard`.
    pub standing: &'static str,
    /// The timeline that it writes or follows.
    pub timeline: Option<u32>,
    /// What it has not replayed of the primary's log, in bytes; `None`: unknown.
    pub lag_bytes: Option<u64>,
    /// How old what it shows is at most; `None`: unknown.
    pub lag: Option<Duration>,
    /// An administrator has taken it out of what serves reads.
    pub drained: bool,
}

impl NodeReport {
    /// Whether it answers, as far as is known.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.breaker == "closed" && self.standing != "down"
    }
}

/// A replica that follows a primary and is not configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnlistedReport {
    /// Name of the primary's cluster.
    pub cluster: String,
    /// Where it comes from.
    pub address: String,
}

/// One pool: servers for (node, database, user).
#[derive(Debug, Clone, Default)]
pub struct PoolReport {
    /// The name clients use.
    pub database: String,
    /// The name clients use.
    pub user: String,
    /// Name of the node.
    pub node: String,
    /// `transaction`, `session` or `statement`.
    pub mode: &'static str,
    /// Clients that hold a server.
    pub clients_active: usize,
    /// Clients that wait for a server.
    pub clients_waiting: usize,
    /// Clients without a request.
    pub clients_idle: usize,
    /// Servers in use by a client.
    pub servers_active: usize,
    /// Servers that are cleaned, or asked for a sign of life.
    pub servers_tested: usize,
    /// Servers ready for use.
    pub servers_idle: usize,
    /// Servers idle for so long that they are asked for a sign of life before they are used.
    pub servers_used: usize,
    /// Servers that are kept back until a cancel request has arrived.
    pub servers_being_canceled: usize,
    /// Cancel requests on their way to servers.
    pub cancels: usize,
    /// An administrator has paused it.
    pub paused: bool,
    /// Servers being opened.
    pub servers_opening: usize,
    /// Servers at most.
    pub max_size: u32,
    /// The size it should have, with the arithmetic; `None` in its first second.
    pub advice: Option<Advice>,
    /// How long the oldest waiter has waited.
    pub oldest_wait: Duration,
    /// Servers held beyond a transaction, by reason.
    pub pinned: BTreeMap<&'static str, usize>,
    /// Flights begun: several requests on one server at once.
    pub flights: u64,
    /// Requests that waited for a flight.
    pub shared: u64,
    /// Requests that, with all servers at work, did not wait for a flight, by reason: `shape` (not one complete request),
    /// `statement` (not a read without side effects), `slow` (not known to be short).
    pub unshared: BTreeMap<&'static str, u64>,
    /// Flights at once at most, as learned.
    pub flight_target: u32,
    /// Clients that hold a server for longer than `pool.leak_threshold` now, in a transaction or pinned.
    pub leaks: usize,
    /// Why the last attempt to open a server failed, while it is still failing.
    pub last_error: Option<String>,
}

/// One client of an application, or a console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionReport {
    /// The number that the client knows it by, and that it is cancelled by.
    pub process_id: u32,
    /// The name clients use.
    pub database: String,
    /// The name clients use.
    pub user: String,
    /// Its `application_name`.
    pub application: String,
    /// Where it comes from.
    pub address: String,
    /// `login`, `idle`, `waiting` (for a server), `active`, `idle in transaction`.
    pub state: &'static str,
    /// How long it has been in its transaction; `None`: it is in none.
    pub transaction: Option<Duration>,
    /// How long ago it asked for something last.
    pub requested: Duration,
    /// How long it has been waiting for a server.
    pub waiting: Option<Duration>,
    /// Since when it is connected.
    pub connected: Duration,
    /// Requests that were answered.
    pub requests: u64,
    /// Form of the statement that it sent last.
    pub fingerprint: Option<u64>,
    /// Why it keeps its server beyond a transaction.
    pub pin: Option<&'static str>,
    /// Process id of the server that it holds.
    pub server: Option<u32>,
    /// It is an administrator's.
    pub is_console: bool,
    /// Its connection is encrypted.
    pub tls: bool,
}

impl SessionReport {
    pub(crate) fn of(client: &ClientRow, now: Instant) -> Self {
        let since = |moment| now.saturating_duration_since(moment);
        Self {
            process_id: client.process_id,
            database: client.database.clone(),
            user: client.user.clone(),
            application: client.application.clone(),
            address: client.peer.to_string(),
            state: match client.held {
                Some(held) if client.state == "active" => held.state,
                _ => client.state,
            },
            transaction: client.held.map(|held| held.age),
            requested: since(client.requested),
            waiting: client.waiting.map(since),
            connected: since(client.since),
            requests: client.requests,
            fingerprint: (client.form != 0).then_some(client.form),
            pin: client.pin,
            server: client.server.map(|(_, process_id)| process_id),
            is_console: client.is_console,
            tls: client.tls.is_some(),
        }
    }
}

/// Counters since the start; times in microseconds.
#[derive(Debug, Clone)]
pub struct Totals {
    /// Clients accepted.
    pub connections: u64,
    /// Logins that failed.
    pub failed_logins: u64,
    /// Requests answered (one ReadyForQuery each).
    pub requests: u64,
    /// Transactions ended (a ReadyForQuery that says idle).
    pub transactions: u64,
    /// `ErrorResponses` sent to clients, from servers and from Howdah.
    pub errors: u64,
    /// Bytes from clients.
    pub bytes_received: u64,
    /// Bytes to clients.
    pub bytes_sent: u64,
    /// Checkouts that had to wait.
    pub waits: u64,
    /// Servers opened.
    pub servers_opened: u64,
    /// Attempts to open a server that failed.
    pub open_failures: u64,
    /// Servers closed.
    pub servers_closed: u64,
    /// Transactions that were open for longer than `pool.leak_threshold`.
    pub leaks: u64,
    /// Request time, from the complete request to its ReadyForQuery, waiting included.
    pub request_us: Histogram<u64>,
    /// Time clients waited for a server; checkouts without a wait are not in it.
    pub wait_us: Histogram<u64>,
}

impl PoolReport {
    /// Adds the same pool of another worker.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.clients_active += other.clients_active;
        self.clients_waiting += other.clients_waiting;
        self.clients_idle += other.clients_idle;
        self.servers_active += other.servers_active;
        self.servers_tested += other.servers_tested;
        self.servers_idle += other.servers_idle;
        self.servers_used += other.servers_used;
        self.servers_being_canceled += other.servers_being_canceled;
        self.cancels += other.cancels;
        self.paused |= other.paused;
        self.servers_opening += other.servers_opening;
        self.max_size = self.max_size.max(other.max_size);
        match (&mut self.advice, &other.advice) {
            (Some(advice), Some(other)) => advice.merge(other),
            (Some(_), None) => {}
            (None, other) => self.advice.clone_from(other),
        }
        self.leaks += other.leaks;
        self.oldest_wait = self.oldest_wait.max(other.oldest_wait);
        for (reason, count) in &other.pinned {
            *self.pinned.entry(reason).or_default() += count;
        }
        self.flights += other.flights;
        self.shared += other.shared;
        for (reason, count) in &other.unshared {
            *self.unshared.entry(reason).or_default() += count;
        }
        self.flight_target += other.flight_target;
        self.last_error = self.last_error.take().or_else(|| other.last_error.clone());
    }
}
