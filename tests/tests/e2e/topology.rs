//! Nodes that are watched: roles, lag, drains, promotions. Real replicas; where reads go is not asked here.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use howdah::Report;
use howdah_local::{Mode, Node};
use howdah_tests::{Rig, Servers};
use parking_lot::{Mutex, MutexGuard};

/// As long as a busy machine may need.
const LIMIT: Duration = Duration::from_secs(60);

/// A primary with two replicas, for tests that leave them as they were; one at a time.
fn trio() -> (Arc<Servers>, MutexGuard<'static, ()>) {
    static SERVERS: OnceLock<Arc<Servers>> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock();
    (Arc::clone(SERVERS.get_or_init(|| Arc::new(Servers::start_with_replicas(2)))), turn)
}

/// A rig in front of a cluster; the nodes in the order in which the file names them, the first as the primary.
fn rig(servers: &Arc<Servers>, nodes: &[(&str, &Node)], health: &str) -> Rig {
    Rig::builder().servers_shared(servers).toml(&toml(nodes, health)).in_process()
}

fn toml(nodes: &[(&str, &Node)], health: &str) -> String {
    let node = |(name, node): &(&str, &Node)| {
        format!(
            "[[cluster.node]]\nname = \"{name}\"\nhost = \"127.0.0.1\"\nport = {}\n",
            node.port()
        )
    };
    let nodes: String = nodes.iter().map(node).collect();
    format!(
        "[listen]\nport = {{port}}\nworkers = 1\n\n[[cluster]]\nname = \"main\"\n{nodes}\n[[user]]\nname = \"*\"\nauth = \"trust\"\n\n{health}"
    )
}

const PROBE: &str = "[health]\nuser = \"howdah_probe\"\n";

/// The three nodes by their names.
fn named(servers: &Servers) -> [(&'static str, &Node); 3] {
    let replicas = servers.cluster().replicas();
    [("one", servers.primary()), ("two", &replicas[0]), ("three", &replicas[1])]
}

#[track_caller]
fn until(rig: &Rig, what: &str, wanted: impl Fn(&Report) -> bool) -> Report {
    let begin = Instant::now();
    loop {
        let report = rig.block_on(rig.engine().report());
        if wanted(&report) {
            return report;
        }
        assert!(begin.elapsed() < LIMIT, "{what}: {:#?}", report.nodes);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What the nodes count as, in the order of their names here.
fn standings<const N: usize>(report: &Report, names: [&str; N]) -> [&'static str; N] {
    let standing = |name: &str| report.nodes.iter().find(|node| node.name == name);
    names.map(|name| standing(name).map_or("missing", |node| node.standing))
}

const NAMES: [&str; 3] = ["one", "two", "three"];
const WELL: [&str; 3] = ["primary", "replica", "replica"];

fn is_caught_up(report: &Report, name: &str) -> bool {
    report.nodes.iter().any(|node| node.name == name && node.lag_bytes == Some(0))
}

#[test]
fn roles_timelines_and_lag_are_found_by_asking() {
    let (servers, _turn) = trio();
    let rig = rig(&servers, &named(&servers), PROBE);
    let report = until(&rig, "three roles", |report| {
        standings(report, NAMES) == WELL && NAMES.iter().all(|name| is_caught_up(report, name))
    });
    assert!(report.nodes.iter().all(|node| node.timeline == Some(1)), "{:?}", report.nodes);
    assert!(report.nodes.iter().all(|node| node.lag.is_some()), "{:?}", report.nodes);
    let mut client = rig.client();
    assert_eq!(client.value("SELECT 'served'"), "served");
}

#[test]
fn roles_that_are_wrong_in_the_file_are_put_right() {
    let (servers, _turn) = trio();
    let [one, two, three] = named(&servers);
    let rig = rig(&servers, &[two, one, three], PROBE);
    until(&rig, "the right primary", |report| standings(report, NAMES) == WELL);
}

#[test]
fn a_role_without_any_right_can_ask() {
    let (servers, _turn) = trio();
    let rig = rig(&servers, &named(&servers), "[health]\nuser = \"app\"\n");
    until(&rig, "three roles", |report| standings(report, NAMES) == WELL);
}

#[test]
fn without_anybody_who_can_ask_roles_are_those_of_the_file() {
    let (servers, _turn) = trio();
    // Any client is trusted under its own name, and none has come.
    let strangers = rig(&servers, &named(&servers), "");
    let configured = ["primary", "unheard", "unheard"];
    until(&strangers, "roles of the file", |report| standings(report, NAMES) == configured);
    drop(strangers);
    let refused = rig(&servers, &named(&servers), "[health]\nuser = \"nobody\"\n");
    until(&refused, "roles of the file", |report| standings(report, NAMES) == configured);
    let mut client = refused.client();
    assert_eq!(client.value("SELECT 'served'"), "served");
}

#[test]
fn an_idle_replica_is_not_behind_where_a_segment_of_the_log_ends() {
    let (servers, _turn) = trio();
    let rig = rig(&servers, &named(&servers), PROBE);
    until(&rig, "three roles", |report| standings(report, NAMES) == WELL);
    let mut admin = servers.superuser("postgres");
    for _ in 0..3 {
        admin.run("SELECT pg_switch_wal()");
        let begun = Instant::now();
        // The samples of before count no more when all this time has passed and the lag is still small.
        until(&rig, "replicas at the end of the log", |report| {
            let replicas = report.nodes.iter().filter(|node| node.standing == "replica");
            let lags: Vec<_> = replicas.filter_map(|node| node.lag).collect();
            let elapsed = begun.elapsed();
            lags.len() == 2
                && elapsed > Duration::from_millis(500)
                && lags.iter().all(|lag| *lag < elapsed)
                && NAMES.iter().all(|name| is_caught_up(report, name))
        });
    }
}

#[test]
fn a_replica_is_drained_and_undrained_on_the_console() {
    let (servers, _turn) = trio();
    let rig = rig(&servers, &named(&servers), PROBE);
    until(&rig, "three roles", |report| standings(report, NAMES) == WELL);
    let mut console = rig.target().database("howdah").client();
    let drained = |report: &Report| -> Vec<String> {
        let nodes = report.nodes.iter().filter(|node| node.drained);
        nodes.map(|node| node.name.clone()).collect()
    };
    console.run("DRAIN two");
    assert_eq!(drained(&rig.block_on(rig.engine().report())), ["two"]);
    let shown = console.run("SHOW NODES").rows();
    assert_eq!(shown.len(), 3, "{shown:?}");
    let words = |row: &Vec<Option<String>>, word: &str| row.iter().flatten().any(|it| it == word);
    assert!(words(&shown[1], "two") && words(&shown[1], "replica"), "{shown:?}");
    // A reload keeps what an administrator has done.
    rig.reload(&rig.configuration().replace("workers = 1", "workers = 1\nmax_clients = 77"));
    assert_eq!(drained(&rig.block_on(rig.engine().report())), ["two"]);
    console.run("UNDRAIN two");
    assert!(drained(&rig.block_on(rig.engine().report())).is_empty());
    assert_eq!(console.error("DRAIN one").code, "55000");
    assert_eq!(console.error("DRAIN four").code, "42704");
}

#[test]
fn replicas_come_and_go_with_a_reload() {
    let (servers, _turn) = trio();
    let [one, two, three] = named(&servers);
    let rig = rig(&servers, &[one, two], PROBE);
    until(&rig, "two roles", |report| standings(report, ["one", "two"]) == ["primary", "replica"]);
    let port = "{port}";
    let all = toml(&[three, one, two], PROBE).replace(port, "0");
    rig.reload(&all);
    until(&rig, "three roles", |report| standings(report, NAMES) == WELL);
    let fewer = toml(&[one, three], PROBE).replace(port, "0");
    rig.reload(&fewer);
    until(&rig, "two roles", |report| {
        standings(report, NAMES) == ["primary", "missing", "replica"]
    });
}

#[test]
fn lag_grows_while_replay_is_paused_and_is_gone_afterwards() {
    let (servers, _turn) = trio();
    let rig = rig(&servers, &named(&servers), PROBE);
    // A replica that was never seen to have what the primary had is of unknown age.
    until(&rig, "two replicas that have caught up", |report| {
        standings(report, NAMES) == WELL && NAMES.iter().all(|name| is_caught_up(report, name))
    });
    let [_, (_, two), _] = named(&servers);
    two.pause_replay().unwrap();
    let mut client = rig.client();
    client.run("CREATE TABLE filler AS SELECT repeat('x', 100) FROM generate_series(1, 10000)");
    let written = Instant::now();
    let behind = |report: &Report, name: &str| {
        let node = report.nodes.iter().find(|node| node.name == name).unwrap();
        (node.lag_bytes.unwrap_or(0), node.lag.unwrap_or_default())
    };
    until(&rig, "a replica that is behind", |report| {
        let (bytes, lag) = behind(report, "two");
        bytes > 1_000_000 && lag > Duration::from_secs(1)
    });
    let report = until(&rig, "the other one is not", |report| is_caught_up(report, "three"));
    let (_, lag) = behind(&report, "two");
    assert!(lag >= written.elapsed().saturating_sub(Duration::from_secs(1)), "{lag:?}");
    two.resume_replay().unwrap();
    until(&rig, "a replica that has caught up", |report| {
        is_caught_up(report, "two") && behind(report, "two").1 < Duration::from_secs(1)
    });
}

#[test]
fn a_replica_that_is_killed_or_frozen_is_down_and_comes_back_by_itself() {
    let (servers, _turn) = trio();
    let rig = rig(&servers, &named(&servers), PROBE);
    until(&rig, "three roles", |report| standings(report, NAMES) == WELL);
    let [_, _, (_, three)] = named(&servers);
    let gone = ["primary", "replica", "down"];
    three.kill().unwrap();
    until(&rig, "a replica that is down", |report| standings(report, NAMES) == gone);
    three.start().unwrap();
    until(&rig, "the replica is back", |report| standings(report, NAMES) == WELL);
    three.freeze().unwrap();
    until(&rig, "a replica that is down", |report| standings(report, NAMES) == gone);
    three.thaw().unwrap();
    until(&rig, "the replica is back", |report| standings(report, NAMES) == WELL);
    three.stop(Mode::Fast).unwrap();
    until(&rig, "a replica that is down", |report| standings(report, NAMES) == gone);
    three.start().unwrap();
    until(&rig, "the replica is back", |report| standings(report, NAMES) == WELL);
}

#[test]
fn a_promoted_replica_is_the_primary_at_once_and_the_old_one_is_fenced() {
    let servers = Arc::new(Servers::start_with_replicas(2));
    let rig = rig(&servers, &named(&servers), PROBE);
    until(&rig, "three roles", |report| standings(report, NAMES) == WELL);
    let [(_, one), (_, two), (_, three)] = named(&servers);
    one.kill().unwrap();
    until(&rig, "no primary", |report| standings(report, ["one"]) == ["down"]);
    two.promote().unwrap();
    let promoted = Instant::now();
    until(&rig, "a new primary", |report| standings(report, ["two"]) == ["primary"]);
    println!("the new primary was known {:?} after its promotion had ended", promoted.elapsed());
    // The other replica still follows the one that is gone.
    until(&rig, "a replica without a primary", |report| {
        standings(report, ["three"]) == ["detached"]
    });
    three
        .set("primary_conninfo", &format!("host=127.0.0.1 port={} user=howdah", two.port()))
        .unwrap();
    three.set("primary_slot_name", "").unwrap();
    three.reload().unwrap();
    until(&rig, "the replica follows", |report| {
        standings(report, ["three"]) == ["replica"] && is_caught_up(report, "three")
    });
    one.start().unwrap();
    let report = until(&rig, "an old primary", |report| standings(report, ["one"]) == ["fenced"]);
    assert_eq!(standings(&report, NAMES), ["fenced", "primary", "replica"]);
    assert_eq!(report.nodes.iter().find(|node| node.name == "one").unwrap().role, "primary");
    let timelines: Vec<_> = NAMES
        .iter()
        .map(|name| report.nodes.iter().find(|node| node.name == *name).unwrap().timeline)
        .collect();
    assert_eq!(timelines, [Some(1), Some(2), Some(2)]);
}
