//! `OFFSET n` for paging: what is skipped is read, on every page more of it. Going on from the last row of the page before is as fast on the thousandth page as on the first.
//!
//! Invariant: never a text: another question is asked, which the application has to know the answer's end for.

use crate::parse::{NodeEnum, tree};

use super::query::{integer, text_of};
use super::{Rewrite, Rule};

/// Rows that may be skipped without a word.
const SHALLOW: i64 = 1_000;

pub(super) fn find(select: &tree::SelectStmt) -> Option<Rewrite> {
    let offset = select.limit_offset.as_deref()?;
    let deep = match offset.node.as_ref()? {
        NodeEnum::ParamRef(_) => true,
        _ => integer(offset)? >= SHALLOW,
    };
    if !deep {
        return None;
    }
    let keys: Vec<String> = select.sort_clause.iter().filter_map(sort_key).collect();
    let keys = keys.join(", ");
    let why = if keys.is_empty() {
        "without an ORDER BY pages overlap and leave rows out; with one, go on from the last row of the page before (WHERE key > …) instead of skipping all pages before".to_owned()
    } else {
        format!(
            "all skipped rows are read again for each page. Go on from the last row instead: WHERE ({keys}) > (those of the last row) ORDER BY {keys} LIMIT …, with an index on them and a unique column last"
        )
    };
    Some(Rewrite {
        rule: Rule::Offset,
        part: format!("OFFSET {}", text_of(offset)?),
        why,
        text: None,
        needs: Vec::new(),
    })
}

fn sort_key(node: &tree::Node) -> Option<String> {
    let NodeEnum::SortBy(sort) = node.node.as_ref()? else { return None };
    text_of(sort.node.as_deref()?)
}
