//! The calls of a session: which statement forms were sent and not answered yet, and what becomes of them. When they are answered, the
//! worker's tally is told (`howdah_core::statements`). Without waiting.
//!
//! Invariant: a call is counted once, when it is answered; what was skipped after an error, or was lost with its server, is not one.
//! Nothing is allocated for the usual call, and no clock is read. Values are looked at only where statements repeat, answers listened to only after one form was
//! suspected to run for each row of another.
//!
//! Length: what is sent, and what becomes of it in each of the ways an answer comes, are one thing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use howdah_core::reply::Serial;
use howdah_core::session::Context;
use howdah_core::statements::{
    Asked, Call, Given, Heard, Listening, NameId, Recent, ScopeId, Visits,
};
use howdah_sql::{Analysis, Class};
use howdah_wire::backend::{self, tag};
use howdah_wire::sqlstate::SqlState;

use crate::entry::{AnswerError, Entry};
use crate::rows;
use crate::session::Session;
use crate::traffic::micros;
use crate::worker::Worker;

/// Named portals whose statement is remembered; what others run counts as unknown.
const PORTALS: usize = 64;

/// After a longer pipeline the memory for it is given back.
const KEPT: usize = 64;

/// One call that was sent.
#[derive(Debug)]
struct Sent {
    serial: Serial,
    runs: Runs,
    rows: u64,
    error: Option<SqlState>,
}

/// What a call runs, and what of the application's code sends it.
#[derive(Debug, Clone)]
struct Runs {
    analysis: Arc<Analysis>,
    route: NameId,
    /// What it asks with, if that is wanted.
    asked: Asked,
    /// Its answer should be listened to.
    listen: bool,
}

/// An answer that is listened to.
#[derive(Debug)]
struct Ear {
    /// The message that it answers.
    serial: Serial,
    heard: Box<Listening>,
    /// Bytes that were heard and are still in the inbox.
    unused: usize,
}

impl Runs {
    fn of(analysis: Arc<Analysis>, route: NameId) -> Self {
        Self { analysis, route, asked: Asked::NONE, listen: false }
    }
}

/// What of a request and its answer is wanted: what it asked with, and what it gave.
pub(crate) type Overheard = (Asked, Option<Box<Given>>);

/// Calls of one session.
#[derive(Debug)]
pub(crate) struct Calls {
    /// They are counted.
    counted: bool,
    /// Whose they are.
    scope: ScopeId,
    application: NameId,
    address: NameId,
    /// Of the statement that is sent, or bound, next.
    pub(crate) route: NameId,
    sent: VecDeque<Sent>,
    /// When the request at hand was written to its server, and when the last of its answer came.
    pub(crate) written: Option<Instant>,
    pub(crate) came: Option<Instant>,
    /// What it ran last.
    recent: Recent,
    /// The answer to this message is listened to.
    listening: Option<Ear>,
    /// What the transaction at hand has asked.
    visits: Visits,
    /// What the unnamed portal runs.
    portal: Option<Runs>,
    /// What others run.
    portals: Vec<(Box<[u8]>, Runs)>,
    /// Stands for what is not known.
    unknown: Arc<Analysis>,
}

impl Calls {
    /// Those of a new session.
    pub(crate) fn of(worker: &Worker, entry: &Entry) -> Self {
        let scope = worker.shared.statements.lock().scope(&entry.database, &entry.user);
        let mut calls = Self::new(scope, Arc::clone(&worker.unknown));
        calls.counted = worker.settings_in_force().counts_statements;
        calls.address = worker.statements.borrow_mut().name(&entry.peer.host());
        calls
    }

    fn new(scope: ScopeId, unknown: Arc<Analysis>) -> Self {
        Self {
            counted: true,
            scope,
            application: NameId::default(),
            address: NameId::default(),
            route: NameId::default(),
            sent: VecDeque::new(),
            written: None,
            came: None,
            recent: Recent::default(),
            listening: None,
            visits: Visits::default(),
            portal: None,
            portals: Vec::new(),
            unknown,
        }
    }

    /// A call is sent as message `serial`.
    pub(crate) fn on_sent(&mut self, serial: Serial, analysis: &Arc<Analysis>) {
        if !self.counted {
            return;
        }
        let runs = Runs::of(Arc::clone(analysis), self.route);
        self.push(serial, runs);
    }

    /// A call of a text is sent as message `serial`.
    pub(crate) fn on_query_sent(
        &mut self,
        serial: Serial,
        (analysis, sql): (&Arc<Analysis>, &[u8]),
        listen: bool,
    ) {
        if !self.counted {
            return;
        }
        let mut runs = Runs { listen, ..Runs::of(Arc::clone(analysis), self.route) };
        if self.recent.wants(analysis.fingerprint.0) {
            runs.asked = Asked::of_text(sql);
        }
        self.push(serial, runs);
    }

    fn push(&mut self, serial: Serial, runs: Runs) {
        if runs.listen && self.sent.is_empty() {
            self.listening = Some(Ear { serial, heard: Box::default(), unused: 0 });
        }
        self.sent.push_back(Sent { serial, runs, rows: 0, error: None });
    }

    /// Bytes of an answer have come, of which the first may have been there before.
    #[inline]
    pub(crate) fn on_came(&mut self, unread: &[u8]) {
        if let Some(ear) = &mut self.listening {
            ear.heard.take(unread.get(ear.unused..).unwrap_or_default());
            ear.unused = unread.len();
        }
    }

    /// So many of them were used.
    #[inline]
    pub(crate) fn on_used(&mut self, count: usize) {
        if let Some(ear) = &mut self.listening {
            ear.unused = ear.unused.saturating_sub(count);
        }
    }

    /// A call of something that was not looked at is sent as message `serial`.
    pub(crate) fn on_unknown_sent(&mut self, serial: Serial) {
        self.route = NameId::default();
        self.on_sent(serial, &Arc::clone(&self.unknown));
    }

    /// A portal is made. `bound` is what follows the names in its Bind.
    pub(crate) fn on_bind(
        &mut self,
        portal: &[u8],
        analysis: Option<&Arc<Analysis>>,
        (bound, listen): (&[u8], bool),
    ) {
        if !self.counted {
            return;
        }
        let runs = analysis.map(|of| {
            let mut runs = Runs { listen, ..Runs::of(Arc::clone(of), self.route) };
            if listen || self.recent.wants(of.fingerprint.0) {
                runs.asked = Asked::of_bound(bound);
            }
            runs
        });
        if portal.is_empty() {
            self.portal = runs;
            return;
        }
        self.portals.retain(|(name, _)| **name != *portal);
        if let Some(runs) = runs.filter(|_| self.portals.len() < PORTALS) {
            self.portals.push((portal.into(), runs));
        }
    }

    /// A portal is executed by message `serial`, whose body this is.
    pub(crate) fn on_execute(&mut self, serial: Serial, body: &[u8]) {
        if !self.counted {
            return;
        }
        let name = body.split(|byte| *byte == 0).next().unwrap_or_default();
        let runs = if name.is_empty() {
            self.portal.as_ref()
        } else {
            let named = self.portals.iter().find(|(portal, _)| **portal == *name);
            named.map(|(_, runs)| runs)
        };
        let unknown = || Runs::of(Arc::clone(&self.unknown), NameId::default());
        let runs = runs.map_or_else(unknown, Runs::clone);
        self.push(serial, runs);
    }

    /// A statement of message `serial` has ended.
    pub(crate) fn on_ended(&mut self, serial: Serial, frame_tag: u8, body: &[u8]) {
        if frame_tag != tag::COMMAND_COMPLETE {
            return;
        }
        // Messages of Howdah's own in the place of a query have later numbers.
        let behind = match self.sent.front() {
            Some(_) if self.sent.len() == 1 => 1,
            _ => self.sent.partition_point(|sent| sent.serial <= serial),
        };
        if let Some(sent) = behind.checked_sub(1).and_then(|at| self.sent.get_mut(at)) {
            sent.rows = sent.rows.wrapping_add(rows(body));
        }
    }

    /// The message `from` failed; those up to, not including, `until` were skipped.
    pub(crate) fn on_failed(&mut self, (from, until): (Serial, Serial), code: SqlState) {
        let first = self.sent.partition_point(|sent| sent.serial < from);
        let behind = self.sent.partition_point(|sent| sent.serial < until);
        if let Some(sent) = self.sent.get_mut(first).filter(|sent| sent.serial < until) {
            sent.error = Some(code);
            self.sent.drain(first + 1..behind);
        }
    }

    /// What was sent is not answered: it will be sent again, or its server is gone.
    pub(crate) fn forget(&mut self) {
        self.listening = None;
        self.sent.clear();
    }

    /// The session has no server, and so no portals.
    pub(crate) fn on_released(&mut self) {
        self.listening = None;
        self.sent.clear();
        self.portals.clear();
        self.portal = None;
        if self.sent.capacity() > KEPT {
            self.sent.shrink_to(KEPT);
        }
    }
}

/// Rows that a command tag tells of.
pub(crate) fn rows(body: &[u8]) -> u64 {
    let command = backend::command_tag(body).unwrap_or_default();
    let digits = command.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let number = |sum: u64, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    };
    digits.iter().try_fold(0, number).unwrap_or(0)
}

impl Session {
    /// What a statement says of where in an application it comes from.
    pub(crate) fn route_of(&self, sql: &[u8]) -> NameId {
        let route = howdah_sql::route(sql);
        route.map_or_else(NameId::default, |route| self.worker.statements.borrow_mut().name(&route))
    }

    /// The session has another `application_name` perhaps.
    pub(crate) fn note_application(&mut self, context: &Context) {
        let name = rows::application_in(context);
        self.calls.application = self.worker.statements.borrow_mut().name(&name);
    }

    /// How long Howdah itself took over the request that had a server from `served` on and is answered at `now`: until it was written, and
    /// from when its answer came. `behind`: the next one was sent behind it, and with it.
    pub(crate) fn overhead(&mut self, served: Instant, now: Instant, behind: bool) -> Duration {
        let calls = &mut self.calls;
        let before = calls.written.map(|at| at.saturating_duration_since(served));
        let after = calls.came.map(|at| now.saturating_duration_since(at));
        calls.written = behind.then_some(now);
        before.unwrap_or_default() + after.unwrap_or_default()
    }

    /// The requests before message `until`, which came and were answered then, are done: their calls waited for a server and were served so
    /// long, of which Howdah itself took a part. Calls of one request share its time, as which of them took it cannot be seen from here; BEGIN and its like take
    /// none.
    pub(crate) fn count_calls(
        &mut self,
        until: Serial,
        times: (Instant, Instant),
        (wait, served): (Duration, Duration),
        overhead: Duration,
    ) {
        let done = match self.calls.sent.front() {
            None => return,
            Some(first) if self.calls.sent.len() == 1 => usize::from(first.serial < until),
            Some(_) => self.calls.sent.partition_point(|sent| sent.serial < until),
        };
        let takes_time = |sent: &&Sent| sent.runs.analysis.class != Class::TransactionControl;
        let heavy = self.calls.sent.iter().take(done).filter(takes_time).count();
        let among = u64::try_from(if heavy > 0 { heavy } else { done }).unwrap_or(1).max(1);
        let (wait_us, server_us) = (micros(wait) / among, micros(served) / among);
        let overhead_us = micros(overhead.min(served)) / among;
        let on_replica = self.routing.is_away();
        let threshold = self.pool.ledger.borrow().config().slow_threshold;
        let slow_us = threshold.map_or(u64::MAX, micros);
        let mut slow = Vec::new();
        let mut tally = self.worker.statements.borrow_mut();
        for sent in self.calls.sent.drain(..done) {
            let origin = [self.calls.application, self.calls.address, sent.runs.route];
            let (rows, error) = (sent.rows, sent.error);
            let mut call = Call { rows, error, on_replica, origin, ..Call::default() };
            if heavy == 0 || takes_time(&&sent) {
                (call.wait_us, call.server_us) = (wait_us, server_us);
                call.overhead_us = Some(overhead_us);
            }
            let analysis = &sent.runs.analysis;
            tally.on_call(self.calls.scope, analysis, &call);
            self.calls.visits.on_call(analysis);
            let listened = self.calls.listening.take_if(|ear| ear.serial == sent.serial);
            let asked = sent.runs.asked;
            let heard = Heard {
                form: analysis.fingerprint.0,
                class: analysis.class,
                rows: sent.rows,
                asked,
                given: listened.map(|ear| Box::new(ear.heard.end(&asked))),
                times,
                origin,
            };
            let (scope, session) = (self.calls.scope, self.entry.id);
            self.calls.recent.on_call(heard, &mut |chain| tally.on_chain(scope, session, &chain));
            if call.wait_us + call.server_us >= slow_us {
                slow.push((sent.runs.analysis, call));
            }
        }
        drop(tally);
        if let Some(threshold) = threshold.filter(|_| !slow.is_empty()) {
            self.on_slow(slow, threshold, self.inbox.kept());
        }
    }

    /// A request was answered that a server worked on for so long; and, if a transaction ended with it, how long that was.
    pub(crate) fn count_visit(&mut self, served: Duration, transaction: Option<Duration>) {
        self.calls.visits.on_request(micros(served));
        if let Some(lasted) = transaction
            && let Some(chatty) = self.calls.visits.end(micros(lasted))
            && self.calls.counted
        {
            self.worker.statements.borrow_mut().on_chatty(self.calls.scope, chatty);
        }
    }

    /// A shared request was answered.
    pub(crate) fn count_shared(
        &mut self,
        analysis: &Arc<Analysis>,
        (wait, served): (Duration, Duration),
        (rows, error): (u64, Option<AnswerError>),
        overheard: (Overheard, (Instant, Instant)),
    ) {
        let call = Call {
            rows,
            error: error.map(|error| error.code),
            wait_us: micros(wait),
            server_us: micros(served),
            on_replica: self.routing.is_away(),
            shared: true,
            ..Call::default()
        };
        self.count_alone(analysis, call, overheard);
        if !self.calls.counted {
            return;
        }
        let threshold = self.pool.ledger.borrow().config().slow_threshold;
        if let Some(threshold) = threshold.filter(|threshold| wait + served >= *threshold) {
            self.on_slow(vec![(Arc::clone(analysis), call)], threshold, Some(self.inbox.unread()));
        }
    }

    /// The result cache has answered a request, in so much time.
    pub(crate) fn count_cached(
        &mut self,
        analysis: &Arc<Analysis>,
        (rows, time): (u64, Duration),
        overheard: (Overheard, (Instant, Instant)),
    ) {
        let call = Call { rows, server_us: micros(time), cached: true, ..Call::default() };
        self.count_alone(analysis, call, overheard);
    }

    /// A request of one call was answered, whose route was set.
    fn count_alone(
        &mut self,
        analysis: &Arc<Analysis>,
        call: Call,
        ((asked, given), times): (Overheard, (Instant, Instant)),
    ) {
        let calls = &mut self.calls;
        if !calls.counted {
            return;
        }
        let origin = [calls.application, calls.address, calls.route];
        let mut tally = self.worker.statements.borrow_mut();
        tally.on_call(calls.scope, analysis, &Call { origin, ..call });
        let heard = Heard {
            form: analysis.fingerprint.0,
            class: analysis.class,
            rows: call.rows,
            asked,
            given,
            times,
            origin,
        };
        let (scope, session) = (calls.scope, self.entry.id);
        calls.recent.on_call(heard, &mut |chain| tally.on_chain(scope, session, &chain));
    }

    /// Of a request of one call, `length` bytes at the beginning of the inbox, and its whole answer.
    pub(crate) fn overhear(&self, analysis: &Analysis, length: usize, answer: &[u8]) -> Overheard {
        let listen = self.calls.counted && self.listens_to(analysis);
        if !listen && !self.calls.recent.wants(analysis.fingerprint.0) {
            return (Asked::NONE, None);
        }
        let request = self.inbox.unread().get(..length).unwrap_or_default();
        let asked = Asked::of_request(request);
        (asked, listen.then(|| Box::new(Given::of_answer(answer, &asked))))
    }

    /// Whether the answer of a form that is sent now should be listened to.
    pub(crate) fn listens_to(&self, analysis: &Analysis) -> bool {
        self.worker.statements.borrow_mut().listen(analysis.fingerprint.0)
    }

    /// What repeats in what the session ran last is complete: it ends.
    pub(crate) fn end_calls(&mut self) {
        if self.calls.counted {
            let (scope, session) = (self.calls.scope, self.entry.id);
            let mut tally = self.worker.statements.borrow_mut();
            self.calls.recent.end(&mut |chain| tally.on_chain(scope, session, &chain));
        }
    }

    /// The client is told of an error.
    pub(crate) fn on_error(&self, code: SqlState) {
        self.worker.stats.on_error();
        self.worker.statements.borrow_mut().on_error(self.calls.scope, code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls() -> Calls {
        Calls::new(ScopeId::default(), Arc::new(Analysis::unknown()))
    }

    #[test]
    fn rows_are_what_command_tags_say() {
        assert_eq!(rows(b"SELECT 5\0"), 5);
        assert_eq!(rows(b"INSERT 0 12\0"), 12);
        assert_eq!(rows(b"CREATE TABLE\0"), 0);
        assert_eq!(rows(b"BEGIN\0"), 0);
        assert_eq!(rows(b""), 0);
        assert_eq!(rows(b"SELECT 99999999999999999999\0"), 0);
    }

    #[test]
    fn of_a_segment_that_fails_the_first_call_has_the_error_and_the_rest_is_no_call() {
        let mut calls = calls();
        for serial in [3, 5, 7, 9] {
            calls.on_unknown_sent(serial);
        }
        calls.on_ended(3, tag::COMMAND_COMPLETE, b"SELECT 2\0");
        calls.on_failed((4, 9), SqlState::SYNTAX_ERROR);
        let left: Vec<_> =
            calls.sent.iter().map(|sent| (sent.serial, sent.rows, sent.error)).collect();
        assert_eq!(left, [(3, 2, None), (5, 0, Some(SqlState::SYNTAX_ERROR)), (9, 0, None)]);
    }

    #[test]
    fn an_error_of_no_call_leaves_calls_alone() {
        let mut calls = calls();
        calls.on_unknown_sent(9);
        calls.on_failed((4, 6), SqlState::SYNTAX_ERROR);
        assert!(calls.sent.iter().all(|sent| sent.error.is_none()));
    }

    #[test]
    fn portals_run_what_they_were_made_of() {
        let mut calls = calls();
        let form = |number| {
            let mut analysis = Analysis::unknown();
            analysis.fingerprint = howdah_sql::Fingerprint(number);
            Arc::new(analysis)
        };
        calls.on_bind(b"", Some(&form(1)), (b"", false));
        calls.on_bind(b"c", Some(&form(2)), (b"", false));
        calls.on_execute(1, b"\0\0\0\0\0");
        calls.on_execute(2, b"c\0\0\0\0\0");
        calls.on_bind(b"c", Some(&form(3)), (b"", false));
        calls.on_execute(3, b"c\0\0\0\0\0");
        calls.on_execute(4, b"who\0\0\0\0\0");
        let forms: Vec<u64> =
            calls.sent.iter().map(|sent| sent.runs.analysis.fingerprint.0).collect();
        assert_eq!(forms, [1, 2, 3, 0]);
    }
}
