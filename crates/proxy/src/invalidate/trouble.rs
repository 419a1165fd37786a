//! Why changes of a database are not followed, in words for an operator, with the next step.
//!
//! Invariant: what has to be done by people says so once, and is not tried again at once.

use std::time::Duration;

use howdah_core::cache::gather;

use crate::connect::OpenError;
use crate::inquiry::{Broken, Unanswered};

/// Pause after what may pass by itself, doubled with each further failure,
pub(super) const SHORTEST: Duration = Duration::from_millis(100);
/// up to this;
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// and after what needs people.
const PEOPLE: Duration = Duration::from_secs(15);

/// Why it has ended, or cannot begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("PostgreSQL did not answer in time")]
    Late,
    #[error("the connection was lost")]
    Lost,
    #[error("PostgreSQL refuses: {0}")]
    Refused(String),
    #[error("an answer of PostgreSQL cannot be understood")]
    Odd,
    #[error("{0}")]
    Broken(#[from] gather::Broken),
    #[error("the operating system has no random numbers")]
    Random,
    #[error("nobody is known who can log in without a client: set user in [cache]")]
    NoLogin,
    #[error(
        "wal_level is {0:?}, and has to be \"logical\": ALTER SYSTEM SET wal_level = 'logical', then restart PostgreSQL"
    )]
    WalLevel(String),
    #[error("PostgreSQL {0} cannot tell of heartbeats: 14 or later is needed")]
    Version(String),
    #[error("there is no publication {0:?} in this database: howdah setup creates it")]
    NoPublication(String),
    #[error(
        "the publication {0:?} leaves out some changes, or tells them as those of another table: \
         ALTER PUBLICATION … SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = false)"
    )]
    Partial(String),
    #[error("the node is not the primary")]
    NotPrimary,
    #[error("the primary is another node now")]
    Moved,
    #[error("the publication has changed")]
    Republished,
    #[error("too many commits are waiting to become visible")]
    Overrun,
    #[error("nothing was heard for too long")]
    Silent,
}

impl Trouble {
    /// How long to wait before the next attempt, the so-manieth in a row that failed.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        match self {
            Self::Moved | Self::Republished | Self::NotPrimary => SHORTEST,
            Self::NoLogin
            | Self::WalLevel(_)
            | Self::Version(_)
            | Self::NoPublication(_)
            | Self::Partial(_) => PEOPLE,
            Self::Open(error) if error.is_final() => PEOPLE,
            Self::Open(_)
            | Self::Late
            | Self::Lost
            | Self::Refused(_)
            | Self::Odd
            | Self::Random
            | Self::Broken(_)
            | Self::Overrun
            | Self::Silent => {
                SHORTEST.saturating_mul(1 << failures.saturating_sub(1).min(8)).min(LONGEST_PAUSE)
            }
        }
    }

    /// It is no failure: something else is to be followed.
    pub(super) fn is_change(&self) -> bool {
        matches!(self, Self::Moved | Self::Republished)
    }
}

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Lost => Self::Lost,
            Broken::Garbled | Broken::Long => Self::Odd,
        }
    }
}

impl From<Unanswered> for Trouble {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Broken(broken) => broken.into(),
            Unanswered::Refused { code, message } => {
                Self::Refused(format!("{message} (SQLSTATE {code})"))
            }
            Unanswered::Odd => Self::Odd,
        }
    }
}
