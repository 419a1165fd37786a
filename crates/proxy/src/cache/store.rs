//! Answers by their keys, for the whole process, bounded by bytes; the least useful go first. Not whether an answer is valid: that is
//! asked each time.
//!
//! Invariant: no more bytes than the bound, keys and overhead included; whoever looks up holds a lock of one of many parts for the time
//! of a map look-up.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use foldhash::quality::RandomState;
use howdah_core::cache::warm::Asker;
use howdah_core::cache::wish::Mode;
use howdah_core::cache::{About, Answer, Fence, Freshness, Part, Patch, Seen, Tag, Timed};
use howdah_core::limits;
use howdah_sql::Analysis;
use parking_lot::Mutex;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use smallvec::SmallVec;

use super::coalesce::Fetches;
use super::flushes::Flushes;

/// Bytes that an entry takes besides its key, tags and answer.
const OVERHEAD: usize = 256;
/// An entry of ordinary size; from it the store takes how many there may be.
const ORDINARY: u64 = 1024;

/// Keys of ordinary length lie beside what they lead to: a look-up among many answers waits for memory more than it computes.
pub(super) type Key = SmallVec<[u8; 96]>;

/// Most answers have no more, and they lie in the entry.
pub(crate) type Tags = SmallVec<[Tag; 2]>;

/// An answer that is kept.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) answer: Answer,
    /// A hash of what describes its rows, if that is known.
    pub(crate) shape: Option<u64>,
    pub(crate) tags: Tags,
    /// How it is made anew when the row that it shows has changed.
    pub(crate) patch: Option<Arc<Patch>>,
    pub(crate) seen: Seen,
    /// When it came. It may hold what the stream had not told yet; once this has passed, there is no valid answer that is older.
    pub(crate) came: Fence,
    /// Of its statement.
    pub(crate) analysis: Arc<Analysis>,
    /// What it took to get it.
    pub(crate) cost: Duration,
    /// It is there to be counted, and never given: a replica has answered.
    pub(crate) counts_only: bool,
    pub(crate) about: Arc<About>,
    /// It counts for a time.
    pub(crate) timed: Option<Timed>,
    /// It has outlived what was forgotten in parts up to this number.
    pub(super) outlived: AtomicU64,
    /// As whom it can be asked for again, if it can.
    pub(super) asker: Option<Arc<Asker>>,
    /// How often it was given; of what was there under its key before, half.
    pub(super) hits: AtomicU32,
}

/// What it rests on that an answer is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) tags: &'a [Tag],
    pub(super) seen: Seen,
    pub(super) timed: Option<&'a Timed>,
}

impl Entry {
    /// Whether it was judged by these rules, if there are any.
    pub(super) fn is_under(&self, rules: u64) -> bool {
        (rules == 0 && self.timed.is_none()) || self.about.rules == rules
    }

    /// What has to be judged.
    pub(super) fn claim(&self) -> Claim<'_> {
        Claim { tags: &self.tags, seen: self.seen, timed: self.timed.as_ref() }
    }

    /// Microseconds that PostgreSQL would have worked without it.
    pub(super) fn value(&self) -> u64 {
        let cost = u64::try_from(self.cost.as_micros()).unwrap_or(u64::MAX).max(1);
        if self.counts_only {
            return 0;
        }
        cost.saturating_mul(self.hits.load(Ordering::Relaxed).into())
    }

    /// Whether it was not forgotten with a part of all answers.
    pub(super) fn is_remembered(&self, flushes: &Flushes) -> bool {
        let outlived = self.outlived.load(Ordering::Acquire);
        outlived == flushes.number() || self.outlives(flushes, outlived)
    }

    #[cold]
    fn outlives(&self, flushes: &Flushes, outlived: u64) -> bool {
        let now = flushes.outlived(&self.about, outlived);
        now.inspect(|now| self.outlived.store(*now, Ordering::Release)).is_some()
    }
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Key, Arc<Entry>> for Weight {
    fn weight(&self, key: &Key, entry: &Arc<Entry>) -> u64 {
        let patch = entry.patch.as_ref().map_or(0, |patch| patch.len());
        let bytes = OVERHEAD + key.len() + 8 * entry.tags.len() + entry.answer.len() + patch;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Store {
    entries: Cache<Key, Arc<Entry>, Weight, RandomState>,
    /// What is about to be kept.
    pub(super) fetches: Arc<Fetches>,
    /// Numbers of places and of settings. A number is never used again for something else.
    numbers: Mutex<Numbers>,
    flushes: AtomicU32,
    /// What was forgotten in parts.
    pub(super) parts: Flushes,
    /// How often it was changed, and in the last two bits what an administrator has said: [`Store::force`].
    forced: AtomicU64,
}

#[derive(Debug, Default)]
struct Numbers {
    next: u32,
    /// Of places, by database and user as clients name them.
    places: std::collections::HashMap<(Box<str>, Box<str>), u32>,
    known: std::collections::HashMap<Box<str>, u32>,
}

impl Store {
    /// With room for so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        let items = usize::try_from(bytes / ORDINARY).unwrap_or(usize::MAX).max(64);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items)
            .weight_capacity(bytes.max(1))
            .build();
        let hasher = RandomState::default();
        let entries = match options {
            Ok(options) => {
                Cache::with_options(options, Weight, hasher, DefaultLifecycle::default())
            }
            // Both numbers are given above.
            Err(_) => Cache::with(items, bytes, Weight, hasher, DefaultLifecycle::default()),
        };
        Self {
            entries,
            fetches: Arc::default(),
            numbers: Mutex::default(),
            flushes: AtomicU32::new(0),
            parts: Flushes::default(),
            forced: AtomicU64::new(0),
        }
    }

    /// New room.
    pub(crate) fn resize(&self, bytes: u64) {
        if self.entries.capacity() != bytes {
            self.entries.set_capacity(bytes);
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<Arc<Entry>> {
        self.entries.get(key)
    }

    pub(crate) fn put(&self, key: &[u8], entry: Arc<Entry>) {
        if let Some(old) = self.entries.peek(key) {
            entry.hits.fetch_add(old.hits.load(Ordering::Relaxed) / 2, Ordering::Relaxed);
        }
        self.entries.insert(Key::from_slice(key), entry);
    }

    /// All of it, as it is when it is come by.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, Arc<Entry>)> {
        self.entries.iter()
    }

    /// Forgets all answers.
    pub(crate) fn flush(&self) {
        self.flushes.fetch_add(1, Ordering::Release);
        self.entries.clear();
    }

    /// Forgets a part of all answers, also of those that instances share, of these places; `false`: everything has to be forgotten.
    pub(crate) fn flush_part(&self, part: Part, followed: &[Arc<Freshness>]) -> bool {
        self.parts.forget(part, followed)
    }

    /// From now on, whatever the configuration says; `None`: as it says. Until the process ends.
    pub(crate) fn force(&self, mode: Option<Mode>) {
        let code = match mode {
            None => 0,
            Some(Mode::Off) => 1,
            Some(Mode::Observe) => 2,
            Some(Mode::On) => 3,
        };
        let next = |known: u64| Some(((known >> 2) + 1) << 2 | code);
        // It always gives a value.
        let _ = self.forced.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
    }

    /// What is forced, and a number that grows with every change of it.
    pub(crate) fn forced(&self) -> (Option<Mode>, u64) {
        let forced = self.forced.load(Ordering::Acquire);
        let mode = match forced & 3 {
            1 => Some(Mode::Off),
            2 => Some(Mode::Observe),
            3 => Some(Mode::On),
            _ => None,
        };
        (mode, forced)
    }

    /// How often all answers were forgotten: what was asked for before is not kept.
    pub(crate) fn flushes(&self) -> u32 {
        self.flushes.load(Ordering::Acquire)
    }

    /// Entries, and their bytes.
    pub(crate) fn size(&self) -> (usize, u64) {
        (self.entries.len(), self.entries.weight())
    }

    /// The number of a place or of settings, the same for equal texts. Touched when a session's settings change, never per request.
    pub(crate) fn number(&self, text: &str) -> u32 {
        let mut numbers = self.numbers.lock();
        if let Some(number) = numbers.known.get(text) {
            return *number;
        }
        if numbers.known.len() >= limits::CACHE_CONTEXTS {
            numbers.known.clear();
            numbers.places.clear();
        }
        numbers.next += 1;
        let number = numbers.next;
        numbers.known.insert(text.into(), number);
        number
    }

    /// The number of what [`howdah_core::cache::key::settings`] says.
    pub(super) fn number_of_settings(&self, settings: &str) -> u32 {
        self.number(&format!("settings {settings}"))
    }

    /// The number of a place that clients name so.
    pub(super) fn number_of_place(&self, target: &str, database: &str, user: &str) -> u32 {
        let number = self.number(&format!("place {target} {user}"));
        self.numbers.lock().places.insert((database.into(), user.into()), number);
        number
    }

    /// The number of the place that clients name so, if anybody has asked there.
    pub(super) fn place_of(&self, database: &str, user: &str) -> Option<u32> {
        self.numbers.lock().places.get(&(database.into(), user.into())).copied()
    }
}

/// A hash of what describes rows, as sessions remember it.
pub(crate) fn shape(body: &[u8]) -> u64 {
    foldhash::quality::FixedState::default().hash_one(body)
}
