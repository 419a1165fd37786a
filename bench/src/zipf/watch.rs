//! How old what is read may have been: every write is noted when it was acknowledged, every read is compared with the writes that were
//! acknowledged before it was sent. Numbers of a key only grow by one.
//!
//! Invariant: what counts as stale was; a read during a write may show either.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

/// Writes of a key that are remembered: what is staler than all of them counts as old as the oldest.
const REMEMBERED: usize = 16;
const STRIPES: usize = 64;

type Written = HashMap<u32, VecDeque<(u32, Instant)>>;

/// All keys.
#[derive(Debug)]
pub(super) struct Watch(Vec<Mutex<Written>>);

impl Watch {
    pub(super) fn new() -> Self {
        Self((0..STRIPES).map(|_| Mutex::default()).collect())
    }

    fn stripe(&self, key: u32) -> Option<MutexGuard<'_, Written>> {
        self.0.get(usize::try_from(key).ok()? % STRIPES).map(Mutex::lock)
    }

    /// The number of a key was acknowledged.
    pub(super) fn on_written(&self, key: u32, number: u32) {
        let now = Instant::now();
        let Some(mut stripe) = self.stripe(key) else { return };
        let writes = stripe.entry(key).or_default();
        writes.push_back((number, now));
        if writes.len() > REMEMBERED {
            writes.pop_front();
        }
    }

    /// How long before `asked` a newer number had been acknowledged at the earliest; zero: none had.
    pub(super) fn staleness(&self, key: u32, number: u32, asked: Instant) -> Duration {
        let Some(stripe) = self.stripe(key) else { return Duration::ZERO };
        let newer = stripe.get(&key).into_iter().flatten().filter(|(newer, _)| *newer > number);
        newer
            .map(|(_, acknowledged)| asked.saturating_duration_since(*acknowledged))
            .max()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_is_as_stale_as_the_first_write_that_it_misses() {
        let watch = Watch::new();
        watch.on_written(7, 1);
        watch.on_written(7, 2);
        let asked = Instant::now() + Duration::from_secs(1);
        assert!(watch.staleness(7, 0, asked) >= watch.staleness(7, 1, asked));
        assert!(watch.staleness(7, 1, asked) >= Duration::from_secs(1));
        assert_eq!(watch.staleness(7, 2, asked), Duration::ZERO);
        assert_eq!(watch.staleness(8, 0, asked), Duration::ZERO);
        assert_eq!(
            watch.staleness(7, 1, asked.checked_sub(Duration::from_secs(2)).unwrap()),
            Duration::ZERO
        );
    }
}
