//! A primary that tells of changes, Howdah which follows them, and a reader that keeps answers as a cache does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use howdah::{ChangesReport, Config, Connected, Engine, ListenAddress};
use howdah_core::cache::{ColumnSet, Freshness, Refusal, Seen, Stamp, Tag, Unseen};
use howdah_local::{Cluster, ClusterBuilder, Node};
use howdah_tests::raw::{Connection, Target};
use tokio::runtime::Runtime;
use tokio_postgres::Client;

/// Anything may take this long on a busy machine.
pub(crate) use howdah_tests::{PATIENCE as LIMIT, eventually};

/// The bound of answers, where a test is not about it.
pub(crate) const BOUND: Duration = Duration::from_secs(10);

/// Nodes and the engine.
pub(crate) struct Bed {
    engine: Option<Engine>,
    runtime: Runtime,
    pub(crate) cluster: Arc<Cluster>,
}

/// An answer that is kept.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) value: String,
    pub(crate) tags: Vec<Tag>,
    pub(crate) seen: Seen,
}

/// A cluster that writes what is needed.
pub(crate) fn nodes() -> ClusterBuilder {
    Cluster::builder()
        .setting("wal_level", "logical")
        .setting("max_prepared_transactions", "10")
        .setting("wal_sender_timeout", "0")
}

fn cluster(nodes: ClusterBuilder) -> Arc<Cluster> {
    Arc::new(nodes.start().unwrap_or_else(|error| panic!("no PostgreSQL: {error}")))
}

impl Bed {
    /// With these definitions, all tables of which are published, and these keys of `[cache]`.
    pub(crate) fn start(sql: &str, keys: &str) -> Self {
        Self::on(nodes().sql(sql).sql("CREATE PUBLICATION howdah FOR ALL TABLES"), keys)
    }

    /// In front of these nodes.
    pub(crate) fn on(nodes: ClusterBuilder, keys: &str) -> Self {
        Self::before(cluster(nodes), &followed(keys), true)
    }

    /// In front of these nodes, and nobody tells of changes.
    pub(crate) fn unfollowed(nodes: ClusterBuilder, keys: &str) -> Self {
        Self::before(cluster(nodes), keys, true)
    }

    /// In front of the primary of these nodes, with no knowledge of the others.
    pub(crate) fn before_the_primary(nodes: ClusterBuilder, keys: &str) -> Self {
        Self::before(cluster(nodes), &followed(keys), false)
    }

    /// Another instance in front of the same nodes.
    pub(crate) fn beside(&self, keys: &str) -> Self {
        Self::before(Arc::clone(&self.cluster), &followed(keys), true)
    }

    fn before(cluster: Arc<Cluster>, keys: &str, all_nodes: bool) -> Self {
        let config = configuration(&cluster, keys, all_nodes);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let engine = runtime.block_on(Engine::start(config));
        let engine = engine.unwrap_or_else(|error| panic!("Howdah does not start: {error}"));
        Self { engine: Some(engine), runtime, cluster }
    }

    /// With other keys of `[cache]` from now on.
    pub(crate) fn reload(&self, keys: &str) {
        let config = configuration(&self.cluster, &followed(keys), true);
        self.runtime.block_on(self.engine().reload(config));
    }

    /// An administrator's connection to the console.
    pub(crate) fn console(&self) -> Connection {
        self.target("howdah", "howdah").client()
    }

    /// Where clients find Howdah.
    pub(crate) fn target(&self, user: &str, database: &str) -> Target {
        let tcp = self.engine().addresses().into_iter().find_map(|address| match address {
            ListenAddress::Tcp(address) => Some(address.port()),
            ListenAddress::Unix(_) => None,
        });
        Target::port(tcp.expect("a TCP address"), user, database).timeout(LIMIT)
    }

    /// Waits for something of the library.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// A client through a handle of the library.
    pub(crate) fn connected(
        &self,
        connecting: impl Future<Output = Result<Connected, howdah::Error>>,
    ) -> Client {
        let (client, connection) = self.wait(connecting).expect("the door opens");
        self.runtime.spawn(connection);
        client
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("a running engine")
    }

    pub(crate) fn freshness(&self) -> Arc<Freshness> {
        let mut found = None;
        eventually("changes are followed", || {
            found = self.engine().freshness("postgres");
            found.is_some()
        });
        found.expect("it was found")
    }

    /// Waits until the stream is open and definitions are known.
    #[track_caller]
    pub(crate) fn open(&self) -> Arc<Freshness> {
        let freshness = self.freshness();
        let start = Instant::now();
        while freshness.visible().is_none() || freshness.epoch().is_none() {
            assert!(start.elapsed() < LIMIT, "not open: {:?}", self.report());
            std::thread::sleep(Duration::from_millis(5));
        }
        freshness
    }

    pub(crate) fn report(&self) -> ChangesReport {
        let report = self.runtime.block_on(self.engine().report());
        report.changes.into_iter().next().expect("a database that is followed")
    }

    /// How Howdah is.
    pub(crate) fn engine_report(&self) -> howdah::Report {
        self.runtime.block_on(self.engine().report())
    }

    /// Clients that wait for something else than the answer of a server.
    pub(crate) fn waiting(&self) -> usize {
        let observer = self.engine().observer();
        let (_, sessions) = self.runtime.block_on(observer.look());
        sessions.iter().filter(|session| session.state == "waiting").count()
    }

    /// A client of the primary itself, who may do anything.
    pub(crate) fn direct(&self) -> Connection {
        direct(self.cluster.primary())
    }

    /// A client through Howdah.
    pub(crate) fn client(&self) -> Connection {
        self.client_as("howdah")
    }

    /// The same as another user.
    pub(crate) fn client_as(&self, user: &str) -> Connection {
        self.target(user, "postgres").client()
    }

    /// Stops Howdah.
    pub(crate) fn stop(&mut self) {
        if let Some(engine) = self.engine.take() {
            self.runtime.block_on(engine.stop(Duration::from_millis(200)));
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.stop();
    }
}

/// These keys of `[cache]`, with those by which changes are followed. Nothing is asked in advance unless a test says so: most of them
/// rest on what is kept at a moment, and what is not.
fn followed(keys: &str) -> String {
    let warm = if keys.contains("warm_") { "" } else { "warm_answers = 0\n" };
    format!("{warm}publication = \"howdah\"\ntags = 65536\nheartbeat = \"20ms\"\n{keys}")
}

/// In front of these nodes, or of their primary alone, with these keys of `[cache]`.
fn configuration(cluster: &Cluster, keys: &str, all_nodes: bool) -> Config {
    let mut text = "[listen]\nport = 0\nworkers = 1\n[[cluster]]\nname = \"main\"\n".to_owned();
    let others = cluster.replicas().iter().filter(|_| all_nodes);
    let all = std::iter::once(cluster.primary()).chain(others);
    for node in all {
        text.push_str(&format!(
            "[[cluster.node]]\nname = \"{}\"\nhost = \"127.0.0.1\"\nport = {}\n",
            node.name(),
            node.port()
        ));
    }
    text.push_str(
        "[[database]]\nname = \"postgres\"\n[[user]]\nname = \"howdah\"\nauth = \"trust\"\n",
    );
    text.push_str("[cache]\n");
    text.push_str(keys);
    Config::from_toml(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

pub(crate) fn direct(node: &Node) -> Connection {
    target(node).client()
}

/// Where clients find a node.
pub(crate) fn target(node: &Node) -> Target {
    Target::port(node.port(), "howdah", "postgres").timeout(LIMIT)
}

/// The number of a relation.
pub(crate) fn oid(client: &mut Connection, relation: &str) -> u32 {
    client.value(&format!("SELECT '{relation}'::regclass::oid")).parse().expect("a number")
}

/// Waits until changes of these columns are hashed.
#[track_caller]
pub(crate) fn watch(freshness: &Freshness, relation: u32, attnums: &[i16]) {
    let set = ColumnSet::new(relation, attnums);
    eventually("the set is followed", || match freshness.since(&set) {
        Ok(since) => freshness.visible().is_some_and(|v| v >= since),
        Err(Unseen::Soon) => false,
        Err(unseen) => panic!("{unseen}"),
    });
}

/// Waits until everything that is visible now was delivered.
#[track_caller]
pub(crate) fn catch_up(freshness: &Freshness) {
    let fence = freshness.fence();
    eventually("a heartbeat has come back", || freshness.passed(fence));
}

/// Asks the primary, and keeps the answer if it may be kept.
pub(crate) fn ask(
    freshness: &Freshness,
    client: &mut Connection,
    sql: &str,
    tags: &[Tag],
) -> Result<Kept, Refusal> {
    let stamp = freshness.stamp(tags, &[])?;
    let snapshot = matches!(stamp, Stamp::Hot { .. })
        .then(|| client.value("SELECT pg_current_snapshot()").parse().expect("a snapshot"));
    let value = client.value(sql);
    let seen = freshness.keep(tags, &stamp, snapshot.as_ref())?;
    Ok(Kept { value, tags: tags.to_vec(), seen })
}

/// The same, again until it may be kept.
#[track_caller]
pub(crate) fn keep(
    freshness: &Freshness,
    client: &mut Connection,
    sql: &str,
    tags: &[Tag],
) -> Kept {
    let mut kept = None;
    eventually("an answer can be kept", || {
        kept = ask(freshness, client, sql, tags).ok();
        kept.is_some()
    });
    kept.expect("it was kept")
}

/// Whether it may be given once the lease holds: on a busy machine a heartbeat may be late.
#[track_caller]
pub(crate) fn verdict(freshness: &Freshness, kept: &Kept) -> Result<(), Refusal> {
    let mut verdict = Err(Refusal::Lease);
    eventually("the lease holds", || {
        verdict = valid(freshness, kept, BOUND);
        verdict != Err(Refusal::Lease)
    });
    verdict
}

/// Whether it may be given now.
pub(crate) fn valid(freshness: &Freshness, kept: &Kept, bound: Duration) -> Result<(), Refusal> {
    freshness.valid(&kept.tags, kept.seen, Instant::now(), bound)
}
