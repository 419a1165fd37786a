//! Answers that count for a time: where changes are followed, where they are not, and without anybody who tells of them.

use howdah_local::Cluster;
use howdah_tests::raw::Connection;

use crate::answers::{ON, counts, simple, warm};
use crate::bed::{Bed, catch_up, eventually, nodes};

const TABLES: &str = "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT n, n FROM generate_series(1, 9) n; \
    CREATE TABLE apart (id int PRIMARY KEY, v int); INSERT INTO apart SELECT * FROM t; \
    CREATE UNLOGGED TABLE quick (id int PRIMARY KEY, v int); INSERT INTO quick SELECT * FROM t; \
    CREATE TABLE secret (id int PRIMARY KEY, v int); INSERT INTO secret SELECT * FROM t; \
    ALTER TABLE secret ENABLE ROW LEVEL SECURITY; \
    CREATE MATERIALIZED VIEW summary AS SELECT id, v FROM t; \
    CREATE FUNCTION mine(int) RETURNS int LANGUAGE sql AS 'SELECT $1'";

fn read(table: &str) -> String {
    format!("SELECT v FROM {table} WHERE id = 7")
}

fn value(client: &mut Connection, table: &str) -> String {
    client.answer(&simple(&read(table)), 1).values().concat()
}

/// Only `t` is published.
fn bed(ttl: &str) -> Bed {
    let nodes = nodes().sql(TABLES).sql("CREATE PUBLICATION howdah FOR TABLE t");
    let tables = "[\"t\", \"apart\", \"quick\", \"secret\", \"summary\"]";
    let rule = format!("[[cache.rule]]\nname = \"r\"\ntable = {tables}\nttl = \"{ttl}\"\n");
    let bed = Bed::on(nodes, &format!("{ON}{rule}"));
    bed.open();
    bed
}

fn hits(bed: &Bed, client: &mut Connection, sql: &str) -> bool {
    let before = counts(bed).hits;
    client.answer(&simple(sql), 1);
    counts(bed).hits > before
}

#[test]
fn what_nobody_tells_of_is_given_for_a_time() {
    let bed = bed("1h");
    let (mut client, mut reader, mut other) = (bed.client(), bed.client(), bed.direct());
    for table in ["apart", "quick", "summary"] {
        warm(&bed, &mut reader, &simple(&read(table)));
        if table == "summary" {
            other.run("UPDATE t SET v = 100 WHERE id = 7; REFRESH MATERIALIZED VIEW summary");
        } else {
            other.run(&format!("UPDATE {table} SET v = 100 WHERE id = 7"));
        }
        catch_up(&bed.open());
        let definitions = table == "summary";
        assert!(definitions || hits(&bed, &mut reader, &read(table)), "{table}");
        assert!(definitions || value(&mut reader, table) == "7", "{table} as it was");
    }
    for table in ["apart", "quick"] {
        warm(&bed, &mut client, &simple(&read(table)));
        client.run(&format!("UPDATE {table} SET v = 200 WHERE id = 7"));
        assert_eq!(value(&mut client, table), "200", "who has written sees it");
        warm(&bed, &mut client, &simple(&read(table)));
        assert_eq!(value(&mut client, table), "200", "{table}");
        for less in ["howdah.cache_level = strict", "howdah.max_staleness = '1us'"] {
            client.run(&format!("SET {less}"));
            assert!(!hits(&bed, &mut client, &read(table)), "{less}");
            client.run("RESET ALL");
        }
        let flush = format!("CACHE FLUSH TABLE {table}");
        warm(&bed, &mut reader, &simple(&read(table)));
        bed.console().answer(&simple(&flush), 1);
        assert_eq!(value(&mut reader, table), "200", "it was forgotten");
    }
    // Whose answer it is does not change with time.
    for sql in [read("secret"), format!("{} AND mine(1) = 1", read("quick"))] {
        for _ in 0..5 {
            assert!(!hits(&bed, &mut reader, &sql), "{sql}");
            catch_up(&bed.open());
        }
    }
}

#[test]
fn after_its_time_an_answer_is_asked_for_again() {
    let bed = bed("300ms");
    let freshness = bed.open();
    let (mut client, mut other) = (bed.client(), bed.direct());
    for table in ["t", "quick"] {
        warm(&bed, &mut client, &simple(&read(table)));
        eventually("its time is over", || !hits(&bed, &mut client, &read(table)));
    }
    other.run("UPDATE quick SET v = 100 WHERE id = 7");
    eventually("what others write is seen", || value(&mut client, "quick") == "100");
    for change in 200..210 {
        warm(&bed, &mut client, &simple(&read("t")));
        other.run(&format!("UPDATE t SET v = {change} WHERE id = 7"));
        catch_up(&freshness);
        assert_eq!(value(&mut client, "t"), change.to_string(), "what is followed is seen at once");
    }
}

#[test]
fn nobody_has_to_tell_of_changes_at_all() {
    let rule = "[[cache.rule]]\nname = \"r\"\ntable = \"t\"\nttl = \"1h\"\n";
    let bed = Bed::unfollowed(Cluster::builder().sql(TABLES), &format!("{ON}{rule}"));
    let (mut client, mut reader, mut other) = (bed.client(), bed.client(), bed.direct());
    warm(&bed, &mut reader, &simple(&read("t")));
    other.run("UPDATE t SET v = 100 WHERE id = 7");
    assert!(hits(&bed, &mut reader, &read("t")));
    assert_eq!(value(&mut reader, "t"), "7", "as it was");
    client.run("UPDATE t SET v = 200 WHERE id = 7");
    assert_eq!(value(&mut client, "t"), "200", "who has written sees it");
    bed.console().answer(&simple("CACHE FLUSH TABLE t"), 1);
    assert_eq!(value(&mut reader, "t"), "200");
    for _ in 0..5 {
        assert!(!hits(&bed, &mut reader, &read("apart")), "no rule lets it rest on its age");
    }
    let told = bed.report().trouble.unwrap_or_default();
    assert!(told.contains("not followed"), "{told}");
}

#[test]
fn whom_others_refuse_and_what_lies_elsewhere_is_seen_when_the_time_is_over() {
    let abroad = "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; CREATE ROLE alice; \
        GRANT SELECT ON t TO alice; DO $$ DECLARE file text := current_setting('data_directory') || '/abroad.csv'; BEGIN \
        EXECUTE format('COPY t TO %L CSV', file); \
        EXECUTE format('CREATE FOREIGN TABLE abroad (id int, v int) SERVER files OPTIONS (filename %L, format ''csv'')', file); END $$";
    let rule = |ttl: &str| {
        format!("{ON}[[cache.rule]]\nname = \"r\"\ntable = [\"t\", \"abroad\"]\nttl = \"{ttl}\"\n")
    };
    let bed = Bed::unfollowed(Cluster::builder().sql(TABLES).sql(abroad), &rule("1h"));
    let (mut alice, mut reader, mut other) = (bed.client(), bed.client(), bed.direct());
    alice.run("SET ROLE alice");
    warm(&bed, &mut alice, &simple(&read("t")));
    warm(&bed, &mut reader, &simple(&read("abroad")));
    let rewrite = "DO $$ BEGIN EXECUTE format('COPY (SELECT id, v + 100 FROM t) TO %L CSV', current_setting('data_directory') || '/abroad.csv'); END $$";
    other.run(rewrite);
    assert!(hits(&bed, &mut reader, &read("abroad")));
    assert_eq!(value(&mut reader, "abroad"), "7", "as it was");
    other.run("REVOKE SELECT ON t FROM alice");
    assert_eq!(value(&mut alice, "t"), "7", "the time is not over");
    bed.reload(&rule("200ms"));
    eventually("its time is over", || value(&mut reader, "abroad") == "107");
    eventually("it is refused", || {
        let answer = alice.query(&read("t")).expect("an answer");
        answer.errors().first().is_some_and(|error| error.code == "42501")
    });
    let mut howdah = bed.client();
    warm(&bed, &mut howdah, &simple(&read("t")));
    assert_eq!(alice.error(&read("t")).code, "42501", "what others may see is not for alice");
}
