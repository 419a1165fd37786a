//! The freshness checker finds nothing.

use std::time::{Duration, Instant};

use howdah_tests::variable;

use crate::bed::Bed;
use crate::checker;

/// Reads, and the time for them, unless the environment asks for more.
const READS: u64 = 1_000_000;
const SECONDS: u64 = 60;

#[test]
fn every_read_shows_what_it_was_promised() {
    let reads = variable("HOWDAH_CACHE_READS").unwrap_or(READS);
    let seconds = variable("HOWDAH_CACHE_SECONDS").unwrap_or(SECONDS);
    let bed = Bed::start(checker::SETUP, checker::KEYS);
    let begun = Instant::now();
    let outcome = checker::run(&bed, reads, Duration::from_secs(seconds));
    println!(
        "{} reads, {} of them hits, {} patched, in {:.1?}",
        outcome.reads,
        outcome.hits,
        outcome.patched,
        begun.elapsed()
    );
    assert_eq!(outcome.violations, Vec::<String>::new());
    assert!(outcome.reads > 1000, "{outcome:?}");
    assert!(outcome.hits * 20 > outcome.reads && outcome.patched > 0, "{outcome:?}");
}
