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

use crate::lex::{Kind, Lexer, Token};
use crate::operand::{Side, before};

/// What stands for every literal.
const PLACEHOLDER: &[u8] = b"$1";
/// What stands for a number where numbers must stay different from other literals.
const NUMBER: &[u8] = b"0";

/// Writes the normal form of a text into `out`, whatever was in there. Allocates only to let `out` grow. Any bytes may be
/// given; the result of doubtful ones is the text itself.
pub fn normalize(sql: &[u8], out: &mut Vec<u8>) {
    out.clear();
    if Form::new(sql, out).write().is_none() {
        out.clear();
        out.extend_from_slice(sql);
    }
}

/// The normal form for people: literals numbered, a space where one expects it, bounded.
pub(crate) fn readable(form: &[u8]) -> Box<str> {
    let mut lexer = Lexer::new(form);
    let (mut text, mut end, mut count) = (Vec::new(), 0, 0_usize);
    let bound = crate::Analysis::MAX_TEXT;
    loop {
        let token = lexer.next();
        text.extend_from_slice(form.get(end..token.start).unwrap_or_default());
        match (token.kind, lexer.slice(token)) {
            (Kind::Parameter, PLACEHOLDER) => {
                count += 1;
                text.extend_from_slice(format!("${count}").as_bytes());
            }
            (Kind::Mark, b"(") => {
                if [&b" in"[..], b" values", b" and", b" or", b" not", b" as", b" over"]
                    .iter()
                    .any(|word| text.ends_with(word))
                {
                    text.push(b' ');
                }
                text.push(b'(');
            }
            (_, slice) => text.extend_from_slice(slice),
        }
        end = token.end;
        if matches!(token.kind, Kind::Doubt | Kind::End) || text.len() > bound {
            break;
        }
    }
    if text.len() <= bound {
        text.extend_from_slice(form.get(end..).unwrap_or_default());
    }
    let text = String::from_utf8_lossy(&text);
    text.get(..text.floor_char_boundary(bound)).unwrap_or_default().into()
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

/// What is between one pair of brackets.
#[derive(Copy, Clone, Eq, PartialEq)]
enum Inside {
    Anything,
    List,
    Row,
    Position,
    Numbers,
}

/// An open bracket. Places are lengths of the form when it was written up to there.
#[derive(Copy, Clone)]
struct Bracket {
    inside: Inside,
    /// Where the item of a list, or the row, begins.
    start: usize,
    /// The item or row that was written last at this level.
    previous: (usize, usize),
}

impl Bracket {
    const PLAIN: Self = Self { inside: Inside::Anything, start: 0, previous: (0, 0) };
}

/// Lists nested deeper than this are not shortened.
const MAX_DEPTH: usize = 16;

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
            _ => Literals::Kept,
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

    /// A query in brackets is not a list of expressions.
    fn no_list(&mut self) {
        if let Some(bracket) = self.bracket_mut()
            && bracket.inside == Inside::List
        {
            bracket.inside = Inside::Anything;
        }
    }

    #[inline]
    fn bracket(&self) -> Option<&Bracket> {
        self.brackets.get(self.depth)
    }

    #[inline]
    fn bracket_mut(&mut self) -> Option<&mut Bracket> {
        self.brackets.get_mut(self.depth)
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

    #[inline]
    fn literal(&mut self, is_number: bool) {
        if self.minus_at == self.out.len() {
            self.literal_after_minus(is_number);
        } else {
            self.glued &= self.last != Last::Dot;
            self.space();
            self.out.extend_from_slice(PLACEHOLDER);
        }
        self.last = Last::Literal;
    }

    /// A sign belongs to a number, in the grammar's eyes, if nothing stands before it that it could be subtracted from.
    #[cold]
    fn literal_after_minus(&mut self, is_number: bool) {
        self.signs = 0;
        while is_number
            && let Some(at) = ends_with_minus(self.out)
            && before(self.out.get(..at).unwrap_or_default()) == Side::Start
        {
            self.out.truncate(at);
            self.glued = true;
            if self.out.last() == Some(&b' ') {
                self.out.pop();
                self.glued = false;
            }
            self.signs += 1;
        }
        let open = self.out.iter().rposition(|byte| !matches!(byte, b'(' | b' '));
        let before_open = self.out.get(..open.map_or(0, |at| at + 1)).unwrap_or_default();
        let is_operand = |at| before(self.out.get(..at).unwrap_or_default()) == Side::Operand;
        let may_be_signed = ends_with_minus(before_open).is_some_and(|at| !is_operand(at));
        self.space();
        self.out.extend_from_slice(if is_number && may_be_signed { NUMBER } else { PLACEHOLDER });
        self.minus_at = NOWHERE;
        self.signed_at = self.out.len();
    }

    /// A cast binds closer than a sign, so a sign before a number that is cast stands for itself.
    fn cast(&mut self) {
        if self.signed_at == self.out.len() && self.signs > 0 {
            let number = if self.out.ends_with(PLACEHOLDER) { PLACEHOLDER } else { NUMBER };
            self.out.truncate(self.out.len() - number.len());
            for _ in 0..self.signs {
                self.out.extend_from_slice(b"- ");
            }
            self.out.extend_from_slice(PLACEHOLDER);
        }
        self.glued = self.last != Last::Other;
        self.space();
        self.out.extend_from_slice(b"::");
        self.glued = true;
        self.last = Last::Operator;
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

    fn comma(&mut self) {
        if self.bracket().is_some_and(|bracket| bracket.inside == Inside::List) {
            self.end_item();
        }
        let next_row = self.announced() == Ahead::NextRow;
        self.out.push(b',');
        self.glued = false;
        self.last = Last::Comma;
        if next_row {
            self.look_ahead(Ahead::Row);
        }
        let length = self.out.len();
        if let Some(bracket) = self.bracket_mut()
            && bracket.inside == Inside::List
        {
            bracket.start = length;
        }
    }

    fn open_parenthesis(&mut self) {
        let inside_position =
            self.bracket().is_some_and(|bracket| bracket.inside == Inside::Position);
        let inside = match self.announced() {
            Ahead::List if !inside_position => Inside::List,
            Ahead::Row => Inside::Row,
            Ahead::Position => Inside::Position,
            Ahead::Numbers => Inside::Numbers,
            Ahead::List | Ahead::NextRow | Ahead::Array | Ahead::Nothing => Inside::Anything,
        };
        let signed = self.minus_at == self.out.len();
        self.glued |= self.last == Last::Name;
        self.space();
        let row = self.out.len();
        self.out.push(b'(');
        let item = self.out.len();
        if signed {
            self.minus_at = item;
        }
        self.open(inside, if inside == Inside::Row { row } else { item });
    }

    fn open_bracket(&mut self) {
        let is_constructor = match self.last {
            Last::Name => {
                let word = self.out.len().saturating_sub(b"array".len());
                self.announced() == Ahead::Array
                    && before(self.out.get(..word).unwrap_or_default()) == Side::Start
            }
            Last::Open | Last::Comma | Last::Operator => true,
            Last::Literal | Last::Close | Last::Dot | Last::Other => false,
        };
        self.glued |= matches!(self.last, Last::Name | Last::Close | Last::Literal);
        self.space();
        self.out.push(b'[');
        self.bound_at = if is_constructor { NOWHERE } else { self.out.len() };
        self.open(Inside::Anything, self.out.len());
    }

    fn open(&mut self, inside: Inside, start: usize) {
        self.glued = true;
        self.last = Last::Open;
        self.depth += 1;
        if let Some(bracket) = self.bracket_mut() {
            *bracket = Bracket { inside, start, ..Bracket::PLAIN };
        }
    }

    fn close(&mut self, byte: u8) {
        let closed = self.bracket().copied().unwrap_or(Bracket::PLAIN);
        if closed.inside == Inside::List {
            self.end_item();
        }
        self.out.push(byte);
        self.glued = false;
        self.last = Last::Close;
        self.depth = self.depth.saturating_sub(1);
        if closed.inside == Inside::Row {
            self.drop_repetition(closed.start);
            self.look_ahead(Ahead::NextRow);
        }
    }

    /// An item of a list ends here.
    fn end_item(&mut self) {
        let Some(start) = self.bracket().map(|bracket| bracket.start) else { return };
        let space = usize::from(self.out.get(start) == Some(&b' '));
        self.drop_repetition(start + space);
    }

    /// What was written since `start` is dropped, with the comma before it, if it repeats what was there last.
    fn drop_repetition(&mut self, start: usize) {
        let end = self.out.len();
        let Some(&(from, to)) = self.bracket().map(|bracket| &bracket.previous) else { return };
        if from < to && self.out.get(from..to) == self.out.get(start..end) {
            self.out.truncate(to);
            // Places in what was dropped mean nothing any more.
            self.ahead_at = NOWHERE;
            self.minus_at = NOWHERE;
            self.signed_at = NOWHERE;
            self.bound_at = NOWHERE;
        } else if let Some(bracket) = self.bracket_mut() {
            bracket.previous = (start, end);
        }
    }
}

fn word_is(form: &[u8], start: usize, word: &[u8]) -> bool {
    form.get(start..) == Some(word)
}

/// The place of the operator `-` if a form ends with it.
fn ends_with_minus(form: &[u8]) -> Option<usize> {
    let (last, rest) = form.split_last()?;
    let alone = matches!(rest.last(), None | Some(b' ' | b'(' | b'[' | b'.' | b':' | b';'));
    (*last == b'-' && alone).then_some(rest.len())
}
