//! Cancel requests between two processes, each of which may serve the client that a request at the other is for. The same on both
//! sides; where a request goes inside of a process is `crate::cancel`.
//!
//! Invariant: a request whose conversation ends counts as delivered: whoever waits for it goes on.

use std::collections::HashMap;
use std::rc::Rc;

use howdah_core::takeover::Message;
use tokio::sync::mpsc;

use super::{Forward, IN_FLIGHT, Neighbour};
use crate::cancel::{self, Delivered};
use crate::worker::Worker;

/// One side of it.
#[derive(Debug)]
pub(super) struct Cancels {
    /// Who is at the other end.
    neighbour: Neighbour,
    /// Requests of this side that are to be sent.
    forwards: mpsc::Receiver<Forward>,
    /// Requests of this side without an answer; dropped, they count as delivered.
    waiting: HashMap<u64, Delivered>,
    last: u64,
    /// Numbers of the other side's requests that were delivered here.
    answers: mpsc::Receiver<u64>,
    answering: mpsc::Sender<u64>,
}

impl Cancels {
    /// Without any request yet, and where this process puts those for the other one.
    pub(super) fn new(neighbour: Neighbour) -> (Self, mpsc::Sender<Forward>) {
        let (forwarding, forwards) = mpsc::channel(IN_FLIGHT);
        let (answering, answers) = mpsc::channel(IN_FLIGHT);
        let waiting = HashMap::new();
        (Self { neighbour, forwards, waiting, last: 0, answers, answering }, forwarding)
    }

    /// The next thing to say to the other process. Cancel safe.
    pub(super) async fn next(&mut self) -> Message {
        tokio::select! {
            Some(Forward { process_id, secret, delivered }) = self.forwards.recv() => {
                self.last += 1;
                self.waiting.insert(self.last, delivered);
                Message::Cancel { id: self.last, process_id, secret }
            }
            Some(id) = self.answers.recv() => Message::Delivered { id },
            // The other end of the answers is in this very struct.
            else => std::future::pending().await,
        }
    }

    /// The other process has sent a request.
    pub(super) fn on_cancel(&self, worker: &Rc<Worker>, id: u64, process_id: u32, secret: Vec<u8>) {
        let (worker, answering) = (Rc::clone(worker), self.answering.clone());
        let neighbour = self.neighbour;
        tokio::task::spawn_local(async move {
            cancel::route(&worker, process_id, &secret, Some(neighbour)).await;
            let _ = answering.send(id).await;
        });
    }

    /// The other process has delivered a request of this one.
    pub(super) fn on_delivered(&mut self, id: u64) {
        self.waiting.remove(&id);
    }
}
