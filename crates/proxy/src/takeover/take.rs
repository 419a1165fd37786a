//! The conversation of the process that comes: asks for the listening sockets, says when it could serve, takes one session after the
//! other. Not what a session is made of: that is `moving`.
//!
//! Invariant: nothing of a session is read or written before the old process has said `Go`.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use howdah_core::takeover::{ListenerName, Message, OpenServers, PROTOCOL_VERSION};

use super::cancels::Cancels;
use super::line::{DetachedLine, Line};
use super::moving::Adopted;
use super::{Command, Neighbour, probe};
use crate::pool::PoolKey;
use crate::shared::Shared;
use crate::worker::{self, Worker};

/// What the old process has given so far.
#[derive(Debug)]
pub(crate) struct Asked {
    line: Line,
    /// Processes before this one.
    pub(crate) generation: u32,
    /// Whether row descriptions are hashed alike.
    hashes_alike: bool,
    /// Listening sockets.
    pub(crate) sockets: Vec<(ListenerName, OwnedFd)>,
}

/// Asks the process at `path` for its listening sockets. It goes on serving.
///
/// # Errors
/// Nobody is there, or it refuses.
pub(crate) async fn ask(path: &Path) -> io::Result<Asked> {
    let mut line = Line::connect(path).await?;
    if !line.is_trusted()? {
        return Err(io::Error::other("the running process belongs to another user"));
    }
    line.send(&Message::Hello { version: PROTOCOL_VERSION }, None).await?;
    let answer = line.recv_soon().await?.0;
    if let Message::Refused { reason } = answer {
        return Err(io::Error::other(reason));
    }
    let Message::Welcome { generation, probe: theirs, listeners } = answer else {
        return Err(unexpected());
    };
    let mut sockets = Vec::new();
    for _ in 0..listeners {
        match line.recv_soon().await? {
            (Message::Listener { name }, Some(socket)) => sockets.push((name, socket)),
            _ => return Err(unexpected()),
        }
    }
    Ok(Asked { line, generation: generation + 1, hashes_alike: theirs == probe(), sockets })
}

fn unexpected() -> io::Error {
    io::Error::other("an unexpected message")
}

impl Asked {
    /// Says that this process could serve, and returns when it may: the old one has stopped accepting.
    ///
    /// # Errors
    /// The old process is gone, or serves on.
    pub(crate) async fn begin(
        mut self,
        shared: &Shared,
        grace: Duration,
    ) -> io::Result<DetachedLine> {
        shared.takeover.generation.store(self.generation, Ordering::Relaxed);
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.line.send(&Message::Ready { grace_ms }, None).await?;
        loop {
            let message = self.line.recv_soon().await?.0;
            if message == Message::Begin {
                break;
            }
            if let Message::Servers { open } = message {
                set_elsewhere(shared, open);
            } else if let Message::Greeting(greeting) = message {
                shared.takeover.greetings.lock().push(greeting);
            } else {
                return Err(unexpected());
            }
        }
        shared.takeover.set_hashes_alike(self.hashes_alike);
        self.line.detach()
    }
}

fn set_elsewhere(shared: &Shared, open: Vec<OpenServers>) {
    let by_pool = open.into_iter().map(|one| {
        let key = PoolKey::home(one.database, one.user);
        (key, one.count)
    });
    *shared.takeover.elsewhere.lock() = by_pool.collect();
}

/// Takes what the old process gives, until it ends.
pub(super) async fn follow(worker: &Rc<Worker>, line: DetachedLine) {
    let shared = &worker.shared;
    let (cancels, forwarding) = Cancels::new(Neighbour::Before);
    shared.takeover.set_neighbour(Neighbour::Before, Some(forwarding));
    let taken = match line.attach() {
        Ok(line) => {
            let mut taking = Taking { worker, line, held: HashMap::new(), cancels, adopted: 0 };
            taking.all().await.map(|()| taking.adopted)
        }
        Err(error) => Err(error),
    };
    match taken {
        Ok(sessions) => tracing::info!(sessions, "the process before this one has ended"),
        Err(error) => tracing::warn!(%error, "the process before this one is gone"),
    }
    shared.takeover.set_neighbour(Neighbour::Before, None);
    set_elsewhere(shared, Vec::new());
    resize_all(shared).await;
}

async fn resize_all(shared: &Shared) {
    for worker in shared.workers() {
        let _ = worker.send(worker::Command::Resize).await;
    }
}

/// The conversation after `Begin`.
struct Taking<'a> {
    worker: &'a Rc<Worker>,
    line: Line,
    /// Sessions that are still the old process's.
    held: HashMap<u64, (usize, Adopted)>,
    cancels: Cancels,
    adopted: u64,
}

impl Taking<'_> {
    async fn all(&mut self) -> io::Result<()> {
        loop {
            // All are cancel safe; what they bring is worked on outside of them.
            tokio::select! {
                received = self.line.recv() => {
                    let (message, socket) = received?;
                    if message == Message::Farewell {
                        return Ok(());
                    }
                    self.on_message(message, socket).await?;
                }
                message = self.cancels.next() => self.line.send(&message, None).await?,
            }
        }
    }

    async fn on_message(&mut self, message: Message, socket: Option<OwnedFd>) -> io::Result<()> {
        match message {
            Message::Session { id, state } => {
                let Some(socket) = socket else { return Err(unexpected()) };
                let answer = match Adopted::of(self.worker, &state, socket) {
                    Ok(held) => {
                        self.held.insert(id, held);
                        Message::Held { id }
                    }
                    Err(reason) => Message::Declined { id, reason },
                };
                self.line.send(&answer, None).await
            }
            Message::Go { id } => {
                if let Some((owner, adopted)) = self.held.remove(&id)
                    && let Some(owner) = self.worker.shared.workers().get(owner)
                {
                    self.adopted += 1;
                    self.worker.shared.on_client();
                    let adopt = Command::Adopt(Box::new(adopted));
                    let _ = owner.send(worker::Command::Takeover(adopt)).await;
                }
                Ok(())
            }
            Message::Servers { open } => {
                set_elsewhere(&self.worker.shared, open);
                resize_all(&self.worker.shared).await;
                Ok(())
            }
            Message::Cancel { id, process_id, secret } => {
                self.cancels.on_cancel(self.worker, id, process_id, secret);
                Ok(())
            }
            Message::Delivered { id } => {
                self.cancels.on_delivered(id);
                Ok(())
            }
            Message::Hello { .. }
            | Message::Welcome { .. }
            | Message::Refused { .. }
            | Message::Listener { .. }
            | Message::Ready { .. }
            | Message::Greeting(_)
            | Message::Begin
            | Message::Held { .. }
            | Message::Declined { .. }
            | Message::Farewell => Err(unexpected()),
        }
    }
}
