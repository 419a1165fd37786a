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

/// An expression without its constants, as PostgreSQL writes conditions in plans: `(state = 'paid'::text)` becomes `(state = $1::text)`.
/// `None`: its tokens cannot be told.
#[must_use]
pub fn redact(expression: &str) -> Option<String> {
    // Literals are replaced in queries alone.
    const QUERY: &str = "select";
    let sql = [QUERY, " ", expression].concat();
    let mut form = Vec::new();
    if !try_normalize(sql.as_bytes(), &mut form) || has_several_statements(&form) {
        return None;
    }
    let text = written(&form, usize::MAX);
    text.strip_prefix(QUERY).map(|text| text.trim_start().to_owned())
}

/// Behind a semicolon something else than a query may begin, of which literals are kept.
fn has_several_statements(form: &[u8]) -> bool {
    let mut lexer = Lexer::new(form);
    loop {
        let token = lexer.next();
        if token.kind == Kind::Mark && lexer.slice(token) == b";" {
            return true;
        }
        if matches!(token.kind, Kind::Doubt | Kind::End) {
            return token.kind == Kind::Doubt;
        }
    }
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

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn an_expression_is_left_without_its_constants() {
        for (written, left) in [
            ("(state = 'paid'::text)", "(state = $1::text)"),
            ("(a > 5)", "(a > $1)"),
            ("((a = 5) AND (b <> 'x'::text))", "((a = $1) and (b <> $2::text))"),
            ("(id = ANY ('{1,2,3}'::integer[]))", "(id = any($1::integer[]))"),
            ("(name ~~ E'a\\\\b%'::text)", "(name ~~ $1::text)"),
            ("(\"Mixed\" = 1.5)", "(\"Mixed\" = $1)"),
            ("(at > (now() - '1 day'::interval))", "(at > (now() - $1::interval))"),
            ("created DESC", "created desc"),
        ] {
            assert_eq!(redact(written).as_deref(), Some(left), "{written}");
        }
    }

    #[test]
    fn in_doubt_nothing_is_left() {
        for doubtful in ["(a = 'x", "(a = $$x)", "U&\"a\" = 'x'", "(a /* = 'x')"] {
            assert_eq!(redact(doubtful), None, "{doubtful}");
        }
    }

    #[test]
    fn a_semicolon_does_not_bring_constants_back() {
        assert_eq!(redact("1; set a = 'hunter2'"), None);
    }
}
