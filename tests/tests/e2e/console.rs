//! The console shows what PgBouncer's shows: columns, types, values; to every protocol and to the drivers' own programs.

use std::collections::BTreeMap;
use std::process::Command;

use howdah_local::PgBouncer;
use howdah_tests::raw::{Connection, Frames, Reply, Target};
use howdah_tests::{Rig, eventually};

const TEXT: u32 = 25;
const INT4: u32 = 23;
const INT8: u32 = 20;
const NUMERIC: u32 = 1700;

/// PgBouncer 1.25's columns, in its order: name, and one letter for the type (`s` text, `i` int4, `q` int8, `N` numeric).
const COLUMNS: &[(&str, &str)] = &[
    (
        "STATS",
        "database:s total_server_assignment_count:N total_xact_count:N total_query_count:N total_received:N total_sent:N \
         total_xact_time:N total_query_time:N total_wait_time:N total_client_parse_count:N total_server_parse_count:N \
         total_bind_count:N avg_server_assignment_count:N avg_xact_count:N avg_query_count:N avg_recv:N avg_sent:N \
         avg_xact_time:N avg_query_time:N avg_wait_time:N avg_client_parse_count:N avg_server_parse_count:N avg_bind_count:N",
    ),
    (
        "STATS_TOTALS",
        "database:s server_assignment_count:N xact_count:N query_count:N bytes_received:N bytes_sent:N xact_time:N \
         query_time:N wait_time:N client_parse_count:N server_parse_count:N bind_count:N",
    ),
    (
        "STATS_AVERAGES",
        "database:s server_assignment_count:N xact_count:N query_count:N bytes_received:N bytes_sent:N xact_time:N \
         query_time:N wait_time:N avg_client_parse_count:N avg_server_parse_count:N avg_bind_count:N",
    ),
    ("TOTALS", "name:s value:N"),
    (
        "POOLS",
        "database:s user:s cl_active:i cl_waiting:i cl_active_cancel_req:i cl_waiting_cancel_req:i sv_active:i \
         sv_active_cancel:i sv_being_canceled:i sv_idle:i sv_used:i sv_tested:i sv_login:i maxwait:i maxwait_us:i \
         pool_mode:s load_balance_hosts:s",
    ),
    (
        "DATABASES",
        "name:s host:s port:i database:s force_user:s pool_size:i min_pool_size:i reserve_pool_size:i server_lifetime:i \
         pool_mode:s load_balance_hosts:s max_connections:i current_connections:i max_client_connections:i \
         current_client_connections:i paused:i disabled:i",
    ),
    ("CLIENTS", SOCKET),
    ("SERVERS", SOCKET),
    ("SOCKETS", BUFFERS),
    ("ACTIVE_SOCKETS", BUFFERS),
    (
        "USERS",
        "name:s pool_size:s reserve_pool_size:s pool_mode:s max_user_connections:i current_connections:i \
         max_user_client_connections:i current_client_connections:i",
    ),
    ("LISTS", "list:s items:i"),
    ("CONFIG", "key:s value:s default:s changeable:s"),
    ("MEM", "name:s size:i used:i free:i memtotal:i"),
    ("STATE", "key:s value:s"),
    ("VERSION", "version:s"),
    ("PEERS", "peer_id:i host:s port:i pool_size:i"),
    (
        "PEER_POOLS",
        "peer_id:i cl_active_cancel_req:i cl_waiting_cancel_req:i sv_active_cancel:i sv_login:i",
    ),
    ("DNS_HOSTS", "hostname:s ttl:q addrs:s"),
    ("DNS_ZONES", "zonename:s serial:q count:i"),
];

const SOCKET: &str = "type:s user:s database:s replication:s state:s addr:s port:i local_addr:s local_port:i connect_time:s \
     request_time:s wait:i wait_us:i close_needed:i ptr:s link:s remote_pid:i tls:s application_name:s prepared_statements:i id:i";

const BUFFERS: &str = "type:s user:s database:s replication:s state:s addr:s port:i local_addr:s local_port:i connect_time:s \
     request_time:s wait:i wait_us:i close_needed:i ptr:s link:s remote_pid:i tls:s application_name:s prepared_statements:i id:i \
     recv_pos:i pkt_pos:i pkt_remain:i send_pos:i send_remain:i pkt_avail:i send_avail:i";

/// Tables that must have no further columns: exporters count them.
const EXACT: [&str; 4] = ["CONFIG", "LISTS", "TOTALS", "STATE"];

fn console(rig: &Rig) -> Connection {
    rig.target().database("pgbouncer").client()
}

/// Names and types of the columns of a `RowDescription`.
fn described(reply: &Reply) -> Vec<(String, u32)> {
    assert_eq!(reply.tag, b'T', "{reply:?}");
    let mut rest = &reply.body[2..];
    let mut columns = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == 0).unwrap();
        let name = String::from_utf8(rest[..end].to_vec()).unwrap();
        let after = &rest[end + 1..];
        columns.push((name, u32::from_be_bytes(after[6..10].try_into().unwrap())));
        rest = &after[18..];
    }
    columns
}

/// The columns that a command's answer has.
fn columns(connection: &mut Connection, command: &str) -> Vec<(String, u32)> {
    let seen = connection.run(command);
    let description = seen.0.iter().find(|reply| reply.tag == b'T');
    described(description.unwrap_or_else(|| panic!("{command}: {seen:?}")))
}

/// Rows as maps from column to value.
pub(crate) fn table(
    connection: &mut Connection,
    command: &str,
) -> Vec<BTreeMap<String, Option<String>>> {
    let seen = connection.run(command);
    let names = described(seen.0.iter().find(|reply| reply.tag == b'T').unwrap());
    let names = || names.iter().map(|(name, _)| name.clone());
    seen.rows().into_iter().map(|row| names().zip(row).collect()).collect()
}

/// The value in a column, of the only row in which another column has this value.
pub(crate) fn cell(
    connection: &mut Connection,
    command: &str,
    (key, wanted): (&str, &str),
    column: &str,
) -> String {
    let rows = table(connection, command);
    let mut found: Vec<_> = rows.iter().filter(|row| row[key].as_deref() == Some(wanted)).collect();
    assert_eq!(found.len(), 1, "{command}: {key} = {wanted}: {rows:#?}");
    found.remove(0)[column].clone().unwrap_or_default()
}

#[test]
fn every_table_has_pgbouncers_columns_in_its_order_and_with_its_types() {
    let rig = Rig::start();
    let mut client = rig.client();
    client.run("BEGIN");
    let mut console = console(&rig);
    for (topic, expected) in COLUMNS {
        let expected: Vec<(String, u32)> = expected
            .split_whitespace()
            .map(|column| {
                let (name, kind) = column.split_once(':').unwrap();
                let oid = match kind {
                    "s" => TEXT,
                    "i" => INT4,
                    "q" => INT8,
                    _ => NUMERIC,
                };
                (name.to_owned(), oid)
            })
            .collect();
        let seen = columns(&mut console, &format!("SHOW {topic};"));
        assert_eq!(seen.get(..expected.len()), Some(&expected[..]), "SHOW {topic}: {seen:?}");
        if EXACT.contains(topic) {
            assert_eq!(seen.len(), expected.len(), "SHOW {topic} has columns of its own");
        }
    }
}

#[test]
fn an_installed_pgbouncer_has_no_column_of_another_type() {
    let rig = Rig::start();
    let bouncer = PgBouncer::builder(rig.servers().primary()).start().unwrap();
    let mut theirs = Target::port(bouncer.port(), "howdah", "pgbouncer").client();
    let mut ours = console(&rig);
    // Renamed since.
    let old = ["reserve_pool"];
    let mut compared = 0;
    for (topic, _) in COLUMNS {
        let command = format!("SHOW {topic}");
        let Ok(seen) = theirs.query(&command) else { continue };
        let Some(description) = seen.0.iter().find(|reply| reply.tag == b'T') else { continue };
        let known: BTreeMap<String, u32> = columns(&mut ours, &command).into_iter().collect();
        for (name, oid) in described(description) {
            if old.contains(&name.as_str()) {
                continue;
            }
            assert_eq!(known.get(&name), Some(&oid), "{command}: {name}");
            compared += 1;
        }
    }
    assert!(compared > 80, "only {compared} columns were compared");
}

#[test]
fn pools_clients_and_servers_tell_what_is_going_on() {
    let rig = Rig::builder().pool_size(1).in_process();
    let _idle = rig.client();
    let mut waiting = rig.client();
    let named = rig.target().parameter("application_name", "it's me");
    let mut busy = named.client();
    busy.run("BEGIN");
    waiting.send(&Frames::new().query("SELECT 1")).unwrap();
    let mut console = console(&rig);
    let database = rig.database().to_owned();
    let here = ("database", database.as_str());
    eventually("a client waits", || cell(&mut console, "SHOW POOLS", here, "cl_waiting") == "1");
    for (column, value) in [
        ("user", "app"),
        ("cl_active", "2"),
        ("cl_idle", "1"),
        ("sv_active", "1"),
        ("sv_idle", "0"),
        ("sv_tested", "0"),
        ("pool_mode", "transaction"),
        ("pool_size", "1"),
        ("node", "primary"),
        ("paused", "0"),
    ] {
        assert_eq!(cell(&mut console, "SHOW POOLS", here, column), value, "{column}");
    }
    let clients = table(&mut console, "SHOW CLIENTS");
    let states = |state: &str| {
        let database = Some(database.as_str());
        let here = |row: &&BTreeMap<String, Option<String>>| row["database"].as_deref() == database;
        let mut found: Vec<_> = clients.iter().filter(here).collect();
        found.retain(|row| row["state"].as_deref() == Some(state));
        found
    };
    let (active, idle, waits) = (states("active"), states("idle"), states("waiting"));
    assert_eq!((active.len(), idle.len(), waits.len()), (1, 1, 1), "{clients:#?}");
    assert_eq!(active[0]["application_name"].as_deref(), Some("it's me"));
    assert_eq!(active[0]["id"], Some(busy.process_id.to_string()));
    assert_eq!(active[0]["local_port"], Some(rig.port().to_string()));
    assert!(active[0]["connect_time"].as_deref().unwrap().ends_with(" UTC"));
    let servers = table(&mut console, "SHOW SERVERS");
    assert_eq!(servers.len(), 1, "{servers:#?}");
    let backend = busy.value("SELECT pg_backend_pid()");
    for (column, value) in [
        ("state", "active"),
        ("remote_pid", backend.as_str()),
        ("application_name", "it's me"),
        ("close_needed", "0"),
        ("user", "app"),
    ] {
        assert_eq!(servers[0][column].as_deref(), Some(value), "{column}");
    }
    assert_eq!(servers[0]["link"], active[0]["ptr"]);
    assert_eq!(active[0]["link"], servers[0]["ptr"]);
    busy.run("COMMIT");
    assert_eq!(waiting.until(b'Z', 1).unwrap().values(), ["1"]);
    assert_eq!(table(&mut console, "SHOW SERVERS")[0]["state"].as_deref(), Some("idle"));
}

#[test]
fn statistics_are_kept_by_database_and_outlive_their_pools() {
    let rig = Rig::builder().pool("idle_timeout", "\"200ms\"").in_process();
    let mut console = console(&rig);
    let database = rig.database().to_owned();
    let mut client = rig.client();
    for _ in 0..5 {
        client.run("SELECT 1");
    }
    client.run("BEGIN");
    client.run("SELECT pg_sleep(0.05)");
    client.run("COMMIT");
    let prepare = Frames::new().parse("s", "SELECT 2").sync();
    client.answer(&prepare, 1);
    client.answer(&Frames::new().bind("", "s", &[]).execute("", 0).sync(), 1);
    let mut number = |topic: &str, column: &str| -> u64 {
        let value = cell(&mut console, topic, ("database", &database), column);
        value.parse().unwrap()
    };
    assert_eq!(number("SHOW STATS", "total_query_count"), 10);
    assert_eq!(number("SHOW STATS", "total_xact_count"), 8);
    assert_eq!(number("SHOW STATS_TOTALS", "query_count"), 10);
    assert_eq!(number("SHOW STATS", "total_client_parse_count"), 1);
    assert_eq!(number("SHOW STATS", "total_bind_count"), 1);
    assert_eq!(number("SHOW STATS", "total_client_connect_count"), 1);
    assert!(number("SHOW STATS", "total_server_assignment_count") >= 8);
    let (transactions, requests) =
        (number("SHOW STATS", "total_xact_time"), number("SHOW STATS", "total_query_time"));
    assert!(transactions >= 50_000 && requests >= 50_000, "{transactions} {requests}");
    assert!(transactions >= requests - 10_000, "a transaction is not shorter than its statements");
    assert!(number("SHOW STATS", "avg_xact_time") > 0);
    assert!(number("SHOW STATS", "total_received") > 100);
    let total = |console: &mut Connection, name: &str| {
        cell(console, "SHOW TOTALS", ("name", name), "value").parse::<u64>().unwrap()
    };
    drop(client);
    let mut observer = rig.observer();
    eventually("the pool is gone", || {
        let pools = table(&mut console, "SHOW POOLS");
        pools.is_empty() && rig.backends(&mut observer).is_empty()
    });
    let kept = cell(&mut console, "SHOW STATS", ("database", &database), "total_query_count");
    assert_eq!(kept, "10");
    assert_eq!(total(&mut console, "total_query_count"), 10);
}

#[test]
fn the_configuration_is_shown_with_pgbouncers_names_and_without_secrets() {
    let rig = Rig::builder()
        .pool_size(7)
        .users("[[user]]\nname = \"app\"\nauth = \"trust\"\n[[user]]\nname = \"other\"\npassword = \"s3cret\"\n")
        .in_process();
    let mut console = console(&rig);
    let mut value =
        |key: &str, column: &str| cell(&mut console, "SHOW CONFIG", ("key", key), column);
    assert_eq!(value("pool.max_size", "value"), "7");
    assert_eq!(value("default_pool_size", "value"), "7");
    assert_eq!(value("default_pool_size", "default"), "20");
    assert_eq!(value("pool.max_size", "changeable"), "yes");
    assert_eq!(value("listen_port", "changeable"), "no");
    // What the exporter of the Prometheus community reads as numbers.
    for key in ["max_client_conn", "max_user_connections"] {
        assert!(value(key, "value").parse::<f64>().is_ok(), "{key}");
    }
    let seen = format!("{:?}", console.run("SHOW CONFIG"));
    assert!(!seen.contains("s3cret"), "{seen}");
}

#[test]
fn pins_nodes_and_prepared_statements_are_shown() {
    let rig = Rig::start();
    let mut client = rig.client();
    client.run("CREATE TEMP TABLE mine (a int)");
    client.answer(&Frames::new().parse("s", "SELECT 'prepared'").sync(), 1);
    let mut console = rig.target().database("howdah").client();
    let pins = table(&mut console, "SHOW PINS");
    assert_eq!(pins.len(), 1, "{pins:#?}");
    assert_eq!(pins[0]["reason"].as_deref(), Some("temporary_table"));
    assert_eq!(pins[0]["client"], Some(client.process_id.to_string()));
    let nodes = table(&mut console, "SHOW NODES");
    assert_eq!(nodes[0]["name"].as_deref(), Some("primary"));
    assert_eq!(nodes[0]["sv_active"].as_deref(), Some("1"));
    let prepared = table(&mut console, "SHOW PREPARED");
    let texts: Vec<_> = prepared.iter().map(|row| row["statement"].as_deref()).collect();
    assert_eq!(texts, [Some("SELECT 'prepared'")]);
}

#[test]
fn the_extended_protocol_gives_the_same_tables() {
    let rig = Rig::start();
    let _client = rig.client();
    let mut console = console(&rig);
    let simple = console.run("SHOW STATE");
    let frames = Frames::new().parse("", "SHOW STATE").describe_statement("").bind("", "", &[]);
    let seen = console.answer(&frames.describe_portal("").execute("", 0).sync(), 1);
    assert_eq!(seen.summary(), "1 t T 2 T D D D C Z(I)");
    assert_eq!(seen.rows(), simple.rows());
    // A named statement, again and again; rows a few at a time.
    console.answer(&Frames::new().parse("state", "SHOW STATE;").sync(), 1);
    for _ in 0..2 {
        let seen = console.answer(
            &Frames::new().bind("p", "state", &[]).execute("p", 2).execute("p", 2).sync(),
            1,
        );
        assert_eq!(seen.summary(), "2 D D s D C Z(I)");
    }
    let seen = console.answer(&Frames::new().parse("state", "SHOW STATE").sync(), 1);
    assert_eq!(seen.errors()[0].code, "42P05");
    console.answer(&Frames::new().close_statement("state").sync(), 1);
    let seen = console.answer(&Frames::new().bind("", "state", &[]).execute("", 0).sync(), 1);
    assert_eq!(seen.summary(), "E(26000) Z(I)", "after an error nothing is done up to the Sync");
    let seen =
        console.answer(&Frames::new().parse("", "").bind("", "", &[]).execute("", 0).sync(), 1);
    assert_eq!(seen.summary(), "1 2 I Z(I)");
    let seen = console.answer(
        &Frames::new()
            .parse("", "SET x = 1")
            .bind("", "", &[])
            .describe_portal("")
            .execute("", 0)
            .sync(),
        1,
    );
    assert_eq!(seen.summary(), "1 2 n C Z(I)");
    // Numbers in binary.
    let frames = Frames::new().parse("", "SHOW LISTS").bind_formats("", "", &[], &[], &[0, 1]);
    let seen = console.answer(&frames.execute("", 0).sync(), 1);
    let row = seen.0.iter().find(|reply| reply.tag == b'D').unwrap();
    assert_eq!(row.body[row.body.len() - 8..], [0, 0, 0, 4, 0, 0, 0, 1], "one database, as int4");
}

#[test]
fn a_binary_driver_reads_every_type() {
    let rig = Rig::start();
    rig.client().run("SELECT 1");
    rig.block_on(async {
        let (client, connection) = rig.engine().connect("howdah", "anybody").await.unwrap();
        let driver = tokio::spawn(connection);
        let rows = client.query("SHOW POOLS", &[]).await.unwrap();
        assert_eq!(rows[0].get::<_, &str>("database"), rig.database());
        assert_eq!(rows[0].get::<_, i32>("sv_idle"), 1);
        assert_eq!(rows[0].get::<_, Option<&str>>("load_balance_hosts"), None);
        assert!(client.query("SHOW NONSENSE", &[]).await.is_err());
        let rows = client.query("SHOW DNS_HOSTS", &[]).await.unwrap();
        assert!(rows.is_empty());
        drop(client);
        driver.await.unwrap().unwrap();
    });
}

#[test]
fn what_drivers_say_unasked_is_accepted() {
    let rig = Rig::start();
    let mut console = rig
        .target()
        .database("pgbouncer")
        .parameter("application_name", "exporter")
        .parameter("extra_float_digits", "2")
        .client();
    for (statement, tag) in [
        ("SET extra_float_digits = 3", "SET"),
        ("SET application_name = 'PostgreSQL JDBC Driver'", "SET"),
        ("SET client_encoding TO 'UTF8'", "SET"),
        ("set datestyle to 'ISO'; set client_min_messages to notice", "SET"),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET"),
        ("BEGIN", "BEGIN"),
        ("COMMIT", "COMMIT"),
        ("ROLLBACK", "ROLLBACK"),
        ("DISCARD ALL", "DISCARD ALL"),
    ] {
        let seen = console.run(statement);
        assert_eq!(seen.commands().last().map(String::as_str), Some(tag), "{statement}: {seen:?}");
    }
    for (parameter, value) in [
        ("standard_conforming_strings", "on"),
        ("DateStyle", "ISO, MDY"),
        ("client_encoding", "UTF8"),
        ("TRANSACTION ISOLATION LEVEL", "read committed"),
    ] {
        assert_eq!(console.value(&format!("SHOW {parameter}")), value);
    }
    assert!(console.value("SHOW server_version").starts_with("1.25.0/howdah "));
    // A ping of lib/pq.
    assert_eq!(console.run(";").summary(), "I Z(I)");
    let seen = console.run("SHOW HELP");
    assert!(seen.notices()[0].detail.as_deref().unwrap().contains("KILL_CLIENT"), "{seen:?}");
    let refused = console.error("SELECT * FROM t");
    assert_eq!((refused.severity.as_str(), refused.code.as_str()), ("ERROR", "42601"));
    let refused = console.error("SHOW FDS");
    assert_eq!(refused.code, "0A000");
    let refused = console.error("SET pool.max_size = 5");
    assert!(refused.hint.unwrap().contains("RELOAD"));
    assert_eq!(console.error("SET default_pool_size = 5").code, "0A000");
}

#[test]
fn psql_shows_tables() {
    let rig = Rig::start();
    rig.client().run("SELECT 1");
    let psql = |sql: &str| {
        let url = format!("host=127.0.0.1 port={} user=app dbname=pgbouncer", rig.port());
        let output =
            Command::new("psql").args(["-X", "-A", "-d", &url, "-c", sql]).output().unwrap();
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{sql}: {err}");
        (out.into_owned(), err.into_owned())
    };
    let (shown, _) = psql("SHOW POOLS");
    let first = shown.lines().next().unwrap();
    assert!(first.starts_with("database|user|cl_active|cl_waiting|"), "{first}");
    assert!(shown.lines().any(|line| line.starts_with(&format!("{}|app|", rig.database()))));
    let (_, told) = psql("SHOW HELP");
    assert!(told.contains("Console usage"), "{told}");
}
