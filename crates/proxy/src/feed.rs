//! Client frames on their way to the server: what is forwarded as it came, what is renamed, what is answered in the server's
//! place, and what has to be sent before it. No waiting here.
//!
//! Invariant: every message put into the server's outbox is in its reply queue, in the same order, before the outbox is
//! written.

use std::sync::Arc;

use howdah_core::limits;
use howdah_core::reply::{Answer, Disposition, Kind, Serial};
use howdah_core::session::PinReason;
use howdah_sql::Analysis;
use howdah_wire::backend;
use howdah_wire::frame::{self, Header};
use howdah_wire::frontend::{self, tag};

use crate::clock;
use crate::error::Refusal;
use crate::gather::{client_header, protocol, unknown_message};
use crate::prepare::Whole;
use crate::server::{Server, Taint, UnnamedOn};
use crate::session::{ClientBody, End, Session};

/// What became of the frame at the head of the inbox.
pub(crate) enum Fed {
    /// So many bytes of it were used; if it is longer, the rest follows as it comes.
    Used(usize),
    /// More of it is needed, this many bytes in all.
    Needs(usize),
    /// Nothing more is fed for now.
    Stop,
}

impl Session {
    /// Moves client frames into the held server's outbox, as far as they have arrived and bounds allow.
    ///
    /// # Errors
    /// The client does not speak the protocol.
    pub(crate) fn feed(&mut self) -> Result<(), End> {
        if self.rerun.is_waiting() {
            return Ok(());
        }
        let Some(mut server) = self.server.take() else {
            return Ok(());
        };
        let mut inbox = std::mem::take(&mut self.inbox);
        if !inbox.is_empty() && self.rerun.begins(server.queue.next_serial()) {
            inbox.keep();
        }
        if !inbox.is_empty() && self.started.is_none() && server.queue.is_empty() {
            // Another request of a session that has held its server before.
            let now = clock::now();
            self.started = Some(now);
            self.entry.requested.set(now);
        }
        self.stalled = false;
        let result = loop {
            if inbox.is_empty() || self.terminating {
                break Ok(());
            }
            if server.outbox.is_full() {
                self.stalled = true;
                break Ok(());
            }
            if let Some(body) = self.body {
                inbox.consume(self.feed_body(&mut server, body, inbox.unread()));
                continue;
            }
            match self.feed_frame(&mut server, inbox.unread()) {
                Ok(Fed::Used(count)) => inbox.consume(count),
                Ok(Fed::Needs(count)) => {
                    inbox.reserve(count);
                    break Ok(());
                }
                Ok(Fed::Stop) => break Ok(()),
                Err(end) => break Err(end),
            }
        };
        self.inbox = inbox;
        self.answer_in_place(&mut server);
        self.server = Some(server);
        result
    }

    /// Gives the client the answers that are due without the server.
    pub(crate) fn answer_in_place(&mut self, server: &mut Server) {
        while let Some((_, answer)) = server.queue.take_answer() {
            let out = self.outbox.bytes(&self.worker.shelf);
            let (tag, write): (u8, fn(&mut Vec<u8>)) = match answer {
                Answer::ParseComplete => (backend::tag::PARSE_COMPLETE, backend::parse_complete),
                Answer::CloseComplete => (backend::tag::CLOSE_COMPLETE, backend::close_complete),
            };
            if self.rerun.admits(tag) {
                write(out);
                self.relayed += 1;
            }
        }
    }

    /// Passes on, or drops, what has arrived of a long frame.
    fn feed_body(&mut self, server: &mut Server, body: ClientBody, unread: &[u8]) -> usize {
        let count = body.left.min(unread.len());
        if !body.discard {
            server
                .outbox
                .bytes(&self.worker.shelf)
                .extend_from_slice(unread.get(..count).unwrap_or_default());
        }
        let left = body.left - count;
        self.body = (left > 0).then_some(ClientBody { left, ..body });
        count
    }

    fn feed_frame(&mut self, server: &mut Server, unread: &[u8]) -> Result<Fed, End> {
        let Some(header) = client_header(unread)? else {
            return Ok(Fed::Stop);
        };
        if self.ruling.rows.is_counting() {
            return Ok(Fed::Stop);
        }
        if server.queue.is_skipping() && header.tag != tag::SYNC && header.tag != tag::TERMINATE {
            // The server would ignore it, too.
            return Ok(self.drop_frame(header, unread));
        }
        if server.queue.len() >= limits::EXPECTED_REPLIES || self.must_pause(server) {
            return Ok(Fed::Stop);
        }
        if self.careful && !server.queue.is_empty() && !server.queue.is_open() {
            // What a LISTEN promises is kept before anything else is done.
            return Ok(Fed::Stop);
        }
        let begins = !server.queue.is_open() && !is_of_copy(header.tag);
        if begins && self.awaits_alignment() {
            return Ok(Fed::Stop);
        }
        let whole = header.frame_len();
        let body = unread.get(frame::HEADER_LEN..whole.min(unread.len())).unwrap_or_default();
        let complete = unread.len() >= whole;
        let frame = Whole { bytes: unread.get(..whole).unwrap_or_default(), body };
        match header.tag {
            tag::QUERY | tag::PARSE if !complete && whole > limits::ANALYSED_STATEMENT => {
                self.feed_large_statement(server, header, unread)
            }
            tag::BIND => self.feed_bind(server, header, body, unread),
            tag::COPY_DATA => Ok(self.pass(server, header, unread)),
            tag::FUNCTION_CALL => Ok(self.feed_function_call(server, header, unread)),
            tag::TERMINATE => {
                self.terminating = true;
                Ok(Fed::Stop)
            }
            _ if !complete => self.needs_whole(header),
            tag::QUERY => self.feed_query(server, frame),
            tag::PARSE => self.feed_parse(server, frame),
            tag::DESCRIBE => self.feed_describe(server, frame),
            tag::CLOSE => self.feed_close(server, frame),
            tag::EXECUTE => self.feed_execute(server, frame),
            tag::SYNC => {
                self.begin_request();
                server.queue.push(self.entry.id, Kind::Sync, Disposition::Forward);
                Ok(self.pass(server, header, unread))
            }
            tag::FLUSH => Ok(self.pass(server, header, unread)),
            tag::COPY_DONE | tag::COPY_FAIL => {
                server.queue.push(self.entry.id, Kind::CopyEnd, Disposition::Forward);
                Ok(self.pass(server, header, unread))
            }
            other => Err(unknown_message(other)),
        }
    }

    /// A frame whose content matters has to be there in one piece.
    fn needs_whole(&self, header: Header) -> Result<Fed, End> {
        let bound = match header.tag {
            tag::QUERY | tag::PARSE => limits::ANALYSED_STATEMENT,
            tag::COPY_FAIL => limits::INSPECTED_FRAME,
            tag::DESCRIBE | tag::CLOSE | tag::EXECUTE | tag::SYNC | tag::FLUSH | tag::COPY_DONE => {
                limits::NAME
            }
            other => return Err(unknown_message(other)),
        };
        if header.frame_len() > bound + frame::HEADER_LEN {
            return Err(End::Fatal(Refusal::protocol(format_args!(
                "message {} is {} bytes long",
                char::from(header.tag),
                header.frame_len()
            ))));
        }
        Ok(Fed::Needs(header.frame_len()))
    }

    /// Forwards the frame as it comes.
    pub(crate) fn pass(&mut self, server: &mut Server, header: Header, unread: &[u8]) -> Fed {
        let arrived = header.frame_len().min(unread.len());
        server
            .outbox
            .bytes(&self.worker.shelf)
            .extend_from_slice(unread.get(..arrived).unwrap_or_default());
        self.expect_rest(header, arrived, false)
    }

    fn drop_frame(&mut self, header: Header, unread: &[u8]) -> Fed {
        self.expect_rest(header, header.frame_len().min(unread.len()), true)
    }

    pub(crate) fn expect_rest(&mut self, header: Header, arrived: usize, discard: bool) -> Fed {
        let left = header.frame_len() - arrived;
        self.body = (left > 0).then_some(ClientBody { left, discard });
        Fed::Used(arrived)
    }

    /// A request ends with this message: its ReadyForQuery will be owed.
    fn begin_request(&mut self) {
        self.fed += 1;
        self.watch_request();
    }

    /// A simple query is sent next.
    fn begin_query(&mut self, server: &mut Server) {
        self.begin_request();
        if server.queue.is_open() {
            // PostgreSQL 18 leaves its transaction machinery in a state in which the next BEGIN fails (XX000).
            server.doomed = Some("a query was sent into an open extended segment");
        }
    }

    fn feed_function_call(&mut self, server: &mut Server, header: Header, unread: &[u8]) -> Fed {
        self.impure = true;
        self.begin_request();
        if self.worker.rules.is_active()
            && let Some(judgement) = self.judge(&Arc::new(Analysis::function_call()), b"")
            && let Some(refusal) = self.carry_out(&judgement)
        {
            self.refuse_query_in_place(server, &refusal);
            return self.drop_frame(header, unread);
        }
        let serial = server.queue.push(self.entry.id, Kind::FunctionCall, Disposition::Forward);
        self.calls.on_unknown_sent(serial);
        self.pass(server, header, unread)
    }

    fn feed_query(&mut self, server: &mut Server, frame: Whole<'_>) -> Result<Fed, End> {
        let sql = frontend::query_text(frame.body).map_err(protocol)?;
        let analysis = self.analyse(sql);
        self.calls.route = self.route_of(sql);
        // A simple query destroys the unnamed statement.
        self.unnamed.clear();
        server.unnamed = None;
        let judgement = match self.judge_query(&analysis, sql) {
            Ok(judgement) => judgement,
            Err(serial) => return Ok(self.wait_for(server, serial)),
        };
        if let Some(refusal) = self.refusal_of(judgement.as_ref()) {
            self.begin_query(server);
            self.refuse_query_in_place(server, &refusal);
            return Ok(Fed::Used(frame.bytes.len()));
        }
        let max_rows = match self.max_rows_of(judgement.as_ref(), &analysis) {
            Ok(limit) => limit,
            Err(refusal) => {
                self.begin_query(server);
                self.refuse_query_in_place(server, &refusal);
                return Ok(Fed::Used(frame.bytes.len()));
            }
        };
        let renamed = match self.rename(server, &analysis, sql) {
            Ok(renamed) => renamed,
            Err(serial) => return Ok(self.wait_for(server, serial)),
        };
        self.begin_query(server);
        if let Some(judgement) = &judgement {
            self.carry_out(judgement);
        }
        self.on_run_begins(server, &analysis);
        self.taint_by(server, &analysis);
        let text = renamed.as_ref().map(|renamed| &*renamed.text);
        let serial = if let Some(limit) = max_rows {
            self.query_counted(server, text.unwrap_or(sql), limit)
        } else {
            let out = server.outbox.bytes(&self.worker.shelf);
            match text {
                Some(text) => frontend::query(out, text),
                None => out.extend_from_slice(frame.bytes),
            }
            server.queue.push(self.entry.id, Kind::Query, Disposition::Forward)
        };
        let listen = self.listens_to(&analysis);
        self.calls.on_query_sent(serial, (&analysis, sql), listen);
        self.entry.form.set(analysis.fingerprint.0);
        self.on_query_sent(serial, renamed, &analysis, sql);
        Ok(Fed::Used(frame.bytes.len()))
    }

    /// A statement too long to look at: whatever it does, nobody else gets this server afterwards.
    fn feed_large_statement(
        &mut self,
        server: &mut Server,
        header: Header,
        unread: &[u8],
    ) -> Result<Fed, End> {
        let kind = if header.tag == tag::QUERY { Kind::Query } else { Kind::Parse };
        let unnamed = unread.get(frame::HEADER_LEN) == Some(&0);
        if kind == Kind::Query {
            self.begin_request();
        }
        if self.refuse_large(server, kind) {
            return Ok(self.drop_frame(header, unread));
        }
        self.set_pin(PinReason::LargeStatement);
        self.impure = true;
        let since = server.queue.push(self.entry.id, kind, Disposition::Forward);
        if kind == Kind::Query {
            self.calls.on_unknown_sent(since);
        }
        if kind == Kind::Query || unnamed {
            self.unnamed.clear();
            server.unnamed = None;
        }
        if kind == Kind::Parse && unnamed {
            // Only the server has its text; the session is pinned to it.
            let of = (self.entry.id, self.unnamed.version());
            server.unnamed = Some(UnnamedOn::new(of, since));
        }
        Ok(self.pass(server, header, unread))
    }

    /// What a statement is, for this session.
    pub(crate) fn analyse(&self, sql: &[u8]) -> Arc<Analysis> {
        let odd_strings = self.settings.context().get("standard_conforming_strings").is_some();
        if odd_strings && sql.contains(&b'\\') {
            // The analysis reads backslashes as PostgreSQL does by default, this session perhaps not.
            return Arc::new(Analysis::unknown());
        }
        self.worker.analyse(sql)
    }

    /// The next frame depends on message `serial`: nothing is fed before its reply.
    pub(crate) fn wait_for(&self, server: &mut Server, serial: Serial) -> Fed {
        server.hurry(serial, &self.worker.shelf);
        Fed::Stop
    }

    /// A text that is being sent may leave on the server what nobody can see: through functions that are not known.
    pub(crate) fn taint_by(&mut self, server: &mut Server, analysis: &Arc<Analysis>) {
        if !analysis.calls_unknown_functions || !self.doubts(analysis) {
            return;
        }
        server.tainted = Some(Taint { by: self.entry.id, at: server.queue.next_serial() });
        self.taints = true;
    }
}

/// Whether a message belongs to a COPY that was begun.
fn is_of_copy(frame_tag: u8) -> bool {
    matches!(frame_tag, tag::COPY_DATA | tag::COPY_DONE | tag::COPY_FAIL)
}
