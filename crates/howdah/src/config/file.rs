//! `howdah.toml` into the tree of sections. Not the meaning of values: only their place and kind of writing.
//!
//! Invariant: every mistake of the file's shape is reported, each with its line, and the rest of the file still counts.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::document::{self, Given, Origin, Table, Written};
use super::error::{ConfigError, Mistake};
use super::keys::{LATER, ROOT, Section, Shape};
use super::suggest;

/// Reads a file's text into `root`. `name` is its path for messages.
pub(crate) fn apply(root: &mut Table, text: &str, name: &Path, errors: &mut Vec<ConfigError>) {
    let mut source = Source { text, name, errors };
    let (parsed, syntax) = DeTable::parse_recoverable(text);
    for error in &syntax {
        let at = error.span().map_or(0, |span| span.start);
        let origin = source.origin(at);
        let line = text.lines().nth(source.line(at).saturating_sub(1));
        source.errors.push(
            ConfigError::new(
                Mistake::Syntax,
                "",
                origin,
                format!("not TOML: {}", error.message().trim()),
                "texts need quotes: name = \"shop\"; sections look like [pool] or [[database]]",
            )
            .with_value_of(line),
        );
    }
    source.section(root, parsed.get_ref(), "");
}

impl ConfigError {
    fn with_value_of(self, line: Option<&str>) -> Self {
        match line.map(str::trim) {
            Some(line) if !line.contains("password") => self.with_value(line),
            Some(_) | None => self,
        }
    }
}

struct Source<'a> {
    text: &'a str,
    name: &'a Path,
    errors: &'a mut Vec<ConfigError>,
}

impl Source<'_> {
    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().iter().take(at);
        1 + before.filter(|byte| **byte == b'\n').count()
    }

    fn origin(&self, at: usize) -> Origin {
        Origin::File { path: self.name.to_owned(), line: self.line(at) }
    }

    fn section(&mut self, table: &mut Table, found: &DeTable<'_>, path: &str) {
        for (key, value) in found {
            let name = key.get_ref().as_ref();
            if let Some(known) = table.section.key(name) {
                if let Some(given) = self.given(key, value, path) {
                    table.set(known.name, given);
                }
            } else if let Some(section) = table.section.section(name) {
                self.subsection(table, section, key, value, path);
            } else {
                let origin = self.origin(key.span().start);
                let value = written(value.get_ref());
                let error = unknown_key(table.section, path, name, value, origin);
                self.errors.push(error);
            }
        }
    }

    fn subsection(
        &mut self,
        table: &mut Table,
        section: &'static Section,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        path: &str,
    ) {
        let origin = self.origin(key.span().start);
        match (section.shape, value.get_ref()) {
            (Shape::One, DeValue::Table(inner)) => {
                let path = document::path(path, section, None);
                self.section(table.single_mut(section, origin), inner, &path);
            }
            (Shape::Named, DeValue::Array(items))
                if items.iter().all(|item| matches!(item.get_ref(), DeValue::Table(_))) =>
            {
                for (index, item) in items.iter().enumerate() {
                    if let DeValue::Table(inner) = item.get_ref() {
                        let origin = self.origin(item.span().start);
                        let mut entry = Table::new(section, origin);
                        let name = inner.get("name").and_then(|name| name.get_ref().as_str());
                        let path = document::path(path, section, Some((index, name)));
                        self.section(&mut entry, inner, &path);
                        table.push(entry);
                    }
                }
            }
            (shape, _) => {
                let header = document::path(path, section, None);
                let (reason, fix) = match shape {
                    Shape::One => ("a section that appears once", format!("[{header}]")),
                    Shape::Named => {
                        ("a section that may appear several times", format!("[[{header}]]"))
                    }
                };
                self.errors.push(ConfigError::new(
                    Mistake::Shape,
                    header,
                    origin,
                    reason,
                    format!("write it as {fix} with its keys in the lines below"),
                ));
            }
        }
    }

    fn given(
        &mut self,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        path: &str,
    ) -> Option<Given> {
        let written = written(value.get_ref());
        let origin = self.origin(key.span().start);
        if written.is_none() {
            self.errors.push(ConfigError::new(
                Mistake::Shape,
                document::join(path, key.get_ref()),
                origin.clone(),
                "neither a value nor a list of texts",
                format!("write {} = \"…\"", key.get_ref()),
            ));
        }
        written.map(|written| Given { written, origin })
    }
}

/// A value as it is written; `None`: a table, or a list of other things than texts.
fn written(value: &DeValue<'_>) -> Option<Written> {
    match value {
        DeValue::String(text) => Some(Written::Text(text.to_string())),
        DeValue::Integer(number) => Some(Written::Bare(number.to_string())),
        DeValue::Float(number) => Some(Written::Bare(number.to_string())),
        DeValue::Boolean(flag) => Some(Written::Bare(flag.to_string())),
        DeValue::Datetime(time) => Some(Written::Bare(time.to_string())),
        DeValue::Array(items) => items
            .iter()
            .map(|item| item.get_ref().as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .map(Written::List),
        DeValue::Table(_) => None,
    }
}

/// Parts of names that a secret may hide behind, also when they are misspelt.
const SECRETIVE: [&str; 4] = ["pas", "pw", "secret", "token"];

/// The mistake of naming what does not exist, with the nearest name.
pub(crate) fn unknown_key(
    section: &Section,
    path: &str,
    name: &str,
    value: Option<Written>,
    origin: Origin,
) -> ConfigError {
    let error = unknown_name(section, path, name, origin.clone());
    let lower = name.to_lowercase();
    let near = suggest::nearest(name, section.names()).and_then(|near| section.key(near));
    let secret =
        SECRETIVE.iter().any(|part| lower.contains(part)) || near.is_some_and(|key| key.secret);
    match value {
        Some(written) if !secret => error.with_value(Given { written, origin }.shown()),
        Some(_) | None => error,
    }
}

fn unknown_name(section: &Section, path: &str, name: &str, origin: Origin) -> ConfigError {
    let key = document::join(path, name);
    let plain = document::join(&schema_path(section), name);
    if LATER.contains(&plain.as_str()) {
        return ConfigError::new(
            Mistake::LaterKey,
            key,
            origin,
            "not a key of this version",
            "remove it; a later version knows it",
        );
    }
    let within = if path.is_empty() { "the file" } else { path };
    let fix = match suggest::nearest(name, section.names()) {
        Some(near) => format!("did you mean {near}?"),
        None => match elsewhere(&ROOT, "", name) {
            Some(other) => format!("did you mean {other}?"),
            None => format!("keys of {within}: {}", section.names().collect::<Vec<_>>().join(", ")),
        },
    };
    ConfigError::new(Mistake::UnknownKey, key, origin, "no such key", fix)
}

/// Path of the section in the table of keys, without names of entries.
fn schema_path(section: &Section) -> String {
    fn find(from: &Section, path: &str, wanted: &Section) -> Option<String> {
        from.sections.iter().find_map(|inner| {
            let path = document::join(path, inner.name);
            if std::ptr::eq(*inner, wanted) {
                return Some(path);
            }
            find(inner, &path, wanted)
        })
    }
    find(&ROOT, "", section).unwrap_or_default()
}

/// A key of exactly that name in another section.
fn elsewhere(from: &'static Section, path: &str, name: &str) -> Option<String> {
    from.sections.iter().find_map(|inner| {
        let path = document::join(path, inner.name);
        inner
            .key(name)
            .map(|key| document::join(&path, key.name))
            .or_else(|| elsewhere(inner, &path, name))
    })
}
