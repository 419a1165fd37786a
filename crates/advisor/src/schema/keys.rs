//! Tables without a key: a row cannot be named, nor found again by logical replication. Not partitions, whose parent has it or has not.
//!
//! Invariant: an empty table is left alone: it may be on its way.

use crate::catalog::{Catalog, TableKind};
use crate::hygiene::qualified;
use crate::{Impact, Kind, Recommendation};

use super::{advice, evidence};

pub(super) fn find(catalog: &Catalog) -> Vec<Recommendation> {
    let mut found = Vec::new();
    for table in &catalog.tables {
        let keyless = table.kind == TableKind::Table
            && table.parent.is_none()
            && table.activity.live >= 1_000
            && !catalog.indexes_of(table.oid).any(|index| index.unique || index.replica_identity);
        if !keyless {
            continue;
        }
        let name = qualified(&table.schema, &table.name);
        let title = format!("{name} has no key");
        let why = "Without a primary key or a unique index the same row can be there twice, no other table can refer to it, and logical replication refuses to update or delete its rows.".to_owned();
        let mut one = advice(Kind::Schema, name, "key", title, why);
        one.impact = Impact::Low;
        one.confidence = 0.6;
        one.evidence.push(evidence("rows", table.activity.live.to_string(), String::new()));
        one.cautions.push("a log that is only appended to may do without".to_owned());
        found.push(one);
    }
    found
}
