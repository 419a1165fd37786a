//! The normal form as people like to read it. Not a key for anything.
//!
//! Invariant: of an analysis bounded by [`Analysis::MAX_TEXT`], otherwise by the text itself.

use crate::Analysis;
use crate::lex::{Kind, Lexer};
use crate::normal::{PLACEHOLDER, try_normalize};

/// A text without comments, spacing and literals, as patterns are held against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormalText {
    /// As [`Analysis::text`], however long.
    pub text: String,
    /// Whether it is normal. If not, its tokens could not be told, and this is the text as it was written.
    pub is_normal: bool,
}

/// The normal form of a text for people and patterns: words in lower case, one space between them, literals as `$1`, `$2`, ….
#[must_use]
pub fn normal_text(sql: &[u8]) -> NormalText {
    let mut form = Vec::new();
    if !try_normalize(sql, &mut form) {
        return NormalText { text: String::from_utf8_lossy(sql).into_owned(), is_normal: false };
    }
    NormalText { text: written(&form, usize::MAX).into(), is_normal: true }
}

/// The normal form for people: literals numbered, a space where one expects it, bounded.
pub(crate) fn readable(form: &[u8]) -> Box<str> {
    written(form, Analysis::MAX_TEXT)
}

fn written(form: &[u8], bound: usize) -> Box<str> {
    let mut lexer = Lexer::new(form);
    let (mut text, mut end, mut count) = (Vec::new(), 0, 0_usize);
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
