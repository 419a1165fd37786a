//! One connection to PostgreSQL: its socket, its reply queue, and what is known to be on it (settings, prepared statements).
//! Opening it is `connect`; who may use it is the pool's business.
//!
//! Invariant: a server is reused only when its reply queue is settled, its transaction status is idle and nothing unread is
//! left; whatever else happened to it dooms it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Instant;

use howdah_core::reply::{Delivery, Disposition, Kind, ReplyQueue, Serial, is_free};
use howdah_core::session::{Context, Prepared, Settings};
use howdah_wire::backend::TransactionStatus;
use howdah_wire::frontend;

use crate::buffer::{Inbox, Outbox, Shelf};
use crate::faults::{self, Fault};
use crate::quota::Permit;
use crate::settings::NodeAddress;
use crate::stream::Stream;

/// Number of a session, unique in its worker.
pub(crate) type SessionId = u64;

/// Where a cancel request for a server goes, and who waits until it has arrived.
#[derive(Debug)]
pub(crate) struct CancelTarget {
    pub(crate) address: NodeAddress,
    pub(crate) process_id: u32,
    pub(crate) secret: Vec<u8>,
    /// Cancel requests on their way. The server must not change hands before they have arrived.
    pub(crate) pending: Cell<u32>,
    /// The server, when it came back while a cancel request was on its way.
    pub(crate) parked: RefCell<Option<Box<Server>>>,
}

/// Which prepared statements a server has, by number.
#[derive(Debug, Default)]
pub(crate) struct PreparedSet {
    known: HashMap<u64, Known, foldhash::fast::RandomState>,
    clock: u64,
    /// Grows when all statements are deallocated, so that a name is never made twice.
    epoch: u32,
}

#[derive(Debug)]
struct Known {
    since: Serial,
    used: u64,
}

impl PreparedSet {
    /// Whether the server has the statement; marks it as used.
    pub(crate) fn touch(&mut self, id: u64) -> bool {
        self.clock += 1;
        self.known.get_mut(&id).is_some_and(|known| {
            known.used = self.clock;
            true
        })
    }

    pub(crate) fn insert(&mut self, id: u64, since: Serial) {
        self.clock += 1;
        self.known.insert(id, Known { since, used: self.clock });
    }

    pub(crate) fn remove(&mut self, id: u64) {
        self.known.remove(&id);
    }

    /// Messages from `from` up to, not including, `until` were not executed.
    pub(crate) fn on_failed(&mut self, from: Serial, until: Serial) {
        self.known.retain(|_, known| !(from..until).contains(&known.since));
    }

    /// Forgets all: they are deallocated, or nobody knows.
    pub(crate) fn forget_all(&mut self) {
        self.known.clear();
        self.epoch += 1;
    }

    /// The least recently used statement when there are `max` or more; it is forgotten.
    pub(crate) fn evict(&mut self, max: usize) -> Option<u64> {
        if self.known.len() < max.max(1) {
            return None;
        }
        let (&id, _) = self.known.iter().min_by_key(|(_, known)| known.used)?;
        self.known.remove(&id);
        Some(id)
    }

    /// The statement's name on this server.
    pub(crate) fn name(&self, id: u64) -> String {
        match self.epoch {
            0 => format!("howdah_{id}"),
            epoch => format!("howdah_{id}_{epoch}"),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}

/// A backend frame whose body is passed on as it comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Body {
    pub(crate) left: usize,
    pub(crate) delivery: Delivery<SessionId>,
}

/// One connection to PostgreSQL.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) stream: Stream,
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
    pub(crate) queue: ReplyQueue<SessionId>,
    pub(crate) status: TransactionStatus,
    /// The backend frame that is being passed on.
    pub(crate) body: Option<Body>,
    /// Settings made on it since it was opened.
    pub(crate) settings: Settings,
    pub(crate) prepared: PreparedSet,
    /// Whose unnamed statement it has, and which version.
    pub(crate) unnamed: Option<(SessionId, u64)>,
    /// What it reported as ParameterStatus.
    pub(crate) parameters: BTreeMap<Box<[u8]>, Box<[u8]>>,
    pub(crate) cancel: Rc<CancelTarget>,
    pub(crate) opened: Instant,
    pub(crate) expires: Instant,
    /// Revision of the settings it was opened under; an older one is closed when the pool's address or login changed.
    pub(crate) generation: u64,
    /// Why it must be closed instead of reused.
    pub(crate) doomed: Option<&'static str>,
    /// Its places in the caps on servers; given back when it is closed.
    pub(crate) _permit: Permit,
}

impl Server {
    /// Nothing is owed, no transaction, nothing unread: it may change hands.
    pub(crate) fn is_free(&self) -> bool {
        let settled = is_free(&self.queue, self.status)
            || (faults::is_planted(Fault::EarlyRelease) && self.status == TransactionStatus::Idle);
        settled
            && self.outbox.is_empty()
            && self.inbox.is_empty()
            && self.body.is_none()
    }

    /// Whether it may be used again at `now` in a pool of this generation.
    pub(crate) fn is_reusable(&self, now: Instant, generation: u64) -> bool {
        self.doomed.is_none() && now < self.expires && self.generation == generation && self.is_free()
    }

    /// Sends a simple query for Howdah itself.
    pub(crate) fn push_internal(&mut self, session: SessionId, sql: &str, shelf: &Shelf) {
        frontend::query(self.outbox.bytes(shelf), sql.as_bytes());
        self.queue.push(session, Kind::Query, Disposition::Internal);
        // A simple query destroys the unnamed statement.
        self.unnamed = None;
    }

    /// Puts the statement on the server unless it is there, before what is sent next.
    pub(crate) fn ensure_prepared(
        &mut self,
        session: SessionId,
        prepared: &Prepared,
        max_prepared: usize,
        shelf: &Shelf,
    ) {
        if self.prepared.touch(prepared.id) {
            return;
        }
        self.make_room(session, max_prepared, shelf);
        let name = self.prepared.name(prepared.id);
        frontend::parse_message(
            self.outbox.bytes(shelf),
            name.as_bytes(),
            &prepared.sql,
            &prepared.parameter_types,
        );
        let serial = self.queue.push(session, Kind::Parse, Disposition::Swallow);
        self.prepared.insert(prepared.id, serial);
    }

    /// Closes the least recently used statement if the server has as many as it may.
    pub(crate) fn make_room(&mut self, session: SessionId, max_prepared: usize, shelf: &Shelf) {
        if let Some(evicted) = self.prepared.evict(max_prepared) {
            let name = self.prepared.name(evicted);
            let out = self.outbox.bytes(shelf);
            frontend::close(out, frontend::Kind::Statement, name.as_bytes());
            self.queue.push(session, Kind::Close, Disposition::Swallow);
        }
    }

    /// Records a parameter status.
    pub(crate) fn on_parameter(&mut self, name: &[u8], value: &[u8]) {
        match self.parameters.get_mut(name) {
            Some(known) if **known == *value => {}
            Some(known) => *known = value.into(),
            None => drop(self.parameters.insert(name.into(), value.into())),
        }
    }

    /// Its settings are those of `context` now.
    pub(crate) fn on_aligned(&mut self, context: &Arc<Context>) {
        self.settings.assume(Arc::clone(context));
    }

    /// What arrived while nobody used the server. Costs no system call unless the event loop has seen something.
    ///
    /// # Errors
    /// The connection is closed or broken.
    pub(crate) fn read_while_idle(&mut self, shelf: &Shelf) -> io::Result<()> {
        let mut cx = TaskContext::from_waker(Waker::noop());
        loop {
            if self.inbox.is_full() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            match self.inbox.poll_fill(&mut self.stream, shelf, &mut cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
    }
}
