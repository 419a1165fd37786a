//! Indexes that no statement may use because their build failed or was cut off, and that writes may maintain all the same. Not those that are
//! being built, and not those of partitioned tables, which wait for their parts.
//!
//! Invariant: a build that runs is never disturbed.

use crate::catalog::TableKind;
use crate::{Evidence, Impact, Kind, Recommendation};

use super::{State, Words, statements};

pub(super) fn find(state: &mut State<'_>) -> Vec<Recommendation> {
    let mut found = Vec::new();
    for index in &state.catalog.indexes {
        let Some(table) = state.catalog.table(index.table) else { continue };
        let left = !index.valid
            && !index.building
            && index.parent.is_none()
            && table.kind != TableKind::Partitioned;
        if !left || state.is_needed(index) {
            continue;
        }
        state.dropped.insert(index.oid);
        let name = statements::quoted(&index.name);
        let mut cautions = vec![format!(
            "if the index is wanted, make it anew after dropping this one; REINDEX INDEX CONCURRENTLY {} does both",
            statements::name_of(index)
        )];
        if index.unique && index.ready {
            cautions.push(
                "until it is dropped it refuses some duplicates in new rows, though not all"
                    .to_owned(),
            );
        }
        let words = Words {
            title: format!("drop index {name}: its build failed"),
            why: format!(
                "{name} is marked invalid and nobody is building it: PostgreSQL does not use it{}. That is what a failed or interrupted CREATE INDEX CONCURRENTLY or REINDEX CONCURRENTLY leaves.",
                if index.ready { ", but maintains it with every write" } else { "" }
            ),
            evidence: vec![Evidence {
                what: "valid".to_owned(),
                now: "no".to_owned(),
                then: String::new(),
                check: format!(
                    "SELECT indisvalid, indisready FROM pg_index WHERE indexrelid = {}::regclass",
                    statements::text(&statements::name_of(index))
                ),
            }],
            impact: Impact::Medium,
            confidence: 0.95,
            cautions,
        };
        found.push(state.drop_it(Kind::DropInvalidIndex, table, index, words));
    }
    found
}
