//! A flight: requests of several clients on one server, written together, their replies split by the server's reply queue.
//! Who flies together is the ledger's decision; what may fly at all is `share`'s.
//!
//! Invariant: bytes reach a passenger only if the reply queue says that they are its own, and a reply is handed over when it
//! is complete; until then the request can be sent again elsewhere. A cancel request goes out only when its passenger is
//! the one that runs and nobody waits behind it. A passenger behind one that does not come to an end leaves the flight.
//!
//! The rules come from research on flights: each request keeps its own Sync, so errors, implicit transactions and snapshots
//! are those of a lone request.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use board::board;
use howdah_core::reply::Delivery;
use split::Splitter;

use crate::cancel::{self, Delivered};
use crate::clean;
use crate::clock;
use crate::entry::{Answer, Entry, Grant};
use crate::faults::{self, Fault};
use crate::pool::Pool;
use crate::server::{Server, SessionId};
use crate::share::SharedRequest;
use crate::worker::Worker;

mod board;
mod split;

/// A flight without progress for so long is stuck: whoever sits behind the running request leaves it.
const STUCK: Duration = Duration::from_millis(10);
/// Bytes of one answer that are kept for its passenger; a longer one is handed over in parts.
const SPILL: usize = 256 * 1024;

/// Where a passenger is to go instead of getting this answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elsewhere {
    /// To another flight.
    Again,
    /// To a server of its own.
    Alone,
    /// To be routed again: the server was opened too late for it.
    TooNew,
    /// Away from a server that is gone.
    Lost,
}

/// One request of a flight.
#[derive(Debug)]
struct Passenger {
    /// `None`: it has left; its replies are dropped.
    entry: Option<Rc<Entry>>,
    /// When it left.
    left: Option<Instant>,
    owner: SessionId,
    request: SharedRequest,
    answer: Answer,
    elsewhere: Option<Elsewhere>,
    /// Parts of the answer were handed over.
    spilled: bool,
}

/// The part of a flight that sessions, cancel requests and the worker's tick can reach.
#[derive(Debug)]
pub(crate) struct Flight {
    /// Number of its server.
    pub(crate) server: u32,
    /// In the order of their requests on the server; the first is the one that runs.
    passengers: RefCell<VecDeque<Passenger>>,
    /// Who asked to be cancelled.
    cancel: RefCell<Option<(SessionId, Vec<Delivered>)>>,
    /// It counts against the number of flights.
    counted: Cell<bool>,
    /// Its server must not be used any more.
    doomed: Cell<bool>,
    progress: Cell<Instant>,
    /// Since when the first passenger's request is the one that runs.
    turn: Cell<Instant>,
    /// Whose request was cancelled because nobody waits for it.
    stopped: Cell<Option<SessionId>>,
    /// The owner of a spilled answer has taken what there was.
    room: Cell<bool>,
    woken: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// Why a server is closed that says what it was not asked.
const OUT_OF_STEP: &str = "it is out of step";

/// The server cannot be used any more.
#[derive(Debug)]
struct Lost(&'static str);

impl Flight {
    fn new(server: u32, now: Instant) -> Self {
        Self {
            server,
            passengers: RefCell::default(),
            cancel: RefCell::default(),
            counted: Cell::new(true),
            doomed: Cell::new(false),
            progress: Cell::new(now),
            turn: Cell::new(now),
            stopped: Cell::new(None),
            room: Cell::new(true),
            woken: Cell::new(false),
            waker: RefCell::default(),
        }
    }

    fn register(&self, cx: &TaskContext<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }

    /// Has the flight look at what was asked of it.
    fn wake(&self) {
        self.woken.set(true);
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// The passenger has taken what was handed over.
    pub(crate) fn on_room(&self, owner: SessionId) {
        let spilled = |passenger: &Passenger| passenger.owner == owner && passenger.spilled;
        if !self.room.get() && self.passengers.borrow().front().is_some_and(spilled) {
            self.room.set(true);
            self.wake();
        }
    }

    /// A passenger has gone. `hopeless`: because its server does not answer.
    pub(crate) fn on_left(&self, owner: SessionId, hopeless: bool) {
        let mut passengers = self.passengers.borrow_mut();
        if let Some(passenger) = passengers.iter_mut().find(|passenger| passenger.owner == owner) {
            passenger.entry = None;
            passenger.left = Some(clock::now());
        }
        drop(passengers);
        self.doomed.set(self.doomed.get() || hopeless);
        self.room.set(true);
        self.wake();
    }

    /// Cancels a passenger's request, when its turn has come and nobody is behind it.
    pub(crate) fn cancel(&self, pool: &Pool, owner: SessionId, delivered: Option<Delivered>) {
        self.clear_behind(pool, owner);
        let mut wanted = self.cancel.borrow_mut();
        match &mut *wanted {
            Some((of, waiting)) if *of == owner => waiting.extend(delivered),
            // The other one was behind this one, and has left.
            _ => *wanted = Some((owner, delivered.into_iter().collect())),
        }
        drop(wanted);
        self.wake();
    }

    /// Sends everybody behind `owner` to other flights; whatever the server answers to them is dropped.
    fn clear_behind(&self, pool: &Pool, owner: SessionId) {
        self.stop_counting(pool);
        let mut passengers = self.passengers.borrow_mut();
        let behind = passengers.iter_mut().skip_while(|passenger| passenger.owner != owner).skip(1);
        for passenger in behind {
            passenger.leave(Elsewhere::Again);
        }
    }

    /// Whose request runs, and since when for nobody, if nobody waits for its answer any more.
    fn runs_for_nobody(&self) -> Option<(SessionId, Instant)> {
        let passengers = self.passengers.borrow();
        let first = passengers.front()?;
        Some((first.owner, first.left?.max(self.turn.get())))
    }

    fn stop_counting(&self, pool: &Pool) {
        if self.counted.replace(false) {
            pool.ledger.borrow_mut().on_landed();
        }
    }

    /// Regular work: a flight that makes no progress is cleared, and a request that runs for nobody is stopped, as that of a client
    /// with a server of its own is.
    pub(crate) fn tick(&self, pool: &Pool, now: Instant) {
        if let Some((owner, since)) = self.runs_for_nobody() {
            let waited = now.saturating_duration_since(since);
            if waited >= clean::GRACE + clean::CLEANING {
                self.doomed.set(true);
                self.wake();
            } else if waited >= clean::GRACE && self.stopped.replace(Some(owner)) != Some(owner) {
                self.cancel(pool, owner, None);
            }
        }
        if now.saturating_duration_since(self.progress.get()) >= STUCK {
            let runs = self.passengers.borrow().front().map(|passenger| passenger.owner);
            if let Some(owner) = runs {
                self.clear_behind(pool, owner);
            }
        }
    }
}

impl Passenger {
    /// Its session goes elsewhere; the answer that may still come is dropped.
    fn leave(&mut self, elsewhere: Elsewhere) {
        let Some(entry) = self.entry.take() else { return };
        self.left = Some(clock::now());
        entry.on_off_board();
        *entry.shared.borrow_mut() = Some(std::mem::take(&mut self.request));
        entry.grant(match elsewhere {
            _ if self.spilled => Grant::Lost { told: true },
            Elsewhere::Again => Grant::Again,
            Elsewhere::Alone => Grant::Alone,
            Elsewhere::TooNew => Grant::TooNew,
            Elsewhere::Lost => Grant::Lost { told: false },
        });
    }
}

/// Flies once: boards those who wait, has them answered, and gives the server back.
pub(crate) async fn fly(worker: Rc<Worker>, pool: Rc<Pool>, (server, stale): (Box<Server>, bool)) {
    let server =
        if stale { clean::check_alive(&worker, &pool, server).await } else { Some(server) };
    let Some(mut server) = server else {
        pool.ledger.borrow_mut().on_not_boarded();
        pool.take_off(&worker);
        return;
    };
    // What has arrived meanwhile flies, too: the more there are, the less often anybody is woken.
    tokio::task::yield_now().await;
    let batch = pool.ledger.borrow_mut().board();
    let flight = Rc::new(Flight::new(server.cancel.facts.id, worker.now()));
    pool.on_take_off(&flight);
    let now = clock::now();
    flight.progress.set(now);
    flight.turn.set(now);
    for entry in batch {
        board(&worker, &pool, &flight, &mut server, (entry, now));
    }
    // Others may wait still: for other settings, or because this flight is long enough.
    pool.take_off(&worker);
    let result = answer_all(&worker, &pool, &flight, &mut server).await;
    flight.stop_counting(&pool);
    pool.on_landing(&flight);
    match result {
        Ok(()) => pool.checkin(&worker, server),
        Err(Lost(reason)) => {
            for passenger in flight.passengers.borrow_mut().iter_mut() {
                passenger.leave(Elsewhere::Lost);
            }
            server.doomed = Some(reason);
            pool.close(&worker, server);
        }
    }
    pool.take_off(&worker);
}

/// Passes replies on until all requests are answered.
async fn answer_all(
    worker: &Rc<Worker>,
    pool: &Rc<Pool>,
    flight: &Rc<Flight>,
    server: &mut Box<Server>,
) -> Result<(), Lost> {
    if server.outbox.flush_now(&mut server.stream, &worker.shelf).is_err() {
        return Err(Lost("it cannot be written to"));
    }
    loop {
        if server.is_free() {
            return Ok(());
        }
        if server.queue.is_empty() {
            return Err(Lost(OUT_OF_STEP));
        }
        cancel_if_due(worker, pool, flight, server);
        poll_fn(|cx| poll(worker, flight, server, cx)).await?;
        if flight.doomed.get() {
            return Err(Lost("it does not answer"));
        }
        relay(worker, pool, flight, server)?;
    }
}

/// Ready when there is something to split, or somebody asked for something.
///
/// Cancel safe: what was read is in the server's inbox.
fn poll(
    worker: &Worker,
    flight: &Flight,
    server: &mut Server,
    cx: &mut TaskContext<'_>,
) -> Poll<Result<(), Lost>> {
    let shelf = &worker.shelf;
    flight.register(cx);
    if flight.woken.take() {
        return Poll::Ready(Ok(()));
    }
    if !server.outbox.is_empty()
        && let Poll::Ready(Err(_)) = server.outbox.poll_flush(&mut server.stream, shelf, cx)
    {
        return Poll::Ready(Err(Lost("it cannot be written to")));
    }
    if !flight.room.get() || server.inbox.is_full() {
        return Poll::Pending;
    }
    match server.inbox.poll_fill(&mut server.stream, shelf, cx) {
        Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(Err(Lost("it closed the connection"))),
        Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    }
}

/// Sends the cancel request whose turn has come.
fn cancel_if_due(worker: &Rc<Worker>, pool: &Rc<Pool>, flight: &Flight, server: &Server) {
    let mut wanted = flight.cancel.borrow_mut();
    let Some((owner, _)) = &*wanted else { return };
    let passengers = flight.passengers.borrow();
    if !passengers.iter().any(|passenger| passenger.owner == *owner) {
        // It was answered before its turn to be cancelled came.
        *wanted = None;
        return;
    }
    let runs = passengers.front().is_some_and(|passenger| passenger.owner == *owner);
    if (runs || faults::is_planted(Fault::EagerCancel))
        && let Some((_, delivered)) = wanted.take()
    {
        cancel::send_to(worker, pool, Rc::clone(&server.cancel), delivered);
    }
}

/// Splits what is in the server's inbox among the passengers.
fn relay(
    worker: &Rc<Worker>,
    pool: &Rc<Pool>,
    flight: &Flight,
    server: &mut Server,
) -> Result<(), Lost> {
    if server.inbox.is_empty() {
        return Ok(());
    }
    let mut inbox = std::mem::take(&mut server.inbox);
    let mut splitter = Splitter { worker, flight, server, answered: 0, whole: 0 };
    let (used, result) = splitter.split(inbox.unread());
    let (answered, whole) = (splitter.answered, splitter.whole);
    inbox.consume(used);
    inbox.reserve(whole);
    inbox.rest(&worker.shelf);
    server.inbox = inbox;
    let now = clock::now();
    let time = now.saturating_duration_since(flight.progress.replace(now));
    finish(worker, flight, answered, (now, time));
    result?;
    if spill(flight, server) {
        let runs = flight.passengers.borrow().front().map(|passenger| passenger.owner);
        if let Some(owner) = runs {
            flight.clear_behind(pool, owner);
        }
    }
    Ok(())
}

/// Hands complete answers over. They came `now`, `time` after the ones before.
fn finish(worker: &Worker, flight: &Flight, answered: usize, (now, time): (Instant, Duration)) {
    if answered > 0 {
        flight.turn.set(now);
    }
    let each = time / u32::try_from(answered.max(1)).unwrap_or(1);
    let mut passengers = flight.passengers.borrow_mut();
    if answered > 1 && faults::is_planted(Fault::SwapAnswers) {
        swap(&mut passengers);
    }
    for _ in 0..answered {
        let Some(passenger) = passengers.pop_front() else { return };
        if passenger.entry.is_some() {
            worker.paces.on_run(passenger.request.fingerprint, each, passenger.answer.bytes.len());
        }
        passenger.land(worker, now);
    }
}

/// The planted bug of that name.
fn swap(passengers: &mut VecDeque<Passenger>) {
    let (Some(mut first), Some(mut second)) = (passengers.pop_front(), passengers.pop_front())
    else {
        return;
    };
    std::mem::swap(&mut first.answer, &mut second.answer);
    passengers.push_front(second);
    passengers.push_front(first);
}

impl Passenger {
    fn land(mut self, worker: &Worker, now: Instant) {
        if let Some(elsewhere) = self.elsewhere {
            self.leave(elsewhere);
        } else if let Some(entry) = self.entry.take() {
            entry.on_off_board();
            entry.answer(std::mem::take(&mut self.answer), now);
        }
        worker.shelf.put_outbox(std::mem::take(&mut self.request.frames));
    }
}

/// Hands over the part of a long answer that is there. `true`: it is the first part.
fn spill(flight: &Flight, server: &Server) -> bool {
    let mut passengers = flight.passengers.borrow_mut();
    let Some(first) = passengers.front_mut() else { return false };
    if first.answer.bytes.len() < SPILL || first.elsewhere.is_some() {
        return false;
    }
    let Some(entry) = &first.entry else {
        first.answer.bytes.clear();
        return false;
    };
    flight.room.set(false);
    if let Some(error) = &mut first.answer.error {
        error.at = None;
    }
    let torn = server.body.is_some_and(|body| body.delivery != Delivery::Nobody);
    entry.spill(&mut first.answer.bytes, torn);
    !std::mem::replace(&mut first.spilled, true)
}
