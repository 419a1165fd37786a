//! What is wrong with a plan, in words: each finding with the step it is about, the numbers, and what to do. From `EXPLAIN (FORMAT JSON)`, better with
//! `ANALYZE` and `BUFFERS`, and better still with the catalog. Not here: making other plans, and asking PostgreSQL.
//!
//! Invariant: what is said follows from numbers of the plan or the catalog that are said with it.

mod estimates;
mod memory;
mod plan;
mod repeats;
mod scans;
mod shape;
mod statistics;
mod words;

use serde::Serialize;

use crate::catalog::{Catalog, Table};
use crate::hygiene::{qualified, quoted};
use crate::{Kind, Recommendation};

pub use plan::{Jit, JitTiming, NoPlan, Node, Plan};
pub(crate) use statistics::is_old;

pub use shape::{Comparison, Measured, compare, is_regression, shape};

/// What a finding is about. The words are part of the interface: they do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A whole table is read for few of its rows.
    WastefulScan,
    /// An index finds many rows of which a condition leaves few.
    FilterAfterIndex,
    /// Rows come in the order of an index until enough have passed a condition.
    OrderedSearch,
    /// A bitmap that was too large for its memory.
    LossyBitmap,
    /// An index-only scan that looks into the table all the same.
    HeapFetches,
    /// Far more or fewer rows than expected.
    BadEstimate,
    /// A sort that went to disk.
    SortSpill,
    /// A hash table that went to disk.
    HashSpill,
    /// A step that is repeated for far more rows than expected.
    LoopExplosion,
    /// A subquery that runs once for each row.
    RepeatedSubquery,
    /// Rows that are made in order to be skipped.
    DeepOffset,
    /// Compilation takes longer than it can save.
    Compilation,
    /// Parallel processes that did not come.
    MissingWorkers,
    /// A table that was never analysed.
    NoStatistics,
    /// A table of which much has changed since it was analysed.
    OldStatistics,
}

/// Something to know about a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub what: What,
    /// The step: `Seq Scan on orders`.
    pub node: String,
    /// Where it stands: which child of which child, from the root.
    pub path: Vec<usize>,
    /// What is wrong, in a sentence with the numbers.
    pub why: String,
    /// The numbers alone: what, and how many.
    pub numbers: Vec<(String, f64)>,
    /// What to do, in a sentence.
    pub advice: String,
    /// Statements that do it, where they are known.
    pub statements: Vec<String>,
    /// Statements that take that back, where there is something to take back.
    pub undo: Vec<String>,
    /// Share of the time of the statement that the step takes with all below it, if the plan was executed.
    pub share: Option<f64>,
}

/// All findings, those about the most time first.
#[must_use]
pub fn look(plan: &Plan, catalog: Option<&Catalog>) -> Vec<Finding> {
    let look = Look { plan, catalog };
    let mut found = Vec::new();
    found.extend(repeats::compilation(&look));
    visit(&look, &plan.root, &mut Vec::new(), &mut Vec::new(), &mut found);
    // Statistics of a table are wanting once, however often it is read.
    let mut seen = Vec::new();
    found.retain(|finding| {
        let once = matches!(finding.what, What::NoStatistics | What::OldStatistics);
        let new = !once || !seen.contains(&finding.statements);
        if once {
            seen.push(finding.statements.clone());
        }
        new
    });
    found.sort_by(|a, b| b.share.unwrap_or(0.0).total_cmp(&a.share.unwrap_or(0.0)));
    found
}

/// What all rules see.
struct Look<'a> {
    plan: &'a Plan,
    catalog: Option<&'a Catalog>,
}

/// One step with those above it.
struct Step<'a> {
    look: &'a Look<'a>,
    node: &'a Node,
    /// The root first.
    above: &'a [&'a Node],
    path: &'a [usize],
}

type Rule = for<'a> fn(&Step<'a>) -> Option<Finding>;

const RULES: &[Rule] = &[
    scans::wasteful,
    scans::filter_after_index,
    scans::ordered_search,
    scans::lossy,
    scans::heap_fetches,
    estimates::bad,
    memory::sort,
    memory::hash,
    memory::aggregate,
    repeats::nested_loop,
    repeats::subquery,
    repeats::offset,
    repeats::workers,
    statistics::wanting,
];

fn visit<'a>(
    look: &'a Look<'a>,
    node: &'a Node,
    above: &mut Vec<&'a Node>,
    path: &mut Vec<usize>,
    found: &mut Vec<Finding>,
) {
    let step = Step { look, node, above, path };
    found.extend(RULES.iter().filter_map(|rule| rule(&step)));
    above.push(node);
    for (at, child) in node.children.iter().enumerate() {
        path.push(at);
        visit(look, child, above, path, found);
        path.pop();
    }
    above.pop();
}

impl Step<'_> {
    /// A finding about this step.
    fn finding(&self, what: What, why: String, numbers: &[(&str, f64)], advice: String) -> Finding {
        Finding {
            what,
            node: self.node.words(),
            path: self.path.to_vec(),
            why,
            numbers: numbers.iter().map(|(what, value)| ((*what).to_owned(), *value)).collect(),
            advice,
            statements: Vec::new(),
            undo: Vec::new(),
            share: self.share(),
        }
    }

    /// Share of the statement's time. Parallel processes' times are added up by PostgreSQL, so it is never more than all.
    fn share(&self) -> Option<f64> {
        let all = self.look.plan.time().filter(|all| *all > 0.0)?;
        Some((self.node.whole_time()? / all).clamp(0.0, 1.0))
    }

    /// What the catalog says of the table that is read.
    fn table(&self) -> Option<&Table> {
        let catalog = self.look.catalog?;
        let mut named = catalog.tables.iter().filter(|table| {
            table.name == self.node.relation
                && (self.node.schema.is_empty() || self.node.schema == table.schema)
        });
        // Two tables of that name, and nobody says which.
        let table = named.next()?;
        named.next().is_none().then_some(table)
    }

    /// The table that is read as statements name it, with its schema if that is known.
    fn statement_name(&self) -> String {
        match self.table() {
            Some(table) => qualified(&table.schema, &table.name),
            None if self.node.schema.is_empty() => quoted(&self.node.relation),
            None => qualified(&self.node.schema, &self.node.relation),
        }
    }

    /// A name for new statistics on the table, with its schema.
    fn new_statistics(&self) -> String {
        let conditions =
            format!("{}{}{}", self.node.filter, self.node.index_condition, self.node.recheck);
        let id = Recommendation::id_of(Kind::ExtendedStatistics, &conditions);
        let name = quoted(&format!("howdah_statistics_{id}"));
        self.table()
            .map_or_else(|| name.clone(), |table| format!("{}.{name}", quoted(&table.schema)))
    }

    /// Rows of the table that is read, as they were counted last.
    fn table_rows(&self) -> Option<f64> {
        self.table()?.rows
    }

    /// Some step above takes only as many rows as it wants, so that few rows say nothing of an estimate.
    fn may_stop_early(&self) -> bool {
        self.above.iter().any(|node| {
            node.kind == "Limit"
                || node.kind == "Merge Join"
                || matches!(node.join.as_str(), "Semi" | "Anti")
                || node.kind.contains("Subquery")
        })
    }
}
