//! Where the name of a SQL-level prepared statement stands in the one statement of a text, so that another can be put in its
//! place. Not whether such a statement exists: the session knows.
//!
//! Invariant: in doubt nothing is found; the text is not rewritten then.

use std::ops::Range;

use crate::lex::{Kind, Lexer, Token};
use crate::names::{PreparedChange, prepared_names};

/// Names are compared by so many bytes; longer ones are not looked at.
const LONGEST: usize = 63;

/// A name and its place.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct PreparedName {
    /// What the statement does, with the name as PostgreSQL compares it.
    pub change: PreparedChange,
    /// Where the name stands, with its quotes; `DEALLOCATE ALL` has none.
    pub place: Range<usize>,
    /// Where the prepared text begins in a `PREPARE`.
    pub body: usize,
    /// Whether the text is `EXECUTE` itself and not something around it.
    pub plain: bool,
}

/// The name in a text of one `PREPARE`, `EXECUTE`, `DEALLOCATE`, `EXPLAIN … EXECUTE` or `CREATE TABLE … AS EXECUTE`.
#[must_use]
pub fn prepared_name(sql: &[u8]) -> Option<PreparedName> {
    let mut lexer = Lexer::new(sql);
    let first = lexer.next();
    let found = match keyword(&lexer, first)?.as_str() {
        "prepare" => prepare(&mut lexer),
        "execute" => {
            let (name, token) = name(&mut lexer)?;
            Some(found(PreparedChange::Execute(name), token, true))
        }
        "deallocate" => deallocate(&mut lexer),
        "explain" | "create" => execute_inside(sql, &mut lexer),
        _ => None,
    }?;
    std::str::from_utf8(sql).is_ok().then_some(found)
}

fn found(change: PreparedChange, token: Token, plain: bool) -> PreparedName {
    PreparedName { change, place: token.start..token.end, body: 0, plain }
}

fn prepare(lexer: &mut Lexer<'_>) -> Option<PreparedName> {
    let (name, token) = name(lexer)?;
    let mut depth = 0_u32;
    loop {
        let next = lexer.next();
        match (next.kind, lexer.slice(next)) {
            (Kind::Mark, b"(") => depth += 1,
            (Kind::Mark, b")") => depth = depth.checked_sub(1)?,
            (Kind::Word, word) if depth == 0 && word.eq_ignore_ascii_case(b"as") => {
                let change = PreparedChange::Prepare(name);
                return Some(PreparedName { body: next.end, ..found(change, token, false) });
            }
            (Kind::End | Kind::Doubt, _) => return None,
            _ if depth == 0 => return None,
            _ => {}
        }
    }
}

fn deallocate(lexer: &mut Lexer<'_>) -> Option<PreparedName> {
    let mut token = lexer.next();
    if keyword(lexer, token).as_deref() == Some("prepare") {
        let next = lexer.next();
        let ends = next.kind == Kind::End || lexer.slice(next) == b";";
        // A statement may be called so.
        token = if ends { token } else { next };
    }
    if keyword(lexer, token).as_deref() == Some("all") {
        return Some(found(PreparedChange::Deallocate(None), token, false));
    }
    let name = identifier(lexer, token)?;
    Some(found(PreparedChange::Deallocate(Some(name)), token, false))
}

/// The one `EXECUTE name` inside another statement. The grammar says which name it is, the tokens where.
fn execute_inside(sql: &[u8], lexer: &mut Lexer<'_>) -> Option<PreparedName> {
    let Ok([(0, PreparedChange::Execute(wanted))]) =
        <[(usize, PreparedChange); 1]>::try_from(prepared_names(sql))
    else {
        return None;
    };
    let (mut place, mut behind_execute) = (None, false);
    loop {
        let token = lexer.next();
        if token.kind == Kind::End {
            break;
        }
        if token.kind == Kind::Doubt {
            return None;
        }
        if behind_execute && identifier(lexer, token).as_ref() == Some(&wanted) {
            if place.is_some() {
                return None;
            }
            place = Some(token);
        }
        behind_execute = keyword(lexer, token).as_deref() == Some("execute");
    }
    place.map(|token| found(PreparedChange::Execute(wanted), token, false))
}

fn name(lexer: &mut Lexer<'_>) -> Option<(String, Token)> {
    let token = lexer.next();
    identifier(lexer, token).map(|name| (name, token))
}

/// A word as keywords are compared.
fn keyword(lexer: &Lexer<'_>, token: Token) -> Option<String> {
    (token.kind == Kind::Word)
        .then(|| String::from_utf8_lossy(lexer.slice(token)).to_ascii_lowercase())
}

/// A name as PostgreSQL compares it.
fn identifier(lexer: &Lexer<'_>, token: Token) -> Option<String> {
    let text = std::str::from_utf8(lexer.slice(token)).ok()?;
    let name = if token.kind == Kind::Word {
        text.to_ascii_lowercase()
    } else if token.kind == Kind::Quoted {
        text.strip_prefix('"')?.strip_suffix('"')?.replace("\"\"", "\"")
    } else {
        return None;
    };
    (name.len() <= LONGEST).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with another name in place, the name that was there, and the prepared text.
    fn renamed(sql: &str) -> Option<(String, PreparedChange, &str)> {
        let found = prepared_name(sql.as_bytes())?;
        let mut text = sql.to_owned();
        text.replace_range(found.place.clone(), "NEW");
        Some((text, found.change, sql.get(found.body..)?))
    }

    #[test]
    fn names_are_found_where_they_stand() {
        use PreparedChange as P;
        let execute = |name: &str| P::Execute(name.to_owned());
        let deallocate = |name: &str| P::Deallocate(Some(name.to_owned()));
        let cases = [
            ("execute P(1, 'execute p')", "execute NEW(1, 'execute p')", execute("p")),
            ("/* x */ EXECUTE \"A \"\"b\" ;", "/* x */ EXECUTE NEW ;", execute("A \"b")),
            ("explain (analyze) execute p", "explain (analyze) execute NEW", execute("p")),
            (
                "create table execute as execute p(2)",
                "create table execute as execute NEW(2)",
                execute("p"),
            ),
            ("deallocate p", "deallocate NEW", deallocate("p")),
            ("deallocate prepare p", "deallocate prepare NEW", deallocate("p")),
            ("deallocate prepare;", "deallocate NEW;", deallocate("prepare")),
            ("DEALLOCATE \"all\"", "DEALLOCATE NEW", deallocate("all")),
        ];
        for (sql, expected, change) in cases {
            let (text, found, _) = renamed(sql).unwrap();
            assert_eq!((text.as_str(), &found), (expected, &change), "{sql}");
            assert_eq!(prepared_names(sql.as_bytes()), [(0, change)], "{sql}");
        }
        let (text, found, body) = renamed("prepare p (int, numeric(3, 1)) as select $1").unwrap();
        assert_eq!(text, "prepare NEW (int, numeric(3, 1)) as select $1");
        assert_eq!((found, body), (P::Prepare("p".into()), " select $1"));
        let found = prepared_name(b"deallocate prepare all").unwrap();
        assert_eq!(found.change, P::Deallocate(None));
    }

    #[test]
    fn in_doubt_nothing_is_found() {
        for sql in [
            "select 1",
            "prepare transaction 'x'",
            "execute U&\"p\"",
            "explain select 1",
            "create table t (execute p)",
            "explain execute p execute p",
            "prepare p as",
            "",
        ] {
            let found = prepared_name(sql.as_bytes()).filter(|found| found.body < sql.len());
            assert_eq!(found, None, "{sql}");
        }
        let long = format!("execute {}", "x".repeat(64));
        assert_eq!(prepared_name(long.as_bytes()), None);
    }
}
