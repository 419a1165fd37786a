//! What advice that was carried out has done to statements, measured: time and blocks before and after, and a verdict. Not what it was expected to do.
//!
//! Two sources: what PostgreSQL counts (`pg_stat_statements`), and statements that somebody gives, which are run with `EXPLAIN ANALYZE` in transactions
//! that cannot write. Invariant: a difference counts when it is large and not by chance; too few calls are no verdict.

mod judge;
mod measure;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::journal::{self, Journal};

pub use judge::{Changed, Verdict, judge};
pub use measure::{Error, measure};

/// What numbers from before it is carried out, from right after that, and from the last look are kept as.
pub(crate) const BEFORE: &str = "before";
pub(crate) const START: &str = "start";
pub(crate) const AFTER: &str = "after";

/// What was measured before advice was carried out, and right after that; `None`: nothing was.
///
/// # Errors
/// The journal cannot be read.
pub(crate) fn begun(
    journal: &Journal,
    place: &str,
    id: &str,
) -> Result<Option<(Measured, Measured)>, journal::Error> {
    let Some((at, before)) = journal.measure::<Measured>(place, id, BEFORE)? else {
        return Ok(None);
    };
    // Of an earlier time, or none: an interrupted run was brought to an end by the next one.
    let start = journal.measure(place, id, START)?.filter(|(later, _)| *later >= at);
    let start = start.map_or_else(|| before.clone(), |(_, start)| start);
    Ok(Some((before, start)))
}

/// What advice has done, as it was measured last, without the texts of statements that somebody gave; `None`: it was not measured.
///
/// # Errors
/// The journal cannot be read.
pub fn last(journal: &Journal, place: &str, id: &str) -> Result<Option<Verdict>, journal::Error> {
    let after = journal.measure::<Measured>(place, id, AFTER)?;
    let (Some((before, start)), Some((_, after))) = (begun(journal, place, id)?, after) else {
        return Ok(None);
    };
    let mut verdict = judge(&before, &start, &after);
    let given = |text: &str| before.samples.iter().any(|sample| sample.text == text);
    for one in verdict.statements.iter_mut().filter(|one| given(&one.text)) {
        "(a statement that was given)".clone_into(&mut one.text);
    }
    Ok(Some(verdict))
}

/// What was measured at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// What PostgreSQL has counted up to then, by `query ID`; `None`: it does not count.
    pub counted: Option<Counted>,
    /// What statements took that somebody gave.
    pub samples: Vec<Sampled>,
}

/// Counts of `pg_stat_statements`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// Since when, as PostgreSQL says it: equal texts, equal beginnings.
    pub since: String,
    /// By `query ID`.
    pub statements: BTreeMap<String, Counts>,
}

/// Of one statement, since counting began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Its text, without constants.
    pub text: String,
    /// It writes.
    pub writes: bool,
    /// Calls.
    pub calls: f64,
    /// Milliseconds, added up.
    pub time: f64,
    /// Their squares, added up.
    pub squares: f64,
    /// Blocks that were found in or read into the cache.
    pub blocks: f64,
}

/// A statement that was run some times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampled {
    /// The statement.
    pub text: String,
    /// Milliseconds of each run.
    pub times: Vec<f64>,
    /// Blocks of the last run.
    pub blocks: f64,
}
