//! What can go wrong with a local server, told so that a person can act on it.
//!
//! Not a classification for retries: the only failure that is retried is a taken port, and that
//! happens inside [`crate::daemon`].

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A local server could not be found, started, reached or broken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program is not installed.
    #[error(
        "{program} is not installed (looked in {searched}): \
         install it with `scripts/setup` or `apt-get install {package}`"
    )]
    Missing {
        /// What was looked for.
        program: String,
        /// The Debian package that has it.
        package: String,
        /// The places that were searched.
        searched: String,
    },
    /// The file system or the system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A program ran and reported a failure.
    #[error("{program} failed: {stderr}")]
    Program {
        /// Which program.
        program: String,
        /// What it wrote to standard error.
        stderr: String,
    },
    /// A server ended, or was not ready in time, while starting.
    #[error("{name} did not start: {reason}; the end of its log:\n{log}")]
    Start {
        /// The server's name in its directory.
        name: String,
        /// Ended or timed out.
        reason: String,
        /// The last lines of its log.
        log: String,
    },
    /// Something expected did not happen in time.
    #[error("{name}: {event} did not happen within {} s", limit.as_secs())]
    Timeout {
        /// The server's name in its directory.
        name: String,
        /// What was waited for.
        event: &'static str,
        /// How long.
        limit: Duration,
    },
    /// The server must run for this, and does not.
    #[error("{name} is not running")]
    NotRunning {
        /// The server's name in its directory.
        name: String,
    },
    /// The server must be stopped for this, and is not.
    #[error("{name} is already running")]
    Running {
        /// The server's name in its directory.
        name: String,
    },
    /// The superuser has no unprivileged account to give to the servers.
    #[error(
        "PostgreSQL refuses to run as root, and /etc/passwd has neither \"postgres\" nor \"nobody\""
    )]
    Account,
    /// No free port was found.
    #[error("no free port on 127.0.0.1 below the range for outgoing connections")]
    Port,
}

impl Error {
    /// For `map_err`: names what was tried, and on which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
