//! Reads that share servers, as an operator and a client see it: who may, and what becomes of one that lasts.

use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{Rig, eventually};

/// A read that is as long as its last number says.
fn lasting(seconds: &str) -> String {
    format!("SELECT pg_sleep({seconds})")
}

/// Flights of the pool of a user in a database.
fn flights(rig: &Rig, database: &str, user: &str) -> u64 {
    let pools = rig.block_on(rig.engine().report()).pools;
    let pool = pools.iter().find(|pool| pool.database == database && pool.user == user);
    pool.expect("the pool").flights
}

/// Sends a read while the only server is taken, and has it fly when that comes back.
fn fly(rig: &Rig, reader: &mut Connection, holder: &mut Connection, read: &str) {
    let before = rig.flights();
    holder.run("BEGIN");
    reader.send(&Frames::new().query(read)).expect("the reader is connected");
    eventually("the reader waits", || {
        rig.block_on(rig.engine().report()).pools.iter().any(|pool| pool.clients_waiting == 1)
    });
    holder.run("COMMIT");
    eventually("it flies", || rig.flights() > before);
}

/// A short read of `reader` while `holder` has the only server.
fn read_while_held(reader: &mut Connection, holder: &mut Connection) {
    for _ in 0..5 {
        holder.run("BEGIN");
        reader.send(&Frames::new().query("SELECT 7")).expect("the reader is connected");
        holder.run("SELECT 8");
        holder.run("COMMIT");
        reader.until(b'Z', 1).expect("an answer");
    }
}

#[test]
fn users_and_databases_say_for_themselves_whether_their_reads_share() {
    let more = "[[database]]\nname = \"*\"\n[[database]]\nname = \"{database}\"\nshare = \"off\"\n";
    let users = "[[user]]\nname = \"app\"\nauth = \"trust\"\n\
                 [[user]]\nname = \"howdah\"\nauth = \"trust\"\nshare = \"off\"\n\
                 [[user]]\nname = \"app_md5\"\nauth = \"trust\"\nserver_user = \"app\"\nshare = \"reads\"\n";
    let rig = Rig::builder().pool_size(1).users(users).more(more).in_process();
    let of = |user: &str, database: &str| {
        let target = rig.target().user(user).database(database);
        (target.client(), target.client())
    };
    // By default they share.
    let (mut reader, mut holder) = of("app", "postgres");
    rig.until_shared(&mut reader, &mut holder, "SELECT 7");
    for (user, database) in
        [("howdah", "postgres"), ("app", rig.database()), ("howdah", rig.database())]
    {
        let (mut reader, mut holder) = of(user, database);
        read_while_held(&mut reader, &mut holder);
        assert_eq!(flights(&rig, database, user), 0, "{user} in {database}");
    }
    // What a user says goes before what the database says.
    let (mut reader, mut holder) = of("app_md5", rig.database());
    rig.until_shared(&mut reader, &mut holder, "SELECT 7");
    assert!(flights(&rig, rig.database(), "app_md5") > 0);
}

#[test]
fn a_shared_read_whose_client_has_gone_is_stopped() {
    let rig = Rig::builder().pool_size(1).in_process();
    let (mut reader, mut holder) = (rig.client(), rig.client());
    rig.until_shared(&mut reader, &mut holder, &lasting("0"));
    fly(&rig, &mut reader, &mut holder, &lasting("1000"));
    let mut observer = rig.observer();
    let running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)' AND state = 'active'";
    eventually("it runs", || observer.value(running) == "1");
    drop(reader);
    // The only server is free again.
    assert_eq!(holder.value("SELECT 'served'"), "served");
    assert_eq!(observer.value(running), "0");
}

#[test]
fn a_query_timeout_ends_a_shared_read_of_which_parts_were_handed_over() {
    let rig = Rig::builder().pool_size(1).pool("query_timeout", "\"2s\"").in_process();
    let (mut reader, mut holder) = (rig.client(), rig.client());
    let rows = |bytes: u32, seconds: &str, count: u32| {
        format!("SELECT repeat('x', {bytes}), pg_sleep({seconds}) FROM generate_series(1, {count})")
    };
    rig.until_shared(&mut reader, &mut holder, &rows(10, "0", 1));
    fly(&rig, &mut reader, &mut holder, &rows(300_000, "0.2", 1000));
    let seen = reader.until(b'Z', 1).expect("an answer");
    let summary = seen.summary();
    assert!(summary.starts_with("T D*") && summary.ends_with(" E(57014) Z(I)"), "{summary}");
    assert!(seen.values().iter().all(|value| value.len() == 300_000), "a row is not whole");
    let error = &seen.errors()[0];
    assert_eq!(error.code, "57014");
    assert!(error.message.contains("query_timeout"), "{error:?}");
    assert_eq!(reader.value("SELECT 'goes on'"), "goes on");
    assert_eq!(holder.value("SELECT 'served'"), "served");
}
