//! Words of SQL, as far as the model needs them.

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// A keyword or name, with its schema, in lower case unless quoted. `pg_catalog.` is left out.
    Name(String),
    /// A text in single quotes.
    Text(String),
    /// A number.
    Number(String),
    /// `$1` is 1.
    Parameter(usize),
    /// Anything else.
    Sign(char),
}

/// The statements of a text, each as its words. Comments are left out; a text of nothing else has no statements.
pub(crate) fn statements(sql: &str) -> Vec<Vec<Word>> {
    let mut words = Vec::new();
    let mut rest = sql;
    while let Some(word) = next(&mut rest) {
        words.push(word);
    }
    let parts = words.split(|word| *word == Word::Sign(';'));
    parts.filter(|part| !part.is_empty()).map(<[Word]>::to_vec).collect()
}

fn next(rest: &mut &str) -> Option<Word> {
    loop {
        *rest = rest.trim_start();
        if let Some((_, after)) = rest.strip_prefix("/*").and_then(|inside| inside.split_once("*/"))
        {
            *rest = after;
        } else if let Some(comment) = rest.strip_prefix("--") {
            *rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else {
            break;
        }
    }
    let first = rest.chars().next()?;
    if first == '\'' {
        return Some(Word::Text(quoted(rest, '\'')));
    }
    if (first == 'E' || first == 'e') && rest[1..].starts_with('\'') {
        *rest = &rest[1..];
        return Some(Word::Text(quoted(rest, '\'').replace("\\\\", "\\")));
    }
    if first.is_ascii_digit() {
        return Some(Word::Number(take(rest, |c| c.is_ascii_digit() || c == '.')));
    }
    if first == '$' && rest[1..].starts_with(|c: char| c.is_ascii_digit()) {
        *rest = &rest[1..];
        return take(rest, |c| c.is_ascii_digit()).parse().ok().map(Word::Parameter);
    }
    if first == '"' || first == '_' || first.is_alphabetic() {
        return Some(Word::Name(name(rest)));
    }
    *rest = &rest[first.len_utf8()..];
    Some(Word::Sign(first))
}

fn name(rest: &mut &str) -> String {
    let mut whole = String::new();
    loop {
        if rest.starts_with('"') {
            whole.push_str(&quoted(rest, '"'));
        } else {
            whole.push_str(&take(rest, |c| c == '_' || c.is_alphanumeric()).to_lowercase());
        }
        if !rest.starts_with('.') {
            break;
        }
        *rest = &rest[1..];
        whole.push('.');
    }
    whole.strip_prefix("pg_catalog.").unwrap_or(&whole).to_owned()
}

fn take(rest: &mut &str, of: impl Fn(char) -> bool) -> String {
    let end = rest.find(|c| !of(c)).unwrap_or(rest.len());
    let (taken, after) = rest.split_at(end);
    *rest = after;
    taken.to_owned()
}

/// What stands between two quotes; a doubled quote is one.
fn quoted(rest: &mut &str, quote: char) -> String {
    let mut inside = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            if characters.peek().is_none_or(|(_, next)| *next != quote) {
                *rest = &rest[at + 1..];
                return inside;
            }
            characters.next();
        }
        inside.push(character);
    }
    *rest = "";
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found() {
        let name = |name: &str| Word::Name(name.to_owned());
        let text = |text: &str| Word::Text(text.to_owned());
        let found =
            statements("SET \"my\".x TO 'it''s', E'a\\\\b'; -- nothing\n; SELECT $1 /* x */, 12");
        let set = vec![
            name("set"),
            name("my.x"),
            name("to"),
            text("it's"),
            Word::Sign(','),
            text("a\\b"),
        ];
        let select = vec![
            name("select"),
            Word::Parameter(1),
            Word::Sign(','),
            Word::Number("12".to_owned()),
        ];
        assert_eq!(found, [set, select]);
        assert_eq!(statements("SELECT pg_catalog.set_config(1)")[0][1], name("set_config"));
        assert!(statements(" ;/* nothing */ ; ").is_empty());
    }
}
