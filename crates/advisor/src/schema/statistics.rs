//! Tables of whose contents nothing, or too little, is known: what PostgreSQL expects of them is a guess, and plans follow it. Not partitioned ones: their partitions count.
//!
//! Invariant: a small table is left alone.

use crate::catalog::{Catalog, TableKind};
use crate::hygiene::qualified;
use crate::plans::is_old;
use crate::{Impact, Kind, Recommendation};

use super::{advice, evidence};

/// Rows below which nobody has to care.
const SOME: u64 = 1_000;

pub(super) fn find(catalog: &Catalog) -> Vec<Recommendation> {
    let mut found = Vec::new();
    for table in &catalog.tables {
        let never = table.rows.is_none() || table.activity.analyzed_ago.is_none();
        if table.kind == TableKind::Partitioned
            || table.activity.live < SOME
            || !(never || is_old(table))
        {
            continue;
        }
        // Counts of activity may be younger than the last ANALYZE: then rows are known.
        if never && table.columns.iter().any(|column| column.distinct.is_some()) {
            continue;
        }
        let name = qualified(&table.schema, &table.name);
        let title = if never {
            format!("analyse {name}: it never was")
        } else {
            format!("analyse {name}: much has changed since")
        };
        let why =
            "PostgreSQL chooses plans by what it knows of the rows; here it guesses.".to_owned();
        let mut one = advice(Kind::Analyze, name.clone(), "analyze", title, why);
        one.impact = if never { Impact::Medium } else { Impact::Low };
        one.evidence.push(evidence(
            "rows changed since it was analysed, beside live ones",
            format!("{} beside {}", table.activity.changed_since_analyze, table.activity.live),
            format!("SELECT n_mod_since_analyze, n_live_tup, last_analyze, last_autoanalyze FROM pg_stat_all_tables WHERE relid = {}::regclass", crate::hygiene::text(&name)),
        ));
        one.apply.push(format!("ANALYZE {name}"));
        one.cautions.push(
            "reads a sample of the table; nobody waits for it. There is nothing to take back"
                .to_owned(),
        );
        found.push(one);
    }
    found
}
