//! A run on paper: Markdown for people, JSON with every raw number for programs. Nothing is computed here that
//! [`crate::results`] does not offer.
//!
//! Invariant: what was not measured is a dash, never a zero.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::cpu::Cpu;
use crate::machine::{self, Facts, Quietness};
use crate::plan::{Cell, Peer, Workload};
use crate::results::{IdleReading, Metric, Reading, Results, cpu_us, tps};
use crate::sample::Spread;
use crate::target::{Bound, Target, Verdict};

/// A run with all that belongs to it; its JSON form is the result file.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Name and version of this form.
    pub(crate) schema: &'static str,
    /// Day of the run, UTC.
    pub(crate) date: String,
    /// The command that made it.
    pub(crate) command: String,
    /// How servers and peers were set up, in words.
    pub(crate) method: Vec<String>,
    /// The machine.
    pub(crate) machine: Facts,
    /// How quiet it was before.
    pub(crate) before: Quietness,
    /// How quiet it was afterwards.
    pub(crate) after: Quietness,
    /// Who was compared.
    pub(crate) peers: Vec<Peer>,
    /// All numbers.
    pub(crate) results: Results,
    /// What must be reached.
    pub(crate) targets: Vec<Target>,
}

impl Report {
    /// Writes `DATE-NAME.md` and `.json` into `directory`; returns the first.
    pub(crate) fn write(&self, directory: &Path, name: &str) -> Result<PathBuf> {
        fs::create_dir_all(directory)?;
        let stem = directory.join(format!("{}-{name}", self.date));
        let (markdown, json) = (stem.with_extension("md"), stem.with_extension("json"));
        fs::write(&markdown, self.markdown())
            .with_context(|| format!("cannot write {}", markdown.display()))?;
        fs::write(&json, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("cannot write {}", json.display()))?;
        Ok(markdown)
    }

    /// The whole report.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("# Benchmark of {}\n\n    {}\n\n", self.date, self.command);
        self.head(&mut text);
        for workload in [
            Workload::Select,
            Workload::Tpcb,
            Workload::Storm,
            Workload::Mixed,
            Workload::Alike,
            Workload::Unseen,
        ] {
            let mut cells = self.results.cells();
            cells.retain(|cell| cell.workload == workload);
            if !cells.is_empty() {
                self.table(&mut text, workload, &cells);
            }
        }
        self.idle_table(&mut text);
        self.target_table(&mut text);
        self.complaints(&mut text);
        text
    }

    fn head(&self, text: &mut String) {
        let machine = &self.machine;
        push(
            text,
            &format!(
                "- Machine: {} processors ({}), {} MiB, Linux {}; sources at {}",
                machine.processors,
                machine.model,
                machine.memory_mib,
                machine.kernel,
                machine.revision
            ),
        );
        push(text, &format!("- Versions: {}", machine.versions.join("; ")));
        for (moment, quietness) in [("before", &self.before), ("after", &self.after)] {
            let warning = if quietness.is_quiet() { "" } else { " **(not quiet)**" };
            push(
                text,
                &format!(
                    "- Other work {moment}: {:.0} % of the machine, load average {:.2}{warning}",
                    quietness.busy * 100.0,
                    quietness.load
                ),
            );
        }
        for line in &self.method {
            push(text, &format!("- {line}"));
        }
        push(
            text,
            "- Medians of the rounds; in brackets the smallest and the largest. Ratios are taken within a round. \
             CPU is user + system time of the peer's process. `!`: other work took more than 5 % of the machine.",
        );
    }

    fn table(&self, text: &mut String, workload: Workload, cells: &[Cell]) {
        let unit = workload.unit();
        push(text, &format!("\n## {}\n", workload.title()));
        let latency = if workload == Workload::Storm { "connect ms" } else { "P50 ms | P99 ms" };
        let header = format!(
            "| protocol | clients | peer | per second | {latency} | CPU µs per {unit} (user + system) | errors \
             | per second × direct | per second × PgBouncer | CPU × PgBouncer |"
        );
        push(text, &header);
        push(text, &rule(&header));
        for &cell in cells {
            for &peer in &self.peers {
                if self.results.of(cell, peer).next().is_some() {
                    push(text, &self.row(cell, peer));
                }
            }
        }
    }

    fn row(&self, cell: Cell, peer: Peer) -> String {
        let results = &self.results;
        let spread = |metric: Metric| results.spread(cell, peer, metric);
        let ratio = |base: Peer, metric: Metric| {
            let compared = (base != peer).then(|| results.ratio(cell, peer, base, metric));
            compared.flatten().map_or_else(dash, |spread| ranged(spread, 2))
        };
        let latency = if cell.workload == Workload::Storm {
            plain(spread(|reading| reading.connection_ms), 2)
        } else {
            let (p50, p99) = (spread(|reading| reading.p50_ms), spread(|reading| reading.p99_ms));
            format!("{} | {}", plain(p50, 2), plain(p99, 2))
        };
        let mut name = peer.name().to_owned();
        if results.of(cell, peer).any(|reading| reading.session_mode) {
            name.push_str(if peer.shares_servers() {
                " (session mode)"
            } else {
                " (does not pool transactions)"
            });
        }
        if results.of(cell, peer).any(|reading| reading.foreign > machine::QUIET) {
            name.push_str(" !");
        }
        format!(
            "| {} | {} | {name} | {} | {latency} | {} | {} | {} | {} | {} |",
            cell.protocol.name(),
            cell.clients,
            plain(spread(tps), 0),
            self.cpu(cell, peer),
            results.errors(cell, peer),
            ratio(Peer::Direct, tps),
            ratio(Peer::PgBouncer, tps),
            ratio(Peer::PgBouncer, cpu_us),
        )
    }

    fn cpu(&self, cell: Cell, peer: Peer) -> String {
        let spread = |metric: Metric| self.results.spread(cell, peer, metric);
        let user = spread(|reading| reading.cpu_us.map(|cpu| cpu.user));
        let system = spread(|reading| reading.cpu_us.map(|cpu| cpu.system));
        match (spread(cpu_us), user, system) {
            (Some(total), Some(user), Some(system)) => {
                format!("{:.1} ({:.1} + {:.1})", total.median, user.median, system.median)
            }
            _ => dash(),
        }
    }

    fn idle_table(&self, text: &mut String) {
        if self.results.idle.is_empty() {
            return;
        }
        push(text, "\n## Memory of idle clients\n");
        push(
            text,
            "Of the peer's processes; for a direct connection of PostgreSQL's. Where a client has a server of its own, that server's memory (as of a direct connection) comes on top.\n",
        );
        let header = "| peer | clients | processes before, MiB | KiB per client after login | after one statement each |";
        push(text, header);
        push(text, &rule(header));
        for &peer in &self.peers {
            let spread = |metric| self.results.idle(peer, metric);
            let Some(before) = spread(|reading| reading.before_kib as f64 / 1024.0) else {
                continue;
            };
            let clients = self.results.idle.iter().find(|reading| reading.peer == peer);
            let growth =
                |spread: Option<Spread>| spread.map_or_else(dash, |spread| ranged(spread, 1));
            push(
                text,
                &format!(
                    "| {} | {} | {:.1} | {} | {} |",
                    peer.name(),
                    clients.map_or(0, |reading| reading.clients),
                    before.median,
                    growth(spread(|reading| reading.login_kib)),
                    growth(spread(|reading| reading.query_kib)),
                ),
            );
        }
    }

    fn target_table(&self, text: &mut String) {
        if self.targets.is_empty() {
            return;
        }
        push(text, "\n## Targets\n");
        let header = "| target | limit | measured | verdict |";
        push(text, header);
        push(text, &rule(header));
        for target in &self.targets {
            let sign = match target.bound {
                Bound::AtMost => "≤",
                Bound::AtLeast => "≥",
            };
            let verdict = match target.verdict {
                Verdict::Met => "met",
                Verdict::Missed => "**missed**",
                Verdict::Unclear => "unclear: within the noise",
            };
            let measured = ranged(target.measured, 2);
            push(
                text,
                &format!("| {} | {sign} {} | {measured} | {verdict} |", target.what, target.limit),
            );
        }
    }

    fn complaints(&self, text: &mut String) {
        let readings =
            self.results.readings.iter().filter(|reading| !reading.complaints.is_empty());
        let readings = readings
            .map(|reading| format!("- {}: {}", describe(reading), reading.complaints.join(" / ")));
        let failures = self.results.failures.iter();
        let failures =
            failures.map(|failure| format!("- {}: {}", failure.peer.name(), failure.what));
        let lines: Vec<String> = readings.chain(failures).collect();
        if !lines.is_empty() {
            push(text, &format!("\n## Errors and complaints\n\n{}", lines.join("\n")));
        }
    }
}

/// One line about memory of idle clients, for the progress of a run.
pub(crate) fn idle_progress(reading: &IdleReading) -> String {
    format!(
        "idle {} clients {} round {}: {:.1} KiB each after login, {:.1} after a statement",
        reading.clients,
        reading.peer.name(),
        reading.round + 1,
        reading.login_kib,
        reading.query_kib
    )
}

/// One line about a reading, for the progress of a run.
pub(crate) fn progress(reading: &Reading) -> String {
    let cpu = reading.cpu_us.map_or_else(dash, |Cpu { user, system }| {
        format!("{:.1} ({user:.1} + {system:.1})", user + system)
    });
    let milliseconds = |value: Option<f64>| value.map_or_else(dash, |value| format!("{value:.2}"));
    let latency = match reading.connection_ms {
        Some(_) => format!("connect {} ms", milliseconds(reading.connection_ms)),
        None => format!(
            "P50 {} ms, P99 {} ms",
            milliseconds(reading.p50_ms),
            milliseconds(reading.p99_ms)
        ),
    };
    let disturbed = if reading.foreign > machine::QUIET {
        format!(", other work {:.0} %", reading.foreign * 100.0)
    } else {
        String::new()
    };
    format!(
        "{}: {:.0} per second, {latency}, CPU {cpu} µs, {} errors{disturbed}",
        describe(reading),
        reading.tps,
        reading.errors
    )
}

fn describe(reading: &Reading) -> String {
    format!("{}, {}, round {}", reading.cell.describe(), reading.peer.name(), reading.round + 1)
}

fn push(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

fn rule(header: &str) -> String {
    let columns = header.matches('|').count().saturating_sub(1);
    format!("|{}", "---|".repeat(columns))
}

fn dash() -> String {
    "–".to_owned()
}

fn plain(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(dash, |spread| format!("{:.digits$}", spread.median))
}

/// The median and, unless all rounds gave the same, the range.
fn ranged(spread: Spread, digits: usize) -> String {
    let [min, median, max] =
        [spread.min, spread.median, spread.max].map(|value| format!("{value:.digits$}"));
    if min == max { median } else { format!("{median} ({min}–{max})") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::reading;

    fn report(readings: Vec<Reading>) -> Report {
        let quiet = Quietness { load: 0.1, busy: 0.0, others: Vec::new() };
        let results = Results { readings, ..Results::default() };
        Report {
            schema: "test",
            date: "2026-11-21".to_owned(),
            command: "howdah-bench run".to_owned(),
            method: vec!["method".to_owned()],
            machine: Facts::gather(Vec::new(), Path::new("/")),
            before: quiet.clone(),
            after: Quietness { busy: 0.5, ..quiet },
            peers: vec![Peer::Direct, Peer::Howdah, Peer::PgBouncer],
            targets: crate::target::judge(&results),
            results,
        }
    }

    #[test]
    fn every_row_has_as_many_columns_as_its_header() {
        let mut with_session = reading(Peer::PgBouncer, 0, 100.0, 10.0);
        with_session.session_mode = true;
        with_session.foreign = 0.5;
        let readings = vec![
            reading(Peer::Direct, 0, 150.0, 2.0),
            reading(Peer::Howdah, 0, 110.0, 9.0),
            with_session,
        ];
        let text = report(readings).markdown();
        let mut columns = None;
        for line in text.lines() {
            let here = line.starts_with('|').then(|| line.matches('|').count());
            assert!(columns.is_none() || here.is_none() || here == columns, "{line}");
            columns = here;
        }
        assert!(text.contains("| simple | 32 | Howdah | 110 | 0.90 | 2.00 | 9.0 (1.0 + 8.0) | 0 | 0.73 | 1.10 | 0.90 |"));
        assert!(text.contains("PgBouncer (session mode) !"));
        assert!(
            text.contains("| simple | 32 | direct | 150 | 0.90 | 2.00 | – | 0 | – | 1.50 | – |")
        );
        assert!(text.contains("**(not quiet)**"));
    }

    #[test]
    fn a_range_is_shown_where_there_is_one() {
        assert_eq!(ranged(Spread { min: 1.0, median: 1.5, max: 2.25 }, 1), "1.5 (1.0–2.2)");
        assert_eq!(ranged(Spread { min: 1.0, median: 1.0, max: 1.04 }, 1), "1.0");
    }

    #[test]
    fn complaints_are_shown_with_their_run() {
        let mut bad = reading(Peer::Howdah, 2, 1.0, 2.0);
        bad.errors = 1;
        bad.complaints = vec!["client 1 aborted".to_owned()];
        let text = report(vec![bad]).markdown();
        assert!(text.contains("- reads simple 32 clients, Howdah, round 3: client 1 aborted"));
        assert!(text.contains("| errors in the worst run | ≤ 0 | 1.00 | **missed** |"));
    }
}
