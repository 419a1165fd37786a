//! Reading the past: numbers of a subject over some time, marks, the statements that took the most. Of a Howdah that runs or not.
//!
//! Invariant: reading changes nothing; what was not observed is absent, never nought; an answer has [`SLOTS`] slots at most.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use serde::Serialize;

use crate::error::Error;
use crate::marks::Mark;
use crate::rings::Ring;
use crate::sample::Sample;
use crate::series::{Kind, NODES, POOLS, STATEMENTS, Subject};
use crate::store::{self, signed};

/// Slots of an answer at most, and as many as a picture can show.
const SLOTS: u64 = 5_000;
const PICTURE: u64 = 600;
/// Up to here statements come from minutes, later from hours.
const MINUTES: u64 = 6 * 3_600;
/// Marks of an answer.
const MARKS: i64 = 1_000;

/// A file of the past, opened for reading.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

/// Which time, in seconds since 1970, and how fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Its first second.
    pub from: u64,
    /// The second after its last.
    pub to: u64,
    /// Seconds of a slot at least; `None`: as fine as a picture shows.
    pub step: Option<u64>,
}

/// What happened to a subject, slot by slot.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Seconds of a slot of the ring that it was read from.
    pub ring: u64,
    /// Seconds of a slot here.
    pub step: u64,
    /// Slots in which something was observed, by their first second.
    pub slots: BTreeMap<u64, Sample>,
}

/// One series over the slots of a span.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// A value for every slot, `None` where nothing was observed.
    pub values: Vec<Option<f64>>,
}

/// What a form of statements did over some time.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its fingerprint, 16 hexadecimal digits.
    pub fingerprint: String,
    /// The name clients use.
    pub database: String,
    /// The name clients use.
    pub user: String,
    /// Its text, without literals.
    pub text: String,
    /// What it did.
    pub sample: Sample,
}

impl Statement {
    /// Calls.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.sample.sum(0)
    }

    /// Rows of all calls.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.sample.sum(1)
    }

    /// Calls that failed.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.sample.sum(2)
    }

    /// Microseconds of all calls, waiting included.
    #[must_use]
    pub fn time_us(&self) -> u64 {
        self.sample.sum(3).saturating_add(self.sample.sum(4))
    }
}

/// Names of what is made of times of statements, and which share of them each is about.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)];

impl Subject {
    /// Names of all columns that can be asked for: of series, the highest of levels (`.max`), and of times in milliseconds.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let mut names = Vec::new();
        for series in self.series() {
            names.push(series.name.to_owned());
            if series.kind == Kind::Level {
                names.push(format!("{}.max", series.name));
            }
        }
        if self.has_times() {
            names.extend(QUANTILES.map(|(name, _)| name.to_owned()));
        }
        names
    }
}

impl Span {
    /// First seconds of all slots from the first that was observed to the last, those without anything included.
    #[must_use]
    pub fn times(&self) -> Vec<u64> {
        let ends = self.slots.first_key_value().zip(self.slots.last_key_value());
        let step = usize::try_from(self.step.max(1)).unwrap_or(1);
        ends.map_or_else(Vec::new, |((first, _), (last, _))| {
            (*first..=*last).step_by(step).collect()
        })
    }

    /// One column; `None`: there is none of that name.
    #[must_use]
    pub fn column(&self, subject: &Subject, name: &str) -> Option<Column> {
        let of = |value: &dyn Fn(&Sample) -> Option<f64>| {
            let at = |time: &u64| self.slots.get(time).and_then(value);
            let values = self.times().iter().map(at).collect();
            Some(Column { name: name.to_owned(), values })
        };
        if let Some((_, share)) = QUANTILES.iter().find(|(quantile, _)| *quantile == name) {
            let millis = |us| us as f64 / 1_000.0;
            return subject
                .has_times()
                .then(|| of(&|sample: &Sample| sample.times.quantile(*share).map(millis)))?;
        }
        let (base, most) = match name.strip_suffix(".max") {
            Some(base) => (base, true),
            None => (name, false),
        };
        let at = subject.series().iter().position(|series| series.name == base)?;
        let kind = subject.series().get(at)?.kind;
        match (kind, most) {
            (Kind::Count, true) => None,
            (Kind::Count, false) => of(&|sample| {
                // Two processes that observe the same second have not seen two.
                let seen = (sample.span_us as f64 / 1e6).min(self.step as f64);
                (seen > 0.0).then(|| sample.sum(at) as f64 / seen)
            }),
            (Kind::Level, true) => of(&|sample| Some(sample.most(at) as f64)),
            (Kind::Level, false) => of(&|sample| {
                (sample.looks > 0).then(|| sample.sum(at) as f64 / sample.looks as f64)
            }),
        }
    }

    /// Everything together.
    #[must_use]
    pub fn whole(&self) -> Sample {
        let mut whole = Sample::default();
        for sample in self.slots.values() {
            whole.merge(sample);
        }
        whole
    }
}

impl Reader {
    /// Opens a file that Howdah has made.
    ///
    /// # Errors
    /// It is not there, cannot be read, or is something else.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (connection, empty) = store::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        if empty {
            return Err(Error::Foreign(path.to_owned()));
        }
        Ok(Self { connection, path: path.to_owned() })
    }

    fn error(&self, error: rusqlite::Error) -> Error {
        Error::Sqlite { path: self.path.clone(), error }
    }

    /// The text that was kept under a name last, and when, in milliseconds since 1970. `None`: there is none that can be read; a file
    /// of an older Howdah has none.
    pub(crate) fn kept(&self, name: &str) -> Option<(u64, String)> {
        let found =
            self.connection.query_row("SELECT at, text FROM kept WHERE name = ?1", [name], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            });
        let (at_ms, text) = found.ok()?;
        Some((u64::try_from(at_ms).unwrap_or(0), text))
    }

    /// What happened to a subject. The slots are as fine as asked for, and coarser where nothing finer is kept of that time.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn span(&self, subject: &Subject, shape: Shape) -> Result<Span, Error> {
        self.try_span(subject, shape).map_err(|error| self.error(error))
    }

    fn try_span(&self, subject: &Subject, shape: Shape) -> rusqlite::Result<Span> {
        let length = shape.to.saturating_sub(shape.from);
        let fine = shape.step.unwrap_or_else(|| length.div_ceil(PICTURE));
        let step = fine.max(length.div_ceil(SLOTS)).max(1);
        let Some(id) = self.id(subject)? else {
            return Ok(Span { ring: step, step, slots: BTreeMap::new() });
        };
        let ring = self.ring(subject, id, shape.from, step)?;
        let step = step.next_multiple_of(ring.seconds());
        let mut rows = self.connection.prepare(
            "SELECT slot, sample FROM point WHERE ring = ?1 AND subject = ?2 AND slot >= ?3 AND slot < ?4",
        )?;
        let first = signed(shape.from / ring.seconds());
        let end = signed(shape.to.div_ceil(ring.seconds()));
        let mut rows = rows.query((ring.number(), id, first, end))?;
        let mut slots = BTreeMap::<u64, Sample>::new();
        while let Some(row) = rows.next()? {
            let slot = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
            let Some(sample) = Sample::decode(&row.get::<_, Vec<u8>>(1)?) else { continue };
            let start = slot * ring.seconds() / step * step;
            slots.entry(start).or_default().merge(&sample);
        }
        Ok(Span { ring: ring.seconds(), step, slots })
    }

    /// The coarsest ring that is fine enough; a coarser one if only that reaches back so far.
    fn ring(&self, subject: &Subject, id: i64, from: u64, step: u64) -> rusqlite::Result<Ring> {
        let rings = subject.rings();
        let enough = rings.iter().rposition(|ring| ring.seconds() <= step).unwrap_or(0);
        let candidates = rings.get(enough..).unwrap_or_default();
        let mut best: Option<(Ring, u64)> = None;
        for ring in candidates {
            let oldest: Option<i64> = self.connection.query_row(
                "SELECT min(slot) FROM point WHERE ring = ?1 AND subject = ?2",
                (ring.number(), id),
                |row| row.get(0),
            )?;
            let Some(oldest) = oldest.and_then(|oldest| u64::try_from(oldest).ok()) else {
                continue;
            };
            let begin = oldest * ring.seconds();
            // A coarser slot begins earlier by up to its length, which is no older news.
            if best.is_none_or(|(_, known)| begin + ring.seconds() <= known.max(from)) {
                best = Some((*ring, begin));
            }
            if begin <= from {
                break;
            }
        }
        Ok(best.map_or(Ring::Hour, |(ring, _)| ring))
    }

    fn id(&self, subject: &Subject) -> rusqlite::Result<Option<i64>> {
        let sql = "SELECT id FROM subject WHERE kind = ?1 AND name = ?2";
        self.connection.query_row(sql, subject.key(), |row| row.get(0)).optional()
    }

    /// Pools and nodes of which something is remembered.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn subjects(&self) -> Result<(Vec<String>, Vec<String>), Error> {
        let names = |kind: u8| {
            let mut rows = self
                .connection
                .prepare("SELECT name FROM subject WHERE kind = ?1 ORDER BY name")?;
            rows.query_map([kind], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
        };
        let both = || Ok((names(POOLS)?, names(NODES)?));
        both().map_err(|error| self.error(error))
    }

    /// Marks of some time, in milliseconds since 1970, oldest first; the newest if there are too many.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn marks(&self, from_ms: u64, to_ms: u64) -> Result<Vec<Mark>, Error> {
        let read = || {
            let mut rows = self.connection.prepare(
                "SELECT at, kind, text FROM mark WHERE at >= ?1 AND at < ?2 ORDER BY at DESC, id DESC LIMIT ?3",
            )?;
            let rows = rows.query_map((signed(from_ms), signed(to_ms), MARKS), |row| {
                let at_ms = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
                Ok(Mark { at_ms, kind: row.get(1)?, text: row.get(2)? })
            })?;
            let mut marks = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            marks.reverse();
            Ok(marks)
        };
        read().map_err(|error| self.error(error))
    }

    /// What statements did over some time, in seconds since 1970; those that took the most time first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn statements(&self, from: u64, to: u64) -> Result<Vec<Statement>, Error> {
        let read = || {
            let ring = if to.saturating_sub(from) <= MINUTES { Ring::Minute } else { Ring::Hour };
            let mut rows = self.connection.prepare(
                "SELECT subject.name, subject.text, point.sample FROM subject JOIN point ON point.ring = ?1 AND point.subject = subject.id \
                 WHERE subject.kind = ?2 AND point.slot >= ?3 AND point.slot < ?4",
            )?;
            let first = signed(from / ring.seconds());
            let end = signed(to.div_ceil(ring.seconds()));
            let mut rows = rows.query((ring.number(), STATEMENTS, first, end))?;
            let mut found = BTreeMap::<String, (String, Sample)>::new();
            while let Some(row) = rows.next()? {
                let Some(sample) = Sample::decode(&row.get::<_, Vec<u8>>(2)?) else { continue };
                let text = row.get(1)?;
                let entry = found.entry(row.get(0)?).or_insert_with(|| (text, Sample::default()));
                entry.1.merge(&sample);
            }
            Ok(found)
        };
        let found = read().map_err(|error| self.error(error))?;
        let mut found: Vec<Statement> = found
            .into_iter()
            .map(|(name, (text, sample))| {
                let mut parts = Subject::parts(&name).into_iter();
                let mut part = || parts.next().unwrap_or_default();
                Statement { fingerprint: part(), database: part(), user: part(), text, sample }
            })
            .collect();
        found.sort_by_key(|one| std::cmp::Reverse(one.time_us()));
        Ok(found)
    }

    /// The first and the last second that something is remembered of, to within a minute; `None`: nothing is.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn reach(&self) -> Result<Option<(u64, u64)>, Error> {
        let read = || {
            let Some(id) = self.id(&Subject::All)? else { return Ok(None) };
            let sql = "SELECT min(slot), max(slot) FROM point WHERE ring = ?1 AND subject = ?2";
            let found = self.connection.query_row(sql, (Ring::Minute.number(), id), |row| {
                Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?))
            })?;
            let start = |slot| u64::try_from(slot).unwrap_or(0) * Ring::Minute.seconds();
            Ok(found.map(|(first, last)| (start(first), start(last) + Ring::Minute.seconds())))
        };
        read().map_err(|error| self.error(error))
    }
}
