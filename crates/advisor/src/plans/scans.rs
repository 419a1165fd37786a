//! Rules about reading tables: more is read than is wanted. Not about how often.
//!
//! Invariant: a table that is small is left alone.

use super::words::{number, percent};
use super::{Finding, Step, What};

/// Rows thrown away below which nobody has to care.
const MANY: f64 = 10_000.0;
/// Share of the rows that may be wanted for a scan of all to be wasteful.
const FEW: f64 = 0.1;
/// Rows that an index may find for each one that is wanted.
const PER_ROW: f64 = 10.0;

/// A whole table is read and nearly nothing of it is wanted.
pub(super) fn wasteful(step: &Step<'_>) -> Option<Finding> {
    let node = step.node;
    if !node.kind.ends_with("Seq Scan") || node.filter.is_empty() {
        return None;
    }
    let (removed, kept) = match node.all_rows() {
        Some(rows) => (node.all_filtered(), rows),
        None => ((step.table_rows()? - node.expected).max(0.0), node.expected),
    };
    if removed < MANY || kept / (removed + kept) > FEW {
        return None;
    }
    let why = format!(
        "{} is read as a whole, {} rows, for {} of them ({})",
        node.table(),
        number(removed + kept),
        number(kept),
        percent(kept / (removed + kept))
    );
    let advice = format!(
        "an index on the columns of {} that compare with a value would find them",
        node.filter
    );
    Some(step.finding(
        What::WastefulScan,
        why,
        &[("rows read", removed + kept), ("rows wanted", kept)],
        advice,
    ))
}

/// An index is used, but what it finds is mostly thrown away.
pub(super) fn filter_after_index(step: &Step<'_>) -> Option<Finding> {
    let node = step.node;
    let by_index = match node.kind.as_str() {
        "Index Scan" | "Index Only Scan" => !node.index_condition.is_empty(),
        "Bitmap Heap Scan" => true,
        _ => false,
    };
    let (removed, kept) = (node.all_filtered(), node.all_rows()?);
    if !by_index
        || node.filter.is_empty()
        || removed < MANY / 10.0
        || removed < PER_ROW * kept.max(1.0)
    {
        return None;
    }
    let condition =
        if node.index_condition.is_empty() { &node.recheck } else { &node.index_condition };
    let why = format!(
        "the index finds {} rows by {condition}, and {} throws all but {} away after they were read from the table",
        number(removed + kept),
        node.filter,
        number(kept)
    );
    let advice = format!(
        "an index that has the columns of {} as well, those that compare with = in front",
        node.filter
    );
    Some(step.finding(
        What::FilterAfterIndex,
        why,
        &[("rows found", removed + kept), ("rows wanted", kept)],
        advice,
    ))
}

/// `ORDER BY … LIMIT` by an index on the order, which hopes to meet enough rows soon.
pub(super) fn ordered_search(step: &Step<'_>) -> Option<Finding> {
    let node = step.node;
    let ordered = matches!(node.kind.as_str(), "Index Scan" | "Index Only Scan")
        && node.index_condition.is_empty();
    let limited = step.above.iter().any(|above| above.kind == "Limit");
    if !ordered || !limited || node.filter.is_empty() || node.all_filtered() < MANY {
        return None;
    }
    let why = format!(
        "rows come in the order of {} until enough of them pass {}: {} were thrown away first. PostgreSQL hoped that they are spread evenly",
        node.index,
        node.filter,
        number(node.all_filtered())
    );
    let advice = "an index whose first columns are those of the condition and whose next ones are those of the order gives them at once".to_owned();
    Some(step.finding(
        What::OrderedSearch,
        why,
        &[("rows thrown away", node.all_filtered())],
        advice,
    ))
}

/// A bitmap forgot rows and remembered pages.
pub(super) fn lossy(step: &Step<'_>) -> Option<Finding> {
    let node = step.node;
    let pages = node.exact_pages + node.lossy_pages;
    if node.kind != "Bitmap Heap Scan" || node.lossy_pages < 0.1 * pages || node.lossy_pages < 100.0
    {
        return None;
    }
    let why = format!(
        "the bitmap did not fit into work_mem: of {} of {} pages every row was looked at again",
        number(node.lossy_pages),
        number(pages)
    );
    let advice =
        "more work_mem for this statement, or a condition that finds fewer rows".to_owned();
    Some(step.finding(
        What::LossyBitmap,
        why,
        &[("pages", pages), ("pages without rows", node.lossy_pages)],
        advice,
    ))
}

/// An index-only scan of pages that VACUUM has not marked.
pub(super) fn heap_fetches(step: &Step<'_>) -> Option<Finding> {
    let node = step.node;
    let rows = node.all_rows()?;
    // PostgreSQL says fetches of all executions together.
    if node.kind != "Index Only Scan"
        || node.heap_fetches < 1_000.0
        || node.heap_fetches < 0.2 * (rows + node.all_filtered())
    {
        return None;
    }
    let why = format!(
        "{} of {} rows were looked up in the table, although the index has all columns: their pages are not marked as visible to all",
        number(node.heap_fetches),
        number(rows)
    );
    let advice = "VACUUM marks them; where rows change often, autovacuum_vacuum_scale_factor and autovacuum_vacuum_insert_scale_factor of the table decide how soon".to_owned();
    let mut finding = step.finding(
        What::HeapFetches,
        why,
        &[("rows", rows), ("looked up in the table", node.heap_fetches)],
        advice,
    );
    finding.statements = vec![format!("VACUUM {}", step.statement_name())];
    Some(finding)
}
