//! What has passed through a pool, in numbers: counted by the pool of each worker, added up for reports by database. Not
//! histograms and not events of the process: those are `stats`.
//!
//! Invariant: the counters of a pool are touched by its own thread alone and never go back.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

/// How long a period is over which averages are made.
pub(crate) const PERIOD: Duration = Duration::from_mins(1);

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Counts of what has passed through pools. Times are in microseconds.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[doc = $doc])* pub $name: u64,)*
        }

        impl Counts {
            /// The counts of both.
            #[must_use]
            pub const fn plus(self, other: Self) -> Self {
                Self { $($name: self.$name.wrapping_add(other.$name),)* }
            }

            /// What was counted after `earlier`.
            #[must_use]
            pub const fn since(self, earlier: Self) -> Self {
                Self { $($name: self.$name.wrapping_sub(earlier.$name),)* }
            }
        }

        /// Counts of one pool, being made.
        #[derive(Debug, Default)]
        pub(crate) struct Traffic {
            $($name: Cell<u64>,)*
            periods: RefCell<Periods>,
        }

        impl Traffic {
            /// The counts so far.
            pub(crate) fn counts(&self) -> Counts {
                Counts { $($name: self.$name.get(),)* }
            }
        }
    };
}

counters! {
    /// Clients that logged in.
    logins,
    /// Times a client was given a server.
    assignments,
    /// Transactions ended.
    transactions,
    /// Requests answered (one ReadyForQuery each).
    requests,
    /// Bytes from clients.
    received,
    /// Bytes to clients.
    sent,
    /// Time in transactions, with a server.
    transaction_us,
    /// Time of requests, with a server.
    request_us,
    /// Time clients waited for a server.
    wait_us,
    /// Named statements that clients prepared.
    client_parses,
    /// Statements that were prepared on servers for that.
    server_parses,
    /// Named statements that clients bound.
    binds,
}

/// Counts at the ends of the last two periods.
#[derive(Debug, Default)]
struct Periods {
    older: Counts,
    newer: Counts,
}

/// Whole microseconds; for centuries.
pub(crate) const fn micros(time: Duration) -> u64 {
    time.as_secs().wrapping_mul(1_000_000).wrapping_add(time.subsec_micros() as u64)
}

fn add(counter: &Cell<u64>, count: u64) {
    counter.set(counter.get().wrapping_add(count));
}

impl Traffic {
    pub(crate) fn on_login(&self) {
        add(&self.logins, 1);
    }

    /// A client got a server, after this wait.
    pub(crate) fn on_assigned(&self, waited: Duration) {
        add(&self.assignments, 1);
        add(&self.wait_us, micros(waited));
    }

    /// A request was answered that a server worked on for so long; and, if a transaction ended with it, how long that was.
    pub(crate) fn on_request(&self, work: Duration, transaction: Option<Duration>) {
        add(&self.requests, 1);
        add(&self.request_us, micros(work));
        if let Some(transaction) = transaction {
            add(&self.transactions, 1);
            add(&self.transaction_us, micros(transaction));
        }
    }

    pub(crate) fn on_received(&self, bytes: usize) {
        add(&self.received, bytes as u64);
    }

    pub(crate) fn on_sent(&self, bytes: usize) {
        add(&self.sent, bytes as u64);
    }

    pub(crate) fn on_client_parse(&self) {
        add(&self.client_parses, 1);
    }

    pub(crate) fn on_server_parse(&self) {
        add(&self.server_parses, 1);
    }

    pub(crate) fn on_bind(&self) {
        add(&self.binds, 1);
    }

    /// A period ends.
    pub(crate) fn turn(&self) {
        let mut periods = self.periods.borrow_mut();
        periods.older = periods.newer;
        periods.newer = self.counts();
    }

    /// What was counted since the beginning of the last whole period.
    pub(crate) fn recent(&self) -> Counts {
        self.counts().since(self.periods.borrow().older)
    }
}

/// The ends of the periods of one worker.
#[derive(Debug)]
pub(crate) struct Turns {
    older: Cell<Instant>,
    newer: Cell<Instant>,
}

impl Turns {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { older: Cell::new(now), newer: Cell::new(now) }
    }

    /// Whether a period ends now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        if now.saturating_duration_since(self.newer.get()) < PERIOD {
            return false;
        }
        self.older.set(self.newer.replace(now));
        true
    }

    /// The time that [`Traffic::recent`] is about.
    pub(crate) fn span(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.older.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_counts_reach_back_one_to_two_periods() {
        let begin = crate::clock::now();
        let (traffic, turns) = (Traffic::default(), Turns::new(begin));
        let mut now = begin;
        for _ in 0..5 {
            traffic.on_received(100);
            now += PERIOD;
            assert!(turns.is_due(now) && !turns.is_due(now));
            traffic.turn();
        }
        traffic.on_received(7);
        now += PERIOD / 2;
        assert_eq!(traffic.counts().received, 507);
        assert_eq!(traffic.recent().received, 107, "the last whole period, and what came after it");
        assert_eq!(turns.span(now), PERIOD + PERIOD / 2);
    }

    #[test]
    fn times_are_whole_microseconds() {
        assert_eq!(micros(Duration::from_nanos(1_999)), 1);
        assert_eq!(micros(Duration::new(3, 7_000)), 3_000_007);
    }
}
