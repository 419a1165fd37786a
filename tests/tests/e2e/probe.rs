//! The behaviour probe that poolers are compared by: what applications do with a connection of their own, row by row, while
//! other clients take and give back the few servers between the steps.
//!
//! Length: one table, one test a row.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{Churn, Rig, Script, Until};

/// Three servers, one client, six others that have left their settings everywhere, two of which hold servers now and then.
fn probe() -> (Rig, Churn, Vec<Connection>) {
    let rig = Rig::start();
    let churn = rig.churn();
    let others = (0..4).map(|_| rig.client()).collect();
    (rig, churn, others)
}

/// What a query says, now and after each of some turns of the others.
#[track_caller]
fn always(client: &mut Connection, churn: &mut Churn, sql: &str, expected: &str) {
    for _ in 0..6 {
        churn.turn();
        assert_eq!(client.value(sql), expected, "{sql}");
    }
}

/// Asks until the answer is as expected, for at most 10 seconds; says how long it took.
#[track_caller]
fn becomes(observer: &mut Connection, sql: &str, expected: &str) -> Duration {
    let begin = Instant::now();
    loop {
        let seen = observer.value(sql);
        if seen == expected {
            return begin.elapsed();
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "{sql}: {seen} instead of {expected}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A setting that is made by a statement follows its client and is seen by nobody else.
fn kept_and_not_leaked(make: &str, show: &str, mine: &str) {
    let (_rig, mut churn, mut others) = probe();
    let before: Vec<_> = others.iter_mut().map(|other| other.value(show)).collect();
    let mut client = others.pop().unwrap();
    client.run(make);
    always(&mut client, &mut churn, show, mine);
    for (other, before) in others.iter_mut().zip(&before) {
        for _ in 0..4 {
            churn.turn();
            assert_eq!(other.value(show), *before, "{make} of another client");
        }
    }
}

#[test]
fn set_work_mem_is_kept_for_its_client_and_not_leaked() {
    kept_and_not_leaked("SET work_mem = '7777kB'", "SHOW work_mem", "7777kB");
}

#[test]
fn set_search_path_is_kept_and_not_leaked() {
    kept_and_not_leaked("SET search_path = pg_catalog", "SHOW search_path", "pg_catalog");
}

#[test]
fn set_config_of_the_search_path_is_kept_and_not_leaked() {
    let sql = "SELECT pg_catalog.set_config('search_path', '', false)";
    kept_and_not_leaked(sql, "SHOW search_path", "");
}

#[test]
fn set_role_then_disconnect_leaves_the_next_clients_themselves() {
    let (rig, mut churn, mut others) = probe();
    let mut client = rig.client();
    client.run("SET ROLE role_a");
    always(&mut client, &mut churn, "SELECT current_user", "role_a");
    client.close();
    for other in &mut others {
        always(other, &mut churn, "SELECT current_user", "app");
    }
}

#[test]
fn startup_options_are_taken() {
    let (rig, mut churn, _others) = probe();
    let mut client = rig.target().parameter("options", "-c work_mem=6666kB").client();
    always(&mut client, &mut churn, "SHOW work_mem", "6666kB");
}

#[test]
fn a_named_prepared_statement_works_across_servers() {
    let (_rig, mut churn, mut others) = probe();
    let client = &mut others[0];
    client.answer(&Frames::new().parse("s", "SELECT $1::int, pg_backend_pid()").sync(), 1);
    let mut servers = BTreeSet::new();
    for n in 0..12 {
        churn.turn();
        let seen = client.answer(&Frames::new().execute_prepared("s", &[&n.to_string()]).sync(), 1);
        assert_eq!(seen.values(), [n.to_string()]);
        servers.insert(seen.rows()[0][1].clone());
    }
    assert!(servers.len() > 1, "always one server");
}

#[test]
fn sql_prepare_and_execute_work() {
    let (_rig, mut churn, mut others) = probe();
    let client = &mut others[0];
    client.run("PREPARE p (int) AS SELECT $1 + 1");
    always(client, &mut churn, "EXECUTE p(41)", "42");
    client.run("DEALLOCATE p");
    assert_eq!(client.error("EXECUTE p(41)").code, "26000");
}

#[test]
fn deallocate_all_pipelined_with_a_parse_spares_it() {
    let (rig, mut churn, others) = probe();
    drop(others);
    let pipeline = Frames::new()
        .query("DEALLOCATE ALL")
        .parse("s", "SELECT 'new'")
        .execute_prepared("s", &[])
        .sync();
    let script = Script::new()
        .step(Frames::new().parse("s", "SELECT 'old'").sync())
        .until(pipeline, Until::Ready(2))
        .step(Frames::new().execute_prepared("s", &[]).sync());
    rig.same_with(&mut churn, &[], "", &script);
}

/// A table that is changed behind everybody's back.
fn table(rig: &Rig) -> Connection {
    let mut owner = rig.direct().client();
    owner.run("DROP TABLE IF EXISTS t; CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    owner
}

#[test]
fn a_named_statement_after_alter_table_works_without_an_error() {
    let (rig, mut churn, mut others) = probe();
    let mut owner = table(&rig);
    let client = &mut others[0];
    let execute = Frames::new().bind("", "s", &[]).describe_portal("").execute("", 0).sync();
    client.answer(&Frames::new().parse("s", "SELECT * FROM t").sync(), 1);
    for columns in 2..6 {
        for _ in 0..4 {
            churn.turn();
            assert_eq!(client.answer(&execute, 1).summary(), "2 T D C Z(I)");
        }
        owner.run(&format!("ALTER TABLE t ADD c{columns} int DEFAULT {columns}"));
        for _ in 0..4 {
            churn.turn();
            let seen = client.answer(&execute, 1);
            assert_eq!(seen.summary(), "2 T D C Z(I)");
            assert_eq!(seen.rows()[0].len(), columns);
        }
    }
    // A column of another type, and the statement parsed in the request that meets the old plan.
    owner.run("ALTER TABLE t ALTER a TYPE text USING 'text'");
    let mut late = others.pop().unwrap();
    let anew = Frames::new()
        .parse("mine", "SELECT * FROM t")
        .describe_statement("mine")
        .execute_prepared("mine", &[])
        .sync();
    let seen = late.answer(&anew, 1);
    assert_eq!(seen.summary(), "1 t T 2 D C Z(I)");
    assert_eq!(seen.values(), ["text"]);
}

#[test]
fn a_named_statement_that_was_described_is_refused_after_alter_table_as_by_postgresql() {
    let (rig, mut churn, mut others) = probe();
    let mut owner = table(&rig);
    let described = &mut others[0];
    let parse = Frames::new().parse("s", "SELECT * FROM t").describe_statement("s").sync();
    let execute = Frames::new().execute_prepared("s", &[]).sync();
    described.answer(&parse, 1);
    for _ in 0..4 {
        churn.turn();
        assert_eq!(described.answer(&execute, 1).summary(), "2 D C Z(I)");
    }
    owner.run("ALTER TABLE t ADD b int DEFAULT 2");
    for _ in 0..4 {
        churn.turn();
        let seen = described.answer(&execute, 1);
        assert_eq!(seen.summary(), "E(0A000) Z(I)", "{seen:?}");
        assert_eq!(seen.errors()[0].message, "cached plan must not change result type");
    }
    described.answer(&Frames::new().close_statement("s").sync(), 1);
    assert_eq!(described.answer(&parse, 1).summary(), "1 t T Z(I)");
    for _ in 0..4 {
        churn.turn();
        assert_eq!(described.answer(&execute, 1).rows()[0].len(), 2);
    }
}

#[test]
fn the_unnamed_statement_after_alter_table_is_run_anew_unless_it_was_described() {
    let (rig, mut churn, mut others) = probe();
    let mut owner = table(&rig);
    let client = &mut others[0];
    let execute = Frames::new().execute_prepared("", &[]).sync();
    for (described, expected) in [(false, "2 D C Z(I)"), (true, "E(0A000) Z(I)")] {
        let parse = Frames::new().parse("", "SELECT * FROM t");
        let parse = if described { parse.describe_statement("") } else { parse };
        for turns in 0..4 {
            client.answer(&parse.clone().sync(), 1);
            owner.run(&format!("ALTER TABLE t ADD c{turns}{described} int"));
            for _ in 0..turns {
                churn.turn();
            }
            let seen = client.answer(&execute, 1);
            assert_eq!(seen.summary(), expected, "described: {described}, turns: {turns}");
        }
    }
}

#[test]
fn a_stale_statement_inside_a_transaction_fails_it_as_by_postgresql() {
    let (rig, mut churn, others) = probe();
    drop(others);
    let script = Script::new()
        .query("CREATE TEMP TABLE x (a int)")
        .step(Frames::new().parse("s", "SELECT * FROM x").execute_prepared("s", &[]).sync())
        .query("BEGIN")
        .query("ALTER TABLE x ADD b int")
        .step(Frames::new().execute_prepared("s", &[]).sync())
        .query("SELECT 1")
        .query("ROLLBACK")
        .step(Frames::new().execute_prepared("s", &[]).sync());
    rig.same_with(&mut churn, &[], "", &script);
}

#[test]
fn a_pipeline_with_an_error_in_the_middle_goes_on_after_its_sync() {
    let (rig, mut churn, others) = probe();
    drop(others);
    let pipeline = Frames::new()
        .parse("a", "SELECT 1")
        .execute_prepared("a", &[])
        .extended("SELECT 1 / 0", &[])
        .parse("b", "SELECT 2")
        .sync()
        .parse("b", "SELECT 3")
        .execute_prepared("b", &[])
        .sync()
        .extended("SELECT 1 / 0", &[])
        .close_statement("b")
        .sync()
        .execute_prepared("b", &[])
        .sync()
        .extended("SELECT 1 / 0", &[])
        .parse("c", "SELECT 3")
        .sync()
        .execute_prepared("c", &[])
        .sync();
    let script = Script::new()
        .until(pipeline, Until::Ready(6))
        .step(Frames::new().execute_prepared("a", &[]).execute_prepared("b", &[]).sync());
    rig.same_with(&mut churn, &[], "", &script);
}

#[test]
fn parse_describe_flush_and_a_later_bind_work() {
    let (_rig, mut churn, mut others) = probe();
    let client = &mut others[0];
    client.send(&Frames::new().parse("s", "SELECT 5").describe_statement("s").flush()).unwrap();
    assert_eq!(client.until(b'T', 1).unwrap().summary(), "1 t T");
    let seen = client.answer(&Frames::new().execute_prepared("s", &[]).sync(), 1);
    assert_eq!(seen.summary(), "2 D C Z(I)");
    churn.turn();
    let seen = client.answer(&Frames::new().execute_prepared("s", &[]).sync(), 1);
    assert_eq!(seen.values(), ["5"]);
}

#[test]
fn the_unnamed_statement_is_there_after_sync_and_other_clients() {
    let (_rig, mut churn, mut others) = probe();
    let mut client = others.pop().unwrap();
    for n in 0..6 {
        let sql = format!("SELECT {n} + $1::int");
        client.answer(&Frames::new().parse("", &sql).describe_statement("").sync(), 1);
        churn.turn();
        for other in &mut others {
            other.answer(&Frames::new().extended("SELECT 'other'", &[]).sync(), 1);
        }
        let seen = client.answer(&Frames::new().execute_prepared("", &["1"]).sync(), 1);
        assert_eq!(seen.values(), [(n + 1).to_string()]);
    }
}

#[test]
fn a_row_limit_and_flush_suspend_the_portal() {
    let (rig, mut churn, others) = probe();
    drop(others);
    let script = Script::new()
        .until(
            Frames::new()
                .parse("", "SELECT generate_series(1, 5)")
                .bind("p", "", &[])
                .execute("p", 2)
                .flush(),
            Until::Tag(b's', 1),
        )
        .until(Frames::new().execute("p", 2).flush(), Until::Tag(b's', 1))
        .step(Frames::new().execute("p", 0).sync());
    rig.same_with(&mut churn, &[], "", &script);
}

#[test]
fn copy_in_out_fail_and_several_statements_work() {
    let (rig, mut churn, others) = probe();
    drop(others);
    let setup = "DROP TABLE IF EXISTS c; CREATE TABLE c (a int)";
    let script = Script::new()
        .step(Frames::new().query("COPY c FROM STDIN").copy_data(b"1\n2\n").copy_done())
        .step(Frames::new().query("COPY c FROM STDIN").copy_data(b"3\n").copy_fail("no"))
        .query("COPY c TO STDOUT")
        .query("SELECT 1; INSERT INTO c VALUES (4); SELECT count(*) FROM c");
    rig.same_with(&mut churn, &[], setup, &script);
}

#[test]
fn listen_delivers_while_the_client_is_idle() {
    let (rig, mut churn, mut others) = probe();
    let mut client = others.pop().unwrap();
    client.run("LISTEN news");
    for n in 0..4 {
        churn.turn();
        rig.direct().client().run(&format!("NOTIFY news, '{n}'"));
        let told = client.reply().expect("a notification").notification();
        assert_eq!(told, Some(("news".to_owned(), n.to_string())));
    }
    for other in &mut others {
        assert_eq!(other.run("SELECT 1").summary(), "T D C Z(I)", "a notification of another");
    }
}

#[test]
fn a_temporary_table_is_there_in_a_later_statement() {
    let (_rig, mut churn, mut others) = probe();
    let client = &mut others[0];
    client.run("CREATE TEMP TABLE mine AS SELECT 42 AS a");
    always(client, &mut churn, "SELECT a FROM mine", "42");
    churn.rest();
    assert_eq!(others[1].error("SELECT a FROM mine").code, "42P01");
}

#[test]
fn a_session_advisory_lock_is_held_and_not_orphaned_after_disconnect() {
    let (rig, mut churn, mut others) = probe();
    let mut client = others.pop().unwrap();
    client.run("SELECT pg_advisory_lock(4711)");
    let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711";
    let mut observer = rig.observer();
    for _ in 0..4 {
        churn.turn();
        assert_eq!(observer.value(held), "1");
        client.run("SELECT 1");
    }
    drop(client);
    becomes(&mut observer, held, "0");
}

#[test]
fn a_cancel_stops_the_statement() {
    let (rig, mut churn, mut others) = probe();
    let client = &mut others[0];
    churn.turn();
    client.send(&Frames::new().query("SELECT pg_sleep(60)")).unwrap();
    becomes(&mut rig.observer(), SLEEPING, "1");
    client.cancel();
    assert_eq!(client.until(b'Z', 1).unwrap().errors()[0].code, "57014");
}

const SLEEPING: &str = "SELECT count(*) FROM pg_stat_activity \
                        WHERE datname = current_database() AND wait_event = 'PgSleep'";

#[test]
fn a_client_that_vanishes_in_a_transaction_is_rolled_back_at_once() {
    let (rig, _churn, mut others) = probe();
    let mut observer = rig.observer();
    let mut client = others.pop().unwrap();
    client.run("BEGIN; SELECT pg_advisory_xact_lock(4712)");
    let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4712";
    assert_eq!(observer.value(held), "1");
    drop(client);
    let took = becomes(&mut observer, held, "0");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_client_that_vanishes_during_a_long_query_has_it_stopped() {
    let (rig, _churn, mut others) = probe();
    let mut observer = rig.observer();
    for sql in ["SELECT pg_sleep(60)", "BEGIN; SELECT pg_sleep(60)"] {
        let mut client = others.pop().unwrap();
        client.send(&Frames::new().query(sql)).unwrap();
        becomes(&mut observer, SLEEPING, "1");
        drop(client);
        let took = becomes(&mut observer, SLEEPING, "0");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    let mut client = others.pop().unwrap();
    client.send(&Frames::new().extended("SELECT pg_sleep(60)", &[]).sync()).unwrap();
    becomes(&mut observer, SLEEPING, "1");
    drop(client);
    becomes(&mut observer, SLEEPING, "0");
    assert_eq!(rig.client().value("SELECT 'next'"), "next");
}

#[test]
fn an_idle_pooled_backend_that_is_terminated_is_replaced_unseen() {
    let (rig, mut churn, mut others) = probe();
    churn.turn();
    churn.rest();
    let terminate = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity \
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";
    rig.observer().run(terminate);
    for other in &mut others {
        assert_eq!(other.value("SELECT 'fine'"), "fine");
    }
}

#[test]
fn a_protocol_3_2_startup_is_understood_with_its_long_cancel_key() {
    let (rig, mut churn, _others) = probe();
    let mut client = rig.target().minor(2).client();
    let negotiated = client.welcome.0.iter().any(|reply| reply.tag == b'v');
    assert!(negotiated || client.secret.len() == 32, "{}", client.welcome.summary());
    churn.turn();
    client.send(&Frames::new().query("SELECT pg_sleep(60)")).unwrap();
    becomes(&mut rig.observer(), SLEEPING, "1");
    client.cancel();
    assert_eq!(client.until(b'Z', 1).unwrap().errors()[0].code, "57014");
    // PostgreSQL 18's libpq asks with the highest version there could be, to see whether servers negotiate.
    let mut future = rig.target().minor(9999).client();
    assert!(future.welcome.0.iter().any(|reply| reply.tag == b'v'), "not negotiated");
    assert_eq!(future.value("SELECT 'fine'"), "fine");
}

#[test]
fn a_startup_packet_of_length_0x7fffffff_is_refused_at_once() {
    let (rig, _churn, _others) = probe();
    let mut stranger = Connection::open(&rig.target()).unwrap();
    stranger.write(&0x7fff_ffff_u32.to_be_bytes()).unwrap();
    assert!(stranger.until_closed().is_ok());
}

#[test]
fn a_slow_startup_packet_is_closed_at_the_login_timeout_and_holds_up_nobody() {
    let rig = Rig::builder().listen("login_timeout", "\"1s\"").in_process();
    let mut slow: Vec<_> = (0..20).map(|_| Connection::open(&rig.target()).unwrap()).collect();
    for stranger in &mut slow {
        stranger.write(&[0, 0, 0]).unwrap();
    }
    assert_eq!(rig.client().value("SELECT 'served'"), "served");
    for stranger in &mut slow {
        assert!(stranger.until_closed().is_ok(), "a slow login stays open");
    }
}
