//! What every measurement stands on: one PostgreSQL with filled tables, pgbench, and a private directory. Not the proxies.
//!
//! Invariant: everything runs in private directories of `howdah-local` and ends with them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use howdah_local::{Binaries, Cluster, Directory, Node};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

use crate::pgbench::{Address, Pgbench};
use crate::pgbouncer::Program;
use crate::plan::Peer;
use crate::workplace::Workplace;
use crate::{Options, haproxy, howdah, pgpool};

/// The role of all clients.
pub(crate) const USER: &str = "howdah";
/// The database of all clients.
pub(crate) const DATABASE: &str = "bench";
/// Servers of every pool.
pub(crate) const POOL: u32 = 20;
/// Replicas for the peers that send reads there.
const REPLICAS: u32 = 2;
/// Connections of PostgreSQL: pools, and up to 200 clients with a server for each, or pgpool-II's processes.
const MAX_CONNECTIONS: &str = "400";
/// Descriptors for 1,000 clients on both sides of a proxy.
const DESCRIPTORS: u64 = 8192;

/// How clients reach the peers, and the peers the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    /// Loopback TCP.
    Tcp,
    /// Unix sockets.
    Unix,
}

/// Server, tables and load generator.
#[derive(Debug)]
pub(crate) struct Bed {
    pgbench: Pgbench,
    cluster: Cluster,
    transport: Transport,
    workplace: Workplace,
    pgbouncer: Option<Program>,
    versions: Vec<String>,
    /// Removed with everything in it when this is dropped.
    _directory: Arc<Directory>,
}

impl Bed {
    /// Starts PostgreSQL without durability, fills the tables of pgbench, and looks for what `peers` need.
    pub(crate) fn start(
        scale: u32,
        transport: Transport,
        peers: &[Peer],
        options: &Options,
    ) -> Result<Self> {
        Self::with(scale, transport, peers, &[], options)
    }

    /// The same with more settings of PostgreSQL's.
    pub(crate) fn with(
        scale: u32,
        transport: Transport,
        peers: &[Peer],
        settings: &[(&str, &str)],
        options: &Options,
    ) -> Result<Self> {
        raise_descriptor_limit();
        let binaries = Binaries::find(None)?;
        let program = binaries.program("pgbench")?;
        let mut versions = vec![binaries.version().to_owned()];
        if peers.iter().any(|peer| peer.howdah().is_some()) {
            versions.push(howdah::version()?);
        }
        let wanted = peers.iter().any(|peer| peer.pgbouncer().is_some());
        let pgbouncer = wanted.then(Program::find).transpose()?;
        versions.extend(pgbouncer.iter().map(|program| program.name.clone()));
        if peers.contains(&Peer::PgPool) {
            versions.push(pgpool::version()?);
        }
        if peers.contains(&Peer::HaProxy) {
            versions.push(haproxy::version()?);
        }
        options.say(&format!("starting PostgreSQL and filling pgbench's tables (scale {scale})"));
        let routed = |peer: &Peer| peer.howdah().is_some_and(|variant| variant.policy.is_some());
        let builder =
            settings.iter().fold(Cluster::builder(), |all, (name, value)| all.setting(name, value));
        let cluster = builder
            .binaries(binaries)
            .replicas(if peers.iter().any(routed) { REPLICAS } else { 0 })
            .setting("shared_buffers", "512MB")
            .setting("max_connections", MAX_CONNECTIONS)
            // No checkpoint in the middle of a cell.
            .setting("max_wal_size", "8GB")
            .setting("checkpoint_timeout", "1h")
            .start()
            .context("cannot start PostgreSQL")?;
        cluster.primary().psql(&format!("CREATE DATABASE {DATABASE}"))?;
        let directory = Directory::create()?;
        let workplace = Workplace::of(&directory)?;
        let pgbench = Pgbench::new(program, workplace.subdirectory("pgbench")?, USER, DATABASE);
        let bed = Self {
            pgbench,
            cluster,
            transport,
            workplace,
            pgbouncer,
            versions,
            _directory: directory,
        };
        bed.pgbench.initialise(&bed.server(), scale)?;
        bed.cluster.wait_for_replay()?;
        Ok(bed)
    }

    /// Runs a statement in the database of the clients.
    pub(crate) fn psql(&self, sql: &str) -> Result<()> {
        self.cluster.primary().psql_on(DATABASE, sql)?;
        Ok(())
    }

    /// The server itself.
    pub(crate) fn server(&self) -> Address {
        let node = self.cluster.primary();
        let host = match self.transport {
            Transport::Tcp => "127.0.0.1".to_owned(),
            Transport::Unix => return self.socket(),
        };
        Address { host, port: node.port() }
    }

    /// The server by its Unix socket.
    pub(crate) fn socket(&self) -> Address {
        let node = self.cluster.primary();
        Address { host: node.socket_directory().display().to_string(), port: node.port() }
    }

    /// The replicas, where a peer has use for them.
    pub(crate) fn replicas(&self) -> &[Node] {
        self.cluster.replicas()
    }

    /// The process of the server, parent of all its processes.
    pub(crate) fn server_pid(&self) -> Result<u32> {
        self.cluster.primary().pid().context("PostgreSQL has ended")
    }

    /// The load generator.
    pub(crate) const fn pgbench(&self) -> &Pgbench {
        &self.pgbench
    }

    /// The neighbour's program, when it is a peer.
    pub(crate) const fn pgbouncer(&self) -> Option<&Program> {
        self.pgbouncer.as_ref()
    }

    /// Versions of everything that is measured.
    pub(crate) fn versions(&self) -> &[String] {
        &self.versions
    }

    /// How everybody is reached.
    pub(crate) const fn transport(&self) -> Transport {
        self.transport
    }

    /// Where proxies run and files of the measurement are.
    pub(crate) const fn workplace(&self) -> &Workplace {
        &self.workplace
    }

    /// Path of [`Self::workplace`].
    pub(crate) fn directory(&self) -> &Path {
        self.workplace.path()
    }
}

/// Lets this process and its children open as many files as 1,000 clients need, if the system allows.
fn raise_descriptor_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(DESCRIPTORS, |maximum| maximum.min(DESCRIPTORS));
    if current.is_some_and(|current| current < wanted) {
        // Where it is refused, the cell with too many clients says so.
        let _refused = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}
