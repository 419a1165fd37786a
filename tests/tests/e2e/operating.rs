//! What an operator does while clients are connected: reload, drain, look.

use std::time::{Duration, Instant};

use howdah_tests::raw::{Failure, Frames};
use howdah_tests::{Rig, eventually};
use rustix::process::Signal;

#[test]
fn a_reload_changes_the_pool_size_and_drops_nobody() {
    let rig = Rig::builder().pool_size(1).in_process();
    let mut clients: Vec<_> = (0..3).map(|_| rig.client()).collect();
    clients[0].run("BEGIN; SET work_mem = '5MB'");
    clients[1].send(&Frames::new().query("SELECT 'waited'")).unwrap();
    assert!(clients[1].is_silent(Duration::from_millis(100)));
    let text = rig.configuration().replace("max_size = 1", "max_size = 3");
    let changes = rig.reload(&text);
    assert!(changes.iter().any(|key| key.contains("max_size")), "{changes:?}");
    assert_eq!(clients[1].until(b'Z', 1).unwrap().values(), ["waited"]);
    for client in &mut clients[1..] {
        client.run("BEGIN");
    }
    assert_eq!(clients[0].value("SHOW work_mem"), "5MB");
    for client in &mut clients {
        client.run("COMMIT");
    }
    let text = rig.configuration().replace("max_size = 1", "max_size = 2");
    rig.reload(&text);
    let mut observer = rig.observer();
    let shrunk = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        for client in &mut clients {
            client.run("SELECT 1");
        }
        rig.backends(&mut observer).len() <= 2
    });
    assert!(shrunk, "the pool did not shrink: {:?}", rig.backends(&mut observer));
    assert_eq!(clients[0].value("SHOW work_mem"), "5MB");
}

#[test]
fn a_reload_changes_who_may_log_in() {
    let rig = Rig::start();
    let mut old = rig.client();
    let text = rig.configuration().replace(
        "name = \"*\"\nauth = \"trust\"",
        "name = \"app\"\nauth = \"scram-sha-256\"\npassword = \"new\"",
    );
    rig.reload(&text);
    assert_eq!(old.value("SELECT 'still here'"), "still here");
    assert_eq!(rig.target().refusal().code, "28P01");
    assert_eq!(rig.target().password("new").client().value("SELECT 1"), "1");
    assert!(rig.target().user("howdah").connect().is_err());
}

#[test]
fn a_drain_lets_open_transactions_finish_and_admits_nobody() {
    let mut rig = Rig::start();
    let mut observer = rig.observer();
    observer.run("CREATE TABLE t (a int); GRANT ALL ON t TO app");
    let target = rig.target();
    let mut working = target.client();
    working.run("BEGIN; INSERT INTO t VALUES (1)");
    let mut running = target.client();
    running.send(&Frames::new().query("SELECT 'done' FROM pg_sleep(2)")).unwrap();
    let mut idle = target.client();
    eventually("a statement that runs", || {
        let active =
            "state = 'active' AND datname = current_database() AND pid <> pg_backend_pid()";
        observer.value(&format!("SELECT count(*) FROM pg_stat_activity WHERE {active}")) == "1"
    });
    let begin = Instant::now();
    let took = std::thread::scope(|scope| {
        let stopping = scope.spawn(|| {
            rig.stop(Duration::from_secs(15));
            begin.elapsed()
        });
        // An idle client is told and let go.
        let last = idle.until_closed().expect("an idle client is disconnected");
        assert_eq!(last.errors()[0].code, "57P01", "{last:?}");
        match target.connect() {
            Err(Failure::Server(error)) => {
                assert!(["57P01", "57P03"].contains(&error.code.as_str()), "{error:?}")
            }
            Err(Failure::TimedOut) | Ok(_) => panic!("a new client is admitted"),
            Err(_) => {}
        }
        assert_eq!(running.until(b'Z', 1).expect("the answer").values(), ["done"]);
        working.run("INSERT INTO t VALUES (2)");
        assert_eq!(working.run("COMMIT").commands(), ["COMMIT"]);
        let last = working.until_closed().expect("disconnected after its transaction");
        assert_eq!(last.errors()[0].code, "57P01", "{last:?}");
        stopping.join().unwrap()
    });
    assert!(took < Duration::from_secs(10), "stopped after {took:?}");
    assert_eq!(observer.value("SELECT count(*) FROM t"), "2");
    let gone = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        rig.backends(&mut observer).is_empty()
    });
    assert!(gone, "servers are left open");
}

#[test]
fn a_drain_does_not_wait_longer_than_its_grace() {
    let mut rig = Rig::start();
    let mut observer = rig.observer();
    let mut client = rig.client();
    client.run("BEGIN");
    let begin = Instant::now();
    rig.stop(Duration::from_millis(300));
    let took = begin.elapsed();
    assert!((Duration::from_millis(250)..Duration::from_secs(5)).contains(&took), "{took:?}");
    assert_eq!(client.until_closed().unwrap().errors()[0].code, "57P01");
    let gone = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        rig.backends(&mut observer).is_empty()
    });
    assert!(gone, "servers are left open");
}

#[test]
fn signals_reload_and_drain_the_program() {
    let mut rig = Rig::builder().pool_size(1).process();
    let mut client = rig.client();
    let mut other = rig.client();
    client.run("BEGIN");
    let file = rig.howdah().configuration_file();
    std::fs::write(&file, "not a configuration").unwrap();
    rig.howdah().signal(Signal::HUP);
    let text = rig.configuration().replace("max_size = 1", "max_size = 2");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(client.value("SELECT 'a bad file changes nothing'"), "a bad file changes nothing");
    std::fs::write(&file, text).unwrap();
    rig.howdah().signal(Signal::HUP);
    assert_eq!(other.value("SELECT 'two servers now'"), "two servers now");
    rig.howdah().signal(Signal::TERM);
    assert_eq!(other.until_closed().unwrap().errors()[0].code, "57P01");
    assert_eq!(client.value("SELECT 'drains'"), "drains");
    client.run("COMMIT");
    assert!(client.until_closed().is_ok());
    assert_eq!(rig.wait(Duration::from_secs(10)), Some(0));
}

#[test]
fn the_report_counts_what_happened() {
    let mut rig = Rig::start();
    let mut client = rig.client();
    for _ in 0..10 {
        client.run("SELECT 1");
    }
    let _ = client.query("SELECT 1 / 0");
    client.run("BEGIN; SELECT 1");
    let report = rig.block_on(rig.engine().report());
    assert_eq!(report.clients, 1);
    let pool = &report.pools[0];
    assert_eq!((pool.database.as_str(), pool.user.as_str()), (rig.database(), "app"));
    assert_eq!((pool.servers_active, pool.servers_idle, pool.max_size), (1, 0, 3));
    assert!(report.totals.requests >= 12, "{}", report.totals.requests);
    assert!(report.totals.transactions >= 11, "{}", report.totals.transactions);
    assert_eq!(report.totals.errors, 1);
    assert_eq!(report.totals.connections, 1);
    assert!(report.totals.request_us.len() >= 12);
    assert!(report.totals.bytes_received > 100 && report.totals.bytes_sent > 100);
    rig.stop(Duration::ZERO);
}
