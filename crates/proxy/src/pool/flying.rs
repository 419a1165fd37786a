//! What a pool has to do with flights: requests wait for them, they take servers of the pool, and they are counted. The flight
//! itself is `flight`; who flies is decided by `howdah_core::pool::Ledger`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use howdah_core::pool::Fare;

use super::Pool;
use crate::entry::Entry;
use crate::error::Refusal;
use crate::flight::{self, Flight};
use crate::report::PoolReport;
use crate::server::Server;
use crate::share::Unshared;
use crate::worker::Worker;

/// Flights of a pool, and what became of requests that might have flown.
#[derive(Debug, Default)]
pub(super) struct Flying {
    under_way: RefCell<Vec<Rc<Flight>>>,
    begun: Cell<u64>,
    /// Requests that waited for a flight, and those that did not, by reason.
    shared: Cell<u64>,
    unshared: RefCell<BTreeMap<Unshared, u64>>,
}

impl Flying {
    /// Fills in its part of the pool's line in the report.
    pub(super) fn report(&self, report: &mut PoolReport) {
        let flying = self.under_way.borrow().len();
        report.servers_active += flying;
        report.servers_tested = report.servers_tested.saturating_sub(flying);
        report.flights = self.begun.get();
        report.shared = self.shared.get();
        let unshared = self.unshared.borrow();
        report.unshared = unshared.iter().map(|(why, count)| (why.as_str(), *count)).collect();
    }
}

impl Pool {
    /// Whether the server of this number flies.
    pub(crate) fn is_flying(&self, server: u32) -> bool {
        self.flying.under_way.borrow().iter().any(|flight| flight.server == server)
    }

    /// Puts a request that may share a server, and waits since this moment, into its lane.
    ///
    /// # Errors
    /// As [`Self::enqueue`].
    pub(crate) fn enqueue_shared(
        self: &Rc<Self>,
        worker: &Rc<Worker>,
        entry: &Rc<Entry>,
        (fare, since): (Fare, Instant),
    ) -> Result<(), Refusal> {
        if let Some(refusal) = self.hopeless(worker) {
            return Err(refusal);
        }
        let queued = self.ledger.borrow_mut().enqueue_shared(Rc::clone(entry), fare, since);
        if queued.is_err() {
            return Err(Refusal::queue_full(self.ledger.borrow().config().max_waiters));
        }
        self.take_off(worker);
        self.open_wanted(worker, worker.now());
        Ok(())
    }

    /// Begins the flights that may begin with idle servers.
    pub(crate) fn take_off(self: &Rc<Self>, worker: &Rc<Worker>) {
        while self.ledger.borrow().may_take_off() {
            let Some(taken) = self.take(worker) else { return };
            self.ledger.borrow_mut().begin_flight();
            self.fly(worker, taken);
        }
    }

    /// Has a flight that was begun fly: it boards after the sessions whose requests have arrived by now.
    pub(super) fn fly(self: &Rc<Self>, worker: &Rc<Worker>, server: (Box<Server>, bool)) {
        tokio::task::spawn_local(flight::fly(Rc::clone(worker), Rc::clone(self), server));
    }

    /// A flight has begun.
    pub(crate) fn on_take_off(&self, flight: &Rc<Flight>) {
        self.flying.begun.set(self.flying.begun.get() + 1);
        self.flying.under_way.borrow_mut().push(Rc::clone(flight));
    }

    /// A flight is over.
    pub(crate) fn on_landing(&self, flight: &Rc<Flight>) {
        self.flying.under_way.borrow_mut().retain(|other| !Rc::ptr_eq(other, flight));
    }

    /// It was decided whether a request may share.
    pub(crate) fn on_classified(&self, unshared: Option<Unshared>) {
        match unshared {
            None => self.flying.shared.set(self.flying.shared.get() + 1),
            Some(reason) => *self.flying.unshared.borrow_mut().entry(reason).or_default() += 1,
        }
    }

    /// Regular work: clears flights that are stuck, and learns how many are best.
    pub(super) fn look_at_flights(self: &Rc<Self>, worker: &Rc<Worker>, now: Instant) {
        let flights = self.flying.under_way.borrow().clone();
        for flight in flights {
            flight.tick(self, now);
        }
        if self.ledger.borrow().config().share {
            self.ledger.borrow_mut().look_at_flights(now, self.traffic.counts().requests);
        }
        self.take_off(worker);
    }
}
