//! `a = 1 OR b = 2`: no index has both, so that the whole table may be read. Two queries, each with an index, and the second one without what the first
//! has already given.
//!
//! Invariant: rows come as often as before: each branch leaves out what an earlier one gives, nulls considered.

use crate::parse::{NodeEnum, tree};

use super::query::{
    column_names, conditions, is_plain, is_simple, operator, sources, text_of, with_conditions,
};
use super::{Rewrite, Rule};

/// Branches that a query is divided into at most.
const BRANCHES: usize = 4;

pub(super) fn find(select: &tree::SelectStmt) -> Option<Rewrite> {
    let all = conditions(select);
    let (at, arms) =
        all.iter().enumerate().find_map(|(at, condition)| Some((at, arms(condition)?)))?;
    let part = text_of(all.get(at)?)?;
    let text = rewritten(select, &all, at, arms);
    let why = "an index finds rows by one of the columns and not by either: PostgreSQL reads the whole table, or makes a bitmap of each. A query for each of them uses its index";
    Some(Rewrite {
        rule: Rule::OrAcrossColumns,
        part,
        why: why.to_owned(),
        text,
        needs: Vec::new(),
    })
}

/// Conditions of one column each, on at least two different ones.
fn arms(condition: &tree::Node) -> Option<&[tree::Node]> {
    let NodeEnum::BoolExpr(either) = condition.node.as_ref()? else { return None };
    if either.boolop() != tree::BoolExprType::OrExpr || either.args.len() > BRANCHES {
        return None;
    }
    let mut columns = Vec::new();
    for arm in &either.args {
        let (name, left, right) = operator(arm)?;
        let value = matches!(right.node, Some(NodeEnum::AConst(_) | NodeEnum::ParamRef(_)));
        if !value
            || !["=", "<", "<=", ">", ">="].contains(&name.as_str())
            || !matches!(left.node, Some(NodeEnum::ColumnRef(_)))
        {
            return None;
        }
        columns.extend(column_names(left));
    }
    columns.dedup();
    (columns.len() >= 2).then_some(either.args.as_slice())
}

fn rewritten(
    select: &tree::SelectStmt,
    all: &[&tree::Node],
    at: usize,
    arms: &[tree::Node],
) -> Option<String> {
    if !is_plain(select) {
        return None;
    }
    sources(select)?;
    // What is evaluated once more, in another branch, must have the same value there.
    if !all.iter().all(|condition| is_simple(condition)) {
        return None;
    }
    let rest: Vec<String> = all
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != at)
        .map(|(_, node)| text_of(node))
        .collect::<Option<_>>()?;
    let mut branches = Vec::new();
    let mut given: Vec<String> = Vec::new();
    for arm in arms {
        let arm = text_of(arm)?;
        let mut texts = rest.clone();
        texts.push(arm.clone());
        texts.extend(given.iter().map(|before| format!("({before}) IS NOT TRUE")));
        branches.push(with_conditions(select, &texts)?);
        given.push(arm);
    }
    Some(branches.join(" UNION ALL "))
}
