//! Answers that are on their way and going to be kept, by key, so that sessions which miss the same wait for one request instead of
//! sending one each. Not whether what comes may be given: who has waited asks that as of any answer that is kept.
//!
//! Invariant: a wait ends when the request ends, however it does, and after a bound; nobody holds anything while it waits.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::RandomState;
use howdah_core::cache::{About, Seen, Tag, Timed};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::store::{Claim, Entry};

/// Parts with a lock each.
const PARTS: usize = 32;

type Part = HashMap<Arc<[u8]>, Arc<Fetch>, RandomState>;

/// Those of the process. One for each session at most.
#[derive(Debug, Default)]
pub(crate) struct Fetches {
    parts: [Mutex<Part>; PARTS],
    hasher: RandomState,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(super) terms: Terms,
    /// What came of it, once it has ended: an answer that is kept, or none.
    end: Mutex<Option<Option<Arc<Entry>>>>,
    ended: Notify,
}

/// What somebody has to know who may wait for it.
#[derive(Debug)]
pub(super) struct Terms {
    /// What it will be kept with.
    pub(super) tags: Arc<[Tag]>,
    pub(super) seen: Seen,
    pub(super) about: Arc<About>,
    pub(super) timed: Option<Timed>,
    /// What describes its rows was asked for.
    pub(super) describes: bool,
    /// How long to wait at most.
    pub(super) patience: Duration,
}

impl Terms {
    /// What has to be judged.
    pub(super) fn claim(&self) -> Claim<'_> {
        Claim { tags: &self.tags, seen: self.seen, timed: self.timed.as_ref() }
    }
}

/// The side of the request; when it is dropped, nobody waits any more.
#[derive(Debug)]
pub(crate) struct Fetching {
    fetches: Arc<Fetches>,
    key: Arc<[u8]>,
    fetch: Arc<Fetch>,
}

impl Fetches {
    fn part(&self, key: &[u8]) -> &Mutex<Part> {
        let [first, ..] = &self.parts;
        let at = usize::try_from(self.hasher.hash_one(key) % PARTS as u64).unwrap_or_default();
        self.parts.get(at).unwrap_or(first)
    }

    /// The answer to this that is on its way.
    pub(super) fn of(&self, key: &[u8]) -> Option<Arc<Fetch>> {
        self.part(key).lock().get(key).map(Arc::clone)
    }

    /// A request for this is about to be sent. From now on it is this one that others wait for.
    pub(super) fn begin(self: &Arc<Self>, key: &Arc<[u8]>, terms: Terms) -> Fetching {
        let fetch = Arc::new(Fetch { terms, end: Mutex::default(), ended: Notify::new() });
        self.part(key).lock().insert(Arc::clone(key), Arc::clone(&fetch));
        Fetching { fetches: Arc::clone(self), key: Arc::clone(key), fetch }
    }
}

impl Fetch {
    /// The answer as it is kept; `None`: it is not, or not in time. Cancel safe.
    pub(super) async fn answer(&self) -> Option<Arc<Entry>> {
        tokio::time::timeout(self.terms.patience, self.until_ended()).await.ok()?
    }

    async fn until_ended(&self) -> Option<Arc<Entry>> {
        // From here on an end is not missed.
        let mut ended = pin!(self.ended.notified());
        ended.as_mut().enable();
        if self.end.lock().is_none() {
            ended.await;
        }
        self.end.lock().clone().flatten()
    }

    /// The first end counts.
    fn end(&self, entry: Option<Arc<Entry>>) {
        self.end.lock().get_or_insert(entry);
        self.ended.notify_waiters();
    }
}

impl Fetching {
    /// It is there, and kept.
    pub(super) fn end(self, entry: Arc<Entry>) {
        self.fetch.end(Some(entry));
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        let mut part = self.fetches.part(&self.key).lock();
        if part.get(&self.key).is_some_and(|fetch| Arc::ptr_eq(fetch, &self.fetch)) {
            part.remove(&self.key);
        }
        drop(part);
        self.fetch.end(None);
    }
}
