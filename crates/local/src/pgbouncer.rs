//! `PgBouncer` in front of a node: the neighbour that the benchmarks compare with.
//!
//! Not a general configuration of it: what is not here goes through [`PgBouncerBuilder::setting`].
//! Invariant: when `start` returns, it listens on its port.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use crate::Result;
use crate::binaries::find_program;
use crate::cluster::Auth;
use crate::daemon::Daemon;
use crate::directory::{Directory, run};
use crate::node::{Node, SUPERUSER};

/// When a server goes back to the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// When the client disconnects.
    Session,
    /// When the transaction ends.
    Transaction,
    /// When the statement ends.
    Statement,
}

/// What a `PgBouncer` shall be like.
#[derive(Debug, Clone)]
pub struct PgBouncerBuilder {
    node_port: u16,
    settings: BTreeMap<String, String>,
    users: BTreeMap<String, String>,
}

impl PgBouncerBuilder {
    /// When a server goes back to the pool; by default when the transaction ends.
    #[must_use]
    pub fn pool_mode(self, mode: PoolMode) -> Self {
        let word = match mode {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
            PoolMode::Statement => "statement",
        };
        self.setting("pool_mode", word)
    }

    /// The most servers per user and database; by default 20.
    #[must_use]
    pub fn pool_size(self, servers: u32) -> Self {
        self.setting("default_pool_size", &servers.to_string())
    }

    /// The most clients; by default 2,000.
    #[must_use]
    pub fn clients_max(self, clients: u32) -> Self {
        self.setting("max_client_conn", &clients.to_string())
    }

    /// How clients prove who they are; by default not at all.
    #[must_use]
    pub fn auth(self, auth: Auth) -> Self {
        let word = match auth {
            Auth::Trust => "trust",
            Auth::Password => "plain",
            Auth::Md5 => "md5",
            Auth::Scram => "scram-sha-256",
        };
        self.setting("auth_type", word)
    }

    /// A user who may connect, and the password for both sides. `howdah` may without one.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.users.insert(name.to_owned(), password.to_owned());
        self
    }

    /// A line of the section `[pgbouncer]`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Missing`] when it is not installed, [`crate::Error::Start`] when it fails.
    pub fn start(self) -> Result<PgBouncer> {
        let version = version()?;
        let daemon = Daemon::new(&Directory::create()?, "pgbouncer")?;
        let users = self.users.iter();
        let users: String = users.map(|(n, p)| format!("{} {}\n", quoted(n), quoted(p))).collect();
        daemon.directory().write(&daemon.home().join("users"), &users)?;
        let port = daemon.start_on_free_port(|port| {
            daemon.directory().write(&daemon.home().join("ini"), &self.ini(port))?;
            launch(&daemon, port)
        })?;
        Ok(PgBouncer { daemon, port, version })
    }

    fn ini(&self, port: u16) -> String {
        let lines = self.settings.iter();
        let lines: String = lines.map(|(name, value)| format!("{name} = {value}\n")).collect();
        format!(
            "[databases]\n* = host=127.0.0.1 port={}\n\n[pgbouncer]\nlisten_port = {port}\n{lines}",
            self.node_port
        )
    }
}

/// A `PgBouncer` on 127.0.0.1.
#[derive(Debug)]
pub struct PgBouncer {
    daemon: Daemon,
    port: u16,
    version: (u32, u32),
}

impl PgBouncer {
    /// Describes a `PgBouncer` in front of a node.
    #[must_use]
    pub fn builder(node: &Node) -> PgBouncerBuilder {
        let settings = BTreeMap::new();
        let builder = PgBouncerBuilder { node_port: node.port(), settings, users: BTreeMap::new() };
        builder
            .user(SUPERUSER, "")
            .pool_mode(PoolMode::Transaction)
            .pool_size(20)
            .clients_max(2_000)
            .auth(Auth::Trust)
            .setting("auth_file", "users")
            .setting("admin_users", SUPERUSER)
            .setting("listen_addr", "127.0.0.1")
            // Without a second door a taken port is a failed start and not a warning.
            .setting("unix_socket_dir", "")
            // Set by drivers at startup, and refused by default.
            .setting("ignore_startup_parameters", "extra_float_digits,options")
    }

    /// The TCP port on 127.0.0.1; the same for its whole life.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The file it was started with.
    #[must_use]
    pub fn configuration_file(&self) -> PathBuf {
        self.daemon.home().join("ini")
    }

    /// Major and minor version. Prepared statements in transaction mode exist since (1, 21).
    #[must_use]
    pub const fn version(&self) -> (u32, u32) {
        self.version
    }

    /// The URL of a database for a user, without a password.
    #[must_use]
    pub fn url(&self, database: &str, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// The number of the process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.daemon.pid()
    }

    /// Everything it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// Stops it at once and cleanly, and waits until it has ended.
    ///
    /// # Errors
    ///
    /// [`crate::Error::NotRunning`], or [`crate::Error::Timeout`] after a minute.
    pub fn stop(&self) -> Result<()> {
        // Since 1.23 SIGTERM waits for the clients, and SIGQUIT has its old meaning.
        self.daemon.stop(if self.version >= (1, 23) { Signal::QUIT } else { Signal::TERM })
    }

    /// Starts it again after [`PgBouncer::stop`] or [`PgBouncer::kill`], on the same port.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Running`], or [`crate::Error::Start`] when it fails.
    pub fn start_again(&self) -> Result<()> {
        launch(&self.daemon, self.port)
    }

    /// Kills it at once (SIGKILL). One that does not run stays so.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Timeout`] when the process hangs in the kernel.
    pub fn kill(&self) -> Result<()> {
        self.daemon.kill()
    }

    /// Freezes it (SIGSTOP): connections stay open, nobody answers.
    ///
    /// # Errors
    ///
    /// [`crate::Error::NotRunning`], or [`crate::Error::Timeout`].
    pub fn freeze(&self) -> Result<()> {
        self.daemon.freeze()
    }

    /// Lets a frozen one run again.
    ///
    /// # Errors
    ///
    /// [`crate::Error::NotRunning`].
    pub fn thaw(&self) -> Result<()> {
        self.daemon.thaw()
    }
}

fn launch(daemon: &Daemon, port: u16) -> Result<()> {
    let mut command = daemon.command(&find_program("pgbouncer", "pgbouncer")?);
    command.arg("ini");
    let listening = format!("listening on 127.0.0.1:{port}");
    daemon.start(command, |_pid, log| log.contains(&listening))
}

fn version() -> Result<(u32, u32)> {
    let mut command = Command::new(find_program("pgbouncer", "pgbouncer")?);
    command.arg("--version");
    Ok(parse_version(&run(command, "")?).unwrap_or_default())
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let number = text.lines().next()?.strip_prefix("PgBouncer ")?;
    let mut parts = number.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// A word of the file of users.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_first_line() {
        assert_eq!(parse_version("PgBouncer 1.18.0\nlibevent 2.1.12"), Some((1, 18)));
        assert_eq!(parse_version("pgbouncer?"), None);
    }
}
