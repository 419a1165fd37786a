//! A session with a request waits, without a server, for something else than one: news of a replica, a heartbeat, the answer to an equal
//! request. Not the wait for a server: that is in `session`.
//!
//! Invariant: a cancel request ends the wait, and a client that goes, or an end, is not missed.

use std::time::Duration;

use crate::clock;
use crate::entry::{Activity, Grant, Signal};
use crate::error::Refusal;
use crate::session::{End, Event, Session};

/// How often a request that waits for news looks again.
const LOOK: Duration = Duration::from_millis(1);

impl Session {
    /// Waits a moment for news of the nodes. The client may send more meanwhile, cancel, or go.
    pub(crate) async fn look_later(&mut self) -> Result<Option<Refusal>, End> {
        self.wait_aside(tokio::time::sleep(LOOK)).await.map(Result::err)
    }

    /// Waits without a server for something, which is not there if the session was told something meanwhile; the inner error is the
    /// answer to the request. Cancel safe if what is waited for is.
    ///
    /// # Errors
    /// The session ends.
    pub(crate) async fn wait_aside<T>(
        &mut self,
        it: impl Future<Output = T>,
    ) -> Result<Result<Option<T>, Refusal>, End> {
        self.entry.waiting.set(Some(clock::now()));
        let before = self.entry.activity.replace(Activity::Waiting);
        let outcome = tokio::select! {
            biased;
            outcome = std::future::poll_fn(|cx| self.poll_grant(Activity::Waiting, cx)) => Err(outcome),
            it = it => Ok(it),
        };
        self.entry.waiting.set(None);
        self.entry.activity.set(before);
        match outcome {
            Ok(it) => Ok(Ok(Some(it))),
            Err(Err(Event::Signal(Signal::Cancel))) => Ok(Err(Refusal::canceled())),
            Err(Err(Event::Signal(signal))) => self.on_signal(signal).map(|()| Ok(None)),
            Err(Err(_)) => Err(End::ClientGone),
            // Nobody owes it a server.
            Err(Ok(Grant::Server(server))) => {
                self.pool.checkin(&self.worker, server);
                Ok(Ok(None))
            }
            Err(Ok(_)) => Ok(Ok(None)),
        }
    }
}
