//! Client frames on their way to the server: what is forwarded as it came, what is renamed, what is answered in the server's
//! place, and what has to be sent before it. No waiting here.
//!
//! Invariant: every message put into the server's outbox is in its reply queue, in the same order, before the outbox is
//! written.

use std::sync::Arc;

use howdah_core::limits;
use howdah_core::reply::{Answer, Disposition, Kind};
use howdah_core::session::PinReason;
use howdah_sql::{Analysis, Effect, PreparedChange};
use howdah_wire::frame::{self, Header};
use howdah_wire::frontend::{self, tag};
use howdah_wire::sqlstate::SqlState;

use crate::effects::Portal;
use crate::error::Refusal;
use crate::gather::{protocol, unknown_message};
use crate::server::Server;
use crate::session::{ClientBody, End, Session};

/// What became of the frame at the head of the inbox.
enum Fed {
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
        let Some(mut server) = self.server.take() else { return Ok(()) };
        let mut inbox = std::mem::take(&mut self.inbox);
        let result = loop {
            if inbox.is_empty() || self.terminating || server.outbox.is_full() {
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
            match answer {
                Answer::ParseComplete => howdah_wire::backend::parse_complete(out),
                Answer::CloseComplete => howdah_wire::backend::close_complete(out),
            }
        }
    }

    /// Passes on, or drops, what has arrived of a long frame.
    fn feed_body(&mut self, server: &mut Server, body: ClientBody, unread: &[u8]) -> usize {
        let count = body.left.min(unread.len());
        if !body.discard {
            server.outbox.bytes(&self.worker.shelf).extend_from_slice(unread.get(..count).unwrap_or_default());
        }
        let left = body.left - count;
        self.body = (left > 0).then_some(ClientBody { left, ..body });
        count
    }

    fn feed_frame(&mut self, server: &mut Server, unread: &[u8]) -> Result<Fed, End> {
        let Some(header) = frame::header(unread).map_err(protocol)? else { return Ok(Fed::Stop) };
        if server.queue.is_skipping() && header.tag != tag::SYNC && header.tag != tag::TERMINATE {
            // The server would ignore it, too.
            return Ok(self.drop_frame(header, unread));
        }
        if server.queue.len() >= limits::EXPECTED_REPLIES {
            return Ok(Fed::Stop);
        }
        let whole = header.frame_len();
        let body = unread.get(frame::HEADER_LEN..whole.min(unread.len())).unwrap_or_default();
        let complete = unread.len() >= whole;
        match header.tag {
            tag::QUERY | tag::PARSE if !complete && whole > limits::ANALYSED_STATEMENT => {
                self.feed_large_statement(server, header, unread)
            }
            tag::BIND => self.feed_bind(server, header, body, unread),
            tag::COPY_DATA | tag::FUNCTION_CALL => {
                if header.tag == tag::FUNCTION_CALL {
                    self.begin_request(server);
                    server.queue.push(self.entry.id, Kind::FunctionCall, Disposition::Forward);
                }
                Ok(self.pass(server, header, unread))
            }
            tag::TERMINATE => {
                self.terminating = true;
                Ok(Fed::Stop)
            }
            _ if !complete => self.needs_whole(header),
            tag::QUERY => self.feed_query(server, body, unread, whole),
            tag::PARSE => self.feed_parse(server, body, unread, whole),
            tag::DESCRIBE => self.feed_describe(server, body, unread, whole),
            tag::CLOSE => self.feed_close(server, body, unread, whole),
            tag::EXECUTE => self.feed_execute(server, body, unread, whole),
            tag::SYNC => {
                if self.has_had_its_share() {
                    return Ok(Fed::Stop);
                }
                self.begin_request(server);
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
            tag::DESCRIBE | tag::CLOSE | tag::EXECUTE | tag::SYNC | tag::FLUSH | tag::COPY_DONE => limits::NAME,
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
    fn pass(&mut self, server: &mut Server, header: Header, unread: &[u8]) -> Fed {
        let arrived = header.frame_len().min(unread.len());
        server.outbox.bytes(&self.worker.shelf).extend_from_slice(unread.get(..arrived).unwrap_or_default());
        self.expect_rest(header, arrived, false)
    }

    fn drop_frame(&mut self, header: Header, unread: &[u8]) -> Fed {
        self.expect_rest(header, header.frame_len().min(unread.len()), true)
    }

    fn expect_rest(&mut self, header: Header, arrived: usize, discard: bool) -> Fed {
        let left = header.frame_len() - arrived;
        self.body = (left > 0).then_some(ClientBody { left, discard });
        Fed::Used(arrived)
    }

    /// A request ends with this message: its ReadyForQuery will be owed.
    fn begin_request(&mut self, server: &Server) {
        self.fed += 1;
        if self.started.is_none() && server.queue.is_empty() {
            self.started = Some(std::time::Instant::now());
        }
        self.watch_request();
    }

    fn feed_query(&mut self, server: &mut Server, body: &[u8], unread: &[u8], whole: usize) -> Result<Fed, End> {
        if self.has_had_its_share() {
            return Ok(Fed::Stop);
        }
        let sql = frontend::query_text(body).map_err(protocol)?;
        let analysis = self.worker.analyse(sql);
        self.begin_request(server);
        // A simple query destroys the unnamed statement.
        self.unnamed.clear();
        server.unnamed = None;
        let rewritten = self.rewrite_deallocate(server, &analysis, sql);
        let out = server.outbox.bytes(&self.worker.shelf);
        match &rewritten {
            Some(text) => frontend::query(out, text.as_bytes()),
            None => out.extend_from_slice(unread.get(..whole).unwrap_or_default()),
        }
        let serial = server.queue.push(self.entry.id, Kind::Query, Disposition::Forward);
        if analysis.has_effects {
            self.expect_effects(server, serial, &analysis, sql);
        }
        Ok(Fed::Used(whole))
    }

    /// A statement too long to look at: whatever it does, nobody else gets this server afterwards.
    fn feed_large_statement(&mut self, server: &mut Server, header: Header, unread: &[u8]) -> Result<Fed, End> {
        let kind = if header.tag == tag::QUERY { Kind::Query } else { Kind::Parse };
        self.set_pin(PinReason::LargeStatement);
        self.unnamed.clear();
        server.unnamed = None;
        if kind == Kind::Query {
            self.begin_request(server);
        }
        server.queue.push(self.entry.id, kind, Disposition::Forward);
        Ok(self.pass(server, header, unread))
    }

    /// `DEALLOCATE` of a statement that was prepared by the protocol: the server knows it by another name.
    fn rewrite_deallocate(&self, server: &mut Server, analysis: &Analysis, sql: &[u8]) -> Option<String> {
        let [statement] = &*analysis.statements else { return None };
        if statement.effect != Effect::Deallocate || !self.renames() {
            return None;
        }
        let Some((_, PreparedChange::Deallocate(Some(name)))) = howdah_sql::prepared_names(sql).pop() else {
            return None;
        };
        let prepared = self.statements.get(name.as_bytes())?;
        server.ensure_prepared(self.entry.id, prepared, self.max_prepared(), &self.worker.shelf);
        Some(format!("DEALLOCATE {}", server.prepared.name(prepared.id)))
    }

    /// Whether statements are shared under names of their own. In session pooling the server is the client's alone.
    fn renames(&self) -> bool {
        self.pin != Some(PinReason::SessionMode)
    }

    fn max_prepared(&self) -> usize {
        self.pool.ledger.borrow().config().max_prepared
    }

    fn feed_parse(&mut self, server: &mut Server, body: &[u8], unread: &[u8], whole: usize) -> Result<Fed, End> {
        let parse = frontend::parse(body).map_err(protocol)?;
        let bytes = unread.get(..whole).unwrap_or_default();
        let session = self.entry.id;
        if parse.name.is_empty() {
            let analysis = self.worker.analyse(parse.sql);
            self.unnamed.on_parse(bytes, analysis);
            server.unnamed = Some((session, self.unnamed.version()));
        }
        if parse.name.is_empty() || !self.renames() {
            if !parse.name.is_empty() {
                self.remember_name(server, &parse)?;
            }
            server.queue.push(session, Kind::Parse, Disposition::Forward);
            server.outbox.bytes(&self.worker.shelf).extend_from_slice(bytes);
            return Ok(Fed::Used(whole));
        }
        if self.statements.get(parse.name).is_some() {
            return Ok(self.feed_duplicate(server, &parse, whole));
        }
        let prepared = self.worker.prepare(parse.sql, parse.parameter_types);
        let shelf = &self.worker.shelf;
        let serial = if server.prepared.touch(prepared.id) {
            server.queue.push(session, Kind::Parse, Disposition::Answer(Answer::ParseComplete))
        } else {
            server.make_room(session, self.pool.ledger.borrow().config().max_prepared, shelf);
            let name = server.prepared.name(prepared.id);
            let out = server.outbox.bytes(shelf);
            frontend::parse_message(out, name.as_bytes(), parse.sql, parse.parameter_types);
            let serial = server.queue.push(session, Kind::Parse, Disposition::Forward);
            server.prepared.insert(prepared.id, serial);
            serial
        };
        self.statements.on_parse(parse.name, prepared, serial).map_err(|_| too_many_statements())?;
        Ok(Fed::Used(whole))
    }

    /// In session pooling names are the server's own; they are remembered only for their effects.
    fn remember_name(&mut self, server: &Server, parse: &frontend::Parse<'_>) -> Result<(), End> {
        let analysis = self.worker.analyse(parse.sql);
        if analysis.has_effects && self.statements.get(parse.name).is_none() {
            let prepared = self.worker.prepare(parse.sql, parse.parameter_types);
            let serial = server.queue.next_serial();
            self.statements.on_parse(parse.name, prepared, serial).map_err(|_| too_many_statements())?;
        }
        Ok(())
    }

    /// The client prepares under a name that it has in use: the server has to say so, in its own words, so the statement is
    /// made there under the client's name and then once more. The server is not used again.
    fn feed_duplicate(&mut self, server: &mut Server, parse: &frontend::Parse<'_>, whole: usize) -> Fed {
        for disposition in [Disposition::Swallow, Disposition::Forward] {
            let out = server.outbox.bytes(&self.worker.shelf);
            frontend::parse_message(out, parse.name, parse.sql, parse.parameter_types);
            server.queue.push(self.entry.id, Kind::Parse, disposition);
        }
        server.doomed = Some("a client's own statement name is on it");
        Fed::Used(whole)
    }

    /// Puts the session's unnamed statement on the server if another one is there.
    fn ensure_unnamed(&mut self, server: &mut Server) {
        let wanted = (self.entry.id, self.unnamed.version());
        if server.unnamed == Some(wanted) {
            return;
        }
        if let Some((parse, _)) = self.unnamed.get() {
            server.outbox.bytes(&self.worker.shelf).extend_from_slice(parse);
            server.queue.push(self.entry.id, Kind::Parse, Disposition::Swallow);
            server.unnamed = Some(wanted);
        }
    }

    fn feed_bind(&mut self, server: &mut Server, header: Header, body: &[u8], unread: &[u8]) -> Result<Fed, End> {
        let Some(names) = frontend::bind_names(body).map_err(protocol)? else {
            if body.len() > 2 * limits::NAME || unread.len() >= header.frame_len() {
                return Err(End::Fatal(Refusal::protocol("names in Bind are too long")));
            }
            return Ok(Fed::Needs(header.frame_len().min(2 * limits::NAME + frame::HEADER_LEN)));
        };
        let session = self.entry.id;
        if names.statement.is_empty() {
            self.ensure_unnamed(server);
            let effects = self.unnamed.get().filter(|(_, analysis)| analysis.has_effects);
            let source = effects.map(|(parse, analysis)| (Arc::clone(analysis), sql_of(parse)));
            self.remember_portal(names.portal, source);
            server.queue.push(session, Kind::Bind, Disposition::Forward);
            return Ok(self.pass(server, header, unread));
        }
        let prepared = self.statements.get(names.statement).map(Arc::clone);
        let source = prepared
            .as_ref()
            .filter(|prepared| prepared.analysis.has_effects)
            .map(|prepared| (Arc::clone(&prepared.analysis), prepared.sql.clone()));
        self.remember_portal(names.portal, source);
        let Some(prepared) = prepared.filter(|_| self.renames()) else {
            // Not a statement of this session: the server says so.
            server.queue.push(session, Kind::Bind, Disposition::Forward);
            return Ok(self.pass(server, header, unread));
        };
        let shelf = &self.worker.shelf;
        server.ensure_prepared(session, &prepared, self.pool.ledger.borrow().config().max_prepared, shelf);
        let name = server.prepared.name(prepared.id);
        let rest = body.get(names.rest_at..).unwrap_or_default();
        frontend::bind_renamed(server.outbox.bytes(shelf), header, &names, name.as_bytes(), rest).map_err(protocol)?;
        server.queue.push(session, Kind::Bind, Disposition::Forward);
        Ok(self.expect_rest(header, header.frame_len().min(unread.len()), false))
    }

    fn remember_portal(&mut self, name: &[u8], source: Option<(Arc<Analysis>, Box<[u8]>)>) {
        if !self.portals.is_empty() {
            self.portals.retain(|portal| *portal.name != *name);
        }
        if let Some((analysis, sql)) = source {
            self.portals.push(Portal { name: name.into(), analysis, sql });
        }
    }

    fn feed_describe(&mut self, server: &mut Server, body: &[u8], unread: &[u8], whole: usize) -> Result<Fed, End> {
        let (target, name) = frontend::target(body).map_err(protocol)?;
        let session = self.entry.id;
        let kind = match target {
            frontend::Kind::Statement => Kind::DescribeStatement,
            frontend::Kind::Portal => Kind::DescribePortal,
        };
        let prepared = match target {
            frontend::Kind::Statement if name.is_empty() => {
                self.ensure_unnamed(server);
                None
            }
            frontend::Kind::Statement if self.renames() => self.statements.get(name),
            frontend::Kind::Statement | frontend::Kind::Portal => None,
        };
        let shelf = &self.worker.shelf;
        match prepared {
            Some(prepared) => {
                server.ensure_prepared(session, prepared, self.max_prepared(), shelf);
                let name = server.prepared.name(prepared.id);
                frontend::describe(server.outbox.bytes(shelf), target, name.as_bytes());
            }
            None => server.outbox.bytes(shelf).extend_from_slice(unread.get(..whole).unwrap_or_default()),
        }
        server.queue.push(session, kind, Disposition::Forward);
        Ok(Fed::Used(whole))
    }

    fn feed_close(&mut self, server: &mut Server, body: &[u8], unread: &[u8], whole: usize) -> Result<Fed, End> {
        let (target, name) = frontend::target(body).map_err(protocol)?;
        let session = self.entry.id;
        let named_statement = target == frontend::Kind::Statement && !name.is_empty();
        if named_statement && self.renames() {
            // The statement stays on the server for others.
            let answer = Disposition::Answer(Answer::CloseComplete);
            let serial = server.queue.push(session, Kind::Close, answer);
            self.statements.on_close(name, serial);
            return Ok(Fed::Used(whole));
        }
        if target == frontend::Kind::Statement {
            if name.is_empty() {
                self.unnamed.clear();
                server.unnamed = None;
            } else {
                self.statements.on_close(name, server.queue.next_serial());
            }
        }
        server.outbox.bytes(&self.worker.shelf).extend_from_slice(unread.get(..whole).unwrap_or_default());
        server.queue.push(session, Kind::Close, Disposition::Forward);
        Ok(Fed::Used(whole))
    }

    fn feed_execute(&mut self, server: &mut Server, body: &[u8], unread: &[u8], whole: usize) -> Result<Fed, End> {
        let serial = server.queue.push(self.entry.id, Kind::Execute, Disposition::Forward);
        server.outbox.bytes(&self.worker.shelf).extend_from_slice(unread.get(..whole).unwrap_or_default());
        if !self.portals.is_empty() {
            let (name, _) = frontend::execute_portal(body).map_err(protocol)?;
            if let Some(at) = self.portals.iter().position(|portal| *portal.name == *name) {
                let portal = self.portals.swap_remove(at);
                self.expect_effects(server, serial, &portal.analysis, &portal.sql);
                self.portals.push(portal);
            }
        }
        Ok(Fed::Used(whole))
    }
}

/// The statement text in a Parse frame that was checked before.
fn sql_of(parse: &[u8]) -> Box<[u8]> {
    let body = parse.get(frame::HEADER_LEN..).unwrap_or_default();
    frontend::parse(body).map(|parse| parse.sql).unwrap_or_default().into()
}

fn too_many_statements() -> End {
    End::Fatal(
        Refusal::new(
            SqlState::CONFIGURATION_LIMIT,
            format!("this session has {} prepared statements already", limits::STATEMENTS_PER_SESSION),
        )
        .hint("Close (or DEALLOCATE) statements that are not needed any more."),
    )
}
