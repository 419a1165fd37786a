//! A worker's part of the report, and its lines about single clients and servers. Merged by `proxy`, printed by `console`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use howdah_core::session::PinReason;

use crate::clock;
use crate::entry::{Activity, Entry};
use crate::pool::{Pool, PoolKey};
use crate::report::PoolReport;
use crate::tls::TlsInfo;
use crate::worker::{Worker, WorkerReport};

/// One client.
#[derive(Debug, Clone)]
pub(crate) struct ClientRow {
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) state: &'static str,
    pub(crate) address: String,
    pub(crate) connected: Duration,
    pub(crate) requests: u64,
    pub(crate) process_id: u32,
    /// Process id of the server it holds.
    pub(crate) server: Option<u32>,
    pub(crate) pin: Option<&'static str>,
    /// What it is encrypted with.
    pub(crate) tls: Option<TlsInfo>,
    /// What the server it holds is encrypted with.
    pub(crate) server_tls: Option<TlsInfo>,
}

impl ClientRow {
    pub(crate) fn of(entry: &Entry, now: Instant) -> Self {
        Self {
            user: entry.user.to_string(),
            database: entry.database.to_string(),
            state: match entry.activity.get() {
                Activity::Login => "login",
                Activity::Idle => "idle",
                Activity::Waiting => "waiting",
                Activity::Active => "active",
            },
            address: entry.peer.to_string(),
            connected: now.saturating_duration_since(entry.since),
            requests: entry.requests.get(),
            process_id: entry.process_id,
            server: entry.cancel.borrow().as_ref().map(|target| target.process_id),
            pin: entry.pin.get().map(PinReason::as_str),
            tls: entry.tls,
            server_tls: entry.cancel.borrow().as_ref().and_then(|target| target.tls),
        }
    }
}

/// One idle server. Servers in use are named by the clients that hold them.
#[derive(Debug, Clone)]
pub(crate) struct ServerRow {
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) address: String,
    pub(crate) process_id: u32,
    pub(crate) age: Duration,
    pub(crate) idle: Duration,
    pub(crate) prepared: usize,
    /// What it is encrypted with.
    pub(crate) tls: Option<TlsInfo>,
}

impl ServerRow {
    /// The idle servers of a pool.
    pub(crate) fn of(pool: &Pool, now: Instant) -> Vec<Self> {
        let ledger = pool.ledger.borrow();
        ledger
            .idle()
            .map(|(server, since)| Self {
                user: pool.key.user.to_string(),
                database: pool.key.database.to_string(),
                address: server.cancel.address.to_string(),
                process_id: server.cancel.process_id,
                age: now.saturating_duration_since(server.opened),
                idle: now.saturating_duration_since(since),
                prepared: server.prepared.len(),
                tls: server.cancel.tls,
            })
            .collect()
    }
}

impl Worker {
    /// What it looks like now.
    pub(crate) fn report(&self) -> WorkerReport {
        let now = clock::now();
        let mut pools: BTreeMap<PoolKey, PoolReport> =
            self.pools.borrow().iter().map(|(key, pool)| (key.clone(), pool.report(now))).collect();
        let entries = self.entries.borrow();
        for entry in entries.values() {
            let key = PoolKey { database: entry.database.clone(), user: entry.user.clone() };
            if let Some(report) = pools.get_mut(&key) {
                match entry.activity.get() {
                    Activity::Active => report.clients_active += 1,
                    Activity::Idle => report.clients_idle += 1,
                    Activity::Waiting | Activity::Login => {}
                }
            }
        }
        WorkerReport {
            pools: pools.into_values().collect(),
            totals: self.stats.totals(),
            clients: entries.values().map(|entry| ClientRow::of(entry, now)).collect(),
            servers: self
                .pools
                .borrow()
                .values()
                .flat_map(|pool| ServerRow::of(pool, now))
                .collect(),
        }
    }
}
