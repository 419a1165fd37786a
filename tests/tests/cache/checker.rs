//! The freshness checker: rows that carry version numbers are written through Howdah, directly, and by triggers, and read through the
//! cache; every read is placed in time. What it has to show follows from what was acknowledged when.
//!
//! Invariant: a version is noted as sent before it is sent, and as acknowledged after it was.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use howdah_tests::raw::{Connection, Frames};
use parking_lot::Mutex;

use crate::bed::{Bed, catch_up, eventually};

/// Rows, all of them hot.
const ROWS: usize = 24;
/// The bound, and what a clock that is read beside it may be off.
const BOUND: Duration = Duration::from_millis(100);
/// Clients that one thread reads for, so that a turn of it costs little for each.
const CROWD: usize = 48;
/// Violations that are told.
const TOLD: usize = 5;

/// `c` is written by key, `shadow` by a trigger of `poke` alone; the view reads it with a table that nobody writes.
pub(crate) const SETUP: &str = "CREATE TABLE fixed (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, v int); CREATE TABLE shadow (id int PRIMARY KEY, v int); \
    CREATE TABLE poke (id int PRIMARY KEY, v int); CREATE TABLE pair (id int PRIMARY KEY, v int); \
    INSERT INTO c SELECT n, 0 FROM generate_series(0, 23) n; INSERT INTO shadow SELECT * FROM c; \
    INSERT INTO poke SELECT * FROM c; INSERT INTO pair SELECT * FROM c; \
    INSERT INTO fixed SELECT id FROM c; CREATE VIEW joined AS SELECT s.id, s.v AS w FROM fixed JOIN shadow s USING (id); \
    CREATE FUNCTION poked() RETURNS trigger LANGUAGE plpgsql AS \
    'BEGIN UPDATE shadow SET v = NEW.v WHERE id = NEW.id; RETURN NULL; END'; \
    CREATE TRIGGER poked AFTER UPDATE ON poke FOR EACH ROW EXECUTE FUNCTION poked(); \
    CREATE ROLE alice; CREATE ROLE bob; CREATE SCHEMA alice; CREATE SCHEMA bob; \
    CREATE TABLE alice.mine (id int PRIMARY KEY, v text); CREATE TABLE bob.mine (id int PRIMARY KEY, v text); \
    INSERT INTO alice.mine VALUES (1, 'alice'); INSERT INTO bob.mine VALUES (1, 'bob'); \
    GRANT USAGE ON SCHEMA alice TO alice; GRANT USAGE ON SCHEMA bob TO bob; \
    GRANT SELECT ON alice.mine TO alice; GRANT SELECT ON bob.mine TO bob";

/// The keys of `[cache]`.
pub(crate) const KEYS: &str = "mode = \"on\"\n";

/// One version of a row.
#[derive(Debug, Clone, Copy)]
struct Write {
    version: u64,
    sent: Instant,
    acknowledged: Option<Instant>,
}

/// The versions of one row, in order.
#[derive(Debug, Default)]
struct History(Mutex<Vec<Write>>);

impl History {
    /// Has a version written.
    fn write(&self, write: impl FnOnce(u64)) -> u64 {
        let version = {
            let mut writes = self.0.lock();
            let version = writes.len() as u64 + 1;
            writes.push(Write { version, sent: Instant::now(), acknowledged: None });
            version
        };
        write(version);
        let mut writes = self.0.lock();
        writes.last_mut().expect("it was sent").acknowledged = Some(Instant::now());
        version
    }

    /// The version that every read has to show which began so late.
    fn due(&self, at: Instant) -> u64 {
        let writes = self.0.lock();
        let is_due = |write: &&Write| write.acknowledged.is_some_and(|moment| moment < at);
        writes.iter().rev().find(is_due).map_or(0, |write| write.version)
    }

    /// The latest that a read may show which ended then.
    fn possible(&self, at: Instant) -> u64 {
        let writes = self.0.lock();
        writes.iter().rev().find(|write| write.sent <= at).map_or(0, |write| write.version)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) reads: u64,
    pub(crate) hits: u64,
    /// Answers that were made anew from a changed row.
    pub(crate) patched: u64,
    pub(crate) violations: Vec<String>,
}

/// Everything that the threads share.
struct Run<'a> {
    bed: &'a Bed,
    rows: Vec<History>,
    shadows: Vec<History>,
    ended: AtomicBool,
    reads: AtomicU64,
    violations: Mutex<Vec<String>>,
}

/// What a reader is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    Bounded,
    Session,
    Strict,
}

/// Numbers that are random enough.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// One client that reads.
struct Reader {
    client: Connection,
    promise: Promise,
    /// What it has seen last of each row, and of its shadow.
    latest: Vec<[u64; 2]>,
}

/// What it has asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    row: usize,
    kind: usize,
    began: Instant,
}

impl Reader {
    fn new(bed: &Bed, promise: Promise) -> Self {
        let mut client = bed.client();
        match promise {
            Promise::Bounded => client.run("SET howdah.cache_level = bounded"),
            Promise::Session => client.run("SET howdah.cache_level = session"),
            Promise::Strict => client.run("SET howdah.cache_level = strict"),
        };
        let made = Frames::new().parse("s", "SELECT v FROM c WHERE id = $1");
        client.answer(&made.parse("w", "SELECT w FROM joined WHERE id = $1").sync(), 1);
        Self { client, promise, latest: vec![[0; 2]; ROWS] }
    }

    fn ask(&mut self, dice: &mut Dice) -> Asked {
        let (row, kind) = (dice.below(ROWS), dice.below(5));
        let row = if kind == 4 { row | 1 } else { row };
        let key = row.to_string();
        let bound = |statement| Frames::new().bind("", statement, &[&key]).execute("", 0).sync();
        let text = |sql: &str| Frames::new().query(&format!("{sql} = {row}"));
        let frames = match kind {
            0 => text("SELECT v FROM c WHERE id"),
            1 => bound("s"),
            2 => text("SELECT v FROM shadow WHERE id"),
            3 => bound("w"),
            _ => text("SELECT c.v - pair.v FROM c JOIN pair ON pair.id = c.id WHERE c.id"),
        };
        let began = Instant::now();
        self.client.send(&frames).expect("it is sent");
        Asked { row, kind, began }
    }

    /// Reads the answer, and judges it.
    fn look(&mut self, run: &Run<'_>, Asked { row, kind, began }: Asked) {
        let found = self.client.until(b'Z', 1).expect("an answer").values().concat();
        let (ended, promise) = (Instant::now(), self.promise);
        if kind == 4 {
            return run.check(found == "0", || {
                format!("rows {row} that were written together are {found} apart")
            });
        }
        let is_shadow = kind == 2 || kind == 3;
        let (name, history) =
            if is_shadow { ("shadow", &run.shadows[row]) } else { ("row", &run.rows[row]) };
        let seen: u64 = found.parse().expect("a version");
        let lag = if promise == Promise::Strict { Duration::ZERO } else { BOUND };
        let (due, possible) = (history.due(began - lag), history.possible(ended));
        run.check(seen >= due, || {
            format!("{promise:?}: {name} {row} was {due} more than {lag:?} ago, and was read as {seen} ({kind})")
        });
        run.check(seen <= possible, || format!("{name} {row} was never {seen}"));
        let before = &mut self.latest[row][usize::from(is_shadow)];
        run.check(promise == Promise::Bounded || seen >= *before, || {
            format!("{promise:?}: {name} {row} was read as {before}, and then as {seen} ({kind})")
        });
        *before = seen;
    }
}

impl Run<'_> {
    fn goes_on(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.violations.lock().push(what());
        }
    }

    /// Writes by key through Howdah, and reads what it has written.
    fn own_writer(&self) {
        let mut client = self.bed.client();
        let mut dice = Dice(1);
        while self.goes_on() {
            let row = dice.below(ROWS / 2) * 2;
            let version = self.rows[row].write(|version| {
                client.run(&format!("UPDATE c SET v = {version} WHERE id = {row}"));
            });
            let seen = client.value(&format!("SELECT v FROM c WHERE id = {row}"));
            self.check(seen == version.to_string(), || {
                format!("a session has written {version} to row {row} and reads {seen}")
            });
            self.reads.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(dice.below(6) as u64));
        }
    }

    /// Writes directly, two tables at once.
    fn foreign_writer(&self) {
        let mut direct = self.bed.direct();
        let mut dice = Dice(2);
        while self.goes_on() {
            let row = dice.below(ROWS / 2) * 2 + 1;
            self.rows[row].write(|version| {
                direct.run("BEGIN");
                direct.run(&format!("UPDATE pair SET v = 0 WHERE id = {row}"));
                direct.run(&format!("UPDATE c SET v = 0 WHERE id = {row}"));
                direct.run(if dice.below(8) == 0 { "ROLLBACK; BEGIN" } else { "SELECT 1" });
                direct.run(&format!("UPDATE pair SET v = {version} WHERE id = {row}"));
                direct.run(&format!("UPDATE c SET v = {version} WHERE id = {row}"));
                direct.run("COMMIT");
            });
            std::thread::sleep(Duration::from_millis(dice.below(6) as u64));
        }
    }

    /// Writes what a trigger writes.
    fn trigger(&self) {
        let mut direct = self.bed.direct();
        let mut dice = Dice(3);
        while self.goes_on() {
            let row = dice.below(ROWS);
            self.shadows[row].write(|version| {
                direct.run(&format!("UPDATE poke SET v = {version} WHERE id = {row}"));
            });
            std::thread::sleep(Duration::from_millis(dice.below(10) as u64));
        }
    }

    /// So many clients, each of which asks once in a turn: all ask, then all answers are read.
    fn readers(&self, promise: Promise, count: usize, seed: u64) {
        let mut readers: Vec<_> = (0..count).map(|_| Reader::new(self.bed, promise)).collect();
        let mut dice = Dice(seed);
        while self.goes_on() {
            let asked: Vec<_> = readers.iter_mut().map(|reader| reader.ask(&mut dice)).collect();
            for (reader, asked) in readers.iter_mut().zip(asked) {
                reader.look(self, asked);
                self.reads.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Two roles ask the same words.
    fn tenants(&self) {
        let mut clients = ["alice", "bob"].map(|role| {
            let mut client = self.bed.client();
            client.run(&format!("SET search_path = \"$user\"; SET ROLE {role}"));
            (role, client)
        });
        while self.goes_on() {
            for (role, client) in &mut clients {
                let seen = client.value("SELECT v FROM mine WHERE id = 1");
                self.check(seen == *role, || format!("{role} was given what is for {seen}"));
                self.reads.fetch_add(1, Ordering::Relaxed);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// When nobody writes any more, nothing that is given is old.
    fn settle(&self) {
        let (mut client, mut direct) = (self.bed.client(), self.bed.direct());
        catch_up(&self.bed.open());
        std::thread::sleep(BOUND);
        for row in 0..ROWS {
            for sql in ["SELECT v FROM c WHERE id = ", "SELECT v FROM shadow WHERE id = "] {
                let sql = format!("{sql}{row}");
                let (seen, true_one) = (client.value(&sql), direct.value(&sql));
                self.check(seen == true_one, || {
                    format!("{sql} stays {seen}, and it is {true_one}")
                });
            }
        }
    }
}

/// Runs for so many reads, or so long.
pub(crate) fn run(bed: &Bed, reads: u64, time: Duration) -> Outcome {
    bed.open();
    let histories = || (0..ROWS).map(|_| History::default()).collect();
    let run = Run {
        bed,
        rows: histories(),
        shadows: histories(),
        ended: AtomicBool::new(false),
        reads: AtomicU64::new(0),
        violations: Mutex::default(),
    };
    let hits = || bed.engine_report().cache.iter().map(|report| report.counts.hits).sum::<u64>();
    let mut warm = bed.client();
    eventually("the cache answers", || {
        warm.run("SELECT v FROM c WHERE id = 0");
        hits() > 0
    });
    let (start, before) = (Instant::now(), hits());
    std::thread::scope(|scope| {
        let run = &run;
        scope.spawn(|| run.own_writer());
        scope.spawn(|| run.foreign_writer());
        scope.spawn(|| run.trigger());
        scope.spawn(|| run.tenants());
        scope.spawn(|| run.readers(Promise::Bounded, 1, 4));
        scope.spawn(|| run.readers(Promise::Bounded, CROWD, 5));
        scope.spawn(|| run.readers(Promise::Session, 1, 6));
        scope.spawn(|| run.readers(Promise::Session, CROWD, 7));
        scope.spawn(|| run.readers(Promise::Strict, 1, 8));
        let is_over = || {
            start.elapsed() > time
                || run.reads.load(Ordering::Relaxed) >= reads
                || run.violations.lock().len() >= TOLD
        };
        while !is_over() {
            std::thread::sleep(Duration::from_millis(20));
        }
        run.ended.store(true, Ordering::Relaxed);
    });
    run.settle();
    let mut violations = run.violations.into_inner();
    violations.truncate(TOLD);
    let patched = bed.engine_report().cache.iter().map(|report| report.counts.patched).sum();
    Outcome { reads: run.reads.into_inner(), hits: hits() - before, patched, violations }
}
