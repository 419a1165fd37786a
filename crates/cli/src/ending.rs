//! How a run ends: when it was asked to, but not before clients are done, and what cuts that short. Being asked is `signals`' and
//! the console's business.

use std::time::Duration;

use howdah::{Engine, Request, Shutdown};

use crate::exit::Exit;
use crate::signals::{Asked, Signals};
use crate::terminal::Talk;

/// How a run ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending {
    /// Transactions may go on for so long.
    Draining(Duration),
    /// When all clients have left by themselves.
    Leaving,
}

/// As long as transactions may take: no process lives a century.
const FOR_EVER: Duration = Duration::from_hours(24 * 36_500);

impl Ending {
    /// Of a command on the console.
    pub(crate) const fn of(when: Shutdown) -> Self {
        match when {
            Shutdown::AtOnce => Self::Draining(Duration::ZERO),
            Shutdown::WhenServersAreFree => Self::Draining(FOR_EVER),
            Shutdown::WhenClientsHaveLeft => Self::Leaving,
        }
    }

    /// Waits until it is time to stop.
    pub(crate) async fn wait(self, engine: &Engine, talk: Talk) {
        match self {
            Self::Draining(Duration::ZERO) => {}
            Self::Draining(grace) => {
                let limit = match grace {
                    FOR_EVER => String::new(),
                    grace => format!(" for {}", howdah::config::format_duration(grace)),
                };
                talk.line(&format!("stopping: transactions may go on{limit}"));
                engine.drain(grace).await;
            }
            Self::Leaving => {
                talk.line("stopping when all clients have left; no new ones are taken");
                engine.until_clients_have_left().await;
            }
        }
    }
}

/// Asked to stop again: at once. A command on the console that wants the same is no mistake, and ends as asked here.
pub(crate) async fn asked_again(engine: &Engine, signals: &mut Signals) -> Exit {
    loop {
        tokio::select! {
            asked = signals.stop() => {
                return if asked == Asked::Quit { Exit::Done } else { Exit::Interrupted };
            }
            request = engine.request() => match request {
                Request::Shutdown(Shutdown::AtOnce) => return Exit::Done,
                Request::Shutdown(_) => {}
                Request::Mark(_, answer) | Request::Reload(answer) => answer.give(Err("Howdah is shutting down".to_owned())),
            },
        }
    }
}
