//! The instruction-count gate: runs every operation of `howdah-hot` under callgrind and compares with the baseline. Not a
//! clock: instructions are the same on a busy machine, time is not.
//!
//! Invariant: start-up never counts, because an operation costs the difference of two runs that differ in their number of
//! repetitions alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::sample::Spread;
use crate::{Options, Outcome, sources};

/// Repetitions of the shorter run; the longer one has twice as many.
const REPETITIONS: u64 = 2000;
/// More instructions than the baseline by this share is a regression.
const TOLERANCE: f64 = 0.05;

/// What `hot` is asked to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// End with exit code 5 when an operation needs more instructions than the baseline allows.
    #[arg(long)]
    check: bool,
    /// Write what was counted as the new baseline.
    #[arg(long, conflicts_with = "check")]
    update: bool,
    /// Only operations whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Count everything this often and show the spread: it shows that the count repeats.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
}

/// bench/hot/baseline.json.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Baseline {
    /// The compiler that made the binary: another one makes other instructions.
    rustc: String,
    /// Architecture counted on.
    architecture: String,
    /// Instructions per operation.
    instructions: BTreeMap<String, f64>,
}

/// How an operation stands against the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Within the tolerance.
    Within,
    /// More than the tolerance allows.
    Above,
    /// So much less that the baseline should be lowered.
    Below,
    /// No baseline.
    New,
}

impl Standing {
    fn of(counted: f64, baseline: Option<f64>) -> Self {
        match baseline {
            None => Self::New,
            Some(baseline) if counted > baseline * (1.0 + TOLERANCE) => Self::Above,
            Some(baseline) if counted < baseline * (1.0 - TOLERANCE) => Self::Below,
            Some(_) => Self::Within,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Within => "ok",
            Self::Above => "REGRESSION",
            Self::Below => "better: run with --update",
            Self::New => "no baseline: run with --update",
        }
    }
}

/// Counts, compares, and writes the baseline when asked to.
pub(crate) fn run(arguments: &Arguments, options: &Options) -> Result<Outcome> {
    let program = build()?;
    let path = sources().join("hot/baseline.json");
    let mut baseline = read_baseline(&path)?;
    let rustc = rustc_version();
    if !baseline.rustc.is_empty() && baseline.rustc != rustc {
        options.say(&format!("the baseline was made by {}, this is {rustc}", baseline.rustc));
    }
    let mut names = operations(&program)?;
    names.retain(|name| arguments.only.as_ref().is_none_or(|only| name.contains(only.as_str())));
    if names.is_empty() {
        bail!("no operation has such a name; all: {}", operations(&program)?.join(", "));
    }
    println!(
        "| operation | instructions | smallest–largest of {} | baseline | difference | |",
        arguments.repeat
    );
    println!("|---|---|---|---|---|---|");
    let mut bad = false;
    for name in names {
        let counts: Result<Vec<f64>> =
            (0..arguments.repeat).map(|_| instructions(&program, &name)).collect();
        let spread = Spread::of(counts?).context("no count")?;
        let before = baseline.instructions.get(&name).copied();
        let standing = Standing::of(spread.median, before);
        bad |= matches!(standing, Standing::Above | Standing::New);
        println!("{}", row(&name, spread, before, standing));
        if arguments.update {
            baseline.instructions.insert(name, (spread.median * 10.0).round() / 10.0);
        }
    }
    if arguments.update {
        baseline.rustc = rustc;
        std::env::consts::ARCH.clone_into(&mut baseline.architecture);
        fs::write(&path, serde_json::to_string_pretty(&baseline)? + "\n")?;
        options.say("wrote bench/hot/baseline.json");
    }
    Ok(if arguments.check && bad { Outcome::Missed } else { Outcome::Done })
}

fn row(name: &str, spread: Spread, before: Option<f64>, standing: Standing) -> String {
    let Spread { min, median, max } = spread;
    let (baseline, difference) = before.map_or_else(
        || ("–".to_owned(), "–".to_owned()),
        |before| (format!("{before:.1}"), format!("{:+.1} %", (median / before - 1.0) * 100.0)),
    );
    format!(
        "| {name} | {median:.1} | {min:.1}–{max:.1} | {baseline} | {difference} | {} |",
        standing.words()
    )
}

/// Builds `howdah-hot` with the same cargo that runs this and returns its path.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--locked", "-p", "howdah-hot"])
        .current_dir(sources())
        .status()
        .context("cannot run cargo to build howdah-hot")?;
    if !status.success() {
        bail!("building howdah-hot failed");
    }
    let directory = std::env::current_exe()?;
    let target = directory.parent().and_then(Path::parent).context("no target directory")?;
    Ok(target.join("release/howdah-hot"))
}

fn operations(program: &Path) -> Result<Vec<String>> {
    let output = Command::new(program).arg("list").output()?;
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

/// Instructions of one repetition of an operation.
fn instructions(program: &Path, name: &str) -> Result<f64> {
    let short = collected(program, name, REPETITIONS)?;
    let long = collected(program, name, 2 * REPETITIONS)?;
    let difference = long
        .checked_sub(short)
        .with_context(|| format!("{name}: more repetitions took fewer instructions"))?;
    Ok(difference as f64 / REPETITIONS as f64)
}

/// Instructions of a whole run.
fn collected(program: &Path, name: &str, repetitions: u64) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([name, &repetitions.to_string()])
        // The environment lies on the stack and would move it.
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .context("cannot run valgrind; install it: apt-get install valgrind")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{name} under callgrind failed: {stderr}");
    }
    parse_collected(&stderr)
        .with_context(|| format!("callgrind did not say how much it collected: {stderr}"))
}

fn parse_collected(stderr: &str) -> Option<u64> {
    let line = stderr.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}

fn read_baseline(path: &Path) -> Result<Baseline> {
    match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).context("bench/hot/baseline.json cannot be read"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Baseline::default()),
        Err(error) => Err(error).context("bench/hot/baseline.json cannot be opened"),
    }
}

fn rustc_version() -> String {
    let output = Command::new("rustc").arg("--version").current_dir(sources()).output();
    let text = output.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    text.map_or_else(|| "an unknown compiler".to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_per_cent_more_is_allowed_and_not_a_bit_more() {
        assert_eq!(Standing::of(105.0, Some(100.0)), Standing::Within);
        assert_eq!(Standing::of(105.1, Some(100.0)), Standing::Above);
        assert_eq!(Standing::of(95.0, Some(100.0)), Standing::Within);
        assert_eq!(Standing::of(94.9, Some(100.0)), Standing::Below);
        assert_eq!(Standing::of(1.0, None), Standing::New);
    }

    #[test]
    fn the_count_is_found_in_what_callgrind_says() {
        let stderr =
            "==7== Callgrind\n==7== \n==7== Events    : Ir\n==7== Collected : 123456\n==7== \n";
        assert_eq!(parse_collected(stderr), Some(123_456));
        assert_eq!(parse_collected("==7== nothing\n"), None);
    }

    #[test]
    fn the_baseline_file_is_well_formed() {
        let baseline = read_baseline(&sources().join("hot/baseline.json")).unwrap();
        assert!(baseline.instructions.values().all(|&count| count > 0.0));
    }
}
