//! The values of all families at one moment.
//!
//! Invariant: every family of the table is written, in its order, also when it has no sample.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use howdah_core::alerts::Rule;
use howdah_core::statements::{Fault, Histogram, Overheads, Sums};
use howdah_proxy::report::{
    Counters, Counts, NodeReport, PoolReport, RuleReport, SharedCacheReport, SharedCounts,
};

use super::process;
use super::text::{Buckets, Format, LIMITS, SHORT, Text};
use super::*;
use crate::api::{is_well, nodes_well};
use crate::health;
use crate::history::date;
use crate::score::{Score, WINDOW, score};
use crate::server::State;
use crate::snapshot::{KindTotal, Snapshot};

/// Seconds that the rate of statements is taken over.
const RATE: usize = 10;

/// The whole text.
pub(crate) fn text(state: &State, snapshot: &Snapshot, format: Format) -> String {
    let (score, rate) = {
        let history = state.history.lock();
        let recent = history.recent(WINDOW);
        (score(&recent, nodes_well(&snapshot.report().nodes)), history.rate(RATE))
    };
    let mut text = Text::new(format);
    general(&mut text, snapshot, state.is_draining());
    statements(&mut text, snapshot);
    let (slow, plans) = state.observer.slow(|ring| {
        let counts = ring.counts().map(|(database, count)| ([of(database)], count as f64));
        (counts.collect::<Vec<_>>(), ring.plans() as f64)
    });
    text.family(&SLOW, slow);
    text.family(&SLOW_PLANS, [([], plans)]);
    traffic(&mut text, snapshot);
    pools(&mut text, snapshot);
    nodes(&mut text, snapshot);
    alerts(&mut text, state);
    server_statistics(&mut text, snapshot);
    text.family(&STATEMENT_FORMS, [([], snapshot.forms as f64)]);
    text.family(&FORMS_FORGOTTEN, [([], snapshot.forgotten as f64)]);
    performance(&mut text, &score);
    replaced(&mut text, snapshot, &score, rate);
    text.finish()
}

fn of(text: &str) -> String {
    text.to_owned()
}

fn general(text: &mut Text, snapshot: &Snapshot, draining: bool) {
    let report = snapshot.report();
    text.family(&BUILD_INFO, [([of(env!("CARGO_PKG_VERSION"))], 1.0)]);
    text.family(&START_TIME, [([], (date() - report.uptime.as_secs_f64()).round())]);
    let own = process::process();
    text.family(&PROCESS_CPU, own.cpu_s.map(|value| ([], value)));
    text.family(&PROCESS_MEMORY, own.resident.map(|value| ([], value)));
    text.family(&PROCESS_FILES, own.files.map(|value| ([], value)));
    let ready = health::ready(draining, &report.nodes).is_ok();
    text.family(&READY, [([], f64::from(u8::from(ready)))]);
    let mut clients = BTreeMap::new();
    for database in &report.databases {
        for state in ["active", "idle", "idle_in_transaction", "pinned", "waiting"] {
            clients.insert([database.name.clone(), of(state)], 0.0);
        }
    }
    for session in snapshot.clients() {
        let state = session.state.replace(' ', "_");
        *clients.entry([session.database.clone(), state]).or_default() += 1.0;
    }
    text.family(&CLIENT_CONNECTIONS, clients);
    text.family(&CLIENT_CONNECTIONS_MAX, [([], snapshot.max_clients as f64)]);
    text.family(&CLIENTS_ACCEPTED, [([], report.totals.connections as f64)]);
    text.family(&LOGIN_FAILURES, [([], report.totals.failed_logins as f64)]);
}

fn statements(text: &mut Text, snapshot: &Snapshot) {
    let by_kind = |value: fn(&Sums) -> f64| {
        let sample =
            move |one: &KindTotal| ([one.database.clone(), of(one.kind)], value(&one.total.sums));
        snapshot.totals.iter().map(sample).collect::<Vec<_>>()
    };
    let outcomes = snapshot.totals.iter().flat_map(|one| {
        let sums = &one.total.sums;
        let fault = |fault: Fault| {
            let name = match fault {
                Fault::Canceled => of("canceled"),
                Fault::Client | Fault::Server | Fault::Retryable => {
                    format!("error_{}", fault.as_str())
                }
            };
            (name, sums.errors_of(fault))
        };
        let good = (of("ok"), sums.calls.saturating_sub(sums.all_errors()));
        let all = std::iter::once(good).chain(Fault::ALL.map(fault));
        all.map(|(outcome, count)| ([one.database.clone(), of(one.kind), outcome], count as f64))
    });
    text.family(&QUERIES, outcomes);
    text.family(&QUERIES_ON_REPLICA, by_kind(|sums| sums.on_replica as f64));
    text.family(&QUERIES_SHARED, by_kind(|sums| sums.shared as f64));
    text.family(&QUERIES_CACHED, by_kind(|sums| sums.cached as f64));
    let durations = snapshot.totals.iter().map(|one| {
        let sum = one.total.sums.time_us();
        ([one.database.clone(), of(one.kind)], buckets(&one.total.times, sum))
    });
    text.histogram(&QUERY_DURATION, durations);
    text.family(&QUERY_WAIT, by_kind(|sums| sums.wait_us as f64 / 1e6));
    text.family(&QUERY_SERVER, by_kind(|sums| sums.server_us as f64 / 1e6));
    text.histogram(&PROXY_OVERHEAD, overheads(snapshot));
    text.family(&QUERY_ROWS, by_kind(|sums| sums.rows as f64));
    let errors = snapshot.errors.iter();
    let errors = errors.map(|one| ([one.database.clone(), one.class.clone()], one.count as f64));
    text.family(&QUERY_ERRORS, errors);
}

/// What Howdah itself took over the statements of each database.
fn overheads(snapshot: &Snapshot) -> impl Iterator<Item = ([String; 1], Buckets)> {
    let mut of = BTreeMap::<_, (Overheads, u64)>::new();
    for one in &snapshot.totals {
        let (all, sum) = of.entry([one.database.clone()]).or_default();
        all.add(&one.total.overheads);
        *sum += one.total.sums.overhead_us;
    }
    of.into_iter().map(|(database, (all, sum))| (database, short_buckets(&all.histogram(), sum)))
}

fn buckets(times: &Histogram, sum_us: u64) -> Buckets {
    Buckets {
        counts: LIMITS.iter().map(|(limit, us)| (*limit, times.at_most(*us))).collect(),
        count: times.count(),
        sum: sum_us as f64 / 1e6,
    }
}

/// With limits for times that are a few microseconds as a rule.
fn short_buckets(times: &Histogram, sum_us: u64) -> Buckets {
    let mut buckets = buckets(times, sum_us);
    buckets.counts.splice(0..0, SHORT.map(|(limit, us)| (limit, times.at_most(us))));
    buckets
}

fn traffic(text: &mut Text, snapshot: &Snapshot) {
    let by_database = |value: fn(&Counts) -> u64| {
        let databases = snapshot.report().databases.iter();
        databases.map(move |one| ([one.name.clone()], value(&one.counts) as f64))
    };
    text.family(&TRANSACTIONS, by_database(|counts| counts.transactions));
    text.family(&RECEIVED, by_database(|counts| counts.received));
    text.family(&SENT, by_database(|counts| counts.sent));
}

/// A number of a pool.
type OfPool = fn(&PoolReport) -> f64;

/// What pools of all users of a database on a node have together.
fn by_pool(
    snapshot: &Snapshot,
    value: impl Fn(&PoolReport) -> f64,
    join: impl Fn(f64, f64) -> f64,
) -> BTreeMap<[String; 2], f64> {
    let mut found = BTreeMap::new();
    for pool in &snapshot.report().pools {
        let known = found.entry([pool.database.clone(), pool.node.clone()]).or_insert(0.0);
        *known = join(*known, value(pool));
    }
    found
}

fn pools(text: &mut Text, snapshot: &Snapshot) {
    let sum = |value: OfPool| by_pool(snapshot, value, |a, b| a + b);
    let states: [(&str, OfPool); 4] = [
        ("active", |pool| pool.servers_active as f64),
        ("checking", |pool| pool.servers_tested as f64),
        ("idle", |pool| (pool.servers_idle + pool.servers_used) as f64),
        ("opening", |pool| pool.servers_opening as f64),
    ];
    let servers = states.into_iter().flat_map(|(state, value)| {
        let named = move |([database, node], count): ([String; 2], f64)| {
            ([database, node, of(state)], count)
        };
        sum(value).into_iter().map(named)
    });
    text.family(&SERVER_CONNECTIONS, servers);
    text.family(&POOL_SIZE_MAX, sum(|pool| f64::from(pool.max_size)));
    text.family(&POOL_WAITING, sum(|pool| pool.clients_waiting as f64));
    let oldest = |pool: &PoolReport| pool.oldest_wait.as_secs_f64();
    text.family(&POOL_OLDEST_WAIT, by_pool(snapshot, oldest, f64::max));
    let mut pinned = BTreeMap::<_, f64>::new();
    for pool in &snapshot.report().pools {
        for (reason, count) in &pool.pinned {
            let of = [pool.database.clone(), pool.node.clone(), of(reason)];
            *pinned.entry(of).or_default() += *count as f64;
        }
    }
    text.family(&POOL_PINNED, pinned);
    text.family(&POOL_LEAKS, sum(|pool| pool.leaks as f64));
    let databases = snapshot.report().databases.iter();
    let checkouts = databases.map(|one| ([one.name.clone()], one.counts.assignments as f64));
    text.family(&CHECKOUTS, checkouts);
    let waits = &snapshot.report().totals.wait_us;
    let waits = Buckets {
        counts: LIMITS.iter().map(|(limit, us)| (*limit, waits.count_between(0, *us))).collect(),
        count: waits.len(),
        sum: waits.mean() * waits.len() as f64 / 1e6,
    };
    text.histogram(&POOL_WAIT, [([], waits)]);
    let totals = &snapshot.report().totals;
    text.family(&SERVERS_OPENED, [([], totals.servers_opened as f64)]);
    text.family(&SERVERS_CLOSED, [([], totals.servers_closed as f64)]);
    text.family(&OPEN_FAILURES, [([], totals.open_failures as f64)]);
}

fn nodes(text: &mut Text, snapshot: &Snapshot) {
    let report = snapshot.report();
    let routes = report.routes.iter();
    let routes = routes.map(|one| ([one.cluster.clone(), of(one.reason)], one.requests as f64));
    text.family(&ROUTES, routes);
    let rules = |value: fn(&RuleReport) -> u64| {
        report.rules.iter().map(move |rule| ([rule.name.clone()], value(rule) as f64))
    };
    text.family(&RULE_HITS, rules(|rule| rule.hits));
    text.family(&RULE_BLOCKS, rules(|rule| rule.blocked));
    let looked_up = report.cache.iter().flat_map(|one| {
        let counts = &one.counts;
        let results = [
            ("hit", counts.hits.saturating_sub(counts.coalesced)),
            ("coalesced", counts.coalesced),
            ("observed", counts.observed),
            ("miss", counts.misses),
        ];
        results.map(|(result, count)| ([one.database.clone(), of(result)], count as f64))
    });
    text.family(&CACHE_REQUESTS, looked_up);
    let warmed = report.cache.iter();
    let warmed = warmed.map(|one| ([one.database.clone()], one.counts.warmed as f64));
    text.family(&CACHE_WARMED, warmed);
    shared_cache(text, report.shared_cache.as_ref());
    let up = report
        .nodes
        .iter()
        .map(|node| ([node.name.clone(), of(node.role)], f64::from(u8::from(is_well(node)))));
    text.family(&NODE_UP, up);
    text.family(&NODE_LAG, lag(&report.nodes));
    text.family(&NODE_LAG_BYTES, lag_bytes(&report.nodes));
}

/// What instances share; without it the families are there, and have no sample.
fn shared_cache(text: &mut Text, report: Option<&SharedCacheReport>) {
    let counts = report.map(|report| report.counts);
    text.family(&SHARED_UP, report.map(|report| ([], f64::from(u8::from(report.open)))));
    let each = |of_counts: fn(SharedCounts) -> Vec<(&'static str, u64)>| {
        let values = counts.map(of_counts).unwrap_or_default();
        values.into_iter().map(|(word, count)| ([of(word)], count as f64))
    };
    let results = each(|counts| {
        vec![
            ("hit", counts.hits),
            ("miss", counts.misses),
            ("refused", counts.refused),
            ("error", counts.errors),
            ("skipped", counts.skipped),
        ]
    });
    text.family(&SHARED_REQUESTS, results);
    text.family(&SHARED_WAIT, counts.map(|counts| ([], counts.waited.as_secs_f64())));
    let outcomes = each(|it| vec![("written", it.written), ("dropped", it.dropped)]);
    text.family(&SHARED_WRITES, outcomes);
    let bytes = each(|it| vec![("read", it.read_bytes), ("written", it.written_bytes)]);
    text.family(&SHARED_BYTES, bytes);
}

fn alerts(text: &mut Text, state: &State) {
    let up = state.observer.alerts(|board| {
        let up = board.primaries().map(|(cluster, up)| ([of(cluster)], f64::from(u8::from(up))));
        up.collect::<Vec<_>>()
    });
    text.family(&PRIMARY_UP, up);
    let settings = state.observer.settings();
    let expires =
        settings.tls.as_ref().and_then(|tls| tls.expires().duration_since(UNIX_EPOCH).ok());
    text.family(&CERTIFICATE_EXPIRY, expires.map(|since| ([], since.as_secs_f64())));
    let (firing, silences, messages) = state.observer.alerts(|board| {
        let alerts = board.alerts();
        let count = |rule: &Rule| {
            alerts.iter().filter(|one| one.rule.name == rule.name && one.state != "pending").count()
        };
        let rules = board.tuning().all();
        let firing = rules.map(|(rule, tuned)| {
            ([of(rule.name), of(tuned.severity.as_str())], count(rule) as f64)
        });
        let sinks = board.sinks().flat_map(|(name, sent, failed)| {
            [("sent", sent), ("failed", failed)]
                .map(|(word, count)| ([of(name), of(word)], count as f64))
        });
        (firing.collect::<Vec<_>>(), board.silences().len(), sinks.collect::<Vec<_>>())
    });
    text.family(&ALERTS_FIRING, firing);
    text.family(&ALERTS_SILENCED, [([], silences as f64)]);
    text.family(&ALERT_MESSAGES, messages);
}

/// What PostgreSQL itself counts.
fn server_statistics(text: &mut Text, snapshot: &Snapshot) {
    let known = || {
        let all = snapshot.report().server_statistics.iter();
        all.filter_map(|one| Some(([one.node.clone(), one.database.clone()], one.counters?)))
    };
    let blocks = known().flat_map(|([node, database], counters)| {
        [("hit", counters.blocks_hit), ("read", counters.blocks_read)]
            .map(|(source, count)| ([node.clone(), database.clone(), of(source)], count as f64))
    });
    text.family(&SERVER_BLOCKS, blocks);
    let count = |value: fn(&Counters) -> u64| {
        known().map(move |(labels, counters)| (labels, value(&counters) as f64))
    };
    text.family(&SERVER_ROLLBACKS, count(|counters| counters.rollbacks));
    text.family(&SERVER_DEADLOCKS, count(|counters| counters.deadlocks));
    text.family(&SERVER_CONFLICTS, count(|counters| counters.conflicts));
    text.family(&SERVER_TEMP, count(|counters| counters.temp_bytes));
}

fn lag(nodes: &[NodeReport]) -> Vec<([String; 1], f64)> {
    let of = |node: &NodeReport| Some(([node.name.clone()], node.lag?.as_secs_f64()));
    nodes.iter().filter_map(of).collect()
}

fn lag_bytes(nodes: &[NodeReport]) -> Vec<([String; 1], f64)> {
    let of = |node: &NodeReport| Some(([node.name.clone()], node.lag_bytes? as f64));
    nodes.iter().filter_map(of).collect()
}

fn performance(text: &mut Text, score: &Score) {
    text.family(&SCORE, [([], score.value.unwrap_or(f64::NAN) / 100.0)]);
    let parts = score.parts.iter().map(|part| ([of(part.name)], part.lost / 100.0));
    text.family(&SCORE_LOST, parts);
}

/// Families by the names that suites which Howdah replaces have given them.
fn replaced(text: &mut Text, snapshot: &Snapshot, score: &Score, rate: f64) {
    let databases = snapshot.report().databases.iter();
    let logins = databases.map(|one| ([one.name.clone()], one.counts.logins as f64));
    text.family(&DB_CONNECTIONS, logins);
    let mut busy = BTreeMap::<_, (f64, f64)>::new();
    for pool in &snapshot.report().pools {
        let (active, max) = busy.entry([pool.database.clone()]).or_default();
        *active += pool.servers_active as f64;
        *max += f64::from(pool.max_size);
    }
    let busy = busy.into_iter();
    let percent = busy.map(|(database, (active, max))| (database, 100.0 * active / max.max(1.0)));
    text.family(&DB_UTILIZATION, percent);
    text.family(&DB_QPS, [([], rate)]);
    let mut times = BTreeMap::<_, (Histogram, u64)>::new();
    for one in &snapshot.totals {
        let (all, sum) = times.entry([one.database.clone()]).or_default();
        all.add(&one.total.times);
        *sum += one.total.sums.time_us();
    }
    let times = times.into_iter().map(|(database, (all, sum))| (database, buckets(&all, sum)));
    text.histogram(&DB_DURATION, times);
    text.family(&DB_LAG_BYTES, lag_bytes(&snapshot.report().nodes));
    text.family(&DB_LAG, lag(&snapshot.report().nodes));
    text.family(&DB_SCORE, [([], score.value.unwrap_or(f64::NAN))]);
    let hits = snapshot.report().cache.iter().map(|one| {
        let (hits, misses) = (one.counts.hits as f64, one.counts.misses as f64);
        ([one.database.clone()], hits / (hits + misses))
    });
    text.family(&DB_CACHE_HITS, hits);
    let buffers = snapshot.report().server_statistics.iter();
    let buffers = buffers.filter_map(|one| {
        Some(([one.node.clone(), one.database.clone()], one.buffer_hit_percent?))
    });
    text.family(&DB_BUFFER_HITS, buffers);
}
