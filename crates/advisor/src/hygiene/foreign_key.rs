//! Foreign keys without an index on the referring columns: each delete, and each change of a key, in the table that is referred to reads the whole
//! referring table. Not for small tables.
//!
//! Invariant: what is called missing would be found by PostgreSQL's own check, which compares every column with `=`.

use crate::catalog::{ForeignKey, Index, Table, TableKind};
use crate::{Costs, Evidence, Impact, Kind, Recommendation};

use super::{State, statements};

pub(super) fn find(state: &State<'_>) -> Vec<Recommendation> {
    let catalog = state.catalog;
    let mut found: Vec<Recommendation> = Vec::new();
    for key in &catalog.foreign_keys {
        let Some(table) = catalog.table(key.table) else { continue };
        let rows = rows(state, table);
        let supported = catalog.indexes_of(key.table).any(|index| {
            (index.valid || index.building)
                && !state.dropped.contains(&index.oid)
                && is_supported_by(table, key, index)
        });
        if supported || rows < state.options.foreign_key_from {
            continue;
        }
        let Some(advice) = advice(state, key, table, rows) else { continue };
        if found.iter().all(|other| other.id != advice.id) {
            found.push(advice);
        }
    }
    found
}

/// The index finds the rows that refer to a key: its first keys are the columns, in whatever order, and its condition leaves out nulls at most.
pub(super) fn is_supported_by(table: &Table, key: &ForeignKey, index: &Index) -> bool {
    let ordered = index.method == "btree" || (index.method == "hash" && key.columns.len() == 1);
    ordered
        && index.predicate.as_deref().is_none_or(|predicate| only_nulls(table, key, predicate))
        && index.keys.len() >= key.columns.len()
        && key.columns.iter().all(|column| {
            index.keys.iter().take(key.columns.len()).any(|first| first.column == Some(*column))
        })
}

/// A condition that holds for every row that refers to something: no column of the key is null.
fn only_nulls(table: &Table, key: &ForeignKey, predicate: &str) -> bool {
    let names = table.columns.iter().filter(|column| key.columns.contains(&column.number));
    let admitted: Vec<String> =
        names.map(|column| format!("{} IS NOT NULL", statements::quoted(&column.name))).collect();
    predicate.split(" AND ").all(|part| {
        let part = part.trim_start_matches('(').trim_end_matches(')');
        admitted.iter().any(|one| one == part)
    })
}

/// Rows of a table with its partitions.
fn rows(state: &State<'_>, table: &Table) -> f64 {
    let live = u32::try_from(table.activity.live).map_or(f64::MAX, f64::from);
    let parts = state.catalog.tables.iter().filter(|part| part.parent == Some(table.oid));
    let own = if table.kind == TableKind::Partitioned {
        0.0
    } else {
        table.rows.unwrap_or(0.0).max(live)
    };
    parts.fold(own, |sum, part| sum + rows(state, part))
}

fn advice(state: &State<'_>, key: &ForeignKey, table: &Table, rows: f64) -> Option<Recommendation> {
    let refers_to = state.catalog.table(key.refers_to)?;
    let mut columns = Vec::new();
    for number in &key.columns {
        columns.push(statements::quoted(
            &table.columns.iter().find(|column| column.number == *number)?.name,
        ));
    }
    let columns = columns.join(", ");
    let table_name = statements::qualified(&table.schema, &table.name);
    let other = statements::qualified(&refers_to.schema, &refers_to.name);
    let id = Recommendation::id_of(Kind::CreateIndex, &format!("{table_name} ({columns})"));
    let name = new_name(table, &id);
    let partitioned = table.kind == TableKind::Partitioned;
    let removed = refers_to.activity.deleted;
    let caution = if partitioned {
        "on a partitioned table: CREATE INDEX ON ONLY, then one CREATE INDEX CONCURRENTLY for each partition and ALTER INDEX … ATTACH PARTITION"
    } else {
        "reads the whole table twice and waits for transactions that use it; nobody waits for it"
    };
    Some(Recommendation {
        id,
        kind: Kind::CreateIndex,
        subject: table_name.clone(),
        title: format!(
            "index {table_name} ({columns}) for the foreign key {}",
            statements::quoted(&key.name)
        ),
        why: format!(
            "Each row that is deleted from {other}, or whose key changes, has to be looked for in {table_name}: without an index that reads all of it, while locks are held."
        ),
        evidence: vec![
            Evidence {
                what: format!("rows of {table_name}, about, that one delete in {other} reads"),
                now: format!("{rows:.0}"),
                then: "those that refer to it".to_owned(),
                check: format!("\\d {table_name}"),
            },
            Evidence {
                what: format!("rows deleted from {other} since statistics were reset"),
                now: removed.to_string(),
                then: String::new(),
                check: format!(
                    "SELECT n_tup_del FROM pg_stat_all_tables WHERE relid = {}::regclass",
                    statements::text(&other)
                ),
            },
        ],
        impact: match (removed > 0, rows >= 1e6) {
            (true, true) => Impact::High,
            (true, false) => Impact::Medium,
            (false, _) => Impact::Low,
        },
        confidence: if removed > 0 { 0.9 } else { 0.6 },
        saves: None,
        costs: Costs::default(),
        apply: if partitioned {
            Vec::new()
        } else {
            vec![format!("CREATE INDEX CONCURRENTLY {name} ON {table_name} ({columns})")]
        },
        undo: if partitioned {
            Vec::new()
        } else {
            vec![format!("DROP INDEX CONCURRENTLY {}.{name}", statements::quoted(&table.schema))]
        },
        statements: Vec::new(),
        cautions: vec![caution.to_owned()],
    })
}

/// A name that is ours, that nobody else has, and that PostgreSQL does not cut (63 bytes).
fn new_name(table: &Table, id: &str) -> String {
    let mut end = table.name.len().min(45);
    while !table.name.is_char_boundary(end) {
        end -= 1;
    }
    statements::quoted(&format!("howdah_{}_{id}", table.name.get(..end).unwrap_or_default()))
}
