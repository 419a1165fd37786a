//! What is remembered: exactly what was sent, beyond a restart and a kill; marks; and that a file which cannot be used is in nobody's
//! way.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use howdah::history::{Reader, Shape, Subject};
use howdah_tests::http::{ask, get};
use howdah_tests::{Builder, Rig};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("howdah-e2e-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("history.db")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn remembering(path: &Path) -> Builder {
    let more =
        format!("[web]\nlisten = \"127.0.0.1:0\"\n[history]\npath = \"{}\"\n", path.display());
    Rig::builder().more(&more)
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Sums of a series of everything, from each of the rings that reach back so far.
fn sums(path: &Path, series: usize) -> Vec<u64> {
    let Ok(reader) = Reader::open(path) else { return Vec::new() };
    let now = howdah::history::now_ms() / 1_000;
    let sum = |step| {
        let shape = Shape { from: now - 900, to: now + 1, step: Some(step) };
        reader.span(&Subject::All, shape).unwrap().whole().sum(series)
    };
    vec![sum(1), sum(10), sum(60)]
}

fn texts(path: &Path, kind: &str) -> Vec<String> {
    let Ok(reader) = Reader::open(path) else { return Vec::new() };
    let marks = reader.marks(0, u64::MAX).unwrap();
    marks.into_iter().filter(|mark| mark.kind == kind).map(|mark| mark.text).collect()
}

#[test]
fn what_was_sent_is_remembered_beyond_a_restart_exactly() {
    let directory = Directory::new("restart");
    let path = directory.file();
    for round in 1..=2_u64 {
        let mut rig = remembering(&path).in_process();
        let mut client = rig.client();
        for _ in 0..70 {
            client.run("SELECT n FROM generate_series(1, 3) AS n");
        }
        client.close();
        rig.stop(Duration::ZERO);
        drop(rig);
        // Calls and rows; the second round finds the first one there.
        assert_eq!(sums(&path, 0), [round * 70; 3]);
        assert_eq!(sums(&path, 1), [round * 210; 3]);
        assert_eq!(texts(&path, "start").len() as u64, round);
        assert_eq!(texts(&path, "stop").len() as u64, round);
    }
    let reader = Reader::open(&path).unwrap();
    let now = howdah::history::now_ms() / 1_000;
    let statements = reader.statements(now - 900, now + 60).unwrap();
    let series: Vec<_> =
        statements.iter().filter(|one| one.text.contains("generate_series")).collect();
    assert_eq!(series.iter().map(|one| one.calls()).sum::<u64>(), 140, "{statements:?}");
    let times: u64 = series.iter().map(|one| one.sample.times.count()).sum();
    assert_eq!(times, 140, "every call is in a histogram");
}

#[test]
fn a_kill_costs_seconds_and_the_next_process_goes_on() {
    let directory = Directory::new("kill");
    let path = directory.file();
    let builder = Rig::builder().more(&format!("[history]\npath = \"{}\"\n", path.display()));
    let mut sent = 0;
    for _ in 0..3 {
        let rig = builder.clone().more("[web]\nlisten = \"off\"\n").process();
        let before = sums(&path, 0).first().copied().unwrap_or(0);
        let mut client = rig.client();
        let mut here = 0;
        until("what was sent is written", || {
            client.run("SELECT 1");
            here += 1;
            let now = sums(&path, 0).first().copied().unwrap_or(0);
            (now > before).then_some(())
        });
        sent += here;
        // The rig kills it.
        drop(rig);
        let kept = sums(&path, 0);
        assert!(kept[0] > before && kept[0] <= sent, "{kept:?} of {sent}");
        assert_eq!(kept, [kept[0]; 3], "the rings have the same");
    }
    assert_eq!(texts(&path, "start").len(), 3);
    assert!(texts(&path, "stop").is_empty());
}

#[test]
fn a_file_that_cannot_be_used_is_in_nobodys_way() {
    let rig = remembering(Path::new("/proc/howdah/history.db")).in_process();
    let web = rig.web();
    let mut client = rig.client();
    for _ in 0..50 {
        client.run("SELECT 1");
    }
    let why = until("somebody says what is wrong", || {
        rig.engine().history().and_then(|history| history.state().trouble)
    });
    assert!(why.contains("/proc/howdah/history.db"), "{why}");
    let answer = ask(web, "GET", "/api/v1/history", &web.to_string(), "");
    assert_eq!(answer.status, 503, "{}", answer.body);
    client.run("SELECT 1");
    // One that is damaged is set aside, and another one begun.
    let directory = Directory::new("damaged");
    let path = directory.file();
    fs::write(&path, "no database, and too long to be taken for an empty one".repeat(100)).unwrap();
    let rig = remembering(&path).in_process();
    rig.client().run("SELECT 1");
    until("a new one is begun", || (sums(&path, 0).first() == Some(&1)).then_some(()));
    assert!(
        fs::read_to_string(directory.0.join("history.db.damaged")).unwrap().contains("no data")
    );
}

#[test]
fn moments_are_marked_by_people_pipelines_and_reloads() {
    let directory = Directory::new("marks");
    let path = directory.file();
    let rig = remembering(&path).in_process();
    let web = rig.web();
    rig.engine().mark("mark", "by the program").unwrap();
    let host = web.to_string();
    let asked = |path: &str, headers: &str| ask(web, "POST", path, &host, headers).status;
    assert_eq!(asked("/api/v1/marks?text=deploy%204df1657", ""), 403, "it has to be meant");
    assert_eq!(asked("/api/v1/marks?text=deploy%204df1657", "x-howdah: 1\r\n"), 200);
    assert_eq!(asked("/api/v1/marks?text=", "x-howdah: 1\r\n"), 400);
    let changed = rig.reload(&rig.configuration().replace("\"15s\"", "\"16s\""));
    assert_eq!(changed, ["pool.checkout_timeout"]);
    let mut client = rig.client();
    client.run("CREATE TEMP TABLE own (id int)");
    client.run("CREATE INDEX ON pg_temp.own (id)");
    until("all are written", || {
        (texts(&path, "mark") == ["by the program", "deploy 4df1657"]
            && texts(&path, "reload") == ["pool.checkout_timeout"]
            && texts(&path, "ddl")
                == [format!("{}: create index on pg_temp.own(id)", rig.database())])
        .then_some(())
    });
    let told: Value = serde_json::from_str(&get(web, "/api/v1/history")).unwrap();
    let marks = told["marks"].as_array().unwrap();
    assert!(marks.iter().any(|mark| mark["text"] == "deploy 4df1657"), "{marks:?}");
}

#[test]
fn the_command_marks_a_moment() {
    let directory = Directory::new("command");
    let path = directory.file();
    let more = format!(
        "[history]\npath = \"{}\"\n[web]\nlisten = \"off\"\n[admin]\nusers = [\"app\"]\n",
        path.display()
    );
    let rig = Rig::builder().more(&more).process();
    let output = rig.howdah().command(&["mark", "it's \"deployed\"", "--config"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    until("it is written", || (texts(&path, "mark") == ["it's \"deployed\""]).then_some(()));
}

#[test]
fn numbers_of_the_past_are_told_as_columns() {
    let directory = Directory::new("columns");
    let rig = remembering(&directory.file()).in_process();
    let web = rig.web();
    let mut client = rig.client();
    let told = until("the first is written", || {
        client.run("SELECT 1");
        let answer = ask(web, "GET", "/api/v1/history?step=1", &web.to_string(), "");
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        let times = told["times"].as_array().is_some_and(|times| times.len() > 4);
        (answer.status == 200 && times).then_some(told)
    });
    let times = told["times"].as_array().unwrap();
    for column in told["columns"].as_array().unwrap() {
        assert_eq!(column["values"].as_array().unwrap().len(), times.len(), "{column}");
    }
    let node: Value =
        serde_json::from_str(&get(web, "/api/v1/history?of=node:primary&series=up,servers"))
            .unwrap();
    assert_eq!(node["columns"][0]["values"][0], 1.0, "{node}");
    assert_eq!(node["nodes"], serde_json::json!(["primary"]));
    let pool = node["pools"][0].as_str().unwrap();
    let path = format!("/api/v1/history?of=pool:{pool}&series=servers_max");
    let pool: Value = serde_json::from_str(&get(web, &path)).unwrap();
    assert_eq!(pool["columns"][0]["values"][0], 3.0, "{pool}");
    for wrong in ["series=nonsense", "of=nonsense", "from=9&to=3"] {
        let answer = ask(web, "GET", &format!("/api/v1/history?{wrong}"), &web.to_string(), "");
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.body);
    }
}

#[test]
fn without_a_file_it_is_said_how_to_have_one() {
    let rig = Rig::builder().more("[web]\nlisten = \"127.0.0.1:0\"\n").in_process();
    let web = rig.web();
    let told: Value = serde_json::from_str(&get(web, "/api/v1/history")).unwrap();
    assert_eq!(told["on"], false);
    assert!(told["why"].as_str().unwrap().contains("[history] path"), "{told}");
    assert!(rig.engine().mark("mark", "x").unwrap_err().contains("[history] path"));
}
