//! What of a [`Board`](super::Board) is worth more than the process: what fires and who was told of it, and silences. Not what is pending,
//! which may wait for its time once more, and not what is over.
//!
//! Invariant: times are those of the board that was saved; the next board goes on from there.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::instance::Told;
use super::{SilenceId, Subject};

/// A board as it was.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Saved {
    /// What its time was.
    pub(super) now: Duration,
    pub(super) alerts: Vec<SavedAlert>,
    pub(super) silences: Vec<SavedSilence>,
}

/// One rule about one subject.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SavedAlert {
    pub(super) rule: String,
    pub(super) subject: Subject,
    /// Since when it has been wrong, if it fires.
    pub(super) firing: Option<Duration>,
    pub(super) told: Option<Told>,
    pub(super) changes: VecDeque<Duration>,
    pub(super) flapping: bool,
    pub(super) value: f64,
    pub(super) detail: Option<String>,
}

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedSilence {
    pub(super) id: SilenceId,
    /// `None`: of all rules.
    pub(super) rule: Option<String>,
    pub(super) until: Duration,
    pub(super) reason: String,
}

impl SavedAlert {
    fn is_like(&self, other: &Self) -> bool {
        let facts = |one: &Self| (one.firing, one.told, one.flapping);
        facts(self) == facts(other)
            && self.rule == other.rule
            && self.subject == other.subject
            && self.changes == other.changes
    }
}

impl Saved {
    /// Whether nothing has changed that is worth saving: numbers of what is wrong anyway are not.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let alike = |(one, other): (&SavedAlert, &SavedAlert)| one.is_like(other);
        self.silences == other.silences
            && self.alerts.len() == other.alerts.len()
            && self.alerts.iter().zip(&other.alerts).all(alike)
    }
}
