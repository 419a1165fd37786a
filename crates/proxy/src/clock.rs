//! The one clock of the data plane. Not the tick of a worker, which hands its time on: `worker`.
//!
//! Invariant: everything that is timed in this crate is timed by tokio's clock, so that a simulation in which that clock stands
//! still and jumps (`simulation/`) drives deadlines, lifetimes and pauses alike.

use std::time::{Instant, SystemTime};

/// The time now. Without tokio's `test-util` it is the system's.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The date at which a moment of the clock was, for people.
#[expect(clippy::disallowed_methods, reason = "the one place where the calendar is asked")]
pub(crate) fn date_of(moment: Instant) -> SystemTime {
    let (now, today) = (now(), SystemTime::now());
    let date = today.checked_sub(now.saturating_duration_since(moment));
    date.unwrap_or(SystemTime::UNIX_EPOCH)
}
