//! What statements did, by form: how often, how long, how many rows, which errors. A worker counts in a [`Tally`] of its own; once
//! a second what it has counted goes into one [`Book`] for all. Not what a form is (`howdah-sql`), and not how it is shown.
//!
//! Invariant: nothing is lost and nothing is counted twice: whatever a tally was told is, after it was emptied into a book, in
//! exactly one entry of the book, and in its totals.

mod book;
mod chain;
mod chains;
mod facet;
mod histogram;
mod overhead;
mod tally;
mod values;
mod visits;

pub use book::{Book, ChattyTotal, Entry, Minute, ScopeId, Total};
pub use chain::{Bond, Chain, Heard, Recent};
pub use chains::{ChainTotal, Sightings, Sureness};
pub use facet::{FACETS, Facet, NameId, OTHERS, Origin, Parts, Share, Shares, origins};
pub use histogram::{BUCKETS, Histogram};
pub use overhead::Overheads;
pub use tally::{Call, Tally};
pub use values::{Asked, Given, Listening};
pub use visits::{Chatty, Visits};

use howdah_sql::{Analysis, Class};
use howdah_wire::sqlstate::SqlState;

/// Whose fault an error is, as far as its SQLSTATE tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The statement was wrong, or asked for what the data does not allow: most classes.
    Client,
    /// The server could not: 08, 53, 54, 57P, 58, F0, XX.
    Server,
    /// It may succeed when it is done again: class 40, 55P03.
    Retryable,
    /// It was cancelled, or ran into a timeout: 57014.
    Canceled,
}

impl Fault {
    /// All of them, in the order of [`Sums::errors`].
    pub const ALL: [Self; 4] = [Self::Client, Self::Server, Self::Retryable, Self::Canceled];

    /// What a SQLSTATE means.
    #[must_use]
    pub fn of(code: SqlState) -> Self {
        match code.as_bytes() {
            b"57014" => Self::Canceled,
            b"55P03" => Self::Retryable,
            _ => match &code.class() {
                b"40" => Self::Retryable,
                b"08" | b"53" | b"54" | b"57" | b"58" | b"F0" | b"XX" => Self::Server,
                _ => Self::Client,
            },
        }
    }

    /// A word for reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Retryable => "retryable",
            Self::Canceled => "canceled",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Server => 1,
            Self::Retryable => 2,
            Self::Canceled => 3,
        }
    }
}

/// Counts of calls. A call is one simple query, or one execution of a portal, that was answered. Times are in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Calls that were answered, with or without an error.
    pub calls: u64,
    /// Rows that they returned or changed, as their command tags say.
    pub rows: u64,
    /// Those that ended with an error, by [`Fault::ALL`].
    pub errors: [u64; 4],
    /// Those that a replica answered.
    pub on_replica: u64,
    /// Those that shared a server with others.
    pub shared: u64,
    /// Those that the result cache answered.
    pub cached: u64,
    /// Time that they waited for a server.
    pub wait_us: u64,
    /// Time from the server on: its own, the network's and Howdah's.
    pub server_us: u64,
    /// Of that, Howdah's: as far as it was measured.
    pub overhead_us: u64,
    /// The longest of all, its wait included.
    pub longest_us: u64,
}

impl Sums {
    /// Errors of all kinds.
    #[must_use]
    pub fn all_errors(&self) -> u64 {
        self.errors.iter().sum()
    }

    /// Errors of one kind.
    #[must_use]
    pub fn errors_of(&self, fault: Fault) -> u64 {
        self.errors.get(fault.index()).copied().unwrap_or(0)
    }

    /// Time of all calls, waiting included.
    #[must_use]
    pub const fn time_us(&self) -> u64 {
        self.wait_us.wrapping_add(self.server_us)
    }

    /// Adds the counts of others.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.rows = self.rows.wrapping_add(other.rows);
        for (sum, count) in self.errors.iter_mut().zip(other.errors) {
            *sum += count;
        }
        self.on_replica += other.on_replica;
        self.shared += other.shared;
        self.cached += other.cached;
        self.wait_us = self.wait_us.wrapping_add(other.wait_us);
        self.server_us = self.server_us.wrapping_add(other.server_us);
        self.overhead_us = self.overhead_us.wrapping_add(other.overhead_us);
        self.longest_us = self.longest_us.max(other.longest_us);
    }
}

/// A word for what kind of statement it is.
#[must_use]
pub const fn kind(class: Class) -> &'static str {
    match class {
        Class::Read => "read",
        Class::TransactionControl => "transaction",
        Class::SessionState => "session",
        Class::Write => "write",
        Class::Copy => "copy",
        Class::Ddl => "ddl",
        Class::Other => "other",
    }
}

/// The text of a form as it may be shown: without anything that may be a secret. The normal form of a query has no literals; what
/// else there is ends at its first one.
#[must_use]
pub fn text(analysis: &Analysis) -> &str {
    let whole = &*analysis.text;
    let query = matches!(analysis.class, Class::Read | Class::Write | Class::TransactionControl);
    if analysis.parsed && query {
        return whole;
    }
    let quotes = |(at, char): (usize, char)| match char {
        '\'' => Some(at),
        '$' => {
            let next = whole.as_bytes().get(at + 1);
            next.is_none_or(|next| !next.is_ascii_digit()).then_some(at)
        }
        _ => None,
    };
    let end = whole.char_indices().find_map(quotes).unwrap_or(whole.len());
    whole.get(..end).unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_by_their_code() {
        let fault = |code: &[u8; 5]| Fault::of(SqlState::from_bytes(code).unwrap());
        assert_eq!(fault(b"42601"), Fault::Client);
        assert_eq!(fault(b"23505"), Fault::Client);
        assert_eq!(fault(b"40001"), Fault::Retryable);
        assert_eq!(fault(b"55P03"), Fault::Retryable);
        assert_eq!(fault(b"57014"), Fault::Canceled);
        assert_eq!(fault(b"57P01"), Fault::Server);
        assert_eq!(fault(b"XX000"), Fault::Server);
        assert!(Fault::ALL.iter().enumerate().all(|(at, fault)| fault.index() == at));
    }

    #[test]
    fn a_password_is_never_in_a_text() {
        let mut analyses = howdah_sql::Analyses::new(64);
        for sql in [
            "ALTER ROLE app PASSWORD 'hunter2'",
            "CREATE USER x WITH ENCRYPTED PASSWORD E'hunter2'",
            "CREATE SUBSCRIPTION s CONNECTION 'password=hunter2' PUBLICATION p",
            "DO $$ BEGIN PERFORM 'hunter2'; END $$",
            "COPY t FROM PROGRAM 'curl hunter2'",
            "SELEC 'hunter2'",
            "SELECT set_config('app.key', 'hunter2', false)",
            "SET app.key = 'hunter2'",
            "SELECT 1; ALTER ROLE app PASSWORD 'hunter2'",
            "PREPARE p AS SELECT 'hunter2'",
        ] {
            let analysis = analyses.analyse(sql.as_bytes());
            assert!(!text(&analysis).contains("hunter2"), "{sql}: {}", text(&analysis));
            assert!(!text(&analysis).is_empty(), "{sql}");
        }
        let analysis = analyses.analyse(b"select a from t where b = 'x'");
        assert_eq!(text(&analysis), "select a from t where b = $1");
    }
}
