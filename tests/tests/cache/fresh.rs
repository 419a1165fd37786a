//! The freshness checker finds nothing, whatever happens.

use std::time::{Duration, Instant};

use howdah_tests::variable;

use crate::bed::direct;
use crate::checker::faults::{self, Fault};
use crate::checker::{self, Plan, failover};

/// Reads, and the time for them, unless the environment asks for more.
const READS: u64 = 1_000_000;
const SECONDS: u64 = 200;

#[test]
fn every_read_shows_what_it_was_promised_whatever_happens() {
    let reads = variable("HOWDAH_CACHE_READS").unwrap_or(READS);
    let seconds = variable("HOWDAH_CACHE_SECONDS").unwrap_or(SECONDS);
    let bed = checker::bed(true);
    let begun = Instant::now();
    let plan =
        Plan { reads, time: Duration::from_secs(seconds), faults: faults::ALL, is_routed: false };
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

#[test]
fn when_the_primary_dies_every_read_shows_what_its_standby_had() {
    let (outcome, took, failed) = failover::run();
    println!(
        "{} reads, {} of them hits, {failed} requests failed, hits again {took:.1?} after the primary died",
        outcome.reads, outcome.hits
    );
    assert_eq!(outcome.violations, Vec::<String>::new());
    assert!(outcome.hits * 20 > outcome.reads, "{outcome:?}");
}

#[test]
fn beside_a_replica_that_stays_behind_no_session_goes_back_in_time() {
    let bed = checker::routed_bed();
    let answered = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'";
    let mut replica = direct(&bed.cluster.replicas()[0]);
    let mut by_replica = || replica.value(answered).parse::<u64>().expect("a number");
    let before = by_replica();
    let plan = Plan {
        reads: 100_000,
        time: Duration::from_secs(4),
        faults: &[Fault::ReplayPaused],
        is_routed: true,
    };
    let outcome = checker::run(&bed, plan);
    let by_replica = by_replica() - before;
    println!(
        "{} reads, {} of them hits, at least {by_replica} by the replica",
        outcome.reads, outcome.hits
    );
    assert_eq!(outcome.violations, Vec::<String>::new());
    assert!(outcome.hits * 20 > outcome.reads && by_replica > 100, "{outcome:?}");
}
