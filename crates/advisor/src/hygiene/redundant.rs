//! Indexes whose keys are the first ones of another index, which can do all that they do. Not for unique ones: fewer columns promise more.
//!
//! Invariant: the index that stays is no partial one unless both have the same condition, and it has every column that the other one stores.

use crate::catalog::{Index, Table};
use crate::{Evidence, Impact, Kind, Recommendation};

use super::{State, Words, bytes, impact_of, same, size, statements};

/// From this many times the size on, scans of the longer index alone may be felt.
const MUCH_LARGER: u64 = 3;

pub(super) fn find(state: &mut State<'_>) -> Vec<Recommendation> {
    let mut found = Vec::new();
    let mut candidates = state.usable();
    // Short ones first: what makes them superfluous may be superfluous beside a longer one, and then that one is named.
    candidates.sort_by_key(|(_, index)| (index.keys.len(), index.included.len(), index.oid));
    for (table, index) in &candidates {
        if index.unique || state.is_needed(index) {
            continue;
        }
        let covering = candidates
            .iter()
            .filter(|(_, other)| {
                other.oid != index.oid
                    && !state.dropped.contains(&other.oid)
                    && covers(other, index)
            })
            .max_by_key(|(_, other)| {
                (
                    state.is_needed(other),
                    other.keys.len(),
                    other.included.len(),
                    std::cmp::Reverse(other.bytes),
                    other.oid,
                )
            });
        if let Some((_, covering)) = covering {
            state.replace(index, covering);
            let words = words(state, table, index, covering);
            found.push(state.drop_it(Kind::DropRedundantIndex, table, index, words));
        }
    }
    found
}

fn covers(long: &Index, short: &Index) -> bool {
    long.table == short.table
        && long.method == "btree"
        && short.method == "btree"
        && (long.keys.len(), long.included.len()) > (short.keys.len(), short.included.len())
        && same::prefix(short, long).is_some()
        && same::stores_all_of(long, short)
        && long.predicate == short.predicate
}

fn words(state: &State<'_>, table: &Table, index: &Index, covering: &Index) -> Words {
    let (name, other) = (statements::quoted(&index.name), statements::quoted(&covering.name));
    let table_name = statements::qualified(&table.schema, &table.name);
    let (small, large) = (size(state.catalog, index), size(state.catalog, covering));
    let much = large > small.saturating_mul(MUCH_LARGER);
    let mut cautions = Vec::new();
    if much {
        cautions.push(format!(
            "{other} is {} times as large: statements that read long stretches of {name} alone become slower; look at their plans first",
            large.checked_div(small.max(1)).unwrap_or(0)
        ));
    }
    if same::prefix(index, covering) == Some(same::Order::Reversed) {
        cautions.push(format!(
            "{other} has the opposite direction: it is read backwards, which costs the same"
        ));
    }
    Words {
        title: format!("drop index {name}: {other} begins with the same keys"),
        why: format!(
            "Whatever statements look up in {name}, they can look up in {other}, whose first keys are the same. Each write of {table_name} maintains both."
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
                now: covering.definition.clone(),
                then: String::new(),
                check: String::new(),
            },
            Evidence {
                what: "bytes of an index that its statements read from".to_owned(),
                now: bytes(small),
                then: bytes(large),
                check: String::new(),
            },
        ],
        impact: if much { Impact::Low } else { impact_of(small) },
        confidence: if much { 0.7 } else { 0.9 },
        cautions,
    }
}
