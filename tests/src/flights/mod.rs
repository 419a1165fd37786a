//! The flight soak: many clients ask short questions over few servers, so that requests of several clients share a server at
//! once; every answer must prove that it belongs to its question, its session and its settings. Meanwhile requests fail, are
//! cancelled, are abandoned, are read slowly, and servers are killed. Not a load test: it counts violations.
//!
//! Invariant: every question holds a token that no other question has, and its answer must be exactly what PostgreSQL would
//! say to it alone.

mod client;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::raw::Target;
use howdah_simulation::Random;

/// Violations after which the run stops.
const ENOUGH: usize = 20;

/// What clients ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// Everything.
    All,
    /// Short statements, of which one in eight is cancelled at random, among others that must not be.
    Cancels,
}

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The proxy.
    pub target: Target,
    /// A superuser's way to PostgreSQL itself, to kill servers; `None`: none is killed.
    pub killer: Option<Target>,
    /// How long between two kills.
    pub kill_every: Duration,
    /// What clients ask for.
    pub mix: Mix,
    /// Clients at once.
    pub clients: u64,
    /// Ends after so many requests,
    pub requests: u64,
    /// or after so long.
    pub time: Duration,
    /// Equal seeds give equal clients (not equal interleavings).
    pub seed: u64,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Requests that ended as they should, by kind.
    pub counts: BTreeMap<&'static str, u64>,
    /// What no client may ever see.
    pub violations: Vec<String>,
    /// Servers killed.
    pub kills: u64,
    /// Statements that were stopped by their own client's cancel request.
    pub stopped: u64,
}

impl Outcome {
    /// Requests of all kinds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// What the clients of a run share.
#[derive(Debug)]
struct Shared {
    plan: Plan,
    deadline: Instant,
    asked: AtomicU64,
    stop: AtomicBool,
    outcome: Mutex<Outcome>,
}

impl Shared {
    fn running(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
            && self.asked.load(Ordering::Relaxed) < self.plan.requests
            && Instant::now() < self.deadline
    }

    fn violation(&self, text: String) {
        let mut outcome = self.outcome.lock();
        outcome.violations.push(text);
        if outcome.violations.len() >= ENOUGH {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs the clients until the plan is fulfilled.
///
/// # Panics
/// When a client cannot begin.
#[must_use]
pub fn run(plan: &Plan) -> Outcome {
    let shared = Shared {
        plan: plan.clone(),
        deadline: Instant::now() + plan.time,
        asked: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        outcome: Mutex::default(),
    };
    std::thread::scope(|scope| {
        for number in 0..plan.clients {
            let shared = &shared;
            scope.spawn(move || client::run(shared, number));
        }
        if let Some(killer) = &plan.killer {
            let shared = &shared;
            scope.spawn(move || kill(shared, killer));
        }
    });
    shared.outcome.into_inner()
}

/// Ends one of the servers every now and then, with or without a statement on it.
fn kill(shared: &Shared, killer: &Target) {
    let mut superuser = killer.client();
    let mut random = Random::new(shared.plan.seed ^ 0x6b69_6c6c);
    while shared.running() {
        std::thread::sleep(shared.plan.kill_every);
        let offset = random.below(8);
        let killed = superuser.value(&format!(
            "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity \
             WHERE datname = current_database() AND usename = 'app' ORDER BY pid OFFSET {offset} LIMIT 1) s"
        ));
        shared.outcome.lock().kills += killed.parse::<u64>().unwrap_or(0);
    }
}
