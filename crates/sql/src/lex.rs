//! The tokens of PostgreSQL's scanner, found by a table of byte classes. Not their meaning, and no keywords.
//!
//! Invariant: either the tokens are exactly those that PostgreSQL's own scanner finds (with `standard_conforming_strings`
//! on), or the answer is [`Kind::Doubt`]: unterminated quotes, stray bytes, and numbers that versions read differently.

/// What a token is.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Kind {
    /// Keyword or unquoted identifier.
    Word,
    /// `"…"`.
    Quoted,
    /// `U&"…"`.
    UnicodeQuoted,
    /// Integer or decimal number, unsigned.
    Number,
    /// `'…'`, `E'…'`, `U&'…'`, with its continuations on further lines.
    Text,
    /// `N'…'`, likewise.
    National,
    /// `B'…'`, `X'…'`, likewise.
    Bits,
    /// `$tag$…$tag$`.
    Dollar,
    /// `$1`.
    Parameter,
    /// One operator.
    Operator,
    /// `::`.
    Cast,
    /// One of `( ) [ ] , ; . :`, or `:=` or `..`.
    Mark,
    /// Nothing can be said about this and the rest.
    Doubt,
    /// The end of the text.
    End,
}

/// A token and where it stands.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Byte classes, as bits.
mod class {
    pub(super) const SPACE: u8 = 1;
    pub(super) const WORD_START: u8 = 2;
    pub(super) const WORD: u8 = 4;
    pub(super) const DIGIT: u8 = 8;
    pub(super) const OPERATOR: u8 = 16;
    /// Operators with one of these may end in `+` or `-`.
    pub(super) const OPERATOR_SPECIAL: u8 = 32;
    pub(super) const MARK: u8 = 64;
    /// Letters that may begin a literal: `b`, `e`, `n`, `u`, `x`.
    pub(super) const PREFIX: u8 = 128;

    pub(super) const TABLE: [u8; 256] = table();

    #[allow(
        clippy::indexing_slicing,
        reason = "evaluated at compile time, the index is below the length"
    )]
    const fn table() -> [u8; 256] {
        let mut table = [0; 256];
        let mut index = 0;
        let mut byte: u8 = 0;
        while index < 256 {
            table[index] = match byte {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => SPACE,
                b'b' | b'e' | b'n' | b'u' | b'x' | b'B' | b'E' | b'N' | b'U' | b'X' => {
                    WORD_START | WORD | PREFIX
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xff => WORD_START | WORD,
                b'0'..=b'9' => WORD | DIGIT,
                b'$' => WORD,
                b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'%' => {
                    OPERATOR | OPERATOR_SPECIAL
                }
                b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=' => OPERATOR,
                b'(' | b')' | b'[' | b']' | b',' | b';' | b'.' | b':' => MARK,
                _ => 0,
            };
            index += 1;
            byte = byte.wrapping_add(1);
        }
        table
    }
}

/// Reads tokens one after the other.
pub(crate) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes in runs of operator bytes that PostgreSQL's scanner reads again and again.
    rescanned: usize,
}

/// Whether a text can be given to PostgreSQL's scanner. It reads the rest of a run of operator bytes anew for every operator
/// and every comment in the run, and the rest of the text for every level of an open comment: time that grows with the
/// square of the length.
pub(crate) fn is_scannable(bytes: &[u8]) -> bool {
    let mut lexer = Lexer::new(bytes);
    loop {
        let token = lexer.next();
        if token.kind == Kind::Doubt {
            // What follows is not known to be harmless: an open comment, or runs of operators in it.
            return lexer.rescanned <= MAX_RESCANNED
                && is_harmless(bytes.get(token.start..).unwrap_or_default());
        }
        if token.kind == Kind::End {
            return true;
        }
    }
}

/// Whether a byte may stand inside a word.
#[inline]
pub(crate) fn is_word(byte: u8) -> bool {
    class::TABLE.get(usize::from(byte)).is_some_and(|found| found & class::WORD != 0)
}

/// Whether no run of operator bytes is long, wherever strings and comments begin and end.
fn is_harmless(bytes: &[u8]) -> bool {
    let is_operator = |byte: &u8| {
        class::TABLE.get(usize::from(*byte)).is_some_and(|found| found & class::OPERATOR != 0)
    };
    let comments = bytes.windows(2).filter(|pair| *pair == b"/*").count();
    comments <= 16 && bytes.split(|byte| !is_operator(byte)).all(|run| run.len() < 1024)
}

/// Bound of [`Lexer::rescanned`] in bytes: about a millisecond.
const MAX_RESCANNED: usize = 1 << 20;

impl<'a> Lexer<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, rescanned: 0 }
    }

    /// The bytes of a token.
    #[inline]
    pub(crate) fn slice(&self, token: Token) -> &'a [u8] {
        self.bytes.get(token.start..token.end).unwrap_or_default()
    }

    #[inline]
    fn byte(&self, at: usize) -> u8 {
        // NUL is no part of any token, so it may stand for the end.
        self.bytes.get(at).copied().unwrap_or(0)
    }

    #[inline]
    fn is(&self, at: usize, class: u8) -> bool {
        class::TABLE.get(usize::from(self.byte(at))).is_some_and(|found| found & class != 0)
    }

    /// The first place from `at` on that is not of a class.
    #[inline]
    fn skip(&self, mut at: usize, class: u8) -> usize {
        while self.is(at, class) {
            at += 1;
        }
        at
    }

    /// The next token. After [`Kind::Doubt`] or [`Kind::End`] always the same again.
    #[inline]
    pub(crate) fn next(&mut self) -> Token {
        loop {
            let start = self.skip(self.at, class::SPACE);
            self.at = start;
            let byte = self.byte(start);
            let class = class::TABLE.get(usize::from(byte)).copied().unwrap_or(0);
            let (kind, end) = if class & class::WORD_START != 0 {
                self.word(start, class)
            } else if class & class::MARK != 0 {
                self.mark(start, byte)
            } else if class & class::DIGIT != 0 {
                self.number(start)
            } else if class & class::OPERATOR != 0 {
                match (byte, self.byte(start + 1)) {
                    (b'-', b'-') => {
                        self.at = self.line_end(start);
                        continue;
                    }
                    (b'/', b'*') => match self.block_comment(start) {
                        Some(end) => {
                            self.at = end;
                            continue;
                        }
                        None => (Kind::Doubt, start),
                    },
                    _ => self.operator(start),
                }
            } else {
                self.quoted(start, byte)
            };
            if kind != Kind::Doubt {
                self.at = end;
            }
            return Token { kind, start, end };
        }
    }

    #[inline]
    fn word(&self, start: usize, class: u8) -> (Kind, usize) {
        if class & class::PREFIX != 0
            && let Some(literal) = self.prefixed(start)
        {
            return literal;
        }
        (Kind::Word, self.skip(start + 1, class::WORD))
    }

    /// A literal that begins with a letter.
    fn prefixed(&self, start: usize) -> Option<(Kind, usize)> {
        let (kind, quote, escapes) = match (self.byte(start) | 0x20, self.byte(start + 1)) {
            (b'e', b'\'') => (Kind::Text, start + 1, true),
            (b'n', b'\'') => (Kind::National, start + 1, false),
            (b'b' | b'x', b'\'') => (Kind::Bits, start + 1, false),
            (b'u', b'&') => match self.byte(start + 2) {
                b'\'' => (Kind::Text, start + 2, false),
                b'"' => {
                    let end = self.quote_end(start + 2, b'"', false);
                    return Some(
                        end.map_or((Kind::Doubt, start), |end| (Kind::UnicodeQuoted, end)),
                    );
                }
                _ => return None,
            },
            _ => return None,
        };
        Some(self.text(kind, start, quote, escapes))
    }

    fn quoted(&self, start: usize, byte: u8) -> (Kind, usize) {
        match byte {
            b'\'' => self.text(Kind::Text, start, start, false),
            b'"' => match self.quote_end(start, b'"', false) {
                // An empty name is an error.
                Some(end) if end > start + 2 => (Kind::Quoted, end),
                _ => (Kind::Doubt, start),
            },
            b'$' if self.is(start + 1, class::DIGIT) => {
                let end = self.skip(start + 1, class::DIGIT);
                if end - start > 9 || self.is(end, class::WORD) {
                    (Kind::Doubt, start)
                } else {
                    (Kind::Parameter, end)
                }
            }
            b'$' => self.dollar(start).map_or((Kind::Doubt, start), |end| (Kind::Dollar, end)),
            _ if start >= self.bytes.len() => (Kind::End, start),
            _ => (Kind::Doubt, start),
        }
    }

    /// A string in single quotes, with its continuations: another one after white space with a line break in it.
    fn text(&self, kind: Kind, start: usize, quote: usize, escapes: bool) -> (Kind, usize) {
        let mut quote = quote;
        while let Some(end) = self.quote_end(quote, b'\'', escapes) {
            match self.continuation(end) {
                Some(next) => quote = next,
                None => return (kind, end),
            }
        }
        (Kind::Doubt, start)
    }

    /// Behind the closing quote; a doubled quote does not close.
    #[inline]
    fn quote_end(&self, open: usize, quote: u8, escapes: bool) -> Option<usize> {
        let mut at = open + 1;
        loop {
            let byte = *self.bytes.get(at)?;
            at += 1;
            if byte == quote {
                if self.byte(at) != quote {
                    return Some(at);
                }
                at += 1;
            } else if byte == b'\\' && escapes {
                at += 1;
            } else if byte == 0 {
                return None;
            }
        }
    }

    /// The quote where a string goes on.
    #[inline]
    fn continuation(&self, end: usize) -> Option<usize> {
        let mut at = end;
        let mut line_break = false;
        loop {
            match self.byte(at) {
                b'\n' | b'\r' => line_break = true,
                b' ' | b'\t' | 0x0b | 0x0c => {}
                b'-' if self.byte(at + 1) == b'-' => {
                    at = self.line_end(at);
                    continue;
                }
                b'\'' if line_break => return Some(at),
                _ => return None,
            }
            at += 1;
        }
    }

    /// The place of the next line break, or the end.
    fn line_end(&self, start: usize) -> usize {
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        length.map_or(self.bytes.len(), |length| start + length)
    }

    /// Behind a comment; comments nest.
    fn block_comment(&mut self, start: usize) -> Option<usize> {
        self.rescan(start)?;
        let mut at = start + 2;
        let mut depth = 1_usize;
        while depth > 0 {
            match (*self.bytes.get(at)?, self.byte(at + 1)) {
                (b'/', b'*') => {
                    self.rescan(at)?;
                    depth += 1;
                    at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        Some(at)
    }

    /// Counts the run of operator bytes that begins here; `None` when there have been too many.
    fn rescan(&mut self, start: usize) -> Option<()> {
        self.rescanned += self.skip(start, class::OPERATOR) - start;
        (self.rescanned <= MAX_RESCANNED).then_some(())
    }

    /// Behind a string in dollar quotes.
    fn dollar(&self, start: usize) -> Option<usize> {
        let mut at = start + 1;
        if self.is(at, class::WORD_START) {
            while self.is(at, class::WORD) && self.byte(at) != b'$' {
                at += 1;
            }
        }
        if self.byte(at) != b'$' {
            return None;
        }
        let tag = self.bytes.get(start..=at)?;
        let mut at = at + 1;
        loop {
            at += self.bytes.get(at..)?.iter().position(|byte| *byte == b'$')?;
            if self.bytes.get(at..)?.starts_with(tag) {
                return Some(at + tag.len());
            }
            at += 1;
        }
    }

    /// A decimal number. What follows at once must not look like a part of it.
    fn number(&self, start: usize) -> (Kind, usize) {
        let mut end = self.skip(start, class::DIGIT);
        if self.byte(end) == b'.' && self.byte(end + 1) != b'.' {
            end = self.skip(end + 1, class::DIGIT);
        }
        if self.byte(end) | 0x20 == b'e' {
            let sign = usize::from(matches!(self.byte(end + 1), b'+' | b'-'));
            if self.is(end + 1 + sign, class::DIGIT) {
                end = self.skip(end + 1 + sign, class::DIGIT);
            }
        }
        if self.is(end, class::WORD) { (Kind::Doubt, start) } else { (Kind::Number, end) }
    }

    #[inline]
    fn mark(&self, start: usize, byte: u8) -> (Kind, usize) {
        match (byte, self.byte(start + 1)) {
            (b':', b':') => (Kind::Cast, start + 2),
            (b':', b'=') | (b'.', b'.') => (Kind::Mark, start + 2),
            (b'.', b'0'..=b'9') => self.number(start),
            _ => (Kind::Mark, start + 1),
        }
    }

    /// The longest run of operator bytes, before a comment, and without a sign at the end that belongs to what follows.
    fn operator(&mut self, start: usize) -> (Kind, usize) {
        let mut end = start + 1;
        if self.is(end, class::OPERATOR) && self.rescan(start).is_none() {
            return (Kind::Doubt, start);
        }
        while self.is(end, class::OPERATOR) {
            if matches!((self.byte(end), self.byte(end + 1)), (b'-', b'-') | (b'/', b'*')) {
                break;
            }
            end += 1;
        }
        if !(start..end).any(|at| self.is(at, class::OPERATOR_SPECIAL)) {
            while end > start + 1 && matches!(self.byte(end - 1), b'+' | b'-') {
                end -= 1;
            }
        }
        // Longer ones are errors.
        if end - start < 64 { (Kind::Operator, end) } else { (Kind::Doubt, start) }
    }
}

#[cfg(test)]
mod tests;
