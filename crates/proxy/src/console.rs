//! The administration console on the databases `howdah` and `pgbouncer`: `SHOW …` over the simple protocol, columns named as
//! PgBouncer names them where it has them. It reads; it changes nothing.

use std::rc::Rc;

use howdah_wire::backend::{self, TransactionStatus};
use howdah_wire::frontend::tag;
use howdah_wire::sqlstate::SqlState;
use howdah_wire::{frame, frontend};

use crate::auth::Link;
use crate::error::Refusal;
use crate::proxy::{report, worker_reports};
use crate::report::Report;
use crate::settings::{Login, Settings};
use crate::stream::Peer;
use crate::worker::Worker;

/// Names of the console database.
const NAMES: [&str; 2] = ["howdah", "pgbouncer"];

/// What may be shown.
const TOPICS: &str = "SHOW POOLS, SHOW STATS, SHOW CLIENTS, SHOW SERVERS, SHOW NODES, SHOW DATABASES, SHOW CONFIG, SHOW VERSION, SHOW HELP";

/// Whether a database name means the console: unless a database of that name is configured.
pub(crate) fn is_console(settings: &Settings, database: &str) -> bool {
    NAMES.contains(&database) && !settings.databases.iter().any(|known| known.name == database)
}

/// Whether a user that is logged in may use the console.
///
/// # Errors
/// What the client is told.
pub(crate) fn admit(settings: &Settings, peer: Peer, user: &str) -> Result<(), Refusal> {
    let listed = settings.admin_users.iter().any(|admin| admin == user);
    let trusted = settings.user(user).is_some_and(|user| matches!(user.login, Login::Trust))
        && peer.is_local();
    if listed || trusted || peer == Peer::Memory {
        return Ok(());
    }
    Err(Refusal::new(
        SqlState::INSUFFICIENT_PRIVILEGE,
        format!("user {user:?} may not use the console"),
    )
    .hint("Add the user to admin.users."))
}

/// A table of text.
struct Table {
    columns: &'static [&'static str],
    rows: Vec<Vec<Option<String>>>,
}

/// Serves an administrator until the end.
pub(crate) async fn run(worker: &Rc<Worker>, mut link: Link, user: &str) {
    greet(worker, &mut link);
    tracing::debug!(user, "console opened");
    let end = serve(worker, &mut link).await;
    if let Err(refusal) = end {
        refusal.write_fatal(link.outbox.bytes(&worker.shelf));
    }
    crate::login::say_goodbye(worker, link.stream, link.outbox).await;
}

fn greet(worker: &Worker, link: &mut Link) {
    let out = link.outbox.bytes(&worker.shelf);
    backend::authentication_ok(out);
    let version = format!("1.25.0/howdah {}", env!("CARGO_PKG_VERSION"));
    let parameters = [
        ("server_version", version.as_str()),
        ("client_encoding", "UTF8"),
        ("server_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
        ("DateStyle", "ISO, MDY"),
        ("TimeZone", "UTC"),
        ("integer_datetimes", "on"),
    ];
    for (name, value) in parameters {
        backend::parameter_status_message(out, name.as_bytes(), value.as_bytes());
    }
    backend::backend_key_data(out, worker.new_process_id(), &[0; 4]);
    backend::ready_for_query(out, TransactionStatus::Idle);
}

async fn serve(worker: &Rc<Worker>, link: &mut Link) -> Result<(), Refusal> {
    loop {
        link.flush(worker).await;
        let parsed = frame::split(link.inbox.unread()).map_err(Refusal::protocol)?;
        let Some((found, _)) = parsed else {
            if link.inbox.is_full() {
                return Err(Refusal::protocol("a message is too long for the console"));
            }
            if !link.fill(worker).await {
                return Ok(());
            }
            continue;
        };
        let (frame_tag, body, whole) = (found.tag, found.body.to_vec(), found.bytes.len());
        link.inbox.consume(whole);
        match frame_tag {
            tag::TERMINATE => return Ok(()),
            tag::QUERY => {
                let sql = frontend::query_text(&body).map_err(Refusal::protocol)?;
                let answer = answer(worker, &String::from_utf8_lossy(sql)).await;
                write_answer(link.outbox.bytes(&worker.shelf), answer);
            }
            tag::SYNC => {
                backend::ready_for_query(link.outbox.bytes(&worker.shelf), TransactionStatus::Idle)
            }
            _ => {
                let refusal = Refusal::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "the console speaks the simple query protocol only",
                );
                refusal.write_error(link.outbox.bytes(&worker.shelf));
            }
        }
    }
}

fn write_answer(out: &mut Vec<u8>, answer: Result<Table, Refusal>) {
    match answer {
        Ok(table) => {
            backend::row_description_text(out, table.columns);
            for row in &table.rows {
                let row: Vec<Option<&str>> = row.iter().map(Option::as_deref).collect();
                backend::data_row_text(out, &row);
            }
            backend::command_complete(out, "SHOW");
            backend::ready_for_query(out, TransactionStatus::Idle);
        }
        Err(refusal) => refusal.write_answer(out),
    }
}

async fn answer(worker: &Rc<Worker>, sql: &str) -> Result<Table, Refusal> {
    let words: Vec<String> =
        sql.trim().trim_end_matches(';').split_whitespace().map(str::to_ascii_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["show", "pools"] => Ok(pools(&report(&worker.shared).await)),
        ["show", "stats"] => Ok(stats(&report(&worker.shared).await)),
        ["show", "clients"] => Ok(clients(worker).await),
        ["show", "servers"] => Ok(servers(worker).await),
        ["show", "nodes"] => Ok(nodes(&report(&worker.shared).await)),
        ["show", "databases"] => Ok(databases(&worker.settings())),
        ["show", "config"] => Ok(config(&report(&worker.shared).await, &worker.settings())),
        ["show", "version"] => {
            Ok(single(&["version"], format!("howdah {}", env!("CARGO_PKG_VERSION"))))
        }
        ["show" | "help"] | ["show", "help"] => Ok(single(&["commands"], TOPICS.to_owned())),
        _ => Err(Refusal::new(SqlState::SYNTAX_ERROR, "the console does not know this command")
            .hint(TOPICS)),
    }
}

fn single(columns: &'static [&'static str; 1], value: String) -> Table {
    Table { columns, rows: vec![vec![Some(value)]] }
}

fn text(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

fn pools(report: &Report) -> Table {
    let columns = &[
        "database",
        "user",
        "cl_active",
        "cl_waiting",
        "cl_idle",
        "sv_active",
        "sv_idle",
        "sv_login",
        "maxwait",
        "maxwait_us",
        "pool_mode",
        "node",
        "pool_size",
        "pinned",
        "last_error",
        "recommended_size",
        "why",
        "flights",
        "shared",
        "unshared",
        "flight_target",
    ];
    let row = |pool: &crate::report::PoolReport| {
        let pinned: Vec<String> =
            pool.pinned.iter().map(|(reason, count)| format!("{reason}={count}")).collect();
        let unshared: Vec<String> =
            pool.unshared.iter().map(|(reason, count)| format!("{reason}={count}")).collect();
        vec![
            text(&pool.database),
            text(&pool.user),
            text(pool.clients_active),
            text(pool.clients_waiting),
            text(pool.clients_idle),
            text(pool.servers_active),
            text(pool.servers_idle),
            text(pool.servers_opening),
            text(pool.oldest_wait.as_secs()),
            text(pool.oldest_wait.subsec_micros()),
            text(pool.mode),
            text(&pool.node),
            text(pool.max_size),
            text(pinned.join(" ")),
            pool.last_error.clone(),
            pool.advice.as_ref().and_then(|advice| text(advice.size)),
            pool.advice.as_ref().and_then(text),
            text(pool.flights),
            text(pool.shared),
            text(unshared.join(" ")),
            text(pool.flight_target),
        ]
    };
    Table { columns, rows: report.pools.iter().map(row).collect() }
}

fn stats(report: &Report) -> Table {
    let columns = &[
        "total_connections",
        "total_failed_logins",
        "total_query_count",
        "total_xact_count",
        "total_errors",
        "total_received",
        "total_sent",
        "total_waits",
        "total_servers_opened",
        "total_open_failures",
        "total_servers_closed",
        "query_p50_us",
        "query_p99_us",
        "wait_p50_us",
        "wait_p99_us",
        "uptime_s",
    ];
    let totals = &report.totals;
    let numbers = [
        totals.connections,
        totals.failed_logins,
        totals.requests,
        totals.transactions,
        totals.errors,
        totals.bytes_received,
        totals.bytes_sent,
        totals.waits,
        totals.servers_opened,
        totals.open_failures,
        totals.servers_closed,
        totals.request_us.value_at_quantile(0.5),
        totals.request_us.value_at_quantile(0.99),
        totals.wait_us.value_at_quantile(0.5),
        totals.wait_us.value_at_quantile(0.99),
        report.uptime.as_secs(),
    ];
    Table { columns, rows: vec![numbers.iter().map(text).collect()] }
}

async fn clients(worker: &Worker) -> Table {
    let columns = &[
        "user",
        "database",
        "state",
        "addr",
        "connected_s",
        "requests",
        "pid",
        "server_pid",
        "pinned",
        "tls",
    ];
    let reports = worker_reports(&worker.shared).await;
    let row = |client: &crate::rows::ClientRow| {
        vec![
            text(&client.user),
            text(&client.database),
            text(client.state),
            text(&client.address),
            text(client.connected.as_secs()),
            text(client.requests),
            text(client.process_id),
            client.server.map(|process_id| process_id.to_string()),
            client.pin.map(str::to_owned),
            text(client.tls.map_or_else(String::new, |tls| tls.to_string())),
        ]
    };
    Table {
        columns,
        rows: reports.iter().flat_map(|report| report.clients.iter().map(row)).collect(),
    }
}

async fn servers(worker: &Worker) -> Table {
    let columns = &[
        "user",
        "database",
        "state",
        "addr",
        "pid",
        "age_s",
        "idle_s",
        "prepared_statements",
        "tls",
    ];
    let reports = worker_reports(&worker.shared).await;
    let idle = |server: &crate::rows::ServerRow| {
        vec![
            text(&server.user),
            text(&server.database),
            text("idle"),
            text(&server.address),
            text(server.process_id),
            text(server.age.as_secs()),
            text(server.idle.as_secs()),
            text(server.prepared),
            text(server.tls.map_or_else(String::new, |tls| tls.to_string())),
        ]
    };
    let busy = |client: &crate::rows::ClientRow| {
        let process_id = client.server?;
        Some(vec![
            text(&client.user),
            text(&client.database),
            text("active"),
            None,
            text(process_id),
            None,
            None,
            None,
            text(client.server_tls.map_or_else(String::new, |tls| tls.to_string())),
        ])
    };
    let mut rows: Vec<_> =
        reports.iter().flat_map(|report| report.servers.iter().map(idle)).collect();
    rows.extend(reports.iter().flat_map(|report| report.clients.iter().filter_map(busy)));
    Table { columns, rows }
}

fn nodes(report: &Report) -> Table {
    let columns = &["name", "address", "breaker", "failures", "down_s", "answered_s", "last_error"];
    let row = |node: &crate::report::NodeReport| {
        vec![
            text(&node.name),
            text(&node.address),
            text(node.breaker),
            text(node.failures),
            node.down_for.and_then(|time| text(time.as_secs())),
            node.answered.and_then(|time| text(time.as_secs())),
            node.last_error.clone(),
        ]
    };
    Table { columns, rows: report.nodes.iter().map(row).collect() }
}

fn databases(settings: &Settings) -> Table {
    let columns = &[
        "name",
        "database",
        "node",
        "host",
        "pool_mode",
        "min_pool_size",
        "pool_size",
        "reserve_pool_size",
    ];
    let row = |database: &crate::settings::Database| {
        let node = settings.nodes.get(database.primary);
        vec![
            text(&database.name),
            database.server_database.clone(),
            node.map(|node| node.name.clone()),
            node.map(|node| node.address.to_string()),
            text(database.pool.mode.as_str()),
            text(database.pool.min_size),
            text(database.pool.max_size),
            text(database.pool.reserve_size),
        ]
    };
    Table { columns, rows: settings.databases.iter().map(row).collect() }
}

fn config(report: &Report, settings: &Settings) -> Table {
    let listening: Vec<String> = report.listening.iter().map(ToString::to_string).collect();
    let rows = [
        ("revision", report.revision.to_string()),
        ("listening", listening.join(", ")),
        ("workers", settings.workers.to_string()),
        ("max_clients", settings.max_clients.to_string()),
        ("clients", report.clients.to_string()),
    ];
    let rows = rows.into_iter().map(|(key, value)| vec![text(key), Some(value)]).collect();
    Table { columns: &["key", "value"], rows }
}
