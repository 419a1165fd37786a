//! The normal form as people like to read it. Not a key for anything.
//!
//! Invariant: bounded by [`Analysis::MAX_TEXT`].

use crate::Analysis;
use crate::lex::{Kind, Lexer};
use crate::normal::PLACEHOLDER;

/// The normal form for people: literals numbered, a space where one expects it, bounded.
pub(crate) fn readable(form: &[u8]) -> Box<str> {
    let mut lexer = Lexer::new(form);
    let (mut text, mut end, mut count) = (Vec::new(), 0, 0_usize);
    let bound = Analysis::MAX_TEXT;
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
