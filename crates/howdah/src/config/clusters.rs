//! `[[cluster]]` and `[[cluster.node]]` into the nodes of the data plane. Not whether they can be reached.
//!
//! Invariant: without a mistake every cluster has exactly one primary, and no two nodes have one name.

use std::net::{IpAddr, Ipv4Addr};

use howdah_proxy::settings::{Listen, LocalSocket, Node, NodeAddress};
use howdah_proxy::tls::{Connector, NodeMode};

use super::Cluster;
use super::document::{self, Origin, Table};
use super::error::{ConfigError, Mistake};
use super::keys::{CLUSTER, NODE};
use super::read::{Findings, Reader};
use super::tls;
use super::validate::unique;

/// Reads all clusters and their nodes.
pub(crate) fn read(
    root: &Table,
    listen: &Listen,
    findings: &mut Findings,
) -> (Vec<Node>, Vec<Cluster>) {
    let tables = root.named("cluster");
    unique(tables, "", findings);
    if tables.is_empty() {
        findings.errors.push(ConfigError::new(
            Mistake::Missing,
            "cluster",
            Origin::Default,
            "no PostgreSQL to connect to",
            "DATABASE_URL=postgres://user:password@host:5432/database howdah up\nor write a file: howdah config init",
        ));
    }
    let mut nodes = Vec::new();
    let mut clusters = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        let name = table.name();
        let path = document::path("", table.section, Some((index, name.as_deref())));
        let mut reader = Reader::new(CLUSTER.keys, Some(table), path.clone(), findings);
        let name = match reader.text("name") {
            Some(name) => name,
            None if tables.len() == 1 => "main".to_owned(),
            None => {
                let reason = "one of several clusters, without a name";
                reader.fail(Mistake::Missing, "name", reason, "name = \"main\"");
                continue;
            }
        };
        unique(table.named("node"), &path, findings);
        let first = nodes.len();
        let roles: Vec<_> = members(table, &path, listen, &mut nodes, findings);
        let primary = primary(table, &path, &roles, findings);
        for (at, node) in nodes.iter_mut().skip(first).enumerate() {
            node.replica = at != primary;
        }
        clusters.push(Cluster {
            name,
            primary: first + primary,
            nodes: first..first + roles.len(),
        });
    }
    (nodes, clusters)
}

/// Reads the nodes of a cluster; returns their role hints.
fn members(
    cluster: &Table,
    path: &str,
    listen: &Listen,
    nodes: &mut Vec<Node>,
    findings: &mut Findings,
) -> Vec<Option<&'static str>> {
    let mut roles = Vec::new();
    for (index, table) in cluster.named("node").iter().enumerate() {
        let name = table.name();
        let path = document::path(path, table.section, Some((index, name.as_deref())));
        let mut reader = Reader::new(NODE.keys, Some(table), path, findings);
        let port = reader.integer("port").unwrap_or(0);
        if !reader.is_given("host") {
            let fix = "host = \"127.0.0.1\", or the directory of a Unix socket";
            reader.fail(Mistake::Missing, "host", "a node without a host", fix);
        }
        let host = reader.text("host").unwrap_or_default();
        if host.contains("://") {
            let fix = "host = \"db.internal\" and port = 5432, or the whole URL in DATABASE_URL";
            reader.fail(Mistake::Value, "host", "a URL, not a host", fix);
        }
        let address = if host.starts_with('/') {
            NodeAddress::Unix { directory: host.into(), port }
        } else {
            NodeAddress::Tcp { host, port }
        };
        if is_own(&address, listen) {
            let fix = "the port of PostgreSQL itself; applications get listen.port";
            reader.fail(
                Mistake::Conflict,
                "port",
                "Howdah listens there: it would connect to itself",
                fix,
            );
        }
        let tls = tls::node(&mut reader, matches!(address, NodeAddress::Unix { .. }));
        roles.push(reader.word("role"));
        let name = match reader.text("name") {
            Some(name) => name,
            None => {
                reader.implied("name", address.to_string());
                address.to_string()
            }
        };
        let socket = local_socket(&mut reader, &address, tls.as_deref());
        let max_servers = reader.integer("max_servers");
        if nodes.iter().any(|node| node.name == name) && !reader.is_given("name") {
            let reason = format!("the node {name} is there already");
            reader.fail(Mistake::Duplicate, "host", reason, "remove one of them");
        }
        let weight = reader.integer("weight").unwrap_or(1);
        let priority = reader.integer("priority").unwrap_or(1);
        let replica = false;
        nodes.push(Node { name, address, tls, socket, max_servers, replica, weight, priority });
    }
    roles
}

/// Whether a node's Unix socket is used in place of TCP.
fn local_socket(
    reader: &mut Reader<'_>,
    address: &NodeAddress,
    tls: Option<&Connector>,
) -> LocalSocket {
    let text = reader.text("socket");
    let mut fail = |kind, reason: &str, fix: &str| reader.fail(kind, "socket", reason, fix);
    match text.as_deref() {
        None | Some("auto") => LocalSocket::Auto,
        Some("off") => LocalSocket::Off,
        Some(directory) => {
            if !directory.starts_with('/') {
                let fix = "\"auto\", \"off\", or the directory of the socket, from the root";
                fail(Mistake::Value, "not a directory", fix);
            } else if matches!(address, NodeAddress::Unix { .. }) {
                let reason = "host names the directory of a Unix socket already";
                fail(Mistake::Conflict, reason, "keep one of them");
            } else if tls.is_some_and(|tls| tls.mode() != NodeMode::Prefer) {
                let reason = "nothing is encrypted over a Unix socket, and tls asks for it";
                fail(Mistake::Conflict, reason, "leave one of them out");
            }
            LocalSocket::At(directory.into())
        }
    }
}

/// Whether an address is one that Howdah itself listens on.
fn is_own(address: &NodeAddress, listen: &Listen) -> bool {
    match address {
        NodeAddress::Tcp { host, port } => {
            let ip: Option<IpAddr> = match host.as_str() {
                "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
                host => host.parse().ok(),
            };
            listen.tcp.iter().any(|own| {
                let every = own.ip().is_unspecified();
                let same = ip.is_some_and(|ip| ip == own.ip() || every && ip.is_loopback());
                own.port() == *port && same
            })
        }
        NodeAddress::Unix { directory, port } => {
            listen.unix.iter().any(|own| own.port == *port && own.directory == *directory)
        }
    }
}

/// Which node of a cluster is the primary.
fn primary(
    cluster: &Table,
    path: &str,
    roles: &[Option<&'static str>],
    findings: &mut Findings,
) -> usize {
    let mut fail = |kind, reason: &str, fix: &str| {
        let origin = cluster.origin.clone();
        let error = ConfigError::new(kind, document::join(path, "node"), origin, reason, fix);
        findings.errors.push(error);
    };
    let said: Vec<_> =
        (0..roles.len()).filter(|at| roles.get(*at) == Some(&Some("primary"))).collect();
    match said.as_slice() {
        [only] => return *only,
        [] => {}
        [_, ..] => fail(
            Mistake::Conflict,
            "several nodes with role = \"primary\"",
            "a cluster has one primary; others are clusters of their own",
        ),
    }
    if roles.is_empty() {
        let fix = "[[cluster.node]]\nhost = \"127.0.0.1\"";
        fail(Mistake::Missing, "a cluster without nodes", fix);
    }
    let unsaid = roles.iter().position(Option::is_none);
    if unsaid.is_none() && said.is_empty() && !roles.is_empty() {
        fail(Mistake::Missing, "replicas without a primary", "role = \"primary\" for one node");
    }
    unsaid.unwrap_or(0)
}
