//! Signs that a text was not written as a whole by its application: that part of it came in as a value. Not a proof of that, and
//! its absence is not one of the opposite: parameters are the cure, this is a smoke detector.
//!
//! Invariant: every sign has a reason that a person can check in the text; a text that cannot be read as tokens has those that
//! stand before the place of doubt. Linear in the length of the text.

use crate::lex::{Kind, Lexer, Token};
use crate::{Analysis, Class};

/// One sign.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub enum Signal {
    /// Several statements, and one behind a query is more than a query that reads: `…; DROP TABLE users`.
    Stacked,
    /// `OR` with a condition that is true for every row: `OR 1=1`, `OR 'a'='a'`, `OR true`.
    Tautology,
    /// A line comment at the very end that holds an odd quote or a parenthesis which nothing opens: `admin'--' AND …`.
    Comment,
    /// `UNION SELECT` from the catalogs behind a query that reads something else.
    CatalogUnion,
}

impl Signal {
    /// The word used in logs and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stacked => "stacked",
            Self::Tautology => "tautology",
            Self::Comment => "comment",
            Self::CatalogUnion => "catalog union",
        }
    }

    /// What it means, in a sentence.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Stacked => "behind a query follows a statement that is more than a query",
            Self::Tautology => "a condition is made true for every row by OR",
            Self::Comment => "a comment at the end cuts the rest of a statement off",
            Self::CatalogUnion => "a union adds the catalogs to a query of something else",
        }
    }
}

/// The signs in a text, each once, in the order of [`Signal`]. `analysis` is that of the text.
#[must_use]
pub fn injection_signals(sql: &[u8], analysis: &Analysis) -> Vec<Signal> {
    let mut lexer = Lexer::new(sql);
    let mut search = Search::default();
    let mut end = 0;
    let complete = loop {
        let token = lexer.next();
        if matches!(token.kind, Kind::End | Kind::Doubt) {
            break token.kind == Kind::End;
        }
        end = token.end;
        search.token(token, lexer.slice(token));
    };
    search.end();
    let found = [
        (is_stacked(analysis), Signal::Stacked),
        (search.tautology, Signal::Tautology),
        (complete && cuts(sql.get(end..).unwrap_or_default()), Signal::Comment),
        (search.catalog_union, Signal::CatalogUnion),
    ];
    found.into_iter().filter_map(|(is, signal)| is.then_some(signal)).collect()
}

/// A query first, and later anything but reading queries and the end of a transaction.
fn is_stacked(analysis: &Analysis) -> bool {
    let [first, rest @ ..] = &*analysis.statements else { return false };
    let more = |class| match class {
        Class::Read | Class::TransactionControl => false,
        Class::SessionState | Class::Write | Class::Copy | Class::Ddl | Class::Other => true,
    };
    matches!(first.class, Class::Read | Class::Write)
        && rest.iter().any(|statement| more(statement.class))
}

/// Whether what follows the last token ends with a line comment that looks like the rest of a statement.
fn cuts(mut rest: &[u8]) -> bool {
    loop {
        rest = rest.trim_ascii_start();
        if let Some(comment) = rest.strip_prefix(b"--") {
            let Some(end) = comment.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                return is_rest(comment);
            };
            rest = comment.get(end..).unwrap_or_default();
        } else if rest.starts_with(b"/*") {
            let mut depth = 0_usize;
            let end = rest.windows(2).position(|pair| {
                depth = match pair {
                    b"/*" => depth + 1,
                    b"*/" => depth.saturating_sub(1),
                    _ => return false,
                };
                depth == 0
            });
            let Some(end) = end else { return false };
            rest = rest.get(end + 2..).unwrap_or_default();
        } else {
            return false;
        }
    }
}

/// The rest of a statement: what had to be closed is closed in it and opened nowhere.
fn is_rest(comment: &[u8]) -> bool {
    let quotes = comment.iter().filter(|byte| **byte == b'\'').count();
    // An apostrophe in a word of a remark: don't.
    let apostrophes = comment.windows(3).filter(|three| {
        matches!(three, [before, b'\'', after] if before.is_ascii_alphabetic() && after.is_ascii_alphabetic())
    });
    let mut depth = 0_i64;
    let mut closes = false;
    for byte in comment {
        depth += match byte {
            b'(' => 1,
            b')' => -1,
            _ => 0,
        };
        closes |= depth < 0;
    }
    closes || (quotes - apostrophes.count().min(quotes)) % 2 == 1
}

/// One side of a comparison behind an `OR`.
#[derive(Clone, Eq, PartialEq)]
enum Side {
    Text(Vec<u8>),
    Number(Vec<u8>),
}

/// How far a condition behind an `OR` has been read.
#[derive(Default, Clone, Eq, PartialEq)]
enum Behind {
    #[default]
    Nothing,
    Or,
    Left(Side),
    Compared(Side, Vec<u8>),
    /// It is true, unless more of the same expression follows.
    True,
}

/// Where in a query the search is, as far as unions go.
#[derive(Default, Clone, Copy, Eq, PartialEq)]
enum Part {
    #[default]
    Elsewhere,
    /// Behind `FROM` or `JOIN`: a name follows.
    From,
    /// Behind a name that is a schema of catalogs, perhaps.
    Named,
}

#[derive(Default)]
struct Search {
    behind: Behind,
    tautology: bool,
    part: Part,
    /// Something other than a catalog was read in this statement before a union.
    reads_other: bool,
    /// Behind a union.
    in_union: bool,
    catalog_union: bool,
}

impl Search {
    fn token(&mut self, token: Token, text: &[u8]) {
        self.condition(token.kind, text);
        self.relation(token.kind, text);
    }

    /// The text ends: so does a condition.
    fn end(&mut self) {
        self.tautology |= self.behind == Behind::True;
        self.behind = Behind::Nothing;
    }

    fn condition(&mut self, kind: Kind, text: &[u8]) {
        let is = |word: &str| kind == Kind::Word && text.eq_ignore_ascii_case(word.as_bytes());
        let side = match kind {
            Kind::Text | Kind::National | Kind::Dollar => Some(Side::Text(text.to_vec())),
            Kind::Number => Some(Side::Number(text.to_vec())),
            Kind::Word
            | Kind::Quoted
            | Kind::UnicodeQuoted
            | Kind::Bits
            | Kind::Parameter
            | Kind::Operator
            | Kind::Cast
            | Kind::Mark
            | Kind::Doubt
            | Kind::End => None,
        };
        self.behind = match (std::mem::take(&mut self.behind), side) {
            (Behind::True, _) => {
                let ends = matches!(text, b")" | b";")
                    || ["and", "or", "limit", "order", "group", "union", "returning", "for"]
                        .iter()
                        .any(|word| is(word));
                self.tautology |= ends;
                if is("or") { Behind::Or } else { Behind::Nothing }
            }
            (_, _) if is("or") => Behind::Or,
            (Behind::Or, _) if text == b"(" => Behind::Or,
            (Behind::Or, _) if is("true") => Behind::True,
            (Behind::Or, Some(side)) => Behind::Left(side),
            (Behind::Left(left), None) if kind == Kind::Operator || is("like") => {
                Behind::Compared(left, text.to_ascii_lowercase())
            }
            (Behind::Compared(left, operator), Some(right)) if holds(&left, &operator, &right) => {
                Behind::True
            }
            _ => Behind::Nothing,
        };
    }

    fn relation(&mut self, kind: Kind, text: &[u8]) {
        let is = |word: &str| kind == Kind::Word && text.eq_ignore_ascii_case(word.as_bytes());
        if text == b";" && kind == Kind::Mark {
            (self.part, self.reads_other, self.in_union) = (Part::Elsewhere, false, false);
            return;
        }
        if is("union") {
            self.in_union = true;
        }
        let named = matches!(kind, Kind::Word | Kind::Quoted);
        self.part = match self.part {
            _ if is("from") || is("join") => Part::From,
            Part::From if named && !is("only") && !is("lateral") => {
                let name = String::from_utf8_lossy(text).trim_matches('"').to_ascii_lowercase();
                let catalog = name.starts_with("pg_") || name == "information_schema";
                self.catalog_union |= catalog && self.in_union && self.reads_other;
                self.reads_other |= !catalog;
                Part::Named
            }
            Part::From if named => Part::From,
            Part::Named if text == b"," => Part::From,
            Part::Named if named && !is("where") && !is("union") => Part::Named,
            Part::Named if text == b"." => Part::Named,
            Part::From | Part::Named | Part::Elsewhere => Part::Elsewhere,
        };
    }
}

/// Whether a comparison of two literals is true, as far as their texts tell.
fn holds(left: &Side, operator: &[u8], right: &Side) -> bool {
    let numbers = || match (left, right) {
        (Side::Number(left), Side::Number(right)) => {
            let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<f64>().ok();
            number(left).zip(number(right))
        }
        _ => None,
    };
    match operator {
        b"=" | b"like" => left == right,
        b"<>" | b"!=" => {
            std::mem::discriminant(left) == std::mem::discriminant(right) && left != right
        }
        b"<" => numbers().is_some_and(|(left, right)| left < right),
        b">" => numbers().is_some_and(|(left, right)| left > right),
        b"<=" => numbers().is_some_and(|(left, right)| left <= right),
        b">=" => numbers().is_some_and(|(left, right)| left >= right),
        _ => false,
    }
}
