//! The command from the outside: exit codes, what goes to which stream, and what a person reads. Without servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An empty directory that is removed at the end of the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("howdah-cli-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

struct Output {
    code: i32,
    stdout: String,
    stderr: String,
}

fn howdah(directory: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_howdah"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(directory)
        .output()
        .unwrap();
    Output {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

const MISTAKES: &str = "[pool]\nmax_sise = 1\nidle_timeout = 30\n[listen]\nport = 70000\n";
const URL: (&str, &str) = ("DATABASE_URL", "postgres://app:s3cret@127.0.0.1:1/shop");

#[test]
fn bad_configuration_ends_every_verb_that_needs_it_with_3_and_all_mistakes() {
    let directory = Directory::new();
    directory.write("howdah.toml", MISTAKES);
    for arguments in [&["up"][..], &["check"], &["config", "show"]] {
        let output = howdah(&directory.0, arguments, &[URL]);
        assert_eq!(output.code, 3, "{arguments:?}: {}", output.stderr);
        assert_eq!(output.stdout, "", "{arguments:?}");
        for part in [
            "3 mistakes in the configuration",
            "pool.max_sise = 1  (howdah.toml:2)",
            "did you mean max_size?",
            "a time needs a unit",
            "listen.port = 70000  (howdah.toml:5)",
        ] {
            assert!(output.stderr.contains(part), "{arguments:?}: {part} in {}", output.stderr);
        }
    }
}

#[test]
fn mistakes_are_there_for_programs_too() {
    let directory = Directory::new();
    directory.write("howdah.toml", MISTAKES);
    let output = howdah(&directory.0, &["check", "--json"], &[URL]);
    assert_eq!(output.code, 3);
    let value: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(value["schema"], "howdah.config-errors/1");
    let first = &value["errors"][0];
    assert_eq!(first["kind"], "unknown_key");
    assert_eq!(first["key"], "pool.max_sise");
    assert_eq!(first["origin"]["line"], 2);
    assert_eq!(value["errors"].as_array().unwrap().len(), 3);
}

#[test]
fn rules_are_tried_out_without_a_server() {
    let directory = Directory::new();
    directory.write(
        "howdah.toml",
        "[[rule]]\nname = \"cron may\"\nuser = [\"cron\"]\naction = \"allow\"\n\
         [[rule]]\nname = \"no unbounded writes\"\nunbounded = true\naction = \"block\"\n",
    );
    let sql = "DELETE FROM shop.Orders -- all";
    let output = howdah(&directory.0, &["rules", "test", sql], &[URL]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    for part in [
        "block, by rule \"no unbounded writes\"",
        "normal form  delete from shop.orders",
        "class        write",
        "tables       shop.orders",
        "no column restricts",
        "other clients",
    ] {
        assert!(output.stdout.contains(part), "{part} in {}", output.stdout);
    }
    let arguments = ["rules", "test", sql, "--user", "cron", "--json"];
    let output = howdah(&directory.0, &arguments, &[URL]);
    let value: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(value["schema"], "howdah.rule-trial/1");
    assert_eq!(value["trial"]["decision"], "allow");
    assert_eq!(value["trial"]["decided_by"], "cron may");
    assert_eq!(value["trial"]["rules"][1]["result"], "fits");
    let output = howdah(&directory.0, &["rules", "test", "SELECT 1"], &[URL]);
    assert!(output.stdout.starts_with("it runs: no rule decides"), "{}", output.stdout);
}

#[test]
fn a_route_is_explained_without_a_running_howdah() {
    let directory = Directory::new();
    directory.write(
        "howdah.toml",
        "[[route.override]]\nname = \"queue\"\ntable = [\"jobs\"]\nto = \"primary\"\n",
    );
    // Nobody listens on port 1.
    let explain = |sql: &str, more: &[&str]| {
        let arguments = [&["route", "explain", sql, "--address", "127.0.0.1:1"], more].concat();
        howdah(&directory.0, &arguments, &[URL])
    };
    let output = explain("SELECT lower('X'), 1", &[]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stdout.starts_with("a replica may run it: "), "{}", output.stdout);
    assert!(output.stderr.contains("by the text and the configuration alone"), "{}", output.stderr);
    let output = explain("SELECT * FROM orders", &[]);
    for part in ["the primary: ", "no-catalog", "because of   orders", "select * from orders"] {
        assert!(output.stdout.contains(part), "{part} in {}", output.stdout);
    }
    let output = explain("SELECT * FROM shop.jobs WHERE id = 1 FOR UPDATE", &["--json"]);
    let value: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(value["schema"], "howdah.route/1");
    assert_eq!(value["route"]["reason"], "lock");
    let output = explain("SELECT * FROM shop.jobs", &["--json"]);
    let value: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(
        (&value["route"]["reason"], &value["route"]["subject"]),
        (&"override".into(), &"queue".into())
    );
}

#[test]
fn nothing_configured_says_what_the_least_is() {
    let directory = Directory::new();
    let output = howdah(&directory.0, &["up"], &[]);
    assert_eq!(output.code, 3);
    assert!(output.stderr.contains("DATABASE_URL=postgres://"), "{}", output.stderr);
}

#[test]
fn wrong_usage_is_2_and_help_is_0() {
    let directory = Directory::new();
    for arguments in [
        &["colour"][..],
        &["up", "--listen", "6432"],
        &["up", "--set", "pool.max_size"],
        &["demo", "--duration", "30"],
        &[],
    ] {
        let output = howdah(&directory.0, arguments, &[]);
        assert_eq!(output.code, 2, "{arguments:?}");
        assert_eq!(output.stdout, "", "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["up", "--help"], &["--version"]] {
        let output = howdah(&directory.0, arguments, &[]);
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn what_is_in_force_is_shown_with_its_origin_and_without_secrets() {
    let directory = Directory::new();
    directory.write("howdah.toml", "[pool]\nmin_size = 2\n");
    let arguments = ["config", "show", "--origin", "--set", "pool.max_size=7"];
    let output = howdah(&directory.0, &arguments, &[URL, ("DB_POOL_IDLE_TIMEOUT", "2000")]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    let line = |key: &str| {
        let found = output.stdout.lines().find(|line| line.starts_with(&format!("{key} = ")));
        found.unwrap_or_else(|| panic!("{key} in {}", output.stdout)).to_owned()
    };
    let squeezed = |key: &str| line(key).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeezed("pool.max_size"), "pool.max_size = 7 # command line pool.max_size");
    assert_eq!(squeezed("pool.min_size"), "pool.min_size = 2 # howdah.toml:2");
    assert_eq!(
        squeezed("pool.idle_timeout"),
        "pool.idle_timeout = \"2s\" # env DB_POOL_IDLE_TIMEOUT"
    );
    assert_eq!(squeezed("pool.max_lifetime"), "pool.max_lifetime = \"1h\" # default");
    assert_eq!(squeezed("user.app.password"), "user.app.password = \"…\" # env DATABASE_URL");
    assert!(!output.stdout.contains("s3cret"));
    let output = howdah(&directory.0, &["config", "show", "--json"], &[URL]);
    let value: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(value["schema"], "howdah.config/1");
    assert!(!output.stdout.contains("s3cret"));
}

#[test]
fn init_writes_a_file_that_is_valid_and_replaces_none_unasked() {
    let directory = Directory::new();
    let password = [("APP_PASSWORD", "x")];
    assert_eq!(howdah(&directory.0, &["config", "init"], &[]).code, 0);
    assert_eq!(howdah(&directory.0, &["config", "show"], &password).code, 0);
    let again = howdah(&directory.0, &["config", "init"], &[]);
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("--force"), "{}", again.stderr);
    assert_eq!(howdah(&directory.0, &["config", "init", "--force"], &[]).code, 0);
    let printed = howdah(&directory.0, &["config", "init", "--stdout"], &[]).stdout;
    assert_eq!(printed, std::fs::read_to_string(directory.0.join("howdah.toml")).unwrap());
}

#[test]
fn a_server_that_is_not_there_is_4() {
    let directory = Directory::new();
    // A port that was free a moment ago has nobody listening on it.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://app:s3cret@127.0.0.1:{port}/shop");
    let output = howdah(&directory.0, &["check"], &[("DATABASE_URL", &url)]);
    assert_eq!(output.code, 4, "{}", output.stderr);
    assert!(output.stderr.contains("refused"), "{}", output.stderr);
    assert!(
        output.stderr.contains(&format!("pg_isready -h 127.0.0.1 -p {port}")),
        "{}",
        output.stderr
    );
    let output = howdah(&directory.0, &["check", "--json"], &[("DATABASE_URL", &url)]);
    let value: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((value["ok"].as_bool(), output.code), (Some(false), 4));
    assert_eq!(value["findings"][0]["severity"], "unreachable");
    let address = format!("127.0.0.1:{port}");
    let output = howdah(&directory.0, &["status", "--address", &address], &[]);
    assert_eq!(output.code, 4);
    assert!(output.stderr.contains("no Howdah at"), "{}", output.stderr);
    assert!(output.stderr.contains("howdah up"), "{}", output.stderr);
}

#[test]
fn an_address_in_use_is_named() {
    let directory = Directory::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = howdah(&directory.0, &["up", "--listen", &address], &[URL]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains(&format!("cannot listen on {address}")), "{}", output.stderr);
}

#[test]
fn the_version_is_one_line_or_json() {
    let directory = Directory::new();
    let output = howdah(&directory.0, &["version"], &[]);
    assert_eq!(output.stdout, format!("howdah {}\n", env!("CARGO_PKG_VERSION")));
    let output = howdah(&directory.0, &["version", "--json"], &[]);
    let value: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(value["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn completions_are_made_for_a_shell() {
    let directory = Directory::new();
    let output = howdah(&directory.0, &["completions", "bash"], &[]);
    assert_eq!(output.code, 0);
    assert!(output.stdout.contains("complete -F _howdah"), "{}", output.stdout);
}

#[test]
fn a_demo_without_postgresql_says_which_package_to_install() {
    let directory = Directory::new();
    let nowhere = directory.0.to_str().unwrap().to_owned();
    let environment = [("HOWDAH_PG_BIN", nowhere.as_str()), ("PATH", nowhere.as_str())];
    let output = howdah(&directory.0, &["demo", "--duration", "1s"], &environment);
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stderr.contains("postgresql"), "{}", output.stderr);
}
