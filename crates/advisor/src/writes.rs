//! What an index costs in writes: entries to make for rows that are inserted or changed, and updates that stop being cheap (HOT) because they
//! change one of its columns. In the units of the planner, from counts of the past.

use crate::candidate::{Candidate, Method};
use crate::catalog::{Catalog, Index, Table};
use crate::workload::{Access, Workload};

/// Cost of an entry: descending the tree (20 comparisons of 0.005), and a page that is not always in memory.
const PER_ENTRY: f64 = 20.0 * 0.005 + 4.0 * 0.1;
/// Share of updates that are HOT above which losing that counts.
const MOSTLY_HOT: f64 = 0.5;

/// What writes to a table cost more with an index.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Burden {
    /// Entries that would have been made since statistics were reset.
    pub entries: f64,
    /// Of these, entries in other indexes because updates would not have been HOT any more.
    pub lost_hot: f64,
    /// Rows written since then.
    pub written: f64,
    /// Entries that the existing indexes had to make.
    pub existing: f64,
}

impl Burden {
    /// By which share writes take longer; a row itself counts as two entries.
    #[must_use]
    pub fn share(&self) -> f64 {
        let now = self.written * 2.0 + self.existing;
        if now > 0.0 { self.entries / now } else { 0.0 }
    }
}

/// By which share of their time writes of a table gain when an index goes: minus what it had to be given. Zero where nothing was counted.
pub(crate) fn relief(catalog: &Catalog, table: &Table, index: &Index) -> f64 {
    let it = &table.activity;
    if !index.ready {
        return 0.0;
    }
    // A partial index gets an entry for some of the rows alone.
    let part = match (&index.predicate, index.rows, table.rows) {
        (Some(_), Some(own), Some(rows)) if rows > 0.0 => (own / rows).clamp(0.0, 1.0),
        _ => 1.0,
    };
    let moved = it.updated.saturating_sub(it.hot_updated) as f64;
    let entries = it.inserted as f64 + moved;
    let burden = Burden {
        entries: entries * part,
        lost_hot: 0.0,
        written: it.inserted as f64 + it.updated as f64 + it.deleted as f64,
        existing: entries * catalog.indexes_of(table.oid).count() as f64,
    };
    -burden.share()
}

/// What an index of these columns would have cost.
#[must_use]
pub fn burden(
    catalog: &Catalog,
    table: &Table,
    candidate: &Candidate,
    accesses: &[Access],
    workload: &Workload,
) -> Burden {
    let it = &table.activity;
    let (inserted, updated, hot, deleted) =
        (it.inserted as f64, it.updated as f64, it.hot_updated as f64, it.deleted as f64);
    let others = catalog.indexes_of(table.oid).count() as f64;
    let touched = touched_share(table.oid, candidate, accesses, workload);
    let moved = updated - hot;
    let mostly_hot = updated > 0.0 && hot / updated > MOSTLY_HOT;
    // Updates of its columns were HOT as often as all are: in the end the others make an entry each, too.
    let lost = if mostly_hot { hot * touched } else { 0.0 };
    // A part of the rows makes a part of the entries; a summary of pages hardly any.
    let share = match (&candidate.predicate, candidate.method) {
        (_, Method::Brin) => 0.1,
        (Some(predicate), Method::Btree) => predicate.share(table).unwrap_or(1.0),
        (None, Method::Btree) => 1.0,
    };
    let own = inserted + deleted * 0.2 + moved + lost.max((updated * touched - moved).max(0.0));
    Burden {
        entries: own * share + lost * others,
        lost_hot: lost * others,
        written: inserted + updated + deleted,
        existing: (inserted + moved) * others,
    }
}

/// The share of the updates of a table that set a column of the candidate, as far as the workload tells.
fn touched_share(
    table: u32,
    candidate: &Candidate,
    accesses: &[Access],
    workload: &Workload,
) -> f64 {
    let (mut all, mut touching) = (0.0, 0.0);
    for access in
        accesses.iter().filter(|it| it.table == table && it.changed && !it.sets.is_empty())
    {
        let Some(asked) = workload.statements.get(access.statement) else { continue };
        let calls = asked.calls.max(1.0);
        all += calls;
        if candidate.touched_by().any(|column| access.sets.contains(&column)) {
            touching += calls;
        }
    }
    if all > 0.0 { touching / all } else { 0.0 }
}

/// Whether a statement of the workload sets a column of the candidate.
#[must_use]
pub(crate) fn is_updated(candidate: &Candidate, accesses: &[Access]) -> bool {
    let touches = |it: &Access| candidate.touched_by().any(|column| it.sets.contains(&column));
    accesses.iter().any(|it| it.table == candidate.table && touches(it))
}

/// What writes cost more with each candidate, in the units of the workload; nothing where both cannot be compared.
pub(crate) fn charges(
    catalog: &Catalog,
    workload: &Workload,
    accesses: &[Access],
    candidates: &[Candidate],
) -> Vec<f64> {
    let charge = |candidate: &Candidate| {
        let (table, unit) = (catalog.table(candidate.table)?, workload.unit?);
        Some(burden(catalog, table, candidate, accesses, workload).entries * PER_ENTRY * unit)
    };
    candidates.iter().map(|it| charge(it).unwrap_or(0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Activity;
    use crate::testing;

    #[test]
    fn writes_gain_what_an_index_that_goes_was_given() {
        let mut table = testing::table(1_000.0);
        let one = testing::index(table.oid, "one");
        let indexes = vec![one.clone(), testing::index(table.oid, "two")];
        let catalog = Catalog { indexes, ..Catalog::default() };
        assert_eq!(relief(&catalog, &table, &one), 0.0, "nothing was counted");
        table.activity =
            Activity { inserted: 100, updated: 50, hot_updated: 50, ..Activity::default() };
        // 100 entries of 150 rows, each two entries' worth, and 200 entries.
        assert!((relief(&catalog, &table, &one) + 0.2).abs() < 1e-9);
        let partial = Index { predicate: Some("a > 1".into()), rows: Some(10.0), ..one.clone() };
        assert!((relief(&catalog, &table, &partial) + 0.002).abs() < 1e-9);
        let failed = Index { ready: false, ..one };
        assert_eq!(relief(&catalog, &table, &failed), 0.0, "writes do not maintain it");
    }
}
