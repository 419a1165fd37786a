//! The same statement once for each row of another one, found in a trace of calls with hashes of their values. Needs recorded calls: what every session is watched for, a run of one form as
//! long as the answer before it, is `howdah_core::statements::Chain`, which keeps no values and misses forms that alternate.
//!
//! Invariant: what writes, locks, is sent without waiting, or asks for the same value again is never called N+1; without equal values, or the same counts several
//! times, nothing is more than a candidate.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use crate::{Costs, Evidence, Impact, Kind, Recommendation};

mod words;

pub use words::{batched, hint};

/// A call, as it was recorded. Values are hashes: equal values have equal ones.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Call {
    /// The client connection.
    pub session: u64,
    /// The transaction, or what was done between two pauses of half a second.
    pub unit: u64,
    /// The database it went to.
    pub database: u64,
    /// Fingerprint of the statement.
    pub form: u64,
    /// It reads, and locks nothing.
    pub reads: bool,
    /// Its parameters in order.
    pub asked: Vec<u64>,
    /// The values of its answer, where they were recorded.
    pub given: Vec<u64>,
    /// Rows of its answer.
    pub rows: u64,
    /// When it came, in microseconds.
    pub at: u64,
    /// How long it took, in microseconds.
    pub took: u64,
}

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// It looks like it.
    Candidate,
    /// The counts agree several times, or the values do.
    Medium,
    /// The values agree, again and again, in several sessions.
    High,
}

/// A statement that runs once for each row of another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pattern {
    /// Fingerprint of the statement that gives the rows; `None`: not seen.
    pub parent: Option<u64>,
    /// Fingerprint of the one that runs for each of them.
    pub child: u64,
    /// Number of the parameter that is different each time, from 1.
    pub varying: usize,
    /// How often that was, in units.
    pub units: usize,
    /// In how many sessions.
    pub sessions: usize,
    /// Calls of the child in all of them.
    pub calls: u64,
    /// Microseconds that one call for all would have saved, about: all but one round trip and its work of each unit.
    pub wasted: u64,
    /// How sure it is.
    pub confidence: Confidence,
}

/// Calls of a form in one unit from which on it is looked at, and without a parent.
const SOME: usize = 5;
const MANY: usize = 10;
/// Microseconds between two calls, in the middle of all pauses, above which somebody thinks in between.
const PAUSE: u64 = 20_000;
/// Rows of one answer, on average, above which a call for each is not the problem.
const ROWS: u64 = 20;
/// Share of the asked values that the parent has to have given.
const MATCH: f64 = 0.7;

/// What was seen in one unit.
struct Sighting {
    parent: Option<u64>,
    child: u64,
    varying: usize,
    session: u64,
    calls: u64,
    wasted: u64,
    by_value: bool,
}

/// All patterns of a trace, the most wasteful first.
#[must_use]
pub fn look(calls: &[Call]) -> Vec<Pattern> {
    let mut units: BTreeMap<(u64, u64, u64), Vec<&Call>> = BTreeMap::new();
    for call in calls {
        units.entry((call.database, call.session, call.unit)).or_default().push(call);
    }
    let mut sightings = Vec::new();
    for unit in units.values_mut() {
        unit.sort_by_key(|call| call.at);
        sightings.extend(in_unit(unit));
    }
    let mut patterns: BTreeMap<(Option<u64>, u64), Vec<Sighting>> = BTreeMap::new();
    for sighting in sightings {
        patterns.entry((sighting.parent, sighting.child)).or_default().push(sighting);
    }
    let mut found: Vec<Pattern> =
        patterns.into_values().filter_map(|list| together(&list)).collect();
    found.sort_by(|a, b| b.wasted.cmp(&a.wasted).then(a.child.cmp(&b.child)));
    found
}

fn in_unit(unit: &[&Call]) -> Vec<Sighting> {
    let mut forms: BTreeMap<u64, Vec<&Call>> = BTreeMap::new();
    for call in unit {
        forms.entry(call.form).or_default().push(call);
    }
    forms.values().filter_map(|children| sighting(unit, children)).collect()
}

fn sighting(unit: &[&Call], children: &[&Call]) -> Option<Sighting> {
    let first = children.first()?;
    let count = children.len();
    let rows: u64 = children.iter().map(|call| call.rows).sum();
    let few = rows <= ROWS.saturating_mul(u64::try_from(count).ok()?);
    if count < SOME || !few || !children.iter().all(|call| call.reads) || waits(children)? > PAUSE {
        return None;
    }
    let (varying, values) = varying(children)?;
    let parents = unit.iter().filter(|call| {
        call.at < first.at && call.form != first.form && call.reads && fits(call.rows, count)
    });
    let mut by_count = None;
    let mut by_value = None;
    for parent in parents {
        match share(&values, &parent.given) {
            Some(share) if share >= MATCH => by_value = Some(parent.form),
            // It says what it gave, and that was something else.
            Some(_) => {}
            None => by_count = Some(parent.form),
        }
    }
    let parent = by_value.or(by_count);
    if parent.is_none() && (count < MANY || gave_something_else(unit, first)) {
        return None;
    }
    let calls = u64::try_from(count).ok()?;
    let time: u64 = children.iter().map(|call| call.took).sum();
    let pauses = waits(children)?.saturating_mul(calls.saturating_sub(1));
    let wasted =
        (time / calls.max(1)).saturating_mul(calls.saturating_sub(1)).saturating_add(pauses);
    Some(Sighting {
        parent,
        child: first.form,
        varying,
        session: first.session,
        calls,
        wasted,
        by_value: by_value.is_some(),
    })
}

/// The middle pause between an answer and the next call; `None` when calls did not wait for answers: then they cost no round trips.
fn waits(children: &[&Call]) -> Option<u64> {
    let mut pauses = Vec::new();
    for pair in children.windows(2) {
        let [one, next] = pair else { continue };
        pauses.push(next.at.checked_sub(one.at.saturating_add(one.took)));
    }
    let overlapping = pauses.iter().filter(|pause| pause.is_none()).count();
    if overlapping * 5 > pauses.len() {
        return None;
    }
    let mut pauses: Vec<u64> = pauses.into_iter().flatten().collect();
    pauses.sort_unstable();
    pauses.get(pauses.len() / 2).copied()
}

/// The one parameter that is different in (nearly) each call, and its values. Others are the same each time.
fn varying(children: &[&Call]) -> Option<(usize, HashSet<u64>)> {
    let width = children.first()?.asked.len();
    let mut found = None;
    for place in 0..width {
        let values: HashSet<u64> =
            children.iter().filter_map(|call| call.asked.get(place).copied()).collect();
        if values.len() == 1 {
            continue;
        }
        // Two that vary are a search, one that repeats asks the same again.
        if found.is_some() || values.len() * 5 < children.len() * 4 {
            return None;
        }
        found = Some((place + 1, values));
    }
    found
}

/// About as many rows as calls.
fn fits(rows: u64, calls: usize) -> bool {
    let calls = u64::try_from(calls).unwrap_or(u64::MAX);
    calls.saturating_mul(10) >= rows.saturating_mul(8)
        && calls.saturating_mul(10) <= rows.saturating_mul(12)
}

/// Share of the asked values among the given ones; `None` when nobody knows what was given.
fn share(asked: &HashSet<u64>, given: &[u64]) -> Option<f64> {
    if given.is_empty() {
        return None;
    }
    let given: HashSet<u64> = given.iter().copied().collect();
    let met = u32::try_from(asked.intersection(&given).count()).ok()?;
    Some(f64::from(met) / f64::from(u32::try_from(asked.len().max(1)).ok()?))
}

/// An answer with as many rows came first, and its values were recorded: they are not what was asked for.
fn gave_something_else(unit: &[&Call], first: &Call) -> bool {
    unit.iter().any(|call| {
        call.at < first.at && call.form != first.form && call.rows >= 5 && !call.given.is_empty()
    })
}

fn together(list: &[Sighting]) -> Option<Pattern> {
    let first = list.first()?;
    let sessions: BTreeSet<u64> = list.iter().map(|sighting| sighting.session).collect();
    let by_value = list.iter().filter(|sighting| sighting.by_value).count();
    // Counts agree by chance once; with different numbers of rows they do not agree twice.
    let counts: HashMap<u64, ()> = list.iter().map(|sighting| (sighting.calls, ())).collect();
    let confidence = match (first.parent, by_value) {
        (Some(_), many) if many >= 3 && sessions.len() >= 2 => Confidence::High,
        (Some(_), some) if some >= 1 => Confidence::Medium,
        (Some(_), _) if list.len() >= 2 && counts.len() >= 2 => Confidence::Medium,
        (Some(_), _) if list.len() >= 3 && sessions.len() >= 2 => Confidence::Medium,
        (None, _) if list.len() >= 3 && sessions.len() >= 2 && counts.len() >= 2 => {
            Confidence::Medium
        }
        _ => Confidence::Candidate,
    };
    Some(Pattern {
        parent: first.parent,
        child: first.child,
        varying: first.varying,
        units: list.len(),
        sessions: sessions.len(),
        calls: list.iter().map(|sighting| sighting.calls).sum(),
        wasted: list.iter().map(|sighting| sighting.wasted).sum(),
        confidence,
    })
}

impl Pattern {
    /// As advice. `text` is the normal form of the child, `tag` what is known of who asks (application name, framework).
    #[must_use]
    pub fn recommendation(&self, text: &str, tag: &str) -> Recommendation {
        let child = format!("{:016x}", self.child);
        let of = self.parent.map_or_else(
            || "something that was not seen".to_owned(),
            |parent| format!("statement {parent:016x}"),
        );
        let per_unit = self.calls / u64::try_from(self.units.max(1)).unwrap_or(1);
        let then = batched(text, self.varying)
            .unwrap_or_else(|| "one statement for all values".to_owned());
        let confidence = match self.confidence {
            Confidence::High => 0.95,
            Confidence::Medium => 0.7,
            Confidence::Candidate => 0.4,
        };
        let mut cautions =
            vec!["the application has to give each row its part of the one answer".to_owned()];
        cautions.extend(hint(tag).map(str::to_owned));
        Recommendation {
            id: Recommendation::id_of(Kind::NPlusOne, &format!("{:?} {child}", self.parent)),
            kind: Kind::NPlusOne,
            subject: child.clone(),
            title: format!("ask once for all rows, not {per_unit} times"),
            why: format!(
                "A statement runs once for each row of {of}: each time a round trip, and work of the server's that is the same."
            ),
            evidence: vec![
                Evidence {
                    what: format!("calls in {} units of {} sessions", self.units, self.sessions),
                    now: self.calls.to_string(),
                    then: self.units.to_string(),
                    check: String::new(),
                },
                Evidence {
                    what: "the statement".to_owned(),
                    now: text.to_owned(),
                    then,
                    check: String::new(),
                },
                Evidence {
                    what: "time that clients spent on it, about".to_owned(),
                    now: format!("{} ms", self.wasted / 1_000),
                    then: String::new(),
                    check: String::new(),
                },
            ],
            impact: if self.wasted >= 10_000_000 { Impact::High } else { Impact::Medium },
            confidence,
            saves: None,
            costs: Costs::default(),
            apply: Vec::new(),
            undo: Vec::new(),
            statements: std::iter::once(child)
                .chain(self.parent.map(|parent| format!("{parent:016x}")))
                .collect(),
            cautions,
        }
    }
}

#[cfg(test)]
mod tests;
