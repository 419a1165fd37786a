//! A worker's part of the report, and its lines about single clients, servers and statements. Merged by `proxy`, printed by
//! `console`.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use howdah_core::session::{Context, PinReason, Prepared};

use crate::clock;
use crate::entry::{Activity, Entry};
use crate::pool::{Pool, PoolKey};
use crate::report::{Counts, DatabaseReport, PoolReport};
use crate::settings::NodeAddress;
use crate::stream::Peer;
use crate::tenure::Leak;
use crate::tls::TlsInfo;
use crate::worker::{Worker, WorkerReport};

/// One client, or a console.
#[derive(Debug, Clone)]
pub(crate) struct ClientRow {
    pub(crate) user: String,
    pub(crate) database: String,
    /// It is an administrator's, and no client of a pool.
    pub(crate) is_console: bool,
    pub(crate) state: &'static str,
    pub(crate) peer: Peer,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) since: Instant,
    pub(crate) requested: Instant,
    /// Since when it waits for a server.
    pub(crate) waiting: Option<Instant>,
    pub(crate) requests: u64,
    pub(crate) process_id: u32,
    /// The server it holds: its number and process id.
    pub(crate) server: Option<(u32, u32)>,
    pub(crate) pin: Option<&'static str>,
    pub(crate) application: String,
    pub(crate) prepared: usize,
    /// What it is encrypted with.
    pub(crate) tls: Option<TlsInfo>,
    /// What it holds for too long.
    pub(crate) leak: Option<Leak>,
    /// The transaction, or pinned server, that it holds.
    pub(crate) held: Option<Leak>,
    /// Form of the statement that it sent last.
    pub(crate) form: u64,
}

/// The `application_name` of a session, as it was when it last gave a server back.
pub(crate) fn application(entry: &Entry) -> String {
    application_in(&entry.context.borrow())
}

/// The `application_name` in a session's settings.
pub(crate) fn application_in(context: &Context) -> String {
    context.get("application_name").map(last_literal).unwrap_or_default()
}

/// The last string constant in the statement that makes a setting, or its last word.
pub(crate) fn last_literal(statement: &str) -> String {
    let mut found = None;
    let mut rest = statement;
    while let Some((_, after)) = rest.split_once('\'') {
        let mut text = String::new();
        let mut chars = after.char_indices().peekable();
        rest = "";
        while let Some((at, char)) = chars.next() {
            if char != '\'' {
                text.push(char);
            } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
                text.push('\'');
            } else {
                rest = after.get(at + 1..).unwrap_or_default();
                break;
            }
        }
        found = Some(text);
    }
    found.unwrap_or_else(|| statement.split_whitespace().last().unwrap_or_default().to_owned())
}

impl ClientRow {
    pub(crate) fn of(entry: &Entry, leak: Option<Leak>, now: Instant) -> Self {
        let server = entry.cancel.borrow();
        Self {
            user: entry.user.to_string(),
            database: entry.database.to_string(),
            is_console: entry.is_console,
            state: match entry.activity.get() {
                Activity::Login => "login",
                Activity::Idle => "idle",
                Activity::Waiting => "waiting",
                Activity::Active => "active",
            },
            peer: entry.peer,
            local: entry.local,
            since: entry.since,
            requested: entry.requested.get(),
            waiting: entry.waiting.get(),
            requests: entry.requests.get(),
            process_id: entry.process_id,
            server: server.as_ref().map(|target| (target.facts.id, target.process_id)),
            pin: entry.tenure.pin().map(PinReason::as_str),
            application: application(entry),
            prepared: entry.prepared.get(),
            tls: entry.tls,
            leak,
            held: entry.tenure.transaction(now),
            form: entry.form.get(),
        }
    }
}

/// One server.
#[derive(Debug, Clone)]
pub(crate) struct ServerRow {
    pub(crate) id: u32,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) node: String,
    pub(crate) state: &'static str,
    pub(crate) address: NodeAddress,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) opened: Instant,
    /// When it was last asked for something.
    pub(crate) requested: Instant,
    /// It is closed as soon as it comes back.
    pub(crate) leaving: bool,
    /// The client that holds it.
    pub(crate) client: Option<u32>,
    pub(crate) application: String,
    pub(crate) process_id: u32,
    pub(crate) prepared: usize,
    /// What it is encrypted with.
    pub(crate) tls: Option<TlsInfo>,
}

impl ServerRow {
    /// The servers of a pool, wherever they are.
    pub(crate) fn of(pool: &Pool, entries: &BTreeMap<u32, Rc<Entry>>, now: Instant) -> Vec<Self> {
        let ledger = pool.ledger.borrow();
        let stale_after = ledger.config().check_after_idle;
        let idle: HashMap<u32, Instant> =
            ledger.idle().map(|(server, since)| (server.cancel.facts.id, since)).collect();
        let holder = |entry: &Rc<Entry>| {
            let id = entry.cancel.borrow().as_ref().map(|target| target.facts.id)?;
            Some((id, Rc::clone(entry)))
        };
        let held: HashMap<u32, Rc<Entry>> = entries.values().filter_map(holder).collect();
        let row = |target: Rc<crate::server::CancelTarget>| {
            let id = target.facts.id;
            let client = held.get(&id);
            let state = match idle.get(&id) {
                Some(since) if now.saturating_duration_since(*since) < stale_after => "idle",
                Some(_) => "used",
                None if target.parked.borrow().is_some() => "being_canceled",
                None if client.is_some() || pool.is_flying(id) => "active",
                None => "tested",
            };
            let last = client.map(|entry| entry.requested.get()).or_else(|| idle.get(&id).copied());
            Self {
                id,
                user: pool.server_user(),
                database: pool.key.database.to_string(),
                node: pool.node(),
                state,
                address: target.address.clone(),
                local: target.facts.local,
                opened: target.facts.opened,
                requested: last.unwrap_or(target.facts.opened),
                leaving: pool.is_leaving(target.facts.generation),
                client: client.map(|entry| entry.process_id),
                application: client.map(|entry| application(entry)).unwrap_or_default(),
                process_id: target.process_id,
                prepared: target.facts.prepared.get(),
                tls: target.tls,
            }
        };
        pool.targets().into_iter().map(row).collect()
    }
}

/// One prepared statement that sessions of a worker share.
#[derive(Debug, Clone)]
pub(crate) struct StatementRow {
    pub(crate) id: u64,
    pub(crate) text: String,
    /// Names that clients have for it.
    pub(crate) names: usize,
    /// Idle servers that have it.
    pub(crate) idle_servers: usize,
}

impl StatementRow {
    pub(crate) fn of<'a>(
        prepared: &Arc<Prepared>,
        pools: impl Iterator<Item = &'a Rc<Pool>>,
    ) -> Self {
        let having = |pool: &Rc<Pool>| {
            let ledger = pool.ledger.borrow();
            ledger.idle().filter(|(server, _)| server.prepared.has(prepared.id)).count()
        };
        Self {
            id: prepared.id,
            text: String::from_utf8_lossy(&prepared.sql).into_owned(),
            // One is the worker's own.
            names: Arc::strong_count(prepared).saturating_sub(1),
            idle_servers: pools.map(having).sum(),
        }
    }
}

impl Worker {
    /// What it looks like now.
    pub(crate) fn report(&self) -> WorkerReport {
        let now = clock::now();
        self.tell_statements(now);
        let mut pools: BTreeMap<PoolKey, PoolReport> =
            self.pools.borrow().iter().map(|(key, pool)| (key.clone(), pool.report(now))).collect();
        let entries = self.entries.borrow();
        let mut clients = Vec::with_capacity(entries.len());
        for entry in entries.values() {
            let mut leak = None;
            if entry.cancel.borrow().is_some()
                && let Some(report) = entry.pool().and_then(|pool| pools.get_mut(&pool.key))
            {
                report.servers_active += 1;
                report.servers_tested = report.servers_tested.saturating_sub(1);
            }
            let key = PoolKey::home(entry.database.clone(), entry.user.clone());
            if let Some(report) = pools.get_mut(&key) {
                leak = self.leak_of(&key, entry, now);
                report.leaks += usize::from(leak.is_some());
                match entry.activity.get() {
                    Activity::Active => report.clients_active += 1,
                    Activity::Idle => report.clients_idle += 1,
                    Activity::Waiting | Activity::Login => {}
                }
            }
            clients.push(ClientRow::of(entry, leak, now));
        }
        let databases = self.databases(now);
        let counts = databases.iter().fold(Counts::default(), |sum, one| sum.plus(one.counts));
        WorkerReport {
            pools: pools.into_values().collect(),
            totals: self.stats.totals(counts),
            clients,
            servers: self
                .pools
                .borrow()
                .values()
                .flat_map(|pool| ServerRow::of(pool, &entries, now))
                .collect(),
            databases,
            rules: self.rules.report(),
            routes: self.routes(),
            cache: self.cache_report(),
        }
    }

    /// Texts that clients have prepared.
    pub(crate) fn statements(&self) -> Vec<StatementRow> {
        let pools = self.pools.borrow();
        let prepared = self.prepared.borrow();
        prepared.values().map(|prepared| StatementRow::of(prepared, pools.values())).collect()
    }

    /// What has passed through the pools of each database.
    fn databases(&self, now: Instant) -> Vec<DatabaseReport> {
        let mut found: BTreeMap<String, DatabaseReport> = BTreeMap::new();
        let span = self.turns.span(now);
        let mut add = |name: &str, counts: Counts, recent: Counts| {
            let one = DatabaseReport { name: name.to_owned(), counts, recent, span };
            found
                .entry(name.to_owned())
                .or_insert_with(|| DatabaseReport {
                    name: name.to_owned(),
                    ..DatabaseReport::default()
                })
                .merge(&one);
        };
        for (name, counts) in self.departed.borrow().iter() {
            add(name, *counts, Counts::default());
        }
        for pool in self.pools.borrow().values() {
            add(&pool.key.database, pool.traffic.counts(), pool.traffic.recent());
        }
        found.into_values().collect()
    }

    fn leak_of(&self, key: &PoolKey, entry: &Entry, now: Instant) -> Option<Leak> {
        let threshold = self.pools.borrow().get(key)?.ledger.borrow().config().leak_threshold?;
        entry.tenure.leak(now, threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::last_literal;

    #[test]
    fn the_name_of_an_application_is_read_from_the_statement_that_makes_it() {
        for (statement, name) in [
            ("SELECT pg_catalog.set_config('application_name', 'psql', false)", "psql"),
            ("SET application_name = 'it''s'", "it's"),
            ("SET application_name TO worker", "worker"),
            ("SET application_name = ''", ""),
        ] {
            assert_eq!(last_literal(statement), name, "{statement}");
        }
    }
}
