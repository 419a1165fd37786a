//! The data plane on one thread, in tokio's clock and with servers that somebody else supplies: what a simulation needs, under
//! the feature `simulation` alone. Not the simulation itself: that is the package `simulation`. Nothing here decides anything.
//!
//! Invariant: what runs is the code of production; replaced are the way to servers, randomness and the threads of workers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::clock;
use crate::entry::{Activity, Entry, Grant};
use crate::listener;
use crate::pool::{Pool, PoolKey};
use crate::proxy;
use crate::report::Report;
use crate::settings::{NodeAddress, Settings};
use crate::shared::Shared;
use crate::worker::{self, COMMANDS, Worker};

/// A connection to a node that is being made.
pub type Dialled = Pin<Box<dyn Future<Output = io::Result<DuplexStream>>>>;

/// The way to servers.
type Dial = Rc<dyn Fn(&NodeAddress) -> Dialled>;

thread_local! {
    static DIAL: RefCell<Option<Dial>> = const { RefCell::new(None) };
    static RANDOM: Cell<Option<u64>> = const { Cell::new(None) };
    /// The servers that exist, by process id.
    static SERVERS: RefCell<BTreeMap<u32, ServerView>> = const { RefCell::new(BTreeMap::new()) };
}

/// From now on data planes of this thread reach servers by `dial`, and what they take for random follows from `seed`.
pub fn replace(seed: u64, dial: impl Fn(&NodeAddress) -> Dialled + 'static) {
    DIAL.set(Some(Rc::new(dial)));
    RANDOM.set(Some(seed));
    SERVERS.take();
}

pub(crate) fn dial(address: &NodeAddress) -> Option<Dialled> {
    DIAL.with_borrow(|dial| dial.as_ref().map(|dial| dial(address)))
}

/// Fills `bytes` unless randomness is the operating system's.
pub(crate) fn fill(bytes: &mut [u8]) -> bool {
    let Some(mut state) = RANDOM.get() else { return false };
    for byte in bytes {
        // Knuth's generator; its upper bits are the good ones.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let [first, ..] = state.to_be_bytes();
        *byte = first;
    }
    RANDOM.set(Some(state));
    true
}

/// A server that exists: wherever it is, it is there as long as this.
#[derive(Debug)]
pub(crate) struct Alive(u32);

impl Alive {
    pub(crate) fn new(worker: &Worker, key: &PoolKey, process_id: u32) -> Self {
        let (database, user) = (key.database.to_string(), key.user.to_string());
        let view = ServerView { worker: worker.index, database, user, process_id };
        SERVERS.with_borrow_mut(|servers| servers.insert(process_id, view));
        Self(process_id)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        // At the end of the thread there is nothing left to count.
        let _ = SERVERS.try_with(|servers| servers.borrow_mut().remove(&self.0));
    }
}

/// A server that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerView {
    /// Index of its worker.
    pub worker: usize,
    /// Database of its pool.
    pub database: String,
    /// User of its pool.
    pub user: String,
    /// Its process id, which the simulation gave it.
    pub process_id: u32,
}

/// One pool of one worker at one moment.
#[derive(Debug, Clone)]
pub struct PoolView {
    /// Index of the worker.
    pub worker: usize,
    /// Name of the database.
    pub database: String,
    /// Name of the user.
    pub user: String,
    /// Process ids of the servers that are idle in the ledger.
    pub idle: Vec<u32>,
    /// Servers that the ledger has given out.
    pub busy: u32,
    /// Servers being opened.
    pub opening: u32,
    /// Clients in the queue.
    pub waiting: usize,
    /// Those of them that do not share a server.
    pub waiting_alone: usize,
    /// Requests wait to share a server that should have begun to.
    pub may_take_off: bool,
    /// How long the first of them has waited.
    pub oldest_wait: Duration,
    /// How long it may.
    pub checkout_timeout: Duration,
    /// Servers at most, those for a spike included.
    pub most: u32,
    /// Most statements that a server remembers, among the idle ones.
    pub prepared: usize,
}

/// One logged-in client at one moment.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// The process id that the client was told.
    pub process_id: u32,
    /// Process id of the server it holds.
    pub holds: Option<u32>,
    /// Process id of the server that was handed to it and that it has not taken yet.
    pub granted: Option<u32>,
    /// Whether it waits for a server.
    pub waits: bool,
}

/// A data plane at one moment.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Servers that exist.
    pub servers: Vec<ServerView>,
    /// Pools of all workers.
    pub pools: Vec<PoolView>,
    /// Logged-in clients of all workers.
    pub sessions: Vec<SessionView>,
    /// Sizes of what must not grow without bound, by name.
    pub sizes: BTreeMap<&'static str, usize>,
}

/// A running data plane whose workers are tasks of this thread.
#[derive(Debug)]
pub struct DataPlane {
    shared: Arc<Shared>,
    workers: Vec<Rc<Worker>>,
    tasks: Vec<JoinHandle<()>>,
}

impl DataPlane {
    /// Starts the workers. Addresses to listen on are ignored: [`Self::connect`] is the only door.
    ///
    /// # Panics
    /// Outside of a [`LocalSet`](tokio::task::LocalSet).
    #[must_use]
    pub fn start(settings: Settings) -> Self {
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..settings.workers.max(1)).map(|_| mpsc::channel(COMMANDS)).unzip();
        let shared = Arc::new(Shared::new(settings, senders, String::from("stranger")));
        let (mut workers, mut tasks) = (Vec::new(), Vec::new());
        for (index, commands) in receivers.into_iter().enumerate() {
            let worker = Rc::new(Worker::new(index, Arc::clone(&shared)));
            workers.push(Rc::clone(&worker));
            tasks.push(tokio::task::spawn_local(worker::serve_commands(worker, commands)));
        }
        Self { shared, workers, tasks }
    }

    /// A client's connection that holds so many bytes in each direction. Cancel safe.
    pub async fn connect(&self, room: usize) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(room);
        listener::hand_over(&self.shared, ours).await;
        theirs
    }

    /// As [`Proxy::reload`](crate::Proxy::reload).
    pub async fn reload(&self, settings: Settings) {
        proxy::reload(&self.shared, settings).await;
    }

    /// As [`Proxy::report`](crate::Proxy::report).
    pub async fn report(&self) -> Report {
        proxy::report(&self.shared).await
    }

    /// As [`Proxy::stop`](crate::Proxy::stop). Returns how many things of the workers are still held by somebody, a moment
    /// later: 0 when no task is left.
    pub async fn stop(self, grace: Duration, moment: Duration) -> usize {
        proxy::end(&self.shared, grace).await;
        for task in self.tasks {
            // A panic of a worker has been printed.
            let _ = task.await;
        }
        let until = clock::now() + moment;
        let held = || self.workers.iter().map(|worker| Rc::strong_count(worker) - 1).sum();
        while held() > 0 && clock::now() < until {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        held()
    }

    /// What it looks like now.
    #[must_use]
    pub fn view(&self) -> View {
        let mut view = View {
            servers: SERVERS.with_borrow(|servers| servers.values().cloned().collect()),
            ..View::default()
        };
        for worker in &self.workers {
            for pool in worker.pools.borrow().values() {
                view.pools.push(PoolView::of(worker, pool));
            }
            worker.each_entry(|entry| view.sessions.push(SessionView::of(entry)));
            for (name, size) in worker.sizes() {
                *view.sizes.entry(name).or_default() += size;
            }
        }
        view
    }
}

impl PoolView {
    fn of(worker: &Worker, pool: &Pool) -> Self {
        let ledger = pool.ledger.borrow();
        let (counts, config) = (ledger.counts(), ledger.config());
        Self {
            worker: worker.index,
            database: pool.key.database.to_string(),
            user: pool.key.user.to_string(),
            idle: ledger.idle().map(|(server, _)| server.cancel.process_id).collect(),
            busy: counts.busy,
            opening: counts.opening,
            waiting: counts.waiting,
            waiting_alone: counts.waiting_alone,
            may_take_off: ledger.may_take_off(),
            oldest_wait: ledger.oldest_wait(clock::now()),
            checkout_timeout: config.checkout_timeout,
            most: config.max_size.saturating_add(config.reserve_size),
            prepared: ledger.idle().map(|(server, _)| server.prepared.len()).max().unwrap_or(0),
        }
    }
}

impl SessionView {
    fn of(entry: &Entry) -> Self {
        let granted = match &*entry.granted.borrow() {
            Some(Grant::Server(server)) => Some(server.cancel.process_id),
            Some(
                Grant::Refused(_)
                | Grant::Answered
                | Grant::Again
                | Grant::Alone
                | Grant::TooNew
                | Grant::Lost { .. },
            )
            | None => None,
        };
        Self {
            process_id: entry.process_id,
            holds: entry.cancel.borrow().as_ref().map(|target| target.process_id),
            granted,
            waits: entry.activity.get() == Activity::Waiting,
        }
    }
}
