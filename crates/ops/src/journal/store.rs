//! The file of the journal: opening it, its tables, and nothing else.
//!
//! Invariant: what a transaction has written is on disk when it returns (`synchronous = full`), so that the intent to run a statement outlives a
//! process that is killed right after it has sent it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{Error, usage};

/// Says that the file is ours ("hwda"), and its format.
const APPLICATION: i64 = 0x6877_6461;
const FORMAT: i64 = 1;
/// How long another process may keep the file.
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "\
CREATE TABLE place (place TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE advice (place TEXT NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL, first INTEGER NOT NULL, seen INTEGER NOT NULL, changed INTEGER NOT NULL, value TEXT NOT NULL, brought INTEGER NOT NULL, PRIMARY KEY (place, id)) WITHOUT ROWID;
CREATE TABLE run (id INTEGER PRIMARY KEY AUTOINCREMENT, place TEXT NOT NULL, advice TEXT NOT NULL, direction TEXT NOT NULL, who TEXT NOT NULL, begun INTEGER NOT NULL, ended INTEGER, outcome TEXT NOT NULL DEFAULT '');
CREATE INDEX run_advice ON run (place, advice);
CREATE TABLE statement (id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, purpose TEXT NOT NULL, sql TEXT NOT NULL, object TEXT NOT NULL, before TEXT NOT NULL, back TEXT NOT NULL, sent INTEGER NOT NULL, ended INTEGER, done INTEGER NOT NULL DEFAULT 0, outcome TEXT NOT NULL DEFAULT '');
CREATE INDEX statement_run ON statement (run);
CREATE TABLE event (id INTEGER PRIMARY KEY AUTOINCREMENT, place TEXT NOT NULL, advice TEXT NOT NULL, at INTEGER NOT NULL, who TEXT NOT NULL, state TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX event_advice ON event (place, advice);
CREATE TABLE measure (place TEXT NOT NULL, advice TEXT NOT NULL, moment TEXT NOT NULL, at INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (place, advice, moment)) WITHOUT ROWID;";

/// Opens the file, or makes it, readable by nobody else.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    let failed = |error| Error::Sqlite { path: path.to_owned(), error };
    // What goes wrong here goes wrong again when SQLite opens it, which says so.
    let _ = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    match found(&connection).map_err(failed)? {
        None => make(&mut connection).map_err(failed)?,
        Some((APPLICATION, FORMAT)) => {}
        Some((APPLICATION, version)) => {
            return Err(Error::Later { path: path.to_owned(), version });
        }
        Some(_) => return Err(Error::Foreign(path.to_owned())),
    }
    let prepare = || {
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute_batch(usage::TABLE)
    };
    prepare().map_err(failed)?;
    Ok(connection)
}

/// Whose file it is, and its format; `None`: it is empty.
fn found(connection: &Connection) -> rusqlite::Result<Option<(i64, i64)>> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(None);
    }
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok(Some((pragma("application_id")?, pragma("user_version")?)))
}

fn make(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been first.
    if found(&transaction)?.is_none() {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    transaction.commit()
}
