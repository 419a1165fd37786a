//! Two instances of Howdah in front of one PostgreSQL with one Redis between them, and a checker: rows that carry versions are written through
//! one of them and past both, and read through both.
//!
//! Meanwhile things may happen to Redis; each reader says how long its reads took.
//!
//! Invariant: a version is acknowledged only after it was, and the reads ask for what is dear enough to be shared.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use howdah::{SharedCacheReport, SharedCounts};
use howdah_local::Redis;
use howdah_tests::raw::Connection;
use parking_lot::Mutex;

use crate::bed::{Bed, catch_up, eventually};

/// `many` makes reads dear.
pub(crate) const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT n, 0 FROM generate_series(1, 2000) n; \
    CREATE TABLE many (n int PRIMARY KEY); INSERT INTO many SELECT generate_series(1, 400)";
/// Rows that the checker writes.
const ROWS: usize = 4;
/// The bound that readers are promised.
const BOUND: Duration = Duration::from_millis(200);
/// Violations that are told.
const TOLD: usize = 5;

/// Both instances, and what is between them.
pub(crate) struct Two {
    pub(crate) one: Bed,
    pub(crate) other: Bed,
    pub(crate) redis: Redis,
}

/// A read of one row that takes PostgreSQL some milliseconds.
pub(crate) fn dear(id: usize) -> String {
    format!(
        "SELECT v, (SELECT count(*) FROM many a, many b WHERE a.n + b.n + t.v < 0) FROM t WHERE t.id = {id}"
    )
}

impl Two {
    /// With these keys of `[cache]`, and these of `[cache.redis]`.
    pub(crate) fn start(cache: &str, redis_keys: &str) -> Self {
        let redis = Redis::start().unwrap_or_else(|error| panic!("no Redis: {error}"));
        let url = redis.url();
        Self::with(redis, &url, cache, redis_keys)
    }

    /// The same with this Redis at this address.
    pub(crate) fn with(redis: Redis, url: &str, cache: &str, redis_keys: &str) -> Self {
        let keys = format!("mode = \"on\"\n{cache}[cache.redis]\nurl = \"{url}\"\n{redis_keys}");
        let one = Bed::start(SETUP, &keys);
        let other = one.beside(&keys);
        one.open();
        other.open();
        Self { one, other, redis }
    }

    /// The same, with both connected with Redis, and following what the dear read depends on.
    pub(crate) fn ready(cache: &str) -> Self {
        // Generous: a busy machine is not what these tests are about.
        let two = Self::start(cache, "timeout = \"2s\"\n");
        two.until_ready();
        two
    }

    /// Waits until both are connected with Redis, and follow what the dear read depends on.
    pub(crate) fn until_ready(&self) {
        for bed in [&self.one, &self.other] {
            eventually("Redis is asked", || shared(bed).open);
            let mut client = bed.client();
            eventually("an answer is kept", || {
                client.value(&dear(1999));
                hits(bed) > 0
            });
        }
    }

    /// An answer that one instance has kept is given by the other.
    pub(crate) fn is_shared(&self, ids: impl IntoIterator<Item = usize>) -> bool {
        let (mut one, mut other) = (self.one.client(), self.other.client());
        ids.into_iter().any(|id| {
            let (put, taken) = (counts(&self.one).written, given(&self.other));
            one.value(&dear(id));
            let start = Instant::now();
            while counts(&self.one).written == put && start.elapsed() < Duration::from_secs(1) {
                std::thread::sleep(Duration::from_millis(2));
            }
            catch_up(&self.other.open());
            other.value(&dear(id));
            given(&self.other) > taken
        })
    }
}

/// How the second level of an instance is.
pub(crate) fn shared(bed: &Bed) -> SharedCacheReport {
    bed.engine_report().shared_cache.expect("it is configured")
}

/// What it has done.
pub(crate) fn counts(bed: &Bed) -> SharedCounts {
    shared(bed).counts
}

fn hits(bed: &Bed) -> u64 {
    bed.engine_report().cache.iter().map(|report| report.counts.hits).sum()
}

/// Answers that were given and had been kept by another instance.
pub(crate) fn given(bed: &Bed) -> u64 {
    bed.engine_report().cache.iter().map(|report| report.counts.shared).sum()
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) reads: u64,
    /// Answers that came from the other instance.
    pub(crate) shared: u64,
    pub(crate) violations: Vec<String>,
}

/// When each version of one row was acknowledged; the first is 0, from before all.
#[derive(Debug, Default)]
struct History(Mutex<Vec<Instant>>);

impl History {
    /// The version that every read has to show which began so late.
    fn due(&self, at: Instant) -> usize {
        self.0.lock().iter().filter(|acknowledged| **acknowledged < at).count()
    }
}

/// What happens, and how long reads take since it does.
#[derive(Debug, Default)]
pub(crate) struct Happening(Mutex<Vec<(&'static str, Vec<Duration>)>>);

impl Happening {
    /// From now on this.
    pub(crate) fn begin(&self, what: &'static str) {
        self.0.lock().push((what, Vec::new()));
    }

    fn on_read(&self, took: Duration) {
        if let Some((_, times)) = self.0.lock().last_mut() {
            times.push(took);
        }
    }

    /// For each, how long the middle read took, and that of a hundred which took longest but one.
    pub(crate) fn told(&self) -> String {
        let mut all = self.0.lock();
        let told = all.iter_mut().map(|(what, times)| {
            times.sort_unstable();
            let at = |percent| times.get(times.len() * percent / 100).copied().unwrap_or_default();
            format!("{what}: {} reads, P50 {:.1?}, P99 {:.1?}\n", times.len(), at(50), at(99))
        });
        told.collect()
    }
}

struct Run<'a> {
    happening: &'a Happening,
    rows: Vec<History>,
    ended: AtomicBool,
    reads: AtomicU64,
    violations: Mutex<Vec<String>>,
}

impl Run<'_> {
    fn note(&self, text: String) {
        let mut violations = self.violations.lock();
        violations.push(text);
        if violations.len() >= TOLD {
            self.ended.store(true, Ordering::Relaxed);
        }
    }

    fn goes_on(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    /// Writes one version after the other, by turns through each client, and reads what the first of them wrote.
    fn write(&self, clients: &mut [Connection]) {
        let mut turn = 0;
        while self.goes_on() {
            let (row, by) = (turn % ROWS, turn % clients.len());
            let id = row + 1;
            clients[by].run(&format!("UPDATE t SET v = v + 1 WHERE id = {id}"));
            let version = {
                let mut row = self.rows[row].0.lock();
                row.push(Instant::now());
                row.len()
            };
            let own: usize = clients[by].value(&dear(id)).parse().expect("a version");
            if own != version {
                self.note(format!("row {id}: wrote {version} and read {own}"));
            }
            turn += 1;
            std::thread::sleep(Duration::from_millis(15));
        }
    }

    fn read(&self, client: &mut Connection, session: bool) {
        let mut latest = [0; ROWS];
        let mut turn = 0;
        while self.goes_on() {
            let row = turn % ROWS;
            let began = Instant::now();
            let seen: usize = client.value(&dear(row + 1)).parse().expect("a version");
            self.happening.on_read(began.elapsed());
            let due = self.rows[row].due(began - BOUND);
            if seen < due {
                self.note(format!("row {}: {seen}, and {due} was due", row + 1));
            }
            if session && seen < latest[row] {
                self.note(format!("row {}: {seen} after {}", row + 1, latest[row]));
            }
            latest[row] = latest[row].max(seen);
            self.reads.fetch_add(1, Ordering::Relaxed);
            turn += 1;
        }
    }
}

/// Runs until this has happened, which is told whether to go on.
pub(crate) fn run_while(
    two: &Two,
    happening: &Happening,
    happens: impl FnOnce(&dyn Fn() -> bool),
) -> Outcome {
    let before = given(&two.one) + given(&two.other);
    let run = Run {
        happening,
        rows: (0..ROWS).map(|_| History::default()).collect(),
        ended: AtomicBool::new(false),
        reads: AtomicU64::new(0),
        violations: Mutex::default(),
    };
    std::thread::scope(|scope| {
        let run = &run;
        scope.spawn(|| run.write(&mut [two.one.client(), two.one.direct()]));
        for bed in [&two.one, &two.other] {
            for level in ["bounded", "session"] {
                scope.spawn(move || {
                    let mut client = bed.client();
                    client.run(&format!("SET howdah.cache_level = {level}"));
                    client.run(&format!("SET howdah.max_staleness = '{}ms'", BOUND.as_millis()));
                    run.read(&mut client, level == "session");
                });
            }
        }
        happens(&|| run.goes_on());
        run.ended.store(true, Ordering::Relaxed);
    });
    for bed in [&two.one, &two.other] {
        catch_up(&bed.open());
        let (mut client, mut direct) = (bed.client(), bed.direct());
        for id in 1..=ROWS {
            if client.value(&dear(id)) != direct.value(&dear(id)) {
                run.note(format!("row {id} stays stale"));
            }
        }
    }
    let shared = given(&two.one) + given(&two.other) - before;
    let violations = run.violations.into_inner();
    Outcome { reads: run.reads.into_inner(), shared, violations }
}
