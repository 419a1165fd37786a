//! What reads are promised at each level holds while replicas stop replaying and die.

use std::time::Duration;

use howdah_tests::consistency::{Level, Outcome, Plan, run};
use howdah_tests::farm::Farm;
use howdah_tests::{seed, variable};

fn check(level: Level, promotions: bool) -> Outcome {
    check_with(1, level, promotions)
}

fn check_with(workers: u32, level: Level, promotions: bool) -> Outcome {
    let farm =
        Farm::with_workers(workers, 2, "[pool]\nmax_size = 8\ncheckout_timeout = \"60s\"\n", &[]);
    let seconds = variable("HOWDAH_CONSISTENCY_SECONDS").unwrap_or(8);
    let time = Duration::from_secs(seconds);
    let plan = Plan { level, sessions: 12, time, promotions, seed: seed() };
    let outcome = run(&farm, &plan);
    assert_eq!(outcome.violations, Vec::<String>::new());
    assert_eq!(outcome.errors, Vec::<String>::new());
    assert!(!promotions || outcome.promotions > 0, "nobody took over: {outcome:?}");
    assert!(outcome.reads > 100 && outcome.writes > 10, "too little was done: {outcome:?}");
    outcome
}

#[test]
fn a_session_never_misses_its_own_write_and_never_goes_back() {
    assert!(check(Level::Session, false).by_replicas > 0);
}

#[test]
fn a_bounded_read_never_misses_what_is_older_than_its_bound() {
    assert!(check(Level::Bounded(Duration::from_millis(300)), false).by_replicas > 0);
}

#[test]
fn a_strong_read_is_never_stale() {
    assert_eq!(check(Level::Strong, false).by_replicas, 0);
}

#[test]
fn a_session_misses_nothing_while_the_primary_changes() {
    assert!(check(Level::Session, true).by_replicas > 0);
}

#[test]
fn two_workers_keep_the_promise_to_their_sessions() {
    assert!(check_with(2, Level::Session, true).by_replicas > 0);
}

#[test]
fn a_bounded_read_misses_nothing_while_the_primary_changes() {
    assert!(check(Level::Bounded(Duration::from_millis(300)), true).by_replicas > 0);
}

#[test]
fn a_strong_read_is_not_stale_while_the_primary_changes() {
    // A statement that begins on the primary may end there as one of a replica: it is being restarted.
    check(Level::Strong, true);
}
