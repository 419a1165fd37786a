//! Failover while everybody goes on: what a synchronous standby has is promised, and nothing that the old primary has said is given when
//! something else holds. Requests may fail; those that are answered are judged like any other.
//!
//! Invariant: the old primary does nothing any more before the other takes over, so no version is written behind our back.

use std::time::{Duration, Instant};

use howdah_local::Node;
use howdah_tests::raw::{Connection, Target};
use parking_lot::Mutex;

use super::places::{Place, ROWS};
use super::reader::{Promise, Reader};
use super::{Dice, KEYS, Outcome, Run, nodes};
use crate::bed::{self, Bed, catch_up, direct, eventually};

/// Clients that one thread reads for.
const SOME: usize = 16;
/// Before and after.
const TIME: Duration = Duration::from_millis(1500);

/// A primary with a synchronous standby, both known to Howdah; the primary answers everything.
fn both() -> Bed {
    Bed::on(nodes(1).synchronous(true), &format!("{KEYS}[route]\npolicy = \"primary\"\n"))
}

impl<'a> Run<'a> {
    /// Whether a statement was answered; without a connection there is another one next time.
    fn try_run(&self, client: &mut Option<Connection>, target: &Target, sql: &str) -> bool {
        if client.is_none() {
            *client = target.connect().ok();
        }
        let answer = client.as_mut().map(|client| client.query_or_goodbye(sql));
        let is_done = matches!(&answer, Some(Ok(answer)) if answer.errors().is_empty());
        if !is_done {
            *client = None;
            self.on_trouble();
        }
        is_done
    }

    /// Writes every second row at whatever node this says.
    fn tries(&self, odd: usize, target: impl Fn() -> Target) {
        let (mut client, mut dice) = (None, Dice(20 + odd as u64));
        while self.goes_on() {
            let row = dice.below(ROWS / 2) * 2 + odd;
            self.history(Place::Row, row).attempt(|version| {
                // One transaction: they are not seen apart.
                let sql = format!("UPDATE pair SET v = {version} WHERE id = {row}; UPDATE c SET v = {version} WHERE id = {row}");
                self.try_run(&mut client, &target(), &sql)
            });
            std::thread::sleep(Duration::from_millis(dice.below(6) as u64));
        }
    }

    /// As `readers`; who loses its connection is followed by another.
    fn stubborn_readers(&self, promise: Promise, seed: u64) {
        let new = || Reader::new(self.bed, promise);
        let mut readers: Vec<_> = (0..SOME).map(|_| new()).collect();
        let mut dice = Dice(seed);
        while self.goes_on() {
            for reader in &mut readers {
                let asked = reader.try_ask(&mut dice);
                let is_alive = asked.is_some_and(|asked| reader.try_look(self, asked));
                if !is_alive && self.goes_on() {
                    *reader = new();
                }
            }
        }
    }

    /// The primary dies, and its standby takes its place. How long nothing was answered from the cache.
    fn fail_over(&self, primary: &Mutex<&'a Node>) -> Duration {
        std::thread::sleep(TIME);
        let begun = Instant::now();
        let (old, heir) = (self.bed.cluster.primary(), &self.bed.cluster.replicas()[0]);
        // A session that waits for the standby must not see its postmaster die: it would show its commit before it dies itself.
        old.freeze().expect("it runs");
        old.kill().expect("it runs");
        heir.promote().expect("it takes over");
        *primary.lock() = heir;
        let before = self.hits();
        eventually("the cache answers again", || self.hits() > before + 100);
        let took = begun.elapsed();
        std::thread::sleep(TIME);
        took
    }
}

/// Runs it on a bed of its own. How long nothing was answered from the cache, and how many requests failed.
pub(crate) fn run() -> (Outcome, Duration, u64) {
    let bed = both();
    bed.open();
    let run = Run::new(&bed);
    let mut warm = bed.client();
    eventually("the cache answers", || {
        warm.run("SELECT v FROM c WHERE id = 0");
        run.hits() > 0
    });
    let primary = Mutex::new(bed.cluster.primary());
    let took = std::thread::scope(|scope| {
        let (run, bed, primary) = (&run, &bed, &primary);
        scope.spawn(|| run.tries(0, || bed.target("howdah", "postgres")));
        scope.spawn(|| run.tries(1, || bed::target(*primary.lock())));
        scope.spawn(|| run.stubborn_readers(Promise::Bounded, 24));
        scope.spawn(|| run.stubborn_readers(Promise::Session, 25));
        let failing = scope.spawn(|| run.fail_over(primary));
        while !failing.is_finished() {
            std::thread::sleep(Duration::from_millis(20));
        }
        run.end();
        failing.join().expect("it failed over")
    });
    catch_up(&bed.open());
    let (mut client, mut heir) = (bed.client(), direct(&bed.cluster.replicas()[0]));
    for row in 0..ROWS {
        let sql = format!("SELECT v FROM c WHERE id = {row}");
        let (seen, true_one) = (client.value(&sql), heir.value(&sql));
        run.check(seen == true_one, || format!("{sql} stays {seen}, and it is {true_one}"));
    }
    let trouble = run.trouble();
    (run.outcome(0), took, trouble)
}
