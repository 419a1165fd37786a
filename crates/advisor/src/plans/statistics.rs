//! Rules about what is known of a table. Need the catalog.
//!
//! Invariant: an empty table needs no statistics.

use crate::catalog::{Table, TableKind};

use super::words::number;
use super::{Finding, Step, What};

/// Rows below which nobody has to care.
const SOME: u64 = 1_000;

/// More than a fifth has changed: twice what makes autovacuum analyse a table.
pub(crate) fn is_old(table: &Table) -> bool {
    let changed = table.activity.changed_since_analyze;
    changed >= SOME && changed.saturating_mul(5) > table.activity.live
}

/// A table that is read and of which nothing, or too little, is known.
pub(super) fn wanting(step: &Step<'_>) -> Option<Finding> {
    if !step.node.is_scan() {
        return None;
    }
    let table = step.table()?;
    if table.kind == TableKind::Partitioned || table.activity.live < SOME {
        return None;
    }
    let name = step.statement_name();
    let (what, why) = if table.rows.is_none() || table.activity.analyzed_ago.is_none() {
        let why = format!(
            "{name} has {} rows and was never analysed: what PostgreSQL expects of it is a guess",
            table.activity.live
        );
        (What::NoStatistics, why)
    } else if is_old(table) {
        let why = format!(
            "{} rows of {name} have changed since it was analysed, of {}",
            table.activity.changed_since_analyze, table.activity.live
        );
        (What::OldStatistics, why)
    } else {
        return None;
    };
    let changed = u32::try_from(table.activity.changed_since_analyze).map_or(f64::MAX, f64::from);
    let advice = format!(
        "ANALYZE; where that is needed again and again, a smaller autovacuum_analyze_scale_factor of the table ({} changes now)",
        number(changed)
    );
    let mut finding = step.finding(what, why, &[("rows changed", changed)], advice);
    finding.statements = vec![format!("ANALYZE {name}")];
    Some(finding)
}
