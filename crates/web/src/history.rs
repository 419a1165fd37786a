//! The last quarter of an hour, second by second. Made once a second by one task; whoever looks gets copies.
//!
//! Invariant: bounded by [`KEPT`] points.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use howdah_core::statements::{Fault, Histogram, Sums};
use serde::Serialize;

use crate::snapshot::Snapshot;

/// Seconds that are remembered.
pub(crate) const KEPT: usize = 900;

/// What happened within about a second. Times are in milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Point {
    /// Seconds since 1970, at its end.
    pub(crate) t: f64,
    /// How long it was, in seconds.
    #[serde(skip)]
    pub(crate) span: f64,
    /// Statements per second.
    pub(crate) qps: f64,
    /// Errors per second.
    pub(crate) eps: f64,
    /// Rows per second.
    pub(crate) rows: f64,
    /// Percentiles of statement times, waiting included; absent when there was no statement.
    pub(crate) p50: Option<f64>,
    pub(crate) p95: Option<f64>,
    pub(crate) p99: Option<f64>,
    /// Statements that a server worked on, on average, and that waited for one.
    pub(crate) working: f64,
    pub(crate) queued: f64,
    /// Clients by state.
    pub(crate) active: usize,
    pub(crate) idle: usize,
    pub(crate) in_transaction: usize,
    pub(crate) waiting: usize,
    /// Servers.
    pub(crate) sv_active: usize,
    pub(crate) sv_idle: usize,
    pub(crate) sv_max: u32,
    /// Bytes per second from and to clients.
    pub(crate) rx: f64,
    pub(crate) tx: f64,
    /// What the score is made of.
    #[serde(skip)]
    pub(crate) counts: Counts,
}

/// Counts of some time, for the score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    /// Calls of up to the target, and of up to four times that.
    pub(crate) satisfied: u64,
    pub(crate) tolerated: u64,
    /// Errors that are the server's.
    pub(crate) failed: u64,
    /// Times that a client was given a server, and of these with a wait that it may have noticed.
    pub(crate) checkouts: u64,
    pub(crate) slow_checkouts: u64,
}

/// The target of a statement's time, in microseconds.
pub(crate) const TARGET_US: u64 = 25_000;
/// A longer wait for a server is noticed, in microseconds.
const WAIT_US: u64 = 10_000;

impl Counts {
    fn of(snapshot: &Snapshot, sums: &Sums, times: &Histogram) -> Self {
        let totals = &snapshot.report().totals;
        let databases = snapshot.report().databases.iter();
        let quick = totals.wait_us.count_between(0, WAIT_US);
        Self {
            calls: times.count(),
            satisfied: times.at_most(TARGET_US),
            tolerated: times.at_most(4 * TARGET_US),
            failed: sums.errors_of(Fault::Server),
            checkouts: databases.map(|database| database.counts.assignments).sum(),
            slow_checkouts: totals.wait_us.len().saturating_sub(quick),
        }
    }

    fn since(self, earlier: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(earlier.calls),
            satisfied: self.satisfied.saturating_sub(earlier.satisfied),
            tolerated: self.tolerated.saturating_sub(earlier.tolerated),
            failed: self.failed.saturating_sub(earlier.failed),
            checkouts: self.checkouts.saturating_sub(earlier.checkouts),
            slow_checkouts: self.slow_checkouts.saturating_sub(earlier.slow_checkouts),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            satisfied: self.satisfied + other.satisfied,
            tolerated: self.tolerated + other.tolerated,
            failed: self.failed + other.failed,
            checkouts: self.checkouts + other.checkouts,
            slow_checkouts: self.slow_checkouts + other.slow_checkouts,
        }
    }
}

/// What was counted up to a moment.
#[derive(Debug)]
struct Before {
    uptime: f64,
    sums: Sums,
    times: Histogram,
    errors: u64,
    bytes: (u64, u64),
    counts: Counts,
}

/// The last seconds.
#[derive(Debug, Default)]
pub(crate) struct History {
    points: VecDeque<Point>,
    before: Option<Before>,
}

impl History {
    /// Adds what happened since the last time. The first time there is nothing to compare with.
    pub(crate) fn add(&mut self, snapshot: &Snapshot) -> Option<Point> {
        let (sums, times) = snapshot.all();
        let totals = &snapshot.report().totals;
        let now = Before {
            uptime: snapshot.report().uptime.as_secs_f64(),
            sums,
            counts: Counts::of(snapshot, &sums, &times),
            times,
            errors: totals.errors,
            bytes: (totals.bytes_received, totals.bytes_sent),
        };
        let point = self.before.as_ref().map(|before| point(snapshot, before, &now));
        self.before = Some(now);
        let point = point?;
        if self.points.len() >= KEPT {
            self.points.pop_front();
        }
        self.points.push_back(point.clone());
        Some(point)
    }

    /// The points, oldest first.
    pub(crate) fn points(&self) -> Vec<Point> {
        self.points.iter().cloned().collect()
    }

    /// Clients that there were last.
    pub(crate) fn clients(&self) -> usize {
        let last = self.points.back();
        last.map_or(0, |one| one.active + one.idle + one.in_transaction + one.waiting)
    }

    /// Statements per second within the last so many seconds.
    pub(crate) fn rate(&self, seconds: usize) -> f64 {
        let last = || self.points.iter().rev().take(seconds);
        let calls: u64 = last().map(|point| point.counts.calls).sum();
        calls as f64 / last().map(|point| point.span).sum::<f64>().max(1.0)
    }

    /// What was counted within the last so many seconds.
    pub(crate) fn recent(&self, seconds: usize) -> Counts {
        let points = self.points.iter().rev().take(seconds);
        points.fold(Counts::default(), |sum, point| sum.plus(point.counts))
    }
}

/// Seconds since 1970.
pub(crate) fn date() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn point(snapshot: &Snapshot, before: &Before, now: &Before) -> Point {
    let span = (now.uptime - before.uptime).max(0.001);
    let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / span;
    let times = now.times.since(&before.times);
    let quantile = |share| times.quantile(share).map(|us| us as f64 / 1_000.0);
    let state = |state: &str| snapshot.clients().filter(|one| one.state == state).count();
    let pools = &snapshot.report().pools;
    Point {
        t: date(),
        span,
        qps: rate(now.sums.calls, before.sums.calls),
        eps: rate(now.errors, before.errors),
        rows: rate(now.sums.rows, before.sums.rows),
        p50: quantile(0.5),
        p95: quantile(0.95),
        p99: quantile(0.99),
        working: rate(now.sums.server_us, before.sums.server_us) / 1e6,
        queued: rate(now.sums.wait_us, before.sums.wait_us) / 1e6,
        active: state("active") + state("pinned"),
        idle: state("idle") + state("login"),
        in_transaction: state("idle in transaction"),
        waiting: state("waiting"),
        sv_active: pools.iter().map(|pool| pool.servers_active).sum(),
        sv_idle: pools.iter().map(|pool| pool.servers_idle + pool.servers_used).sum(),
        sv_max: pools.iter().map(|pool| pool.max_size).sum(),
        rx: rate(now.bytes.0, before.bytes.0),
        tx: rate(now.bytes.1, before.bytes.1),
        counts: now.counts.since(before.counts),
    }
}
