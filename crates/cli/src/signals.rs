//! The signals that a run listens to. What to do about them is the verb's business.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the outside asks of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Read the configuration again (SIGHUP).
    Reload,
    /// Stop (SIGTERM).
    Stop,
    /// Stop, asked at the keyboard (SIGINT).
    Interrupt,
}

/// SIGHUP, SIGTERM and SIGINT of this process, from the moment of its making.
#[derive(Debug)]
pub(crate) struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over from their default actions. Needs a runtime.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one. Cancel safe.
    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Interrupt,
        }
    }

    /// Waits for one that asks to stop. Cancel safe.
    pub(crate) async fn stop(&mut self) -> Asked {
        loop {
            match self.next().await {
                Asked::Reload => {}
                asked @ (Asked::Stop | Asked::Interrupt) => return asked,
            }
        }
    }
}
