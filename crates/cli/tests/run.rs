//! The command before real servers: `check`, `up` with signals and reload, `status`, and the whole `demo`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use howdah_local::{Auth, Cluster};
use rustix::process::{Pid, Signal, kill_process};

/// How long anything here may take. Reached only when something is broken.
const LIMIT: Duration = Duration::from_secs(30);

fn cluster() -> Cluster {
    Cluster::builder()
        .auth(Auth::Scram)
        .setting("max_connections", "50")
        .sql("CREATE ROLE app LOGIN PASSWORD 's3cret'; CREATE DATABASE shop OWNER app;")
        .start()
        .unwrap()
}

fn url(cluster: &Cluster, password: &str) -> String {
    format!("postgres://app:{password}@127.0.0.1:{}/shop", cluster.primary().port())
}

fn howdah(directory: &Path, arguments: &[&str], url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_howdah"));
    command
        .args(arguments)
        .current_dir(directory)
        .env_remove("HOWDAH_CONFIG")
        .env_remove("PGPASSWORD")
        .env("DATABASE_URL", url);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running `howdah`; killed at the end of the test when it has not ended by then.
struct Running {
    child: Child,
    said: Receiver<String>,
    heard: Vec<String>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (say, said) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines() {
                if say.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        Self { child, said, heard: Vec::new() }
    }

    /// The next line on standard error that contains a text.
    fn wait_for(&mut self, part: &str) -> String {
        loop {
            let line = self
                .said
                .recv_timeout(LIMIT)
                .unwrap_or_else(|error| panic!("{part:?}: {error}; so far: {:#?}", self.heard));
            self.heard.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has usually ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `howdah up` on a free port; the port is returned.
fn up(directory: &Path, url: &str) -> (Running, String) {
    let mut running = Running::start(howdah(directory, &["up", "--listen", "127.0.0.1:0"], url));
    let line = running.wait_for("listening");
    let port = line.rsplit_once(':').unwrap().1.trim().to_owned();
    (running, port)
}

fn psql(port: &str, database: &str, password: &str, sql: &str) -> Output {
    Command::new("psql")
        .args([
            "-X",
            "-A",
            "-t",
            "-h",
            "127.0.0.1",
            "-p",
            port,
            "-U",
            "app",
            "-d",
            database,
            "-c",
            sql,
        ])
        .env("PGPASSWORD", password)
        .output()
        .unwrap()
}

/// A directory inside the cluster's own, so that it goes with it.
fn directory(cluster: &Cluster) -> PathBuf {
    let path = cluster.directory().path().join("work");
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn check_tells_ready_from_wrong_password_and_from_too_large_pools() {
    let cluster = cluster();
    let directory = directory(&cluster);
    let run = |arguments: &[&str], url: &str| howdah(&directory, arguments, url).output().unwrap();
    let ready = run(&["check"], &url(&cluster, "s3cret"));
    assert_eq!(ready.status.code(), Some(0), "{}", text(&ready.stderr));
    assert!(text(&ready.stderr).contains("app@shop"), "{}", text(&ready.stderr));
    let refused = run(&["check"], &url(&cluster, "wrong"));
    assert_eq!(refused.status.code(), Some(4));
    assert!(
        text(&refused.stderr).contains("ALTER ROLE \"app\" PASSWORD"),
        "{}",
        text(&refused.stderr)
    );
    let large = run(&["check", "--json", "--set", "pool.max_size=48"], &url(&cluster, "s3cret"));
    assert_eq!(large.status.code(), Some(5));
    let value: serde_json::Value = serde_json::from_slice(&large.stdout).unwrap();
    assert_eq!(value["findings"][0]["severity"], "problem");
    assert_eq!(value["nodes"][0]["facts"]["max_connections"], 50);
}

#[test]
fn up_serves_shows_its_state_and_ends_with_0_when_asked_to() {
    let cluster = cluster();
    let directory = directory(&cluster);
    let (mut running, port) = up(&directory, &url(&cluster, "s3cret"));
    running.wait_for(&format!("psql -h 127.0.0.1 -p {port} -U app shop"));
    running.wait_for("primary");
    let answer =
        psql(&port, "shop", "s3cret", "SELECT current_user || ' in ' || current_database()");
    assert_eq!(text(&answer.stdout).trim(), "app in shop", "{}", text(&answer.stderr));
    let refused = psql(&port, "shop", "wrong", "SELECT 1");
    assert!(!refused.status.success());
    let address = format!("127.0.0.1:{port}");
    let status = howdah(&directory, &["status", "--address", &address], &url(&cluster, "s3cret"))
        .output()
        .unwrap();
    assert_eq!(status.status.code(), Some(0), "{}", text(&status.stderr));
    let shown = text(&status.stdout);
    assert!(shown.contains("DATABASE"), "{shown}");
    assert!(
        shown.lines().any(|line| line.starts_with("shop") && line.contains("transaction")),
        "{shown}"
    );
    let arguments = ["status", "--json", "--address", &address];
    let status = howdah(&directory, &arguments, &url(&cluster, "s3cret")).output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(value["pools"][0]["database"], "shop");
    running.signal(Signal::TERM);
    running.wait_for("stopped");
    assert_eq!(running.exit_code(), Some(0));
}

#[test]
fn a_reload_takes_what_is_valid_and_leaves_what_is_not() {
    let cluster = cluster();
    let directory = directory(&cluster);
    let file = directory.join("howdah.toml");
    std::fs::write(&file, "[pool]\nmax_size = 5\n").unwrap();
    let (mut running, port) = up(&directory, &url(&cluster, "s3cret"));
    std::fs::write(&file, "[pool]\nmax_size = none\n").unwrap();
    running.signal(Signal::HUP);
    running.wait_for("nothing has changed");
    let answer = psql(&port, "shop", "s3cret", "SELECT 1");
    assert_eq!(text(&answer.stdout).trim(), "1", "it still serves");
    std::fs::write(&file, "[pool]\nmax_size = 6\n[listen]\nworkers = 2\n").unwrap();
    running.signal(Signal::HUP);
    running.wait_for("listen.workers: 0 → 2  (needs a restart)");
    running.wait_for("pool.max_size: 5 → 6");
    running.signal(Signal::INT);
    assert_eq!(running.exit_code(), Some(0));
}

#[test]
fn up_runs_on_when_the_server_is_not_there_and_says_so() {
    let cluster = cluster();
    let directory = directory(&cluster);
    cluster.primary().stop(howdah_local::Mode::Immediate).unwrap();
    let (mut running, port) = up(&directory, &url(&cluster, "s3cret"));
    running.wait_for("refused");
    running.wait_for("keeps running");
    cluster.primary().start().unwrap();
    let answer = psql(&port, "shop", "s3cret", "SELECT 1");
    assert_eq!(text(&answer.stdout).trim(), "1", "{}", text(&answer.stderr));
}

#[test]
fn the_demo_shows_a_line_per_second_and_leaves_nothing_behind() {
    let output = Command::new(env!("CARGO_BIN_EXE_howdah"))
        .args(["demo", "--duration", "3s", "--clients", "8", "--replicas", "1"])
        .output()
        .unwrap();
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}");
    let lines: Vec<Vec<&str>> =
        shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][1], "statements/s", "{shown}");
    assert!(lines.len() >= 3, "{shown}");
    for line in &lines[1..] {
        assert!(line[1].parse::<u64>().unwrap() > 0, "statements: {shown}");
        assert_eq!(line[4], "8", "clients: {shown}");
        assert_eq!(line[7], "0", "errors: {shown}");
    }
    assert!(said.contains("; 0 errors"), "{said}");
    let (_, directory) = said
        .lines()
        .find(|line| line.contains("primary on"))
        .unwrap()
        .rsplit_once(", in ")
        .unwrap();
    assert!(!Path::new(directory.trim()).exists(), "{directory} is still there");
}
