//! Reads leave the primary, everything else stays there, and a session sees what it has written.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use howdah_tests::farm::Farm;
use howdah_tests::raw::{Connection, Frames};

const WHERE: &str = "SELECT inet_server_port()";

fn counts(client: &mut Connection, times: usize) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for _ in 0..times {
        *found.entry(client.value(WHERE)).or_insert(0) += 1;
    }
    found
}

#[test]
fn reads_go_to_replicas_and_everything_else_to_the_primary() {
    let farm = Farm::start(2, "", &[]);
    farm.settle();
    let primary = farm.primary().port().to_string();
    let mut client = farm.client();
    client.run("CREATE TABLE t (id int)");
    client.run("SET howdah.consistency = 'eventual'");
    let found = counts(&mut client, 100);
    assert_eq!(found.get(&primary), None, "{found:?}");
    assert!(found.values().all(|count| *count == 50), "{found:?}");

    for sql in [
        "SELECT inet_server_port() FROM (SELECT 1) AS one FOR UPDATE",
        "SELECT inet_server_port(), nextval('s')",
        "WITH made AS (INSERT INTO t VALUES (1) RETURNING 1) SELECT inet_server_port() FROM made",
        "SELECT inet_server_port(), pg_advisory_xact_lock(1)",
    ] {
        client.run("CREATE SEQUENCE IF NOT EXISTS s");
        let rows = client.run(sql).rows();
        assert_eq!(rows.first().and_then(|row| row[0].clone()), Some(primary.clone()), "{sql}");
    }
    client.run("BEGIN");
    assert_eq!(client.value(WHERE), primary, "a transaction that may write");
    client.run("COMMIT");
    client.run("BEGIN READ ONLY");
    assert_ne!(client.value(WHERE), primary, "a transaction that only reads");
    let first = client.value(WHERE);
    for _ in 0..5 {
        assert_eq!(client.value(WHERE), first, "a transaction stays where it is");
    }
    client.run("COMMIT");
}

#[test]
fn prepared_statements_and_pipelines_are_split_as_well() {
    let farm = Farm::start(2, "", &[]);
    farm.settle();
    let primary = farm.primary().port().to_string();
    let mut client = farm.client();
    client.run("CREATE TABLE t (id int); SET howdah.consistency = 'eventual'");
    client.answer(&Frames::new().parse("where", WHERE).sync(), 1);
    client.answer(
        &Frames::new()
            .parse("write", "INSERT INTO t VALUES (1) RETURNING inet_server_port()")
            .sync(),
        1,
    );
    for _ in 0..20 {
        let read = client.answer(&Frames::new().execute_prepared("where", &[]).sync(), 1);
        assert_ne!(read.values()[0], primary);
        let written = client.answer(&Frames::new().execute_prepared("write", &[]).sync(), 1);
        assert_eq!(written.values()[0], primary);
    }
    // A read with a write right behind it, sent at once, in one request and in two.
    let one = Frames::new().execute_prepared("where", &[]).execute_prepared("write", &[]).sync();
    assert!(client.answer(&one, 1).values().iter().all(|port| *port == primary));
    let two =
        Frames::new().execute_prepared("where", &[]).sync().execute_prepared("write", &[]).sync();
    for _ in 0..20 {
        let answers = client.answer(&two, 2).values();
        assert_ne!(answers[0], primary);
        assert_eq!(answers[1], primary);
    }
}

#[test]
fn a_session_reads_what_it_has_written() {
    let farm = Farm::start(2, "", &[]);
    farm.settle();
    let mut client = farm.client();
    client.run("CREATE TABLE t (id int)");
    for replica in farm.replicas() {
        replica.pause_replay().unwrap();
    }
    for value in 0..50 {
        client.run(&format!("INSERT INTO t VALUES ({value})"));
        assert_eq!(client.value("SELECT max(id) FROM t"), value.to_string());
    }
    for replica in farm.replicas() {
        replica.resume_replay().unwrap();
    }
    let primary = farm.primary().port().to_string();
    let deadline = Instant::now() + Duration::from_secs(30);
    while client.value("SELECT inet_server_port() FROM t WHERE id = 49") == primary {
        assert!(Instant::now() < deadline, "reads do not come back to replicas");
    }
}

#[test]
fn a_killed_replica_costs_no_error_and_comes_back() {
    let farm = Farm::start(2, "", &[]);
    farm.settle();
    let mut client = farm.client();
    client.run("CREATE TABLE t AS SELECT 1 AS id; SET howdah.consistency = 'eventual'");
    let lost = &farm.replicas()[0];
    lost.kill().unwrap();
    let found = counts(&mut client, 200);
    assert!(!found.contains_key(&lost.port().to_string()), "{found:?}");
    lost.start().unwrap();
    farm.settle();
}
