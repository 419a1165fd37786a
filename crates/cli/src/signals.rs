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
    /// Stop at once (SIGQUIT).
    Quit,
    /// Hold clients back (SIGUSR1).
    Pause,
    /// Let them go on (SIGUSR2).
    Resume,
}

/// The signals of this process that mean something, from the moment of its making.
#[derive(Debug)]
pub(crate) struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    pause: Signal,
    resume: Signal,
}

impl Signals {
    /// Takes the signals over from their default actions. Needs a runtime.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            pause: signal(SignalKind::user_defined1())?,
            resume: signal(SignalKind::user_defined2())?,
        })
    }

    /// Waits for the next one. Cancel safe.
    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Interrupt,
            _ = self.quit.recv() => Asked::Quit,
            _ = self.pause.recv() => Asked::Pause,
            _ = self.resume.recv() => Asked::Resume,
        }
    }

    /// Waits for one that asks to stop. Cancel safe.
    pub(crate) async fn stop(&mut self) -> Asked {
        loop {
            match self.next().await {
                Asked::Reload | Asked::Pause | Asked::Resume => {}
                asked @ (Asked::Stop | Asked::Interrupt | Asked::Quit) => return asked,
            }
        }
    }
}
