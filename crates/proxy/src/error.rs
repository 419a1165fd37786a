//! What a client is told when Howdah itself has to say no: severity, SQLSTATE, a sentence, and what to do. Errors of
//! PostgreSQL are not here: they are forwarded as they came.

use std::time::Duration;

use howdah_wire::backend::{self, TransactionStatus};
use howdah_wire::sqlstate::SqlState;

/// Howdah cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address or socket path.
        address: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Another process cannot be taken over from.
    #[error("cannot take over from the process at {path}: {source}")]
    Takeover {
        /// The socket of the other process.
        path: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// A worker thread could not be started.
    #[error("cannot start a worker thread: {0}")]
    Worker(std::io::Error),
}

/// An error that Howdah itself reports to a client.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: SqlState,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// The routine of PostgreSQL that reports such an error, if drivers look at it.
    pub(crate) routine: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn new(code: SqlState, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, routine: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// An error that ends the connection.
    pub(crate) fn write_fatal(&self, out: &mut Vec<u8>) {
        backend::error(out, "FATAL", self.code, &self.message, None, self.hint.as_deref());
    }

    /// An error that ends a request; a ReadyForQuery is due when the request is complete.
    pub(crate) fn write_error(&self, out: &mut Vec<u8>) {
        if let Some(routine) = self.routine {
            return backend::error_of_routine(out, self.code, &self.message, routine);
        }
        backend::error(out, "ERROR", self.code, &self.message, None, self.hint.as_deref());
    }

    /// The whole answer to a request.
    pub(crate) fn write_answer(&self, out: &mut Vec<u8>) {
        self.write_error(out);
        backend::ready_for_query(out, TransactionStatus::Idle);
    }

    pub(crate) fn protocol(what: impl std::fmt::Display) -> Self {
        Self::new(SqlState::PROTOCOL_VIOLATION, format!("protocol violation: {what}"))
    }

    pub(crate) fn checkout_timeout(waited: Duration, max_size: u32) -> Self {
        Self::new(
            SqlState::TOO_MANY_CONNECTIONS,
            format!(
                "no server connection became free within {}: all {max_size} of the pool are in use",
                seconds(waited)
            ),
        )
        .hint("Shorten long transactions (howdah status shows them), or raise pool.max_size or pool.checkout_timeout.")
    }

    pub(crate) fn queue_full(max_waiters: usize) -> Self {
        Self::new(
            SqlState::TOO_MANY_CONNECTIONS,
            format!("{max_waiters} clients wait for a server connection already"),
        )
        .hint("The database cannot keep up. Reduce the load, or raise pool.max_size or pool.max_waiters.")
    }

    pub(crate) fn too_many_clients(max: usize, key: &str) -> Self {
        Self::new(
            SqlState::TOO_MANY_CONNECTIONS,
            format!("sorry, too many clients already: {max} are connected"),
        )
        .hint(format!("Close connections that are not needed, or raise {key}."))
    }

    pub(crate) fn transaction_timeout(timeout: Duration) -> Self {
        let limit = seconds(timeout);
        Self::new(
            SqlState::TRANSACTION_TIMEOUT,
            format!(
                "terminating connection: transaction longer than pool.transaction_timeout ({limit})"
            ),
        )
        .hint("Make the transaction shorter, or raise pool.transaction_timeout for this database.")
    }

    pub(crate) fn shutting_down() -> Self {
        Self::new(SqlState::ADMIN_SHUTDOWN, "terminating connection: Howdah is shutting down")
            .hint("Connect again in a moment.")
    }

    pub(crate) fn killed() -> Self {
        Self::new(
            SqlState::ADMIN_SHUTDOWN,
            "terminating connection due to administrator command on Howdah's console",
        )
    }

    pub(crate) fn paused(database: &str) -> Self {
        Self::new(
            SqlState::CANNOT_CONNECT_NOW,
            format!("database {database:?} is paused, and pool.pause_timeout is over"),
        )
        .hint("RESUME on Howdah's console lets it go on.")
    }

    pub(crate) fn disabled(database: &str) -> Self {
        Self::new(
            SqlState::CANNOT_CONNECT_NOW,
            format!("database {database:?} is disabled: it takes no new clients"),
        )
        .hint("ENABLE on Howdah's console admits them again.")
    }

    /// Tells a client that waits for a server why nothing comes.
    pub(crate) fn write_wait_notice(out: &mut Vec<u8>, paused: bool) {
        let (message, hint) = if paused {
            ("Howdah is paused: the request waits", "It goes on when an administrator resumes it.")
        } else {
            (
                "no server connection is available: the request waits for one",
                "All connections of the pool are in use, or the server cannot be reached.",
            )
        };
        let code = SqlState::SUCCESSFUL_COMPLETION;
        backend::notice(out, "NOTICE", code, message, None, Some(hint));
    }

    pub(crate) fn canceled() -> Self {
        Self::new(SqlState::QUERY_CANCELED, "canceling statement due to user request")
    }

    /// `by` says which limit it was.
    pub(crate) fn query_timeout(after: Duration, by: &str) -> Self {
        Self::new(
            SqlState::QUERY_CANCELED,
            format!("canceling statement: it ran longer than {by} ({})", seconds(after)),
        )
    }

    pub(crate) fn blocked_by_rule(rule: &str) -> Self {
        Self::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("the statement is blocked by Howdah's rule {rule:?}"),
        )
        .hint("howdah rules test \"…\" shows which rule decides and why; the rules are [[rule]] of Howdah's configuration.")
    }

    pub(crate) fn too_many_rows(rule: &str, rows: u64) -> Self {
        Self::new(
            SqlState::PROGRAM_LIMIT,
            format!("the statement has more rows than Howdah's rule {rule:?} allows ({rows})"),
        )
        .hint("Ask for fewer rows with WHERE or LIMIT, or raise max_rows of the rule.")
    }

    pub(crate) fn uncountable(rule: &str) -> Self {
        Self::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!(
                "rows of such a text cannot be counted, and Howdah's rule {rule:?} has max_rows"
            ),
        )
        .hint("Send the statements one by one.")
    }

    /// Whether it tells of a request that ran for too long.
    pub(crate) fn is_timeout(&self) -> bool {
        self.code == SqlState::QUERY_CANCELED
    }

    /// What PostgreSQL said to an alignment, as an answer to the request it was for.
    pub(crate) fn of_alignment(body: &[u8]) -> Self {
        match backend::error_fields(body) {
            Ok(fields) => Self::new(fields.code, String::from_utf8_lossy(fields.message))
                .hint("A setting of this session cannot be made on another server connection."),
            Err(error) => Self::protocol(error),
        }
    }

    pub(crate) fn transaction_lost() -> Self {
        Self::new(
            SqlState::ADMIN_SHUTDOWN,
            "terminating connection: PostgreSQL is gone, and the open transaction with it",
        )
        .hint("Nothing of the transaction took effect. Connect again and repeat it.")
    }

    pub(crate) fn unknown_outcome() -> Self {
        Self::new(
            SqlState::UNKNOWN_OUTCOME,
            "the connection to PostgreSQL was lost before it said whether this was committed",
        )
        .hint("It may or may not have taken effect. Check before you repeat it.")
    }

    pub(crate) fn server_lost() -> Self {
        Self::new(
            SqlState::CONNECTION_FAILURE,
            "the connection to PostgreSQL was lost while it worked on this request",
        )
        .hint("Whether the statement took effect is not known. Check before you repeat a write.")
    }
}

/// A duration as people write it.
pub(crate) fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}
