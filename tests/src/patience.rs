//! Waiting for what must become so. Not for what must happen within a promised time: that is measured by its test.

use std::time::{Duration, Instant};

/// More than anything takes on the busiest machine that tests run on.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until it is so.
///
/// # Panics
/// With `what`, when it is not after [`PATIENCE`].
#[track_caller]
pub fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(LOOK);
    }
}
