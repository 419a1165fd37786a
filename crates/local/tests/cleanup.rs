//! What is left when the process that started the servers dies without a chance to clean up: nothing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use howdah_local::{Cluster, PgBouncer, Redis};

const LIMIT: Duration = Duration::from_secs(15);

/// Not a test by itself: the process that the test below starts and kills.
#[test]
#[ignore = "started by the test below, waits until it is killed"]
fn servers_until_killed() {
    let cluster = Cluster::builder().replicas(1).start().unwrap();
    cluster.primary().psql("CREATE TABLE t AS SELECT generate_series(1, 1000)").unwrap();
    // Frozen servers are what a test that crashes may leave behind.
    cluster.replicas()[0].freeze().unwrap();
    let bouncer = PgBouncer::builder(cluster.primary()).start().unwrap();
    let redis = Redis::start().unwrap();
    redis.freeze().unwrap();
    let [primary, replica] = [cluster.primary(), &cluster.replicas()[0]].map(|node| node.pid());
    for pid in [primary, replica, bouncer.pid(), redis.pid()] {
        println!("pid {}", pid.unwrap());
    }
    println!("directory {}", cluster.directory().path().display());
    println!("ready");
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn a_killed_process_leaves_neither_servers_nor_files_nor_shared_memory() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "servers_until_killed", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let lines: Vec<String> = lines.take_while(|line| line != "ready").collect();
    let values = |key: &str| -> Vec<String> {
        lines.iter().filter_map(|line| line.split_once(key)).map(|(_, v)| v.to_owned()).collect()
    };
    let (pids, directories) = (values("pid "), values("directory "));
    assert_eq!((pids.len(), directories.len()), (4, 1), "{lines:?}");
    let directory = Path::new(&directories[0]);
    let roots: Vec<u32> = pids.iter().map(|pid| pid.parse().unwrap()).collect();
    let started = with_children(&roots);
    assert!(started.len() > 10, "postmasters with their processes: {started:?}");
    assert_eq!(segments_of(&roots), 2, "one of each PostgreSQL node");

    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + LIMIT;
    loop {
        let living: Vec<u32> =
            started.iter().copied().filter(|pid| parent(*pid).is_some()).collect();
        let left = (directory.exists(), living, segments_of(&roots));
        if left == (false, Vec::new(), 0) {
            break;
        }
        assert!(Instant::now() < deadline, "directory, processes, segments left: {left:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The parent of a living process.
fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.next() == Some("Z") {
        return None;
    }
    fields.next()?.parse().ok()
}

fn with_children(roots: &[u32]) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        roots.contains(pid) || parent(*pid).is_some_and(|parent| roots.contains(&parent))
    })
    .collect()
}

/// How many segments of System V shared memory were made by these processes and still exist.
fn segments_of(creators: &[u32]) -> usize {
    let text = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
    let creator = |line: &str| line.split_whitespace().nth(4)?.parse::<u32>().ok();
    text.lines().filter_map(creator).filter(|pid| creators.contains(pid)).count()
}
