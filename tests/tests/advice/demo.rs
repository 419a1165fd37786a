//! The demo as a visitor has it: what is wrong with it on purpose is found while it runs, ranked by what it costs, and one piece of advice goes the whole way: carried out,
//! measured, taken back.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use howdah_tests::program;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio_postgres::NoTls;

/// What is planted: its kind, and words of its title or its evidence.
const PLANTED: [(&str, &str); 6] = [
    ("create_index", "Index orders (instrument_id, status"),
    ("rewrite", "not id in (select order_id from trades)"),
    ("n_plus_one", "from trades where order_id = $1"),
    ("drop_redundant_index", "orders_by_user"),
    ("drop_unused_index", "trades_by_price"),
    ("analyze", "public.quotes"),
];
/// What is true of the demo, too: rows are written all the time, and the report reads all trades.
const TRUE: [(&str, &str); 3] = [
    ("analyze", "public.users"),
    ("analyze", "public.orders"),
    ("create_index", "Index trades (instrument_id"),
];
/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(150);
/// Everything about indexes and what a person has set for tables.
const CATALOG: &str = "SELECT string_agg(it, E'\\n' ORDER BY it) FROM ( \
    SELECT pg_get_indexdef(indexrelid) || indisvalid::text || coalesce(obj_description(indexrelid, 'pg_class'), '') FROM pg_index WHERE indrelid >= 16384 \
    UNION ALL SELECT relname || coalesce(reloptions::text, '') || relreplident::text FROM pg_class WHERE relkind = 'r' AND oid >= 16384) AS all_of_it (it)";

/// A running demo; interrupted when dropped.
struct Demo {
    child: Child,
    log: PathBuf,
    url: String,
    journal: String,
}

impl Demo {
    fn start() -> Self {
        let log = std::env::temp_dir().join(format!("howdah-demo-{}.log", std::process::id()));
        let child = Command::new(program())
            .args(["demo", "--replicas", "1", "--clients", "8"])
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn();
        let mut demo =
            Self { child: child.unwrap(), log, url: String::new(), journal: String::new() };
        let said = demo.until("the demo says what to do", |demo| {
            let said = std::fs::read_to_string(&demo.log).unwrap();
            assert!(demo.child.try_wait().unwrap().is_none(), "the demo has ended: {said}");
            let hint = said.split("recommendations list ").nth(1)?.to_owned();
            hint.contains('\n').then_some(hint)
        });
        let mut words = said.split_whitespace();
        let mut after = |word| {
            words.by_ref().find(|it| *it == word);
            words.next().unwrap().to_owned()
        };
        (demo.url, demo.journal) = (after("--url"), after("--journal"));
        demo
    }

    fn until<T>(&mut self, what: &str, mut look: impl FnMut(&mut Self) -> Option<T>) -> T {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            let said = || std::fs::read_to_string(&self.log).unwrap();
            assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}\n{}", said());
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// `howdah recommendations …`: its exit status, and what it prints.
    fn howdah(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(program());
        command.arg("recommendations").args(arguments).stdin(Stdio::null());
        let run = command.args(["--url", &self.url, "--journal", &self.journal]).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (run.status.code(), text(&run.stdout), text(&run.stderr))
    }

    fn list(&self) -> Vec<Value> {
        let (_, list, _) = self.howdah(&["list", "--known", "--json"]);
        let list: Value = serde_json::from_str(&list).unwrap_or_default();
        list["recommendations"].as_array().cloned().unwrap_or_default()
    }

    fn catalog(&self) -> String {
        let url = self.url.clone();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
            tokio::spawn(connection);
            client.query_one(CATALOG, &[]).await.unwrap().get(0)
        })
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::INT);
        }
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.log);
    }
}

fn is(one: &Value, (kind, words): (&str, &str)) -> bool {
    let advice = &one["advice"];
    let text = format!("{} {} {}", advice["title"], advice["subject"], advice["evidence"]);
    advice["kind"] == kind && text.contains(words)
}

fn told(list: &[Value]) -> String {
    let one = |one: &Value| {
        let advice = &one["advice"];
        format!("{} {} {} {}\n", advice["kind"], advice["impact"], advice["saves"], advice["title"])
    };
    list.iter().map(one).collect()
}

#[test]
fn what_is_planted_in_the_demo_is_found_ranked_carried_out_measured_and_taken_back() {
    let mut demo = Demo::start();
    let before = demo.catalog();
    let mut last = Vec::new();
    let list = demo.until("all that is planted is found", |demo| {
        let list = demo.list();
        if list.len() != last.len() {
            last.clone_from(&list);
            eprintln!("found:\n{}", told(&list));
        }
        let found = PLANTED.iter().all(|planted| list.iter().any(|one| is(one, *planted)));
        found.then_some(list)
    });
    for one in list.iter().take(5) {
        let known = PLANTED.iter().chain(&TRUE).any(|known| is(one, *known));
        assert!(known, "false among the first five: {one}\n{}", told(&list));
    }
    assert!(is(&list[0], PLANTED[0]), "the missing index costs most\n{}", told(&list));
    let saves = |at: usize| list[at]["advice"]["saves"].as_f64().unwrap_or(0.0);
    assert!((1..list.len()).all(|at| saves(at) <= saves(at - 1)), "ranked\n{}", told(&list));

    let id = list[0]["advice"]["id"].as_str().unwrap().to_owned();
    let (code, _, said) = demo.howdah(&["apply", &id, "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert_ne!(demo.catalog(), before);
    let counted =
        |one: &&Value| one["text"].as_str().is_some_and(|it| it.contains("sum(quantity)"));
    let (verdict, slow) = demo.until("it is measured", |demo| {
        let (_, verdict, _) = demo.howdah(&["verify", &id, "--json"]);
        let verdict: Value = serde_json::from_str(&verdict).ok()?;
        let slow = verdict["verdict"]["statements"].as_array()?.iter().find(counted)?.clone();
        (!slow["state"].is_null()).then_some((verdict, slow))
    });
    assert_eq!(verdict["verdict"]["state"], "verified", "{verdict:#}");
    let time = |at: usize| slow["time_ms"][at].as_f64().unwrap();
    assert!(time(1) < time(0) / 2.0, "the measured gain: {slow}");
    let (code, _, said) = demo.howdah(&["undo", &id, "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(demo.catalog(), before, "exactly as it was");
}
