//! The normal form of a text: what is left when white space, comments, letter case and literals do not count.
//! Not for the server: nothing that is sent is ever made from it.
//!
//! Invariant: two texts that parse and have equal normal forms have trees that differ in constants and parameters only
//! (and in the number of equal items of `IN` lists and of equal `VALUES` rows), so they have equal fingerprints, classes
//! and effects. This holds by construction:
//! - Literals are replaced in queries only (`SELECT`, `INSERT`, …, and behind `EXPLAIN`, `DECLARE`, `PREPARE`); all other
//!   statements keep them.
//! - Where the grammar or the tree depends on a literal it is kept: `float(n)`, `current_time(n)`, the bounds of array types.
//! - A sign is a part of a number only where the grammar makes it so; where that cannot be told, numbers stay different
//!   from other literals.
//! - In doubt about any token the normal form is the exact text, which is no other text's normal form, since normal forms
//!   are normal forms of themselves and leave no doubt.

mod brackets;
mod signs;

use self::brackets::{Bracket, Inside, MAX_DEPTH};
use crate::lex::{Kind, Lexer, Token};

/// What stands for every literal.
pub(crate) const PLACEHOLDER: &[u8] = b"$1";

/// Writes the normal form of a text into `out`, whatever was in there. Allocates only to let `out` grow. Any bytes may be
/// given; the result of doubtful ones is the text itself.
pub fn normalize(sql: &[u8], out: &mut Vec<u8>) {
    if !try_normalize(sql, out) {
        out.clear();
        out.extend_from_slice(sql);
    }
}

/// Writes the normal form of a text into `out`, whatever was in there; `false` in doubt, and then `out` means nothing.
pub(crate) fn try_normalize(sql: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    Form::new(sql, out).write().is_some()
}

/// What happens to the literals of a statement.
#[derive(Copy, Clone, Eq, PartialEq)]
enum Literals {
    /// Not known before its first word.
    Undecided,
    /// Kept until a word that begins a query.
    KeptToQuery,
    Kept,
    Replaced,
}

/// What was written last.
#[derive(Copy, Clone, Eq, PartialEq)]
enum Last {
    /// Keyword or name, quoted or not.
    Name,
    Literal,
    Open,
    Close,
    Comma,
    Dot,
    Operator,
    Other,
}

/// What the last word means for the bracket that may follow at once.
#[derive(Copy, Clone, Eq, PartialEq)]
enum Ahead {
    Nothing,
    /// `IN`: a list.
    List,
    /// `VALUES`, or a row and a comma: a row.
    Row,
    /// A row: perhaps another one after a comma.
    NextRow,
    /// `POSITION`: an `IN` directly inside has no list.
    Position,
    /// Numbers inside are kept.
    Numbers,
    /// `ARRAY`.
    Array,
}

/// No place: further than any form reaches.
const NOWHERE: usize = usize::MAX;

/// A normal form being written. The fields that end in `_at` are lengths of `out`: a thing is the very last that was
/// written if and only if its place is `out.len()`.
struct Form<'a> {
    lexer: Lexer<'a>,
    out: &'a mut Vec<u8>,
    literals: Literals,
    last: Last,
    /// No space before the next token.
    glued: bool,
    statement_at: usize,
    /// In the body of a function in SQL: semicolons do not end the statement.
    atomic: bool,
    ahead: Ahead,
    ahead_at: usize,
    /// Behind a `-`, and brackets behind that.
    minus_at: usize,
    /// Behind a literal of which this many signs became a part.
    signed_at: usize,
    signs: usize,
    /// Behind a `[` that may hold the bound of an array type.
    bound_at: usize,
    depth: usize,
    brackets: [Bracket; MAX_DEPTH],
}

impl<'a> Form<'a> {
    fn new(sql: &'a [u8], out: &'a mut Vec<u8>) -> Self {
        Self {
            lexer: Lexer::new(sql),
            out,
            literals: Literals::Undecided,
            last: Last::Other,
            glued: true,
            statement_at: 0,
            atomic: false,
            ahead: Ahead::Nothing,
            ahead_at: NOWHERE,
            minus_at: NOWHERE,
            signed_at: NOWHERE,
            signs: 0,
            bound_at: NOWHERE,
            depth: 0,
            brackets: [Bracket::PLAIN; MAX_DEPTH],
        }
    }

    /// Writes all; `None` in doubt.
    fn write(&mut self) -> Option<()> {
        loop {
            let token = self.lexer.next();
            match token.kind {
                Kind::Word => self.word(token)?,
                Kind::Mark => self.mark(token),
                Kind::Operator => self.operator(token),
                Kind::Quoted => self.verbatim(token, Last::Name),
                Kind::Cast => self.cast(),
                Kind::Number if self.keeps_numbers() => self.verbatim(token, Last::Literal),
                Kind::Number => self.literal(true),
                Kind::Text | Kind::National | Kind::Bits | Kind::Dollar | Kind::Parameter
                    if self.literals != Literals::Replaced =>
                {
                    self.verbatim(token, Last::Literal);
                }
                Kind::Text | Kind::Bits | Kind::Dollar | Kind::Parameter => self.literal(false),
                // The same tokens as for this keyword before a string.
                Kind::National => {
                    self.space();
                    self.out.extend_from_slice(b"nchar");
                    self.literal(false);
                }
                // An escape character may follow that changes the name.
                Kind::UnicodeQuoted | Kind::Doubt => return None,
                Kind::End => break,
            }
        }
        if self.statement_at == self.out.len() {
            self.out.pop();
        }
        Some(())
    }

    #[inline]
    fn space(&mut self) {
        if !self.glued {
            self.out.push(b' ');
        }
        self.glued = false;
    }

    #[inline]
    fn verbatim(&mut self, token: Token, last: Last) {
        // A dot and a number would become one number.
        self.glued &= self.last != Last::Dot || last == Last::Name;
        self.space();
        self.out.extend_from_slice(self.lexer.slice(token));
        self.last = last;
    }

    fn keeps_numbers(&self) -> bool {
        self.literals != Literals::Replaced
            || self.bound_at == self.out.len()
            || self.bracket().is_some_and(|bracket| bracket.inside == Inside::Numbers)
    }

    fn word(&mut self, token: Token) -> Option<()> {
        self.space();
        let start = self.out.len();
        self.out.extend_from_slice(self.lexer.slice(token));
        let word = self.out.get_mut(start..)?;
        word.make_ascii_lowercase();
        let qualified = self.last == Last::Dot;
        let after = std::mem::replace(&mut self.last, Last::Name);
        if self.literals != Literals::Replaced {
            self.word_of_kept_statement(start);
            return Some(());
        }
        // The words that matter are of few lengths.
        match self.out.get(start..)? {
            b"in" if !qualified => self.look_ahead(Ahead::List),
            b"null" | b"true" | b"false"
                if matches!(after, Last::Open | Last::Comma | Last::Operator) =>
            {
                self.constant_word(start);
            }
            b"select" | b"with" if !qualified => self.no_list(),
            b"values" if !qualified => {
                self.no_list();
                self.look_ahead(Ahead::Row);
                if let Some(bracket) = self.bracket_mut() {
                    bracket.previous = (0, 0);
                }
            }
            b"array" if !qualified => self.look_ahead(Ahead::Array),
            b"position" if !qualified => self.look_ahead(Ahead::Position),
            b"float" | b"current_time" | b"current_timestamp" | b"localtime"
            | b"localtimestamp" => self.look_ahead(Ahead::Numbers),
            b"uescape" => return None,
            _ => {}
        }
        Some(())
    }

    /// Decides about the literals that follow.
    #[cold]
    fn word_of_kept_statement(&mut self, start: usize) {
        let top = self.depth == 0;
        let word = self.out.get(start..).unwrap_or_default();
        let begins_query = matches!(
            word,
            b"select"
                | b"insert"
                | b"update"
                | b"delete"
                | b"values"
                | b"merge"
                | b"with"
                | b"execute"
        );
        self.literals = match self.literals {
            Literals::Undecided if begins_query || matches!(word, b"table" | b"call") => {
                Literals::Replaced
            }
            Literals::Undecided if matches!(word, b"explain" | b"declare" | b"prepare") => {
                Literals::KeptToQuery
            }
            Literals::KeptToQuery if top && begins_query => Literals::Replaced,
            // Options may follow before the query.
            Literals::KeptToQuery if !top || !matches!(word, b"create" | b"refresh") => {
                Literals::KeptToQuery
            }
            Literals::Undecided | Literals::KeptToQuery | Literals::Kept | Literals::Replaced => {
                Literals::Kept
            }
        };
        self.atomic |= self.literals == Literals::Kept && self.out.ends_with(b" begin atomic");
        if self.literals == Literals::Replaced && word_is(self.out, start, b"values") {
            self.look_ahead(Ahead::Row);
            if let Some(bracket) = self.bracket_mut() {
                bracket.previous = (0, 0);
            }
        }
    }

    /// `NULL`, `TRUE` and `FALSE` where only an expression can begin are literals.
    fn constant_word(&mut self, start: usize) {
        self.out.truncate(start);
        self.glued = true;
        if self.out.last() == Some(&b' ') {
            self.out.pop();
            self.glued = false;
        }
        self.literal(false);
    }

    #[inline]
    fn look_ahead(&mut self, ahead: Ahead) {
        self.ahead = ahead;
        self.ahead_at = self.out.len();
    }

    /// What the last word announced, if it is the last.
    #[inline]
    fn announced(&self) -> Ahead {
        if self.ahead_at == self.out.len() { self.ahead } else { Ahead::Nothing }
    }

    fn operator(&mut self, token: Token) {
        self.space();
        self.last = Last::Operator;
        match self.lexer.slice(token) {
            b"!=" => self.out.extend_from_slice(b"<>"),
            b"-" => {
                self.out.push(b'-');
                self.minus_at = self.out.len();
            }
            other => self.out.extend_from_slice(other),
        }
    }

    fn mark(&mut self, token: Token) {
        match self.lexer.slice(token) {
            b"," => self.comma(),
            b"(" => self.open_parenthesis(),
            b"[" => self.open_bracket(),
            b")" => self.close(b')'),
            b"]" => self.close(b']'),
            b"." => {
                self.glued = !matches!(self.last, Last::Literal | Last::Dot);
                self.space();
                self.out.push(b'.');
                self.glued = true;
                self.last = Last::Dot;
            }
            b";" if self.depth == 0 => self.semicolon(),
            b";" => {
                self.out.push(b';');
                self.last = Last::Other;
                self.glued = false;
            }
            _ => self.verbatim(token, Last::Other),
        }
    }

    /// Between statements; before, behind and between empty ones nothing is written.
    fn semicolon(&mut self) {
        if self.out.len() != self.statement_at {
            self.out.push(b';');
            self.statement_at = self.out.len();
        }
        self.glued = self.out.is_empty();
        self.last = Last::Other;
        if !self.atomic {
            self.literals = Literals::Undecided;
        }
    }
}

fn word_is(form: &[u8], start: usize, word: &[u8]) -> bool {
    form.get(start..) == Some(word)
}
