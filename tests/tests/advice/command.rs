//! The command: what it asks, what it refuses, and what becomes of a build when it is killed.

use std::process::{Child, Command, Output, Stdio};

use howdah::advisor::Recommendation;
use howdah::ops::journal::State;
use howdah_tests::{eventually, program};
use serde_json::Value;

use crate::bed::{Bed, index};

/// The command with the journal of the bed.
fn howdah(bed: &Bed, user: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("recommendations").args(arguments).args(["--url", &bed.url(user), "--journal"]);
    command.arg(bed.journal_file()).stdin(Stdio::null()).env_clear().env("NO_COLOR", "1");
    command.env("USER", "somebody");
    command
}

fn run(bed: &Bed, user: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = howdah(bed, user, arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// Tells the command of advice.
fn add(bed: &Bed, advice: &Recommendation) {
    let file = bed.directory.join("advice.json");
    std::fs::write(&file, serde_json::to_string(&[advice]).unwrap()).unwrap();
    let (code, _, said) = run(bed, "howdah", &["add", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
}

/// What a dry run at another server says.
pub(crate) fn howdah_at(bed: &Bed, url: &str, _: &[&str]) -> String {
    let index = index();
    add(bed, &index);
    let mut command = Command::new(program());
    command.args(["recommendations", "apply", &index.id, "--dry-run", "--url", url, "--journal"]);
    command.arg(bed.journal_file()).stdin(Stdio::null()).env_clear().env("NO_COLOR", "1");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn advice_is_listed_shown_applied_and_taken_back() {
    let bed = Bed::new();
    let index = index();
    add(&bed, &index);
    let (code, list, said) = run(&bed, "howdah", &["list"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(list.contains(&index.id) && list.contains("open"), "{list}");
    let beginning: String = index.id.chars().take(5).collect();
    let (_, card, _) = run(&bed, "howdah", &["show", &beginning]);
    assert!(card.contains("about 1 MiB of disk, writes of the table +3.0 %"), "{card}");
    let (code, shown, said) = run(&bed, "howdah", &["apply", &index.id, "--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(shown, "CREATE INDEX CONCURRENTLY howdah_t_a ON public.t (a);\n");
    assert!(
        said.contains("changes can be made here") && said.contains("MiB may be needed"),
        "{said}"
    );
    let (code, _, said) = run(&bed, "howdah", &["apply", &index.id]);
    assert_eq!(code, Some(2), "nobody has said yes: {said}");
    assert_eq!(bed.state(&index), State::Open);
    let (code, _, said) = run(&bed, "howdah", &["apply", &index.id, "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(bed.state(&index), State::Applied);
    let (_, card, _) = run(&bed, "howdah", &["show", &index.id, "--json"]);
    let card: Value = serde_json::from_str(&card).unwrap();
    assert_eq!(card["runs"][0]["who"], "somebody, at the command line");
    assert_eq!(card["recommendation"]["state"], "applied");
    let (code, _, said) = run(&bed, "howdah", &["undo", &index.id, "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the catalog is as it was"), "{said}");
    assert_eq!(bed.value("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass"), "0");
}

#[test]
fn dismissed_advice_is_not_listed_and_exports_are_migrations() {
    let bed = Bed::new();
    let index = index();
    add(&bed, &index);
    let (_, flyway, _) = run(&bed, "howdah", &["export", "--format", "flyway"]);
    assert!(flyway.starts_with("-- flyway: executeInTransaction=false\n"), "{flyway}");
    assert!(flyway.contains("CREATE INDEX CONCURRENTLY howdah_t_a ON public.t (a);\n"), "{flyway}");
    let (code, _, said) =
        run(&bed, "howdah", &["dismiss", &index.id, "--reason", "the table goes away"]);
    assert_eq!(code, Some(0), "{said}");
    let (_, list, said) = run(&bed, "howdah", &["list", "--known"]);
    assert!(list.is_empty() && said.contains("nothing is recommended"), "{list}{said}");
    let (_, list, _) = run(&bed, "howdah", &["list", "--all"]);
    assert!(list.contains("dismissed"), "{list}");
}

#[test]
fn a_role_that_may_only_read_is_told_what_is_missing() {
    let bed = Bed::new();
    let index = index();
    add(&bed, &index);
    let (code, _, said) = run(&bed, "role_reader", &["apply", &index.id, "--yes"]);
    assert_eq!(code, Some(4), "{said}");
    bed.sql("DO $$ BEGIN CREATE ROLE advice_reader LOGIN IN ROLE pg_read_all_data; EXCEPTION WHEN duplicate_object THEN END $$");
    let (code, _, said) = run(&bed, "advice_reader", &["apply", &index.id, "--yes"]);
    assert_eq!(code, Some(5), "{said}");
    assert!(
        said.contains("\"advice_reader\" may not change public.t, which belongs to \"app\""),
        "{said}"
    );
    assert!(said.contains("GRANT \"app\" TO \"advice_reader\""), "{said}");
    assert_eq!(bed.state(&index), State::Open);
}

/// Begins to apply, and waits until the build waits.
fn begin(bed: &Bed, index: &Recommendation) -> Child {
    let child = howdah(bed, "howdah", &["apply", &index.id, "--yes"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("a build that waits", || {
        bed.value("SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database() AND current_locker_pid <> 0") == "1"
    });
    child
}

#[test]
fn a_build_goes_on_when_howdah_is_killed_and_the_next_run_says_so() {
    let bed = Bed::new();
    let index = index();
    add(&bed, &index);
    let mut report = bed.snapshot();
    let mut child = begin(&bed, &index);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((bed.state(&index), bed.invalid().as_str()), (State::Applying, "1"));
    let next = howdah(&bed, "howdah", &["apply", &index.id, "--yes"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    report.run("COMMIT");
    let output = next.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    assert_eq!((bed.state(&index), bed.invalid().as_str()), (State::Applied, "0"));
    let first = &bed.runs(&index)[0];
    assert!(first.statements[0].done, "{first:?}");
    // The way back was in the journal before the statement was sent.
    let (code, _, said) = run(&bed, "howdah", &["undo", &index.id, "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(bed.value("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass"), "0");
}

#[test]
fn what_howdah_and_the_server_leave_when_both_are_interrupted_is_cleaned_up_by_the_next_run() {
    let bed = Bed::new();
    let index = index();
    add(&bed, &index);
    let mut report = bed.snapshot();
    let mut child = begin(&bed, &index);
    child.kill().unwrap();
    child.wait().unwrap();
    bed.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index WHERE datname = current_database()");
    eventually("the build has ended", || {
        bed.value(
            "SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database()",
        ) == "0"
    });
    assert_eq!((bed.state(&index), bed.invalid().as_str()), (State::Applying, "1"));
    report.run("COMMIT");
    let (code, _, said) = run(&bed, "howdah", &["apply", &index.id, "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("cleaned up"), "{said}");
    assert_eq!((bed.state(&index), bed.invalid().as_str()), (State::Applied, "0"));
}

#[test]
fn ctrl_c_cancels_the_build_and_cleans_up() {
    let bed = Bed::new();
    let index = index();
    add(&bed, &index);
    let mut report = bed.snapshot();
    let mut child = begin(&bed, &index);
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!((bed.state(&index), bed.invalid().as_str()), (State::Open, "0"));
    report.run("COMMIT");
}

#[test]
fn what_is_wrong_with_a_database_is_found_mended_and_not_found_again() {
    let bed = Bed::new();
    bed.sql("ALTER TABLE t ADD PRIMARY KEY (a)");
    bed.sql("CREATE INDEX narrow ON t (b); CREATE INDEX wide ON t (b, c); ANALYZE t");
    let redundant = || {
        let (code, list, said) = run(&bed, "howdah", &["list", "--json"]);
        assert_eq!(code, Some(0), "{said}");
        let list: Value = serde_json::from_str(&list).unwrap();
        let all = list["recommendations"].as_array().unwrap().clone();
        all.into_iter().find(|one| {
            one["state"] == "open" && one["advice"]["apply"].to_string().contains("narrow")
        })
    };
    let found = redundant().expect("the index that another one contains");
    let id = found["advice"]["id"].as_str().unwrap();
    let (code, _, said) = run(&bed, "howdah", &["apply", id, "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(bed.value("SELECT to_regclass('narrow') IS NULL"), "t");
    assert!(redundant().is_none());
    let (code, _, said) = run(&bed, "howdah", &["undo", id, "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(bed.value("SELECT to_regclass('narrow') IS NULL"), "f");
}
