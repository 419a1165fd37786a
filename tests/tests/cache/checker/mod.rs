//! The freshness checker: rows that carry version numbers are written through Howdah and directly, in all ways in which rows are written,
//! and read through the cache, while things happen to the stream; every read is placed in time. What it has to show follows from what was
//! acknowledged when.
//!
//! Invariant: a version is noted as sent before it is sent, and as acknowledged after it was.

pub(crate) mod failover;
pub(crate) mod faults;
mod history;
mod places;
mod reader;
mod writers;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use howdah_local::ClusterBuilder;
use parking_lot::Mutex;

use crate::bed::{self, Bed, catch_up, eventually};
use faults::Fault;
use history::History;
use places::{Place, ROWS};
use reader::{Promise, Reader};

/// The bound, and what a clock that is read beside it may be off.
const BOUND: Duration = Duration::from_millis(100);
/// Clients that one thread reads for, so that a turn of it costs little for each.
const CROWD: usize = 48;
/// Violations that are told.
const TOLD: usize = 5;
/// The keys of `[cache]`.
const KEYS: &str = "mode = \"on\"\nwarm_answers = 1000\n\
    [[cache.function]]\nname = \"public.shown\"\nreads = [\"called\"]\n";

/// What to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Until there were so many reads,
    pub(crate) reads: u64,
    /// or for so long; in any case until every fault was there once.
    pub(crate) time: Duration,
    /// What happens meanwhile, in this order, again and again.
    pub(crate) faults: &'static [Fault],
    /// Replicas answer what the cache does not: to a session what it has seen and written, and no more.
    pub(crate) is_routed: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) reads: u64,
    pub(crate) hits: u64,
    /// Answers that were made anew from a changed row.
    pub(crate) patched: u64,
    /// Times that all faults were there.
    pub(crate) rounds: u64,
    pub(crate) violations: Vec<String>,
}

/// Everything that the threads share.
struct Run<'a> {
    bed: &'a Bed,
    is_routed: bool,
    /// By place and row.
    histories: Vec<Vec<History>>,
    ended: AtomicBool,
    reads: AtomicU64,
    rounds: AtomicU64,
    /// Requests that failed, where they may.
    trouble: AtomicU64,
    violations: Mutex<Vec<String>>,
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

impl<'a> Run<'a> {
    fn new(bed: &'a Bed) -> Self {
        let histories = || (0..ROWS).map(|_| History::default()).collect();
        Self {
            bed,
            is_routed: false,
            histories: Place::ALL.map(|_| histories()).into(),
            ended: AtomicBool::new(false),
            reads: AtomicU64::new(0),
            rounds: AtomicU64::new(0),
            trouble: AtomicU64::new(0),
            violations: Mutex::default(),
        }
    }

    fn history(&self, place: Place, row: usize) -> &History {
        let (place, row) = place.history(row);
        &self.histories[place][row]
    }

    fn goes_on(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.violations.lock().push(what());
        }
    }

    fn on_trouble(&self) {
        self.trouble.fetch_add(1, Ordering::Relaxed);
    }

    fn trouble(&self) -> u64 {
        self.trouble.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    fn on_read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    fn on_round(&self) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    fn hits(&self) -> u64 {
        self.bed.engine_report().cache.iter().map(|report| report.counts.hits).sum()
    }

    /// So many clients, each of which asks once in a turn: all ask, then all answers are read.
    fn readers(&self, promise: Promise, count: usize, seed: u64) {
        let mut readers: Vec<_> = (0..count).map(|_| Reader::new(self.bed, promise)).collect();
        let mut dice = Dice(seed);
        while self.goes_on() {
            let asked: Vec<_> = readers.iter_mut().map(|reader| reader.ask(&mut dice)).collect();
            for (reader, asked) in readers.iter_mut().zip(asked) {
                reader.look(self, asked);
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
                self.on_read();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// When nobody writes any more, nothing that is given is old.
    fn settle(&self) {
        let (mut client, mut direct) = (self.bed.client(), self.bed.direct());
        catch_up(&self.bed.open());
        self.bed.cluster.wait_for_replay().expect("replicas follow");
        std::thread::sleep(BOUND);
        for (place, row) in Place::ALL.into_iter().flat_map(|it| (0..ROWS).map(move |n| (it, n))) {
            let [read, _] = place.reads();
            let sql = format!("{read}{row}");
            let (seen, true_one) = (client.value(&sql), direct.value(&sql));
            self.check(seen == true_one, || format!("{sql} stays {seen}, and it is {true_one}"));
        }
    }

    /// Everybody, until the plan is done.
    fn run(&self, Plan { reads, time, faults, .. }: Plan) {
        let start = Instant::now();
        std::thread::scope(|scope| {
            let writers: [fn(&Self); 10] = [
                Self::own_writer,
                Self::foreign_writer,
                Self::trigger,
                Self::cascade,
                Self::batch,
                Self::function,
                Self::refill,
                Self::copy,
                Self::two_phases,
                Self::hasty,
            ];
            for write in writers {
                scope.spawn(move || write(self));
            }
            scope.spawn(|| self.tenants());
            scope.spawn(|| self.readers(Promise::Bounded, 1, 4));
            scope.spawn(|| self.readers(Promise::Bounded, CROWD, 5));
            scope.spawn(|| self.readers(Promise::Session, 1, 6));
            scope.spawn(|| self.readers(Promise::Session, CROWD, 7));
            scope.spawn(|| self.readers(Promise::Strict, 1, 8));
            let bringing = scope.spawn(|| self.bring(faults));
            let is_over = || {
                let is_enough = start.elapsed() > time || self.reads() >= reads;
                let were_all_there =
                    bringing.is_finished() || self.rounds.load(Ordering::Relaxed) > 0;
                is_enough && were_all_there || self.violations.lock().len() >= TOLD
            };
            while !is_over() {
                std::thread::sleep(Duration::from_millis(20));
            }
            self.end();
        });
    }

    /// What was found, with so many hits before.
    fn outcome(&self, before: u64) -> Outcome {
        let mut violations = std::mem::take(&mut *self.violations.lock());
        violations.truncate(TOLD);
        let report = self.bed.engine_report();
        Outcome {
            reads: self.reads(),
            hits: self.hits() - before,
            patched: report.cache.iter().map(|report| report.counts.patched).sum(),
            rounds: self.rounds.load(Ordering::Relaxed),
            violations,
        }
    }
}

/// A bed for the checker. `standby`: the primary has one, of which Howdah knows nothing.
pub(crate) fn bed(standby: bool) -> Bed {
    Bed::before_the_primary(nodes(u32::from(standby)), KEYS)
}

/// One whose replica answers what the cache does not.
pub(crate) fn routed_bed() -> Bed {
    Bed::on(nodes(1), KEYS)
}

fn nodes(replicas: u32) -> ClusterBuilder {
    let nodes = bed::nodes().replicas(replicas).sql(places::SETUP);
    let nodes = nodes.sql("CREATE PUBLICATION howdah FOR ALL TABLES");
    howdah::setup::EVENT_TRIGGERS.iter().fold(nodes, |nodes, sql| nodes.sql(sql))
}

/// Runs a plan on a bed of its own.
pub(crate) fn run(bed: &Bed, plan: Plan) -> Outcome {
    bed.open();
    let run = Run { is_routed: plan.is_routed, ..Run::new(bed) };
    let mut warm = bed.client();
    eventually("the cache answers", || {
        warm.run("SELECT v FROM c WHERE id = 0");
        run.hits() > 0
    });
    let before = run.hits();
    run.run(plan);
    run.settle();
    run.outcome(before)
}
