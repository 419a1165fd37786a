//! Whether reads see what they are promised: sessions write to and read from counters that only grow, while replicas stop replaying,
//! are killed, and take the place of the primary. Every read is compared with what its session, or anybody, is known to have written.
//!
//! Source of the idea: register workloads with monotonic values, as Jepsen's; what is promised is in docs/guide/routing.md.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use howdah_local::{Mode, Node};

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
    /// Now and then the primary is stopped and a replica promoted. Writes may then fail without anybody knowing whether they count.
    pub promotions: bool,
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
    /// Replicas that became the primary.
    pub promotions: u64,
    /// Writes that were told that their connection is gone, as they may be when the primary goes away.
    pub told: u64,
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
    promotions: AtomicU64,
    told: AtomicU64,
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
    std::thread::scope(|scope| {
        for session in 0..plan.sessions {
            let (shared, target) =
                (Arc::clone(&shared), farm.target().timeout(Duration::from_secs(90)));
            let plan = *plan;
            scope.spawn(move || Client::new(&shared, &target, plan, session).run());
        }
        trouble(farm, plan, &shared);
    });
    let outcome = Outcome {
        reads: shared.reads.load(Ordering::Relaxed),
        by_replicas: shared.by_replicas.load(Ordering::Relaxed),
        writes: shared.writes.load(Ordering::Relaxed),
        promotions: shared.promotions.load(Ordering::Relaxed),
        told: shared.told.load(Ordering::Relaxed),
        errors: std::mem::take(&mut *shared.errors.lock()),
        violations: std::mem::take(&mut *shared.violations.lock()),
    };
    println!(
        "{:?}: {} reads ({} by replicas), {} writes, {} promotions ({} writes told), {} errors, {} violations",
        plan.level,
        outcome.reads,
        outcome.by_replicas,
        outcome.writes,
        outcome.promotions,
        outcome.told,
        outcome.errors.len(),
        outcome.violations.len()
    );
    outcome
}

/// Holds replicas back, kills them and has them take over until the time is over; then all run again.
fn trouble(farm: &Farm, plan: &Plan, shared: &Shared) {
    let mut random = Random::new(plan.seed ^ 0x7a0b);
    let mut nodes: Vec<&Node> = farm.nodes().collect();
    let end = Instant::now() + plan.time;
    // One promotion at least, and at most so much later.
    let owed = |shared: &Shared| {
        plan.promotions
            && shared.promotions.load(Ordering::Relaxed) == 0
            && Instant::now() < end + Duration::from_secs(30)
    };
    while Instant::now() < end || owed(shared) {
        let replica = *random.pick(&nodes[1..]);
        let pause = Duration::from_millis(20 + random.below(400));
        let event = if Instant::now() < end { random.below(12) } else { 7 };
        match event {
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
            7 | 8 if plan.promotions => {
                let heir = 1 + usize::from(random.below(2) == 1).min(nodes.len() - 2);
                nodes.swap(0, heir);
                if promote(nodes[0], nodes[heir], &nodes) {
                    shared.promotions.fetch_add(1, Ordering::Relaxed);
                } else {
                    nodes.swap(0, heir);
                }
            }
            _ => std::thread::sleep(pause / 4),
        }
    }
    shared.over.store(true, Ordering::Relaxed);
}

/// Stops the primary under load, has another take over, and the rest follow. An ordered stop: without synchronous replication
/// any other may lose what was acknowledged, whoever routes. `false`: the heir follows somebody else, or has not got all of it, and nobody was promoted.
fn promote(new: &Node, old: &Node, nodes: &[&Node]) -> bool {
    // From the primary itself: over another replica the end of its log may be on the way still.
    let receives = format!(
        "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming' AND sender_port = {}",
        old.port()
    );
    let deadline = Instant::now() + Duration::from_secs(2);
    while new.psql(&receives).expect("the heir answers").trim() != "1" {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let written = old.psql("CHECKPOINT; SELECT pg_current_wal_lsn()").expect("a position");
    old.stop(Mode::Fast).expect("the primary stops");
    if !has_last_record(new, written.trim()) {
        old.start().expect("the primary starts again");
        return false;
    }
    new.promote().expect("a replica takes over");
    for other in nodes.iter().filter(|node| !std::ptr::eq(**node, new)) {
        other.follow(new).expect("the others follow");
    }
    old.start().expect("the old primary starts");
    true
}

/// Whether it has replayed the checkpoint that the primary wrote as its last record, behind this position.
fn has_last_record(heir: &Node, written: &str) -> bool {
    let all = "SELECT pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()";
    let deadline = Instant::now() + Duration::from_secs(30);
    while heir.psql(all).expect("the heir answers").trim() != "t" {
        assert!(Instant::now() < deadline, "{} does not replay what it has", heir.name());
        std::thread::sleep(Duration::from_millis(10));
    }
    let last = format!(
        "CHECKPOINT; SELECT checkpoint_lsn = redo_lsn AND checkpoint_lsn >= '{written}' FROM pg_control_checkpoint()"
    );
    heir.psql(&last).expect("the heir answers").trim() == "t"
}

struct Client<'a> {
    shared: &'a Shared,
    target: &'a Target,
    connection: Connection,
    random: Random,
    plan: Plan,
    session: u64,
    /// What this session has seen of each counter.
    seen: [i64; KEYS.len()],
}

impl<'a> Client<'a> {
    fn new(shared: &'a Shared, target: &'a Target, plan: Plan, session: u64) -> Self {
        let connection = connect(target, plan.level);
        let random = Random::new(plan.seed.wrapping_mul(1000) + session);
        Self { shared, target, connection, random, plan, session, seen: [0; KEYS.len()] }
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

    /// The values of a statement that was answered. A session that is lost is followed by another, which has seen nothing.
    fn ask(&mut self, sql: &str, may_be_told: bool) -> Option<Vec<String>> {
        match self.connection.query_or_goodbye(sql) {
            Ok(answer) if answer.errors().is_empty() => Some(answer.values()),
            Ok(answer) => {
                let codes: Vec<_> =
                    answer.errors().iter().map(|error| error.code.clone()).collect();
                if may_be_told
                    && codes.iter().all(|code| matches!(code.as_str(), "08007" | "57P01"))
                {
                    self.shared.told.fetch_add(1, Ordering::Relaxed);
                    if answer.errors().iter().any(|error| error.severity == "FATAL") {
                        self.connection = connect(self.target, self.plan.level);
                        self.seen = [0; KEYS.len()];
                    }
                } else {
                    self.shared.errors.lock().push(format!("{sql}: {:?}", answer.errors()));
                }
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
        let Some(values) = self.ask(&sql, self.plan.promotions) else { return };
        let value = values[0].parse().expect("a number");
        self.shared.acknowledged[key].lock().push((Instant::now(), value));
        self.shared.writes.fetch_add(1, Ordering::Relaxed);
        self.see(key, value);
    }

    fn read(&mut self, key: usize) {
        let begun = Instant::now();
        let floor = match self.plan.level {
            Level::Strong => self.shared.floor(key, begun, Duration::ZERO),
            Level::Session => self.seen[key],
            Level::Bounded(lag) => self.shared.floor(key, begun, lag),
        };
        let sql =
            format!("SELECT value || ' ' || pg_is_in_recovery() FROM counters WHERE key = {key}");
        let Some(values) = self.ask(&sql, false) else { return };
        let (value, replica) = values[0].split_once(' ').expect("two words");
        let value: i64 = value.parse().expect("a number");
        self.shared.reads.fetch_add(1, Ordering::Relaxed);
        if replica == "true" {
            self.shared.by_replicas.fetch_add(1, Ordering::Relaxed);
        }
        if value < floor {
            self.shared.violations.lock().push(format!(
                "session {} read {value} of counter {key} (from a replica: {replica}); promised is {floor}",
                self.session
            ));
        }
        self.see(key, value);
    }

    /// The session knows of this value.
    fn see(&mut self, key: usize, value: i64) {
        self.seen[key] = self.seen[key].max(value);
    }
}

fn connect(target: &Target, level: Level) -> Connection {
    let mut connection = target.client();
    connection.run(&match level {
        Level::Strong => "SET howdah.consistency = 'strong'".to_owned(),
        Level::Session => "SET howdah.consistency = 'session'".to_owned(),
        Level::Bounded(lag) => {
            format!(
                "SET howdah.max_lag = '{}ms'; SET howdah.consistency = 'bounded'",
                lag.as_millis()
            )
        }
    });
    connection
}
