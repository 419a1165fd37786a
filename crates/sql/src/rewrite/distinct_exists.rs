//! `SELECT DISTINCT c.* FROM c JOIN o …` with nothing of `o` in the answer: the join multiplies rows that `DISTINCT` then has to make one again. Whether there is a partner is
//! what was asked: `EXISTS`.
//!
//! Invariant: `DISTINCT` stays in the text: whether it can go depends on keys.

use crate::parse::{NodeEnum, tree, write};

use super::query::{
    Source, column_names, conditions, expression, from_text, is_one_level, is_simple, query,
    sources, string, text_of,
};
use super::{Rewrite, Rule};

pub(super) fn find(select: &tree::SelectStmt) -> Option<Rewrite> {
    let [only] = select.distinct_clause.as_slice() else { return None };
    if only.node.is_some() || !is_one_level(select) || !select.sort_clause.is_empty() {
        return None;
    }
    let (kept, other, mut tests) = two(select)?;
    let all = sources(select)?;
    let [first, second] = all.as_slice() else { return None };
    let (keeper, asked) =
        if outputs_are_of(select, first) { (first, second) } else { (second, first) };
    if !outputs_are_of(select, keeper) {
        return None;
    }
    let (kept, other) = if std::ptr::eq(keeper, first) { (kept, other) } else { (other, kept) };
    tests.extend(conditions(select));
    let mut outside = Vec::new();
    let mut inside = Vec::new();
    for test in tests {
        let names = column_names(test);
        if !is_simple(test) || names.iter().any(|(qualifier, _)| qualifier.is_none()) {
            return None;
        }
        let of_asked =
            names.iter().any(|(qualifier, _)| qualifier.as_deref() == Some(asked.called.as_str()));
        let list = if of_asked { &mut inside } else { &mut outside };
        list.push(format!("({})", text_of(test)?));
    }
    if inside.is_empty() {
        return None;
    }
    outside.push(format!(
        "EXISTS (SELECT 1 FROM {} WHERE {})",
        from_text(std::slice::from_ref(other))?,
        inside.join(" AND ")
    ));
    let mut whole = select.clone();
    whole.from_clause =
        query(&format!("SELECT 1 FROM {}", from_text(std::slice::from_ref(kept))?))?.from_clause;
    whole.where_clause = Some(Box::new(expression(&outside.join(" AND "))?));
    let why = "the join gives a row once for each partner, and DISTINCT makes them one again; EXISTS stops at the first partner. DISTINCT itself can go if the outputs include a key";
    Some(Rewrite {
        rule: Rule::DistinctJoin,
        part: format!("DISTINCT over a join with {}", asked.called),
        why: why.to_owned(),
        text: write(&NodeEnum::SelectStmt(Box::new(whole))),
        needs: Vec::new(),
    })
}

/// The two tables, and what the join asks.
fn two(select: &tree::SelectStmt) -> Option<(&tree::Node, &tree::Node, Vec<&tree::Node>)> {
    match select.from_clause.as_slice() {
        [left, right] => Some((left, right, Vec::new())),
        [one] => {
            let NodeEnum::JoinExpr(join) = one.node.as_ref()? else { return None };
            Some((
                join.larg.as_deref()?,
                join.rarg.as_deref()?,
                join.quals.as_deref().into_iter().collect(),
            ))
        }
        _ => None,
    }
}

/// Every output is a column of this table, or all of them.
fn outputs_are_of(select: &tree::SelectStmt, source: &Source) -> bool {
    select.target_list.iter().all(|target| {
        let Some(NodeEnum::ResTarget(target)) = &target.node else { return false };
        let Some(NodeEnum::ColumnRef(reference)) =
            target.val.as_deref().and_then(|value| value.node.as_ref())
        else {
            return false;
        };
        reference.fields.len() == 2
            && reference.fields.first().and_then(string).is_some_and(|name| name == source.called)
    })
}
