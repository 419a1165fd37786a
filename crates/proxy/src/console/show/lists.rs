//! The short ones: `SHOW LISTS`, `MEM`, `STATE`, `VERSION`, and the columns of those that are always empty here.

use super::super::table::{Columns, Kind, Row, cell};
use super::View;
use crate::server::Server;
use crate::session::Session;

use Kind::{Int4, Int8, Text};

pub(super) const LISTS: Columns = &[("list", Text), ("items", Int4)];

pub(super) fn lists(view: &View) -> Vec<Row> {
    let clients: usize = view.workers.iter().map(|worker| worker.clients.len()).sum();
    let servers: usize = view.workers.iter().map(|worker| worker.servers.len()).sum();
    let rows = view.workers.iter().flat_map(|worker| &worker.clients);
    // Consoles are listed, and do not count as clients.
    let logged_in = rows.filter(|row| !row.is_console).count();
    let lists = [
        ("databases", view.settings.databases.len()),
        ("users", view.settings.users.len()),
        ("peers", 0),
        ("pools", view.report.pools.len()),
        ("peer_pools", 0),
        ("free_clients", 0),
        ("used_clients", clients),
        ("login_clients", view.report.clients.saturating_sub(logged_in)),
        ("free_servers", 0),
        ("used_servers", servers),
        ("dns_names", 0),
        ("dns_zones", 0),
        ("dns_queries", 0),
        ("dns_pending", 0),
    ];
    lists.into_iter().map(|(list, items)| vec![cell(list), cell(items)]).collect()
}

pub(super) const MEM: Columns =
    &[("name", Text), ("size", Int4), ("used", Int4), ("free", Int4), ("memtotal", Int4)];

/// Without buffers, which a connection has only while bytes are on their way.
pub(super) fn mem(view: &View) -> Vec<Row> {
    let clients: usize = view.workers.iter().map(|worker| worker.clients.len()).sum();
    let servers: usize = view.workers.iter().map(|worker| worker.servers.len()).sum();
    let kinds =
        [("clients", size_of::<Session>(), clients), ("servers", size_of::<Server>(), servers)];
    let row = |(name, size, used): (&str, usize, usize)| {
        vec![cell(name), cell(size), cell(used), cell(0), cell(size.saturating_mul(used))]
    };
    kinds.into_iter().map(row).collect()
}

pub(super) const STATE: Columns = &[("key", Text), ("value", Text)];

pub(super) fn state(view: &View) -> Vec<Row> {
    let paused = view.holds.is_all_paused();
    let word = |yes: bool| cell(if yes { "yes" } else { "no" });
    vec![
        vec![cell("active"), word(!paused)],
        vec![cell("paused"), word(paused)],
        vec![cell("suspended"), word(false)],
    ]
}

pub(super) const VERSION: Columns = &[("version", Text)];

pub(super) fn version() -> Vec<Row> {
    vec![vec![cell(concat!("howdah ", env!("CARGO_PKG_VERSION")))]]
}

pub(super) const PEERS: Columns =
    &[("peer_id", Int4), ("host", Text), ("port", Int4), ("pool_size", Int4)];

pub(super) const PEER_POOLS: Columns = &[
    ("peer_id", Int4),
    ("cl_active_cancel_req", Int4),
    ("cl_waiting_cancel_req", Int4),
    ("sv_active_cancel", Int4),
    ("sv_login", Int4),
];

pub(super) const DNS_HOSTS: Columns = &[("hostname", Text), ("ttl", Int8), ("addrs", Text)];

pub(super) const DNS_ZONES: Columns = &[("zonename", Text), ("serial", Int8), ("count", Int4)];
