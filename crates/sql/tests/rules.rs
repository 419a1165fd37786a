//! What rules about statements ask: tables, conditions that bound nothing, signs of injection. By table, with what must not be
//! taken for something beside what must be found.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use howdah_sql::Class::{self, Copy, Ddl, Other, Read, SessionState, TransactionControl, Write};
use howdah_sql::{Analyses, Analysis, Details, Signal, injection_signals, normal_text};

fn analyse(sql: &str) -> std::sync::Arc<Analysis> {
    Analyses::new(100).analyse(sql.as_bytes())
}

#[track_caller]
fn details(sql: &str) -> Details {
    analyse(sql).details.clone().unwrap_or_else(|| panic!("nothing is known of {sql}"))
}

#[test]
fn an_update_or_delete_is_unbounded_when_no_column_need_be_looked_at() {
    for sql in [
        "DELETE FROM t",
        "delete from only t",
        "UPDATE t SET a = 1",
        "UPDATE t SET a = b WHERE true",
        "DELETE FROM t WHERE 1=1",
        "DELETE FROM t WHERE 'a' = 'a' AND $1 = $2",
        "DELETE FROM t WHERE id = 5 OR 1 = 1",
        "DELETE FROM t WHERE id = 5 OR (a = 2 OR true)",
        "DELETE FROM t WHERE NOT false",
        "DELETE FROM t WHERE random() < 0.5",
        "DELETE FROM t USING u",
        "DELETE FROM t RETURNING *",
        "/* x */ DeLeTe /* y */ FROM -- z\n t",
        "DELETE FROM U&\"\\0074\"",
        "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d",
        "WITH d AS (SELECT 1), e AS (UPDATE t SET a = 1 RETURNING 1) INSERT INTO u SELECT * FROM e",
        "WITH o AS (DELETE FROM t) UPDATE u SET a = 1 WHERE id = 1",
        "PREPARE p AS DELETE FROM t",
        "EXPLAIN ANALYZE DELETE FROM t",
        "COPY (DELETE FROM t RETURNING *) TO STDOUT",
        "SELECT 1; DELETE FROM t",
    ] {
        assert!(details(sql).unbounded, "{sql}");
    }
    for sql in [
        "DELETE FROM t WHERE id = 5",
        "DELETE FROM t WHERE id = $1 AND 1 = 1",
        "DELETE FROM t WHERE id = 1 OR id = 2",
        "DELETE FROM t WHERE (id = 1 OR a > 2) AND (true OR b)",
        "DELETE FROM t WHERE CURRENT OF c",
        "DELETE FROM t WHERE active",
        "DELETE FROM t WHERE id IN (SELECT id FROM u)",
        "DELETE FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.id = t.id)",
        "UPDATE t SET a = (SELECT max(b) FROM u WHERE true) WHERE id = 1",
        "WITH d AS (DELETE FROM t WHERE id = 1 RETURNING *) SELECT * FROM d WHERE true",
        "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1",
        "SELECT 1",
        "SELECT * FROM t WHERE 1 = 1",
        "EXPLAIN DELETE FROM t",
        "TRUNCATE t",
        "SELECT 'DELETE FROM t'",
        "DO $$ BEGIN DELETE FROM t; END $$",
    ] {
        assert!(!details(sql).unbounded, "{sql}");
    }
}

#[test]
fn one_normal_form_has_one_answer() {
    let mut analyses = Analyses::new(100);
    for sql in ["DELETE FROM t WHERE 1 = 1", "DELETE FROM t WHERE 1 = 2"] {
        assert!(analyses.analyse(sql.as_bytes()).details.as_ref().unwrap().unbounded, "{sql}");
    }
}

#[test]
fn tables_are_found_wherever_they_are_named() {
    for (sql, tables) in [
        ("SELECT * FROM a, b.c JOIN \"D\" ON true", "a b.c D"),
        ("SELECT (SELECT max(x) FROM a.b)", "a.b"),
        ("INSERT INTO a SELECT * FROM b", "a b"),
        ("UPDATE A SET x = 1 FROM b WHERE true", "a b"),
        ("WITH w AS (DELETE FROM a) SELECT * FROM w", "w a"),
        ("TRUNCATE a, s.b", "a s.b"),
        ("LOCK TABLE a", "a"),
        ("COPY a FROM STDIN", "a"),
        ("ALTER TABLE a.b ADD c int", "a.b"),
        ("DROP TABLE x.a, b", "x x.a b"),
        ("DROP VIEW v", "v"),
        ("DROP TRIGGER g ON t", "t t.g"),
        ("COMMENT ON TABLE a IS 'b'", "a"),
        ("CREATE INDEX ON a (b)", "a"),
        ("GRANT SELECT ON a TO b", "a"),
        ("VACUUM a", "a"),
        ("SELECT * FROM U&\"\\0061\"", "a"),
        ("SELECT 1", ""),
        ("SELECT 'a' FROM generate_series(1, 2) b", ""),
        ("SELECT * FROM a; SELECT * FROM b; SELECT * FROM a", "a b"),
    ] {
        let details = details(sql);
        let mut found: Vec<String> = details
            .tables
            .iter()
            .map(|table| match &table.schema {
                Some(schema) => format!("{schema}.{}", table.name),
                None => table.name.to_string(),
            })
            .collect();
        let mut wanted: Vec<_> = tables.split_whitespace().map(str::to_owned).collect();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "{sql}");
        assert!(!details.more_tables);
    }
}

#[test]
fn the_number_of_tables_is_bounded() {
    let names: Vec<_> = (0..1000).map(|number| format!("t{number}")).collect();
    let details = details(&format!("SELECT 1 FROM {}", names.join(", ")));
    assert_eq!((details.tables.len(), details.more_tables), (howdah_sql::MAX_TABLES, true));
}

#[test]
fn classes_are_those_of_all_that_runs() {
    let rows: [(&str, &[Class]); 14] = [
        ("SELECT 1", &[Read]),
        ("BEGIN; DELETE FROM t; COMMIT", &[TransactionControl, Write]),
        ("PREPARE p AS DELETE FROM t", &[SessionState, Write]),
        ("PREPARE p AS SELECT 1", &[Read, SessionState]),
        ("DECLARE c CURSOR FOR SELECT 1", &[Read, Other]),
        ("COPY t FROM STDIN", &[Write, Copy]),
        ("COPY t TO STDOUT", &[Read, Copy]),
        ("COPY (DELETE FROM t RETURNING 1) TO STDOUT", &[Write, Copy]),
        ("DROP TABLE t", &[Ddl]),
        ("SELECT * INTO t FROM u", &[Ddl]),
        ("SELECT * FROM t FOR UPDATE", &[Write]),
        ("EXPLAIN ANALYZE DELETE FROM t", &[Write]),
        ("WITH d AS (DELETE FROM t RETURNING 1) SELECT 1", &[Write]),
        ("DO 'x'", &[Other]),
    ];
    for (sql, classes) in rows {
        assert_eq!(&*details(sql).classes, classes, "{sql}");
    }
    assert_eq!(details("").classes.len(), 0);
    assert_eq!(analyse("no statement at all").details, None);
    assert_eq!(Analysis::unknown().details, None);
}

#[test]
fn patterns_see_the_normal_form_however_long_it_is() {
    let text =
        normal_text(b"SELECT /* x */ Name\nFROM   \"T\" -- y\n WHERE id = 5 AND a IN (1, 2)");
    assert_eq!(text.text, "select name from \"T\" where id = $1 and a in ($2)");
    assert!(text.is_normal);
    let long = format!("SELECT {} FROM secrets", vec!["a"; 5000].join(", "));
    assert!(normal_text(long.as_bytes()).text.ends_with("from secrets"));
    assert!(!normal_text(b"SELECT U&\"a\"").is_normal);
}

const FOUND: [(&str, &[Signal]); 24] = [
    ("SELECT * FROM t WHERE id = 1; DROP TABLE t", &[Signal::Stacked]),
    ("SELECT * FROM t WHERE a = 'x'; DELETE FROM t; --'", &[Signal::Stacked, Signal::Comment]),
    ("SELECT 1; COPY t TO PROGRAM 'sh'", &[Signal::Stacked]),
    ("SELECT 1; SET ROLE admin", &[Signal::Stacked]),
    ("UPDATE t SET a = 1 WHERE id = 1; DROP TABLE t", &[Signal::Stacked]),
    ("SELECT * FROM t WHERE id = 1 OR 1=1", &[Signal::Tautology]),
    ("SELECT * FROM t WHERE id = 1 or/**/1=1", &[Signal::Tautology]),
    ("SELECT * FROM t WHERE id = 1 OR 1=1 --", &[Signal::Tautology]),
    ("SELECT * FROM t WHERE a = '' OR 'a'='a'", &[Signal::Tautology]),
    ("SELECT * FROM t WHERE a = '' OR '1'='1' AND b = 2", &[Signal::Tautology]),
    ("SELECT * FROM t WHERE (a = '' OR ('x' LIKE 'x'))", &[Signal::Tautology]),
    ("SELECT * FROM t WHERE a = '' OR 1<>2", &[Signal::Tautology]),
    ("SELECT * FROM t WHERE a = '' OR 2 > 1 LIMIT 1", &[Signal::Tautology]),
    ("SELECT * FROM t WHERE a = '' OR true", &[Signal::Tautology]),
    ("DELETE FROM t WHERE id = 1 OR 7=7;", &[Signal::Tautology]),
    ("SELECT * FROM u WHERE name = 'admin'--' AND password = 'x'", &[Signal::Comment]),
    ("SELECT * FROM u WHERE name = 'admin' -- ' AND password = ''", &[Signal::Comment]),
    ("SELECT * FROM u WHERE (id = 1)-- AND active)", &[Signal::Comment]),
    ("SELECT * FROM u WHERE a = 'x' /* y */ --'", &[Signal::Comment]),
    (
        "SELECT name FROM products WHERE id = 1 UNION SELECT usename FROM pg_shadow",
        &[Signal::CatalogUnion],
    ),
    (
        "SELECT name FROM products UNION ALL SELECT table_name FROM information_schema.tables",
        &[Signal::CatalogUnion],
    ),
    ("SELECT a FROM p UNION SELECT b FROM \"pg_catalog\".pg_user", &[Signal::CatalogUnion]),
    ("SELECT a FROM p UNION SELECT b FROM x, pg_roles", &[Signal::CatalogUnion]),
    (
        "SELECT a FROM p WHERE b = '' OR 1=1 UNION SELECT c FROM pg_user --'",
        &[Signal::Tautology, Signal::Comment, Signal::CatalogUnion],
    ),
];

/// What honest programs send.
const HONEST: [&str; 34] = [
    "SELECT 1",
    "SELECT * FROM t WHERE 1=1 AND a = 2",
    "SELECT * FROM t WHERE a = $1 OR $2 = 0",
    "SELECT * FROM t WHERE ($1::int IS NULL OR a = $1)",
    "SELECT * FROM t WHERE a = 1 OR a = 2",
    "SELECT * FROM t WHERE a = 1 OR 1 = b",
    "SELECT * FROM t WHERE a = 1 OR 1 = 1 + b",
    "SELECT * FROM t WHERE a = 1 OR 'x' = lower(b)",
    "SELECT * FROM t WHERE a = 1 OR 'x' = 'y'",
    "SELECT * FROM t WHERE a = 1 OR 5 < b",
    "SELECT 'a OR 1=1'",
    "SELECT $$ OR 1=1 $$",
    "INSERT INTO posts VALUES ('''; DROP TABLE t; --')",
    "BEGIN; UPDATE t SET a = 1 WHERE id = 1; COMMIT",
    "SET application_name = 'x'; SELECT 1",
    "SELECT 1; SELECT 2",
    "SELECT 1;",
    "CREATE TABLE a (b int); CREATE INDEX ON a (b)",
    "SELECT * FROM t -- all of them",
    "SELECT * FROM t -- don't look",
    "SELECT * FROM t -- the first (and only) one",
    "SELECT * FROM t --",
    "-- name: GetUser :one\nSELECT * FROM users WHERE id = $1",
    "SELECT * FROM users /*application='shop',route='%2Fusers'*/",
    "SELECT * FROM t WHERE a = 'it''s' /* it's */",
    "SELECT * FROM t -- it's 'quoted'\n",
    "SELECT n.nspname FROM pg_catalog.pg_namespace n UNION SELECT 1::text FROM pg_catalog.pg_class",
    "SELECT a FROM t UNION SELECT b FROM u",
    "SELECT a FROM t JOIN pg_class c ON true",
    "SELECT relname FROM pg_class UNION ALL SELECT a FROM t",
    "SELECT table_name FROM information_schema.tables",
    "SELECT a FROM t UNION SELECT b FROM pgbench_accounts",
    "UPDATE t SET a = 'x' WHERE id = 1 OR parent = 1",
    "",
];

#[test]
fn signs_of_injection_are_found() {
    for (sql, signals) in FOUND {
        assert_eq!(injection_signals(sql.as_bytes(), &analyse(sql)), signals, "{sql}");
    }
}

#[test]
fn honest_texts_have_no_signs() {
    for sql in HONEST {
        assert_eq!(injection_signals(sql.as_bytes(), &analyse(sql)), [], "{sql}");
    }
}

#[test]
fn every_sign_has_a_word_and_a_reason() {
    let all = [Signal::Stacked, Signal::Tautology, Signal::Comment, Signal::CatalogUnion];
    for signal in all {
        assert!(!signal.as_str().is_empty() && signal.reason().len() > 20, "{signal:?}");
    }
}
