//! Where the statements of a text begin and end. Not a check of them: wrong statements are split too.
//!
//! Invariant: ranges are in order, do not overlap, and lie on character boundaries; for a text that parses they are as many
//! as its statements.

use std::ops::Range;

use crate::lex::{Kind, Lexer};
use crate::parse::boundaries;

/// The byte ranges of the statements of a text, from the first token of each to its last: no semicolons, no empty
/// statements, no comments around. A semicolon counts outside of quotes, comments, parentheses and the body of a function
/// in SQL (`BEGIN ATOMIC … END`). A text in which the tokens cannot be told is split by the parser, which leaves comments
/// where they are; if it does not parse, what follows the first such place belongs to the last statement.
#[must_use]
pub fn split(sql: &str) -> Vec<Range<usize>> {
    let mut lexer = Lexer::new(sql.as_bytes());
    let mut ranges = Vec::new();
    let mut current: Option<Range<usize>> = None;
    let mut nesting = Nesting::default();
    loop {
        let token = lexer.next();
        match token.kind {
            Kind::End => break,
            Kind::Doubt => {
                if let Some(boundaries) = boundaries(sql) {
                    return boundaries;
                }
                let start = current.map_or(token.start, |range| range.start);
                current = Some(start..sql.trim_ascii_end().len());
                break;
            }
            Kind::Mark if lexer.slice(token) == b";" && nesting.is_top() => {
                ranges.extend(current.take());
                nesting = Nesting::default();
                continue;
            }
            Kind::Mark => nesting.mark(lexer.slice(token)),
            Kind::Word => nesting.word(lexer.slice(token), current.is_none()),
            Kind::Quoted
            | Kind::UnicodeQuoted
            | Kind::Number
            | Kind::Text
            | Kind::National
            | Kind::Bits
            | Kind::Dollar
            | Kind::Parameter
            | Kind::Operator
            | Kind::Cast => nesting.after_begin = false,
        }
        let start = current.map_or(token.start, |range| range.start);
        current = Some(start..token.end);
    }
    ranges.extend(current);
    ranges
}

/// How deep inside of a statement a token is.
#[derive(Default)]
struct Nesting {
    parentheses: usize,
    /// `BEGIN ATOMIC`, and `CASE` inside of it, without their `END`.
    blocks: usize,
    creates: bool,
    after_begin: bool,
}

impl Nesting {
    fn is_top(&self) -> bool {
        self.parentheses == 0 && self.blocks == 0
    }

    fn mark(&mut self, mark: &[u8]) {
        self.after_begin = false;
        match mark {
            b"(" => self.parentheses += 1,
            b")" => self.parentheses = self.parentheses.saturating_sub(1),
            _ => {}
        }
    }

    fn word(&mut self, word: &[u8], is_first: bool) {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword.as_bytes());
        self.creates |= is_first && is("create");
        if !self.creates {
            return;
        }
        if self.after_begin && is("atomic") || self.blocks > 0 && is("case") {
            self.blocks += 1;
        } else if is("end") {
            self.blocks = self.blocks.saturating_sub(1);
        }
        self.after_begin = is("begin");
    }
}
