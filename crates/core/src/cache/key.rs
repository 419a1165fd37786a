//! What an answer is the answer to, as bytes: equal bytes ask for the same. Where it is asked and as whom is a number that stands for
//! node, database and user; the settings of the session that can change an answer are another.
//!
//! Invariant: two keys are equal only if every part is; no part can be taken for another.

use crate::session::Context;

/// Settings that change when or how long something runs, or what it is called, and never what it answers.
const SILENT: [&str; 11] = [
    "application_name",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "lock_timeout",
    "statement_timeout",
    "tcp_keepalives_count",
    "tcp_keepalives_idle",
    "tcp_keepalives_interval",
    "tcp_user_timeout",
    "track_activities",
    "transaction_timeout",
];

/// Bytes of place and context at the beginning of a key.
const NUMBERS: usize = 8;

/// One request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Where it goes, and as whom.
    pub place: u32,
    /// The settings of the session: [`settings`].
    pub context: u32,
    /// The text of its statement: [`bare`].
    pub sql: &'a [u8],
    /// The types of parameters as Parse says them: count and numbers; empty for a simple query.
    pub types: &'a [u8],
    /// What a session or a comment asked of its answer: [`super::asked::key`].
    pub asked: &'a [u8],
    /// What follows the names in its Bind: formats and parameters; empty for a simple query.
    pub bound: &'a [u8],
}

impl Request<'_> {
    /// Writes the key in place of what is in `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.place.to_be_bytes());
        out.extend_from_slice(&self.context.to_be_bytes());
        for part in [self.sql, self.types, self.asked] {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part);
        }
        out.extend_from_slice(self.bound);
    }
}

impl<'a> Request<'a> {
    /// What [`Request::write`] has written.
    #[must_use]
    pub fn read(key: &'a [u8]) -> Option<Self> {
        let (place, rest) = key.split_first_chunk()?;
        let (context, rest) = rest.split_first_chunk()?;
        let (sql, rest) = part(rest)?;
        let (types, rest) = part(rest)?;
        let (asked, bound) = part(rest)?;
        let (place, context) = (u32::from_be_bytes(*place), u32::from_be_bytes(*context));
        // Formats and counts are there whenever something is bound, and nothing has types otherwise.
        let is_whole = bound.len() >= 6 || (bound.is_empty() && types.is_empty());
        is_whole.then_some(Self { place, context, sql, types, asked, bound })
    }
}

fn part(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = rest.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)
}

/// A statement without one comment in front of it and one behind: tracing writes another one for every call there, and it changes no
/// answer. In doubt whether it is a comment, it stays.
///
/// What is between its marks holds neither mark, and the one behind no `--`: so if what is left were inside a string, a name or another
/// comment, the whole could not be a statement that ends there, and would have no answer.
#[must_use]
pub fn bare(sql: &[u8]) -> &[u8] {
    let mut bare = sql.trim_ascii();
    if let Some(rest) = bare.strip_prefix(b"/*")
        && let Some(end) = find(rest, b"*/")
        && let Some((comment, rest)) = rest.split_at_checked(end)
        && find(comment, b"/*").is_none()
    {
        bare = rest.get(2..).unwrap_or_default().trim_ascii_start();
    }
    if let Some(rest) = bare.strip_suffix(b"*/")
        && let Some(begin) = rest.windows(2).rposition(|pair| pair == b"/*")
        && let Some((rest, comment)) = rest.split_at_checked(begin)
        && let Some(comment) = comment.get(2..)
        && find(comment, b"*/").is_none()
        && find(comment, b"--").is_none()
    {
        bare = rest.trim_ascii_end();
    }
    bare
}

fn find(text: &[u8], mark: &[u8; 2]) -> Option<usize> {
    text.windows(2).position(|pair| pair == mark)
}

/// What a key says besides numbers that only this process knows: statement, types and what was bound.
#[must_use]
pub fn beyond_numbers(key: &[u8]) -> &[u8] {
    key.get(NUMBERS..).unwrap_or_default()
}

/// The settings of a session that can change an answer: its role among them.
#[must_use]
pub fn settings(context: &Context) -> String {
    let mut all = String::new();
    for (name, replay) in telling(context) {
        all.push_str(name);
        all.push('\0');
        all.push_str(replay);
        all.push('\0');
    }
    all
}

/// They themselves, with the statements that make them.
pub fn telling(context: &Context) -> impl Iterator<Item = (&str, &str)> {
    let tells = |name: &str| SILENT.binary_search(&name).is_err() && !name.starts_with("howdah.");
    context.iter().filter(move |(name, _)| tells(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let (sql, types, bound) = (b"SELECT $1", b"\0\0", b"abc");
        let plain = Request { place: 1, context: 2, sql, types, asked: b"", bound };
        let others = [
            Request { place: 2, ..plain },
            Request { context: 1, ..plain },
            Request { sql: b"SELECT $2", ..plain },
            Request { types: b"", ..plain },
            Request { bound: b"abd", ..plain },
            Request { asked: b"abc", bound: b"", ..plain },
            Request { asked: b",a", ..plain },
            Request { sql: b"SELECT $1\0", types: b"\0", ..plain },
            Request { types: b"\0\0a", bound: b"bc", ..plain },
        ];
        let (mut one, mut other) = (Vec::new(), Vec::new());
        plain.write(&mut one);
        for request in others {
            request.write(&mut other);
            assert_ne!(one, other, "{request:?}");
        }
        plain.write(&mut other);
        assert_eq!(one, other);
    }

    #[test]
    fn comments_around_a_statement_do_not_count() {
        for text in [
            "SELECT 1",
            "  SELECT 1\n",
            "/* a */ SELECT 1",
            "SELECT 1 /*traceparent='00-4bf9-01',route='%2Fa'*/",
            "/* a */SELECT 1/* b */ ",
        ] {
            assert_eq!(bare(text.as_bytes()), b"SELECT 1", "{text}");
        }
    }

    #[test]
    fn what_may_not_be_a_comment_counts() {
        for text in [
            "SELECT '/* a */'",
            "SELECT 'a /* ' -- */",
            "SELECT 1 /* a /* b */ */ + 2 -- */",
            "SELECT 1 /* a /* b */ */",
            "/* a /* b */ */ SELECT 1",
            "SELECT 1 /* a */ + 2",
            "/*/",
            "*/",
            "",
        ] {
            assert_eq!(bare(text.as_bytes()), text.as_bytes(), "{text}");
        }
        assert_eq!(bare(b"/**/"), b"");
    }

    #[test]
    fn settings_that_change_answers_are_told_apart() {
        assert!(SILENT.is_sorted());
        let of = |settings_of: &[(&str, &str)]| {
            settings(&Context::from_startup(settings_of.iter().copied()))
        };
        assert_eq!(of(&[("application_name", "a"), ("howdah.cache", "off")]), "");
        for name in ["role", "search_path", "timezone", "datestyle", "my.tenant", "work_mem"] {
            assert_ne!(of(&[(name, "a")]), of(&[(name, "b")]), "{name}");
            assert_ne!(of(&[(name, "a")]), "", "{name}");
        }
    }
}
