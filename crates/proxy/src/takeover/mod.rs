//! A restart that no client notices: the next process gets the listening sockets, then every session as it becomes idle. Not the
//! start of that process, which is the command's, and not the words of the conversation, which are `howdah_core::takeover`.
//!
//! `door` is where the next process knocks, `give` the conversation of the process that goes, `take` that of the one that comes,
//! `moving` a session's part in it, `cancels` that of cancel requests, `line` the socket between them.
//!
//! Invariant: a session is served by exactly one process: the old one until it has said `Go`, the new one from then on. A process
//! that dies in between leaves everything before that to the other.

mod cancels;
mod door;
mod give;
mod line;
mod moving;
mod take;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use howdah_core::takeover::{Greeting, OpenServers};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use crate::cancel::Delivered;
use crate::entry::Signal;
use crate::pool::PoolKey;
use crate::shared::Shared;
use crate::worker::{self, Worker};

pub(crate) use door::Door;
pub(crate) use line::DetachedLine;
pub(crate) use moving::Adopted;
pub(crate) use take::ask;

/// How long the other process may take for an answer, or for taking what it is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sessions that may be on their way at once; the answers to so many always fit into the socket.
const IN_FLIGHT: usize = 64;

/// What is asked of a worker for a take-over.
#[derive(Debug)]
pub(crate) enum Command {
    /// Keeps a door at this path for the next process.
    Offer { path: PathBuf, done: oneshot::Sender<std::io::Result<()>> },
    /// Sessions move to where this leads; `None`: they stay again.
    Move(Option<mpsc::Sender<Departure>>),
    /// What clients of this worker are told at login.
    Greetings(oneshot::Sender<Vec<Greeting>>),
    /// Servers that this worker holds, by pool.
    Count(oneshot::Sender<Vec<(PoolKey, u32)>>),
    /// Goes on with the conversation with the process before this one.
    Follow(Box<DetachedLine>),
    /// A session that another process has served.
    Adopt(Box<Adopted>),
}

/// A session that waits to be taken over.
#[derive(Debug)]
pub(crate) struct Departure {
    pub(crate) state: Vec<u8>,
    /// A second handle of the client's socket.
    pub(crate) socket: OwnedFd,
    /// Dropped when the session stays.
    pub(crate) verdict: oneshot::Sender<Verdict>,
}

/// What became of a session that was to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The other process serves it.
    Gone,
    /// The other process does not want it.
    Declined,
}

/// A cancel request for a client that another process may serve.
#[derive(Debug)]
pub(crate) struct Forward {
    pub(crate) process_id: u32,
    pub(crate) secret: Vec<u8>,
    pub(crate) delivered: Delivered,
}

/// The process at the other end of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Neighbour {
    /// The one that this one takes over from.
    Before,
    /// The one that takes over from this one.
    After,
}

/// What workers share about processes before and after this one.
#[derive(Debug)]
pub(crate) struct State {
    /// Processes before this one: a part of every process id, so that two processes never give the same.
    pub(crate) generation: AtomicU32,
    moving: AtomicBool,
    before: Mutex<Option<mpsc::Sender<Forward>>>,
    after: Mutex<Option<mpsc::Sender<Forward>>>,
    /// Workers of adopted clients whose process id names another worker.
    away: Mutex<HashMap<u32, usize>>,
    /// Servers that the process before this one still holds.
    elsewhere: Mutex<HashMap<PoolKey, u32>>,
    /// Row descriptions are hashed as the process before this one did.
    hashes_alike: AtomicBool,
    /// What clients of the process before this one were told at login.
    greetings: Mutex<Vec<Greeting>>,
    superseded: watch::Sender<bool>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            generation: AtomicU32::new(0),
            moving: AtomicBool::new(false),
            before: Mutex::default(),
            after: Mutex::default(),
            away: Mutex::default(),
            elsewhere: Mutex::default(),
            hashes_alike: AtomicBool::new(false),
            greetings: Mutex::default(),
            superseded: watch::Sender::new(false),
        }
    }
}

impl State {
    fn slot(&self, neighbour: Neighbour) -> &Mutex<Option<mpsc::Sender<Forward>>> {
        match neighbour {
            Neighbour::Before => &self.before,
            Neighbour::After => &self.after,
        }
    }

    fn set_neighbour(&self, neighbour: Neighbour, sender: Option<mpsc::Sender<Forward>>) {
        *self.slot(neighbour).lock() = sender;
    }

    fn set_hashes_alike(&self, alike: bool) {
        self.hashes_alike.store(alike, Ordering::Relaxed);
    }

    /// What the process before this one has remembered of row descriptions means the same here.
    fn hashes_alike(&self) -> bool {
        self.hashes_alike.load(Ordering::Relaxed)
    }

    pub(crate) fn set_away(&self, process_id: u32, owner: usize) {
        self.away.lock().insert(process_id, owner);
    }

    /// The process before this one still runs.
    pub(crate) fn has_predecessor(&self) -> bool {
        self.before.lock().is_some()
    }

    /// Whether sessions are moving to the next process.
    pub(crate) fn is_moving(&self) -> bool {
        self.moving.load(Ordering::Relaxed)
    }

    /// Servers of a pool that count against its size and are held by the process before this one.
    pub(crate) fn elsewhere(&self, key: &PoolKey) -> u32 {
        self.elsewhere.lock().get(key).copied().unwrap_or(0)
    }

    /// The worker of an adopted client, if its process id names another.
    pub(crate) fn away(&self, process_id: u32) -> Option<usize> {
        self.away.lock().get(&process_id).copied()
    }

    /// An adopted client may have left.
    pub(crate) fn forget(&self, process_id: u32) {
        let mut away = self.away.lock();
        if !away.is_empty() {
            away.remove(&process_id);
        }
    }

    /// What clients of a pool were told at login by the process before this one.
    pub(crate) fn greetings(&self, key: &PoolKey) -> Vec<Greeting> {
        let greetings = self.greetings.lock();
        let of = |one: &&Greeting| *one.database == *key.database && *one.user == *key.user;
        greetings.iter().filter(of).cloned().collect()
    }

    /// A cancel request for a client that is not here, to the processes next to this one, but not back to where it came from.
    pub(crate) fn forward(
        &self,
        process_id: u32,
        secret: &[u8],
        came_from: Option<Neighbour>,
        delivered: Delivered,
    ) {
        // With processes on both sides, three restarts overlap: who is left behind is with the older one.
        let mut delivered = Some(delivered);
        for neighbour in [Neighbour::Before, Neighbour::After] {
            let sender = self.slot(neighbour).lock().clone();
            if Some(neighbour) != came_from
                && let Some(sender) = sender
                && let Some(delivered) = delivered.take()
            {
                let _ = sender.try_send(Forward { process_id, secret: secret.to_vec(), delivered });
            }
        }
    }

    /// Resolves when another process serves the clients of this one. Cancel safe.
    pub(crate) async fn superseded(&self) {
        // The sender lives as long as `self`.
        let _ = self.superseded.subscribe().wait_for(|superseded| *superseded).await;
    }
}

/// A worker's side of sessions that move.
#[derive(Debug, Default)]
pub(crate) struct Moving {
    /// Number of the attempt that is going on; 0: none.
    attempt: Cell<u64>,
    attempts: Cell<u64>,
    departures: RefCell<Option<mpsc::Sender<Departure>>>,
}

impl Moving {
    /// Number of the attempt that is going on; 0: none.
    pub(crate) fn attempt(&self) -> u64 {
        self.attempt.get()
    }

    fn set(&self, departures: Option<mpsc::Sender<Departure>>) {
        if departures.is_some() {
            self.attempts.set(self.attempts.get() + 1);
        }
        self.attempt.set(if departures.is_some() { self.attempts.get() } else { 0 });
        *self.departures.borrow_mut() = departures;
    }
}

/// Does what a take-over asks of this worker.
pub(crate) fn on_command(worker: &Rc<Worker>, command: Command) {
    match command {
        Command::Offer { path, done } => drop(done.send(Door::open(worker, path))),
        Command::Move(departures) => {
            let moving = departures.is_some();
            worker.moving.set(departures);
            worker.resize();
            if moving {
                worker.close_idle();
                worker.signal_all(Signal::Move);
            }
        }
        Command::Greetings(reply) => {
            let greetings = worker.all_pools().into_iter().flat_map(|pool| pool.greetings());
            drop(reply.send(greetings.collect()));
        }
        Command::Count(reply) => drop(reply.send(worker.open_servers())),
        Command::Follow(line) => {
            let worker = Rc::clone(worker);
            tokio::task::spawn_local(async move { take::follow(&worker, *line).await });
        }
        Command::Adopt(adopted) => moving::adopt(worker, *adopted),
    }
}

/// Servers that all workers hold, by pool.
async fn count(shared: &Shared) -> Vec<OpenServers> {
    let mut open: HashMap<PoolKey, u32> = HashMap::new();
    for worker in shared.workers() {
        let (reply, answer) = oneshot::channel();
        let command = worker::Command::Takeover(Command::Count(reply));
        if worker.send(command).await.is_ok()
            && let Ok(counts) = answer.await
        {
            for (key, count) in counts {
                *open.entry(key).or_default() += count;
            }
        }
    }
    let mut open: Vec<OpenServers> = open
        .into_iter()
        // Those on replicas are not counted over there.
        .filter(|(key, count)| *count > 0 && key.replica.is_none())
        .map(|(key, count)| OpenServers {
            database: key.database.into(),
            user: key.user.into(),
            count,
        })
        .collect();
    open.sort_by(|a, b| (&a.database, &a.user).cmp(&(&b.database, &b.user)));
    open
}

/// What clients of all workers are told at login, each once.
async fn greetings(shared: &Shared) -> Vec<Greeting> {
    let mut all = Vec::new();
    for worker in shared.workers() {
        let (reply, answer) = oneshot::channel();
        let command = worker::Command::Takeover(Command::Greetings(reply));
        if worker.send(command).await.is_ok() {
            all.extend(answer.await.unwrap_or_default());
        }
    }
    let who = |one: &Greeting| {
        (one.database.clone(), one.user.clone(), one.server.clone(), one.startup.clone())
    };
    all.sort_by_cached_key(who);
    all.dedup_by_key(|one| who(one));
    all
}

/// Says whether row descriptions are hashed alike in two processes.
fn probe() -> u64 {
    use std::hash::BuildHasher;
    foldhash::quality::FixedState::default().hash_one(b"howdah".as_slice())
}
