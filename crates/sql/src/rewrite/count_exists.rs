//! `(SELECT count(*) …) > 0`: all rows are counted to find out whether there is one. `EXISTS` stops at the first.
//!
//! Invariant: only counts of rows, compared so that nothing but none or some matters.

use crate::parse::{NodeEnum, tree};

use super::query::{
    call, conditions, integer, is_one_level, operator, query, text_of, with_condition,
};
use super::{Rewrite, Rule};

pub(super) fn find(select: &tree::SelectStmt) -> Option<Rewrite> {
    let all = conditions(select);
    let (at, (inner, some)) =
        all.iter().enumerate().find_map(|(at, condition)| Some((at, counted(condition)?)))?;
    let part = text_of(all.get(at)?)?;
    let text = rewritten(select, at, inner, some);
    let why = "all rows are counted, although one decides: EXISTS stops there";
    Some(Rewrite { rule: Rule::CountToExist, part, why: why.to_owned(), text, needs: Vec::new() })
}

/// The query that counts, and whether the condition is true if there is a row.
fn counted(condition: &tree::Node) -> Option<(&tree::SelectStmt, bool)> {
    let (name, left, right) = operator(condition)?;
    let (link, some) = match (integer(right), name.as_str()) {
        (Some(0), ">" | "<>") | (Some(1), ">=") => (left, true),
        (Some(0), "=" | "<=") | (Some(1), "<") => (left, false),
        (Some(_), _) => return None,
        (None, _) => match (integer(left)?, name.as_str()) {
            (0, "<" | "<>") | (1, "<=") => (right, true),
            (0, "=" | ">=") | (1, ">") => (right, false),
            _ => return None,
        },
    };
    let NodeEnum::SubLink(link) = link.node.as_ref()? else { return None };
    if link.sub_link_type() != tree::SubLinkType::ExprSublink {
        return None;
    }
    let NodeEnum::SelectStmt(inner) = link.subselect.as_deref()?.node.as_ref()? else {
        return None;
    };
    let [target] = inner.target_list.as_slice() else { return None };
    let NodeEnum::ResTarget(target) = target.node.as_ref()? else { return None };
    let (name, call) = call(target.val.as_deref()?)?;
    (name == "count" && call.agg_star).then_some((&**inner, some))
}

fn rewritten(
    select: &tree::SelectStmt,
    at: usize,
    inner: &tree::SelectStmt,
    some: bool,
) -> Option<String> {
    let limited = inner.limit_count.is_some()
        || inner.limit_offset.is_some()
        || !inner.distinct_clause.is_empty();
    if !is_one_level(inner) || limited || inner.from_clause.is_empty() {
        return None;
    }
    let mut exists = inner.clone();
    exists.target_list = query("SELECT 1")?.target_list;
    exists.sort_clause.clear();
    let exists = crate::parse::write(&NodeEnum::SelectStmt(Box::new(exists)))?;
    with_condition(select, at, &format!("{}EXISTS ({exists})", if some { "" } else { "NOT " }))
}
