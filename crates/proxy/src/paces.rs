//! Run times of the statement forms that a worker has seen, for the decision whether their requests may share a server.
//!
//! Invariant: bounded by `ANALYSES_PER_WORKER` forms.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use howdah_core::limits;
use howdah_core::pool::Pace;

/// Run times by fingerprint.
#[derive(Debug, Default)]
pub(crate) struct Paces(RefCell<HashMap<u64, Pace, foldhash::fast::RandomState>>);

impl Paces {
    /// How long statements of a form run, if they have proven to be short.
    pub(crate) fn short(&self, fingerprint: u64) -> Option<Duration> {
        self.0.borrow().get(&fingerprint).filter(|pace| pace.is_short()).map(Pace::cost)
    }

    /// A statement of a form ran for `time` and was answered by `bytes`.
    pub(crate) fn on_run(&self, fingerprint: u64, time: Duration, bytes: usize) {
        let mut paces = self.0.borrow_mut();
        if let Some(pace) = paces.get_mut(&fingerprint) {
            return pace.on_run(time, bytes);
        }
        if paces.len() >= limits::ANALYSES_PER_WORKER {
            // Those that are in use prove themselves again.
            paces.clear();
        }
        paces.entry(fingerprint).or_default().on_run(time, bytes);
    }
}
