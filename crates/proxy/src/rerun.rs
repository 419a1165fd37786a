//! A request that runs once more: PostgreSQL refuses a prepared statement after its table was changed, and the client, which was
//! never told its rows, could not know. Its statements are prepared again and the request is sent again, unseen.
//!
//! Invariant: only a request that stands alone, outside a transaction, of which nothing was executed, and only once. Its bytes
//! stay in the client's inbox until it is answered, so this costs nothing until it is needed.

use howdah_core::reply::Serial;
use howdah_wire::backend::tag;

use crate::server::Server;
use crate::session::Session;

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
}

impl Rerun {
    /// Whether nothing may be fed before the failed request has ended.
    pub(crate) const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Failed { .. })
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
        self.failed = false;
        true
    }

    /// ReadyForQuery has come for a request that failed and is to be sent again: the server forgets the statements it has.
    pub(crate) fn run_again(&mut self, server: &mut Server) {
        if let State::Failed { answered } = self.rerun.state {
            self.rerun.state = State::Repeated { answered };
            self.fed = 0;
            server.close_prepared(self.entry.id, &self.worker.shelf);
        }
    }

    /// A request was answered.
    pub(crate) fn on_request_answered(&mut self, server: &Server, idle: bool) {
        let fresh = idle && server.queue.is_settled();
        self.rerun.state = if fresh { State::Fresh } else { State::Closed };
        self.inbox.forget();
    }
}
