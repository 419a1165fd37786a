//! `run`: every peer in every cell, round after round, and the report. Not the peers, not the arithmetic.
//!
//! Invariant: peers take turns within a cell, so that a change of the machine hits all of them; a peer that fails in a cell
//! is an error in the report, not the end of the run.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::bed::{Bed, POOL, Transport};
use crate::cpu::{self, Cpu, Snapshot};
use crate::machine::{self, Facts, Quietness};
use crate::peers::{PeerSet, Pooling};
use crate::plan::{Cell, Peer, Protocol, Workload, cells, rotated};
use crate::report::{Report, idle_progress, progress};
use crate::results::{Failure, Reading, Results};
use crate::target::{Target, Verdict, judge};
use crate::{Options, Outcome, idle, sources};

/// What `run` is asked to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// A smoke run of about a minute: one round of one second, no 200 clients, scale 1.
    #[arg(long)]
    quick: bool,
    /// Rounds; the results are medians of them [default: 3, quick 1].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Seconds per peer, cell and round [default: 2, with slow statements 8, quick 1].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// Only these workloads; those with slow statements are measured only when they are named.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Workload>,
    /// Whom to compare.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Peer::Direct, Peer::Howdah, Peer::Flights, Peer::Defaults, Peer::PgBouncer, Peer::PgBouncerSocket])]
    peers: Vec<Peer>,
    /// Howdah with so many workers, 1 and 2 being possible: `1,2` compares both in one run [default: as in `--peers`].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=2))]
    workers: Vec<u32>,
    /// Scale factor of pgbench: 100,000 rows each [default: 10, quick 1].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    scale: Option<u32>,
    /// How clients and servers are reached.
    #[arg(long, value_enum, default_value_t = Transport::Tcp)]
    transport: Transport,
    /// End with exit code 5 when a number that must be reached was missed, 6 when the noise hides it.
    #[arg(long)]
    check: bool,
    /// Name of the result files after the date [default: run, quick].
    #[arg(long)]
    name: Option<String>,
    /// Directory of the result files [default: bench/results].
    #[arg(long)]
    results: Option<PathBuf>,
}

impl Arguments {
    /// Whom to compare, with the workers that were asked for.
    fn peers(&self) -> Vec<Peer> {
        let howdah = |peer: &Peer| matches!(peer, Peer::Howdah | Peer::Howdah2);
        let mut peers = self.peers.clone();
        if !self.workers.is_empty() {
            let at = peers.iter().position(howdah).unwrap_or(peers.len());
            peers.retain(|peer| !howdah(peer));
            let wanted = [(1, Peer::Howdah), (2, Peer::Howdah2)];
            let wanted = wanted.iter().filter(|(count, _)| self.workers.contains(count));
            peers.splice(at..at, wanted.map(|&(_, peer)| peer));
        }
        peers
    }
}

/// A run under way.
struct Measurement<'a> {
    options: &'a Options,
    bed: &'a Bed,
    seconds: u64,
    pooled: PeerSet<'a>,
    results: Results,
}

/// Measures everything and writes the report.
pub(crate) fn run(arguments: &Arguments, options: &Options) -> Result<Outcome> {
    let quick = arguments.quick;
    let rounds = arguments.rounds.unwrap_or(if quick { 1 } else { 3 }) as usize;
    let slow = arguments.only.iter().any(|workload| workload.has_slow_statements());
    let usual = if slow { 8 } else { 2 };
    let seconds = arguments.seconds.unwrap_or(if quick { 1 } else { usual });
    let scale = arguments.scale.unwrap_or(if quick { 1 } else { 10 });
    let before = observe("before", &[std::process::id()], options)?;
    let peers = arguments.peers();
    let bed = Bed::start(scale, arguments.transport, &peers, options)?;
    let lasting: Vec<Peer> = peers
        .iter()
        .copied()
        .filter(|&peer| {
            Pooling::of(peer, Protocol::Simple, bed.pgbouncer()) == Pooling::Transaction
        })
        .collect();
    let pooled = PeerSet::start(&bed, &lasting, Pooling::Transaction)?;
    let mut measurement =
        Measurement { options, bed: &bed, seconds, pooled, results: Results::default() };
    measurement.warm_up(&lasting)?;
    let cells = cells(&arguments.only, quick);
    let runs = cells.len() * peers.len() * rounds;
    options.say(&format!("{runs} runs of {seconds} s"));
    for round in 0..rounds {
        for (number, &cell) in cells.iter().enumerate() {
            for peer in rotated(&peers, round, number) {
                measurement.measure(cell, peer, round);
            }
        }
    }
    let Measurement { pooled, mut results, .. } = measurement;
    drop(pooled);
    if arguments.only.is_empty() || arguments.only.contains(&Workload::Idle) {
        measure_idle(&bed, &peers, rounds, options, &mut results);
    }
    let roots = [std::process::id(), bed.server_pid()?];
    let after = observe("after", &roots, options)?;
    let report = Report {
        schema: "howdah-bench/1",
        date: machine::today(),
        command: command_line(std::env::args().skip(1)),
        method: method(&bed, &peers, rounds, seconds, scale),
        machine: Facts::gather(bed.versions().to_vec(), sources()),
        before,
        after,
        peers,
        targets: judge(&results),
        results,
    };
    finish(arguments, options, &report)
}

impl Measurement<'_> {
    /// Opens the pools and fills the caches, so that the first round is like the others.
    fn warm_up(&self, peers: &[Peer]) -> Result<()> {
        for &peer in peers {
            let cell = Cell { workload: Workload::Select, protocol: Protocol::Simple, clients: 32 };
            self.bed.pgbench().run(&self.pooled.address(peer)?, cell, 1, None)?;
        }
        Ok(())
    }

    /// Runs a peer in a cell; what goes wrong there is written down and the run goes on.
    fn measure(&mut self, cell: Cell, peer: Peer, round: usize) {
        let pooling = Pooling::of(peer, cell.protocol, self.bed.pgbouncer());
        let blank = Reading::blank(cell, peer, round, pooling == Pooling::Session);
        let reading = self.read_pooled(pooling, blank.clone());
        let reading = reading.unwrap_or_else(|error| blank.failed(&error));
        self.options.say(&progress(&reading));
        self.results.readings.push(reading);
    }

    fn read_pooled(&self, pooling: Pooling, blank: Reading) -> Result<Reading> {
        if pooling == Pooling::Transaction {
            return self.read(&self.pooled, blank);
        }
        // Alive only while it is measured: its servers, one for each client, would be in the way of others.
        let peers = PeerSet::start(self.bed, &[blank.peer], pooling)?;
        let address = peers.address(blank.peer)?;
        self.bed.pgbench().run(&address, blank.cell, 1, None)?;
        self.read(&peers, blank)
    }

    fn read(&self, peers: &PeerSet<'_>, blank: Reading) -> Result<Reading> {
        let Reading { cell, peer, .. } = blank;
        let roots: Vec<u32> = [std::process::id(), self.bed.server_pid()?]
            .into_iter()
            .chain(self.pooled.pids())
            .chain(peers.pids())
            .collect();
        let address = peers.address(peer)?;
        let (start, busy, before) = (Instant::now(), cpu::machine_busy()?, Snapshot::take()?);
        let outcome = self.bed.pgbench().run(&address, cell, self.seconds, cell.sampling())?;
        let (after, busy) = (Snapshot::take()?, cpu::machine_busy()? - busy);
        let ours = (after.cpu(&roots) - before.cpu(&roots)).total();
        let capacity = start.elapsed().as_secs_f64() * machine::processors() as f64;
        let per_transaction = |cpu: Cpu| {
            let scale = 1e6 / outcome.transactions.max(1) as f64;
            Cpu { user: cpu.user * scale, system: cpu.system * scale }
        };
        let pid = peers.pid(peer);
        if pid.is_some_and(|pid| !after.runs(pid)) {
            bail!("{} has ended: {}", peer.name(), peers.log(peer));
        }
        Ok(Reading {
            transactions: outcome.transactions,
            tps: outcome.tps,
            average_ms: outcome.average_ms,
            p50_ms: outcome.p50_ms,
            p99_ms: outcome.p99_ms,
            connection_ms: outcome.connection_ms,
            cpu_us: pid.map(|pid| per_transaction(after.cpu(&[pid]) - before.cpu(&[pid]))),
            errors: outcome.errors,
            complaints: outcome.complaints,
            foreign: ((busy - ours) / capacity).max(0.0),
            ..blank
        })
    }
}

fn measure_idle(
    bed: &Bed,
    peers: &[Peer],
    rounds: usize,
    options: &Options,
    results: &mut Results,
) {
    for round in 0..rounds {
        for peer in rotated(peers, round, 0) {
            match idle::measure(bed, peer, round) {
                Ok(reading) => {
                    options.say(&idle_progress(&reading));
                    results.idle.push(reading);
                }
                Err(error) => {
                    let what = format!("idle clients, round {}: {error:#}", round + 1);
                    options.say(&format!("{}: {what}", peer.name()));
                    results.failures.push(Failure { peer, what });
                }
            }
        }
    }
}

/// Looks at the machine and warns when others use it.
fn observe(moment: &str, roots: &[u32], options: &Options) -> Result<Quietness> {
    let quietness = Quietness::observe(roots)?;
    if !quietness.is_quiet() {
        options.say(&format!(
            "warning: the machine is not quiet {moment} the run: {:.0} % busy, load {:.2}; {}",
            quietness.busy * 100.0,
            quietness.load,
            quietness.others.join(", ")
        ));
    }
    Ok(quietness)
}

fn command_line(arguments: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = arguments.collect();
    format!("cargo run --release -p howdah-bench -- {}", words.join(" "))
}

fn method(bed: &Bed, peers: &[Peer], rounds: usize, seconds: u64, scale: u32) -> Vec<String> {
    let transport = match bed.transport() {
        Transport::Tcp => "loopback TCP",
        Transport::Unix => "Unix sockets",
    };
    let mut lines = vec![
        format!(
            "PostgreSQL with fsync off, shared_buffers 512 MB; pgbench scale {scale}, {rounds} interleaved round(s) of \
             {seconds} s; {transport} on both sides, trust, no TLS"
        ),
        format!(
            "Pools of {POOL} servers in transaction mode; Howdah with one worker thread where nothing else is said"
        ),
    ];
    if peers.iter().any(|peer| matches!(peer, Peer::PgPool | Peer::HaProxy)) {
        lines.push(
            "pgpool-II and HAProxy do not pool transactions: they need a server for each client. CPU is that of the whole process tree"
                .to_owned(),
        );
    }
    if Pooling::of(Peer::PgBouncer, Protocol::Prepared, bed.pgbouncer()) == Pooling::Session {
        lines.push(
            "This PgBouncer has no prepared statements in transaction mode: in `prepared` it pools sessions, one server \
             per client"
                .to_owned(),
        );
    }
    lines
}

fn finish(arguments: &Arguments, options: &Options, report: &Report) -> Result<Outcome> {
    let directory = arguments.results.clone().unwrap_or_else(|| sources().join("results"));
    let name = arguments.name.as_deref().unwrap_or(if arguments.quick { "quick" } else { "run" });
    if name.contains('/') {
        bail!("--name is a part of a file name");
    }
    let file = report.write(&directory, name).context("cannot write the results")?;
    print!("{}", report.markdown());
    options.say(&format!("wrote {} and .json", file.display()));
    Ok(if arguments.check { verdict(&report.targets) } else { Outcome::Done })
}

fn verdict(targets: &[Target]) -> Outcome {
    let any = |verdict| targets.iter().any(|target| target.verdict == verdict);
    if any(Verdict::Missed) {
        Outcome::Missed
    } else if any(Verdict::Unclear) || targets.is_empty() {
        Outcome::Inconclusive
    } else {
        Outcome::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::reading;

    fn verdict_of(howdah_cpu: &[f64]) -> Outcome {
        let mut results = Results::default();
        for (round, &cpu) in howdah_cpu.iter().enumerate() {
            results.readings.push(reading(Peer::Howdah, round, 100.0, cpu));
            results.readings.push(reading(Peer::PgBouncer, round, 100.0, 10.0));
        }
        verdict(&judge(&results))
    }

    #[test]
    fn a_check_passes_fails_or_cannot_tell() {
        assert_eq!(verdict_of(&[9.0, 10.0, 12.0]), Outcome::Done);
        assert_eq!(verdict_of(&[12.0, 12.0, 12.0]), Outcome::Missed);
        assert_eq!(verdict_of(&[9.0, 12.0, 12.0]), Outcome::Inconclusive);
        assert_eq!(verdict_of(&[]), Outcome::Inconclusive);
    }

    #[test]
    fn workers_take_the_place_of_howdah_among_the_peers() {
        use clap::Parser as _;
        #[derive(Debug, clap::Parser)]
        struct Line {
            #[command(flatten)]
            arguments: Arguments,
        }
        let peers = |words: &[&str]| Line::parse_from([&["run"], words].concat()).arguments.peers();
        let all = "direct,howdah,flights,defaults,pgbouncer,pgbouncer-socket";
        assert_eq!(peers(&[]), peers(&["--peers", all]));
        let two = ["--workers", "1,2", "--peers", "direct,howdah,pgbouncer"];
        assert_eq!(peers(&two), [Peer::Direct, Peer::Howdah, Peer::Howdah2, Peer::PgBouncer]);
        assert_eq!(peers(&["--workers", "2", "--peers", "direct"]), [Peer::Direct, Peer::Howdah2]);
    }

    #[test]
    fn the_command_in_the_report_can_be_run_again() {
        let words = ["run", "--quick"].map(str::to_owned).into_iter();
        assert_eq!(command_line(words), "cargo run --release -p howdah-bench -- run --quick");
    }
}
