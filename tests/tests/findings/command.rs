//! The command `howdah advise`: what it prints, and that what it finds can be carried out by id.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use howdah_tests::program;
use serde_json::Value;

use crate::bed::{Bed, run};

/// A directory that goes away at the end.
struct Room(PathBuf);

impl Room {
    fn new(bed: &Bed) -> Self {
        let path = std::env::temp_dir().join(format!(
            "howdah-advise-{}-{}",
            std::process::id(),
            bed.database
        ));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn howdah(room: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env_clear()
        .env("NO_COLOR", "1")
        .env("USER", "somebody")
        .env("HOME", room);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{arguments:?}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

#[test]
fn what_is_found_in_a_schema_is_listed_and_carried_out_by_id() {
    run(async {
        let bed = Bed::new();
        let room = Room::new(&bed);
        let client = bed.superuser().await;
        client
            .batch_execute("CREATE TABLE t (a int PRIMARY KEY, b int); CREATE INDEX t_b ON t (b); CREATE INDEX t_b_again ON t (b)")
            .await
            .unwrap();
        let url = bed.url("howdah");
        let journal = room.0.join("advice.db").to_str().unwrap().to_owned();
        let at = ["--url", url.as_str(), "--journal", journal.as_str()];
        let of = |arguments: &[&str]| howdah(&room.0, &[arguments, at.as_slice()].concat());
        let text = of(&["advise", "schema"]);
        assert!(
            text.contains("drop index t_b_again: t_b is the same")
                && text.contains("DROP INDEX CONCURRENTLY public.t_b_again;"),
            "{text}"
        );
        let json: Value = serde_json::from_str(&of(&["advise", "schema", "--json"])).unwrap();
        let id = json["databases"][0]["recommendations"][0]["id"].as_str().unwrap().to_owned();
        assert!(of(&["recommendations", "list"]).contains(&id));
        let there = "SELECT count(*) FROM pg_class WHERE relname = 't_b_again'";
        of(&["recommendations", "apply", &id, "--yes"]);
        assert_eq!(client.query_one(there, &[]).await.unwrap().get::<_, i64>(0), 0);
        of(&["recommendations", "undo", &id, "--yes"]);
        assert_eq!(client.query_one(there, &[]).await.unwrap().get::<_, i64>(0), 1);
    });
}

#[test]
fn plans_and_statements_in_files_are_judged_in_words() {
    run(async {
        let bed = Bed::new();
        let room = Room::new(&bed);
        let client = bed.superuser().await;
        client
            .batch_execute("CREATE TABLE a (id int NOT NULL, x int); CREATE TABLE b (id int NOT NULL); INSERT INTO a SELECT n, n FROM generate_series(1, 20000) AS n")
            .await
            .unwrap();
        let explain = async |statement: &str| {
            let rows = client
                .simple_query(&format!("EXPLAIN (ANALYZE, FORMAT JSON) {statement}"))
                .await
                .unwrap();
            rows.iter().find_map(|row| match row {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
        };
        let slow = room.file("slow.json", &explain("SELECT * FROM a WHERE x = 5").await.unwrap());
        client.batch_execute("CREATE INDEX a_x ON a (x); ANALYZE a").await.unwrap();
        let fast = room.file("fast.json", &explain("SELECT * FROM a WHERE x = 5").await.unwrap());
        let text = howdah(&room.0, &["advise", "plan", &slow]);
        assert!(text.contains("Seq Scan on a") && text.contains("read as a whole"), "{text}");
        let text = howdah(&room.0, &["advise", "plan", &fast, "--before", &slow]);
        assert!(
            text.contains("a: Index Scan using a_x, before: Seq Scan")
                && text.contains("Nothing is wrong"),
            "{text}"
        );

        let file = room.file("queries.sql", "SELECT id FROM a WHERE id NOT IN (SELECT id FROM b);\nSELECT id FROM a WHERE x NOT IN (SELECT id FROM b);");
        let url = bed.url("howdah");
        let text = howdah(&room.0, &["advise", "plan", &slow, "--catalog", "--url", &url]);
        assert!(text.contains("Seq Scan on a") && text.contains("read as a whole"), "{text}");
        let text = howdah(&room.0, &["advise", "rewrite", &file, "--url", &url]);
        assert!(
            text.contains(
                "→ SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.id = a.id)"
            ),
            "{text}"
        );
        assert!(text.contains("! a.x may be null"), "{text}");
    });
}
