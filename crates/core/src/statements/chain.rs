//! Statements that run once for each row of another one: the pattern of object mappers that is called N+1. Told of one session's calls in their order; not a guess from
//! totals, and not what several sessions have in common (`chains`).
//!
//! What one unit of a session did is looked at when it is over: a transaction, or what was done between two pauses of half a second. Of each form only what
//! [`CHILDREN`] need is kept, so that a call costs the same whatever came before.
//!
//! Invariant: what writes, locks, is sent without waiting, asks for the same value again, or lets a person think in between is never a chain.

use std::time::{Duration, Instant};

use howdah_sql::Class;

use super::facet::Origin;
use super::values::{Asked, Given};

#[cfg(test)]
mod tests;

/// Forms of a unit that are watched at a time, and answers that may be what they run for.
const CHILDREN: usize = 4;
const PARENTS: usize = 4;
/// Calls of a form in one unit from which on it is looked at; without a parent; and from which on it is a loop of another kind.
const SOME: u32 = 5;
const MANY: u32 = 10;
const LOOP: u32 = 500;
/// So many calls exactly, for as many rows, are hardly chance.
const EXACT: u32 = 8;
/// A pause that ends a unit.
const UNIT: Duration = Duration::from_millis(500);
/// A pause in which somebody thinks, where most of them are longer.
const THINKS: Duration = Duration::from_millis(20);
/// Rows of one answer, on average, above which a call for each is not the problem.
const ROWS: u64 = 20;
/// Calls of a form whose values are looked at.
const SAMPLES: usize = 32;

/// A call that was answered.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Fingerprint of its form.
    pub form: u64,
    /// What kind of statement it is.
    pub class: Class,
    /// Rows of its answer.
    pub rows: u64,
    /// What it asked with, as far as [`Recent::wants`] wanted to know.
    pub asked: Asked,
    /// What it gave, as far as somebody listened.
    pub given: Option<Box<Given>>,
    /// When it came, and when it was answered.
    pub times: (Instant, Instant),
    /// Where it comes from.
    pub origin: Origin,
}

/// Why two forms are thought to belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bond {
    /// They do not: the one asks for other values than the other gave, though for as many.
    Refuted,
    /// No answer came before that would explain it.
    Alone,
    /// About as many calls as rows.
    Count,
    /// Exactly as many, and not few.
    Exact,
    /// The one asks for what the other gave.
    Values,
}

/// One form ran once for every row of another, in one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// Fingerprint of the statement that gave the rows; `None`: not seen.
    pub parent: Option<u64>,
    /// Fingerprint of the one that ran for each of them.
    pub child: u64,
    /// How often that was.
    pub calls: u64,
    /// Number of the value that is another one each time, from 1.
    pub varying: u8,
    /// Why.
    pub bond: Bond,
    /// Microseconds that one call for all would have saved, about: all but one round trip and its work.
    pub wasted_us: u64,
    /// Where it comes from.
    pub origin: Origin,
}

/// The last calls of a session.
#[derive(Debug, Default)]
pub struct Recent(Option<Box<Unit>>);

impl Recent {
    /// Whether the values of a call of this form, which is sent now, would tell something.
    #[must_use]
    pub fn wants(&self, form: u64) -> bool {
        let known = self.0.as_deref().and_then(|unit| unit.child(form));
        known.is_some_and(|child| child.samples < SAMPLES)
    }

    /// A call has ended. `found` is told of the chains that are complete with it. Allocates once in the life of a session, and for answers that
    /// somebody listened to.
    pub fn on_call(&mut self, heard: Heard, found: &mut impl FnMut(Chain)) {
        if heard.class == Class::TransactionControl {
            return self.end(found);
        }
        self.0.get_or_insert_with(Box::default).on_call(heard, found);
    }

    /// The unit has ended.
    pub fn end(&mut self, found: &mut impl FnMut(Chain)) {
        if let Some(unit) = &mut self.0 {
            unit.end(found);
        }
    }
}

/// What a session did since it last paused, or began a transaction.
#[derive(Debug, Default)]
struct Unit {
    children: Vec<Child>,
    parents: Vec<Parent>,
    /// Numbers calls.
    number: u64,
    ended: Option<Instant>,
}

/// An answer that others may run for.
#[derive(Debug)]
struct Parent {
    form: u64,
    number: u64,
    rows: u64,
    given: Option<Box<Given>>,
}

/// A form that may run for each row of something.
#[derive(Debug)]
struct Child {
    form: u64,
    /// Numbers of its first and last call.
    first: u64,
    last: u64,
    calls: u32,
    rows: u64,
    reads: bool,
    /// Calls before which somebody thought; that did not wait for the answer before; pauses of the others, and the work.
    slow: u32,
    unpaused: u32,
    time: Duration,
    /// What the first call asked with whose values are known, which value is another one since then, and all of its values.
    asked: Asked,
    varying: Varying,
    values: [u32; SAMPLES],
    samples: usize,
    origin: Origin,
}

/// Which of the values of calls differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Varying {
    None,
    One(usize),
    Several,
}

impl Unit {
    fn child(&self, form: u64) -> Option<&Child> {
        self.children.iter().find(|child| child.form == form)
    }

    fn on_call(&mut self, heard: Heard, found: &mut impl FnMut(Chain)) {
        let (began, ended) = heard.times;
        let pause = self.ended.map(|ended| began.checked_duration_since(ended).unwrap_or_default());
        self.ended = Some(ended);
        if pause.is_some_and(|pause| pause >= UNIT) {
            self.end(found);
        }
        self.number += 1;
        let at = self.children.iter().position(|child| child.form == heard.form);
        let at = at.unwrap_or_else(|| self.room_for(&heard, found));
        if let Some(child) = self.children.get_mut(at) {
            child.on_call(&heard, pause.unwrap_or_default(), self.number);
        }
        if heard.class == Class::Read && heard.rows >= u64::from(SOME) {
            self.on_rows(heard, found);
        }
    }

    /// A place for a form that is new; the one that was not seen for the longest time makes way.
    fn room_for(&mut self, heard: &Heard, found: &mut impl FnMut(Chain)) -> usize {
        let child = Child::new(heard, self.number);
        if self.children.len() < CHILDREN {
            self.children.reserve_exact(CHILDREN - self.children.len());
            self.children.push(child);
            return self.children.len() - 1;
        }
        let oldest = self.children.iter().enumerate().min_by_key(|(_, child)| child.last);
        let oldest = oldest.map_or(0, |(at, _)| at);
        if let Some(place) = self.children.get_mut(oldest) {
            let left = std::mem::replace(place, child);
            if let Some(chain) = left.chain(&self.parents) {
                found(chain);
            }
        }
        oldest
    }

    /// An answer of several rows. The same form again is another list: what ran since the last one ran for that.
    fn on_rows(&mut self, heard: Heard, found: &mut impl FnMut(Chain)) {
        let Heard { form, rows, given, .. } = heard;
        let parent = Parent { form, number: self.number, rows, given };
        let Some(at) = self.parents.iter().position(|parent| parent.form == form) else {
            if self.parents.len() >= PARENTS {
                self.parents.remove(0);
            }
            self.parents.reserve_exact(PARENTS - self.parents.len());
            self.parents.push(parent);
            return;
        };
        let since = self.parents.get(at).map_or(0, |before| before.number);
        let parents = &self.parents;
        self.children.retain(|child| {
            let stays = child.first <= since || child.form == form;
            if !stays {
                child.chain(parents).into_iter().for_each(&mut *found);
            }
            stays
        });
        self.parents.remove(at);
        self.parents.push(parent);
    }

    fn end(&mut self, found: &mut impl FnMut(Chain)) {
        for child in self.children.drain(..) {
            child.chain(&self.parents).into_iter().for_each(&mut *found);
        }
        self.parents.clear();
    }
}

impl Child {
    fn new(heard: &Heard, number: u64) -> Self {
        Self {
            form: heard.form,
            first: number,
            last: number,
            calls: 0,
            rows: 0,
            reads: true,
            slow: 0,
            unpaused: 0,
            time: Duration::ZERO,
            asked: Asked::NONE,
            varying: Varying::None,
            values: [0; SAMPLES],
            samples: 0,
            origin: heard.origin,
        }
    }

    fn on_call(&mut self, heard: &Heard, pause: Duration, number: u64) {
        let (began, ended) = heard.times;
        self.time = self.time.saturating_add(ended.saturating_duration_since(began));
        if self.calls > 0 {
            self.slow += u32::from(pause > THINKS);
            self.unpaused += u32::from(pause.is_zero());
            self.time = self.time.saturating_add(pause);
        }
        self.calls = self.calls.saturating_add(1);
        self.rows = self.rows.saturating_add(heard.rows);
        self.reads &= heard.class == Class::Read;
        self.last = number;
        if heard.asked.count > 0 && self.samples < SAMPLES {
            self.on_values(&heard.asked);
        }
    }

    fn on_values(&mut self, asked: &Asked) {
        if self.samples == 0 {
            self.asked = *asked;
        }
        let pairs = self.asked.kept().iter().zip(asked.kept());
        let differ = pairs.enumerate().filter(|(_, (one, other))| one != other);
        for (at, (first, _)) in differ {
            self.varying = match self.varying {
                Varying::None => {
                    self.values.get_mut(..self.samples).unwrap_or_default().fill(*first);
                    Varying::One(at)
                }
                Varying::One(known) if known == at => Varying::One(at),
                Varying::One(_) | Varying::Several => Varying::Several,
            };
        }
        if let Varying::One(at) = self.varying
            && let (Some(place), Some(value)) =
                (self.values.get_mut(self.samples), asked.kept().get(at))
        {
            *place = *value;
        }
        self.samples += 1;
    }

    /// The chain that this is, if it is one.
    fn chain(&self, parents: &[Parent]) -> Option<Chain> {
        let pairs = self.calls.saturating_sub(1);
        let Varying::One(varying) = self.varying else { return None };
        let few = self.rows <= ROWS.saturating_mul(u64::from(self.calls));
        let waits =
            self.slow.saturating_mul(2) <= pairs && self.unpaused.saturating_mul(5) <= pairs;
        if self.calls < SOME || !self.reads || !few || !waits || !self.asks_for_others() {
            return None;
        }
        let fitting = parents.iter().filter(|parent| {
            parent.number < self.first && parent.form != self.form && self.fits(parent.rows)
        });
        let best = fitting.map(|parent| (self.bond(parent), parent.form));
        let best = best.max_by_key(|(bond, _)| *bond);
        let (bond, parent) = match best {
            Some((bond, parent)) => (bond, Some(parent)),
            None if (MANY..=LOOP).contains(&self.calls) => (Bond::Alone, None),
            None => return None,
        };
        let calls = u64::from(self.calls);
        let micros = u64::try_from(self.time.as_micros()).unwrap_or(u64::MAX);
        Some(Chain {
            parent,
            child: self.form,
            calls,
            varying: u8::try_from(varying + 1).unwrap_or(u8::MAX),
            bond,
            wasted_us: (micros / calls.max(1)).saturating_mul(calls.saturating_sub(1)),
            origin: self.origin,
        })
    }

    /// Four of five values, and more, are asked for once.
    fn asks_for_others(&self) -> bool {
        let mut values = self.values;
        let Some(values) = values.get_mut(..self.samples) else { return false };
        values.sort_unstable();
        let repeated = values.windows(2).filter(|pair| pair.first() == pair.last()).count();
        let known = usize::try_from(self.calls).unwrap_or(SAMPLES).min(SAMPLES);
        (values.len() - repeated) * 5 >= values.len() * 4 && values.len() * 2 >= known
    }

    /// About as many calls as rows.
    fn fits(&self, rows: u64) -> bool {
        let calls = u64::from(self.calls);
        calls.saturating_mul(10) >= rows.saturating_mul(8)
            && calls.saturating_mul(10) <= rows.saturating_mul(12)
    }

    fn bond(&self, parent: &Parent) -> Bond {
        let asked = self.values.get(..self.samples).unwrap_or_default();
        if let Some(given) = &parent.given {
            if given.count_of(asked) * 10 >= asked.len() * 7 && !asked.is_empty() {
                return Bond::Values;
            }
            if !given.is_partial() {
                return Bond::Refuted;
            }
        }
        let exact = u64::from(self.calls) == parent.rows && self.calls >= EXACT;
        if exact { Bond::Exact } else { Bond::Count }
    }
}
