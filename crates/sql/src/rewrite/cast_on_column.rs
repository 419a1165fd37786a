//! A column that is converted before it is compared: `id::text = '42'`, or a whole number against `42.0`. The value can be converted instead, once.
//!
//! Invariant: a text only for values that are written as the column would be.

use crate::parse::{NodeEnum, tree};

use super::query::{cast, column, conditions, literal, operator, sources, text_of, with_condition};
use super::{Need, Rewrite, Rule};

const WHOLE: &[&str] = &["smallint", "integer", "bigint"];

pub(super) fn find(select: &tree::SelectStmt) -> Option<Rewrite> {
    let all = conditions(select);
    let (at, (argument, value)) =
        all.iter().enumerate().find_map(|(at, condition)| Some((at, converted(condition)?)))?;
    let part = text_of(all.get(at)?)?;
    let column = sources(select).and_then(|sources| column(argument, &sources));
    let text = column.as_ref().zip(value.as_ref()).and_then(|(column, value)| {
        with_condition(select, at, &format!("{} = {value}", column.text()))
    });
    let needs = match (&text, column) {
        (Some(_), Some(column)) => {
            vec![Need::Type { relation: column.source.relation, column: column.name, types: WHOLE }]
        }
        _ => Vec::new(),
    };
    let why = "every row's column is converted in order to be compared, so that an index on it is of no use: give the value the column's type";
    Some(Rewrite { rule: Rule::CastOnColumn, part, why: why.to_owned(), text, needs })
}

/// The column, and the value in its own type if that is certain.
fn converted(condition: &tree::Node) -> Option<(&tree::Node, Option<String>)> {
    let (name, left, right) = operator(condition)?;
    if name != "=" {
        return None;
    }
    if let Some((argument, kind)) = cast(left) {
        let text = ["text", "varchar"].contains(&kind.as_str())
            && matches!(argument.node, Some(NodeEnum::ColumnRef(_)));
        let canonical = literal(right)
            .filter(|value| value.parse::<i64>().is_ok_and(|number| number.to_string() == *value));
        return text.then_some((argument, canonical));
    }
    let NodeEnum::AConst(constant) = right.node.as_ref()? else { return None };
    let Some(tree::a_const::Val::Fval(value)) = &constant.val else { return None };
    let (whole, fraction) = value.fval.split_once('.')?;
    let is_whole = !fraction.is_empty()
        && fraction.bytes().all(|digit| digit == b'0')
        && whole.parse::<i64>().is_ok();
    (is_whole && matches!(left.node, Some(NodeEnum::ColumnRef(_))))
        .then(|| (left, Some(whole.to_owned())))
}
