//! Requests that may share a server with those of other clients: what they look like, how a session waits for their answer,
//! and what its answer means for the session. The flight itself is `flight`.
//!
//! Invariant: a shared request stays in the client's inbox until it is answered, so that it can be sent again: it is a read,
//! and nothing of its answer was passed on.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use howdah_core::cache::Around;
use howdah_core::pool::Fare;
use howdah_core::session::{Context, Prepared};
use howdah_sql::{Analysis, Class};
use howdah_wire::backend::{self, TransactionStatus};
use howdah_wire::frame::{self, Frame};
use howdah_wire::frontend::{self, tag};
use howdah_wire::sqlstate::SqlState;

use crate::clock;
use crate::entry::{Activity, Answer, AnswerError, Grant, Signal};
use crate::error::Refusal;
use crate::rerun::LOSSES;
use crate::server::Server;
use crate::session::{End, Session};

/// Flights that a request may have to leave before it gets a server of its own.
const TURNS: u32 = 4;
/// A longer request does not share. Bytes.
const LONGEST: usize = 8 * 1024;

/// A complete, autocommit, single read, as a value.
#[derive(Debug, Default)]
pub(crate) struct SharedRequest {
    /// Frames as the client sent them: a Query, or everything up to Sync.
    pub(crate) frames: Vec<u8>,
    /// The statement that its Bind names, unless it is the unnamed one of the request's own Parse.
    pub(crate) prepared: Option<Arc<Prepared>>,
    /// The hash of that statement's rows, if the client was told them.
    pub(crate) told: Option<u64>,
    /// Settings of its session.
    pub(crate) context: Arc<Context>,
    /// Form of its statement.
    pub(crate) fingerprint: u64,
    /// The server has to have been open at this moment.
    pub(crate) open_at: Option<Instant>,
}

impl SharedRequest {
    /// What the client calls its statement.
    pub(crate) fn client_name(&self) -> Option<&[u8]> {
        let (bind, _) = next(&self.frames)?;
        Some(frontend::bind_names(bind.body).ok()??.statement)
    }
}

/// A request that may share, and what its session keeps of it.
#[derive(Debug)]
pub(crate) struct Shareable {
    request: SharedRequest,
    /// Of its statement.
    analysis: Arc<Analysis>,
    /// Expected run time.
    cost: Duration,
}

/// Why a request that might have waited for a flight did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unshared {
    /// Not one complete request with one plain execution, or too long.
    Shape,
    /// Not a read without side effects.
    Statement,
    /// Not known to be short.
    Slow,
    /// A rule about statements has something to say about it.
    Rule,
}

impl Unshared {
    /// The word used in reports.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Shape => "shape",
            Self::Statement => "statement",
            Self::Slow => "slow",
            Self::Rule => "rule",
        }
    }
}

/// What became of an attempt to share.
#[derive(Debug)]
pub(crate) enum Shared {
    /// It was answered.
    Answered,
    /// It needs a server of its own.
    Alone,
    /// It has to be routed again.
    TooNew,
    /// The answer to the request.
    Refused(Refusal),
}

/// The statement text or name that a request runs.
#[derive(Clone, Copy)]
pub(crate) enum Runs<'a> {
    /// This text, also by Parse as the unnamed statement.
    Text(&'a [u8]),
    /// A statement of this name.
    Named(&'a [u8]),
}

impl Session {
    /// The request in the inbox, if it may share a server and there is something to gain by it.
    pub(crate) fn shareable(&mut self) -> Option<Shareable> {
        {
            let ledger = self.pool.ledger.borrow();
            if !ledger.config().share || ledger.has_room() {
                return None;
            }
        }
        let request = self.classify();
        self.pool.on_classified(request.as_ref().err().copied());
        request.ok()
    }

    fn classify(&mut self) -> Result<Shareable, Unshared> {
        let concern = self.worker.rules.is_active().then(|| self.concern()).flatten();
        let unread = self.inbox.unread();
        if !self.outbox.is_empty() || self.pin.is_some() {
            return Err(Unshared::Shape);
        }
        let (analysis, sql, prepared, told) = match asked(unread).ok_or(Unshared::Shape)?.runs {
            Runs::Text(sql) => (self.analyse(sql), sql, None, None),
            Runs::Named(name) => {
                let prepared = self.statements.get(name).ok_or(Unshared::Shape)?;
                let told = self.statements.told(name);
                (Arc::clone(&prepared.analysis), prepared.body(), Some(Arc::clone(prepared)), told)
            }
        };
        if !is_pure_read(&analysis) {
            return Err(Unshared::Statement);
        }
        let judgement = concern.map(|concern| self.judge_with(concern, &analysis, sql));
        if judgement.as_ref().is_some_and(|(verdict, _)| !verdict.lets_pass()) {
            return Err(Unshared::Rule);
        }
        let route = self.route_of(sql);
        let cost = self.worker.paces.short(analysis.fingerprint.0).ok_or(Unshared::Slow)?;
        let mut frames = self.worker.shelf.take_outbox();
        frames.extend_from_slice(unread);
        let request = SharedRequest {
            frames,
            prepared,
            told,
            context: Arc::clone(self.settings.context()),
            fingerprint: analysis.fingerprint.0,
            open_at: self.routing.open_at(),
        };
        self.calls.route = route;
        self.ruling.on_shared(judgement);
        Ok(Shareable { request, analysis, cost })
    }

    /// Has a request that is complete since `since` answered together with those of others.
    ///
    /// # Errors
    /// The session ends.
    pub(crate) async fn share(
        &mut self,
        Shareable { request, analysis, cost }: Shareable,
        since: Instant,
    ) -> Result<Shared, End> {
        let length = request.frames.len();
        let fare = Fare { context: Arc::as_ptr(&request.context).addr(), cost };
        self.entry.form.set(request.fingerprint);
        *self.entry.shared.borrow_mut() = Some(request);
        let (mut losses, mut turns, mut waiting) = (0, 0, since);
        while losses <= LOSSES && turns < TURNS {
            if let Err(refusal) = self.pool.enqueue_shared(&self.worker, &self.entry, (fare, since))
            {
                return Ok(Shared::Refused(refusal));
            }
            self.entry.activity.set(Activity::Waiting);
            self.entry.waiting.set(Some(waiting));
            self.entry.notice_due.set(false);
            let grant = self.ride().await;
            self.entry.waiting.set(None);
            self.entry.activity.set(Activity::Idle);
            match grant? {
                Grant::Answered => {
                    self.on_answered(length, since, analysis)?;
                    return Ok(Shared::Answered);
                }
                Grant::Alone => return Ok(self.goes_alone()),
                Grant::TooNew => return Ok(Shared::TooNew),
                // Another node answers.
                Grant::Lost { told: false } if self.routing.is_away() => {
                    return Ok(Shared::Refused(Refusal::server_lost()));
                }
                Grant::Refused(refusal) => return Ok(Shared::Refused(refusal)),
                Grant::Again => turns += 1,
                Grant::Lost { told: false } => losses += 1,
                Grant::Lost { told: true } => return Err(End::Fatal(Refusal::server_lost())),
                Grant::Server(server) => self.pool.checkin(&self.worker, server),
            }
            waiting = clock::now();
        }
        if turns == TURNS { Ok(self.goes_alone()) } else { Err(End::Fatal(Refusal::server_lost())) }
    }

    /// The time until now was not that of the server which it will get.
    fn goes_alone(&mut self) -> Shared {
        self.granted_at = Some(clock::now());
        Shared::Alone
    }

    /// A request that runs this goes to a server of the session's own. A pure read is measured, because it may prove short
    /// enough to share, and is sent again if its server goes away.
    pub(crate) fn on_run_begins(&mut self, server: &Server, analysis: &Analysis) {
        let pure = server.status == TransactionStatus::Idle
            && (is_pure_read(analysis) || self.routing.is_away() || self.only_reads(analysis));
        self.impure |= !pure;
        self.running = (!self.impure).then(|| (analysis.fingerprint.0, self.runs_since()));
        self.relayed = 0;
    }

    /// When the request that is being sent was complete, or got its server. No clock is read for it, unless the session has
    /// held the server before and the end of the request is still to come.
    fn runs_since(&self) -> Instant {
        match self.started {
            Some(started) => self.granted_at.map_or(started, |granted| granted.max(started)),
            None if self.pool.ledger.borrow().config().share => clock::now(),
            None => self.worker.now(),
        }
    }

    /// A request was answered at `now` by a server of the session's own.
    pub(crate) fn on_run_ended(&mut self, now: Instant) {
        self.impure = false;
        if let Some((fingerprint, since)) = self.running.take()
            && self.pool.ledger.borrow().config().share
        {
            // With many servers at work most of the time is spent waiting for a processor; in flights there are fewer.
            let crowd = self.pool.ledger.borrow().crowd();
            let time = now.saturating_duration_since(since) / crowd;
            self.worker.paces.on_run(fingerprint, time, self.relayed);
        }
    }

    /// Waits for the end of a flight. Meanwhile the client may send more, cancel, or go.
    async fn ride(&mut self) -> Result<Grant, End> {
        loop {
            let signal = match poll_fn(|cx| self.poll_ride(cx)).await {
                Ok(grant) => return Ok(grant),
                Err(Some(signal)) => signal,
                Err(None) => return Err(self.leave_flight(End::ClientGone)),
            };
            if signal == Signal::Cancel && self.entry.flight.borrow().is_none() {
                self.withdraw();
                return Ok(Grant::Refused(Refusal::canceled()));
            }
            if let Err(end) = self.on_signal(signal) {
                return Err(self.leave_flight(end));
            }
        }
    }

    /// `Err(None)`: the client is gone.
    fn poll_ride(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Grant, Option<Signal>>> {
        self.entry.register(cx);
        let granted = self.entry.granted.borrow().is_some();
        // A cancel request that comes when the request is answered, or about to be sent again, is too late.
        if let Some(signal) = self.entry.take_signal()
            && !(granted && signal == Signal::Cancel)
        {
            return Poll::Ready(Err(Some(signal)));
        }
        // Between the parts of an answer there is no place for it.
        if self.entry.notice_due.take() && self.entry.flight.borrow().is_none() && !granted {
            Refusal::write_wait_notice(
                self.outbox.bytes(&self.worker.shelf),
                self.pool.ledger.borrow().is_paused(),
            );
        }
        let part = self.entry.take_part();
        if let Some(part) = part {
            self.caching.filling = None;
            self.pool.traffic.on_sent(part.len());
            let sent = self.outbox.send(&mut self.stream, &self.worker.shelf, &part);
            if sent.is_err() {
                return Poll::Ready(Err(None));
            }
        }
        if !self.outbox.is_empty() {
            let flushed = self.outbox.poll_flush(&mut self.stream, &self.worker.shelf, cx);
            if matches!(flushed, Poll::Ready(Err(_))) {
                return Poll::Ready(Err(None));
            }
        }
        if self.outbox.is_empty()
            && let Some(flight) = &*self.entry.flight.borrow()
        {
            flight.on_room(self.entry.id);
        }
        let granted = self.entry.granted.borrow_mut().take();
        if let Some(grant) = granted {
            return Poll::Ready(Ok(grant));
        }
        while !self.inbox.is_full() {
            match ready!(self.inbox.poll_fill(&mut self.stream, &self.worker.shelf, cx)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(None)),
                Ok(count) => self.pool.traffic.on_received(count),
            }
        }
        Poll::Pending
    }

    /// The session ends while its request waits or flies.
    fn leave_flight(&self, end: End) -> End {
        self.withdraw();
        let flight = self.entry.flight.borrow_mut().take();
        if let Some(flight) = flight {
            flight.on_left(
                self.entry.id,
                matches!(&end, End::Fatal(refusal) if refusal.is_timeout()),
            );
        }
        end
    }

    /// The request does not wait any more, whether it is still in the queue or about to board.
    fn withdraw(&self) {
        *self.entry.shared.borrow_mut() = None;
        *self.entry.granted.borrow_mut() = None;
        self.pool.ledger.borrow_mut().withdraw(|waiter| Rc::ptr_eq(waiter, &self.entry));
    }

    /// The answer is complete: it is passed on, and the request leaves the inbox.
    fn on_answered(
        &mut self,
        length: usize,
        since: Instant,
        analysis: Arc<Analysis>,
    ) -> Result<(), End> {
        let Answer { bytes: mut answer, rows, error } = self.entry.take_answer();
        if let Some(refusal) = self.overruled.take() {
            self.entry.set_deadline(None);
            if let Some(AnswerError { code: SqlState::QUERY_CANCELED, at: Some(at) }) = error {
                answer.truncate(at);
                refusal.write_answer(&mut answer);
            }
        }
        self.fill_from_flight(&answer);
        self.on_bound();
        let times = self.times_of_flight(since);
        let overheard = self.overhear(&analysis, length, &answer);
        let overheard = (overheard, (since, self.entry.landed.get()));
        self.count_shared(&analysis, times, (rows, error), overheard);
        self.after_unnamed(length, &answer, analysis);
        self.inbox.consume(length);
        self.inbox.rest(&self.worker.shelf);
        let sent = self.outbox.send(&mut self.stream, &self.worker.shelf, &answer);
        self.pool.traffic.on_sent(answer.len());
        self.worker.shelf.put_outbox(answer);
        let landed = self.entry.landed.get();
        self.worker.stats.on_request(landed.saturating_duration_since(since));
        let (waited, served) = times;
        self.pool.traffic.on_assigned(waited);
        self.pool.traffic.on_request(served, Some(served));
        if let Some(error) = error {
            self.on_error(error.code);
        }
        self.entry.requests.set(self.entry.requests.get() + 1);
        self.started = None;
        self.on_answered_by_pool();
        sent.map_err(|_| End::ClientGone)
    }

    /// How long the request, complete `since` then, waited for its flight, and how long that took.
    fn times_of_flight(&self, since: Instant) -> (Duration, Duration) {
        let boarded = self.entry.boarded.get().max(since);
        (boarded - since, self.entry.landed.get().saturating_duration_since(boarded))
    }

    /// A simple query destroys the session's unnamed statement, a Parse that succeeded makes a new one.
    pub(crate) fn after_unnamed(&mut self, length: usize, answer: &[u8], analysis: Arc<Analysis>) {
        let Some(request) = self.inbox.unread().get(..length) else { return };
        let Ok(Some((first, _))) = frame::split(request) else { return };
        match first.tag {
            tag::QUERY => self.unnamed.clear(),
            tag::PARSE if answer.first() == Some(&backend::tag::PARSE_COMPLETE) => {
                self.unnamed.on_parse(first.bytes, analysis);
            }
            tag::PARSE => self.unnamed.clear(),
            _ => {}
        }
    }
}

/// One statement that reads, has no effect on the session, and calls nothing unknown.
pub(crate) fn is_pure_read(analysis: &Analysis) -> bool {
    analysis.class == Class::Read
        && analysis.parsed
        && !analysis.has_effects
        && !analysis.calls_unknown_functions
        && analysis.statements.len() == 1
}

/// One complete request of a shape that may share, or be answered from the cache.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) runs: Runs<'a>,
    /// The types of parameters as its Parse says them.
    pub(crate) types: &'a [u8],
    pub(crate) bind: Option<Frame<'a>>,
    /// What follows the names in it.
    pub(crate) bound: &'a [u8],
    /// What its client has to be told besides the rows.
    pub(crate) around: Around,
    /// Bytes.
    pub(crate) length: usize,
}

/// What is asked, if these bytes are exactly one request of such a shape: a Query; or Parse (unnamed), Bind, Describe of the portal,
/// Execute without a row limit, Sync, all of the unnamed portal.
pub(crate) fn asked(unread: &[u8]) -> Option<Asked<'_>> {
    if unread.len() > LONGEST {
        return None;
    }
    let length = unread.len();
    let (first, rest) = next(unread)?;
    if first.tag == tag::QUERY {
        let sql = frontend::query_text(first.body).ok()?;
        let around = Around { describe: true, ..Around::default() };
        let asked =
            Asked { runs: Runs::Text(sql), types: &[], bind: None, bound: &[], around, length };
        return rest.is_empty().then_some(asked);
    }
    let (parse, bind, rest) = if first.tag == tag::PARSE {
        let parse = frontend::parse(first.body).ok()?;
        let (bind, rest) = next(rest)?;
        (Some(parse), bind, rest)
    } else {
        (None, first, rest)
    };
    if bind.tag != tag::BIND {
        return None;
    }
    let names = frontend::bind_names(bind.body).ok()??;
    let runs = match parse {
        Some(parse) if parse.name.is_empty() && names.statement.is_empty() => Runs::Text(parse.sql),
        None if !names.statement.is_empty() => Runs::Named(names.statement),
        _ => return None,
    };
    let describe = ends_plainly(rest).filter(|_| names.portal.is_empty())?;
    Some(Asked {
        runs,
        types: parse.map_or(&[], |parse| parse.parameter_types),
        bind: Some(bind),
        bound: bind.body.get(names.rest_at..)?,
        around: Around { parse: parse.is_some(), bind: true, describe },
        length,
    })
}

/// Whether `[Describe portal] Execute Sync` and nothing more has a Describe; `None`: this is something else.
fn ends_plainly(rest: &[u8]) -> Option<bool> {
    let (mut found, mut rest) = next(rest)?;
    let describe = found.tag == tag::DESCRIBE;
    if describe {
        let unnamed_portal = frontend::target(found.body)
            .is_ok_and(|(kind, name)| kind == frontend::Kind::Portal && name.is_empty());
        (found, rest) = next(rest).filter(|_| unnamed_portal)?;
    }
    let whole_portal = found.tag == tag::EXECUTE
        && frontend::execute_portal(found.body)
            .is_ok_and(|(portal, rows)| portal.is_empty() && rows == 0);
    let (last, after) = next(rest).filter(|_| whole_portal)?;
    (last.tag == tag::SYNC && after.is_empty()).then_some(describe)
}

fn next(bytes: &[u8]) -> Option<(Frame<'_>, &[u8])> {
    frame::split(bytes).ok().flatten()
}
