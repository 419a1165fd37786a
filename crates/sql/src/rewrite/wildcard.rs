//! `LIKE '%word'`: a B-tree knows how texts begin.
//!
//! Invariant: never a text: the question cannot be asked differently, the index can be another one.

use crate::parse::{NodeEnum, tree};

use super::query::{conditions, literal, text_of};
use super::{Rewrite, Rule};

pub(super) fn find(select: &tree::SelectStmt) -> Option<Rewrite> {
    let condition =
        conditions(select).into_iter().find(|condition| is_open(condition).unwrap_or(false))?;
    let why = "a B-tree cannot look up how a text goes on: an index of trigrams can (CREATE EXTENSION pg_trgm; CREATE INDEX … USING gin (column gin_trgm_ops)), and for words full-text search";
    Some(Rewrite {
        rule: Rule::LeadingWildcard,
        part: text_of(condition)?,
        why: why.to_owned(),
        text: None,
        needs: Vec::new(),
    })
}

fn is_open(condition: &tree::Node) -> Option<bool> {
    let NodeEnum::AExpr(expression) = condition.node.as_ref()? else { return None };
    let like =
        matches!(expression.kind(), tree::AExprKind::AexprLike | tree::AExprKind::AexprIlike);
    let pattern = literal(expression.rexpr.as_deref()?)?;
    Some(like && pattern.starts_with(['%', '_']))
}
