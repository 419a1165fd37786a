//! What alerts are made from, taken from a look at the data plane. Not what it means: `howdah_core::alerts`.
//!
//! Invariant: what is not known is left out; nothing is asked of PostgreSQL.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use howdah_core::alerts::{CacheSeen, DatabaseSeen, NodeSeen, Observation, PoolSeen};
use howdah_core::cache::wish::Mode;
use howdah_core::statements::{Book, Fault};
use howdah_proxy::observe::Observer;
use howdah_proxy::report::{
    CacheReport, ChangesReport, NodeReport, PoolReport, Report, SessionReport,
};
use howdah_proxy::settings::{Cluster, Database, Node, Settings};

/// Statements that take longer are slow, in microseconds.
const SLOW_US: u64 = 100_000;
/// News of changes that are older than so many times the bound on staleness are none.
const STALE: u32 = 20;
/// And are none in any case if they are older than this.
const STALE_AT_LEAST: Duration = Duration::from_secs(5);
/// Standings of nodes that are not part of their cluster any more.
const OUTSIDE: [&str; 4] = ["detached", "fenced", "rival", "stranger"];

/// Looks. Cancel safe.
pub(crate) async fn observe(observer: &Observer) -> Observation {
    let look = observer.shared_look().await;
    let (report, sessions) = (&look.report, &look.sessions);
    let settings = observer.settings();
    let mut databases = observer.statements(|book| counted(book, &settings));
    waited(&mut databases, sessions, &settings);
    let (refused_reloads, sinks) = observer.alerts(|board| {
        let failures = board.sinks().map(|(name, _, failed)| (name.to_owned(), failed));
        (board.refused_reloads(), failures.collect())
    });
    let certificate = settings
        .tls
        .as_ref()
        .map(|tls| tls.expires().duration_since(SystemTime::now()).unwrap_or(Duration::ZERO));
    Observation {
        nodes: nodes(report, &settings),
        pools: pools(report, &settings),
        databases: databases.into_values().collect(),
        caches: caches(observer, report, &settings),
        clients: (wide(report.clients), wide(settings.max_clients)),
        failed_logins: report.totals.failed_logins,
        certificate,
        workers: observer.heartbeats(),
        refused_reloads,
        forgotten: observer.statements(Book::forgotten),
        advice: Vec::new(),
        sinks,
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Names of the clusters by names of their nodes, and whether each is configured as the primary.
fn placed<'a>(settings: &'a Settings) -> BTreeMap<&'a str, (&'a str, bool)> {
    let nodes = |cluster: &'a Cluster| {
        let named = move |at| {
            let node: &Node = settings.nodes.get(at)?;
            Some((node.name.as_str(), (cluster.name.as_str(), at == cluster.primary)))
        };
        cluster.nodes.clone().filter_map(named)
    };
    settings.clusters.iter().flat_map(nodes).collect()
}

fn nodes(report: &Report, settings: &Settings) -> Vec<NodeSeen> {
    let placed = placed(settings);
    let known = |node: &&NodeReport| placed.contains_key(node.name.as_str());
    let takes_writes = |cluster: &str| {
        report.nodes.iter().any(|node| {
            node.standing == "primary"
                && placed.get(node.name.as_str()).is_some_and(|(of, _)| *of == cluster)
        })
    };
    let seen = |node: &NodeReport| {
        let (cluster, configured) = placed.get(node.name.as_str()).copied().unwrap_or_default();
        let primary = match node.standing {
            "primary" => true,
            // As long as nobody else is: what it was last, or is said to be.
            "unheard" => configured && !takes_writes(cluster),
            "down" | "suspect" => {
                (node.role == "primary" || (node.role == "unknown" && configured))
                    && !takes_writes(cluster)
            }
            _ => false,
        };
        NodeSeen {
            name: node.name.clone(),
            cluster: cluster.to_owned(),
            answers: node.breaker == "closed" && !matches!(node.standing, "down" | "suspect"),
            primary,
            belongs: !OUTSIDE.contains(&node.standing),
            rival: node.standing == "rival",
            drained: node.drained,
            lag: node.lag,
            error: node.last_error.as_ref().map(|error| format!("{}: {error}", node.name)),
        }
    };
    report.nodes.iter().filter(known).map(seen).collect()
}

fn pools(report: &Report, settings: &Settings) -> Vec<PoolSeen> {
    let placed = placed(settings);
    let seen = |pool: &PoolReport| PoolSeen {
        cluster: placed.get(pool.node.as_str()).map_or("", |(cluster, _)| cluster).to_owned(),
        node: pool.node.clone(),
        database: pool.database.clone(),
        user: pool.user.clone(),
        paused: pool.paused,
        waiting: wide(pool.clients_waiting),
        oldest_wait: pool.oldest_wait,
        active: wide(pool.servers_active),
        max_size: u64::from(pool.max_size),
        pinned: wide(pool.pinned.values().sum()),
        error: pool.last_error.clone(),
    };
    report.pools.iter().map(seen).collect()
}

fn cluster_of(settings: &Settings, database: &str) -> String {
    let database = settings.database(database);
    let cluster = database.and_then(|database| settings.cluster(database));
    cluster.map(|cluster| cluster.name.clone()).unwrap_or_default()
}

type Databases = BTreeMap<String, DatabaseSeen>;

fn database<'a>(
    databases: &'a mut Databases,
    settings: &Settings,
    name: &str,
) -> &'a mut DatabaseSeen {
    databases.entry(name.to_owned()).or_insert_with(|| DatabaseSeen {
        cluster: cluster_of(settings, name),
        name: name.to_owned(),
        ..DatabaseSeen::default()
    })
}

/// What statements did, by database.
fn counted(book: &Book, settings: &Settings) -> Databases {
    let mut databases = Databases::new();
    for (name, _, total) in book.totals() {
        let of = database(&mut databases, settings, name);
        let (sums, times) = (&total.sums, &total.times);
        of.calls += sums.calls;
        of.server_errors += sums.errors_of(Fault::Server);
        of.errors += sums.all_errors().saturating_sub(sums.errors_of(Fault::Canceled));
        of.slow += times.count().saturating_sub(times.at_most(SLOW_US));
    }
    for (name, class, count) in book.errors() {
        if class == *b"53" {
            database(&mut databases, settings, name).out_of_resources += count;
        }
    }
    databases
}

/// Who is in a transaction, by database.
fn waited(databases: &mut Databases, sessions: &[SessionReport], settings: &Settings) {
    for session in sessions.iter().filter(|session| !session.is_console) {
        let Some(age) = session.transaction else { continue };
        let of = database(databases, settings, &session.database);
        of.oldest_transaction = of.oldest_transaction.max(Some(age));
        let longest = of.idle_in_transaction.as_ref().map_or(Duration::ZERO, |(idle, _)| *idle);
        if session.state == "idle in transaction" && session.requested > longest {
            let name = match session.application.as_str() {
                "" => format!("session {}", session.process_id),
                name => name.to_owned(),
            };
            let who = format!("{name}, user {} from {}", session.user, session.address);
            of.idle_in_transaction = Some((session.requested, who));
        }
    }
}

fn caches(observer: &Observer, report: &Report, settings: &Settings) -> Vec<CacheSeen> {
    let forced = observer.forced_cache();
    let seen = |cache: &CacheReport| {
        let database = settings.database(&cache.database)?;
        let mode = forced.unwrap_or(database.cache.mode);
        Some(CacheSeen {
            cluster: cluster_of(settings, &cache.database),
            database: cache.database.clone(),
            hits: cache.counts.hits + cache.counts.observed,
            misses: cache.counts.misses,
            trouble: (mode == Mode::On)
                .then(|| trouble(database, report.changes_of(settings, &cache.database)))
                .flatten(),
        })
    };
    report.cache.iter().filter_map(seen).collect()
}

/// Why a cache that is on cannot answer.
fn trouble(database: &Database, changes: Option<&ChangesReport>) -> Option<String> {
    let Some(changes) = changes else {
        return Some("its changes are not followed".to_owned());
    };
    let bound = (database.cache.max_staleness * STALE).max(STALE_AT_LEAST);
    match (&changes.trouble, changes.age) {
        (Some(trouble), age) if age.is_none_or(|age| age > bound) => Some(trouble.clone()),
        (None, Some(age)) if age > bound => {
            Some(format!("the last news of changes are {} s old", age.as_secs()))
        }
        (None, None) => Some("there is no news of changes".to_owned()),
        (Some(_), _) | (None, Some(_)) => None,
    }
}
