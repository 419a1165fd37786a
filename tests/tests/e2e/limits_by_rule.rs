//! Limits that rules set: how long a statement runs, and how many rows it gives. What rules refuse is in `statement_rules`.

use howdah_tests::raw::{Connection, ErrorReply, Frames};
use howdah_tests::{Rig, Script};

fn rig_with(rules: &str) -> Rig {
    let rig = Rig::builder().more(rules).in_process();
    let mut owner = rig.direct().client();
    owner.run("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2), (3)");
    owner.close();
    rig
}

/// How often a rule had a part in something, as the console tells it.
fn hits(rig: &Rig, rule: &str) -> String {
    let mut console = rig.target().database("howdah").client();
    let rows = console.run("SHOW RULES").rows();
    let row = rows.into_iter().find(|row| row[0].as_deref() == Some(rule)).expect("the rule");
    row[3].clone().unwrap_or_default()
}

#[test]
fn a_statement_that_runs_longer_than_its_rule_allows_is_cancelled_and_no_other() {
    let rules = r#"
        [[rule]]
        name = "slow t"
        table = ["t"]
        query_timeout = "400ms"
        [[rule]]
        name = "slower"
        query_timeout = "20s"
    "#;
    let rig = rig_with(rules);
    let mut client = rig.client();
    let slow = "SELECT pg_sleep(30) FROM t";
    let message = |error: &ErrorReply| {
        assert_eq!(error.code, "57014", "{error:?}");
        assert!(
            error.message.contains("query_timeout of Howdah's rule \"slow t\" (0.4 s)"),
            "{error:?}"
        );
    };
    let seen = client.query(slow).unwrap();
    assert_eq!(seen.errors().len(), 1, "{}", seen.summary());
    message(&seen.errors()[0]);
    let frames = Frames::new().parse("n", slow).execute_prepared("n", &[]).sync();
    message(&client.answer(&frames, 1).errors()[0]);
    // Nothing but a Flush behind it.
    client.send(&Frames::new().execute_prepared("n", &[]).flush()).unwrap();
    message(&client.until(b'E', 1).unwrap().errors()[0]);
    client.send(&Frames::new().sync()).unwrap();
    assert_eq!(client.until(b'Z', 1).unwrap().summary(), "Z(I)");
    // The limit was that statement's alone.
    client.run("BEGIN");
    client.run("TABLE t");
    client.run("SELECT pg_sleep(1)");
    message(&client.error(slow));
    client.run("ROLLBACK");
    client.run("SELECT pg_sleep(1)");
    assert_eq!(hits(&rig, "slow t"), "5");
}

#[test]
fn the_shorter_of_the_rules_limit_and_the_pools_counts() {
    let rule = |time: &str| format!("[[rule]]\nname = \"r\"\nquery_timeout = \"{time}\"\n");
    let rig = Rig::builder().pool("query_timeout", "\"500ms\"").more(&rule("20s")).in_process();
    let error = rig.client().error("SELECT pg_sleep(30)");
    assert!(error.message.contains("pool.query_timeout (0.5 s)"), "{error:?}");
    let text = rig.configuration().replace("500ms", "20s");
    let text = text.replace(
        "name = \"r\"\nquery_timeout = \"20s\"",
        "name = \"r\"\nquery_timeout = \"300ms\"",
    );
    rig.reload(&text);
    let error = rig.client().error("SELECT pg_sleep(30)");
    assert!(error.message.contains("rule \"r\" (0.3 s)"), "{error:?}");
}

/// Five rows of `many` are too many.
const FOUR_ROWS: &str = r#"
[[rule]]
name = "four rows"
max_rows = 4
"#;

fn rig_of_rows(rules: &str) -> Rig {
    let rig = Rig::builder().more(rules).in_process();
    let mut owner = rig.direct().client();
    owner.run("CREATE TABLE few (id int); INSERT INTO few SELECT generate_series(1, 4)");
    owner.run("CREATE TABLE many (id int, pad text)");
    owner.run("INSERT INTO many SELECT n, repeat('x', 70000) FROM generate_series(1, 9) n");
    owner.close();
    rig
}

#[track_caller]
fn is_too_many(error: &ErrorReply) {
    assert_eq!((error.severity.as_str(), error.code.as_str()), ("ERROR", "54000"), "{error:?}");
    assert!(error.message.contains("rule \"four rows\" allows (4)"), "{error:?}");
    assert!(error.hint.is_some(), "{error:?}");
}

#[test]
fn a_statement_with_more_rows_than_its_rule_allows_gives_so_many_and_fails() {
    let rig = rig_of_rows(FOUR_ROWS);
    let mut client = rig.client();
    for sql in [
        "SELECT id, pad FROM many ORDER BY id",
        "SELECT id FROM many",
        "VALUES (1),(2),(3),(4),(5)",
    ] {
        let seen = client.query(sql).unwrap();
        assert_eq!(seen.summary(), "T D*4 E(54000) Z(I)", "{sql}");
        is_too_many(&seen.errors()[0]);
        let seen = client.answer(&Frames::new().extended(sql, &[]).sync(), 1);
        assert_eq!(seen.summary(), "1 2 T D*4 E(54000) Z(I)", "{sql}");
        is_too_many(&seen.errors()[0]);
        assert_eq!(client.value("SELECT count(*) FROM few"), "4");
    }
    assert_eq!(client.run("TABLE few").values().len(), 4);
    assert_eq!(rig.backends(&mut rig.observer()).len(), 1, "the server goes on");
}

#[test]
fn what_has_too_many_rows_has_done_nothing() {
    let rig = rig_of_rows(FOUR_ROWS);
    let mut client = rig.client();
    let left = |client: &mut Connection| client.value("SELECT count(*) FROM many");
    let write = "DELETE FROM many RETURNING id";
    assert_eq!(client.query(write).unwrap().summary(), "T D*4 E(54000) Z(I)");
    assert_eq!(left(&mut client), "9");
    let frames =
        Frames::new().extended("INSERT INTO few VALUES (5)", &[]).extended(write, &[]).sync();
    let seen = client.answer(&frames, 1).summary();
    assert_eq!(seen, "1 2 n C 1 2 T D*4 E(54000) Z(I)");
    assert_eq!(
        (left(&mut client), client.value("SELECT count(*) FROM few")),
        ("9".into(), "4".into())
    );
    client.run("BEGIN");
    client.run("INSERT INTO few VALUES (5)");
    assert_eq!(client.query(write).unwrap().summary(), "T D*4 E(54000) Z(E)");
    assert_eq!(client.query("SELECT 1").unwrap().summary(), "E(25P02) Z(E)");
    assert_eq!(client.run("COMMIT").commands(), ["ROLLBACK"]);
    client.run("BEGIN");
    client.run("SAVEPOINT s");
    is_too_many(&client.query("SELECT id FROM many").unwrap().errors()[0]);
    client.run("ROLLBACK TO s");
    client.run("INSERT INTO few VALUES (5)");
    assert_eq!(client.run("COMMIT").commands(), ["COMMIT"]);
    assert_eq!(client.value("SELECT count(*) FROM few"), "5");
    let setting = "SELECT set_config('work_mem', (id + 100) || 'kB', false) FROM many";
    is_too_many(&client.query(setting).unwrap().errors()[0]);
    assert_eq!(client.value("SELECT current_setting('work_mem')"), "4MB");
}

#[test]
fn requests_behind_one_with_too_many_rows_are_answered() {
    let rig = rig_of_rows(FOUR_ROWS);
    let mut client = rig.client();
    let many = "SELECT id FROM many";
    let pipeline = Frames::new()
        .query("SELECT 1")
        .query(many)
        .query("SELECT 2")
        .extended("SELECT 3", &[])
        .extended(many, &[])
        .extended("SELECT 4", &[])
        .sync()
        .extended("SELECT 5", &[])
        .sync()
        .query("nonsense")
        .query("SELECT 6");
    let seen = client.answer(&pipeline, 7);
    assert_eq!(
        seen.summary(),
        "T D C Z(I) T D*4 E(54000) Z(I) T D C Z(I) 1 2 T D C 1 2 T D*4 E(54000) Z(I) 1 2 T D C Z(I) \
         E(42601) Z(I) T D C Z(I)"
    );
    client.send(&Frames::new().extended(many, &[]).flush()).unwrap();
    assert_eq!(client.until(b'E', 1).unwrap().summary(), "1 2 T D*4 E(54000)");
    client.send(&Frames::new().extended("SELECT 1", &[]).sync()).unwrap();
    assert_eq!(client.until(b'Z', 1).unwrap().summary(), "Z(I)");
    assert_eq!(client.value("SELECT 'end'"), "end");
}

#[test]
fn the_rows_of_a_portal_are_counted_over_all_its_executions() {
    let rig = rig_of_rows(FOUR_ROWS);
    let mut client = rig.client();
    client.run("BEGIN");
    let paged = |sql: &str| {
        let frames = Frames::new().parse("", sql).bind("p", "", &[]);
        frames.execute("p", 3).execute("p", 3).execute("p", 3).sync()
    };
    let seen = client.answer(&paged("SELECT id FROM many"), 1);
    assert_eq!(seen.summary(), "1 2 D D D s D E(54000) Z(E)");
    client.run("ROLLBACK");
    client.run("BEGIN");
    let seen = client.answer(&paged("TABLE few"), 1);
    assert_eq!(seen.summary(), "1 2 D D D s D C C Z(T)");
    let frames = Frames::new().parse("", "SELECT id FROM many").bind("q", "", &[]);
    let frames = frames.execute("q", 4).sync().execute("q", 1).sync();
    assert_eq!(client.answer(&frames, 2).summary(), "1 2 D*4 s Z(T) E(54000) Z(E)");
    client.run("ROLLBACK");
}

#[test]
fn prepared_statements_and_cursors_are_counted_by_statement() {
    for mode in ["transaction", "session"] {
        let rules = format!("{FOUR_ROWS}\ntable = [\"many\"]\n");
        let rig = Rig::builder().mode(mode).more(&rules).in_process();
        rig.direct().client().run("CREATE TABLE many AS SELECT generate_series(1, 9) id");
        let mut client = rig.client();
        client.answer(&Frames::new().parse("n", "SELECT id FROM many").sync(), 1);
        for _ in 0..2 {
            let seen = client.answer(&Frames::new().execute_prepared("n", &[]).sync(), 1);
            assert_eq!(seen.summary(), "2 D*4 E(54000) Z(I)", "{mode}");
        }
        client.run("PREPARE s AS SELECT id FROM many WHERE id <= $1");
        assert_eq!(client.run("EXECUTE s(4)").values().len(), 4);
        let seen = client.query("EXECUTE s(5)").unwrap().summary();
        // In session mode a rule about a table does not see what is executed, nor what a cursor is of.
        let expected = if mode == "session" { "T D*5 C Z(I)" } else { "T D*4 E(54000) Z(I)" };
        assert_eq!(seen, expected);
        client.run("BEGIN");
        client.run("DECLARE c CURSOR FOR SELECT id FROM many");
        assert_eq!(client.run("FETCH 6 FROM c").values().len(), 6);
        client.run("COMMIT");
    }
    let rig = rig_of_rows(FOUR_ROWS);
    let mut client = rig.client();
    client.run("BEGIN");
    client.run("DECLARE c CURSOR FOR SELECT id FROM many");
    assert_eq!(client.run("FETCH 4 FROM c").values().len(), 4);
    assert_eq!(client.query("FETCH 5 FROM c").unwrap().summary(), "T D*4 E(54000) Z(E)");
}

#[test]
fn several_statements_in_one_text_are_refused_if_rows_would_have_to_be_counted() {
    let rig = rig_of_rows(FOUR_ROWS);
    let mut client = rig.client();
    for sql in ["SELECT 1; SELECT 2", "BEGIN; SELECT 1"] {
        let seen = client.query(sql).unwrap();
        assert_eq!(seen.summary(), "E(0A000) Z(I)", "{sql}");
        assert!(seen.errors()[0].hint.is_some());
    }
    client.run("BEGIN; SET work_mem = '1MB'; COMMIT");
    assert_eq!(client.run("COPY many (id) TO STDOUT").commands(), ["COPY 9"]);
}

/// Queries that are answered in every way there is.
const QUERIES: &[&str] = &[
    "SELECT 1, NULL, 'x'::bytea, now() IS NULL",
    "SELECT id FROM many ORDER BY id",
    "SELECT FROM few",
    "SELECT 1 WHERE false",
    "",
    "-- nothing",
    "SELEC 1",
    "SELECT nothing_like_it",
    "SELECT 1 / (id - 3) FROM few ORDER BY id",
    "INSERT INTO d VALUES (1, 1)",
    "INSERT INTO d VALUES (2, 2) RETURNING id, f",
    "INSERT INTO d VALUES (3, 2) RETURNING id",
    "UPDATE d SET f = 5",
    "TABLE d",
    "UPDATE d SET f = 3 WHERE id = 1 RETURNING *",
    "BEGIN",
    "INSERT INTO d VALUES (4, 3) RETURNING id",
    "COMMIT",
    "EXPLAIN (COSTS OFF) SELECT 1",
    "SHOW work_mem",
    "DO $$ BEGIN RAISE NOTICE 'heard'; END $$",
    "SELECT pg_notify('nobody', 'x')",
    "BEGIN",
    "DECLARE c CURSOR FOR SELECT id FROM few ORDER BY id",
    "FETCH 2 FROM c",
    "MOVE c",
    "FETCH 2 FROM c",
    "SELECT 1 / 0",
    "SELECT 1",
    "ROLLBACK",
    "PREPARE s AS SELECT id FROM few WHERE id = $1",
    "EXECUTE s(2)",
    "EXECUTE nowhere",
    "DEALLOCATE s",
    "SELECT set_config('work_mem', '3MB', false)",
    "SHOW work_mem",
    "CALL saves(7)",
    "VACUUM d",
    "COPY few TO STDOUT",
    "SELECT 1 AS a INTO TEMP tmp",
    "SELECT repeat('long', 100000)",
    "SELECT set_config('TimeZone', 'Asia/Tokyo', false)",
];

#[test]
fn within_its_limit_a_statement_is_answered_with_postgresqls_own_bytes() {
    let rig = rig_of_rows("[[rule]]\nname = \"r\"\napplication = [\"counted\"]\nmax_rows = 1000\n");
    let setup = "DROP TABLE IF EXISTS d; CREATE TABLE d (id int, f int,
                 CONSTRAINT u UNIQUE (f) DEFERRABLE INITIALLY DEFERRED);
                 CREATE OR REPLACE PROCEDURE saves(INOUT x int) LANGUAGE plpgsql
                 AS $$ BEGIN INSERT INTO d VALUES (x, x); COMMIT; x := x + 1; END $$";
    let mut script = Script::new();
    for sql in QUERIES {
        script = script.query(sql);
    }
    // A simple query leaves neither statement nor portal.
    script = script
        .step(Frames::new().parse("", "SELECT 'kept?'").sync())
        .query("SELECT 1")
        .step(Frames::new().bind("", "", &[]).sync())
        .query("BEGIN")
        .step(Frames::new().parse("", "SELECT 'kept?'").bind("", "", &[]).sync())
        .query("SELECT 2")
        .step(Frames::new().execute("", 0).sync())
        .query("ROLLBACK")
        .step(
            Frames::new().extended("SELECT id FROM few WHERE id > $1 ORDER BY id", &["1"]).sync(),
        );
    rig.same_with(&mut rig.churn(), &[("application_name", "counted")], setup, &script);
}
