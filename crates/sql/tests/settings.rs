//! What statements change in the settings of a session, and that what is replayed is one harmless statement.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use howdah_sql::SettingChange::{self, *};
use howdah_sql::{Analyses, Effect, setting_changes, split};

fn set(name: &str, replay: &str) -> SettingChange {
    Set { name: name.into(), replay: replay.into() }
}

fn reset(name: &str) -> SettingChange {
    Reset { name: name.into() }
}

fn local(name: &str) -> SettingChange {
    SetLocal { name: name.into() }
}

fn changes(sql: &str) -> Vec<SettingChange> {
    setting_changes(sql.as_bytes()).into_iter().map(|(_, change)| change).collect()
}

#[test]
fn every_form_of_set_and_reset_is_told() {
    let cases = [
        ("SET Work_Mem = '64MB'", vec![set("work_mem", "SET work_mem TO '64MB'")]),
        ("set session work_mem to 65536", vec![set("work_mem", "SET work_mem TO 65536")]),
        ("set seq_page_cost = -1.5", vec![set("seq_page_cost", "SET seq_page_cost TO -1.5")]),
        ("set enable_seqscan to off", vec![set("enable_seqscan", "SET enable_seqscan TO 'off'")]),
        ("set enable_seqscan = true", vec![set("enable_seqscan", "SET enable_seqscan TO 'true'")]),
        (
            "set search_path to a, \"B c\", 'd'",
            vec![set("search_path", "SET search_path TO 'a', 'B c', 'd'")],
        ),
        ("set schema 'x'", vec![set("search_path", "SET search_path TO 'x'")]),
        ("set app.user_id = '42'", vec![set("app.user_id", "SET app.user_id TO '42'")]),
        ("set time zone 'Europe/Berlin'", vec![set("timezone", "SET timezone TO 'Europe/Berlin'")]),
        ("set timezone = 'UTC'", vec![set("timezone", "SET timezone TO 'UTC'")]),
        ("set time zone local", vec![reset("timezone")]),
        ("set time zone default", vec![reset("timezone")]),
        ("set names 'latin1'", vec![set("client_encoding", "SET client_encoding TO 'latin1'")]),
        ("set names default", vec![reset("client_encoding")]),
        ("set role admin", vec![set("role", "SET \"role\" TO 'admin'")]),
        ("set role none", vec![reset("role")]),
        ("reset role", vec![reset("role")]),
        (
            "set session authorization bob",
            vec![set("session_authorization", "SET session_authorization TO 'bob'")],
        ),
        ("set session authorization default", vec![reset("session_authorization")]),
        ("set local role admin", vec![local("role")]),
        ("set local app.x = 'y'", vec![local("app.x")]),
        ("set local app.x to default", vec![local("app.x")]),
        ("set app.x to default", vec![reset("app.x")]),
        ("reset APP.x", vec![reset("app.x")]),
        ("reset time zone", vec![reset("timezone")]),
        ("reset all", vec![ResetAll]),
        ("set transaction isolation level serializable", vec![Transaction]),
        ("set transaction snapshot '1'", vec![Transaction]),
        ("set transaction_read_only = on", vec![Transaction]),
        ("set local transaction_isolation = 'serializable'", vec![Transaction]),
        ("reset transaction_isolation", vec![Transaction]),
        ("set application_name = ''", vec![set("application_name", "SET application_name TO ''")]),
        ("set app.\"user\" = 'x'", vec![set("app.user", "SET app.\"user\" TO 'x'")]),
        ("set time zone -7", vec![set("timezone", "SET timezone TO -7")]),
        ("set time zone interval '-08:00' hour to minute", vec![Opaque]),
        ("set xml option document", vec![set("xmloption", "SET xmloption TO 'DOCUMENT'")]),
        ("set a.b from current", vec![Opaque]),
        ("set seed = 0.5", vec![Opaque]),
        ("set search_path = pg_temp, public", vec![Opaque]),
        (
            "set search_path = public, pg_temp",
            vec![set("search_path", "SET search_path TO 'public', 'pg_temp'")],
        ),
        (
            "set session characteristics as transaction isolation level repeatable read, read only, not deferrable",
            vec![
                set(
                    "default_transaction_isolation",
                    "SET default_transaction_isolation TO 'repeatable read'",
                ),
                set("default_transaction_read_only", "SET default_transaction_read_only TO 1"),
                set("default_transaction_deferrable", "SET default_transaction_deferrable TO 0"),
            ],
        ),
        ("not sql", vec![Opaque]),
        ("select 1", vec![]),
        ("begin", vec![]),
    ];
    for (sql, expected) in cases {
        assert_eq!(changes(sql), expected, "{sql}");
    }
}

#[test]
fn calls_of_set_config_are_told_only_if_they_surely_happen_once_with_known_values() {
    let replay = |name: &str, value: &str| {
        set(name, &format!("SELECT pg_catalog.set_config('{name}', '{value}', false)"))
    };
    let cases = [
        ("select set_config('App.X', 'y', false)", vec![replay("app.x", "y")]),
        ("select pg_catalog.set_config('search_path', '', false)", vec![replay("search_path", "")]),
        ("select set_config('a.b', 'c', 'f'::bool), 1", vec![replay("a.b", "c")]),
        ("select set_config('a.b'::text, 'c'::text, false) as x", vec![replay("a.b", "c")]),
        (
            "select set_config('a.b', 'c', false), set_config('d.e', 'f', true)",
            vec![replay("a.b", "c"), local("d.e")],
        ),
        ("select set_config('a.b', $1, true)", vec![local("a.b")]),
        ("select set_config($1, $2, true)", vec![local("")]),
        ("select set_config('transaction_read_only', 'on', false)", vec![Transaction]),
        ("select set_config('a.b', $1, false)", vec![Opaque]),
        ("select set_config($1, 'c', false)", vec![Opaque]),
        ("select set_config('a.b', 'c', $1)", vec![Opaque]),
        ("select set_config('a.b', null, false)", vec![Opaque]),
        ("select set_config('a.b', 'c' || 'd', false)", vec![Opaque]),
        ("select set_config('a.b', 'c', not true)", vec![Opaque]),
        ("select set_config('seed', '0.5', false)", vec![Opaque]),
        ("select set_config('search_path', 'pg_temp,x', false)", vec![Opaque]),
        ("select set_config('a.b', 'c', false) from t", vec![Opaque]),
        ("select set_config('a.b', 'c', false) where false", vec![Opaque]),
        ("select set_config('a.b', 'c', false) limit 0", vec![Opaque]),
        ("select set_config('a.b', 'c', false) union select 'x'", vec![Opaque]),
        ("with x as (select 1) select set_config('a.b', 'c', false)", vec![Opaque]),
        ("select case when a then set_config('a.b', 'c', false) end from t", vec![Opaque]),
        ("select upper(set_config('a.b', 'c', false))", vec![Opaque]),
        ("insert into t values (set_config('a.b', 'c', false))", vec![Opaque]),
        ("select app.set_config('a.b', 'c', false)", vec![]),
    ];
    for (sql, expected) in cases {
        assert_eq!(changes(sql), expected, "{sql}");
    }
}

#[test]
fn changes_are_numbered_as_statements_are() {
    let sql = b"; select 1; set a.b = 1;; begin; set local c.d = 2; reset all";
    let expected = vec![(1, set("a.b", "SET a.b TO 1")), (3, local("c.d")), (4, ResetAll)];
    assert_eq!(setting_changes(sql), expected);
    assert_eq!(setting_changes(b"set a = '\xff'"), vec![(0, Opaque)]);
}

/// All string constants of a statement, as PostgreSQL's parser reads them, without the name given to `set_config`.
fn values(sql: &str) -> Vec<String> {
    let tree = pg_query::parse(sql, 0).unwrap().protobuf;
    let tree = format!("{:?}", tree.stmts);
    let strings = tree.split("Sval(String { sval: ").skip(1);
    strings.map(|rest| rest.split(" })").next().unwrap().to_owned()).collect()
}

/// Texts that try to get out of their quotes.
const HOSTILE: [&str; 12] = [
    "'; drop table t; --",
    "''; drop table t; --",
    "\\'; drop table t; --",
    "\\\\'; drop table t; --",
    "a\nb",
    "$$; drop table t; $$",
    "\"; drop table t; --",
    "\"\"; drop table t; --",
    "x, y",
    "é\u{1f600}",
    "/* ",
    " -- ",
];

#[test]
fn a_replay_is_one_statement_that_makes_the_same_setting_whatever_the_value() {
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let escaped = |text: &str| format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut replays = 0;
    for value in HOSTILE {
        let texts = [
            format!("set a.b = {}", literal(value)),
            format!("set a.b = {}", escaped(value)),
            format!("set search_path = {}, x", quoted(value)),
            format!("set role {}", quoted(value)),
            format!("set session authorization {}", literal(value)),
            format!("set time zone {}", literal(value)),
            format!("select set_config('a.b', {}, false)", literal(value)),
            format!("select set_config({}, 'x', false)", literal(value)),
            format!("set {} = 1", quoted(value)),
        ];
        for sql in texts {
            for change in changes(&sql) {
                let Set { name, replay } = change else { continue };
                replays += 1;
                assert_eq!(split(&replay).len(), 1, "{sql}\n{replay}");
                let analysis = Analyses::new(1).analyse(replay.as_bytes());
                assert!(analysis.parsed && analysis.statements.len() == 1, "{replay}");
                assert_eq!(analysis.statements[0].effect, Effect::Settings, "{replay}");
                assert!(!replay.contains('\\') || replay.contains(" E'"), "{replay}");
                // Read again it says the same.
                let again = changes(&replay);
                let Set { name: name_again, .. } = &again[0] else { panic!("{sql}\n{replay}") };
                assert_eq!((again.len(), name_again), (1, &name), "{replay}");
                assert_eq!(values(&sql), values(&replay), "{sql}\n{replay}");
            }
        }
    }
    assert!(replays > 60, "{replays}");
}
