//! The dashboard in a real browser: every page with live data of a demo, light and dark, wide and narrow. Pictures stay below the target
//! directory. And the files in the binary are those that the sources give.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use howdah::advisor::{Impact, Kind, Recommendation};
use howdah::ops::journal::now_ms;
use howdah_tests::advice::{Room, advice, carry_out, place};
use howdah_tests::{Rig, program};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config, NoTls};

/// What is wrong on purpose, as the Overview has to say it: a statement without an index and a report that reads all (which of them takes
/// more depends on the machine), an N+1, and a session that holds a lock which another waits for.
const FINDINGS: &[&str] = &[
    "one statement takes [0-9]+ % of the time of all",
    "on average, [0-9]+ calls within [0-9]+ minutes: select (count\\(\\*\\), sum\\(quantity\\) from orders|i\\.symbol, count)",
    "a statement runs once for every row of another \\(n\\+1\\)",
    "= any\\(\\$1\\), or a join",
    "a session blocks another: it holds a lock",
    "forgetful \\(.*is idle in transaction.*update users set name = .*has waited for .*: update users set email = ",
];

/// How long a demo may take until its dashboard is served.
const START: Duration = Duration::from_secs(180);

/// The packages are installed once.
static INSTALLING: Mutex<()> = Mutex::new(());

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
}

fn output() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard")
}

/// Runs a command to its end; what it says on standard output.
fn finish(command: &mut Command) -> String {
    let run = command.stdin(Stdio::null()).output();
    let output = run.unwrap_or_else(|error| panic!("{command:?}: {error}; scripts/setup test"));
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "{command:?} ended with {}\n{out}\n{err}", output.status);
    out
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() && name != "node_modules" {
            copy(&path, &to.join(&name));
        } else if path.is_file() {
            fs::copy(&path, to.join(&name)).unwrap();
        }
    }
}

/// A copy of the sources with the packages of their lock file.
fn installed() -> PathBuf {
    let _turn = INSTALLING.lock();
    let directory = output().join("web");
    copy(&repository().join("web"), &directory);
    let lock = fs::read_to_string(directory.join("package-lock.json")).unwrap();
    let stamp = directory.join("node_modules/stamp");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == lock) {
        return directory;
    }
    let words = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"];
    finish(Command::new("npm").args(words).current_dir(&directory));
    fs::write(stamp, lock).unwrap();
    directory
}

#[test]
fn the_files_in_the_binary_are_those_that_the_sources_give() {
    let (directory, built) = (installed(), output().join("built"));
    let mut build = Command::new("npm");
    finish(build.args(["run", "build"]).env("HOWDAH_WEB_OUT", &built).current_dir(&directory));
    for name in ["index.html", "app.js", "app.css"] {
        let committed = fs::read(repository().join("crates/web/assets").join(name)).unwrap();
        let same = fs::read(built.join(name)).unwrap() == committed;
        assert!(same, "crates/web/assets/{name} is not what web/ gives: npm ci && npm run build");
    }
}

/// A running demo; interrupted when dropped.
struct Demo(Child);

impl Demo {
    fn start(log: &Path) -> Self {
        let said = File::create(log).unwrap();
        let child = Command::new(program())
            .args(["demo", "--replicas", "1", "--clients", "8"])
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn();
        Self(child.expect("the demo starts"))
    }

    /// Where clients connect: what it says before its dashboard.
    fn clients(log: &Path) -> SocketAddr {
        let said = fs::read_to_string(log).unwrap();
        let address =
            said.split("listening on ").nth(1).and_then(|rest| rest.split([',', ' ']).next());
        address
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("no address: {said}"))
    }

    /// Where its dashboard is.
    fn origin(&mut self, log: &Path) -> String {
        let deadline = Instant::now() + START;
        loop {
            let said = fs::read_to_string(log).unwrap();
            let address = said.split("http://").nth(1).and_then(|rest| rest.split('/').next());
            if let Some(address) = address {
                return format!("http://{address}");
            }
            assert!(self.0.try_wait().unwrap().is_none(), "the demo has ended: {said}");
            assert!(Instant::now() < deadline, "no dashboard: {said}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::INT);
        }
        let _ = self.0.wait();
    }
}

/// A session that has changed a row and does nothing more, and one that waits for that row, for as long as this lives.
struct Blocked {
    _holder: Client,
    // What runs both connections ends with it.
    _runtime: Runtime,
}

impl Blocked {
    fn at(address: SocketAddr) -> Self {
        let runtime = Runtime::new().unwrap();
        let connect = async |application: &str| {
            let mut config = Config::new();
            config.host(address.ip().to_string()).port(address.port()).user("demo").dbname("demo");
            let (client, connection) =
                config.application_name(application).connect(NoTls).await.unwrap();
            tokio::spawn(connection);
            client
        };
        let holder = runtime.block_on(async {
            let (holder, waiter) = (connect("forgetful").await, connect("patient").await);
            // A row that the load has nothing to do with.
            let row = "INSERT INTO users VALUES (1000000, 'row', 'row@example.com', 0)";
            holder.batch_execute(row).await.unwrap();
            let held = "BEGIN; UPDATE users SET name = 'held' WHERE id = 1000000";
            holder.batch_execute(held).await.unwrap();
            tokio::spawn(async move {
                let wait = "UPDATE users SET email = 'patient' WHERE id = 1000000";
                let _ = waiter.batch_execute(wait).await;
            });
            holder
        });
        Self { _holder: holder, _runtime: runtime }
    }
}

#[test]
fn every_page_of_the_dashboard_works_in_a_browser() {
    let directory = installed();
    let log = output().join("demo.log");
    let mut demo = Demo::start(&log);
    let origin = demo.origin(&log);
    let _blocked = Blocked::at(Demo::clients(&log));
    let mut browse = Command::new("node");
    browse.arg("test/browse.mjs").arg(&origin).arg(output().join("pictures")).args(FINDINGS);
    let said = finish(browse.current_dir(&directory));
    let found: Value = serde_json::from_str(&said).expect("what was found");
    let wrong = found["wrong"].as_array().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let pages = found["pages"].as_object().unwrap();
    assert_eq!(pages.len(), 11 * 4);
    let text = |page: &str| pages[page].as_str().unwrap().to_lowercase();
    // The lock is held all the time: every view has to say so.
    for view in ["wide-light", "wide-dark", "narrow-light", "narrow-dark"] {
        let overview = text(&format!("overview-{view}"));
        assert!(overview.contains("it holds a lock"), "{view}: {overview}");
    }
    assert!(text("queries-wide-dark").contains("where symbol = $1"));
    assert!(text("query-narrow-dark").contains("p99.9"));
    assert!(text("queries-wide-dark").contains("howdah demo"), "the application");
    assert!(text("recommendations-narrow-dark").contains("to decide"));
    assert!(text("recommendations-wide-light").contains("how indexes are used"));
    assert!(text("cache-wide-light").contains("no database uses the cache"));
    assert!(text("pools-wide-light").contains("demo on demo"));
    assert!(text("nodes-narrow-light").contains("replica"));
    for (view, word) in [
        ("wide-dark", "connected"),
        ("wide-light", "forgetful"),
        ("wide-light", "idle in transaction"),
        ("wide-light", "patient"),
        ("narrow-dark", "update users set name"),
    ] {
        let text = text(&format!("sessions-{view}"));
        assert!(text.contains(word), "the sessions do not say {word:?}: {text}");
    }
    for (view, word) in
        [("wide-light", "throughput"), ("narrow-dark", "howdah 0"), ("wide-dark", "30 days")]
    {
        let text = text(&format!("history-{view}"));
        assert!(text.contains(word), "the history does not say {word:?}: {text}");
    }
    assert!(text("alerts-wide-light").contains("idle_in_transaction"));
    assert!(text("setup-wide-light").contains("pool.max_size"));
}

/// Advice in several states, for a page that does not say it twice.
fn advise(room: &Room) {
    let journal = room.journal();
    let statistics = Recommendation {
        kind: Kind::Analyze,
        title: "Analyse trades".to_owned(),
        impact: Impact::Low,
        saves: None,
        confidence: 0.6,
        apply: vec!["ANALYZE trades".to_owned()],
        undo: Vec::new(),
        ..advice("cc")
    };
    journal.take_in(&place("shop"), &[statistics, advice("aa")], now_ms()).unwrap();
    carry_out(&journal, &place("shop"), &advice("bb"));
}

#[test]
fn advice_is_read_copied_and_dismissed_in_a_browser() {
    let directory = installed();
    let room = Room::new("advice-browser");
    advise(&room);
    let rig = Rig::builder().more("[web]\nlisten = \"127.0.0.1:0\"\n").more(&room.history());
    let rig = rig.in_process();
    let mut browse = Command::new("node");
    browse.arg("test/advice.mjs").arg(format!("http://{}", rig.web())).arg(output().join("advice"));
    let said = finish(browse.current_dir(&directory));
    let found: Value = serde_json::from_str(&said).expect("what was found");
    let wrong = found["wrong"].as_array().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let text = |page: &str| found["pages"][page].as_str().unwrap().to_lowercase();
    for (page, words) in [
        ("advice-open-wide-light", &["31 %", "62.0 mb more", "3.0 % slower", "very (92 %)"][..]),
        ("advice-open-narrow-dark", &["48210", "9.4", "explain select 1", "it takes a while"]),
        ("advice-open-wide-dark", &["create index concurrently i", "2 to decide, 1 of high"]),
        ("advice-done-narrow-light", &["measured to be better", "40.0 ms", "500 µs", "undo bb"]),
        ("advice-done-wide-dark", &["what was done (2)", "1 statements are faster"]),
        ("copied", &["howdah recommendations apply aa"]),
        ("unfolded", &["drop index concurrently i;"]),
        ("dismissing", &["not offered again", "analyse trades", "1 to decide"]),
        ("dismissed", &["not wanted", "what was done (1)"]),
        ("filtered", &["analyse trades", "somewhat (60 %)"]),
    ] {
        let text = text(page);
        for word in words {
            assert!(text.contains(word), "{page} does not say {word:?}: {text}");
        }
    }
    let high = text("advice-open-wide-light").find("index orders").unwrap();
    assert!(high < text("advice-open-wide-light").find("analyse trades").unwrap());
    assert!(!text("folded").contains("drop index"), "{}", text("folded"));
    let events = room.journal().events("1/shop", "aa").unwrap();
    assert_eq!(events.last().unwrap().text, "it goes away in March");
}
