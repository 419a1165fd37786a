//! What rules do to the statements of one session: they run, or the client is told no at the place where PostgreSQL would have
//! failed, with all that follows from it for the request and the transaction. No waiting here.
//!
//! Invariant: what a rule refuses reaches no server, and server and client agree on what failed: the server is made to fail at the
//! same place.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use howdah_core::reply::{Disposition, Kind, Serial};
use howdah_core::rules::{Client, Verdict};
use howdah_core::session::{Context, Prepared};
use howdah_sql::{Analysis, Effect, PreparedChange};
use howdah_wire::frame::{self, Header};
use howdah_wire::frontend::{self, tag};

use super::Concern;
use super::counting::{MaxRows, RowLimits, may_give_rows};
use crate::error::Refusal;
use crate::feed::Fed;
use crate::gather::protocol;
use crate::prepare::sql_of;
use crate::prepared::NO_STATEMENT;
use crate::rows;
use crate::server::Server;
use crate::session::{End, Session};
use crate::stream::Peer;

/// A text that PostgreSQL refuses whatever the state of the session, and that says in its log why it came.
const FAILING_QUERY: &[u8] = b"refused by a rule of Howdah";

/// What a session has to do with rules.
#[derive(Debug, Default)]
pub(crate) struct Ruling {
    /// Errors that the client gets instead of the server's to these messages.
    pub(crate) replaced: VecDeque<(Serial, Vec<u8>)>,
    /// Rules that concern the client, as of this revision and with these settings.
    concern: Option<(u64, Arc<Context>, Option<Concern>)>,
    /// What the rules said of the statement that is being bound.
    bound: Option<Judgement>,
    /// The shortest limit of time of what is on its way, and the name of its rule.
    limit: Option<(Duration, Box<str>)>,
    /// Limits of rows.
    pub(crate) rows: RowLimits,
}

/// What the rules say, and of what.
pub(crate) type Judgement = (Rc<Verdict>, Arc<Analysis>);

impl Ruling {
    /// The server that counted the messages is given back.
    pub(crate) fn on_released(&mut self) {
        self.replaced.clear();
        self.limit = None;
        self.rows.on_released();
    }

    /// The limit of time that rules give what is on its way.
    pub(crate) fn limit(&self) -> Option<Duration> {
        self.limit.as_ref().map(|(time, _)| *time)
    }

    /// Whose limit a time is, if it is a rule's.
    pub(crate) fn limit_by(&self, timeout: Duration) -> Option<String> {
        let (_, rule) = self.limit.as_ref().filter(|(time, _)| *time == timeout)?;
        Some(format!("query_timeout of Howdah's rule {rule:?}"))
    }

    /// What was on its way is answered; whether there was a limit.
    pub(crate) fn end_limit(&mut self) -> bool {
        self.limit.take().is_some()
    }

    /// A statement is about to run on a server that it shares.
    pub(crate) fn on_shared(&mut self, judgement: Option<Judgement>) {
        self.bound = judgement;
    }

    /// What the client gets instead of the server's error to message `from`; messages before `until` are answered or skipped.
    pub(crate) fn take_replaced(&mut self, from: Serial, until: Serial) -> Option<Vec<u8>> {
        let mut found = None;
        while let Some((serial, instead)) =
            self.replaced.pop_front_if(|(serial, _)| *serial < until)
        {
            if serial == from {
                found = Some(instead);
            }
        }
        found
    }
}

impl Session {
    /// What the rules say about a text; `None`: nothing, as there are none for this client. Costs one branch without rules.
    #[inline]
    pub(crate) fn judge(&mut self, analysis: &Arc<Analysis>, sql: &[u8]) -> Option<Judgement> {
        if !self.worker.rules.is_active() {
            return None;
        }
        self.judge_by_rules(analysis, sql)
    }

    fn judge_by_rules(&mut self, analysis: &Arc<Analysis>, sql: &[u8]) -> Option<Judgement> {
        let concern = self.concern()?;
        Some(self.judge_with(concern, analysis, sql))
    }

    pub(crate) fn judge_with(
        &self,
        concern: Concern,
        analysis: &Arc<Analysis>,
        sql: &[u8],
    ) -> Judgement {
        let executed = self.executed(analysis, sql);
        let (analysis, sql) = match &executed {
            Some(prepared) => (&prepared.analysis, prepared.body()),
            None => (analysis, sql),
        };
        (self.worker.rules.judge(concern, analysis, sql), Arc::clone(analysis))
    }

    /// The statement that an `EXECUTE` alone in its text runs, if this session has prepared it.
    fn executed(&self, analysis: &Analysis, sql: &[u8]) -> Option<&Arc<Prepared>> {
        let [only] = &*analysis.statements else { return None };
        if only.effect != Effect::Execute {
            return None;
        }
        let found = howdah_sql::prepared_name(sql)?;
        let PreparedChange::Execute(name) = &found.change else { return None };
        self.statements.get(name.as_bytes())
    }

    /// The rules that concern this client.
    pub(crate) fn concern(&mut self) -> Option<Concern> {
        let rules = &self.worker.rules;
        let (revision, context) = (rules.revision.get(), self.settings.context());
        if let Some((known, with, concern)) = &self.ruling.concern
            && *known == revision
            && Arc::ptr_eq(with, context)
        {
            return *concern;
        }
        let application = if rules.rules.borrow().ask_for_application() {
            rows::application_in(context)
        } else {
            String::new()
        };
        let concern = rules.concern(&Client {
            user: &self.entry.user,
            database: &self.entry.database,
            application: &application,
            address: match self.entry.peer {
                Peer::Tcp(address) => Some(address.ip()),
                Peer::Unix | Peer::Memory => None,
            },
        });
        self.ruling.concern = Some((revision, Arc::clone(context), concern));
        concern
    }

    /// Counts a judgement about something that runs or is refused now; the refusal if it is. What runs has to keep to the limit
    /// of time from now on.
    pub(crate) fn carry_out(&mut self, judgement: &Judgement) -> Option<Refusal> {
        let (verdict, analysis) = judgement;
        let rules = &self.worker.rules;
        rules.count(verdict, analysis, &self.entry.user, &self.entry.database);
        if let Some(at) = verdict.blocked_by() {
            return Some(rules.refusal(at));
        }
        if let Some((time, at)) = verdict.query_timeout
            && self.ruling.limit().is_none_or(|limit| time < limit)
        {
            let name = rules.rule(at, |rule| rule.name.as_str().into());
            self.ruling.limit = Some((time, name.unwrap_or_default()));
            self.watch_request();
        }
        None
    }

    /// The refusal of something that is blocked; what runs is not counted yet.
    pub(crate) fn refusal_of(&mut self, judgement: Option<&Judgement>) -> Option<Refusal> {
        let judgement = judgement.filter(|(verdict, _)| verdict.blocked_by().is_some())?;
        self.carry_out(judgement)
    }

    /// The refusal of a text that is parsed now and runs later, when it is judged again.
    fn refused_to_parse(&mut self, analysis: &Arc<Analysis>, sql: &[u8]) -> Option<Refusal> {
        let judgement = self.judge(analysis, sql);
        self.refusal_of(judgement.as_ref())
    }

    /// The refusal of a prepared statement that is bound now; empty: of the unnamed one. It may have been parsed before the rule
    /// was there. If it is not refused, [`Self::on_bound`] carries out the rest.
    pub(crate) fn refused_to_bind(&mut self, name: &[u8]) -> Option<Refusal> {
        if !self.worker.rules.is_active() {
            return None;
        }
        let concern = self.concern()?;
        let (analysis, sql) = if name.is_empty() {
            let (parse, analysis) = self.unnamed.get()?;
            (analysis, sql_of(parse))
        } else {
            let prepared = self.statements.get(name)?;
            (&prepared.analysis, prepared.body())
        };
        let judgement = self.judge_with(concern, analysis, sql);
        let refusal = self.refusal_of(Some(&judgement));
        self.ruling.bound = Some(judgement).filter(|_| refusal.is_none());
        refusal
    }

    /// A Bind is sent, or a shared request was answered.
    ///
    /// Returns the limit of its rows.
    pub(crate) fn on_bound(&mut self) -> Option<MaxRows> {
        let judgement = self.ruling.bound.take()?;
        self.carry_out(&judgement);
        judgement.0.max_rows.filter(|_| may_give_rows(&judgement.1))
    }

    /// A Bind is sent that makes a portal.
    pub(crate) fn on_portal(&mut self, name: &[u8]) {
        let limit = self.on_bound();
        self.ruling.rows.on_bind(name, limit);
    }

    /// The limit of the rows of a simple query.
    ///
    /// # Errors
    /// It holds several statements, and which row is whose cannot be told beforehand.
    pub(crate) fn max_rows_of(
        &self,
        judgement: Option<&Judgement>,
        analysis: &Analysis,
    ) -> Result<Option<MaxRows>, Refusal> {
        let limit = judgement.and_then(|(verdict, _)| verdict.max_rows);
        let Some(limit) = limit.filter(|_| may_give_rows(analysis)) else { return Ok(None) };
        if analysis.parsed && analysis.statements.len() > 1 {
            return Err(self.worker.rules.uncountable(limit));
        }
        Ok(Some(limit))
    }

    /// What the rules say about a simple query.
    ///
    /// # Errors
    /// Which statement it executes is not known before this message is answered.
    pub(crate) fn judge_query(
        &mut self,
        analysis: &Arc<Analysis>,
        sql: &[u8],
    ) -> Result<Option<Judgement>, Serial> {
        if !self.worker.rules.is_active() {
            return Ok(None);
        }
        let executes = analysis.statements.iter().any(|one| one.effect == Effect::Execute);
        match self.deallocation() {
            Some(serial) if executes => Err(serial),
            _ => Ok(self.judge(analysis, sql)),
        }
    }

    /// Refuses a statement that is too long to look at, if a rule says so.
    pub(crate) fn refuse_large(&mut self, server: &mut Server, kind: Kind) -> bool {
        let Some(judgement) = self.judge(&Arc::new(Analysis::unknown()), b"") else { return false };
        let uncounted = judgement.0.max_rows.map(|limit| self.worker.rules.uncountable(limit));
        let Some(refusal) = self.carry_out(&judgement).or(uncounted) else { return false };
        if kind == Kind::Query {
            self.refuse_query_in_place(server, &refusal);
        } else {
            self.refuse_in_place(server, &refusal);
        }
        true
    }

    /// Answers a request that begins with a text which a rule refuses: no server is needed for that. Only to be asked while no
    /// server is held.
    ///
    /// # Errors
    /// The client does not speak the protocol.
    pub(crate) fn refuse_by_rule(&mut self) -> Result<bool, End> {
        if !self.worker.rules.is_active() || self.dropping {
            return Ok(false);
        }
        let inbox = std::mem::take(&mut self.inbox);
        let refused = self.refusal_at_head(inbox.unread());
        self.inbox = inbox;
        let Some((refusal, clears)) = refused? else { return Ok(false) };
        if clears {
            self.unnamed.clear();
        }
        self.refuse(&refusal);
        Ok(true)
    }

    /// The refusal of the frame at the head of these bytes, and whether it takes the unnamed statement with it.
    fn refusal_at_head(&mut self, unread: &[u8]) -> Result<Option<(Refusal, bool)>, End> {
        let Some((first, _)) = frame::split(unread).map_err(protocol)? else { return Ok(None) };
        let (sql, clears) = match first.tag {
            tag::QUERY => (frontend::query_text(first.body).map_err(protocol)?, true),
            tag::PARSE => {
                let parse = frontend::parse(first.body).map_err(protocol)?;
                (parse.sql, parse.name.is_empty())
            }
            _ => return Ok(None),
        };
        let analysis = self.analyse(sql);
        Ok(self.refused_to_parse(&analysis, sql).map(|refusal| (refusal, clears)))
    }

    /// The client is told no at a message of the extended protocol, and the server is made to fail at the same place, with all
    /// that this means for the segment and the transaction.
    pub(crate) fn refuse_in_place(&mut self, server: &mut Server, refusal: &Refusal) {
        let out = server.outbox.bytes(&self.worker.shelf);
        frontend::describe(out, frontend::Kind::Statement, NO_STATEMENT.as_bytes());
        let (kind, forward) = (Kind::DescribeStatement, Disposition::Forward);
        let serial = server.queue.push(self.entry.id, kind, forward);
        self.replace(serial, refusal);
    }

    /// Whether a Parse is refused; its unnamed statement is gone then, as after any error of a Parse.
    pub(crate) fn refuse_parse(
        &mut self,
        server: &mut Server,
        parse: &frontend::Parse<'_>,
        analysis: &Arc<Analysis>,
    ) -> bool {
        let Some(refusal) = self.refused_to_parse(analysis, parse.sql) else { return false };
        if parse.name.is_empty() {
            self.unnamed.clear();
            server.unnamed = None;
        }
        self.refuse_in_place(server, &refusal);
        true
    }

    /// A Bind that is answered with an error.
    pub(crate) fn refuse_bind(
        &mut self,
        server: &mut Server,
        refusal: &Refusal,
        header: Header,
        unread: &[u8],
    ) -> Fed {
        self.refuse_in_place(server, refusal);
        self.expect_rest(header, header.frame_len().min(unread.len()), true)
    }

    /// The same for a simple query, or a function call.
    pub(crate) fn refuse_query_in_place(&mut self, server: &mut Server, refusal: &Refusal) {
        frontend::query(server.outbox.bytes(&self.worker.shelf), FAILING_QUERY);
        let serial = server.queue.push(self.entry.id, Kind::Query, Disposition::Forward);
        self.replace(serial, refusal);
    }

    fn replace(&mut self, serial: Serial, refusal: &Refusal) {
        self.rerun.close();
        let mut instead = Vec::new();
        refusal.write_error(&mut instead);
        self.ruling.replaced.push_back((serial, instead));
    }
}
