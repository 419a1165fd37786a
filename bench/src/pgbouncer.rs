//! `PgBouncer`, the neighbour: another binary than the installed one if wanted, TCP or Unix sockets on both sides. Not the one
//! of the tests: that is `howdah_local::PgBouncer`, which always is the installed one on TCP.
//!
//! Invariant: nothing is tuned for or against it: connections are not logged, as with Howdah; what is not said here is its
//! default.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::bed::{Bed, POOL, Transport, USER};
use crate::peers::Pooling;
use crate::proxy::Proxy;

/// More clients than any cell has.
const CLIENTS: u32 = 2000;
/// Servers of a pool of sessions: one for each client of the largest cell.
const SESSIONS: u32 = 200;

/// The program and its version.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    path: PathBuf,
    /// First line of `--version`.
    pub(crate) name: String,
    number: (u32, u32),
}

impl Program {
    /// `$HOWDAH_BENCH_PGBOUNCER`, or the installed one.
    pub(crate) fn find() -> Result<Self> {
        let path = match std::env::var_os("HOWDAH_BENCH_PGBOUNCER") {
            Some(path) => std::path::absolute(path).context("HOWDAH_BENCH_PGBOUNCER is no path")?,
            None => howdah_local::find_program("pgbouncer", "pgbouncer")?,
        };
        let output = Command::new(&path).arg("--version").output();
        let output = output.with_context(|| format!("cannot run {}", path.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let name = text.lines().next().unwrap_or_default().to_owned();
        let number = parse_version(&name).with_context(|| format!("not a PgBouncer: {name:?}"))?;
        Ok(Self { path, name, number })
    }

    /// Whether it can serve prepared statements without pooling sessions.
    pub(crate) fn prepares_in_transaction_mode(&self) -> bool {
        self.number >= (1, 21)
    }

    /// Starts it.
    pub(crate) fn start(&self, bed: &Bed, pooling: Pooling, by_socket: bool) -> Result<Proxy> {
        let port = howdah_local::free_port()?;
        let file = bed.directory().join(format!("pgbouncer-{port}.ini"));
        let users = bed.directory().join("pgbouncer-users");
        fs::write(&file, self.configuration(bed, port, (pooling, by_socket)))?;
        fs::write(&users, format!("\"{USER}\" \"\"\n"))?;
        let mut command = bed.workplace().command(&self.path);
        command.arg(&file);
        Proxy::start(bed, command, port)
    }

    fn configuration(&self, bed: &Bed, port: u16, (pooling, by_socket): (Pooling, bool)) -> String {
        let server = if by_socket { bed.socket() } else { bed.server() };
        let socket = match bed.transport() {
            Transport::Tcp => String::new(),
            Transport::Unix => bed.directory().display().to_string(),
        };
        let (mode, size) = match pooling {
            Pooling::Transaction => ("transaction", POOL),
            Pooling::Session => ("session", SESSIONS),
        };
        // Off by default in the first versions that have it.
        let prepared = if self.prepares_in_transaction_mode() {
            "max_prepared_statements = 200\n"
        } else {
            ""
        };
        format!(
            "[databases]\n* = host={} port={}\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir = {socket}\nauth_type = trust\nauth_file = pgbouncer-users\npool_mode = {mode}\n\
             default_pool_size = {size}\nmax_client_conn = {CLIENTS}\nlog_connections = 0\nlog_disconnections = 0\n\
             {prepared}",
            server.host, server.port,
        )
    }
}

fn parse_version(line: &str) -> Option<(u32, u32)> {
    let mut parts = line.strip_prefix("PgBouncer ")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Program {
        /// One that is not there.
        pub(crate) fn with_version(major: u32, minor: u32) -> Self {
            Self { path: PathBuf::new(), name: String::new(), number: (major, minor) }
        }
    }

    #[test]
    fn prepared_statements_in_transaction_mode_came_with_1_21() {
        assert!(!Program::with_version(1, 18).prepares_in_transaction_mode());
        assert!(Program::with_version(1, 21).prepares_in_transaction_mode());
        assert!(Program::with_version(2, 0).prepares_in_transaction_mode());
    }

    #[test]
    fn the_version_is_read_from_the_first_line() {
        assert_eq!(parse_version("PgBouncer 1.18.0"), Some((1, 18)));
        assert_eq!(parse_version("pgbench 15"), None);
    }
}
