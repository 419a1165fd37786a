//! What only Howdah has: `SHOW PINS`, `SHOW LEAKS`, `SHOW NODES`, `SHOW NOTIFICATIONS`, `SHOW PREPARED`, `SHOW RULES`.

use super::super::table::{Columns, Kind, Row, cell, date_of};
use super::{View, pools};
use crate::report::{NotificationReport, RouteReport, RuleReport};
use crate::rows::{ClientRow, StatementRow};
use crate::settings::Node;
use crate::tenure::Leak;

use Kind::{Int4, Int8, Text};

pub(super) const PINS: Columns = &[
    ("database", Text),
    ("user", Text),
    ("reason", Text),
    ("client", Int4),
    ("server_pid", Int4),
    ("addr", Text),
    ("application_name", Text),
    ("connected_s", Int8),
];

/// Clients that hold a server beyond their transaction.
pub(super) fn pins(view: &View) -> Vec<Row> {
    let clients = view.workers.iter().flat_map(|worker| worker.clients.iter());
    clients
        .filter_map(|client| {
            Some(vec![
                cell(&client.database),
                cell(&client.user),
                cell(client.pin?),
                cell(client.process_id),
                client.server.and_then(|(_, process_id)| cell(process_id)),
                cell(client.peer),
                cell(&client.application),
                cell(view.now.saturating_duration_since(client.since).as_secs()),
            ])
        })
        .collect()
}

pub(super) const LEAKS: Columns = &[
    ("database", Text),
    ("user", Text),
    ("state", Text),
    ("age_s", Int8),
    ("pinned", Text),
    ("client", Int4),
    ("server_pid", Int4),
    ("addr", Text),
    ("application_name", Text),
];

/// Clients that hold a server for longer than `pool.leak_threshold`, the longest first.
pub(super) fn leaks(view: &View) -> Vec<Row> {
    let clients = view.workers.iter().flat_map(|worker| worker.clients.iter());
    let mut leaks: Vec<_> = clients.filter_map(|client| Some((client.leak?, client))).collect();
    leaks.sort_by_key(|(leak, _)| std::cmp::Reverse(leak.age));
    let row = |(leak, client): (Leak, &ClientRow)| {
        vec![
            cell(&client.database),
            cell(&client.user),
            cell(leak.state),
            cell(leak.age.as_secs()),
            client.pin.and_then(cell),
            cell(client.process_id),
            client.server.and_then(|(_, process_id)| cell(process_id)),
            cell(client.peer),
            cell(&client.application),
        ]
    };
    leaks.into_iter().map(row).collect()
}

pub(super) const NODES: Columns = &[
    ("name", Text),
    ("host", Text),
    ("port", Int4),
    ("databases", Text),
    ("max_servers", Int4),
    ("sv_active", Int4),
    ("sv_idle", Int4),
    ("sv_login", Int4),
    ("cl_waiting", Int4),
    ("breaker", Text),
    ("failures", Int4),
    ("down_s", Int8),
    ("answered_s", Int8),
    ("last_error", Text),
    ("socket", Text),
    ("role", Text),
    ("standing", Text),
    ("timeline", Int8),
    ("lag_bytes", Int8),
    ("lag_ms", Int8),
    ("drained", Int4),
    ("weight", Int4),
];

/// All nodes, and replicas that nobody has configured.
pub(super) fn nodes(view: &View) -> Vec<Row> {
    let row = |(at, node): (usize, &Node)| {
        let (host, port) = pools::endpoint(&node.address);
        let databases = view.settings.databases.iter().filter(|database| database.primary == at);
        let databases: Vec<&str> = databases.map(|database| database.name.as_str()).collect();
        let state = view.report.nodes.iter().find(|state| state.name == node.name);
        let pools = || view.report.pools.iter().filter(|pool| pool.node == node.name);
        let sum =
            |count: fn(&crate::report::PoolReport) -> usize| pools().map(count).sum::<usize>();
        vec![
            cell(&node.name),
            cell(host),
            cell(port),
            cell(databases.join(", ")),
            node.max_servers.and_then(cell),
            cell(sum(|pool| pool.servers_active)),
            cell(sum(|pool| pool.servers_idle + pool.servers_used)),
            cell(sum(|pool| pool.servers_opening)),
            cell(sum(|pool| pool.clients_waiting)),
            state.and_then(|state| cell(state.breaker)),
            state.and_then(|state| cell(state.failures)),
            state.and_then(|state| cell(state.down_for?.as_secs())),
            state.and_then(|state| cell(state.answered?.as_secs())),
            state
                .and_then(|state| state.last_error.clone())
                .or_else(|| pools().find_map(|pool| pool.last_error.clone())),
            state.and_then(|state| state.socket.clone()).map(|socket| match socket {
                Ok(path) => path,
                Err(reason) => format!("not used: {reason}"),
            }),
            state.and_then(|state| cell(state.role)),
            state.and_then(|state| cell(state.standing)),
            state.and_then(|state| state.timeline.and_then(cell)),
            state.and_then(|state| state.lag_bytes.and_then(cell)),
            state.and_then(|state| cell(state.lag?.as_millis())),
            cell(u8::from(state.is_some_and(|state| state.drained))),
            cell(node.weight),
        ]
    };
    let unlisted = view.report.unlisted.iter().map(|it| {
        let mut row: Row = vec![None; NODES.len()];
        let known = [
            ("host", cell(&it.address)),
            ("role", cell("replica")),
            ("standing", cell("unlisted")),
        ];
        for (value, (column, _)) in row.iter_mut().zip(NODES) {
            let found = known.iter().find(|(name, _)| name == column);
            *value = found.and_then(|(_, value)| value.clone());
        }
        row
    });
    view.settings.nodes.iter().enumerate().map(row).chain(unlisted).collect()
}

pub(super) const NOTIFICATIONS: Columns = &[
    ("database", Text),
    ("addr", Text),
    ("channels", Int8),
    ("listeners", Int8),
    ("notifications", Int8),
    ("losses", Int8),
];

/// The connections that listen for clients, one for each database.
pub(super) fn notifications(view: &View) -> Vec<Row> {
    let row = |one: &NotificationReport| {
        vec![
            cell(&one.database),
            cell(&one.address),
            cell(one.channels),
            cell(one.listeners),
            cell(one.notifications),
            cell(one.losses),
        ]
    };
    view.report.notifications.iter().map(row).collect()
}

pub(super) const ROUTES: Columns =
    &[("cluster", Text), ("reason", Text), ("explanation", Text), ("requests", Int8)];

/// Where requests went, and why.
pub(super) fn routes(view: &View) -> Vec<Row> {
    let row = |route: &RouteReport| {
        vec![
            cell(&route.cluster),
            cell(route.reason),
            cell(route.explanation),
            cell(route.requests),
        ]
    };
    view.report.routes.iter().map(row).collect()
}

pub(super) const RULES: Columns = &[
    ("name", Text),
    ("conditions", Text),
    ("effect", Text),
    ("hits", Int8),
    ("blocked", Int8),
    ("flagged", Int8),
    ("last_hit", Text),
];

/// Rules about statements, in their order.
pub(super) fn rules(view: &View) -> Vec<Row> {
    let row = |rule: &RuleReport| {
        vec![
            cell(&rule.name),
            cell(&rule.conditions),
            cell(&rule.effect),
            cell(rule.hits),
            cell(rule.blocked),
            cell(rule.flagged),
            rule.last_hit.and_then(date_of),
        ]
    };
    view.report.rules.iter().map(row).collect()
}

pub(super) const PREPARED: Columns =
    &[("worker", Int4), ("id", Int8), ("names", Int4), ("idle_servers", Int4), ("statement", Text)];

/// Texts that clients have prepared. Sessions share them per worker.
pub(super) fn prepared(workers: &[Vec<StatementRow>]) -> Vec<Row> {
    let rows = workers.iter().enumerate().flat_map(|(worker, statements)| {
        statements.iter().map(move |statement| {
            vec![
                cell(worker),
                cell(statement.id),
                cell(statement.names),
                cell(statement.idle_servers),
                cell(&statement.text),
            ]
        })
    });
    rows.collect()
}
