//! A connection that is logging in: its stream and the bytes on their way. Not what they mean.
//!
//! Invariant: a message of a login is bounded, so somebody unknown cannot make the program hold more.

use howdah_wire::{frame, frontend};

use crate::buffer::{Inbox, Outbox};
use crate::error::Refusal;
use crate::stream::{Peer, Stream};
use crate::worker::Worker;

/// Longest message a client may send while it logs in.
const LOGIN_MESSAGE: usize = 8 * 1024;

/// A connection that is logging in.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) stream: Stream,
    pub(crate) peer: Peer,
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
}

impl Link {
    pub(crate) fn new(stream: Stream, peer: Peer) -> Self {
        Self { stream, peer, inbox: Inbox::default(), outbox: Outbox::default() }
    }

    /// A connection of which these bytes were read already.
    pub(crate) fn holding(stream: Stream, peer: Peer, bytes: Vec<u8>) -> Self {
        Self { inbox: Inbox::holding(bytes), ..Self::new(stream, peer) }
    }

    /// Whether nobody between the client and this process can read along.
    pub(super) fn is_private(&self) -> bool {
        self.peer.is_local() || self.is_encrypted()
    }

    /// Whether the bytes are encrypted on their way.
    pub(super) fn is_encrypted(&self) -> bool {
        self.stream.channel().is_some()
    }

    /// Reads once; `false`: the client is gone.
    pub(crate) async fn fill(&mut self, worker: &Worker) -> bool {
        if self.inbox.is_full() {
            return false;
        }
        let (inbox, stream) = (&mut self.inbox, &mut self.stream);
        let count = std::future::poll_fn(|cx| inbox.poll_fill(stream, &worker.shelf, cx)).await;
        count.is_ok_and(|count| count > 0)
    }

    /// Writes all that waits; a client that is gone is noticed by the next read.
    pub(crate) async fn flush(&mut self, worker: &Worker) {
        let (outbox, stream) = (&mut self.outbox, &mut self.stream);
        let _ = std::future::poll_fn(|cx| outbox.poll_flush(stream, &worker.shelf, cx)).await;
    }

    /// The next password message.
    pub(super) async fn password(&mut self, worker: &Worker) -> Result<Vec<u8>, Refusal> {
        self.flush(worker).await;
        loop {
            let header = frame::header(self.inbox.unread()).map_err(Refusal::protocol)?;
            if let Some(header) = header
                && (header.tag != frontend::tag::PASSWORD || header.frame_len() > LOGIN_MESSAGE)
            {
                return Err(Refusal::protocol("expected a password message"));
            }
            let complete = frame::split(self.inbox.unread()).map_err(Refusal::protocol)?;
            if let Some((found, _)) = complete {
                let (body, whole) = (found.body.to_vec(), found.bytes.len());
                self.inbox.consume(whole);
                return Ok(body);
            }
            if !self.fill(worker).await {
                return Err(Refusal::protocol("the connection ended during the login"));
            }
        }
    }
}
