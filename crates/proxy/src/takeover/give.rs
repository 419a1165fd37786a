//! The conversation of the process that goes: gives the listening sockets, stops accepting, gives one session after the other. Not
//! when a session may move: that is `moving`.
//!
//! Invariant: whatever ends the conversation before its end, this process serves everything again that it has not said `Go` for.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use howdah_core::takeover::{Message, OpenServers, PROTOCOL_VERSION};
use tokio::sync::mpsc;

use super::cancels::Cancels;
use super::line::Line;
use super::{Command, Departure, IN_FLIGHT, Neighbour, PATIENCE, Verdict, count, greetings, probe};
use crate::clock;
use crate::worker::{self, Worker};

/// How often it is looked whether servers were closed and clients have left.
const LOOK: Duration = Duration::from_millis(10);

/// How a conversation has ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The other process did not want to take over, or could not; nothing had begun.
    Asked,
    /// It serves the clients.
    Moved,
    /// It is gone; this one serves again.
    Failed(io::Error),
}

/// Gives everything to the process at the other end. `owned` tells whether files of sockets are this process's.
pub(super) async fn give(worker: &Rc<Worker>, mut line: Line, owned: &Cell<bool>) -> Ended {
    let grace = match introduce(worker, &mut line).await {
        Ok(Some(grace)) => grace,
        Ok(None) => return Ended::Asked,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ended::Asked,
        Err(error) => return Ended::Failed(error),
    };
    tracing::info!(process_id = line.process_id(), "another process takes over");
    worker.pause_listening();
    owned.set(false);
    let shared = &worker.shared;
    let (departing, departures) = mpsc::channel(IN_FLIGHT);
    let (cancels, forwarding) = Cancels::new(Neighbour::After);
    shared.takeover.moving.store(true, Ordering::Relaxed);
    tell_all(worker, &|| Command::Move(Some(departing.clone()))).await;
    shared.takeover.set_neighbour(Neighbour::After, Some(forwarding));
    let mut giving = Giving {
        worker,
        line,
        in_flight: HashMap::new(),
        cancels,
        last: 0,
        said: Vec::new(),
        until: clock::now() + grace,
    };
    let given = giving.all(departures).await;
    // Sessions that wait for a verdict hear none, and stay.
    drop(giving);
    shared.takeover.set_neighbour(Neighbour::After, None);
    match given {
        Ok(()) => {
            shared.takeover.superseded.send_replace(true);
            Ended::Moved
        }
        Err(error) => {
            shared.takeover.moving.store(false, Ordering::Relaxed);
            tell_all(worker, &|| Command::Move(None)).await;
            worker.resume_listening();
            Ended::Failed(error)
        }
    }
}

async fn tell_all(worker: &Worker, command: &dyn Fn() -> Command) {
    for other in worker.shared.workers() {
        let _ = other.send(worker::Command::Takeover(command())).await;
    }
}

/// Up to `Ready`; how long clients may stay that cannot move. `None`: the other process was refused.
async fn introduce(worker: &Worker, line: &mut Line) -> io::Result<Option<Duration>> {
    let unexpected = || io::Error::other("an unexpected message");
    let (Message::Hello { version }, _) = line.recv_soon().await? else {
        return Err(unexpected());
    };
    if version != PROTOCOL_VERSION {
        let reason =
            format!("the running process speaks version {PROTOCOL_VERSION}, not {version}");
        line.send(&Message::Refused { reason }, None).await?;
        return Ok(None);
    }
    if !worker.shared.holds().is_empty() {
        // The other process would let everybody go on.
        let reason =
            "databases are paused or disabled, which does not move: RESUME and ENABLE them first"
                .to_owned();
        line.send(&Message::Refused { reason }, None).await?;
        return Ok(None);
    }
    let sockets = worker.listening_sockets()?;
    let welcome = Message::Welcome {
        generation: worker.shared.takeover.generation.load(Ordering::Relaxed),
        probe: probe(),
        listeners: u32::try_from(sockets.len()).unwrap_or(0),
    };
    line.send(&welcome, None).await?;
    for (name, socket) in sockets {
        line.send(&Message::Listener { name }, Some(socket.as_fd())).await?;
    }
    match line.recv_soon().await? {
        (Message::Ready { grace_ms }, _) => Ok(Some(Duration::from_millis(grace_ms))),
        _ => Err(unexpected()),
    }
}

/// The conversation after `Ready`.
struct Giving<'a> {
    worker: &'a Rc<Worker>,
    line: Line,
    /// Sessions without an answer.
    in_flight: HashMap<u64, (tokio::sync::oneshot::Sender<Verdict>, Instant)>,
    cancels: Cancels,
    /// Sessions that were sent.
    last: u64,
    said: Vec<OpenServers>,
    /// When clients that cannot move have to go.
    until: Instant,
}

impl Giving<'_> {
    async fn all(&mut self, mut departures: mpsc::Receiver<Departure>) -> io::Result<()> {
        for greeting in greetings(&self.worker.shared).await {
            self.line.send(&Message::Greeting(greeting), None).await?;
        }
        self.say_servers().await?;
        self.line.send(&Message::Begin, None).await?;
        let mut looks = tokio::time::interval(LOOK);
        loop {
            let room = self.in_flight.len() < IN_FLIGHT;
            // All are cancel safe; what they bring is worked on outside of them.
            tokio::select! {
                received = self.line.recv() => self.on_message(received?.0).await?,
                Some(departure) = departures.recv(), if room => self.depart(departure).await?,
                message = self.cancels.next() => self.line.send(&message, None).await?,
                _ = looks.tick() => {
                    if self.is_over().await? {
                        return self.line.send(&Message::Farewell, None).await;
                    }
                }
            }
        }
    }

    async fn depart(&mut self, departure: Departure) -> io::Result<()> {
        self.last += 1;
        let id = self.last;
        let Departure { state, socket, verdict } = departure;
        self.in_flight.insert(id, (verdict, clock::now()));
        self.line.send(&Message::Session { id, state }, Some(socket.as_fd())).await
    }

    async fn on_message(&mut self, message: Message) -> io::Result<()> {
        match message {
            Message::Held { id } => {
                if let Some((verdict, _)) = self.in_flight.remove(&id) {
                    self.line.send(&Message::Go { id }, None).await?;
                    let _ = verdict.send(Verdict::Gone);
                }
                Ok(())
            }
            Message::Declined { id, reason } => {
                tracing::warn!(reason, "the new process does not take a session");
                if let Some((verdict, _)) = self.in_flight.remove(&id) {
                    let _ = verdict.send(Verdict::Declined);
                }
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
            | Message::Servers { .. }
            | Message::Session { .. }
            | Message::Go { .. }
            | Message::Farewell => Err(io::Error::other("an unexpected message")),
        }
    }

    async fn say_servers(&mut self) -> io::Result<()> {
        let open = count(&self.worker.shared).await;
        self.said.clone_from(&open);
        self.line.send(&Message::Servers { open }, None).await
    }

    /// Says what has changed; whether nothing is left to give.
    async fn is_over(&mut self) -> io::Result<bool> {
        let now = clock::now();
        let late = |since: &Instant| now.saturating_duration_since(*since) > PATIENCE;
        if self.in_flight.values().any(|(_, since)| late(since)) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let open = count(&self.worker.shared).await;
        if open != self.said {
            self.said.clone_from(&open);
            self.line.send(&Message::Servers { open }, None).await?;
        }
        let shared = &self.worker.shared;
        let empty = shared.clients() == 0 && !shared.takeover.has_predecessor();
        Ok(self.in_flight.is_empty() && (empty || now >= self.until))
    }
}
