//! A request that runs once more: PostgreSQL refuses a prepared statement after its table was changed, and the client, which was
//! never told its rows, could not know. Its statements are prepared again and the request is sent again, unseen.
//!
//! Or its server goes away: a read without side effects, of which nothing has reached the client, is sent to another one.
//!
//! Invariant: only a request that stands alone, outside a transaction, of which nothing was executed, and only once, or a pure
//! read, a few times. Its bytes stay in the client's inbox until it is answered, so this costs nothing until it is needed.

use std::time::{Duration, Instant};

use howdah_core::reply::Serial;
use howdah_wire::backend::tag;

use crate::clock;
use crate::server::Server;
use crate::session::Session;

/// How often a request is sent again because its server went away.
pub(crate) const LOSSES: u32 = 8;

/// A read that has run for longer is not sent again.
const BRIEF: Duration = Duration::from_secs(1);

/// How far a request is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The request that is on its way cannot be sent again.
    #[default]
    Closed,
    /// The next frame begins a request.
    Fresh,
    /// The request is kept; so many replies of it have reached the client, none of which tells of rows or of an execution.
    Kept { answered: u32 },
    /// It failed, and is sent again after its ReadyForQuery.
    Failed { answered: u32 },
    /// It was sent again; so many replies to it are what the client has got before.
    Repeated { answered: u32 },
}

/// Whether the request on its way can be sent again.
#[derive(Debug, Default)]
pub(crate) struct Rerun {
    state: State,
    /// First message of the request.
    first: Serial,
    /// How often it was sent again because its server went away.
    losses: u32,
    /// What the lost server has answered to it was not passed on and must not be.
    unseen: bool,
}

impl Rerun {
    /// Whether nothing may be fed before the failed request has ended.
    pub(crate) const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Failed { .. })
    }

    /// Whether replies that have not reached the client belong to the request that is sent again.
    pub(crate) const fn is_unseen(&self) -> bool {
        self.unseen
    }

    /// The next frame begins a request.
    pub(crate) const fn open(&mut self) {
        self.state = State::Fresh;
    }

    /// The request must not be sent again: the client was told the rows of a statement.
    pub(crate) fn close(&mut self) {
        if matches!(self.state, State::Fresh | State::Kept { .. }) {
            self.state = State::Closed;
        }
    }

    /// Whether what is fed now begins a request: keep it.
    pub(crate) fn begins(&mut self, serial: Serial) -> bool {
        let begins = self.state == State::Fresh;
        if begins {
            self.first = serial;
            self.state = State::Kept { answered: 0 };
        }
        begins
    }

    /// The client is to get a reply with this tag. `false`: it has got it before.
    pub(crate) fn admits(&mut self, frame_tag: u8) -> bool {
        match (&mut self.state, frame_tag) {
            (State::Closed | State::Fresh | State::Failed { .. }, _) => {}
            (
                State::Kept { answered },
                tag::PARSE_COMPLETE | tag::BIND_COMPLETE | tag::CLOSE_COMPLETE,
            ) => *answered += 1,
            (
                State::Kept { .. },
                tag::ERROR | tag::NOTICE | tag::NOTIFICATION | tag::PARAMETER_STATUS,
            ) => {}
            (State::Kept { .. }, _) => self.state = State::Closed,
            (
                State::Repeated { answered },
                tag::PARSE_COMPLETE | tag::BIND_COMPLETE | tag::CLOSE_COMPLETE,
            ) if *answered > 0 => {
                *answered -= 1;
                return false;
            }
            (State::Repeated { .. }, _) => {}
        }
        true
    }
}

impl Session {
    /// PostgreSQL refuses a plan that is out of date, in messages up to, not including, `until`: whether the request is sent
    /// again, so that the client does not get the error.
    pub(crate) fn takes_back(&mut self, server: &Server, until: Serial) -> bool {
        let State::Kept { answered } = self.rerun.state else { return false };
        // The ReadyForQuery of this request is owed, and nothing else.
        let alone = server.queue.len() == 1 && self.body.is_none();
        if !alone || server.doomed.is_some() || !self.inbox.rewind() {
            return false;
        }
        self.rerun.state = State::Failed { answered };
        self.statements.on_failed(self.rerun.first, until);
        self.on_effects_failed(self.rerun.first, until);
        self.calls.forget();
        self.failed = false;
        true
    }

    /// ReadyForQuery has come for a request that failed and is to be sent again: the server forgets the statements it has.
    pub(crate) fn run_again(&mut self, server: &mut Server) {
        if let State::Failed { answered } = self.rerun.state {
            self.rerun.state = State::Repeated { answered };
            self.fed = 0;
            server.close_prepared(self.entry.id, &self.worker.shelf);
            self.caching.filling = None;
        }
    }

    /// The server is lost: whether the request goes to another one. Not if its outcome is unknown, or the client has seen some
    /// of its answer.
    pub(crate) fn goes_elsewhere(&mut self) -> bool {
        if self.rerun.losses >= LOSSES || self.pin.is_some() || self.misaligned || self.ready_owed {
            return false;
        }
        let (unsent, again) = match self.rerun.state {
            State::Fresh => (true, false),
            State::Closed | State::Kept { .. } => (false, true),
            State::Failed { .. } | State::Repeated { .. } => (false, false),
        };
        let alone = self.fed <= 1 && self.body.is_none();
        // Whoever ends a server because of a statement that runs for long does not want it to run again.
        let brief =
            |(_, since): (u64, Instant)| clock::now().saturating_duration_since(since) < BRIEF;
        let pure = again && alone && self.running.is_some_and(brief) && self.relayed == 0;
        let possible = unsent || (pure && self.inbox.rewind());
        if !possible {
            return false;
        }
        if pure {
            self.statements.on_failed(self.rerun.first, Serial::MAX);
        }
        self.rerun.losses += 1;
        self.rerun.unseen = pure;
        true
    }

    /// Leaves the server that was lost; the request is in the inbox again.
    pub(crate) fn leave_lost_server(&mut self) {
        let lost = self.routing.away();
        self.rerun.state = State::Closed;
        self.running = None;
        self.caching.filling = None;
        self.failed = false;
        (self.aligning, self.align_error) = (None, None);
        (self.misaligned, self.ready_owed, self.audible) = (false, false, false);
        self.release();
        if let Some(replica) = lost {
            self.avoid(replica);
        }
    }

    /// A request was answered.
    pub(crate) fn on_request_answered(&mut self, server: &Server, idle: bool) {
        let fresh = idle && server.queue.is_settled();
        self.rerun.losses = 0;
        self.rerun.state = if fresh { State::Fresh } else { State::Closed };
        self.inbox.forget();
    }
}
