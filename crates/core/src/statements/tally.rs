//! What one worker has counted since it last told the others. Not the whole story: [`Book`].
//!
//! Invariant: bounded by a number of forms; a call of a form for which there is no room counts as `other` of its kind.

use std::collections::HashMap;
use std::sync::Arc;

use howdah_sql::{Analysis, Class};
use howdah_wire::sqlstate::SqlState;

use super::book::{Book, ChainOf, Counted, Form, Of, ScopeId};
use super::chains::{Sightings, Suspects};
use super::facet::{self, FACETS, NameId, Names, Origin, Shares};
use super::histogram::{BUCKETS, bucket};
use super::overhead::{OVERHEADS, overhead_bucket};
use super::{Chain, Chatty, Fault, Sums};
use crate::limits;

/// Times that it may be emptied before a form that was not seen meanwhile is forgotten.
const KEPT: u8 = 30;

/// One call that was answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Call {
    /// Rows that it returned or changed.
    pub rows: u64,
    /// The error that it ended with.
    pub error: Option<SqlState>,
    /// Microseconds that it waited for a server.
    pub wait_us: u64,
    /// Microseconds that it took from then on.
    pub server_us: u64,
    /// Of these, microseconds that Howdah itself took; `None`: not measured.
    pub overhead_us: Option<u64>,
    /// A replica has answered it.
    pub on_replica: bool,
    /// It shared a server with others.
    pub shared: bool,
    /// The result cache has answered it.
    pub cached: bool,
    /// Where it comes from, in the numbers of [`Tally::name`].
    pub origin: Origin,
}

#[derive(Debug)]
struct Place {
    of: Of,
    class: Class,
    /// `None`: it is `other`.
    analysis: Option<Arc<Analysis>>,
    sums: Sums,
    times: Box<[u32; BUCKETS]>,
    overheads: Box<[u32; OVERHEADS]>,
    origins: [Shares<NameId>; FACETS],
    /// How often it was emptied since its form was seen.
    unseen: u8,
}

/// Counts of one worker.
#[derive(Debug)]
pub struct Tally {
    places: Vec<Place>,
    by_form: HashMap<Of, usize, foldhash::fast::RandomState>,
    names: Names,
    /// Errors by the first two characters of their SQLSTATE, also of what was no call: a Parse that failed.
    errors: HashMap<(ScopeId, [u8; 2]), u64>,
    chains: HashMap<ChainOf, Sightings>,
    suspects: Suspects,
    /// Transactions of many round trips, by the form that they begin with: how many, and what they did together.
    chatty: HashMap<(ScopeId, u64), (u64, Chatty)>,
    capacity: usize,
}

impl Tally {
    /// For so many forms.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            places: Vec::new(),
            by_form: HashMap::default(),
            names: Names::default(),
            errors: HashMap::new(),
            chains: HashMap::new(),
            suspects: Suspects::default(),
            chatty: HashMap::new(),
            capacity,
        }
    }

    /// The number of an application, an address or a route, for [`Call::origin`]. Allocates when it is new.
    pub fn name(&mut self, name: &str) -> NameId {
        self.names.number(name)
    }

    /// A call of a form by the clients of a scope was answered. Allocates nothing when the form was there before.
    pub fn on_call(&mut self, scope: ScopeId, analysis: &Arc<Analysis>, call: &Call) {
        let of = Of { scope, form: Form::Known(analysis.fingerprint.0) };
        let at = match self.by_form.get(&of) {
            Some(at) => *at,
            None if self.places.len() < self.capacity => {
                self.open(of, analysis.class, Some(Arc::clone(analysis)))
            }
            None => {
                let of = Of { scope, form: Form::Other(analysis.class) };
                let known = self.by_form.get(&of).copied();
                known.unwrap_or_else(|| self.open(of, analysis.class, None))
            }
        };
        let Some(place) = self.places.get_mut(at) else { return };
        let sums = &mut place.sums;
        let time = call.wait_us + call.server_us;
        sums.calls += 1;
        sums.rows = sums.rows.wrapping_add(call.rows);
        sums.on_replica += u64::from(call.on_replica);
        sums.shared += u64::from(call.shared);
        sums.cached += u64::from(call.cached);
        sums.wait_us = sums.wait_us.wrapping_add(call.wait_us);
        sums.server_us = sums.server_us.wrapping_add(call.server_us);
        sums.longest_us = sums.longest_us.max(time);
        if let Some(code) = call.error
            && let Some(count) = sums.errors.get_mut(Fault::of(code).index())
        {
            *count += 1;
        }
        if let Some(count) = place.times.get_mut(bucket(time)) {
            *count += 1;
        }
        if let Some(us) = call.overhead_us {
            sums.overhead_us = sums.overhead_us.wrapping_add(us);
            if let Some(count) = place.overheads.get_mut(overhead_bucket(us)) {
                *count += 1;
            }
        }
        facet::count(&mut place.origins, call.origin, time);
    }

    /// A client of a scope was told of an error.
    pub fn on_error(&mut self, scope: ScopeId, code: SqlState) {
        *self.errors.entry((scope, code.class())).or_default() += 1;
    }

    /// A session has run a statement once for every row of another. Beyond [`limits::STATEMENT_CHAINS`] it is not noted.
    pub fn on_chain(&mut self, scope: ScopeId, session: u64, chain: &Chain) {
        let of = (scope, chain.parent, chain.child);
        self.suspects.on_chain(chain);
        if self.chains.len() < limits::STATEMENT_CHAINS || self.chains.contains_key(&of) {
            self.chains.entry(of).or_default().see(chain, session);
        }
    }

    /// Whether the answer of a form that is sent now should be listened to: others may ask for what it gives.
    pub fn listen(&mut self, form: u64) -> bool {
        self.suspects.listen(form)
    }

    /// A session has ended a transaction of many round trips. Beyond [`limits::STATEMENT_CHAINS`] it is not noted.
    pub fn on_chatty(&mut self, scope: ScopeId, chatty: Chatty) {
        let of = (scope, chatty.first);
        if self.chatty.len() < limits::STATEMENT_CHAINS || self.chatty.contains_key(&of) {
            let add = |(times, sum): &mut (u64, Chatty)| {
                *times += 1;
                sum.add(&chatty);
            };
            self.chatty.entry(of).and_modify(add).or_insert((1, chatty));
        }
    }

    fn open(&mut self, of: Of, class: Class, analysis: Option<Arc<Analysis>>) -> usize {
        let at = self.places.len();
        let (sums, times) = (Sums::default(), Box::new([0; BUCKETS]));
        let (overheads, origins) = (Box::new([0; OVERHEADS]), Default::default());
        let place = Place { of, class, analysis, sums, times, overheads, origins, unseen: 0 };
        self.places.push(place);
        self.by_form.insert(of, at);
        at
    }

    /// Hands over everything that was counted. `now` is what the book calls seconds.
    pub fn empty_into(&mut self, book: &mut Book, now: u64) {
        for place in &mut self.places {
            place.unseen = place.unseen.saturating_add(1);
            if place.sums.calls > 0 {
                place.unseen = 0;
                let of = (place.class, place.analysis.as_deref());
                let counted = Counted {
                    sums: &place.sums,
                    times: &place.times,
                    overheads: &place.overheads,
                    origins: &place.origins,
                    names: &self.names,
                };
                book.add(place.of, of, &counted, now);
                place.sums = Sums::default();
                place.times.fill(0);
                place.overheads.fill(0);
                place.origins.iter_mut().for_each(Shares::clear);
            }
        }
        for ((scope, class), count) in self.errors.drain() {
            book.add_errors(scope, class, count);
        }
        for (of, seen) in self.chains.drain() {
            book.add_chain(of, &seen, &self.names, now);
        }
        for ((scope, _), (times, sum)) in self.chatty.drain() {
            book.add_chatty(scope, (times, &sum), now);
        }
        // With little room left, what was not seen for a moment makes way for what comes.
        let kept = if self.places.len() * 4 > self.capacity * 3 { 1 } else { KEPT };
        if self.places.iter().any(|place| place.unseen >= kept) {
            self.places.retain(|place| place.unseen < kept);
            self.by_form.clear();
            let places = self.places.iter().enumerate();
            self.by_form.extend(places.map(|(at, place)| (place.of, at)));
        }
    }

    /// Forms that have a place.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no form has a place.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}
