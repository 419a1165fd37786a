//! Names that texts use, and what they do beside calling functions, by table.
#![allow(clippy::unwrap_used, reason = "tests")]

use howdah_sql::{Act, Analyses, Details, Uses};

fn details(sql: &str) -> Details {
    Analyses::new(10).analyse(sql.as_bytes()).details.clone().unwrap()
}

/// Functions, operators, types, fields and queries, each as `a b`.
fn names(sql: &str) -> [String; 5] {
    let Uses { functions, operators, types, fields, queries, more } = details(sql).uses;
    assert!(!more, "{sql}");
    let functions = functions.iter().map(|function| match &function.schema {
        Some(schema) => format!("{schema}.{}", function.name),
        None => function.name.to_string(),
    });
    let list = |names: Box<[Box<str>]>| names.join(" ");
    let functions = functions.collect::<Vec<_>>().join(" ");
    [functions, list(operators), list(types), list(fields), list(queries)]
}

#[test]
fn names_are_told_wherever_they_stand() {
    for (sql, expected) in [
        ("select F(1), app.\"G\"(2), f(3)", ["f app.G", "", "", "", ""]),
        ("select d.s.f(1)", ["s.f", "", "", "", ""]),
        ("select 1 from t where a === 1 or b operator(app.+) 2 > 3", ["", "=== > +", "", "", ""]),
        ("select a from t where b in (1, 2) and c = any (d)", ["", "=", "", "", ""]),
        ("select a from t order by b using <<<", ["", "<<<", "", "", ""]),
        (
            "select a::app.money2, cast(b as integer), interval '1 day', 'x'::text",
            ["", "", "money2 text", "", ""],
        ),
        ("select * from f() as t (a app.t2, b int)", ["f", "", "t2", "", ""]),
        ("select t.a, s.t.b, (t).c, (f(t)).d.e, t.* from t", ["f", "", "", "a b c d e", ""]),
        ("select a[b.c], a[1].d from b", ["", "", "", "c d", ""]),
        ("with q as (select 1), r as (table q) select * from q, r", ["", "", "", "", "q r"]),
        ("explain select f(1)", ["f", "", "", "", ""]),
        ("select f(1); select g(2)", ["f g", "", "", "", ""]),
    ] {
        assert_eq!(names(sql), expected, "{sql}");
    }
}

#[test]
fn more_names_than_are_remembered_are_told_of() {
    let many = |count: usize| {
        let calls: Vec<_> = (0..count).map(|number| format!("f{number}()")).collect();
        details(&format!("select {}", calls.join(", "))).uses
    };
    assert!(!many(256).more);
    assert!(many(257).more);
    assert_eq!(many(257).functions.len(), 256);
    let fields: Vec<_> = (0..300).map(|number| format!("t.f{number}")).collect();
    assert!(details(&format!("select {} from t", fields.join(", "))).uses.more);
}

#[test]
fn acts_are_told_of_statements_and_of_what_they_hold() {
    use Act::*;
    for (sql, expected) in [
        ("select 1", &[][..]),
        ("", &[]),
        ("explain select 1", &[]),
        ("copy t to stdout", &[]),
        ("copy (select 1) to stdout", &[]),
        ("select f(1)", &[]),
        ("insert into t values (1)", &[ChangesData]),
        ("explain delete from t", &[ChangesData]),
        ("copy (delete from t returning 1) to stdout", &[ChangesData]),
        ("with x as (update t set a = 1) select 1", &[ChangesData]),
        ("select 1 for update", &[Locks]),
        ("lock t", &[Locks]),
        ("select 1 into t", &[Defines]),
        ("create table t as select 1", &[Defines]),
        ("explain create table t as select 1", &[Defines]),
        ("create table t (a int)", &[Defines]),
        ("comment on table t is 'x'", &[Defines]),
        ("vacuum t", &[Maintains]),
        ("refresh materialized view t", &[Maintains]),
        ("checkpoint", &[Maintains]),
        ("begin", &[Transaction]),
        ("prepare transaction 'x'", &[Transaction]),
        ("set a.b = 1", &[Session]),
        ("prepare p as select 1", &[Session]),
        ("listen x", &[Session]),
        ("show all", &[ShowsSetting]),
        ("notify x", &[Notifies]),
        ("copy t from stdin", &[CopiesIn]),
        ("copy t from '/x'", &[CopiesIn, ServerFile]),
        ("copy t to program 'x'", &[ServerFile]),
        ("declare c cursor for select 1", &[Cursor]),
        ("declare c cursor for select 1 for update", &[Locks, Cursor]),
        ("fetch c", &[Cursor]),
        ("execute p", &[Executes]),
        ("explain execute p", &[Executes]),
        ("do $$ $$", &[Procedure]),
        ("call p()", &[Procedure]),
        ("begin; select 1; commit", &[Transaction]),
        ("select 1; delete from t", &[ChangesData]),
    ] {
        assert_eq!(&*details(sql).acts, expected, "{sql}");
    }
}
