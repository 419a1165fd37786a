//! What has happened since the last look, subject by subject: differences of what the data plane has counted since its start.
//!
//! Invariant: differences add up to what was counted, whatever happens in between; the order of values is that of `series`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use howdah_core::statements::{Entry, Fault, Histogram, Sums};
use howdah_proxy::observe::Observer;
use howdah_proxy::report::{PoolReport, Report, SessionReport};

use crate::sample::Sample;
use crate::series::Subject;

/// Pools and nodes that are remembered; those with the most servers come first.
const POOLS: usize = 64;
const NODES: usize = 64;
/// Statements of one minute, those that took the most time.
const STATEMENTS: usize = 50;
/// Characters of a statement that are remembered.
const TEXT: usize = 4_000;

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What was counted up to the last look; at the start of the process, nothing.
#[derive(Debug, Default)]
pub(crate) struct Look {
    uptime: Duration,
    counts: Vec<u64>,
    times: Histogram,
    statements: HashMap<Form, Counted>,
    /// Of the statements.
    told: Duration,
}

/// A form of statements of one database and user.
type Form = (u64, Arc<str>, Arc<str>);

/// What was counted of a form; times by bucket, without the empty ones.
#[derive(Debug)]
struct Counted {
    sums: Sums,
    times: Vec<(usize, u64)>,
}

/// A statement of which something is remembered.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(crate) subject: Subject,
    pub(crate) text: String,
    pub(crate) sample: Sample,
}

impl Look {
    /// Everything, pools, nodes.
    pub(crate) fn take(
        &mut self,
        observer: &Observer,
        report: &Report,
        sessions: &[SessionReport],
    ) -> Vec<(Subject, Sample)> {
        let span_us = micros(report.uptime.saturating_sub(self.uptime));
        self.uptime = report.uptime;
        let mut found = vec![(Subject::All, self.all(observer, report, sessions, span_us))];
        let mut pools: Vec<&PoolReport> = report.pools.iter().collect();
        pools.sort_by_key(|pool| std::cmp::Reverse(pool.servers_active + pool.servers_idle));
        found.extend(pools.iter().take(POOLS).map(|one| pool(one, span_us)));
        found.extend(report.nodes.iter().take(NODES).map(|node| {
            let here = || report.pools.iter().filter(|pool| pool.node == node.name);
            let values = [
                u64::from(node.is_well()),
                node.lag.map_or(0, micros),
                node.lag_bytes.unwrap_or(0),
                number(here().map(|pool| pool.servers_active).sum()),
                number(here().map(servers).sum()),
                u64::from(node.standing == "primary"),
            ];
            (Subject::Node(node.name.clone()), Sample::of_look(span_us, &values))
        }));
        debug_assert!(found.iter().all(|(of, sample)| sample.values.len() == of.series().len()));
        found
    }

    fn all(
        &mut self,
        observer: &Observer,
        report: &Report,
        sessions: &[SessionReport],
        span_us: u64,
    ) -> Sample {
        let (sums, times) = observer.statements(|book| {
            let (mut sums, mut times) = (Sums::default(), Histogram::default());
            for (_, _, total) in book.totals() {
                sums.add(&total.sums);
                times.add(&total.times);
            }
            (sums, times)
        });
        let counted = counted(report, &sums);
        let before = std::mem::replace(&mut self.counts, counted.clone());
        let before = before.into_iter().chain(std::iter::repeat(0));
        let since = counted.iter().zip(before).map(|(now, before)| now.saturating_sub(before));
        let values: Vec<u64> = since.chain(levels(report, sessions)).collect();
        let since = times.since(&self.times);
        self.times = times;
        Sample::of_look(span_us, &values).with_times(since)
    }

    /// The statements that took the most time since the last call. The book is locked for as long as it takes to copy what has
    /// changed: once a minute is often enough.
    pub(crate) fn statements(&mut self, observer: &Observer, uptime: Duration) -> Vec<Remembered> {
        let before = &self.statements;
        let (here, changed) = observer.statements(|book| {
            let form = |entry: &Entry| {
                let names = (Arc::clone(&entry.database), Arc::clone(&entry.user));
                entry.fingerprint.map(|fingerprint| (fingerprint, names.0, names.1))
            };
            let mut here = Vec::new();
            let mut changed = Vec::new();
            for entry in book.entries() {
                let Some(form) = form(entry) else { continue };
                if before.get(&form).is_none_or(|known| known.sums.calls != entry.sums.calls) {
                    changed.push((form, entry.clone()));
                } else {
                    here.push(form);
                }
            }
            (here, changed)
        });
        let span_us = micros(uptime.saturating_sub(self.told));
        self.told = uptime;
        let mut last = std::mem::take(&mut self.statements);
        for form in here {
            if let Some(known) = last.remove(&form) {
                self.statements.insert(form, known);
            }
        }
        let mut found: Vec<(u64, Remembered)> = Vec::new();
        for (form, entry) in changed {
            let before = last.remove(&form).filter(|known| known.sums.calls <= entry.sums.calls);
            let now = Counted { sums: entry.sums, times: brief(&entry.times) };
            let sample = since(before.as_ref(), &entry, span_us);
            let time = entry
                .sums
                .time_us()
                .wrapping_sub(before.as_ref().map_or(0, |before| before.sums.time_us()));
            found.push((time, remembered(&form, &entry, sample)));
            self.statements.insert(form, now);
        }
        found.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
        found.truncate(STATEMENTS);
        found.into_iter().map(|(_, one)| one).collect()
    }
}

/// Counts since the start, in the order of the series.
fn counted(report: &Report, sums: &Sums) -> Vec<u64> {
    let totals = &report.totals;
    let cache = |of: fn(&howdah_proxy::report::CacheCounts) -> u64| {
        report.cache.iter().map(|one| of(&one.counts)).sum()
    };
    vec![
        sums.calls,
        sums.rows,
        sums.errors_of(Fault::Client),
        sums.errors_of(Fault::Server),
        sums.errors_of(Fault::Retryable),
        sums.errors_of(Fault::Canceled),
        sums.on_replica,
        sums.shared,
        sums.wait_us,
        sums.server_us,
        totals.errors,
        totals.transactions,
        totals.bytes_received,
        totals.bytes_sent,
        totals.connections,
        totals.failed_logins,
        report.databases.iter().map(|database| database.counts.assignments).sum(),
        totals.waits,
        totals.servers_opened,
        totals.open_failures,
        totals.servers_closed,
        cache(|counts| counts.hits),
        cache(|counts| counts.misses),
    ]
}

/// Levels now, in the order of the series.
fn levels(report: &Report, sessions: &[SessionReport]) -> [u64; 9] {
    let clients = || sessions.iter().filter(|session| !session.is_console);
    let state = |states: &[&str]| {
        number(clients().filter(|session| states.contains(&session.state)).count())
    };
    let pools = &report.pools;
    let well = report.nodes.iter().filter(|node| node.is_well()).count();
    [
        state(&["active", "pinned"]),
        state(&["idle", "login"]),
        state(&["idle in transaction"]),
        state(&["waiting"]),
        number(pools.iter().map(|pool| pool.servers_active).sum()),
        number(pools.iter().map(|pool| pool.servers_idle + pool.servers_used).sum()),
        pools.iter().map(|pool| u64::from(pool.max_size)).sum(),
        number(well),
        number(report.nodes.len() - well),
    ]
}

fn servers(pool: &PoolReport) -> usize {
    pool.servers_active + pool.servers_idle + pool.servers_used
}

fn pool(pool: &PoolReport, span_us: u64) -> (Subject, Sample) {
    let values = [
        number(pool.clients_active),
        number(pool.clients_waiting),
        number(pool.clients_idle),
        number(pool.servers_active),
        number(pool.servers_idle + pool.servers_used),
        number(pool.servers_opening),
        u64::from(pool.max_size),
        micros(pool.oldest_wait),
        number(pool.pinned.values().sum()),
    ];
    let name = Subject::joined(&[&pool.database, &pool.user, &pool.node]);
    (Subject::Pool(name), Sample::of_look(span_us, &values))
}

fn brief(times: &Histogram) -> Vec<(usize, u64)> {
    times.counts().iter().copied().enumerate().filter(|(_, count)| *count > 0).collect()
}

/// What a form did since it was counted last.
fn since(before: Option<&Counted>, entry: &Entry, span_us: u64) -> Sample {
    let (mut earlier, zero) = (Histogram::default(), Sums::default());
    for (bucket, count) in before.into_iter().flat_map(|before| &before.times) {
        earlier.add_to(*bucket, *count);
    }
    let (sums, before) = (&entry.sums, before.map_or(&zero, |before| &before.sums));
    let values = [
        sums.calls - before.calls.min(sums.calls),
        sums.rows.wrapping_sub(before.rows),
        sums.all_errors().saturating_sub(before.all_errors()),
        sums.wait_us.wrapping_sub(before.wait_us),
        sums.server_us.wrapping_sub(before.server_us),
        sums.longest_us,
    ];
    Sample::of_look(span_us, &values).with_times(entry.times.since(&earlier))
}

fn remembered((fingerprint, ..): &Form, entry: &Entry, sample: Sample) -> Remembered {
    let name = Subject::joined(&[&format!("{fingerprint:016x}"), &entry.database, &entry.user]);
    Remembered {
        subject: Subject::Statement(name),
        text: entry.text.chars().take(TEXT).collect(),
        sample,
    }
}
