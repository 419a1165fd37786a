//! What must be true at any time, whatever befalls: looked at every virtual second.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use howdah_proxy::report::Report;
use howdah_proxy::simulation::{PoolView, View};
use howdah_simulation::{Log, Who};
use tokio::time::Instant;

use crate::day::{HOUR, Kind};

/// A server may be nobody's for so long: while it is cleaned, asked for a sign of life, or parked for a cancel request.
const NOWHERE: Duration = Duration::from_secs(60);

/// How late a deadline may be.
const LATE: Duration = Duration::from_secs(2);

/// Bytes of memory that a worker may keep for later: 128 inboxes of 32 KiB and as many outboxes of up to 256 KiB.
const SHELF: usize = 128 * (32 + 256) * 1024;

type PoolName = (usize, String, String);

/// The watcher of one run.
#[derive(Debug)]
pub(crate) struct Invariants {
    log: Log,
    kind: Kind,
    began: Instant,
    hours: u64,
    /// Servers that are in no place that can be seen, since when.
    nowhere: BTreeMap<u32, Instant>,
    /// Servers that a pool may have, when it was made smaller with more of them open.
    allowed: BTreeMap<PoolName, u32>,
    pub(crate) requests: u64,
    /// Requests that waited to share a server, in the pools of one of the hours.
    pub(crate) shared: u64,
    /// Sizes by the hour.
    sizes: Vec<BTreeMap<&'static str, usize>>,
}

impl Invariants {
    pub(crate) fn new(log: Log, kind: Kind) -> Self {
        Self {
            log,
            kind,
            began: Instant::now(),
            hours: 0,
            nowhere: BTreeMap::new(),
            allowed: BTreeMap::new(),
            requests: 0,
            shared: 0,
            sizes: Vec::new(),
        }
    }

    fn wrong(&self, what: std::fmt::Arguments<'_>) {
        self.log.violation(Who::World, what);
    }

    /// One look.
    pub(crate) fn check(&mut self, view: &View, panics: u32) {
        if panics > 0 {
            self.wrong(format_args!("{panics} tasks have panicked"));
        }
        self.places(view);
        for pool in &view.pools {
            self.pool(view, pool);
        }
        self.sizes(view);
    }

    /// Each server is in exactly one place.
    fn places(&mut self, view: &View) {
        let alive: BTreeSet<u32> = view.servers.iter().map(|server| server.process_id).collect();
        let idle = view.pools.iter().flat_map(|pool| pool.idle.iter().copied());
        let held = view.sessions.iter().flat_map(|session| [session.holds, session.granted]);
        let mut seen = BTreeSet::new();
        for server in idle.chain(held.flatten()) {
            if !seen.insert(server) {
                self.wrong(format_args!("server {server} is in two places"));
            }
            if !alive.contains(&server) {
                self.wrong(format_args!("server {server} is held and does not exist"));
            }
        }
        let now = Instant::now();
        self.nowhere.retain(|server, _| alive.contains(server) && !seen.contains(server));
        for server in alive.difference(&seen) {
            let since = *self.nowhere.entry(*server).or_insert(now);
            if now - since > NOWHERE {
                self.wrong(format_args!("server {server} is nobody's since {:?}", now - since));
            }
        }
    }

    /// The ledger counts what is there, and nobody waits without reason.
    fn pool(&mut self, view: &View, pool: &PoolView) {
        let name = (pool.worker, pool.database.clone(), pool.user.clone());
        let of = |worker, database: &str, user: &str| {
            (worker, database, user) == (name.0, &name.1, &name.2)
        };
        let alive = view
            .servers
            .iter()
            .filter(|server| of(server.worker, &server.database, &server.user))
            .count();
        let idle = u32::try_from(pool.idle.len()).unwrap();
        let counted = idle + pool.busy;
        if usize::try_from(counted).unwrap() != alive {
            self.wrong(format_args!("{alive} servers exist and {counted} are counted: {pool:?}"));
        }
        let open = counted + pool.opening;
        let allowed =
            self.allowed.get(&name).copied().unwrap_or(pool.most).min(open).max(pool.most);
        if self.kind.calm && open > pool.most || open > allowed.max(LARGEST) {
            self.wrong(format_args!("{open} servers are open: {pool:?}"));
        }
        self.allowed.insert(name, allowed);
        if (pool.waiting_alone > 0 || pool.may_take_off) && idle > 0 {
            self.wrong(format_args!("clients wait while servers are idle: {pool:?}"));
        }
        if pool.oldest_wait > pool.checkout_timeout + LATE {
            self.wrong(format_args!("a client waits for too long: {pool:?}"));
        }
    }

    /// What is kept is bounded.
    fn sizes(&self, view: &View) {
        let clients = usize::try_from(self.kind.clients).unwrap();
        let bounds = [
            // A client that has hung up may be noticed late, and connects anew meanwhile.
            ("sessions", 3 * clients),
            ("pools", 2 * 12),
            ("shared contexts", 2 * (4096 + clients)),
            ("shared statements", 2 * (4096 + 16 * clients)),
            ("bytes on the shelf", 2 * SHELF),
        ];
        for (name, bound) in bounds {
            let size = view.sizes.get(name).copied();
            if size.is_none_or(|size| size > bound) {
                self.wrong(format_args!("{size:?} {name}, and {bound} is the bound"));
            }
        }
    }

    pub(crate) fn is_full_hour(&self) -> bool {
        let hour = HOUR / self.kind.haste();
        self.began.elapsed().as_nanos() / hour.as_nanos() > u128::from(self.hours)
    }

    /// An hour is over.
    pub(crate) fn on_hour(&mut self, report: &Report, view: &View) {
        self.hours += 1;
        self.requests = report.totals.requests;
        self.shared = self.shared.max(report.pools.iter().map(|pool| pool.shared).sum());
        self.sizes.push(view.sizes.clone());
        let waits = report.totals.waits;
        self.log.event(
            Who::World,
            format_args!(
                "hour {}: {} requests, {waits} waits, {:?}",
                self.hours, self.requests, view.sizes
            ),
        );
    }

    /// The day is over: nothing has grown all day long.
    pub(crate) fn at_the_end(&self) {
        let (Some(early), Some(late)) = (self.sizes.get(1), self.sizes.last()) else { return };
        for name in ["sessions", "pools", "bytes on the shelf"] {
            let most = early[name] * 3 + (1 << 20) * usize::from(name.starts_with("bytes"));
            if late[name] > most.max(32) {
                self.wrong(format_args!("{name} has grown from {} to {}", early[name], late[name]));
            }
        }
    }
}

/// Servers of one pool of one worker at most, over all configurations of a run.
const LARGEST: u32 = 12;
