//! A pool of one worker: drives the ledger, opens, cleans and closes its servers. Who gets a server is decided by
//! `howdah_core::pool::Ledger`.
//!
//! Length: the life of a server, from its opening to its end, stays in one file.
//!
//! Invariant: every server is owned by exactly one of: the ledger (idle), a session (busy), a cleaning task (busy), or a
//! cancel target it is parked at (busy).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use howdah_core::limits;
use howdah_core::pool::{Checkin, Ledger, RESTED, Sizing};
use howdah_core::session::{Context, PinReason};
use howdah_core::takeover::Greeting;

use crate::administer::Census;
use crate::clean::{self, Leaving};
use crate::connect::{Login, OpenError};
use crate::entry::{Entry, Grant};
use crate::error::Refusal;
use crate::faults::{self, Fault};
use crate::keys::{Keys, Lesson};
use crate::node::NodeState;
use crate::quota::{Permit, Quota};
use crate::report::PoolReport;
use crate::server::{CancelTarget, Server, SessionId};
use crate::settings::{LocalSocket, NodeAddress, ServerCredentials};
use crate::shortcut::Shortcut;
use crate::tls::Connector;
use crate::traffic::Traffic;
use crate::worker::Worker;

use flying::Flying;
use lending::Lending;

pub(crate) use lending::{Allotment, Whole};

mod flying;
mod lending;
mod opening;
mod upkeep;

/// Names a pool: what the client asked for, and where its servers are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PoolKey {
    pub(crate) database: Box<str>,
    pub(crate) user: Box<str>,
    /// The replica that its servers are on; `None`: whichever node is the primary.
    pub(crate) replica: Option<Box<str>>,
}

impl PoolKey {
    /// The pool of a database and user on the primary.
    pub(crate) fn home(database: impl Into<Box<str>>, user: impl Into<Box<str>>) -> Self {
        Self { database: database.into(), user: user.into(), replica: None }
    }

    /// The pool of the same database and user on a replica.
    pub(crate) fn on(&self, replica: &str) -> Self {
        Self { replica: Some(replica.into()), ..self.clone() }
    }
}

/// Where the servers of a pool are opened, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) node: String,
    pub(crate) address: NodeAddress,
    /// Speaks TLS with it; `None`: in clear.
    pub(crate) tls: Option<Arc<Connector>>,
    pub(crate) socket: LocalSocket,
    pub(crate) database: String,
    pub(crate) credentials: ServerCredentials,
}

impl Target {
    /// What logs in there: as the user of the credentials, or else as this one.
    pub(crate) fn login<'a>(&'a self, user: &'a str, keys: &'a Keys) -> Login<'a> {
        Login {
            address: &self.address,
            connector: self.tls.as_deref(),
            database: &self.database,
            user: self.credentials.user.as_deref().unwrap_or(user),
            settings: &[],
            keys,
            only: None,
            question: None,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let user = self.credentials.user.as_deref().unwrap_or_default();
        write!(f, "{user}@{}/{}", self.address, self.database)
    }
}

/// What a client is told at login about a server: its parameter statuses.
pub(crate) type Welcome = Rc<BTreeMap<Box<[u8]>, Box<[u8]>>>;

/// What a pool does, until the next tick, for pools that count against the same cap and got no server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Yield {
    Nothing,
    /// The next server that comes back is given up.
    Owed,
    /// One was given up; none is opened in its place.
    Given,
}

/// Servers for one (node, database, user) in one worker.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) key: PoolKey,
    target: RefCell<Target>,
    shortcut: Shortcut,
    /// Grows when the target changes: servers of an older generation are not reused.
    generation: Cell<u64>,
    pub(crate) ledger: RefCell<Ledger<Box<Server>, Rc<Entry>>>,
    flying: Flying,
    lending: Lending,
    quotas: RefCell<Vec<Arc<Quota>>>,
    node: RefCell<Arc<NodeState>>,
    /// Of the node, when the pool looked last.
    recoveries: Cell<u64>,
    /// Of the ledger, when the pool looked last.
    checkins: Cell<u64>,
    sizing: RefCell<Sizing>,
    starving: Cell<bool>,
    yields: Cell<Yield>,
    keys: RefCell<Rc<Keys>>,
    welcomes: RefCell<HashMap<Arc<Context>, Welcome>>,
    last_error: RefCell<Option<OpenError>>,
    /// Logged-in clients.
    pub(crate) clients: Cell<usize>,
    pub(crate) traffic: Rc<Traffic>,
    /// Open servers, whoever has them; some may be closed already.
    servers: RefCell<Vec<Weak<CancelTarget>>>,
    pins: RefCell<BTreeMap<PinReason, usize>>,
    /// Holds `min_size` servers without a client, too.
    standing: Cell<bool>,
}

impl Pool {
    pub(crate) fn new(
        key: PoolKey,
        target: Target,
        allotment: Allotment,
        quotas: Vec<Arc<Quota>>,
        node: Arc<NodeState>,
    ) -> Self {
        let keys = Rc::new(Keys::new(&target.credentials));
        let Allotment { config, share, whole } = allotment;
        Self {
            key,
            target: RefCell::new(target),
            shortcut: Shortcut::default(),
            generation: Cell::new(0),
            ledger: RefCell::new(Ledger::new(config)),
            flying: Flying::default(),
            lending: Lending::new(whole, share),
            quotas: RefCell::new(quotas),
            recoveries: Cell::new(node.recoveries()),
            node: RefCell::new(node),
            checkins: Cell::new(0),
            sizing: RefCell::default(),
            starving: Cell::new(false),
            yields: Cell::new(Yield::Nothing),
            keys: RefCell::new(keys),
            welcomes: RefCell::default(),
            last_error: RefCell::new(None),
            clients: Cell::new(0),
            traffic: Rc::default(),
            servers: RefCell::default(),
            pins: RefCell::default(),
            standing: Cell::new(false),
        }
    }

    /// New settings: sizes at once, a new target for servers opened from now on.
    pub(crate) fn reload(
        self: &Rc<Self>,
        worker: &Rc<Worker>,
        target: Target,
        allotment: Allotment,
    ) {
        self.ledger.borrow_mut().set_config(allotment.config);
        self.lending.set(allotment.whole, allotment.share);
        self.shortcut.forget();
        if *self.target.borrow() != target {
            if self.target.borrow().credentials != target.credentials {
                *self.keys.borrow_mut() = Rc::new(Keys::new(&target.credentials));
            }
            *self.target.borrow_mut() = target;
            self.generation.set(self.generation.get() + 1);
            self.welcomes.borrow_mut().clear();
            // They were the old target's.
            *self.last_error.borrow_mut() = None;
            self.ledger.borrow_mut().end_pause();
        }
        self.tick(worker, worker.now());
    }

    /// Where its servers are opened, and as whom.
    pub(crate) fn target(&self) -> Target {
        let mut target = self.target.borrow().clone();
        target.credentials.user.get_or_insert_with(|| self.key.user.to_string());
        target
    }

    /// What servers are logged in to with.
    pub(crate) fn keys(&self) -> Rc<Keys> {
        Rc::clone(&self.keys.borrow())
    }

    /// Keeps what the login of a client has revealed, if the servers are logged in to as that very user, with no password
    /// configured for it.
    pub(crate) fn learn(&self, lesson: Lesson) {
        let target = self.target.borrow();
        let own = target.credentials.user.as_deref().is_none_or(|user| *user == *self.key.user);
        if own && target.credentials.password.is_none() && self.keys.borrow().learn(lesson) {
            // It may be what was missing.
            *self.last_error.borrow_mut() = None;
        }
    }

    /// A place among the servers that there may be, for a connection of Howdah's own; `None`: all are taken.
    pub(crate) fn spare_place(&self) -> Option<Permit> {
        Permit::new().and_all(&self.quotas.borrow())
    }

    pub(crate) fn set_quotas(&self, quotas: Vec<Arc<Quota>>) {
        // It may starve for other caps now, or for none.
        self.set_starving(false);
        *self.quotas.borrow_mut() = quotas;
    }

    pub(crate) fn set_node(&self, node: Arc<NodeState>) {
        *self.node.borrow_mut() = node;
    }

    /// A server that is free now, and whether it has been idle for so long that it should be asked for a sign of life.
    pub(crate) fn take(&self, worker: &Worker) -> Option<(Box<Server>, bool)> {
        loop {
            let (mut server, since) = self.ledger.borrow_mut().checkout()?;
            // What came while it was idle is a notice, a parameter status, or the end of the connection.
            let alive = server.read_while_idle(&worker.shelf).is_ok() && server.absorb();
            if alive && self.may_stay(&server, worker.now()) {
                let idle = worker.now().saturating_duration_since(since);
                let stale = idle >= self.ledger.borrow().config().check_after_idle;
                return Some((server, stale));
            }
            self.close(worker, server);
        }
    }

    /// Whether a server may be used again. If not, it has to be closed.
    fn may_stay(&self, server: &Server, now: Instant) -> bool {
        if !server.is_reusable(self.generation.get()) {
            return false;
        }
        let mut ledger = self.ledger.borrow_mut();
        let retires = server.is_old(now) && ledger.may_retire(now);
        if retires {
            ledger.on_retired(now);
        }
        !retires
    }

    /// Puts a client into the queue and opens a server for it if one may be opened.
    ///
    /// # Errors
    /// The queue is full, or the last attempt to open a server failed in a way that waiting does not mend.
    pub(crate) fn enqueue(
        self: &Rc<Self>,
        worker: &Rc<Worker>,
        entry: &Rc<Entry>,
    ) -> Result<(), Refusal> {
        if let Some(refusal) = self.hopeless(worker) {
            return Err(refusal);
        }
        let queued = self.ledger.borrow_mut().enqueue(Rc::clone(entry), worker.now());
        if queued.is_err() {
            return Err(Refusal::queue_full(self.ledger.borrow().config().max_waiters));
        }
        worker.stats.on_wait();
        self.open_wanted(worker, worker.now());
        Ok(())
    }

    /// The answer to clients while servers cannot be opened, none is open, and the next attempt is not due.
    fn hopeless(&self, worker: &Worker) -> Option<Refusal> {
        let now = worker.now();
        let ledger = self.ledger.borrow();
        if ledger.open() > 0 || ledger.is_paused() {
            return None;
        }
        let patient = is_sound(&ledger, worker) && self.key.replica.is_none();
        if let Some(down) = self.node.borrow().down(now)
            && (down.given_up || !patient)
        {
            return Some(down.refusal);
        }
        let error = self.last_error.borrow();
        let error = error.as_ref()?;
        let waits = patient && !error.is_final();
        (ledger.is_backing_off(now) && !waits).then(|| error.refusal())
    }

    fn place(self: &Rc<Self>, worker: &Rc<Worker>, placed: Checkin<Box<Server>, Rc<Entry>>) {
        match placed {
            Checkin::Hand(entry, server) => entry.grant(Grant::Server(server)),
            Checkin::Fly(server) => self.fly(worker, (server, false)),
            Checkin::Idle => {}
            Checkin::Close(server) => self.drop_server(worker, server),
        }
    }

    /// A clean server comes back.
    pub(crate) fn checkin(self: &Rc<Self>, worker: &Rc<Worker>, server: Box<Server>) {
        debug_assert!(self.owns(&server), "a server comes back to another pool");
        server.cancel.facts.prepared.set(server.prepared.len());
        if server.cancel.pending.get() > 0 {
            let target = Rc::clone(&server.cancel);
            *target.parked.borrow_mut() = Some(server);
            return;
        }
        let now = worker.now();
        // At most one server a tick goes to another worker that wants it more.
        let wanted_elsewhere = self.yields.get() == Yield::Owed;
        // Nobody needs it any more, and the process that takes over has room for one more.
        let leaving = worker.moving.attempt() != 0 && self.ledger.borrow().counts().waiting == 0;
        if wanted_elsewhere || leaving || !self.may_stay(&server, now) {
            if wanted_elsewhere {
                self.yields.set(Yield::Given);
            }
            self.close(worker, server);
            self.open_wanted(worker, now);
            return;
        }
        if faults::is_planted(Fault::DoubleCheckin) {
            self.ledger.borrow_mut().on_closed();
        }
        let placed = self.ledger.borrow_mut().checkin(server, now);
        self.place(worker, placed);
    }

    /// The cancel requests for a server have arrived: it may change hands.
    pub(crate) fn unpark(self: &Rc<Self>, worker: &Rc<Worker>, target: &CancelTarget) {
        let parked = target.parked.borrow_mut().take();
        if let Some(server) = parked {
            self.checkin(worker, server);
        }
    }

    /// A busy server must go.
    pub(crate) fn close(&self, worker: &Worker, server: Box<Server>) {
        debug_assert!(self.owns(&server), "a server is closed in another pool");
        self.ledger.borrow_mut().on_closed();
        self.drop_server(worker, server);
    }

    fn owns(&self, server: &Server) -> bool {
        self.targets().iter().any(|target| Rc::ptr_eq(target, &server.cancel))
    }

    fn drop_server(&self, worker: &Worker, mut server: Box<Server>) {
        if let Some(reason) = server.doomed {
            tracing::debug!(database = %self.key.database, user = %self.key.user, reason, "closing a server");
        }
        worker.stats.on_server_closed();
        // Best effort. Inside of a frame it would be taken for the rest of that.
        if !server.cut_off && server.outbox.is_empty() {
            let _ = server.stream.say_goodbye();
        }
    }

    /// What clients are told at login, for a process that takes over.
    pub(crate) fn greetings(&self) -> Vec<Greeting> {
        let (welcomes, server) = (self.welcomes.borrow(), self.target.borrow().to_string());
        let greeting = |(context, welcome): (&Arc<Context>, &Welcome)| Greeting {
            database: self.key.database.to_string(),
            user: self.key.user.to_string(),
            server: server.clone(),
            startup: context
                .iter()
                .map(|(name, replay)| (name.to_owned(), replay.to_owned()))
                .collect(),
            parameters: welcome
                .iter()
                .map(|(name, value)| (name.to_vec(), value.to_vec()))
                .collect(),
        };
        welcomes.iter().map(greeting).collect()
    }

    /// What the process before this one told its clients at login, if their servers are the same.
    pub(crate) fn inherit(&self, worker: &Worker, greeting: Greeting) {
        if greeting.server == self.target.borrow().to_string() {
            let context = worker.share_context(Context::from_replays(greeting.startup));
            let parameters = greeting.parameters.into_iter();
            let parameters = parameters.map(|(name, value)| (name.into(), value.into()));
            self.welcomes.borrow_mut().insert(context, Rc::new(parameters.collect()));
        }
    }

    /// Regular work: expire waiters, close surplus servers, open wanted ones.
    pub(crate) fn tick(self: &Rc<Self>, worker: &Rc<Worker>, now: Instant) {
        let generation = self.generation.get();
        let gift = self.gives();
        let (expired, surplus, config, paused) = {
            let mut ledger = self.ledger.borrow_mut();
            ledger.notify_waiters(now).iter().for_each(|waiter| waiter.notify());
            let expired = ledger.take_expired_waiters(now);
            let quotas = self.quotas.borrow();
            let wanted = !self.starving.get() && quotas.iter().any(|quota| quota.is_wanted());
            let excess = quotas.iter().map(|quota| quota.excess()).max().unwrap_or(0);
            let excess = Cell::new(if wanted { u32::MAX } else { excess });
            let given = Cell::new(0);
            let may_retire = Cell::new(ledger.may_retire(now));
            let retires = Cell::new(false);
            let surplus = ledger.take_surplus(now, |server, since| {
                if !server.is_reusable(generation) {
                    return true;
                }
                if server.is_old(now) && may_retire.take() {
                    retires.set(true);
                    return true;
                }
                let rested = now.saturating_duration_since(since) >= RESTED;
                let gives = given.get() < gift.idle && (rested || !gift.rested);
                given.set(given.get() + u32::from(gives));
                let is_beyond = excess.get() > 0;
                excess.set(excess.get().saturating_sub(1));
                gives || is_beyond
            });
            if retires.get() {
                ledger.on_retired(now);
            }
            let owed = excess.get() > 0 || (gift.next && given.get() == 0);
            self.yields.set(if owed { Yield::Owed } else { Yield::Nothing });
            (expired, surplus, ledger.config().clone(), ledger.is_paused())
        };
        for entry in expired {
            if faults::is_planted(Fault::LostWaiter) {
                continue;
            }
            let refusal = match self.last_error.borrow().as_ref() {
                _ if paused => Refusal::paused(&self.key.database),
                Some(error) => error.refusal(),
                None => Refusal::checkout_timeout(config.checkout_timeout, config.max_size),
            };
            entry.grant(Grant::Refused(refusal));
        }
        for server in surplus {
            self.drop_server(worker, server);
        }
        if self.ledger.borrow().counts().waiting == 0 {
            self.set_starving(false);
        }
        self.look(worker, now);
        self.look_at_flights(worker, now);
        self.open_wanted(worker, now);
    }

    /// Closes all idle servers: the worker stops, or the pool is no longer configured.
    pub(crate) fn close_idle(&self, worker: &Worker) {
        let idle = self.ledger.borrow_mut().take_surplus(worker.now(), |_, _| true);
        for server in idle {
            self.drop_server(worker, server);
        }
    }

    /// Holds clients back or lets them go on.
    pub(crate) fn set_paused(self: &Rc<Self>, worker: &Rc<Worker>, paused: bool) {
        let mut ledger = self.ledger.borrow_mut();
        if paused {
            let idle = ledger.pause();
            drop(ledger);
            for server in idle {
                self.drop_server(worker, server);
            }
        } else if ledger.is_paused() {
            ledger.resume(worker.now());
            drop(ledger);
            // The servers may be others now: what they said before counts no more.
            *self.last_error.borrow_mut() = None;
            self.welcomes.borrow_mut().clear();
            self.open_wanted(worker, worker.now());
        }
    }

    /// Servers that are open now are not used again.
    pub(crate) fn reconnect(self: &Rc<Self>, worker: &Rc<Worker>) {
        self.generation.set(self.generation.get() + 1);
        self.welcomes.borrow_mut().clear();
        self.close_idle(worker);
        self.open_wanted(worker, worker.now());
    }

    /// How many servers it has, and how many of them are not to be used again.
    pub(crate) fn census(&self) -> Census {
        let ledger = self.ledger.borrow();
        let current = self.generation.get();
        let stale = |server: &Rc<CancelTarget>| server.facts.generation != current;
        Census {
            servers: ledger.open() as usize,
            leaving: self.targets().iter().filter(|server| stale(server)).count(),
        }
    }

    /// Name that its servers are logged in to with.
    pub(crate) fn server_user(&self) -> String {
        let target = self.target.borrow();
        target.credentials.user.clone().unwrap_or_else(|| self.key.user.to_string())
    }

    /// Name of its node.
    pub(crate) fn node(&self) -> String {
        self.target.borrow().node.clone()
    }

    /// The open servers.
    pub(crate) fn targets(&self) -> Vec<Rc<CancelTarget>> {
        self.servers.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    /// Grows when its servers are opened elsewhere.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.get()
    }

    /// Whether a server of this generation is to be closed as soon as it comes back.
    pub(crate) fn is_leaving(&self, generation: u64) -> bool {
        generation != self.generation.get()
    }

    /// A session that has tainted servers has ended: those that are idle are cleaned now.
    pub(crate) fn clean_tainted(self: &Rc<Self>, worker: &Rc<Worker>, session: SessionId) {
        let tainted = self
            .ledger
            .borrow_mut()
            .take_idle(|server| server.tainted.is_some_and(|taint| taint.by == session));
        for server in tainted {
            let leaving = Leaving { dirty: true, mid_frame: false };
            clean::leave(worker, self, server, leaving);
        }
    }

    /// Whether nothing and nobody uses it.
    pub(crate) fn is_unused(&self) -> bool {
        self.clients.get() == 0 && self.ledger.borrow().open() == 0 && !self.standing.get()
    }

    /// Whether it stays without clients and servers, to open servers again.
    pub(crate) fn set_standing(&self, standing: bool) {
        self.standing.set(standing);
    }

    /// What a client with these startup settings is told at login, if a server has told it before.
    pub(crate) fn welcome(&self, context: &Context) -> Option<Welcome> {
        self.welcomes.borrow().get(context).cloned()
    }

    /// Remembers what a server with these settings reported.
    pub(crate) fn on_welcome(&self, context: &Arc<Context>, server: &Server) -> Welcome {
        let welcome = Rc::new(server.parameters.clone());
        let mut welcomes = self.welcomes.borrow_mut();
        if welcomes.len() < limits::WELCOMES_PER_POOL {
            welcomes.insert(Arc::clone(context), Rc::clone(&welcome));
        }
        welcome
    }

    pub(crate) fn on_pin(&self, reason: PinReason) {
        *self.pins.borrow_mut().entry(reason).or_default() += 1;
    }

    pub(crate) fn on_unpin(&self, reason: PinReason) {
        if let Some(count) = self.pins.borrow_mut().get_mut(&reason) {
            *count = count.saturating_sub(1);
        }
    }

    /// Its line in the report.
    pub(crate) fn report(&self, now: Instant) -> PoolReport {
        let ledger = self.ledger.borrow();
        let counts = ledger.counts();
        let stale_after = ledger.config().check_after_idle;
        let stale =
            |(_, since): &(_, Instant)| now.saturating_duration_since(*since) >= stale_after;
        let used = ledger.idle().filter(stale).count();
        let targets = self.targets();
        let parked = targets.iter().filter(|target| target.parked.borrow().is_some()).count();
        let busy = (counts.busy as usize).saturating_sub(parked);
        let mut report = PoolReport {
            database: self.key.database.to_string(),
            user: self.key.user.to_string(),
            node: self.target.borrow().node.clone(),
            mode: ledger.config().mode.as_str(),
            clients_active: 0,
            clients_waiting: counts.waiting,
            clients_idle: 0,
            servers_active: 0,
            servers_tested: busy,
            servers_idle: counts.idle - used,
            servers_used: used,
            servers_being_canceled: parked,
            cancels: targets.iter().map(|target| target.pending.get() as usize).sum(),
            paused: ledger.is_paused(),
            servers_opening: counts.opening as usize,
            max_size: ledger.config().max_size,
            advice: self.advice(),
            oldest_wait: ledger.oldest_wait(now),
            pinned: self
                .pins
                .borrow()
                .iter()
                .filter(|(_, count)| **count > 0)
                .map(|(reason, count)| (reason.as_str(), *count))
                .collect(),
            leaks: 0,
            last_error: self.last_error.borrow().as_ref().map(ToString::to_string),
            flight_target: ledger.flight_target(),
            ..PoolReport::default()
        };
        self.flying.report(&mut report);
        report
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.set_starving(false);
    }
}

/// Whether servers could be opened before, by this process or the one that it takes over from: waiting makes sense.
fn is_sound<S, W>(ledger: &Ledger<S, W>, worker: &Worker) -> bool {
    ledger.ever_opened() || worker.shared.takeover.has_predecessor()
}
