//! One PostgreSQL node: its data directory, its settings, its process, and the ways to break it.
//!
//! Does not know whether it is primary or replica; [`crate::Cluster`] does. Invariant: settings live
//! in `howdah.conf`, included by `postgresql.conf`; what SQL sets with `ALTER SYSTEM` wins over it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::process::Signal;

use crate::binaries::Binaries;
use crate::daemon::Daemon;
use crate::directory::{Directory, run};
use crate::settings::{Settings, conninfo_value};
use crate::{Error, Result};

/// The superuser of every local cluster; may always connect without a password.
pub(crate) const SUPERUSER: &str = "howdah";
/// The line of `postmaster.pid` that says what state the server is in.
const STATUS_LINE: usize = 7;

/// How a node is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Waits until every client has gone.
    Smart,
    /// Ends sessions, then shuts down cleanly.
    Fast,
    /// Ends at once; the next start recovers from the log.
    Immediate,
}

/// A PostgreSQL node on 127.0.0.1.
#[derive(Debug)]
pub struct Node {
    daemon: Daemon,
    binaries: Binaries,
    settings: Mutex<Settings>,
    port: u16,
}

impl Node {
    /// A node with a home directory but without data, on no port yet.
    pub(crate) fn new(
        directory: &Arc<Directory>,
        name: &str,
        binaries: &Binaries,
        settings: Settings,
    ) -> Result<Self> {
        let daemon = Daemon::new(directory, name)?;
        Ok(Self { daemon, binaries: binaries.clone(), settings: Mutex::new(settings), port: 0 })
    }

    /// Starts for the first time, on a port that is free.
    pub(crate) fn start_on_free_port(&mut self) -> Result<()> {
        let settings = &self.settings;
        self.port = self.daemon.start_on_free_port(|port| {
            settings.lock().set("port", port.to_string());
            self.write_settings()?;
            self.start()
        })?;
        Ok(())
    }

    /// Writes the files that decide who may connect and with which settings.
    pub(crate) fn write_configuration(&self, hba: &str) -> Result<()> {
        let directory = self.daemon.directory();
        let conf = self.data().join("postgresql.conf");
        directory.write(&conf, "include = 'howdah.conf'\n")?;
        directory.write(&self.data().join("pg_hba.conf"), hba)
    }

    fn write_settings(&self) -> Result<()> {
        let text = self.settings.lock().render();
        self.daemon.directory().write(&self.data().join("howdah.conf"), &text)
    }

    pub(crate) fn home(&self) -> &Path {
        self.daemon.home()
    }

    pub(crate) fn directory(&self) -> &Arc<Directory> {
        self.daemon.directory()
    }

    /// The name in the cluster's directory: `primary`, `replica_1`, …
    ///
    /// It is also the node's `cluster_name`, and a replica's `application_name` and slot.
    #[must_use]
    pub fn name(&self) -> &str {
        self.daemon.name()
    }

    /// The TCP port on 127.0.0.1; the same for the node's whole life.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.daemon.home().join("data")
    }

    /// The directory of the Unix socket `.s.PGSQL.<port>`, shared by all nodes of a cluster.
    #[must_use]
    pub fn socket_directory(&self) -> PathBuf {
        self.daemon.directory().path().join("socket")
    }

    /// The programs this node runs with.
    #[must_use]
    pub const fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The URL of a database over TCP for a user, without a password.
    #[must_use]
    pub fn url(&self, database: &str, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// The number of the postmaster process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.daemon.pid()
    }

    /// Everything the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// Starts the node and waits until it accepts connections.
    ///
    /// # Errors
    ///
    /// [`Error::Start`] with the end of the log, [`Error::Running`] if it runs already.
    pub fn start(&self) -> Result<()> {
        let mut command = self.daemon.command(&self.binaries.program("postgres")?);
        command.arg("-D").arg(self.data());
        let pid_file = self.data().join("postmaster.pid");
        self.daemon.start(command, |pid, _log| is_ready(&pid_file, pid))
    }

    /// Asks the node to stop and waits until it has. A frozen node does not stop: thaw it first.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`], or [`Error::Timeout`] after a minute.
    pub fn stop(&self, mode: Mode) -> Result<()> {
        self.daemon.stop(match mode {
            Mode::Smart => Signal::TERM,
            Mode::Fast => Signal::INT,
            Mode::Immediate => Signal::QUIT,
        })
    }

    /// Stops fast and starts again, on the same port.
    ///
    /// # Errors
    ///
    /// Those of [`Node::stop`] and [`Node::start`].
    pub fn restart(&self) -> Result<()> {
        self.stop(Mode::Fast)?;
        self.start()
    }

    /// Kills the postmaster and every process of it at once (SIGKILL). The kernel closes their
    /// connections. A node that does not run stays so.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] when a process hangs in the kernel.
    pub fn kill(&self) -> Result<()> {
        self.daemon.kill()
    }

    /// Freezes every process of the node (SIGSTOP): connections stay open, nobody answers.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`], or [`Error::Timeout`] when a process hangs in the kernel.
    pub fn freeze(&self) -> Result<()> {
        self.daemon.freeze()
    }

    /// Lets a frozen node run again.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`].
    pub fn thaw(&self) -> Result<()> {
        self.daemon.thaw()
    }

    /// Puts a setting into the node's configuration file; [`Node::reload`] or [`Node::restart`] makes
    /// it count.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        self.settings.lock().set(name, value);
        self.write_settings()
    }

    /// Makes the node read its configuration files again. Sessions notice shortly after.
    ///
    /// # Errors
    ///
    /// Those of [`Node::psql`].
    pub fn reload(&self) -> Result<()> {
        self.psql("SELECT pg_reload_conf()").map(drop)
    }

    /// Runs SQL through `psql` as the superuser on database `postgres`; returns rows as text, columns
    /// divided by `|`. Statements run one by one outside of a transaction; the first failure ends it.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] with what `psql` says.
    pub fn psql(&self, sql: &str) -> Result<String> {
        self.psql_on("postgres", sql)
    }

    /// As [`Node::psql`], on another database.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] with what `psql` says.
    pub fn psql_on(&self, database: &str, sql: &str) -> Result<String> {
        let socket = self.socket_directory();
        let conninfo = format!(
            "host={} port={} user={SUPERUSER} dbname={}",
            conninfo_value(&socket.to_string_lossy()),
            self.port,
            conninfo_value(database),
        );
        let mut command = self.daemon.command(&self.binaries.program("psql")?);
        command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", &conninfo, "-f", "-"]);
        run(command, sql)
    }

    /// Stops applying the log on a replica; it still receives it.
    ///
    /// # Errors
    ///
    /// Those of [`Node::psql`]; also when the node is no replica.
    pub fn pause_replay(&self) -> Result<()> {
        self.psql("SELECT pg_wal_replay_pause()").map(drop)
    }

    /// Goes on applying the log on a replica.
    ///
    /// # Errors
    ///
    /// Those of [`Node::psql`]; also when the node is no replica.
    pub fn resume_replay(&self) -> Result<()> {
        self.psql("SELECT pg_wal_replay_resume()").map(drop)
    }

    /// Has the node follow another one, without a slot: a replica at once, a stopped primary, which becomes a replica, from its next
    /// start on.
    ///
    /// # Errors
    ///
    /// Files cannot be written; those of [`Node::reload`].
    pub fn follow(&self, primary: &Self) -> Result<()> {
        self.set("primary_conninfo", &crate::replica::conninfo(primary, self.name()))?;
        self.set("primary_slot_name", "")?;
        if self.pid().is_some() {
            return self.reload();
        }
        self.directory().write(&self.data().join("standby.signal"), "")
    }

    /// Makes a replica a primary and waits until it is one. The others keep following the old one.
    ///
    /// # Errors
    ///
    /// Those of [`Node::psql`], or [`Error::Timeout`] after a minute.
    pub fn promote(&self) -> Result<()> {
        let limit = std::time::Duration::from_secs(60);
        let done = self.psql(&format!("SELECT pg_promote(true, {})", limit.as_secs()))?;
        if done == "t" {
            return Ok(());
        }
        Err(Error::Timeout { name: self.name().to_owned(), event: "the promotion", limit })
    }
}

/// Whether the postmaster `pid` says in its file that it accepts connections.
fn is_ready(pid_file: &Path, pid: u32) -> bool {
    let Ok(text) = fs::read_to_string(pid_file) else {
        return false;
    };
    let mut lines = text.lines().map(str::trim);
    // A killed postmaster leaves its file behind, so the number counts too.
    lines.next() == Some(pid.to_string().as_str()) && lines.nth(STATUS_LINE - 1) == Some("ready")
}
