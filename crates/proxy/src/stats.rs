//! Counters of one worker, touched only by its thread: adding to them costs a few nanoseconds. What has passed through its pools
//! is counted by them: `traffic`.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::report::Totals;
use crate::traffic::{Counts, micros};

/// Longest time that is recorded as such: one hour, in microseconds.
const LONGEST: u64 = 3_600_000_000;

/// Counters of one worker since its start.
#[derive(Debug)]
pub(crate) struct Stats {
    failed_logins: Cell<u64>,
    errors: Cell<u64>,
    waits: Cell<u64>,
    servers_opened: Cell<u64>,
    open_failures: Cell<u64>,
    servers_closed: Cell<u64>,
    leaks: Cell<u64>,
    request_us: RefCell<Histogram<u64>>,
    wait_us: RefCell<Histogram<u64>>,
}

/// A histogram of microseconds up to an hour with two significant digits, about 20 KiB.
pub(crate) fn histogram() -> Histogram<u64> {
    // The bounds are constants that the crate accepts; the fallback grows by itself.
    Histogram::new_with_bounds(1, LONGEST, 2).unwrap_or_else(|_| {
        Histogram::new(2).unwrap_or_else(|_| unreachable!("2 significant digits are valid"))
    })
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            failed_logins: Cell::new(0),
            errors: Cell::new(0),
            waits: Cell::new(0),
            servers_opened: Cell::new(0),
            open_failures: Cell::new(0),
            servers_closed: Cell::new(0),
            leaks: Cell::new(0),
            request_us: RefCell::new(histogram()),
            wait_us: RefCell::new(histogram()),
        }
    }
}

fn add(counter: &Cell<u64>, count: u64) {
    counter.set(counter.get().wrapping_add(count));
}

fn record(histogram: &RefCell<Histogram<u64>>, time: Duration) {
    histogram.borrow_mut().saturating_record(micros(time).max(1));
}

impl Stats {
    pub(crate) fn on_failed_login(&self) {
        add(&self.failed_logins, 1);
    }

    /// A request was answered, this long after it was complete.
    pub(crate) fn on_request(&self, time: Duration) {
        record(&self.request_us, time);
    }

    pub(crate) fn on_error(&self) {
        add(&self.errors, 1);
    }

    pub(crate) fn on_wait(&self) {
        add(&self.waits, 1);
    }

    pub(crate) fn on_waited(&self, time: Duration) {
        record(&self.wait_us, time);
    }

    pub(crate) fn on_server_opened(&self) {
        add(&self.servers_opened, 1);
    }

    pub(crate) fn on_open_failed(&self) {
        add(&self.open_failures, 1);
    }

    pub(crate) fn on_server_closed(&self) {
        add(&self.servers_closed, 1);
    }

    /// A transaction was open for too long.
    pub(crate) fn on_leak(&self) {
        add(&self.leaks, 1);
    }

    /// With what has passed through the worker's pools.
    pub(crate) fn totals(&self, counts: Counts) -> Totals {
        Totals {
            connections: 0,
            failed_logins: self.failed_logins.get(),
            requests: counts.requests,
            transactions: counts.transactions,
            errors: self.errors.get(),
            bytes_received: counts.received,
            bytes_sent: counts.sent,
            waits: self.waits.get(),
            servers_opened: self.servers_opened.get(),
            open_failures: self.open_failures.get(),
            servers_closed: self.servers_closed.get(),
            leaks: self.leaks.get(),
            request_us: self.request_us.borrow().clone(),
            wait_us: self.wait_us.borrow().clone(),
        }
    }
}

impl Totals {
    /// Nothing counted yet.
    #[must_use]
    pub fn zero() -> Self {
        Stats::default().totals(Counts::default())
    }

    /// Adds another worker's counters.
    pub(crate) fn add(&mut self, other: &Self) {
        self.failed_logins += other.failed_logins;
        self.requests += other.requests;
        self.transactions += other.transactions;
        self.errors += other.errors;
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
        self.waits += other.waits;
        self.servers_opened += other.servers_opened;
        self.open_failures += other.open_failures;
        self.servers_closed += other.servers_closed;
        self.leaks += other.leaks;
        // Both have the same bounds: adding cannot fail.
        let _ = self.request_us.add(&other.request_us);
        let _ = self.wait_us.add(&other.wait_us);
    }
}
