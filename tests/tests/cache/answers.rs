//! Answers from the cache: given, the same bytes as PostgreSQL's, and never to those for whom they are not.

use std::time::Duration;

use howdah::CacheCounts;
use howdah_tests::raw::{Connection, Frames};

use crate::bed::{Bed, LIMIT, catch_up, direct, eventually};

/// The cache answers, and the bound does not matter.
pub(crate) const ON: &str = "mode = \"on\"\nmax_staleness = \"10s\"\n";

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v int, name text); \
    INSERT INTO t SELECT n, n, 'n' || n FROM generate_series(1, 100) n";

/// A bed whose stream is open.
fn bed(sql: &str, keys: &str) -> Bed {
    let bed = Bed::start(sql, &format!("{ON}{keys}"));
    bed.open();
    bed
}

/// What the cache has done.
pub(crate) fn counts(bed: &Bed) -> CacheCounts {
    let mut all = CacheCounts::default();
    bed.engine_report().cache.iter().for_each(|report| all.add(&report.counts));
    all
}

/// Whether an exchange was answered from the cache.
fn is_hit(bed: &Bed, client: &mut Connection, frames: &Frames) -> bool {
    let before = counts(bed).hits;
    client.answer(frames, 1);
    counts(bed).hits > before
}

/// Asks until the cache answers.
#[track_caller]
pub(crate) fn warm(bed: &Bed, client: &mut Connection, frames: &Frames) {
    let start = std::time::Instant::now();
    while !is_hit(bed, client, frames) {
        assert!(start.elapsed() < LIMIT, "never: {:?} {:?}", frames.lines(), counts(bed));
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn simple(sql: &str) -> Frames {
    Frames::new().query(sql)
}

/// The same frames as an ordinary driver's: unnamed statement, described.
fn extended(sql: &str, parameters: &[&str]) -> Frames {
    let frames = Frames::new().parse("", sql).bind("", "", parameters);
    frames.describe_portal("").execute("", 0).sync()
}

#[test]
fn answers_are_the_bytes_of_postgresql_in_every_form_of_the_protocol() {
    let bed = bed(TABLE, "");
    let mut client = bed.client();
    let mut other = bed.direct();
    let by_id = "SELECT * FROM t WHERE id = $1";
    for connection in [&mut client, &mut other] {
        let made = Frames::new().parse("s", by_id).describe_statement("s").sync();
        connection.answer(&made, 1);
    }
    let seven: &[u8] = &[0, 0, 0, 7];
    let binary = |results: &[u16]| {
        let parse = Frames::new().parse("", by_id);
        let bind = parse.bind_formats("", "", &[1], &[Some(seven)], results);
        bind.describe_portal("").execute("", 0).sync()
    };
    for frames in [
        simple("SELECT * FROM t WHERE id = 7"),
        simple("SELECT count(*), sum(v), min(name) FROM t"),
        simple("SELECT * FROM t WHERE id = 700"),
        simple(
            "SELECT t.*, NULL, ''::text, 1.50::numeric, ARRAY[v], v::float8 / 3 FROM t ORDER BY id",
        ),
        extended(by_id, &["7"]),
        binary(&[]),
        binary(&[1]),
        binary(&[0, 1, 0]),
        Frames::new().bind("", "s", &["7"]).execute("", 0).sync(),
        Frames::new().bind("", "s", &["7"]).describe_portal("").execute("", 0).sync(),
        Frames::new().bind("", "s", &["8"]).execute("", 0).sync(),
        Frames::new().bind_formats("", "s", &[1], &[Some(seven)], &[1]).execute("", 0).sync(),
    ] {
        warm(&bed, &mut client, &frames);
        let before = counts(&bed).hits;
        let given = client.answer(&frames, 1);
        assert_eq!(counts(&bed).hits, before + 1, "{:?}", frames.lines());
        assert_eq!(given, other.answer(&frames, 1), "{:?}", frames.lines());
    }
    // What was not asked that way before is another answer.
    assert!(!is_hit(&bed, &mut client, &simple("SELECT * FROM  t WHERE id = 7")));
}

#[test]
fn the_unnamed_statement_of_a_cached_answer_can_be_bound_again() {
    let bed = bed(TABLE, "");
    let mut client = bed.client();
    let frames = extended("SELECT name FROM t WHERE id = $1", &["7"]);
    warm(&bed, &mut client, &frames);
    let again = Frames::new().bind("", "", &["9"]).execute("", 0).sync();
    assert_eq!(client.answer(&again, 1).values(), ["n9"]);
    warm(&bed, &mut client, &frames);
    warm(&bed, &mut client, &simple("SELECT name FROM t WHERE id = 1"));
    let error = client.answer(&again, 1).errors().into_iter().next().expect("an error");
    assert_eq!(error.code, "26000", "a simple query ends the unnamed statement");
}

#[test]
fn comments_around_a_statement_make_no_other_answer() {
    let bed = bed(TABLE, "");
    let mut client = bed.client();
    let named = |call: u32| {
        simple(&format!("/* app */ SELECT name FROM t WHERE id = 7 /*traceparent='00-{call}-01'*/"))
    };
    warm(&bed, &mut client, &named(1));
    assert!(is_hit(&bed, &mut client, &named(2)));
    assert!(is_hit(&bed, &mut client, &simple("SELECT name FROM t WHERE id = 7")));
    for (text, answer) in [("SELECT 'a /* ' -- */", "a /* "), ("SELECT 'a /* b' -- */", "a /* b")] {
        let text = format!("{} \n FROM t WHERE id = 7 -- */", text.trim_end_matches(" -- */"));
        let frames = simple(&text);
        assert_eq!(client.answer(&frames, 1).values(), [answer]);
        warm(&bed, &mut client, &frames);
        assert_eq!(client.answer(&frames, 1).values(), [answer]);
    }
}

#[test]
fn what_somebody_else_writes_is_seen() {
    let bed = bed(TABLE, "");
    let freshness = bed.open();
    let (mut client, mut other) = (bed.client(), bed.direct());
    let read = simple("SELECT v FROM t WHERE id = 7");
    let all = simple("SELECT sum(v) FROM t");
    for value in 1000..1040 {
        warm(&bed, &mut client, &read);
        warm(&bed, &mut client, &all);
        other.run(&format!("UPDATE t SET v = {value} WHERE id = 7"));
        catch_up(&freshness);
        assert_eq!(client.answer(&read, 1).values(), [value.to_string()]);
        assert_eq!(client.answer(&all, 1).values(), [(5050 - 7 + value).to_string()]);
    }
    // Another row is of no concern to a read by key.
    warm(&bed, &mut client, &read);
    other.run("UPDATE t SET v = 0 WHERE id = 8");
    catch_up(&freshness);
    assert!(is_hit(&bed, &mut client, &read));
}

#[test]
fn a_session_sees_what_it_has_written_at_once() {
    let bed = bed(TABLE, "");
    let mut client = bed.client();
    let read = simple("SELECT v FROM t WHERE id = 7");
    let prepared = Frames::new().bind("", "s", &["7"]).execute("", 0).sync();
    client.answer(&Frames::new().parse("s", "SELECT v FROM t WHERE id = $1").sync(), 1);
    for value in 1000..1100 {
        if value % 10 == 0 {
            warm(&bed, &mut client, &read);
            warm(&bed, &mut client, &prepared);
        }
        if value % 3 == 0 {
            client.run("BEGIN");
            client.run(&format!("UPDATE t SET v = {value} WHERE id = 7"));
            client.run("COMMIT");
        } else {
            client.run(&format!("UPDATE t SET v = {value} WHERE id = 7"));
        }
        assert_eq!(client.answer(&read, 1).values(), [value.to_string()]);
        assert_eq!(client.answer(&prepared, 1).values(), [value.to_string()]);
    }
}

#[test]
fn what_a_trigger_or_a_cascade_writes_is_seen() {
    let bed = bed(
        "CREATE TABLE parent (id int PRIMARY KEY); \
         CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE); \
         CREATE TABLE log (id int PRIMARY KEY, n int); INSERT INTO log VALUES (1, 0); \
         INSERT INTO parent SELECT generate_series(1, 100); \
         INSERT INTO child SELECT n, n FROM generate_series(1, 100) n; \
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN UPDATE log SET n = n + 1 WHERE id = 1; RETURN NULL; END'; \
         CREATE TRIGGER note AFTER DELETE ON parent FOR EACH ROW EXECUTE FUNCTION note()",
        "",
    );
    let mut client = bed.client();
    let log = simple("SELECT n FROM log WHERE id = 1");
    for id in 1..20 {
        let child = simple(&format!("SELECT count(*) FROM child WHERE id = {id}"));
        warm(&bed, &mut client, &child);
        warm(&bed, &mut client, &log);
        client.run(&format!("DELETE FROM parent WHERE id = {id}"));
        assert_eq!(client.answer(&child, 1).values(), ["0"]);
        assert_eq!(client.answer(&log, 1).values(), [id.to_string()]);
    }
}

#[test]
fn truncation_copies_and_rows_that_leave_are_seen() {
    let bed = bed(TABLE, "");
    let freshness = bed.open();
    let (mut client, mut other) = (bed.client(), bed.direct());
    let name = simple("SELECT count(*) FROM t WHERE name = 'n7'");
    let id = simple("SELECT count(*) FROM t WHERE id IN (7, 8)");
    let mut see = |sql: &str, expected: [&str; 2]| {
        warm(&bed, &mut client, &name);
        warm(&bed, &mut client, &id);
        other.run(sql);
        catch_up(&freshness);
        let found = [client.answer(&name, 1).values(), client.answer(&id, 1).values()].concat();
        assert_eq!(found, expected, "{sql}");
    };
    see("UPDATE t SET name = 'other' WHERE id = 7", ["0", "2"]);
    see("UPDATE t SET name = 'n7' WHERE id = 9", ["1", "2"]);
    see("UPDATE t SET id = 1000 WHERE id = 8", ["1", "1"]);
    see("DELETE FROM t WHERE id = 9", ["0", "1"]);
    see("INSERT INTO t VALUES (8, 0, 'n7'), (2000, 0, 'n7')", ["2", "2"]);
    see("TRUNCATE t", ["0", "0"]);
    see(
        "COPY (SELECT 1) TO '/dev/null'; INSERT INTO t SELECT n, n, 'n7' FROM generate_series(7, 9) n",
        ["3", "2"],
    );
    see("BEGIN; TRUNCATE t; INSERT INTO t VALUES (7, 7, 'n7'); COMMIT", ["1", "1"]);
    see("BEGIN; DELETE FROM t; ROLLBACK", ["1", "1"]);
}

#[test]
fn an_answer_that_shows_its_rows_outlives_changes_of_other_rows() {
    let bed = bed(TABLE, "");
    let freshness = bed.open();
    let (mut client, mut other) = (bed.client(), bed.direct());
    let read = extended("SELECT name, id FROM t WHERE v = $1 ORDER BY id LIMIT 9", &["7"]);
    let mut round = 0;
    eventually("a change of another row leaves it", || {
        round += 1;
        warm(&bed, &mut client, &read);
        other.run(&format!("UPDATE t SET name = 'x{round}' WHERE id = 8"));
        catch_up(&freshness);
        is_hit(&bed, &mut client, &read)
    });
    for (sql, expected) in [
        ("UPDATE t SET v = 7 WHERE id = 9", vec!["n7", "n9"]),
        ("UPDATE t SET v = 8 WHERE id = 7", vec!["n9"]),
        ("UPDATE t SET id = 1000 WHERE id = 9", vec!["n9"]),
        ("DELETE FROM t WHERE id = 1000", vec![]),
        ("INSERT INTO t VALUES (1000, 7, 'new')", vec!["new"]),
    ] {
        warm(&bed, &mut client, &read);
        other.run(sql);
        catch_up(&freshness);
        assert!(!is_hit(&bed, &mut client, &read), "{sql}");
        assert_eq!(client.answer(&read, 1).values(), expected, "{sql}");
    }
}

#[test]
fn partitions_children_and_views_are_seen_through() {
    let bed = bed(
        "CREATE TABLE p (id int, v int, PRIMARY KEY (id)) PARTITION BY RANGE (id); \
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50); \
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (50) TO (100); \
         CREATE TABLE parent (id int PRIMARY KEY, v int); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent); \
         INSERT INTO p SELECT n, n FROM generate_series(1, 99) n; \
         INSERT INTO parent VALUES (1, 1); INSERT INTO child VALUES (2, 2); \
         CREATE VIEW w AS SELECT p.id, p.v FROM p JOIN parent ON true; CREATE VIEW ww AS SELECT * FROM w",
        "",
    );
    let freshness = bed.open();
    let (mut client, mut other) = (bed.client(), bed.direct());
    let reads = [
        simple("SELECT v FROM p WHERE id = 7"),
        simple("SELECT sum(v) FROM parent"),
        simple("SELECT sum(v) FROM ww"),
        simple("SELECT v FROM p1 WHERE id = 7"),
    ];
    for sql in [
        "UPDATE p SET v = 1000 WHERE id = 7",
        "UPDATE p1 SET v = 1001 WHERE id = 7",
        "UPDATE child SET v = 77",
        "INSERT INTO child VALUES (3, 3)",
        "TRUNCATE p1",
        "INSERT INTO p1 VALUES (7, 5)",
        "TRUNCATE parent",
    ] {
        reads.iter().for_each(|read| warm(&bed, &mut client, read));
        other.run(sql);
        catch_up(&freshness);
        for read in &reads {
            assert_eq!(client.answer(read, 1), other.answer(read, 1), "{sql}: {:?}", read.lines());
        }
    }
}

#[test]
fn nobody_is_given_what_is_for_somebody_else() {
    let users = "[[user]]\nname = \"alice\"\nauth = \"trust\"\n[[user]]\nname = \"bob\"\nauth = \"trust\"\n";
    let bed = bed(
        "CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; \
         CREATE TABLE own (id int PRIMARY KEY, v text); INSERT INTO own VALUES (1, 'secret'); GRANT SELECT ON own TO alice; \
         CREATE TABLE rows (id int PRIMARY KEY, owner text); INSERT INTO rows VALUES (1, 'alice'), (2, 'bob'); \
         ALTER TABLE rows ENABLE ROW LEVEL SECURITY; GRANT SELECT ON rows TO alice, bob; \
         CREATE POLICY mine ON rows USING (owner = current_user); \
         CREATE SCHEMA alice AUTHORIZATION alice; CREATE SCHEMA bob AUTHORIZATION bob; \
         CREATE TABLE alice.mine (id int PRIMARY KEY, v text); CREATE TABLE bob.mine (id int PRIMARY KEY, v text); \
         INSERT INTO alice.mine VALUES (1, 'of alice'); INSERT INTO bob.mine VALUES (1, 'of bob'); \
         GRANT SELECT ON alice.mine TO alice; GRANT SELECT ON bob.mine TO bob",
        users,
    );
    let (own, rows, mine) = (
        "SELECT v FROM own WHERE id = 1",
        "SELECT owner FROM rows",
        "SELECT v FROM mine WHERE id = 1",
    );
    let (mut alice, mut bob) = (bed.client_as("alice"), bed.client_as("bob"));
    warm(&bed, &mut alice, &simple(own));
    warm(&bed, &mut alice, &simple(mine));
    for _ in 0..5 {
        assert_eq!(bob.error(own).code, "42501");
        assert_eq!(bob.value(mine), "of bob");
        assert_eq!(alice.value(mine), "of alice");
        assert_eq!(alice.value(rows), "alice");
        assert_eq!(bob.value(rows), "bob");
        assert_eq!(bed.client().run(rows).values().len(), 2, "the superuser sees all");
    }
    // A session that becomes somebody else.
    let mut anybody = bed.client();
    warm(&bed, &mut anybody, &simple(own));
    for (role, expected) in [("alice", "of alice"), ("bob", "of bob"), ("alice", "of alice")] {
        anybody.run(&format!("SET ROLE {role}"));
        for _ in 0..3 {
            assert_eq!(anybody.value(mine), expected);
        }
        if role == "bob" {
            assert_eq!(anybody.error(own).code, "42501");
        }
        anybody.run("RESET ROLE");
        assert_eq!(anybody.value(own), "secret");
    }
    anybody.run("SET SESSION AUTHORIZATION bob");
    assert_eq!(anybody.error(own).code, "42501");
    let reasons = counts(&bed).reasons;
    assert!(reasons.get("row-security").is_some_and(|count| *count > 0), "{reasons:?}");
    // What is taken away.
    warm(&bed, &mut alice, &simple(own));
    bed.direct().run("REVOKE SELECT ON own FROM alice");
    eventually("the privilege is gone", || {
        alice.query(own).is_ok_and(|found| !found.errors().is_empty())
    });
    assert_eq!(alice.error(own).code, "42501");
}

#[test]
fn settings_that_change_an_answer_have_answers_of_their_own() {
    let bed = bed(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz, f float8, b bytea, i interval, m money, n numeric); \
         INSERT INTO t VALUES (1, '2020-02-03 04:05:06+00', 1.0 / 3, '\\x00ff', '1 day 2 hours', 3.5, 1234.5); \
         CREATE SCHEMA a; CREATE TABLE a.t AS SELECT 2 AS id; ALTER TABLE a.t ADD PRIMARY KEY (id)",
        "",
    );
    let (mut client, mut other) = (bed.client(), bed.direct());
    let reads = [
        "SELECT * FROM t",
        "SELECT to_char(at, 'HH24') FROM public.t",
        "SELECT at::date, at::text FROM public.t WHERE id = 1",
    ];
    for setting in [
        "timezone = 'Asia/Tokyo'",
        "datestyle = 'German'",
        "intervalstyle = 'iso_8601'",
        "extra_float_digits = -5",
        "bytea_output = 'escape'",
        "search_path = a, public",
        "lc_monetary = 'C'",
        "timezone = 'UTC'",
        "client_encoding = 'LATIN1'",
    ] {
        for connection in [&mut client, &mut other] {
            connection.run(&format!("SET {setting}"));
        }
        for read in reads {
            let frames = simple(read);
            warm(&bed, &mut client, &frames);
            assert_eq!(client.answer(&frames, 1), other.answer(&frames, 1), "{setting}: {read}");
        }
    }
}

#[test]
fn what_is_in_doubt_goes_to_postgresql() {
    let bed = bed(
        &format!(
            "{TABLE}; CREATE UNLOGGED TABLE u (id int); CREATE SEQUENCE s; \
        CREATE FUNCTION f() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'; \
        CREATE MATERIALIZED VIEW m AS SELECT * FROM t"
        ),
        "",
    );
    let mut client = bed.client();
    warm(&bed, &mut client, &simple("SELECT v FROM t WHERE id = 7"));
    let before = counts(&bed).hits;
    for sql in [
        "SELECT now() FROM t",
        "SELECT random() FROM t WHERE id = 1",
        "SELECT 'now'::timestamptz FROM t WHERE id = 1",
        "SELECT CURRENT_DATE FROM t WHERE id = 1",
        "SELECT * FROM u",
        "SELECT * FROM m",
        "SELECT * FROM pg_class",
        "SELECT last_value FROM s",
        "SELECT 1",
        "SELECT v FROM t WHERE id = 1 FOR UPDATE",
        "/* howdah: cache=off */ SELECT v FROM t WHERE id = 7",
        "SELECT v FROM t WHERE id = 7; SELECT 1",
        "EXPLAIN SELECT v FROM t",
    ] {
        for _ in 0..4 {
            client.run(sql);
        }
    }
    client.run("BEGIN");
    client.run("SELECT v FROM t WHERE id = 7");
    client.run("COMMIT");
    client.run("SET howdah.cache = off");
    client.run("SELECT v FROM t WHERE id = 7");
    client.run("RESET howdah.cache");
    assert_eq!(counts(&bed).hits, before, "{:?}", counts(&bed));
    // A temporary table hides the other one.
    warm(&bed, &mut client, &simple("SELECT v FROM t WHERE id = 7"));
    client.run("CREATE TEMP TABLE t AS SELECT 7 AS id, -1 AS v");
    assert_eq!(client.value("SELECT v FROM t WHERE id = 7"), "-1");
    // What a function may have done to the session, nobody knows.
    let mut other = bed.client();
    warm(&bed, &mut other, &simple("SELECT v FROM t WHERE id = 7"));
    other.run("SELECT f()");
    assert!(!is_hit(&bed, &mut other, &simple("SELECT v FROM t WHERE id = 7")));
}

#[test]
fn without_news_of_changes_postgresql_answers() {
    let bed = bed(TABLE, "");
    let (mut client, mut other) = (bed.client(), bed.direct());
    let read = simple("SELECT v FROM t WHERE id = 7");
    warm(&bed, &mut client, &read);
    for round in 1000..1003 {
        // No stream for a while: nothing is given.
        other.run("SELECT pg_terminate_backend(pid) FROM pg_stat_replication");
        other.run(&format!("UPDATE t SET v = {round} WHERE id = 7"));
        eventually("the stream has ended, or another one has begun", || {
            client.answer(&read, 1).values() == [round.to_string()]
        });
        for _ in 0..20 {
            assert_eq!(client.answer(&read, 1).values(), [round.to_string()]);
        }
        bed.open();
        warm(&bed, &mut client, &read);
    }
}

#[test]
fn strict_answers_hold_what_others_have_just_written() {
    let bed = bed(TABLE, "");
    let mut client = bed.client();
    let mut other = direct(bed.cluster.primary());
    client.run("SET howdah.cache_level = strict");
    let read = simple("SELECT v FROM t WHERE id = 7");
    for value in 1000..1050 {
        warm(&bed, &mut client, &read);
        other.run(&format!("UPDATE t SET v = {value} WHERE id = 7"));
        assert_eq!(client.answer(&read, 1).values(), [value.to_string()]);
    }
}

#[test]
fn who_only_observes_is_answered_by_postgresql() {
    let bed = Bed::start(TABLE, "mode = \"observe\"\nmax_staleness = \"10s\"\n");
    bed.open();
    let mut client = bed.client();
    eventually("it would have been answered", || {
        client.run("SELECT v FROM t WHERE id = 7");
        counts(&bed).observed > 0
    });
    assert_eq!(counts(&bed).hits, 0);
}
