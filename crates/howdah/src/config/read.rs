//! From values as written to values of their kind, one key at a time, remembering what was read for `config show` and every mistake.
//! Not the rules between keys: those are in `validate`.
//!
//! Invariant: reading never stops at a mistake; a wrong value counts as absent, and the mistake is in [`Findings`].

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::document::{self, Given, Origin, Table, Written};
use super::duration;
use super::error::{self, ConfigError, Mistake, Notice};
use super::keys::{Key, Kind, Zero};
use super::suggest;

/// An effective value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Path of the key.
    pub key: String,
    /// The value, in one form for each meaning (`60s` is `1m`); `…` for a secret.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
    /// A change needs a restart.
    pub needs_restart: bool,
    /// Value when nothing is said.
    #[serde(skip)]
    pub(crate) default: Option<&'static str>,
    /// What the value stands for and must not show, for comparing.
    #[serde(skip)]
    pub(crate) hidden: Option<Hidden>,
}

impl Entry {
    /// The value as it would stand in a file: numbers bare, texts in quotes.
    #[must_use]
    pub fn written(&self) -> String {
        error::written(&self.value)
    }
}

/// A secret that can be compared and not printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hidden(pub(crate) String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What reading has brought to light.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Effective values.
    pub(crate) entries: Vec<Entry>,
    /// Mistakes.
    pub(crate) errors: Vec<ConfigError>,
    /// Remarks.
    pub(crate) notices: Vec<Notice>,
}

/// A value of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Of [`Kind::Integer`].
    Integer(u64),
    /// Of [`Kind::Number`], as it is written.
    Number(String),
    /// Of [`Kind::Duration`]; `None`: off.
    Duration(Option<Duration>),
    /// Of [`Kind::Word`].
    Word(&'static str),
    /// Of [`Kind::Text`].
    Text(String),
    /// Of [`Kind::List`].
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Number(text) => f.write_str(text),
            Self::Duration(None) => f.write_str("off"),
            Self::Duration(Some(time)) => f.write_str(&duration::format(*time)),
            Self::Word(word) => f.write_str(word),
            Self::Text(text) => f.write_str(text),
            Self::List(items) => f.write_str(&items.join(", ")),
        }
    }
}

/// Why a value is not of its kind, and what is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) reason: String,
    pub(crate) fix: String,
}

fn complaint(reason: impl Into<String>, fix: impl Into<String>) -> Complaint {
    Complaint { reason: reason.into(), fix: fix.into() }
}

/// Reads a value as its kind.
pub(crate) fn parse(kind: Kind, given: &Given) -> Result<Value, Complaint> {
    let text = match (&given.written, kind) {
        (Written::List(items), Kind::List) => return Ok(Value::List(items.clone())),
        (Written::List(_), _) => {
            return Err(complaint("one value, not a list", "take one of them"));
        }
        (Written::Bare(_), Kind::Text | Kind::List) => {
            return Err(complaint(
                "not a text",
                format!("write it in quotes: \"{}\"", given.shown()),
            ));
        }
        // As it is: a password may begin or end with a blank.
        (Written::Text(text), Kind::Text) => text,
        (Written::Text(text) | Written::Bare(text), _) => text.trim(),
    };
    match kind {
        Kind::Integer { min, max } => integer(text, min, max).map(Value::Integer),
        Kind::Number => number(text).map(Value::Number),
        Kind::Duration(zero) => time(text, zero).map(Value::Duration),
        Kind::Word(words) => word(text, words).map(Value::Word),
        Kind::Text if text.is_empty() => {
            Err(complaint("empty", "give it a value, or leave the key out"))
        }
        Kind::Text => Ok(Value::Text(text.to_owned())),
        Kind::List => Ok(Value::List(
            text.split(',')
                .map(|item| item.trim().to_owned())
                .filter(|item| !item.is_empty())
                .collect(),
        )),
    }
}

fn integer(text: &str, min: u64, max: u64) -> Result<u64, Complaint> {
    let fix = format!("a whole number from {min} to {max}");
    let digits = text.replace('_', "");
    match digits.parse::<i128>() {
        Err(_) => Err(complaint("not a whole number", fix)),
        Ok(number) => match u64::try_from(number) {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            Ok(_) | Err(_) => Err(complaint("out of range", fix)),
        },
    }
}

fn number(text: &str) -> Result<String, Complaint> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number.to_string()),
        Ok(_) | Err(_) => Err(complaint("not a number", "for example 5, 12.5 or 0")),
    }
}

fn time(text: &str, zero: Zero) -> Result<Option<Duration>, Complaint> {
    let fix = match zero {
        Zero::Off => "for example \"30s\", \"5m\", \"1h\", or \"off\"",
        Zero::Allowed => "for example \"500ms\", \"5s\", \"1m\", or \"0s\"",
        Zero::Refused => "for example \"500ms\", \"5s\", \"10m\", \"1h\"",
    };
    if text == "off" {
        return match zero {
            Zero::Off => Ok(None),
            Zero::Allowed | Zero::Refused => Err(complaint("cannot be off", fix)),
        };
    }
    let time = match text {
        "0" => Duration::ZERO,
        _ => duration::parse(text).map_err(|reason| complaint(reason, fix))?,
    };
    match zero {
        Zero::Off => Ok(Some(time).filter(|time| !time.is_zero())),
        Zero::Refused if time.is_zero() => Err(complaint("must be longer than nothing", fix)),
        Zero::Refused | Zero::Allowed => Ok(Some(time)),
    }
}

fn word(text: &str, words: &'static [&'static str]) -> Result<&'static str, Complaint> {
    if let Some(word) = words.iter().find(|word| **word == text) {
        return Ok(word);
    }
    let fix = match suggest::nearest(text, words.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"? ({})", words.join(", ")),
        None => format!("one of {}", words.join(", ")),
    };
    Err(complaint("not a value of this key", fix))
}

/// Reads the keys of one section.
pub(crate) struct Reader<'a> {
    table: Option<&'a Table>,
    keys: &'static [Key],
    path: String,
    defaults: bool,
    findings: &'a mut Findings,
}

impl<'a> Reader<'a> {
    /// A section whose keys have defaults. `table` is absent when no source mentions the section.
    pub(crate) fn new(
        keys: &'static [Key],
        table: Option<&'a Table>,
        path: impl Into<String>,
        findings: &'a mut Findings,
    ) -> Self {
        Self { table, keys, path: path.into(), defaults: true, findings }
    }

    /// The same without defaults: only what is written counts.
    pub(crate) fn overrides(mut self) -> Self {
        self.defaults = false;
        self
    }

    /// What has been found so far, to add to.
    pub(crate) const fn findings(&mut self) -> &mut Findings {
        self.findings
    }

    /// Path of a key.
    pub(crate) fn path(&self, key: &str) -> String {
        document::join(&self.path, key)
    }

    /// Where a key is written, or the section when it is not.
    pub(crate) fn origin(&self, key: &str) -> Origin {
        self.given(key)
            .map(|given| &given.origin)
            .or_else(|| self.table.map(|table| &table.origin))
            .cloned()
            .unwrap_or(Origin::Default)
    }

    /// Whether a source mentions the key.
    pub(crate) fn is_given(&self, key: &str) -> bool {
        self.given(key).is_some()
    }

    fn given(&self, key: &str) -> Option<&'a Given> {
        self.table.and_then(|table| table.value(key))
    }

    /// A mistake at a key, with its value as written.
    pub(crate) fn fail(
        &mut self,
        kind: Mistake,
        key: &str,
        reason: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let secret = self.keys.iter().any(|known| known.name == key && known.secret);
        let mut error = ConfigError::new(kind, self.path(key), self.origin(key), reason, fix);
        if !secret && let Some(given) = self.given(key) {
            error = error.with_value(given.shown());
        }
        self.findings.errors.push(error);
    }

    /// Remembers a value that other keys imply.
    pub(crate) fn implied(&mut self, key: &str, value: impl Into<String>) {
        let entry = self.entry(key, value.into(), Origin::Default);
        self.findings.entries.push(entry);
    }

    fn entry(&self, key: &str, value: String, origin: Origin) -> Entry {
        let known = self.keys.iter().find(|known| known.name == key);
        Entry {
            key: self.path(key),
            value,
            origin,
            needs_restart: known.is_some_and(|key| key.restart),
            default: known.and_then(|key| key.default),
            hidden: None,
        }
    }

    fn value(&mut self, name: &str) -> Option<Value> {
        let key = self.keys.iter().find(|key| key.name == name)?;
        let default = key.default.filter(|_| self.defaults);
        let fallback = default.map(|text| Given::text(text, Origin::Default));
        let given = self.given(name).or(fallback.as_ref())?;
        let (value, origin) = match parse(key.kind, given) {
            Ok(value) => (value, given.origin.clone()),
            Err(complaint) => {
                self.fail(Mistake::Value, name, complaint.reason, complaint.fix);
                let fallback = fallback.as_ref()?;
                (parse(key.kind, fallback).ok()?, Origin::Default)
            }
        };
        let mut entry = self.entry(name, value.to_string(), origin);
        if key.secret {
            entry.hidden = Some(Hidden(std::mem::replace(&mut entry.value, "…".to_owned())));
        }
        self.findings.entries.push(entry);
        Some(value)
    }

    /// A whole number; `None`: absent, or wrong and reported.
    pub(crate) fn integer<T: TryFrom<u64>>(&mut self, name: &str) -> Option<T> {
        match self.value(name)? {
            Value::Integer(number) => T::try_from(number).ok(),
            Value::Number(_)
            | Value::Duration(_)
            | Value::Word(_)
            | Value::Text(_)
            | Value::List(_) => None,
        }
    }

    /// A number that is not negative; `None`: absent, or wrong and reported.
    pub(crate) fn number(&mut self, name: &str) -> Option<f64> {
        match self.value(name)? {
            Value::Number(text) => text.parse().ok(),
            Value::Integer(_)
            | Value::Duration(_)
            | Value::Word(_)
            | Value::Text(_)
            | Value::List(_) => None,
        }
    }

    /// A time that may be off (`Some(None)`).
    pub(crate) fn limit(&mut self, name: &str) -> Option<Option<Duration>> {
        match self.value(name)? {
            Value::Duration(time) => Some(time),
            Value::Integer(_)
            | Value::Number(_)
            | Value::Word(_)
            | Value::Text(_)
            | Value::List(_) => None,
        }
    }

    /// A time that cannot be off.
    pub(crate) fn duration(&mut self, name: &str) -> Option<Duration> {
        self.limit(name).flatten()
    }

    /// One of the words of the key.
    pub(crate) fn word(&mut self, name: &str) -> Option<&'static str> {
        match self.value(name)? {
            Value::Word(word) => Some(word),
            Value::Integer(_)
            | Value::Number(_)
            | Value::Duration(_)
            | Value::Text(_)
            | Value::List(_) => None,
        }
    }

    /// `true` or `false`.
    pub(crate) fn switch(&mut self, name: &str) -> Option<bool> {
        self.word(name).map(|word| word == "true")
    }

    /// A text.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            Value::Integer(_)
            | Value::Number(_)
            | Value::Duration(_)
            | Value::Word(_)
            | Value::List(_) => None,
        }
    }

    /// A list of texts.
    pub(crate) fn list(&mut self, name: &str) -> Option<Vec<String>> {
        match self.value(name)? {
            Value::List(items) => Some(items),
            Value::Integer(_)
            | Value::Number(_)
            | Value::Duration(_)
            | Value::Word(_)
            | Value::Text(_) => None,
        }
    }
}
