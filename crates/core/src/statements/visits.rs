//! Transactions that ask again and again while the server they hold waits for the application: many round trips, of which most of the
//! time is the application's own. Told of one session's requests in their order; not a guess from totals.
//!
//! Invariant: a transaction is told of when it has ended, with all of its requests, and costs no clock beyond those that are read anyway.

use howdah_sql::{Analysis, Class};

/// Fewer round trips are nothing to speak of.
const MANY: u64 = 20;

/// The requests of one transaction so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Visits {
    requests: u64,
    served_us: u64,
    /// The form that ran first.
    first: u64,
    /// The form that ran last, and how often in a row.
    run: (u64, u64),
    /// The longest such run.
    longest: (u64, u64),
}

/// A transaction of many round trips, in whose time nobody worked for the most part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chatty {
    /// Fingerprint of its first statement that is not BEGIN.
    pub first: u64,
    /// Round trips.
    pub requests: u64,
    /// How long it was, in microseconds,
    pub lasted_us: u64,
    /// and how long of that a server worked for it.
    pub served_us: u64,
    /// The form that ran most often in a row, and how often.
    pub longest: (u64, u64),
}

impl Chatty {
    /// Adds another one that begins with the same form.
    pub(super) const fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.lasted_us = self.lasted_us.saturating_add(other.lasted_us);
        self.served_us = self.served_us.saturating_add(other.served_us);
        if other.longest.1 > self.longest.1 {
            self.longest = other.longest;
        }
    }
}

impl Visits {
    /// A statement has run.
    pub const fn on_call(&mut self, analysis: &Analysis) {
        if matches!(analysis.class, Class::TransactionControl) {
            return;
        }
        let form = analysis.fingerprint.0;
        if self.first == 0 {
            self.first = form;
        }
        self.run = if self.run.0 == form { (form, self.run.1 + 1) } else { (form, 1) };
        if self.run.1 > self.longest.1 {
            self.longest = self.run;
        }
    }

    /// A request was answered that a server worked on for so long.
    pub const fn on_request(&mut self, served_us: u64) {
        self.requests += 1;
        self.served_us = self.served_us.saturating_add(served_us);
    }

    /// The transaction has ended, so long after its server was given. What there is to tell of it, if anything.
    pub fn end(&mut self, lasted_us: u64) -> Option<Chatty> {
        let Self { requests, served_us, first, longest, .. } = std::mem::take(self);
        let chatty = requests >= MANY && served_us.saturating_mul(2) < lasted_us;
        chatty.then_some(Chatty { first, requests, lasted_us, served_us, longest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(number: u64, class: Class) -> Analysis {
        let mut analysis = Analysis::unknown();
        analysis.fingerprint = howdah_sql::Fingerprint(number);
        analysis.class = class;
        analysis
    }

    fn transaction(forms: &[u64], served_us: u64, lasted_us: u64) -> Option<Chatty> {
        let mut visits = Visits::default();
        visits.on_call(&form(99, Class::TransactionControl));
        visits.on_request(1);
        for number in forms {
            visits.on_call(&form(*number, Class::Read));
            visits.on_request(served_us);
        }
        visits.end(lasted_us)
    }

    #[test]
    fn many_round_trips_and_little_work_are_told_of_with_what_ran_most() {
        let mut forms = vec![7];
        forms.extend([8; 30]);
        forms.extend([9, 7]);
        let told = transaction(&forms, 10, 100_000).unwrap();
        assert_eq!((told.first, told.requests, told.longest), (7, 34, (8, 30)));
        assert_eq!((told.lasted_us, told.served_us), (100_000, 331));
    }

    #[test]
    fn a_transaction_that_works_or_is_short_is_not() {
        assert_eq!(transaction(&[8; 40], 1_000, 50_000), None, "the server works most of the time");
        assert_eq!(transaction(&[8; 10], 1, 50_000), None, "few round trips");
        let mut visits = Visits::default();
        assert_eq!(visits.end(1_000), None);
    }
}
