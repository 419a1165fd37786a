//! Why advice was not carried out, in sentences for whoever said yes.

use super::preflight::{Check, Weight};
use crate::journal;

/// Why a run did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A statement is none that Howdah carries out.
    #[error("{0}")]
    ForPeople(String),
    /// Something stands against it; nothing was sent.
    #[error("{}", refusals(.0))]
    Refused(Vec<Check>),
    /// The server cannot be reached, or does not answer.
    #[error("{0}")]
    Unreachable(String),
    /// Another run goes on.
    #[error("{0}")]
    Busy(String),
    /// It names something that is not there.
    #[error("there is no {0}")]
    Missing(String),
    /// PostgreSQL refuses a statement; what it left is removed.
    #[error("{sql}: {said}")]
    Failed {
        /// The statement.
        sql: String,
        /// What PostgreSQL says.
        said: String,
    },
    /// The lock was never had.
    #[error("{sql}: {said} ({attempts} attempts)")]
    Blocked {
        /// The statement.
        sql: String,
        /// What PostgreSQL says.
        said: String,
        /// How often it was tried.
        attempts: usize,
    },
    /// Somebody wanted it to stop; what ran was cancelled, and what it left is removed.
    #[error("stopped; nothing is left behind")]
    Stopped,
    /// The server is gone, and with it the knowledge of how the statement ended.
    #[error(
        "the server is gone while this ran: {sql}\n    apply again when it is back: the journal knows where to go on"
    )]
    Lost {
        /// The statement.
        sql: String,
    },
    /// What a failed build left cannot be removed now.
    #[error(
        "{index} is left invalid and could not be dropped: {said}\n    apply again, or: DROP INDEX CONCURRENTLY {index}"
    )]
    Left {
        /// The index.
        index: String,
        /// What PostgreSQL says.
        said: String,
    },
    /// Statements could not be measured.
    #[error("{0}")]
    Samples(String),
    /// It was not carried out by Howdah, or nothing was measured before.
    #[error("not carried out, or nothing was measured before: nothing to compare")]
    NothingToVerify,
    /// There is nothing in the journal that could be taken back.
    #[error("Howdah has not carried this out: nothing to take back")]
    NothingToUndo,
    /// It was taken back, and the catalog is not what it was.
    #[error("taken back, but the catalog differs from what it was: {0}")]
    Differs(String),
    /// The journal cannot be written: then nothing is sent.
    #[error(transparent)]
    Journal(#[from] journal::Error),
}

impl Error {
    /// Nobody knows what is in the database now: the next run has to look.
    pub(super) const fn leaves_doubt(&self) -> bool {
        matches!(
            self,
            Self::Lost { .. } | Self::Left { .. } | Self::Journal(_) | Self::Unreachable(_)
        )
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Unreachable(said(&error))
    }
}

fn refusals(checks: &[Check]) -> String {
    let refused = checks.iter().filter(|check| check.weight == Weight::Refused);
    refused.map(|check| check.text.as_str()).collect::<Vec<_>>().join("\n")
}

/// PostgreSQL's own words with its detail and hint, or the cause below the driver's.
pub(super) fn said(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        let more = [error.detail(), error.hint()].into_iter().flatten();
        let more: String = more.map(|text| format!("; {text}")).collect();
        return format!("{}{more}", error.message());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
