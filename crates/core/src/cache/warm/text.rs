//! A list as text: a line that says what it is and how many follow, and a line of JSON for each question. Bytes are hexadecimal digits.
//!
//! Invariant: what is read is what was written, or nothing.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Asker, List, Question};

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: String,
    version: u32,
    questions: usize,
}

const FORMAT: &str = "howdah.warm";
const VERSION: u32 = 1;

/// One question.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    database: Box<str>,
    user: Box<str>,
    settings: Box<[(Box<str>, Box<str>)]>,
    sql: Box<str>,
    types: String,
    bound: String,
    value: u64,
}

/// Why a text is no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    /// It does not begin as one.
    #[error("it is not a list of questions")]
    Foreign,
    /// It is of another version of the format.
    #[error("it is of version {0} of the format, and {VERSION} is what is read here")]
    Version(u32),
    /// Lines are missing, or there are more than it says.
    #[error("it is not complete")]
    Incomplete,
    /// A line cannot be read.
    #[error("line {0} cannot be read")]
    Line(usize),
}

impl List {
    /// As text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let head = Head { format: FORMAT.to_owned(), version: VERSION, questions: self.0.len() };
        let lines = self.0.iter().map(|question| json(&Line::of(question)));
        std::iter::once(json(&head)).chain(lines).collect()
    }

    /// Reads what [`List::to_text`] has written; no more than `most`.
    ///
    /// # Errors
    /// It is something else.
    pub fn of_text(text: &[u8], most: usize) -> Result<Self, Damaged> {
        let text = std::str::from_utf8(text).map_err(|_| Damaged::Foreign)?;
        let mut lines = text.lines();
        let head = lines.next().and_then(|line| serde_json::from_str(line).ok());
        let head: Head = head.ok_or(Damaged::Foreign)?;
        if head.format != FORMAT {
            return Err(Damaged::Foreign);
        }
        if head.version != VERSION {
            return Err(Damaged::Version(head.version));
        }
        let read = |(at, line): (usize, &str)| {
            let line = serde_json::from_str::<Line>(line).ok();
            line.and_then(Line::question).ok_or(Damaged::Line(at + 2))
        };
        if !text.ends_with('\n') || lines.clone().count() != head.questions {
            return Err(Damaged::Incomplete);
        }
        let questions = lines.enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::new(questions, most))
    }
}

/// A line of JSON. What is written here has only texts for keys.
fn json(of: &impl Serialize) -> String {
    serde_json::to_string(of).map(|line| line + "\n").unwrap_or_default()
}

impl Line {
    fn of(question: &Question) -> Self {
        let Asker { database, user, settings } = (*question.asker).clone();
        let (sql, value) = (question.sql.clone(), question.value);
        let (types, bound) = (hex(&question.types), hex(&question.bound));
        Self { database, user, settings, sql, types, bound, value }
    }

    fn question(self) -> Option<Question> {
        let Self { database, user, settings, sql, types, bound, value } = self;
        let asker = Arc::new(Asker { database, user, settings });
        // What is sent in the frame of a text ends there.
        let named = asker.settings.iter().flat_map(|(name, value)| [name, value]);
        let texts: Vec<&Box<str>> = named.chain([&asker.database, &asker.user, &sql]).collect();
        if texts.iter().any(|text| text.contains('\0')) {
            return None;
        }
        let (types, bound) = (bytes(&types)?, bytes(&bound)?);
        Some(Question { asker, sql, types, bound, value })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(digits: &str) -> Option<Box<[u8]>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let pair = |pair: &[u8; 2]| {
        let digits = std::str::from_utf8(pair).ok().filter(|digits| !digits.starts_with('+'))?;
        u8::from_str_radix(digits, 16).ok()
    };
    rest.is_empty().then(|| pairs.iter().map(pair).collect())?
}
