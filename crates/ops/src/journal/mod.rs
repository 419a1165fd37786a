//! The journal of advice: what was recommended, what became of it, every statement that was sent to change a database, and who said yes. One
//! SQLite file. Not the advice itself, and not the carrying out.
//!
//! Invariant: a statement is in the file before it is sent, with what the catalog said before and the way back; whoever is killed in between leaves
//! a statement without an end, which the next run finds.

mod read;
mod store;
#[cfg(test)]
mod tests;
mod usage;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use howdah_advisor::{Kind, Recommendation};
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

pub use read::{Entry, Event, Run, Statement};
pub use usage::{Day, IndexHistory};

/// The journal's name beside the file of the past.
pub const FILE: &str = "advice.db";

/// Advice that nobody has acted on and that was not found again for so long is forgotten: 90 days, in milliseconds.
const FORGOTTEN: i64 = 90 * 24 * 3_600 * 1_000;

/// What was carried out may still be found for so long: 10 minutes, in milliseconds.
const LATE: i64 = 600 * 1_000;

/// Why the journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite says so.
    #[error("{path}: {error}", path = path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it says.
        error: rusqlite::Error,
    },
    /// It is a file of something else.
    #[error("{} is not a journal of advice", .0.display())]
    Foreign(PathBuf),
    /// It was written by a later version.
    #[error("{path} was written by a later version of Howdah (format {version})", path = path.display())]
    Later {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: i64,
    },
    /// Nothing is known of this advice.
    #[error("no advice {0}")]
    Unknown(String),
}

/// What became of advice. The words are part of the interface: they do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has decided.
    Open,
    /// It is being carried out, or whoever did so was interrupted.
    Applying,
    /// Carried out; what it did to statements is not known yet.
    Applied,
    /// Carried out, and measured to be better.
    Verified,
    /// Carried out, and measured to make no difference.
    Neutral,
    /// Carried out, and measured to be worse.
    Regressed,
    /// It is being taken back, or whoever did so was interrupted.
    Reverting,
    /// Taken back.
    Reverted,
    /// Not wanted.
    Dismissed,
}

impl State {
    const ALL: [Self; 9] = [
        Self::Open,
        Self::Applying,
        Self::Applied,
        Self::Verified,
        Self::Neutral,
        Self::Regressed,
        Self::Reverting,
        Self::Reverted,
        Self::Dismissed,
    ];

    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Applying => "applying",
            Self::Applied => "applied",
            Self::Verified => "verified",
            Self::Neutral => "neutral",
            Self::Regressed => "regressed",
            Self::Reverting => "reverting",
            Self::Reverted => "reverted",
            Self::Dismissed => "dismissed",
        }
    }

    /// What a word means.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// It has changed the database, and can be taken back.
    #[must_use]
    pub const fn is_applied(self) -> bool {
        matches!(self, Self::Applied | Self::Verified | Self::Neutral | Self::Regressed)
    }
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Advice is carried out.
    Apply,
    /// Advice is taken back.
    Undo,
}

impl Direction {
    const fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Undo => "undo",
        }
    }
}

/// Why a statement is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// It is the advice, or its way back.
    Step,
    /// It removes what a failed build left.
    Clean,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Clean => "clean",
        }
    }
}

/// A database, wherever it is reached and whatever it is called there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Identifier of the system and name of the database.
    pub key: String,
    /// For people.
    pub name: String,
}

/// A statement before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Why.
    pub purpose: Purpose,
    /// As it will be sent.
    pub sql: String,
    /// What it makes or changes, as text of `apply`.
    pub object: String,
    /// What the catalog says of that now; empty: there is no such thing.
    pub before: String,
    /// Statements that take it back.
    pub back: Vec<String>,
}

/// The file, opened.
#[derive(Debug)]
pub struct Journal {
    connection: Mutex<Connection>,
    path: PathBuf,
}

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Journal {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// It cannot be opened or made, or it is somebody else's.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let connection = store::open(path)?;
        Ok(Self { connection: Mutex::new(connection), path: path.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let mut connection = self.connection.lock();
        let done = connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(
            |transaction| {
                let value = work(&transaction)?;
                transaction.commit()?;
                Ok(value)
            },
        );
        done.map_err(|error| Error::Sqlite { path: self.path.clone(), error })
    }

    /// Notes what is recommended now. What was carried out or taken back and is found again is open again, unless a person has decided
    /// otherwise; open advice of these kinds that was found so and is not any more is forgotten.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn recommended(
        &self,
        place: &Place,
        (found, kinds): (&[Recommendation], &[Kind]),
        now: i64,
    ) -> Result<(), Error> {
        let kinds = serde_json::to_string(kinds).unwrap_or_default();
        self.with(|file| {
            know(file, place)?;
            for one in found {
                note(file, &place.key, one, (false, now))?;
                again(file, &place.key, &one.id, now)?;
            }
            file.execute(
                "DELETE FROM advice WHERE state = 'open' AND NOT brought AND place = ?1 AND seen < ?2 AND NOT EXISTS (SELECT 1 FROM run WHERE run.place = advice.place AND run.advice = advice.id) \
                 AND json_extract(advice.value, '$.kind') IN (SELECT json_each.value FROM json_each(?3))",
                params![place.key, now, kinds],
            )?;
            file.execute(
                "DELETE FROM advice WHERE state IN ('open', 'dismissed') AND seen < ?1",
                [now.saturating_sub(FORGOTTEN)],
            )?;
            Ok(())
        })
    }

    /// Takes advice in that somebody brings: beside what is known, of which nothing is forgotten.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn take_in(&self, place: &Place, found: &[Recommendation], now: i64) -> Result<(), Error> {
        self.with(|file| {
            know(file, place)?;
            found.iter().try_for_each(|one| note(file, &place.key, one, (true, now)))
        })
    }

    /// Begins to carry advice out or to take it back: it is in the journal from now on, whatever happens.
    ///
    /// # Errors
    /// The file cannot be written: then nothing must be done.
    pub fn begin(
        &self,
        place: &Place,
        advice: &Recommendation,
        direction: Direction,
        who: &str,
    ) -> Result<i64, Error> {
        let now = now_ms();
        self.with(|file| {
            know(file, place)?;
            note(file, &place.key, advice, (true, now))?;
            file.execute(
                "INSERT INTO run (place, advice, direction, who, begun) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![place.key, advice.id, direction.word(), who, now],
            )?;
            let run = file.last_insert_rowid();
            let state = match direction {
                Direction::Apply => State::Applying,
                Direction::Undo => State::Reverting,
            };
            enter(file, (&place.key, &advice.id), state, who, "", now)?;
            Ok(run)
        })
    }

    /// Writes a statement down, before it is sent.
    ///
    /// # Errors
    /// The file cannot be written: then the statement must not be sent.
    pub fn intend(&self, run: i64, intent: &Intent) -> Result<i64, Error> {
        let back = serde_json::to_string(&intent.back).unwrap_or_default();
        self.with(|file| {
            file.execute(
                "INSERT INTO statement (run, purpose, sql, object, before, back, sent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![run, intent.purpose.word(), intent.sql, intent.object, intent.before, back, now_ms()],
            )?;
            Ok(file.last_insert_rowid())
        })
    }

    /// Says how a statement ended. `done`: the database is now as the statement wants it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn ended(&self, statement: i64, done: bool, outcome: &str) -> Result<(), Error> {
        self.with(|file| {
            file.execute(
                "UPDATE statement SET ended = ?2, done = ?3, outcome = ?4 WHERE id = ?1",
                params![statement, now_ms(), done, outcome],
            )
            .map(drop)
        })
    }

    /// Ends a run.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(&self, run: i64, state: State, outcome: &str) -> Result<(), Error> {
        let now = now_ms();
        self.with(|file| {
            file.execute(
                "UPDATE run SET ended = ?2, outcome = ?3 WHERE id = ?1",
                params![run, now, outcome],
            )?;
            let of = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let (place, advice, who): (String, String, String) =
                file.query_row("SELECT place, advice, who FROM run WHERE id = ?1", [run], of)?;
            enter(file, (&place, &advice), state, &who, outcome, now)
        })
    }

    /// Changes the state by itself: a dismissal, a verdict.
    ///
    /// # Errors
    /// The file cannot be written; [`Error::Unknown`].
    pub fn decide(
        &self,
        place: &str,
        id: &str,
        state: State,
        (who, why): (&str, &str),
    ) -> Result<(), Error> {
        let known = self.with(|file| {
            let of = params![place, id];
            let known: Option<i64> = file
                .query_row("SELECT 1 FROM advice WHERE place = ?1 AND id = ?2", of, |row| {
                    row.get(0)
                })
                .optional()?;
            if known.is_some() {
                enter(file, (place, id), state, who, why, now_ms())?;
            }
            Ok(known.is_some())
        })?;
        if known { Ok(()) } else { Err(Error::Unknown(id.to_owned())) }
    }

    /// Keeps what was measured; `moment` is `before` or `after`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn measured(
        &self,
        place: &str,
        id: &str,
        moment: &str,
        value: &impl Serialize,
    ) -> Result<(), Error> {
        let text = serde_json::to_string(value).unwrap_or_default();
        self.with(|file| {
            file.execute(
                "INSERT OR REPLACE INTO measure VALUES (?1, ?2, ?3, ?4, ?5)",
                params![place, id, moment, now_ms(), text],
            )
            .map(drop)
        })
    }
}

fn know(file: &Transaction<'_>, place: &Place) -> rusqlite::Result<()> {
    file.execute(
        "INSERT INTO place VALUES (?1, ?2) ON CONFLICT DO UPDATE SET name = excluded.name",
        params![place.key, place.name],
    )
    .map(drop)
}

/// Advice as it is now; its state stays.
fn note(
    file: &Transaction<'_>,
    place: &str,
    one: &Recommendation,
    (brought, now): (bool, i64),
) -> rusqlite::Result<()> {
    let value = serde_json::to_string(one).unwrap_or_default();
    file.execute(
        "INSERT INTO advice VALUES (?1, ?2, 'open', ?3, ?3, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET seen = excluded.seen, value = excluded.value",
        params![place, one.id, now, value, brought],
    )?;
    Ok(())
}

/// What was done and is wanted again is open again: statistics grow old, somebody drops an index. Not at once: PostgreSQL's own counters are late.
fn again(file: &Transaction<'_>, place: &str, id: &str, now: i64) -> rusqlite::Result<()> {
    let sql = "SELECT 1 FROM advice WHERE place = ?1 AND id = ?2 AND state IN ('applied', 'verified', 'neutral', 'regressed') AND changed < ?3";
    let of = params![place, id, now.saturating_sub(LATE)];
    let found: Option<i64> = file.query_row(sql, of, |row| row.get(0)).optional()?;
    match found {
        Some(_) => enter(file, (place, id), State::Open, "", "found again", now),
        None => Ok(()),
    }
}

fn enter(
    file: &Transaction<'_>,
    (place, id): (&str, &str),
    state: State,
    who: &str,
    why: &str,
    now: i64,
) -> rusqlite::Result<()> {
    file.execute(
        "UPDATE advice SET state = ?3, changed = ?4 WHERE place = ?1 AND id = ?2",
        params![place, id, state.word(), now],
    )?;
    file.execute(
        "INSERT INTO event (place, advice, at, who, state, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![place, id, now, who, state.word(), why],
    )
    .map(drop)
}
