//! The file: one table of subjects, one of samples, one of marks, one of texts that outlive a process. Written in transactions, by one thread of each process.
//!
//! Invariant: a row is merged with what is there, so that two processes can write during a restart, and a process can go on where
//! another one was killed.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior};

use crate::error::Error;
use crate::rings::{Keep, Ring};
use crate::sample::Sample;
use crate::series::{STATEMENTS, Subject};
use crate::with_suffix;
use crate::write::Pending;

/// Says that the file is ours ("hwdh"), and its format.
const APPLICATION: i64 = 0x6877_6468;
const FORMAT: i64 = 1;
/// How long another process may keep the file.
const BUSY: Duration = Duration::from_secs(2);
/// Statements that are kept of one hour, and marks.
const STATEMENTS_PER_HOUR: usize = 100;
const MARKS: i64 = 10_000;

const TABLES: &str = "\
CREATE TABLE subject (id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL DEFAULT '', UNIQUE (kind, name));
CREATE TABLE point (ring INTEGER NOT NULL, subject INTEGER NOT NULL, slot INTEGER NOT NULL, sample BLOB NOT NULL, PRIMARY KEY (ring, subject, slot)) WITHOUT ROWID;
CREATE TABLE mark (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX mark_at ON mark (at);";

/// Made in files that are there already, too: who does not know of it is not disturbed by it.
const KEPT: &str = "CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, at INTEGER NOT NULL, text TEXT NOT NULL) WITHOUT ROWID";

/// A number as SQLite has it.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The file, opened for writing.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    path: PathBuf,
    /// Numbers of subjects that are in the file.
    ids: HashMap<Subject, i64>,
    /// The hour whose statements were thinned last.
    thinned: u64,
    /// The share of the times to keep that the size allows.
    share: f64,
}

/// Opens a file and looks whether it is ours; `None`: it is empty.
fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<(Connection, Option<(i64, i64)>)> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let found = match tables {
        0 => None,
        _ => Some((pragma("application_id")?, pragma("user_version")?)),
    };
    Ok((connection, found))
}

/// Opens a file of ours.
pub(crate) fn open(path: &Path, flags: OpenFlags) -> Result<(Connection, bool), Error> {
    let sqlite = |error| Error::Sqlite { path: path.to_owned(), error };
    let (connection, found) = connect(path, flags).map_err(sqlite)?;
    match found {
        None => Ok((connection, true)),
        Some((APPLICATION, FORMAT)) => Ok((connection, false)),
        Some((APPLICATION, version)) => Err(Error::Later { path: path.to_owned(), version }),
        Some(_) => Err(Error::Foreign(path.to_owned())),
    }
}

impl Store {
    /// Opens the file, or makes it, readable by nobody else.
    pub(crate) fn open(path: &Path, max_bytes: u64) -> Result<Self, Error> {
        let sqlite = |error| Error::Sqlite { path: path.to_owned(), error };
        // What goes wrong here goes wrong again when SQLite opens it, which says so.
        let _ = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        let (mut connection, empty) = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let make = |connection: &mut Connection| {
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "normal")?;
            connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
            let size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            let pages = signed(max_bytes) / size.max(1);
            connection.pragma_update(None, "max_page_count", pages)?;
            if empty {
                let transaction =
                    connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let made: i64 =
                    transaction
                        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
                if made == 0 {
                    transaction.execute_batch(TABLES)?;
                    transaction.pragma_update(None, "application_id", APPLICATION)?;
                    transaction.pragma_update(None, "user_version", FORMAT)?;
                }
                transaction.commit()?;
            }
            connection.execute_batch(KEPT)?;
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        };
        let sound = make(&mut connection).map_err(sqlite)?;
        if sound != "ok" {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            return Err(sqlite(rusqlite::Error::SqliteFailure(code, Some(sound))));
        }
        Ok(Self { connection, path: path.to_owned(), ids: HashMap::new(), thinned: 0, share: 1.0 })
    }

    /// Takes a damaged file out of the way, in place of the one before.
    pub(crate) fn set_aside(path: &Path) -> io::Result<PathBuf> {
        if !std::fs::symlink_metadata(path)?.is_file() {
            return Err(io::Error::other("it is no ordinary file"));
        }
        let to = with_suffix(path, ".damaged");
        std::fs::rename(path, &to)?;
        for suffix in ["-wal", "-shm"] {
            // They belong to the file that is gone.
            let _ = std::fs::remove_file(with_suffix(path, suffix));
        }
        Ok(to)
    }

    fn error(&self, error: rusqlite::Error) -> Error {
        Error::Sqlite { path: self.path.clone(), error }
    }

    /// Writes all of it or nothing.
    pub(crate) fn write(&mut self, pending: &Pending) -> Result<(), Error> {
        let written = write(&mut self.connection, &mut self.ids, pending);
        written.map_err(|error| {
            // Numbers may be of subjects that were not written.
            self.ids.clear();
            self.error(error)
        })
    }

    /// Forgets what is too old, and the oldest of what is too much.
    pub(crate) fn tidy(&mut self, now: u64, keep: &Keep, max_bytes: u64) -> Result<(), Error> {
        self.share = 1.0_f64.min(self.share * 1.02);
        let hour = now / Ring::Hour.seconds();
        if hour != self.thinned {
            self.thin(hour.saturating_sub(1)).map_err(|error| self.error(error))?;
            self.thinned = hour;
        }
        loop {
            self.forget(now, keep).map_err(|error| self.error(error))?;
            if self.bytes()? <= max_bytes / 8 * 7 || self.share < 0.001 {
                return Ok(());
            }
            self.share *= 0.9;
        }
    }

    fn forget(&mut self, now: u64, keep: &Keep) -> rusqlite::Result<()> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for ring in Ring::ALL {
            for statements in [false, true] {
                let time = keep.of(statements, ring).mul_f64(self.share).as_secs();
                let first = signed(now.saturating_sub(time) / ring.seconds());
                transaction.execute(
                    "DELETE FROM point WHERE ring = ?1 AND subject IN (SELECT id FROM subject WHERE (kind = ?2) = ?3) AND slot < ?4",
                    (ring.number(), STATEMENTS, statements, first),
                )?;
            }
        }
        transaction.execute(
            "DELETE FROM mark WHERE id <= (SELECT max(id) FROM mark) - ?1 OR at < ?2",
            (MARKS, signed(now.saturating_sub(keep.hours.as_secs()) * 1_000)),
        )?;
        transaction.commit()
    }

    /// Keeps the statements of an hour that took the most time, and forgets those of which nothing is left.
    fn thin(&mut self, hour: u64) -> rusqlite::Result<()> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut found = {
            let mut rows = transaction.prepare(
                "SELECT subject, sample FROM point WHERE ring = ?1 AND subject IN (SELECT id FROM subject WHERE kind = ?2) AND slot = ?3",
            )?;
            let of = (Ring::Hour.number(), STATEMENTS, signed(hour));
            let found = rows.query_map(of, |row| {
                let sample = Sample::decode(&row.get::<_, Vec<u8>>(1)?).unwrap_or_default();
                Ok((row.get::<_, i64>(0)?, sample.sum(3).saturating_add(sample.sum(4))))
            })?;
            found.collect::<rusqlite::Result<Vec<_>>>()?
        };
        found.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        for (subject, _) in found.into_iter().skip(STATEMENTS_PER_HOUR) {
            transaction.execute(
                "DELETE FROM point WHERE ring = ?1 AND subject = ?2 AND slot = ?3",
                (Ring::Hour.number(), subject, signed(hour)),
            )?;
        }
        transaction.execute(
            "DELETE FROM subject WHERE NOT EXISTS (SELECT 1 FROM point WHERE ring = 1 AND subject = id) \
             AND NOT EXISTS (SELECT 1 FROM point WHERE ring = 2 AND subject = id) AND NOT EXISTS (SELECT 1 FROM point WHERE ring = 3 AND subject = id)",
            [],
        )?;
        transaction.commit()?;
        self.ids.clear();
        Ok(())
    }

    /// Bytes in use.
    pub(crate) fn bytes(&self) -> Result<u64, Error> {
        let pragma =
            |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let bytes =
            || Ok((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?);
        let bytes: i64 = bytes().map_err(|error| self.error(error))?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }
}

fn write(
    connection: &mut Connection,
    ids: &mut HashMap<Subject, i64>,
    pending: &Pending,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut find = transaction
            .prepare("SELECT sample FROM point WHERE ring = ?1 AND subject = ?2 AND slot = ?3")?;
        let mut put = transaction.prepare(
            "INSERT INTO point VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET sample = excluded.sample",
        )?;
        for ((ring, subject, slot), sample) in &pending.rows {
            let id = match ids.get(subject) {
                Some(id) => *id,
                None => {
                    let text = pending.texts.get(subject).map_or("", String::as_str);
                    let id = number(&transaction, subject, text)?;
                    ids.insert(subject.clone(), id);
                    id
                }
            };
            let at = (ring.number(), id, signed(*slot));
            let known: Option<Vec<u8>> = find.query_row(at, |row| row.get(0)).optional()?;
            let known = known.and_then(|bytes| Sample::decode(&bytes));
            let whole = known.map_or_else(
                || sample.clone(),
                |mut known| {
                    known.merge(sample);
                    known
                },
            );
            put.execute((at.0, at.1, at.2, whole.encode()))?;
        }
        let mut mark =
            transaction.prepare("INSERT INTO mark (at, kind, text) VALUES (?1, ?2, ?3)")?;
        for one in &pending.marks {
            mark.execute((signed(one.at_ms), &one.kind, &one.text))?;
        }
        let mut keep = transaction.prepare("INSERT OR REPLACE INTO kept VALUES (?1, ?2, ?3)")?;
        for (name, (at_ms, text)) in &pending.kept {
            keep.execute((name, signed(*at_ms), text))?;
        }
    }
    transaction.commit()
}

/// The number of a subject.
fn number(transaction: &Transaction<'_>, subject: &Subject, text: &str) -> rusqlite::Result<i64> {
    let (kind, name) = subject.key();
    transaction.execute(
        "INSERT INTO subject (kind, name, text) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        (kind, name, text),
    )?;
    transaction.query_row(
        "SELECT id FROM subject WHERE kind = ?1 AND name = ?2",
        (kind, name),
        |row| row.get(0),
    )
}
