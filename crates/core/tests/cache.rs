//! The rule of the cache against a model of PostgreSQL in which commits reach the stream before they are visible, in any
//! interleaving: what is given is never older than promised, and nothing stays stale. With the feature `planted-bugs` the usual
//! rules take its place for a while, and each leaves stale answers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a model is a test as a whole")]

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use howdah_core::cache::definitions::{Builder, Column, Holds, Kind};
use howdah_core::cache::freshness::stream::History;
use howdah_core::cache::images::{Image, Row, Told};
use howdah_core::cache::rules::Rules;
use howdah_core::cache::{
    Answer, Commit, Fence, Freshness, Lsn, Parameters, Patch, Plan, Refusal, Seen, Snapshot, Stamp,
    Tag, Touched, plan,
};
use howdah_core::route::class::Name;
use howdah_wire::backend::{self, Message};
use howdah_wire::frame;
use parking_lot::Mutex;

/// A planted rule holds for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

const KEYS: usize = 4;
const TABLE: u32 = 16_384;
const BOUND: Duration = Duration::from_millis(50);

/// A transaction that has a number.
#[derive(Debug, Clone)]
struct Running {
    xid: u64,
    /// Which it writes; a heartbeat writes none.
    keys: Vec<usize>,
    logged: bool,
    heartbeat: bool,
}

/// A commit record that was not delivered.
#[derive(Debug)]
struct Record {
    xid: u64,
    position: Lsn,
    /// Each with the version that it leaves.
    keys: Vec<(usize, u64)>,
    heartbeat: Option<u64>,
}

/// A statement on its way: one key, or all of them.
#[derive(Debug)]
struct Fill {
    what: usize,
    stamp: Stamp,
    snapshot: Option<Snapshot>,
    value: Option<u64>,
}

struct World {
    random: u64,
    base: Instant,
    now: Duration,
    freshness: Freshness,
    next_xid: u64,
    completed: u64,
    position: Lsn,
    running: Vec<Running>,
    log: VecDeque<Record>,
    /// When each key was changed visibly; its version is how often.
    visible: [Vec<Duration>; KEYS],
    probes: VecDeque<Snapshot>,
    fills: Vec<Fill>,
    /// For each key and for all of them.
    kept: [Option<(Seen, u64)>; KEYS + 1],
    fences: Vec<(Fence, [u64; KEYS])>,
    hits: u64,
    hot: u64,
    patched: u64,
}

/// How the version of a key is looked up.
static LOOK_UP: LazyLock<Plan> = LazyLock::new(|| {
    let mut definitions = Builder::default();
    definitions.relation(TABLE, Name::new("public", "t"), Kind::Table, false);
    for (name, attnum) in [("id", 1), ("version", 2)] {
        let column = Column { attnum, holds: Holds::Integer, steady: true };
        definitions.column(TABLE, name, column);
    }
    definitions.identity(TABLE, [1].into());
    let shape = howdah_sql::shape("SELECT version FROM t WHERE id = $1").unwrap();
    plan(&shape, &definitions.build(), (&Rules::default(), &|_| false)).unwrap()
});

fn patch(key: usize) -> Patch {
    let key = key.to_string();
    let values = [(false, Some(key.as_bytes()))];
    let parameters = Parameters { values: &values, ..Parameters::default() };
    LOOK_UP.patch(parameters, &[]).unwrap()
}

fn answer(version: u64) -> Answer {
    let mut rows = Vec::new();
    backend::data_row(&mut rows, &[Some(version.to_string().into_bytes())]);
    backend::command_complete(&mut rows, "SELECT 1");
    Answer { description: None, rows: rows.into() }
}

/// The version that an answer shows.
fn shown(answer: &Answer) -> u64 {
    let (found, _) = frame::split(&answer.rows).unwrap().unwrap();
    let Message::DataRow(row) = backend::decode(found).unwrap() else { unreachable!("a row") };
    std::str::from_utf8(row.iter().next().unwrap().unwrap()).unwrap().parse().unwrap()
}

/// A row that is told to be of this version.
fn told(key: usize, version: u64) -> (Tag, Told) {
    let (key, version) = (key.to_string(), version.to_string());
    let (key, version) = (key.as_bytes(), version.as_bytes());
    let row = Row::new([(1, Some(key)), (2, Some(version))]);
    let image = Image { key: [(1, key.into())].into(), row: Some(row) };
    (Tag::row(TABLE, [(1, key)]), Told::Image(image))
}

fn tags(what: usize) -> Vec<Tag> {
    let whole = Tag::whole(TABLE);
    if what == KEYS {
        return vec![whole, Tag::table(TABLE)];
    }
    vec![whole, Tag::row(TABLE, [(1, what.to_string().as_bytes())])]
}

impl World {
    fn new(seed: u64) -> Self {
        let base = Instant::now();
        let mut world = Self {
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            base,
            now: Duration::from_secs(1),
            freshness: Freshness::new(1 << 10, base, Box::new(|| {})),
            // Across the end of the circle in some runs.
            next_xid: if seed.is_multiple_of(3) { (1 << 32) - 5 } else { 1000 },
            completed: 0,
            position: Lsn(1000),
            running: Vec::new(),
            log: VecDeque::new(),
            visible: Default::default(),
            probes: VecDeque::new(),
            fills: Vec::new(),
            kept: Default::default(),
            fences: Vec::new(),
            hits: 0,
            hot: 0,
            patched: 0,
        };
        world.completed = world.next_xid - 1;
        world.connect();
        world
    }

    fn pick(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from((self.random >> 11) % below as u64).unwrap()
    }

    fn connect(&mut self) {
        self.freshness.on_end();
        self.log.clear();
        self.probes.clear();
        self.freshness.on_begin(History { system: 1, timeline: 1 }, self.position);
        self.freshness.on_settled([(TABLE, None)].into());
    }

    fn snapshot(&self) -> Snapshot {
        let xmax = self.completed + 1;
        let mut running: Vec<u64> = self.running.iter().map(|it| it.xid).collect();
        running.sort_unstable();
        let xmin = running.first().copied().unwrap_or(xmax).min(xmax);
        let listed: Vec<_> =
            running.iter().filter(|xid| **xid < xmax).map(u64::to_string).collect();
        format!("{xmin}:{xmax}:{}", listed.join(",")).parse().unwrap()
    }

    fn begin(&mut self, keys: Vec<usize>, heartbeat: bool) -> usize {
        self.running.push(Running { xid: self.next_xid, keys, logged: false, heartbeat });
        self.next_xid += 1;
        self.running.len() - 1
    }

    fn log_commit(&mut self, at: usize, heartbeat: Option<u64>) {
        let running = &mut self.running[at];
        running.logged = true;
        self.position.0 += 10;
        let version = |key: &usize| (*key, self.visible[*key].len() as u64 + 1);
        let (xid, keys) = (running.xid, running.keys.iter().map(version).collect());
        self.log.push_back(Record { xid, position: self.position, keys, heartbeat });
    }

    fn show_commit(&mut self, at: usize) {
        let it = self.running.swap_remove(at);
        for key in &it.keys {
            self.visible[*key].push(self.now);
        }
        self.completed = self.completed.max(it.xid);
        if it.heartbeat {
            return;
        }
        // Its client hears of it, and wants to see it.
        let versions = std::array::from_fn(|key| self.visible[key].len() as u64);
        self.fences.push((self.freshness.fence(), versions));
    }

    fn deliver(&mut self) {
        let Some(record) = self.log.pop_front() else {
            // Only then the stream has nothing in between.
            return self.freshness.on_progress(self.position);
        };
        let slot = |tag| Freshness::slot(&self.freshness, tag);
        let row = |(key, _): &(usize, u64)| slot(tags(*key)[1]);
        let mut slots: Vec<_> = record.keys.iter().map(row).collect();
        if !slots.is_empty() {
            slots.push(slot(Tag::table(TABLE)));
        }
        slots.sort_unstable();
        slots.dedup();
        let xid = u32::try_from(record.xid & 0xFFFF_FFFF).unwrap();
        let touched = Touched::Slots(slots.into());
        // Each row was changed twice.
        let twice = |(key, version): &(usize, u64)| [told(*key, 4_999), told(*key, *version)];
        let rows = record.keys.iter().flat_map(twice).collect();
        self.freshness.on_rows(record.position, rows);
        self.freshness
            .on_commit(Commit { xid, position: record.position, touched }, record.heartbeat);
    }

    fn value(&self, what: usize) -> u64 {
        self.value_at(what, self.now)
    }

    /// What everybody could see at a moment.
    fn value_at(&self, what: usize, moment: Duration) -> u64 {
        let version = |key: usize| self.visible[key].iter().filter(|at| **at <= moment).count();
        if what == KEYS {
            (0..KEYS).map(version).sum::<usize>() as u64
        } else {
            version(what) as u64
        }
    }

    /// Gives a kept answer, if the rule allows it. What is wrong with it.
    fn hit(&mut self, what: usize) -> Result<(), String> {
        let Some((mut seen, mut value)) = self.kept[what] else { return Ok(()) };
        if self.is_changed(what, seen) && what < KEYS {
            let patched = self.freshness.patched(&patch(what), &answer(value), seen);
            let Some((answer, at)) = patched else { return Ok(()) };
            (seen, value) = (at, shown(&answer));
            self.kept[what] = Some((seen, value));
            self.patched += 1;
        }
        if self.freshness.valid(&tags(what), seen, self.base + self.now, BOUND).is_err() {
            return Ok(());
        }
        self.hits += 1;
        if value > self.value(what) {
            return Err(format!("{what} is {value}, and nobody sees that yet"));
        }
        let least = self.value_at(what, self.now.saturating_sub(BOUND));
        if value < least {
            return Err(format!("{what} is {value}, and was {least} longer than the bound ago"));
        }
        for (fence, versions) in &self.fences {
            let own = if what == KEYS { versions.iter().sum() } else { versions[what] };
            if self.freshness.passed(*fence) && value < own {
                return Err(format!("{what} is {value} for a session that has seen {own}"));
            }
        }
        Ok(())
    }

    fn is_changed(&self, what: usize, seen: Seen) -> bool {
        let valid = self.freshness.valid(&tags(what), seen, self.base + self.now, BOUND);
        valid == Err(Refusal::Changed)
    }

    fn heartbeat_is_running(&self) -> bool {
        self.running.iter().any(|it| it.heartbeat)
    }

    fn step(&mut self) -> Result<(), String> {
        let pause = self.pick(600);
        self.now += Duration::from_micros(pause as u64);
        match self.pick(20) {
            0 if self.pick(2) == 0 => {
                let free = |key: &usize| !self.running.iter().any(|it| it.keys.contains(key));
                let free: Vec<usize> = (0..KEYS).filter(free).collect();
                let count = 1 + self.pick(2);
                let keys: Vec<_> = free.into_iter().take(count).collect();
                if !keys.is_empty() {
                    self.begin(keys, false);
                }
            }
            2..=3 => {
                let ready = self.running.iter().position(|it| !it.logged);
                ready.into_iter().for_each(|at| self.log_commit(at, None));
            }
            4..=5 if !self.running.is_empty() => {
                let at = self.pick(self.running.len());
                if self.running[at].logged {
                    self.show_commit(at);
                }
            }
            6..=8 => self.deliver(),
            9 if !self.heartbeat_is_running() => self.heartbeat(),
            10 if !self.heartbeat_is_running() => self.probes.push_back(self.snapshot()),
            11..=12 => {
                if let Some(snapshot) = self.probes.pop_front() {
                    self.freshness.on_snapshot(snapshot);
                }
            }
            13..=14 => {
                let what = self.pick(KEYS + 1);
                if let Ok(stamp) = self.freshness.stamp(&tags(what), &[]) {
                    self.fills.push(Fill { what, stamp, snapshot: None, value: None });
                }
            }
            15..=16 if !self.fills.is_empty() => self.fill(),
            17 if self.pick(100) == 0 => self.connect(),
            _ => {
                let what = self.pick(KEYS + 1);
                self.hit(what)?;
            }
        }
        Ok(())
    }

    fn heartbeat(&mut self) {
        let number = self.freshness.on_heartbeat_sent(self.base + self.now);
        let at = self.begin(Vec::new(), true);
        self.log_commit(at, Some(number));
    }

    fn fill(&mut self) {
        let at = self.pick(self.fills.len());
        let snapshot = self.snapshot();
        let value = self.value(self.fills[at].what);
        let fill = &mut self.fills[at];
        match (&fill.stamp, &fill.snapshot, fill.value) {
            (Stamp::Hot { .. }, None, _) => {
                fill.snapshot = Some(snapshot);
                self.hot += 1;
            }
            (_, _, None) => fill.value = Some(value),
            (_, _, Some(value)) => {
                let fill = self.fills.swap_remove(at);
                let (what, snapshot) = (fill.what, fill.snapshot.as_ref());
                if let Ok(seen) = self.freshness.keep(&tags(what), &fill.stamp, snapshot) {
                    self.kept[what] = Some((seen, value));
                }
            }
        }
    }

    /// Lets everything come to rest: what is still given is what is there.
    fn rest(&mut self) -> Result<(), String> {
        for at in 0..self.running.len() {
            if !self.running[at].logged {
                self.log_commit(at, None);
            }
        }
        while !self.running.is_empty() {
            self.show_commit(0);
        }
        for _ in 0..3 {
            self.heartbeat();
            self.show_commit(0);
            self.freshness.on_snapshot(self.snapshot());
            while !self.log.is_empty() {
                self.deliver();
            }
        }
        self.freshness.on_snapshot(self.snapshot());
        for what in 0..=KEYS {
            let Some((seen, value)) = self.kept[what] else { continue };
            let valid = self.freshness.valid(&tags(what), seen, self.base + self.now, BOUND);
            if valid.is_ok() && value != self.value(what) {
                return Err(format!("{what} stays {value} and is {}", self.value(what)));
            }
        }
        Ok(())
    }
}

/// How many of the runs are wrong, the first mistake, hits, and of these after how many patches; and hot stamps.
fn runs(count: u64) -> (u64, Option<String>, [u64; 2], u64) {
    let (mut wrong, mut first, mut hits, mut patched, mut hot) = (0, None, 0, 0, 0);
    for seed in 0..count {
        let mut world = World::new(seed);
        let outcome = (0..1500).try_for_each(|_| world.step()).and_then(|()| world.rest());
        (hits, hot) = (hits + world.hits, hot + world.hot);
        patched += world.patched;
        if let Err(mistake) = outcome {
            wrong += 1;
            first.get_or_insert_with(|| format!("seed {seed}: {mistake}"));
        }
    }
    (wrong, first, [hits, patched], hot)
}

#[test]
fn nothing_that_is_given_is_older_than_promised_in_any_interleaving() {
    let _alone = ALONE.lock();
    let (wrong, first, [hits, patched], hot) = runs(4000);
    assert_eq!((wrong, first), (0, None));
    assert!(patched > 5_000, "too little was patched: {patched}");
    assert!(hits > 50_000 && hot > 5_000, "too little was tried: {hits} hits, {hot} hot stamps");
}

#[cfg(feature = "planted-bugs")]
#[test]
fn each_wrong_rule_gives_something_stale() {
    use howdah_core::cache::faults::{Fault, plant};
    let _alone = ALONE.lock();
    let (wrong, first, ..) = runs(1000);
    assert_eq!((wrong, first), (0, None), "without a wrong rule");
    for fault in
        [Fault::EpochGate, Fault::LsnGate, Fault::LateBump, Fault::PatchUnseen, Fault::PatchFirst]
    {
        plant(&[fault]);
        let (wrong, first, hits, _) = runs(1000);
        println!("{fault:?}: {wrong} of 1000 runs with {hits:?} hits, the first {first:?}");
        assert!(wrong > 10, "{fault:?} was found in {wrong} runs");
        plant(&[]);
    }
}
