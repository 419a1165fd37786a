//! The simulation turns red when the data plane is broken on purpose. Needs the feature `planted-bugs`.

use howdah_proxy::faults::{Fault, plant};

use crate::PLANTED;
use crate::day::{Kind, live};

/// What is found within a few days, those of a rush or others; the first line of it.
fn found(faults: &[Fault], rush: bool) -> Option<String> {
    plant(faults);
    let failure = (1..=3).find_map(|seed| {
        let kind = Kind { seed, hours: 4, clients: 24, calm: seed == 1, rush };
        let outcome = live(kind);
        println!("{faults:?}, {kind:?}: {} events, {} requests", outcome.hash.1, outcome.requests);
        outcome.failure
    });
    plant(&[]);
    failure.and_then(|failure| failure.lines().next().map(str::to_owned))
}

#[test]
fn every_planted_bug_is_found() {
    let _alone = PLANTED.write();
    assert_eq!(found(&[], false), None, "violations without a bug");
    for fault in [
        Fault::SkipReset,
        Fault::SkipAlign,
        Fault::EarlyRelease,
        Fault::LostWaiter,
        Fault::DoubleCheckin,
    ] {
        let found = found(&[fault], false);
        println!("{fault:?}: {found:?}");
        assert!(found.is_some(), "{fault:?} is not found");
    }
    assert_eq!(found(&[], true), None, "violations without a bug, in a rush");
    for fault in [Fault::SkipAlign, Fault::SwapAnswers] {
        let found = found(&[fault], true);
        println!("{fault:?}, in a rush: {found:?}");
        assert!(found.is_some(), "{fault:?} is not found in a rush");
    }
}
