//! `SHOW POOLS`, `SHOW DATABASES` and `SHOW USERS`.

use std::collections::BTreeSet;

use super::super::table::{Columns, Kind, Row, cell, flag};
use super::View;
use crate::report::PoolReport;
use crate::settings::{Database, NodeAddress, User};

use Kind::{Int4, Int8, Text};

pub(super) const POOLS: Columns = &[
    ("database", Text),
    ("user", Text),
    ("cl_active", Int4),
    ("cl_waiting", Int4),
    ("cl_active_cancel_req", Int4),
    ("cl_waiting_cancel_req", Int4),
    ("sv_active", Int4),
    ("sv_active_cancel", Int4),
    ("sv_being_canceled", Int4),
    ("sv_idle", Int4),
    ("sv_used", Int4),
    ("sv_tested", Int4),
    ("sv_login", Int4),
    ("maxwait", Int4),
    ("maxwait_us", Int4),
    ("pool_mode", Text),
    ("load_balance_hosts", Text),
    ("cl_idle", Int4),
    ("pool_size", Int4),
    ("node", Text),
    ("paused", Int4),
    ("pinned", Text),
    ("last_error", Text),
    ("recommended_size", Int4),
    ("why", Text),
    ("flights", Int8),
    ("shared", Int8),
    ("unshared", Text),
    ("flight_target", Int4),
    ("leaks", Int4),
];

pub(super) fn pools(view: &View) -> Vec<Row> {
    let row = |pool: &PoolReport| {
        let pinned: Vec<String> =
            pool.pinned.iter().map(|(reason, count)| format!("{reason}={count}")).collect();
        let unshared: Vec<String> =
            pool.unshared.iter().map(|(reason, count)| format!("{reason}={count}")).collect();
        vec![
            cell(&pool.database),
            cell(&pool.user),
            cell(pool.clients_active + pool.clients_idle),
            cell(pool.clients_waiting),
            cell(pool.cancels),
            // They are sent on at once.
            cell(0),
            cell(pool.servers_active),
            cell(pool.cancels),
            cell(pool.servers_being_canceled),
            cell(pool.servers_idle),
            cell(pool.servers_used),
            cell(pool.servers_tested),
            cell(pool.servers_opening),
            cell(pool.oldest_wait.as_secs()),
            cell(pool.oldest_wait.subsec_micros()),
            cell(pool.mode),
            None,
            cell(pool.clients_idle),
            cell(pool.max_size),
            cell(&pool.node),
            flag(pool.paused),
            cell(pinned.join(" ")),
            pool.last_error.clone(),
            pool.advice.as_ref().and_then(|advice| cell(advice.size)),
            pool.advice.as_ref().and_then(cell),
            cell(pool.flights),
            cell(pool.shared),
            cell(unshared.join(" ")),
            cell(pool.flight_target),
            cell(pool.leaks),
        ]
    };
    view.report.pools.iter().map(row).collect()
}

pub(super) const DATABASES: Columns = &[
    ("name", Text),
    ("host", Text),
    ("port", Int4),
    ("database", Text),
    ("force_user", Text),
    ("pool_size", Int4),
    ("min_pool_size", Int4),
    ("reserve_pool_size", Int4),
    ("server_lifetime", Int4),
    ("pool_mode", Text),
    ("load_balance_hosts", Text),
    ("max_connections", Int4),
    ("current_connections", Int4),
    ("max_client_connections", Int4),
    ("current_client_connections", Int4),
    ("paused", Int4),
    ("disabled", Int4),
    ("node", Text),
];

/// Every configured database, and those that clients use by way of `*`.
pub(super) fn databases(view: &View) -> Vec<Row> {
    let mut names: BTreeSet<&str> =
        view.settings.databases.iter().map(|database| database.name.as_str()).collect();
    names.extend(view.report.pools.iter().map(|pool| pool.database.as_str()));
    let row = |name: &&str| Some(database(view, name, view.settings.database(name)?));
    names.iter().filter_map(row).collect()
}

fn database(view: &View, name: &str, database: &Database) -> Row {
    let node = view.settings.nodes.get(database.primary);
    let (host, port) = node.map(|node| endpoint(&node.address)).unwrap_or_default();
    let pools = || view.report.pools.iter().filter(|pool| pool.database == name);
    let servers: usize = pools().map(servers).sum();
    let clients: usize = pools().map(clients).sum();
    vec![
        cell(name),
        cell(host),
        cell(port),
        cell(database.on_server(name)),
        None,
        cell(database.pool.max_size),
        cell(database.pool.min_size),
        cell(database.pool.reserve_size),
        cell(database.pool.max_lifetime.as_secs()),
        cell(database.pool.mode.as_str()),
        None,
        cell(database.max_servers.unwrap_or(0)),
        cell(servers),
        cell(database.max_clients.unwrap_or(0)),
        cell(clients),
        flag(view.holds.is_paused(name)),
        flag(view.holds.is_disabled(name)),
        node.map(|node| node.name.clone()),
    ]
}

fn servers(pool: &PoolReport) -> usize {
    pool.servers_active
        + pool.servers_idle
        + pool.servers_used
        + pool.servers_tested
        + pool.servers_being_canceled
        + pool.servers_opening
}

fn clients(pool: &PoolReport) -> usize {
    pool.clients_active + pool.clients_idle + pool.clients_waiting
}

/// Host or directory, and port.
pub(super) fn endpoint(address: &NodeAddress) -> (String, u16) {
    match address {
        NodeAddress::Tcp { host, port } => (host.clone(), *port),
        NodeAddress::Unix { directory, port } => (directory.display().to_string(), *port),
    }
}

pub(super) const USERS: Columns = &[
    ("name", Text),
    ("pool_size", Text),
    ("reserve_pool_size", Text),
    ("pool_mode", Text),
    ("max_user_connections", Int4),
    ("current_connections", Int4),
    ("max_user_client_connections", Int4),
    ("current_client_connections", Int4),
];

/// Every configured user, and those that come by way of `*`.
pub(super) fn users(view: &View) -> Vec<Row> {
    let mut names: BTreeSet<&str> =
        view.settings.users.iter().map(|user| user.name.as_str()).collect();
    names.extend(view.report.pools.iter().map(|pool| pool.user.as_str()));
    let row = |name: &&str| Some(user(view, name, view.settings.user(name)?));
    names.iter().filter_map(row).collect()
}

fn user(view: &View, name: &str, user: &User) -> Row {
    let pools = || view.report.pools.iter().filter(|pool| pool.user == name);
    vec![
        cell(name),
        None,
        None,
        user.pool_mode.and_then(|mode| cell(mode.as_str())),
        cell(user.max_servers.unwrap_or(0)),
        cell(pools().map(servers).sum::<usize>()),
        cell(user.max_clients.unwrap_or(0)),
        cell(pools().map(clients).sum::<usize>()),
    ]
}
