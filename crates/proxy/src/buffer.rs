//! Buffers that exist only while bytes are in flight: an idle connection holds none. [`Inbox`] is read into, [`Outbox`] is
//! written from, [`Shelf`] keeps their memory between uses, one per worker.
//!
//! Invariant: an empty inbox or outbox owns no memory after [`Inbox::rest`] / [`Outbox::rest`].

use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

use crate::stream::Stream;

/// Bytes of an inbox's memory at first: one read takes at most this much. Large enough that a big result costs few system
/// calls, small enough for the cache.
const INBOX: usize = 32 * 1024;
/// Memory that the shelf keeps of each kind; more is given back to the allocator.
const SHELVED: usize = 128;
/// An outbox that grew beyond this is not shelved.
const OUTBOX_SHELVED: usize = 256 * 1024;
/// Bytes waiting to be written at which no more are produced.
pub(crate) const OUTBOX_FULL: usize = 64 * 1024;

/// Memory between uses.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    inboxes: RefCell<Vec<Vec<u8>>>,
    outboxes: RefCell<Vec<Vec<u8>>>,
}

impl Shelf {
    fn take_inbox(&self) -> Vec<u8> {
        self.inboxes.borrow_mut().pop().unwrap_or_else(|| vec![0; INBOX])
    }

    fn put_inbox(&self, memory: Vec<u8>) {
        let mut inboxes = self.inboxes.borrow_mut();
        if memory.len() == INBOX && inboxes.len() < SHELVED {
            inboxes.push(memory);
        }
    }

    /// Bytes of memory that it keeps.
    #[cfg(feature = "simulation")]
    pub(crate) fn len(&self) -> usize {
        let bytes = |kind: &RefCell<Vec<Vec<u8>>>| -> usize {
            kind.borrow().iter().map(Vec::capacity).sum()
        };
        bytes(&self.inboxes) + bytes(&self.outboxes)
    }

    /// Memory for bytes to be written; give it back by [`Self::put_outbox`].
    pub(crate) fn take_outbox(&self) -> Vec<u8> {
        self.outboxes.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps memory for the next use.
    pub(crate) fn put_outbox(&self, mut memory: Vec<u8>) {
        memory.clear();
        let mut outboxes = self.outboxes.borrow_mut();
        if (1..=OUTBOX_SHELVED).contains(&memory.capacity()) && outboxes.len() < SHELVED {
            outboxes.push(memory);
        }
    }
}

/// Bytes read and not yet consumed.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// Always initialised up to its length; bytes `start..end` are unread.
    memory: Vec<u8>,
    start: usize,
    end: usize,
    /// Where bytes begin that were consumed and are kept all the same.
    kept: Option<usize>,
}

impl Inbox {
    /// An inbox into which these bytes were read already.
    pub(crate) fn holding(bytes: Vec<u8>) -> Self {
        Self { start: 0, end: bytes.len(), memory: bytes, kept: None }
    }

    /// Bytes not yet consumed.
    pub(crate) fn unread(&self) -> &[u8] {
        self.memory.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Consumes the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        if self.start == self.end && self.kept.is_none() {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Keeps what is consumed from now on, as long as there is room.
    pub(crate) fn keep(&mut self) {
        self.kept = Some(self.start);
    }

    /// What was consumed and kept.
    pub(crate) fn kept(&self) -> Option<&[u8]> {
        self.memory.get(self.kept?..self.start)
    }

    /// What was kept is not needed any more.
    pub(crate) fn forget(&mut self) {
        self.kept = None;
        self.consume(0);
    }

    /// Makes what was kept unread again. `false`: it was not kept.
    pub(crate) fn rewind(&mut self) -> bool {
        let kept = self.kept.take();
        self.start = kept.unwrap_or(self.start);
        kept.is_some()
    }

    /// Takes out all that is not yet consumed.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let bytes = self.unread().to_vec();
        self.consume(bytes.len());
        bytes
    }

    /// Whether a read must wait until bytes are consumed or [`Self::reserve`] makes room.
    pub(crate) fn is_full(&self) -> bool {
        self.end - self.start >= self.memory.len().max(INBOX)
    }

    /// Makes room for a frame of `whole` bytes that has to be in one piece.
    pub(crate) fn reserve(&mut self, whole: usize) {
        if whole > self.memory.len() {
            self.memory.resize(whole.next_power_of_two(), 0);
        }
    }

    /// Reads once. Takes memory only when there is something to read. `Ready(Ok(0))` is the end of the stream, or no room.
    ///
    /// Cancel safe: bytes that were read are in the inbox.
    pub(crate) fn poll_fill(
        &mut self,
        stream: &mut Stream,
        shelf: &Shelf,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.memory.is_empty() {
            self.memory = shelf.take_inbox();
        }
        if self.memory.len() < INBOX {
            self.memory.resize(INBOX, 0);
        }
        if self.end == self.memory.len() && self.start > 0 {
            self.kept = None;
            self.memory.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let mut room = ReadBuf::new(self.memory.get_mut(self.end..).unwrap_or_default());
        let result = stream.poll_read(cx, &mut room);
        let count = room.filled().len();
        if result.is_pending() {
            self.rest(shelf);
        }
        ready!(result)?;
        self.end += count;
        Poll::Ready(Ok(count))
    }

    /// Gives memory back with all that is in it.
    pub(crate) fn discard(&mut self, shelf: &Shelf) {
        self.kept = None;
        self.consume(usize::MAX);
        self.rest(shelf);
    }

    /// Gives memory back if there is nothing to consume.
    pub(crate) fn rest(&mut self, shelf: &Shelf) {
        if self.is_empty() && self.kept.is_none() && !self.memory.is_empty() {
            shelf.put_inbox(std::mem::take(&mut self.memory));
            self.start = 0;
            self.end = 0;
        }
    }
}

/// Bytes to be written.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    written: usize,
}

impl Outbox {
    /// Where to append.
    pub(crate) fn bytes(&mut self, shelf: &Shelf) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = shelf.take_outbox();
        }
        &mut self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.written == self.bytes.len()
    }

    /// Whether to stop appending until some is written.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() - self.written >= OUTBOX_FULL
    }

    fn unwritten(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    fn on_written(&mut self, count: usize, shelf: &Shelf) {
        self.written += count;
        if self.is_empty() {
            self.rest(shelf);
        }
    }

    /// Gives memory back if all is written.
    pub(crate) fn rest(&mut self, shelf: &Shelf) {
        if self.is_empty() && self.bytes.capacity() > 0 {
            self.bytes.clear();
            self.written = 0;
            shelf.put_outbox(std::mem::take(&mut self.bytes));
        }
    }

    /// Writes what the stream takes at once.
    pub(crate) fn flush_now(&mut self, stream: &mut Stream, shelf: &Shelf) -> io::Result<()> {
        while !self.is_empty() {
            let count = stream.write_now(self.unwritten())?;
            if count == 0 {
                break;
            }
            self.on_written(count, shelf);
        }
        Ok(())
    }

    /// Writes until all is written.
    ///
    /// Cancel safe: what was written is not written again.
    pub(crate) fn poll_flush(
        &mut self,
        stream: &mut Stream,
        shelf: &Shelf,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let count = ready!(stream.poll_write(cx, self.unwritten()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.on_written(count, shelf);
        }
        Poll::Ready(Ok(()))
    }

    /// Sends a range of somebody else's bytes: at once if nothing waits before it, and keeps what the stream does not take.
    pub(crate) fn send(
        &mut self,
        stream: &mut Stream,
        shelf: &Shelf,
        range: &[u8],
    ) -> io::Result<()> {
        let mut sent = 0;
        if self.is_empty() && !range.is_empty() {
            sent = stream.write_now(range)?;
        }
        let rest = range.get(sent..).unwrap_or_default();
        if !rest.is_empty() {
            self.bytes(shelf).extend_from_slice(rest);
        }
        Ok(())
    }
}
