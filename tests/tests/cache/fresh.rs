//! The freshness checker finds nothing, whatever happens.

use std::time::{Duration, Instant};

use howdah_tests::variable;

use crate::checker::{self, Plan, faults};

/// Reads, and the time for them, unless the environment asks for more.
const READS: u64 = 1_000_000;
const SECONDS: u64 = 60;

#[test]
fn every_read_shows_what_it_was_promised_whatever_happens() {
    let reads = variable("HOWDAH_CACHE_READS").unwrap_or(READS);
    let seconds = variable("HOWDAH_CACHE_SECONDS").unwrap_or(SECONDS);
    let bed = checker::bed(true);
    let begun = Instant::now();
    let plan = Plan { reads, time: Duration::from_secs(seconds), faults: faults::ALL };
    let outcome = checker::run(&bed, plan);
    println!(
        "{} reads, {} of them hits, {} patched, all faults {} times, in {:.1?}",
        outcome.reads,
        outcome.hits,
        outcome.patched,
        outcome.rounds,
        begun.elapsed()
    );
    assert_eq!(outcome.violations, Vec::<String>::new());
    assert!(outcome.reads > 1000 && outcome.rounds > 0, "{outcome:?}");
    assert!(outcome.hits * 20 > outcome.reads && outcome.patched > 0, "{outcome:?}");
}
