//! Cutting what a server says into the answers of a flight's passengers, by its reply queue. No waiting here.
//!
//! Invariant: bytes are added only to the answer of the passenger whose turn it is, and only if the reply queue says that they
//! are its own.

use howdah_core::limits;
use howdah_core::reply::{Delivery, Event};
use howdah_wire::backend::{self, TransactionStatus, tag};
use howdah_wire::frame;
use howdah_wire::sqlstate::SqlState;

use super::{Elsewhere, Flight, Lost, OUT_OF_STEP};
use crate::calls;
use crate::entry::AnswerError;
use crate::server::{Body, Server, SessionId};
use crate::share::SharedRequest;
use crate::words;
use crate::worker::Worker;

/// What becomes of a frame.
#[derive(Debug)]
enum Fate {
    /// It belongs to the answer.
    Deliver,
    /// It ends the answer.
    Complete,
    /// Nobody gets it.
    Drop,
    /// It is the error with which the request ends; the passenger gets it in other words if there are some.
    Fail(SqlState, Option<Vec<u8>>),
}

/// Cuts backend frames into answers.
pub(super) struct Splitter<'a> {
    pub(super) worker: &'a Worker,
    pub(super) flight: &'a Flight,
    pub(super) server: &'a mut Server,
    /// Complete answers at the head of the passengers; the next one is being answered.
    pub(super) answered: usize,
    /// Length of a frame that must be in one piece and is not.
    pub(super) whole: usize,
}

impl Splitter<'_> {
    /// Returns how many bytes were used.
    pub(super) fn split(&mut self, bytes: &[u8]) -> (usize, Result<(), Lost>) {
        let (mut at, mut run) = (0, 0);
        let result = loop {
            let rest = bytes.get(at..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            let (arrived, fate) = match self.next(rest) {
                Ok(Some(found)) => found,
                Ok(None) => break Ok(()),
                Err(lost) => break Err(lost),
            };
            let end = at + arrived;
            match fate {
                Fate::Deliver => {}
                Fate::Complete => {
                    self.deliver(bytes.get(run..end).unwrap_or_default());
                    self.answered += 1;
                    run = end;
                }
                Fate::Drop => {
                    self.deliver(bytes.get(run..at).unwrap_or_default());
                    run = end;
                }
                Fate::Fail(code, instead) => {
                    self.deliver(bytes.get(run..at).unwrap_or_default());
                    self.mark(code);
                    let said = bytes.get(at..end).unwrap_or_default();
                    self.deliver(instead.as_deref().unwrap_or(said));
                    run = end;
                }
            }
            at = end;
        };
        self.deliver(bytes.get(run..at).unwrap_or_default());
        (at, result)
    }

    /// The frame, or piece of a row, at the head of the bytes: its length and what becomes of it. `None`: not enough of it.
    fn next(&mut self, rest: &[u8]) -> Result<Option<(usize, Fate)>, Lost> {
        if let Some(body) = self.server.body {
            let count = body.left.min(rest.len());
            let left = body.left - count;
            self.server.body = (left > 0).then_some(Body { left, ..body });
            return Ok(Some((count, self.fate(body.delivery)?)));
        }
        let Some(header) = frame::header(rest).map_err(|_| Lost(OUT_OF_STEP))? else {
            return Ok(None);
        };
        let length = header.frame_len();
        if header.tag == tag::DATA_ROW {
            let arrived = length.min(rest.len());
            let (delivery, _) =
                self.server.queue.on_frame(header.tag).map_err(|_| Lost(OUT_OF_STEP))?;
            let left = length - arrived;
            self.server.body = (left > 0).then_some(Body { left, delivery });
            return Ok(Some((arrived, self.fate(delivery)?)));
        }
        if rest.len() < length {
            if length > limits::INSPECTED_FRAME {
                return Err(Lost("a message is too long"));
            }
            self.whole = length;
            return Ok(None);
        }
        let body = rest.get(frame::HEADER_LEN..length).unwrap_or_default();
        self.on_frame(header.tag, body).map(|fate| Some((length, fate)))
    }

    fn on_frame(&mut self, frame_tag: u8, body: &[u8]) -> Result<Fate, Lost> {
        let internal = self.server.queue.is_internal();
        let (delivery, event) =
            self.server.queue.on_frame(frame_tag).map_err(|_| Lost(OUT_OF_STEP))?;
        match event {
            Event::StatementEnded { .. }
                if frame_tag == tag::COMMAND_COMPLETE && delivery != Delivery::Nobody =>
            {
                self.count_rows(body);
            }
            Event::None | Event::StatementEnded { .. } | Event::Described { .. } => {}
            Event::Failed { internal: true, .. } => return Err(Lost("it refused settings")),
            Event::Failed { from, until, internal: false } => {
                self.server.prepared.on_failed(from, until);
                self.fate(delivery)?;
                return self.on_failed(body);
            }
            Event::Ready { .. } => {
                if backend::ready_status(body) != Ok(TransactionStatus::Idle) {
                    return Err(Lost("a shared request left a transaction open"));
                }
                self.fate(delivery)?;
                return Ok(if delivery == Delivery::Nobody { Fate::Drop } else { Fate::Complete });
            }
        }
        match frame_tag {
            tag::PARAMETER_STATUS => {
                let (name, value) =
                    backend::parameter_status(body).map_err(|_| Lost(OUT_OF_STEP))?;
                self.server.on_parameter(name, value);
                Ok(if internal { Fate::Drop } else { Fate::Deliver })
            }
            tag::NOTIFICATION => Ok(Fate::Drop),
            tag::NOTICE if internal => Ok(Fate::Drop),
            _ => self.fate(delivery),
        }
    }

    /// The request that runs failed.
    fn on_failed(&mut self, body: &[u8]) -> Result<Fate, Lost> {
        let fields = backend::error_fields(body).map_err(|_| Lost(OUT_OF_STEP))?;
        if fields.is_fatal() {
            return Err(Lost("it ended with an error"));
        }
        let stale_plan = fields.is_stale_plan();
        if stale_plan {
            self.worker.forget_prepared();
        }
        let mut passengers = self.flight.passengers.borrow_mut();
        let Some(passenger) = passengers.get_mut(self.answered) else {
            return Err(Lost(OUT_OF_STEP));
        };
        if stale_plan || fields.code == SqlState::INVALID_STATEMENT_NAME {
            self.server.doomed = Some("its prepared statements are out of date");
            passenger.elsewhere = Some(Elsewhere::Alone);
            return Ok(Fate::Drop);
        }
        let instead = in_the_clients_words(self.server, &passenger.request, body);
        Ok(Fate::Fail(fields.code, instead))
    }

    /// The statement of the passenger whose turn it is has ended.
    fn count_rows(&self, command: &[u8]) {
        if let Some(passenger) = self.flight.passengers.borrow_mut().get_mut(self.answered) {
            passenger.answer.rows = calls::rows(command);
        }
    }

    /// The next bytes of the answer are the error with which it ends.
    fn mark(&self, code: SqlState) {
        if let Some(passenger) = self.flight.passengers.borrow_mut().get_mut(self.answered) {
            let at = Some(passenger.answer.bytes.len());
            passenger.answer.error = Some(AnswerError { code, at });
        }
    }

    /// A reply belongs to the passenger whose turn it is, and to nobody else.
    fn fate(&self, delivery: Delivery<SessionId>) -> Result<Fate, Lost> {
        match delivery {
            Delivery::Nobody => Ok(Fate::Drop),
            Delivery::Bystander => Ok(Fate::Deliver),
            Delivery::To(owner) => {
                let passengers = self.flight.passengers.borrow();
                let turn = passengers.get(self.answered).map(|passenger| passenger.owner);
                if turn == Some(owner) {
                    Ok(Fate::Deliver)
                } else {
                    Err(Lost("a reply belongs to another session"))
                }
            }
        }
    }

    /// Adds bytes to the answer of the passenger whose turn it is.
    fn deliver(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut passengers = self.flight.passengers.borrow_mut();
        if let Some(passenger) = passengers.get_mut(self.answered)
            && passenger.entry.is_some()
            && passenger.elsewhere.is_none()
        {
            passenger.answer.bytes.extend_from_slice(bytes);
        }
    }
}

/// An error that names a statement as the server knows it, with the name that the client gave it.
fn in_the_clients_words(server: &Server, request: &SharedRequest, body: &[u8]) -> Option<Vec<u8>> {
    let prepared = request.prepared.as_ref()?;
    let named = words::renamed(body, |named| {
        (server.prepared.id_of(named)? == prepared.id).then(|| request.client_name())?
    });
    words::error(&named?)
}
