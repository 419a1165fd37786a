//! Servers that clients hold for too long: they are reported, and `pool.transaction_timeout` ends them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::console::{cell, table};
use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{PATIENCE, Rig, eventually};

fn console(rig: &Rig) -> Connection {
    rig.target().database("howdah").client()
}

/// The lines of `SHOW LEAKS`, once they are as wanted.
#[track_caller]
fn leaks_that(
    console: &mut Connection,
    wanted: impl Fn(&[BTreeMap<String, Option<String>>]) -> bool,
) -> Vec<BTreeMap<String, Option<String>>> {
    let begin = Instant::now();
    loop {
        let leaks = table(console, "SHOW LEAKS");
        if wanted(&leaks) {
            return leaks;
        }
        assert!(begin.elapsed() < PATIENCE, "{leaks:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn total(console: &mut Connection, name: &str) -> String {
    cell(console, "SHOW TOTALS", ("name", name), "value")
}

#[test]
fn a_transaction_that_nobody_ends_is_logged_once_counted_and_listed_until_its_end() {
    let rig = Rig::builder().pool("leak_threshold", "\"300ms\"").process();
    let mut console = console(&rig);
    let mut client = rig.target().parameter("application_name", "forgetful").client();
    assert_eq!(total(&mut console, "total_leaks"), "0");
    client.run("BEGIN");
    let server = client.backend();
    let leaks = leaks_that(&mut console, |leaks| !leaks.is_empty());
    assert_eq!(leaks.len(), 1, "{leaks:#?}");
    let leak = |column: &str| leaks[0][column].clone().unwrap_or_default();
    assert_eq!(leak("database"), rig.database());
    assert_eq!(
        [leak("user"), leak("state"), leak("pinned"), leak("application_name")],
        ["app", "idle in transaction", "", "forgetful"]
    );
    assert_eq!(leak("server_pid"), server.to_string());
    assert_eq!(leak("client"), client.process_id.to_string());
    assert!(leak("addr").starts_with("127.0.0.1:"), "{leaks:#?}");
    // It goes on, and is said no second time.
    leaks_that(&mut console, |leaks| leaks[0]["age_s"].as_deref() >= Some("2"));
    assert_eq!(client.value("SELECT 'still inside'"), "still inside");
    assert_eq!(total(&mut console, "total_leaks"), "1");
    let pools = table(&mut console, "SHOW POOLS");
    assert_eq!(pools[0]["leaks"].as_deref(), Some("1"), "{pools:#?}");
    let log = rig.howdah().log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("leak_threshold")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    for part in ["forgetful", "app", rig.database(), "idle in transaction", "127.0.0.1:"] {
        assert!(lines[0].contains(part), "{part} is missing: {}", lines[0]);
    }
    assert!(lines[0].contains(&server.to_string()), "{}", lines[0]);
    client.run("COMMIT");
    leaks_that(&mut console, <[_]>::is_empty);
    assert_eq!(total(&mut console, "total_leaks"), "1");
}

#[test]
fn a_long_statement_and_a_pin_are_listed_as_what_they_are() {
    let rig = Rig::builder().pool("leak_threshold", "\"200ms\"").in_process();
    let mut console = console(&rig);
    let (mut busy, mut pinned) = (rig.client(), rig.client());
    pinned.run("CREATE TEMP TABLE mine (a int)");
    busy.send(&Frames::new().query("SELECT pg_sleep(60)")).unwrap();
    let leaks = leaks_that(&mut console, |leaks| leaks.len() == 2);
    let of = |client: &Connection| {
        let id = Some(client.process_id.to_string());
        let found = leaks.iter().find(|leak| leak["client"] == id).expect("its line");
        [found["state"].clone().unwrap_or_default(), found["pinned"].clone().unwrap_or_default()]
    };
    assert_eq!(of(&busy), ["active", ""]);
    assert_eq!(of(&pinned), ["pinned", "temporary_table"]);
    // A pin is a property of the application, not an accident: it is not counted.
    eventually("the statement is counted", || total(&mut console, "total_leaks") == "1");
    busy.cancel();
    busy.until(b'Z', 1).expect("an answer");
    leaks_that(&mut console, |leaks| leaks.len() == 1);
    pinned.close();
    leaks_that(&mut console, <[_]>::is_empty);
}

#[test]
fn short_transactions_without_a_pause_and_clients_of_session_mode_are_no_leaks() {
    let rig = Rig::builder().mode("session").pool("leak_threshold", "\"3s\"").in_process();
    let (mut console, mut client) = (console(&rig), rig.client());
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(4) {
        // Pipelined: there is always a request that the server owes an answer to, or one that follows at once.
        let one = "SELECT pg_sleep(0.05)";
        client.answer(&Frames::new().extended(one, &[]).sync().extended(one, &[]).sync(), 2);
    }
    assert_eq!(table(&mut console, "SHOW LEAKS"), []);
    assert_eq!(total(&mut console, "total_leaks"), "0");
}

#[test]
fn a_reload_switches_the_report_of_leaks_off() {
    let rig = Rig::builder().pool("leak_threshold", "\"200ms\"").in_process();
    let (mut console, mut client) = (console(&rig), rig.client());
    client.run("BEGIN");
    leaks_that(&mut console, |leaks| leaks.len() == 1);
    rig.reload(&rig.configuration().replace("\"200ms\"", "\"off\""));
    leaks_that(&mut console, <[_]>::is_empty);
    client.run("COMMIT");
}

/// The client is told that its transaction was too long, and disconnected.
#[track_caller]
fn assert_timed_out(client: &mut Connection) {
    let seen = client.until_closed().expect("the end of the connection");
    let errors = seen.errors();
    assert_eq!(errors.len(), 1, "{seen:?}");
    assert_eq!((errors[0].severity.as_str(), errors[0].code.as_str()), ("FATAL", "25P04"));
    assert!(errors[0].message.contains("transaction_timeout"), "{errors:?}");
    assert!(errors[0].hint.is_some(), "{errors:?}");
}

#[test]
fn an_idle_transaction_longer_than_transaction_timeout_is_rolled_back() {
    let rig = Rig::builder().pool_size(1).pool("transaction_timeout", "\"1s\"").in_process();
    rig.observer().run("CREATE TABLE written (a int); GRANT ALL ON written TO PUBLIC");
    let mut client = rig.client();
    let begin = Instant::now();
    client.run("BEGIN");
    client.run("INSERT INTO written VALUES (1)");
    assert_timed_out(&mut client);
    assert!(begin.elapsed() >= Duration::from_secs(1), "too early: {:?}", begin.elapsed());
    assert_eq!(rig.client().value("SELECT count(*) FROM written"), "0");
    let report = rig.block_on(rig.engine().report());
    assert_eq!(report.totals.servers_opened, 1, "the server is used again: {report:?}");
}

#[test]
fn a_statement_longer_than_transaction_timeout_is_cancelled() {
    let rig = Rig::builder().pool_size(1).pool("transaction_timeout", "\"500ms\"").in_process();
    let (mut observer, mut client) = (rig.observer(), rig.client());
    client.send(&Frames::new().query("SELECT pg_sleep(60)")).unwrap();
    assert_timed_out(&mut client);
    eventually("the statement still runs", || {
        observer.value("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)'") == "0"
    });
    assert_eq!(rig.client().value("SELECT 'served'"), "served");
}

#[test]
fn requests_inside_a_transaction_do_not_put_its_end_off_and_those_after_it_are_not_counted() {
    let rig = Rig::builder().pool("transaction_timeout", "\"3s\"").in_process();
    let mut busy = rig.client();
    let begin = Instant::now();
    busy.run("BEGIN");
    let error = loop {
        assert!(begin.elapsed() < PATIENCE, "it goes on and on");
        match busy.query("SELECT pg_sleep(0.05)") {
            Ok(seen) if seen.errors().is_empty() => {}
            Ok(seen) => panic!("{seen:?}"),
            // Between two requests: what was told is there, and then the end.
            Err(failure) => break failure,
        }
    };
    assert!(begin.elapsed() >= Duration::from_secs(3), "{error}: {:?}", begin.elapsed());
    let mut brief = rig.client();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(4) {
        let frames = Frames::new().query("BEGIN").query("SELECT pg_sleep(0.05)").query("COMMIT");
        let seen = brief.answer(&frames, 3);
        assert!(seen.errors().is_empty(), "{seen:?}");
    }
}

#[test]
fn a_shared_read_that_is_stuck_ends_with_transaction_timeout_and_lets_others_go_on() {
    let rig = Rig::builder()
        .pool_size(1)
        .pool("share", "\"reads\"")
        .pool("transaction_timeout", "\"4s\"")
        .in_process();
    let mut observer = rig.observer();
    observer.run("CREATE TABLE shared (a int); GRANT ALL ON shared TO PUBLIC");
    let (mut reader, mut other) = (rig.client(), rig.client());
    let read = "SELECT count(*) FROM shared";
    rig.until_shared(&mut reader, &mut other, read);
    let before = rig.flights();
    other.run("BEGIN");
    reader.send(&Frames::new().query(read)).unwrap();
    eventually("the reader waits", || {
        rig.block_on(rig.engine().report()).pools.iter().any(|pool| pool.clients_waiting == 1)
    });
    observer.run("BEGIN; LOCK TABLE shared IN ACCESS EXCLUSIVE MODE");
    other.run("COMMIT");
    eventually("the reader is on a flight", || rig.flights() > before);
    assert_timed_out(&mut reader);
    // The lock is still held: the only server is free because the read was cancelled.
    assert_eq!(other.value("SELECT 'served'"), "served");
    observer.run("COMMIT");
}
