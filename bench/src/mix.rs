//! Point reads among slow statements, for pgbench: its scripts and their weights. How long a slow one runs is `pg_sleep`, so that it costs no
//! processor and holds up only who waits for its server.
//!
//! Invariant: the first script is the short one, and every twentieth statement runs for 20 ms, every hundredth for 500 ms.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

use crate::plan::Workload;
use crate::workplace::Workplace;

/// Weight and seconds of each script.
const SCRIPTS: [(u32, &str); 3] = [(94, "0.00"), (5, "0.02"), (1, "0.50")];

/// Every second a statement that has another form than all before it.
const STRANGER: &str = "\\set n random(1, 1000000000)\n\
    SELECT abalance AS n:n, pg_sleep(0.02) FROM pgbench_accounts WHERE aid = 1;\n\\sleep 1 s\n";

/// Writes the scripts of a workload, and says how pgbench is told of them.
pub(crate) fn scripts(workload: Workload, workplace: &Workplace) -> Result<Vec<String>> {
    let mut words = Vec::new();
    for (number, (weight, seconds)) in SCRIPTS.into_iter().enumerate() {
        let columns = match (workload, number) {
            (Workload::Alike, _) => "pg_sleep(:seconds), abalance",
            (_, 0) => "abalance",
            (_, 1) => "abalance, pg_sleep(:seconds)",
            _ => "abalance, bid, pg_sleep(:seconds)",
        };
        let script = format!(
            "\\set aid random(1, 100000)\n\\set seconds {seconds}\nSELECT {columns} FROM pgbench_accounts WHERE aid = :aid;\n"
        );
        let path = write(workplace, &format!("mix-{number}.sql"), &script)?;
        words.extend(["-f".to_owned(), format!("{}@{weight}", path.display())]);
    }
    Ok(words)
}

fn write(workplace: &Workplace, name: &str, script: &str) -> Result<PathBuf> {
    let path = workplace.path().join(name);
    fs::write(&path, script).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Whether a line of pgbench's log is about the short script.
pub(crate) fn is_short(line: &str) -> bool {
    line.split_ascii_whitespace().nth(3) == Some("0")
}

/// A client beside those that are measured, with a new form of statement every second; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Stranger(Child);

impl Stranger {
    pub(crate) fn start(
        mut pgbench: Command,
        workplace: &Workplace,
        database: &str,
    ) -> Result<Self> {
        let path = write(workplace, "stranger.sql", STRANGER)?;
        pgbench.arg("-f").arg(path).arg(database);
        pgbench.stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(pgbench.spawn().context("cannot run a second pgbench")?))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        // It ends by itself at about the same time.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_statement_in_twenty_and_one_in_a_hundred_are_slow() {
        let weights = SCRIPTS.map(|(weight, _)| weight);
        assert_eq!((weights, weights.iter().sum::<u32>()), ([94, 5, 1], 100));
    }

    #[test]
    fn the_script_is_the_fourth_column_of_the_log() {
        assert!(is_short("5 1 250 0 1700000000 5"));
        assert!(!is_short("0 1 250 2 1700000000 0"));
    }
}
