//! What PostgreSQL itself counts is asked of it over one connection, and shown as metrics.

use crate::console::table;
use howdah_tests::http::get;
use howdah_tests::{Builder, Rig, Servers, eventually};
use serde_json::Value;

/// The value of a family for the rig's database; more labels as they are written.
fn value(rig: &Rig, metrics: &str, family: &str, more: &str) -> Option<f64> {
    let name = format!("{family}{{node=\"primary\",database=\"{}\"{more}}} ", rig.database());
    metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok())
}

#[test]
fn buffers_and_temporary_files_are_those_that_postgresql_tells_of() {
    let rig = Rig::builder()
        .more("[statements]\nexplain = \"off\"\nserver_statistics = \"200ms\"\n[web]\nlisten = \"127.0.0.1:0\"\n")
        .in_process();
    let web = rig.web();
    let mut client = rig.client();
    client.run("CREATE TABLE heap AS SELECT n, repeat('x', 200) AS filler FROM generate_series(1, 20000) n");
    client.run("BEGIN; SET LOCAL work_mem = '64kB'; SELECT count(*) FROM (SELECT * FROM heap ORDER BY filler, n) s; ROLLBACK");
    eventually("PostgreSQL has told of a temporary file", || {
        // A server tells what it has counted when it ends a transaction, at most once a second.
        client.run("SELECT count(*) FROM heap");
        let metrics = get(web, "/metrics");
        value(&rig, &metrics, "howdah_server_temp_bytes_total", "").is_some_and(|bytes| bytes > 0.0)
    });
    let metrics = get(web, "/metrics");
    let of = |family, more| {
        value(&rig, &metrics, family, more).unwrap_or_else(|| panic!("{family}: {metrics}"))
    };
    let ratio = of("db_buffer_hit_ratio_percent", "");
    assert!(ratio > 0.0 && ratio <= 100.0, "{ratio}");
    assert!(of("howdah_server_blocks_total", ",source=\"hit\"") > 0.0);
    assert!(of("howdah_server_rollbacks_total", "") >= 1.0);
    assert_eq!(of("howdah_server_deadlocks_total", ""), 0.0);
    let mut observer = rig.observer();
    let asking = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'howdah (statistics)' AND datname = '{}'",
        rig.database()
    );
    assert_eq!(observer.value(&asking), "1", "one connection asks");
}

#[test]
fn a_database_that_nobody_uses_is_not_asked() {
    let rig = Rig::builder()
        .pool("idle_timeout", "\"100ms\"")
        .more("[statements]\nexplain = \"off\"\nserver_statistics = \"100ms\"\n")
        .in_process();
    let mut observer = rig.observer();
    let asking = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'howdah (statistics)' AND datname = '{}'",
        rig.database()
    );
    let mut client = rig.client();
    eventually("it is asked while it is used", || {
        client.run("SELECT 1");
        observer.value(&asking) == "1"
    });
    drop(client);
    eventually("it is left alone afterwards", || observer.value(&asking) == "0");
}

fn comparing(builder: Builder) -> Rig {
    builder
        .more("[statements]\nexplain = \"off\"\nserver_statistics = \"200ms\"\n[web]\nlisten = \"127.0.0.1:0\"\n")
        .in_process()
}

/// What the only node says.
fn direct(rig: &Rig) -> Value {
    let told: Value = serde_json::from_str(&get(rig.web(), "/api/v1/direct")).expect("JSON");
    told["nodes"][0].clone()
}

#[test]
fn a_statement_that_goes_past_howdah_is_found_and_one_that_goes_through_it_is_not() {
    let rig = comparing(Rig::builder().servers(Servers::start_with_statistics()));
    rig.servers()
        .superuser(rig.database())
        .run("CREATE EXTENSION pg_stat_statements; GRANT pg_read_all_stats TO app");
    let mut through = rig.client();
    through.run("CREATE TABLE parcels (id int, weight int)");
    let mut past = rig.direct().client();
    let mut number = 0;
    eventually("the statement that goes past is found", || {
        number += 1;
        through.run(&format!("SELECT weight FROM parcels WHERE id = {number}"));
        past.run(&format!("SELECT id FROM parcels WHERE weight = {number}"));
        direct(&rig)["direct"].as_array().is_some_and(|found| !found.is_empty())
    });
    let node = direct(&rig);
    assert_eq!(node["missing"], Value::Null, "{node}");
    let found = node["direct"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{node}");
    assert_eq!(found[0]["statement"], "select id from parcels where weight = $1", "{node}");
    assert_eq!(found[0]["database"], rig.database());
    assert!(found[0]["direct"].as_u64() > Some(1), "{node}");
}

#[test]
fn without_the_extension_or_the_right_to_see_it_is_said_what_to_do() {
    let rig = comparing(Rig::builder().servers(Servers::start_with_statistics()));
    let mut client = rig.client();
    let mut missing = |what: &str| {
        eventually(what, || {
            client.run("SELECT 1");
            direct(&rig)["missing"].as_str().is_some_and(|missing| missing.contains(what))
        });
    };
    missing("CREATE EXTENSION pg_stat_statements");
    let mut superuser = rig.servers().superuser(rig.database());
    superuser.run("CREATE EXTENSION pg_stat_statements");
    superuser.run("CREATE TABLE secrets AS SELECT 1 AS a");
    missing("GRANT pg_read_all_stats TO \"app\"");
}

#[test]
fn a_library_that_is_not_loaded_is_named() {
    let rig = comparing(Rig::builder());
    rig.servers().superuser(rig.database()).run("CREATE EXTENSION pg_stat_statements");
    let mut client = rig.client();
    eventually("the library is named", || {
        client.run("SELECT 1");
        let missing = direct(&rig)["missing"].clone();
        missing.as_str().is_some_and(|missing| missing.contains("shared_preload_libraries"))
    });
}

/// What is said of the only node's sessions that do not come from Howdah.
fn outsiders(rig: &Rig) -> Value {
    let told: Value = serde_json::from_str(&get(rig.web(), "/api/v1/outsiders")).expect("JSON");
    told["nodes"][0].clone()
}

#[test]
fn sessions_that_go_past_howdah_are_named_and_its_own_are_not() {
    let rig = comparing(Rig::builder().servers(Servers::start()));
    rig.servers().superuser(rig.database()).run("GRANT pg_read_all_stats TO app");
    let mut through = rig.client();
    through.run("CREATE TABLE parcels (id int, weight int)");
    let mut past = rig.direct().parameter("application_name", "nightly").client();
    past.run("BEGIN");
    past.run("SELECT id FROM parcels WHERE weight = 4711");
    let session = |node: &Value| {
        let sessions = node["sessions"].as_array().cloned().unwrap_or_default();
        sessions.into_iter().find(|one| one["application"] == "nightly")
    };
    // Howdah has servers of its own in every state meanwhile.
    let mut held = rig.client();
    held.run("BEGIN");
    eventually("the one that goes past is found", || {
        through.run("SELECT 1");
        session(&outsiders(&rig)).is_some_and(|one| one["state"] == "idle in transaction")
    });
    let node = outsiders(&rig);
    let found = session(&node).unwrap();
    assert_eq!(found["statement"], "select id from parcels where weight = $1", "{node}");
    assert_eq!((&found["database"], &found["user"]), (&rig.database().into(), &"app".into()));
    assert!(found["transaction_ms"].is_number(), "{node}");
    assert_eq!(node["missing"], Value::Null, "{node}");
    let mut console = rig.target().database("howdah").client();
    let own = table(&mut console, "SHOW SERVERS");
    assert!(own.len() >= 2, "{own:?}");
    for one in node["sessions"].as_array().unwrap() {
        let process = Some(one["process"].to_string());
        assert!(own.iter().all(|server| server["remote_pid"] != process), "{process:?}: {node}");
        assert!(!one["application"].as_str().unwrap().starts_with("howdah ("), "{node}");
    }
    let shown = table(&mut console, "SHOW OUTSIDERS");
    assert!(shown.iter().any(|row| row["application"].as_deref() == Some("nightly")), "{shown:?}");
    past.run("COMMIT");
    drop(past);
    eventually("it is gone", || {
        through.run("SELECT 1");
        session(&outsiders(&rig)).is_none()
    });
}

#[test]
fn no_more_than_fifty_are_listed_and_the_rest_is_counted() {
    let rig = comparing(Rig::builder().servers(Servers::start()));
    let past: Vec<_> = (0..60).map(|_| rig.direct().client()).collect();
    let mut through = rig.client();
    eventually("all are counted", || {
        through.run("SELECT 1");
        outsiders(&rig)["all"].as_u64() >= Some(60)
    });
    assert_eq!(outsiders(&rig)["sessions"].as_array().unwrap().len(), 50);
    drop(past);
}

#[test]
fn of_other_roles_it_is_said_what_may_not_be_seen() {
    let rig = comparing(Rig::builder().servers(Servers::start()));
    let mut client = rig.client();
    let _past = rig.servers().superuser(rig.database());
    eventually("the right that is missing is named", || {
        client.run("SELECT 1");
        let missing = outsiders(&rig)["missing"].clone();
        missing.as_str().is_some_and(|it| it.contains("GRANT pg_read_all_stats TO \"app\""))
    });
}

#[test]
fn nobody_looks_for_outsiders_when_statistics_are_off() {
    let rig = Rig::builder()
        .more("[statements]\nserver_statistics = \"off\"\n[web]\nlisten = \"127.0.0.1:0\"\n")
        .in_process();
    rig.client().run("SELECT 1");
    assert_eq!(outsiders(&rig), Value::Null);
}
