//! Ways to write a query that PostgreSQL answers with less work. One rule a file; each gives another text where that has the same rows, or says in words what a
//! person has to decide. Not here: whether what a rule needs is true of a database (that the catalog says), and whether the other text is faster (that PostgreSQL says).
//!
//! Invariant: a text has the same rows as the query, as often, for all contents of tables that fulfil what it needs; in doubt there is no text.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "the grammar has hundreds of nodes: what a rule does not name it leaves alone"
)]

mod cast_on_column;
mod count_exists;
mod distinct_exists;
mod function_range;
mod in_list;
mod not_in;
mod offset;
mod or_union;
mod query;
mod scalar_join;
mod select_star;
mod values;
mod wildcard;

use serde::Serialize;

use crate::parse::{NodeEnum, parse, tree};

pub use query::Relation;
pub use values::{Purpose, purposes};

/// Which rule. The words are part of the interface: they do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// `NOT IN (SELECT …)`.
    NotIn,
    /// `OFFSET` for paging.
    Offset,
    /// A function around a column that is compared.
    FunctionOnColumn,
    /// A column that is converted in order to be compared.
    CastOnColumn,
    /// `OR` between conditions on different columns.
    OrAcrossColumns,
    /// A subquery that is computed for each row.
    CorrelatedSubquery,
    /// `SELECT *`.
    SelectStar,
    /// Rows are counted to find out whether there is one.
    CountToExist,
    /// `LIKE '%…'`.
    LeadingWildcard,
    /// A long list of values.
    LongInList,
    /// `DISTINCT` over a join that multiplies rows.
    DistinctJoin,
}

/// Something that has to be true of the database for a text to have the same rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// The column is never null.
    NotNull {
        /// Where it is.
        relation: Relation,
        /// Its name.
        column: String,
    },
    /// The column has one of these types, as `format_type` says them without modifiers.
    Type {
        /// Where it is.
        relation: Relation,
        /// Its name.
        column: String,
        /// Any of them.
        types: &'static [&'static str],
    },
}

/// Another way to write a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rewrite {
    /// Which rule says so.
    pub rule: Rule,
    /// The part of the query that it is about.
    pub part: String,
    /// Why, and what to do where there is no text.
    pub why: String,
    /// The query written differently; `None`: a person has to decide.
    pub text: Option<String>,
    /// What has to be true for the text to have the same rows.
    pub needs: Vec<Need>,
}

type Find = fn(&tree::SelectStmt) -> Option<Rewrite>;

const RULES: &[Find] = &[
    not_in::find,
    scalar_join::find,
    or_union::find,
    function_range::find,
    cast_on_column::find,
    distinct_exists::find,
    count_exists::find,
    in_list::find,
    offset::find,
    wildcard::find,
    select_star::find,
];

/// What could be written differently in a text with one query; nothing for everything else.
#[must_use]
pub fn rewrites(sql: &str) -> Vec<Rewrite> {
    let Some(statements) = parse(sql) else { return Vec::new() };
    let [NodeEnum::SelectStmt(select)] = statements.as_slice() else { return Vec::new() };
    RULES.iter().filter_map(|rule| rule(select)).collect()
}

#[cfg(test)]
mod tests;
