//! Seeds that have to pass.

use parking_lot::RwLockReadGuard;

use crate::PLANTED;
use crate::day::{Kind, live};

/// No bug is planted while this lives.
fn sound() -> RwLockReadGuard<'static, ()> {
    PLANTED.read()
}

/// The environment's seed and hours, if it asks for them.
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect(name))
}

fn pass(kind: Kind) {
    let _sound = sound();
    let kind = Kind {
        seed: asked("HOWDAH_SIMULATION_SEED").unwrap_or(kind.seed),
        hours: asked("HOWDAH_SIMULATION_HOURS").unwrap_or(kind.hours),
        ..kind
    };
    let began = std::time::Instant::now();
    let outcome = live(kind);
    println!(
        "{kind:?}: {} events, {} requests, {} of them waited to share, {:?}",
        outcome.hash.1,
        outcome.requests,
        outcome.shared,
        began.elapsed()
    );
    if let Some(failure) = outcome.failure {
        panic!("{kind:?}: {failure}");
    }
    assert!(!kind.rush || outcome.shared > 1000, "{kind:?}: hardly anything was shared");
}

#[test]
fn nobody_can_tell_the_difference_on_a_calm_day() {
    pass(Kind { seed: 1, hours: 6, clients: 24, calm: true, rush: false });
}

#[test]
fn a_day_of_faults_breaks_no_invariant() {
    pass(Kind { seed: 2, hours: 24, clients: 24, calm: false, rush: false });
}

#[test]
fn nobody_can_tell_that_servers_are_shared_in_a_rush() {
    pass(Kind { seed: 5, hours: 6, clients: 40, calm: true, rush: true });
}

#[test]
fn a_rush_with_faults_breaks_no_invariant() {
    pass(Kind { seed: 6, hours: 6, clients: 40, calm: false, rush: true });
}

#[test]
fn equal_seeds_give_equal_days() {
    let _sound = sound();
    let kind = Kind { seed: 3, hours: 1, clients: 16, calm: false, rush: false };
    let (once, again) = (live(kind), live(kind));
    assert_eq!(once.hash, again.hash);
    let other = live(Kind { seed: 4, ..kind });
    assert_ne!(once.hash, other.hash, "the seed decides nothing");
    let rush = Kind { rush: true, ..kind };
    assert_eq!(live(rush).hash, live(rush).hash);
}
