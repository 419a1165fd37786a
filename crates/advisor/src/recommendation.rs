//! A recommendation: what to do, why, what it costs, how to take it back. The same value for every kind of advice, every surface
//! and the journal of what was applied. Not how it is found, and not how it is carried out.

use serde::{Deserialize, Serialize};

/// What a recommendation is about. The words are part of the interface (`--json`, API): they do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A new index.
    CreateIndex,
    /// An index that another one makes superfluous.
    DropRedundantIndex,
    /// An index that nobody uses.
    DropUnusedIndex,
    /// What a failed build left.
    DropInvalidIndex,
    /// An index far larger than its contents.
    RebuildIndex,
    /// Statistics are missing or old.
    Analyze,
    /// Statistics on several columns.
    ExtendedStatistics,
    /// A statement that would be better written differently.
    Rewrite,
    /// The same statement once for each row of another one.
    NPlusOne,
    /// A setting of the server or of a table.
    Setting,
    /// A definition: a type, a sequence, a replica identity.
    Schema,
    /// A materialized view for a repeated aggregation.
    MaterializedView,
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    /// Tidiness.
    Low,
    /// Worth an hour.
    Medium,
    /// Do it today.
    High,
}

/// One number or fact that a person can check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was looked at, in words: "cost of the statement, as PostgreSQL estimates it".
    pub what: String,
    /// As it is now.
    pub now: String,
    /// As it would be; empty when there is nothing to compare.
    pub then: String,
    /// How to see it oneself: a statement or a command; empty when `what` says it.
    pub check: String,
}

/// What applying it costs for as long as it stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Bytes on disk; negative when it frees some.
    pub bytes: i64,
    /// Share of the time of the table's writes that is added (0.1: a tenth longer); negative when it saves.
    pub writes: f64,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// Equal for equal advice, also tomorrow: made of its kind and what it does, never of numbers that change.
    pub id: String,
    /// What it is about.
    pub kind: Kind,
    /// What it concerns, as a person writes it: `public.orders`, or a statement's fingerprint.
    pub subject: String,
    /// One line.
    pub title: String,
    /// Why, in plain words.
    pub why: String,
    /// The numbers behind it.
    pub evidence: Vec<Evidence>,
    /// How much it matters.
    pub impact: Impact,
    /// How sure Howdah is, 0 to 1.
    pub confidence: f64,
    /// Share of the server's time that it saves, 0 to 1, where that can be estimated.
    pub saves: Option<f64>,
    /// What it costs.
    pub costs: Costs,
    /// Statements that carry it out, one after the other, each in a transaction of its own; empty when a person has to do it.
    pub apply: Vec<String>,
    /// Statements that take it back.
    pub undo: Vec<String>,
    /// Fingerprints of statements that it changes, most affected first.
    pub statements: Vec<String>,
    /// What to know before saying yes: locks, time, what is not certain.
    pub cautions: Vec<String>,
}

impl Recommendation {
    /// The id of advice of a kind that does this.
    #[must_use]
    pub fn id_of(kind: Kind, what: &str) -> String {
        // FNV-1a, 64 bits: ids have to be the same in every run and version.
        let start = 0xcbf2_9ce4_8422_2325_u64 ^ kind as u64;
        let hash = what
            .bytes()
            .fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        format!("{hash:016x}").chars().take(10).collect()
    }
}
