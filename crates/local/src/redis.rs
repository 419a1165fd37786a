//! A Redis server in a private directory of its own.
//!
//! Keeps nothing on disk: it starts empty every time. Invariant: when `start` returns, it answers.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::process::Signal;

use crate::Result;
use crate::binaries::find_program;
use crate::daemon::Daemon;
use crate::directory::Directory;

/// A Redis server on 127.0.0.1.
#[derive(Debug)]
pub struct Redis {
    daemon: Daemon,
    port: u16,
    tls: bool,
}

/// What it speaks TLS with, in its home.
const CERTIFICATE: &str = "server.crt";
const KEY: &str = "server.key";

impl Redis {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Missing`] when Redis is not installed, [`crate::Error::Start`] when it fails.
    pub fn start() -> Result<Self> {
        Self::with(None)
    }

    /// The same for clients that speak TLS alone, with this certificate and key in PEM form; it asks them for none.
    ///
    /// # Errors
    ///
    /// Those of [`Redis::start`].
    pub fn start_with_tls(certificate: &str, key: &str) -> Result<Self> {
        Self::with(Some((certificate, key)))
    }

    fn with(tls: Option<(&str, &str)>) -> Result<Self> {
        find_program("redis-server", "redis-server")?;
        let daemon = Daemon::new(&Directory::create()?, "redis")?;
        if let Some((certificate, key)) = tls {
            let home = daemon.home();
            daemon.directory().write(&home.join(CERTIFICATE), certificate)?;
            daemon.directory().write(&home.join(KEY), key)?;
        }
        let tls = tls.is_some();
        let port = daemon.start_on_free_port(|port| launch(&daemon, port, tls))?;
        Ok(Self { daemon, port, tls })
    }

    /// The TCP port on 127.0.0.1; the same for the server's whole life.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The URL of its database 0.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}/0", self.port)
    }

    /// The number of the process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.daemon.pid()
    }

    /// Everything the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// Shuts the server down and waits until it has ended.
    ///
    /// # Errors
    ///
    /// [`crate::Error::NotRunning`], or [`crate::Error::Timeout`] after a minute.
    pub fn stop(&self) -> Result<()> {
        self.daemon.stop(Signal::TERM)
    }

    /// Starts it again after [`Redis::stop`] or [`Redis::kill`], empty, on the same port.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Running`], or [`crate::Error::Start`] when it fails.
    pub fn start_again(&self) -> Result<()> {
        launch(&self.daemon, self.port, self.tls)
    }

    /// Kills it at once (SIGKILL). A server that does not run stays so.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Timeout`] when a process hangs in the kernel.
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

    /// Lets a frozen server run again.
    ///
    /// # Errors
    ///
    /// [`crate::Error::NotRunning`].
    pub fn thaw(&self) -> Result<()> {
        self.daemon.thaw()
    }
}

fn launch(daemon: &Daemon, port: u16, tls: bool) -> Result<()> {
    let mut command = daemon.command(&find_program("redis-server", "redis-server")?);
    let socket = daemon.home().join("redis.sock");
    let (plain, encrypted) = if tls { (0, port) } else { (port, 0) };
    command.args(["--port", &plain.to_string(), "--tls-port", &encrypted.to_string()]);
    if tls {
        command.args(["--tls-cert-file", CERTIFICATE, "--tls-key-file", KEY]);
        command.args(["--tls-auth-clients", "no"]);
    }
    command.args(["--bind", "127.0.0.1", "--unixsocket"]).arg(&socket);
    command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(daemon.home());
    daemon.start(command, |_pid, _log| answers(&socket))
}

/// Asked over its own socket: on the port it could be a stranger who answers.
fn answers(socket: &Path) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = UnixStream::connect(socket)?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"+PONG")
    };
    ask().unwrap_or(false)
}
