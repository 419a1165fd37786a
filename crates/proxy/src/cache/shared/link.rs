//! The connection to the store that instances share: opened, tried, given up when it does not answer in time, and tried again. Not what
//! is asked.
//!
//! Invariant: a store that does not answer in time costs each request that is waiting for it one wait; from then on it is not asked until
//! it has answered a question of ours in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisError};
use tokio::sync::{Notify, mpsc};

use super::{Counters, SharedCache, add};
use crate::clock;

/// To connect and log in.
const CONNECT: Duration = Duration::from_secs(2);
/// To put one answer.
const WRITE: Duration = Duration::from_secs(1);
/// Before it is tried again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The same trouble is told so often.
const TELL: Duration = Duration::from_secs(60);
/// Bytes that wait to be put, at most.
const QUEUED_BYTES: usize = 16 << 20;

/// An answer that is to be put.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) name: String,
    pub(super) value: Vec<u8>,
}

/// What is wrong, and when that was told last.
#[derive(Debug, Default)]
struct Trouble {
    now: Option<String>,
    told: Option<(String, Instant)>,
}

/// See the head of this file.
pub(super) struct Link {
    pub(super) settings: SharedCache,
    /// With its number; `None`: it is not asked.
    connection: Mutex<Option<(u64, MultiplexedConnection)>>,
    broken: Notify,
    trouble: Mutex<Trouble>,
    queue: mpsc::Sender<Write>,
    queued: AtomicUsize,
    opened: AtomicU64,
    pub(super) counters: Arc<Counters>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A connection that has answered within a time, and how long that took.
pub(super) async fn open(
    settings: &SharedCache,
    within: Duration,
) -> Result<(MultiplexedConnection, Duration), String> {
    let client = settings.client().map_err(|error| error.to_string())?;
    // Whoever asks has limits of its own.
    let config =
        AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
    let opening = client.get_multiplexed_async_connection_with_config(&config);
    let opened = tokio::time::timeout(CONNECT, opening).await;
    let opened = opened.map_err(|_| format!("it did not let us in within {CONNECT:?}"))?;
    let mut connection = opened.map_err(|error| error.to_string())?;
    // What will be asked, so that it needs no other right.
    let name = format!("{}probe", settings.prefix);
    let begun = clock::now();
    match tokio::time::timeout(within, get(&mut connection, &name)).await {
        Ok(Ok(_)) => Ok((connection, clock::now().saturating_duration_since(begun))),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(late(within)),
    }
}

fn late(within: Duration) -> String {
    format!("it did not answer within {within:?}")
}

async fn get(
    connection: &mut MultiplexedConnection,
    name: &str,
) -> Result<Option<Vec<u8>>, RedisError> {
    redis::cmd("GET").arg(name).query_async(connection).await
}

impl Link {
    pub(super) fn new(
        settings: SharedCache,
        queue: mpsc::Sender<Write>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            settings,
            connection: Mutex::default(),
            broken: Notify::new(),
            trouble: Mutex::default(),
            queue,
            queued: AtomicUsize::new(0),
            opened: AtomicU64::new(0),
            counters,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection.lock().is_some()
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().now.clone()
    }

    /// What is there under a name. `None`: nothing, or not in time. Cancel safe.
    pub(super) async fn get(&self, name: &str) -> Option<Vec<u8>> {
        let (number, mut connection) = self.connection.lock().clone()?;
        let (counters, begun) = (&self.counters, clock::now());
        let answer = tokio::time::timeout(self.settings.timeout, get(&mut connection, name)).await;
        match answer {
            Ok(Ok(found)) => {
                let took = clock::now().saturating_duration_since(begun).as_micros();
                add(&counters.waited_micros, u64::try_from(took).unwrap_or(u64::MAX));
                match &found {
                    Some(found) => add(&counters.read_bytes, found.len() as u64),
                    None => add(&counters.misses, 1),
                }
                found
            }
            Ok(Err(error)) => {
                self.on_broken(number, error.to_string());
                None
            }
            Err(_) => {
                self.on_broken(number, late(self.settings.timeout));
                None
            }
        }
    }

    /// Has an answer put, if there is room. Waits for nothing.
    pub(super) fn put(&self, write: Write) {
        let bytes = write.value.len();
        let fits = self.queued.fetch_add(bytes, Ordering::Relaxed) + bytes <= QUEUED_BYTES;
        if !fits || !self.is_open() || self.queue.try_send(write).is_err() {
            self.queued.fetch_sub(bytes, Ordering::Relaxed);
            add(&self.counters.dropped, 1);
        }
    }

    /// The connection of this number is not asked any more.
    fn on_broken(&self, number: u64, text: String) {
        add(&self.counters.errors, 1);
        let mut connection = self.connection.lock();
        if connection.as_ref().is_some_and(|(current, _)| *current == number) {
            *connection = None;
            drop(connection);
            self.tell(text);
            self.broken.notify_one();
        }
    }

    /// Something is wrong.
    fn tell(&self, text: String) {
        let mut trouble = self.trouble.lock();
        let now = clock::now();
        let is_told = trouble.told.as_ref().is_some_and(|(told, when)| {
            *told == text && now.saturating_duration_since(*when) < TELL
        });
        if !is_told {
            tracing::warn!("the shared cache is not used, PostgreSQL answers: {text}");
            trouble.told = Some((text.clone(), now));
        }
        trouble.now = Some(text);
    }

    /// Nothing is.
    fn on_open(&self) {
        let mut trouble = self.trouble.lock();
        let said = trouble.told.as_ref().map(|(text, _)| text);
        if trouble.now.is_none() || trouble.now.as_ref() != said {
            tracing::info!("the shared cache answers");
        }
        trouble.now = None;
    }

    /// Opens it, and opens it again, for as long as it is polled.
    pub(super) async fn run(self: Arc<Self>, mut writes: mpsc::Receiver<Write>) {
        let mut pause = FIRST_PAUSE;
        loop {
            match open(&self.settings, self.settings.timeout).await {
                Ok((connection, _)) => {
                    pause = FIRST_PAUSE;
                    self.on_open();
                    self.serve(connection, &mut writes).await;
                }
                Err(text) => {
                    self.tell(text);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Until it is broken.
    async fn serve(
        &self,
        mut connection: MultiplexedConnection,
        writes: &mut mpsc::Receiver<Write>,
    ) {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        *self.connection.lock() = Some((number, connection.clone()));
        loop {
            tokio::select! {
                biased;
                () = self.broken.notified() => return,
                write = writes.recv() => {
                    let Some(write) = write else { return };
                    self.queued.fetch_sub(write.value.len(), Ordering::Relaxed);
                    self.write(&mut connection, number, &write).await;
                }
            }
        }
    }

    async fn write(&self, connection: &mut MultiplexedConnection, number: u64, write: &Write) {
        let ttl = u64::try_from(self.settings.ttl.as_millis()).unwrap_or(u64::MAX);
        let mut command = redis::cmd("SET");
        command.arg(&write.name).arg(&write.value).arg("PX").arg(ttl);
        match tokio::time::timeout(WRITE, command.query_async::<()>(connection)).await {
            Ok(Ok(())) => {
                add(&self.counters.written, 1);
                add(&self.counters.written_bytes, write.value.len() as u64);
            }
            // It is full, or lets us read only: what is there can be read all the same.
            Ok(Err(error)) if error.code().is_some() => {
                add(&self.counters.errors, 1);
                self.tell(error.to_string());
            }
            Ok(Err(error)) => self.on_broken(number, error.to_string()),
            Err(_) => self.on_broken(number, late(WRITE)),
        }
    }
}
