//! The words of a statement, as far as is needed to see what it does. Not a parser of SQL.
//!
//! Invariant: what stands between quotes is never taken for anything else, and comments are refused: what is hidden in them would be run unread.

use super::statement::Name;

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key word or name, folded to lower case.
    Plain,
    /// A name in quotes, without them.
    Quoted,
    /// A string or number.
    Value,
    /// One sign.
    Sign,
}

/// A word and where it ends.
#[derive(Debug, Clone)]
pub(super) struct Word {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// The byte behind it.
    pub(super) end: usize,
}

impl Word {
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Plain | Kind::Sign) && self.text == text
    }
}

/// Words that are read from the first to the last.
pub(super) struct Words<'a> {
    pub(super) words: &'a [Word],
    pub(super) at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn peek(&self, text: &str) -> bool {
        self.words.get(self.at).is_some_and(|word| word.is(text))
    }

    pub(super) fn next(&mut self) -> Option<&'a Word> {
        let word = self.words.get(self.at)?;
        self.at += 1;
        Some(word)
    }

    /// Passes all of these, or none.
    pub(super) fn take(&mut self, texts: &[&str]) -> bool {
        let found = self.words.get(self.at..self.at + texts.len());
        let all =
            found.is_some_and(|words| words.iter().zip(texts).all(|(word, text)| word.is(text)));
        if all {
            self.at += texts.len();
        }
        all
    }

    pub(super) fn rest(&self) -> usize {
        self.words.len().saturating_sub(self.at)
    }

    pub(super) fn end(&self, why: &str) -> Result<(), String> {
        if self.rest() == 0 { Ok(()) } else { Err(why.to_owned()) }
    }

    pub(super) fn part(&mut self) -> Result<String, String> {
        let word = self.next().filter(|word| matches!(word.kind, Kind::Plain | Kind::Quoted));
        word.map(|word| word.text.clone()).ok_or_else(|| "a name is missing".to_owned())
    }

    pub(super) fn name(&mut self) -> Result<Name, String> {
        let first = self.part()?;
        if self.take(&["."]) {
            return Ok(Name { schema: first, name: self.part()? });
        }
        Ok(Name { schema: String::new(), name: first })
    }
}

/// The words of a statement; comments are refused, since what is hidden in them would be run unread.
pub(super) fn words(sql: &str) -> Result<Vec<Word>, String> {
    let mut found = Vec::new();
    let mut rest = sql.char_indices().peekable();
    let behind = |rest: &mut std::iter::Peekable<std::str::CharIndices<'_>>| {
        rest.peek().map_or(sql.len(), |(at, _)| *at)
    };
    while let Some((_, first)) = rest.next() {
        if first.is_whitespace() {
            continue;
        }
        let next = rest.peek().map(|(_, next)| *next);
        if matches!((first, next), ('-', Some('-')) | ('/', Some('*'))) {
            return Err("there is a comment in it".to_owned());
        }
        if first == ';' {
            return Err("it is more than one statement".to_owned());
        }
        let (kind, mut text) = match first {
            '"' => (Kind::Quoted, String::new()),
            '\'' => (Kind::Value, String::new()),
            _ if first.is_alphabetic() || first == '_' => {
                (Kind::Plain, first.to_lowercase().collect())
            }
            _ if first.is_ascii_digit() => (Kind::Value, first.to_string()),
            _ => (Kind::Sign, first.to_string()),
        };
        match kind {
            Kind::Quoted => between('"', &mut rest, &mut text)?,
            Kind::Value if first == '\'' => between('\'', &mut rest, &mut text)?,
            Kind::Plain | Kind::Value => {
                while let Some((_, next)) =
                    rest.next_if(|(_, next)| next.is_alphanumeric() || matches!(next, '_' | '$'))
                {
                    text.extend(next.to_lowercase());
                }
            }
            Kind::Sign => {}
        }
        let end = behind(&mut rest);
        found.push(Word { kind, text, end });
    }
    Ok(found)
}

/// What stands between quotes, of which two mean one.
fn between(
    quote: char,
    rest: &mut std::iter::Peekable<std::str::CharIndices<'_>>,
    text: &mut String,
) -> Result<(), String> {
    loop {
        match rest.next() {
            Some((_, next)) if next == quote => {
                if rest.next_if(|(_, next)| *next == quote).is_none() {
                    return Ok(());
                }
                text.push(quote);
            }
            Some((_, next)) => text.push(next),
            None => return Err("a quote is open".to_owned()),
        }
    }
}
