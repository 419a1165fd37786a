//! The way of a request through the cache: looked up before a server is asked for, answered if what was found is valid, and otherwise
//! its answer kept on the way back.
//!
//! Length: one way, in one place.
//!
//! Invariant: only requests outside a transaction, of sessions of which everything is known, are looked up; whatever is in doubt goes
//! to PostgreSQL.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use howdah_core::cache::asked::{self, Tags};
use howdah_core::cache::key::{self, Request};
use howdah_core::cache::warm::Asker;
use howdah_core::cache::wish::{Level, Mode, Wish};
use howdah_core::cache::{self, About, Around, Fence, Parameters, Seen, Stamp, Tag, Timed};
use howdah_core::pool::PoolMode;
use howdah_core::session::Context;
use howdah_core::statements::NameId;
use howdah_sql::Analysis;
use howdah_wire::frontend;

use super::coalesce::{Fetch, Terms};
use super::doubt::Doubt;
use super::fence::FENCED;
use super::fill::{Filling, State};
use super::place::LocalPlace;
use super::plans::Planned;
use super::store::Entry;
use crate::clock;
use crate::faults::{self, Fault};
use crate::rows;
use crate::session::{End, Session};
use crate::share::{Asked, Runs, asked};

/// What one session needs for it.
#[derive(Debug, Default)]
pub(crate) struct Caching {
    pub(super) known: Option<Box<Known>>,
    /// What it has written, or read from PostgreSQL, is in what it is given once this has passed.
    pub(super) fence: Option<Fence>,
    /// It has waited for this one too long.
    pub(super) in_vain: Option<Fence>,
    pub(super) has_written: bool,
    pub(super) doubt: Doubt,
    /// When it did last.
    pub(super) wrote: Option<Instant>,
    pub(crate) filling: Option<Box<Filling>>,
    /// It asks so that answers are kept, and for nothing else: [`super::warm`].
    pub(crate) warming: bool,
}

/// What follows from the settings of a session.
#[derive(Debug)]
pub(super) struct Known {
    /// Of these settings; of these revisions of the configuration, of the pool's target, and of what administrators say.
    context: Arc<Context>,
    revisions: (u64, u64, u64),
    pub(super) wish: Wish,
    tags: Tags,
    /// The number of the settings, and the place; `None`: the cache is off.
    pub(super) at: Option<(u32, Rc<LocalPlace>)>,
    /// As whom the same can be asked again, if it can.
    asker: Option<Arc<Asker>>,
}

/// What became of a look-up.
pub(super) enum Looked {
    Found(Hit),
    /// Somebody has asked PostgreSQL for it.
    Coming(Arc<Fetch>, Wanted),
    /// It is there, or on its way, and may be given once this has passed.
    Fenced(Fence),
    /// To be kept, if it is worth it.
    Missed(Option<Missed>),
}

/// What is to be kept, and what its client has to be told.
pub(super) struct Missed {
    pub(super) filling: Box<Filling>,
    pub(super) wanted: Wanted,
}

/// What a client has to be told, of which request, and how fresh.
pub(super) struct Wanted {
    around: Around,
    /// A hash of what it was told of the rows before.
    told: Option<u64>,
    /// Bytes of the request.
    length: usize,
    pub(super) wish: Wish,
    /// Where in its application it comes from, by its comment.
    route: NameId,
}

/// A valid answer.
pub(super) struct Hit {
    pub(super) entry: Arc<Entry>,
    pub(super) wanted: Wanted,
    /// Somebody else had asked for it.
    pub(super) coalesced: bool,
}

/// A request that can be looked up.
struct Found<'a> {
    asked: Asked<'a>,
    sql: &'a [u8],
    types: &'a [u8],
    /// Of a statement that was prepared before.
    analysis: Option<&'a Arc<Analysis>>,
    told: Option<u64>,
}

/// What is known of the statement of a request.
struct Judged<'a> {
    analysis: Arc<Analysis>,
    planned: Rc<Planned>,
    /// Values of its literals, if it was planned without them.
    literals: Vec<&'a [u8]>,
    /// Of the catalog that it was planned by.
    generation: Option<u64>,
    mode: Mode,
    ttl: Option<Duration>,
    about: Arc<About>,
}

/// A refusal in one word.
pub(super) const fn word(refusal: cache::Refusal) -> &'static str {
    match refusal {
        cache::Refusal::NoStream => "no-stream",
        cache::Refusal::Lease => "lease",
        cache::Refusal::Definitions => "definitions",
        cache::Refusal::Floor => "floor",
        cache::Refusal::Changed => "changed",
        cache::Refusal::InDoubt => "in-doubt",
    }
}

impl Caching {
    /// Those that the session gives to the answer of a statement.
    fn tags(&self, sql: &[u8]) -> Tags {
        let known = self.known.as_ref().map(|known| known.tags.with_comment(sql));
        known.unwrap_or_default()
    }

    /// Whether the answer to the request at hand is to be kept, and given to others.
    pub(crate) fn keeps(&self) -> bool {
        self.filling.as_ref().is_some_and(|filling| filling.mode == Mode::On)
    }

    /// The request at hand has gone to a replica, which may lack what the primary shows: its answer is kept for counting at most.
    pub(crate) fn on_away(&mut self) {
        if self.keeps() {
            self.filling = None;
        } else if let Some(filling) = &mut self.filling {
            filling.counts_only = true;
        }
    }
}

impl Session {
    /// Answers the request in the inbox, complete since `now`, if there is a valid answer; otherwise prepares to keep the one that
    /// PostgreSQL will give. Waits only if the session wants strict answers, if it has just written or read something that the stream
    /// has not told of, or if somebody else has just asked for the same.
    ///
    /// # Errors
    /// The session ends.
    pub(crate) async fn answer_from_cache(&mut self, now: Instant) -> Result<bool, End> {
        self.caching.filling = None;
        let Some((wish, context, place)) = self.cached_at() else { return Ok(false) };
        let mut looked = self.look_up(wish, context, &place, (now, true));
        if let Looked::Fenced(fence) = looked {
            if let Err(refusal) = self.wait_for_fence(&place, fence).await? {
                self.refuse(&refusal);
                return Ok(true);
            }
            looked = self.look_up(wish, context, &place, (clock::now(), true));
        }
        if let Looked::Coming(fetch, wanted) = looked {
            looked = match self.wait_aside(fetch.answer()).await? {
                Ok(came) => match self.take_shared(&place, came.flatten(), wanted) {
                    Some(hit) => Looked::Found(hit),
                    None => self.look_up(wish, context, &place, (clock::now(), false)),
                },
                Err(refusal) => {
                    self.refuse(&refusal);
                    return Ok(true);
                }
            };
        }
        if let Looked::Missed(Some(missed)) = looked {
            looked = match self.look_elsewhere(missed).await? {
                Ok(looked) => looked,
                Err(refusal) => {
                    self.refuse(&refusal);
                    return Ok(true);
                }
            };
        }
        let hit = match looked {
            Looked::Found(hit) => hit,
            Looked::Missed(missed) => {
                self.caching.filling = missed.map(|missed| {
                    if !self.caching.warming {
                        place.tally.on_miss();
                        place.plans.borrow_mut().on_miss(&missed.filling.planned.about);
                    }
                    missed.filling
                });
                return Ok(false);
            }
            Looked::Coming(..) | Looked::Fenced(_) => return Ok(false),
        };
        let wish = hit.wanted.wish;
        if wish.level(self.caching.has_written) == Level::Strict {
            match self.confirm(&place, &hit).await? {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(refusal) => {
                    self.refuse(&refusal);
                    return Ok(true);
                }
            }
        }
        if wish.mode == Mode::Observe {
            place.tally.on_observed();
            return Ok(false);
        }
        self.give(&place, &hit, now)?;
        Ok(true)
    }

    /// What somebody else has asked for, if it is there, and may be given to this session, too.
    fn take_shared(
        &self,
        place: &LocalPlace,
        came: Option<Arc<Entry>>,
        wanted: Wanted,
    ) -> Option<Hit> {
        let entry = came.filter(|entry| {
            let is_good = entry.is_remembered(&self.worker.shared.store.parts);
            is_good
                && entry.fits(&wanted)
                && self.may_give(wanted.wish, place, entry.claim(), clock::now()).is_ok()
        });
        let Some(entry) = entry else {
            place.tally.on_reason("waited");
            return None;
        };
        place.plans.borrow_mut().on_hit(&entry.about);
        Some(Hit { entry, wanted, coalesced: true })
    }

    /// The place and the settings to look up with, if the session may be answered from the cache at all.
    fn cached_at(&mut self) -> Option<(Wish, u32, Rc<LocalPlace>)> {
        if self.pin.is_some() || self.mode != PoolMode::Transaction {
            return None;
        }
        if self.worker.rules.is_active() && self.concern().is_some() {
            return None;
        }
        let worker = &self.worker;
        let context = self.settings.context();
        let revisions =
            (worker.settings_revision(), self.home.generation(), worker.shared.store.forced().1);
        let known = match &self.caching.known {
            Some(known) if Arc::ptr_eq(&known.context, context) && known.revisions == revisions => {
                known
            }
            _ => {
                let known = Known::of(self, Arc::clone(context), revisions);
                let fenced = self.caching.fence.is_some() || self.caching.has_written;
                if let Some((_, place)) = known.at.as_ref().filter(|_| fenced) {
                    // The old one may be another's.
                    self.caching.fence = Some(place.freshness.fence());
                }
                self.caching.known.insert(Box::new(known))
            }
        };
        let (number, place) = known.at.as_ref()?;
        let is_known = !self.caching.doubt.remains(place);
        is_known.then(|| (known.wish, *number, Rc::clone(place)))
    }

    /// `may_wait`: for an answer that is on its way.
    fn look_up(
        &self,
        wish: Wish,
        context: u32,
        place: &Rc<LocalPlace>,
        (now, may_wait): (Instant, bool),
    ) -> Looked {
        let Some(found) = self.found() else {
            place.tally.on_reason("shape");
            return Looked::Missed(None);
        };
        let wish = wish.with_comment(found.sql);
        if wish.is_refused() {
            place.tally.on_reason("off");
            return Looked::Missed(None);
        }
        let bound = found.asked.bound;
        let context = if faults::is_planted(Fault::ForgetRole) { 0 } else { context };
        let sql = key::bare(found.sql);
        let tags = self.caching.tags(found.sql);
        let asked = &*asked::key(&wish, &tags);
        let request =
            Request { place: place.number, context, sql, types: found.types, asked, bound };
        let mut key = self.worker.cache_key.borrow_mut();
        request.write(&mut key);
        let (around, length) = (found.asked.around, found.asked.length);
        let mut wanted =
            Wanted { around, told: found.told, length, wish, route: NameId::default() };
        let (rules, store) = (place.rules.get(), &self.worker.shared.store);
        let is_good =
            |entry: &Arc<Entry>| entry.is_under(rules) && entry.is_remembered(&store.parts);
        if let Some(entry) = store.get(&key).filter(is_good) {
            if rules != 0 {
                wanted.wish = entry.about.wish(wish);
                if wanted.wish.mode == Mode::Off {
                    place.tally.on_reason("off");
                    return Looked::Missed(None);
                }
            }
            let (entry, verdict) = self.judged(entry, (&key, wanted.wish), place, now);
            if entry.fits(&wanted) && verdict.is_ok() {
                place.plans.borrow_mut().on_hit(&entry.about);
                wanted.route = self.route_of(found.sql);
                return Looked::Found(Hit { entry, wanted, coalesced: false });
            }
            if let Err(reason) = verdict
                && let Some(looked) = self.not_given((reason, &entry), wanted.wish, place, may_wait)
            {
                return looked;
            }
        }
        if may_wait && let Some(fetch) = store.fetches.of(&key) {
            wanted.wish = fetch.terms.about.wish(wish);
            match self.joined(&fetch, &wanted, place, now) {
                Some(Ok(())) => {
                    wanted.route = self.route_of(found.sql);
                    return Looked::Coming(fetch, wanted);
                }
                Some(Err(fence)) => return Looked::Fenced(fence),
                None => {}
            }
        }
        match self.filling(place, &found, (&key, wish, &tags), now) {
            Ok(filling) => {
                wanted.wish = filling.planned.about.wish(wish);
                wanted.route = self.route_of(found.sql);
                Looked::Missed(Some(Missed { filling: Box::new(filling), wanted }))
            }
            Err(_) if self.caching.warming => Looked::Missed(None),
            Err(reason) => {
                place.tally.on_miss();
                place.tally.on_reason(reason);
                Looked::Missed(None)
            }
        }
    }

    /// What is kept may not be given for this reason: what follows, if it is not that PostgreSQL is asked for another one.
    fn not_given(
        &self,
        (reason, entry): (&'static str, &Entry),
        wish: Wish,
        place: &LocalPlace,
        may_wait: bool,
    ) -> Option<Looked> {
        if may_wait && let Some(fence) = self.awaited(reason, wish, place) {
            return Some(Looked::Fenced(fence));
        }
        place.tally.on_reason(reason);
        if reason == word(cache::Refusal::Changed) {
            place.on_changed(&entry.about, entry.seen);
        }
        // It stays good for when there is news again.
        if reason == FENCED || reason == word(cache::Refusal::Lease) {
            place.tally.on_miss();
            place.plans.borrow_mut().on_late(&entry.about);
            return Some(Looked::Missed(None));
        }
        None
    }

    /// Whether to wait for what somebody else has asked for; an error: at once, or after a fence. `None`: no.
    fn joined(
        &self,
        fetch: &Fetch,
        wanted: &Wanted,
        place: &LocalPlace,
        now: Instant,
    ) -> Option<Result<(), Fence>> {
        let terms = &fetch.terms;
        let fits = terms.about.rules == place.rules.get()
            && (terms.describes || !wanted.around.describe)
            && wanted.wish.mode == Mode::On;
        if !fits {
            return None;
        }
        match self.may_give(wanted.wish, place, terms.claim(), now) {
            Ok(()) => Some(Ok(())),
            Err(reason) => self.awaited(reason, wanted.wish, place).map(Err),
        }
    }

    /// The request in the inbox, if it is of a shape that can be looked up.
    fn found(&self) -> Option<Found<'_>> {
        if !self.outbox.is_empty() {
            return None;
        }
        let asked = asked(self.inbox.unread())?;
        let (sql, types, analysis, told) = match asked.runs {
            Runs::Text(sql) => (sql, asked.types, None, None),
            Runs::Named(name) => {
                let prepared = self.statements.get(name)?;
                // The types of its parameters are in a part of its text that is not its body.
                if prepared.by_sql.is_some() {
                    return None;
                }
                let told = self.statements.told(name);
                (prepared.body(), &*prepared.parameter_types, Some(&prepared.analysis), told)
            }
        };
        Some(Found { asked, sql, types, analysis, told })
    }

    /// What has to be known before the statement is sent, so that its answer can be kept.
    fn filling(
        &self,
        place: &Rc<LocalPlace>,
        found: &Found<'_>,
        (key, wish, tags): (&[u8], Wish, &Tags),
        now: Instant,
    ) -> Result<Filling, &'static str> {
        let analysis = match found.analysis {
            Some(analysis) => Arc::clone(analysis),
            None => self.analyse(found.sql),
        };
        let mut plans = place.plans.borrow_mut();
        let planned = plans
            .planned(&place.watched, (key::bare(found.sql), wish.rests_on_age()), &analysis)
            .map_err(cache::Reason::word)?;
        let literals = plans.literals(&planned, key::bare(found.sql));
        let generation = plans.generation();
        drop(plans);
        let mode = planned.about.wish(wish).mode;
        if mode == Mode::Off {
            return Err("off");
        }
        let (uses, about) = (Arc::clone(&planned.about), planned.about.tagged(tags));
        let ttl = wish.ttl(uses.chosen.as_ref());
        let judged = Judged { analysis, planned, literals, generation, mode, ttl, about };
        let mut made = self.filling_of(judged, place, found, key, now);
        if let Ok(filling) = &mut made
            && (wish.asked_ttl().is_some() || tags.iter().next().is_some())
        {
            filling.asker = None;
        }
        if made.is_err() && !self.caching.warming {
            place.plans.borrow_mut().on_miss(&uses);
        }
        made
    }

    fn filling_of(
        &self,
        judged: Judged<'_>,
        place: &Rc<LocalPlace>,
        found: &Found<'_>,
        key: &[u8],
        now: Instant,
    ) -> Result<Filling, &'static str> {
        let Judged { analysis, planned, literals, generation, mode, ttl, about } = judged;
        if !place.plans.borrow_mut().worth(analysis.fingerprint.0).admits() {
            return Err("not-worth-it");
        }
        let (values, binary) = found.asked.values().ok_or("shape")?;
        let types = oids(found.types);
        let parameters = Parameters { types: &types, values: &values, literals: &literals };
        if parameters.say_now() {
            return Err("clock");
        }
        let mut tags = planned.plan.tags(parameters);
        if let [first, _, ..] = planned.plan.sets()
            && faults::is_planted(Fault::MissCascade)
        {
            tags = [Tag::whole(first.relation()), Tag::table(first.relation())].into();
        }
        let (seen, blind) = stamped(place, &planned, &tags)?;
        let stamp = Stamp::Cold(seen);
        let timed = ttl.map(|ttl| {
            let (covered, catalog) = (planned.plan.covers_all(), generation.unwrap_or_default());
            Timed { sent: now, ttl, blind, covered, catalog }
        });
        if generation != Some(place.watched.generation()) {
            return Err("definitions");
        }
        // Its tags speak of all rows that can leave unseen, so nothing is in doubt about those that it will show.
        let patch = planned.plan.patch(parameters, &binary).map(Arc::new);
        let shown = planned.shown(&place.freshness, seen).map(|shown| (shown.clone(), binary));
        let mut plans = place.plans.borrow_mut();
        let worth = plans.worth(analysis.fingerprint.0);
        // Nobody has missed what is asked in advance.
        if !self.caching.warming {
            worth.on_lookup(false);
        }
        let (store, patience) = (&self.worker.shared.store, worth.patience());
        let (flushes, parts) = (store.flushes(), store.parts.number());
        let key = Arc::from(key);
        let fetching = (mode == Mode::On).then(|| {
            let (tags, about) = (Arc::clone(&tags), Arc::clone(&about));
            let describes = found.asked.around.describe;
            store.fetches.begin(&key, Terms { tags, seen, about, timed, describes, patience })
        });
        Ok(Filling {
            place: Rc::clone(place),
            planned,
            about,
            elsewhere: None,
            key,
            mode,
            counts_only: false,
            tags,
            shown,
            patch,
            stamp,
            timed,
            analysis,
            told: found.told,
            generation: self.home.generation(),
            flushes,
            parts,
            since: now,
            captured: Vec::new(),
            state: State::Open,
            fetching,
            asker: self.caching.known.as_ref().and_then(|known| known.asker.clone()),
            warming: self.caching.warming,
        })
    }

    /// The session was given what others have seen before the stream has told it: other answers that count as valid may be older.
    #[cold]
    fn has_seen_untold(&mut self, place: &LocalPlace, entry: &Entry, wish: Wish) {
        let bounded = wish.level(self.caching.has_written) == Level::Bounded;
        let fence = if bounded { entry.came } else { place.freshness.fence() };
        self.caching.fence = self.caching.fence.max(Some(fence));
    }

    /// The request is answered with what was found, and leaves the inbox.
    fn give(
        &mut self,
        place: &LocalPlace,
        Hit { entry, wanted, coalesced }: &Hit,
        since: Instant,
    ) -> Result<(), End> {
        let (mut out, length) = (self.worker.shelf.take_outbox(), wanted.length);
        entry.answer.write(wanted.around, &mut out);
        self.after_unnamed(length, &out, Arc::clone(&entry.analysis));
        let overheard = self.overhear(&entry.analysis, length, &out);
        self.inbox.consume(length);
        self.inbox.rest(&self.worker.shelf);
        let sent = self.outbox.send(&mut self.stream, &self.worker.shelf, &out);
        self.pool.traffic.on_sent(out.len());
        place.tally.on_hit(out.len(), entry.cost, *coalesced);
        entry.hits.fetch_add(1, Ordering::Relaxed);
        let is_told = place.freshness.passed(entry.came);
        if !is_told {
            self.has_seen_untold(place, entry, wanted.wish);
        }
        self.on_answered_from_cache(is_told.then_some(entry.seen.v));
        self.worker.shelf.put_outbox(out);
        let now = clock::now();
        let time = now.saturating_duration_since(since);
        if let Some(age) = entry.age(place, now) {
            place.tally.on_age(age);
        }
        self.worker.stats.on_request(time);
        self.pool.traffic.on_request(time, Some(time));
        self.entry.requests.set(self.entry.requests.get() + 1);
        self.calls.route = wanted.route;
        let rows = entry.answer.row_count();
        self.count_cached(&entry.analysis, (rows, time), (overheard, (since, now)));
        self.started = None;
        sent.map_err(|_| End::ClientGone)
    }
}

impl Entry {
    /// How old what it shows may be at most.
    fn age(&self, place: &LocalPlace, now: Instant) -> Option<Duration> {
        let news = place.freshness.age(now);
        match &self.timed {
            Some(timed) if timed.blind || news.is_none() => {
                Some(now.saturating_duration_since(timed.sent))
            }
            Some(_) | None => news,
        }
    }

    /// Whether it is an answer to a request like this.
    pub(super) fn fits(&self, wanted: &Wanted) -> bool {
        self.answer.has(wanted.around)
            && (wanted.told.is_none() || wanted.told == self.shape)
            && (!self.counts_only || wanted.wish.mode == Mode::Observe)
    }
}

impl Known {
    fn of(session: &Session, context: Arc<Context>, revisions: (u64, u64, u64)) -> Self {
        let worker = &session.worker;
        let settings = worker.settings();
        let base = settings.database(&session.home.key.database).map(|database| database.cache);
        let mut base = base.unwrap_or_default();
        if let Some(mode) = worker.shared.store.forced().0 {
            base = base.forced(mode);
        }
        let said = context.iter().filter_map(|(name, replay)| {
            Some((name.strip_prefix("howdah.")?, rows::last_literal(replay)))
        });
        let mut tags = Tags::default();
        let wish = said.fold(base, |wish, (name, value)| {
            if name == "cache_tags" {
                tags = Tags::parse(&value).unwrap_or_default();
            }
            wish.with(name, &value)
        });
        let rules = &settings.cache_rules;
        let is_used = wish.mode != Mode::Off || (rules.turn_on() && !wish.is_refused());
        let place = is_used.then(|| LocalPlace::of(worker, &session.home));
        let number = || worker.shared.store.number_of_settings(&key::settings(&context));
        let at = place.flatten().map(|place| (number(), place));
        if let Some((_, place)) = &at {
            place.obey(rules);
        }
        let asker = at.as_ref().and_then(|(number, place)| place.asker(*number, &context));
        Self { context, revisions, wish, tags, at, asker }
    }
}

/// What an answer will hold, and whether changes of something that it reads are not followed, which may be.
fn stamped(
    place: &LocalPlace,
    planned: &Planned,
    tags: &[Tag],
) -> Result<(Seen, bool), &'static str> {
    let seen = match place.freshness.stamp(tags, &[]) {
        Ok(Stamp::Cold(seen)) => seen,
        Ok(Stamp::Hot { .. }) => return Err("in-doubt"),
        Err(cache::Refusal::NoStream | cache::Refusal::Definitions)
            if planned.plan.covers_all() =>
        {
            return Ok((place.freshness.unfollowed(), true));
        }
        Err(refusal) => return Err(word(refusal)),
    };
    let since = planned.since(&place.freshness, seen.epoch).map_err(|_| "unseen")?;
    if since.position > seen.v { Err("unseen") } else { Ok((seen, since.blind)) }
}

/// Whether a parameter is in binary form, and its bytes; `None`: NULL.
type Value<'a> = (bool, Option<&'a [u8]>);

impl Asked<'_> {
    /// The parameters, each in binary form or not, and which columns of the answer are; `None`: the Bind cannot be read.
    fn values(&self) -> Option<(Vec<Value<'_>>, Box<[bool]>)> {
        let Some(bind) = self.bind else { return Some(Default::default()) };
        let Ok(frontend::Message::Bind(bind)) = frontend::decode(bind) else { return None };
        let results = bind.result_formats.iter().map(|format| format != 0).collect();
        let formats: Vec<bool> = bind.parameter_formats.iter().map(|format| format != 0).collect();
        let binary = |at: usize| match formats.as_slice() {
            [] => false,
            [one] => *one,
            all => all.get(at).copied().unwrap_or(false),
        };
        let parameters = bind.parameters.iter().enumerate();
        Some((parameters.map(|(at, value)| (binary(at), value)).collect(), results))
    }
}

/// Type numbers as a Parse has them: a count, and that many.
fn oids(types: &[u8]) -> Vec<u32> {
    let numbers = types.get(2..).unwrap_or_default();
    numbers.as_chunks().0.iter().map(|number| u32::from_be_bytes(*number)).collect()
}
