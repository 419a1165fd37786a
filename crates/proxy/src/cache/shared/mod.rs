//! The second level of the result cache: a Redis or Valkey that several instances share. The connection ([`link`]), and the way of a
//! request through it ([`ask`]). What is put there, and when it may be taken over, is decided by `howdah_core::cache::shared`.
//!
//! Invariant: nobody waits for it longer than the bound, once; without it everything goes on as if it were not configured.

mod ask;
mod link;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::IntoConnectionInfo;
use tokio::sync::mpsc;

pub(super) use ask::Elsewhere;
use link::Link;

/// Answers that wait to be put; further ones are not.
const QUEUE: usize = 256;

/// Where it is, and how it is used.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedCache {
    url: String,
    password: Option<String>,
    /// How long a request waits for it.
    pub timeout: Duration,
    /// How long an answer stays there at most.
    pub ttl: Duration,
    /// What the names of its keys begin with.
    pub prefix: String,
}

impl fmt::Debug for SharedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedCache")
            .field("timeout", &self.timeout)
            .field("ttl", &self.ttl)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl SharedCache {
    /// At this address, with this password instead of that of the address.
    ///
    /// # Errors
    /// It is no such address.
    pub fn new(url: String, password: Option<String>) -> Result<Self, String> {
        let prefix = "howdah:".to_owned();
        let (timeout, ttl) = (Duration::from_millis(5), Duration::from_secs(3600));
        let it = Self { url, password, timeout, ttl, prefix };
        it.client().map(|_| it).map_err(|error| error.to_string())
    }

    fn client(&self) -> redis::RedisResult<redis::Client> {
        let mut info = self.url.as_str().into_connection_info()?;
        if let Some(password) = &self.password {
            let settings = info.redis_settings().clone().set_password(password);
            info = info.set_redis_settings(settings);
        }
        redis::Client::open(info)
    }

    /// Whether it answers, and how long that takes. Cancel safe.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn probe(&self) -> Result<Duration, String> {
        link::open(self, Duration::from_secs(1)).await.map(|(_, took)| took)
    }
}

/// How it is, and what was done with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SharedCacheReport {
    /// It is asked.
    pub open: bool,
    /// Why it is not, or was not the last time.
    pub trouble: Option<String>,
    /// What has happened.
    pub counts: SharedCounts,
}

/// What was done with it since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SharedCounts {
    /// Answers that were found and taken over.
    pub hits: u64,
    /// Questions to which there was nothing.
    pub misses: u64,
    /// Answers that were found and could not be taken over: changed since, from before changes were followed, of other definitions, damaged.
    pub refused: u64,
    /// Questions and answers that failed or took too long.
    pub errors: u64,
    /// Questions that were not asked because it did not answer.
    pub skipped: u64,
    /// Answers that were put.
    pub written: u64,
    /// Answers that were not, because too many waited.
    pub dropped: u64,
    /// Bytes that were found.
    pub read_bytes: u64,
    /// Bytes that were put.
    pub written_bytes: u64,
    /// How long all questions that were answered have waited.
    pub waited: Duration,
}

/// [`SharedCounts`], counted by all workers.
#[derive(Debug, Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    refused: AtomicU64,
    errors: AtomicU64,
    skipped: AtomicU64,
    written: AtomicU64,
    dropped: AtomicU64,
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
    waited_micros: AtomicU64,
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

impl Counters {
    fn counts(&self) -> SharedCounts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SharedCounts {
            hits: of(&self.hits),
            misses: of(&self.misses),
            refused: of(&self.refused),
            errors: of(&self.errors),
            skipped: of(&self.skipped),
            written: of(&self.written),
            dropped: of(&self.dropped),
            read_bytes: of(&self.read_bytes),
            written_bytes: of(&self.written_bytes),
            waited: Duration::from_micros(of(&self.waited_micros)),
        }
    }
}

/// The task of a link; it ends when this is dropped.
#[derive(Debug)]
struct Running {
    link: Arc<Link>,
    task: tokio::task::AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// That of the process.
#[derive(Debug, Default)]
pub(crate) struct SecondLevel {
    running: Mutex<Option<Running>>,
    counters: Arc<Counters>,
}

impl SecondLevel {
    /// As the settings say, with its task on the worker that calls this.
    pub(crate) fn reload(&self, settings: Option<&SharedCache>) {
        let mut running = self.running.lock();
        if running.as_ref().map(|running| &running.link.settings) == settings {
            return;
        }
        *running = settings.map(|settings| {
            let (queue, writes) = mpsc::channel(QUEUE);
            let link = Arc::new(Link::new(settings.clone(), queue, Arc::clone(&self.counters)));
            let task = tokio::task::spawn_local(Arc::clone(&link).run(writes)).abort_handle();
            Running { link, task }
        });
    }

    /// What to ask. `None`: it is not configured.
    fn link(&self) -> Option<Arc<Link>> {
        self.running.lock().as_ref().map(|running| Arc::clone(&running.link))
    }

    /// Whether there is one.
    pub(crate) fn is_configured(&self) -> bool {
        self.running.lock().is_some()
    }

    /// How it is. `None`: it is not configured.
    pub(crate) fn report(&self) -> Option<SharedCacheReport> {
        let link = self.link()?;
        let (open, trouble) = (link.is_open(), link.trouble());
        Some(SharedCacheReport { open, trouble, counts: self.counters.counts() })
    }
}
