//! Alerts: what is looked at, when it is wrong for long enough that somebody is told, and of several things that are wrong which one is
//! the cause. Not how somebody is told: that is `howdah-alerts`.
//!
//! The way of a fault: an [`Observation`] (facts of one moment) becomes [`Reading`]s (named numbers about subjects) in [`Numbers`]; the
//! [`Board`] compares them with the [`RULES`] and gives [`Notice`]s.
//!
//! Invariant: a function of what was observed and when; time is the age of the process, or of the first of those that went on for each other,
//! and never goes back.

mod board;
mod instance;
mod notice;
mod numbers;
mod observation;
mod prometheus;
mod registry;
mod saved;
mod subject;
mod tuning;
mod window;

pub use board::{Alert, Board, Delivery, Past, Silence, SilenceId};
pub use notice::{Notice, Occasion};
pub use numbers::{Number, Numbers, Reading};
pub use observation::{AdviceSeen, CacheSeen, DatabaseSeen, NodeSeen, Observation, PoolSeen};
pub use prometheus::{alert_name, prometheus};
pub use registry::{Bound, Page, RULES, Rule, Unit, rule};
pub use saved::Saved;
pub use subject::Subject;
pub use tuning::{Tuned, Tuning};

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Somebody should look today.
    Warning,
    /// Somebody should look now.
    Critical,
}

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The word used in the configuration, in reports and in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == word)
    }
}

#[cfg(test)]
mod tests;
