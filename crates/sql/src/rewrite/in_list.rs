//! `id IN (1, 2, 3, …)` with very many values: the text is long to read, and each length of the list is a statement of its own. One array is one parameter.
//!
//! Invariant: a text only for whole numbers, whose array has a type of its own.

use crate::parse::{NodeEnum, tree};

use super::query::{conditions, integer, string, text_of, with_condition};
use super::{Rewrite, Rule};

/// Values from which on it matters.
const LONG: usize = 50;

pub(super) fn find(select: &tree::SelectStmt) -> Option<Rewrite> {
    let all = conditions(select);
    let (at, (left, values, is_in)) =
        all.iter().enumerate().find_map(|(at, condition)| Some((at, long(condition)?)))?;
    let numbers: Option<Vec<String>> =
        values.iter().map(|value| integer(value).map(|number| number.to_string())).collect();
    let text = numbers.and_then(|numbers| {
        let comparison = if is_in { "= ANY" } else { "<> ALL" };
        with_condition(
            select,
            at,
            &format!("{} {comparison} (ARRAY[{}])", text_of(left)?, numbers.join(", ")),
        )
    });
    let why = format!(
        "{} values are part of the text: it is parsed each time, and each number of values is a statement of its own. As one array ({} ($1)) it is one statement with one parameter",
        values.len(),
        if is_in { "= ANY" } else { "<> ALL" }
    );
    let part = format!(
        "{} {}IN ({} values)",
        text_of(left)?,
        if is_in { "" } else { "NOT " },
        values.len()
    );
    Some(Rewrite { rule: Rule::LongInList, part, why, text, needs: Vec::new() })
}

fn long(condition: &tree::Node) -> Option<(&tree::Node, &[tree::Node], bool)> {
    let NodeEnum::AExpr(expression) = condition.node.as_ref()? else { return None };
    if expression.kind() != tree::AExprKind::AexprIn {
        return None;
    }
    let NodeEnum::List(list) = expression.rexpr.as_deref()?.node.as_ref()? else { return None };
    let is_in = expression.name.first().and_then(string)? == "=";
    (list.items.len() >= LONG).then_some((
        expression.lexpr.as_deref()?,
        list.items.as_slice(),
        is_in,
    ))
}
