//! A client that is disconnected while a long row is on its way to it: it gets whole frames, or a connection that ends; never
//! the words of a goodbye inside the row.

use std::time::Duration;

use crate::console::cell;
use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{Rig, eventually};

/// Bytes of a row that no buffer on the way holds.
const WIDE: usize = 64 * 1024 * 1024;

fn sent(rig: &Rig) -> u64 {
    let report = rig.block_on(rig.engine().report());
    report.databases.iter().map(|database| database.counts.sent).sum()
}

/// Sends a query for a wide row and reads nothing of it.
fn ask(rig: &Rig, client: &mut Connection, sql: &str) {
    let before = sent(rig);
    client.send(&Frames::new().query(sql)).unwrap();
    eventually("the row is on its way", || sent(rig) > before + 100_000);
}

/// What comes after the client was disconnected.
#[track_caller]
fn assert_row_is_only_a_row(client: &mut Connection) {
    let (seen, rest) = client.until_torn().expect("the end of the connection");
    assert!(!rest.is_empty(), "the row was not cut: this test shows nothing");
    assert_eq!((seen.0.len(), seen.0[0].tag), (1, b'T'), "{:?}", seen.summary());
    // Tag, length, number of columns, length of the column.
    let (head, value) = rest.split_at(11);
    assert_eq!(head[0], b'D');
    let length = u32::from_be_bytes(head[1..5].try_into().unwrap());
    assert!(rest.len() < length as usize, "{} of {length} bytes", rest.len());
    let foreign = value.iter().position(|byte| *byte != b'x');
    assert_eq!(foreign, None, "inside the row: {}", value[foreign.unwrap_or(0)..].escape_ascii());
}

fn kill(rig: &Rig, client: &Connection) {
    let mut console = rig.target().database("howdah").client();
    console.run(&format!("KILL_CLIENT {}", client.process_id));
    let id = client.process_id.to_string();
    eventually("the client is gone", || {
        !crate::console::table(&mut console, "SHOW CLIENTS")
            .iter()
            .any(|row| row["id"].as_deref() == Some(&id))
    });
}

fn wide() -> String {
    format!("SELECT repeat('x', {WIDE})")
}

#[test]
fn a_client_killed_inside_a_row_gets_no_words_in_it() {
    let rig = Rig::start();
    let mut client = rig.client();
    ask(&rig, &mut client, &wide());
    let id = client.process_id.to_string();
    let mut console = rig.target().database("howdah").client();
    assert_eq!(cell(&mut console, "SHOW CLIENTS", ("id", &id), "state"), "active");
    kill(&rig, &client);
    assert_row_is_only_a_row(&mut client);
}

#[test]
fn a_transaction_timeout_inside_a_row_leaves_no_words_in_it() {
    let rig = Rig::builder().pool("transaction_timeout", "\"6s\"").in_process();
    let mut client = rig.client();
    ask(&rig, &mut client, &wide());
    eventually("the client is gone", || rig.block_on(rig.engine().report()).clients == 0);
    assert_row_is_only_a_row(&mut client);
}

#[test]
fn the_end_of_howdah_inside_a_row_leaves_no_words_in_it() {
    let mut rig = Rig::start();
    let mut client = rig.client();
    ask(&rig, &mut client, &wide());
    rig.stop(Duration::ZERO);
    assert_row_is_only_a_row(&mut client);
}

#[test]
fn a_client_killed_inside_a_row_of_a_shared_request_gets_no_words_in_it() {
    let rig = Rig::builder().pool_size(1).pool("share", "\"reads\"").in_process();
    rig.observer().run(&format!(
        "CREATE TABLE texts (id int, body text); GRANT ALL ON texts TO PUBLIC; \
         INSERT INTO texts VALUES (1, 'x'), (2, repeat('x', {WIDE}))"
    ));
    let (mut reader, mut other) = (rig.client(), rig.client());
    rig.until_shared(&mut reader, &mut other, "SELECT body FROM texts WHERE id = 1");
    let flights = rig.flights();
    other.run("BEGIN");
    let before = sent(&rig);
    reader.send(&Frames::new().query("SELECT body FROM texts WHERE id = 2")).unwrap();
    eventually("the reader waits", || {
        rig.block_on(rig.engine().report()).pools.iter().any(|pool| pool.clients_waiting == 1)
    });
    other.run("COMMIT");
    eventually("the row is on its way", || sent(&rig) > before + 100_000);
    assert!(rig.flights() > flights, "it did not fly");
    kill(&rig, &reader);
    assert_row_is_only_a_row(&mut reader);
    assert_eq!(other.value("SELECT 'served'"), "served");
}
