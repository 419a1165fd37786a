//! What the configuration says of functions that are somebody's own: `[[cache.function]]`. Nobody can see what they read, so whoever
//! wants their answers kept says it.
//!
//! Invariant: a function that is `VOLATILE`, or not declared in the schema where it may be found, is never taken for one that reads.

use std::fmt;

use howdah_sql::Analysis;

use super::definitions::{Definitions, Function};
use super::rules::Rules;
use crate::route::class::Name;
use crate::rules::TableName;

/// A function that changes nothing, and whose answers depend on its arguments, on settings and on these tables alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its name; all functions of this name are meant.
    pub name: Name,
    /// Tables and views that it reads, by itself or through others.
    pub reads: Vec<TableName>,
}

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reads: Vec<_> = self.reads.iter().map(ToString::to_string).collect();
        write!(f, "{} reads={}", self.name, reads.join(","))
    }
}

/// What is said of a function that is not known to be steady.
pub(super) enum Said<'a> {
    /// These tables have to be followed.
    Reads(&'a [TableName]),
    /// It is said to read, and declared as `VOLATILE` in the database.
    Volatile,
    Nothing,
}

/// What the rules say of a function.
pub(super) fn said<'a>(rules: &'a Rules, function: &Function) -> Said<'a> {
    match rules.function(&function.name) {
        Some(_) if function.volatile => Said::Volatile,
        Some(declared) => Said::Reads(&declared.reads),
        None => Said::Nothing,
    }
}

/// Whether a text only reads; the greatest of several holds for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It does.
    OnlyReads,
    /// The catalog is not known, and will tell.
    NotYet,
    /// Nobody can tell.
    Unknown,
}

/// Whether this is one query that only reads, by what PostgreSQL says of its own functions and the rules of all others that its names
/// may mean.
#[must_use]
pub fn verdict(analysis: &Analysis, definitions: &Definitions, rules: &Rules) -> Verdict {
    let Some(mut functions) = analysis.read_through() else { return Verdict::Unknown };
    let is_declared = |name: &howdah_sql::Function| {
        let schema = name.schema.as_deref();
        let mut candidates = definitions.functions(schema, &name.name);
        rules.may_declare(schema, &name.name)
            && candidates.all(|one| matches!(said(rules, one), Said::Reads(_)))
    };
    match functions.all(is_declared) {
        false => Verdict::Unknown,
        true if definitions.is_known() => Verdict::OnlyReads,
        true => Verdict::NotYet,
    }
}
