//! The outline of a text: the text with its plain literals blanked out, found in one pass without reading tokens. It is the
//! short way to an analysis for texts that differ in literals only, as drivers without parameters send them.
//!
//! Not a normal form: white space, case and comments count, and literals that are hard to delimit stay as they are.
//!
//! Invariant: two texts with equal outlines have the same tokens but for the digits of numbers and the contents of strings. If
//! the normal form of one of them does not change when all of these are [`other`], no literal is kept in it, and the normal
//! forms of both are equal.

use crate::lex::is_word;

/// Longer texts have no outline: they cost more to keep than they save.
pub(crate) const LONGEST: usize = 4096;

/// What is written for a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blank {
    /// The same for all.
    Same,
    /// Something else than what is there.
    Other,
}

/// Writes the outline of a text into `out`, whatever was in there; `false` when it has none.
#[inline]
pub(crate) fn outline(sql: &[u8], out: &mut Vec<u8>) -> bool {
    sql.len() <= LONGEST && write(sql, out, Blank::Same)
}

/// Writes a text with the same outline in which every literal that the outline blanks out is another one.
pub(crate) fn other(sql: &[u8], out: &mut Vec<u8>) {
    write(sql, out, Blank::Other);
}

/// The first byte from `at` on that may begin a literal, or makes quotes doubtful. Most bytes are neither, so they are looked at
/// in chunks that the compiler compares all at once.
#[inline]
fn notable_from(sql: &[u8], at: usize) -> Option<usize> {
    const CHUNK: usize = 16;
    let rest = sql.get(at..)?;
    let plain = rest
        .chunks_exact(CHUNK)
        .take_while(|chunk| !chunk.iter().fold(false, |found, byte| found | is_notable(*byte)));
    let skipped = plain.count() * CHUNK;
    let found = rest.get(skipped..)?.iter().position(|byte| is_notable(*byte))?;
    Some(at + skipped + found)
}

#[inline]
const fn is_notable(byte: u8) -> bool {
    (byte.wrapping_sub(b'0') < 10)
        | (byte == b'\'')
        | (byte == b'"')
        | (byte == b'$')
        | (byte == b'-')
        | (byte == b'/')
        | (byte == b'\\')
        | (byte == 0)
}

#[inline]
fn write(sql: &[u8], out: &mut Vec<u8>, blank: Blank) -> bool {
    out.clear();
    let (mut at, mut copied) = (0, 0);
    let (mut has_strings, mut is_strange) = (false, false);
    while let Some(start) = notable_from(sql, at) {
        at = start + 1;
        match sql.get(start) {
            Some(b'0'..=b'9') => {
                while sql.get(at).is_some_and(u8::is_ascii_digit) {
                    at += 1;
                }
                if sticks_before(sql, start) || sql.get(at).is_some_and(sticks) {
                    continue;
                }
                out.extend_from_slice(sql.get(copied..start).unwrap_or_default());
                out.push(number(sql.get(start..at).unwrap_or_default(), blank));
                copied = at;
            }
            Some(b'\'') => {
                let Some(end) = string_end(sql, start) else { return false };
                has_strings = true;
                out.extend_from_slice(sql.get(copied..at).unwrap_or_default());
                out.extend_from_slice(string(sql.get(at..end).unwrap_or_default(), blank));
                (copied, at) = (end, end + 1);
            }
            // In a comment, a quoted name or a string of another kind a quote may begin nothing.
            Some(b'-') => is_strange |= sql.get(at) == Some(&b'-'),
            Some(b'/') => is_strange |= sql.get(at) == Some(&b'*'),
            _ => is_strange = true,
        }
    }
    out.extend_from_slice(sql.get(copied..).unwrap_or_default());
    !(has_strings && is_strange)
}

/// Whether a byte belongs to the word or number that it touches.
fn sticks(byte: &u8) -> bool {
    is_word(*byte) || *byte == b'.'
}

fn sticks_before(sql: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| sql.get(before)).is_some_and(sticks)
}

/// The closing quote of the string that begins at `start`, if it is a plain one, whole and alone.
fn string_end(sql: &[u8], start: usize) -> Option<usize> {
    let is_prefixed = sticks_before(sql, start)
        || matches!(start.checked_sub(1).and_then(|before| sql.get(before)), Some(b'&' | b'\''));
    let inside = sql.get(start + 1..)?;
    let length = inside.iter().position(|byte| matches!(byte, b'\'' | b'\\' | 0))?;
    let (_, after) = inside.split_at_checked(length)?;
    // Behind white space with a line break in it a string goes on.
    let is_alone = match after {
        [b'\''] | [b'\'', b',' | b')' | b';', ..] | [b'\'', b' '] => true,
        [b'\'', b' ', next, ..] => {
            !next.is_ascii_whitespace() && !matches!(next, b'\'' | b'-' | 0x0b)
        }
        _ => false,
    };
    (is_alone && !is_prefixed).then_some(start + 1 + length)
}

fn number(digits: &[u8], blank: Blank) -> u8 {
    match blank {
        Blank::Same => b'0',
        Blank::Other if digits == b"7" => b'8',
        Blank::Other => b'7',
    }
}

fn string(content: &[u8], blank: Blank) -> &'static [u8] {
    match blank {
        Blank::Same => b"",
        Blank::Other if content == b"x" => b"y",
        Blank::Other => b"x",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline_of(sql: &str) -> Option<String> {
        let mut out = Vec::new();
        outline(sql.as_bytes(), &mut out).then(|| String::from_utf8(out).expect("text stays text"))
    }

    #[test]
    fn plain_literals_are_blanked_out_and_nothing_else() {
        for (sql, expected) in [
            ("SELECT 12, t1.c2 FROM t1 WHERE a=345", "SELECT 0, t1.c2 FROM t1 WHERE a=0"),
            ("SELECT 1.5, 1e5, $1, 0x1F, 1_000, 7", "SELECT 1.5, 1e5, $1, 0x1F, 1_000, 0"),
            ("x = 'abc' AND y IN ('', 'b')", "x = '' AND y IN ('', '')"),
            ("x = '12 -- \" /* $' AND 1", "x = '' AND 0"),
            ("a-1 /* 2 */ --3", "a-0 /* 0 */ --0"),
        ] {
            assert_eq!(outline_of(sql).as_deref(), Some(expected), "{sql}");
        }
    }

    #[test]
    fn a_text_in_which_a_quote_may_mean_something_else_has_no_outline() {
        for sql in [
            "x = 'it''s'",
            "E'a'",
            "U&'a'",
            "'a\\b'",
            "'a'\n'b'",
            "'a' \n'b'",
            "'a'  'b'",
            "'a' --\n'b'",
            "/* ' */ x /* ' */",
            "-- it's 'x'",
            "\"a'b\" 'x'",
            "$$ ' $$ 'x'",
            "'open",
        ] {
            assert_eq!(outline_of(sql), None, "{sql}");
        }
    }

    #[test]
    fn every_byte_of_a_class_that_matters_is_notable_wherever_it_stands() {
        for byte in 0..=255_u8 {
            let matters = byte.is_ascii_digit() || b"'\"$-/\\\0".contains(&byte);
            for at in 0..40 {
                let mut text = vec![b'x'; 40];
                text[at] = byte;
                assert_eq!(notable_from(&text, 0), matters.then_some(at), "byte {byte} at {at}");
            }
        }
    }

    #[test]
    fn the_other_text_has_the_same_outline_and_other_literals() {
        let sql = "SELECT 7, 77, 'x', 'xx', '' FROM t7";
        let mut out = Vec::new();
        other(sql.as_bytes(), &mut out);
        let other = String::from_utf8(out).expect("text");
        assert_eq!(other, "SELECT 8, 7, 'y', 'x', 'x' FROM t7");
        assert_eq!(outline_of(&other), outline_of(sql));
    }
}
