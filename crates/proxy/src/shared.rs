//! What the workers share: the settings snapshot, quotas, the count of clients, and how to reach each other. Touched per
//! connection, never per request.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use howdah_core::alerts::Board;
use howdah_core::cache::Part;
use howdah_core::limits;
use howdah_core::login::Attempts;
use howdah_core::pool::PoolConfig;
use howdah_core::slow::Ring;
use howdah_core::statements::Book;
use howdah_wire::scram;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::mpsc;

use crate::cache::Store;
use crate::cache::shared::SecondLevel;
use crate::cache::warm::Warming;
use crate::catalog::Catalogs;
use crate::clock;
use crate::error::Refusal;
use crate::holds::Holds;
use crate::host::Host;
use crate::invalidate::Streams;
use crate::locks::Locks;
use crate::node::NodeState;
use crate::notify::Hubs;
use crate::observe::LastLook;
use crate::pool::{Allotment, PoolKey, Target, Whole};
use crate::quota::Quota;
use crate::report::ListenAddress;
use crate::server_statistics::ServerStatistics;
use crate::settings::{NodeAddress, Settings};
use crate::takeover;
use crate::topology::Clusters;
use crate::worker::{Command, Worker, worker_of};

/// What a quota or a number of clients is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Scope {
    User(String),
    Database(String),
    Node(String),
}

/// A pool is spread over more workers only if each gets this many servers.
const SERVERS_PER_WORKER: u32 = 4;

/// A logged-in client among those of its user and its database; its place is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    shared: Arc<Shared>,
    scopes: [Scope; 2],
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.shared.seats.lock();
        for scope in &self.scopes {
            if let Some(taken) = seats.get_mut(scope) {
                *taken -= 1;
                if *taken == 0 {
                    seats.remove(scope);
                }
            }
        }
    }
}

/// A console; when it is dropped, its connection counts as a client again, which is about to leave.
#[derive(Debug)]
pub(crate) struct ConsoleSeat {
    shared: Arc<Shared>,
}

impl Drop for ConsoleSeat {
    fn drop(&mut self) {
        self.shared.clients.fetch_add(1, Ordering::Relaxed);
        self.shared.consoles.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Shared by all workers of a data plane.
#[derive(Debug)]
pub(crate) struct Shared {
    settings: Mutex<Arc<Settings>>,
    quotas: Mutex<HashMap<Scope, Arc<Quota>>>,
    /// Pools, over all workers.
    wholes: Mutex<HashMap<PoolKey, Arc<Whole>>>,
    nodes: Mutex<Vec<Arc<NodeState>>>,
    /// Connections, logged in or not.
    clients: AtomicUsize,
    accepted: AtomicU64,
    turns: AtomicU64,
    /// Open consoles; they do not count as clients.
    consoles: AtomicUsize,
    holds: Mutex<Holds>,
    pub(crate) host: Host,
    /// Clients by user, and by database.
    seats: Mutex<HashMap<Scope, usize>>,
    commands: Vec<mpsc::Sender<Command>>,
    listening: Mutex<Vec<ListenAddress>>,
    /// SCRAM verifiers made from plain passwords, by user.
    verifiers: Mutex<HashMap<String, (String, scram::Verifier)>>,
    /// What client addresses have tried lately.
    pub(crate) attempts: Mutex<Attempts<IpAddr>>,
    /// The password of users that do not exist; nobody knows it.
    stranger: String,
    pub(crate) takeover: takeover::State,
    pub(crate) started: Instant,
    /// What statements did: workers add to it once a second.
    pub(crate) statements: Mutex<Book>,
    /// What alerts there are. Touched once a second, and by whoever asks.
    pub(crate) alerts: Mutex<Board>,
    pub(crate) looked: LastLook,
    /// When each worker last ticked, in milliseconds since the start.
    heartbeats: Vec<AtomicU64>,
    /// The connections that listen for notifications.
    pub(crate) hubs: Hubs,
    /// Answers that are kept.
    pub(crate) store: Store,
    /// Answers that instances share.
    pub(crate) second_level: SecondLevel,
    /// What is asked again when answers were lost.
    pub(crate) warming: Warming,
    /// What is known of databases.
    pub(crate) catalogs: Catalogs,
    /// Who is the primary, and who follows it.
    pub(crate) clusters: Clusters,
    /// What changes in databases.
    pub(crate) streams: Streams,
    /// Who waits for whom in PostgreSQL.
    pub(crate) locks: Locks,
    /// Statements that took long.
    pub(crate) slow: Mutex<Ring>,
    /// What PostgreSQL counts about databases.
    pub(crate) server_statistics: ServerStatistics,
}

impl Shared {
    pub(crate) fn new(
        settings: Settings,
        commands: Vec<mpsc::Sender<Command>>,
        stranger: String,
    ) -> Self {
        let shared = Self {
            store: Store::new(settings.kept.size),
            second_level: SecondLevel::default(),
            warming: Warming::default(),
            settings: Mutex::new(Arc::new(settings)),
            quotas: Mutex::default(),
            wholes: Mutex::default(),
            nodes: Mutex::default(),
            clients: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            turns: AtomicU64::new(0),
            consoles: AtomicUsize::new(0),
            holds: Mutex::default(),
            host: Host::new(),
            seats: Mutex::default(),
            heartbeats: commands.iter().map(|_| AtomicU64::new(0)).collect(),
            commands,
            listening: Mutex::default(),
            verifiers: Mutex::default(),
            attempts: Mutex::default(),
            stranger,
            takeover: takeover::State::default(),
            started: clock::now(),
            statements: Mutex::new(Book::new(limits::STATEMENTS)),
            alerts: Mutex::default(),
            looked: LastLook::default(),
            hubs: Hubs::default(),
            catalogs: Catalogs::default(),
            clusters: Clusters::new(),
            streams: Streams::default(),
            locks: Locks::default(),
            slow: Mutex::default(),
            server_statistics: ServerStatistics::default(),
        };
        shared.clusters.reload(&shared, &shared.settings());
        shared
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.lock())
    }

    /// Clients at most, without a look at the whole settings.
    pub(crate) fn max_clients(&self) -> usize {
        self.settings.lock().max_clients
    }

    pub(crate) fn set_settings(&self, settings: Settings) {
        let settings = Arc::new(settings);
        self.store.resize(settings.kept.size);
        *self.settings.lock() = Arc::clone(&settings);
        self.clusters.reload(self, &settings);
    }

    /// What one worker does for all: asks the nodes, hears of changes, is connected with the cache that instances share.
    pub(crate) fn reload(&self, worker: &Rc<Worker>) {
        let settings = worker.settings();
        self.clusters.probe(worker, &settings);
        self.streams.reload(worker, &settings);
        self.second_level.reload(settings.shared_cache.as_ref());
    }

    /// Forgets all answers, and those that other instances have kept up to now.
    pub(crate) fn forget_answers(&self) {
        self.store.flush();
        if self.second_level.is_configured() {
            self.streams.forget_answers();
        }
    }

    /// Forgets a part of them.
    pub(crate) fn forget_part(&self, part: Part) {
        if !self.store.flush_part(part, &self.streams.all()) {
            self.forget_answers();
        }
    }

    pub(crate) fn set_listening(&self, listening: Vec<ListenAddress>) {
        *self.listening.lock() = listening;
    }

    pub(crate) fn listening(&self) -> Vec<ListenAddress> {
        self.listening.lock().clone()
    }

    /// A worker turns.
    pub(crate) fn on_heartbeat(&self, worker: usize, now: Instant) {
        let since = now.saturating_duration_since(self.started).as_millis();
        if let Some(heartbeat) = self.heartbeats.get(worker) {
            heartbeat.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// How long ago each worker turned last.
    pub(crate) fn heartbeats(&self, now: Instant) -> Vec<Duration> {
        let age = now.saturating_duration_since(self.started);
        let since = |heartbeat: &AtomicU64| {
            age.saturating_sub(Duration::from_millis(heartbeat.load(Ordering::Relaxed)))
        };
        self.heartbeats.iter().map(since).collect()
    }

    /// Ways to all workers.
    pub(crate) fn workers(&self) -> &[mpsc::Sender<Command>] {
        &self.commands
    }

    /// Counts a new connection. Whoever ends it says [`Self::on_client_left`].
    pub(crate) fn on_client(&self) {
        self.clients.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// The worker that serves the next client of a pool: one of those that the pool is spread over, in turn.
    pub(crate) fn owner(&self, key: &PoolKey, config: &PoolConfig) -> usize {
        let turn = usize::try_from(self.turns.fetch_add(1, Ordering::Relaxed)).unwrap_or(0);
        (self.home(key) + turn % self.spread(config)) % self.commands.len().max(1)
    }

    /// Where servers of a pool are opened, as things are now, and how many; `None`: not configured.
    pub(crate) fn pool(&self, settings: &Settings, key: &PoolKey) -> Option<(Target, PoolConfig)> {
        let node = match &key.replica {
            Some(name) => {
                let cluster = settings.cluster(settings.database(&key.database)?)?;
                let named =
                    |at: &usize| settings.nodes.get(*at).is_some_and(|node| *node.name == **name);
                cluster.nodes.clone().find(named)?
            }
            None => {
                let database = settings.database(&key.database)?;
                let cluster = settings.cluster(database);
                let primary = cluster.and_then(|cluster| self.clusters.primary(settings, cluster));
                primary.map_or(database.primary, |primary| primary.0)
            }
        };
        settings.pool_on(&key.database, &key.user, node)
    }

    /// The first of the workers that a pool is spread over.
    fn home(&self, key: &PoolKey) -> usize {
        let workers = self.commands.len().max(1);
        let mut hasher = DefaultHasher::new();
        // Its pools on replicas are where its clients are.
        (&key.database, &key.user).hash(&mut hasher);
        usize::try_from(hasher.finish() % workers as u64).unwrap_or(0)
    }

    /// The worker for a client that another process has served: the one that its process id names, if the pool is spread over that.
    pub(crate) fn adopter(&self, key: &PoolKey, config: &PoolConfig, process_id: u32) -> usize {
        let (workers, named) = (self.commands.len().max(1), worker_of(process_id));
        let spread = self.spread(config);
        if named < workers && (named + workers - self.home(key)) % workers < spread {
            return named;
        }
        let owner = self.owner(key, config);
        self.takeover.set_away(process_id, owner);
        owner
    }

    /// The worker that has to know whether a client of this process id is here.
    pub(crate) fn serving(&self, process_id: u32) -> usize {
        let owner = self.takeover.away(process_id).unwrap_or_else(|| worker_of(process_id));
        // A client of a process with more workers: any of ours can say that it is not here.
        if owner < self.commands.len() { owner } else { 0 }
    }

    /// Over how many workers a pool is spread: each has servers of its own, so none waits for another's.
    fn spread(&self, config: &PoolConfig) -> usize {
        let most = (config.max_size / SERVERS_PER_WORKER).max(1);
        self.commands.len().clamp(1, usize::try_from(most).unwrap_or(1))
    }

    /// What one worker has of a pool. While one process takes over from another, servers that are open there count here, and the
    /// one that goes keeps none in reserve.
    pub(crate) fn allot(&self, key: &PoolKey, config: &PoolConfig, worker: usize) -> Allotment {
        let workers = self.commands.len().max(1);
        let max_size = config.max_size.saturating_sub(self.takeover.elsewhere(key));
        let min_size = if self.takeover.is_moving() { 0 } else { config.min_size.min(max_size) };
        let (parts, at) = (self.spread(config), (worker + workers - self.home(key)) % workers);
        // The first ones get what cannot be divided, those that are not among the parts have only what they borrow.
        let part = |whole: u32| {
            let (parts, at) = (u32::try_from(parts).unwrap_or(1), u32::try_from(at).unwrap_or(0));
            if at < parts { whole / parts + u32::from(at < whole % parts) } else { 0 }
        };
        let whole = (workers > 1).then(|| {
            let mut wholes = self.wholes.lock();
            wholes.retain(|_, whole| Arc::strong_count(whole) > 1);
            let whole = wholes.entry(key.clone()).or_default();
            whole.set_size(max_size);
            Arc::clone(whole)
        });
        let config = PoolConfig { min_size: part(min_size), max_size, ..config.clone() };
        Allotment { config, share: part(max_size), whole }
    }

    /// Counts a client of a user and of a database, by the names that it gave.
    ///
    /// # Errors
    /// There are as many as either may have.
    pub(crate) fn seat(
        self: &Arc<Self>,
        user: &str,
        of_user: Option<usize>,
        database: &str,
        of_database: Option<usize>,
    ) -> Result<Seat, Refusal> {
        let scopes = [Scope::User(user.to_owned()), Scope::Database(database.to_owned())];
        let caps =
            [(of_user, "max_clients of this user"), (of_database, "max_clients of this database")];
        let mut seats = self.seats.lock();
        for (scope, (max, key)) in scopes.iter().zip(caps) {
            let taken = seats.get(scope).copied().unwrap_or_default();
            if let Some(max) = max.filter(|max| taken >= *max) {
                return Err(Refusal::too_many_clients(max, key));
            }
        }
        for scope in &scopes {
            *seats.entry(scope.clone()).or_default() += 1;
        }
        drop(seats);
        Ok(Seat { shared: Arc::clone(self), scopes })
    }

    /// What administrators hold back. Touched when they do, when a pool is made, and when a client logs in.
    pub(crate) fn holds(&self) -> MutexGuard<'_, Holds> {
        self.holds.lock()
    }

    /// From now on, a connection that was counted as a client is a console. `None`: there are too many.
    pub(crate) fn console(self: &Arc<Self>) -> Option<ConsoleSeat> {
        if self.consoles.fetch_add(1, Ordering::Relaxed) >= limits::CONSOLES {
            self.consoles.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        self.clients.fetch_sub(1, Ordering::Relaxed);
        Some(ConsoleSeat { shared: Arc::clone(self) })
    }

    pub(crate) fn on_client_left(&self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// The password of users that do not exist.
    pub(crate) fn stranger(&self) -> &str {
        &self.stranger
    }

    /// The SCRAM verifier that was made of a user's plain password.
    pub(crate) fn verifier(&self, user: &str, password: &str) -> Option<scram::Verifier> {
        let verifiers = self.verifiers.lock();
        let known = verifiers.get(user).filter(|(of, _)| of == password);
        known.map(|(_, verifier)| verifier.clone())
    }

    /// Remembers it, in place of that of an older password.
    pub(crate) fn remember_verifier(&self, user: &str, password: &str, verifier: &scram::Verifier) {
        let made = (password.to_owned(), verifier.clone());
        self.verifiers.lock().insert(user.to_owned(), made);
    }

    /// A node, with the health settings in force. Forgets nodes that nobody has.
    pub(crate) fn node(
        &self,
        settings: &Settings,
        name: &str,
        address: &NodeAddress,
    ) -> Arc<NodeState> {
        let mut nodes = self.nodes.lock();
        nodes.retain(|node| Arc::strong_count(node) > 1);
        let known = nodes.iter().find(|node| node.is_at(name, address));
        if let Some(known) = known {
            known.set_health(settings.health, settings.revision);
            return Arc::clone(known);
        }
        let (name, address) = (name.to_owned(), address.clone());
        let node = Arc::new(NodeState::new(name, address, (settings.health, settings.revision)));
        nodes.push(Arc::clone(&node));
        node
    }

    /// The nodes of all clusters and pools.
    pub(crate) fn nodes(&self) -> Vec<Arc<NodeState>> {
        let mut nodes = self.nodes.lock();
        nodes.retain(|node| Arc::strong_count(node) > 1);
        nodes.clone()
    }

    /// The caps that servers of a pool count against, with the sizes of these settings. Servers are counted without a cap, too,
    /// so that one that comes with a reload knows those that are open.
    pub(crate) fn quotas(
        &self,
        settings: &Settings,
        key: &PoolKey,
        target: &Target,
    ) -> Vec<Arc<Quota>> {
        let mut quotas = self.quotas.lock();
        quotas.retain(|_, quota| Arc::strong_count(quota) > 1);
        let mut quota = |scope: Scope, max: Option<u32>| {
            let quota = quotas.entry(scope).or_default();
            quota.set_max(max);
            Arc::clone(quota)
        };
        let mut found = Vec::new();
        let Some(database) = settings.database(&key.database) else {
            return found;
        };
        if let Some(user) = settings.user(&key.user) {
            found.push(quota(Scope::User(key.user.to_string()), user.max_servers));
        }
        found.push(quota(Scope::Database(database.name.clone()), database.max_servers));
        if let Some(node) = settings.nodes.iter().find(|node| node.name == target.node) {
            found.push(quota(Scope::Node(node.name.clone()), node.max_servers));
        }
        found
    }
}
