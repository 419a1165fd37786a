//! Where the CPU time of a proxy goes: `perf` under load, or callgrind where perf cannot sample. Not a benchmark.
//!
//! Invariant: the profile covers pgbench's run after a warm-up; nothing is kept.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::bed::{Bed, Transport};
use crate::howdah;
use crate::peers::{PeerSet, Pooling};
use crate::plan::{Cell, Peer, Protocol, Workload};
use crate::{Options, Outcome};

/// How samples are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// `perf record` on the CPU clock.
    Perf,
    /// `valgrind --tool=callgrind`: exact, user mode only, very slow.
    Callgrind,
}

/// What `profile` is asked to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Whom to profile.
    #[arg(long, value_enum, default_value_t = Peer::Howdah)]
    peer: Peer,
    /// How statements are sent.
    #[arg(long, value_enum, default_value_t = Protocol::Simple)]
    protocol: Protocol,
    /// Clients of pgbench.
    #[arg(long, default_value_t = 32)]
    clients: u32,
    /// Seconds of load.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How to sample; left out: perf when it works here, else callgrind.
    #[arg(long, value_enum)]
    method: Option<Method>,
    /// Functions to print.
    #[arg(long, default_value_t = 40)]
    lines: usize,
    /// How clients and servers are reached.
    #[arg(long, value_enum, default_value_t = Transport::Tcp)]
    transport: Transport,
}

/// Prints the functions that take most.
pub(crate) fn run(arguments: &Arguments, options: &Options) -> Result<Outcome> {
    if arguments.peer == Peer::Direct {
        bail!("a direct connection has no proxy to profile");
    }
    let method = arguments
        .method
        .unwrap_or_else(|| if perf_works() { Method::Perf } else { Method::Callgrind });
    let bed = Bed::start(1, arguments.transport, &[arguments.peer], options)?;
    let text = match method {
        Method::Perf => perf(&bed, arguments)?,
        Method::Callgrind => callgrind(&bed, arguments)?,
    };
    let interesting = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    for line in interesting.take(arguments.lines) {
        println!("{}", line.trim_end());
    }
    Ok(Outcome::Done)
}

/// Whether perf can sample the CPU clock here.
fn perf_works() -> bool {
    let mut command = Command::new("perf");
    command.args(["record", "-q", "-e", "cpu-clock", "-o", "/dev/null", "--", "true"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn cell(arguments: &Arguments) -> Cell {
    Cell { workload: Workload::Select, protocol: arguments.protocol, clients: arguments.clients }
}

fn perf(bed: &Bed, arguments: &Arguments) -> Result<String> {
    let pooling = Pooling::of(arguments.peer, arguments.protocol, bed.pgbouncer());
    let peers = PeerSet::start(bed, &[arguments.peer], pooling)?;
    let (address, cell) = (peers.address(arguments.peer)?, cell(arguments));
    bed.pgbench().run(&address, cell, 1, None)?;
    let pid = peers.pid(arguments.peer).context("a proxy has a process")?;
    let data = bed.directory().join("perf.data");
    let seconds = arguments.seconds.to_string();
    let mut record = Command::new("perf")
        .args(["record", "-q", "-e", "cpu-clock", "-F", "997", "-p", &pid.to_string(), "-o"])
        .arg(&data)
        .args(["--", "sleep", &seconds])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run perf")?;
    thread::sleep(Duration::from_millis(200));
    let outcome = bed.pgbench().run(&address, cell, arguments.seconds, None);
    record.wait()?;
    outcome?;
    let report = Command::new("perf")
        .args(["report", "--stdio", "--no-children", "-F", "overhead,dso,symbol", "-i"])
        .arg(&data)
        .stderr(Stdio::null())
        .output()?;
    Ok(String::from_utf8_lossy(&report.stdout).into_owned())
}

fn callgrind(bed: &Bed, arguments: &Arguments) -> Result<String> {
    let Some(variant) = arguments.peer.howdah() else {
        bail!("callgrind is for Howdah; use --method perf for others");
    };
    let out = bed.directory().join("callgrind.out");
    let wrapper = [
        "valgrind".to_owned(),
        "--tool=callgrind".to_owned(),
        format!("--callgrind-out-file={}", out.display()),
    ];
    let howdah = howdah::start(bed, &wrapper, variant)?;
    bed.pgbench().run(&howdah.address(), cell(arguments), arguments.seconds, None)?;
    howdah.stop()?;
    let report = Command::new("callgrind_annotate")
        .args(["--auto=no", "--threshold=95"])
        .arg(&out)
        .output()
        .context("cannot run callgrind_annotate; install it: apt-get install valgrind")?;
    // Lines without a share are the head; what follows the last bracket is the path of the copy.
    let text = String::from_utf8_lossy(&report.stdout);
    let functions = text.lines().filter(|line| line.contains("%)"));
    let names = functions.map(|line| line.rsplit_once(" [").map_or(line, |(name, _)| name));
    Ok(names.collect::<Vec<_>>().join("\n"))
}
