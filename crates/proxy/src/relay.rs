//! Server frames on their way to the client: bytes are forwarded in runs as they came; only tags are looked at, and the few
//! bodies that say something about the session. No waiting here.
//!
//! Invariant: a frame reaches the client only if the reply queue says that it is the client's.
//!
//! Length: all that is done with a reply, from its header to its end, is one walk.

use std::hash::BuildHasher;

use howdah_core::limits;
use howdah_core::pool::PoolMode;
use howdah_core::reply::{Delivery, Event, Serial, Violation};
use howdah_wire::backend::{self, TransactionStatus, tag};
use howdah_wire::frame;
use howdah_wire::sqlstate::SqlState;

use std::time::Instant;

use crate::catalog::Redefined;
use crate::clock;
use crate::error::Refusal;
use crate::faults::{self, Fault};
use crate::server::{Body, Server, SessionId};
use crate::session::{End, Session};
use crate::words;

/// Bytes at the head of an error or notice that say what it is: severity and SQLSTATE come first.
const TOLD: usize = 4096;

/// What becomes of a frame.
pub(crate) enum Fate {
    Forward,
    Drop,
    /// The client gets this instead.
    Replace(Vec<u8>),
}

impl Session {
    /// Passes on what is in the server's inbox.
    ///
    /// # Errors
    /// The server is out of step or said goodbye, or the client is gone.
    pub(crate) fn relay(&mut self) -> Result<(), End> {
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        self.calls.came = Some(clock::now());
        let mut inbox = std::mem::take(&mut server.inbox);
        let mut whole = 0;
        self.calls.on_came(inbox.unread());
        let (used, result) = self.relay_bytes(&mut server, inbox.unread(), &mut whole);
        self.calls.on_used(used);
        inbox.consume(used);
        inbox.reserve(whole);
        inbox.rest(&self.worker.shelf);
        server.inbox = inbox;
        self.server = Some(server);
        result?;
        self.finish_filling();
        self.flush_client()
    }

    /// Returns how many bytes were used; `whole` is set to the length of a frame that must be in one piece and is not.
    fn relay_bytes(
        &mut self,
        server: &mut Server,
        bytes: &[u8],
        whole: &mut usize,
    ) -> (usize, Result<(), End>) {
        let (mut at, mut run) = (0, 0);
        let result = loop {
            let rest = bytes.get(at..).unwrap_or_default();
            if let Some(body) = server.body {
                let count = body.left.min(rest.len());
                if count == 0 {
                    break Ok(());
                }
                let left = body.left - count;
                server.body = (left > 0).then_some(Body { left, ..body });
                if body.delivery == Delivery::Nobody {
                    if let Err(end) = self.send(bytes, run, at) {
                        break Err(end);
                    }
                    run = at + count;
                }
                at += count;
                continue;
            }
            let header = match frame::header(rest) {
                Ok(Some(header)) => header,
                Ok(None) => break Ok(()),
                Err(error) => break Err(out_of_step(server, &error.to_string())),
            };
            let length = header.frame_len();
            let streams = matches!(header.tag, tag::DATA_ROW | tag::COPY_DATA);
            let long = length > limits::INSPECTED_FRAME;
            let telling = matches!(header.tag, tag::ERROR | tag::NOTICE);
            if rest.len() < length && !streams && !(long && telling && rest.len() > TOLD) {
                if long && telling {
                    *whole = TOLD + 1;
                    break Ok(());
                }
                if long {
                    break Err(out_of_step(server, "a message is too long"));
                }
                *whole = length;
                break Ok(());
            }
            let arrived = length.min(rest.len());
            let body = rest.get(frame::HEADER_LEN..arrived).unwrap_or_default();
            let fate = if streams {
                self.on_data(server, header.tag, length - arrived)
            } else if arrived < length {
                self.on_long_frame(server, header.tag, body, length - arrived)
            } else {
                self.on_frame(server, header.tag, body)
            };
            let fate = match fate {
                Ok(fate) => fate,
                Err(end) => {
                    let sent = self.send(bytes, run, self.until_end(&end, run, at, arrived));
                    // What is left is nobody's.
                    run = at + arrived;
                    break sent.and(Err(end));
                }
            };
            if !matches!(fate, Fate::Forward) {
                if let Err(end) = self.send(bytes, run, at) {
                    break Err(end);
                }
                run = at + arrived;
                if let Fate::Replace(instead) = fate {
                    self.outbox.bytes(&self.worker.shelf).extend_from_slice(&instead);
                }
            }
            at += arrived;
            if server.queue.has_answer() {
                if let Err(end) = self.send(bytes, run, at) {
                    break Err(end);
                }
                run = at;
                self.answer_in_place(server);
            }
        };
        let sent = if run < at { self.send(bytes, run, at) } else { Ok(()) };
        (at, result.and(sent))
    }

    /// The session's server ends with the frame at `at`: up to where its bytes are the client's.
    fn until_end(&self, end: &End, run: usize, at: usize, arrived: usize) -> usize {
        match end {
            // The client has seen nothing of the request, and will not.
            End::Elsewhere if self.rerun.is_unseen() => run,
            // A server's goodbye is the client's, too.
            End::ServerGone => at + arrived,
            End::Terminated | End::ClientGone | End::Moved | End::Fatal(_) | End::Elsewhere => at,
        }
    }

    fn send(&mut self, bytes: &[u8], from: usize, to: usize) -> Result<(), End> {
        let range = bytes.get(from..to).unwrap_or_default();
        self.relayed += range.len();
        if let Some(filling) = &mut self.caching.filling {
            filling.take(range);
        }
        self.pool.traffic.on_sent(range.len());
        self.outbox.send(&mut self.stream, &self.worker.shelf, range).map_err(|_| End::ClientGone)
    }

    /// A row, or COPY data: streams.
    fn on_data(&mut self, server: &mut Server, frame_tag: u8, left: usize) -> Result<Fate, End> {
        let (delivery, _) =
            server.queue.on_frame(frame_tag).map_err(|violation| violated(server, violation))?;
        let counts = self.ruling.rows.is_counting() && frame_tag == tag::DATA_ROW;
        if counts && !self.ruling.rows.admits_row(server.queue.head()) {
            server.body = (left > 0).then_some(Body { left, delivery: Delivery::Nobody });
            return Ok(Fate::Drop);
        }
        server.body = (left > 0).then_some(Body { left, delivery });
        self.fate(server, delivery)
    }

    /// An error or a notice of more than a megabyte: its first fields say what it is, the rest streams.
    fn on_long_frame(
        &mut self,
        server: &mut Server,
        frame_tag: u8,
        arrived: &[u8],
        left: usize,
    ) -> Result<Fate, End> {
        let fate = self.on_frame(server, frame_tag, &first_fields(arrived))?;
        let delivery = match fate {
            Fate::Forward => Delivery::To(self.entry.id),
            Fate::Drop | Fate::Replace(_) => Delivery::Nobody,
        };
        server.body = Some(Body { left, delivery });
        Ok(fate)
    }

    fn on_frame(&mut self, server: &mut Server, frame_tag: u8, body: &[u8]) -> Result<Fate, End> {
        if self.ruling.rows.is_counting() {
            return self.on_counted(server, frame_tag, body);
        }
        self.on_uncounted(server, frame_tag, body)
    }

    /// A frame of whose statement no rows are counted.
    ///
    /// # Errors
    /// The server is out of step or said goodbye, or the session ends.
    pub(crate) fn on_uncounted(
        &mut self,
        server: &mut Server,
        frame_tag: u8,
        body: &[u8],
    ) -> Result<Fate, End> {
        let internal = server.queue.is_internal();
        let (delivery, event) = match server.queue.on_frame(frame_tag) {
            Ok(found) => found,
            // Nobody asked for it: the server says goodbye.
            Err(Violation { tag: tag::ERROR, expected: None }) => {
                server.doomed = Some("it ended the connection");
                return Err(if self.goes_elsewhere() { End::Elsewhere } else { End::ServerGone });
            }
            Err(violation) => return Err(violated(server, violation)),
        };
        match event {
            Event::None => {}
            Event::StatementEnded { serial } if delivery != Delivery::Nobody => {
                self.on_ended(server, serial, frame_tag, body)?;
            }
            Event::StatementEnded { .. } => {}
            Event::Described { serial } => self.on_described(server, serial, delivery, body),
            Event::Failed { from, until, internal } => {
                return self.on_failed(server, (from, until), internal, body);
            }
            Event::Ready { until } => {
                let status = backend::ready_status(body)
                    .map_err(|error| out_of_step(server, &error.to_string()))?;
                if self.rerun.is_waiting() && delivery != Delivery::Nobody {
                    server.status = status;
                    self.run_again(server);
                    return Ok(Fate::Drop);
                }
                self.on_ready(server, until, status, delivery)?;
            }
        }
        if frame_tag == tag::PARAMETER_STATUS {
            let (name, value) = backend::parameter_status(body)
                .map_err(|error| out_of_step(server, &error.to_string()))?;
            server.on_parameter(name, value);
            let answered = (!internal).then(|| server.queue.head());
            return Ok(self.on_parameter(name, value, answered));
        }
        if frame_tag == tag::NOTIFICATION && !self.is_for_client(server, body) {
            return Ok(Fate::Drop);
        }
        if internal && frame_tag == tag::NOTICE && !self.audible {
            return Ok(Fate::Drop);
        }
        if frame_tag == tag::READY_FOR_QUERY
            && (self.must_realign(server) || self.must_hand_over(server))
        {
            // The client gets it when the server has the session's settings again, and what it listens to is heard.
            self.ready_owed = true;
            return Ok(Fate::Drop);
        }
        let fate = self.fate(server, delivery)?;
        let seen = matches!(delivery, Delivery::To(_)) && !self.rerun.admits(frame_tag);
        Ok(if seen { Fate::Drop } else { fate })
    }

    /// A parameter status: the client is told what changed for its session, not what changed on the server on the way.
    /// `answered`: the client's message that is being answered; `None`: it is one of Howdah's own.
    fn on_parameter(&mut self, name: &[u8], value: &[u8], answered: Option<Serial>) -> Fate {
        let silent =
            answered.map_or(!self.audible, |answered| self.is_foreign_default(name, answered));
        if silent || (self.audible && self.knows(name, value)) {
            return Fate::Drop;
        }
        self.told.insert(name.into(), value.into());
        Fate::Forward
    }

    /// Whether the client was told this value last.
    fn knows(&self, name: &[u8], value: &[u8]) -> bool {
        if let Some(told) = self.told.get(name) {
            return **told == *value;
        }
        let welcome = self.home.welcome(self.settings.startup());
        welcome.is_some_and(|welcome| welcome.get(name).is_some_and(|told| **told == *value))
    }

    fn on_ended(
        &mut self,
        server: &mut Server,
        serial: Serial,
        frame_tag: u8,
        body: &[u8],
    ) -> Result<(), End> {
        if frame_tag == tag::COMMAND_COMPLETE && is_definition(body) {
            // Plans made before it may not fit any more.
            self.worker.forget_prepared();
            server.redefined = server.redefined.max(Redefined::of(body));
        }
        self.calls.on_ended(serial, frame_tag, body);
        if self.effects.is_empty() {
            return Ok(());
        }
        let command_tag = match frame_tag {
            tag::COMMAND_COMPLETE => backend::command_tag(body)
                .map_err(|error| out_of_step(server, &error.to_string()))?,
            // EmptyQueryResponse stands for a text without statements.
            tag::EMPTY_QUERY => return Ok(()),
            _ => b"",
        };
        self.on_statement_ended(server, serial, command_tag);
        Ok(())
    }

    /// The rows of a statement: what a client is told is remembered, what Howdah asked for is compared with that.
    fn on_described(
        &mut self,
        server: &mut Server,
        serial: Serial,
        delivery: Delivery<SessionId>,
        body: &[u8],
    ) {
        let hash = foldhash::quality::FixedState::default().hash_one(body);
        let unnamed = server.unnamed.as_mut();
        if delivery == Delivery::Nobody {
            match unnamed.filter(|unnamed| unnamed.check == Some(serial)) {
                Some(unnamed) => unnamed.shape = Some(hash),
                None => server.prepared.on_checked(serial, hash),
            }
            return;
        }
        while let Some(of) = self.describing.pop_front_if(|of| of.serial <= serial) {
            if of.serial != serial {
                continue;
            }
            if of.name.is_empty() {
                self.unnamed.on_described(of.number, hash);
                let there = server.unnamed.as_mut();
                if let Some(there) = there.filter(|there| there.of == (self.entry.id, of.number)) {
                    there.shape = Some(hash);
                }
            } else {
                self.statements.on_described(&of.name, of.number, hash);
                server.prepared.on_described(of.number, hash);
            }
        }
    }

    fn on_failed(
        &mut self,
        server: &mut Server,
        (from, until): (Serial, Serial),
        internal: bool,
        body: &[u8],
    ) -> Result<Fate, End> {
        let fields =
            backend::error_fields(body).map_err(|error| out_of_step(server, &error.to_string()))?;
        self.on_telling(fields.code);
        server.prepared.on_failed(from, until);
        self.make_in_sync(server, from, until);
        if fields.is_fatal() {
            server.doomed = Some("it ended with an error");
            if self.goes_elsewhere() {
                return Err(End::Elsewhere);
            }
        }
        if internal {
            if self.aligning.as_ref().is_none_or(|(_, serial)| *serial != from) {
                return Err(out_of_step(server, "it could not be cleaned"));
            }
            self.align_error = Some(body.to_vec());
            return Ok(Fate::Drop);
        }
        let stale_plan = fields.is_stale_plan();
        if stale_plan {
            // A Parse made from now on never meets the old plan: it gets a new statement.
            self.worker.forget_prepared();
            if self.takes_back(server, until) {
                return Ok(Fate::Drop);
            }
        }
        self.caching.filling = None;
        self.on_error(fields.code);
        self.calls.on_failed((from, until), fields.code);
        if let Some(instead) = self.ruling.take_replaced(from, until) {
            self.statements.on_failed(from, until);
            self.on_effects_failed(from, until);
            return Ok(Fate::Replace(instead));
        }
        self.statements.on_failed(from, until);
        self.on_effects_failed(from, until);
        if let Some(unnamed) = server.unnamed
            && (from..until).contains(&unnamed.since)
        {
            // It was not made; what was there before may be there still, or not.
            if unnamed.of == (self.entry.id, self.unnamed.version()) {
                self.unnamed.clear();
            }
            server.unnamed = None;
        }
        if stale_plan || fields.code == SqlState::INVALID_STATEMENT_NAME {
            server.doomed = Some("its prepared statements are out of date");
        }
        if fields.code == SqlState::QUERY_CANCELED
            && let Some(refusal) = self.overruled.take()
        {
            let mut instead = Vec::new();
            refusal.write_error(&mut instead);
            return Ok(Fate::Replace(instead));
        }
        if fields.is_fatal() {
            // No ReadyForQuery will come for it.
            let (now, started) = (clock::now(), self.started.unwrap_or_else(clock::now));
            let served = self.served_since(started);
            let overhead = self.overhead(served, now, false);
            let times = (served - started, now.saturating_duration_since(served));
            self.count_calls(until, (started, now), times, overhead);
            return Err(End::ServerGone);
        }
        Ok(self.in_the_clients_words(server, from, body).map_or(Fate::Forward, Fate::Replace))
    }

    /// An error that names a statement as the server knows it, with the name that the client gave it.
    /// And with positions as they are in the client's text.
    fn in_the_clients_words(&self, server: &Server, from: Serial, body: &[u8]) -> Option<Vec<u8>> {
        let placed = self.in_the_clients_place(from, body);
        let body = placed.as_deref().unwrap_or(body);
        let named =
            words::renamed(body, |named| self.statements.name_of(server.prepared.id_of(named)?));
        words::error(&named.or_else(|| placed.clone())?)
    }

    fn on_ready(
        &mut self,
        server: &mut Server,
        until: Serial,
        status: TransactionStatus,
        delivery: Delivery<SessionId>,
    ) -> Result<(), End> {
        server.status = status;
        if delivery == Delivery::Nobody {
            return self.on_aligned(server, until);
        }
        let idle = status == TransactionStatus::Idle;
        let now = clock::now();
        let behind = !server.queue.is_empty();
        self.count_request((now, behind), idle, until);
        self.started = behind.then_some(now);
        self.end_filling(idle, now);
        self.on_run_ended(now);
        self.entry.requests.set(self.entry.requests.get() + 1);
        self.statements.on_settled(until);
        self.on_effects_settled(server, until, idle);
        self.on_request_answered(server, idle);
        if self.careful && server.queue.is_empty() {
            self.relax();
        }
        while self.shifts.pop_front_if(|shift| shift.serial < until).is_some() {}
        self.watch_tenure(status, !server.queue.is_empty());
        if server.queue.is_empty() {
            if self.overruled.take().is_some() {
                self.entry.set_deadline(None);
            }
            self.watch_transaction(status);
        }
        if self.mode == PoolMode::Statement && !idle {
            return Err(End::Fatal(
                Refusal::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "transaction blocks are not allowed in statement pooling mode",
                )
                .hint("Use pool_mode = \"transaction\" for this database or user."),
            ));
        }
        Ok(())
    }

    /// The request that was begun first is answered, now; perhaps another one was sent behind it.
    fn count_request(&mut self, (now, behind): (Instant, bool), idle: bool, until: Serial) {
        let started = self.started.take().unwrap_or(now);
        self.worker.stats.on_request(now - started);
        let served = self.served_since(started);
        let begun = *self.in_transaction.get_or_insert(served);
        let transaction = idle.then(|| now - begun);
        self.pool.traffic.on_request(now - served, transaction);
        let overhead = self.overhead(served, now, behind);
        let times = (served - started, now - served);
        self.count_calls(until, (started, now), times, overhead);
        self.count_visit(now - served, transaction);
        if idle {
            self.in_transaction = None;
        }
    }

    /// Since when a server has worked on the request that was begun at `started`: the wait for it is not the server's.
    fn served_since(&self, started: Instant) -> Instant {
        self.granted_at.map_or(started, |granted| granted.max(started))
    }

    /// Messages of Howdah's own before `until` are answered: the server has the session's settings now, or refused them.
    fn on_aligned(&mut self, server: &mut Server, until: Serial) -> Result<(), End> {
        let Some((context, _)) = self.aligning.take_if(|(_, serial)| *serial < until) else {
            return Ok(());
        };
        if self.align_error.is_none() {
            server.on_aligned(&context);
            return Ok(());
        }
        if server.queue.is_empty() {
            // Confirmed first: the request was not sent, and `align` answers it.
            return Ok(());
        }
        // Statements that cannot fail did; the request behind them runs under wrong settings.
        Err(out_of_step(server, "it refused settings"))
    }

    fn fate(&self, server: &mut Server, delivery: Delivery<SessionId>) -> Result<Fate, End> {
        match delivery {
            Delivery::To(owner)
                if owner == self.entry.id || faults::is_planted(Fault::EarlyRelease) =>
            {
                Ok(Fate::Forward)
            }
            Delivery::To(_) => Err(out_of_step(server, "a reply belongs to another session")),
            Delivery::Bystander => Ok(Fate::Forward),
            Delivery::Nobody => Ok(Fate::Drop),
        }
    }
}

/// Whether a command tag is that of a statement that changes definitions.
fn is_definition(command_tag: &[u8]) -> bool {
    [b"ALTER ".as_slice(), b"CREATE ", b"DROP "]
        .iter()
        .any(|prefix| command_tag.starts_with(prefix))
}

/// The fields of an error that are there in whole, as a body of their own.
fn first_fields(arrived: &[u8]) -> Vec<u8> {
    let mut fields = arrived.get(..TOLD.min(arrived.len())).unwrap_or_default().to_vec();
    fields.extend_from_slice(b"\0\0");
    fields
}

fn violated(server: &mut Server, violation: Violation) -> End {
    out_of_step(
        server,
        &format!(
            "unexpected message {:?} (expected: {:?})",
            char::from(violation.tag),
            violation.expected
        ),
    )
}

/// The server is not what we think it is: nobody uses it any more.
fn out_of_step(server: &mut Server, what: &str) -> End {
    tracing::error!(
        process_id = server.cancel.process_id,
        "closing a server that is out of step: {what}"
    );
    server.doomed = Some("it is out of step");
    End::Fatal(Refusal::server_lost())
}
