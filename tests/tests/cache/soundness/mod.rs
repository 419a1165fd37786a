//! The property on which everything rests: if a write changes the answer to a query, a tag of that answer was raised. Random schemas,
//! queries and writes on a real server, through the wire; and how many answers were given up although they were still right.
//!
//! Invariant: nobody writes while answers are compared, so what PostgreSQL says is what is right.

mod query;
mod schema;
mod write;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use howdah_core::cache::Freshness;
use howdah_tests::raw::{Connection, Frames};
use howdah_tests::{PATIENCE, Random};

use crate::bed::Bed;
use query::Query;
use schema::Schema;

/// Queries that are kept at once, and writes before others take their place.
const QUERIES: usize = 40;
const WRITES: u32 = 40;
const SCHEMAS: u64 = 6;
/// Unsound answers that are told.
const TOLD: usize = 3;
/// Why an answer is not kept yet; all other reasons stay.
const PASSING: [&str; 7] =
    ["unseen", "in-doubt", "changed", "definitions", "lease", "no-stream", "floor"];

/// The keys of `[cache]`.
pub(crate) const KEYS: &str = "mode = \"on\"\nmax_staleness = \"20s\"\n";

/// Answers of one form of query.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Precision {
    /// So many were valid when something was written.
    pub(crate) kept: u64,
    /// So many of them were not after it.
    pub(crate) given_up: u64,
    /// So many were not right any more.
    pub(crate) changed: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) writes: u64,
    /// Queries that PostgreSQL answers and the cache does not keep, and those that it does.
    pub(crate) refused: u64,
    pub(crate) queries: u64,
    pub(crate) forms: BTreeMap<&'static str, Precision>,
    pub(crate) unsound: Vec<String>,
}

impl Precision {
    /// Of what was given up, how much had to be. Percent.
    fn percent(self) -> u64 {
        (100 * self.changed).checked_div(self.given_up).unwrap_or(100)
    }
}

impl Outcome {
    /// All forms together.
    pub(crate) fn all(&self) -> Precision {
        self.forms.values().fold(Precision::default(), |sum, one| Precision {
            kept: sum.kept + one.kept,
            given_up: sum.given_up + one.given_up,
            changed: sum.changed + one.changed,
        })
    }

    /// For people.
    pub(crate) fn told(&self) -> String {
        let all = self.all();
        let mut lines = vec![format!(
            "{} writes, {} queries kept, {} refused; {} answers looked at after a write, {} given up, {} changed",
            self.writes, self.queries, self.refused, all.kept, all.given_up, all.changed
        )];
        for (form, one) in self.forms.iter().chain([(&"all", &all)]) {
            lines.push(format!(
                "{form:>13}: {:>6} kept, {:>6} given up, {:>6} changed: precision {:>3} %",
                one.kept,
                one.given_up,
                one.changed,
                one.percent()
            ));
        }
        lines.join("\n")
    }
}

/// An answer, whatever the order of its rows: they, or the code of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer(Vec<Vec<Option<String>>>, Vec<String>);

fn ask(client: &mut Connection, query: &Frames) -> Answer {
    let found = client.exchange(query, 1).expect("an answer");
    let mut rows = found.rows();
    rows.sort();
    Answer(rows, found.errors().into_iter().map(|error| error.code).collect())
}

/// What makes the schemas of a seed.
pub(crate) fn setup(seed: u64) -> String {
    schemas(seed).into_iter().map(|schema| schema.sql).collect()
}

fn schemas(seed: u64) -> Vec<Schema> {
    let mut random = Random::new(seed);
    (0..SCHEMAS).map(|at| Schema::random(&format!("s{at}"), &mut random)).collect()
}

/// Everything of a run.
struct Run<'a> {
    bed: &'a Bed,
    freshness: &'a Freshness,
    random: Random,
    client: Connection,
    direct: Connection,
    writer: Connection,
    outcome: Outcome,
}

/// Runs for so long, on a bed with [`setup`] of the same seed, or until it has found something.
pub(crate) fn run(bed: &Bed, seed: u64, time: Duration) -> Outcome {
    let freshness = bed.open();
    let mut run = Run {
        bed,
        freshness: &freshness,
        random: Random::new(seed ^ 1),
        client: bed.client(),
        direct: bed.direct(),
        writer: bed.client(),
        outcome: Outcome::default(),
    };
    let (start, schemas) = (Instant::now(), schemas(seed));
    for schema in schemas.iter().cycle() {
        let queries = run.queries(schema);
        for _ in 0..WRITES {
            if start.elapsed() > time || !run.outcome.unsound.is_empty() {
                run.outcome.unsound.truncate(TOLD);
                return run.outcome;
            }
            run.round(schema, &queries);
        }
    }
    run.outcome
}

impl Run<'_> {
    fn hits(&self) -> u64 {
        self.bed.engine_report().cache.iter().map(|report| report.counts.hits).sum()
    }

    /// Why answers were not kept, for good.
    fn refusals(&self) -> u64 {
        let reports = self.bed.engine_report().cache;
        let reasons = reports.iter().flat_map(|report| &report.counts.reasons);
        reasons.filter(|(word, _)| !PASSING.contains(*word)).map(|(_, count)| *count).sum()
    }

    /// Everything that is visible now was delivered.
    fn catch_up(&self) {
        let (fence, begun) = (self.freshness.fence(), Instant::now());
        while !self.freshness.passed(fence) {
            assert!(begun.elapsed() < PATIENCE, "no heartbeat comes back");
            std::thread::sleep(Duration::from_micros(300));
        }
    }

    /// Queries that PostgreSQL answers and the cache keeps, those of one form together.
    fn queries(&mut self, schema: &Schema) -> Vec<(Query, Frames)> {
        let mut queries: Vec<(Query, Frames)> = Vec::new();
        while queries.len() < QUERIES {
            let query = Query::random(schema, &mut self.random);
            let frames = query.frames();
            if !ask(&mut self.direct, &frames).1.is_empty() {
                continue;
            }
            if self.is_kept(&frames) {
                queries.push((query, frames));
                self.outcome.queries += 1;
            } else {
                self.outcome.refused += 1;
            }
        }
        queries.sort_by_key(|(query, _)| query.form);
        queries
    }

    fn is_kept(&mut self, frames: &Frames) -> bool {
        let (hits, refusals) = (self.hits(), self.refusals());
        for _ in 0..50 {
            ask(&mut self.client, frames);
            if self.hits() > hits {
                return true;
            }
            if self.refusals() > refusals {
                return false;
            }
            self.catch_up();
        }
        false
    }

    /// Makes all answers valid, writes, and compares.
    fn round(&mut self, schema: &Schema, queries: &[(Query, Frames)]) {
        let mut kept = BTreeMap::new();
        let mut before = Vec::new();
        for _ in 0..10 {
            (kept, before) = self.look(queries);
            if kept.values().sum::<u64>() == queries.len() as u64 {
                break;
            }
            self.catch_up();
        }
        let writes = write::random(schema, &mut self.random, self.outcome.writes);
        let through = self.random.once_in(4);
        let writer = if through { &mut self.writer } else { &mut self.direct };
        for sql in &writes {
            writer.query(sql).expect("an answer or an error");
        }
        self.outcome.writes += 1;
        self.catch_up();
        let (valid, given) = self.look(queries);
        for (at, ((query, frames), given)) in queries.iter().zip(given).enumerate() {
            let right = ask(&mut self.direct, frames);
            let form = self.outcome.forms.entry(query.form).or_default();
            form.changed += u64::from(right != before[at]);
            if given != right {
                self.outcome.unsound.push(format!(
                    "{}\nwas, before the write, {:?}\nis, after {writes:?}, {right:?}\nand the cache gives {given:?}\nin {}",
                    query.told(),
                    before[at],
                    schema.sql
                ));
            }
        }
        for (form, kept) in kept {
            let of = self.outcome.forms.entry(form).or_default();
            of.kept += kept;
            of.given_up += kept.saturating_sub(valid.get(form).copied().unwrap_or_default());
        }
    }

    /// All answers through the cache, and how many of each form it gave.
    fn look(&mut self, queries: &[(Query, Frames)]) -> (BTreeMap<&'static str, u64>, Vec<Answer>) {
        let mut hits: BTreeMap<_, u64> = BTreeMap::new();
        let mut answers = Vec::new();
        let mut before = self.hits();
        for form in queries.chunk_by(|(one, _), (other, _)| one.form == other.form) {
            answers.extend(form.iter().map(|(_, frames)| ask(&mut self.client, frames)));
            let now = self.hits();
            hits.insert(form[0].0.form, now - before);
            before = now;
        }
        (hits, answers)
    }
}
