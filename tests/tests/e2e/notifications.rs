//! LISTEN, UNLISTEN and NOTIFY without a server of one's own: who hears what, when, and what it costs others.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use howdah_tests::raw::{Connection, Frames, Target};
use howdah_tests::{Rig, Script, Until};

/// The payload of the next frame, which must be a notification of this channel.
#[track_caller]
fn heard(client: &mut Connection, channel: &str) -> String {
    let reply = client.reply().expect("a notification");
    let (from, payload) = reply.notification().unwrap_or_else(|| panic!("{reply:?}"));
    assert_eq!(from, channel);
    payload
}

#[track_caller]
fn silent(client: &mut Connection) {
    assert!(client.is_silent(Duration::from_millis(150)), "something came");
}

/// What is known of the shared connection: channels, listeners.
fn counts(rig: &Rig) -> (u64, u64) {
    let report = rig.block_on(rig.engine().report());
    let found = report.notifications.first();
    found.map_or((0, 0), |found| (found.channels, found.listeners))
}

#[track_caller]
fn becomes(rig: &Rig, expected: (u64, u64)) {
    let begin = Instant::now();
    while counts(rig) != expected {
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", counts(rig));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_notification_arrives_while_the_client_is_idle() {
    let rig = Rig::start();
    let mut churn = rig.churn();
    let mut client = rig.client();
    assert_eq!(client.run("LISTEN news").summary(), "C Z(I)");
    silent(&mut client);
    for n in 0..4 {
        churn.turn();
        rig.direct().client().run(&format!("NOTIFY news, 'number {n}'"));
        assert_eq!(heard(&mut client, "news"), format!("number {n}"));
    }
    churn.rest();
    rig.client().run("NOTIFY news, 'through Howdah'");
    assert_eq!(heard(&mut client, "news"), "through Howdah");
    client.run("NOTIFY news, 'own'");
    assert_eq!(heard(&mut client, "news"), "own");
    client.run("UNLISTEN *");
    rig.direct().client().run("NOTIFY news, 'too late'");
    silent(&mut client);
}

#[test]
fn a_listener_holds_no_server() {
    let rig = Rig::builder().pool_size(1).in_process();
    let mut listeners: Vec<_> = (0..5).map(|_| rig.client()).collect();
    for client in &mut listeners {
        client.run("LISTEN news");
    }
    let mut other = rig.client();
    for n in 0..3 {
        assert_eq!(other.value("SELECT 'served'"), "served");
        other.run(&format!("NOTIFY news, '{n}'"));
        for client in &mut listeners {
            assert_eq!(heard(client, "news"), n.to_string());
            assert_eq!(client.value("SELECT 'listening'"), "listening");
        }
    }
    let report = rig.block_on(rig.engine().report());
    assert!(report.pools.iter().all(|pool| pool.pinned.is_empty()));
    assert_eq!(counts(&rig), (1, 5));
    drop(listeners);
    becomes(&rig, (0, 0));
}

#[test]
fn a_channel_is_not_inherited_by_the_next_client() {
    let rig = Rig::start();
    let mut client = rig.client();
    client.run("LISTEN news");
    let mut others: Vec<_> = (0..3).map(|_| rig.client()).collect();
    for other in &mut others {
        other.run("BEGIN");
        let channels = "SELECT pg_listening_channels()";
        assert_eq!(other.run(channels).values(), Vec::<String>::new(), "left on a server");
    }
    for other in &mut others {
        other.run("COMMIT");
    }
    rig.direct().client().run("NOTIFY news, 'for one'");
    assert_eq!(heard(&mut client, "news"), "for one");
    for other in &mut others {
        assert_eq!(other.run("SELECT 1").summary(), "T D C Z(I)");
        silent(other);
    }
}

#[test]
fn only_what_is_committed_is_listened_to() {
    let rig = Rig::start();
    let mut client = rig.client();
    let mut direct = rig.direct().client();
    let mut check = |sqls: &[&str], expected: &[&str]| {
        for sql in sqls {
            let _ = client.query(sql).unwrap();
        }
        direct.run("NOTIFY a, 'a'");
        direct.run("NOTIFY b, 'b'");
        direct.run("NOTIFY \"C d\", 'c'");
        for payload in expected {
            let told = client.reply().expect("a notification").notification();
            assert_eq!(told.map(|(_, payload)| payload).as_deref(), Some(*payload), "{sqls:?}");
        }
        silent(&mut client);
        client.run("UNLISTEN *");
    };
    check(&["BEGIN; LISTEN a", "ROLLBACK"], &[]);
    check(&["BEGIN; LISTEN a", "COMMIT"], &["a"]);
    check(&["BEGIN", "LISTEN a", "SELECT 1 / 0", "COMMIT"], &[]);
    check(&["LISTEN a; SELECT 1 / 0"], &[]);
    check(&["LISTEN a; LISTEN b; UNLISTEN a"], &["b"]);
    check(
        &["BEGIN; SAVEPOINT s; LISTEN a; SAVEPOINT t; LISTEN b", "ROLLBACK TO t; COMMIT"],
        &["a"],
    );
    check(
        &["BEGIN; SAVEPOINT s; LISTEN a", "ROLLBACK TO s; LISTEN b; RELEASE s", "COMMIT"],
        &["b"],
    );
    check(&["LISTEN a", "BEGIN; UNLISTEN a; ROLLBACK"], &["a"]);
    check(&["LISTEN \"C d\"", "BEGIN; UNLISTEN *", "COMMIT"], &[]);
    check(&["LISTEN \"C d\"; LISTEN A"], &["a", "c"]);
    check(&["LISTEN a", "DISCARD ALL"], &[]);
    check(&["LISTEN a", "LISTEN a", "UNLISTEN a"], &[]);
    check(&["BEGIN; LISTEN a; COMMIT AND CHAIN", "SELECT 1", "ROLLBACK"], &["a"]);
}

#[test]
fn answers_are_postgresqls() {
    let rig = Rig::start();
    let script = Script::new()
        .query("LISTEN a; SELECT 1; LISTEN b")
        .step(Frames::new().extended("LISTEN c", &[]).sync())
        .step(Frames::new().parse("l", "LISTEN d").execute_prepared("l", &[]).sync())
        .step(Frames::new().execute_prepared("l", &[]).sync())
        .query("LISTEN 'a string'")
        .query("BEGIN")
        .query("LISTEN e")
        .query("PREPARE TRANSACTION 'x'")
        .query("ROLLBACK")
        .until(
            Frames::new()
                .query("UNLISTEN *")
                .query("LISTEN f")
                .extended("SELECT 'behind'", &[])
                .sync()
                .query("UNLISTEN f"),
            Until::Ready(4),
        )
        .query("SELECT 'after'")
        .query("DISCARD ALL");
    rig.same_as_direct("", &script);
}

#[test]
fn a_transaction_that_listens_hears_its_own_notification() {
    let rig = Rig::start();
    let mut client = rig.client();
    assert_eq!(client.run("LISTEN a; NOTIFY a, 'own'").summary(), "C C A Z(I)");
    client.run("BEGIN; LISTEN b; NOTIFY b, 'x'");
    assert_eq!(client.run("COMMIT").summary(), "C A Z(I)");
    silent(&mut client);
}

#[test]
fn nothing_arrives_inside_a_transaction_or_a_request() {
    let rig = Rig::start();
    let mut client = rig.client();
    let mut direct = rig.direct().client();
    client.run("LISTEN news");
    client.run("BEGIN");
    direct.run("NOTIFY news, '1'; NOTIFY news, '2'");
    silent(&mut client);
    assert_eq!(client.run("SELECT 1").summary(), "T D C Z(T)");
    client.run("COMMIT");
    assert_eq!([heard(&mut client, "news"), heard(&mut client, "news")], ["1", "2"]);
    client.send(&Frames::new().query("SELECT pg_sleep(0.4), repeat('x', 100000)")).unwrap();
    direct.run("NOTIFY news, '3'");
    assert_eq!(client.until(b'Z', 1).unwrap().summary(), "T D C Z(I)");
    assert_eq!(heard(&mut client, "news"), "3");
    // Pinned clients hear the same way.
    client.run("CREATE TEMP TABLE mine (a int)");
    direct.run("NOTIFY news, '4'");
    assert_eq!(heard(&mut client, "news"), "4");
    client.run("BEGIN");
    direct.run("NOTIFY news, '5'");
    silent(&mut client);
    client.run("COMMIT");
    assert_eq!(heard(&mut client, "news"), "5");
}

#[test]
fn who_joins_hears_exactly_what_is_committed_from_then_on() {
    let rig = Rig::start();
    let setup = "CREATE TABLE numbers AS SELECT 0::bigint AS n; GRANT ALL ON numbers TO app";
    rig.observer().run(setup);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = rig.direct().client();
            let mut n = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                n += 1;
                // One transaction: the number is there when the notification is.
                writer.run(&format!("UPDATE numbers SET n = {n}; NOTIFY news, '{n}'"));
            }
        });
        // Also when an expectation is not met.
        let _stop = Stop(&stop);
        std::thread::scope(|inner| {
            for _ in 0..4 {
                inner.spawn(|| join_and_listen(&rig.target(), &rig.direct()));
            }
        });
    });
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn join_and_listen(target: &Target, direct: &Target) {
    let mut direct = direct.client();
    let mut number = || direct.value("SELECT n FROM numbers").parse::<u64>().unwrap();
    let mut client = target.client();
    for _ in 0..15 {
        let before = number();
        client.run("LISTEN news");
        let after = number();
        let mut last = heard(&mut client, "news").parse::<u64>().unwrap();
        // Nothing that was committed before the LISTEN, everything that was committed after its answer.
        assert!(last > before, "{last} was committed before {before}");
        assert!(last <= after + 1, "{last} came first, {after} was already there");
        for _ in 0..30 {
            let next = heard(&mut client, "news").parse::<u64>().unwrap();
            assert_eq!(next, last + 1, "in order, none twice, none lost");
            last = next;
        }
        client.send(&Frames::new().query("UNLISTEN news")).unwrap();
        while client.reply().unwrap().tag != b'Z' {}
        silent(&mut client);
    }
}

#[test]
fn a_thousand_clients_hear_one_channel() {
    let rig = Rig::builder().listen("max_clients", "2000").in_process();
    let mut clients: Vec<_> = (0..1000).map(|_| rig.client()).collect();
    for client in &mut clients {
        client.run("LISTEN news");
    }
    assert_eq!(counts(&rig), (1, 1000));
    let mut direct = rig.direct().client();
    for n in 0..5 {
        direct.run(&format!("NOTIFY news, '{n}'"));
    }
    for client in &mut clients {
        let seen: Vec<_> = (0..5).map(|_| heard(client, "news")).collect();
        assert_eq!(seen, ["0", "1", "2", "3", "4"]);
    }
    drop(clients);
    becomes(&rig, (0, 0));
}

#[test]
fn the_loss_of_the_shared_connection_is_told_to_listeners_alone() {
    let rig = Rig::start();
    let mut observer = rig.observer();
    let (mut listener, mut other) = (rig.client(), rig.client());
    listener.run("LISTEN news");
    other.run("LISTEN news; UNLISTEN news");
    let terminate = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity \
                     WHERE application_name = 'howdah (notifications)' AND datname = current_database()";
    assert_eq!(observer.value(terminate), "1");
    let seen = listener.until_closed().expect("the end of the connection");
    assert_eq!(seen.errors()[0].code, "57P01", "{seen:?}");
    assert_eq!(other.value("SELECT 'fine'"), "fine");
    other.run("LISTEN news");
    other.run("NOTIFY news, 'again'");
    assert_eq!(heard(&mut other, "news"), "again");
}

#[test]
fn a_client_that_does_not_take_its_notifications_is_ended_and_no_other() {
    let rig = Rig::start();
    let (mut slow, mut quick) = (rig.client(), rig.client());
    slow.run("LISTEN news");
    quick.run("LISTEN news");
    slow.run("BEGIN");
    let mut direct = rig.direct().client();
    for block in 0..10 {
        let many = "SELECT pg_notify('news', n::text) FROM generate_series(1, 1000) AS n";
        direct.run(many);
        for n in 1..=1000 {
            assert_eq!(heard(&mut quick, "news"), n.to_string(), "block {block}");
        }
    }
    slow.send(&Frames::new().query("COMMIT")).unwrap();
    let seen = slow.until_closed().expect("the end of the connection");
    assert_eq!(seen.errors().last().map(|error| error.code.clone()).as_deref(), Some("53400"));
}

#[test]
fn one_connection_listens_for_all_workers_and_users() {
    let users = "[[user]]\nname = \"*\"\nauth = \"trust\"\n";
    let rig = Rig::builder().listen("workers", "2").pool_size(8).users(users).in_process();
    let mut clients: Vec<_> = (0..8)
        .map(|n| if n % 2 == 0 { rig.client() } else { rig.target().user("howdah").client() })
        .collect();
    for client in &mut clients {
        client.run("LISTEN news");
    }
    let listening = "SELECT count(*) FROM pg_stat_activity \
                     WHERE application_name = 'howdah (notifications)' AND datname = current_database()";
    assert_eq!(rig.observer().value(listening), "1");
    rig.direct().client().run("NOTIFY news, 'all'");
    let seen: BTreeSet<_> = clients.iter_mut().map(|client| heard(client, "news")).collect();
    assert_eq!(seen, BTreeSet::from(["all".to_owned()]));
}

#[test]
fn session_mode_listens_on_its_own_server() {
    let rig = Rig::builder().mode("session").in_process();
    let mut client = rig.client();
    client.run("LISTEN news");
    assert_eq!(client.value("SELECT pg_listening_channels()"), "news");
    assert_eq!(client.run("NOTIFY news, 'own'").summary(), "C A Z(I)");
    rig.direct().client().run("NOTIFY news, 'other'");
    assert_eq!(heard(&mut client, "news"), "other");
    assert_eq!(counts(&rig), (0, 0));
}
