//! One run of `pgbench`: its command line, its summary, its latency log. Not what the numbers mean.
//!
//! Invariant: a run that did not end well has errors; a summary that cannot be read is an error of ours, never zeros.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::mix;
use crate::plan::{Cell, Protocol, Workload};
use crate::sample::quantile;
use crate::workplace::Workplace;

/// Longer than this over its time, a run hangs and is ended.
const GRACE: Duration = Duration::from_secs(30);

/// Different complaints that are kept of a run.
const COMPLAINTS: usize = 5;

/// Where to connect.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// Address, or the directory of a Unix socket.
    pub(crate) host: String,
    /// Port, also in the name of the socket file.
    pub(crate) port: u16,
}

/// What pgbench says at its end.
#[derive(Debug, Clone, PartialEq)]
struct Summary {
    transactions: u64,
    failed: u64,
    tps: f64,
    average_ms: f64,
    connection_ms: Option<f64>,
}

/// What one run gave.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// Transactions that were done.
    pub(crate) transactions: u64,
    /// Transactions per second; with a connection for each, connecting included.
    pub(crate) tps: f64,
    /// Mean latency of a transaction.
    pub(crate) average_ms: f64,
    /// Mean time to connect, for runs that connect for every transaction.
    pub(crate) connection_ms: Option<f64>,
    /// Median latency of the logged transactions.
    pub(crate) p50_ms: Option<f64>,
    /// 99th percentile of the logged transactions.
    pub(crate) p99_ms: Option<f64>,
    /// Failed transactions and clients that gave up.
    pub(crate) errors: u64,
    /// What pgbench complained about; the same only once, and not all.
    pub(crate) complaints: Vec<String>,
}

/// A load of one statement, with its variables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Script<'a> {
    /// In the language of pgbench's scripts.
    pub(crate) text: &'a str,
    /// How it is sent.
    pub(crate) protocol: Protocol,
    /// How many send it.
    pub(crate) clients: u32,
    /// For so long.
    pub(crate) seconds: u64,
    /// The share of transactions that are logged.
    pub(crate) sampling: &'static str,
}

/// A load of several statements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scripts<'a> {
    /// Files of scripts, each with its weight.
    pub(crate) files: &'a [(PathBuf, u32)],
    /// How they are sent.
    pub(crate) protocol: Protocol,
    /// How many send them.
    pub(crate) clients: u32,
    /// Transactions per second of all together; 0: as many as they can. With a rate, latencies are counted from when one should have been sent.
    pub(crate) rate: u32,
    /// For so long.
    pub(crate) seconds: u64,
    /// The share of transactions that are logged.
    pub(crate) sampling: &'static str,
}

/// `pgbench` with a directory of its own for logs.
#[derive(Debug)]
pub(crate) struct Pgbench {
    program: PathBuf,
    workplace: Workplace,
    user: String,
    database: String,
}

impl Pgbench {
    /// `program` will write its logs to `workplace`, where nobody else works.
    pub(crate) fn new(program: PathBuf, workplace: Workplace, user: &str, database: &str) -> Self {
        Self { program, workplace, user: user.to_owned(), database: database.to_owned() }
    }

    /// Creates and fills the tables.
    pub(crate) fn initialise(&self, address: &Address, scale: u32) -> Result<()> {
        let mut command = self.command(address);
        command.args(["-i", "-q", "-s", &scale.to_string()]);
        let (status, _, stderr) = self.finish(&mut command, Duration::from_secs(300))?;
        if !status.success() {
            bail!("pgbench -i failed: {stderr}");
        }
        Ok(())
    }

    /// Runs a cell for `seconds`; `sampling` is the share of transactions that are logged.
    pub(crate) fn run(
        &self,
        address: &Address,
        cell: Cell,
        seconds: u64,
        sampling: Option<&str>,
    ) -> Result<Outcome> {
        let mut command = self.command(address);
        command.args(["-n", "-M", cell.protocol.name()]);
        command.args(["-c", &cell.clients.to_string()]);
        command.args(["-j", &cell.threads().to_string()]);
        command.args(["-T", &seconds.to_string()]);
        match cell.workload {
            Workload::Select => command.arg("-S"),
            Workload::Storm => command.args(["-S", "-C"]),
            Workload::Tpcb | Workload::Idle => &mut command,
            Workload::Mixed | Workload::Alike | Workload::Unseen => {
                command.args(mix::scripts(cell.workload, &self.workplace)?)
            }
        };
        let _stranger = if cell.workload == Workload::Unseen {
            let mut command = self.command(address);
            command.args(["-n", "-c", "1", "-T", &seconds.to_string()]);
            Some(mix::Stranger::start(command, &self.workplace, &self.database)?)
        } else {
            None
        };
        self.timed(command, seconds, sampling, cell.workload)
    }

    /// Runs a script of one statement.
    pub(crate) fn script(&self, address: &Address, script: &Script<'_>) -> Result<Outcome> {
        let path = self.workplace.path().join("script.sql");
        fs::write(&path, script.text)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let Script { protocol, clients, seconds, sampling, .. } = *script;
        let files = &[(path, 1)];
        let scripts = Scripts { files, protocol, clients, rate: 0, seconds, sampling };
        self.scripts(address, &scripts)
    }

    /// Runs several scripts by turns.
    pub(crate) fn scripts(&self, address: &Address, scripts: &Scripts<'_>) -> Result<Outcome> {
        let mut command = self.command(address);
        let threads = if scripts.clients == 1 { "1" } else { "2" };
        command.args(["-n", "-M", scripts.protocol.name(), "-j", threads]);
        command.args(["-c", &scripts.clients.to_string(), "-T", &scripts.seconds.to_string()]);
        if scripts.rate > 0 {
            command.args(["-R", &scripts.rate.to_string()]);
        }
        for (path, weight) in scripts.files {
            command.arg("-f").arg(format!("{}@{weight}", path.display()));
        }
        self.timed(command, scripts.seconds, Some(scripts.sampling), Workload::Select)
    }

    /// Has every value of `:key` from 1 to `keys` asked for twice in a row, by a script of one statement, with the clients in turns.
    pub(crate) fn visit(&self, address: &Address, script: &Script<'_>, keys: u32) -> Result<()> {
        let path = self.workplace.path().join("visit.sql");
        let clients = script.clients;
        let next = format!(
            "\\set n :n + 1\n\\set key 1 + ((:n - 1) / 2 * {clients} + :client_id) % {keys}\n"
        );
        fs::write(&path, next + script.text)?;
        let mut command = self.command(address);
        command.args(["-n", "-M", script.protocol.name(), "-j", "2", "-D", "n=0"]);
        command.args(["-c", &clients.to_string(), "-t", &(2 * keys.div_ceil(clients)).to_string()]);
        command.arg("-f").arg(path);
        let (status, _, stderr) = self.finish(&mut command, Duration::from_secs(300))?;
        if !status.success() {
            bail!("pgbench failed: {stderr}");
        }
        Ok(())
    }

    /// Runs pgbench for its time, and reads what it has written.
    fn timed(
        &self,
        mut command: Command,
        seconds: u64,
        sampling: Option<&str>,
        workload: Workload,
    ) -> Result<Outcome> {
        if let Some(rate) = sampling {
            command.args(["-l", "--log-prefix", "latency"]);
            if rate != "1" {
                command.args(["--sampling-rate", rate]);
            }
        }
        let (status, stdout, stderr) =
            self.finish(&mut command, Duration::from_secs(seconds) + GRACE)?;
        let latencies = self.take_latencies(workload)?;
        outcome(status, &stdout, &stderr, &latencies)
    }

    fn command(&self, address: &Address) -> Command {
        let mut command = self.workplace.command(&self.program);
        command
            .env("LC_ALL", "C")
            .env("PGSSLMODE", "disable")
            .env("PGGSSENCMODE", "disable")
            .env("PGCONNECT_TIMEOUT", "10")
            .args(["-h", &address.host, "-p", &address.port.to_string()])
            .args(["-U", &self.user]);
        command
    }

    /// Runs it to its end, or ends it. Output goes to files, so that no full pipe holds it up.
    fn finish(
        &self,
        command: &mut Command,
        limit: Duration,
    ) -> Result<(ExitStatus, String, String)> {
        let directory = self.workplace.path();
        let (out, err) = (directory.join("stdout"), directory.join("stderr"));
        command.arg(&self.database);
        command.stdout(File::create(&out)?).stderr(File::create(&err)?);
        let mut child =
            command.spawn().with_context(|| format!("cannot run {}", self.program.display()))?;
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                bail!("pgbench did not end within {} s: its clients hang", limit.as_secs());
            }
            thread::sleep(Duration::from_millis(5));
        };
        Ok((status, fs::read_to_string(&out)?, fs::read_to_string(&err)?))
    }

    /// Logged latencies in microseconds, sorted, where there are slow statements only those of short ones; the log files are removed.
    fn take_latencies(&self, workload: Workload) -> Result<Vec<u64>> {
        let mut latencies = Vec::new();
        for path in latency_logs(self.workplace.path())? {
            let log = fs::read_to_string(&path)?;
            if workload.has_slow_statements() {
                parse_latencies(log.lines().filter(|line| mix::is_short(line)), &mut latencies);
            } else {
                parse_latencies(log.lines(), &mut latencies);
            }
            fs::remove_file(&path)?;
        }
        latencies.sort_unstable();
        Ok(latencies)
    }
}

fn latency_logs(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.flatten();
    Ok(entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("latency."))
        .map(|entry| entry.path())
        .collect())
}

/// Third column of each line; a failed transaction has a word there and is counted elsewhere.
fn parse_latencies<'a>(lines: impl Iterator<Item = &'a str>, latencies: &mut Vec<u64>) {
    let third = |line: &str| line.split_ascii_whitespace().nth(2)?.parse::<u64>().ok();
    latencies.extend(lines.filter_map(third));
}

fn outcome(status: ExitStatus, stdout: &str, stderr: &str, latencies: &[u64]) -> Result<Outcome> {
    let complaints: Vec<&str> = stderr.lines().filter(|line| is_complaint(line)).collect();
    let Some(summary) = parse_summary(stdout) else {
        bail!("pgbench ended without a summary ({status}): {}", stderr.trim());
    };
    let mut errors = summary.failed + complaints.len() as u64;
    if !status.success() {
        errors = errors.max(1);
    }
    let milliseconds = |permille| quantile(latencies, permille).map(|value| value as f64 / 1000.0);
    let mut distinct: Vec<String> = Vec::new();
    for complaint in &complaints {
        if distinct.len() < COMPLAINTS && !distinct.iter().any(|known| known == complaint) {
            distinct.push((*complaint).to_owned());
        }
    }
    Ok(Outcome {
        transactions: summary.transactions,
        tps: summary.tps,
        average_ms: summary.average_ms,
        connection_ms: summary.connection_ms,
        p50_ms: milliseconds(500),
        p99_ms: milliseconds(990),
        errors,
        complaints: distinct,
    })
}

fn is_complaint(line: &str) -> bool {
    line.starts_with("pgbench: error:") || line.starts_with("pgbench: warning:")
}

fn parse_summary(stdout: &str) -> Option<Summary> {
    let value = |name: &str| {
        let line = stdout.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches([' ', '=', ':']).split([' ', '/']).next()
    };
    Some(Summary {
        transactions: value("number of transactions actually processed")?.parse().ok()?,
        failed: value("number of failed transactions")?.parse().ok()?,
        tps: value("tps")?.parse().ok()?,
        average_ms: value("latency average")?.parse().ok()?,
        connection_ms: value("average connection time").and_then(|text| text.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    const SUMMARY: &str = "pgbench (15.18)\ntransaction type: <builtin: select only>\nscaling factor: 10\n\
        query mode: simple\nnumber of clients: 32\nnumber of threads: 2\nmaximum number of tries: 1\nduration: 5 s\n\
        number of transactions actually processed: 204123\nnumber of failed transactions: 2 (0.001%)\n\
        latency average = 0.783 ms\ninitial connection time = 12.345 ms\n\
        tps = 40812.345678 (without initial connection time)\n";

    #[test]
    fn the_summary_of_an_ordinary_run_is_read() {
        let summary = parse_summary(SUMMARY).unwrap();
        assert_eq!((summary.transactions, summary.failed), (204_123, 2));
        assert_eq!(summary.tps, 40_812.345_678);
        assert_eq!((summary.average_ms, summary.connection_ms), (0.783, None));
    }

    #[test]
    fn the_summary_of_a_run_that_connects_every_time_has_the_connection_time() {
        let text =
            SUMMARY.replace("initial connection time = 12.345", "average connection time = 1.500");
        assert_eq!(parse_summary(&text).unwrap().connection_ms, Some(1.5));
    }

    #[test]
    fn a_run_without_a_summary_is_an_error_and_not_zeros() {
        let failed = ExitStatus::from_raw(1 << 8);
        let text = outcome(failed, "pgbench (15.18)\n", "pgbench: error: no\n", &[]).unwrap_err();
        assert!(text.to_string().contains("pgbench: error: no"));
    }

    #[test]
    fn aborted_clients_and_failed_transactions_are_errors() {
        let stderr = "pgbench: error: client 3 aborted in command 1 (SQL) of script 0\nHINT: x\n";
        let aborted = outcome(ExitStatus::from_raw(2 << 8), SUMMARY, stderr, &[]).unwrap();
        assert_eq!(aborted.errors, 3);
        assert_eq!(aborted.complaints.len(), 1);
        let silent = SUMMARY.replace("transactions: 2 ", "transactions: 0 ");
        assert_eq!(outcome(ExitStatus::from_raw(2 << 8), &silent, "", &[]).unwrap().errors, 1);
        assert_eq!(outcome(ExitStatus::from_raw(0), &silent, "", &[]).unwrap().errors, 0);
    }

    #[test]
    fn latencies_come_from_the_third_column() {
        let mut latencies = Vec::new();
        parse_latencies(
            "0 1 250 0 1700000000 5\n1 1 failed 0 1700000000 6\n0 2 750 0 1 7\n".lines(),
            &mut latencies,
        );
        assert_eq!(latencies, [250, 750]);
    }
}
