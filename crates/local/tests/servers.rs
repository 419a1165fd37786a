//! Real servers: started, followed, broken and mended. Not a test of PostgreSQL: each case asserts
//! that this crate did to a server what its name says.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use howdah_local::{Auth, Cluster, Error, Mode, Node, PgBouncer, PoolMode, Redis, cpu_seconds};

fn replicated(node: &Node) -> String {
    node.psql("SELECT count(*) FROM t").unwrap()
}

/// `psql` as an application would run it: with a URL, over TCP.
fn psql(cluster: &Cluster, url: &str, sql: &str) -> Result<String, String> {
    let program = cluster.primary().binaries().program("psql").unwrap();
    let mut command = std::process::Command::new(program);
    let output = command.args(["-X", "-A", "-t", "-c", sql, url]).output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

fn eventually(event: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !happened() {
        assert!(Instant::now() < deadline, "{event}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn with_password(url: &str, password: &str) -> String {
    url.replacen('@', &format!(":{password}@"), 1)
}

#[test]
fn replicas_stream_pause_survive_a_kill_and_are_promoted() {
    let cluster = Cluster::builder().replicas(2).sql("CREATE TABLE t (a int)").start().unwrap();
    let [first, second] = cluster.replicas() else { panic!("two replicas") };
    let primary = cluster.primary();
    primary.psql("INSERT INTO t VALUES (1)").unwrap();
    cluster.wait_for_replay().unwrap();
    assert_eq!((replicated(first), replicated(second)), ("1".into(), "1".into()));
    assert_eq!(first.psql("SHOW cluster_name").unwrap(), "replica_1");

    first.pause_replay().unwrap();
    primary.psql("INSERT INTO t VALUES (2)").unwrap();
    let lsn = primary.psql("SELECT pg_current_wal_lsn()").unwrap();
    let received = format!("SELECT pg_last_wal_receive_lsn() >= '{lsn}'");
    eventually("a paused replica receives", || first.psql(&received).unwrap() == "t");
    assert_eq!(replicated(first), "1");
    first.resume_replay().unwrap();
    cluster.wait_for_replay().unwrap();
    assert_eq!(replicated(first), "2");

    second.kill().unwrap();
    assert_eq!(second.pid(), None);
    primary.psql("INSERT INTO t VALUES (3)").unwrap();
    second.start().unwrap();
    cluster.wait_for_replay().unwrap();
    assert_eq!(replicated(second), "3");

    let refused = first.psql("INSERT INTO t VALUES (4)").unwrap_err();
    assert!(refused.to_string().contains("read-only transaction"), "{refused}");
    primary.stop(Mode::Immediate).unwrap();
    first.promote().unwrap();
    first.psql("INSERT INTO t VALUES (4)").unwrap();
    assert_eq!(replicated(first), "4");
}

#[test]
fn a_synchronous_commit_waits_for_a_replica() {
    let mut cluster = Cluster::builder().replicas(1).synchronous(true).start().unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    cluster.replicas()[0].freeze().unwrap();
    let (primary, url) = (cluster.primary(), cluster.primary().url("postgres", "howdah"));
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| psql(&cluster, &url, "CREATE TABLE t (a int)"));
        eventually("the commit waits", || primary.psql(waiting).unwrap() == "1");
        assert!(!commit.is_finished());
        cluster.replicas()[0].thaw().unwrap();
        commit.join().unwrap().unwrap();
    });
    assert_eq!(primary.psql(waiting).unwrap(), "0");
    let second = cluster.add_replica().unwrap().name().to_owned();
    assert_eq!(second, "replica_2");
    let names = cluster.primary().psql("SHOW synchronous_standby_names").unwrap();
    assert_eq!(names, "ANY 1 (replica_1, replica_2)");
}

#[test]
fn a_node_stops_restarts_freezes_and_reports_its_cpu() {
    let cluster = Cluster::builder().setting("work_mem", "3MB").start().unwrap();
    let node = cluster.primary();
    let (port, pid) = (node.port(), node.pid().unwrap());
    assert!(matches!(node.start(), Err(Error::Running { .. })));
    assert_eq!(node.psql("SHOW work_mem").unwrap(), "3MB");
    node.set("work_mem", "5MB").unwrap();
    node.restart().unwrap();
    assert_eq!(node.psql("SHOW work_mem").unwrap(), "5MB");
    assert_eq!(node.port(), port);
    assert_ne!(node.pid().unwrap(), pid);

    let before = cpu_seconds(node.pid().unwrap()).unwrap();
    node.psql("SELECT count(*) FROM generate_series(1, 2000000)").unwrap();
    let spent = || cpu_seconds(node.pid().unwrap()).unwrap() - before;
    eventually("the backend that has ended counts with the postmaster", || spent() > 0.02);

    let url = node.url("postgres", "howdah") + "?connect_timeout=2";
    node.freeze().unwrap();
    assert!(psql(&cluster, &url, "SELECT 1").unwrap_err().contains("timeout expired"));
    node.thaw().unwrap();
    assert_eq!(psql(&cluster, &url, "SELECT 1").unwrap(), "1");

    node.kill().unwrap();
    assert!(matches!(node.stop(Mode::Fast), Err(Error::NotRunning { .. })));
    node.start().unwrap();
    assert!(node.log().contains("automatic recovery in progress"));
    node.stop(Mode::Smart).unwrap();
    assert_eq!(node.pid(), None);
}

#[test]
fn a_start_that_fails_shows_the_end_of_the_log() {
    let error = Cluster::builder().setting("no_such_setting", "1").start().unwrap_err();
    assert!(matches!(error, Error::Start { .. }), "{error}");
    assert!(error.to_string().contains("\"no_such_setting\""), "{error}");
}

#[test]
fn two_clusters_start_at_once_and_a_dropped_one_leaves_nothing() {
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| Cluster::builder().start().unwrap());
        let two = scope.spawn(|| Cluster::builder().start().unwrap());
        (one.join().unwrap(), two.join().unwrap())
    });
    assert_ne!(one.primary().port(), two.primary().port());
    let path = one.directory().path().to_owned();
    assert!(path.join("socket").exists());
    // Also what the caller has put there, perhaps as root.
    std::fs::create_dir(path.join("own")).unwrap();
    std::fs::write(path.join("own/file"), "text").unwrap();
    drop(one);
    assert!(!path.exists());
    assert_eq!(two.primary().psql("SELECT 1").unwrap(), "1");
}

#[test]
fn every_authentication_method_asks_for_the_password() {
    for auth in [Auth::Password, Auth::Md5, Auth::Scram] {
        let role = "CREATE ROLE app LOGIN PASSWORD 'it is'";
        let cluster = Cluster::builder().auth(auth).sql(role).start().unwrap();
        let url = cluster.primary().url("postgres", "app");
        let user = "SELECT current_user";
        assert_eq!(psql(&cluster, &with_password(&url, "it%20is"), user).unwrap(), "app");
        let error = psql(&cluster, &with_password(&url, "wrong"), user).unwrap_err();
        assert!(error.contains("password authentication failed"), "{auth:?}: {error}");
        assert_eq!(cluster.primary().psql(user).unwrap(), "howdah");
    }
}

#[test]
fn redis_answers_dies_and_comes_back() {
    let redis = Redis::start().unwrap();
    let ask = |request: &[u8]| -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", redis.port()))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(request)?;
        let mut answer = [0; 64];
        let length = stream.read(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
    };
    assert_eq!(ask(b"SET a 1\r\n").unwrap(), "+OK\r\n");
    redis.freeze().unwrap();
    assert!(ask(b"PING\r\n").is_err());
    redis.thaw().unwrap();
    assert_eq!(ask(b"GET a\r\n").unwrap(), "$1\r\n1\r\n");
    redis.kill().unwrap();
    assert!(ask(b"PING\r\n").is_err());
    redis.start_again().unwrap();
    assert_eq!(ask(b"GET a\r\n").unwrap(), "$-1\r\n", "it starts empty");
    redis.stop().unwrap();
    assert_eq!(redis.pid(), None);
}

#[test]
fn pgbouncer_pools_servers_and_asks_for_passwords() {
    let role = "CREATE ROLE app LOGIN PASSWORD 'secret'";
    let cluster = Cluster::builder().auth(Auth::Scram).sql(role).start().unwrap();
    let builder = PgBouncer::builder(cluster.primary()).pool_mode(PoolMode::Transaction);
    let bouncer = builder.pool_size(3).auth(Auth::Scram).user("app", "secret").start().unwrap();
    assert!(bouncer.version() >= (1, 12));
    let url = bouncer.url("postgres", "app");
    assert_eq!(psql(&cluster, &with_password(&url, "secret"), "SELECT 6 * 7").unwrap(), "42");
    assert!(psql(&cluster, &with_password(&url, "no"), "SELECT 1").is_err());
    let activity = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'";
    assert_eq!(cluster.primary().psql(activity).unwrap(), "1", "the server is kept");
    bouncer.kill().unwrap();
    assert!(psql(&cluster, &with_password(&url, "secret"), "SELECT 1").is_err());
    bouncer.start_again().unwrap();
    bouncer.freeze().unwrap();
    bouncer.thaw().unwrap();
    assert_eq!(psql(&cluster, &with_password(&url, "secret"), "SELECT 1").unwrap(), "1");
    bouncer.stop().unwrap();
}
