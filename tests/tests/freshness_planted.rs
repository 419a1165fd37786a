//! The freshness checker, and that of tags, turn red when the cache is broken on purpose. Needs the feature `planted-bugs`.
//!
//! A binary of its own, whose tests run one after the other: planted bugs hold for the whole process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

#[allow(dead_code, reason = "a part of what the tests of the cache use")]
#[path = "cache/bed.rs"]
mod bed;
#[allow(dead_code, reason = "a part of what the tests of the cache use")]
#[path = "cache/checker/mod.rs"]
mod checker;
#[path = "cache/soundness/mod.rs"]
mod soundness;
#[allow(dead_code, reason = "a part of what the tests of the cache use")]
#[path = "cache/two.rs"]
mod two;

use std::time::{Duration, Instant};

use checker::Plan;
use howdah::faults::{Fault, plant};
use howdah_core::cache::faults as core;
use parking_lot::Mutex;

static ALONE: Mutex<()> = Mutex::new(());

const READS: u64 = 200_000;
const TIME: Duration = Duration::from_secs(40);

/// What the checker finds while these are planted and, in rounds, this happens.
fn violations(
    faults: &[Fault],
    rules: &[core::Fault],
    happens: &'static [checker::faults::Fault],
) -> Vec<String> {
    let bed = checker::bed(!happens.is_empty());
    bed.open();
    plant(faults);
    core::plant(rules);
    let begun = Instant::now();
    let outcome =
        checker::run(&bed, Plan { reads: READS, time: TIME, faults: happens, is_routed: false });
    plant(&[]);
    core::plant(&[]);
    println!(
        "{faults:?} {rules:?}: {} reads, {} hits, {} patched, {:.1?}: {:?}",
        outcome.reads,
        outcome.hits,
        outcome.patched,
        begun.elapsed(),
        outcome.violations.first()
    );
    assert!(outcome.hits > 0, "nothing was kept");
    outcome.violations
}

#[test]
fn planted_bugs_are_noticed() {
    let _alone = ALONE.lock();
    for fault in [Fault::ForgetRole, Fault::SkipFence, Fault::MissCascade] {
        assert!(!violations(&[fault], &[], &[]).is_empty(), "{fault:?} was not noticed");
    }
}

#[test]
fn the_usual_rules_are_noticed() {
    let _alone = ALONE.lock();
    for rule in [core::Fault::EpochGate, core::Fault::LsnGate, core::Fault::LateBump] {
        let stalled = &[checker::faults::Fault::StandbyStalled];
        assert!(!violations(&[], &[rule], stalled).is_empty(), "{rule:?} was not noticed");
    }
}

#[test]
fn a_tag_that_is_left_out_is_noticed() {
    let _alone = ALONE.lock();
    let cascade = &[Fault::MissCascade][..];
    let (leave, shown) = (&[core::Fault::LeaveSilently][..], &[core::Fault::ForgetShown][..]);
    for (of_tags, of_rows) in [(cascade, &[][..]), (&[], leave), (&[], shown)] {
        let seed = howdah_tests::seed();
        let bed = bed::Bed::start(&soundness::setup(seed), soundness::KEYS);
        plant(of_tags);
        core::plant(of_rows);
        let outcome = soundness::run(&bed, seed, TIME);
        plant(&[]);
        core::plant(&[]);
        let planted = (of_tags, of_rows);
        println!("{planted:?}: {}\n{}", outcome.told(), outcome.unsound.concat());
        assert!(!outcome.unsound.is_empty(), "{planted:?} was not noticed");
    }
}

#[test]
fn trust_in_what_others_have_kept_is_noticed() {
    let _alone = ALONE.lock();
    let two = two::Two::ready("");
    core::plant(&[core::Fault::TrustShared]);
    let begun = Instant::now();
    let outcome = two::run_while(&two, &two::Happening::default(), |goes_on| {
        while goes_on() && begun.elapsed() < TIME {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    core::plant(&[]);
    assert!(!outcome.violations.is_empty(), "{outcome:?}");
}
