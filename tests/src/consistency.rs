//! Whether reads see what they are promised: sessions write to and read from counters that only grow, while replicas stop replaying and
//! are killed. Every read is compared with what its session, or anybody, is known to have written.
//!
//! Source of the idea: register workloads with monotonic values, as Jepsen's; what is promised is in docs/guide/routing.md.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::farm::Farm;
use crate::raw::{Connection, Target};
use howdah_simulation::Random;

/// Counters.
const KEYS: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

/// What reads are promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Everything that was committed before the read began.
    Strong,
    /// What the session has written and read.
    Session,
    /// Everything that was committed for so long before the read began.
    Bounded(Duration),
}

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What reads are promised.
    pub level: Level,
    /// Clients at once.
    pub sessions: u64,
    /// For how long.
    pub time: Duration,
    /// Repeats the choices of the clients and of what happens to the nodes.
    pub seed: u64,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Reads that were answered.
    pub reads: u64,
    /// Reads that a replica has answered.
    pub by_replicas: u64,
    /// Writes that were acknowledged.
    pub writes: u64,
    /// Statements that failed.
    pub errors: Vec<String>,
    /// Reads that saw less than they were promised.
    pub violations: Vec<String>,
}

#[derive(Debug, Default)]
struct Shared {
    reads: AtomicU64,
    by_replicas: AtomicU64,
    writes: AtomicU64,
    errors: Mutex<Vec<String>>,
    violations: Mutex<Vec<String>>,
    over: AtomicBool,
    /// By counter: when which value was acknowledged.
    acknowledged: [Mutex<Vec<(Instant, i64)>>; KEYS.len()],
}

impl Shared {
    /// What a read that begins now must see of a counter, for all that anybody was told for `lag`.
    fn floor(&self, key: usize, begun: Instant, lag: Duration) -> i64 {
        let log = self.acknowledged[key].lock();
        let old = |(at, _): &&(Instant, i64)| *at + lag <= begun;
        log.iter().filter(old).map(|(_, value)| *value).max().unwrap_or(0)
    }
}

/// Runs the plan on a farm; replicas are held back and killed meanwhile, and run again afterwards.
///
/// # Panics
/// When the nodes do not do what they are told.
#[must_use]
pub fn run(farm: &Farm, plan: &Plan) -> Outcome {
    let mut setup = farm.client();
    setup.run(
        "DROP TABLE IF EXISTS counters; CREATE TABLE counters (key int PRIMARY KEY, value bigint)",
    );
    setup.run(&format!(
        "INSERT INTO counters SELECT key, 0 FROM generate_series(0, {}) AS key",
        KEYS.len() - 1
    ));
    farm.settle_on("SELECT inet_server_port() FROM counters LIMIT 1");
    let shared = Arc::new(Shared::default());
    let primary = farm.primary().port();
    std::thread::scope(|scope| {
        for session in 0..plan.sessions {
            let (shared, target) = (Arc::clone(&shared), farm.target());
            let plan = *plan;
            scope.spawn(move || Client::new(&shared, &target, plan, session, primary).run());
        }
        trouble(farm, plan, &shared);
    });
    let outcome = Outcome {
        reads: shared.reads.load(Ordering::Relaxed),
        by_replicas: shared.by_replicas.load(Ordering::Relaxed),
        writes: shared.writes.load(Ordering::Relaxed),
        errors: std::mem::take(&mut *shared.errors.lock()),
        violations: std::mem::take(&mut *shared.violations.lock()),
    };
    println!(
        "{:?}: {} reads ({} by replicas), {} writes, {} errors, {} violations",
        plan.level,
        outcome.reads,
        outcome.by_replicas,
        outcome.writes,
        outcome.errors.len(),
        outcome.violations.len()
    );
    outcome
}

/// Holds replicas back and kills them until the time is over; then all run again.
fn trouble(farm: &Farm, plan: &Plan, shared: &Shared) {
    let mut random = Random::new(plan.seed ^ 0x7a0b);
    let end = Instant::now() + plan.time;
    while Instant::now() < end {
        let replicas = farm.replicas();
        let replica = random.pick(replicas);
        let pause = Duration::from_millis(20 + random.below(400));
        match random.below(10) {
            0 => {
                replica.kill().expect("a replica dies");
                std::thread::sleep(pause);
                replica.start().expect("a replica starts");
            }
            1..7 => {
                replica.pause_replay().expect("replay pauses");
                std::thread::sleep(pause);
                replica.resume_replay().expect("replay resumes");
            }
            _ => std::thread::sleep(pause / 4),
        }
    }
    shared.over.store(true, Ordering::Relaxed);
}

struct Client<'a> {
    shared: &'a Shared,
    connection: Connection,
    random: Random,
    plan: Plan,
    session: u64,
    primary: String,
    /// What this session has seen of each counter.
    seen: [i64; KEYS.len()],
}

impl<'a> Client<'a> {
    fn new(shared: &'a Shared, target: &Target, plan: Plan, session: u64, primary: u16) -> Self {
        let mut connection = target.client();
        let level = match plan.level {
            Level::Strong => "SET howdah.consistency = 'strong'".to_owned(),
            Level::Session => "SET howdah.consistency = 'session'".to_owned(),
            Level::Bounded(lag) => format!(
                "SET howdah.max_lag = '{}ms'; SET howdah.consistency = 'bounded'",
                lag.as_millis()
            ),
        };
        connection.run(&level);
        let random = Random::new(plan.seed.wrapping_mul(1000) + session);
        let primary = primary.to_string();
        Self { shared, connection, random, plan, session, primary, seen: [0; KEYS.len()] }
    }

    fn run(mut self) {
        while !self.shared.over.load(Ordering::Relaxed) {
            let key = *self.random.pick(&KEYS);
            if self.random.below(10) == 0 {
                self.write(key);
            } else {
                self.read(key);
            }
            if self.random.below(4) == 0 {
                std::thread::sleep(Duration::from_millis(self.random.below(20)));
            }
        }
    }

    fn ask(&mut self, sql: &str) -> Option<Vec<String>> {
        match self.connection.query(sql) {
            Ok(answer) if answer.errors().is_empty() => Some(answer.values()),
            Ok(answer) => {
                self.shared.errors.lock().push(format!("{sql}: {:?}", answer.errors()));
                None
            }
            Err(failure) => {
                self.shared.errors.lock().push(format!("{sql}: {failure:?}"));
                self.shared.over.store(true, Ordering::Relaxed);
                None
            }
        }
    }

    fn write(&mut self, key: usize) {
        let sql =
            format!("UPDATE counters SET value = value + 1 WHERE key = {key} RETURNING value");
        let Some(values) = self.ask(&sql) else { return };
        let value = values[0].parse().expect("a number");
        self.shared.acknowledged[key].lock().push((Instant::now(), value));
        self.shared.writes.fetch_add(1, Ordering::Relaxed);
        self.seen[key] = self.seen[key].max(value);
    }

    fn read(&mut self, key: usize) {
        let begun = Instant::now();
        let floor = match self.plan.level {
            Level::Strong => self.shared.floor(key, begun, Duration::ZERO),
            Level::Session => self.seen[key],
            Level::Bounded(lag) => self.shared.floor(key, begun, lag),
        };
        let sql =
            format!("SELECT value || ' ' || inet_server_port() FROM counters WHERE key = {key}");
        let Some(values) = self.ask(&sql) else { return };
        let (value, node) = values[0].split_once(' ').expect("two words");
        let value: i64 = value.parse().expect("a number");
        self.shared.reads.fetch_add(1, Ordering::Relaxed);
        if node != self.primary {
            self.shared.by_replicas.fetch_add(1, Ordering::Relaxed);
        }
        if value < floor {
            self.shared.violations.lock().push(format!(
                "session {} read {value} of counter {key} from port {node}; promised is {floor}",
                self.session
            ));
        }
        self.seen[key] = self.seen[key].max(value);
    }
}
