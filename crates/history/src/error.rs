//! What can go wrong with the file of the past.

use std::path::PathBuf;

/// Why the past cannot be read or written.
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
    /// It is a database of something else.
    #[error("{} is not a history of Howdah", .0.display())]
    Foreign(PathBuf),
    /// It was written by a later version.
    #[error("{path} was written by a later version of Howdah (format {version})", path = path.display())]
    Later {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: i64,
    },
}

impl Error {
    /// Whether the file is damaged, so that another one has to be begun. What belongs to somebody else is left alone.
    pub(crate) fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            Self::Foreign(_) | Self::Later { .. } => false,
            Self::Sqlite { error, .. } => {
                matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
            }
        }
    }
}
