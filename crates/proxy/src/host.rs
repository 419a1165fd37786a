//! What the console asks of the program that runs the data plane, because only that can do it: read its configuration again,
//! end. Not the doing.
//!
//! Invariant: whoever asks gets an answer, also when nobody listens.

use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc, oneshot, watch};

use crate::clock;

/// Requests that may wait for the program.
const REQUESTS: usize = 16;

/// Clients can come before the program listens: for this long after the start it counts as about to.
const START: Duration = Duration::from_secs(5);

/// How long reading a configuration may take: commands that print passwords may take ten seconds each.
const PATIENCE: Duration = Duration::from_mins(1);

/// When to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Now: open transactions are lost.
    AtOnce,
    /// When no transaction is open. Clients without one are disconnected.
    WhenServersAreFree,
    /// When all clients have left by themselves.
    WhenClientsHaveLeft,
}

/// What is asked.
#[derive(Debug)]
pub enum Request {
    /// Read the configuration again.
    Reload(Answer),
    /// Remember this moment, with a text.
    Mark(String, Answer),
    /// End.
    Shutdown(Shutdown),
}

/// Takes the answer to a request.
#[derive(Debug)]
pub struct Answer(oneshot::Sender<Result<(), String>>);

impl Answer {
    /// Says whether it was done, or why not.
    pub fn give(self, outcome: Result<(), String>) {
        // Whoever asked may be gone.
        let _ = self.0.send(outcome);
    }
}

/// Nobody does what is asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("the program that Howdah runs in does not take such requests")]
    NobodyListens,
    #[error("{0}")]
    Failed(String),
}

/// Between the consoles and the program.
#[derive(Debug)]
pub(crate) struct Host {
    sender: mpsc::Sender<Request>,
    receiver: Mutex<mpsc::Receiver<Request>>,
    listens: watch::Sender<bool>,
    started: Instant,
}

impl Host {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(REQUESTS);
        let listens = watch::Sender::new(false);
        Self { sender, receiver: Mutex::new(receiver), listens, started: clock::now() }
    }

    /// The next request; from the first call on the program counts as listening. Cancel safe.
    pub(crate) async fn next(&self) -> Request {
        self.listens.send_if_modified(|listens| !std::mem::replace(listens, true));
        match self.receiver.lock().await.recv().await {
            Some(request) => request,
            // The other end is in this very struct.
            None => std::future::pending().await,
        }
    }

    /// Cancel safe: it is asked or not.
    async fn ask(&self, request: Request) -> Result<(), Unanswered> {
        let mut listens = self.listens.subscribe();
        let starting = START.saturating_sub(clock::now() - self.started);
        if tokio::time::timeout(starting, listens.wait_for(|listens| *listens)).await.is_err() {
            return Err(Unanswered::NobodyListens);
        }
        let busy = |_| Unanswered::Failed("the program is busy with other requests".to_owned());
        self.sender.try_send(request).map_err(busy)
    }

    /// Has the configuration read again. Cancel safe: what was asked is done nevertheless.
    pub(crate) async fn reload(&self) -> Result<(), Unanswered> {
        self.answered(Request::Reload).await
    }

    /// Has a moment remembered. Cancel safe: it is asked or not.
    pub(crate) async fn mark(&self, text: String) -> Result<(), Unanswered> {
        self.answered(|answer| Request::Mark(text, answer)).await
    }

    async fn answered(&self, request: impl FnOnce(Answer) -> Request) -> Result<(), Unanswered> {
        let (answer, outcome) = oneshot::channel();
        self.ask(request(Answer(answer))).await?;
        match tokio::time::timeout(PATIENCE, outcome).await {
            Ok(Ok(outcome)) => outcome.map_err(Unanswered::Failed),
            Ok(Err(_)) => Err(Unanswered::Failed("the request was dropped".to_owned())),
            Err(_) => Err(Unanswered::Failed("there was no answer within a minute".to_owned())),
        }
    }

    /// Has the program end. Cancel safe: it is asked or not.
    pub(crate) async fn shut_down(&self, when: Shutdown) -> Result<(), Unanswered> {
        self.ask(Request::Shutdown(when)).await
    }
}
