//! PostgreSQL's own regression tests, directly and through Howdah: `scripts/pg-regress` fetches and builds what they need and runs
//! this. Not a judge of PostgreSQL: a test counts only if it ends otherwise through Howdah than directly.
//!
//!     regress DIRECTORY [--modes session,transaction] [--tests boolean,prepare]
//!
//! Invariant: every run has servers of its own, so none finds what another has left.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program for developers"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use howdah_tests::{Rig, Servers};

/// Servers of a pool: more than a parallel group of tests has sessions.
const POOL: u32 = 60;
/// Parts of libpq's test of pipelines whose trace PostgreSQL compares.
const TRACED: [&str; 9] = [
    "simple_pipeline",
    "nosync",
    "multi_pipelines",
    "prepared",
    "singlerow",
    "pipeline_abort",
    "pipeline_idle",
    "transaction",
    "disallowed_in_pipeline",
];

/// What `scripts/pg-regress` has prepared.
struct Prepared(PathBuf);

impl Prepared {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A directory that PostgreSQL's server may write to, whoever it runs as.
    fn output(&self, door: &str) -> PathBuf {
        let directory = self.path("output").join(door);
        let _ = fs::remove_dir_all(&directory);
        for part in ["", "results", "testtablespace", "sql", "expected"] {
            let part = directory.join(part);
            fs::create_dir_all(&part).expect("a directory for the output");
            fs::set_permissions(&part, fs::Permissions::from_mode(0o777)).expect("its mode");
        }
        directory
    }
}

/// How each test ended; what is no test is left out.
fn endings(output: &str) -> BTreeMap<String, String> {
    let mut endings = BTreeMap::new();
    for line in output.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let found = match *words {
            // Up to PostgreSQL 15: "test boolean ... ok 12 ms", and "boolean ... FAILED 12 ms" in a group.
            ["test", name, "...", ending, ..] | [name, "...", ending, ..] => (name, ending),
            // From PostgreSQL 16: "ok 1 - boolean 12 ms", with a plus sign in a group.
            ["ok", _, "-" | "+", name, ..] => (name, "ok"),
            ["not", "ok", _, "-" | "+", name, ..] => (name, "FAILED"),
            _ => continue,
        };
        endings.insert(found.0.to_owned(), found.1.to_owned());
    }
    endings
}

/// Runs the regression tests against a port.
fn regress(
    prepared: &Prepared,
    door: &str,
    port: u16,
    tests: &[String],
) -> BTreeMap<String, String> {
    let (source, output) = (prepared.path("source/src/test/regress"), prepared.output(door));
    let mut command = Command::new(prepared.path("pg_regress"));
    command
        .arg(format!("--inputdir={}", source.display()))
        .arg(format!("--outputdir={}", output.display()))
        .arg(format!("--bindir={}", prepared.path("bin").display()))
        .arg(format!("--dlpath={}", prepared.path("lib").display()))
        .args(["--host=127.0.0.1", "--user=howdah", "--dbname=regression", "--max-connections=20"])
        .arg(format!("--port={port}"))
        .current_dir(&output);
    if tests.is_empty() {
        command.arg(format!("--schedule={}", source.join("parallel_schedule").display()));
    } else {
        command.arg("test_setup").args(tests);
    }
    let said = command.stdin(Stdio::null()).output().expect("pg_regress runs");
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    fs::write(output.join("said"), [&said.stdout[..], &said.stderr].concat()).expect("a file");
    let endings = endings(&text);
    assert!(!endings.is_empty(), "no test ran: {text}{}", String::from_utf8_lossy(&said.stderr));
    endings
}

/// Runs libpq's test of pipelines against a port; its traces are compared with PostgreSQL's own.
fn pipelines(prepared: &Prepared, door: &str, port: u16) -> BTreeMap<String, String> {
    let program = prepared.path("libpq_pipeline");
    let listed = Command::new(&program).arg("tests").output().expect("libpq_pipeline runs");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let traces = prepared.path("source/src/test/modules/libpq_pipeline/traces");
    let mut endings = BTreeMap::new();
    for test in listed.split_whitespace() {
        let trace = prepared.path("output").join(door).join(format!("{test}.trace"));
        let mut command = Command::new(&program);
        command.args(["-r", "700"]);
        if TRACED.contains(&test) {
            command.arg("-t").arg(&trace);
        }
        command.arg(test);
        command.arg(format!("host=127.0.0.1 port={port} user=howdah dbname=postgres"));
        let said = command.output().expect("libpq_pipeline runs");
        let read = |path: &Path| fs::read(path).ok();
        let same =
            !TRACED.contains(&test) || read(&trace) == read(&traces.join(format!("{test}.trace")));
        let ending = match (said.status.success(), same) {
            (true, true) => "ok".to_owned(),
            (true, false) => "another trace".to_owned(),
            (false, _) => String::from_utf8_lossy(&said.stderr).trim().to_owned(),
        };
        endings.insert(format!("libpq_pipeline {test}"), ending);
    }
    endings
}

/// Everything through one door.
fn run(prepared: &Prepared, door: &str, tests: &[String]) -> BTreeMap<String, String> {
    let rig = Rig::builder()
        .servers(Servers::start())
        .pool_size(POOL)
        .mode(if door == "direct" { "session" } else { door })
        .pool("checkout_timeout", "\"60s\"")
        .process();
    let port = if door == "direct" { rig.servers().primary().port() } else { rig.port() };
    let mut endings = regress(prepared, door, port, tests);
    endings.extend(pipelines(prepared, door, port));
    let count = endings.values().filter(|ending| *ending == "ok").count();
    println!("{door}: {count} of {} tests pass", endings.len());
    if door != "direct" {
        fs::write(prepared.path("output").join(door).join("howdah.log"), rig.howdah().log())
            .expect("a file");
    }
    endings
}

/// The value of an option, a list with commas.
fn list(arguments: &[String], option: &str) -> Vec<String> {
    let at = arguments.iter().position(|argument| argument == option);
    let value = at.and_then(|at| arguments.get(at + 1));
    value.map(|value| value.split(',').map(str::to_owned).collect()).unwrap_or_default()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(directory) = arguments.first() else {
        println!("usage: regress DIRECTORY [--modes session,transaction] [--tests NAME,NAME]");
        return ExitCode::from(2);
    };
    let prepared = Prepared(fs::canonicalize(directory).expect("what scripts/pg-regress prepared"));
    let tests = list(&arguments, "--tests");
    let mut modes = list(&arguments, "--modes");
    if modes.is_empty() {
        modes.push("session".to_owned());
    }
    let expected = run(&prepared, "direct", &tests);
    for (name, ending) in expected.iter().filter(|(_, ending)| *ending != "ok") {
        println!("  also directly: {name}: {ending}");
    }
    let mut differ = 0;
    for mode in modes {
        let seen = run(&prepared, &mode, &tests);
        let output = prepared.path("output").join(&mode);
        for (name, ending) in &expected {
            let other = seen.get(name).map_or("did not run", |ending| ending);
            if other != ending {
                differ += 1;
                println!("  differs: {name}: directly {ending}, in {mode} mode {other}");
            }
        }
        println!("  results, differences and log: {}", output.display());
    }
    if differ == 0 { ExitCode::SUCCESS } else { ExitCode::from(5) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_report_are_read() {
        let old = "test test_setup ... ok 12 ms\nparallel group (2 tests): a b\n     a ... ok 1 ms\n     b ... FAILED 2 ms\n";
        let new = "ok 1         - test_setup 12 ms\n# parallel group (2 tests): a b\nok 2         + a 1 ms\nnot ok 3     + b 2 ms\n";
        for report in [old, new] {
            let ends: Vec<_> = endings(report).into_iter().collect();
            let of = |name: &str, ending: &str| (name.to_owned(), ending.to_owned());
            assert_eq!(ends, [of("a", "ok"), of("b", "FAILED"), of("test_setup", "ok")]);
        }
    }
}
