//! `SHOW CLIENTS`, `SHOW SERVERS`, `SHOW SOCKETS` and `SHOW ACTIVE_SOCKETS`: one line per connection.

use std::net::SocketAddr;
use std::time::Instant;

use super::super::table::{Columns, Kind, Row, cell, date, flag};
use super::{View, pools};
use crate::rows::{ClientRow, ServerRow};
use crate::settings::NodeAddress;
use crate::stream::Peer;
use crate::tls::TlsInfo;

use Kind::{Int4, Text};

/// PgBouncer's columns, followed by others.
macro_rules! columns {
    ($($more:expr),* $(,)?) => {
        &[
            ("type", Text),
            ("user", Text),
            ("database", Text),
            ("replication", Text),
            ("state", Text),
            ("addr", Text),
            ("port", Int4),
            ("local_addr", Text),
            ("local_port", Int4),
            ("connect_time", Text),
            ("request_time", Text),
            ("wait", Int4),
            ("wait_us", Int4),
            ("close_needed", Int4),
            ("ptr", Text),
            ("link", Text),
            ("remote_pid", Int4),
            ("tls", Text),
            ("application_name", Text),
            ("prepared_statements", Int4),
            ("id", Int4),
            $($more),*
        ]
    };
}

pub(super) const CLIENTS: Columns =
    columns![("server_pid", Int4), ("pinned", Text), ("requests", Int4)];
pub(super) const SERVERS: Columns = columns![("node", Text)];
pub(super) const SOCKETS: Columns = columns![
    ("recv_pos", Int4),
    ("pkt_pos", Int4),
    ("pkt_remain", Int4),
    ("send_pos", Int4),
    ("send_remain", Int4),
    ("pkt_avail", Int4),
    ("send_avail", Int4),
];

/// Address and port; a connection that is not TCP has a port of 0.
fn split(address: Option<SocketAddr>, otherwise: &str) -> (String, u16) {
    match address {
        Some(address) => (address.ip().to_canonical().to_string(), address.port()),
        None => (otherwise.to_owned(), 0),
    }
}

/// `ptr` and `link`: no addresses of memory, but the numbers by which lines belong together.
fn pointer(kind: char, id: u32) -> String {
    format!("{kind}{id}")
}

/// `tls`: empty for a connection in clear.
fn encryption(tls: Option<TlsInfo>) -> Option<String> {
    cell(tls.map(|tls| tls.to_string()).unwrap_or_default())
}

fn client(client: &ClientRow, state: &str, now: Instant) -> Row {
    let remote = match client.peer {
        Peer::Tcp(address) => split(Some(address), ""),
        Peer::Unix | Peer::Memory => split(None, &client.peer.to_string()),
    };
    let local = split(client.local, &remote.0);
    let waited =
        client.waiting.map(|since| now.saturating_duration_since(since)).unwrap_or_default();
    vec![
        cell('C'),
        cell(&client.user),
        cell(&client.database),
        cell("none"),
        cell(state),
        cell(remote.0),
        cell(remote.1),
        cell(local.0),
        cell(local.1),
        date(client.since),
        date(client.requested),
        cell(waited.as_secs()),
        cell(waited.subsec_micros()),
        cell(0),
        cell(pointer('c', client.process_id)),
        cell(client.server.map(|(id, _)| pointer('s', id)).unwrap_or_default()),
        cell(0),
        encryption(client.tls),
        cell(&client.application),
        cell(client.prepared),
        cell(client.process_id),
    ]
}

fn server(server: &ServerRow, state: &str) -> Row {
    let (host, port) = match &server.address {
        NodeAddress::Tcp { .. } => pools::endpoint(&server.address),
        NodeAddress::Unix { port, .. } => ("unix".to_owned(), *port),
    };
    let local = split(server.local, "unix");
    vec![
        cell('S'),
        cell(&server.user),
        cell(&server.database),
        cell("none"),
        cell(state),
        cell(host),
        cell(port),
        cell(local.0),
        cell(local.1),
        date(server.opened),
        date(server.requested),
        cell(0),
        cell(0),
        flag(server.leaving),
        cell(pointer('s', server.id)),
        cell(server.client.map(|id| pointer('c', id)).unwrap_or_default()),
        cell(server.process_id),
        encryption(server.tls),
        cell(&server.application),
        cell(server.prepared),
        cell(server.id),
    ]
}

fn all_clients(view: &View) -> impl Iterator<Item = &ClientRow> {
    view.workers.iter().flat_map(|worker| worker.clients.iter())
}

fn all_servers(view: &View) -> impl Iterator<Item = &ServerRow> {
    view.workers.iter().flat_map(|worker| worker.servers.iter())
}

pub(super) fn clients(view: &View) -> Vec<Row> {
    let row = |one: &ClientRow| {
        let mut row = client(one, one.state, view.now);
        row.push(one.server.and_then(|(_, process_id)| cell(process_id)));
        row.push(one.pin.and_then(cell));
        row.push(cell(one.requests));
        row
    };
    all_clients(view).map(row).collect()
}

pub(super) fn servers(view: &View) -> Vec<Row> {
    let row = |one: &ServerRow| {
        let mut row = server(one, one.state);
        row.push(cell(&one.node));
        row
    };
    all_servers(view).map(row).collect()
}

/// Where in its buffers a connection is, is known to its session alone.
fn with_buffers(mut row: Row) -> Row {
    row.extend(std::iter::repeat_n(cell(0), SOCKETS.len() - row.len()));
    row
}

fn some_sockets(view: &View, active_only: bool) -> Vec<Row> {
    let clients = all_clients(view)
        .filter(|one| !active_only || matches!(one.state, "active" | "waiting"))
        .map(|one| {
            let state = if one.state == "waiting" { "cl_waiting" } else { "cl_active" };
            let state = if one.state == "login" { "cl_login" } else { state };
            with_buffers(client(one, state, view.now))
        });
    let servers = all_servers(view)
        .filter(|one| !active_only || one.state == "active")
        .map(|one| with_buffers(server(one, &format!("sv_{}", one.state))));
    clients.chain(servers).collect()
}

pub(super) fn sockets(view: &View) -> Vec<Row> {
    some_sockets(view, false)
}

pub(super) fn active_sockets(view: &View) -> Vec<Row> {
    some_sockets(view, true)
}
