//! What is wrong with definitions and upkeep: numbers that run out, transactions that are not frozen, rows that are not cleaned up, statistics that are missing. Not about indexes
//! (`hygiene`), and not about the settings of a whole server.
//!
//! Invariant: what changes how a table is stored is never a statement to carry out: a person chooses when.

mod freezing;
mod identity;
mod keys;
mod sequences;
mod statistics;
mod vacuum;

pub use identity::{Cached, Identity, identities};
use serde::{Deserialize, Serialize};

use crate::catalog::Catalog;
use crate::{Evidence, Impact, Kind, Recommendation};

/// What is to be known beside the catalog.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Upkeep {
    /// Sequences outside PostgreSQL's own schemas.
    pub sequences: Vec<Sequence>,
    /// Tables that have rows of their own.
    pub tables: Vec<Maintenance>,
    /// `autovacuum_freeze_max_age`: transactions after which PostgreSQL freezes a table without being asked.
    pub freeze_max_age: u64,
    /// `autovacuum_vacuum_scale_factor` of the server.
    pub vacuum_scale_factor: f64,
    /// `autovacuum`.
    pub autovacuum: bool,
}

/// A sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    /// Its schema, unquoted.
    pub schema: String,
    /// Its name, unquoted.
    pub name: String,
    /// `integer`, …
    pub type_name: String,
    /// The last value that was given; `None` when there is none, or nobody may know.
    pub last: Option<i64>,
    /// The last one that it gives.
    pub end: i64,
    /// What is added each time.
    pub increment: i64,
    /// It begins again at its end.
    pub cycles: bool,
    /// The column that it is for: table with schema as in a statement, column, type.
    pub column: Option<(String, String, String)>,
}

/// How a table is kept up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Maintenance {
    /// `pg_class.oid`.
    pub oid: u32,
    /// Transactions since its oldest one that is not frozen.
    pub age: u64,
    /// The same of groups of transactions that share a lock (`multixact`).
    pub multixact_age: u64,
    /// What it sets for itself: `autovacuum_enabled=false`.
    pub options: Vec<String>,
}

/// All findings, most important first.
#[must_use]
pub fn look(catalog: &Catalog, upkeep: &Upkeep) -> Vec<Recommendation> {
    let mut found = sequences::find(upkeep);
    found.extend(freezing::find(catalog, upkeep));
    found.extend(vacuum::find(catalog, upkeep));
    found.extend(statistics::find(catalog));
    found.extend(keys::find(catalog));
    found.sort_by(|a, b| b.impact.cmp(&a.impact).then_with(|| a.title.cmp(&b.title)));
    found
}

/// Advice with what all of these have alike.
fn advice(kind: Kind, subject: String, what: &str, title: String, why: String) -> Recommendation {
    Recommendation {
        id: Recommendation::id_of(kind, &format!("{what} {subject}")),
        kind,
        subject,
        title,
        why,
        evidence: Vec::new(),
        impact: Impact::Medium,
        confidence: 0.9,
        saves: None,
        costs: crate::Costs::default(),
        apply: Vec::new(),
        undo: Vec::new(),
        statements: Vec::new(),
        cautions: Vec::new(),
    }
}

fn evidence(what: &str, now: String, check: String) -> Evidence {
    Evidence { what: what.to_owned(), now, then: String::new(), check }
}

#[cfg(test)]
mod tests;
