//! When a session goes on, pauses and is done with the server that it holds: what it asks itself between two events. Without waiting.
//!
//! Invariant: a server that owes something, or on which a transaction is open, is not done with.

use howdah_wire::backend::TransactionStatus;

use crate::clock;
use crate::server::Server;
use crate::session::Session;

/// Requests that a pipelining client may send over one server while others wait.
const REQUESTS_PER_CHECKOUT: u32 = 64;

impl Session {
    /// Writes what waits for the server, as far as it takes it now.
    pub(crate) fn flush_server(&mut self) {
        let Some(server) = self.server.as_mut().filter(|server| !server.outbox.is_empty()) else {
            return;
        };
        if server.outbox.flush_now(&mut server.stream, &self.worker.shelf).is_err() {
            // What the server said before it went is still to be read.
            server.doomed = Some("it cannot be written to");
        }
        if self.calls.written.is_none() {
            self.calls.written = Some(clock::now());
        }
    }

    /// Whether the server has answered everything that it was asked.
    pub(crate) fn is_settled(&self) -> bool {
        self.server.as_ref().is_none_or(|server| server.queue.is_settled())
    }

    /// After a RESET, when everything that was sent is answered: the startup message's settings are to be made again.
    pub(crate) fn needs_alignment(&self) -> bool {
        self.server.as_ref().is_some_and(|server| self.must_realign(server))
    }

    pub(crate) fn must_realign(&self, server: &Server) -> bool {
        self.misaligned && server.queue.is_settled() && server.status != TransactionStatus::Failed
    }

    /// Something was sent and all of it is answered. (Without the first half, a request that was checked out for and cannot
    /// be sent yet would be gathered again and again without a wait.)
    pub(crate) fn is_done_with_server(&self) -> bool {
        self.pin.is_none()
            && self.body.is_none()
            && self.server.as_ref().is_some_and(|server| {
                server.is_free() && server.queue.next_serial() != self.checked_out_at
            })
    }

    /// Whether not to begin another request, so that the server comes free for others: not inside a request or a
    /// transaction, where it would not come free.
    pub(crate) fn must_pause(&self, server: &Server) -> bool {
        // Each request is routed by itself; behind one that was routed to a replica there may be a write.
        let routed = self.fed > 0 && self.routing.is_away();
        (routed || self.fed >= REQUESTS_PER_CHECKOUT)
            && self.pin.is_none()
            && !server.queue.is_open()
            && (!server.queue.is_empty() || server.is_free())
            && (routed || self.pool.ledger.borrow().counts().waiting > 0)
    }
}
