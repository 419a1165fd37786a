//! The data plane as a whole: starts its threads, and is the handle that the engine holds.
//!
//! Invariant: dropping a [`Proxy`] ends its threads; [`Proxy::stop`] does so after running transactions have ended.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use howdah_core::cache::Freshness;
use tokio::io::DuplexStream;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, oneshot};

use crate::administer::{self, Order};
use crate::cache::warm;
use crate::clock;
use crate::error::StartError;
use crate::holds::{NotPaused, Scope};
use crate::host::Request;
use crate::listener::{self, Listeners};
use crate::observe::Observer;
use crate::report::{
    CacheReport, DatabaseReport, ListenAddress, Report, RouteReport, RuleReport, Totals,
};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::takeover;
use crate::worker::{self, COMMANDS, Command, WorkerReport};

/// Bytes that the in-process door holds in each direction.
const DOOR: usize = 64 * 1024;

/// How often a drain looks whether all clients have gone.
const DRAIN_POLL: Duration = Duration::from_millis(20);

/// A running data plane.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Proxy {
    /// Binds the addresses and starts the workers. Opens no connection to PostgreSQL: the first client does.
    ///
    /// # Errors
    /// An address cannot be listened on, or a thread cannot be started.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        let listeners = Listeners::bind(&settings.listen, Vec::new())?;
        let proxy = Self::assemble(settings, Some(listeners))?;
        Ok(proxy)
    }

    /// Takes over from the process that keeps a door at `path` ([`Self::offer_takeover`]): its listening sockets at once, its
    /// clients as they become idle. What it cannot give, it serves for `grace`.
    ///
    /// Cancel safe: the other process goes on serving.
    ///
    /// # Errors
    /// There is no such process or it refuses, and what [`Self::start`] may fail with. The other process goes on serving.
    pub async fn take_over(
        settings: Settings,
        path: &Path,
        grace: Duration,
    ) -> Result<Self, StartError> {
        let failed = |source| StartError::Takeover { path: path.display().to_string(), source };
        let mut asked = takeover::ask(path).await.map_err(failed)?;
        let sockets = std::mem::take(&mut asked.sockets);
        let listeners = Listeners::bind(&settings.listen, sockets)?;
        let addresses = listeners.addresses();
        let proxy = Self::assemble(settings, None)?;
        proxy.shared.set_listening(addresses);
        let line = asked.begin(&proxy.shared, grace).await.map_err(failed)?;
        let follow = Command::Takeover(takeover::Command::Follow(Box::new(line)));
        proxy.tell_first(Command::Listen(listeners)).await;
        proxy.tell_first(follow).await;
        Ok(proxy)
    }

    /// Lets another process of the same user take over: it knocks at the Unix socket `path`, a file in a directory that only this
    /// user can reach. Cancel safe: the door may be open.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub async fn offer_takeover(&self, path: &Path) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        let offer = takeover::Command::Offer { path: path.to_owned(), done };
        self.tell_first(Command::Takeover(offer)).await;
        answer.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))
    }

    /// Resolves when another process has taken over, and has all clients or as many as could move. Cancel safe.
    pub async fn superseded(&self) {
        self.shared.takeover.superseded().await;
    }

    /// Tells the worker that accepts.
    async fn tell_first(&self, command: Command) {
        if let Some(worker) = self.shared.workers().first() {
            // A worker that is gone needs no telling.
            let _ = worker.send(command).await;
        }
    }

    fn assemble(settings: Settings, listeners: Option<Listeners>) -> Result<Self, StartError> {
        let stranger = crate::random::token().map_err(StartError::Worker)?;
        let count = settings.workers.max(1);
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..count).map(|_| mpsc::channel(COMMANDS)).unzip();
        let shared = Arc::new(Shared::new(settings, senders, stranger));
        if let Some(listeners) = &listeners {
            shared.set_listening(listeners.addresses());
        }
        let mut proxy = Self { shared: Arc::clone(&shared), threads: Vec::new() };
        let mut listeners = listeners;
        for (index, commands) in receivers.into_iter().enumerate() {
            let shared = Arc::clone(&shared);
            // The first one accepts.
            let listeners = listeners.take();
            let run = move |runtime: &LocalRuntime| {
                worker::run(runtime, index, shared, commands, listeners);
            };
            proxy.spawn(&format!("howdah-worker-{index}"), run)?;
        }
        Ok(proxy)
    }

    fn spawn(
        &mut self,
        name: &str,
        run: impl FnOnce(&LocalRuntime) + Send + 'static,
    ) -> Result<(), StartError> {
        let (told, built) = std::sync::mpsc::sync_channel(1);
        // A runtime for tasks of one thread has to be made there.
        let whole = move || {
            let runtime =
                Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            // Whoever asked waits for the answer.
            match runtime {
                Ok(runtime) => {
                    let _ = told.send(Ok(()));
                    run(&runtime);
                }
                Err(error) => drop(told.send(Err(error))),
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(whole);
        self.threads.push(thread.map_err(StartError::Worker)?);
        let built = built.recv().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()));
        built.map_err(StartError::Worker)
    }

    /// Where it listens, with the ports that were taken.
    #[must_use]
    pub fn addresses(&self) -> Vec<ListenAddress> {
        self.shared.listening()
    }

    /// Settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.shared.settings()
    }

    /// The in-process door: a stream that is served like a client's socket, from the startup message on, without a
    /// password. Cancel safe.
    pub async fn connect(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(DOOR);
        listener::hand_over(&self.shared, ours).await;
        theirs
    }

    /// A way to look at it from elsewhere.
    #[must_use]
    pub fn observer(&self) -> Observer {
        Observer::new(Arc::clone(&self.shared))
    }

    /// What is known of changes in a database. `None`: they are not followed. Another one after a reload that changes how.
    #[must_use]
    pub fn freshness(&self, database: &str) -> Option<Arc<Freshness>> {
        let followed = self.shared.streams.followed(&self.shared.settings(), database)?;
        Some(Arc::clone(&followed.freshness))
    }

    /// What it looks like now. Cancel safe.
    pub async fn report(&self) -> Report {
        report(&self.shared).await
    }

    /// New settings: whoever connects after this has returned is served by them. Addresses and the number of workers stay. Cancel
    /// safe: the settings may be in force.
    pub async fn reload(&self, settings: Settings) {
        reload(&self.shared, settings).await;
    }

    /// Holds back the clients of one database or of all: requests wait, and servers are closed as they come free. Returns at
    /// once; [`Self::report`] tells when no server is left. Cancel safe.
    pub async fn pause(&self, scope: &Scope) {
        administer::pause(&self.shared, scope).await;
    }

    /// Lets clients go on. Cancel safe.
    ///
    /// # Errors
    /// It was not paused.
    pub async fn resume(&self, scope: &Scope) -> Result<(), NotPaused> {
        administer::resume(&self.shared, scope).await
    }

    /// What an administrator asks on the console that only the program around can do. Without a caller of this, a few seconds
    /// after the start, the console refuses such commands. Cancel safe.
    pub async fn request(&self) -> Request {
        self.shared.host.next().await
    }

    /// Takes no new connections and returns when all clients have left by themselves. Cancel safe: connections are refused
    /// from the first moment on.
    pub async fn until_clients_have_left(&self) {
        tell_all(&self.shared, || Command::Administer(Order::StopListening)).await;
        while self.shared.clients() > 0 {
            tokio::time::sleep(DRAIN_POLL).await;
        }
    }

    /// Takes no new connections and ends clients when they have no transaction open. Returns when all have gone, or after
    /// `grace`. Cancel safe: the draining goes on.
    pub async fn drain(&self, grace: Duration) {
        drain(&self.shared, grace).await;
    }

    /// Stops: no new connections; clients end when they have no transaction open, the others after `grace`.
    pub async fn stop(mut self, grace: Duration) {
        end(&self.shared, grace).await;
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a worker thread has panicked");
                }
            }
        });
        let _ = joined.await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for worker in self.shared.workers() {
            let _ = worker.try_send(Command::Stop);
        }
    }
}

/// Ends all clients, those with an open transaction after `grace`, and then the workers.
pub(crate) async fn end(shared: &Arc<Shared>, grace: Duration) {
    drain(shared, grace).await;
    warm::end(shared).await;
    tell_all(shared, || Command::Stop).await;
}

async fn drain(shared: &Shared, grace: Duration) {
    tell_all(shared, || Command::Drain).await;
    let deadline = clock::now() + grace;
    while shared.clients() > 0 && clock::now() < deadline {
        tokio::time::sleep(DRAIN_POLL).await;
    }
}

pub(crate) async fn tell_all(shared: &Shared, command: impl Fn() -> Command) {
    for worker in shared.workers() {
        // A worker that is gone needs no telling.
        let _ = worker.send(command()).await;
    }
}

/// Gives all workers new settings, and waits until each of them has them in force.
pub(crate) async fn reload(shared: &Shared, settings: Settings) {
    shared.set_settings(settings);
    let mut told = Vec::new();
    for worker in shared.workers() {
        let (obeyed, answer) = oneshot::channel();
        if worker.send(Command::Reload(obeyed)).await.is_ok() {
            told.push(answer);
        }
    }
    for answer in told {
        // A worker that ends meanwhile needs no settings.
        let _ = answer.await;
    }
}

/// Asks all workers what they look like.
pub(crate) async fn worker_reports(shared: &Shared) -> Vec<WorkerReport> {
    let mut reports = Vec::new();
    for worker in shared.workers() {
        let (reply, answer) = oneshot::channel();
        if worker.send(Command::Report(reply)).await.is_ok() {
            reports.extend(answer.await);
        }
    }
    reports
}

/// What all workers say, as one.
pub(crate) async fn report(shared: &Shared) -> Report {
    merge(shared, &worker_reports(shared).await)
}

/// Merges what the workers say.
pub(crate) fn merge(shared: &Shared, reports: &[WorkerReport]) -> Report {
    let mut totals = Totals::zero();
    let mut pools = std::collections::BTreeMap::new();
    let mut databases = std::collections::BTreeMap::<String, DatabaseReport>::new();
    for report in reports {
        totals.add(&report.totals);
        for database in &report.databases {
            databases
                .entry(database.name.clone())
                .and_modify(|known| known.merge(database))
                .or_insert_with(|| database.clone());
        }
        for pool in report.pools.iter().cloned() {
            let key = (pool.database.clone(), pool.user.clone(), pool.node.clone());
            match pools.entry(key) {
                std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(pool)),
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    entry.get_mut().merge(&pool)
                }
            }
        }
    }
    let mut rules: Vec<RuleReport> = Vec::new();
    for rule in reports.iter().flat_map(|report| &report.rules) {
        match rules.iter_mut().find(|known| known.name == rule.name) {
            Some(known) => known.merge(rule),
            None => rules.push(rule.clone()),
        }
    }
    let mut cache: Vec<CacheReport> = Vec::new();
    for report in reports.iter().flat_map(|report| &report.cache) {
        match cache.iter_mut().find(|known| known.database == report.database) {
            Some(known) => known.counts.add(&report.counts),
            None => cache.push(report.clone()),
        }
    }
    let mut routes: Vec<RouteReport> = Vec::new();
    for route in reports.iter().flat_map(|report| &report.routes) {
        let same = |known: &&mut RouteReport| {
            known.cluster == route.cluster && known.reason == route.reason
        };
        match routes.iter_mut().find(same) {
            Some(known) => known.requests += route.requests,
            None => routes.push(route.clone()),
        }
    }
    totals.connections = shared.connections();
    let view = shared.clusters.view();
    Report {
        notifications: shared.hubs.report(),
        changes: shared.streams.report(),
        cache,
        cached: shared.store.size(),
        shared_cache: shared.second_level.report(),
        locks: shared.locks.report(clock::now()),
        server_statistics: shared.server_statistics.report(clock::now()),
        uptime: clock::now() - shared.started,
        revision: shared.settings().revision,
        clients: shared.clients(),
        listening: shared.listening(),
        pools: pools.into_values().collect(),
        nodes: shared.nodes().iter().map(|node| node.report(&view, clock::now())).collect(),
        unlisted: view.unlisted(),
        databases: databases.into_values().collect(),
        routes,
        rules,
        totals,
    }
}
