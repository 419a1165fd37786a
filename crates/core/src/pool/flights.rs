//! Flights: several waiting reads of different clients share one server at once, written together, answered one after the
//! other. This file decides who flies with whom. Not the flight itself: the data plane writes, reads and splits; not who may share:
//! that is the statement's class and [`super::Pace`]; not how many flights there may be: [`super::climb`].
//!
//! Invariant: the oldest request is in every batch, so nobody waits for ever; all requests of a batch have one context.
//!
//! Why: PostgreSQL reads ahead, so requests that arrive together cost one receive and no sleep in between, and a server
//! that has about two busy backends per core is faster than one that has twenty.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::climb::Climb;
use super::ledger::Waiter;

/// Requests of one flight at most.
const LARGEST: usize = 32;
/// Requests that one flight takes before another one is begun beside it.
const FULL: usize = 8;
/// Expected run time of a whole flight at most, unless it is one request.
const BUDGET: Duration = Duration::from_millis(2);

/// What the ledger has to know of a request that may share a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fare {
    /// Identity of the session's settings: only equal ones share.
    pub context: usize,
    /// Expected run time.
    pub cost: Duration,
}

/// The requests that wait for a flight, and how many flights are under way.
#[derive(Debug)]
pub(super) struct Flights<W> {
    waiting: VecDeque<(Fare, Waiter<W>)>,
    flying: u32,
    /// Flights among them that have begun and have not boarded.
    boarding: u32,
    /// How many there may be at once.
    climb: Climb,
}

impl<W> Flights<W> {
    pub(super) const fn new(limit: u32) -> Self {
        Self { waiting: VecDeque::new(), flying: 0, boarding: 0, climb: Climb::new(limit) }
    }

    pub(super) const fn set_limit(&mut self, limit: u32) {
        self.climb.set_limit(limit);
    }

    /// How many flights there may be at once.
    pub(super) fn target(&self) -> u32 {
        self.climb.target()
    }

    pub(super) fn look(&mut self, now: Instant, answered: u64) {
        let waits = !self.waiting.is_empty() && self.flying >= self.target();
        self.climb.look(now, answered, waits);
    }

    pub(super) const fn flying(&self) -> u32 {
        self.flying
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn enqueue(&mut self, fare: Fare, waiter: Waiter<W>) {
        let younger = self.waiting.iter().rev().take_while(|(_, other)| other.since > waiter.since);
        let at = self.waiting.len() - younger.count();
        self.waiting.insert(at, (fare, waiter));
    }

    /// Since when the oldest request waits for which one more flight may begin.
    pub(super) fn due(&self) -> Option<Instant> {
        let spoken_for = self.boarding as usize * FULL;
        let (_, waiter) = self.waiting.get(spoken_for)?;
        (self.flying < self.target()).then_some(waiter.since)
    }

    /// A flight begins that is [`Self::due`]: it boards when everybody who is ready by now had a chance to join.
    pub(super) const fn begin(&mut self) {
        self.flying += 1;
        self.boarding += 1;
    }

    /// A flight that was begun has no server after all.
    pub(super) const fn on_not_boarded(&mut self) {
        self.boarding = self.boarding.saturating_sub(1);
        self.on_landed();
    }

    pub(super) fn oldest(&self) -> Option<Instant> {
        self.waiting.front().map(|(_, waiter)| waiter.since)
    }

    /// Servers that waiting requests could use beyond those that fly.
    pub(super) fn wanting(&self) -> usize {
        let left = self.waiting.len().saturating_sub(self.boarding as usize * FULL);
        left.div_ceil(FULL).min(self.target().saturating_sub(self.flying) as usize)
    }

    /// The next batch, for a flight that was begun: the oldest request and, in order, others with its context, as many as fill
    /// the flight, or more if that makes the flights that may still begin about equally long. The caller says
    /// [`Self::on_landed`] afterwards.
    pub(super) fn board(&mut self) -> Vec<W> {
        let others = self.target().saturating_sub(self.flying);
        let flights = (others + self.boarding).max(1) as usize;
        self.boarding = self.boarding.saturating_sub(1);
        let Some((first, _)) = self.waiting.front() else { return Vec::new() };
        let context = first.context;
        let most = self.waiting.len().div_ceil(flights).clamp(FULL, LARGEST);
        let (mut batch, mut cost, mut at) = (Vec::with_capacity(most), Duration::ZERO, 0);
        while batch.len() < most
            && let Some((fare, _)) = self.waiting.get(at)
        {
            if fare.context != context {
                at += 1;
                continue;
            }
            cost += fare.cost;
            if cost > BUDGET && !batch.is_empty() {
                break;
            }
            batch.extend(self.waiting.remove(at).map(|(_, waiter)| waiter.who));
        }
        batch
    }

    /// A flight is over, or does not count any more because it is stuck.
    pub(super) const fn on_landed(&mut self) {
        self.flying = self.flying.saturating_sub(1);
    }

    pub(super) fn withdraw(&mut self, is: impl Fn(&W) -> bool) -> bool {
        let Some(position) = self.waiting.iter().position(|(_, waiter)| is(&waiter.who)) else {
            return false;
        };
        self.waiting.remove(position).is_some()
    }

    /// The requests that wait, oldest first.
    pub(super) fn waiters(&mut self) -> impl Iterator<Item = &mut Waiter<W>> {
        self.waiting.iter_mut().map(|(_, waiter)| waiter)
    }

    pub(super) fn take_expired(&mut self, is_expired: impl Fn(&Waiter<W>) -> bool) -> Vec<W> {
        let expired = self.waiting.iter().take_while(|(_, waiter)| is_expired(waiter)).count();
        self.waiting.drain(..expired).map(|(_, waiter)| waiter.who).collect()
    }

    pub(super) fn take_all(&mut self) -> Vec<W> {
        self.waiting.drain(..).map(|(_, waiter)| waiter.who).collect()
    }
}

#[cfg(test)]
mod tests;
