//! `howdah-hot`: one hot function, repeated a given number of times, for `howdah-bench hot` to count instructions of. It
//! measures nothing itself.
//!
//! Invariant: an operation does the same work in every repetition, with no clock, no random number and no I/O, so that the
//! difference of two runs is exactly the work of the repetitions between them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its results")]

mod decisions;
mod protocol;
mod statements;

use std::hint::black_box;
use std::process::ExitCode;

/// Something that is done for every query, set up and then repeated. `None`: it did not do what it is there for.
type Operation = fn(repetitions: u64) -> Option<()>;

const OPERATIONS: &[(&str, Operation)] = &[
    ("wire_split_read_reply", protocol::split_read_reply),
    ("wire_split_extended_request", protocol::split_extended_request),
    ("wire_bind_renamed", protocol::bind_renamed),
    ("sql_analyse_known_literals", statements::analyse_known_literals),
    ("sql_analyse_known_parameters", statements::analyse_known_parameters),
    ("core_replies_simple", decisions::replies_simple),
    ("core_replies_extended", decisions::replies_extended),
    ("core_align_equal", decisions::align_equal),
    ("core_ledger_round_trip", decisions::ledger_round_trip),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match *words {
        ["list"] => {
            for (name, _) in OPERATIONS {
                println!("{name}");
            }
            Some(())
        }
        [name, repetitions] => repeat(name, repetitions),
        _ => None,
    };
    if done.is_none() {
        eprintln!("usage: howdah-hot list | howdah-hot OPERATION REPETITIONS");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

fn repeat(name: &str, repetitions: &str) -> Option<()> {
    let (_, operation) = OPERATIONS.iter().find(|(known, _)| *known == name)?;
    operation(black_box(repetitions.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_does_what_it_is_there_for() {
        for (name, operation) in OPERATIONS {
            assert!(operation(3).is_some(), "{name}");
        }
    }

    #[test]
    fn an_unknown_operation_is_refused() {
        assert!(repeat("nothing", "1").is_none());
        assert!(repeat("core_align_equal", "many").is_none());
    }
}
