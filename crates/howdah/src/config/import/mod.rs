//! PgBouncer's configuration as one of Howdah's, with an account of every line: what was taken over, what means something else now,
//! what has no equivalent and what to do about that. Not a PgBouncer: nothing is kept that Howdah does by itself.
//!
//! `ini` reads the files, `table` says what becomes of each key of `[pgbouncer]`, `databases`, `lookups` and `users` read the other
//! sections, `write` makes the text.
//!
//! Invariant: a key that is written is in the table of keys (`keys`), and every line of the source is in the account.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

mod databases;
mod ini;
mod lookups;
mod table;
mod users;
mod write;

use super::keys;
use super::{Config, ConfigErrors};
use databases::Databases;
use ini::Line;
use users::Users;
use write::Tables;

/// Stands for no limit where Howdah wants one.
const NO_LIMIT: &str = "30d";

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It has no equivalent: something may have to be done.
    Dropped,
    /// It was taken over, and means something else.
    Changed,
    /// It was taken over.
    Taken,
    /// Howdah does this by itself, or has nothing to which it could apply.
    Needless,
}

/// What became of one line, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// What became of it.
    pub verdict: Verdict,
    /// File it is in.
    pub file: PathBuf,
    /// Line of the file, from 1.
    pub line: usize,
    /// Key, with the section for others than `[pgbouncer]`.
    pub key: String,
    /// How, or why not, and what to do.
    pub text: String,
}

/// A configuration made from PgBouncer's.
#[derive(Debug)]
pub struct Imported {
    /// The text of `howdah.toml`. May hold passwords.
    pub toml: String,
    /// One for every line, those to be looked at first. Without passwords.
    pub remarks: Vec<Remark>,
    /// What is still wrong with the text on this machine.
    pub mistakes: Option<ConfigErrors>,
}

/// A file that cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not such a file.
    #[error("{path}, line {line}: {reason}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line of the file, from 1.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
}

/// The account while it is made.
#[derive(Debug, Default)]
struct Account(Vec<Remark>);

impl Account {
    fn add(
        &mut self,
        line: &Line,
        key: impl Into<String>,
        verdict: Verdict,
        text: impl Into<String>,
    ) {
        let (file, number) = (line.file.clone(), line.number);
        let remark = Remark { verdict, file, line: number, key: key.into(), text: text.into() };
        self.0.push(remark);
    }
}

/// Makes a configuration from a `pgbouncer.ini`, the files it includes, and its `auth_file`.
///
/// # Errors
/// A file that cannot be read, or is not in PgBouncer's format.
pub fn pgbouncer(path: &Path) -> Result<Imported, ImportError> {
    let lines = ini::read(path)?;
    let mut account = Account::default();
    let mut tables = Tables::default();
    let general = table::read(&lines, &mut tables, &mut account);
    let users = Users::read(&lines, &general, path, &mut account)?;
    let mut databases = Databases::read(&lines, &general, &mut account);
    databases.look_up(&general, &mut tables, &mut account);
    databases.write(&mut tables);
    users.write(path, &databases, &general, &mut tables, &mut account);
    let toml = tables.text(path);
    let mut remarks = account.0;
    remarks.sort_by(|a, b| (a.verdict, &a.file, a.line).cmp(&(b.verdict, &b.file, b.line)));
    let mistakes = Config::from_toml(&toml).err();
    Ok(Imported { toml, remarks, mistakes })
}

/// Whether this version has a key, as `listen.port`.
fn has_key(path: &str) -> bool {
    let mut section = &keys::ROOT;
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return section.key(part).is_some();
        }
        let Some(inner) = section.section(part) else { return false };
        section = inner;
    }
    false
}

/// Seconds, as PgBouncer writes times, as Howdah does. `None`: not a number.
fn seconds(text: &str) -> Option<String> {
    let seconds: f64 = text.parse().ok()?;
    let duration = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    let whole = duration.subsec_millis() == 0;
    Some(if whole {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    })
}
