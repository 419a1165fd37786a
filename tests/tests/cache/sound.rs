//! No answer stays when a write changes it, and not too many go that could have stayed.

use std::time::Duration;

use howdah_tests::{seed, variable};

use crate::bed::Bed;
use crate::soundness;

/// Unless the environment asks for more.
const SECONDS: u64 = 25;
/// Answers that had to be given up, of a hundred that were. Three times as many are ordinary.
const FLOOR: u64 = 5;

#[test]
fn what_a_write_changes_is_not_given_any_more_whatever_the_schema_the_query_and_the_write() {
    let seconds = variable("HOWDAH_TAGS_SECONDS").unwrap_or(SECONDS);
    let seed = seed();
    let bed = Bed::start(&soundness::setup(seed), soundness::KEYS);
    let outcome = soundness::run(&bed, seed, Duration::from_secs(seconds));
    println!("{}", outcome.told());
    assert!(outcome.unsound.is_empty(), "{}", outcome.unsound.join("\n\n"));
    let all = outcome.all();
    assert!(outcome.writes > 20 && all.changed > 20, "it has hardly looked");
    assert!(all.given_up < all.kept, "everything is given up");
    assert!(100 * all.changed >= FLOOR * all.given_up, "answers are given up for nothing");
}
