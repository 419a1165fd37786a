//! What is wrong with the indexes that there are, and which one is missing below a foreign key. One rule a file, each a function of the
//! catalog. Not here: what new indexes would make statements faster.
//!
//! Invariant: an index that enforces something, identifies rows for replication, belongs to a constraint, supports a foreign key without another one that
//! does, or is being built is never called superfluous; and no two findings rely on each other: what one says to drop is never why another may go.

mod bloated;
mod duplicate;
mod foreign_key;
mod invalid;
mod redundant;
mod same;
mod statements;
mod unused;

use std::collections::{HashMap, HashSet};

use crate::catalog::{Catalog, Index, Table, TableKind};
pub(crate) use statements::{qualified, quoted, text};

use crate::{Costs, Evidence, Impact, Kind, Recommendation};

/// What counts as enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Seconds of statistics without a scan before an index is called unused.
    pub unused_for: f64,
    /// Bytes of a table below which its indexes are never called unused: PostgreSQL rightly reads such a table as a whole.
    pub unused_from: u64,
    /// Bytes that a rebuild has to give back.
    pub bloat_from: u64,
    /// Share of an index that a rebuild has to give back.
    pub bloat_share: f64,
    /// Rows below which a table needs no index under a foreign key.
    pub foreign_key_from: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // A month, with its end in it.
            unused_for: 31.0 * 86_400.0,
            unused_from: 1024 * 1024,
            bloat_from: 100 * 1024 * 1024,
            bloat_share: 0.4,
            foreign_key_from: 1_000.0,
        }
    }
}

/// All findings about indexes, most important first.
#[must_use]
pub fn look(catalog: &Catalog, options: &Options) -> Vec<Recommendation> {
    let mut state = State { catalog, options, dropped: HashSet::new(), relied_on: HashMap::new() };
    let mut found = invalid::find(&mut state);
    found.extend(duplicate::find(&mut state));
    found.extend(redundant::find(&mut state));
    found.extend(unused::find(&mut state));
    found.extend(bloated::find(&state));
    found.extend(foreign_key::find(&state));
    found.sort_by(|a, b| b.impact.cmp(&a.impact).then_with(|| a.title.cmp(&b.title)));
    found
}

/// What the rules look at, and what those before have said.
struct State<'a> {
    catalog: &'a Catalog,
    options: &'a Options,
    /// Indexes that some rule says to drop.
    dropped: HashSet<u32>,
    /// Indexes that take over from dropped ones, and from which.
    relied_on: HashMap<u32, Vec<u32>>,
}

impl<'a> State<'a> {
    /// Usable indexes of ordinary tables and of materialized views that no rule has said to drop, with their tables. Parts of a partitioned index come
    /// and go with it.
    fn usable(&self) -> Vec<(&'a Table, &'a Index)> {
        let catalog = self.catalog;
        let mut found = Vec::new();
        for index in &catalog.indexes {
            let usable = index.valid && index.ready && !index.building && index.parent.is_none();
            let Some(table) = catalog.table(index.table) else { continue };
            if usable && !self.dropped.contains(&index.oid) {
                found.push((table, index));
            }
        }
        found
    }

    /// Notes that an index goes because another one does what it did.
    fn replace(&mut self, dropped: &Index, by: &Index) {
        self.dropped.insert(dropped.oid);
        self.relied_on.entry(by.oid).or_default().push(dropped.oid);
    }

    /// Something other than a plan relies on this very index: a constraint of its own, replication, a foreign key that refers to its columns.
    fn is_needed(&self, index: &Index) -> bool {
        index.primary
            || index.exclusion
            || index.constraint.is_some()
            || index.replica_identity
            || self.catalog.foreign_keys.iter().any(|key| key.relies_on == index.oid)
    }

    /// Advice to drop an index.
    fn drop_it(&self, kind: Kind, table: &Table, index: &Index, words: Words) -> Recommendation {
        let name = statements::name_of(index);
        let partitioned = table.kind == TableKind::Partitioned;
        let mut cautions = words.cautions;
        if partitioned {
            cautions.push(format!(
                "an index of a partitioned table cannot be dropped concurrently: DROP INDEX {name} waits for, and then holds off, everybody who uses the table"
            ));
        } else {
            cautions
                .push("waits for transactions that use the table; nobody waits for it".to_owned());
        }
        let frees = if kind == Kind::DropInvalidIndex {
            "is not used by statements"
        } else {
            "goes on costing"
        };
        let mut evidence = vec![Evidence {
            what: format!("size of the index, which {frees} with every write"),
            now: bytes(size(self.catalog, index)),
            then: bytes(0),
            check: format!("SELECT pg_size_pretty(pg_relation_size({}))", text(&name)),
        }];
        evidence.extend(words.evidence);
        Recommendation {
            id: Recommendation::id_of(kind, &format!("{}.{}", index.schema, index.name)),
            kind,
            subject: qualified(&table.schema, &table.name),
            title: words.title,
            why: words.why,
            evidence,
            impact: words.impact,
            confidence: words.confidence,
            saves: None,
            costs: Costs {
                bytes: -signed(size(self.catalog, index)),
                writes: crate::writes::relief(self.catalog, table, index),
            },
            apply: if partitioned {
                Vec::new()
            } else {
                vec![statements::drop_concurrently(index)]
            },
            undo: if partitioned { Vec::new() } else { statements::create_again(table, index) },
            statements: Vec::new(),
            cautions,
        }
    }
}

/// What a rule says in its own words.
struct Words {
    title: String,
    why: String,
    evidence: Vec<Evidence>,
    impact: Impact,
    confidence: f64,
    cautions: Vec<String>,
}

/// Bytes of an index with those of its parts.
fn size(catalog: &Catalog, index: &Index) -> u64 {
    let parts = catalog.indexes.iter().filter(|part| part.parent == Some(index.oid));
    parts.fold(index.bytes, |sum, part| sum.saturating_add(size(catalog, part)))
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// How much freed bytes matter.
const fn impact_of(bytes: u64) -> Impact {
    match bytes {
        0..0x400_0000 => Impact::Low,
        0x400_0000..0x1_0000_0000 => Impact::Medium,
        _ => Impact::High,
    }
}

/// Bytes for people.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = count;
    let mut unit = 0_usize;
    while value >= 10 * 1024 && unit + 1 < UNITS.len() {
        value = value.saturating_add(512) / 1024;
        unit += 1;
    }
    format!("{value} {}", UNITS.get(unit).unwrap_or(&"bytes"))
}

/// Seconds for people, in days.
fn days(seconds: f64) -> String {
    match seconds {
        few if few < 120.0 => format!("{few:.0} seconds"),
        some if some < 7_200.0 => format!("{:.0} minutes", (some / 60.0).floor()),
        some if some < 2.0 * 86_400.0 => format!("{:.0} hours", (some / 3_600.0).floor()),
        many => format!("{:.0} days", (many / 86_400.0).floor()),
    }
}
