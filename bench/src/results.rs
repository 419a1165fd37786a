//! What a run gave, by cell, peer and round, and the comparisons between peers. Not their presentation, not their judgement.
//!
//! Invariant: peers are compared within a round only, because the machine changes between rounds; a ratio is the spread of
//! the ratios of the rounds.

use serde::Serialize;

use crate::cpu::Cpu;
use crate::plan::{Cell, Peer};
use crate::sample::Spread;

/// One run of one peer in one cell.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Reading {
    /// What was run.
    #[serde(flatten)]
    pub(crate) cell: Cell,
    /// On whom.
    pub(crate) peer: Peer,
    /// In which round, from 0.
    pub(crate) round: usize,
    /// Whether the peer pooled sessions instead of transactions, because it cannot do this cell otherwise.
    pub(crate) session_mode: bool,
    /// Transactions done.
    pub(crate) transactions: u64,
    /// Transactions per second.
    pub(crate) tps: f64,
    /// Mean latency in milliseconds.
    pub(crate) average_ms: f64,
    /// Median latency in milliseconds.
    pub(crate) p50_ms: Option<f64>,
    /// 99th percentile in milliseconds.
    pub(crate) p99_ms: Option<f64>,
    /// Mean time to connect in milliseconds, in a storm.
    pub(crate) connection_ms: Option<f64>,
    /// Microseconds of CPU of the peer's process per transaction; none for a direct connection.
    pub(crate) cpu_us: Option<Cpu>,
    /// Failed transactions and clients that gave up.
    pub(crate) errors: u64,
    /// What pgbench complained about, first lines.
    pub(crate) complaints: Vec<String>,
    /// Share of the machine that processes outside the benchmark used, 0 to 1.
    pub(crate) foreign: f64,
}

impl Reading {
    /// Nothing measured yet.
    pub(crate) const fn blank(cell: Cell, peer: Peer, round: usize, session_mode: bool) -> Self {
        Self {
            cell,
            peer,
            round,
            session_mode,
            transactions: 0,
            tps: 0.0,
            average_ms: 0.0,
            p50_ms: None,
            p99_ms: None,
            connection_ms: None,
            cpu_us: None,
            errors: 0,
            complaints: Vec::new(),
            foreign: 0.0,
        }
    }

    /// Nothing could be measured: no throughput at all, and an error.
    pub(crate) fn failed(self, error: &anyhow::Error) -> Self {
        Self { errors: 1, complaints: vec![format!("{error:#}")], ..self }
    }
}

/// Memory of idle clients, one round of one peer.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct IdleReading {
    /// On whom.
    pub(crate) peer: Peer,
    /// In which round, from 0.
    pub(crate) round: usize,
    /// How many clients were connected.
    pub(crate) clients: u32,
    /// Memory (PSS) of the process before, in KiB.
    pub(crate) before_kib: u64,
    /// Growth in KiB per client once all had logged in.
    pub(crate) login_kib: f64,
    /// Growth in KiB per client once each had run a statement and was idle again.
    pub(crate) query_kib: f64,
}

/// A measurement without a reading.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Failure {
    /// On whom.
    pub(crate) peer: Peer,
    /// What was measured and why it could not be.
    pub(crate) what: String,
}

/// A number of a reading.
pub(crate) type Metric = fn(&Reading) -> Option<f64>;

/// Everything a run gave.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Results {
    /// Runs of pgbench.
    pub(crate) readings: Vec<Reading>,
    /// Memory of idle clients.
    pub(crate) idle: Vec<IdleReading>,
    /// What could not be measured at all.
    pub(crate) failures: Vec<Failure>,
}

impl Results {
    /// Cells in the order in which they were first measured.
    pub(crate) fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for reading in &self.readings {
            if !cells.contains(&reading.cell) {
                cells.push(reading.cell);
            }
        }
        cells
    }

    /// Readings of a peer in a cell, by round.
    pub(crate) fn of(&self, cell: Cell, peer: Peer) -> impl Iterator<Item = &Reading> {
        let wanted = move |reading: &&Reading| reading.cell == cell && reading.peer == peer;
        self.readings.iter().filter(wanted)
    }

    /// A number over the rounds.
    pub(crate) fn spread(&self, cell: Cell, peer: Peer, metric: Metric) -> Option<Spread> {
        Spread::of(self.of(cell, peer).filter_map(metric))
    }

    /// The number of `peer` divided by that of `base`, round by round.
    pub(crate) fn ratio(
        &self,
        cell: Cell,
        peer: Peer,
        base: Peer,
        metric: Metric,
    ) -> Option<Spread> {
        let ratios = self.of(cell, peer).filter_map(|reading| {
            let mut others = self.of(cell, base);
            let other = others.find(|other| other.round == reading.round)?;
            Some(metric(reading)? / metric(other).filter(|&value| value > 0.0)?)
        });
        Spread::of(ratios)
    }

    /// Errors of a peer in a cell, all rounds.
    pub(crate) fn errors(&self, cell: Cell, peer: Peer) -> u64 {
        self.of(cell, peer).map(|reading| reading.errors).sum()
    }

    /// A number of the idle readings of a peer over the rounds.
    pub(crate) fn idle(&self, peer: Peer, metric: fn(&IdleReading) -> f64) -> Option<Spread> {
        let readings = self.idle.iter().filter(|reading| reading.peer == peer);
        Spread::of(readings.map(metric))
    }
}

/// Transactions per second.
pub(crate) fn tps(reading: &Reading) -> Option<f64> {
    Some(reading.tps)
}

/// CPU of the peer per transaction, user and system, in microseconds.
pub(crate) fn cpu_us(reading: &Reading) -> Option<f64> {
    reading.cpu_us.map(Cpu::total)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::plan::{Protocol, Workload};

    pub(crate) const CELL: Cell =
        Cell { workload: Workload::Select, protocol: Protocol::Simple, clients: 32 };

    pub(crate) fn reading(peer: Peer, round: usize, tps: f64, cpu: f64) -> Reading {
        Reading {
            transactions: 1000,
            tps,
            average_ms: 1.0,
            p50_ms: Some(0.9),
            p99_ms: Some(2.0),
            cpu_us: (peer != Peer::Direct).then_some(Cpu { user: 1.0, system: cpu - 1.0 }),
            ..Reading::blank(CELL, peer, round, false)
        }
    }

    #[test]
    fn ratios_pair_the_rounds() {
        // The machine became twice as fast in the second round: paired, the peers differ by the same 10 % in both.
        let results = Results {
            readings: vec![
                reading(Peer::Howdah, 0, 110.0, 9.0),
                reading(Peer::Howdah, 1, 220.0, 9.0),
                reading(Peer::PgBouncer, 1, 200.0, 10.0),
                reading(Peer::PgBouncer, 0, 100.0, 10.0),
            ],
            ..Results::default()
        };
        let ratio = results.ratio(CELL, Peer::Howdah, Peer::PgBouncer, tps).unwrap();
        assert!((ratio.min - 1.1).abs() < 1e-9 && (ratio.max - 1.1).abs() < 1e-9);
        let ratio = results.ratio(CELL, Peer::Howdah, Peer::PgBouncer, cpu_us).unwrap();
        assert!((ratio.median - 0.9).abs() < 1e-9);
    }

    #[test]
    fn there_is_no_ratio_to_a_peer_that_was_not_measured_or_has_no_process() {
        let readings = vec![reading(Peer::Howdah, 0, 1.0, 2.0), reading(Peer::Direct, 0, 1.0, 2.0)];
        let results = Results { readings, ..Results::default() };
        assert_eq!(results.ratio(CELL, Peer::Howdah, Peer::PgBouncer, tps), None);
        assert_eq!(results.ratio(CELL, Peer::Howdah, Peer::Direct, cpu_us), None);
    }
}
