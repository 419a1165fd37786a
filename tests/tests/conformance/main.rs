//! Nobody can tell the difference: the same frames directly and through Howdah, and the replies compared byte by byte.
//!
//! `written` holds conversations by hand. The others generate: `values` every type in every format, `protocols` random sequences of
//! messages, `failures` errors and violations of the protocol, `copies` COPY, `surroundings` encodings and settings. The seed is
//! `HOWDAH_SEED`; a failure prints it and the smallest conversation that still shows the difference.
//! docs/conformance.md says what is compared and what is masked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

mod copies;
mod corpus;
mod failures;
mod protocols;
mod run;
mod surroundings;
mod tampering;
mod values;
mod written;

use run::Comparison;

/// Exchanges (a request and its replies) that the corpus has at least.
const EXCHANGES: usize = 5_000;

fn compare_all(mode: &str) {
    let begin = std::time::Instant::now();
    let mut comparison = Comparison::start(mode);
    let cases = corpus::cases(&comparison, comparison.seed(), EXCHANGES);
    for case in &cases {
        comparison.check(case);
    }
    comparison.conclude();
    println!("{} exchanges in {mode} mode, {:?}", comparison.exchanges(), begin.elapsed());
    assert!(comparison.exchanges() >= EXCHANGES, "only {} exchanges", comparison.exchanges());
}

#[test]
fn a_generated_corpus_is_answered_alike_in_transaction_mode() {
    compare_all("transaction");
}

#[test]
fn a_generated_corpus_is_answered_alike_in_session_mode() {
    compare_all("session");
}
