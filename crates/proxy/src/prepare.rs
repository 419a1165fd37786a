//! Prepared statements and portals on their way to the server: names that the client chose become names that servers share,
//! and what a server lacks is sent to it first. No waiting here.
//!
//! Invariant: a frame that names a statement is sent only when it is certain that the server has, or will have been sent, the
//! text that this session means by the name.
//!
//! Length: statements and portals refer to each other; apart they would be two halves of one rule.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use howdah_core::limits;
use howdah_core::pool::PoolMode;
use howdah_core::reply::{Answer, Disposition, Kind, Serial};
use howdah_core::session::{PinReason, Prepared};
use howdah_sql::Analysis;
use howdah_wire::backend::{self, TransactionStatus};
use howdah_wire::frame::{self, Header};
use howdah_wire::frontend;
use howdah_wire::sqlstate::SqlState;

use crate::effects::{Portal, ends_transaction};
use crate::error::Refusal;
use crate::feed::Fed;
use crate::gather::protocol;
use crate::prepared::{NO_STATEMENT, Presence, STATEMENT_PREFIX, Unready};
use crate::server::{Server, UnnamedOn};
use crate::session::{End, Session};

/// A Describe of a statement that was sent.
#[derive(Debug)]
pub(crate) struct Describing {
    pub(crate) serial: Serial,
    /// The client's name of the statement; empty for the unnamed one.
    pub(crate) name: Box<[u8]>,
    /// Number of the statement; of the unnamed one its version.
    pub(crate) number: u64,
}

/// A frame that is there in one piece.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whole<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl Whole<'_> {
    const fn used(self) -> Fed {
        Fed::Used(self.bytes.len())
    }
}

impl Session {
    /// Whether statements are shared under names of their own. In session pooling the server is the client's alone.
    pub(crate) fn renames(&self) -> bool {
        self.pin != Some(PinReason::SessionMode)
    }

    pub(crate) fn max_prepared(&self) -> usize {
        self.pool.ledger.borrow().config().max_prepared
    }

    /// The message of an earlier segment whose outcome says whether the statement `name` exists: what names it has to wait.
    fn undecided(&self, server: &Server, name: &[u8]) -> Option<Serial> {
        self.deallocation().or_else(|| {
            self.statements.last_change(name).filter(|serial| server.queue.is_undecided(*serial))
        })
    }

    /// Whether a name that the session does not know might be that of another's statement on the server.
    fn may_be_anothers(&self, name: &[u8]) -> bool {
        self.renames() && name.starts_with(STATEMENT_PREFIX.as_bytes())
    }

    fn forward(&self, server: &mut Server, frame: Whole<'_>) {
        server.outbox.bytes(&self.worker.shelf).extend_from_slice(frame.bytes);
    }

    pub(crate) fn feed_parse(&mut self, server: &mut Server, frame: Whole<'_>) -> Result<Fed, End> {
        let parse = frontend::parse(frame.body).map_err(protocol)?;
        let session = self.entry.id;
        let analysis = self.analyse(parse.sql);
        if self.refuse_parse(server, &parse, &analysis) {
            return Ok(frame.used());
        }
        if let Err(serial) = self.make_native_for(server, &analysis, parse.sql) {
            return Ok(self.wait_for(server, serial));
        }
        if parse.name.is_empty() {
            self.unnamed.on_parse(frame.bytes, analysis);
            let since = server.queue.push(session, Kind::Parse, Disposition::Forward);
            server.unnamed = Some(UnnamedOn::new((session, self.unnamed.version()), since));
            self.forward(server, frame);
            return Ok(frame.used());
        }
        if let Some(serial) = self.undecided(server, parse.name) {
            return Ok(self.wait_for(server, serial));
        }
        if !self.renames() {
            self.remember_name(server, &parse, analysis)?;
            server.queue.push(session, Kind::Parse, Disposition::Forward);
            self.forward(server, frame);
            return Ok(frame.used());
        }
        let head = server.queue.head();
        if server.queue.is_undecided(head) && self.may_be_in_transaction(server) {
            // Whether the transaction has failed is not known.
            return Ok(self.wait_for(server, head));
        }
        if self.is_in_failed_transaction(server) && fails_there(&analysis) {
            // Whatever it is, the server says that the transaction is aborted.
            server.queue.push(session, Kind::Parse, Disposition::Forward);
            let name = server.prepared.new_name();
            let out = server.outbox.bytes(&self.worker.shelf);
            frontend::parse_message(out, name.as_bytes(), parse.sql, parse.parameter_types);
            return Ok(frame.used());
        }
        self.pool.traffic.on_client_parse();
        if self.statements.get(parse.name).is_some() {
            self.feed_duplicate(server, &parse);
            return Ok(frame.used());
        }
        let prepared = self.worker.prepare(parse.sql, parse.parameter_types, analysis);
        let serial = match server.prepared.touch(prepared.id, &server.queue) {
            Presence::Undecided(serial) => return Ok(self.wait_for(server, serial)),
            Presence::Here { .. } => {
                if prepared_before(server, &prepared) {
                    prepared.parsed.store(true, Ordering::Relaxed);
                }
                let answer = Disposition::Answer(Answer::ParseComplete);
                server.queue.push(session, Kind::Parse, answer)
            }
            Presence::Absent => {
                let max = self.max_prepared();
                server.parse(session, &prepared, Disposition::Forward, max, &self.worker.shelf).1
            }
        };
        self.statements
            .on_parse(parse.name, prepared, serial)
            .map_err(|_| too_many_statements())?;
        Ok(frame.used())
    }

    /// A request that is nothing but a Parse of a text that servers have parsed before needs no server. This saves a round
    /// trip, and a client that prepares while others hold all servers is not in their way.
    ///
    /// # Errors
    /// The client does not speak the protocol.
    pub(crate) fn answer_known_parse(&mut self) -> Result<bool, End> {
        if self.dropping || self.mode == PoolMode::Session {
            return Ok(false);
        }
        let Some((parse, rest)) = frame::split(self.inbox.unread()).map_err(protocol)? else {
            return Ok(false);
        };
        let Some((sync, _)) = frame::split(rest).map_err(protocol)? else { return Ok(false) };
        if sync.tag != frontend::tag::SYNC {
            return Ok(false);
        }
        let used = parse.bytes.len() + sync.bytes.len();
        let parse = frontend::parse(parse.body).map_err(protocol)?;
        if parse.name.is_empty() || self.statements.get(parse.name).is_some() {
            return Ok(false);
        }
        let analysis = self.analyse(parse.sql);
        let prepared = self.worker.prepare(parse.sql, parse.parameter_types, analysis);
        if !prepared.parsed.load(Ordering::Relaxed) {
            return Ok(false);
        }
        self.statements.on_parse(parse.name, prepared, 0).map_err(|_| too_many_statements())?;
        self.pool.traffic.on_client_parse();
        self.statements.on_server_released();
        self.inbox.consume(used);
        let out = self.outbox.bytes(&self.worker.shelf);
        backend::parse_complete(out);
        backend::ready_for_query(out, TransactionStatus::Idle);
        Ok(true)
    }

    /// In session pooling names are the server's own; they are remembered for their effects, and to be counted.
    fn remember_name(
        &mut self,
        server: &Server,
        parse: &frontend::Parse<'_>,
        analysis: Arc<Analysis>,
    ) -> Result<(), End> {
        let prepared = self.worker.prepare(parse.sql, parse.parameter_types, analysis);
        let matters = prepared.analysis.has_effects || self.worker.rules.is_active();
        if self.statements.get(parse.name).is_none() {
            let serial = server.queue.next_serial();
            let remembered = self.statements.on_parse(parse.name, prepared, serial);
            // Without room for it, what has no effect counts as an unknown statement.
            if matters {
                remembered.map_err(|_| too_many_statements())?;
            }
        }
        Ok(())
    }

    /// The client prepares under a name that it has in use: the server has to say so, in its own words, so the statement is
    /// made there under the client's name and then once more. The server is not used again.
    fn feed_duplicate(&self, server: &mut Server, parse: &frontend::Parse<'_>) {
        for disposition in [Disposition::Swallow, Disposition::Forward] {
            let out = server.outbox.bytes(&self.worker.shelf);
            frontend::parse_message(out, parse.name, parse.sql, parse.parameter_types);
            server.queue.push(self.entry.id, Kind::Parse, disposition);
        }
        server.doomed = Some("a client's own statement name is on it");
    }

    /// Puts the session's unnamed statement on the server if it is not there; if the session has none, takes away what
    /// another one may have left.
    ///
    /// # Errors
    /// It is not, or not yet, certain that the server means what the client means.
    fn ensure_unnamed(&mut self, server: &mut Server) -> Result<(), Unready> {
        let told = self.unnamed.told();
        if told.is_some() {
            self.rerun.close();
        }
        let wanted = (self.entry.id, self.unnamed.version());
        if let Some(there) = server.unnamed.filter(|unnamed| unnamed.of == wanted) {
            let checking = there.check.filter(|serial| *serial >= server.queue.head());
            return match (told, there.shape) {
                _ if server.queue.is_undecided(there.since) => Err(Unready::Wait(there.since)),
                (Some(told), Some(shape)) if told != shape => Err(Unready::Changed),
                _ => checking.map_or(Ok(()), |serial| Err(Unready::Wait(serial))),
            };
        }
        let out = server.outbox.bytes(&self.worker.shelf);
        let kind = match self.unnamed.get() {
            Some((parse, _)) => {
                out.extend_from_slice(parse);
                Kind::Parse
            }
            None => {
                frontend::close(out, frontend::Kind::Statement, b"");
                Kind::Close
            }
        };
        let since = server.queue.push(self.entry.id, kind, Disposition::Swallow);
        let mut there = UnnamedOn::new(wanted, since);
        if told.is_some() {
            frontend::describe(
                server.outbox.bytes(&self.worker.shelf),
                frontend::Kind::Statement,
                b"",
            );
            let describe = Kind::DescribeStatement;
            there.check = Some(server.queue.push(self.entry.id, describe, Disposition::Swallow));
        }
        server.unnamed = Some(there);
        there.check.map_or(Ok(()), |serial| Err(Unready::Wait(serial)))
    }

    pub(crate) fn feed_bind(
        &mut self,
        server: &mut Server,
        header: Header,
        body: &[u8],
        unread: &[u8],
    ) -> Result<Fed, End> {
        let Some(names) = frontend::bind_names(body).map_err(protocol)? else {
            if body.len() > 2 * limits::NAME || unread.len() >= header.frame_len() {
                return Err(End::Fatal(Refusal::protocol("names in Bind are too long")));
            }
            return Ok(Fed::Needs(header.frame_len().min(2 * limits::NAME + frame::HEADER_LEN)));
        };
        let session = self.entry.id;
        if names.statement.is_empty() {
            let bound = body.get(names.rest_at..).unwrap_or_default();
            return Ok(self.bind_unnamed(server, header, (names.portal, bound), unread));
        }
        if let Some(serial) = self.undecided(server, names.statement) {
            return Ok(self.wait_for(server, serial));
        }
        if let Some(refusal) = self.refused_to_bind(names.statement) {
            return Ok(self.refuse_bind(server, &refusal, header, unread));
        }
        let bound = body.get(names.rest_at..).unwrap_or_default();
        let prepared = self.statements.get(names.statement).map(Arc::clone);
        let source = prepared
            .as_ref()
            .filter(|prepared| prepared.analysis.has_effects)
            .map(|prepared| (Arc::clone(&prepared.analysis), Box::<[u8]>::from(prepared.body())));
        if let Some((analysis, sql)) = &source
            && let Err(serial) = self.make_native_for(server, analysis, sql)
        {
            return Ok(self.wait_for(server, serial));
        }
        let analysis = prepared.as_ref().map(|prepared| Arc::clone(&prepared.analysis));
        self.calls.route = self.route_of(prepared.as_ref().map_or(&[], |found| found.body()));
        let Some(prepared) = prepared.filter(|_| self.renames()) else {
            // In session pooling as it is; otherwise not a statement of this session: the server says so.
            self.on_bind(server, (names.portal, bound), analysis.as_ref(), source);
            server.queue.push(session, Kind::Bind, Disposition::Forward);
            if !self.may_be_anothers(names.statement) {
                return Ok(self.pass(server, header, unread));
            }
            let out = server.outbox.bytes(&self.worker.shelf);
            frontend::bind_renamed(out, header, &names, NO_STATEMENT.as_bytes(), bound)
                .map_err(protocol)?;
            return Ok(self.expect_rest(header, header.frame_len().min(unread.len()), false));
        };
        let told = self.statements.told(names.statement);
        if told.is_some() {
            self.rerun.close();
        }
        let (max, shelf) = (self.max_prepared(), &self.worker.shelf);
        let name = match server.ensure_prepared(session, &prepared, told, max, shelf) {
            Ok(name) => name,
            Err(Unready::Wait(serial)) => return Ok(self.wait_for(server, serial)),
            Err(Unready::Changed) => {
                return Ok(self.refuse_bind(server, &self.changed(), header, unread));
            }
        };
        self.pool.traffic.on_bind();
        frontend::bind_renamed(server.outbox.bytes(shelf), header, &names, name.as_bytes(), bound)
            .map_err(protocol)?;
        self.on_bind(server, (names.portal, bound), analysis.as_ref(), source);
        server.queue.push(session, Kind::Bind, Disposition::Forward);
        Ok(self.expect_rest(header, header.frame_len().min(unread.len()), false))
    }

    /// A Bind of the unnamed statement.
    fn bind_unnamed(
        &mut self,
        server: &mut Server,
        header: Header,
        (portal, bound): (&[u8], &[u8]),
        unread: &[u8],
    ) -> Fed {
        if let Some(refusal) = self.refused_to_bind(b"") {
            return self.refuse_bind(server, &refusal, header, unread);
        }
        match self.ensure_unnamed(server) {
            Ok(()) => {}
            Err(Unready::Wait(serial)) => return self.wait_for(server, serial),
            Err(Unready::Changed) => {
                return self.refuse_bind(server, &self.changed(), header, unread);
            }
        }
        let analysis = self.unnamed.get().map(|(_, analysis)| Arc::clone(analysis));
        let text = self.unnamed.get().map(|(parse, _)| sql_of(parse)).unwrap_or_default();
        let effects = analysis.as_ref().filter(|analysis| analysis.has_effects);
        let source = effects.map(|analysis| (Arc::clone(analysis), Box::from(text)));
        self.calls.route = self.route_of(text);
        if let Some((analysis, sql)) = &source
            && let Err(serial) = self.make_native_for(server, analysis, sql)
        {
            return self.wait_for(server, serial);
        }
        self.on_bind(server, (portal, bound), analysis.as_ref(), source);
        server.queue.push(self.entry.id, Kind::Bind, Disposition::Forward);
        self.pass(server, header, unread)
    }

    /// A portal is made: its effects are remembered until it is executed, and what the rules said of it is carried out.
    fn on_bind(
        &mut self,
        server: &mut Server,
        (name, bound): (&[u8], &[u8]),
        analysis: Option<&Arc<Analysis>>,
        source: Option<(Arc<Analysis>, Box<[u8]>)>,
    ) {
        self.on_portal(name);
        let listen = analysis.is_some_and(|analysis| self.listens_to(analysis));
        self.calls.on_bind(name, analysis, (bound, listen));
        if let Some(analysis) = analysis {
            self.entry.form.set(analysis.fingerprint.0);
            self.on_run_begins(server, analysis);
            self.taint_by(server, analysis);
        }
        if !self.portals.is_empty() {
            self.portals.retain(|portal| *portal.name != *name);
        }
        if let Some((analysis, sql)) = source {
            self.portals.push(Portal { name: name.into(), analysis, sql });
        }
    }

    pub(crate) fn feed_describe(
        &mut self,
        server: &mut Server,
        frame: Whole<'_>,
    ) -> Result<Fed, End> {
        let (target, name) = frontend::target(frame.body).map_err(protocol)?;
        let kind = match target {
            frontend::Kind::Statement => Kind::DescribeStatement,
            frontend::Kind::Portal => Kind::DescribePortal,
        };
        let ready = match target {
            frontend::Kind::Portal => Ok(None),
            frontend::Kind::Statement if name.is_empty() => {
                self.ensure_unnamed(server).map(|()| None)
            }
            frontend::Kind::Statement => self.name_on(server, name),
        };
        match ready {
            Err(Unready::Wait(serial)) => return Ok(self.wait_for(server, serial)),
            Err(Unready::Changed) => {
                let refusal = self.changed();
                self.refuse_in_place(server, &refusal);
                return Ok(frame.used());
            }
            Ok(Some(renamed)) => {
                let out = server.outbox.bytes(&self.worker.shelf);
                frontend::describe(out, target, renamed.as_bytes());
            }
            Ok(None) => self.forward(server, frame),
        }
        let serial = server.queue.push(self.entry.id, kind, Disposition::Forward);
        if kind == Kind::DescribeStatement {
            let number = if name.is_empty() {
                Some(self.unnamed.version())
            } else {
                self.statements.get(name).map(|prepared| prepared.id)
            };
            if let Some(number) = number {
                self.describing.push_back(Describing { serial, name: name.into(), number });
            }
        }
        Ok(frame.used())
    }

    /// The rows of a statement are not those that the client was told: it gets what PostgreSQL says then.
    fn changed(&self) -> Refusal {
        // A Parse made from now on gets a statement of its own.
        self.worker.forget_prepared();
        let text = "cached plan must not change result type";
        let refusal = Refusal::new(SqlState::FEATURE_NOT_SUPPORTED, text);
        // Drivers prepare again when this one says so.
        Refusal { routine: Some("RevalidateCachedQuery"), ..refusal }
    }

    /// What a statement of this session is called on the server, which is given it if it lacks it; `None`: as the client
    /// calls it.
    fn name_on(&mut self, server: &mut Server, name: &[u8]) -> Result<Option<String>, Unready> {
        if let Some(serial) = self.undecided(server, name) {
            return Err(Unready::Wait(serial));
        }
        let told = self.statements.told(name);
        if told.is_some() {
            self.rerun.close();
        }
        match self.statements.get(name) {
            Some(prepared) if self.renames() => {
                let (max, shelf) = (self.max_prepared(), &self.worker.shelf);
                server.ensure_prepared(self.entry.id, prepared, told, max, shelf).map(Some)
            }
            None if self.may_be_anothers(name) => Ok(Some(NO_STATEMENT.to_owned())),
            _ => Ok(None),
        }
    }

    pub(crate) fn feed_close(&mut self, server: &mut Server, frame: Whole<'_>) -> Result<Fed, End> {
        let (target, name) = frontend::target(frame.body).map_err(protocol)?;
        let session = self.entry.id;
        let named_statement = target == frontend::Kind::Statement && !name.is_empty();
        if named_statement && let Some(serial) = self.undecided(server, name) {
            return Ok(self.wait_for(server, serial));
        }
        if named_statement && self.renames() {
            // The statement stays on the server for others.
            let answer = Disposition::Answer(Answer::CloseComplete);
            let serial = server.queue.push(session, Kind::Close, answer);
            self.statements.on_close(name, serial);
            return Ok(frame.used());
        }
        let serial = server.queue.push(session, Kind::Close, Disposition::Forward);
        if named_statement {
            self.statements.on_close(name, serial);
        } else if target == frontend::Kind::Statement {
            self.unnamed.clear();
            server.unnamed = None;
        }
        self.forward(server, frame);
        Ok(frame.used())
    }

    pub(crate) fn feed_execute(
        &mut self,
        server: &mut Server,
        frame: Whole<'_>,
    ) -> Result<Fed, End> {
        let serial = server.queue.next_serial();
        if !self.ruling.rows.limits_portals() || !self.execute_counted(server, frame.body)? {
            server.queue.push(self.entry.id, Kind::Execute, Disposition::Forward);
            self.forward(server, frame);
        }
        self.calls.on_execute(serial, frame.body);
        if !self.portals.is_empty() {
            let (name, _) = frontend::execute_portal(frame.body).map_err(protocol)?;
            if let Some(at) = self.portals.iter().position(|portal| *portal.name == *name) {
                let portal = self.portals.swap_remove(at);
                self.expect_effects(serial, &portal.analysis, &portal.sql, None);
                self.portals.push(portal);
            }
        }
        Ok(frame.used())
    }
}

/// Whether PostgreSQL refuses to parse the text in a failed transaction (`exec_parse_message` in its `postgres.c`): it takes
/// what ends one, and a text without a statement.
fn fails_there(analysis: &Analysis) -> bool {
    !analysis.statements.is_empty() && !ends_transaction(analysis)
}

/// Whether a server has said that it has parsed the statement.
fn prepared_before(server: &Server, prepared: &Prepared) -> bool {
    server.prepared.since(prepared.id).is_some_and(|since| since < server.queue.head())
}

/// The statement text in a Parse frame that was checked before.
pub(crate) fn sql_of(parse: &[u8]) -> &[u8] {
    let body = parse.get(frame::HEADER_LEN..).unwrap_or_default();
    frontend::parse(body).map(|parse| parse.sql).unwrap_or_default()
}

fn too_many_statements() -> End {
    End::Fatal(
        Refusal::new(
            SqlState::CONFIGURATION_LIMIT,
            format!(
                "this session has {} prepared statements already",
                limits::STATEMENTS_PER_SESSION
            ),
        )
        .hint("Close (or DEALLOCATE) statements that are not needed any more."),
    )
}
