//! What all workers have counted, by form, with totals by database and kind. Touched once a second per worker, and by whoever reads.
//!
//! Invariant: entries add up to totals, whatever was forgotten on the way: a form that has to make way is added to `other` of its
//! scope and kind.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use howdah_sql::{Analysis, Class, Example};

use super::chains::{ChainTotal, Sightings};
use super::facet::{FACETS, NameId, Names, OTHERS, Share, Shares};
use super::histogram::{BUCKETS, Histogram};
use super::overhead::{OVERHEADS, Overheads};
use super::{Chatty, Sums, kind, text};
use crate::limits;

/// A database and a user, as a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(u32);

/// A form, or what is left of those without room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Form {
    Known(u64),
    Other(Class),
}

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Of {
    pub(super) scope: ScopeId,
    pub(super) form: Form,
}

/// What a tally has counted of one form.
#[derive(Debug)]
pub(super) struct Counted<'a> {
    pub(super) sums: &'a Sums,
    pub(super) times: &'a [u32; BUCKETS],
    pub(super) overheads: &'a [u32; OVERHEADS],
    pub(super) origins: &'a [Shares<NameId>; FACETS],
    pub(super) names: &'a Names,
}

/// What happened in one minute, in short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Minute {
    /// Which minute, counted from the start.
    pub number: u64,
    /// Calls.
    pub calls: u64,
    /// Their time.
    pub time_us: u64,
    /// Errors among them.
    pub errors: u64,
}

/// One line of the book.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The name clients use; `*`: of several.
    pub database: Arc<str>,
    /// The name clients use; `*`: of several.
    pub user: Arc<str>,
    /// Identity of the form; `None`: this is what is left of forms without room for a line of their own.
    pub fingerprint: Option<u64>,
    /// What kind of statement it is, in a word.
    pub kind: &'static str,
    /// The form, without literals; empty when it is not known.
    pub text: Arc<str>,
    /// A text of the form with its literals, for planning it; neither shown nor written down.
    pub example: Example,
    /// Counts since the start.
    pub sums: Sums,
    /// How long calls took, waiting included.
    pub times: Histogram,
    /// How long Howdah itself took over them, as far as that was measured.
    pub overheads: Overheads,
    /// The last [`limits::STATEMENT_MINUTES`] in which there were calls, oldest first.
    pub minutes: Vec<Minute>,
    /// Calls by where they come from, by [`Facet::ALL`](super::Facet::ALL).
    pub origins: [Shares<Arc<str>>; FACETS],
    /// When it was seen first and last, in seconds.
    pub seen: (u64, u64),
}

/// All statements of one kind on one database.
#[derive(Debug, Clone, Default)]
pub struct Total {
    /// Counts since the start.
    pub sums: Sums,
    /// How long calls took, waiting included.
    pub times: Histogram,
    /// How long Howdah itself took over them, as far as that was measured.
    pub overheads: Overheads,
}

/// Whose statements belong together: the scope, the form that gave rows, the one that ran for each of them.
pub(super) type ChainOf = (ScopeId, Option<u64>, u64);

/// Transactions of many round trips that begin with the same form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChattyTotal {
    /// The name clients use.
    pub database: Arc<str>,
    /// The name clients use.
    pub user: Arc<str>,
    /// How many there were.
    pub times: u64,
    /// What they did together.
    pub sum: Chatty,
    /// When one was seen last, in seconds.
    pub seen: u64,
}

/// Statements by form, over all workers, since the start.
#[derive(Debug)]
pub struct Book {
    scopes: Vec<(Arc<str>, Arc<str>)>,
    by_name: HashMap<(Arc<str>, Arc<str>), ScopeId>,
    entries: HashMap<Of, Entry, foldhash::fast::RandomState>,
    totals: BTreeMap<(Arc<str>, &'static str), Total>,
    errors: BTreeMap<(Arc<str>, [u8; 2]), u64>,
    chains: HashMap<ChainOf, ChainTotal>,
    chatty: HashMap<(ScopeId, u64), ChattyTotal>,
    capacity: usize,
    forgotten: u64,
    others: Arc<str>,
}

impl Book {
    /// For so many forms.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let rest: Arc<str> = "*".into();
        Self {
            scopes: vec![(Arc::clone(&rest), rest)],
            by_name: HashMap::new(),
            entries: HashMap::default(),
            totals: BTreeMap::new(),
            errors: BTreeMap::new(),
            chains: HashMap::new(),
            chatty: HashMap::new(),
            capacity,
            forgotten: 0,
            others: OTHERS.into(),
        }
    }

    /// The number of a database and user. Beyond [`limits::STATEMENT_SCOPES`] all are one.
    pub fn scope(&mut self, database: &str, user: &str) -> ScopeId {
        let names: (Arc<str>, Arc<str>) = (database.into(), user.into());
        if let Some(known) = self.by_name.get(&names) {
            return *known;
        }
        let next = u32::try_from(self.scopes.len()).ok();
        let Some(next) = next.filter(|_| self.scopes.len() < limits::STATEMENT_SCOPES) else {
            return ScopeId::default();
        };
        self.scopes.push(names.clone());
        self.by_name.insert(names, ScopeId(next));
        ScopeId(next)
    }

    fn names(&self, scope: ScopeId) -> (Arc<str>, Arc<str>) {
        let known = usize::try_from(scope.0).ok().and_then(|at| self.scopes.get(at));
        known.cloned().unwrap_or_else(|| ("*".into(), "*".into()))
    }

    pub(super) fn add(
        &mut self,
        of: Of,
        (class, analysis): (Class, Option<&Analysis>),
        counted: &Counted<'_>,
        now: u64,
    ) {
        let (sums, times) = (counted.sums, counted.times);
        let (database, user) = self.names(of.scope);
        let total = self.totals.entry((Arc::clone(&database), kind(class))).or_default();
        total.sums.add(sums);
        add_times(&mut total.times, times);
        total.overheads.add_counts(counted.overheads);
        if !self.entries.contains_key(&of) && matches!(of.form, Form::Known(_)) {
            self.make_room();
        }
        let entry = self.entries.entry(of).or_insert_with(|| Entry {
            database,
            user,
            fingerprint: match of.form {
                Form::Known(fingerprint) => Some(fingerprint),
                Form::Other(_) => None,
            },
            kind: kind(class),
            text: analysis.map(shown).unwrap_or_default(),
            example: analysis.map(|it| it.example.clone()).unwrap_or_default(),
            sums: Sums::default(),
            times: Histogram::default(),
            overheads: Overheads::default(),
            minutes: Vec::new(),
            origins: Default::default(),
            seen: (now, now),
        });
        entry.sums.add(sums);
        add_times(&mut entry.times, times);
        entry.overheads.add_counts(counted.overheads);
        for (to, from) in entry.origins.iter_mut().zip(counted.origins) {
            let named = from.iter().map(|(number, share)| (counted.names.name(*number), share));
            named.for_each(|(name, share)| to.add(&name, &self.others, share));
        }
        entry.seen.1 = now;
        let minute = Minute {
            number: now / 60,
            calls: sums.calls,
            time_us: sums.time_us(),
            errors: sums.all_errors(),
        };
        entry.on_minute(minute);
    }

    pub(super) fn add_errors(&mut self, scope: ScopeId, class: [u8; 2], count: u64) {
        let (database, _) = self.names(scope);
        *self.errors.entry((database, class)).or_default() += count;
    }

    pub(super) fn add_chain(&mut self, of: ChainOf, seen: &Sightings, names: &Names, now: u64) {
        forget_oldest(&mut self.chains, &of, |chain| chain.last);
        let (scope, parent, child) = of;
        let (database, user) = self.names(scope);
        let (none, new) = (Arc::<str>::default(), Sightings::default());
        let chain = self.chains.entry(of).or_insert_with(|| ChainTotal {
            database,
            user,
            parent,
            child,
            seen: new,
            application: Arc::clone(&none),
            route: none,
            last: now,
        });
        chain.seen.add(seen);
        chain.last = now;
        if seen.times > 0 {
            let [application, _, route] = seen.origin;
            (chain.application, chain.route) = (names.name(application), names.name(route));
        }
    }

    pub(super) fn add_chatty(&mut self, scope: ScopeId, (times, sum): (u64, &Chatty), now: u64) {
        let of = (scope, sum.first);
        forget_oldest(&mut self.chatty, &of, |total| total.seen);
        let (database, user) = self.names(scope);
        let add = |total: &mut ChattyTotal| {
            total.times += times;
            total.sum.add(sum);
            total.seen = now;
        };
        let new = ChattyTotal { database, user, times, sum: *sum, seen: now };
        self.chatty.entry(of).and_modify(add).or_insert(new);
    }

    /// Transactions of many round trips, in no order.
    pub fn chatty(&self) -> impl Iterator<Item = &ChattyTotal> {
        self.chatty.values()
    }

    /// Statements that ran once for every row of others, in no order.
    pub fn chains(&self) -> impl Iterator<Item = &ChainTotal> {
        self.chains.values()
    }

    /// Without room for one more, the eighth of the forms that took the least time is added to `other`.
    fn make_room(&mut self) {
        if self.entries.len() < self.capacity {
            return;
        }
        let mut known: Vec<(u64, Of)> = self
            .entries
            .iter()
            .filter(|(of, _)| matches!(of.form, Form::Known(_)))
            .map(|(of, entry)| (entry.sums.time_us(), *of))
            .collect();
        if known.len() < self.capacity {
            return;
        }
        known.sort_unstable_by_key(|(time, _)| *time);
        for (_, of) in known.into_iter().take((self.capacity / 8).max(1)) {
            let Some(gone) = self.entries.remove(&of) else { continue };
            self.forgotten += 1;
            let form = Form::Other(class_of(gone.kind));
            let other = Of { scope: of.scope, form };
            let into = self.entries.entry(other).or_insert_with(|| Entry {
                fingerprint: None,
                text: Arc::default(),
                example: Example::default(),
                sums: Sums::default(),
                times: Histogram::default(),
                overheads: Overheads::default(),
                minutes: Vec::new(),
                origins: Default::default(),
                ..gone.clone()
            });
            for (to, from) in into.origins.iter_mut().zip(&gone.origins) {
                from.iter().for_each(|(name, share)| to.add(name, &self.others, share));
            }
            into.sums.add(&gone.sums);
            into.times.add(&gone.times);
            into.overheads.add(&gone.overheads);
            into.seen = (into.seen.0.min(gone.seen.0), into.seen.1.max(gone.seen.1));
        }
    }

    /// All entries, in no order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// All statements, by database and kind.
    pub fn totals(&self) -> impl Iterator<Item = (&str, &'static str, &Total)> {
        self.totals.iter().map(|((database, kind), total)| (&**database, *kind, total))
    }

    /// Errors that clients were told of, by database and the first two characters of the SQLSTATE.
    pub fn errors(&self) -> impl Iterator<Item = (&str, [u8; 2], u64)> {
        self.errors.iter().map(|((database, class), count)| (&**database, *class, *count))
    }

    /// Forms that had to make way.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

impl Entry {
    /// The calls that come from these names, by [`Facet::ALL`](super::Facet::ALL); `None`: there are none. Of several names at once the one
    /// with the fewest calls counts: the forms are right then, and the numbers at most too high.
    #[must_use]
    pub fn part(&self, wanted: [Option<&str>; FACETS]) -> Option<Share> {
        let mut part = Share { calls: self.sums.calls, time_us: self.sums.time_us() };
        for (shares, wanted) in self.origins.iter().zip(wanted) {
            let Some(wanted) = wanted else { continue };
            let (_, share) = shares.iter().find(|(name, _)| ***name == *wanted)?;
            if share.calls < part.calls {
                part = share;
            }
        }
        Some(part)
    }

    fn on_minute(&mut self, minute: Minute) {
        match self.minutes.last_mut() {
            Some(last) if last.number == minute.number => {
                last.calls += minute.calls;
                last.time_us = last.time_us.wrapping_add(minute.time_us);
                last.errors += minute.errors;
            }
            _ => {
                if self.minutes.len() >= limits::STATEMENT_MINUTES {
                    self.minutes.remove(0);
                }
                self.minutes.push(minute);
            }
        }
    }
}

/// Without room for one more, what was seen longest ago makes way.
fn forget_oldest<K: Copy + Eq + Hash, V>(map: &mut HashMap<K, V>, new: &K, seen: fn(&V) -> u64) {
    if map.len() >= limits::STATEMENT_CHAINS && !map.contains_key(new) {
        let oldest = map.iter().min_by_key(|(_, one)| seen(one)).map(|(of, _)| *of);
        oldest.map(|oldest| map.remove(&oldest));
    }
}

fn add_times(to: &mut Histogram, times: &[u32; BUCKETS]) {
    for (bucket, count) in times.iter().enumerate() {
        if *count > 0 {
            to.add_to(bucket, u64::from(*count));
        }
    }
}

/// The text of a form as far as it is kept.
fn shown(analysis: &Analysis) -> Arc<str> {
    let whole = text(analysis);
    if whole.len() <= limits::STATEMENT_TEXT {
        return whole.into();
    }
    let end = whole.floor_char_boundary(limits::STATEMENT_TEXT);
    format!("{}…", whole.get(..end).unwrap_or_default()).into()
}

/// The class that a word stands for.
fn class_of(word: &str) -> Class {
    let all = [
        Class::Read,
        Class::TransactionControl,
        Class::SessionState,
        Class::Write,
        Class::Copy,
        Class::Ddl,
    ];
    all.into_iter().find(|class| kind(*class) == word).unwrap_or(Class::Other)
}

#[cfg(test)]
mod tests;
