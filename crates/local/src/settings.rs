//! Settings of a PostgreSQL node as the text of its configuration file.
//!
//! Names are not checked: PostgreSQL does that when it starts, and its complaint is in the error.

use std::collections::BTreeMap;

/// Settings by name; the last value of a name counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings(BTreeMap<String, String>);

impl Settings {
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_ascii_lowercase(), value.into());
    }

    /// Takes over all settings of `other`.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.iter().map(|(name, value)| (name.clone(), value.clone())));
    }

    /// The text of a configuration file.
    pub(crate) fn render(&self) -> String {
        let lines = self.0.iter();
        lines.map(|(name, value)| format!("{name} = {}\n", quoted(value))).collect()
    }
}

/// A value in the quotes of a configuration file, in which backslashes escape.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

/// A value in the quotes of a connection string.
pub(crate) fn conninfo_value(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_the_last_one_counts() {
        let mut settings = Settings::default();
        settings.set("port", "1");
        settings.set("Port", "2");
        settings.set("archive_command", r"printf 'a\n'");
        assert_eq!(settings.render(), "archive_command = 'printf ''a\\\\n'''\nport = '2'\n");
    }

    #[test]
    fn a_connection_string_escapes_its_values() {
        assert_eq!(conninfo_value(r"it's a\b"), r"'it\'s a\\b'");
    }
}
