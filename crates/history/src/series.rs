//! What is remembered, and of what: the table of series. Names are part of the JSON interface, positions are part of the file.
//!
//! Invariant: a table only grows at its end, so that what was written by an earlier version is read right.

/// How the numbers of a series are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// How much of it happened: sums. Shown per second.
    Count,
    /// How much of it there was when it was looked at: averages, and the highest.
    Level,
}

/// One series.
#[derive(Debug, Clone, Copy)]
pub struct Series {
    /// Its name in the interface.
    pub name: &'static str,
    /// How its numbers are put together.
    pub kind: Kind,
    /// What it means.
    pub help: &'static str,
}

const fn count(name: &'static str, help: &'static str) -> Series {
    Series { name, kind: Kind::Count, help }
}

const fn level(name: &'static str, help: &'static str) -> Series {
    Series { name, kind: Kind::Level, help }
}

/// Of everything together.
const ALL: &[Series] = &[
    count("calls", "Statements that were answered"),
    count("rows", "Rows that they returned or changed"),
    count("errors_client", "Statements that failed because they were wrong"),
    count("errors_server", "Statements that failed because of the server"),
    count("errors_retryable", "Statements that failed and may succeed when they are done again"),
    count("errors_canceled", "Statements that were cancelled"),
    count("on_replica", "Statements that a replica answered"),
    count("shared", "Statements that shared a server with others"),
    count("wait_us", "Microseconds that statements waited for a server"),
    count("server_us", "Microseconds that statements spent with a server"),
    count("errors_told", "Errors that clients were told of, Howdah's own included"),
    count("transactions", "Transactions that ended"),
    count("received", "Bytes from clients"),
    count("sent", "Bytes to clients"),
    count("connections", "Clients accepted"),
    count("failed_logins", "Logins that failed"),
    count("checkouts", "Times that a client was given a server"),
    count("waits", "Of these, with a wait"),
    count("servers_opened", "Servers opened"),
    count("open_failures", "Attempts to open a server that failed"),
    count("servers_closed", "Servers closed"),
    count("cache_hits", "Requests that were answered from the cache"),
    count("cache_misses", "Requests that were looked up in the cache in vain"),
    level("clients_active", "Clients that hold a server"),
    level("clients_idle", "Clients without a request"),
    level("clients_in_transaction", "Clients idle in a transaction"),
    level("clients_waiting", "Clients that wait for a server"),
    level("servers_active", "Servers in use"),
    level("servers_idle", "Servers ready for use"),
    level("servers_max", "Servers at most"),
    level("nodes_up", "Nodes that answer"),
    level("nodes_down", "Nodes that do not"),
];

/// Of a pool.
const POOL: &[Series] = &[
    level("clients_active", "Clients that hold a server"),
    level("clients_waiting", "Clients that wait for a server"),
    level("clients_idle", "Clients without a request"),
    level("servers_active", "Servers in use"),
    level("servers_idle", "Servers ready for use"),
    level("servers_opening", "Servers being opened"),
    level("servers_max", "Servers at most"),
    level("oldest_wait_us", "Microseconds that the first in line has waited"),
    level("pinned", "Servers held beyond a transaction"),
];

/// Of a node.
const NODE: &[Series] = &[
    level("up", "1 while it answers"),
    level("lag_us", "How old what it shows is at most, in microseconds"),
    level("lag_bytes", "What it has not replayed of the primary's log, in bytes"),
    level("servers_active", "Servers in use"),
    level("servers", "Servers open"),
    level("primary", "1 while it is the primary"),
];

/// Of a statement.
const STATEMENT: &[Series] = &[
    count("calls", "Calls that were answered"),
    count("rows", "Rows that they returned or changed"),
    count("errors", "Calls that failed"),
    count("wait_us", "Microseconds that calls waited for a server"),
    count("server_us", "Microseconds that calls spent with a server"),
    level("longest_us", "The longest call, in microseconds"),
];

/// What something remembered is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Everything together.
    All,
    /// A pool: database, user, node, as [`Subject::joined`] writes them.
    Pool(String),
    /// A node, by name.
    Node(String),
    /// A form of statements: fingerprint, database, user.
    Statement(String),
}

impl Subject {
    /// Names as one, which [`Subject::parts`] takes apart.
    #[must_use]
    pub fn joined(parts: &[&str]) -> String {
        let escaped = parts.iter().map(|part| part.replace('%', "%25").replace('/', "%2F"));
        escaped.collect::<Vec<_>>().join("/")
    }

    /// The names of a joined one.
    #[must_use]
    pub fn parts(joined: &str) -> Vec<String> {
        joined.split('/').map(|part| part.replace("%2F", "/").replace("%25", "%")).collect()
    }

    /// As the interface writes it: `all`, `pool:…`, `node:…`, `statement:…`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "all" => Some(Self::All),
            Some(("pool", name)) => Some(Self::Pool(name.to_owned())),
            Some(("node", name)) => Some(Self::Node(name.to_owned())),
            Some(("statement", name)) => Some(Self::Statement(name.to_owned())),
            _ => None,
        }
    }

    /// Its series, by position.
    #[must_use]
    pub const fn series(&self) -> &'static [Series] {
        match self {
            Self::All => ALL,
            Self::Pool(_) => POOL,
            Self::Node(_) => NODE,
            Self::Statement(_) => STATEMENT,
        }
    }

    /// Whether times of statements are counted for it.
    #[must_use]
    pub const fn has_times(&self) -> bool {
        matches!(self, Self::All | Self::Statement(_))
    }

    /// The rings that it is kept in, the finest first.
    pub(crate) fn rings(&self) -> &'static [crate::Ring] {
        let first = match self {
            Self::All => 0,
            Self::Pool(_) | Self::Node(_) => 1,
            Self::Statement(_) => 2,
        };
        crate::Ring::ALL.get(first..).unwrap_or_default()
    }

    /// Its number and name in the file.
    pub(crate) fn key(&self) -> (u8, &str) {
        match self {
            Self::All => (0, ""),
            Self::Pool(name) => (POOLS, name),
            Self::Node(name) => (NODES, name),
            Self::Statement(name) => (STATEMENTS, name),
        }
    }
}

/// Numbers of kinds of subjects in the file.
pub(crate) const POOLS: u8 = 1;
pub(crate) const NODES: u8 = 2;
pub(crate) const STATEMENTS: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_names_come_apart_again() {
        for parts in [["a", "b", "c"], ["a/b", "%2F", "100%"], ["", "%", "/"]] {
            assert_eq!(Subject::parts(&Subject::joined(&parts)), parts);
        }
    }

    #[test]
    fn names_are_told_apart() {
        for subject in [
            Subject::All,
            Subject::Pool(String::new()),
            Subject::Node(String::new()),
            Subject::Statement(String::new()),
        ] {
            let mut names: Vec<&str> = subject.series().iter().map(|one| one.name).collect();
            names.sort_unstable();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all);
        }
    }
}
