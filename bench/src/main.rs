//! `howdah-bench`: the benchmarks' command line. Every verb is a file; this one only reads arguments and sets exit codes.
//!
//! Invariant: results on stdout, talk on stderr; exit codes as those of `howdah`: 0 done, 1 failed, 2 usage, 5 a number was
//! missed, 6 the run could not tell.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its results")]

mod bed;
mod cached;
mod cpu;
mod disturbance;
mod haproxy;
mod hot;
mod howdah;
mod idle;
mod machine;
mod mix;
mod peers;
mod pgbench;
mod pgbouncer;
mod pgpool;
mod plan;
mod profile;
mod proxy;
mod report;
mod results;
mod run;
mod sample;
mod syscalls;
mod target;
mod tpch;
mod trading;
mod workplace;
mod zipf;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Benchmarks of Howdah against a direct connection and its peers, on real servers that it starts itself.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Verb,
}

/// What every verb understands.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Say nothing on stderr but errors.
    #[arg(long, global = true)]
    quiet: bool,
}

impl Options {
    /// A line of talk.
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            eprintln!("{line}");
        }
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Throughput, latency, CPU per query and memory of all peers, in interleaved rounds.
    Run(run::Arguments),
    /// Count the instructions of the hot functions and compare with the baseline.
    Hot(hot::Arguments),
    /// System calls per query.
    Syscalls(syscalls::Arguments),
    /// Functions in which a proxy spends its time.
    Profile(profile::Arguments),
    /// What the latency log itself costs.
    Disturbance(disturbance::Arguments),
    /// The result cache under reads by keys of Zipf's law, with writes.
    Zipf(zipf::Arguments),
    /// What an answer from the cache costs, beside PostgreSQL and a program that answers everything with the same row.
    Cached(cached::Arguments),
    /// The program that answers everything with the same row.
    #[command(hide = true)]
    Canned(cached::canned::Arguments),
    /// What a trading desk asks, with the result cache in memory and in Redis.
    Trading(trading::Arguments),
    /// The advice on indexes for TPC-H, with the advised indexes really built.
    Tpch(tpch::Arguments),
}

/// How a verb ended, apart from failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It did what it was asked to.
    Done,
    /// A number that must be reached was missed.
    Missed,
    /// The noise was too large to tell, or there was nothing to judge.
    Inconclusive,
}

impl Outcome {
    const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Missed => 5,
            Self::Inconclusive => 6,
        }
    }
}

/// The directory of this package.
pub(crate) fn sources() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn main() -> ExitCode {
    let Arguments { options, command } = Arguments::parse();
    let outcome = match command {
        Verb::Run(arguments) => run::run(&arguments, &options),
        Verb::Hot(arguments) => hot::run(&arguments, &options),
        Verb::Syscalls(arguments) => syscalls::run(&arguments, &options),
        Verb::Profile(arguments) => profile::run(&arguments, &options),
        Verb::Disturbance(arguments) => disturbance::run(&arguments, &options),
        Verb::Zipf(arguments) => zipf::run(&arguments, &options),
        Verb::Cached(arguments) => cached::run(&arguments, &options),
        Verb::Canned(arguments) => cached::canned::run(&arguments, &options),
        Verb::Trading(arguments) => trading::run(&arguments, &options),
        Verb::Tpch(arguments) => tpch::run(&arguments, &options),
    };
    match outcome {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn exit_codes_are_those_of_the_project() {
        let codes = [Outcome::Done, Outcome::Missed, Outcome::Inconclusive].map(Outcome::code);
        assert_eq!(codes, [0, 5, 6]);
    }
}
