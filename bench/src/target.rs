//! The numbers Howdah must reach, and whether a run reached them. Only what the run measured is judged.
//!
//! Invariant: a target is met by its median; it counts as missed only when no round met it, and as unclear between: noise
//! is neither a pass nor a failure.

use serde::Serialize;

use crate::plan::{Cell, Peer, Protocol, Workload};
use crate::results::{Metric, Results, cpu_us, tps};
use crate::sample::Spread;

/// CPU per transaction against `PgBouncer`, at most.
const CPU: f64 = 1.1;
/// Throughput of point reads at 32 clients against `PgBouncer`, at least.
const THROUGHPUT: f64 = 1.0;
/// Median and 99th percentile of the latency against `PgBouncer`, at most.
const LATENCY: f64 = 1.0;
/// New connections per second against `PgBouncer`, at least.
const CONNECTIONS: f64 = 0.9;
/// CPU per new connection against `PgBouncer`, at most.
const CONNECTION_CPU: f64 = 1.3;
/// CPU per request with routing against without, at most.
const ROUTING_CPU: f64 = 1.03;
/// Memory of an idle client in KiB, at most.
const IDLE_KIB: f64 = 16.0;

/// The same numbers where reads share flights and wait for servers.
mod flights {
    /// Clients from which on they wait.
    pub(super) const CLIENTS: u32 = 32;
    /// Throughput against `PgBouncer` and against a direct connection, at least.
    pub(super) const THROUGHPUT: f64 = 1.3;
    pub(super) const THROUGHPUT_DIRECT: f64 = 1.0;
    /// CPU per read against `PgBouncer`, at most.
    pub(super) const CPU: f64 = 0.8;
}

/// On which side of the limit is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    /// Smaller is better.
    AtMost,
    /// Larger is better.
    AtLeast,
}

/// What became of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// The median is on the good side.
    Met,
    /// No round is on the good side.
    Missed,
    /// The median is on the bad side, some round on the good one.
    Unclear,
}

/// A target with what was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Target {
    /// What is measured.
    pub(crate) what: String,
    /// Which side is good.
    pub(crate) bound: Bound,
    /// The limit, itself good.
    pub(crate) limit: f64,
    /// What the rounds gave.
    pub(crate) measured: Spread,
    /// What became of it.
    pub(crate) verdict: Verdict,
}

impl Target {
    fn new(what: String, bound: Bound, limit: f64, measured: Spread) -> Self {
        let good = |value: f64| match bound {
            Bound::AtMost => value <= limit,
            Bound::AtLeast => value >= limit,
        };
        let best = match bound {
            Bound::AtMost => measured.min,
            Bound::AtLeast => measured.max,
        };
        let verdict = match (good(measured.median), good(best)) {
            (true, _) => Verdict::Met,
            (false, true) => Verdict::Unclear,
            (false, false) => Verdict::Missed,
        };
        Self { what, bound, limit, measured, verdict }
    }
}

/// Every target that the results can answer.
pub(crate) fn judge(results: &Results) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut against_pgbouncer = |cell, what: String, bound, limit, metric: Metric| {
        let ratio = results.ratio(cell, Peer::Howdah, Peer::PgBouncer, metric);
        targets.extend(ratio.map(|ratio| Target::new(what, bound, limit, ratio)));
    };
    for cell in results.cells() {
        let Cell { workload, protocol, clients } = cell;
        let name = protocol.name();
        let clients_word = if clients == 1 { "client" } else { "clients" };
        match (workload, protocol) {
            (Workload::Select, Protocol::Simple | Protocol::Extended) => {
                let what = format!("CPU per read, {name}, {clients} {clients_word}, × PgBouncer");
                against_pgbouncer(cell, what, Bound::AtMost, CPU, cpu_us);
                if clients == 32 {
                    let what = format!(
                        "throughput of reads, {name}, {clients} {clients_word}, × PgBouncer"
                    );
                    against_pgbouncer(cell, what, Bound::AtLeast, THROUGHPUT, tps);
                }
            }
            (Workload::Tpcb, Protocol::Simple | Protocol::Extended) => {
                let what = format!(
                    "CPU per transaction, TPC-B, {name}, {clients} {clients_word}, × PgBouncer"
                );
                against_pgbouncer(cell, what, Bound::AtMost, CPU, cpu_us);
            }
            (Workload::Storm, _) => {
                let what = "new connections per second, × PgBouncer".to_owned();
                against_pgbouncer(cell, what, Bound::AtLeast, CONNECTIONS, tps);
                let what = "CPU per new connection, × PgBouncer".to_owned();
                against_pgbouncer(cell, what, Bound::AtMost, CONNECTION_CPU, cpu_us);
            }
            // The other side of the comparison pools sessions there: shown, not judged.
            (Workload::Select | Workload::Tpcb, Protocol::Prepared)
            | (Workload::Idle | Workload::Mixed | Workload::Alike | Workload::Unseen, _) => {}
        }
    }
    let memory = results.idle(Peer::Howdah, |reading| reading.query_kib);
    targets.extend(memory.map(|measured| {
        Target::new("memory per idle client, KiB".to_owned(), Bound::AtMost, IDLE_KIB, measured)
    }));
    targets.extend(results.cells().into_iter().flat_map(|cell| of_flights(results, cell)));
    targets.extend(results.cells().into_iter().filter_map(|cell| of_routing(results, cell)));
    targets.extend(worst_errors(results));
    targets
}

/// What it may cost to send a read to a replica, against not having any.
fn of_routing(results: &Results, cell: Cell) -> Option<Target> {
    let ratio = results.ratio(cell, Peer::Replicas, Peer::Howdah, cpu_us)?;
    let what = format!("CPU with reads on replicas, {}, × with one node", cell.describe());
    Some(Target::new(what, Bound::AtMost, ROUTING_CPU, ratio))
}

/// What flights must reach in a cell: over TCP, and as Howdah comes against a `PgBouncer` with the server's socket, too.
fn of_flights(results: &Results, cell: Cell) -> Vec<Target> {
    let pairs = [(Peer::Flights, Peer::PgBouncer), (Peer::Defaults, Peer::PgBouncerSocket)];
    let targets = pairs.into_iter().flat_map(|(peer, neighbour)| {
        [(neighbour, true), (Peer::Direct, false)]
            .into_iter()
            .flat_map(move |(other, all)| against(results, cell, (peer, other), all))
    });
    targets.collect()
}

/// What a peer with flights must reach against another one; `all`: latency and CPU, too.
fn against(results: &Results, cell: Cell, (peer, other): (Peer, Peer), all: bool) -> Vec<Target> {
    let Cell { workload, protocol, clients } = cell;
    let crowd = clients >= flights::CLIENTS;
    let read = workload == Workload::Select;
    let (many, cheap) = match (read, crowd) {
        (true, true) if all => (Some(flights::THROUGHPUT), Some(flights::CPU)),
        (true, true) => (Some(flights::THROUGHPUT_DIRECT), None),
        _ => (None, all.then_some(CPU).filter(|_| read || workload == Workload::Tpcb)),
    };
    // The other side of the comparison may pool sessions there.
    let comparable = protocol != Protocol::Prepared || read && crowd;
    let latency = all && workload != Workload::Storm && protocol != Protocol::Prepared;
    let judged: [(&str, Bound, Option<f64>, Metric); 4] = [
        ("throughput", Bound::AtLeast, many, tps),
        ("CPU", Bound::AtMost, cheap.filter(|_| comparable), cpu_us),
        ("P50", Bound::AtMost, latency.then_some(LATENCY), |reading| reading.p50_ms),
        ("P99", Bound::AtMost, latency.then_some(LATENCY), |reading| reading.p99_ms),
    ];
    let target = |(what, bound, limit, metric): (&str, Bound, Option<f64>, Metric)| {
        let ratio = results.ratio(cell, peer, other, metric)?;
        let (peer, other, cell) = (peer.name(), other.name(), cell.describe());
        Some(Target::new(format!("{peer}: {what}, {cell}, × {other}"), bound, limit?, ratio))
    };
    judged.into_iter().filter_map(target).collect()
}

/// One bad run is bad: the worst one stands for all.
fn worst_errors(results: &Results) -> Option<Target> {
    let runs = results.readings.iter().filter(|reading| reading.peer.howdah().is_some());
    let failures = results.failures.iter().filter(|failure| failure.peer.howdah().is_some());
    let errors = runs.map(|reading| reading.errors).chain(failures.map(|_| 1)).max()? as f64;
    let worst = Spread { min: errors, median: errors, max: errors };
    Some(Target::new("errors in the worst run".to_owned(), Bound::AtMost, 0.0, worst))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Failure;
    use crate::results::tests::reading;

    fn spread(min: f64, median: f64, max: f64) -> Spread {
        Spread { min, median, max }
    }

    #[test]
    fn the_median_decides_and_noise_is_unclear() {
        let verdict = |bound, measured| Target::new(String::new(), bound, 1.1, measured).verdict;
        assert_eq!(verdict(Bound::AtMost, spread(0.9, 1.1, 1.3)), Verdict::Met);
        assert_eq!(verdict(Bound::AtMost, spread(1.0, 1.2, 1.3)), Verdict::Unclear);
        assert_eq!(verdict(Bound::AtMost, spread(1.2, 1.2, 1.3)), Verdict::Missed);
        assert_eq!(verdict(Bound::AtLeast, spread(1.0, 1.05, 1.2)), Verdict::Unclear);
        assert_eq!(verdict(Bound::AtLeast, spread(0.8, 0.9, 1.0)), Verdict::Missed);
    }

    #[test]
    fn a_single_error_in_a_single_round_misses_the_target() {
        let mut readings: Vec<_> =
            (0..3).map(|round| reading(Peer::Howdah, round, 1.0, 2.0)).collect();
        let errors = |readings: &[_]| {
            let results = Results { readings: readings.to_vec(), ..Results::default() };
            let mut targets = judge(&results);
            targets.retain(|target| target.what.starts_with("errors"));
            targets.first().unwrap().verdict
        };
        assert_eq!(errors(&readings), Verdict::Met);
        readings.get_mut(1).unwrap().errors = 1;
        assert_eq!(errors(&readings), Verdict::Missed);
    }

    #[test]
    fn a_measurement_that_failed_is_an_error() {
        let what = "idle clients: no".to_owned();
        let of = |peer| {
            judge(&Results {
                failures: vec![Failure { peer, what: what.clone() }],
                ..Results::default()
            })
        };
        assert_eq!(of(Peer::Howdah).first().unwrap().verdict, Verdict::Missed);
        assert!(of(Peer::PgBouncer).is_empty());
    }

    #[test]
    fn cpu_and_throughput_are_judged_against_pgbouncer_of_the_same_run() {
        let pair = |cpu, tps| Results {
            readings: vec![
                reading(Peer::Howdah, 0, tps, cpu),
                reading(Peer::PgBouncer, 0, 100.0, 10.0),
            ],
            ..Results::default()
        };
        let verdicts = |results: &Results| {
            judge(results).iter().map(|target| target.verdict).collect::<Vec<_>>()
        };
        assert_eq!(verdicts(&pair(10.9, 100.0)), [Verdict::Met, Verdict::Met, Verdict::Met]);
        assert_eq!(verdicts(&pair(11.1, 99.0)), [Verdict::Missed, Verdict::Missed, Verdict::Met]);
    }

    #[test]
    fn nothing_measured_is_nothing_judged() {
        assert!(judge(&Results::default()).is_empty());
    }
}
