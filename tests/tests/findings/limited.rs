//! Advice where something is missing: extensions, statistics, rights. It stays useful, and says what is missing, how to get it and what that adds. And what is there when nothing is.

use std::process::{Command, Stdio};

use howdah_tests::{Servers, program};
use serde_json::Value;
use tokio_postgres::Client;

use crate::bed::{connect, run};

/// Nobody counts how the rows came in: against forty reads, sixty thousand writes are why an index is not worth making, if they are known in time.
const SCHEMA: &str = "
    SET track_counts = off;
    CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, state text NOT NULL, note text);
    INSERT INTO orders SELECT n, n % 5000, CASE n % 10 WHEN 0 THEN 'open' ELSE 'done' END, repeat('x', 60) FROM generate_series(1, 60000) AS n;
    CREATE INDEX orders_state ON orders (state); CREATE INDEX orders_state_again ON orders (state);
    ANALYZE orders; RESET track_counts";
const CUSTOMER: &str = "SELECT note FROM orders WHERE customer = $1";
const RARE: &str = "SELECT customer FROM orders WHERE id = $1";

/// Servers that count statements, and a database without any extension.
struct Bed {
    servers: Servers,
    database: String,
    home: std::path::PathBuf,
}

impl Bed {
    fn new() -> Self {
        let servers = Servers::start_with_statistics();
        let database = servers.create_database();
        // Each test has servers of its own, and so a port.
        let port = servers.primary().port();
        let home = std::env::temp_dir().join(format!("howdah-limited-{port}"));
        std::fs::create_dir_all(&home).unwrap();
        Self { servers, database, home }
    }

    fn url(&self, role: &str) -> String {
        self.servers.primary().url(&self.database, role)
    }

    async fn superuser(&self) -> Client {
        connect(&self.url("howdah")).await
    }

    /// What the command says to programs and to people, as this role.
    fn howdah(&self, role: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(program());
        command.args(arguments).args(["--url", &self.url(role)]).stdin(Stdio::null()).env_clear();
        command.env("NO_COLOR", "1").env("USER", "somebody").env("HOME", &self.home);
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

#[test]
fn statements_that_postgresql_has_counted_are_the_workload_by_their_time() {
    run(async {
        let bed = Bed::new();
        let client = bed.superuser().await;
        client.batch_execute(SCHEMA).await.unwrap();
        let advise = || bed.howdah("howdah", &["advise", "indexes", "--budget", "50MB", "--json"]);

        // Nothing is there: it says what, how to get it, and what that adds.
        let (code, _, said) = advise();
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("CREATE EXTENSION pg_stat_statements"), "{said}");
        assert!(said.contains("CREATE EXTENSION hypopg") && said.contains("unverified"), "{said}");

        client
            .batch_execute("CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()")
            .await
            .unwrap();
        let (customer, rare) =
            (client.prepare(CUSTOMER).await.unwrap(), client.prepare(RARE).await.unwrap());
        for number in 0..40_i32 {
            client.query(&customer, &[&number]).await.unwrap();
            client.query(&rare, &[&number]).await.unwrap();
        }
        for hypopg in [false, true] {
            if hypopg {
                client.batch_execute("CREATE EXTENSION hypopg").await.unwrap();
            }
            let (code, json, said) = advise();
            assert_eq!(code, Some(0), "{said}");
            let value: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(value["verified"], hypopg, "{said}");
            assert_eq!(said.contains("hypopg"), !hypopg, "{said}");
            let statements = value["statements"].as_array().unwrap();
            let first = statements[0]["sql"].as_str().unwrap();
            assert_eq!(first, CUSTOMER, "the one with the most time comes first: {json}");
            assert!(statements[0]["weight"].as_f64().unwrap() > 0.0, "{json}");
            assert!(
                statements.iter().all(|one| one["before"].is_number()),
                "with $1 it is planned: {json}"
            );
            let made = value["recommendations"].to_string();
            assert!(made.contains("ON public.orders USING btree (customer"), "{json}");
            assert!(!made.contains("ON public.orders USING btree (id"), "{json}");
        }
    });
}

#[test]
fn without_rights_advice_says_which_and_goes_on() {
    run(async {
        let bed = Bed::new();
        let client = bed.superuser().await;
        client.batch_execute(SCHEMA).await.unwrap();
        client
            .batch_execute("CREATE EXTENSION pg_stat_statements; CREATE EXTENSION hypopg; CREATE ROLE reader LOGIN; CREATE ROLE blind LOGIN; GRANT SELECT ON orders TO reader")
            .await
            .unwrap();
        let customer = client.prepare(CUSTOMER).await.unwrap();
        for number in 0..40_i32 {
            client.query(&customer, &[&number]).await.unwrap();
        }
        let file = bed.home.join("workload.sql");
        std::fs::write(&file, "SELECT note FROM orders WHERE customer = 7").unwrap();
        let file = file.to_str().unwrap();
        for role in ["reader", "blind"] {
            // What others have asked is hidden.
            let (code, _, said) = bed.howdah(role, &["advise", "indexes"]);
            assert_eq!(code, Some(0), "{role}: {said}");
            assert!(said.contains("pg_read_all_stats"), "{role}: {said}");
            // The catalog is everybody's.
            for verb in [["advise", "schema"], ["recommendations", "list"]] {
                let (code, text, said) = bed.howdah(role, &verb);
                assert_eq!(code, Some(0), "{role} {verb:?}: {said}");
                assert!(text.contains("orders_state_again"), "{role} {verb:?}: {text}{said}");
            }
            let (code, text, said) = bed.howdah(role, &["advise", "indexes", "--workload", file]);
            assert_eq!(code, Some(0), "{role}: {said}");
            let helps = text.contains("CREATE INDEX CONCURRENTLY");
            let lacks = said.contains("public.orders")
                && said.contains("needs SELECT")
                && said.contains("cannot be planned");
            assert_eq!((helps, lacks), (role == "reader", role == "blind"), "{role}: {text}{said}");
            // It cannot be carried out, and which right is missing is said.
            let list = bed.howdah(role, &["recommendations", "list", "--json"]).1;
            let list: Value = serde_json::from_str(&list).unwrap();
            let drop = list["recommendations"]
                .as_array()
                .unwrap()
                .iter()
                .find(|one| one.to_string().contains("orders_state_again"));
            let id = drop.unwrap()["advice"]["id"].as_str().unwrap().to_owned();
            let (code, _, said) = bed.howdah(role, &["recommendations", "apply", &id, "--yes"]);
            assert_eq!(code, Some(5), "{role}: {said}");
            assert!(said.contains("GRANT"), "{role}: {said}");
        }
    });
}

#[test]
fn what_tune_prints_is_accepted_by_the_server_and_is_in_force_then() {
    run(async {
        let bed = Bed::new();
        let client = bed.superuser().await;
        let machine = ["--memory", "64GB", "--cores", "16", "--disk", "ssd"];
        let tune = |more: &[&str]| {
            let (code, text, said) =
                bed.howdah("howdah", &[&["config", "tune"], machine.as_slice(), more].concat());
            assert_eq!(code, Some(0), "{said}");
            text
        };
        let text = tune(&[]);
        assert!(
            text.contains("[restart]")
                && text.contains("[reload]")
                && text.contains("20.4.1 Memory"),
            "{text}"
        );
        let before = tune(&["--json"]);
        let changes = |json: &str| -> Vec<Value> {
            let value: Value = serde_json::from_str(json).unwrap();
            value["changes"].as_array().unwrap().clone()
        };
        let (reloads, restarts): (Vec<Value>, Vec<Value>) =
            changes(&before).into_iter().partition(|change| change["restart"] == false);
        assert!(reloads.len() >= 5 && !restarts.is_empty(), "{before}");
        let script = tune(&["--sql"]);
        let statements = script.lines().filter(|line| !line.starts_with("--"));
        let mut accepted = 0;
        for statement in statements {
            client
                .batch_execute(statement)
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
            accepted += 1;
        }
        assert_eq!(accepted, reloads.len() + restarts.len() + 1, "{script}");
        howdah_tests::eventually("what takes a reload is not advised any more", || {
            changes(&tune(&["--json"])).iter().all(|change| change["restart"] == true)
        });
        // As it says how to take them back.
        for line in script.lines().filter(|line| line.starts_with("--")) {
            let (_, back) = line.split_once("back: ").unwrap();
            client.batch_execute(back).await.unwrap();
        }
        let left =
            "SELECT count(*) FROM pg_file_settings WHERE sourcefile LIKE '%postgresql.auto.conf'";
        assert_eq!(client.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);
        // Who may read little is told more or less the same.
        client.batch_execute("CREATE ROLE reader LOGIN").await.unwrap();
        let (code, text, said) =
            bed.howdah("reader", &["config", "tune", "--memory", "64GB", "--cores", "16"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(text.contains("shared_buffers") && said.contains("--disk ssd"), "{text}{said}");
    });
}
