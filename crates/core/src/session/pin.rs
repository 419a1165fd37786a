//! Why a session holds a server beyond a transaction. Shown to people and counted; the decision itself is made where the
//! reason arises.

/// Why a session holds its server until it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PinReason {
    /// Session pooling.
    SessionMode,
    /// A temporary table, view or sequence.
    TemporaryTable,
    /// A session-level advisory lock.
    AdvisoryLock,
    /// SQL-level `PREPARE`.
    SqlPrepare,
    /// `DECLARE … WITH HOLD`.
    HoldCursor,
    /// `LOAD`.
    Load,
    /// A setting was changed to a value that only the server knows.
    OpaqueSetting,
    /// A statement whose effect on the session cannot be told (`DO`, `CALL`, text our grammar does not know).
    UnknownEffect,
    /// A statement too long to analyse.
    LargeStatement,
    /// More settings or savepoints than a session may carry.
    TooMuchState,
}

impl PinReason {
    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionMode => "session_mode",
            Self::TemporaryTable => "temporary_table",
            Self::AdvisoryLock => "advisory_lock",
            Self::SqlPrepare => "sql_prepare",
            Self::HoldCursor => "hold_cursor",
            Self::Load => "load",
            Self::OpaqueSetting => "opaque_setting",
            Self::UnknownEffect => "unknown_effect",
            Self::LargeStatement => "large_statement",
            Self::TooMuchState => "too_much_state",
        }
    }
}
