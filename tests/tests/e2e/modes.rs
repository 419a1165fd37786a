//! The three pooling modes.

use std::collections::BTreeSet;

use howdah_tests::raw::Frames;
use howdah_tests::{Rig, Script};

#[test]
fn session_mode_gives_each_client_its_server() {
    let rig = Rig::builder().mode("session").in_process();
    let mut clients: Vec<_> = (0..3).map(|_| rig.client()).collect();
    let servers: Vec<_> = clients.iter_mut().map(|client| client.backend()).collect();
    assert_eq!(servers.iter().collect::<BTreeSet<_>>().len(), 3);
    for _ in 0..3 {
        for (client, server) in clients.iter_mut().zip(&servers) {
            assert_eq!(client.backend(), *server);
        }
    }
}

#[test]
fn session_mode_cleans_a_server_before_the_next_client() {
    let rig = Rig::builder().mode("session").pool_size(1).in_process();
    let mut first = rig.target().parameter("options", "-c work_mem=9MB").client();
    let server = first.backend();
    first.run("SET search_path = x; CREATE TEMP TABLE mine (a int); LISTEN news; SELECT pg_advisory_lock(1); SET ROLE role_a");
    first.run("PREPARE p AS SELECT 1; BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT");
    first.answer(&Frames::new().parse("s", "SELECT 1").sync(), 1);
    first.run("BEGIN");
    drop(first);
    let mut second = rig.client();
    let state = second.run(
        "SELECT current_setting('work_mem'), current_setting('search_path'), current_user, \
         (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'), \
         (SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_cursors WHERE is_holdable), \
         (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), (SELECT count(*) FROM pg_prepared_statements WHERE from_sql)",
    );
    let row: Vec<_> = state.rows()[0].iter().flatten().cloned().collect();
    assert_eq!(row, ["4MB", "\"$user\", public", "app", "0", "0", "0", "0", "0"]);
    assert_eq!(second.backend(), server, "the same server, cleaned");
    assert_eq!(
        second.answer(&Frames::new().execute_prepared("s", &[]).sync(), 1).errors()[0].code,
        "26000"
    );
}

#[test]
fn session_mode_answers_as_postgresql() {
    let rig = Rig::builder().mode("session").pool_size(4).in_process();
    let script = Script::new()
        .query("CREATE TEMP TABLE t AS SELECT 1 AS a")
        .query("SET work_mem = '3MB'")
        .query("PREPARE p AS SELECT a + 0 FROM t")
        .query("EXECUTE p")
        .step(
            Frames::new()
                .parse("s", "SELECT a + $1::int FROM t")
                .bind("", "s", &["1"])
                .execute("", 0)
                .sync(),
        )
        .query("SHOW work_mem")
        .query("DISCARD ALL")
        .query("EXECUTE p");
    rig.same_as_direct("", &script);
}

#[test]
fn in_session_mode_a_client_waits_for_another_to_leave() {
    let rig = Rig::builder().mode("session").pool_size(1).in_process();
    let mut first = rig.client();
    first.run("SELECT 1");
    let waiting = {
        let target = rig.target();
        std::thread::spawn(move || target.client().value("SELECT 'served'"))
    };
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(!waiting.is_finished(), "served by the server of another client");
    first.close();
    assert_eq!(waiting.join().unwrap(), "served");
}

#[test]
fn statement_mode_refuses_transaction_blocks() {
    let rig = Rig::builder().mode("statement").in_process();
    let mut other = rig.client();
    let begin = |sql: &str| [Frames::new().query(sql), Frames::new().extended(sql, &[]).sync()];
    for frames in ["BEGIN", "START TRANSACTION", "begin /* x */ isolation level serializable"]
        .into_iter()
        .flat_map(begin)
    {
        let mut client = rig.client();
        client.send(&frames).unwrap();
        // The block has begun when it is seen, so the session is over, as with other poolers.
        let seen = client.until_closed().expect("the session ends");
        let error = seen.errors().pop().expect("an error");
        assert_eq!((error.severity.as_str(), error.code.as_str()), ("FATAL", "0A000"), "{error:?}");
        assert!(error.hint.is_some_and(|hint| hint.contains("pool_mode")), "{}", error.message);
        assert_eq!(other.value("SELECT 'alive'"), "alive");
    }
    let mut observer = rig.observer();
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    let closed = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        observer.value(open) == "0"
    });
    assert!(closed, "a transaction block is left open");
}

#[test]
fn statement_mode_serves_single_statements() {
    let rig = Rig::builder().mode("statement").in_process();
    let mut churn = rig.client();
    let mut client = rig.client();
    client.run("CREATE TABLE t (a int)");
    client.run("INSERT INTO t VALUES (1)");
    churn.run("INSERT INTO t VALUES (2)");
    let seen = client.answer(&Frames::new().extended("SELECT sum(a) FROM t", &[]).sync(), 1);
    assert_eq!(seen.values(), ["3"]);
    client.run("SET work_mem = '5MB'");
    assert_eq!(client.value("SHOW work_mem"), "5MB");
}

#[test]
fn a_user_may_have_a_mode_of_its_own() {
    let users = "[[user]]\nname = \"app\"\nauth = \"trust\"\npool_mode = \"session\"\n\
                 [[user]]\nname = \"howdah\"\nauth = \"trust\"\n";
    let rig = Rig::builder().users(users).in_process();
    let mut session = rig.client();
    session.run("SET work_mem = '5MB'; CREATE TEMP TABLE mine (a int)");
    assert_eq!(session.value("SELECT count(*) FROM mine"), "0");
    let report = rig.block_on(rig.engine().report());
    let modes: Vec<_> = report.pools.iter().map(|pool| (pool.user.as_str(), pool.mode)).collect();
    assert!(modes.contains(&("app", "session")), "{modes:?}");
}
