//! What the rest of a worker knows of a session, and how it reaches it: the session's line in reports, its deadline, a server
//! that is handed to it, a signal. The session itself owns everything else.
//!
//! Invariant: only the session takes from `granted` and `signal`; whoever puts something there wakes it.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use howdah_core::session::Context as SessionContext;
use howdah_wire::sqlstate::SqlState;

use crate::error::Refusal;
use crate::flight::Flight;
use crate::pool::Pool;
use crate::rows;
use crate::server::{CancelTarget, Server, SessionId};
use crate::share::SharedRequest;
use crate::stream::Peer;
use crate::tenure::Tenure;
use crate::tls::TlsInfo;

/// What somebody else wants of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// The client sent a cancel request while its request waited for a server.
    Cancel,
    /// Another process takes over: go there when idle.
    Move,
    /// The worker is draining: end as soon as no transaction is open.
    Drain,
    /// End now.
    Terminate,
    /// An administrator wants it gone, its server with it.
    Kill,
    /// The deadline has passed.
    Deadline(Deadline),
}

/// What happens when a deadline passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// The request ran longer than `pool.query_timeout`.
    Query(Duration),
    /// The request was cancelled for that, and the server does not answer.
    Unanswered(Duration),
    /// The transaction was open longer than `pool.transaction_timeout`.
    Transaction(Duration),
    /// The client was idle in a transaction.
    IdleInTransaction(Duration),
    /// The client was idle.
    Idle(Duration),
}

/// What a session is doing, for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    /// Logging in.
    Login,
    /// Without a request.
    Idle,
    /// Waiting for a server.
    Waiting,
    /// Holding a server.
    Active,
}

/// Answer to a waiter.
#[derive(Debug)]
pub(crate) enum Grant {
    Server(Box<Server>),
    Refused(Refusal),
    /// A shared request is answered: [`Entry::take_answer`].
    Answered,
    /// A shared request was not answered: it is to wait for another flight.
    Again,
    /// A shared request needs a server of its own.
    Alone,
    /// A shared request was to be answered by a server opened before this one.
    TooNew,
    /// The server of a shared request is gone; `told`: parts of its answer were passed on.
    Lost {
        told: bool,
    },
}

/// Reply to a shared request.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    /// Rows that its command tag tells of.
    pub(crate) rows: u64,
    /// The error with which the request ended.
    pub(crate) error: Option<AnswerError>,
}

/// The error in an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnswerError {
    pub(crate) code: SqlState,
    /// Where it begins in the bytes; `None`: it has been handed over.
    pub(crate) at: Option<usize>,
}

/// What a session has to be reached by.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: SessionId,
    /// Process id and secret that the client knows, for cancel requests.
    pub(crate) process_id: u32,
    pub(crate) secret: Vec<u8>,
    pub(crate) peer: Peer,
    pub(crate) tls: Option<TlsInfo>,
    /// The address it came to.
    pub(crate) local: Option<SocketAddr>,
    pub(crate) database: Box<str>,
    pub(crate) user: Box<str>,
    /// It is an administrator's, not an application's.
    pub(crate) is_console: bool,
    pub(crate) since: Instant,
    /// When the last request was complete.
    pub(crate) requested: Cell<Instant>,
    /// Since when it waits for a server.
    pub(crate) waiting: Cell<Option<Instant>>,
    /// When its last shared request was written to a server.
    pub(crate) boarded: Cell<Instant>,
    /// When its last shared request was answered.
    pub(crate) landed: Cell<Instant>,
    /// The wait is so long that the client should be told.
    pub(crate) notice_due: Cell<bool>,
    /// Its settings, as they were when it last gave a server back.
    pub(crate) context: RefCell<Arc<SessionContext>>,
    /// Named statements, as above.
    pub(crate) prepared: Cell<usize>,
    pub(crate) activity: Cell<Activity>,
    /// How long it has had its server, and whether it keeps it.
    pub(crate) tenure: Tenure,
    pub(crate) requests: Cell<u64>,
    /// Form of the statement that was sent last; 0: none, or not known.
    pub(crate) form: Cell<u64>,
    /// The pool that its request goes to, or waits at.
    pool: RefCell<Weak<Pool>>,
    /// Where a cancel request for what it runs now goes.
    pub(crate) cancel: RefCell<Option<Rc<CancelTarget>>>,
    pub(crate) granted: RefCell<Option<Grant>>,
    /// The request that waits for a flight.
    pub(crate) shared: RefCell<Option<SharedRequest>>,
    /// The flight that the request is on.
    pub(crate) flight: RefCell<Option<Rc<Flight>>>,
    answer: RefCell<Answer>,
    /// The part of a long answer that the session has not taken, and whether it ends inside a frame.
    part: RefCell<(Vec<u8>, bool)>,
    /// The session has a part of an answer that ends inside a frame, and nothing after it.
    torn: Cell<bool>,
    signal: Cell<Option<Signal>>,
    deadline: Cell<Option<(Instant, Deadline)>>,
    waker: RefCell<Option<Waker>>,
}

/// Who a session is.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) id: SessionId,
    pub(crate) process_id: u32,
    pub(crate) secret: Vec<u8>,
    pub(crate) peer: Peer,
    pub(crate) tls: Option<TlsInfo>,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) database: Box<str>,
    pub(crate) user: Box<str>,
    pub(crate) is_console: bool,
}

impl Entry {
    pub(crate) fn new(identity: Identity, now: Instant) -> Self {
        let Identity { id, process_id, secret, peer, tls, local, database, user, is_console } =
            identity;
        Self {
            id,
            process_id,
            secret,
            peer,
            tls,
            local,
            database,
            user,
            is_console,
            since: now,
            requested: Cell::new(now),
            waiting: Cell::new(None),
            boarded: Cell::new(now),
            landed: Cell::new(now),
            notice_due: Cell::new(false),
            context: RefCell::default(),
            prepared: Cell::new(0),
            activity: Cell::new(Activity::Login),
            tenure: Tenure::default(),
            requests: Cell::new(0),
            form: Cell::new(0),
            pool: RefCell::default(),
            cancel: RefCell::new(None),
            granted: RefCell::new(None),
            shared: RefCell::new(None),
            flight: RefCell::new(None),
            answer: RefCell::default(),
            part: RefCell::default(),
            torn: Cell::new(false),
            signal: Cell::new(None),
            deadline: Cell::new(None),
            waker: RefCell::new(None),
        }
    }

    /// Registers the session's task for the next signal or grant.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match waker.as_ref() {
            Some(known) if known.will_wake(cx.waker()) => {}
            _ => *waker = Some(cx.waker().clone()),
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Answers a waiter.
    pub(crate) fn grant(&self, grant: Grant) {
        *self.granted.borrow_mut() = Some(grant);
        self.wake();
    }

    /// Answers a shared request.
    pub(crate) fn answer(&self, answer: Answer, now: Instant) {
        self.landed.set(now);
        *self.answer.borrow_mut() = answer;
        self.grant(Grant::Answered);
    }

    /// A shared request was written to the server of its flight.
    pub(crate) fn on_boarded(&self, now: Instant) {
        self.boarded.set(now);
        self.waiting.set(None);
        self.activity.set(Activity::Active);
    }

    /// A shared request is not with a server any more.
    pub(crate) fn on_off_board(&self) {
        *self.flight.borrow_mut() = None;
        self.set_deadline(None);
        self.tenure.end();
    }

    /// Takes the answer to a shared request, or what is left of it.
    pub(crate) fn take_answer(&self) -> Answer {
        self.torn.set(false);
        self.answer.take()
    }

    /// Hands over a part of a long answer; `torn`: it ends inside a frame.
    pub(crate) fn spill(&self, part: &mut Vec<u8>, torn: bool) {
        let mut waiting = self.part.borrow_mut();
        waiting.0.append(part);
        waiting.1 = torn;
        drop(waiting);
        self.wake();
    }

    /// Takes the parts of a long answer that were handed over.
    pub(crate) fn take_part(&self) -> Option<Vec<u8>> {
        let (part, torn) = self.part.take();
        if part.is_empty() {
            return None;
        }
        self.torn.set(torn);
        Some(part)
    }

    /// Whether what was taken of an answer ends inside a frame.
    pub(crate) fn is_torn(&self) -> bool {
        self.torn.get()
    }

    /// Has the client told that it waits.
    pub(crate) fn notify(&self) {
        self.notice_due.set(true);
        self.wake();
    }

    /// The pool that its request goes to, or waits at.
    pub(crate) fn pool(&self) -> Option<Rc<Pool>> {
        self.pool.borrow().upgrade()
    }

    pub(crate) fn set_pool(&self, pool: &Rc<Pool>) {
        *self.pool.borrow_mut() = Rc::downgrade(pool);
    }

    /// Sends a signal; a stronger one that was not yet taken stays.
    pub(crate) fn signal(&self, signal: Signal) {
        let stays = match self.signal.get() {
            Some(Signal::Terminate | Signal::Kill) => true,
            Some(_) => signal == Signal::Move,
            None => false,
        };
        if !stays {
            self.signal.set(Some(signal));
        }
        self.wake();
    }

    pub(crate) fn take_signal(&self) -> Option<Signal> {
        self.signal.take()
    }

    /// Sets or clears the deadline; `tick` looks at it.
    pub(crate) fn set_deadline(&self, deadline: Option<(Instant, Deadline)>) {
        self.deadline.set(deadline);
    }

    /// Signals a deadline that has passed. Whether its transaction has just become a leak.
    pub(crate) fn tick(&self, now: Instant) -> bool {
        if let Some((at, deadline)) = self.deadline.get()
            && now >= at
        {
            self.deadline.set(None);
            self.signal(Signal::Deadline(deadline));
        }
        if let Some(timeout) = self.tenure.take_end(now) {
            self.signal(Signal::Deadline(Deadline::Transaction(timeout)));
        }
        let leak = self.tenure.take_leak(now);
        if let Some(leak) = leak {
            tracing::warn!(
                client = %self.peer,
                user = ?self.user,
                database = ?self.database,
                application = ?rows::application(self),
                state = leak.state,
                age = ?leak.age,
                server_pid = self.cancel.borrow().as_ref().map(|target| target.process_id),
                "a client holds a server for longer than pool.leak_threshold"
            );
        }
        leak.is_some()
    }
}
