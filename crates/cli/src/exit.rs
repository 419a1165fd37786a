//! How a run ends: the exit codes, and failures that carry one.

use std::io;
use std::process::ExitCode;

use crate::terminal::Talk;

/// Exit codes, stable for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// As asked.
    Done = 0,
    /// Failed in a way that has no code of its own.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The configuration has mistakes.
    Configuration = 3,
    /// A server or Howdah itself cannot be reached.
    Unreachable = 4,
    /// Everything could be looked at, and something is wrong.
    CheckFailed = 5,
    /// Stopped by Ctrl-C before the work began or at the second time.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What a verb returns.
pub(crate) type Outcome = Result<Exit, Failure>;

/// Why a verb did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Code to end with.
    pub(crate) exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    /// A failure with a code of its own.
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }

    /// Says what is wrong on standard error; nothing when the reader of our output has simply left.
    pub(crate) fn tell(&self) {
        let gone = self.error.chain().any(|cause| {
            cause
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        });
        if !gone {
            Talk::new().fail(&format!("{:#}", self.error));
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(Exit::Failed, error)
    }
}
