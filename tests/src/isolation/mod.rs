//! The isolation soak: many clients, each with settings, statements, cursors, locks and habits of its own, share few servers;
//! every answer must prove that it belongs to its question and its session. Not a load test: it counts violations.
//!
//! Invariant: a client knows by its `model` alone what PostgreSQL would answer to it if it had a server for itself.

mod abrupt;
mod aftermath;
mod copying;
mod model;
mod pinned;
mod plain;
mod session;
mod settings;
mod transactions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::raw::Target;
use howdah_simulation::Random;

pub use aftermath::inspect;
use session::{Session, Trouble};

/// Violations after which the run stops: the proxy is broken, more of them say nothing new.
const ENOUGH: usize = 20;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The proxy, as a user who may become `role_a` … `role_d`.
    pub target: Target,
    /// Clients at once.
    pub clients: u64,
    /// For how long.
    pub time: Duration,
    /// Equal seeds give equal clients (not equal interleavings).
    pub seed: u64,
    /// Clients that may do what pins a server, at once.
    pub pinned: usize,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Operations that ended as they should, by kind.
    pub counts: BTreeMap<&'static str, u64>,
    /// What no client of PostgreSQL may ever see.
    pub violations: Vec<String>,
    /// Sessions begun.
    pub sessions: u64,
}

impl Outcome {
    /// Operations of all kinds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// What the clients of one run share.
#[derive(Debug)]
struct Shared {
    plan: Plan,
    deadline: Instant,
    stop: AtomicBool,
    outcome: Mutex<Outcome>,
    /// Sessions with a pin, at most `plan.pinned`.
    pins: Mutex<usize>,
}

impl Shared {
    fn running(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && Instant::now() < self.deadline
    }

    fn violation(&self, text: String) {
        let mut outcome = self.outcome.lock();
        if outcome.violations.len() < ENOUGH {
            outcome.violations.push(text);
        } else {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn take_pin(&self) -> bool {
        let mut pins = self.pins.lock();
        let free = *pins < self.plan.pinned;
        *pins += usize::from(free);
        free
    }

    fn return_pin(&self) {
        *self.pins.lock() -= 1;
    }
}

/// One kind of operation.
struct Operation {
    name: &'static str,
    weight: u64,
    run: fn(&mut Session) -> Result<(), Trouble>,
}

const fn operation(
    name: &'static str,
    weight: u64,
    run: fn(&mut Session) -> Result<(), Trouble>,
) -> Operation {
    Operation { name, weight, run }
}

const OPERATIONS: &[Operation] = &[
    operation("simple echo", 6, plain::simple_echo),
    operation("extended echo", 6, plain::extended_echo),
    operation("state check", 8, Session::check_state),
    operation("parse", 4, plain::parse),
    operation("execute prepared", 7, plain::execute),
    operation("execute shared text", 4, plain::execute_shared),
    operation("close statement", 1, plain::close),
    operation("deallocate all", 1, plain::deallocate_all),
    operation("pipeline", 5, plain::pipeline),
    operation("error", 3, plain::error),
    operation("several statements", 2, plain::several_statements),
    operation("large rows", 1, plain::large_rows),
    operation("set", 5, settings::set),
    operation("set_config", 2, settings::set_config),
    operation("reset", 2, settings::reset),
    operation("set role", 2, settings::set_role),
    operation("discard all", 1, settings::discard_all),
    operation("set in a transaction", 4, transactions::set_in_transaction),
    operation("savepoint", 2, transactions::savepoint),
    operation("set local", 2, transactions::set_local),
    operation("transaction", 4, transactions::transaction),
    operation("failed transaction", 3, transactions::failed_transaction),
    operation("suspended portal", 2, transactions::suspended_portal),
    operation("cursor", 1, transactions::cursor),
    operation("transaction lock", 1, transactions::lock),
    operation("copy out", 2, copying::copy_out),
    operation("copy in", 2, copying::copy_in),
    operation("copy fail", 1, copying::copy_fail),
    operation("temporary table", 1, pinned::temporary_table),
    operation("held cursor", 1, pinned::held_cursor),
    operation("advisory lock", 1, pinned::advisory_lock),
    operation("listen", 1, pinned::listen),
    operation("sql prepare", 1, pinned::sql_prepare),
    operation("use of pinned state", 3, pinned::use_pinned),
    operation("cancel", 1, abrupt::cancel),
    operation("stale cancel", 1, abrupt::stale_cancel),
    operation("foreign cancel", 1, abrupt::foreign_cancel),
];

/// How a session ends.
const ENDINGS: &[Operation] = &[
    operation("goodbye", 4, abrupt::goodbye),
    operation("gone while idle", 2, abrupt::gone_idle),
    operation("gone in a transaction", 2, abrupt::gone_in_transaction),
    operation("gone in a result", 2, abrupt::gone_in_result),
    operation("gone in a copy", 2, abrupt::gone_in_copy),
    operation("gone in a pipeline", 2, abrupt::gone_in_pipeline),
    operation("gone in a frame", 2, abrupt::gone_in_frame),
    operation("gone in a statement", 1, abrupt::gone_in_statement),
];

/// Names of all kinds of operations and endings.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().chain(ENDINGS).map(|operation| operation.name)
}

fn choose<'a>(from: &'a [Operation], random: &mut Random) -> &'a Operation {
    let total: u64 = from.iter().map(|operation| operation.weight).sum();
    let mut at = random.below(total);
    for operation in from {
        if at < operation.weight {
            return operation;
        }
        at -= operation.weight;
    }
    &from[0]
}

/// Prepares the database: what the clients work on.
pub const SETUP: &str = "CREATE TABLE public.inbox (actor bigint, token text); \
     GRANT ALL ON public.inbox TO PUBLIC";

/// Runs the clients until the time is up or enough violations were seen.
///
/// # Panics
/// When a thread of it panics.
#[must_use]
pub fn run(plan: &Plan) -> Outcome {
    let shared = Arc::new(Shared {
        plan: plan.clone(),
        deadline: Instant::now() + plan.time,
        stop: AtomicBool::new(false),
        outcome: Mutex::default(),
        pins: Mutex::new(0),
    });
    let mut random = Random::new(plan.seed);
    let threads: Vec<_> = (0..plan.clients)
        .map(|id| {
            let shared = Arc::clone(&shared);
            let random = random.fork();
            std::thread::spawn(move || client(id, random, &shared))
        })
        .collect();
    for thread in threads {
        thread.join().expect("a client of the soak ends by itself");
    }
    std::mem::take(&mut *shared.outcome.lock())
}

/// One client: session after session.
fn client(id: u64, mut random: Random, shared: &Arc<Shared>) {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut sessions = 0;
    let mut lost = Vec::new();
    while shared.running() {
        sessions += 1;
        match Session::begin(id, random.fork(), Arc::clone(shared), std::mem::take(&mut lost)) {
            Ok(mut session) => {
                let end = live(&mut session, &mut random, shared, &mut counts);
                lost = session.take_lost();
                if let Err(Trouble::Violation(text)) = end {
                    shared.violation(text);
                }
            }
            Err(Trouble::Violation(text)) => shared.violation(text),
            Err(Trouble::Skipped) => {}
        }
    }
    let mut outcome = shared.outcome.lock();
    outcome.sessions += sessions;
    for (name, count) in counts {
        *outcome.counts.entry(name).or_default() += count;
    }
}

fn live(
    session: &mut Session,
    random: &mut Random,
    shared: &Shared,
    counts: &mut BTreeMap<&'static str, u64>,
) -> Result<(), Trouble> {
    let mut attempt = |session: &mut Session, operation: &Operation| match (operation.run)(session)
    {
        Ok(()) => {
            *counts.entry(operation.name).or_default() += 1;
            Ok(())
        }
        Err(Trouble::Skipped) => Ok(()),
        Err(Trouble::Violation(text)) => {
            Err(Trouble::Violation(format!("{}: {text}", operation.name)))
        }
    };
    for _ in 0..5 + random.below(60) {
        if !shared.running() {
            break;
        }
        attempt(session, choose(OPERATIONS, random))?;
    }
    attempt(session, choose(ENDINGS, random))
}
