//! `SELECT *`: columns that nobody wants are read, sent, and keep an index from answering alone; the day a column is added, the answer changes.
//!
//! Invariant: never a text: which columns are wanted only the application knows. Not where `*` is of a subquery that names its columns.

use crate::parse::{NodeEnum, tree};

use super::query::sources;
use super::{Rewrite, Rule};

pub(super) fn find(select: &tree::SelectStmt) -> Option<Rewrite> {
    let star = select.target_list.iter().any(|target| {
        let Some(NodeEnum::ResTarget(target)) = &target.node else { return false };
        let Some(NodeEnum::ColumnRef(reference)) =
            target.val.as_deref().and_then(|value| value.node.as_ref())
        else {
            return false;
        };
        reference.fields.iter().any(|field| matches!(field.node, Some(NodeEnum::AStar(_))))
    });
    if !star || sources(select)?.is_empty() {
        return None;
    }
    let why = "columns that nobody wants are read and sent, large ones from where they are stored apart; and no index has all columns, so that none can answer alone. Name those that are used";
    Some(Rewrite {
        rule: Rule::SelectStar,
        part: "SELECT *".to_owned(),
        why: why.to_owned(),
        text: None,
        needs: Vec::new(),
    })
}
