//! What one worker counts about the cache of one place. Not what it means.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use howdah_core::statements::Histogram;

/// Counts of one place.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    hits: Cell<u64>,
    coalesced: Cell<u64>,
    shared: Cell<u64>,
    patched: Cell<u64>,
    warmed: Cell<u64>,
    observed: Cell<u64>,
    misses: Cell<u64>,
    fills: Cell<u64>,
    bytes: Cell<u64>,
    saved: Cell<Duration>,
    ages: RefCell<Histogram>,
    /// Why requests were not looked up, or answers not given or kept, by word.
    reasons: RefCell<BTreeMap<&'static str, u64>>,
}

/// How often answers were found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uses {
    /// They were, and were given, or would have been.
    pub hits: u64,
    /// They were not, or were not to be given.
    pub misses: u64,
    /// Those that were lost because something had changed.
    pub changed: u64,
}

/// [`Uses`] by names; those of further names are together under `…`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsesByName(BTreeMap<String, Uses>);

impl UsesByName {
    /// Names that are told apart.
    const NAMES: usize = 1000;

    /// More of a name.
    pub fn add(&mut self, name: &str, more: Uses) {
        let known = self.0.len() < Self::NAMES || self.0.contains_key(name);
        let uses = self.0.entry(if known { name } else { "…" }.to_owned()).or_default();
        uses.hits += more.hits;
        uses.misses += more.misses;
        uses.changed += more.changed;
    }

    /// Those of one name.
    #[must_use]
    pub fn of(&self, name: &str) -> Uses {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Uses)> {
        self.0.iter().map(|(name, uses)| (name.as_str(), *uses))
    }
}

/// Answers of statements that read a table, or that a rule selects. A statement counts for each of its tables, and each of its rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Used {
    /// By tables and views, with their schemas.
    pub tables: UsesByName,
    /// By rules.
    pub rules: UsesByName,
}

impl Used {
    fn add(&mut self, other: &Self) {
        other.tables.iter().for_each(|(name, uses)| self.tables.add(name, uses));
        other.rules.iter().for_each(|(name, uses)| self.rules.add(name, uses));
    }
}

/// What a cache has done in one database, as one or several workers count it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were answered from the cache.
    pub hits: u64,
    /// Those of them that waited for an answer which somebody else had asked for.
    pub coalesced: u64,
    /// Those of them that another instance had kept.
    pub shared: u64,
    /// Answers that were made anew from a row that had changed.
    pub patched: u64,
    /// Answers that were kept because they were asked for in advance.
    pub warmed: u64,
    /// Requests that would have been.
    pub observed: u64,
    /// Requests that were looked up in vain.
    pub misses: u64,
    /// Answers that were kept.
    pub fills: u64,
    /// Bytes that were answered from the cache.
    pub bytes: u64,
    /// Time that PostgreSQL took for what was answered.
    pub saved: Duration,
    /// How old what was given may have been at most, in microseconds: the time since the latest heartbeat was sent that has come back,
    /// or, where nobody tells of changes, since the statement was sent whose answer it was.
    pub ages: Histogram,
    /// Why requests were not looked up, or answers not given or kept: words, and how often.
    pub reasons: BTreeMap<&'static str, u64>,
    /// By tables and by rules.
    pub used: Used,
}

impl Counts {
    /// Both together.
    pub fn add(&mut self, other: &Self) {
        self.hits += other.hits;
        self.coalesced += other.coalesced;
        self.shared += other.shared;
        self.patched += other.patched;
        self.warmed += other.warmed;
        self.observed += other.observed;
        self.misses += other.misses;
        self.fills += other.fills;
        self.bytes += other.bytes;
        self.saved += other.saved;
        self.ages.add(&other.ages);
        for (word, count) in &other.reasons {
            *self.reasons.entry(word).or_default() += count;
        }
        self.used.add(&other.used);
    }
}

fn add(counter: &Cell<u64>, count: u64) {
    counter.set(counter.get().wrapping_add(count));
}

impl Tally {
    pub(super) fn on_hit(&self, bytes: usize, saved: Duration, coalesced: bool) {
        add(&self.hits, 1);
        add(&self.coalesced, u64::from(coalesced));
        add(&self.bytes, u64::try_from(bytes).unwrap_or(u64::MAX));
        self.saved.set(self.saved.get() + saved);
    }

    /// What was given may have been this old at most.
    pub(super) fn on_age(&self, age: Duration) {
        self.ages.borrow_mut().record(u64::try_from(age.as_micros()).unwrap_or(u64::MAX));
    }

    pub(super) fn on_shared(&self) {
        add(&self.shared, 1);
    }

    pub(super) fn on_patched(&self) {
        add(&self.patched, 1);
    }

    pub(super) fn on_warmed(&self) {
        add(&self.warmed, 1);
    }

    pub(super) fn on_observed(&self) {
        add(&self.observed, 1);
    }

    pub(super) fn on_miss(&self) {
        add(&self.misses, 1);
    }

    pub(super) fn on_fill(&self) {
        add(&self.fills, 1);
    }

    pub(super) fn on_reason(&self, word: &'static str) {
        *self.reasons.borrow_mut().entry(word).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            hits: self.hits.get(),
            coalesced: self.coalesced.get(),
            shared: self.shared.get(),
            patched: self.patched.get(),
            warmed: self.warmed.get(),
            observed: self.observed.get(),
            misses: self.misses.get(),
            fills: self.fills.get(),
            bytes: self.bytes.get(),
            saved: self.saved.get(),
            ages: self.ages.borrow().clone(),
            reasons: self.reasons.borrow().clone(),
            used: Used::default(),
        }
    }
}
