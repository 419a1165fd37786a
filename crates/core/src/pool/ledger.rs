//! Who has which server and who waits for one. Not the connections themselves: `S` is whatever the caller calls a server,
//! `W` whatever it calls a waiter.
//!
//! Invariant: a server is in exactly one place (idle here, or owned by the caller as busy); waiters for a server of their own
//! exist only while no server is idle; they are served first come, first served. Requests that may share a server wait in a
//! lane of their own for a flight ([`super::flights`]), which goes before whoever waits alone, but not twice in a row. A paused
//! ledger has no idle server, hands none out, and lets no flight begin.
//!
//! Length: every way in which a server or a place in line changes hands, so that the invariant can be checked in one file.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::PoolConfig;
use super::flights::{Fare, Flights};

/// First delay after a server could not be opened; doubles with every further failure.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
/// Longest delay between attempts to open a server.
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// A pool that is larger than its target gives up one idle server this often.
const SHRINK: Duration = Duration::from_secs(10);
/// Time between two servers that leave because of their age, while no other one is opened.
const RETIRE: Duration = Duration::from_secs(1);
/// Run times of statements on servers of their own are taken for up to this many times shorter: see [`Ledger::crowd`].
const CROWD: u32 = 8;

/// The waiters' queue is at its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueFull;

/// Where a server goes that came back or was just opened.
#[derive(Debug, PartialEq, Eq)]
pub enum Checkin<S, W> {
    /// To the waiter that has waited longest.
    Hand(W, S),
    /// To several requests at once: a flight has begun; see [`Ledger::board`].
    Fly(S),
    /// It is idle in the ledger now.
    Idle,
    /// Nobody needs it and it must not stay: close it.
    Close(S),
}

/// Sizes at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Servers ready for use.
    pub idle: usize,
    /// Servers with a client or being reset.
    pub busy: u32,
    /// Servers being opened.
    pub opening: u32,
    /// Clients that wait, in both lanes.
    pub waiting: usize,
    /// Those of them that wait for a server of their own.
    pub waiting_alone: usize,
    /// Flights under way.
    pub flying: u32,
}

#[derive(Debug)]
struct Idle<S> {
    server: S,
    since: Instant,
}

#[derive(Debug)]
pub(super) struct Waiter<W> {
    pub(super) who: W,
    pub(super) since: Instant,
    /// Was told that it waits.
    pub(super) notified: bool,
}

/// Pure state of one pool.
#[derive(Debug)]
pub struct Ledger<S, W> {
    config: PoolConfig,
    /// Last in, first out, so that surplus servers age at the bottom.
    idle: Vec<Idle<S>>,
    waiters: VecDeque<Waiter<W>>,
    flights: Flights<W>,
    /// A flight was begun before a server for whoever has waited longer, alone: the next server is theirs.
    overtaken: bool,
    busy: u32,
    opening: u32,
    /// Consecutive failures to open a server.
    failures: u32,
    not_before: Option<Instant>,
    /// When a server has left because of its age, unless another one was opened since.
    retired: Option<Instant>,
    ever_opened: bool,
    checkouts: u64,
    checkins: u64,
    /// Most servers busy at once since it was asked last.
    peak: u32,
    /// Servers to hold, beyond `min_size`.
    target: Option<u32>,
    shrunk: Option<Instant>,
    paused: bool,
    /// The time spent waiting before this does not count: the pool was paused.
    resumed: Option<Instant>,
}

impl<S, W> Ledger<S, W> {
    /// An empty pool.
    #[must_use]
    pub fn new(config: PoolConfig) -> Self {
        let flights = Flights::new(config.max_size);
        Self {
            config,
            idle: Vec::new(),
            waiters: VecDeque::new(),
            flights,
            overtaken: false,
            busy: 0,
            opening: 0,
            failures: 0,
            not_before: None,
            retired: None,
            ever_opened: false,
            checkouts: 0,
            checkins: 0,
            peak: 0,
            target: None,
            shrunk: None,
            paused: false,
            resumed: None,
        }
    }

    /// Sizes and times in force.
    #[must_use]
    pub const fn config(&self) -> &PoolConfig {
        &self.config
    }

    /// Replaces sizes and times; servers beyond a smaller size leave at their checkin or by [`Self::take_surplus`].
    pub const fn set_config(&mut self, config: PoolConfig) {
        self.flights.set_limit(config.max_size);
        self.config = config;
    }

    /// Sizes now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            idle: self.idle.len(),
            busy: self.busy,
            opening: self.opening,
            waiting: self.waiters.len() + self.flights.waiting(),
            waiting_alone: self.waiters.len(),
            flying: self.flights.flying(),
        }
    }

    /// The idle servers, with the time since when they are idle.
    pub fn idle(&self) -> impl Iterator<Item = (&S, Instant)> {
        self.idle.iter().map(|idle| (&idle.server, idle.since))
    }

    /// How long the oldest waiter has waited.
    #[must_use]
    pub fn oldest_wait(&self, now: Instant) -> Duration {
        let alone = self.waiters.front().map(|waiter| waiter.since);
        let oldest = alone.into_iter().chain(self.flights.oldest()).min();
        oldest.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Takes the server that was used last, with the time since when it is idle. `None`: wait ([`Self::enqueue`]).
    pub fn checkout(&mut self) -> Option<(S, Instant)> {
        let idle = self.idle.pop()?;
        self.on_checkout();
        Some((idle.server, idle.since))
    }

    const fn on_checkout(&mut self) {
        self.busy += 1;
        self.checkouts += 1;
        if self.busy > self.peak {
            self.peak = self.busy;
        }
    }

    /// How often servers were handed out and how often they came back, since the pool was made.
    #[must_use]
    pub const fn turnover(&self) -> (u64, u64) {
        (self.checkouts, self.checkins)
    }

    /// Most servers that were busy at once since this was asked last.
    pub const fn take_peak(&mut self) -> u32 {
        std::mem::replace(&mut self.peak, self.busy)
    }

    /// Servers to hold open ahead of need, between `min_size` and `max_size`; more are given up one by one. `None`: `min_size`,
    /// and more go by `idle_timeout` alone.
    pub const fn set_target(&mut self, target: Option<u32>) {
        self.target = target;
    }

    /// Servers that are held even when nobody uses them.
    #[must_use]
    pub fn floor(&self) -> u32 {
        self.target.map_or(self.config.min_size, |target| {
            target.clamp(self.config.min_size, self.config.max_size.max(self.config.min_size))
        })
    }

    /// Puts a client at the end of the queue.
    ///
    /// # Errors
    /// [`QueueFull`] when `max_waiters` wait already.
    pub fn enqueue(&mut self, who: W, now: Instant) -> Result<(), QueueFull> {
        if self.counts().waiting >= self.config.max_waiters {
            return Err(QueueFull);
        }
        self.waiters.push_back(Waiter { who, since: now, notified: false });
        Ok(())
    }

    /// Puts a request that may share a server into its lane, behind those that wait for as long; then see whether it
    /// [`Self::may_take_off`]. One that comes back from a flight has waited `since` it was put there first.
    ///
    /// # Errors
    /// [`QueueFull`] when `max_waiters` wait already.
    pub fn enqueue_shared(&mut self, who: W, fare: Fare, since: Instant) -> Result<(), QueueFull> {
        if self.counts().waiting >= self.config.max_waiters {
            return Err(QueueFull);
        }
        self.flights.enqueue(fare, Waiter { who, since, notified: false });
        Ok(())
    }

    /// Whether a request is served at once, or begins a server, without sharing: sharing gains nothing while fewer servers
    /// work than there may be flights.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.busy < self.flights.target() && self.counts().waiting == 0
    }

    /// How many times more servers work than there would be flights, at most `CROWD`: so much longer a statement may take
    /// because it waits for a processor.
    #[must_use]
    pub fn crowd(&self) -> u32 {
        (self.busy / self.flights.target().max(1)).clamp(1, CROWD)
    }

    /// Whether a flight may begin for which requests wait.
    #[must_use]
    pub fn may_take_off(&self) -> bool {
        !self.paused && self.flights.due().is_some()
    }

    /// Begins a flight with a server that was checked out for it.
    pub const fn begin_flight(&mut self) {
        self.flights.begin();
    }

    /// The requests of a flight that was begun, in order. Ask for them when all who are ready by now have had the chance to wait:
    /// the more fly together, the less each costs. Say [`Self::on_landed`] when they are answered, before the server comes back.
    pub fn board(&mut self) -> Vec<W> {
        self.flights.board()
    }

    /// A flight that was begun does not board: its server is gone.
    pub const fn on_not_boarded(&mut self) {
        self.flights.on_not_boarded();
    }

    /// A flight is over, or does not count any more because it is stuck. Its server comes back by [`Self::checkin`] or
    /// [`Self::on_closed`].
    pub const fn on_landed(&mut self) {
        self.flights.on_landed();
    }

    /// How many flights there may be at once, as learned: at least one, at most `max_size`.
    #[must_use]
    pub fn flight_target(&self) -> u32 {
        self.flights.target()
    }

    /// Regular look: the pool has answered `answered` requests since it was made. Learns how many flights are best.
    pub fn look_at_flights(&mut self, now: Instant, answered: u64) {
        self.flights.look(now, answered);
    }

    /// Takes a waiter out of the queue; `false` when it is not in it (it was served or has expired).
    pub fn withdraw(&mut self, is: impl Fn(&W) -> bool) -> bool {
        let Some(position) = self.waiters.iter().position(|waiter| is(&waiter.who)) else {
            return self.flights.withdraw(is);
        };
        self.waiters.remove(position).is_some()
    }

    /// Waiters whose time has passed, oldest first; they leave the queue. That is `checkout_timeout`, counted from the last
    /// [`Self::resume`] at the earliest; while the pool is paused it is `pause_timeout`.
    pub fn take_expired_waiters(&mut self, now: Instant) -> Vec<W> {
        let timeout = match (self.paused, self.config.pause_timeout) {
            (false, _) => self.config.checkout_timeout,
            (true, Some(timeout)) => timeout,
            (true, None) => return Vec::new(),
        };
        let resumed = self.resumed;
        let is_expired = |waiter: &Waiter<W>| {
            let begin = resumed.map_or(waiter.since, |at| at.max(waiter.since));
            now.saturating_duration_since(begin) >= timeout
        };
        let expired = self.waiters.iter().take_while(|waiter| is_expired(waiter)).count();
        let mut expired: Vec<W> = self.waiters.drain(..expired).map(|waiter| waiter.who).collect();
        expired.extend(self.flights.take_expired(is_expired));
        expired
    }

    /// Waiters that have waited for `wait_notice`; each is given once.
    pub fn notify_waiters(&mut self, now: Instant) -> Vec<W>
    where
        W: Clone,
    {
        let Some(after) = self.config.wait_notice else { return Vec::new() };
        let is_due = |waiter: &&mut Waiter<W>| now.saturating_duration_since(waiter.since) >= after;
        let alone = self.waiters.iter_mut().take_while(is_due);
        let notify = |waiter: &mut Waiter<W>| {
            let told = std::mem::replace(&mut waiter.notified, true);
            (!told).then(|| waiter.who.clone())
        };
        alone.chain(self.flights.waiters().take_while(is_due)).filter_map(notify).collect()
    }

    /// From now on no server is handed out and none is opened; what comes back is to be closed. Gives the idle servers,
    /// which the caller closes. Nothing happens to a pool that is paused already.
    #[must_use]
    pub fn pause(&mut self) -> Vec<S> {
        self.paused = true;
        self.idle.drain(..).map(|idle| idle.server).collect()
    }

    /// Works again. Who has waited meanwhile has the whole `checkout_timeout` from now on, and failures to open a server
    /// from before count no more.
    pub const fn resume(&mut self, now: Instant) {
        if self.paused {
            self.paused = false;
            self.resumed = Some(now);
            self.failures = 0;
            self.not_before = None;
        }
    }

    /// Whether it is paused.
    #[must_use]
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// All waiters; they leave the queue.
    pub fn take_waiters(&mut self) -> Vec<W> {
        let mut waiters: Vec<W> = self.waiters.drain(..).map(|waiter| waiter.who).collect();
        waiters.extend(self.flights.take_all());
        waiters
    }

    /// Whether one more server should be opened now: for a waiter that no opening server is for, to hold `min_size`, or to see
    /// whether that works again, while there are only servers from before ([`Self::may_retire`]).
    /// The caller that acts on `true` says [`Self::on_opening`].
    #[must_use]
    pub fn wants_server(&self, now: Instant) -> bool {
        if self.paused || self.opening >= self.config.max_opening || self.is_backing_off(now) {
            return false;
        }
        let open = self.open();
        let demand = self.waiters.len() + self.flights.wanting();
        let unserved = self.idle.is_empty() && demand > self.opening as usize;
        let most = self.config.max_size.saturating_add(self.reserve(now));
        let tries_again = self.failures > 0 && open > 0 && open < self.config.max_size;
        (unserved && open < most) || open < self.floor() || tries_again
    }

    /// Servers beyond `max_size` that may be open now: the reserve, when a client has waited for that long.
    #[must_use]
    pub fn reserve(&self, now: Instant) -> u32 {
        let due = self.oldest_wait(now) >= self.config.reserve_after;
        if due { self.config.reserve_size } else { 0 }
    }

    /// Servers idle, busy and opening.
    #[must_use]
    pub fn open(&self) -> u32 {
        u32::try_from(self.idle.len()).unwrap_or(u32::MAX).saturating_add(self.busy + self.opening)
    }

    /// Whether a server was ever opened: before that, a failure is told to clients at once instead of waiting for better.
    #[must_use]
    pub const fn ever_opened(&self) -> bool {
        self.ever_opened
    }

    /// A server is being opened.
    pub const fn on_opening(&mut self) {
        self.opening += 1;
    }

    /// A server was opened.
    pub fn on_opened(&mut self, server: S, now: Instant) -> Checkin<S, W> {
        self.opening = self.opening.saturating_sub(1);
        self.busy += 1;
        self.failures = 0;
        self.not_before = None;
        self.retired = None;
        self.ever_opened = true;
        self.checkin(server, now)
    }

    /// A server could not be opened: the next attempt waits, longer each time.
    pub fn on_open_failed(&mut self, now: Instant) {
        self.opening = self.opening.saturating_sub(1);
        let delay = BACKOFF_FIRST.saturating_mul(1 << self.failures.min(10)).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + delay);
    }

    /// The next attempt to open a server need not wait: what was in the way is over.
    pub const fn end_pause(&mut self) {
        self.not_before = None;
    }

    /// Consecutive failures to open a server.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether a server that has lived for `max_lifetime` may leave now. An old server is better than none: they stay while another one
    /// cannot be opened, and leave one after the other, so that this is found out in time.
    #[must_use]
    pub fn may_retire(&self, now: Instant) -> bool {
        let alone = self
            .retired
            .is_none_or(|last| self.opening == 0 && now.saturating_duration_since(last) >= RETIRE);
        self.failures == 0 && alone
    }

    /// A server has left because of its age.
    pub const fn on_retired(&mut self, now: Instant) {
        self.retired = Some(now);
    }

    /// Whether the next attempt to open a server is not due yet.
    #[must_use]
    pub fn is_backing_off(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|due| now < due)
    }

    /// A busy server comes back clean.
    pub fn checkin(&mut self, server: S, now: Instant) -> Checkin<S, W> {
        self.busy = self.busy.saturating_sub(1);
        self.checkins += 1;
        if self.paused {
            return Checkin::Close(server);
        }
        if self.flies_first() {
            self.on_checkout();
            self.flights.begin();
            return Checkin::Fly(server);
        }
        if let Some(waiter) = self.waiters.pop_front() {
            self.overtaken = false;
            self.on_checkout();
            return Checkin::Hand(waiter.who, server);
        }
        if self.open() >= self.config.max_size {
            return Checkin::Close(server);
        }
        self.idle.push(Idle { server, since: now });
        Checkin::Idle
    }

    /// Whether a free server begins a flight. Flights are short, and many wait for one: they go before whoever waits alone, even for
    /// longer, but not twice in a row. So a slow statement waits at most one flight's time longer, and short reads do not wait in a
    /// line of slow statements.
    fn flies_first(&mut self) -> bool {
        let Some(due) = self.flights.due() else { return false };
        let overtakes = self.waiters.front().is_some_and(|alone| alone.since <= due);
        let flies = !(overtakes && self.overtaken);
        self.overtaken |= overtakes;
        flies
    }

    /// A busy server was closed instead of coming back.
    pub const fn on_closed(&mut self) {
        self.busy = self.busy.saturating_sub(1);
    }

    /// Takes the idle servers that `wanted` says; they are busy now.
    pub fn take_idle(&mut self, wanted: impl Fn(&S) -> bool) -> Vec<S> {
        let (taken, kept) = self.idle.drain(..).partition(|idle| wanted(&idle.server));
        self.idle = kept;
        let taken: Vec<Idle<S>> = taken;
        self.busy = self.busy.saturating_add(u32::try_from(taken.len()).unwrap_or(u32::MAX));
        taken.into_iter().map(|idle| idle.server).collect()
    }

    /// Idle servers that `leave` says must go (by themselves and since when they are idle, the longest idle first), those idle for `idle_timeout` beyond the least size, and now and then one beyond the
    /// target. The caller closes them.
    pub fn take_surplus(&mut self, now: Instant, leave: impl Fn(&S, Instant) -> bool) -> Vec<S> {
        let mut room = self.open().saturating_sub(self.floor());
        let rested = self.shrunk.is_none_or(|last| now.saturating_duration_since(last) >= SHRINK);
        let mut shrinks = self.target.is_some() && rested && room > 0;
        if shrinks {
            self.shrunk = Some(now);
        }
        let timeout = self.config.idle_timeout;
        let (mut kept, mut gone) = (Vec::with_capacity(self.idle.len()), Vec::new());
        for idle in self.idle.drain(..) {
            let old = now.saturating_duration_since(idle.since) >= timeout;
            let spare = room > 0 && (old || std::mem::take(&mut shrinks));
            if spare || leave(&idle.server, idle.since) {
                room = room.saturating_sub(1);
                gone.push(idle.server);
            } else {
                kept.push(idle);
            }
        }
        self.idle = kept;
        gone
    }
}

#[cfg(test)]
mod tests;
