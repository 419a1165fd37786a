//! How much of a read-mostly load leaves the primary, and how replicas share it, as pgbench sees it and as the nodes count it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "the parts of a test"
)]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use howdah_local::Node;
use howdah_tests::farm::Farm;
use howdah_tests::raw::Target;

const READ: &str =
    "\\set aid random(1, 100000)\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n";
const WRITE: &str = "\\set aid random(1, 100000)\nUPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;\n";

/// A farm with pgbench's tables, and its scripts.
struct Bench {
    farm: Farm,
    directory: PathBuf,
}

impl Bench {
    fn new(more: &str, keys_of_replica: &[&str]) -> Self {
        let farm = Farm::start(2, more, keys_of_replica);
        let name = format!("howdah-shares-{}-{}", std::process::id(), farm.port());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("a directory");
        std::fs::write(directory.join("read.sql"), READ).expect("a script");
        std::fs::write(directory.join("write.sql"), WRITE).expect("a script");
        let bench = Self { farm, directory };
        let port = bench.farm.primary().port();
        assert!(bench.pgbench(port, &["-i", "-q", "-s", "1"]).contains("done"), "pgbench -i");
        bench.farm.wait_for_replay();
        bench.settle();
        bench
    }

    /// Waits until a read of the tables goes to a replica: definitions have to be known.
    fn settle(&self) {
        let mut client = self.farm.client();
        client.run("SET howdah.consistency = 'eventual'");
        let read = "SELECT pg_is_in_recovery() FROM pgbench_accounts WHERE aid = 1";
        let deadline = Instant::now() + Duration::from_secs(30);
        while client.value(read) == "f" {
            assert!(Instant::now() < deadline, "reads stay on the primary");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs pgbench against a port; what it says.
    fn pgbench(&self, port: u16, arguments: &[&str]) -> String {
        let child = Command::new("pgbench")
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "howdah"])
            .args(arguments)
            .arg("postgres")
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .output()
            .expect("pgbench runs: scripts/setup test");
        let said = [child.stdout, child.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(child.status.success(), "{said}");
        said
    }

    /// 95 reads to 5 writes in each of eight sessions, at a rate that leaves time between them, as applications do.
    fn run(&self, seconds: u32) {
        let time = seconds.to_string();
        let said = self.pgbench(
            self.farm.port(),
            &[
                "-n",
                "-c",
                "8",
                "-j",
                "2",
                "-R",
                "400",
                "-T",
                &time,
                "-M",
                "prepared",
                "-f",
                "read.sql@95",
                "-f",
                "write.sql@5",
            ],
        );
        assert!(said.contains("number of failed transactions: 0 "), "{said}");
        assert!(!said.contains("aborted"), "{said}");
    }

    /// How many reads each node has answered, the primary first. Closes all servers: a backend tells its counts when it ends.
    fn reads(&self) -> Vec<i64> {
        let mut console = Target::port(self.farm.port(), "howdah", "howdah").client();
        console.run("PAUSE");
        console.run("RESUME");
        self.farm.nodes().map(reads_of).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

/// Look-ups by key that were not for a write.
fn reads_of(node: &Node) -> i64 {
    let counts = node
        .psql("SELECT idx_scan - n_tup_upd FROM pg_stat_user_tables WHERE relname = 'pgbench_accounts'")
        .expect("the node counts");
    counts.trim().parse().expect("a number")
}

/// Reads by node with a strategy, at the level that a session has by itself.
fn strategy(name: &str) -> Vec<i64> {
    strategy_at("session", name)
}

fn strategy_at(level: &str, name: &str) -> Vec<i64> {
    let weights = ["weight = 3\npriority = 1", "weight = 1\npriority = 2"];
    let route =
        format!("[route]\nbalance = \"{name}\"\nslow_start = \"0s\"\nconsistency = \"{level}\"\n");
    let bench = Bench::new(&route, &weights);
    let before = bench.reads();
    bench.run(5);
    let after = bench.reads();
    let reads: Vec<i64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    let all: i64 = reads.iter().sum();
    println!("{name}, {level}: primary, replica (weight 3), replica (weight 1): {reads:?}");
    assert!(all > 1_500, "pgbench sends 380 reads a second: {reads:?}");
    assert!(reads[0] * 20 <= all, "more than 5 % of the reads stay on the primary: {reads:?}");
    reads
}

/// Whether one of two shares is what it should be, give or take five in a hundred of all.
#[track_caller]
fn assert_share(reads: &[i64], share: f64) {
    let [_, first, second] = reads else { panic!("three nodes") };
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let is = *first as f64 / (first + second) as f64;
    assert!((is - share).abs() <= 0.05, "{is} of the reads, not {share}: {reads:?}");
}

#[test]
fn in_turn_every_replica_has_the_same_share() {
    assert_share(&strategy("round_robin"), 0.5);
}

#[test]
fn shares_are_as_the_weights() {
    assert_share(&strategy("weighted"), 0.75);
}

#[test]
fn with_priorities_the_first_has_all() {
    strategy("priority");
    // At the other level the second one answers what the first one has not replayed yet.
    assert_share(&strategy_at("eventual", "priority"), 1.0);
}

#[test]
fn by_least_connections_reads_leave_the_primary() {
    strategy("least_connections");
}

#[test]
fn by_latency_reads_leave_the_primary() {
    strategy("latency");
}

#[test]
fn with_equal_speeds_the_adaptive_shares_are_as_the_weights() {
    // When they are not equal for a moment, on a busy machine, the faster one has more.
    strategy("adaptive");
}

#[test]
fn a_replica_that_dies_under_pgbench_costs_nothing_and_has_its_share_again() {
    let bench = Bench::new("[route]\nbalance = \"round_robin\"\nslow_start = \"0s\"\n", &[]);
    let lost = &bench.farm.replicas()[0];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(1500));
            lost.kill().expect("a replica dies");
            std::thread::sleep(Duration::from_millis(1000));
            lost.start().expect("a replica starts");
        });
        bench.run(6);
    });
    bench.farm.settle();
    let before = bench.reads();
    bench.run(3);
    let after = bench.reads();
    let reads: Vec<i64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    assert_share(&reads, 0.5);
}

#[test]
fn a_replica_that_is_too_far_behind_gets_no_reads_within_a_second() {
    let limit = Duration::from_millis(500);
    let farm = Farm::start(2, "[route]\nmax_lag = \"500ms\"\nconsistency = \"eventual\"\n", &[]);
    farm.settle();
    let mut writer = farm.client();
    writer.run("CREATE TABLE t (id int)");
    farm.wait_for_replay();
    let [slow, other] = farm.replicas() else { panic!("two replicas") };
    let mut client = farm.client();
    slow.pause_replay().expect("replay pauses");
    let paused = Instant::now();
    let mut last = paused;
    while paused.elapsed() < Duration::from_secs(4) {
        writer.run("INSERT INTO t VALUES (1)");
        let answered_by = client.value("SELECT inet_server_port()");
        if answered_by == slow.port().to_string() {
            last = Instant::now();
        }
    }
    println!("the last read {:?} after its replay stopped, the limit is {limit:?}", last - paused);
    assert!(last - paused <= limit + Duration::from_secs(1));
    assert_eq!(client.value("SELECT inet_server_port()"), other.port().to_string());
    slow.resume_replay().expect("replay goes on");
    farm.settle();
}

#[test]
fn a_read_waits_for_a_replica_as_long_as_it_was_told_and_no_longer() {
    let farm = Farm::start(1, "[route]\nconsistency = \"session\"\n", &[]);
    farm.settle();
    let mut client = farm.client();
    client.run("CREATE TABLE t (id int); INSERT INTO t VALUES (0)");
    let replica = &farm.replicas()[0];
    let read = "SELECT inet_server_port() FROM t LIMIT 1";
    farm.settle_on(read);
    client.run("SET howdah.lag_policy = 'wait(1s)'");

    replica.pause_replay().expect("replay pauses");
    client.run("INSERT INTO t VALUES (1)");
    let begun = Instant::now();
    assert_eq!(
        client.value(read),
        farm.primary().port().to_string(),
        "in the end the primary answers"
    );
    let waited = begun.elapsed();
    println!("waited {waited:?} of 1 s");
    assert!(waited >= Duration::from_millis(900) && waited < Duration::from_secs(2), "{waited:?}");

    client.run("INSERT INTO t VALUES (2); SET howdah.lag_policy = 'wait(30s)'");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            replica.resume_replay().expect("replay goes on");
        });
        assert_eq!(client.value(read), replica.port().to_string(), "the replica has it now");
    });

    replica.pause_replay().expect("replay pauses");
    client.run("INSERT INTO t VALUES (3); SET howdah.lag_policy = 'error'");
    let refused = client.error(read);
    assert_eq!(refused.code, "57P03", "{refused:?}");
    replica.resume_replay().expect("replay goes on");
}
