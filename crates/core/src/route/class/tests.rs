//! What the catalog and the overrides make of statements, by table. What the text alone says is in the corpus of statements.

use howdah_sql::{Analyses, Fingerprint};

use super::*;
use crate::rules::{Pattern, TableName};

/// Relations 1 to 9, functions from 101 on, as their names say.
fn catalog() -> Catalog {
    let mut builder = Builder::default();
    for (id, name, kind) in [
        (1, "orders", Kind::Plain),
        (2, "recent", Kind::Plain),
        (3, "audited", Kind::Plain),
        (4, "audited_again", Kind::Plain),
        (5, "scratch", Kind::Unlogged),
        (6, "abroad", Kind::Foreign),
        (7, "ids", Kind::Sequence),
        (8, "parted", Kind::Plain),
    ] {
        builder.relation(id, Name::new("app", name), kind);
    }
    builder.relation(9, Name::new("pg_catalog", "pg_class"), Kind::Plain);
    for (id, schema, name, volatile, unary) in [
        (101, "app", "tax", false, false),
        (102, "app", "audit", true, true),
        (103, "app", "lower", true, false),
        (104, "other", "tax", true, false),
        (105, "pg_catalog", "random", true, false),
        (106, "pg_catalog", "pg_is_in_recovery", true, false),
        (107, "pg_catalog", "new_in_19", false, false),
        (108, "app", "same", true, false),
        (109, "app", "check_mail", true, false),
    ] {
        builder.function(id, Name::new(schema, name), volatile, unary);
    }
    builder.reads(2, 1);
    builder.reads(3, 2);
    builder.calls(3, 102);
    builder.calls(2, 105);
    builder.reads(4, 3);
    builder.reads(8, 5);
    builder.reads(8, 1);
    builder.operator("===", 108);
    builder.operator("~~~", 101);
    builder.type_check("mail", 109);
    builder.build()
}

fn judged(sql: &str, catalog: &Catalog, overrides: &[Override]) -> (Safety, Option<String>) {
    let analysis = Analyses::new(10).analyse(sql.as_bytes());
    let overrides = Overrides::new(overrides.to_vec());
    let judgement = judge(&analysis, catalog, &overrides);
    assert_eq!(safety(&analysis, catalog, &overrides), judgement.safety);
    (judgement.safety, judgement.subject)
}

fn check(catalog: &Catalog, overrides: &[Override], rows: &[(&str, &str)]) {
    for (sql, expected) in rows {
        let said = match judged(sql, catalog, overrides) {
            (Safety::Replica, None) => "replica".to_owned(),
            (Safety::Replica, Some(subject)) => format!("replica {subject}"),
            (Safety::Primary(reason), None) => reason.word().to_owned(),
            (Safety::Primary(reason), Some(subject)) => format!("{} {subject}", reason.word()),
        };
        assert_eq!(said, *expected, "{sql}");
    }
}

#[test]
fn functions_and_tables_are_looked_up_with_all_that_they_bring() {
    check(
        &catalog(),
        &[],
        &[
            ("select * from orders", "replica"),
            ("select * from app.orders o join recent using (id)", "replica"),
            ("select * from other.orders", "unknown-table other.orders"),
            ("select * from audited", "volatile-function app.audit"),
            ("select * from audited_again", "volatile-function app.audit"),
            ("select * from scratch", "unlogged app.scratch"),
            ("select * from parted", "unlogged app.scratch"),
            ("select * from abroad", "foreign-table app.abroad"),
            ("select last_value from ids", "sequence app.ids"),
            ("select * from pg_class, pg_catalog.pg_class", "replica"),
            ("with new as (select 1) select * from new", "replica"),
            ("with audited as (select 1) select * from audited", "volatile-function app.audit"),
            ("with q as (select 1) select * from app.q", "unknown-table app.q"),
            ("select app.tax(1)", "replica"),
            ("select tax(1)", "volatile-function other.tax"),
            ("select other.tax(1)", "volatile-function other.tax"),
            ("select lower('x')", "volatile-function app.lower"),
            ("select pg_catalog.lower('x'), upper('x'), new_in_19()", "replica"),
            ("select pg_catalog.nothing()", "unknown-function pg_catalog.nothing"),
            ("select o.audit from orders o", "volatile-function app.audit"),
            ("select o.tax from orders o", "replica"),
            ("select a === b from orders", "volatile-function app.same"),
            ("select a ~~~ b from orders", "replica"),
            ("select 'x'::app.mail", "volatile-function app.check_mail"),
            ("select pg_temp.f()", "temporary pg_temp.f"),
            ("select * from pg_temp.t", "temporary pg_temp.t"),
        ],
    );
}

#[test]
fn without_a_catalog_only_what_is_built_in_is_known() {
    check(
        &Catalog::default(),
        &[],
        &[
            ("select 1", "replica"),
            ("select lower('x'), now()", "replica"),
            ("select * from pg_catalog.pg_class", "replica"),
            ("select * from information_schema.tables", "replica"),
            ("select * from orders", "no-catalog orders"),
            ("select app.tax(1)", "no-catalog app.tax"),
            ("select nextval('x')", "sequence nextval"),
            ("delete from orders", "write"),
        ],
    );
}

#[test]
fn functions_that_are_called_without_a_word_count_for_every_statement() {
    let mut builder = Builder::default();
    builder.function(1, Name::new("app", "compare"), true, false);
    builder.operator("<", 1);
    check(&builder.build(), &[], &[("select 1", "volatile-function app.compare")]);
}

#[test]
fn what_is_certain_counts_more_than_a_doubt() {
    check(
        &catalog(),
        &[],
        &[
            ("select audit(1), nextval('ids')", "sequence nextval"),
            ("insert into nowhere values (audit(1))", "write"),
        ],
    );
}

#[test]
fn of_too_large_a_catalog_nothing_is_known() {
    let mut builder = Builder::default();
    for id in 0..=u32::try_from(crate::limits::CATALOG_FUNCTIONS).unwrap() {
        builder.function(id, Name::new("app", &id.to_string()), false, false);
    }
    assert!(!builder.build().is_known());
}

#[test]
fn a_part_that_is_not_known_makes_the_whole_unknown() {
    let mut builder = Builder::default();
    builder.relation(1, Name::new("app", "view"), Kind::Plain);
    builder.reads(1, 77);
    check(&builder.build(), &[], &[("select * from view", "unknown-table .77")]);
}

fn to(to: Destination, subject: Subject) -> Override {
    Override { name: "said".to_owned(), subject, to }
}

fn names(all: &[&str]) -> Vec<TableName> {
    all.iter().map(|name| TableName::parse(name)).collect()
}

#[test]
fn functions_and_tables_that_are_said_to_be_harmless_are_believed() {
    let functions =
        Subject::Functions(names(&["app.audit", "nowhere", "pg_is_in_recovery", "nextval"]));
    check(
        &catalog(),
        &[to(Destination::Replica, functions)],
        &[
            ("select audit(1) from audited_again", "replica"),
            ("select nowhere(1), pg_is_in_recovery()", "replica"),
            ("select other.tax(1)", "volatile-function other.tax"),
            ("select nextval('ids')", "sequence nextval"),
        ],
    );
    let tables = Subject::Tables(names(&["abroad", "audited", "unseen", "scratch"]));
    check(
        &catalog(),
        &[to(Destination::Replica, tables)],
        &[
            ("select * from abroad, audited, unseen", "replica"),
            ("select * from audited_again", "volatile-function app.audit"),
        ],
    );
}

#[test]
fn what_is_said_to_need_the_primary_gets_it() {
    let only = |subject| [to(Destination::Primary, subject)];
    check(
        &catalog(),
        &only(Subject::Tables(names(&["app.orders"]))),
        &[
            ("select * from orders", "override said"),
            ("select * from other.orders", "unknown-table other.orders"),
            ("with orders as (select 1) select * from orders", "replica"),
        ],
    );
    check(
        &catalog(),
        &only(Subject::Functions(names(&["lower"]))),
        &[("select pg_catalog.lower('x')", "override said"), ("select upper('x')", "replica")],
    );
}

#[test]
fn statements_are_overridden_where_there_is_a_doubt_only() {
    let fingerprint = Analyses::new(1).analyse(b"select * from audited where id = 1").fingerprint;
    let replica =
        to(Destination::Replica, Subject::Fingerprints(vec![fingerprint, Fingerprint(7)]));
    check(
        &catalog(),
        &[replica],
        &[
            ("SELECT * FROM audited WHERE id = 2", "replica said"),
            ("select * from audited", "volatile-function app.audit"),
        ],
    );
    let pattern = |text: &str| Subject::Pattern(Pattern::new(text).unwrap());
    check(
        &catalog(),
        &[to(Destination::Replica, pattern("audit"))],
        &[
            ("select Audit(5)", "replica said"),
            ("delete from audited", "write"),
            ("select audit(1), nextval('ids')", "sequence nextval"),
        ],
    );
    let rows = [("select * from orders where id = 5", "override said"), ("select 1", "replica")];
    check(&catalog(), &[to(Destination::Primary, pattern("from orders where"))], &rows);
    // The first that fits counts.
    let both =
        [to(Destination::Replica, pattern("audit")), to(Destination::Primary, pattern("audit"))];
    check(&catalog(), &both, &[("select audit(1)", "replica said")]);
}

#[test]
fn every_reason_has_a_word_and_a_sentence_of_its_own() {
    let mut words: Vec<_> = UnsafeReason::ALL.iter().map(|(_, word, _)| *word).collect();
    for (reason, word, sentence) in UnsafeReason::ALL {
        assert_eq!((reason.word(), reason.sentence()), (word, sentence));
        assert!(sentence.len() > 10, "{word}");
    }
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), UnsafeReason::ALL.len());
}
