//! A text with stand-ins for its literals, so that what its answers depend on is found out once for all texts that differ in literals
//! alone: an ORM or a driver that writes values into its texts sends a new text each time. Not the normal form: white space, letter case and the
//! number of literals count here.
//!
//! Invariant: a text and its masked one have trees that differ in the values of literals alone, and of those [`super::shape`] depends only in the
//! operands of equalities, where each stand-in says which literal it stands for, and by words for the present moment, with which nothing is masked. In
//! doubt nothing is.

use std::ops::Range;

use super::{Given, Shape, Unkept, shape, tells_time};
use crate::lex::{Kind, Lexer};

/// Literals of one text at most.
const MOST: usize = 256;
/// The number that stands for the first literal, if that is a number.
const FIRST: u32 = 1_000_000_000;

/// See the head of this file. Its buffers are used again for the next text.
#[derive(Debug, Default)]
pub struct Masked {
    text: Vec<u8>,
    /// Where the values are in the text, without quotes.
    literals: Vec<Range<usize>>,
}

impl Masked {
    /// Masks a text; `false`: it has no literals, or such as cannot be masked.
    pub fn mask(&mut self, sql: &[u8]) -> bool {
        self.text.clear();
        self.literals.clear();
        let mut lexer = Lexer::new(sql);
        let mut copied = 0;
        loop {
            let token = lexer.next();
            let value = match token.kind {
                Kind::End => break,
                Kind::Number if is_plain_number(lexer.slice(token)) => token.start..token.end,
                Kind::Text if is_plain_text(lexer.slice(token)) => token.start + 1..token.end - 1,
                Kind::Number
                | Kind::Text
                | Kind::National
                | Kind::Bits
                | Kind::Dollar
                | Kind::UnicodeQuoted
                | Kind::Doubt => return false,
                Kind::Word
                | Kind::Quoted
                | Kind::Parameter
                | Kind::Operator
                | Kind::Cast
                | Kind::Mark => continue,
            };
            self.text.extend_from_slice(sql.get(copied..token.start).unwrap_or_default());
            copied = token.end;
            let number = self.literals.len();
            if number == MOST {
                return false;
            }
            let stand_in = if token.kind == Kind::Number {
                (u64::from(FIRST) + number as u64).to_string()
            } else {
                format!("'?{number}'")
            };
            self.text.extend_from_slice(stand_in.as_bytes());
            self.literals.push(value);
        }
        self.text.extend_from_slice(sql.get(copied..).unwrap_or_default());
        !self.literals.is_empty()
    }

    /// The masked text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The values of the literals of the text that was masked last, which is this one.
    #[must_use]
    pub fn literals<'a>(&self, sql: &'a [u8]) -> Vec<&'a [u8]> {
        let values = self.literals.iter();
        values.map(|place| sql.get(place.clone()).unwrap_or_default()).collect()
    }

    /// What the answers to all texts with this masked one depend on, or why they are not kept; `None`: that has to be asked of each text by
    /// itself.
    #[must_use]
    pub fn shape(&self) -> Option<Result<Shape, Unkept>> {
        match shape(std::str::from_utf8(&self.text).ok()?) {
            Ok(mut found) => self.point(&mut found).then_some(Ok(found)),
            // Perhaps because of a stand-in: `float(1000000000)` is against the grammar.
            Err(Unkept::Unparsed) => None,
            Err(unkept) => Some(Err(unkept)),
        }
    }

    /// Has operands point to their literals; `false`: one of them is something else, as a number with a sign is.
    fn point(&self, shape: &mut Shape) -> bool {
        let equalities = shape.readings.iter_mut().flat_map(|reading| &mut reading.equalities);
        let mut operands = equalities.flat_map(|equality| &mut equality.values);
        operands.all(|operand| {
            let pointed = match &operand.given {
                Given::Number(text) => self.index(text, FIRST).map(Given::NumberAt),
                Given::Text(text) => text
                    .strip_prefix('?')
                    .and_then(|number| self.index(number, 0))
                    .map(Given::TextAt),
                Given::Parameter(_) | Given::Elements(_) | Given::Boolean(_) => return true,
                Given::NumberAt(_) | Given::TextAt(_) => None,
            };
            match pointed {
                Some(given) => operand.given = given,
                None => return false,
            }
            true
        })
    }

    fn index(&self, text: &str, first: u32) -> Option<u16> {
        let index = text.parse::<u32>().ok()?.checked_sub(first)?;
        u16::try_from(index).ok().filter(|index| usize::from(*index) < self.literals.len())
    }
}

/// Digits as PostgreSQL would write them, perhaps with a fraction.
fn is_plain_number(token: &[u8]) -> bool {
    let is_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let mut parts = token.splitn(2, |byte| *byte == b'.');
    let whole = parts.next().unwrap_or_default();
    let canonical = whole == b"0" || (is_digits(whole) && !whole.starts_with(b"0"));
    canonical && parts.next().is_none_or(is_digits)
}

/// In quotes that are those at both ends, and what is between is what it means.
fn is_plain_text(token: &[u8]) -> bool {
    let Some([b'\'', value @ .., b'\'']) = token.get(..) else { return false };
    let plain = |byte: &u8| !matches!(byte, b'\'' | b'\\' | 0x80..);
    value.iter().all(plain) && !tells_time(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(sql: &str) -> Option<(String, Vec<String>)> {
        let mut masked = Masked::default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        masked.mask(sql.as_bytes()).then(|| {
            let literals = masked.literals(sql.as_bytes()).into_iter().map(text).collect();
            (text(masked.text()), literals)
        })
    }

    #[test]
    fn literals_have_stand_ins() {
        let sql = "SELECT a, 1.5 FROM t WHERE id = 70 AND s='it' AND x = $1";
        let wanted = "SELECT a, 1000000000 FROM t WHERE id = 1000000001 AND s='?2' AND x = $1";
        let literals = ["1.5", "70", "it"].map(str::to_owned).to_vec();
        assert_eq!(masked(sql), Some((wanted.to_owned(), literals)));
    }

    #[test]
    fn in_doubt_nothing_is_masked() {
        for sql in [
            "SELECT 1 + 007",
            "SELECT 0x10",
            "SELECT 1, 'it''s'",
            "SELECT 1, E'a'",
            "SELECT 1, N'a'",
            "SELECT 1, B'1'",
            "SELECT 1, U&'a'",
            "SELECT 1, $$a$$",
            "SELECT 1, 'a\\b'",
            "SELECT 1, 'a'\n'b'",
            "SELECT 1, 'now'::date",
            "SELECT 1, 'ä'",
            "SELECT 1, 1e5",
            "SELECT 1, 'open",
            "SELECT a FROM t",
        ] {
            assert_eq!(masked(sql), None, "{sql}");
        }
        let many = format!("SELECT {}", vec!["1"; MOST + 1].join(","));
        assert_eq!(masked(&many), None);
    }

    #[test]
    fn what_depends_on_a_literal_is_asked_of_each_text() {
        let shape = |sql: &str| {
            let mut masked = Masked::default();
            assert!(masked.mask(sql.as_bytes()), "{sql}");
            masked.shape().map(|shape| shape.is_ok())
        };
        assert_eq!(shape("SELECT * FROM t WHERE id = 5 AND n = 'x'"), Some(true));
        assert_eq!(shape("SELECT * FROM t WHERE id = -5"), None);
        assert_eq!(shape("SELECT a::float(5) FROM t"), None);
        assert_eq!(shape("UPDATE t SET a = 5"), Some(false));
        // A number that looks like a stand-in is masked itself.
        assert_eq!(shape("SELECT * FROM t WHERE id = 1000000007"), Some(true));
    }
}
