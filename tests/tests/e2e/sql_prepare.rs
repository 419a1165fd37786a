//! SQL-level PREPARE, EXECUTE and DEALLOCATE on servers that change under the client.

use std::collections::BTreeSet;

use howdah_tests::raw::Frames;
use howdah_tests::{Rig, Script, Until};

#[track_caller]
fn not_pinned(rig: &Rig) {
    let report = rig.block_on(rig.engine().report());
    assert!(report.pools.iter().all(|pool| pool.pinned.is_empty()), "{:?}", report.pools);
}

#[test]
fn a_prepared_statement_follows_its_client_from_server_to_server() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run("PREPARE p (int) AS SELECT $1 + 1, pg_backend_pid()");
    let mut servers = BTreeSet::new();
    for n in 0..20 {
        churn.turn();
        let seen = client.run(&format!("EXECUTE p({n})"));
        assert_eq!(seen.values(), [(n + 1).to_string()]);
        servers.insert(seen.rows()[0][1].clone());
    }
    assert!(servers.len() > 1, "the client was always on one server");
    not_pinned(&rig);
}

#[test]
fn a_client_that_prepares_holds_no_server() {
    let rig = Rig::builder().pool_size(1).in_process();
    let mut clients: Vec<_> = (0..5).map(|_| rig.client()).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.run(&format!("PREPARE same AS SELECT 'client {n}'"));
    }
    for _ in 0..3 {
        for (n, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.value("EXECUTE same"), format!("client {n}"));
        }
    }
    clients[0].run("DEALLOCATE ALL");
    assert_eq!(clients[0].error("EXECUTE same").code, "26000");
    assert_eq!(clients[1].value("EXECUTE same"), "client 1");
    assert_eq!(rig.client().error("EXECUTE same").code, "26000");
    not_pinned(&rig);
}

#[test]
fn answers_are_postgresqls() {
    let rig = Rig::start();
    let script = Script::new()
        .query("PREPARE p (int) AS SELECT $1 + 1")
        .query("EXECUTE p(1)")
        .query("EXECUTE \"p\" ( 2 ) ;")
        .query("/* x */ EXECUTE P(3)")
        .query("PREPARE p (int) AS SELECT 2")
        .query("PREPARE p AS SELEC 1")
        .query("PREPARE broken AS SELECT * FROM no_such_table")
        .query("PREPARE broken (int) AS SELECT $1 + no_such_column")
        .query("EXECUTE broken(1)")
        .query("EXECUTE p")
        .query("EXECUTE p('x')")
        .query("EXECUTE p(1, no_such_column)")
        .query("BEGIN")
        .query("EXECUTE p(4)")
        .query("PREPARE q AS SELECT 'made in a transaction'")
        .query("ROLLBACK")
        .query("EXECUTE q")
        .query("EXPLAIN (COSTS OFF) EXECUTE q")
        .query("CREATE TEMP TABLE from_q AS EXECUTE q")
        .query("SELECT * FROM from_q")
        .query("DEALLOCATE PREPARE q")
        .query("EXECUTE q")
        .query("DEALLOCATE q")
        .query("PREPARE q AS SELECT 'again'")
        .query("EXECUTE q")
        .query("DISCARD ALL")
        .query("EXECUTE q")
        .query("PREPARE \"Ä b\" AS SELECT 'ä'")
        .query("EXECUTE \"Ä b\"")
        .query("DEALLOCATE \"Ä b\"");
    rig.same_as_direct("", &script);
}

#[test]
fn the_protocol_and_sql_share_their_names() {
    let rig = Rig::start();
    let execute = |name: &str, values: &[&str]| Frames::new().execute_prepared(name, values).sync();
    let script = Script::new()
        .query("PREPARE by_sql (int) AS SELECT $1 * 2")
        .step(execute("by_sql", &["4"]))
        .step(Frames::new().describe_statement("by_sql").sync())
        .step(Frames::new().parse("by_sql", "SELECT 1").sync())
        .step(Frames::new().parse("by_protocol", "SELECT $1::int * 3").sync())
        .query("EXECUTE by_protocol(5)")
        .query("PREPARE by_protocol AS SELECT 1")
        .query("DEALLOCATE by_protocol")
        .step(execute("by_protocol", &["5"]))
        .step(Frames::new().close_statement("by_sql").sync())
        .query("EXECUTE by_sql(6)");
    rig.same_as_direct("", &script);
}

#[test]
fn what_cannot_be_renamed_works_on_one_server() {
    let rig = Rig::start();
    let script = Script::new()
        .query("PREPARE p (int) AS SELECT $1 + 1")
        .query("EXECUTE p(1); EXECUTE p(2)")
        .query("EXECUTE p(3)")
        .step(Frames::new().extended("EXECUTE p(4)", &[]).sync())
        .step(Frames::new().parse("e", "EXECUTE p(5)").describe_statement("e").sync())
        .step(Frames::new().execute_prepared("e", &[]).sync())
        .query("PREPARE a AS SELECT 'a'; EXECUTE a; DEALLOCATE a")
        .query("EXECUTE a")
        .query("PREPARE b AS SELECT 'b'; PREPARE c AS SELECT 'c'")
        .query("EXECUTE b")
        .query("PREPARE b AS SELECT 'other'")
        .step(Frames::new().extended("DEALLOCATE p", &[]).sync())
        .query("EXECUTE p(6)")
        .step(Frames::new().extended("PREPARE p AS SELECT 'by extended query'", &[]).sync())
        .query("EXECUTE p")
        .query("DEALLOCATE ALL")
        .query("EXECUTE b");
    rig.same_as_direct("", &script);
}

#[test]
fn a_pipeline_of_them_is_answered_in_order() {
    let rig = Rig::start();
    let pipeline = Frames::new()
        .query("PREPARE p AS SELECT 'first'")
        .query("EXECUTE p")
        .query("DEALLOCATE p")
        .query("EXECUTE p")
        .query("PREPARE p AS SELECT 'second'")
        .execute_prepared("p", &[])
        .sync()
        .query("EXECUTE p");
    let script = Script::new()
        .until(pipeline.clone(), Until::Ready(7))
        .query("EXECUTE p")
        .query("DEALLOCATE ALL")
        .until(pipeline, Until::Ready(7))
        .until(Frames::new().query("EXECUTE p").query("EXECUTE p"), Until::Ready(2));
    rig.same_as_direct("", &script);
}

#[test]
fn what_a_prepared_statement_does_to_the_session_is_known() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    client.run("PREPARE s AS SELECT set_config('work_mem', '7777kB', false)");
    client.run("PREPARE l AS SELECT pg_advisory_lock(99)");
    not_pinned(&rig);
    client.run("EXECUTE s");
    for _ in 0..4 {
        churn.turn();
        assert_eq!(client.value("SHOW work_mem"), "7777kB");
    }
    client.run("EXECUTE l");
    let own =
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    for _ in 0..4 {
        churn.turn();
        assert_eq!(client.value(own), "1");
    }
}

#[test]
fn a_statement_that_can_no_longer_be_prepared_says_why_and_the_client_goes_on() {
    let rig = Rig::start();
    let mut owner = rig.direct().client();
    owner.run("CREATE TABLE t (a int)");
    let (mut client, mut other) = (rig.client(), rig.client());
    client.run("PREPARE p AS SELECT * FROM t");
    client.answer(&Frames::new().parse("q", "SELECT a FROM t").sync(), 1);
    owner.run("DROP TABLE t");
    // The server that knows them is busy: another one has to be told.
    other.run("BEGIN");
    for _ in 0..2 {
        for sql in ["EXECUTE p", "EXECUTE q", "EXPLAIN EXECUTE p"] {
            let seen = client.query(sql).unwrap();
            assert_eq!(seen.summary(), "E(42P01) Z(I)", "{sql}");
            assert_eq!(client.run("SELECT 'fine'").summary(), "T D C Z(I)");
        }
    }
    let seen = client.answer(&Frames::new().query("EXECUTE p").query("SELECT 'behind'"), 2);
    assert_eq!(seen.summary(), "E(42P01) Z(I) T D C Z(I)");
    owner.run("CREATE TABLE t (a text); INSERT INTO t VALUES ('back')");
    assert_eq!(client.value("EXECUTE p"), "back");
    not_pinned(&rig);
}

#[test]
fn a_changed_table_is_no_error() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut owner = rig.direct().client();
    owner.run("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    let mut client = rig.client();
    client.run("PREPARE p AS SELECT * FROM t");
    for columns in 1..5 {
        for _ in 0..4 {
            churn.turn();
            assert_eq!(client.run("EXECUTE p").rows()[0].len(), columns);
        }
        owner.run(&format!("ALTER TABLE t ADD c{columns} int DEFAULT 0"));
    }
    not_pinned(&rig);
}

#[test]
fn servers_keep_no_more_of_them_than_they_may() {
    let rig = Rig::builder().pool_size(1).pool("max_prepared", "5").in_process();
    let mut client = rig.client();
    for n in 0..30 {
        client.run(&format!("PREPARE s{n} (int) AS SELECT {n} + $1"));
    }
    for n in 0..30 {
        assert_eq!(client.value(&format!("EXECUTE s{n}(1)")), (n + 1).to_string());
    }
    let kept: u32 = client.value("SELECT count(*) FROM pg_prepared_statements").parse().unwrap();
    assert!(kept <= 5, "{kept} statements on the server");
}

#[test]
fn nobody_reaches_the_statement_of_another_by_its_name_on_the_server() {
    let rig = Rig::builder().pool_size(1).in_process();
    let (mut client, mut stranger) = (rig.client(), rig.client());
    client.run("PREPARE p AS SELECT 'secret'");
    let names = client.run("SELECT name FROM pg_prepared_statements").values();
    assert_eq!(names.len(), 1);
    for sql in [format!("EXECUTE {}", names[0]), format!("EXPLAIN EXECUTE {}", names[0])] {
        assert_eq!(stranger.error(&sql).code, "26000", "{sql}");
    }
    let bind = Frames::new().execute_prepared(&names[0], &[]).sync();
    assert_eq!(stranger.answer(&bind, 1).summary(), "E(26000) Z(I)");
    let describe = Frames::new().describe_statement(&names[0]).sync();
    assert_eq!(stranger.answer(&describe, 1).summary(), "E(26000) Z(I)");
    assert_eq!(stranger.error(&format!("DEALLOCATE {}", names[0])).code, "26000");
    assert_eq!(client.value("EXECUTE p"), "secret");
}
