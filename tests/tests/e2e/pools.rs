//! Pools that size themselves, nodes that are watched, clients that keep servers for too long.

use std::time::{Duration, Instant};

use howdah::Report;
use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{Rig, Servers, eventually};

/// The first report that is as wanted.
#[track_caller]
fn report_that(rig: &Rig, what: &str, wanted: impl Fn(&Report) -> bool) -> Report {
    let begin = Instant::now();
    loop {
        let report = rig.block_on(rig.engine().report());
        if wanted(&report) {
            return report;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "{what}: {report:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn breaker(report: &Report) -> &'static str {
    report.nodes.first().map_or("no node", |node| node.breaker)
}

const WATCHED: &str = "[health]\ninterval = \"200ms\"\ntimeout = \"500ms\"\nfailure_threshold = 2\n\
                       breaker_open = \"100ms\"\nbreaker_hold = \"300ms\"\n";

#[test]
fn clients_of_a_node_that_stays_down_are_told_at_once_and_served_when_it_is_back() {
    let rig = Rig::builder()
        .servers(Servers::start())
        .pool("checkout_timeout", "\"60s\"")
        .more(WATCHED)
        .in_process();
    let mut client = rig.client();
    client.run("SELECT 1");
    rig.servers().primary().kill().unwrap();
    report_that(&rig, "the breaker opens", |report| {
        breaker(report) != "closed"
            && report.nodes[0].down_for.is_some_and(|time| time > Duration::from_millis(300))
    });
    let begin = Instant::now();
    let seen = client.query("SELECT 1").expect("an answer");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    let error = seen.errors().pop().expect("an error");
    assert!(["08006", "57P03"].contains(&error.code.as_str()), "{error:?}");
    rig.servers().primary().start().unwrap();
    let report = report_that(&rig, "the breaker closes", |report| breaker(report) == "closed");
    assert_eq!(report.nodes[0].last_error, None);
    assert_eq!(client.value("SELECT 'served'"), "served");
}

#[test]
fn a_quiet_node_that_gives_no_sign_of_life_is_found_out_without_a_client() {
    let rig = Rig::builder().servers(Servers::start()).more(WATCHED).in_process();
    let mut client = rig.client();
    client.run("SELECT 1");
    rig.servers().primary().freeze().unwrap();
    let report = report_that(&rig, "the breaker opens", |report| breaker(report) != "closed");
    assert!(report.nodes[0].failures >= 2, "{report:?}");
    rig.servers().primary().thaw().unwrap();
    report_that(&rig, "the breaker closes", |report| breaker(report) == "closed");
    assert_eq!(client.value("SELECT 'served'"), "served");
}

#[test]
fn a_database_that_does_not_exist_says_nothing_about_its_node() {
    let rig = Rig::builder().more(WATCHED).in_process();
    for _ in 0..5 {
        assert_eq!(rig.target().database("no_such_database").refusal().code, "3D000");
    }
    assert_eq!(rig.client().value("SELECT 1"), "1");
    let report = rig.block_on(rig.engine().report());
    assert_eq!((breaker(&report), report.nodes[0].failures), ("closed", 0), "{report:?}");
}

#[test]
fn a_dynamic_pool_holds_what_concurrency_asks_for_and_says_why() {
    let rig = Rig::builder().pool_size(10).pool("dynamic", "true").in_process();
    let mut clients: Vec<_> = (0..3).map(|_| rig.client()).collect();
    for client in &mut clients {
        client.run("BEGIN");
    }
    let report = report_that(&rig, "four servers for three clients", |report| {
        let pool = &report.pools[0];
        pool.advice.as_ref().is_some_and(|advice| advice.size == 4)
            && pool.servers_active + pool.servers_idle == 4
    });
    let advice = report.pools[0].advice.clone().expect("advice");
    assert_eq!((advice.p99, advice.head_room, advice.max_size), (3, 1, 10));
    let mut console = rig.target().database("howdah").client();
    let shown = console.run("SHOW POOLS");
    let columns: Vec<_> = shown.rows()[0].iter().flatten().cloned().collect();
    assert!(columns.iter().any(|text| text.contains("P99 3, head room 1: 4 of 10")), "{columns:?}");
}

#[test]
fn min_size_is_held_from_the_start_when_it_is_plain_whose_it_is() {
    let database = "[[database]]\nname = \"{database}\"\n";
    let one = "[[user]]\nname = \"app\"\nauth = \"trust\"\n";
    let two = format!("{one}[[user]]\nname = \"howdah\"\nauth = \"trust\"\n");
    let with =
        |users: &str| Rig::builder().users(users).pool("min_size", "2").more(database).in_process();
    let (unclear, rig) = (with(&two), with(one));
    let mut observer = rig.observer();
    let open = |observer: &mut Connection| rig.backends(observer).len();
    eventually("two are open without a client", || open(&mut observer) == 2);
    assert_eq!(unclear.backends(&mut unclear.observer()).len(), 0, "two users might come");
    let report = {
        rig.client().run("SELECT 1");
        rig.block_on(rig.engine().report())
    };
    assert_eq!(report.totals.servers_opened, 2, "the client got one of them: {report:?}");
}

#[test]
fn pgdog_1361_a_pool_with_ten_times_as_many_clients_as_servers_serves_all_of_them() {
    let rig = Rig::builder().pool_size(3).pool("checkout_timeout", "\"60s\"").in_process();
    let mut clients: Vec<_> = (0..30).map(|_| rig.client()).collect();
    for round in 0..20 {
        for client in &mut clients {
            client.send(&Frames::new().query("SELECT 'served' FROM pg_sleep(0.001)")).unwrap();
        }
        for client in &mut clients {
            let seen = client.until(b'Z', 1).expect("an answer");
            assert_eq!(seen.values(), ["served"], "round {round}");
        }
    }
    let report = rig.block_on(rig.engine().report());
    assert_eq!(report.totals.errors, 0, "{report:?}");
    assert!(report.totals.servers_opened <= 3, "servers were not used again: {report:?}");
}
