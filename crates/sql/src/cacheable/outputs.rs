//! Whether each row of an answer is one row of the one relation that is read, whether nothing but equalities chooses the rows, and which of
//! its columns show that relation's as they are.
//!
//! Invariant: if so, a row that is not in the answer does not change it by leaving: nothing is joined, put together or skipped, and what is
//! computed over several rows stands beside a column of each of them.

use super::{Given, Reading};
use crate::parse::{NodeEnum, tree};

/// A column of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// The column of this name, if the relation has one.
    Column(Box<str>),
    /// All columns of the relation, in their order.
    All,
    /// Something else.
    Other,
}

/// What the columns of the answer are; `None`: its rows are not those of one relation.
pub(super) fn outputs(select: &tree::SelectStmt) -> Option<Box<[Output]>> {
    let plain = tree::SetOperation::try_from(select.op) == Ok(tree::SetOperation::SetopNone)
        && select.with_clause.is_none()
        && select.distinct_clause.is_empty()
        && select.group_clause.is_empty()
        && select.having_clause.is_none()
        && select.window_clause.is_empty()
        && select.limit_offset.is_none()
        && select.values_lists.is_empty();
    let outputs: Box<[Output]> = select.target_list.iter().map(output).collect();
    // Something computed, or an order by it, may depend on rows beyond the limit.
    let limited = select.limit_count.is_some();
    let shown = !limited
        || (!outputs.contains(&Output::Other) && select.sort_clause.iter().all(is_by_column));
    let [from] = select.from_clause.as_slice() else { return None };
    let Some(NodeEnum::RangeVar(range)) = &from.node else { return None };
    let renamed = range.alias.as_ref().is_some_and(|alias| !alias.colnames.is_empty());
    (plain && shown && !renamed).then_some(outputs)
}

/// Whether the answer is every row that satisfies the equalities, and nothing else restricts it: what is compared is the whole
/// condition. Only where [`outputs`] tells its columns.
pub(super) fn is_exact(select: &tree::SelectStmt, reading: &Reading) -> bool {
    let single = |values: &[super::Operand]| match values {
        [value] => !matches!(value.given, Given::Elements(_)),
        _ => false,
    };
    // A comparison of a column that is compared twice, or with another column, is not among them or not alone.
    let each = reading.equalities.iter();
    let plain = each.clone().all(|it| it.through.len() == 1 && single(&it.values));
    let conditions = select.where_clause.as_deref().map_or(0, conditions);
    plain
        && conditions > 0
        && conditions == reading.equalities.len()
        && select.limit_count.is_none()
        && outputs(select).is_some()
}

/// How many conditions have to hold together.
fn conditions(node: &tree::Node) -> usize {
    match &node.node {
        Some(NodeEnum::BoolExpr(all)) if all.boolop == tree::BoolExprType::AndExpr as i32 => {
            all.args.iter().map(conditions).sum()
        }
        _ => 1,
    }
}

/// Whether an order is that of a column's values.
fn is_by_column(sort: &tree::Node) -> bool {
    let Some(NodeEnum::SortBy(sort)) = &sort.node else { return false };
    let by = sort.node.as_ref().and_then(|by| by.node.as_ref());
    matches!(by, Some(NodeEnum::ColumnRef(_) | NodeEnum::AConst(_)))
}

fn output(target: &tree::Node) -> Output {
    let Some(NodeEnum::ResTarget(target)) = &target.node else { return Output::Other };
    let value = target.val.as_ref().and_then(|value| value.node.as_ref());
    let Some(NodeEnum::ColumnRef(column)) = value else { return Output::Other };
    match column.fields.last().and_then(|field| field.node.as_ref()) {
        Some(NodeEnum::String(name)) => Output::Column(name.sval.as_str().into()),
        Some(NodeEnum::AStar(_)) => Output::All,
        _ => Output::Other,
    }
}
