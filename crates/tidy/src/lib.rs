//! The house rules that neither the compiler nor clippy can express, as checks over the repository's own files. Not part of the product, and
//! not a second linter: whatever clippy can check stays in clippy. `tests/house.rs` runs every check on the real tree.
//!
//! Invariant: a check is a pure function from files or cargo's metadata to findings, and each has a test that shows it red; only
//! `tree` and `metadata` read the disk and run programs.

pub mod documents;
pub mod layering;
pub mod licences;
pub mod metadata;
pub mod rust_files;
pub mod settings;
pub mod source;
pub mod texts;
pub mod tree;

use std::fmt;

/// One broken rule at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Path below the root of the repository, or the name of a package.
    pub place: String,
    /// Line, from 1; `None`: the whole file or package.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

impl Finding {
    /// A finding about a whole file or package.
    #[must_use]
    pub fn of(place: &str, message: impl Into<String>) -> Self {
        Self { place: place.to_owned(), line: None, message: message.into() }
    }

    /// A finding about one line, counted from 1.
    #[must_use]
    pub fn at(place: &str, line: usize, message: impl Into<String>) -> Self {
        Self { place: place.to_owned(), line: Some(line), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.place, self.message),
            None => write!(f, "{}: {}", self.place, self.message),
        }
    }
}
