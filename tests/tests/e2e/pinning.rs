//! State that lives in one server keeps that server for its client, and nothing of it is left for the next.

use std::time::Duration;

use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{Churn, Rig};

/// The client is always served by the same server.
#[track_caller]
fn stays(client: &mut Connection, churn: &mut Churn) {
    let server = client.backend();
    for _ in 0..6 {
        churn.turn();
        assert_eq!(client.backend(), server, "the server changed");
    }
}

/// No server of the pool of 3 gives a row.
#[track_caller]
fn nothing_left(rig: &Rig, sql: &str) {
    let mut clients: Vec<_> = (0..3).map(|_| rig.client()).collect();
    for client in &mut clients {
        client.run("BEGIN");
        assert_eq!(client.run(sql).values(), Vec::<String>::new(), "{sql}");
    }
}

#[test]
fn a_temporary_table_is_there_in_later_statements_and_gone_for_others() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run("CREATE TEMP TABLE mine (a int); INSERT INTO mine VALUES (42)");
    stays(&mut client, &mut churn);
    assert_eq!(client.value("SELECT a FROM mine"), "42");
    churn.rest();
    assert_eq!(rig.client().error("SELECT a FROM mine").code, "42P01");
    client.close();
    drop(churn);
    nothing_left(
        &rig,
        "SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'",
    );
}

#[test]
fn every_way_to_make_a_temporary_relation_is_known() {
    for sql in [
        "CREATE TEMPORARY TABLE mine AS SELECT 1 AS a",
        "SELECT 1 AS a INTO TEMP mine",
        "CREATE TABLE pg_temp.mine AS SELECT 1 AS a",
        "CREATE TEMP VIEW mine AS SELECT 1 AS a",
        "CREATE LOCAL TEMP TABLE mine (a) AS VALUES (1)",
        "SET search_path = pg_temp, public; CREATE TABLE mine AS SELECT 1 AS a",
        "DO $$ BEGIN CREATE TEMP TABLE mine AS SELECT 1 AS a; END $$",
        "EXPLAIN ANALYZE CREATE TEMP TABLE mine AS SELECT 1 AS a",
        "WITH w AS (SELECT 1 AS a) SELECT * INTO TEMPORARY TABLE mine FROM w",
        "/* x */ create /* y */ temp -- z\n table mine as select 1 as a",
    ] {
        let rig = Rig::start();
        let mut churn = rig.churn();
        let mut client = rig.client();
        client.run(sql);
        for _ in 0..4 {
            churn.turn();
            assert_eq!(client.run("SELECT a FROM mine").values(), ["1"], "{sql}");
        }
    }
}

#[test]
fn a_session_advisory_lock_is_held_and_released_after_the_disconnect() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run("SELECT pg_advisory_lock(77)");
    stays(&mut client, &mut churn);
    churn.rest();
    let mut other = rig.client();
    assert_eq!(other.value("SELECT pg_try_advisory_lock(77)"), "f");
    drop(client);
    let mut direct = rig.direct().client();
    let released = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        direct.value("SELECT pg_try_advisory_lock(77)") == "t"
    });
    assert!(released, "the lock of a client that is gone is still held");
}

#[test]
fn every_function_that_takes_a_session_lock_is_known() {
    for sql in [
        "SELECT pg_advisory_lock(78)",
        "SELECT pg_try_advisory_lock(78)",
        "SELECT pg_advisory_lock_shared(78)",
        "SELECT 1 WHERE pg_try_advisory_lock_shared(78)",
        "SELECT pg_catalog.pg_advisory_lock(0, 78)",
        "SELECT \"pg_advisory_lock\"(78)",
        "WITH l AS (SELECT pg_advisory_lock(78)) SELECT * FROM l",
        "EXPLAIN ANALYZE SELECT pg_advisory_lock(78)",
        "DO $$ BEGIN PERFORM pg_advisory_lock(78); END $$",
    ] {
        let rig = Rig::start();
        let mut churn = rig.churn();
        let mut client = rig.client();
        client.run(sql);
        for _ in 0..4 {
            churn.turn();
            let own = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
            assert_eq!(client.value(own), "1", "{sql}");
        }
        churn.rest();
        client.close();
        drop(churn);
        nothing_left(
            &rig,
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
        );
    }
}

#[test]
fn a_lock_taken_by_a_function_of_the_database_is_not_orphaned() {
    let rig = Rig::start();
    rig.observer().run(
        "CREATE FUNCTION hidden() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock(79); END $$; \
         CREATE FUNCTION hidden_setting() RETURNS void LANGUAGE sql AS $$ SELECT set_config('work_mem', '17MB', false) $$",
    );
    let mut client = rig.client();
    client.run("SELECT hidden()");
    client.run("SELECT hidden_setting()");
    client.close();
    nothing_left(
        &rig,
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    );
    nothing_left(&rig, "SELECT 1 WHERE current_setting('work_mem') = '17MB'");
}

#[test]
fn a_transaction_lock_does_not_pin() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run("SELECT pg_advisory_xact_lock(80)");
    let mut servers = std::collections::BTreeSet::new();
    for _ in 0..8 {
        churn.turn();
        servers.insert(client.backend());
    }
    assert!(servers.len() > 1, "the client was always on one server");
}

#[test]
fn a_held_cursor_outlives_its_transaction() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run("BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT * FROM generate_series(1, 10)");
    client.run("COMMIT");
    for n in 0..5 {
        churn.turn();
        assert_eq!(
            client.run("FETCH 2 FROM held").values(),
            [(2 * n + 1).to_string(), (2 * n + 2).to_string()]
        );
    }
    churn.rest();
    assert_eq!(rig.client().error("FETCH 1 FROM held").code, "34000");
    client.close();
    drop(churn);
    nothing_left(&rig, "SELECT name FROM pg_cursors WHERE is_holdable");
}

#[test]
fn what_is_pinned_is_told_with_its_reason() {
    let rig = Rig::start();
    let mut client = rig.client();
    client.run("CREATE TEMP TABLE mine (a int)");
    let report = rig.block_on(rig.engine().report());
    let pinned: Vec<_> = report.pools.iter().flat_map(|pool| &pool.pinned).collect();
    assert_eq!(pinned, [(&"temporary_table", &1)]);
}

#[test]
fn load_and_other_effects_on_one_server_are_kept() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let target = rig.target().user("howdah");
    let mut client = target.client();
    client.run("LOAD 'auto_explain'");
    client.run("SET auto_explain.log_min_duration = '1s'");
    for _ in 0..4 {
        churn.turn();
        assert_eq!(client.value("SHOW auto_explain.log_min_duration"), "1s");
    }
}

#[test]
fn sequences_of_the_session_are_its_own() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run("CREATE SEQUENCE numbers; SELECT nextval('numbers')");
    let seen = client
        .answer(&Frames::new().query("SELECT nextval('numbers'); SELECT currval('numbers')"), 1);
    assert_eq!(seen.values(), ["2", "2"]);
    churn.turn();
    client.run("BEGIN; SELECT nextval('numbers')");
    assert_eq!(client.value("SELECT lastval()"), "3");
    client.run("COMMIT");
    // Nobody else may see this session's value as its own.
    churn.rest();
    client.close();
    drop(churn);
    for _ in 0..3 {
        let mut other = rig.client();
        let seen = other.query("SELECT lastval()").unwrap();
        assert_eq!(seen.errors().len(), 1, "lastval of another session: {:?}", seen.values());
    }
}
