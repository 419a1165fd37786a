//! The one door to PostgreSQL's own parser. Not a judge of statements: that is `classify`.
//!
//! Invariant: bounded. The parser itself refuses text nested deeper than its stack allows, and a tree nested deeper than
//! its decoder allows (100 messages) is refused here; neither can exhaust the stack of the caller. Texts that its scanner
//! would read for minutes are not given to it.

use std::ops::Range;

use pg_query::{DeparseOptions, FingerprintOptions, ParserOptions};

pub(crate) use pg_query::NodeEnum;
pub(crate) use pg_query::protobuf as tree;

use crate::lex::is_scannable;
use crate::{Fingerprint, MAX_ANALYSED};

/// The statements of a text, without empty ones; `None` when it does not parse, or is nested too deeply for a tree.
pub(crate) fn parse(sql: &str) -> Option<Vec<NodeEnum>> {
    if !is_readable(sql) {
        return None;
    }
    let parsed = pg_query::parse(sql, ParserOptions::DEFAULT).ok()?;
    parsed.protobuf.stmts.into_iter().map(|raw| raw.stmt?.node).collect()
}

/// Where the statements of a text stand, without semicolons and white space around; `None` as for [`parse`].
pub(crate) fn boundaries(sql: &str) -> Option<Vec<Range<usize>>> {
    if !is_readable(sql) {
        return None;
    }
    let parsed = pg_query::parse(sql, ParserOptions::DEFAULT).ok()?;
    let boundary = |raw: &tree::RawStmt| {
        let start = usize::try_from(raw.stmt_location).ok()?;
        let length = usize::try_from(raw.stmt_len).ok()?;
        let end = if length == 0 { sql.len() } else { start + length };
        let edge = [';', ' ', '\t', '\n', '\r', '\u{b}', '\u{c}'];
        let text = sql.get(start..end)?;
        let start = end - text.trim_start_matches(edge).len();
        Some(start..start + text.trim_matches(edge).len())
    };
    parsed.protobuf.stmts.iter().map(boundary).collect()
}

/// The fingerprint over the parse tree, with relations by their full names whatever they are called in the statement; `None` when the text does not parse. Needs
/// no tree, so it is had for deeper texts than a tree is.
pub(crate) fn fingerprint(sql: &str) -> Option<Fingerprint> {
    if !is_readable(sql) {
        return None;
    }
    let identity = FingerprintOptions::RANGEVAR_PG17_COMPAT | FingerprintOptions::FULL_RELNAME;
    let found = pg_query::fingerprint(sql, ParserOptions::DEFAULT, identity).ok()?;
    Some(Fingerprint(found.value))
}

/// A statement as text again; `None` when the grammar's writer does not know a part of it, or what it writes does not parse.
pub(crate) fn write(statement: &NodeEnum) -> Option<String> {
    let text = pg_query::deparse(&whole(statement), DeparseOptions::default()).ok()?;
    pg_query::parse(&text, ParserOptions::DEFAULT).is_ok().then_some(text)
}

fn whole(statement: &NodeEnum) -> tree::ParseResult {
    let node = tree::Node { node: Some(statement.clone()) };
    let raw = tree::RawStmt { stmt: Some(Box::new(node)), stmt_location: 0, stmt_len: 0 };
    tree::ParseResult { version: 0, stmts: vec![raw] }
}

fn is_readable(sql: &str) -> bool {
    sql.len() <= MAX_ANALYSED && is_scannable(sql.as_bytes())
}
