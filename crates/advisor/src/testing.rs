//! Values for tests of this crate. Not for anybody else.

use crate::catalog::{Activity, Column, Index, Table, TableKind};

/// A table `t` of four integer columns, `a` to `d`, each with a tenth as many values as the one before.
pub(crate) fn table(rows: f64) -> Table {
    let column = |(number, name): (i16, &str)| Column {
        number,
        name: name.to_owned(),
        type_name: "integer".to_owned(),
        type_oid: 23,
        type_length: 4,
        alignment: 4,
        width: Some(4.0),
        distinct: Some(rows / 10.0_f64.powi(i32::from(number))),
        nulls: Some(0.0),
        ..Column::default()
    };
    Table {
        oid: 1,
        schema: "public".to_owned(),
        name: "t".to_owned(),
        kind: TableKind::Table,
        parent: None,
        pages: 10_000,
        rows: Some(rows),
        all_visible_pages: 10_000,
        bytes: 81_920_000,
        columns: [(1, "a"), (2, "b"), (3, "c"), (4, "d")].into_iter().map(column).collect(),
        compared: Vec::new(),
        activity: Activity::default(),
    }
}

/// An ordinary index without keys.
pub(crate) fn index(table: u32, name: &str) -> Index {
    Index {
        oid: 100,
        table,
        schema: "public".to_owned(),
        name: name.to_owned(),
        method: "btree".to_owned(),
        keys: Vec::new(),
        included: Vec::new(),
        predicate: None,
        unique: false,
        nulls_not_distinct: false,
        primary: false,
        exclusion: false,
        constraint: None,
        deferrable: false,
        replica_identity: false,
        clustered: false,
        valid: true,
        ready: true,
        building: false,
        parent: None,
        bytes: 0,
        rows: None,
        definition: String::new(),
        scans: 0,
        entries_read: 0,
        used_ago: None,
        comment: None,
        tablespace: None,
    }
}
