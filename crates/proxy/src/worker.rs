//! One worker: a thread with its own event loop, clients, servers, pools, caches and counters. Workers share settings, quotas
//! and a count of clients, and nothing per request.
//!
//! Invariant: everything reachable from [`Worker`] except [`Shared`] is touched by its own thread only.
//!
//! Length: everything that a worker owns, and what it is asked, side by side.

use std::cell::{Cell, Ref, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use howdah_core::limits;
use howdah_core::login::Answers;
use howdah_core::session::{BySql, Context, Prepared};
use howdah_core::statements::Tally;
use howdah_core::takeover::ListenerName;
use howdah_sql::{Analyses, Analysis};
use tokio::runtime::LocalRuntime;
use tokio::sync::{mpsc, oneshot};

use crate::administer::Order;
use crate::auth::{Link, Lookups};
use crate::buffer::Shelf;
use crate::cache::LocalPlace;
use crate::cancel;
use crate::clock;
use crate::entry::{Entry, Signal};
use crate::listener::{Listeners, Listening};
use crate::login::{self, Served};
use crate::paces::Paces;
use crate::pool::{Pool, PoolKey};
use crate::random::Reserve;
use crate::repeated::Repeated;
use crate::report::{
    CacheReport, Counts, DatabaseReport, PoolReport, RouteReport, RuleReport, Totals,
};
use crate::route::{Nodes, Verdicts};
use crate::rows::{ClientRow, ServerRow};
use crate::rules::Rulebook;
use crate::server::SessionId;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::stats::Stats;
use crate::stream::{Detached, Peer};
use crate::takeover;
use crate::traffic::Turns;

/// How often deadlines, waiters and idle servers are looked at. Bounds the error of every timeout.
const TICK: Duration = Duration::from_millis(50);

/// How often a worker tells what it has counted about statements, and looks whether nodes are to be asked something.
const TELLING: Duration = Duration::from_secs(1);

/// Commands that may wait for a worker; a sender waits when there are more.
pub(crate) const COMMANDS: usize = 1024;

/// What others ask of a worker.
#[derive(Debug)]
pub(crate) enum Command {
    /// A connection that was accepted elsewhere.
    Serve(Accepted),
    /// A cancel request for one of its clients.
    Cancel {
        process_id: u32,
        secret: Vec<u8>,
        /// The process that has sent it here; `None`: the client itself.
        came_from: Option<takeover::Neighbour>,
        delivered: cancel::Delivered,
    },
    /// Begin to accept.
    Listen(Listeners),
    /// Something for one process that takes over from another.
    Takeover(takeover::Command),
    /// What it looks like now.
    Report(oneshot::Sender<WorkerReport>),
    /// The settings have changed; answered when they are in force here.
    Reload(oneshot::Sender<()>),
    /// The sizes of pools may have changed.
    Resize,
    /// Definitions have changed: prepare every text anew.
    ForgetPrepared,
    /// An administrator's command.
    Administer(Order),
    /// No new requests: end sessions as they become idle.
    Drain,
    /// End now.
    Stop,
}

/// A connection whose startup message names a pool of another worker.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: Detached,
    pub(crate) peer: Peer,
    /// Bytes that were read from it: the startup message, at least.
    pub(crate) bytes: Vec<u8>,
}

/// One worker's part of the report.
#[derive(Debug)]
pub(crate) struct WorkerReport {
    pub(crate) pools: Vec<PoolReport>,
    pub(crate) totals: Totals,
    pub(crate) clients: Vec<ClientRow>,
    pub(crate) servers: Vec<ServerRow>,
    pub(crate) databases: Vec<DatabaseReport>,
    pub(crate) rules: Vec<RuleReport>,
    pub(crate) cache: Vec<CacheReport>,
    pub(crate) routes: Vec<RouteReport>,
}

/// State of one worker.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Number of the worker: the high bits of its clients' process ids.
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    settings: RefCell<Arc<Settings>>,
    pub(crate) shelf: Shelf,
    pub(crate) stats: Stats,
    pub(crate) pools: RefCell<BTreeMap<PoolKey, Rc<Pool>>>,
    pub(crate) entries: RefCell<BTreeMap<u32, Rc<Entry>>>,
    analyses: RefCell<Analyses>,
    repeated: RefCell<Repeated>,
    pub(crate) random: Reserve,
    contexts: RefCell<HashSet<Arc<Context>>>,
    no_settings: Arc<Context>,
    pub(crate) prepared: RefCell<HashMap<PreparedKey, Arc<Prepared>>>,
    pub(crate) paces: Paces,
    now: Cell<Instant>,
    draining: Cell<bool>,
    listening: RefCell<Listening>,
    pub(crate) moving: takeover::Moving,
    pub(crate) door: RefCell<Option<takeover::Door>>,
    next_id: Cell<u64>,
    /// Rules about statements.
    pub(crate) rules: Rulebook,
    /// Users that were looked up.
    pub(crate) lookups: Lookups,
    /// Passwords that PostgreSQL has lately let in.
    pub(crate) passed: RefCell<Answers<PoolKey, String>>,
    /// Held by whoever makes a verifier of a password: one at a time.
    pub(crate) hashing: tokio::sync::Mutex<()>,
    /// Held by whoever tries a password out on a server.
    pub(crate) trying: tokio::sync::Semaphore,
    pub(crate) turns: Turns,
    /// Which statements replicas may run, by node and database.
    pub(crate) verdicts: RefCell<BTreeMap<(String, String), Weak<Verdicts>>>,
    /// Clusters as its sessions see them, by name.
    pub(crate) clusters: RefCell<BTreeMap<String, Rc<Nodes>>>,
    /// Whether the result cache is used by any database.
    pub(crate) caches: Cell<bool>,
    /// The key that is being looked up.
    pub(crate) cache_key: RefCell<Vec<u8>>,
    /// Places of the result cache, by name.
    pub(crate) places: RefCell<BTreeMap<String, Rc<LocalPlace>>>,
    /// Counts of pools that are gone, by database.
    pub(crate) departed: RefCell<BTreeMap<Box<str>, Counts>>,
    /// What statements did since it was last told.
    pub(crate) statements: RefCell<Tally>,
    told: Cell<Instant>,
    /// When it last looked whether to ask nodes something.
    looked: Cell<Instant>,
    /// Stands for statements that are not looked at.
    pub(crate) unknown: Arc<Analysis>,
}

/// Text and parameter types, or where the name goes.
type PreparedKey = (Box<[u8]>, Box<[u8]>, Option<BySql>);

/// Process ids of one worker; a client's process id is `(worker << SHIFT) + n`.
const SHIFT: u32 = 22;

/// Within them, processes that take over from each other count on, so that clients of two never have the same.
const GENERATIONS: u32 = 8;
const GENERATION_SHIFT: u32 = SHIFT - GENERATIONS.ilog2();

/// The worker that a client's process id belongs to.
pub(crate) const fn worker_of(process_id: u32) -> usize {
    (process_id >> SHIFT) as usize
}

impl Worker {
    pub(crate) fn new(index: usize, shared: Arc<Shared>) -> Self {
        let settings = shared.settings();
        let rules = Rulebook::default();
        rules.reload(&settings.rules);
        let caches = settings.caches();
        Self {
            index,
            shared,
            settings: RefCell::new(settings),
            shelf: Shelf::default(),
            stats: Stats::default(),
            pools: RefCell::default(),
            entries: RefCell::default(),
            analyses: RefCell::new(Analyses::new(limits::ANALYSES_PER_WORKER)),
            repeated: RefCell::default(),
            random: Reserve::default(),
            contexts: RefCell::default(),
            no_settings: Arc::default(),
            prepared: RefCell::default(),
            paces: Paces::default(),
            now: Cell::new(clock::now()),
            draining: Cell::new(false),
            listening: RefCell::default(),
            moving: takeover::Moving::default(),
            door: RefCell::default(),
            next_id: Cell::new(1),
            rules,
            lookups: Lookups::default(),
            passed: RefCell::new(Answers::new(limits::LOOKED_UP_USERS)),
            hashing: tokio::sync::Mutex::default(),
            trying: tokio::sync::Semaphore::new(limits::PASSWORDS_TRIED),
            turns: Turns::new(clock::now()),
            verdicts: RefCell::default(),
            clusters: RefCell::default(),
            caches: Cell::new(caches),
            cache_key: RefCell::default(),
            places: RefCell::default(),
            departed: RefCell::default(),
            statements: RefCell::new(Tally::new(limits::STATEMENTS_PER_WORKER)),
            looked: Cell::new(clock::now()),
            told: Cell::new(clock::now()),
            unknown: Arc::new(Analysis::unknown()),
        }
    }

    /// Number of the settings in force.
    pub(crate) fn settings_revision(&self) -> u64 {
        self.settings.borrow().revision
    }

    /// Settings in force.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }

    /// The same, for a look that is not held across a wait, and costs nothing that workers share.
    pub(crate) fn settings_in_force(&self) -> Ref<'_, Arc<Settings>> {
        self.settings.borrow()
    }

    /// The time of the last tick: good enough for timeouts, free to read.
    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    /// Accepts no more, for another process does; the sockets stay.
    pub(crate) fn pause_listening(&self) {
        self.listening.borrow_mut().pause();
    }

    /// Accepts again.
    pub(crate) fn resume_listening(self: &Rc<Self>) {
        let sockets = self.listening.borrow_mut().take_sockets();
        if let Some(sockets) = sockets {
            sockets.spawn(self);
        }
    }

    /// Second handles of the sockets that are listened on.
    pub(crate) fn listening_sockets(&self) -> io::Result<Vec<(ListenerName, OwnedFd)>> {
        self.listening.borrow().duplicate()
    }

    pub(crate) fn set_listening(&self, listening: Listening) {
        *self.listening.borrow_mut() = listening;
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// What a new server has.
    pub(crate) fn no_settings(&self) -> Arc<Context> {
        Arc::clone(&self.no_settings)
    }

    /// What a statement is; from a bounded map for all but the first of its form, and without a look at the words for a
    /// text that comes again and again.
    pub(crate) fn analyse(&self, sql: &[u8]) -> Arc<Analysis> {
        self.repeated.borrow_mut().analyse(sql, |sql| self.analyses.borrow_mut().analyse(sql))
    }

    /// An equal context that is shared, so that comparing contexts is comparing addresses.
    pub(crate) fn share_context(&self, context: Context) -> Arc<Context> {
        if context.is_empty() {
            return self.no_settings();
        }
        let mut contexts = self.contexts.borrow_mut();
        if let Some(known) = contexts.get(&context) {
            return Arc::clone(known);
        }
        if contexts.len() >= limits::SHARED_CONTEXTS {
            contexts.retain(|context| Arc::strong_count(context) > 1);
        }
        let context = Arc::new(context);
        contexts.insert(Arc::clone(&context));
        context
    }

    /// The shared statement for a text and parameter types.
    pub(crate) fn prepare(
        &self,
        sql: &[u8],
        parameter_types: &[u8],
        analysis: Arc<Analysis>,
    ) -> Arc<Prepared> {
        self.share_prepared((sql.into(), parameter_types.into(), None), analysis)
    }

    /// The shared statement for a SQL-level `PREPARE` without its name.
    pub(crate) fn prepare_by_sql(
        &self,
        sql: &[u8],
        analysis: Arc<Analysis>,
        by_sql: BySql,
    ) -> Arc<Prepared> {
        self.share_prepared((sql.into(), Box::default(), Some(by_sql)), analysis)
    }

    fn share_prepared(&self, key: PreparedKey, analysis: Arc<Analysis>) -> Arc<Prepared> {
        let mut table = self.prepared.borrow_mut();
        if let Some(known) = table.get(&key) {
            return Arc::clone(known);
        }
        if table.len() >= limits::SHARED_STATEMENTS {
            table.retain(|_, prepared| Arc::strong_count(prepared) > 1);
        }
        let prepared = Arc::new(Prepared {
            id: self.new_id(),
            sql: key.0.clone(),
            parameter_types: key.1.clone(),
            analysis,
            parsed: AtomicBool::new(false),
            by_sql: key.2,
        });
        table.insert(key, Arc::clone(&prepared));
        prepared
    }

    /// Definitions have changed: from now on every text is prepared anew, here and, a moment later, in all workers. Sessions
    /// that hold a statement keep it.
    pub(crate) fn forget_prepared(&self) {
        self.prepared.borrow_mut().clear();
        for (index, worker) in self.shared.workers().iter().enumerate() {
            if index != self.index {
                // A worker that is too busy to be told prepares anew when a server complains.
                let _ = worker.try_send(Command::ForgetPrepared);
            }
        }
    }

    /// A number unique in this worker.
    pub(crate) fn new_id(&self) -> u64 {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        id
    }

    /// A process id that no client of this worker has.
    pub(crate) fn new_process_id(&self) -> u32 {
        let entries = self.entries.borrow();
        let generation = self.shared.takeover.generation.load(Ordering::Relaxed);
        let generation = (generation % GENERATIONS) << GENERATION_SHIFT;
        loop {
            let low = u32::try_from(self.new_id() & ((1 << GENERATION_SHIFT) - 1)).unwrap_or(1);
            let high = u32::try_from(self.index).unwrap_or(0) << SHIFT;
            let process_id = high | generation | low;
            let taken = entries.contains_key(&process_id)
                || self.shared.takeover.away(process_id).is_some();
            if low != 0 && !taken {
                return process_id;
            }
        }
    }

    /// A pseudo-random number from 0 to 1, for spreading work; not for secrets.
    pub(crate) fn chance(&self) -> f64 {
        (self.draw() >> 48) as f64 / 65_536.0
    }

    /// Pseudo-random bits, for spreading work; not for secrets.
    pub(crate) fn draw(&self) -> u64 {
        // Finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
        let mut mixed = self.new_id().wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn register(&self, entry: &Rc<Entry>) {
        self.entries.borrow_mut().insert(entry.process_id, Rc::clone(entry));
    }

    pub(crate) fn unregister(&self, entry: &Entry) {
        self.entries.borrow_mut().remove(&entry.process_id);
    }

    /// The pool for a database and user; made when it is first used.
    pub(crate) fn pool(self: &Rc<Self>, key: PoolKey) -> Option<Rc<Pool>> {
        if let Some(pool) = self.pools.borrow().get(&key) {
            return Some(Rc::clone(pool));
        }
        let settings = self.settings();
        let (target, config) = self.shared.pool(&settings, &key)?;
        let allotment = self.shared.allot(&key, &config, self.index);
        let quotas = self.shared.quotas(&settings, &key, &target);
        let node = self.shared.node(&settings, &target.node, &target.address);
        let pool = Rc::new(Pool::new(key.clone(), target, allotment, quotas, node));
        if key.replica.is_none() {
            for greeting in self.shared.takeover.greetings(&key) {
                pool.inherit(self, greeting);
            }
        }
        self.pools.borrow_mut().insert(key, Rc::clone(&pool));
        self.obey_holds(&pool);
        Some(pool)
    }

    /// What the cache has done here.
    pub(crate) fn cache_report(&self) -> Vec<CacheReport> {
        let places = self.places.borrow();
        let report = |place: &Rc<LocalPlace>| CacheReport {
            database: place.database.to_string(),
            counts: place.counts(),
        };
        places.values().map(report).collect()
    }

    fn reload(self: &Rc<Self>) {
        let settings = self.shared.settings();
        *self.settings.borrow_mut() = Arc::clone(&settings);
        self.lookups.reload();
        self.rules.reload(&settings.rules);
        self.caches.set(settings.caches());
        self.reload_clusters(&settings);
        self.retarget(&settings);
        self.open_standing();
        self.probe();
    }

    /// One worker asks the nodes for all, and hears of changes.
    fn probe(self: &Rc<Self>) {
        if self.index == 0 {
            self.shared.reload(self);
        }
    }

    /// Makes the pools that hold servers before a client has come.
    fn open_standing(self: &Rc<Self>) {
        let settings = self.settings();
        let key = |(database, user): (&str, &str)| PoolKey::home(database, user);
        let standing: Vec<PoolKey> = settings.standing().into_iter().map(key).collect();
        for pool in self.all_pools() {
            pool.set_standing(standing.contains(&pool.key));
        }
        for key in standing {
            let config = settings.pool(&key.database, &key.user).map(|(_, config)| config);
            let part = config.map(|config| self.shared.allot(&key, &config, self.index));
            if part.is_some_and(|part| part.config.min_size > 0)
                && let Some(pool) = self.pool(key)
            {
                pool.set_standing(true);
            }
        }
    }

    /// A pool that is no longer configured: its clients end when they are idle, its servers with them.
    pub(crate) fn retire_pool(&self, pool: &Rc<Pool>) {
        for entry in self.entries.borrow().values() {
            // A replica that is gone is not missed by its clients.
            if pool.key.replica.is_none()
                && *entry.database == *pool.key.database
                && *entry.user == *pool.key.user
            {
                entry.signal(Signal::Drain);
            }
        }
        self.pools.borrow_mut().remove(&pool.key);
        self.on_departed(pool);
        pool.close_idle(self);
    }

    /// The sizes of pools may have changed without a reload.
    pub(crate) fn resize(self: &Rc<Self>) {
        self.reload();
    }

    /// Closes all servers that nobody uses.
    pub(crate) fn close_idle(&self) {
        for pool in self.all_pools() {
            pool.close_idle(self);
        }
    }

    /// Servers that are open or being opened, by pool.
    pub(crate) fn open_servers(&self) -> Vec<(PoolKey, u32)> {
        let pools = self.pools.borrow();
        pools.iter().map(|(key, pool)| (key.clone(), pool.ledger.borrow().open())).collect()
    }

    pub(crate) fn all_pools(&self) -> Vec<Rc<Pool>> {
        self.pools.borrow().values().cloned().collect()
    }

    fn tick(self: &Rc<Self>, now: Instant) {
        self.now.set(now);
        self.lookups.tick(now);
        for pool in self.all_pools() {
            pool.tick(self, now);
        }
        self.pools.borrow_mut().retain(|_, pool| {
            let stays = !pool.is_unused();
            if !stays {
                self.on_departed(pool);
            }
            stays
        });
        if self.turns.is_due(now) {
            self.pools.borrow().values().for_each(|pool| pool.traffic.turn());
        }
        for entry in self.entries.borrow().values() {
            if entry.tick(now) {
                self.stats.on_leak();
            }
        }
        self.shared.on_heartbeat(self.index, now);
        if now.saturating_duration_since(self.told.get()) >= TELLING {
            self.tell_statements(now);
        }
        if now.saturating_duration_since(self.looked.get()) >= TELLING {
            self.looked.set(now);
            crate::locks::look(self, now);
            crate::server_statistics::look(self, now);
        }
    }

    /// Adds what was counted about statements to what all workers have counted.
    pub(crate) fn tell_statements(&self, now: Instant) {
        self.told.set(now);
        let second = now.saturating_duration_since(self.shared.started).as_secs();
        self.statements.borrow_mut().empty_into(&mut self.shared.statements.lock(), second);
    }

    /// A pool is gone: what it has counted stays.
    fn on_departed(&self, pool: &Pool) {
        let mut departed = self.departed.borrow_mut();
        let room = departed.len() < limits::DEPARTED_DATABASES;
        let known = room || departed.contains_key(&pool.key.database);
        let name = if known { pool.key.database.clone() } else { "*".into() };
        let counts = departed.entry(name).or_default();
        *counts = counts.plus(pool.traffic.counts());
    }

    pub(crate) fn all_entries(&self) -> Vec<Rc<Entry>> {
        self.entries.borrow().values().cloned().collect()
    }

    /// The session with a process id.
    pub(crate) fn entry(&self, process_id: u32) -> Option<Rc<Entry>> {
        self.entries.borrow().get(&process_id).cloned()
    }

    pub(crate) fn stop_listening(&self) {
        self.listening.take().stop();
    }

    pub(crate) fn signal_all(&self, signal: Signal) {
        for entry in self.entries.borrow().values() {
            entry.signal(signal);
        }
    }

    fn serve(self: &Rc<Self>, accepted: Accepted) {
        match accepted.stream.attach() {
            Ok(stream) => self.serve_link(Link::holding(stream, accepted.peer, accepted.bytes)),
            Err(error) => {
                self.shared.on_client_left();
                tracing::warn!(%error, "cannot serve a connection");
            }
        }
    }

    /// Serves a connection that was counted.
    pub(crate) fn serve_link(self: &Rc<Self>, link: Link) {
        let worker = Rc::clone(self);
        tokio::task::spawn_local(async move {
            if login::serve(&worker, link).await == Served::Here {
                worker.shared.on_client_left();
            }
        });
    }

    pub(crate) fn each_entry(&self, look: impl FnMut(&Rc<Entry>)) {
        self.entries.borrow().values().for_each(look);
    }

    /// Sizes of what must not grow without bound.
    #[cfg(feature = "simulation")]
    pub(crate) fn sizes(&self) -> [(&'static str, usize); 5] {
        [
            ("sessions", self.entries.borrow().len()),
            ("pools", self.pools.borrow().len()),
            ("shared contexts", self.contexts.borrow().len()),
            ("shared statements", self.prepared.borrow().len()),
            ("bytes on the shelf", self.shelf.len()),
        ]
    }
}

/// Runs a worker until it is told to stop. One of them accepts the connections.
pub(crate) fn run(
    runtime: &LocalRuntime,
    index: usize,
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    listeners: Option<Listeners>,
) {
    let worker = Rc::new(Worker::new(index, shared));
    runtime.block_on(async move {
        if let Some(listeners) = listeners {
            listeners.spawn(&worker);
        }
        serve_commands(worker, commands).await;
    });
}

pub(crate) async fn serve_commands(worker: Rc<Worker>, mut commands: mpsc::Receiver<Command>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    worker.open_standing();
    worker.probe();
    let following = tokio::task::spawn_local(Rc::clone(&worker).follow());
    loop {
        // Both are cancel safe. In this order, so that a run can be repeated: chance decides nothing.
        let command = tokio::select! {
            biased;
            now = ticks.tick() => {
                worker.tick(now.into_std());
                continue;
            }
            command = commands.recv() => command,
        };
        match command {
            Some(Command::Serve(accepted)) => worker.serve(accepted),
            Some(Command::Cancel { process_id, secret, came_from, delivered }) => {
                let entry = worker.entries.borrow().get(&process_id).cloned();
                match entry {
                    Some(entry) => cancel::deliver(&worker, &entry, &secret, delivered),
                    None => {
                        worker.shared.takeover.forward(process_id, &secret, came_from, delivered);
                    }
                }
            }
            Some(Command::Listen(listeners)) => listeners.spawn(&worker),
            Some(Command::Takeover(command)) => takeover::on_command(&worker, command),
            Some(Command::Report(reply)) => drop(reply.send(worker.report())),
            Some(Command::Reload(obeyed)) => {
                worker.reload();
                // Whoever asked may be gone.
                let _ = obeyed.send(());
            }
            Some(Command::Resize) => worker.resize(),
            Some(Command::ForgetPrepared) => worker.prepared.borrow_mut().clear(),
            Some(Command::Administer(order)) => worker.administer(order),
            Some(Command::Drain) => {
                worker.stop_listening();
                worker.draining.set(true);
                worker.signal_all(Signal::Drain);
            }
            Some(Command::Stop) | None => break,
        }
    }
    following.abort();
    worker.listening.take().stop();
    if let Some(door) = worker.door.take() {
        door.close();
    }
    worker.signal_all(Signal::Terminate);
    // Sessions say goodbye to their clients; whoever does not take it within this time is cut off.
    let deadline = clock::now() + Duration::from_millis(500);
    while !worker.entries.borrow().is_empty() && clock::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    worker.close_idle();
    // Nothing that was counted is lost with it.
    worker.tell_statements(clock::now());
}

/// Number of a session in its worker; 0 belongs to nobody.
pub(crate) const NOBODY: SessionId = 0;
