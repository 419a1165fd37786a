//! The corpus of labelled statements of routing: what is for the primary because of its text is never kept.
#![allow(clippy::expect_used, reason = "tests")]

const STATEMENTS: &str = include_str!("../../../tests/tests/e2e/routes/statements.txt");

/// Labels that a catalog alone can give: the names in them mean something else elsewhere.
const OF_CATALOG: [&str; 11] = [
    "replica",
    "volatile-function",
    "unknown-function",
    "unknown-table",
    "unlogged",
    "foreign-table",
    "node",
    "no-catalog",
    "sequence",
    "side-effect",
    "override",
];

#[test]
fn what_is_for_the_primary_by_its_text_is_never_kept() {
    let mut count = 0;
    for line in STATEMENTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (label, sql) = line.split_once(" | ").expect("label | statement");
        let label = label.trim_end_matches(['!', '?']);
        if OF_CATALOG.contains(&label) {
            continue;
        }
        // What calls functions of PostgreSQL's own is refused by the catalog, where they are not steady.
        let calls = howdah_sql::shape(sql).is_ok_and(|shape| !shape.uses.functions.is_empty());
        assert!(calls || howdah_sql::shape(sql).is_err(), "{label}: {sql}");
        count += 1;
    }
    assert!(count > 200, "{count}");
}
