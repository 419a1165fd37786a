//! Indexes that nobody has used for long, on no node. Not those that enforce something: PostgreSQL does not count that as use.
//!
//! Invariant: silence of a node that was not asked is no evidence.

use crate::catalog::{Catalog, Index, Table};
use crate::{Evidence, Kind, Recommendation};

use super::{State, Words, days, impact_of, size, statements};

pub(super) fn find(state: &mut State<'_>) -> Vec<Recommendation> {
    let catalog = state.catalog;
    let Some(age) = catalog.statistics_age.filter(|age| *age >= state.options.unused_for) else {
        return Vec::new();
    };
    // More standbys than were asked: one of them may live on the index.
    if catalog.replicas.is_none_or(|replicas| replicas > catalog.replicas_asked) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (table, index) in state.usable() {
        let unused = usage(catalog, index) == 0
            && index.used_ago.is_none_or(|ago| ago >= state.options.unused_for)
            && !index.unique
            && !state.is_needed(index)
            // It does from now on what those did that are dropped for it.
            && !state.relied_on.contains_key(&index.oid)
            && !supports_foreign_key(catalog, table, index)
            && table_size(catalog, table) >= state.options.unused_from;
        if unused {
            state.dropped.insert(index.oid);
            found.push(state.drop_it(
                Kind::DropUnusedIndex,
                table,
                index,
                words(state, table, index, age),
            ));
        }
    }
    found
}

/// Scans and entries read, with those of its parts.
fn usage(catalog: &Catalog, index: &Index) -> u64 {
    let parts = catalog.indexes.iter().filter(|part| part.parent == Some(index.oid));
    parts.fold(index.scans.saturating_add(index.entries_read), |sum, part| {
        sum.saturating_add(usage(catalog, part))
    })
}

fn table_size(catalog: &Catalog, table: &Table) -> u64 {
    let parts = catalog.tables.iter().filter(|part| part.parent == Some(table.oid));
    parts.fold(table.bytes, |sum, part| sum.saturating_add(table_size(catalog, part)))
}

/// Its first keys are the columns of a foreign key, in whatever order: deletes in the other table need it, however rare they are.
fn supports_foreign_key(catalog: &Catalog, table: &Table, index: &Index) -> bool {
    catalog.foreign_keys.iter().any(|key| {
        key.table == index.table && super::foreign_key::is_supported_by(table, key, index)
    })
}

fn words(state: &State<'_>, table: &Table, index: &Index, age: f64) -> Words {
    let name = statements::quoted(&index.name);
    let nodes = match state.catalog.replicas_asked {
        0 => "the primary".to_owned(),
        1 => "the primary and its replica".to_owned(),
        many => format!("the primary and {many} replicas"),
    };
    let writes = table
        .activity
        .inserted
        .saturating_add(table.activity.updated)
        .saturating_add(table.activity.deleted);
    Words {
        title: format!("drop index {name}: nothing has used it for {}", days(age)),
        why: format!(
            "No statement has used {name} since statistics were reset, on {nodes}. It enforces nothing and supports no foreign key, and every write maintains it."
        ),
        evidence: vec![
            Evidence {
                what: format!("scans in {}, on {nodes}", days(age)),
                now: "0".to_owned(),
                then: String::new(),
                check: format!(
                    "SELECT idx_scan, idx_tup_read FROM pg_stat_all_indexes WHERE indexrelid = {}::regclass",
                    statements::text(&statements::name_of(index))
                ),
            },
            Evidence {
                what: format!(
                    "rows written to {} meanwhile",
                    statements::qualified(&table.schema, &table.name)
                ),
                now: writes.to_string(),
                then: String::new(),
                check: String::new(),
            },
        ],
        impact: impact_of(size(state.catalog, index)),
        confidence: 0.85,
        cautions: vec![
            "an index made less than that long ago has had less time to be used".to_owned(),
            "a replica that does not follow just now was not asked".to_owned(),
            "what happens once a year (a closing, an audit) may want it".to_owned(),
        ],
    }
}
