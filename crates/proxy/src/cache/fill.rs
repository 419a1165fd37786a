//! An answer on its way from PostgreSQL that may be kept: what it has to be checked against, and its bytes as the client gets them.
//!
//! Invariant: nothing is copied for answers that are not going to be kept, and no more than the bound for any.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::Instant;

use howdah_core::cache::warm::Asker;
use howdah_core::cache::wish::{Level, Mode};
use howdah_core::cache::{About, Answer, Patch, Refusal, Shown, Stamp, Tag, Timed};
use howdah_core::limits;
use howdah_sql::Analysis;
use howdah_wire::frame;

use super::coalesce::Fetching;
use super::place::LocalPlace;
use super::plans::Planned;
use super::shared::Elsewhere;
use super::store::{Entry, Store, Tags, shape};
use crate::clock;
use crate::session::Session;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Filling {
    pub(super) place: Rc<LocalPlace>,
    pub(super) planned: Rc<Planned>,
    /// With the tags of its session.
    pub(super) about: Arc<About>,
    /// Where others may find it.
    pub(super) elsewhere: Option<Box<Elsewhere>>,
    pub(super) key: Arc<[u8]>,
    /// What the request wanted of the cache.
    pub(super) mode: Mode,
    /// It comes from a replica: it is never given to anybody.
    pub(super) counts_only: bool,
    pub(super) tags: Arc<[Tag]>,
    /// How it is tagged by the rows that it shows, and which of its columns are in binary form, or all.
    pub(super) shown: Option<(Shown, Box<[bool]>)>,
    /// How it is made anew when the row that it shows has changed.
    pub(super) patch: Option<Arc<Patch>>,
    pub(super) stamp: Stamp,
    /// Its answer counts for a time.
    pub(super) timed: Option<Timed>,
    pub(super) analysis: Arc<Analysis>,
    /// A hash of what the client was told of the rows before.
    pub(super) told: Option<u64>,
    /// Of the pool's target, and of the store.
    pub(super) generation: u64,
    pub(super) flushes: u32,
    /// What was forgotten in parts before it was asked for.
    pub(super) parts: u64,
    pub(super) since: Instant,
    pub(super) captured: Vec<u8>,
    pub(super) state: State,
    /// Others wait for it.
    pub(super) fetching: Option<Fetching>,
    /// As whom it can be asked for again, if it can.
    pub(super) asker: Option<Arc<Asker>>,
    /// It was asked for in advance.
    pub(super) warming: bool,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// More is to come.
    Open,
    /// The server is ready for the next request.
    Ended,
    /// It is not kept.
    Spoilt,
}

impl Filling {
    /// Bytes that the client is sent.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        if self.state == State::Spoilt {
            return;
        }
        if self.captured.len() + bytes.len() > limits::CACHED_ANSWER {
            self.spoil();
            self.place.tally.on_reason("large");
        } else {
            self.captured.extend_from_slice(bytes);
        }
    }

    fn spoil(&mut self) {
        self.state = State::Spoilt;
        self.captured = Vec::new();
        self.fetching = None;
    }

    /// Whether its answer may be kept although what is known of changes does not vouch for it.
    fn rests_on_age(&self, refusal: Refusal) -> bool {
        let covered = self.timed.is_some_and(|timed| timed.covered);
        covered && !matches!(refusal, Refusal::Changed | Refusal::InDoubt)
    }

    /// The answer is complete: keeps it, if it may be.
    pub(super) fn finish(self, store: &Store, generation: u64, now: Instant) {
        let tally = &self.place.tally;
        if self.state == State::Spoilt
            || self.generation != generation
            || self.flushes != store.flushes()
        {
            return;
        }
        let Some(mut answer) = Answer::of(&self.captured) else {
            return tally.on_reason("other-answer");
        };
        let by_rows = self.shown.as_ref();
        let by_rows =
            by_rows.and_then(|(shown, binary)| shown.tags(&self.tags, &answer.rows, binary));
        let tags = by_rows.map_or_else(|| Tags::from_slice(&self.tags), Tags::from_vec);
        let seen = match (self.place.freshness.keep(&tags, &self.stamp, None), &self.stamp) {
            (Ok(seen), _) => seen,
            (Err(refusal), Stamp::Cold(seen)) if self.rests_on_age(refusal) => *seen,
            (Err(refusal), _) => return tally.on_reason(super::session::word(refusal)),
        };
        let described =
            answer.description.as_deref().and_then(|found| found.get(frame::HEADER_LEN..));
        let shape = described.map(shape).or(self.told);
        let cost = now.saturating_duration_since(self.since);
        let mut plans = self.place.plans.borrow_mut();
        plans.share_description(self.analysis.fingerprint, &mut answer);
        let worth = plans.worth(self.analysis.fingerprint.0);
        worth.on_fill(cost);
        let elsewhere = self.elsewhere.filter(|_| worth.is_dear());
        drop(plans);
        let came = self.place.freshness.mark();
        let Self { place, about, key, analysis, counts_only, fetching, patch, timed, .. } = self;
        let outlived = AtomicU64::new(self.parts);
        let entry = Arc::new(Entry {
            answer,
            shape,
            tags,
            patch,
            seen,
            came,
            analysis,
            cost,
            counts_only,
            about,
            timed,
            outlived,
            asker: self.asker,
            hits: AtomicU32::new(0),
        });
        store.put(&key, Arc::clone(&entry));
        if let Some(elsewhere) = elsewhere {
            elsewhere.put(&entry);
        }
        if let Some(fetching) = fetching {
            fetching.end(entry);
        }
        place.tally.on_fill();
        if self.warming {
            place.tally.on_warmed();
        }
    }
}

impl Session {
    /// A request was answered by PostgreSQL: what the session is given from now on holds what it has seen. `wrote`: when it was, unless it
    /// only read.
    fn on_answered_beside_cache(&mut self, wrote: Option<Instant>) {
        if wrote.is_some() {
            self.caching.has_written = true;
            self.caching.wrote = wrote;
        }
        let Some(known) = &self.caching.known else { return };
        let Some((_, place)) = &known.at else { return };
        let bounded = known.wish.level(self.caching.has_written) == Level::Bounded;
        // Its next statement may ask for more than the session does.
        let freshness = &place.freshness;
        let fence = if bounded { freshness.mark() } else { freshness.fence() };
        self.caching.fence = Some(fence);
    }

    /// The server is ready for the next request, outside a transaction if `idle`: what it has answered is complete once it is passed
    /// on.
    pub(crate) fn end_filling(&mut self, idle: bool, now: Instant) {
        self.on_answered_beside_cache((!idle || self.impure).then_some(now));
        if let Some(filling) = &mut self.caching.filling
            && filling.state == State::Open
        {
            filling.state = State::Ended;
        }
    }

    /// Keeps an answer that is complete.
    pub(crate) fn finish_filling(&mut self) {
        if let Some(filling) = self.caching.filling.take_if(|filling| filling.state != State::Open)
        {
            filling.finish(&self.worker.shared.store, self.home.generation(), clock::now());
        }
    }

    /// A flight has brought this answer.
    pub(crate) fn fill_from_flight(&mut self, answer: &[u8]) {
        self.on_answered_beside_cache(None);
        if let Some(mut filling) = self.caching.filling.take() {
            filling.take(answer);
            filling.finish(&self.worker.shared.store, self.home.generation(), clock::now());
        }
    }
}
