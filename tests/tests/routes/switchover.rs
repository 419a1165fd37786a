//! `howdah ha switchover --native`: the part of the primary goes round under load; what goes wrong on the way is taken back.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the parts of a test"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use howdah_local::{Mode, Node};
use howdah_tests::farm::Farm;
use howdah_tests::{PATIENCE, run_verb};

/// What is done when Howdah has a node stopped.
type Stop = fn(&Node) -> howdah_local::Result<()>;

/// Does what the commands of the nodes ask for: their processes belong to this one.
struct Keeper {
    listener: TcpListener,
    stop: Stop,
    over: AtomicBool,
}

impl Keeper {
    fn new(stop: Stop) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { listener, stop, over: AtomicBool::new(false) }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// Answers until the end: a line with the verb, the node and the port of its primary.
    fn serve(&self, farm: &Farm) {
        for stream in self.listener.incoming() {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            let stream = stream.unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let mut words = line.split_whitespace();
            let mut word = || words.next().unwrap();
            let (verb, port, primary) = (word(), word(), word());
            let node = |port: &str| farm.nodes().find(|node| node.port().to_string() == port);
            let (node, primary) = (node(port).unwrap(), node(primary).unwrap());
            let done = match verb {
                "stop" => (self.stop)(node),
                "start" => node.start(),
                "follow" => node.follow(primary).and_then(|()| node.start()),
                other => panic!("{other}"),
            };
            let answer = done.map_or_else(|error| error.to_string(), |()| "ok".to_owned());
            writeln!(&stream, "{answer}").unwrap();
        }
    }

    fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        drop(std::net::TcpStream::connect(("127.0.0.1", self.port())));
    }
}

/// A cluster, who keeps it, and the configuration of the command.
struct Setup {
    farm: Farm,
    keeper: Keeper,
    directory: PathBuf,
    configuration: String,
}

impl Setup {
    fn new(replicas: u32, stop: Stop, more: &str) -> Self {
        let farm = Farm::start(replicas, "[pool]\nmax_size = 8\ncheckout_timeout = \"60s\"\n", &[]);
        farm.settle();
        let keeper = Keeper::new(stop);
        let mut text = "[[cluster]]\nname = \"main\"\n".to_owned();
        for (at, node) in farm.nodes().enumerate() {
            let name = if at == 0 { "primary".to_owned() } else { format!("replica{at}") };
            let port = node.port();
            let command = |verb: &str| {
                format!(
                    "bash -c 'exec 3<>/dev/tcp/127.0.0.1/{}; echo {verb} {port} $HOWDAH_PRIMARY_PORT >&3; \
                     read -r answer <&3; echo $answer >&2; [ \\\"$answer\\\" = ok ]'",
                    keeper.port()
                )
            };
            text.push_str(&format!(
                "[[cluster.node]]\nname = \"{name}\"\nhost = \"127.0.0.1\"\nport = {port}\nstop_command = \"{}\"\n\
                 start_command = \"{}\"\nfollow_command = \"{}\"\n",
                command("stop"),
                command("start"),
                command("follow"),
            ));
        }
        text.push_str("[[user]]\nname = \"howdah\"\nauth = \"trust\"\n");
        text.push_str(more);
        let name = format!("howdah-switchover-{}-{}", std::process::id(), farm.port());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        Self { farm, keeper, directory, configuration: text }
    }

    /// Runs the command, with what it wants done to the nodes being done.
    fn switchover(&self, more: &[&str]) -> Output {
        let address = format!("127.0.0.1:{}", self.farm.port());
        let mut arguments = vec!["ha", "switchover", "--native", "--address", &address];
        arguments.extend(more);
        std::thread::scope(|scope| {
            scope.spawn(|| self.keeper.serve(&self.farm));
            let output = run_verb(&self.directory, &self.configuration, &arguments);
            self.keeper.end();
            output
        })
    }

    /// The port of the node that takes writes.
    fn primary(&self) -> String {
        let mut client = self.farm.client();
        client.run("SET howdah.route = 'primary'");
        client.value("SELECT inet_server_port()")
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.directory));
    }
}

fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn fast(node: &Node) -> howdah_local::Result<()> {
    node.stop(Mode::Fast)
}

/// Counts and times of the clients of a load.
#[derive(Default)]
struct Load {
    over: AtomicBool,
    written: AtomicU64,
    longest: AtomicU64,
}

impl Load {
    /// Writes a line again and again, and looks for it.
    fn run(&self, farm: &Farm, who: usize) {
        let mut client = farm.target().timeout(Duration::from_secs(90)).client();
        let mut n = 0;
        while !self.over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            if who.is_multiple_of(5) {
                // Those inside a transaction are waited for.
                client.run(&format!("BEGIN; INSERT INTO log VALUES ({who}, {n}); COMMIT"));
            } else {
                client.run(&format!("INSERT INTO log VALUES ({who}, {n})"));
            }
            n += 1;
            self.written.fetch_add(1, Ordering::Relaxed);
            let micros = u64::try_from(begun.elapsed().as_micros()).unwrap();
            self.longest.fetch_max(micros, Ordering::Relaxed);
            let seen = client.value(&format!("SELECT count(*) FROM log WHERE who = {who}"));
            assert_eq!(seen, n.to_string(), "client {who} misses what it has written");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn twenty_switchovers_under_load_fail_nothing_and_lose_nothing() {
    let setup = Setup::new(2, fast, "");
    let farm = &setup.farm;
    let mut idle = farm.client();
    idle.run("CREATE TABLE log (who int, n int); CREATE INDEX ON log (who)");
    farm.wait_for_replay();
    let load = Load::default();
    let mut held = Vec::new();
    std::thread::scope(|scope| {
        let keeper = scope.spawn(|| setup.keeper.serve(farm));
        let clients: Vec<_> = (0..50)
            .map(|who| {
                let load = &load;
                scope.spawn(move || load.run(farm, who))
            })
            .collect();
        let address = format!("127.0.0.1:{}", farm.port());
        for turn in 0..20 {
            std::thread::sleep(Duration::from_millis(300));
            let to = ["replica1", "replica2", "primary"][turn % 3];
            let arguments = [
                "ha",
                "switchover",
                "--native",
                "--yes",
                "--json",
                "--to",
                to,
                "--address",
                &address,
            ];
            // Who has just lost its part follows a moment later, on a busy machine after the next command.
            let begun = Instant::now();
            let output = loop {
                let said = run_verb(&setup.directory, &setup.configuration, &arguments);
                let follows = said.status.success() || !talk(&said).contains("is detached");
                if follows || begun.elapsed() > PATIENCE {
                    break said;
                }
                std::thread::sleep(Duration::from_millis(100));
            };
            if !output.status.success() {
                load.over.store(true, Ordering::Relaxed);
                setup.keeper.end();
                panic!("switchover {turn} to {to}: {}", talk(&output));
            }
            let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            held.push(said["done"]["held_ms"].as_u64().unwrap());
        }
        std::thread::sleep(Duration::from_millis(300));
        load.over.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
        setup.keeper.end();
        keeper.join().unwrap();
    });
    held.sort_unstable();
    let written = load.written.load(Ordering::Relaxed);
    println!(
        "{written} writes of 50 clients over 20 switchovers; the longest took {:?}; clients were held for {} ms in the median, {} ms at most",
        Duration::from_micros(load.longest.load(Ordering::Relaxed)),
        held[held.len() / 2],
        held.last().unwrap(),
    );
    idle.run("SET howdah.consistency = 'strong'");
    assert_eq!(idle.value("SELECT count(*) FROM log"), written.to_string());
    assert_eq!(
        idle.value("SELECT count(*) FROM (SELECT DISTINCT who, n FROM log) AS one"),
        written.to_string()
    );
}

#[test]
fn a_stop_that_does_not_work_leaves_everything_as_it_was() {
    fn refuse(_: &Node) -> howdah_local::Result<()> {
        Err(howdah_local::Error::NotRunning { name: "keeper".to_owned() })
    }
    let setup = Setup::new(1, refuse, "");
    let before = setup.primary();
    let output = setup.switchover(&["--yes"]);
    assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
    assert!(talk(&output).contains("is the primary as before"), "{}", talk(&output));
    assert_eq!(setup.primary(), before);
    setup.farm.client().run("CREATE TABLE after_it ()");
}

#[test]
fn a_replica_that_lacks_the_last_record_is_not_promoted() {
    // Nothing tells the replica that this was the end: there may be more that it has not got.
    let setup = Setup::new(1, |node| node.stop(Mode::Immediate), "");
    let before = setup.primary();
    let output = setup.switchover(&["--yes"]);
    assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
    assert!(talk(&output).contains("has not received the last record"), "{}", talk(&output));
    assert_eq!(setup.primary(), before);
}

#[test]
fn an_open_transaction_ends_the_attempt_and_not_itself() {
    let setup = Setup::new(1, fast, "[ha]\ndrain_timeout = \"1s\"\n");
    let before = setup.primary();
    let mut inside = setup.farm.client();
    inside.run("BEGIN; CREATE TABLE mine ()");
    let output = setup.switchover(&["--yes"]);
    assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
    assert!(talk(&output).contains("transactions are still open"), "{}", talk(&output));
    setup.farm.client().run("CREATE TABLE another ()");
    inside.run("COMMIT");
    assert_eq!(setup.primary(), before);
}

#[test]
fn without_a_yes_nothing_happens() {
    fn never(_: &Node) -> howdah_local::Result<()> {
        panic!("nobody said yes")
    }
    let setup = Setup::new(1, never, "");
    let output = setup.switchover(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", talk(&output));
    assert!(talk(&output).contains("--yes"), "{}", talk(&output));
    let output = run_verb(
        &setup.directory,
        &setup.configuration.replace("stop_command", "#"),
        &[
            "ha",
            "switchover",
            "--native",
            "--dry-run",
            "--json",
            "--address",
            &format!("127.0.0.1:{}", setup.farm.port()),
        ],
    );
    assert_eq!(output.status.code(), Some(5), "{}", talk(&output));
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["objections"][0]["severity"], "prevents", "{plan}");
    assert!(talk(&output).contains("stop_command"), "{}", talk(&output));
}

#[test]
fn a_pause_while_connected_ends_with_its_connection() {
    let farm = Farm::start(1, "", &[]);
    let mut console = howdah_tests::raw::Target::port(farm.port(), "howdah", "howdah").client();
    console.run("PAUSE WHILE CONNECTED");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| farm.client().value("SELECT 1"));
        let waits = |row: &Vec<Option<String>>| row[3].as_deref() == Some("1");
        let deadline = Instant::now() + Duration::from_secs(30);
        while !console.query("SHOW POOLS").unwrap().rows().iter().any(waits) {
            assert!(Instant::now() < deadline, "nobody waits");
        }
        drop(console);
        assert_eq!(waiting.join().unwrap(), "1");
    });
}
