//! Statements that rules flag or refuse: in every protocol, whatever they are dressed up as, and with everything around them as if
//! PostgreSQL itself had refused.

use howdah_tests::raw::{Connection, ErrorReply, Frames};
use howdah_tests::{Rig, Script, Until, refusals};

/// Refuses unbounded writes, everything that names `secrets`, and definitions.
const RULES: &str = r#"
[[rule]]
name = "no unbounded writes"
unbounded = true
action = "block"
[[rule]]
name = "secrets"
table = ["secrets"]
action = "block"
[[rule]]
name = "definitions"
class = ["ddl"]
action = "block"
"#;

fn rig_with(rules: &str) -> Rig {
    let rig = Rig::builder().more(rules).in_process();
    let mut owner = rig.direct().client();
    owner.run("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2), (3)");
    owner.run("CREATE TABLE secrets (id int); INSERT INTO secrets VALUES (42)");
    owner.close();
    rig
}

#[track_caller]
fn is_refused(error: &ErrorReply, rule: &str) {
    assert_eq!((error.severity.as_str(), error.code.as_str()), ("ERROR", "42501"), "{error:?}");
    assert!(error.message.contains(&format!("{rule:?}")), "{error:?}");
    assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("howdah rules")), "{error:?}");
}

fn rows_left(rig: &Rig) -> String {
    rig.direct().client().value("SELECT count(*) FROM t")
}

/// Counts of a rule, as the console tells them: hits, blocked, flagged.
fn counts(rig: &Rig, rule: &str) -> Vec<String> {
    let mut console = rig.target().database("howdah").client();
    let rows = console.run("SHOW RULES").rows();
    let row = rows.into_iter().find(|row| row[0].as_deref() == Some(rule)).expect("the rule");
    row[3..6].iter().map(|cell| cell.clone().unwrap_or_default()).collect()
}

#[test]
fn a_simple_query_that_a_rule_refuses_fails_and_the_session_goes_on() {
    let rig = rig_with(RULES);
    let mut client = rig.client();
    let seen = client.query("DELETE FROM t").unwrap();
    assert_eq!(seen.summary(), "E(42501) Z(I)");
    is_refused(&seen.errors()[0], "no unbounded writes");
    is_refused(&client.error("SELECT * FROM secrets"), "secrets");
    is_refused(&client.error("DROP TABLE t"), "definitions");
    assert_eq!(client.value("SELECT count(*) FROM t"), "3");
    client.run("DELETE FROM t WHERE id = 1");
    assert_eq!(rows_left(&rig), "2");
    assert_eq!(counts(&rig, "no unbounded writes"), ["1", "1", "0"]);
    assert_eq!(counts(&rig, "secrets"), ["1", "1", "0"]);
}

#[test]
fn a_rule_keeps_a_table_whole_whichever_way_the_statement_comes() {
    assert_eq!(refusals::violations(), Vec::<String>::new());
}

#[test]
fn nothing_of_a_text_of_several_statements_runs() {
    let rig = rig_with(RULES);
    let mut client = rig.client();
    for sql in [
        "DELETE FROM t WHERE id = 1; DELETE FROM t",
        "INSERT INTO t VALUES (4); DROP TABLE t",
        "BEGIN; DELETE FROM t WHERE id = 1; SELECT * FROM secrets; COMMIT",
    ] {
        assert_eq!(client.query(sql).unwrap().summary(), "E(42501) Z(I)", "{sql}");
    }
    assert_eq!(rows_left(&rig), "3");
}

#[test]
fn no_disguise_gets_a_statement_past_a_rule() {
    let rig = rig_with(RULES);
    let mut client = rig.client();
    for sql in [
        "delete from t",
        "DeLeTe/**/FrOm\n-- x\n\tt",
        "/* SELECT 1 */ DELETE FROM t",
        "DELETE FROM ONLY public.t",
        "DELETE FROM \"t\"",
        "DELETE FROM U&\"\\0074\"",
        "DELETE FROM U&\"!0074\" UESCAPE '!'",
        "DELETE FROM t WHERE true",
        "DELETE FROM t WHERE 1=1",
        "DELETE FROM t WHERE id = 1 OR 'a' = 'a'",
        "WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x",
        "EXPLAIN (ANALYZE) DELETE FROM t",
        "COPY (DELETE FROM t RETURNING 1) TO STDOUT",
        "PREPARE p AS DELETE FROM t",
        ";;DELETE FROM t;;",
        "SELECT (SELECT max(id) FROM public.secrets)",
        "TABLE secrets",
        "SELECT 1 WHERE EXISTS (SELECT FROM \"secrets\")",
        "COPY secrets TO STDOUT",
        "DECLARE c CURSOR FOR SELECT * FROM secrets",
        "LOCK TABLE secrets",
        "INSERT INTO t SELECT * FROM secrets",
        "UPDATE t SET id = secrets.id FROM secrets WHERE t.id = 1",
        "CREATE TABLE x AS SELECT 1",
        "SELECT 1 AS a INTO x",
        "TRUNCATE secrets",
    ] {
        assert_eq!(client.query(sql).unwrap().summary(), "E(42501) Z(I)", "{sql}");
    }
    // What only looks like it runs.
    for sql in ["SELECT 'DELETE FROM t'", "SELECT $$ TABLE secrets $$", "EXPLAIN DELETE FROM t"] {
        client.run(sql);
    }
    client.error("SELECT 1 AS secrets FROM no_such_table");
    assert_eq!(rows_left(&rig), "3");
}

#[test]
fn a_refused_statement_fails_the_transaction_around_it() {
    let rig = rig_with(RULES);
    let mut client = rig.client();
    for (refused, after) in [("DELETE FROM t", "ROLLBACK"), ("TABLE secrets", "COMMIT")] {
        client.run("BEGIN");
        client.run("INSERT INTO t VALUES (9)");
        assert_eq!(client.query(refused).unwrap().summary(), "E(42501) Z(E)");
        let error = client.query("SELECT 1").unwrap();
        assert_eq!(error.summary(), "E(25P02) Z(E)");
        assert_eq!(client.run(after).commands(), ["ROLLBACK"]);
    }
    assert_eq!(rows_left(&rig), "3");
    client.run("BEGIN");
    client.run("SAVEPOINT s");
    is_refused(&client.error("DELETE FROM t"), "no unbounded writes");
    client.run("ROLLBACK TO s");
    client.run("DELETE FROM t WHERE id = 3");
    assert_eq!(client.run("COMMIT").commands(), ["COMMIT"]);
    assert_eq!(rows_left(&rig), "2");
}

#[test]
fn a_refused_parse_skips_the_rest_of_its_segment_and_no_other() {
    let rig = rig_with(RULES);
    let mut client = rig.client();
    let refused = Frames::new().extended("DELETE FROM t", &[]).sync();
    assert_eq!(client.answer(&refused, 1).summary(), "E(42501) Z(I)");
    let insert = |id: &str| Frames::new().extended("INSERT INTO t VALUES ($1::int)", &[id]);
    let pipeline = insert("4")
        .sync()
        .then(&insert("5"))
        .extended("DELETE FROM t", &[])
        .then(&insert("6"))
        .sync()
        .then(&refused)
        .then(&insert("7"))
        .sync()
        .then(&Frames::new().query("DELETE FROM t"))
        .query("SELECT 'end'");
    let seen = client.answer(&pipeline, 6);
    assert_eq!(
        seen.summary(),
        "1 2 n C Z(I) 1 2 n C E(42501) Z(I) E(42501) Z(I) 1 2 n C Z(I) E(42501) Z(I) T D C Z(I)"
    );
    assert_eq!(rows_left(&rig), "5", "4 and 7 are there, 5 and 6 are not");
    assert_eq!(counts(&rig, "no unbounded writes"), ["4", "4", "0"]);
}

#[test]
fn an_unnamed_statement_that_was_refused_is_not_there() {
    let rig = rig_with(RULES);
    let mut client = rig.client();
    client.answer(&Frames::new().parse("", "SELECT 'before'").sync(), 1);
    client.answer(&Frames::new().parse("", "DELETE FROM t").sync(), 1);
    let seen = client.answer(&Frames::new().bind("", "", &[]).execute("", 0).sync(), 1);
    assert_eq!(seen.summary(), "E(26000) Z(I)");
    client.run("BEGIN");
    client.answer(&Frames::new().parse("n", "DELETE FROM t").sync(), 1);
    client.run("ROLLBACK");
    let seen = client.answer(&Frames::new().execute_prepared("n", &[]).sync(), 1);
    assert_eq!(seen.summary(), "E(26000) Z(I)");
}

#[test]
fn in_a_flush_the_refusal_comes_at_once() {
    let rig = rig_with(RULES);
    let mut client = rig.client();
    client.run("BEGIN");
    client.send(&Frames::new().parse("", "DELETE FROM t").flush()).unwrap();
    is_refused(&client.until(b'E', 1).unwrap().errors()[0], "no unbounded writes");
    client.send(&Frames::new().extended("SELECT 1", &[]).sync()).unwrap();
    assert_eq!(client.until(b'Z', 1).unwrap().summary(), "Z(E)");
    client.run("ROLLBACK");
    client.send(&Frames::new().parse("", "DELETE FROM t").flush()).unwrap();
    is_refused(&client.until(b'E', 1).unwrap().errors()[0], "no unbounded writes");
    client.send(&Frames::new().sync()).unwrap();
    assert_eq!(client.until(b'Z', 1).unwrap().summary(), "Z(I)");
    assert_eq!(rows_left(&rig), "3");
}

/// A rig without rules, and the configuration that adds them.
fn rig_and_rules() -> (Rig, String) {
    let rig = rig_with("");
    let text = format!("{}\n{RULES}", rig.configuration());
    (rig, text)
}

#[test]
fn statements_that_are_there_already_meet_the_rules_of_a_reload() {
    let (rig, rules) = rig_and_rules();
    let mut client = rig.client();
    client.answer(&Frames::new().parse("named", "DELETE FROM t").sync(), 1);
    client.answer(&Frames::new().parse("", "DELETE FROM t").sync(), 1);
    client.run("PREPARE by_sql AS DELETE FROM t");
    client.answer(&Frames::new().parse("", "DELETE FROM t").sync(), 1);
    let changes = rig.reload(&rules);
    assert!(changes.iter().any(|key| key == "rule.secrets.table"), "{changes:?}");
    let bind = Frames::new().bind("", "", &[]).execute("", 0).sync();
    assert_eq!(client.answer(&bind, 1).summary(), "E(42501) Z(I)");
    let named = Frames::new().execute_prepared("named", &[]).sync();
    assert_eq!(client.answer(&named, 1).summary(), "E(42501) Z(I)");
    is_refused(&client.error("EXECUTE by_sql"), "no unbounded writes");
    is_refused(&client.error("EXPLAIN ANALYZE EXECUTE by_sql"), "no unbounded writes");
    is_refused(&client.error("EXECUTE named"), "no unbounded writes");
    assert_eq!(rows_left(&rig), "3");
    // And a text that all servers know is not waved through.
    let known = Frames::new().parse("again", "DELETE FROM t").sync();
    assert_eq!(client.answer(&known, 1).summary(), "E(42501) Z(I)");
    rig.reload(rig.configuration());
    assert_eq!(client.run("EXECUTE by_sql").commands(), ["DELETE 3"]);
}

#[test]
fn a_reload_counts_on_and_a_rule_that_is_gone_refuses_nothing() {
    let rig = rig_with(RULES);
    let mut client = rig.client();
    client.error("DELETE FROM t");
    let more = "[[rule]]\nname = \"late\"\npattern = \"^truncate \"\naction = \"block\"\n";
    rig.reload(&format!("{}\n{more}", rig.configuration()));
    client.error("DELETE FROM t");
    is_refused(&client.error("TRUNCATE t"), "late");
    assert_eq!(counts(&rig, "no unbounded writes"), ["2", "2", "0"]);
    let (before, _) = rig.configuration().split_once("[[rule]]").unwrap();
    rig.reload(before);
    assert_eq!(client.run("DELETE FROM t").commands(), ["DELETE 3"]);
}

#[test]
fn in_session_mode_statements_are_judged_as_well() {
    let rig = Rig::builder().mode("session").more(RULES).in_process();
    let mut client = rig.client();
    client.run("SELECT 1");
    assert_eq!(client.query("TABLE secrets").unwrap().summary(), "E(42501) Z(I)");
    let frames = Frames::new()
        .parse("n", "TABLE secrets")
        .sync()
        .extended("TABLE secrets", &[])
        .sync()
        .query("PREPARE p AS TABLE secrets")
        .query("SELECT 'on'");
    let seen = client.answer(&frames, 4);
    assert_eq!(seen.summary(), "E(42501) Z(I) E(42501) Z(I) E(42501) Z(I) T D C Z(I)");
}

#[test]
fn copying_and_function_calls_go_by_their_class() {
    let rules = "[[rule]]\nname = \"closed\"\nclass = [\"copy\", \"other\"]\naction = \"block\"\n";
    let rig = rig_with(rules);
    let mut client = rig.client();
    is_refused(&client.error("COPY t FROM STDIN"), "closed");
    is_refused(&client.error("COPY t TO STDOUT"), "closed");
    is_refused(&client.error("DO 'BEGIN END'"), "closed");
    is_refused(&client.error("SELECT a_function_of_the_database()"), "closed");
    let abs = 1397;
    let call = Frames::new().function_call(abs, &["-5"]);
    assert_eq!(client.answer(&call, 1).summary(), "E(42501) Z(I)");
    client.run("BEGIN");
    assert_eq!(client.answer(&call, 1).summary(), "E(42501) Z(E)");
    client.run("ROLLBACK");
    assert_eq!(client.value("SELECT abs(-5)"), "5");
}

#[test]
fn a_read_only_user_reads() {
    let rules = r#"
        [[rule]]
        name = "reads"
        user = ["app"]
        class = ["read", "transaction", "session"]
        action = "allow"
        [[rule]]
        name = "nothing else"
        user = ["app"]
        action = "block"
    "#;
    let rig = rig_with(rules);
    let mut client = rig.client();
    client.run("BEGIN; SET LOCAL work_mem = '1MB'; SELECT * FROM t; COMMIT");
    for sql in [
        "INSERT INTO t VALUES (1)",
        "SELECT 1; DELETE FROM t WHERE id = 1",
        "SELECT * FROM t FOR UPDATE",
        "SELECT nextval('s')",
        "COPY t FROM STDIN",
        "DO 'BEGIN END'",
        "not even SQL",
    ] {
        is_refused(&client.error(sql), "nothing else");
    }
    rig.observer().run("DROP ROLE IF EXISTS other_reader");
    rig.observer().run("CREATE ROLE other_reader LOGIN");
    let mut other = rig.target().user("other_reader").client();
    assert_eq!(other.query("not even SQL").unwrap().errors()[0].code, "42601");
    other.close();
    drop(client);
    rig.observer().run("DROP ROLE other_reader");
}

#[test]
fn a_client_that_is_refused_is_in_nobodys_way() {
    let rig = rig_with(RULES);
    let (mut bad, mut good) = (rig.client(), rig.client());
    for turn in 0..200 {
        let text = turn.to_string();
        bad.send(&Frames::new().query("DELETE FROM t").extended("TABLE secrets", &[]).sync())
            .unwrap();
        let seen = good.answer(&Frames::new().extended("SELECT $1::text", &[&text]).sync(), 1);
        assert_eq!((seen.summary().as_str(), seen.values()), ("1 2 T D C Z(I)", vec![text]));
    }
    let seen = bad.until(b'Z', 400).unwrap();
    assert!(seen.errors().iter().all(|error| error.code == "42501"), "{}", seen.summary());
    assert_eq!(seen.errors().len(), 400);
}

#[test]
fn what_the_client_calls_itself_and_where_it_comes_from_may_matter() {
    let rules = r#"
        [[rule]]
        name = "cron"
        application = ["cron"]
        table = ["t"]
        action = "block"
        [[rule]]
        name = "elsewhere"
        address = ["192.0.2.0/24"]
        action = "block"
    "#;
    let rig = rig_with(rules);
    let mut client = rig.target().parameter("application_name", "cron").client();
    is_refused(&client.error("TABLE t"), "cron");
    client.run("SET application_name = 'web'");
    client.run("TABLE t");
    client.run("SET application_name = 'cron'");
    is_refused(&client.error("TABLE t"), "cron");
    rig.client().run("TABLE t");
    assert_eq!(counts(&rig, "elsewhere"), ["0", "0", "0"]);
}

#[test]
fn what_is_flagged_runs_and_is_counted() {
    let rules = r#"
        [[rule]]
        name = "look"
        table = ["t"]
        action = "flag"
        [[rule]]
        name = "never reached"
        action = "block"
        table = ["t"]
    "#;
    let rig = rig_with(rules);
    let mut client = rig.client();
    assert_eq!(client.value("SELECT count(*) FROM t"), "3");
    client.answer(&Frames::new().parse("n", "SELECT count(*) FROM t").sync(), 1);
    for _ in 0..3 {
        client.answer(&Frames::new().execute_prepared("n", &[]).sync(), 1);
    }
    assert_eq!(counts(&rig, "look"), ["4", "0", "4"]);
    assert_eq!(counts(&rig, "never reached"), ["0", "0", "0"]);
}

#[test]
fn a_text_that_cannot_be_told_is_flagged_or_refused_as_the_rule_says() {
    let undecided = |word: &str| {
        format!(
            "[[rule]]\nname = \"r\"\ntable = [\"secrets\"]\naction = \"block\"\nundecided = {word:?}\n"
        )
    };
    let rig = rig_with(&undecided("flag"));
    let mut client = rig.client();
    assert_eq!(client.error("SELEC * FROM secrets").code, "42601");
    assert_eq!(counts(&rig, "r"), ["1", "0", "1"]);
    // A server that reads backslashes otherwise reads another statement.
    client.run("SET standard_conforming_strings = off");
    let odd = "SELECT '\\'' AS a, id FROM secrets --'";
    assert_eq!(client.run(odd).rows().len(), 1);
    assert_eq!(counts(&rig, "r"), ["2", "0", "2"]);
    let long = format!("SELECT 1 /* {} */", "x".repeat(1 << 20));
    client.run(&long);
    assert_eq!(counts(&rig, "r"), ["3", "0", "3"]);
    rig.reload(&rig.configuration().replace("\"flag\"", "\"block\""));
    is_refused(&client.error(odd), "r");
    is_refused(&client.error(&long), "r");
    let parse = Frames::new().parse("", &long).sync();
    assert_eq!(client.answer(&parse, 1).summary(), "E(42501) Z(I)");
    let mut other = rig.client();
    is_refused(&other.error(&long), "r");
    assert_eq!(other.answer(&parse, 1).summary(), "E(42501) Z(I)");
    other.run("BEGIN");
    assert_eq!(other.query(&long).unwrap().summary(), "E(42501) Z(E)");
    other.run("ROLLBACK");
    assert_eq!(other.value("SELECT 'on'"), "on");
}

#[test]
fn what_runs_inside_the_database_is_not_seen() {
    // The guide says so: a wall is made of privileges.
    let rig = rig_with(RULES);
    rig.direct()
        .client()
        .run("CREATE FUNCTION empties() RETURNS void LANGUAGE sql AS 'DELETE FROM t'");
    let mut client = rig.client();
    client.run("DO 'BEGIN PERFORM id FROM secrets; END'");
    client.run("SELECT empties()");
    assert_eq!(rows_left(&rig), "0");
}

#[test]
fn statements_that_no_rule_touches_are_answered_with_postgresqls_own_bytes() {
    let rig = rig_with(RULES);
    let script = Script::new()
        .step(Frames::new().query("SELECT * FROM t ORDER BY id"))
        .step(Frames::new().query("BEGIN; UPDATE t SET id = 7 WHERE id = 1; ROLLBACK"))
        .until(
            Frames::new()
                .parse("s", "SELECT id FROM t WHERE id > $1 ORDER BY id")
                .describe_statement("s")
                .execute_prepared("s", &["1"])
                .sync()
                .execute_prepared("s", &["2"])
                .sync(),
            Until::Ready(2),
        )
        .step(Frames::new().query("SELECT 1 / 0"))
        .step(Frames::new().query(""));
    rig.same_as_direct("", &script);
}

#[test]
fn shared_reads_are_judged_and_those_that_a_rule_touches_do_not_share() {
    let rules = r#"
        [[rule]]
        name = "allowed"
        table = ["t"]
        action = "allow"
        [[rule]]
        name = "secret"
        table = ["secrets"]
        action = "flag"
    "#;
    let rig = Rig::builder().pool_size(1).pool("share", "\"reads\"").more(rules).in_process();
    let mut owner = rig.direct().client();
    owner.run("CREATE TABLE t (id int); CREATE TABLE secrets (id int)");
    let mut clients: Vec<Connection> = (0..8).map(|_| rig.client()).collect();
    let mut sent = 0;
    let shared = || {
        let report = rig.block_on(rig.engine().report());
        report.pools.iter().any(|pool| pool.database == rig.database() && pool.shared > 0)
    };
    // On a busy machine a read takes longer to prove short.
    for turn in (0..10_000).take_while(|turn| *turn < 100 || turn % 2 == 1 || !shared()) {
        let sql = if turn % 2 == 0 { "TABLE t" } else { "TABLE secrets" };
        for client in &mut clients {
            client.send(&Frames::new().query(sql)).unwrap();
        }
        for client in &mut clients {
            assert_eq!(client.until(b'Z', 1).unwrap().summary(), "T C Z(I)");
            sent += 1;
        }
    }
    let half = (sent / 2).to_string();
    assert_eq!(counts(&rig, "allowed"), [half.as_str(), "0", "0"]);
    assert_eq!(counts(&rig, "secret"), [half.as_str(), "0", half.as_str()]);
    let report = rig.block_on(rig.engine().report());
    let pool = report.pools.iter().find(|pool| pool.database == rig.database()).expect("a pool");
    assert!(pool.shared > 0, "some reads of t have shared");
    assert!(pool.unshared.get("rule").is_some_and(|count| *count > 0), "{:?}", pool.unshared);
}
