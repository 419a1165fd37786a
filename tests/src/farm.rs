//! A cluster of its own with replicas, and Howdah in front of it in this process: for tests that look where statements go, hold replay
//! back, and kill nodes.

use std::time::{Duration, Instant};

use howdah::{Config, Engine, ListenAddress};
use howdah_local::{Cluster, Node};
use tokio::runtime::Runtime;

use crate::raw::{Connection, Target};

/// Functions by which a statement tells where it ran (of TCP connections: over Unix sockets there is no port). They are for the primary unless somebody says otherwise.
const TELLTALES: &str = "[[route.override]]\nname = \"telltales\"\nto = \"replica\"\n\
    function = [\"inet_server_port\", \"pg_is_in_recovery\", \"pg_last_wal_replay_lsn\"]\n";

/// Nodes and the engine.
#[derive(Debug)]
pub struct Farm {
    engine: Option<Engine>,
    runtime: Runtime,
    cluster: Cluster,
    port: u16,
}

impl Farm {
    /// A primary with so many replicas, behind Howdah with these sections more in its configuration; `{node}` in `nodes` keys of
    /// each replica, by its position.
    ///
    /// # Panics
    /// When something does not start.
    #[must_use]
    pub fn start(replicas: u32, more: &str, keys_of_replica: &[&str]) -> Self {
        Self::with_workers(1, replicas, more, keys_of_replica)
    }

    /// The same with so many workers.
    ///
    /// # Panics
    /// When something does not start.
    #[must_use]
    pub fn with_workers(workers: u32, replicas: u32, more: &str, keys_of_replica: &[&str]) -> Self {
        let cluster = Cluster::builder()
            .replicas(replicas)
            .setting("max_connections", "200")
            .start()
            .unwrap_or_else(|error| panic!("no PostgreSQL for the tests: {error}"));
        let mut text =
            format!("[listen]\nport = 0\nworkers = {workers}\n[[cluster]]\nname = \"main\"\n");
        let mut node = |name: &str, port: u16, keys: &str| {
            text.push_str(&format!(
                "[[cluster.node]]\nname = \"{name}\"\nhost = \"127.0.0.1\"\nport = {port}\nsocket = \"off\"\n{keys}\n"
            ));
        };
        node("primary", cluster.primary().port(), "");
        for (at, replica) in cluster.replicas().iter().enumerate() {
            node(
                &format!("replica{}", at + 1),
                replica.port(),
                keys_of_replica.get(at).unwrap_or(&""),
            );
        }
        text.push_str("[[user]]\nname = \"howdah\"\nauth = \"trust\"\n");
        text.push_str(TELLTALES);
        text.push_str(more);
        let config = Config::from_toml(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let engine = runtime.block_on(Engine::start(config));
        let engine = engine.unwrap_or_else(|error| panic!("Howdah does not start: {error}"));
        let port = engine.addresses().into_iter().find_map(|address| match address {
            ListenAddress::Tcp(address) => Some(address.port()),
            ListenAddress::Unix(_) => None,
        });
        let port = port.expect("a TCP address");
        Self { engine: Some(engine), runtime, cluster, port }
    }

    /// The primary that the cluster began with.
    #[must_use]
    pub const fn primary(&self) -> &Node {
        self.cluster.primary()
    }

    /// The replicas that it began with.
    #[must_use]
    pub fn replicas(&self) -> &[Node] {
        self.cluster.replicas()
    }

    /// The running engine.
    ///
    /// # Panics
    /// When it was stopped.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("a running engine")
    }

    /// Waits for something asynchronous.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Connections through Howdah.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::port(self.port, "howdah", "postgres")
    }

    /// A client through Howdah.
    #[must_use]
    #[track_caller]
    pub fn client(&self) -> Connection {
        self.target().client()
    }

    /// A client of one node itself.
    #[must_use]
    #[track_caller]
    pub fn direct(&self, node: &Node) -> Connection {
        Target::port(node.port(), "howdah", "postgres").client()
    }

    /// Waits until all replicas have what the primary has written.
    ///
    /// # Panics
    /// When they do not.
    pub fn wait_for_replay(&self) {
        self.cluster.wait_for_replay().expect("replicas follow");
    }

    /// The TCP port of Howdah.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// All nodes that it began with, the primary first.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(self.primary()).chain(self.replicas())
    }

    /// Hands the part of the primary from one node to the other, as an administrator does it by hand: holds clients back, stops the
    /// one, promotes the other, lets the first follow it, and goes on.
    ///
    /// # Panics
    /// When a step fails.
    pub fn switch(&self, from: &Node, to: &Node) {
        let mut console = Target::port(self.port, "howdah", "howdah").client();
        from.psql("CHECKPOINT").expect("a checkpoint");
        console.run("PAUSE");
        from.stop(howdah_local::Mode::Fast).expect("the primary stops");
        to.promote().expect("the other is promoted");
        console.run("RESUME");
        from.follow(to).expect("the first follows");
        from.start().expect("the first starts");
    }

    /// Waits until reads go to every replica, which takes a look at the catalog and one at each node.
    ///
    /// # Panics
    /// When that does not happen.
    #[track_caller]
    pub fn settle(&self) {
        self.settle_on("SELECT inet_server_port()");
    }

    /// The same for a read of one's own, which tells the port of the node that has answered it.
    ///
    /// # Panics
    /// When that does not happen.
    #[track_caller]
    pub fn settle_on(&self, read: &str) {
        let mut client = self.client();
        client.run("SET howdah.consistency = 'eventual'");
        let deadline = Instant::now() + Duration::from_secs(30);
        for replica in self.replicas() {
            while client.value(read) != replica.port().to_string() {
                assert!(Instant::now() < deadline, "no reads reach {}", replica.name());
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            self.runtime.block_on(engine.stop(Duration::from_secs(1)));
        }
    }
}
