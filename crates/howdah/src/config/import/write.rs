//! The text of a `howdah.toml` from keys and values. Not what the values mean.
//!
//! Invariant: the text is TOML whatever the values are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    List(Vec<String>),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{}", toml::Value::String(text.clone())),
            Self::Number(number) => number.fmt(f),
            Self::List(list) if list.len() == 1 => match list.first() {
                Some(only) => write!(f, "{}", toml::Value::String(only.clone())),
                None => Ok(()),
            },
            Self::List(list) => {
                let items = list.iter().cloned().map(toml::Value::String).collect();
                write!(f, "{}", toml::Value::Array(items))
            }
        }
    }
}

/// Keys and values of one section.
pub(super) type Keys = Vec<(String, Value)>;

/// The configuration while it is made.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// `[section]`, by name.
    single: BTreeMap<String, BTreeMap<String, Value>>,
    /// What every node has.
    node: BTreeMap<String, Value>,
    /// Headers as they are written, with their keys, in order.
    named: Vec<(String, Keys)>,
}

impl Tables {
    /// Sets a key such as `listen.port`; `cluster.node.…` is for every node.
    pub(super) fn set(&mut self, path: &str, value: Value) {
        let Some((section, key)) = path.rsplit_once('.') else { return };
        let table = match section {
            "cluster.node" => &mut self.node,
            _ => self.single.entry(section.to_owned()).or_default(),
        };
        table.insert(key.to_owned(), value);
    }

    /// Removes a key again.
    pub(super) fn unset(&mut self, path: &str) {
        if let Some((section, key)) = path.rsplit_once('.')
            && let Some(table) = self.single.get_mut(section)
        {
            table.remove(key);
        }
    }

    /// Begins an entry `[[section]]`.
    pub(super) fn begin(&mut self, section: &str) -> &mut Keys {
        self.add(format!("[[{section}]]"), Keys::new())
    }

    /// Begins a section inside the last entry.
    pub(super) fn begin_inner(&mut self, section: &str) -> &mut Keys {
        self.add(format!("[{section}]"), Keys::new())
    }

    /// A node of the last cluster.
    pub(super) fn begin_node(&mut self, host: &str, port: u64) {
        let mut keys = vec![
            ("host".to_owned(), Value::Text(host.to_owned())),
            ("port".to_owned(), Value::Number(port)),
        ];
        keys.extend(self.node.iter().map(|(key, value)| (key.clone(), value.clone())));
        self.add("[[cluster.node]]".to_owned(), keys);
    }

    fn add(&mut self, header: String, keys: Keys) -> &mut Keys {
        &mut self.named.push_mut((header, keys)).1
    }

    /// The text.
    pub(super) fn text(&self, source: &Path) -> String {
        let source = source.display().to_string().replace(['\n', '\r'], " ");
        let mut text = format!("# Made from {source}. Try it: howdah check\n");
        let mut section = |header: &str, keys: &mut dyn Iterator<Item = (&String, &Value)>| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\n{header}");
            for (key, value) in keys {
                let _ = writeln!(text, "{key} = {value}");
            }
        };
        for (name, keys) in self.single.iter().filter(|(_, keys)| !keys.is_empty()) {
            section(&format!("[{name}]"), &mut keys.iter());
        }
        for (header, keys) in &self.named {
            section(header, &mut keys.iter().map(|(key, value)| (key, value)));
        }
        text
    }
}
