//! Clients and servers that go away, politely or not.

use std::time::Duration;

use howdah_tests::Rig;
use howdah_tests::raw::{Connection, Frames};

/// Asks until the answer is as expected, for at most 5 seconds.
#[track_caller]
fn becomes(observer: &mut Connection, sql: &str, expected: &str) {
    let mut seen = String::new();
    for _ in 0..250 {
        seen = observer.value(sql);
        if seen == expected {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{sql}: {seen} instead of {expected}");
}

const OPEN: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND state LIKE 'idle in transaction%'";
const BUSY: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND state = 'active' AND pid <> pg_backend_pid()";

#[test]
fn a_client_that_vanishes_in_a_transaction_is_rolled_back() {
    let rig = Rig::start();
    let mut observer = rig.observer();
    observer.run("CREATE TABLE t (a int); GRANT ALL ON t TO app");
    let mut client = rig.client();
    client.run("BEGIN; INSERT INTO t VALUES (1); LOCK TABLE t IN EXCLUSIVE MODE");
    becomes(&mut observer, OPEN, "1");
    drop(client);
    becomes(&mut observer, OPEN, "0");
    assert_eq!(observer.value("SELECT count(*) FROM t"), "0");
    let mut next = rig.client();
    next.run("INSERT INTO t VALUES (2)");
    assert_eq!(next.value("SELECT sum(a) FROM t"), "2");
}

#[test]
fn a_client_that_terminates_in_a_transaction_is_rolled_back() {
    let rig = Rig::start();
    let mut observer = rig.observer();
    for sql in ["BEGIN; SELECT 1", "BEGIN; SELECT 1 / 0"] {
        let mut client = rig.client();
        let _ = client.query(sql);
        becomes(&mut observer, OPEN, "1");
        client.close();
        becomes(&mut observer, OPEN, "0");
    }
    assert_eq!(rig.client().value("SELECT 'clean'"), "clean");
}

#[test]
fn a_client_that_closes_only_its_sending_side_still_gets_its_answer() {
    let rig = Rig::start();
    let mut client = rig.client();
    client.send(&Frames::new().query("SELECT 'last words'").terminate()).unwrap();
    client.finish_sending().unwrap();
    let seen = client.until_closed().unwrap();
    assert_eq!(seen.values(), ["last words"]);
}

#[test]
fn clients_that_vanish_in_the_middle_of_anything_leave_a_whole_pool() {
    let rig = Rig::start();
    let mut observer = rig.observer();
    observer.run("CREATE TABLE t (a text); GRANT ALL ON t TO app");
    let begin = |frames: Frames| {
        let mut client = rig.client();
        client.send(&frames).unwrap();
        client
    };
    for _ in 0..5 {
        // A large result nobody reads, a COPY without its end, a pipeline without its Sync, half a frame, a waiting statement.
        drop(begin(Frames::new().query("SELECT repeat('x', 1000) FROM generate_series(1, 10000)")));
        drop(begin(Frames::new().query("COPY t FROM STDIN").copy_data(b"x\n")));
        drop(begin(Frames::new().extended("INSERT INTO t VALUES ('pipeline')", &[])));
        drop(begin(Frames::new().extended("INSERT INTO t VALUES ('flush')", &[]).flush()));
        drop(begin(Frames::new().bytes(b"Q\0\0\0\xffSELECT")));
        drop(begin(Frames::new().parse("", "SELECT 1").bytes(b"B\0\0")));
        let mut reading = begin(
            Frames::new()
                .query("COPY (SELECT repeat('y', 100) FROM generate_series(1, 100000)) TO STDOUT"),
        );
        reading.reply().unwrap();
        drop(reading);
    }
    becomes(&mut observer, BUSY, "0");
    becomes(&mut observer, OPEN, "0");
    assert_eq!(observer.value("SELECT count(*) FROM t"), "0");
    let mut clients: Vec<_> = (0..3).map(|_| rig.client()).collect();
    for client in &mut clients {
        client.run("BEGIN");
        assert_eq!(client.value("SELECT 'whole'"), "whole");
    }
}

#[test]
fn a_terminated_idle_server_is_replaced_without_anybody_noticing() {
    let rig = Rig::start();
    let mut observer = rig.observer();
    let mut clients: Vec<_> = (0..3).map(|_| rig.client()).collect();
    for client in &mut clients {
        client.run("BEGIN; SET work_mem = '5MB'");
    }
    for client in &mut clients {
        client.run("COMMIT");
        client.answer(&Frames::new().parse("s", "SELECT 'prepared'").sync(), 1);
    }
    for _ in 0..3 {
        observer.run(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        for client in &mut clients {
            assert_eq!(client.value("SHOW work_mem"), "5MB");
            let seen = client.answer(&Frames::new().execute_prepared("s", &[]).sync(), 1);
            assert_eq!(seen.values(), ["prepared"]);
        }
    }
}

#[test]
fn a_server_terminated_in_a_transaction_is_told_to_its_client() {
    let rig = Rig::start();
    let mut observer = rig.observer();
    let mut client = rig.client();
    client.run("BEGIN");
    let server = client.backend();
    observer.run(&format!("SELECT pg_terminate_backend({server}, 5000)"));
    let seen = client.query("SELECT 1");
    // As from PostgreSQL: 57P01, or the loss of the connection; never a silent new transaction.
    match seen {
        Ok(seen) => {
            assert!(["57P01", "08006"].contains(&seen.errors()[0].code.as_str()), "{seen:?}")
        }
        Err(failure) => {
            assert!(!matches!(failure, howdah_tests::raw::Failure::TimedOut), "{failure}")
        }
    }
    assert_eq!(rig.client().value("SELECT 'next'"), "next");
}

#[test]
fn a_server_terminated_in_a_statement_is_told_to_its_client() {
    let rig = Rig::start();
    let mut observer = rig.observer();
    let mut client = rig.client();
    let server = client.backend();
    client.send(&Frames::new().query("SELECT pg_sleep(30)")).unwrap();
    // A read that has just begun would be sent to another server instead.
    becomes(
        &mut observer,
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' \
         AND datname = current_database() AND now() - query_start > '1500ms'",
        "1",
    );
    observer.run(&format!(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database() AND {server} > 0"
    ));
    let seen = client.until(b'E', 1).expect("an error");
    let error = &seen.errors()[0];
    assert!(["57P01", "08006"].contains(&error.code.as_str()), "{error:?}");
    assert_eq!(rig.client().value("SELECT 'next'"), "next");
}

#[test]
fn a_client_idle_in_a_transaction_for_too_long_loses_it() {
    let rig = Rig::builder().pool("idle_in_transaction_timeout", "\"300ms\"").in_process();
    let mut observer = rig.observer();
    let mut client = rig.client();
    client.run("BEGIN");
    let error = client.reply().ok().and_then(|reply| reply.error()).expect("an error");
    assert_eq!(error.code, "25P03", "{error:?}");
    becomes(&mut observer, OPEN, "0");
    let mut patient = rig.client();
    patient.run("SELECT 1");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(patient.value("SELECT 'not in a transaction'"), "not in a transaction");
}

#[test]
fn a_client_idle_for_too_long_is_disconnected() {
    let rig = Rig::builder().listen("client_idle_timeout", "\"300ms\"").in_process();
    let mut client = rig.client();
    let mut busy = rig.client();
    busy.run("BEGIN");
    let error = client.reply().ok().and_then(|reply| reply.error()).expect("an error");
    assert_eq!(error.code, "57P05", "{error:?}");
    assert!(client.until_closed().is_ok());
    assert_eq!(busy.value("SELECT 'in a transaction'"), "in a transaction");
}

#[test]
fn a_statement_over_query_timeout_is_stopped() {
    let rig = Rig::builder().pool("query_timeout", "\"300ms\"").in_process();
    let mut observer = rig.observer();
    let mut client = rig.client();
    let error = client.error("SELECT pg_sleep(30)");
    assert_eq!(error.code, "57014", "{error:?}");
    becomes(&mut observer, BUSY, "0");
    assert_eq!(rig.client().value("SELECT 'next'"), "next");
}

#[test]
fn a_server_older_than_its_lifetime_is_replaced() {
    let rig = Rig::builder().pool_size(1).pool("max_lifetime", "\"500ms\"").in_process();
    let mut client = rig.client();
    let first = client.backend();
    std::thread::sleep(Duration::from_millis(700));
    client.run("SELECT 1");
    assert_ne!(client.backend(), first);
}

#[test]
fn idle_servers_are_closed_down_to_the_minimum() {
    let rig = Rig::builder().pool("min_size", "1").pool("idle_timeout", "\"400ms\"").in_process();
    let mut observer = rig.observer();
    let mut clients: Vec<_> = (0..3).map(|_| rig.client()).collect();
    for client in &mut clients {
        client.run("BEGIN");
    }
    assert_eq!(rig.backends(&mut observer).len(), 3);
    for client in &mut clients {
        client.run("COMMIT");
    }
    let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    becomes(&mut observer, count, "1");
    assert_eq!(clients[0].value("SELECT 1"), "1");
}
