//! Why a statement is for the primary: one word for counters and programs, one sentence for people.

/// Why a statement may not run on a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "every reason has its sentence")]
pub enum UnsafeReason {
    Unparsed,
    TooManyNames,
    Transaction,
    Session,
    Setting,
    Write,
    Lock,
    Definition,
    Maintenance,
    CopyIn,
    ServerFile,
    Cursor,
    Execute,
    Procedure,
    Notification,
    Sequence,
    AdvisoryLock,
    LargeObject,
    TransactionId,
    SideEffect,
    Temporary,
    Unlogged,
    Node,
    ForeignTable,
    VolatileFunction,
    UnknownFunction,
    UnknownTable,
    NoCatalog,
    Override,
    Other,
}

impl UnsafeReason {
    /// All, each with its word and its sentence.
    pub const ALL: [(Self, &'static str, &'static str); 30] = [
        (
            Self::Unparsed,
            "unparsed",
            "the text does not follow PostgreSQL's grammar, is too long, or is nested too deeply",
        ),
        (
            Self::TooManyNames,
            "too-many-names",
            "it names more functions or tables than are looked at",
        ),
        (Self::Transaction, "transaction", "it begins or ends a transaction"),
        (Self::Session, "session", "it changes the session, or asks what the session holds"),
        (Self::Setting, "setting", "it shows a setting, and every node has its own"),
        (Self::Write, "write", "it changes data"),
        (Self::Lock, "lock", "it locks rows or tables"),
        (Self::Definition, "definition", "it changes definitions"),
        (Self::Maintenance, "maintenance", "it maintains tables"),
        (Self::CopyIn, "copy-in", "it copies data into a table"),
        (
            Self::ServerFile,
            "server-file",
            "it reads or writes files, or runs programs, on the server",
        ),
        (Self::Cursor, "cursor", "it uses a cursor, which lives in a transaction of one server"),
        (Self::Execute, "execute", "it runs a prepared statement that its text does not show"),
        (Self::Procedure, "procedure", "it runs code that its text does not show"),
        (Self::Notification, "notification", "it sends notifications"),
        (Self::Sequence, "sequence", "it uses a sequence, whose value a replica does not know"),
        (
            Self::AdvisoryLock,
            "advisory-lock",
            "it takes or gives back advisory locks, which only one node knows",
        ),
        (
            Self::LargeObject,
            "large-object",
            "it uses large objects, whose handles live in a transaction",
        ),
        (
            Self::TransactionId,
            "transaction-id",
            "it asks for a transaction id or snapshot, which only the primary gives",
        ),
        (Self::SideEffect, "side-effect", "it calls a built-in function that has an effect"),
        (Self::Temporary, "temporary", "it uses something temporary, which only one server has"),
        (
            Self::Unlogged,
            "unlogged",
            "it reads a table that is unlogged and so has no copy on replicas",
        ),
        (Self::Node, "node", "what it asks for is another thing on every node"),
        (
            Self::ForeignTable,
            "foreign-table",
            "it reads a foreign table, which does not wait for the replica",
        ),
        (
            Self::VolatileFunction,
            "volatile-function",
            "it calls a function that is declared VOLATILE, or by default is",
        ),
        (Self::UnknownFunction, "unknown-function", "it calls a function that is not known"),
        (Self::UnknownTable, "unknown-table", "it reads a table or view that is not known"),
        (
            Self::NoCatalog,
            "no-catalog",
            "the catalog of the database is not known, at least not yet",
        ),
        (Self::Override, "override", "the configuration says so"),
        (Self::Other, "other", "it is a statement of a kind that is not known"),
    ];

    /// One word.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.entry().1
    }

    /// What it means, to follow "for the primary: ".
    #[must_use]
    pub fn sentence(self) -> &'static str {
        self.entry().2
    }

    fn entry(self) -> &'static (Self, &'static str, &'static str) {
        static OTHER: (UnsafeReason, &str, &str) = (UnsafeReason::Other, "other", "");
        Self::ALL.iter().find(|(reason, ..)| *reason == self).unwrap_or(&OTHER)
    }

    /// Whether it is the lack of knowledge, or a matter of taste, so that the configuration may say otherwise. All others are certain:
    /// a replica refuses the statement, or it would do harm there.
    #[must_use]
    pub const fn is_doubt(self) -> bool {
        match self {
            Self::TooManyNames
            | Self::Node
            | Self::ForeignTable
            | Self::VolatileFunction
            | Self::UnknownFunction
            | Self::UnknownTable
            | Self::NoCatalog => true,
            Self::Unparsed
            | Self::Transaction
            | Self::Session
            | Self::Setting
            | Self::Write
            | Self::Lock
            | Self::Definition
            | Self::Maintenance
            | Self::CopyIn
            | Self::ServerFile
            | Self::Cursor
            | Self::Execute
            | Self::Procedure
            | Self::Notification
            | Self::Sequence
            | Self::AdvisoryLock
            | Self::LargeObject
            | Self::TransactionId
            | Self::SideEffect
            | Self::Temporary
            | Self::Unlogged
            | Self::Override
            | Self::Other => false,
        }
    }
}
