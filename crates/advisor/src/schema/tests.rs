//! Sequences, ages and settings of which it is known what should be said.

use super::{Maintenance, Sequence, Upkeep, look};
use crate::catalog::{Activity, Catalog, Table, TableKind};
use crate::{Impact, Recommendation};

fn sequence(type_name: &str, last: i64, end: i64, column: Option<&str>) -> Sequence {
    let column = column.map(|kind| ("public.t".to_owned(), "id".to_owned(), kind.to_owned()));
    Sequence {
        schema: "public".to_owned(),
        name: "s".to_owned(),
        type_name: type_name.to_owned(),
        last: Some(last),
        end,
        increment: 1,
        cycles: false,
        column,
    }
}

fn of(sequence: Sequence) -> Vec<Recommendation> {
    look(&Catalog::default(), &Upkeep { sequences: vec![sequence], ..Upkeep::default() })
}

const INTEGER: i64 = 2_147_483_647;

#[test]
fn the_nearer_end_of_sequence_and_column_counts() {
    let late = of(sequence("bigint", 2_000_000_000, i64::MAX, Some("integer")));
    assert_eq!((late[0].impact, late[0].apply.len()), (Impact::High, 0));
    assert!(late[0].cautions[0].contains("TYPE bigint"));
    let wide = of(sequence("integer", 1_600_000_000, INTEGER, Some("bigint")));
    assert_eq!(wide[0].impact, Impact::Medium);
    assert!(
        wide[0].cautions[0].contains("ALTER SEQUENCE public.s AS bigint"),
        "{:?}",
        wide[0].cautions
    );
    assert!(of(sequence("integer", 1_000_000_000, INTEGER, Some("integer"))).is_empty());
    assert!(of(sequence("bigint", 1_000_000_000_000, i64::MAX, Some("bigint"))).is_empty());
    assert!(
        of(Sequence { cycles: true, ..sequence("integer", INTEGER, INTEGER, None) }).is_empty()
    );
    assert!(of(Sequence { last: None, ..sequence("integer", 0, INTEGER, None) }).is_empty());
}

fn table(live: u64, dead: u64) -> Catalog {
    let activity = Activity { live, dead, analyzed_ago: Some(5.0), ..Activity::default() };
    let table = Table {
        oid: 7,
        schema: "public".to_owned(),
        name: "t".to_owned(),
        kind: TableKind::Table,
        parent: None,
        pages: 10,
        rows: Some(1.0),
        all_visible_pages: 0,
        bytes: 1,
        columns: Vec::new(),
        compared: Vec::new(),
        activity,
    };
    // A partition of something: then it needs no key of its own.
    Catalog { tables: vec![Table { parent: Some(1), ..table }], ..Catalog::default() }
}

fn upkeep(age: u64, options: &[&str]) -> Upkeep {
    let options = options.iter().map(|&option| option.to_owned()).collect();
    Upkeep {
        tables: vec![Maintenance { oid: 7, age, multixact_age: 0, options }],
        freeze_max_age: 200_000_000,
        vacuum_scale_factor: 0.2,
        autovacuum: true,
        ..Upkeep::default()
    }
}

#[test]
fn tables_that_are_not_kept_up_are_named() {
    let applied = |catalog: &Catalog, upkeep: &Upkeep| -> Vec<String> {
        look(catalog, upkeep).into_iter().flat_map(|advice| advice.apply).collect()
    };
    assert_eq!(applied(&table(10, 0), &upkeep(210_000_000, &[])), Vec::<String>::new());
    let old = look(&table(10, 0), &upkeep(300_000_000, &[]));
    assert!(
        old[0].apply.is_empty() && old[0].cautions[0].contains("VACUUM (FREEZE, VERBOSE) public.t"),
        "{old:?}"
    );
    assert_eq!(look(&table(10, 0), &upkeep(1_200_000_000, &[]))[0].impact, Impact::High);
    assert_eq!(
        applied(&table(100_000, 60_000), &upkeep(9, &["autovacuum_enabled=false"])),
        ["ALTER TABLE public.t SET (autovacuum_enabled = true)"]
    );
    assert_eq!(applied(&table(100_000, 60_000), &upkeep(9, &[])), Vec::<String>::new());
    assert_eq!(
        applied(&table(20_000_000, 3_000_000), &upkeep(9, &[])),
        ["ALTER TABLE public.t SET (autovacuum_vacuum_scale_factor = 0.02)"]
    );
    assert_eq!(
        applied(&table(20_000_000, 3_000_000), &upkeep(9, &["autovacuum_vacuum_scale_factor=0.1"])),
        Vec::<String>::new()
    );
}
