//! B-trees far larger than what is in them: deleted rows leave room that only keys nearby fill again. Not for partial indexes and expressions, of which no statistics tell the size,
//! and not below what a rebuild is worth.
//!
//! Invariant: without statistics of every column nothing is said: a guess about size would be a guess about waste.

use crate::catalog::{Catalog, Index, Table};
use crate::size::{self, Shape};
use crate::{Costs, Evidence, Impact, Kind, Recommendation};

use super::{State, bytes, signed, statements};

pub(super) fn find(state: &State<'_>) -> Vec<Recommendation> {
    let mut found = Vec::new();
    for (table, index) in state.usable() {
        let Some(built) = predicted(state.catalog, table, index) else { continue };
        let wasted = index.bytes.saturating_sub(built);
        if wasted >= state.options.bloat_from
            && share(wasted, index.bytes) > state.options.bloat_share
        {
            found.push(advice(table, index, built));
        }
    }
    found
}

/// Bytes of the index if it were built now. Statistics must not be old: rows that are gone would be counted.
fn predicted(catalog: &Catalog, table: &Table, index: &Index) -> Option<u64> {
    let options =
        ["fillfactor", "deduplicate_items"].iter().any(|option| index.definition.contains(option));
    // A collation of one's own may take different bytes for equal: then nothing is stored once.
    let collated = index
        .keys
        .iter()
        .all(|key| key.collation.is_empty() || key.collation.starts_with("pg_catalog."));
    if index.method != "btree"
        || index.predicate.is_some()
        || options
        || !collated
        || crate::plans::is_old(table)
    {
        return None;
    }
    let keys: Vec<i16> = index.keys.iter().map(|key| key.column).collect::<Option<_>>()?;
    let shape = Shape { keys: &keys, included: &index.included, unique: index.unique };
    size::bytes(catalog, table, shape)
}

#[allow(clippy::cast_precision_loss, reason = "a share of a few digits")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn advice(table: &Table, index: &Index, built: u64) -> Recommendation {
    let (name, full) = (statements::quoted(&index.name), statements::name_of(index));
    let wasted = index.bytes.saturating_sub(built);
    let percent = share(wasted, index.bytes) * 100.0;
    Recommendation {
        id: Recommendation::id_of(Kind::RebuildIndex, &full),
        kind: Kind::RebuildIndex,
        subject: statements::qualified(&table.schema, &table.name),
        title: format!("rebuild index {name}: {percent:.0} % of it is empty"),
        why: "Built anew it would be much smaller, by what statistics say of its columns: it takes memory and reads for room in which nothing is.".to_owned(),
        evidence: vec![
            Evidence {
                what: "size of the index, and as it would be built, about".to_owned(),
                now: bytes(index.bytes),
                then: bytes(built),
                check: format!("CREATE EXTENSION pgstattuple; SELECT avg_leaf_density FROM pgstatindex({})", statements::text(&full)),
            },
        ],
        impact: if wasted >= 0x1_0000_0000 { Impact::Medium } else { Impact::Low },
        confidence: 0.75,
        saves: None,
        costs: Costs { bytes: -signed(wasted), writes: 0.0 },
        apply: vec![format!("REINDEX INDEX CONCURRENTLY {full}")],
        undo: Vec::new(),
        statements: Vec::new(),
        cautions: vec![
            format!("needs {} more on disk while it runs; reads the table twice, and nobody waits for it", bytes(built)),
            "if it fails it leaves an index whose name ends with _ccnew, to be dropped".to_owned(),
            "there is nothing to take back: the index is the same".to_owned(),
        ],
    }
}
