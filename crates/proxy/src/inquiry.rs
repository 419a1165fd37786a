//! A connection on which Howdah itself asks PostgreSQL something: sending, receiving, saying goodbye. Not the questions, nor what
//! the answers mean.
//!
//! Invariant: a connection that is dropped has said goodbye, as far as that could be written at once.

use howdah_wire::{frame, frontend};

use crate::buffer::{Inbox, Shelf};
use crate::stream::Stream;

/// Why there is nothing more to be had from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It has ended.
    Lost,
    /// What came is no frame.
    Garbled,
    /// A frame is longer than an inbox.
    Long,
}

/// A connection that asks.
#[derive(Debug)]
pub(crate) struct Inquiry {
    stream: Stream,
    pub(crate) inbox: Inbox,
}

impl Inquiry {
    /// On a connection that is logged in.
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, inbox: Inbox::default() }
    }

    /// Sends all of it. When the future is dropped, so must the connection be.
    pub(crate) async fn send(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let stream = &mut self.stream;
            let sent = std::future::poll_fn(|cx| stream.poll_write(cx, bytes)).await;
            let count = sent.map_err(|_| Broken::Lost)?;
            bytes = bytes.get(count..).filter(|_| count > 0).ok_or(Broken::Lost)?;
        }
        Ok(())
    }

    /// Reads more into the inbox. Cancel safe.
    pub(crate) async fn fill(&mut self, shelf: &Shelf) -> Result<(), Broken> {
        if self.inbox.is_full() {
            return Err(Broken::Long);
        }
        let (inbox, stream) = (&mut self.inbox, &mut self.stream);
        let read = std::future::poll_fn(|cx| inbox.poll_fill(stream, shelf, cx)).await;
        if read.unwrap_or(0) == 0 { Err(Broken::Lost) } else { Ok(()) }
    }

    /// The next frame. Cancel safe.
    pub(crate) async fn frame(&mut self, shelf: &Shelf) -> Result<Vec<u8>, Broken> {
        loop {
            let parsed = frame::split(self.inbox.unread()).map_err(|_| Broken::Garbled)?;
            if let Some((found, _)) = parsed {
                let bytes = found.bytes.to_vec();
                self.inbox.consume(bytes.len());
                return Ok(bytes);
            }
            self.fill(shelf).await?;
        }
    }
}

impl Drop for Inquiry {
    fn drop(&mut self) {
        // Best effort: PostgreSQL logs nothing for a connection that ends with Terminate.
        let mut out = Vec::with_capacity(8);
        frontend::terminate(&mut out);
        let _ = self.stream.write_now(&out);
    }
}
