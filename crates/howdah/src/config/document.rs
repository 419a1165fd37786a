//! What the sources say, merged, before anyone judges it: a tree of sections with the values as written and where they were written.
//! Not validated: a value may be nonsense, a reference may dangle. Unknown keys cannot be represented.
//!
//! Invariant: sources are applied from the weakest to the strongest, so the value in the tree is the one in force.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::keys::{Section, Shape};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A line of a file.
    File {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        name: String,
    },
    /// The command line, or a caller's override.
    Flag {
        /// The key that it sets.
        key: String,
    },
}

impl Origin {
    /// The variable of that name.
    pub(crate) fn environment(name: &str) -> Self {
        Self::Environment { name: name.to_owned() }
    }

    /// Strength of the kind of source, the strongest last.
    const fn strength(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::Environment { .. } => 2,
            Self::Flag { .. } => 3,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { name } => write!(f, "env {name}"),
            Self::Flag { key } => write!(f, "command line {key}"),
        }
    }
}

/// A value as written.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Written {
    /// A text, or anything from the environment or the command line.
    Text(String),
    /// A number or boolean without quotes.
    Bare(String),
    /// A list of texts.
    List(Vec<String>),
}

/// A value and where it was written. No `Debug`: it may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// As written.
    pub(crate) written: Written,
    /// Where.
    pub(crate) origin: Origin,
}

impl Given {
    /// A text.
    pub(crate) fn text(text: impl Into<String>, origin: Origin) -> Self {
        Self { written: Written::Text(text.into()), origin }
    }

    /// For messages.
    pub(crate) fn shown(&self) -> String {
        match &self.written {
            Written::Text(text) | Written::Bare(text) => text.clone(),
            Written::List(items) => items.join(", "),
        }
    }
}

/// A section with its values.
pub(crate) struct Table {
    /// Its kind.
    pub(crate) section: &'static Section,
    /// Where it begins.
    pub(crate) origin: Origin,
    values: BTreeMap<&'static str, Given>,
    single: BTreeMap<&'static str, Self>,
    named: BTreeMap<&'static str, Vec<Self>>,
}

/// Keys that say the same thing in different ways: of these a stronger source replaces all of a weaker one.
const ALTERNATIVES: [[&str; 4]; 4] = [
    ["password", "password_file", "password_env", "password_command"],
    ["server_password", "server_password_file", "server_password_env", "server_password_command"],
    [
        "read_server_password",
        "read_server_password_file",
        "read_server_password_env",
        "read_server_password_command",
    ],
    ["query_password", "query_password_file", "query_password_env", "query_password_command"],
];

impl Table {
    /// An empty section.
    pub(crate) const fn new(section: &'static Section, origin: Origin) -> Self {
        Self {
            section,
            origin,
            values: BTreeMap::new(),
            single: BTreeMap::new(),
            named: BTreeMap::new(),
        }
    }

    /// The value of a key.
    pub(crate) fn value(&self, key: &str) -> Option<&Given> {
        self.values.get(key)
    }

    /// Sets a value, in place of one from a weaker or equal source.
    pub(crate) fn set(&mut self, key: &'static str, given: Given) {
        for group in ALTERNATIVES.iter().filter(|group| group.contains(&key)) {
            self.values.retain(|name, old| {
                !group.contains(name) || old.origin.strength() >= given.origin.strength()
            });
        }
        self.values.insert(key, given);
    }

    /// Its key `name` as written.
    pub(crate) fn name(&self) -> Option<String> {
        self.value("name").map(Given::shown)
    }

    /// A section inside that appears once.
    pub(crate) fn single(&self, name: &str) -> Option<&Self> {
        self.single.get(name)
    }

    /// The same, made when it is not there.
    pub(crate) fn single_mut(&mut self, section: &'static Section, origin: Origin) -> &mut Self {
        self.single.entry(section.name).or_insert_with(|| Self::new(section, origin))
    }

    /// The sections inside of one kind that appears many times.
    pub(crate) fn named(&self, name: &str) -> &[Self] {
        self.named.get(name).map_or(&[], Vec::as_slice)
    }

    /// Adds one of them.
    pub(crate) fn push(&mut self, table: Self) {
        self.named.entry(table.section.name).or_default().push(table);
    }

    /// The one of that name, made when it is not there.
    pub(crate) fn named_mut(
        &mut self,
        section: &'static Section,
        name: &str,
        origin: &Origin,
    ) -> &mut Self {
        let tables = self.named.entry(section.name).or_default();
        let found = tables.iter().position(|table| table.name().is_some_and(|known| known == name));
        let at = found.unwrap_or_else(|| {
            let mut table = Self::new(section, origin.clone());
            table.set("name", Given::text(name, origin.clone()));
            tables.push(table);
            tables.len() - 1
        });
        #[allow(clippy::indexing_slicing, reason = "found above, or the one just pushed")]
        &mut tables[at]
    }
}

/// Path of a section: `pool`, `database.shop`, or `database[2]` when it has no name.
pub(crate) fn path(
    parent: &str,
    section: &Section,
    place: Option<(usize, Option<&str>)>,
) -> String {
    let mut path = join(parent, section.name);
    match place {
        Some((_, Some(name))) if section.shape == Shape::Named => path = join(&path, name),
        Some((index, _)) => path = format!("{path}[{}]", index + 1),
        None => {}
    }
    path
}

/// `parent.name`.
pub(crate) fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}
