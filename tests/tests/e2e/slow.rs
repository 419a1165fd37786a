//! Statements that take long are remembered with their plans: as PostgreSQL plans them, under the session's settings, without running
//! anything and without a value of theirs in sight.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::console::table;
use howdah_tests::http::{bring, get};
use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{Builder, PATIENCE, Rig, eventually};

type Line = BTreeMap<String, Option<String>>;

fn watching() -> Builder {
    Rig::builder()
        .pool("slow_threshold", "\"100ms\"")
        .more("[statements]\nserver_statistics = \"off\"\n")
}

fn console(rig: &Rig) -> Connection {
    rig.target().database("howdah").client()
}

fn library(rig: &Rig) -> Connection {
    let mut client = rig.client();
    client.run("CREATE TABLE books (id int PRIMARY KEY, title text)");
    client.run("INSERT INTO books SELECT n, 'title ' || n FROM generate_series(1, 20000) n");
    client.run("UPDATE books SET title = 'hunter2' WHERE id = 77");
    client.run("VACUUM ANALYZE books");
    client
}

fn text(line: &Line, column: &str) -> String {
    line[column].clone().unwrap_or_default()
}

/// The newest slow statement whose form has this in it.
fn newest(console: &mut Connection, part: &str) -> Option<Line> {
    table(console, "SHOW SLOW").into_iter().find(|line| text(line, "statement").contains(part))
}

/// Runs something slow until PostgreSQL has said how it plans it: other slow statements may have come first. How often it was run.
#[track_caller]
fn planned(console: &mut Connection, part: &str, mut run: impl FnMut()) -> (Line, u32) {
    let (begin, mut runs) = (Instant::now(), 0);
    loop {
        run();
        runs += 1;
        loop {
            let lines = table(console, "SHOW SLOW");
            let here = || lines.iter().filter(|line| text(line, "statement").contains(part));
            if let Some(line) = here().find(|line| line["plan"].is_some()) {
                return (line.clone(), runs);
            }
            assert!(begin.elapsed() < PATIENCE, "{lines:#?}");
            if here().all(|line| text(line, "remark") != "PostgreSQL is being asked") {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_slow_select_has_a_line_with_its_plan_and_no_literal_anywhere() {
    let rig = watching().more("[web]\nlisten = \"127.0.0.1:0\"\n").in_process();
    library(&rig);
    let mut client = rig.target().parameter("application_name", "reading room").client();
    let mut console = console(&rig);
    let sql = "SELECT count(*) FROM books, pg_sleep(0.2) WHERE title = 'hunter2'";
    let (line, _) = planned(&mut console, "from books", || drop(client.value(sql)));
    let plan = text(&line, "plan");
    assert!(plan.contains("Seq Scan on books"), "{plan}");
    assert!(plan.contains("Filter: (title = $1::text)"), "{plan}");
    assert_eq!(line["remark"], None, "it was planned with its own literal");
    assert_eq!(
        ["database", "user", "application", "kind", "node"].map(|column| text(&line, column)),
        [rig.database(), "app", "reading room", "read", "primary"]
    );
    assert_eq!((text(&line, "rows"), &line["error"]), ("1".to_owned(), &None));
    assert!(text(&line, "address").starts_with("127.0.0.1:"), "{line:?}");
    assert!(text(&line, "server_us").parse::<u64>().unwrap() >= 100_000, "{line:?}");
    let web = rig.web();
    let told: serde_json::Value = serde_json::from_str(&get(web, "/api/v1/slow")).unwrap();
    let slow = told["slow"].as_array().unwrap();
    let of_books = slow.iter().find(|one| one["plan"].is_object()).expect("the plan as a tree");
    assert_eq!(of_books["plan"]["what"], "Aggregate");
    let all = [format!("{:?}", table(&mut console, "SHOW SLOW")), told.to_string()];
    assert!(all.iter().all(|text| !text.contains("hunter2")), "{all:?}");
    let metrics = get(web, "/metrics");
    let counted = format!("howdah_slow_queries_total{{database=\"{}\"}}", rig.database());
    assert!(metrics.contains(&counted), "{metrics}");
    // On a busy machine something else was slow, too.
    assert!(metrics.contains("\nhowdah_slow_query_plans_total "), "{metrics}");
    assert!(!metrics.contains("\nhowdah_slow_query_plans_total 0\n"), "{metrics}");
}

#[test]
fn a_plan_is_shown_with_what_is_wrong_with_it_in_words() {
    let rig = watching().more("[web]\nlisten = \"127.0.0.1:0\"\n").in_process();
    let mut client = rig.client();
    client.run("CREATE TABLE shelves AS SELECT n, n % 7 AS room FROM generate_series(1, 3000) n; ANALYZE shelves");
    let mut console = console(&rig);
    let sql = "SELECT n, (SELECT count(*) FROM shelves i WHERE i.room > o.n) FROM shelves o";
    // It is slow by itself: each of 3000 rows counts 3000.
    planned(&mut console, "from shelves", || drop(client.run(sql)));
    let told: serde_json::Value = serde_json::from_str(&get(rig.web(), "/api/v1/slow")).unwrap();
    let slow = told["slow"].as_array().unwrap().iter();
    let one = slow.clone().find(|one| one["plan_text"].is_string()).expect("a plan");
    let finding = &one["findings"][0];
    assert_eq!(
        (&finding["what"], &finding["path"]),
        (&"repeated_subquery".into(), &serde_json::json!([0]))
    );
    assert!(finding["why"].as_str().unwrap().contains("would run 3000 times"), "{finding}");
    assert!(one["plan_text"].as_str().unwrap().contains("->  SubPlan 1: Aggregate"), "{one}");
    // With ANALYZE it is what happened.
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}");
    let answer = bring(rig.web(), "/api/v1/plan", &client.value(&explain));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let read: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let inner = &read["plan"]["inputs"][0];
    assert_eq!((&read["executed"], &inner["loops"]), (&true.into(), &3000.0.into()), "{read}");
    assert!(inner["ms"].as_f64() > Some(0.0) && inner["hit"].as_f64() > Some(3000.0), "{inner}");
    assert!(read["findings"][0]["share"].as_f64() > Some(0.5), "{read}");
    let wrong = bring(rig.web(), "/api/v1/plan", "Seq Scan on shelves");
    assert!(wrong.status == 400 && wrong.body.contains("no plan"), "{}", wrong.body);
}

#[test]
fn a_prepared_statement_is_planned_with_its_parameters_and_in_a_transaction_without() {
    let rig = watching().in_process();
    let mut client = library(&rig);
    let mut console = console(&rig);
    // Rare values of a column make another plan than frequent ones.
    client.run("CREATE TABLE loans (state text, book int)");
    client.run("INSERT INTO loans SELECT CASE WHEN n % 5000 = 0 THEN 'lost' ELSE 'back' END, n FROM generate_series(1, 20000) n");
    client.run("CREATE INDEX loans_by_state ON loans (state)");
    client.run("VACUUM ANALYZE loans");
    let parse = Frames::new()
        .parse("by_state", "SELECT count(*) FROM loans, pg_sleep(0.2) WHERE state = $1")
        .sync();
    client.answer(&parse, 1);
    let execute = Frames::new().execute_prepared("by_state", &["lost"]).sync();
    let (line, _) = planned(&mut console, "from loans", || drop(client.answer(&execute, 1)));
    let plan = text(&line, "plan");
    assert!(plan.contains("using loans_by_state on loans"), "{plan}");
    assert!(plan.contains("Index Cond: (state = $1::text)"), "{plan}");
    assert_eq!(line["remark"], None);
    client.run("BEGIN");
    let sql = "SELECT title FROM books, pg_sleep(0.2) WHERE id = $1";
    let extended = Frames::new().extended(sql, &["4711"]).sync();
    // Its first request may still be there: what is wanted is one that came later.
    let (line, _) = planned(&mut console, "select title", || {
        assert_eq!(client.answer(&extended, 1).values(), ["title 4711"]);
    });
    client.run("COMMIT");
    let plan = text(&line, "plan");
    assert!(plan.contains("Index Scan using books_pkey on books"), "{plan}");
    assert_eq!(text(&line, "remark"), "made without the values of the call");
}

#[test]
fn a_slow_write_is_explained_and_not_run_again() {
    let rig = watching().in_process();
    let mut client = rig.client();
    client.run("CREATE TABLE counters (n int)");
    client.run("INSERT INTO counters VALUES (0)");
    let mut console = console(&rig);
    let (line, runs) = planned(&mut console, "update counters", || {
        client.run("UPDATE counters SET n = n + 1 FROM pg_sleep(0.2)");
    });
    let plan = text(&line, "plan");
    assert!(plan.starts_with("Update on counters"), "{plan}");
    assert_eq!(text(&line, "kind"), "write");
    assert_eq!(client.value("SELECT n FROM counters"), runs.to_string());
}

#[test]
fn what_is_no_single_query_has_no_plan_and_says_why() {
    let rig = watching().in_process();
    let (mut client, mut console) = (rig.client(), console(&rig));
    for (sql, part, why) in [
        (
            "SELECT pg_sleep(0.2); SELECT 7 AS seven",
            "seven",
            "several statements were sent as one text",
        ),
        (
            "DO $$ BEGIN PERFORM pg_sleep(0.2); END $$",
            "do",
            "only queries that read or change rows",
        ),
    ] {
        client.run(sql);
        let line = newest(&mut console, part).expect("a line");
        assert_eq!(line["plan"], None);
        assert!(text(&line, "remark").starts_with(why), "{sql}: {line:#?}");
    }
}

#[test]
fn a_form_is_explained_once_a_minute() {
    let rig = watching().in_process();
    let mut client = library(&rig);
    let mut console = console(&rig);
    let mut run = |id: u32| {
        client.run(&format!("SELECT title FROM books, pg_sleep(0.2) WHERE id = {id}"));
    };
    planned(&mut console, "select title", || run(5));
    run(6);
    let line = newest(&mut console, "select title").expect("a line");
    assert_eq!(text(&line, "remark"), "its form was explained within the last minute");
}

#[test]
fn the_plan_is_that_of_the_sessions_own_settings() {
    let rig = watching().in_process();
    let mut client = library(&rig);
    client.run("CREATE SCHEMA attic");
    client.run("CREATE TABLE attic.books AS SELECT 5 AS id, 'old'::text AS title");
    client.run("SET search_path = attic");
    let mut console = console(&rig);
    let (line, _) = planned(&mut console, "select title", || {
        client.run("SELECT title FROM books, pg_sleep(0.2) WHERE id = 5");
    });
    let plan = text(&line, "plan");
    assert!(plan.contains("Seq Scan on books") && !plan.contains("books_pkey"), "{plan}");
}

#[test]
fn what_postgresql_does_not_plan_for_another_connection_says_so_and_harms_nobody() {
    let rig = watching().in_process();
    let (mut client, mut console) = (rig.client(), console(&rig));
    client.run("CREATE TEMP TABLE mine AS SELECT 'hunter2'::text AS secret");
    let begin = Instant::now();
    let line = loop {
        client.run("SELECT * FROM mine, pg_sleep(0.2) WHERE secret = 'hunter2'");
        let lines = table(&mut console, "SHOW SLOW");
        let mut lines =
            lines.into_iter().filter(|line| text(line, "statement").contains("from mine"));
        if let Some(line) = lines.find(|line| text(line, "remark").contains("SQLSTATE")) {
            break line;
        }
        assert!(begin.elapsed() < PATIENCE, "nobody was refused");
    };
    assert_eq!(text(&line, "remark"), "PostgreSQL refused to plan it (SQLSTATE 42P01)");
    assert_eq!(line["plan"], None);
    assert_eq!(client.value("SELECT 'unharmed'"), "unharmed");
}

#[test]
fn a_role_that_may_not_read_a_table_any_more_gets_its_answer_and_the_line_a_reason() {
    let rig = watching().in_process();
    library(&rig);
    let mut owner = rig.observer();
    let role = format!("reader_of_{}", rig.database());
    owner.run(&format!("CREATE ROLE {role} LOGIN"));
    owner.run(&format!("GRANT SELECT ON books TO {role}"));
    let mut client = rig.target().user(&role).client();
    let mut console = console(&rig);
    // The right is taken away while the statement runs, before anybody asks how it was planned.
    let slow = "SELECT count(*) FROM books, pg_sleep(1.5) WHERE id = 7";
    client.send(&Frames::new().query(slow)).unwrap();
    let sleeps = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}' AND wait_event = 'PgSleep'"
    );
    eventually("it runs", || owner.value(&sleeps) == "1");
    owner.run(&format!("REVOKE SELECT ON books FROM {role}"));
    let answer = client.until(b'Z', 1).unwrap();
    assert_eq!(answer.values(), ["1"], "the client hears of nothing");
    let mut line = None;
    eventually("PostgreSQL was asked", || {
        line = newest(&mut console, "from books");
        line.as_ref().is_some_and(|line| text(line, "remark") != "PostgreSQL is being asked")
    });
    let line = line.unwrap();
    assert_eq!(line["plan"], None, "{line:?}");
    let reason = "its role may not read all that is in it (SQLSTATE 42501)";
    assert_eq!(text(&line, "remark"), reason);
    assert_eq!(line["error"], None, "the statement itself did not fail: {line:?}");
    assert_eq!(client.value("SELECT 'unharmed'"), "unharmed");
}

#[test]
fn constants_are_shown_only_to_those_who_ask_for_them_in_the_configuration() {
    let rig = Rig::builder()
        .pool("slow_threshold", "\"100ms\"")
        .more("[statements]\nserver_statistics = \"off\"\nvalues = \"show\"\n")
        .in_process();
    let mut client = library(&rig);
    let mut console = console(&rig);
    let (line, _) = planned(&mut console, "from books", || {
        client.run("SELECT count(*) FROM books, pg_sleep(0.2) WHERE title = 'hunter2'");
    });
    assert!(text(&line, "plan").contains("Filter: (title = 'hunter2'::text)"), "{line:#?}");
    assert!(!text(&line, "statement").contains("hunter2"), "{line:#?}");
}

#[test]
fn without_a_threshold_nothing_is_remembered_and_without_plans_nobody_is_asked() {
    let rig = Rig::builder().pool("slow_threshold", "\"off\"").in_process();
    let mut console_of_quiet = console(&rig);
    rig.client().run("SELECT pg_sleep(0.3)");
    assert!(table(&mut console_of_quiet, "SHOW SLOW").is_empty());
    let rig = Rig::builder().pool("slow_threshold", "\"100ms\"").in_process();
    let mut console = console(&rig);
    rig.client().run("SELECT pg_sleep(0.3)");
    let line = newest(&mut console, "pg_sleep").expect("a line");
    assert_eq!(text(&line, "remark"), "statements.explain is off");
}
