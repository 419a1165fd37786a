//! The corpus of labelled statements without any catalog: whatever is for the primary stays there.
#![allow(clippy::expect_used, reason = "tests")]

use howdah_core::route::class::{Catalog, Overrides, Safety, safety};
use howdah_sql::Analyses;

const STATEMENTS: &str = include_str!("../../../tests/tests/e2e/routes/statements.txt");

/// Label and text.
fn corpus() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = STATEMENTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        let (label, sql) = line.split_once(" | ").expect("label | statement");
        (label.trim_end_matches(['!', '?']), sql)
    })
}

/// The word of what is said of a text.
fn said(sql: &str) -> &'static str {
    let analysis = Analyses::new(10).analyse(sql.as_bytes());
    match safety(&analysis, &Catalog::default(), &Overrides::default()) {
        Safety::Replica => "replica",
        Safety::Primary(reason) => reason.word(),
    }
}

#[test]
fn what_is_for_the_primary_is_so_without_a_catalog() {
    let mut count = 0;
    // These can only be found in a catalog: the first shadows a built-in function, the others are made of built-in types alone.
    let unseen = ["SELECT upper('x')"];
    let of_catalog =
        |sql: &str| unseen.contains(&sql) || sql.contains("####") || sql.contains("mail");
    for (label, sql) in corpus().filter(|(label, sql)| *label != "replica" && !of_catalog(sql)) {
        assert_ne!(said(sql), "replica", "{label}: {sql}");
        count += 1;
    }
    assert!(count > 300, "{count}");
}

#[test]
fn what_the_text_alone_tells_needs_no_catalog() {
    let told = [
        "unparsed",
        "transaction",
        "session",
        "setting",
        "write",
        "lock",
        "definition",
        "maintenance",
        "copy-in",
        "server-file",
        "cursor",
        "execute",
        "procedure",
        "notification",
        "advisory-lock",
        "large-object",
        "transaction-id",
        "side-effect",
    ];
    for (label, sql) in corpus().filter(|(label, _)| told.contains(label)) {
        assert_eq!(said(sql), label, "{sql}");
    }
}

#[test]
fn a_statement_of_any_bytes_is_judged() {
    for (_, sql) in corpus() {
        let half = sql.len() / 2;
        let half = (half..sql.len()).find(|at| sql.is_char_boundary(*at)).unwrap_or(0);
        let (front, back) = sql.split_at(half);
        for text in [front, back, &format!("{back}{front}"), &sql.replace(' ', "\0")] {
            said(text);
        }
    }
}
