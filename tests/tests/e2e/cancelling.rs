//! A cancel request stops the statement it was meant for, or nothing.

use std::time::{Duration, Instant};

use howdah_tests::Rig;
use howdah_tests::raw::{Connection, Frames};

fn sleep(client: &mut Connection, seconds: f64) {
    client.send(&Frames::new().query(&format!("SELECT pg_sleep({seconds})"))).unwrap();
}

/// Waits until so many backends of the rig's database sleep.
#[track_caller]
fn asleep(observer: &mut Connection, count: usize) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    let seen = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        observer.value(sql) == count.to_string()
    });
    assert!(seen, "{count} statements never ran at once");
}

#[test]
fn a_running_statement_is_cancelled() {
    let rig = Rig::start();
    let mut observer = rig.observer();
    let mut client = rig.client();
    for round in 0..5 {
        sleep(&mut client, 30.0);
        asleep(&mut observer, 1);
        let begin = Instant::now();
        client.cancel();
        let seen = client.until(b'Z', 1).unwrap();
        assert_eq!(seen.errors()[0].code, "57014", "round {round}");
        assert!(begin.elapsed() < Duration::from_secs(2), "took {:?}", begin.elapsed());
        assert_eq!(client.value("SELECT 'alive'"), "alive");
    }
}

#[test]
fn a_cancelled_statement_fails_its_transaction_and_nothing_more() {
    let rig = Rig::start();
    let mut observer = rig.observer();
    let mut client = rig.client();
    client.run("BEGIN");
    sleep(&mut client, 30.0);
    asleep(&mut observer, 1);
    client.cancel();
    assert_eq!(client.until(b'Z', 1).unwrap().summary(), "T E(57014) Z(E)");
    client.run("ROLLBACK");
    assert_eq!(client.value("SELECT 'alive'"), "alive");
}

#[test]
fn a_waiting_client_is_cancelled_without_a_server() {
    let rig = Rig::builder().pool_size(1).in_process();
    let mut holder = rig.client();
    holder.run("BEGIN");
    let mut waiting = rig.client();
    waiting.send(&Frames::new().query("SELECT 'never'")).unwrap();
    assert!(waiting.is_silent(Duration::from_millis(100)));
    waiting.cancel();
    let seen = waiting.until(b'Z', 1).unwrap();
    assert_eq!(seen.summary(), "E(57014) Z(I)");
    assert_eq!(holder.value("SELECT 'untouched'"), "untouched");
    holder.run("COMMIT");
    assert_eq!(waiting.value("SELECT 'served'"), "served");
}

#[test]
fn a_waiting_pipeline_is_cancelled_up_to_its_sync() {
    let rig = Rig::builder().pool_size(1).in_process();
    let mut holder = rig.client();
    holder.run("BEGIN");
    let mut waiting = rig.client();
    waiting.send(&Frames::new().extended("SELECT 'never'", &[]).sync()).unwrap();
    assert!(waiting.is_silent(Duration::from_millis(100)));
    waiting.cancel();
    assert_eq!(waiting.until(b'Z', 1).unwrap().summary(), "E(57014) Z(I)");
    holder.run("COMMIT");
    let seen = waiting.answer(&Frames::new().extended("SELECT 'served'", &[]).sync(), 1);
    assert_eq!(seen.values(), ["served"]);
}

#[test]
fn a_cancel_after_the_end_hits_nobody() {
    let rig = Rig::builder().pool_size(1).in_process();
    let mut observer = rig.observer();
    let mut early = rig.client();
    let mut late = rig.client();
    for _ in 0..10 {
        early.run("SELECT 1");
        sleep(&mut late, 0.15);
        asleep(&mut observer, 1);
        early.cancel();
        assert_eq!(late.until(b'Z', 1).unwrap().summary(), "T D C Z(I)");
        assert_eq!(early.value("SELECT 'alive'"), "alive");
    }
}

#[test]
fn a_cancel_with_a_wrong_key_does_nothing() {
    let rig = Rig::start();
    let mut observer = rig.observer();
    let mut client = rig.client();
    let other = rig.client();
    sleep(&mut client, 0.4);
    asleep(&mut observer, 1);
    let wrong: Vec<u8> = client.secret.iter().map(|byte| !byte).collect();
    client.cancel_with(client.process_id, &wrong);
    client.cancel_with(client.process_id.wrapping_add(1), &client.secret);
    other.cancel();
    let unknown = u32::MAX / 3;
    client.cancel_with(unknown, &[1, 2, 3, 4]);
    // The server's own key is not a client's.
    assert_eq!(client.until(b'Z', 1).unwrap().summary(), "T D C Z(I)");
}

#[test]
fn the_key_of_a_client_is_not_the_key_of_its_server() {
    let rig = Rig::start();
    let mut first = rig.client();
    let mut second = rig.client();
    assert_ne!((first.process_id, &first.secret), (second.process_id, &second.secret));
    assert_eq!(first.secret.len(), 4, "protocol 3.0 has keys of four bytes");
    first.run("SELECT 1");
    second.run("SELECT 1");
}

#[test]
fn a_cancel_whose_socket_closes_at_once_still_works() {
    let rig = Rig::start();
    let mut observer = rig.observer();
    let mut client = rig.client();
    sleep(&mut client, 30.0);
    asleep(&mut observer, 1);
    let mut request = Vec::new();
    howdah_wire::startup::cancel(&mut request, client.process_id, &client.secret);
    let mut other = Connection::open(&rig.target()).unwrap();
    other.write(&request).unwrap();
    drop(other);
    assert_eq!(client.until(b'Z', 1).unwrap().errors()[0].code, "57014");
}

#[test]
fn a_storm_of_cancels_leaves_everything_in_order() {
    let rig = Rig::start();
    let target = rig.target();
    let clients: Vec<_> = (0..8)
        .map(|n| {
            let target = target.clone();
            std::thread::spawn(move || {
                let mut client = target.client();
                let mut cancelled = 0;
                for round in 0..40 {
                    let text = format!("{n} {round}");
                    client
                        .send(&Frames::new().query(&format!("SELECT '{text}' FROM pg_sleep(0.01)")))
                        .unwrap();
                    if round % 2 == 0 {
                        client.cancel();
                    }
                    let seen = client.until(b'Z', 1).unwrap();
                    match seen.errors().as_slice() {
                        [] => assert_eq!(seen.values(), [text]),
                        [error] => {
                            assert_eq!(error.code, "57014");
                            assert_eq!(round % 2, 0, "client {n} did not cancel statement {round}");
                            cancelled += 1;
                        }
                        more => panic!("{more:?}"),
                    }
                }
                cancelled
            })
        })
        .collect();
    let cancelled: u32 = clients.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert!(cancelled > 0, "no statement was cancelled");
}
