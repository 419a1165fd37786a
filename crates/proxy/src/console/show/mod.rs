//! What `SHOW …` shows: topics, their columns, and a view of the whole data plane from which the tables are made without
//! waiting. PgBouncer's columns come first, in its order and with its types; Howdah's own follow.
//!
//! Invariant: a table is a function of a [`View`].

mod alerts;
pub(super) mod cache;
mod config;
mod lists;
mod outsiders;
mod own;
mod pools;
pub(super) mod route;
mod slow;
mod sockets;
mod statements;
mod stats;

use std::sync::Arc;
use std::time::Instant;

use super::table::{Columns, Row};
use crate::administer;
use crate::clock;
use crate::holds::Holds;
use crate::proxy::{merge, worker_reports};
use crate::report::Report;
use crate::settings::Settings;
use crate::worker::{Worker, WorkerReport};

/// What may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    ActiveSockets,
    Alerts,
    Cache,
    CacheRules,
    CacheTables,
    Clients,
    Config,
    Databases,
    DnsHosts,
    DnsZones,
    Fds,
    Help,
    Leaks,
    Lists,
    Mem,
    Nodes,
    Notifications,
    Origins,
    Outsiders,
    PeerPools,
    Peers,
    Pins,
    Pools,
    Prepared,
    Routes,
    Rules,
    Servers,
    Slow,
    Sockets,
    State,
    Statements,
    Stats,
    StatsAverages,
    StatsTotals,
    Totals,
    Users,
    Version,
}

impl Topic {
    /// Words and topics.
    pub(super) const ALL: &[(&str, Self)] = &[
        ("active_sockets", Self::ActiveSockets),
        ("alerts", Self::Alerts),
        ("cache", Self::Cache),
        ("cache_rules", Self::CacheRules),
        ("cache_tables", Self::CacheTables),
        ("clients", Self::Clients),
        ("config", Self::Config),
        ("databases", Self::Databases),
        ("dns_hosts", Self::DnsHosts),
        ("dns_zones", Self::DnsZones),
        ("fds", Self::Fds),
        ("help", Self::Help),
        ("leaks", Self::Leaks),
        ("lists", Self::Lists),
        ("mem", Self::Mem),
        ("nodes", Self::Nodes),
        ("notifications", Self::Notifications),
        ("origins", Self::Origins),
        ("outsiders", Self::Outsiders),
        ("peer_pools", Self::PeerPools),
        ("peers", Self::Peers),
        ("pins", Self::Pins),
        ("pools", Self::Pools),
        ("prepared", Self::Prepared),
        ("routes", Self::Routes),
        ("rules", Self::Rules),
        ("servers", Self::Servers),
        ("slow", Self::Slow),
        ("sockets", Self::Sockets),
        ("state", Self::State),
        ("statements", Self::Statements),
        ("stats", Self::Stats),
        ("stats_averages", Self::StatsAverages),
        ("stats_totals", Self::StatsTotals),
        ("totals", Self::Totals),
        ("users", Self::Users),
        ("version", Self::Version),
    ];

    /// The columns; `None`: it is no table (help is a notice, descriptors are refused).
    pub(super) const fn columns(self) -> Option<Columns> {
        Some(match self {
            Self::ActiveSockets | Self::Sockets => sockets::SOCKETS,
            Self::Alerts => alerts::ALERTS,
            Self::Cache => cache::CACHE,
            Self::CacheRules => cache::RULES,
            Self::CacheTables => cache::TABLES,
            Self::Clients => sockets::CLIENTS,
            Self::Config => config::COLUMNS,
            Self::Databases => pools::DATABASES,
            Self::DnsHosts => lists::DNS_HOSTS,
            Self::DnsZones => lists::DNS_ZONES,
            Self::Fds | Self::Help => return None,
            Self::Leaks => own::LEAKS,
            Self::Lists => lists::LISTS,
            Self::Mem => lists::MEM,
            Self::Nodes => own::NODES,
            Self::Notifications => own::NOTIFICATIONS,
            Self::Origins => statements::ORIGINS,
            Self::Outsiders => outsiders::OUTSIDERS,
            Self::PeerPools => lists::PEER_POOLS,
            Self::Peers => lists::PEERS,
            Self::Pins => own::PINS,
            Self::Pools => pools::POOLS,
            Self::Prepared => own::PREPARED,
            Self::Routes => own::ROUTES,
            Self::Rules => own::RULES,
            Self::Servers => sockets::SERVERS,
            Self::Slow => slow::SLOW,
            Self::State => lists::STATE,
            Self::Statements => statements::STATEMENTS,
            Self::Stats => stats::STATS,
            Self::StatsAverages => stats::AVERAGES,
            Self::StatsTotals => stats::TOTALS,
            Self::Totals => stats::ALL,
            Self::Users => pools::USERS,
            Self::Version => lists::VERSION,
        })
    }

    /// The rows now.
    pub(super) async fn rows(self, worker: &Worker) -> Vec<Row> {
        if self == Self::Prepared {
            return own::prepared(&administer::statements(&worker.shared).await);
        }
        if self == Self::Alerts {
            return alerts::rows(&worker.shared.alerts.lock());
        }
        if self == Self::Slow {
            return slow::rows(&worker.shared.slow.lock(), clock::now());
        }
        if self == Self::Outsiders {
            return outsiders::rows(&worker.shared.server_statistics.outsiders(clock::now()));
        }
        let view = View::of(worker).await;
        if self == Self::Statements {
            // Workers have told what they counted when they were asked for the view.
            return statements::rows(&worker.shared.statements.lock());
        }
        if self == Self::Origins {
            return statements::origins(&worker.shared.statements.lock());
        }
        match self {
            Self::ActiveSockets => sockets::active_sockets(&view),
            Self::Cache => cache::rows(&view),
            Self::CacheRules => cache::rules(&view),
            Self::CacheTables => cache::tables(&view),
            Self::Clients => sockets::clients(&view),
            Self::Config => config::rows(&view),
            Self::Databases => pools::databases(&view),
            Self::Leaks => own::leaks(&view),
            Self::Lists => lists::lists(&view),
            Self::Mem => lists::mem(&view),
            Self::Nodes => own::nodes(&view),
            Self::Notifications => own::notifications(&view),
            Self::Pins => own::pins(&view),
            Self::Pools => pools::pools(&view),
            Self::Routes => own::routes(&view),
            Self::Rules => own::rules(&view),
            Self::Servers => sockets::servers(&view),
            Self::Sockets => sockets::sockets(&view),
            Self::State => lists::state(&view),
            Self::Stats => stats::stats(&view),
            Self::StatsAverages => stats::averages(&view),
            Self::StatsTotals => stats::totals(&view),
            Self::Totals => stats::all(&view),
            Self::Users => pools::users(&view),
            Self::Version => lists::version(),
            // Howdah has no peers, and leaves names to the operating system.
            Self::Alerts
            | Self::DnsHosts
            | Self::DnsZones
            | Self::Fds
            | Self::Help
            | Self::Origins
            | Self::Outsiders
            | Self::PeerPools
            | Self::Peers
            | Self::Prepared
            | Self::Slow
            | Self::Statements => Vec::new(),
        }
    }
}

/// The data plane at one moment.
pub(super) struct View {
    report: Report,
    workers: Vec<WorkerReport>,
    settings: Arc<Settings>,
    holds: Holds,
    now: Instant,
}

impl View {
    async fn of(worker: &Worker) -> Self {
        let workers = worker_reports(&worker.shared).await;
        Self {
            report: merge(&worker.shared, &workers),
            workers,
            settings: worker.settings(),
            holds: worker.shared.holds().clone(),
            now: clock::now(),
        }
    }
}
