//! System calls per query of the proxies, by `strace -c`. Not their time: under strace every call is slow.
//!
//! Invariant: strace watches for the whole of pgbench's run, so the calls belong to the transactions that pgbench counts
//! (and to its few logins).

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::bed::{Bed, Transport};
use crate::peers::{PeerSet, Pooling};
use crate::plan::{Cell, Peer, Protocol, Workload};
use crate::{Options, Outcome};

/// What `syscalls` is asked to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Proxies to watch.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Peer::Howdah, Peer::PgBouncer])]
    peers: Vec<Peer>,
    /// Clients of pgbench.
    #[arg(long, default_value_t = 16)]
    clients: u32,
    /// Seconds per cell.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// How clients and servers are reached.
    #[arg(long, value_enum, default_value_t = Transport::Tcp)]
    transport: Transport,
}

/// Calls by name.
type Calls = BTreeMap<String, u64>;

/// Prints a table of calls per query for every proxy and protocol.
pub(crate) fn run(arguments: &Arguments, options: &Options) -> Result<Outcome> {
    let bed = Bed::start(1, arguments.transport, &arguments.peers, options)?;
    println!("| protocol | peer | calls per query | of these |\n|---|---|---|---|");
    for protocol in [Protocol::Simple, Protocol::Extended, Protocol::Prepared] {
        for &peer in arguments.peers.iter().filter(|&&peer| peer != Peer::Direct) {
            let pooling = Pooling::of(peer, protocol, bed.pgbouncer());
            let peers = PeerSet::start(&bed, &[peer], pooling)?;
            let cell = Cell { workload: Workload::Select, protocol, clients: arguments.clients };
            bed.pgbench().run(&peers.address(peer)?, cell, 1, None)?;
            let pid = peers.pid(peer).context("a proxy has a process")?;
            let trace = Trace::attach(&bed, pid)?;
            let outcome = bed.pgbench().run(&peers.address(peer)?, cell, arguments.seconds, None);
            let calls = trace.finish()?;
            println!("{}", row(protocol, peer, pooling, &calls, outcome?.transactions));
        }
    }
    Ok(Outcome::Done)
}

/// A running strace.
struct Trace {
    strace: Child,
    summary: PathBuf,
}

impl Trace {
    fn attach(bed: &Bed, pid: u32) -> Result<Self> {
        let summary = bed.directory().join("strace");
        let strace = Command::new("strace")
            .args(["-c", "-f", "-p", &pid.to_string(), "-o"])
            .arg(&summary)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run strace; install it: apt-get install strace")?;
        let trace = Self { strace, summary };
        for _ in 0..100 {
            if tracer(pid)? == Some(trace.strace.id()) {
                return Ok(trace);
            }
            thread::sleep(Duration::from_millis(20));
        }
        trace.finish()?;
        bail!("strace could not attach to process {pid}: is tracing allowed here?");
    }

    /// Detaches and returns what was counted.
    fn finish(mut self) -> Result<Calls> {
        if self.strace.try_wait()?.is_none() {
            kill_process(Pid::from_child(&self.strace), Signal::INT)?;
        }
        self.strace.wait()?;
        Ok(parse_summary(&fs::read_to_string(&self.summary)?))
    }
}

/// Who traces a process.
fn tracer(pid: u32) -> Result<Option<u32>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    Ok(tracer.and_then(|text| text.trim().parse().ok()).filter(|&pid| pid != 0))
}

fn parse_summary(text: &str) -> Calls {
    let entry = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let calls = fields.get(3)?.parse().ok()?;
        let name = (*fields.last()?).to_owned();
        // % time, seconds, usecs/call, calls, [errors,] syscall
        (fields.len() >= 5 && name != "total").then_some((name, calls))
    };
    text.lines().filter_map(entry).collect()
}

fn row(protocol: Protocol, peer: Peer, pooling: Pooling, calls: &Calls, queries: u64) -> String {
    let queries = queries.max(1) as f64;
    let total = calls.values().sum::<u64>() as f64 / queries;
    let mut by_number: Vec<(&String, f64)> =
        calls.iter().map(|(name, &calls)| (name, calls as f64 / queries)).collect();
    by_number.sort_by(|a, b| b.1.total_cmp(&a.1));
    let parts = by_number.iter().filter(|(_, number)| *number >= 0.005).take(8);
    let parts: Vec<String> = parts.map(|(name, number)| format!("{number:.2} {name}")).collect();
    let mode = if pooling == Pooling::Session { " (session mode)" } else { "" };
    format!("| {} | {}{mode} | {total:.2} | {} |", protocol.name(), peer.name(), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = "% time     seconds  usecs/call     calls    errors syscall\n\
        ------ ----------- ----------- --------- --------- ----------------\n\
        \x20 60.00    0.600000           3      2000           sendto\n\
        \x20 40.00    0.400000           2      2100       100 recvfrom\n\
        ------ ----------- ----------- --------- --------- ----------------\n\
        100.00    1.000000           2      4100       100 total\n";

    #[test]
    fn calls_are_read_with_and_without_errors_and_the_total_is_left_out() {
        let calls = parse_summary(SUMMARY);
        assert_eq!(calls.get("sendto"), Some(&2000));
        assert_eq!(calls.get("recvfrom"), Some(&2100));
        assert_eq!(calls.len(), 2);
    }

    #[test]
    fn the_row_divides_by_queries_and_begins_with_the_most_frequent() {
        let calls = parse_summary(SUMMARY);
        let row = row(Protocol::Simple, Peer::Howdah, Pooling::Transaction, &calls, 1000);
        assert_eq!(row, "| simple | Howdah | 4.10 | 2.10 recvfrom, 2.00 sendto |");
    }
}
