//! Candidates for statements against a small catalog: what is proposed, and what is not.

use super::candidates;
use crate::catalog::{Catalog, Column, Comparison};
use crate::testing;
use crate::workload::{Asked, Workload, accesses};

/// The table `t`, of which `d` is a state with one rare value, `c` is null in most rows, `b` a text.
fn catalog() -> Catalog {
    let mut table = testing::table(1e6);
    let state = Column {
        distinct: Some(4.0),
        most_common: vec![
            ("done".to_owned(), 0.6),
            ("sent".to_owned(), 0.36),
            ("it's open".to_owned(), 0.02),
            ("new".to_owned(), 0.02),
        ],
        ..text(4, "d")
    };
    table.columns[1] = Column { distinct: Some(-1.0), ..text(2, "b") };
    table.columns[2].nulls = Some(0.7);
    table.columns[3] = state;
    Catalog { tables: vec![table], ..Catalog::default() }
}

fn text(number: i16, name: &str) -> Column {
    Column {
        number,
        name: name.to_owned(),
        type_name: "text".to_owned(),
        type_oid: 25,
        type_length: -1,
        alignment: 4,
        width: Some(8.0),
        nulls: Some(0.0),
        ..Column::default()
    }
}

/// What is proposed for a statement, as it is told to people.
fn proposed(catalog: &Catalog, sql: &str) -> Vec<String> {
    proposed_of(catalog, sql, None)
}

fn proposed_of(catalog: &Catalog, sql: &str, unit: Option<f64>) -> Vec<String> {
    let asked = Asked { sql: sql.to_owned(), fingerprint: String::new(), weight: 1.0, calls: 0.0 };
    let workload = Workload { statements: vec![asked], unit, ..Workload::default() };
    let all = candidates(catalog, &accesses(catalog, &workload));
    all.iter().map(|it| it.describe(&catalog.tables[0])).collect()
}

#[test]
fn a_rare_constant_in_the_text_makes_a_part_and_a_parameter_or_a_frequent_one_does_not() {
    let parts = |sql: &str| -> Vec<String> {
        proposed(&catalog(), sql).into_iter().filter(|it| it.contains("WHERE")).collect()
    };
    let rare = parts("SELECT a FROM t WHERE d = 'it''s open' AND a = $1");
    assert!(rare.contains(&"t (a) WHERE d = 'it''s open'".to_owned()), "{rare:?}");
    let alone = parts("SELECT count(*) FROM t WHERE d = 'new'");
    assert!(alone.iter().any(|it| it.starts_with("t (d) ")), "{alone:?}");
    for other in [
        "SELECT a FROM t WHERE d = $1 AND a = 3",
        "SELECT a FROM t WHERE d = 'sent' AND a = 3",
        "SELECT a FROM t WHERE d = 'unheard of'",
        "SELECT a FROM t WHERE d = 'new' OR a = 3",
        "SELECT a FROM t WHERE a = 3",
    ] {
        assert_eq!(parts(other), Vec::<String>::new(), "{other}");
    }
    // Of a counted form one example is known, and not whether all calls are like it.
    let example = proposed_of(&catalog(), "SELECT a FROM t WHERE d = 'new' AND a = 3", Some(1.0));
    assert!(example.iter().all(|it| !it.contains("WHERE")), "{example:?}");
}

#[test]
fn rows_with_or_without_a_value_make_a_part_that_is_as_large_as_they_are_many() {
    let catalog = catalog();
    let of = |sql: &str, wanted: &str| {
        let asked =
            Asked { sql: sql.to_owned(), fingerprint: String::new(), weight: 1.0, calls: 0.0 };
        let workload = Workload { statements: vec![asked], ..Workload::default() };
        let all = candidates(&catalog, &accesses(&catalog, &workload));
        let found = all.into_iter().find(|it| it.describe(&catalog.tables[0]) == wanted);
        found.unwrap().bytes as f64
    };
    let null = "SELECT b FROM t WHERE c IS NULL AND b = $1";
    let whole = of(null, "t (b)");
    let share = of(null, "t (b) WHERE c IS NULL") / whole;
    assert!((0.65..0.75).contains(&share), "{share}");
    let rest = of("SELECT b FROM t WHERE c IS NOT NULL AND b = $1", "t (b) WHERE c IS NOT NULL");
    assert!((0.25..0.35).contains(&(rest / whole)), "{}", rest / whole);
}

#[test]
fn rows_whose_columns_compare_as_the_statement_says_make_a_part_if_it_is_known_how_many_they_are() {
    let mut catalog = catalog();
    let sql = "SELECT b FROM t WHERE a = $1 AND d > c AND b <= c";
    let parts = |catalog: &Catalog, sql: &str| -> Vec<String> {
        proposed(catalog, sql).into_iter().filter(|it| it.contains("WHERE")).collect()
    };
    assert_eq!(parts(&catalog, sql), Vec::<String>::new());
    let below = |small, large, or_equal| Comparison { small, large, or_equal };
    catalog.tables[0].compared = vec![(vec![below(2, 3, true), below(3, 4, false)], 0.1)];
    let found = parts(&catalog, sql);
    let wanted = "t (a, b) WHERE b <= c AND c < d".to_owned();
    assert!(found.contains(&wanted), "{found:?}");
    for other in [
        "SELECT b FROM t WHERE a = $1 AND d > c",
        "SELECT b FROM t WHERE a = $1 AND (d > c OR b <= c)",
        "SELECT t.b FROM t, t AS u WHERE t.a = $1 AND u.d > t.c AND t.b <= u.c",
    ] {
        assert_eq!(parts(&catalog, other), Vec::<String>::new(), "{other}");
    }
    catalog.tables[0].compared[0].1 = 0.9;
    assert_eq!(parts(&catalog, sql), Vec::<String>::new());
}

#[test]
fn what_is_compared_without_its_case_is_indexed_so() {
    let all = proposed(&catalog(), "SELECT a FROM t WHERE lower(b) = $1");
    assert!(all.contains(&"t (lower(b))".to_owned()), "{all:?}");
    let all = proposed(&catalog(), "SELECT a FROM t WHERE upper(t.b) = 'X' AND a = 1");
    assert!(all.contains(&"t (upper(b), a)".to_owned()), "{all:?}");
    let all = proposed(&catalog(), "SELECT a FROM t WHERE lower(b) = d");
    assert!(!all.iter().any(|it| it.contains("lower")), "{all:?}");
}

#[test]
fn a_large_table_in_order_of_a_range_is_summarised() {
    let summarised = |correlation: f64, pages: u64, sql: &str| {
        let mut catalog = catalog();
        catalog.tables[0].pages = pages;
        catalog.tables[0].columns[0].correlation = Some(correlation);
        let all = proposed(&catalog, sql);
        all.contains(&"t (a) USING brin".to_owned())
    };
    let range = "SELECT count(*) FROM t WHERE a BETWEEN 1 AND 5";
    assert!(summarised(-0.99, 100_000, range));
    assert!(!summarised(0.9, 100_000, range));
    assert!(!summarised(0.99, 5_000, range));
    assert!(!summarised(0.99, 100_000, "SELECT count(*) FROM t WHERE a = 5"));
}
