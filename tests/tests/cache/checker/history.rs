//! What was written when: the versions of one row, or of a whole table that is written at once.
//!
//! Invariant: a version is noted as sent before it is sent, and as acknowledged after it was.

use std::time::Instant;

use parking_lot::Mutex;

/// One version.
#[derive(Debug, Clone, Copy)]
struct Write {
    version: u64,
    sent: Instant,
    acknowledged: Option<Instant>,
}

/// Versions in order. One at a time writes.
#[derive(Debug, Default)]
pub(super) struct History(Mutex<Vec<Write>>);

impl History {
    /// Has a version written.
    pub(super) fn write(&self, write: impl FnOnce(u64)) -> u64 {
        self.attempt(|version| {
            write(version);
            true
        })
    }

    /// Tries to have a version written, which says whether it was; what was not for certain may be seen and need not.
    pub(super) fn attempt(&self, write: impl FnOnce(u64) -> bool) -> u64 {
        let version = {
            let mut writes = self.0.lock();
            let version = writes.len() as u64 + 1;
            writes.push(Write { version, sent: Instant::now(), acknowledged: None });
            version
        };
        if write(version) {
            let mut writes = self.0.lock();
            writes.last_mut().expect("it was sent").acknowledged = Some(Instant::now());
        }
        version
    }

    /// The version that every read has to show which began so late.
    pub(super) fn due(&self, at: Instant) -> u64 {
        let writes = self.0.lock();
        let is_due = |write: &&Write| write.acknowledged.is_some_and(|moment| moment < at);
        writes.iter().rev().find(is_due).map_or(0, |write| write.version)
    }

    /// The latest that a read may show which ended then.
    pub(super) fn possible(&self, at: Instant) -> u64 {
        let writes = self.0.lock();
        writes.iter().rev().find(|write| write.sent <= at).map_or(0, |write| write.version)
    }
}
