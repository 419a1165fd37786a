//! PgBouncer's files as lines: `[section]`, `key = value`, `%include`, and connection strings. Not what the keys mean.
//!
//! Invariant: bounded: a file that includes itself is an error, not a loop.

use std::path::{Path, PathBuf};

use super::ImportError;

/// Files inside of files at most, as PgBouncer has it.
const DEPTH: usize = 10;

/// One `key = value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) file: PathBuf,
    /// From 1.
    pub(super) number: usize,
    pub(super) section: String,
    pub(super) key: String,
    pub(super) value: String,
}

/// All lines of a file and of those that it includes.
pub(super) fn read(path: &Path) -> Result<Vec<Line>, ImportError> {
    let mut lines = Vec::new();
    include(path, &mut String::new(), 0, &mut lines)?;
    Ok(lines)
}

fn include(
    path: &Path,
    section: &mut String,
    depth: usize,
    lines: &mut Vec<Line>,
) -> Result<(), ImportError> {
    let content = text(path)?;
    for (index, line) in content.lines().enumerate() {
        let number = index + 1;
        let wrong = |reason| ImportError::Syntax { path: path.to_owned(), line: number, reason };
        let line = line.trim();
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        if let Some(rest) = line.strip_prefix("%include") {
            if depth >= DEPTH {
                return Err(wrong("files include each other too deeply"));
            }
            include(&relative(path, rest.trim()), section, depth + 1, lines)?;
        } else if let Some(rest) = line.strip_prefix('[') {
            let name = rest.strip_suffix(']').ok_or_else(|| wrong("a section without its ]"))?;
            name.trim().clone_into(section);
        } else {
            let (key, value) = line.split_once('=').ok_or_else(|| wrong("not key = value"))?;
            let key = key.trim();
            let quoted = key.strip_prefix('"').and_then(|key| key.strip_suffix('"'));
            lines.push(Line {
                file: path.to_owned(),
                number,
                section: section.clone(),
                key: quoted.map_or_else(|| key.to_owned(), |key| key.replace("\"\"", "\"")),
                value: value.trim().to_owned(),
            });
        }
    }
    Ok(())
}

/// The text of a file.
pub(super) fn text(path: &Path) -> Result<String, ImportError> {
    std::fs::read_to_string(path)
        .map_err(|source| ImportError::Unreadable { path: path.to_owned(), source })
}

/// A path as PgBouncer reads it, from the directory of the file that names it when it is not found from here.
pub(super) fn relative(from: &Path, name: &str) -> PathBuf {
    let beside = from.parent().map(|directory| directory.join(name));
    beside.filter(|beside| beside.exists()).unwrap_or_else(|| PathBuf::from(name))
}

/// The pairs of a connection string: `host=a port=5432 password='it''s'`. `None`: it is not one.
pub(super) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('\'') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = value.find(char::is_whitespace).unwrap_or(value.len());
                let (value, after) = value.split_at_checked(end)?;
                (value.to_owned(), after)
            }
        };
        pairs.push((key.trim().to_owned(), value));
        rest = after.trim_start();
    }
    Some(pairs)
}

/// A value up to its closing quote, which doubled stands for itself, and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let (mut value, mut rest) = (String::new(), text);
    loop {
        let (part, after) = rest.split_once('\'')?;
        value.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Some((value, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings_are_read_with_their_quotes() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(pairs(""), Some(vec![]));
        assert_eq!(
            pairs("host = h port=5 password='it''s a' connect_query='SELECT 1'"),
            Some(vec![
                pair("host", "h"),
                pair("port", "5"),
                pair("password", "it's a"),
                pair("connect_query", "SELECT 1"),
            ])
        );
        assert_eq!(pairs("host"), None);
        assert_eq!(pairs("password='open"), None);
    }
}
