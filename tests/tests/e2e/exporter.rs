//! What monitoring reads: the queries of prometheus-community/pgbouncer_exporter, and figures that agree with each other.
//!
//! Queries and columns are those of `metricMaps`, `listsMap` and `configMap` in the exporter's `collector.go`; it asks over the simple
//! protocol, scans rows of `LISTS` and `CONFIG` by position, and takes every metric for a number.

use std::collections::BTreeMap;
use std::time::Duration;

use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{Rig, eventually};

use crate::console::table;

/// Tables that are read by column: labels, then metrics.
const BY_COLUMN: &[(&str, &[&str], &[&str])] = &[
    (
        "DATABASES",
        &["name", "host", "port", "database", "force_user", "pool_mode"],
        &["pool_size", "max_connections", "current_connections", "paused", "disabled"],
    ),
    (
        "STATS_TOTALS",
        &["database"],
        &[
            "query_count",
            "query_time",
            "bytes_received",
            "bytes_sent",
            "wait_time",
            "xact_count",
            "xact_time",
            "client_parse_count",
            "server_parse_count",
            "bind_count",
        ],
    ),
    (
        "POOLS",
        &["database", "user"],
        &[
            "cl_active",
            "cl_active_cancel_req",
            "cl_waiting",
            "cl_waiting_cancel_req",
            "sv_active",
            "sv_active_cancel",
            "sv_being_canceled",
            "sv_idle",
            "sv_used",
            "sv_tested",
            "sv_login",
            "maxwait",
        ],
    ),
];

const LISTS: &[&str] = &[
    "databases",
    "users",
    "pools",
    "free_clients",
    "used_clients",
    "login_clients",
    "free_servers",
    "used_servers",
    "dns_names",
    "dns_zones",
    "dns_queries",
];

const CONFIG: &[&str] = &["max_client_conn", "max_user_connections"];

fn console(rig: &Rig) -> Connection {
    rig.target().database("pgbouncer").user("stats_collector").client()
}

fn number(row: &BTreeMap<String, Option<String>>, column: &str) -> f64 {
    let value = row.get(column).unwrap_or_else(|| panic!("no column {column}: {row:?}"));
    let text = value.as_deref().unwrap_or_else(|| panic!("{column} is null: {row:?}"));
    text.parse().unwrap_or_else(|_| panic!("{column} is not a number: {row:?}"))
}

#[test]
fn every_metric_of_pgbouncer_exporter_is_there_and_a_number() {
    let rig = Rig::start();
    rig.client().run("SELECT 1");
    let _client = rig.client();
    let mut console = console(&rig);
    // How it finds out whether the target is up.
    assert!(!console.run("SHOW STATS").rows().is_empty());
    for (topic, labels, metrics) in BY_COLUMN {
        let rows = table(&mut console, &format!("SHOW {topic};"));
        assert!(!rows.is_empty(), "{topic}");
        for row in &rows {
            assert!(labels.iter().all(|label| row.contains_key(*label)), "{topic}: {row:?}");
            for metric in *metrics {
                assert!(number(row, metric) >= 0.0, "{topic}: {row:?}");
            }
        }
    }
    let lists = console.run("SHOW LISTS;").rows();
    assert!(lists.iter().all(|row| row.len() == 2), "{lists:?}");
    for wanted in LISTS {
        let found = lists.iter().find(|row| row[0].as_deref() == Some(wanted));
        let items = found.and_then(|row| row[1].as_ref()).map(|text| text.parse::<f64>());
        assert!(matches!(items, Some(Ok(_))), "{wanted}: {lists:?}");
    }
    let config = console.run("SHOW CONFIG;").rows();
    assert!(config.iter().all(|row| row.len() == 4 && row[0].is_some() && row[3].is_some()));
    for wanted in CONFIG {
        let found = config.iter().find(|row| row[0].as_deref() == Some(wanted));
        let value = found.and_then(|row| row[1].as_ref()).map(|text| text.parse::<f64>());
        assert!(matches!(value, Some(Ok(_))), "{wanted}");
    }
    let version = console.run("SHOW VERSION;").rows();
    assert!(version[0][0].as_deref().is_some_and(|text| text.starts_with("howdah ")));
}

/// Rows with a value in a column.
fn count(rows: &[BTreeMap<String, Option<String>>], column: &str, value: &str) -> f64 {
    let found = rows.iter().filter(|row| row[column].as_deref() == Some(value)).count();
    f64::from(u32::try_from(found).unwrap())
}

#[test]
fn the_figures_of_all_tables_agree_under_load() {
    let rig = Rig::builder().pool_size(2).in_process();
    let target = rig.target().timeout(Duration::from_secs(60));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut client = target.client();
                for turn in 0..60 {
                    client.run("BEGIN");
                    assert_eq!(client.value(&format!("SELECT {turn}")), turn.to_string());
                    client.run("COMMIT");
                }
            });
        }
    });
    // Two work, two wait for them, three are idle, and one has not logged in.
    let mut working = [target.client(), target.client()];
    working.iter_mut().for_each(|client| drop(client.run("BEGIN")));
    let mut waiting = [target.client(), target.client()];
    waiting.iter_mut().for_each(|client| client.send(&Frames::new().query("SELECT 1")).unwrap());
    let _idle = [target.client(), target.client(), target.client()];
    let _knocking = Connection::open(&target).unwrap();
    let mut console = console(&rig);
    let sum = |rows: &[BTreeMap<String, Option<String>>], column: &str| {
        rows.iter().map(|row| number(row, column)).sum::<f64>()
    };
    eventually("two wait", || sum(&table(&mut console, "SHOW POOLS"), "cl_waiting") == 2.0);
    let pools = table(&mut console, "SHOW POOLS");
    let clients = table(&mut console, "SHOW CLIENTS");
    let servers = table(&mut console, "SHOW SERVERS");
    let here: Vec<_> = clients
        .iter()
        .filter(|row| row["database"].as_deref() == Some(rig.database()))
        .cloned()
        .collect();
    assert_eq!(here.len(), 7, "{clients:#?}");
    assert_eq!(sum(&pools, "cl_active"), 5.0, "{pools:#?}");
    assert_eq!(sum(&pools, "cl_idle"), count(&here, "state", "idle"), "{clients:#?}");
    assert_eq!(sum(&pools, "cl_waiting"), count(&here, "state", "waiting"), "{clients:#?}");
    assert_eq!(
        sum(&pools, "cl_active") - sum(&pools, "cl_idle"),
        count(&here, "state", "active"),
        "{clients:#?}"
    );
    assert_eq!(sum(&pools, "sv_active"), count(&servers, "state", "active"), "{servers:#?}");
    assert_eq!(servers.len(), 2, "{servers:#?}");
    let lists = table(&mut console, "SHOW LISTS");
    let list = |name: &str| {
        let row = lists.iter().find(|row| row["list"].as_deref() == Some(name));
        number(row.unwrap_or_else(|| panic!("{name}: {lists:?}")), "items")
    };
    assert_eq!(list("used_clients"), f64::from(u32::try_from(clients.len()).unwrap()));
    assert_eq!(list("login_clients"), 1.0, "the one that has not logged in: {lists:#?}");
    assert_eq!(list("used_servers"), 2.0);
    assert_eq!(list("pools"), f64::from(u32::try_from(pools.len()).unwrap()));
    let databases = table(&mut console, "SHOW DATABASES");
    assert_eq!(sum(&databases, "current_connections"), 2.0, "{databases:#?}");
    assert_eq!(sum(&databases, "current_client_connections"), 7.0, "{databases:#?}");
    // Nobody works now, so counts stand still between two questions.
    let stats = table(&mut console, "SHOW STATS");
    let totals = table(&mut console, "SHOW STATS_TOTALS");
    let all = table(&mut console, "SHOW TOTALS");
    let mut compared = 0;
    for column in totals[0].keys().filter(|column| *column != "database") {
        let long = match column.strip_prefix("bytes_") {
            Some(direction) => format!("total_{direction}"),
            None => format!("total_{column}"),
        };
        assert_eq!(sum(&stats, &long), sum(&totals, column), "{column}");
        if let Some(row) = all.iter().find(|row| row["name"].as_deref() == Some(&long)) {
            assert_eq!(number(row, "value"), sum(&stats, &long), "{long} of SHOW TOTALS");
            compared += 1;
        }
    }
    assert!(compared > 5, "only {compared} figures are in SHOW TOTALS, too: {all:#?}");
    // 6 clients, 60 transactions of three statements each, and the two that are open.
    assert_eq!(sum(&stats, "total_query_count"), 6.0 * 60.0 * 3.0 + 2.0, "{stats:#?}");
    assert_eq!(sum(&stats, "total_xact_count"), 6.0 * 60.0, "{stats:#?}");
    working.iter_mut().for_each(|client| drop(client.run("COMMIT")));
    for client in &mut waiting {
        assert_eq!(client.until(b'Z', 1).unwrap().values(), ["1"]);
    }
}
