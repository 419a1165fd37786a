//! What advice that was carried out has done to statements, measured: time and blocks before and after, and a verdict. Not what it was expected to do.
//!
//! Two sources: what PostgreSQL counts (`pg_stat_statements`), and statements that somebody gives, which are run with `EXPLAIN ANALYZE` in transactions
//! that cannot write. Invariant: a difference counts when it is large and not by chance; too few calls are no verdict.

mod judge;
mod measure;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use judge::{Changed, Verdict, judge};
pub use measure::{Error, measure};

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
