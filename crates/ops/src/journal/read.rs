//! What the journal says: advice with its state, runs with their statements, and what was left unfinished.

use howdah_advisor::Recommendation;
use rusqlite::{OptionalExtension as _, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Direction, Error, Journal, Place, Purpose, State};

/// Advice and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// For which database.
    pub place: Place,
    /// What became of it.
    pub state: State,
    /// When it was first found, in milliseconds since 1970.
    pub first_ms: i64,
    /// When its state changed last.
    pub changed_ms: i64,
    /// The advice.
    pub advice: Recommendation,
}

/// One attempt to carry advice out or to take it back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Its number.
    #[serde(skip)]
    pub id: i64,
    /// The advice.
    #[serde(skip)]
    pub advice: String,
    /// Which way.
    pub direction: Direction,
    /// Who said yes.
    pub who: String,
    /// When, in milliseconds since 1970.
    pub begun_ms: i64,
    /// `None`: it goes on, or was interrupted.
    pub ended_ms: Option<i64>,
    /// How, in words.
    pub outcome: String,
    /// What was sent.
    pub statements: Vec<Statement>,
}

/// A statement of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statement {
    /// Its number.
    #[serde(skip)]
    pub id: i64,
    /// Why it was sent.
    pub purpose: Purpose,
    /// As it was sent.
    pub sql: String,
    /// What it makes or changes.
    #[serde(skip)]
    pub object: String,
    /// What the catalog said of that before; empty: there was no such thing.
    #[serde(skip)]
    pub before: String,
    /// What takes it back.
    pub back: Vec<String>,
    /// When, in milliseconds since 1970.
    pub sent_ms: i64,
    /// `None`: nobody knows yet how it ended.
    pub ended_ms: Option<i64>,
    /// The database was as the statement wants it.
    pub done: bool,
    /// What PostgreSQL said.
    pub outcome: String,
}

/// A change of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// By whom.
    pub who: String,
    /// To what.
    pub state: State,
    /// Why.
    pub text: String,
}

impl Journal {
    pub(super) fn read<T>(
        &self,
        sql: &str,
        of: impl rusqlite::Params,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let connection = self.connection.lock();
        let read = || connection.prepare(sql)?.query_map(of, row)?.collect::<rusqlite::Result<_>>();
        read().map_err(|error| Error::Sqlite { path: self.path.clone(), error })
    }

    /// All advice, of one database or of all.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn entries(&self, place: Option<&str>) -> Result<Vec<Entry>, Error> {
        let sql = "SELECT advice.place, name, state, first, changed, value FROM advice JOIN place USING (place) WHERE ?1 IS NULL OR place = ?1 ORDER BY name, id";
        let found = self.read(sql, [place], |row| {
            let value: String = row.get(5)?;
            // What a later version wrote and this one cannot read is left out.
            let place = Place { key: row.get(0)?, name: row.get(1)? };
            let (state, first_ms, changed_ms) = (state(row, 2), row.get(3)?, row.get(4)?);
            let advice = serde_json::from_str(&value).ok();
            Ok(advice.map(|advice| Entry { place, state, first_ms, changed_ms, advice }))
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// One of them.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn entry(&self, place: &str, id: &str) -> Result<Option<Entry>, Error> {
        let all = self.entries(Some(place))?;
        Ok(all.into_iter().find(|entry| entry.advice.id == id))
    }

    /// What was done for advice, the first first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn runs(&self, place: &str, id: &str) -> Result<Vec<Run>, Error> {
        self.runs_where("place = ?1 AND advice = ?2", params![place, id])
    }

    /// Runs that never ended.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn unfinished(&self, place: &str) -> Result<Vec<Run>, Error> {
        self.runs_where("place = ?1 AND ended IS NULL", params![place])
    }

    fn runs_where(&self, which: &str, of: impl rusqlite::Params) -> Result<Vec<Run>, Error> {
        let sql = format!(
            "SELECT id, advice, direction, who, begun, ended, outcome FROM run WHERE {which} ORDER BY id"
        );
        let mut runs = self.read(&sql, of, |row| {
            let direction: String = row.get(2)?;
            Ok(Run {
                id: row.get(0)?,
                advice: row.get(1)?,
                direction: if direction == "undo" { Direction::Undo } else { Direction::Apply },
                who: row.get(3)?,
                begun_ms: row.get(4)?,
                ended_ms: row.get(5)?,
                outcome: row.get(6)?,
                statements: Vec::new(),
            })
        })?;
        for run in &mut runs {
            run.statements = self.statements(run.id)?;
        }
        Ok(runs)
    }

    fn statements(&self, run: i64) -> Result<Vec<Statement>, Error> {
        let sql = "SELECT id, purpose, sql, object, before, back, sent, ended, done, outcome FROM statement WHERE run = ?1 ORDER BY id";
        self.read(sql, [run], |row| {
            let (purpose, back): (String, String) = (row.get(1)?, row.get(5)?);
            Ok(Statement {
                id: row.get(0)?,
                purpose: if purpose == "clean" { Purpose::Clean } else { Purpose::Step },
                sql: row.get(2)?,
                object: row.get(3)?,
                before: row.get(4)?,
                back: serde_json::from_str(&back).unwrap_or_default(),
                sent_ms: row.get(6)?,
                ended_ms: row.get(7)?,
                done: row.get(8)?,
                outcome: row.get(9)?,
            })
        })
    }

    /// How its state changed, the first change first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn events(&self, place: &str, id: &str) -> Result<Vec<Event>, Error> {
        let sql =
            "SELECT at, who, state, text FROM event WHERE place = ?1 AND advice = ?2 ORDER BY id";
        self.read(sql, params![place, id], |row| {
            Ok(Event {
                at_ms: row.get(0)?,
                who: row.get(1)?,
                state: state(row, 2),
                text: row.get(3)?,
            })
        })
    }

    /// What was measured at a moment, and when.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn measure<T: DeserializeOwned>(
        &self,
        place: &str,
        id: &str,
        moment: &str,
    ) -> Result<Option<(i64, T)>, Error> {
        let connection = self.connection.lock();
        let sql = "SELECT at, value FROM measure WHERE place = ?1 AND advice = ?2 AND moment = ?3";
        let found: Option<(i64, String)> = connection
            .query_row(sql, params![place, id, moment], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(|error| Error::Sqlite { path: self.path.clone(), error })?;
        Ok(found.and_then(|(at, text)| Some((at, serde_json::from_str(&text).ok()?))))
    }
}

/// A state that a later version wrote counts as being carried out: nothing is done to it here.
fn state(row: &Row<'_>, at: usize) -> State {
    let word: String = row.get(at).unwrap_or_default();
    State::of(&word).unwrap_or(State::Applying)
}
