//! Why an answer is not kept: one word for counters and programs, one sentence for people. Not why one that was kept is not given:
//! that is [`super::Refusal`].

use std::fmt;

use howdah_sql::Unkept;

/// Why the answers to a statement are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncacheable {
    /// The kind of reason.
    pub reason: Reason,
    /// The relation, function, type or operator that it is about.
    pub subject: Option<String>,
}

impl Uncacheable {
    /// A reason without a subject.
    #[must_use]
    pub const fn new(reason: Reason) -> Self {
        Self { reason, subject: None }
    }

    /// A reason that is about something.
    #[must_use]
    pub fn of(reason: Reason, subject: impl fmt::Display) -> Self {
        Self { reason, subject: Some(subject.to_string()) }
    }
}

impl fmt::Display for Uncacheable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Reason::Text(unkept) = self.reason {
            unkept.fmt(f)?;
        } else {
            f.write_str(self.reason.sentence())?;
        }
        self.subject.iter().try_for_each(|subject| write!(f, ": {subject}"))
    }
}

/// The kinds of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "every reason has its sentence")]
pub enum Reason {
    Text(Unkept),
    NoCatalog,
    UnknownTable,
    SystemTable,
    ForeignTable,
    Unlogged,
    Sequence,
    Materialized,
    UnsteadyView,
    RowSecurity,
    Function,
    VolatileFunction,
    Operator,
    Type,
    Everywhere,
    ClockCast,
    Clock,
    NoTables,
    Unseen,
}

impl Reason {
    /// One word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text(Unkept::Clock) | Self::Clock => "clock",
            Self::Text(Unkept::ClockCast) | Self::ClockCast => "clock-cast",
            Self::Text(Unkept::Writes) => "write",
            Self::Text(Unkept::Construct(_)) => "construct",
            Self::Text(Unkept::Temporary) => "temporary",
            Self::Text(Unkept::TooManyNames) => "too-many-names",
            Self::Text(Unkept::Unparsed) => "unparsed",
            Self::Text(Unkept::Several | Unkept::NotQuery) => "not-a-query",
            Self::NoCatalog => "no-catalog",
            Self::UnknownTable => "unknown-table",
            Self::SystemTable => "system-table",
            Self::ForeignTable => "foreign-table",
            Self::Unlogged => "unlogged",
            Self::Sequence => "sequence",
            Self::Materialized => "materialized-view",
            Self::UnsteadyView => "unsteady-view",
            Self::RowSecurity => "row-security",
            Self::Function => "function",
            Self::VolatileFunction => "volatile-function",
            Self::Operator => "operator",
            Self::Type => "type",
            Self::Everywhere => "everywhere",
            Self::NoTables => "no-tables",
            Self::Unseen => "unseen",
        }
    }

    /// What it means.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Text(_) => "what the text says",
            Self::NoCatalog => "the catalog of the database is not known, at least not yet",
            Self::UnknownTable => "it reads a table or view that is not known",
            Self::SystemTable => "it reads a table of PostgreSQL's own",
            Self::ForeignTable => "it reads a foreign table, whose changes nobody tells",
            Self::Unlogged => "it reads an unlogged table, whose changes nobody tells",
            Self::Sequence => "it reads a sequence, whose changes nobody tells",
            Self::Materialized => "it reads a materialized view, whose renewal nobody tells",
            Self::UnsteadyView => "it reads a view that asks for the time, or the like",
            Self::RowSecurity => "it reads a table with row-level security",
            Self::Function => {
                "it calls a function that may answer differently each time, or is not PostgreSQL's own (if it only reads, [[cache.function]] can say so)"
            }
            Self::VolatileFunction => {
                "it calls a function that [[cache.function]] says only reads, and that is declared VOLATILE"
            }
            Self::Operator => "it uses an operator that is not PostgreSQL's own",
            Self::Type => "it casts to a type whose values may mean something else each time",
            Self::Everywhere => {
                "a cast, type or comparison in the database calls a function that is not PostgreSQL's own"
            }
            Self::ClockCast => {
                "it casts a column to a date or time that may hold a text such as 'now'"
            }
            Self::Clock => "a parameter says now, today, tomorrow or yesterday",
            Self::NoTables => "it reads no table: there is nothing to gain",
            Self::Unseen => "changes of a table that it reads are not followed",
        }
    }
}
