//! One connection to PostgreSQL: its socket, its reply queue, and what is known to be on it (settings, prepared statements).
//! Opening it is `connect`; who may use it is the pool's business.
//!
//! Invariant: a server is reused only when its reply queue is settled, its transaction status is idle and nothing unread is
//! left; whatever else happened to it dooms it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Instant;

use howdah_core::reply::{Delivery, Disposition, Kind, ReplyQueue, Serial, is_free};
use howdah_core::session::{Context, Prepared, Settings};
use howdah_wire::backend::{self, TransactionStatus};
use howdah_wire::{frame, frontend};

use crate::buffer::{Inbox, Outbox, Shelf};
use crate::catalog::Redefined;
use crate::faults::{self, Fault};
use crate::prepared::{PreparedSet, Presence, Unready};
use crate::quota::Permit;
use crate::settings::NodeAddress;
use crate::stream::Stream;
use crate::tls::{Connector, TlsInfo};
use crate::traffic::Traffic;
use crate::worker::Worker;

/// What `DISCARD ALL` does, except that prepared statements stay.
const WASH: &str = "SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *; \
                    SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD SEQUENCES; DISCARD TEMP";

/// The portal in which Howdah runs a `PREPARE`.
const PORTAL: &[u8] = b"howdah_prepare";

/// Number of a session, unique in its worker.
pub(crate) type SessionId = u64;

/// Where a cancel request for a server goes, and who waits until it has arrived.
#[derive(Debug)]
pub(crate) struct CancelTarget {
    pub(crate) address: NodeAddress,
    /// How the server is reached encrypted, and what with; `None`: in clear.
    pub(crate) connector: Option<Arc<Connector>>,
    pub(crate) tls: Option<TlsInfo>,
    pub(crate) process_id: u32,
    pub(crate) secret: Vec<u8>,
    /// Cancel requests on their way. The server must not change hands before they have arrived.
    pub(crate) pending: Cell<u32>,
    /// The server, when it came back while a cancel request was on its way.
    pub(crate) parked: RefCell<Option<Box<Server>>>,
    pub(crate) facts: Facts,
}

/// What a pool knows of a server whoever has it.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Number in reports, unique in the process.
    pub(crate) id: u32,
    /// Our end of the connection.
    pub(crate) local: Option<SocketAddr>,
    pub(crate) opened: Instant,
    /// Generation of the pool in which it was opened.
    pub(crate) generation: u64,
    /// Prepared statements, as they were when it last came back.
    pub(crate) prepared: Cell<usize>,
}

/// The unnamed statement that a server has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnnamedOn {
    /// Whose it is, and which version of it.
    pub(crate) of: (SessionId, u64),
    /// The Parse that made it.
    pub(crate) since: Serial,
    /// The Describe of Howdah's own that will tell its rows.
    pub(crate) check: Option<Serial>,
    /// A hash of the description of its rows, if that is known.
    pub(crate) shape: Option<u64>,
}

impl UnnamedOn {
    pub(crate) const fn new(of: (SessionId, u64), since: Serial) -> Self {
        Self { of, since, check: None, shape: None }
    }
}

/// A session ran functions that may have left anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taint {
    pub(crate) by: SessionId,
    /// The last message that did.
    pub(crate) at: Serial,
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
    /// What was done to definitions since it was idle.
    pub(crate) redefined: Redefined,
    /// The backend frame that is being passed on.
    pub(crate) body: Option<Body>,
    /// Settings made on it since it was opened.
    pub(crate) settings: Settings,
    pub(crate) prepared: PreparedSet,
    /// The unnamed statement on it, if that is known.
    pub(crate) unnamed: Option<UnnamedOn>,
    /// The session that ran functions which may have left anything on it; cleaned before another one uses it.
    pub(crate) tainted: Option<Taint>,
    /// Up to which message a Flush was sent so that replies come before a Sync.
    pub(crate) flushed: Serial,
    /// What it reported as `ParameterStatus`.
    pub(crate) parameters: BTreeMap<Box<[u8]>, Box<[u8]>>,
    pub(crate) cancel: Rc<CancelTarget>,
    pub(crate) expires: Instant,
    /// Revision of the settings it was opened under; an older one is closed when the pool's address or login changed.
    pub(crate) generation: u64,
    /// A frame was sent to it in part, and the rest will never come.
    pub(crate) cut_off: bool,
    /// Why it must be closed instead of reused.
    pub(crate) doomed: Option<&'static str>,
    /// Its pool's counters.
    pub(crate) traffic: Rc<Traffic>,
    /// Its places in the caps on servers; given back when it is closed.
    pub(crate) _permit: Permit,
    #[cfg(feature = "simulation")]
    pub(crate) _alive: crate::simulation::Alive,
}

impl Server {
    /// Nothing is owed, no transaction, nothing unread: it may change hands.
    pub(crate) fn is_free(&self) -> bool {
        let settled = is_free(&self.queue, self.status)
            || (faults::is_planted(Fault::EarlyRelease) && self.status == TransactionStatus::Idle);
        settled && self.outbox.is_empty() && self.inbox.is_empty() && self.body.is_none()
    }

    /// Whether it may be used again in a pool of this generation.
    pub(crate) fn is_reusable(&self, generation: u64) -> bool {
        self.doomed.is_none() && self.generation == generation && self.is_free()
    }

    /// Whether it has lived for as long as it should.
    pub(crate) fn is_old(&self, now: Instant) -> bool {
        now >= self.expires
    }

    /// Sends a simple query for Howdah itself. Returns its serial.
    pub(crate) fn push_internal(&mut self, session: SessionId, sql: &str, shelf: &Shelf) -> Serial {
        frontend::query(self.outbox.bytes(shelf), sql.as_bytes());
        // A simple query destroys the unnamed statement.
        self.unnamed = None;
        self.queue.push(session, Kind::Query, Disposition::Internal)
    }

    /// Puts the statement on the server unless it is there, before what is sent next. Returns its name there. `told` is what
    /// the client was told of its rows: a server's statement whose rows have another shape is not used for it.
    ///
    /// # Errors
    /// It is not, or not yet, certain that the server means what the client means.
    pub(crate) fn ensure_prepared(
        &mut self,
        session: SessionId,
        prepared: &Prepared,
        told: Option<u64>,
        max_prepared: usize,
        shelf: &Shelf,
    ) -> Result<String, Unready> {
        let name = match self.prepared.touch(prepared.id, &self.queue) {
            Presence::Undecided(serial) => return Err(Unready::Wait(serial)),
            Presence::Here { name, shape } => match (told, shape) {
                (Some(told), Some(shape)) if told != shape => return Err(Unready::Changed),
                (Some(_), None) => name,
                _ => return Ok(name),
            },
            Presence::Absent => {
                let disposition = Disposition::Swallow;
                let (name, _) = self.parse(session, prepared, disposition, max_prepared, shelf);
                if told.is_none() {
                    return Ok(name);
                }
                name
            }
        };
        frontend::describe(self.outbox.bytes(shelf), frontend::Kind::Statement, name.as_bytes());
        let serial = self.queue.push(session, Kind::DescribeStatement, Disposition::Swallow);
        self.prepared.expect_description(prepared.id, serial);
        Err(Unready::Wait(serial))
    }

    /// Closes all prepared statements: a table was changed, and the plans of none of them can be trusted.
    pub(crate) fn close_prepared(&mut self, session: SessionId, shelf: &Shelf) {
        for name in self.prepared.take_names() {
            self.close_statement(session, &name, shelf);
        }
        self.unnamed = None;
    }

    /// Makes room for one more prepared statement.
    pub(crate) fn make_room(&mut self, session: SessionId, max_prepared: usize, shelf: &Shelf) {
        if let Some(evicted) = self.prepared.evict(max_prepared) {
            self.close_statement(session, &evicted, shelf);
        }
    }

    pub(crate) fn close_statement(&mut self, session: SessionId, name: &str, shelf: &Shelf) {
        frontend::close(self.outbox.bytes(shelf), frontend::Kind::Statement, name.as_bytes());
        self.queue.push(session, Kind::Close, Disposition::Swallow);
    }

    /// Makes a statement that the server does not have. Returns its name there and the serial of the message that makes it.
    pub(crate) fn parse(
        &mut self,
        session: SessionId,
        prepared: &Prepared,
        disposition: Disposition,
        max_prepared: usize,
        shelf: &Shelf,
    ) -> (String, Serial) {
        self.make_room(session, max_prepared, shelf);
        self.traffic.on_server_parse();
        let name = self.prepared.new_name();
        let own = (name.as_bytes(), name.as_str());
        let serial = self.make(session, prepared, own, disposition, shelf);
        self.prepared.insert(prepared.id, serial);
        (name, serial)
    }

    /// Makes a statement that does nothing. Returns its name.
    pub(crate) fn make_empty(&mut self, session: SessionId, shelf: &Shelf) -> String {
        let name = self.prepared.new_name();
        frontend::parse_message(self.outbox.bytes(shelf), name.as_bytes(), b"", &[0, 0]);
        self.queue.push(session, Kind::Parse, Disposition::Swallow);
        name
    }

    /// Makes a statement under a name, given as it is and as SQL has it. Returns the serial of the message that makes it.
    pub(crate) fn make(
        &mut self,
        session: SessionId,
        prepared: &Prepared,
        (name, quoted): (&[u8], &str),
        disposition: Disposition,
        shelf: &Shelf,
    ) -> Serial {
        let out = self.outbox.bytes(shelf);
        let Some(text) = prepared.prepare_text(quoted) else {
            frontend::parse_message(out, name, &prepared.sql, &prepared.parameter_types);
            return self.queue.push(session, Kind::Parse, disposition);
        };
        // By the extended protocol: a simple query would end the client's implicit transaction.
        frontend::parse_message(out, b"", &text, &[0, 0]);
        frontend::bind_message(out, PORTAL, b"", &[]);
        frontend::execute(out, PORTAL, 0);
        frontend::close(out, frontend::Kind::Portal, PORTAL);
        self.unnamed = None;
        self.queue.push(session, Kind::Parse, Disposition::Swallow);
        self.queue.push(session, Kind::Bind, Disposition::Swallow);
        let serial = self.queue.push(session, Kind::Execute, Disposition::Swallow);
        self.queue.push(session, Kind::Close, Disposition::Swallow);
        serial
    }

    /// Makes the replies up to message `serial` come, also before a Sync.
    pub(crate) fn hurry(&mut self, serial: Serial, shelf: &Shelf) {
        if self.queue.is_in_open_segment(serial) && self.flushed <= serial {
            frontend::flush(self.outbox.bytes(shelf));
            self.flushed = self.queue.next_serial();
        }
    }

    /// Takes away what functions of another session may have left, in the same write as what comes next. Prepared
    /// statements stay. None of it can fail outside a transaction.
    pub(crate) fn wash(&mut self, session: SessionId, worker: &Worker) {
        self.push_internal(session, WASH, &worker.shelf);
        self.settings.assume(worker.no_settings());
        self.tainted = None;
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
        match self.status {
            TransactionStatus::Idle => self.settings.assume(Arc::clone(context)),
            // It goes back if the transaction is rolled back.
            TransactionStatus::InTransaction | TransactionStatus::Failed => {
                self.settings.adopt(Arc::clone(context));
            }
        }
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

    /// Looks at what came while nobody used it; `false`: it cannot be used any more.
    pub(crate) fn absorb(&mut self) -> bool {
        loop {
            let unread = self.inbox.unread();
            if unread.is_empty() {
                return true;
            }
            let Ok(Some((frame, _))) = frame::split(unread) else {
                return false;
            };
            let whole = frame.bytes.len();
            match frame.tag {
                backend::tag::NOTICE | backend::tag::NOTIFICATION => {}
                backend::tag::PARAMETER_STATUS => {
                    let Ok((name, value)) = backend::parameter_status(frame.body) else {
                        return false;
                    };
                    let (name, value): (Box<[u8]>, Box<[u8]>) = (name.into(), value.into());
                    self.on_parameter(&name, &value);
                }
                _ => return false,
            }
            self.inbox.consume(whole);
        }
    }
}
