//! What is wrong with a configuration: every mistake with its key, its value, the reason and a way out. Not a log line.
//!
//! Invariant: the value of a key that holds a secret never gets in here.

use std::fmt;

use serde::Serialize;

use super::document::Origin;

/// The kind of a mistake, stable for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mistake {
    /// Not TOML.
    Syntax,
    /// No such key.
    UnknownKey,
    /// A key of a later version.
    LaterKey,
    /// A section where a value belongs, or the other way round.
    Shape,
    /// Not a value of this key.
    Value,
    /// Nothing where something is needed.
    Missing,
    /// The same name twice.
    Duplicate,
    /// Two keys that contradict each other.
    Conflict,
    /// A name that nothing has.
    UnknownName,
    /// A file, variable or command that gives nothing.
    Unreadable,
    /// Understood, and not possible yet.
    Unsupported,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigError {
    /// Its kind.
    pub kind: Mistake,
    /// Path of the key; empty when it concerns the whole.
    pub key: String,
    /// The value as written; `None`: absent or secret.
    pub value: Option<String>,
    /// What is wrong with it.
    pub reason: String,
    /// What to write instead.
    pub fix: String,
    /// Where it is written; [`Origin::Default`] when nowhere.
    pub origin: Origin,
}

impl ConfigError {
    /// A mistake without a value.
    pub(crate) fn new(
        kind: Mistake,
        key: impl Into<String>,
        origin: Origin,
        reason: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { kind, key: key.into(), value: None, reason: reason.into(), fix: fix.into(), origin }
    }

    /// Whether something is missing only because of this mistake: it may be in the part that could not be read.
    pub(crate) fn explains(&self, other: &Self) -> bool {
        let section = |key: &str| key.rsplit_once('.').map(|(path, _)| path.to_owned());
        other.kind == Mistake::Missing
            && match self.kind {
                Mistake::Syntax | Mistake::Shape | Mistake::Unreadable => true,
                Mistake::UnknownKey => section(&self.key) == section(&other.key),
                Mistake::Value | Mistake::Missing | Mistake::Unsupported => !self.key.contains('.'),
                Mistake::LaterKey
                | Mistake::Duplicate
                | Mistake::Conflict
                | Mistake::UnknownName => false,
            }
    }

    /// Whether another mistake is only an echo of this one: a line that could not be read also gives a wrong value.
    pub(crate) fn echoes_in(&self, other: &Self) -> bool {
        self.kind == Mistake::Syntax && other.kind != self.kind && self.origin == other.origin
    }

    /// The same with its value.
    pub(crate) fn with_value(mut self, value: impl Into<String>) -> Self {
        self.value = Some(value.into());
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut head = match (self.key.as_str(), &self.value) {
            ("", value) => value.clone().unwrap_or_default(),
            (key, Some(value)) => format!("{key} = {}", written(value)),
            (key, None) => key.to_owned(),
        };
        if self.origin != Origin::Default {
            let place = if head.is_empty() { "" } else { "  " };
            head = format!("{head}{place}({})", self.origin);
        }
        if !head.is_empty() {
            writeln!(f, "{head}")?;
        }
        write!(f, "    {}", self.reason)?;
        for (index, line) in self.fix.lines().enumerate() {
            let lead = if index == 0 { "→" } else { " " };
            write!(f, "\n    {lead} {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// A value as it would stand in a file.
pub(crate) fn written(value: &str) -> String {
    if value.parse::<f64>().is_ok() || matches!(value, "true" | "false") {
        value.to_owned()
    } else {
        format!("{value:?}")
    }
}

/// Every mistake of a configuration, in the order of the file, then environment, then flags. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("1 mistake in the configuration")?,
            count => write!(f, "{count} mistakes in the configuration")?,
        }
        for (index, error) in self.0.iter().enumerate() {
            write!(f, "\n\n{:2}. {error}", index + 1)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Something worth saying that is no mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// A sentence.
    pub text: String,
    /// What it is about.
    pub origin: Origin,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match &self.origin {
            Origin::Default => Ok(()),
            origin @ (Origin::File { .. } | Origin::Environment { .. } | Origin::Flag { .. }) => {
                write!(f, "  ({origin})")
            }
        }
    }
}
