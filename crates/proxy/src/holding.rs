//! What a session holds and until when: its server, its pin, its deadlines, and how it ends. The path of a request is in
//! `session`.
//!
//! Invariant: a server leaves a session in one of two ways only: free, to the pool ([`Session::release`]), or with the end of
//! the session, through `clean`.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use howdah_core::reply::Delivery;
use howdah_core::session::PinReason;
use howdah_wire::backend::TransactionStatus;
use howdah_wire::sqlstate::SqlState;

use crate::cancel;
use crate::clean::{self, Leaving};
use crate::clock;
use crate::entry::{Activity, Deadline, Signal};
use crate::error::{Refusal, seconds};
use crate::server::Server;
use crate::session::{End, Session};

impl Session {
    /// A server was taken for the session.
    pub(crate) fn hold(&mut self, server: Box<Server>) {
        *self.entry.cancel.borrow_mut() = Some(Rc::clone(&server.cancel));
        self.entry.activity.set(Activity::Active);
        self.begin_tenure();
        self.checked_out_at = server.queue.next_serial();
        self.server = Some(server);
    }

    /// The server is free: back to the pool.
    pub(crate) fn release(&mut self) {
        *self.entry.cancel.borrow_mut() = None;
        self.entry.activity.set(Activity::Idle);
        self.show_state();
        self.entry.tenure.end();
        self.statements.on_server_released();
        self.effects.clear();
        self.portals.clear();
        self.calls.on_released();
        self.describing.clear();
        self.ruling.on_released();
        self.shifts.clear();
        self.resync = None;
        self.inbox.forget();
        if let Some(server) = self.server.take() {
            self.pool.checkin(&self.worker, server);
            self.on_answered_by_pool();
        }
    }

    /// Notes for reports what only the session knows.
    pub(crate) fn show_state(&mut self) {
        let context = self.settings.context();
        if !Arc::ptr_eq(&self.entry.context.borrow(), context) {
            let context = Arc::clone(context);
            self.note_application(&context);
            *self.entry.context.borrow_mut() = context;
        }
        self.entry.prepared.set(self.statements.len());
    }

    /// Holds the server until the session ends, with a reason.
    pub(crate) fn set_pin(&mut self, reason: PinReason) {
        if self.pin.is_none() {
            self.pin = Some(reason);
            self.entry.tenure.set_pin(Some((self.worker.now(), reason)));
            self.pool.on_pin(reason);
        }
    }

    /// `DISCARD ALL` leaves nothing to hold the server for.
    pub(crate) fn unpin(&mut self) {
        if self.pin.is_some_and(|reason| reason != PinReason::SessionMode) {
            self.drop_pin();
        }
    }

    fn drop_pin(&mut self) {
        if let Some(reason) = self.pin.take() {
            self.entry.tenure.set_pin(None);
            self.pool.on_unpin(reason);
        }
    }

    pub(crate) fn on_signal(&mut self, signal: Signal) -> Result<(), End> {
        match signal {
            Signal::Terminate => Err(End::Fatal(Refusal::shutting_down())),
            // It is looked at before each request.
            Signal::Move => Ok(()),
            Signal::Kill => {
                if let Some(server) = &mut self.server {
                    server.doomed = Some("an administrator disconnected its client");
                }
                Err(End::Fatal(Refusal::killed()))
            }
            Signal::Drain => {
                self.draining = true;
                Ok(())
            }
            // The server was granted in the meantime, and the request is with it.
            Signal::Cancel => {
                cancel::send(&self.worker, &self.pool, &self.entry, None);
                Ok(())
            }
            // It passed as the answer came, or as the next request did.
            Signal::Deadline(Deadline::Query(_) | Deadline::Unanswered(_)) if !self.is_asking() => {
                Ok(())
            }
            Signal::Deadline(Deadline::IdleInTransaction(_)) if self.is_asking() => Ok(()),
            Signal::Deadline(Deadline::Query(timeout)) => {
                self.overruled = Some(self.too_long(timeout));
                let grace = self.pool.ledger.borrow().config().connect_timeout;
                let deadline = (clock::now() + grace, Deadline::Unanswered(timeout));
                self.entry.set_deadline(Some(deadline));
                cancel::send(&self.worker, &self.pool, &self.entry, None);
                Ok(())
            }
            Signal::Deadline(Deadline::Unanswered(timeout)) => {
                if let Some(server) = &mut self.server {
                    server.doomed = Some("it does not answer");
                }
                Err(End::Fatal(self.too_long(timeout)))
            }
            Signal::Deadline(Deadline::Transaction(_)) if !self.entry.tenure.is_overdue() => Ok(()),
            Signal::Deadline(Deadline::Transaction(timeout)) => {
                if self.entry.tenure.is_asking() {
                    cancel::send(&self.worker, &self.pool, &self.entry, None);
                }
                Err(End::Fatal(Refusal::transaction_timeout(timeout)))
            }
            Signal::Deadline(Deadline::IdleInTransaction(timeout)) => {
                Err(End::Fatal(Refusal::new(
                    SqlState::IDLE_IN_TRANSACTION_TIMEOUT,
                    format!(
                        "terminating connection: idle in transaction longer than pool.idle_in_transaction_timeout ({})",
                        seconds(timeout)
                    ),
                )))
            }
            Signal::Deadline(Deadline::Idle(timeout)) => Err(End::Fatal(Refusal::new(
                SqlState::IDLE_SESSION_TIMEOUT,
                format!(
                    "terminating connection: idle longer than listen.client_idle_timeout ({})",
                    seconds(timeout)
                ),
            ))),
        }
    }

    /// Whether the server still owes answers.
    fn is_asking(&self) -> bool {
        self.server.as_ref().is_some_and(|server| !server.queue.is_empty())
            || self.entry.flight.borrow().is_some()
    }

    pub(crate) fn on_server_gone(&mut self) -> End {
        if let Some(server) = &mut self.server {
            server.doomed = Some("it closed the connection");
        }
        if self.goes_elsewhere() {
            return End::Elsewhere;
        }
        End::Fatal(self.loss())
    }

    /// What the client of a server that is gone is told: whether its work is lost for certain, or nobody knows.
    fn loss(&self) -> Refusal {
        let Some(server) = &self.server else { return Refusal::server_lost() };
        let (open, asked) = (server.status != TransactionStatus::Idle, !server.queue.is_empty());
        if open && !(asked && self.may_commit()) {
            return Refusal::transaction_lost();
        }
        if asked && self.running.is_none() {
            return Refusal::unknown_outcome();
        }
        Refusal::server_lost()
    }

    /// Says goodbye, and leaves the server to others, clean or closed.
    pub(crate) async fn close(mut self, end: End) {
        // Others may wait for its answer.
        self.caching.filling = None;
        self.end_calls();
        self.return_grant();
        self.inbox.discard(&self.worker.shelf);
        *self.entry.cancel.borrow_mut() = None;
        // Inside a row, the words of a goodbye would be taken for the rest of it.
        let body = self.server.as_ref().and_then(|server| server.body);
        let torn =
            self.entry.is_torn() || body.is_some_and(|body| body.delivery != Delivery::Nobody);
        if let Some(server) = self.server.take() {
            // An alignment that is on its way counts: nobody will note that it has arrived.
            let dirty = self.pin.is_some()
                || !self.effects.is_empty()
                || self.aligning.is_some()
                || self.misaligned
                || self.careful
                || self.listener.channels.is_on_server();
            let leaving = Leaving { dirty, mid_frame: self.body.is_some() };
            clean::leave(&self.worker, &self.pool, server, leaving);
        }
        if self.taints {
            self.home.clean_tainted(&self.worker, self.entry.id);
        }
        self.drop_pin();
        std::mem::take(&mut self.listener).close();
        self.home.clients.set(self.home.clients.get().saturating_sub(1));
        std::mem::take(&mut self.routing).close();
        self.worker.unregister(&self.entry);
        if let End::Fatal(refusal) = &end {
            if !torn {
                refusal.write_fatal(self.outbox.bytes(&self.worker.shelf));
            }
            self.on_error(refusal.code);
        }
        if !matches!(end, End::ClientGone | End::Terminated | End::Moved) {
            crate::login::say_goodbye(&self.worker, self.stream, self.outbox).await;
        }
    }

    /// A server is taken, or a request is sent to it: from here on the client holds it.
    fn begin_tenure(&self) {
        if self.entry.tenure.goes_on() {
            return;
        }
        let ledger = self.pool.ledger.borrow();
        let config = ledger.config();
        // A report may be a tick late; a limit must not pass a tick early.
        let exact = config.transaction_timeout.is_some();
        self.entry.tenure.begin(if exact { clock::now() } else { self.worker.now() }, config);
    }

    /// A request was answered; `more`: others are on their way.
    pub(crate) fn watch_tenure(&self, status: TransactionStatus, more: bool) {
        if status == TransactionStatus::Idle {
            self.entry.tenure.end();
            if more {
                self.begin_tenure();
            }
        } else if !more {
            self.entry.tenure.on_idle_in_transaction();
        }
    }

    /// When the client has to end its transaction; the deadline of what was answered holds no longer.
    pub(crate) fn watch_transaction(&mut self, status: TransactionStatus) {
        let ledger = self.pool.ledger.borrow();
        let (config, open) = (ledger.config(), status != TransactionStatus::Idle);
        let limited = self.ruling.end_limit();
        if !open {
            self.ruling.rows.on_idle();
        }
        if config.idle_in_transaction_timeout.is_some() || config.query_timeout.is_some() || limited
        {
            let timeout = config.idle_in_transaction_timeout.filter(|_| open);
            let deadline = timeout
                .map(|timeout| (clock::now() + timeout, Deadline::IdleInTransaction(timeout)));
            self.entry.set_deadline(deadline);
        }
    }

    /// What the client of a request that ran for so long is told.
    fn too_long(&self, timeout: Duration) -> Refusal {
        let by = self.ruling.limit_by(timeout);
        Refusal::query_timeout(timeout, by.as_deref().unwrap_or("pool.query_timeout"))
    }

    /// When the request that is being sent has to be answered.
    pub(crate) fn watch_request(&self) {
        self.begin_tenure();
        let ledger = self.pool.ledger.borrow();
        let limits = [ledger.config().query_timeout, self.ruling.limit()];
        if let Some(timeout) = limits.into_iter().flatten().min() {
            self.entry.set_deadline(Some((clock::now() + timeout, Deadline::Query(timeout))));
        } else if ledger.config().idle_in_transaction_timeout.is_some() {
            self.entry.set_deadline(None);
        }
    }
}
