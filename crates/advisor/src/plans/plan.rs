//! A plan as PostgreSQL explains it in JSON, with and without `ANALYZE`: nodes with their estimates and what happened. Not what is to be thought of it.
//!
//! Invariant: reads what versions 13 to 18 write; what a version does not say is absent.

use serde::Deserialize;
use serde_json::Value;

/// Why a text is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoPlan(pub String);

impl std::fmt::Display for NoPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "this is no plan as EXPLAIN (FORMAT JSON) writes it: {}", self.0)
    }
}

impl std::error::Error for NoPlan {}

/// A statement's plan.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Plan {
    /// The node whose rows are the answer.
    #[serde(rename = "Plan")]
    pub root: Node,
    /// Milliseconds to run it; only with `ANALYZE`.
    #[serde(rename = "Execution Time")]
    pub execution_time: Option<f64>,
    /// Milliseconds to plan it.
    #[serde(rename = "Planning Time")]
    pub planning_time: Option<f64>,
    /// Compilation, if there was any.
    #[serde(rename = "JIT")]
    pub jit: Option<Jit>,
}

/// Just-in-time compilation of a statement.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Jit {
    /// Functions compiled.
    #[serde(rename = "Functions", default)]
    pub functions: f64,
    /// Milliseconds.
    #[serde(rename = "Timing", default)]
    pub timing: JitTiming,
}

/// What compilation took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
pub struct JitTiming {
    /// Milliseconds in all.
    #[serde(rename = "Total", default)]
    pub total: f64,
}

/// One step of a plan. Numbers of rows are means of one execution of the node, as PostgreSQL says them.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Node {
    /// `Seq Scan`, `Hash Join`, …
    #[serde(rename = "Node Type")]
    pub kind: String,
    /// What it is to its parent: `Outer`, `Inner`, `SubPlan`, `InitPlan`, …
    #[serde(rename = "Parent Relationship")]
    pub relationship: String,
    /// `Inner`, `Left`, `Semi`, …
    #[serde(rename = "Join Type")]
    pub join: String,
    /// `Hashed`, `Sorted`, `Plain`, `Mixed`.
    #[serde(rename = "Strategy")]
    pub strategy: String,
    /// `SubPlan 1`, `CTE x`.
    #[serde(rename = "Subplan Name")]
    pub subplan: String,
    /// The table that is read.
    #[serde(rename = "Relation Name")]
    pub relation: String,
    /// Its schema; only with `VERBOSE`.
    #[serde(rename = "Schema")]
    pub schema: String,
    /// What the statement calls it.
    #[serde(rename = "Alias")]
    pub alias: String,
    /// The index that is read.
    #[serde(rename = "Index Name")]
    pub index: String,
    /// Cost until the first row.
    #[serde(rename = "Startup Cost")]
    pub startup_cost: f64,
    /// Cost until the last one.
    #[serde(rename = "Total Cost")]
    pub total_cost: f64,
    /// Rows that were expected.
    #[serde(rename = "Plan Rows")]
    pub expected: f64,
    /// Rows that came; only with `ANALYZE`.
    #[serde(rename = "Actual Rows")]
    pub rows: Option<f64>,
    /// How often it was executed.
    #[serde(rename = "Actual Loops")]
    pub loops: Option<f64>,
    /// Milliseconds of one execution.
    #[serde(rename = "Actual Total Time")]
    pub time: Option<f64>,
    /// Condition on rows that were read.
    #[serde(rename = "Filter")]
    pub filter: String,
    /// Rows that it threw away.
    #[serde(rename = "Rows Removed by Filter")]
    pub filtered: f64,
    /// Condition on pairs of rows.
    #[serde(rename = "Join Filter")]
    pub join_filter: String,
    /// Pairs that it threw away.
    #[serde(rename = "Rows Removed by Join Filter")]
    pub join_filtered: f64,
    /// What was looked up in an index.
    #[serde(rename = "Index Cond")]
    pub index_condition: String,
    /// The same of a bitmap.
    #[serde(rename = "Recheck Cond")]
    pub recheck: String,
    /// What a hash join compares.
    #[serde(rename = "Hash Cond")]
    pub hash_condition: String,
    /// What a merge join compares.
    #[serde(rename = "Merge Cond")]
    pub merge_condition: String,
    /// What it is sorted by.
    #[serde(rename = "Sort Key")]
    pub sort_key: Vec<String>,
    /// `quicksort`, `external merge`, …
    #[serde(rename = "Sort Method")]
    pub sort_method: String,
    /// kB, in memory or on disk.
    #[serde(rename = "Sort Space Used")]
    pub sort_space: f64,
    /// `Memory` or `Disk`.
    #[serde(rename = "Sort Space Type")]
    pub sort_space_kind: String,
    /// Parts that a hash table was divided into; more than one went to disk.
    #[serde(rename = "Hash Batches")]
    pub hash_batches: f64,
    /// kB of memory of a hash table.
    #[serde(rename = "Peak Memory Usage")]
    pub memory: f64,
    /// Parts of a hashed aggregation.
    #[serde(rename = "HashAgg Batches")]
    pub aggregate_batches: f64,
    /// kB on disk of a hashed aggregation.
    #[serde(rename = "Disk Usage")]
    pub disk: f64,
    /// Pages of which the rows are known.
    #[serde(rename = "Exact Heap Blocks")]
    pub exact_pages: f64,
    /// Pages that had to be read as a whole, because the bitmap was too large.
    #[serde(rename = "Lossy Heap Blocks")]
    pub lossy_pages: f64,
    /// Rows of an index-only scan that had to be looked up in the table.
    #[serde(rename = "Heap Fetches")]
    pub heap_fetches: f64,
    /// Processes that were asked for.
    #[serde(rename = "Workers Planned")]
    pub workers_planned: f64,
    /// Processes that came.
    #[serde(rename = "Workers Launched")]
    pub workers_launched: Option<f64>,
    /// Blocks from memory, those of its children included.
    #[serde(rename = "Shared Hit Blocks")]
    pub hit: f64,
    /// Blocks from outside.
    #[serde(rename = "Shared Read Blocks")]
    pub read: f64,
    /// Children, the outer one first.
    #[serde(rename = "Plans")]
    pub children: Vec<Self>,
}

impl Plan {
    /// Reads what `EXPLAIN (FORMAT JSON …)` has written: the list with one plan, the plan alone, or a line of it per row of the answer.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(text: &str) -> Result<Self, NoPlan> {
        let value: Value =
            serde_json::from_str(text.trim()).map_err(|error| NoPlan(error.to_string()))?;
        let one = if let Value::Array(list) = value {
            list.into_iter().next().ok_or_else(|| NoPlan("an empty list".to_owned()))?
        } else {
            value
        };
        serde_json::from_value(one).map_err(|error| NoPlan(error.to_string()))
    }

    /// Milliseconds of it all, or of the root.
    #[must_use]
    pub fn time(&self) -> Option<f64> {
        self.execution_time.or_else(|| self.root.whole_time())
    }
}

impl Node {
    /// Executions; of a plan that was not executed, one.
    #[must_use]
    pub fn executions(&self) -> f64 {
        self.loops.unwrap_or(1.0)
    }

    /// Rows of all executions, if it was executed.
    #[must_use]
    pub fn all_rows(&self) -> Option<f64> {
        Some(self.rows? * self.loops?)
    }

    /// Rows that a filter threw away in all executions.
    #[must_use]
    pub fn all_filtered(&self) -> f64 {
        self.filtered * self.executions()
    }

    /// Milliseconds in all executions, children included.
    #[must_use]
    pub fn whole_time(&self) -> Option<f64> {
        Some(self.time? * self.loops?)
    }

    /// The child that is looped over, and the one that is looked up in, of a join.
    #[must_use]
    pub fn sides(&self) -> Option<(&Self, &Self)> {
        let side = |name: &str| self.children.iter().find(|child| child.relationship == name);
        Some((side("Outer")?, side("Inner")?))
    }

    /// Whether it reads a table or what is like one.
    #[must_use]
    pub fn is_scan(&self) -> bool {
        !self.relation.is_empty() && self.kind.ends_with("Scan")
    }

    /// The table as the statement's plan says it.
    #[must_use]
    pub fn table(&self) -> String {
        if self.schema.is_empty() {
            self.relation.clone()
        } else {
            format!("{}.{}", self.schema, self.relation)
        }
    }

    /// What it is, in a few words: `Index Scan using orders_pkey on orders o`.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = match self.join.as_str() {
            "" | "Inner" => self.kind.clone(),
            join => format!("{} {join} Join", self.kind.trim_end_matches(" Join")),
        };
        if !self.strategy.is_empty() && self.kind == "Aggregate" {
            words = format!("{} ({})", self.kind, self.strategy.to_lowercase());
        }
        if !self.index.is_empty() {
            words.push_str(&format!(" using {}", self.index));
        }
        if !self.relation.is_empty() {
            words.push_str(&format!(" on {}", self.table()));
        }
        if !self.alias.is_empty() && self.alias != self.relation {
            words.push_str(&format!(" {}", self.alias));
        }
        words
    }
}
