//! The hot path: one client from its login to its end. It reads top to bottom, and every `.await` of a request is here: gather
//! a request → (share a server, `share`, or) check a server out → align its settings → exchange bytes → check it in.
//! Without waiting, beside it: `gather` (is a request complete), `feed`, `prepare`, `rename` (client frames to the server), `relay`
//! (server frames to the client), `rerun`, `effects` (of statements on the session), `holding` (server, pin, deadlines, end).
//!
//! Length: the path of a request stays in one file.
//! Invariant: between transactions a session holds no server unless it is pinned, and an idle session holds no buffer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use howdah_core::pool::PoolMode;
use howdah_core::reply::Serial;
use howdah_core::session::{Context, PinReason, Settings, Statements, Unnamed, align};
use howdah_wire::backend;

use crate::buffer::{Inbox, Outbox};
use crate::cache::Caching;
use crate::calls::Calls;
use crate::clean;
use crate::clock;
use crate::effects::{PendingEffects, Portal};
use crate::entry::{Activity, Deadline, Entry, Grant, Signal};
use crate::error::Refusal;
use crate::faults::{self, Fault};
use crate::gather::Gathered;
use crate::notify::{Heard, Listener};
use crate::pool::{Pool, Welcome};
use crate::prepare::Describing;
use crate::rename::Shift;
use crate::rerun::Rerun;
use crate::route::Routing;
use crate::rules::Ruling;
use crate::server::Server;
use crate::share::Shared;
use crate::shared::Seat;
use crate::stream::Stream;
use crate::worker::Worker;

/// Why a session ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The client said goodbye.
    Terminated,
    /// The client is gone without a word.
    ClientGone,
    /// The server is gone; the client has been told by the server itself.
    ServerGone,
    /// Another process serves the client.
    Moved,
    /// The client has to be told.
    Fatal(Refusal),
    /// It does not end: the server is gone, and the request goes to another one ([`Session::goes_elsewhere`]).
    Elsewhere,
}

/// What happened while the session waited.
#[derive(Debug)]
pub(crate) enum Event {
    /// Bytes from the client are in the inbox.
    Client,
    /// Bytes from the server are in its inbox.
    Server,
    /// All bytes that waited to be written are written.
    Written,
    ClientGone,
    ServerGone,
    Signal(Signal),
    /// A notification for a channel that the client listens to.
    Heard(Heard),
}

/// What became of a request in the pool that it was routed to.
#[derive(Debug)]
enum Ran {
    Answered,
    /// Nothing of it was sent: the server may be that of a replica which has crashed since it was looked at.
    TooNew,
    /// Nothing of it was sent, and this is why.
    Refused(Refusal),
}

/// What becomes of the rest of a client frame that is longer than what has arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientBody {
    pub(crate) left: usize,
    pub(crate) discard: bool,
}

/// One client.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) worker: Rc<Worker>,
    /// Its pool on the primary.
    pub(crate) home: Rc<Pool>,
    /// The pool that the request at hand goes to: `home`, or that of a replica.
    pub(crate) pool: Rc<Pool>,
    /// What decides about that.
    pub(crate) routing: Routing,
    /// What the cache has to do with it.
    pub(crate) caching: Caching,
    pub(crate) entry: Rc<Entry>,
    pub(crate) stream: Stream,
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
    pub(crate) server: Option<Box<Server>>,
    pub(crate) settings: Settings,
    pub(crate) statements: Statements,
    pub(crate) unnamed: Unnamed,
    /// Portals whose execution has an effect on the session.
    pub(crate) portals: Vec<Portal>,
    /// Effects of statements that were sent and have not ended, in order.
    pub(crate) effects: VecDeque<PendingEffects>,
    /// Statements that were sent and are to be counted.
    pub(crate) calls: Calls,
    /// The client frame that is being passed on.
    pub(crate) body: Option<ClientBody>,
    /// The request was refused; what follows is dropped up to its Sync.
    pub(crate) dropping: bool,
    /// A statement failed since the last transaction boundary.
    pub(crate) failed: bool,
    pub(crate) pin: Option<PinReason>,
    pub(crate) mode: PoolMode,
    /// When the request that is being answered was complete.
    pub(crate) started: Option<Instant>,
    /// Form of the pure read that is being answered, and since when it runs.
    pub(crate) running: Option<(u64, Instant)>,
    /// The request holds something else than pure reads.
    pub(crate) impure: bool,
    /// Bytes of the answer that were passed on since then.
    pub(crate) relayed: usize,
    /// Serial of the first message that this session sends over the server it holds.
    pub(crate) checked_out_at: Serial,
    /// Requests sent since the checkout.
    pub(crate) fed: u32,
    /// The context that the server is being given, and by which message.
    pub(crate) aligning: Option<(Arc<Context>, Serial)>,
    /// The server's `ErrorResponse` to the alignment.
    pub(crate) align_error: Option<Vec<u8>>,
    /// The client sent Terminate.
    pub(crate) terminating: bool,
    /// Ends as soon as no transaction is open.
    pub(crate) draining: bool,
    /// Its settings have changed since they were last shared.
    pub(crate) resettled: bool,
    /// A RESET gave the server its own defaults instead of the session's.
    pub(crate) misaligned: bool,
    /// A ReadyForQuery was kept back until the settings are made again.
    pub(crate) ready_owed: bool,
    /// Parameter statuses that the client was told since its login.
    pub(crate) told: BTreeMap<Box<[u8]>, Box<[u8]>>,
    /// The client is told what the alignment that is on its way changes.
    pub(crate) audible: bool,
    /// Bytes wait in the inbox only because the server's outbox was full.
    pub(crate) stalled: bool,
    /// It ran functions that may have left something on servers.
    pub(crate) taints: bool,
    /// Describes of statements that were sent.
    pub(crate) describing: VecDeque<Describing>,
    /// Whether the request on its way can be sent again.
    pub(crate) rerun: Rerun,
    /// Prepared statements that the pinned server has under the client's own names.
    pub(crate) native: BTreeSet<String>,
    /// Positions in queries that were sent with other names in them.
    pub(crate) shifts: VecDeque<Shift>,
    /// Messages of Howdah's own were put before the query that is being sent.
    pub(crate) preceded: bool,
    /// The query that the server skips when messages of Howdah's own before it fail.
    pub(crate) resync: Option<Serial>,
    /// What it listens to.
    pub(crate) listener: Listener,
    /// A LISTEN or UNLISTEN is on its way: one request at a time.
    pub(crate) careful: bool,
    /// What rules have to do with it, and errors in the place of the server's.
    pub(crate) ruling: Ruling,
    /// When the server was granted, if it had to be waited for.
    pub(crate) granted_at: Option<Instant>,
    /// When the open transaction began.
    pub(crate) in_transaction: Option<Instant>,
    /// Its place among the clients of its user.
    pub(crate) seat: Option<Seat>,
    /// The request ran into a limit of Howdah's and was cancelled: this is what the client is told.
    pub(crate) overruled: Option<Refusal>,
    /// The attempt to take over in which the other process did not want it.
    pub(crate) declined_in: u64,
}

impl Session {
    pub(crate) fn new(
        worker: &Rc<Worker>,
        pool: Rc<Pool>,
        entry: Rc<Entry>,
        stream: Stream,
        context: Arc<Context>,
    ) -> Self {
        let mode = pool.ledger.borrow().config().mode;
        pool.clients.set(pool.clients.get() + 1);
        worker.register(&entry);
        entry.set_pool(&pool);
        Self {
            worker: Rc::clone(worker),
            routing: Routing::new(worker, &pool),
            caching: Caching::default(),
            home: Rc::clone(&pool),
            pool,
            calls: Calls::of(worker, &entry),
            entry,
            stream,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            server: None,
            settings: Settings::new(context),
            statements: Statements::default(),
            unnamed: Unnamed::default(),
            portals: Vec::new(),
            effects: VecDeque::new(),
            body: None,
            dropping: false,
            failed: false,
            pin: None,
            mode,
            started: None,
            running: None,
            impure: false,
            relayed: 0,
            checked_out_at: 0,
            fed: 0,
            aligning: None,
            align_error: None,
            terminating: false,
            draining: false,
            resettled: false,
            misaligned: false,
            ready_owed: false,
            told: BTreeMap::new(),
            audible: false,
            stalled: false,
            taints: false,
            describing: VecDeque::new(),
            rerun: Rerun::default(),
            native: BTreeSet::new(),
            shifts: VecDeque::new(),
            preceded: false,
            resync: None,
            listener: Listener::default(),
            careful: false,
            ruling: Ruling::default(),
            granted_at: None,
            in_transaction: None,
            seat: None,
            overruled: None,
            declined_in: 0,
        }
    }

    /// What the client is told of its server at login. Asks a server unless one was asked before with equal settings.
    ///
    /// # Errors
    /// No server can be had, or it refuses the client's settings.
    pub(crate) async fn greet(&mut self) -> Result<Welcome, End> {
        loop {
            match self.ask_for_welcome().await {
                Err(End::Elsewhere) => self.leave_lost_server(),
                result => return result,
            }
        }
    }

    async fn ask_for_welcome(&mut self) -> Result<Welcome, End> {
        let context = Arc::clone(self.settings.context());
        if let Some(welcome) = self.pool.welcome(&context) {
            return Ok(welcome);
        }
        self.checkout().await?.map_err(End::Fatal)?;
        let aligned = self.align().await?;
        // Also what a wash changes is to be known.
        while self.aligning.is_some() || !self.is_settled() {
            self.next_exchange_event().await?;
        }
        let Some(server) = &self.server else {
            return Err(End::ServerGone);
        };
        let welcome = self.pool.on_welcome(&context, server);
        self.release();
        aligned.map(|()| welcome).map_err(End::Fatal)
    }

    /// Serves the client until the end.
    pub(crate) async fn run(mut self) {
        let end = self.serve().await;
        self.close(end).await;
    }

    /// One turn per request, or per transaction if it has several.
    async fn serve(&mut self) -> End {
        loop {
            if let Err(end) = self.tell_heard() {
                return end;
            }
            if self.is_to_move() && self.depart().await {
                return End::Moved;
            }
            let result = match self.gather() {
                Ok(Gathered::Request) => match self.request().await {
                    Err(End::Elsewhere) => {
                        self.leave_lost_server();
                        Ok(())
                    }
                    other => other,
                },
                Ok(Gathered::Incomplete) => self.wait_for_client().await,
                Err(end) => Err(end),
            };
            if let Err(end) = result {
                return end;
            }
        }
    }

    /// The inbox begins with a request: has it answered by a server.
    async fn request(&mut self) -> Result<(), End> {
        let now = clock::now();
        self.started = Some(now);
        self.entry.requested.set(now);
        if self.worker.caches.get() && self.answer_from_cache(now).await? || self.may_not_ask() {
            return Ok(());
        }
        loop {
            if self.routing.is_open()
                && let Err(refusal) = self.route(now).await?
            {
                self.refuse(&refusal);
                return Ok(());
            }
            match self.run_here(now).await? {
                Ran::Answered => {
                    self.routing.forgive();
                    return Ok(());
                }
                Ran::TooNew => self.ask_this_replica_anew(),
                // Another node may have what this one lacks.
                Ran::Refused(refusal) if self.avoid_this_replica(&refusal) => {}
                Ran::Refused(refusal) => {
                    self.routing.forgive();
                    self.refuse(&refusal);
                    return Ok(());
                }
            }
        }
    }

    /// Has the request answered by the pool that it was routed to.
    ///
    /// # Errors
    /// The session ends.
    async fn run_here(&mut self, now: Instant) -> Result<Ran, End> {
        if let Some(shareable) = self.shareable() {
            match self.share(shareable, now).await? {
                Shared::Answered => return Ok(Ran::Answered),
                Shared::Alone => {}
                Shared::TooNew => return Ok(Ran::TooNew),
                Shared::Refused(refusal) => return Ok(Ran::Refused(refusal)),
            }
        }
        if let Err(refusal) = self.checkout().await? {
            return Ok(Ran::Refused(refusal));
        }
        if self.server.as_ref().is_some_and(|server| self.is_too_new(server)) {
            self.release();
            return Ok(Ran::TooNew);
        }
        if let Err(refusal) = self.align().await? {
            self.release();
            return Ok(Ran::Refused(refusal));
        }
        self.exchange().await.map(|()| Ran::Answered)
    }

    /// Waits, without a server, for more of a request.
    async fn wait_for_client(&mut self) -> Result<(), End> {
        if self.terminating {
            return Err(End::Terminated);
        }
        if self.draining || self.worker.is_draining() {
            return Err(End::Fatal(Refusal::shutting_down()));
        }
        if self.is_to_move() {
            return Ok(());
        }
        let idle = self.worker.settings().client_idle_timeout;
        if let Some(timeout) = idle {
            self.entry.set_deadline(Some((self.worker.now() + timeout, Deadline::Idle(timeout))));
        }
        let event = self.event().await;
        if idle.is_some() {
            self.entry.set_deadline(None);
        }
        match event {
            Event::Client | Event::Written | Event::Server => Ok(()),
            Event::ClientGone => Err(End::ClientGone),
            Event::ServerGone => Err(End::ServerGone),
            Event::Signal(signal) => self.on_signal(signal),
            Event::Heard(heard) => self.on_heard(&heard),
        }
    }

    /// Takes a server: at once if one is free, otherwise in turn.
    ///
    /// # Errors
    /// The outer one ends the session; the inner one is the answer to the request.
    async fn checkout(&mut self) -> Result<Result<(), Refusal>, End> {
        let server = match self.free_server().await {
            Some(server) => {
                self.pool.traffic.on_assigned(Duration::ZERO);
                server
            }
            None => match self.wait_for_server().await? {
                Ok(server) => server,
                Err(refusal) => return Ok(Err(refusal)),
            },
        };
        self.hold(server);
        self.fed = 0;
        (self.running, self.impure) = (None, false);
        self.rerun.open();
        if self.mode == PoolMode::Session {
            self.set_pin(PinReason::SessionMode);
        }
        Ok(Ok(()))
    }

    /// A server that is free now, unless others wait for one. Waits only for a sign of life of one that was idle for long.
    async fn free_server(&self) -> Option<Box<Server>> {
        loop {
            if self.pool.ledger.borrow().counts().waiting_alone > 0 {
                return None;
            }
            let (server, stale) = self.pool.take(&self.worker)?;
            if !stale {
                return Some(server);
            }
            let timeout = self.pool.ledger.borrow().config().connect_timeout;
            let checked = clean::check(&self.worker, &self.pool, server, timeout).await;
            if checked.is_some() {
                return checked;
            }
        }
    }

    async fn wait_for_server(&mut self) -> Result<Result<Box<Server>, Refusal>, End> {
        let (pool, worker, entry) =
            (Rc::clone(&self.pool), Rc::clone(&self.worker), Rc::clone(&self.entry));
        if let Err(refusal) = pool.enqueue(&worker, &entry) {
            return Ok(Err(refusal));
        }
        let since = clock::now();
        let before = entry.activity.replace(Activity::Waiting);
        entry.waiting.set(Some(since));
        entry.notice_due.set(false);
        let outcome = poll_fn(|cx| self.poll_grant(before, cx)).await;
        entry.waiting.set(None);
        entry.activity.set(before);
        if outcome.is_err() {
            let withdrawn = pool.ledger.borrow_mut().withdraw(|waiter| Rc::ptr_eq(waiter, &entry));
            debug_assert!(withdrawn || entry.granted.borrow().is_some(), "a waiter is somewhere");
            self.return_grant();
        }
        let now = clock::now();
        worker.stats.on_waited(now - since);
        match outcome {
            Ok(Grant::Server(server)) => {
                pool.traffic.on_assigned(now - since);
                self.granted_at = Some(now);
                Ok(Ok(server))
            }
            Ok(Grant::Refused(refusal)) => Ok(Err(refusal)),
            // These answer shared requests only.
            Ok(
                Grant::Answered | Grant::Again | Grant::Alone | Grant::TooNew | Grant::Lost { .. },
            ) => Err(End::Fatal(Refusal::server_lost())),
            Err(Event::Signal(Signal::Cancel)) => Ok(Err(Refusal::canceled())),
            Err(Event::Signal(signal)) => {
                self.on_signal(signal)?;
                Ok(Err(Refusal::shutting_down()))
            }
            Err(_) => Err(End::ClientGone),
        }
    }

    /// A grant, or an event that ends the wait. Meanwhile the client may send more, or go.
    pub(crate) fn poll_grant(
        &mut self,
        before: Activity,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Grant, Event>> {
        self.entry.register(cx);
        if self.entry.notice_due.take() && before != Activity::Login {
            Refusal::write_wait_notice(
                self.outbox.bytes(&self.worker.shelf),
                self.pool.ledger.borrow().is_paused(),
            );
        }
        match self.entry.take_signal() {
            // A deadline of what was before: nothing runs that could be late. And who waits for a server moves after its request.
            Some(Signal::Deadline(_) | Signal::Move) | None => {}
            Some(signal) => return Poll::Ready(Err(Event::Signal(signal))),
        }
        let granted = self.entry.granted.borrow_mut().take();
        if let Some(grant) = granted {
            return Poll::Ready(Ok(grant));
        }
        if !self.outbox.is_empty()
            && let Poll::Ready(Err(_)) =
                self.outbox.poll_flush(&mut self.stream, &self.worker.shelf, cx)
        {
            return Poll::Ready(Err(Event::ClientGone));
        }
        while !self.inbox.is_full() {
            match ready!(self.inbox.poll_fill(&mut self.stream, &self.worker.shelf, cx)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(Event::ClientGone)),
                Ok(count) => self.pool.traffic.on_received(count),
            }
        }
        Poll::Pending
    }

    /// A server that was granted while the session stopped waiting goes back.
    pub(crate) fn return_grant(&self) {
        let granted = self.entry.granted.borrow_mut().take();
        if let Some(Grant::Server(server)) = granted {
            self.pool.checkin(&self.worker, server);
        }
    }

    /// Gives the server the session's settings. Statements that cannot fail travel with the request; others are confirmed
    /// first, so that a request never runs under the wrong settings.
    ///
    /// # Errors
    /// The outer one ends the session; the inner one is the answer to the request.
    async fn align(&mut self) -> Result<Result<(), Refusal>, End> {
        let Some(server) = &mut self.server else {
            return Ok(Ok(()));
        };
        let session = self.entry.id;
        if server.tainted.is_some_and(|taint| taint.by != session) {
            server.wash(session, &self.worker);
        }
        let wanted = self.settings.context();
        if Arc::ptr_eq(server.settings.context(), wanted) {
            return Ok(Ok(()));
        }
        let skip = faults::is_planted(Fault::SkipAlign);
        let alignment = align(server.settings.context(), wanted).filter(|_| !skip);
        let Some(alignment) = alignment else {
            server.on_aligned(wanted);
            return Ok(Ok(()));
        };
        let serial = server.push_internal(session, &alignment.sql, &self.worker.shelf);
        self.aligning = Some((Arc::clone(wanted), serial));
        if !alignment.certain {
            while self.aligning.is_some() {
                self.next_exchange_event().await?;
            }
        }
        match self.align_error.take() {
            None => Ok(Ok(())),
            Some(body) => Ok(Err(Refusal::of_alignment(&body))),
        }
    }

    /// Gives the server, also inside a transaction, the settings that a RESET has taken from it, and tells the client.
    async fn realign(&mut self) -> Result<(), End> {
        self.misaligned = false;
        self.audible = true;
        let aligned = self.align().await?;
        while self.aligning.is_some() {
            self.next_exchange_event().await?;
        }
        self.audible = false;
        aligned.map_err(End::Fatal)
    }

    /// Gives the client the ReadyForQuery that was kept back.
    fn pay_ready(&mut self) {
        if self.ready_owed
            && let Some(server) = &self.server
            && server.queue.is_settled()
        {
            self.ready_owed = false;
            backend::ready_for_query(self.outbox.bytes(&self.worker.shelf), server.status);
        }
    }

    /// Passes bytes both ways until the server is free again (or for ever, if the session is pinned).
    async fn exchange(&mut self) -> Result<(), End> {
        loop {
            if self.needs_alignment() {
                self.realign().await?;
            }
            if self.server.as_ref().is_some_and(|server| self.must_hand_over(server)) {
                self.hand_over().await?;
            }
            self.pay_ready();
            self.tell_heard()?;
            self.feed()?;
            if self.is_done_with_server() {
                self.release();
                return Ok(());
            }
            let Some(server) = &self.server else {
                return Ok(());
            };
            if self.terminating && server.queue.is_empty() {
                return Err(End::Terminated);
            }
            if server.is_free() && (self.draining || self.worker.is_draining()) {
                return Err(End::Fatal(Refusal::shutting_down()));
            }
            self.next_exchange_event().await?;
        }
    }

    /// Waits for one event while a server is held, and acts on it.
    pub(crate) async fn next_exchange_event(&mut self) -> Result<(), End> {
        self.flush_server();
        if self.stalled && self.server.as_ref().is_some_and(|server| server.outbox.is_empty()) {
            return Ok(());
        }
        match self.event().await {
            Event::Client | Event::Written => Ok(()),
            Event::Server => self.relay(),
            Event::ClientGone => Err(End::ClientGone),
            Event::ServerGone => Err(self.on_server_gone()),
            Event::Signal(signal) => self.on_signal(signal),
            Event::Heard(heard) => self.on_heard(&heard),
        }
    }

    async fn event(&mut self) -> Event {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next thing that happens. Nothing is read from one side while bytes wait for the other, so memory is bounded by
    /// one inbox and one outbox on each side.
    ///
    /// Cancel safe: what was read is in an inbox, what was written is not written again.
    fn poll_event(&mut self, cx: &mut TaskContext<'_>) -> Poll<Event> {
        self.entry.register(cx);
        if let Some(signal) = self.entry.take_signal() {
            return Poll::Ready(Event::Signal(signal));
        }
        if self.listener.is_active()
            && self.may_tell()
            && let Poll::Ready(heard) = self.listener.poll_heard(cx)
        {
            return Poll::Ready(Event::Heard(heard));
        }
        let shelf = &self.worker.shelf;
        let mut written = false;
        if !self.outbox.is_empty() {
            match self.outbox.poll_flush(&mut self.stream, shelf, cx) {
                Poll::Ready(Ok(())) => written = true,
                Poll::Ready(Err(_)) => return Poll::Ready(Event::ClientGone),
                Poll::Pending => {}
            }
        }
        let mut server_lags = false;
        if let Some(server) = &mut self.server {
            if !server.outbox.is_empty() {
                match server.outbox.poll_flush(&mut server.stream, shelf, cx) {
                    Poll::Ready(Ok(())) => written = true,
                    Poll::Ready(Err(_)) => return Poll::Ready(Event::ServerGone),
                    Poll::Pending => server_lags = true,
                }
            }
            if self.outbox.is_empty() && !server.inbox.is_full() {
                match server.inbox.poll_fill(&mut server.stream, shelf, cx) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Event::ServerGone),
                    Poll::Ready(Ok(_)) => return Poll::Ready(Event::Server),
                    Poll::Pending => {}
                }
            }
        }
        if !self.terminating && !server_lags && !self.inbox.is_full() {
            match self.inbox.poll_fill(&mut self.stream, shelf, cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Event::ClientGone),
                Poll::Ready(Ok(count)) => {
                    self.pool.traffic.on_received(count);
                    return Poll::Ready(Event::Client);
                }
                Poll::Pending => {}
            }
        }
        if written { Poll::Ready(Event::Written) } else { Poll::Pending }
    }
}
