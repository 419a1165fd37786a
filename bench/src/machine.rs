//! The machine a result belongs to: its facts, and whether it was quiet. Not the servers.
//!
//! Invariant: nothing here names a person, a host or a directory.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde::Serialize;

use crate::cpu::{self, Snapshot};

/// Above this share of the machine used by others, a measurement is disturbed.
pub(crate) const QUIET: f64 = 0.05;

/// What a result is worth nothing without.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Facts {
    /// Processors that this process may use.
    pub(crate) processors: usize,
    /// Model of the processor.
    pub(crate) model: String,
    /// Memory in MiB.
    pub(crate) memory_mib: u64,
    /// Version of the kernel.
    pub(crate) kernel: String,
    /// Versions of the programs measured.
    pub(crate) versions: Vec<String>,
    /// Commit of the sources, with `-dirty` when files differ from it.
    pub(crate) revision: String,
}

impl Facts {
    /// Of this machine, with the versions of what is measured on it.
    pub(crate) fn gather(versions: Vec<String>, sources: &Path) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            processors: processors(),
            model: field(&read("/proc/cpuinfo"), "model name").unwrap_or_default(),
            memory_mib: field(&read("/proc/meminfo"), "MemTotal")
                .and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok())
                .unwrap_or_default()
                / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            versions,
            revision: revision(sources),
        }
    }
}

/// Processors that this process may use.
pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Value of the first line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn revision(sources: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(sources).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "no commit".to_owned();
    };
    // A result file of this very run must not make the sources look changed.
    match git(&["status", "--porcelain", "--", ":/", ":(exclude,top)bench/results"]) {
        Some(changes) if changes.is_empty() => commit,
        Some(_) | None => format!("{commit}-dirty"),
    }
}

/// How busy the machine was with other work.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Quietness {
    /// Load average of the last minute.
    pub(crate) load: f64,
    /// Share of all processors that was in use during one second without any work of ours, 0 to 1.
    pub(crate) busy: f64,
    /// The busiest of the other processes in that second, as `name (share of one processor)`.
    pub(crate) others: Vec<String>,
}

impl Quietness {
    /// Watches the machine for one second. `roots` are our own processes.
    pub(crate) fn observe(roots: &[u32]) -> Result<Self> {
        let (before, busy) = (Snapshot::take()?, cpu::machine_busy()?);
        thread::sleep(Duration::from_secs(1));
        let (after, busy) = (Snapshot::take()?, cpu::machine_busy()? - busy);
        let others = after.busiest(&before, roots).into_iter().take(5);
        let load = fs::read_to_string("/proc/loadavg")?;
        Ok(Self {
            load: load.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0),
            busy: busy / processors() as f64,
            others: others
                .map(|(name, seconds)| format!("{name} ({:.0} %)", seconds * 100.0))
                .collect(),
        })
    }

    /// Whether a measurement is worth something.
    pub(crate) fn is_quiet(&self) -> bool {
        self.busy <= QUIET
    }
}

/// Today in UTC as `YYYY-MM-DD`.
pub(crate) fn today() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    date(now.as_secs() / 86_400)
}

/// The date `days` after 1970-01-01 in the Gregorian calendar.
fn date(days: u64) -> String {
    // Counted from 1 March of year 0, so that the leap day is the last of its year; 146,097 days are 400 years.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) =
        if month < 10 { (year + era * 400, month + 3) } else { (year + era * 400 + 1, month - 9) };
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates_also_around_leap_days() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(11_017), "2000-03-01");
        assert_eq!(date(19_722), "2023-12-31");
        assert_eq!(date(20_778), "2026-11-21");
        assert_eq!(date(47_540), "2100-02-28");
        assert_eq!(date(47_541), "2100-03-01");
    }

    #[test]
    fn fields_are_found_by_name() {
        assert_eq!(field("a\t: 1\nmodel name\t: X 2\n", "model name"), Some("X 2".to_owned()));
        assert_eq!(field("a: 1\n", "b"), None);
    }

    #[test]
    fn a_machine_is_quiet_up_to_the_limit() {
        let with = |busy| Quietness { load: 0.0, busy, others: Vec::new() };
        assert!(with(QUIET).is_quiet());
        assert!(!with(QUIET + 0.01).is_quiet());
    }
}
