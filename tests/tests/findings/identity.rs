//! Tables whose changes are published, and of whose rows nothing says which one was changed: PostgreSQL refuses to change them, and advice says what to do.

use howdah_advisor::Impact;
use howdah_advisor::hygiene::Options;
use howdah_ops::findings;

use crate::bed::{Bed, run};

const SCHEMA: &str = "
    CREATE TABLE keyed (id int PRIMARY KEY, n int);
    CREATE TABLE bare (id int, n int);
    CREATE TABLE unique_one (id int NOT NULL, n int); CREATE UNIQUE INDEX unique_one_id ON unique_one (id);
    CREATE TABLE nothing (id int PRIMARY KEY, n int); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
    CREATE TABLE lost (id int PRIMARY KEY, n int NOT NULL); CREATE UNIQUE INDEX lost_n ON lost (n);
    ALTER TABLE lost REPLICA IDENTITY USING INDEX lost_n; DROP INDEX lost_n;
    CREATE TABLE parted (id int, n int) PARTITION BY RANGE (id); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
    CREATE TABLE appended (id int, n int);
    CREATE TABLE private (id int, n int);
    CREATE PUBLICATION changes FOR TABLE keyed, bare, unique_one, nothing, lost;
    CREATE PUBLICATION through_the_root FOR TABLE parted WITH (publish_via_partition_root = true);
    CREATE PUBLICATION arrivals FOR TABLE appended WITH (publish = 'insert')";
const TABLES: [&str; 8] =
    ["keyed", "bare", "unique_one", "nothing", "lost", "parted_1", "appended", "private"];

#[test]
fn a_published_table_that_postgresql_refuses_to_change_is_advised_a_replica_identity() {
    run(async {
        let bed = Bed::new();
        let client = bed.superuser().await;
        client.batch_execute(SCHEMA).await.unwrap();
        let refused = async || {
            let mut refused = Vec::new();
            for table in TABLES {
                let changed = client.batch_execute(&format!("UPDATE {table} SET n = 2")).await;
                if let Err(error) = changed {
                    let said = error.as_db_error().unwrap().message();
                    assert!(said.contains("does not have a replica identity"), "{said}");
                    refused.push(format!("public.{table}"));
                }
            }
            refused.sort();
            refused
        };
        let advised = async |role| {
            let found = findings(&bed.connect(role).await, &[], &Options::default()).await.unwrap();
            let mut found: Vec<(String, String)> = found
                .into_iter()
                .filter(|one| one.title.starts_with("say which rows"))
                .map(|one| {
                    assert_eq!(one.impact, Impact::High, "{}", one.title);
                    (one.subject, one.evidence[0].then.clone())
                })
                .collect();
            found.sort();
            found
        };
        let found = advised("howdah").await;
        let subjects: Vec<&String> = found.iter().map(|(subject, _)| subject).collect();
        assert_eq!(subjects, refused().await.iter().collect::<Vec<_>>());
        let statements: Vec<&str> = found.iter().map(|(_, then)| then.as_str()).collect();
        assert_eq!(
            statements,
            [
                "ALTER TABLE public.bare REPLICA IDENTITY FULL",
                "ALTER TABLE public.lost REPLICA IDENTITY DEFAULT",
                "ALTER TABLE public.nothing REPLICA IDENTITY DEFAULT",
                "ALTER TABLE public.parted_1 REPLICA IDENTITY FULL",
                "ALTER TABLE public.unique_one REPLICA IDENTITY USING INDEX unique_one_id",
            ]
        );
        assert_eq!(advised("app").await, found, "everybody may see it");
        for statement in statements {
            client.batch_execute(statement).await.unwrap();
        }
        assert_eq!(refused().await, Vec::<String>::new());
        assert_eq!(advised("howdah").await, Vec::new());
    });
}
