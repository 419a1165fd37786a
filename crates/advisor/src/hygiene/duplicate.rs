//! Indexes that are the same as another one in all but name: same keys with operator classes, collations and directions, same condition, same
//! stored columns.
//!
//! Invariant: of those that are the same, the one on which something else relies stays.

use std::cmp::Reverse;

use crate::catalog::{Index, Table};
use crate::{Evidence, Kind, Recommendation};

use super::{State, Words, bytes, impact_of, same, size, statements};

pub(super) fn find(state: &mut State<'_>) -> Vec<Recommendation> {
    let mut found = Vec::new();
    let mut candidates = state.usable();
    // Who is worth keeping stands in front; ids decide between equals, so that tomorrow's advice is today's.
    candidates.sort_by_key(|(_, index)| {
        (
            Reverse(state.is_needed(index)),
            Reverse(index.unique),
            Reverse(index.clustered),
            Reverse(index.scans),
            index.oid,
        )
    });
    for (at, (table, index)) in candidates.iter().enumerate() {
        if state.is_needed(index) && !is_plain_constraint(state, index) {
            continue;
        }
        let keeper = candidates
            .iter()
            .take(at)
            .find(|(_, keeper)| !state.dropped.contains(&keeper.oid) && is_same(index, keeper));
        let Some((_, keeper)) = keeper else { continue };
        let needed = state.is_needed(index);
        if needed && keeper.constraint.is_none() {
            continue;
        }
        state.replace(index, keeper);
        let words = words(state, table, index, keeper);
        let mut advice = state.drop_it(Kind::DropRedundantIndex, table, index, words);
        if needed {
            by_hand(&mut advice, table, index);
        }
        found.push(advice);
    }
    found
}

/// The index of a `UNIQUE` constraint on which nothing else relies: said a second time, it promises nothing more.
fn is_plain_constraint(state: &State<'_>, index: &Index) -> bool {
    let catalog = state.catalog;
    index.constraint.is_some()
        && index.unique
        && !index.primary
        && !index.exclusion
        && !index.replica_identity
        && catalog.foreign_keys.iter().all(|key| key.relies_on != index.oid)
}

/// A constraint goes with an exclusive lock on the table: a person chooses when.
fn by_hand(advice: &mut Recommendation, table: &Table, index: &Index) {
    let constraint = statements::quoted(index.constraint.as_deref().unwrap_or_default());
    let table = statements::qualified(&table.schema, &table.name);
    advice.apply.clear();
    advice.undo.clear();
    advice.cautions = vec![format!(
        "belongs to a constraint: ALTER TABLE {table} DROP CONSTRAINT {constraint} drops both, and for a moment holds off everybody who uses the table"
    )];
}

fn is_same(index: &Index, keeper: &Index) -> bool {
    index.table == keeper.table
        && same::one_method(index, keeper)
        && index.keys.len() == keeper.keys.len()
        && same::prefix(index, keeper).is_some()
        && same::stores_all_of(keeper, index)
        && same::stores_all_of(index, keeper)
        && index.predicate == keeper.predicate
        && same::enforces_all_of(keeper, index)
}

fn words(state: &State<'_>, table: &Table, index: &Index, keeper: &Index) -> Words {
    let (name, kept) = (statements::quoted(&index.name), statements::quoted(&keeper.name));
    let table_name = statements::qualified(&table.schema, &table.name);
    Words {
        title: format!("drop index {name}: {kept} is the same"),
        why: format!(
            "{table_name} has two indexes with the same keys, condition and stored columns. PostgreSQL uses one of them at a time and writes both."
        ),
        evidence: vec![
            Evidence {
                what: "what goes".to_owned(),
                now: index.definition.clone(),
                then: String::new(),
                check: format!("\\d {table_name}"),
            },
            Evidence {
                what: "what stays".to_owned(),
                now: keeper.definition.clone(),
                then: String::new(),
                check: String::new(),
            },
            Evidence {
                what: "size of the one that stays".to_owned(),
                now: bytes(size(state.catalog, keeper)),
                then: String::new(),
                check: String::new(),
            },
        ],
        impact: impact_of(size(state.catalog, index)),
        confidence: 0.98,
        cautions: vec![],
    }
}
