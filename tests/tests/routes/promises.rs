//! What reads are promised at each level holds while replicas stop replaying and die.

use std::time::Duration;

use howdah_tests::consistency::{Level, Outcome, Plan, run};
use howdah_tests::farm::Farm;
use howdah_tests::{seed, variable};

fn check(level: Level) -> Outcome {
    let farm = Farm::start(2, "[pool]\nmax_size = 8\n", &[]);
    let seconds = variable("HOWDAH_CONSISTENCY_SECONDS").unwrap_or(8);
    let plan = Plan { level, sessions: 12, time: Duration::from_secs(seconds), seed: seed() };
    let outcome = run(&farm, &plan);
    assert_eq!(outcome.violations, Vec::<String>::new());
    assert_eq!(outcome.errors, Vec::<String>::new());
    assert!(outcome.reads > 100 && outcome.writes > 10, "too little was done: {outcome:?}");
    outcome
}

#[test]
fn a_session_never_misses_its_own_write_and_never_goes_back() {
    assert!(check(Level::Session).by_replicas > 0);
}

#[test]
fn a_bounded_read_never_misses_what_is_older_than_its_bound() {
    assert!(check(Level::Bounded(Duration::from_millis(300))).by_replicas > 0);
}

#[test]
fn a_strong_read_is_never_stale() {
    assert_eq!(check(Level::Strong).by_replicas, 0);
}
