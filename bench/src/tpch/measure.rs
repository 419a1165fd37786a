//! What each query costs as the planner estimates it, and what it really takes: time and blocks. Not what is made of that.
//!
//! Invariant: a query that takes longer than [`LIMIT`] counts as that long, and has no blocks.

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::QUERIES;

/// Milliseconds that a query may take.
const LIMIT: f64 = 60_000.0;
/// So much more time and as many more blocks are a regression.
const WORSE: f64 = 1.2;
/// Queries that are shorter differ by chance.
const SHORT: f64 = 5.0;

/// A query: its name and its text.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) name: String,
    text: &'static str,
}

/// What a query really takes.
#[derive(Debug, Clone, Default)]
pub(super) struct Taken {
    /// Milliseconds.
    pub(super) time: f64,
    /// Blocks that were looked at, in memory or not; `None`: it did not end.
    pub(super) blocks: Option<f64>,
    /// Indexes that its plan uses.
    pub(super) indexes: Vec<String>,
}

/// The same query without and with indexes.
#[derive(Debug, Clone, Default)]
pub(super) struct Pair {
    pub(super) without: Taken,
    pub(super) with: Taken,
}

impl Pair {
    /// Whether it is worse with them.
    pub(super) fn is_worse(&self) -> bool {
        self.with.is_worse_than(&self.without)
    }
}

impl Taken {
    /// Whether it takes more time and more blocks than before.
    fn is_worse_than(&self, before: &Self) -> bool {
        let slower = self.time > before.time * WORSE && self.time > before.time + SHORT;
        let more = match (self.blocks, before.blocks) {
            (Some(blocks), Some(before)) => blocks > before * WORSE,
            (None, Some(_)) => true,
            _ => false,
        };
        slower && more
    }
}

/// The queries, in order.
pub(super) fn queries() -> impl Iterator<Item = Query> {
    QUERIES.split(';').filter_map(|text| {
        let (_, text) = text.split_once("/* ")?;
        let (name, text) = text.split_once(" */")?;
        Some(Query { name: name.to_owned(), text })
    })
}

impl Query {
    /// Its cost as the planner estimates it now.
    pub(super) async fn cost(&self, client: &Client) -> Result<f64> {
        let plan = self.explain(client, "FORMAT JSON").await?;
        plan.pointer("/0/Plan/Total Cost").and_then(Value::as_f64).context("no cost in a plan")
    }

    /// Runs it so many times without some indexes and as often with them, in turns, so that whatever else the machine does meets both.
    pub(super) async fn pair(
        &self,
        client: &Client,
        indexes: &[String],
        runs: u32,
    ) -> Result<Pair> {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..runs.max(1) {
            with.push(self.run(client).await?);
            // It is there again after the rollback.
            client.batch_execute(&format!("BEGIN; DROP INDEX {}", indexes.join(", "))).await?;
            let run = self.run(client).await;
            client.batch_execute("ROLLBACK").await?;
            without.push(run?);
        }
        Ok(Pair { without: least(without), with: least(with) })
    }

    async fn run(&self, client: &Client) -> Result<Taken> {
        match self.explain(client, "ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON").await {
            Ok(plan) => {
                let time = plan.pointer("/0/Execution Time").and_then(Value::as_f64);
                let mut taken = Taken {
                    time: time.context("no time in a plan")?,
                    blocks: blocks(&plan),
                    indexes: Vec::new(),
                };
                indexes(&plan, &mut taken.indexes);
                Ok(taken)
            }
            Err(error) if is_timeout(&error) => Ok(Taken { time: LIMIT, ..Taken::default() }),
            Err(error) => Err(error),
        }
    }

    async fn explain(&self, client: &Client, options: &str) -> Result<Value> {
        let sql = format!("EXPLAIN ({options}) {}", self.text);
        let messages = client.simple_query(&sql).await?;
        let mut text = String::new();
        for message in &messages {
            if let SimpleQueryMessage::Row(row) = message {
                text.push_str(row.get(0).unwrap_or_default());
            }
        }
        serde_json::from_str(&text).with_context(|| format!("the plan of {}", self.name))
    }
}

/// What took the least time: with so few runs what disturbed one of them decides everything else.
fn least(all: Vec<Taken>) -> Taken {
    all.into_iter().min_by(|a, b| a.time.total_cmp(&b.time)).unwrap_or_default()
}

fn is_timeout(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<tokio_postgres::Error>();
    error.and_then(|it| it.code()) == Some(&tokio_postgres::error::SqlState::QUERY_CANCELED)
}

/// Blocks of a whole plan.
fn blocks(plan: &Value) -> Option<f64> {
    let of = |name: &str| plan.pointer(&format!("/0/Plan/{name}")).and_then(Value::as_f64);
    Some(of("Shared Hit Blocks")? + of("Shared Read Blocks")?)
}

fn indexes(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|it| indexes(it, found)),
        Value::Object(map) => {
            let name = map.get("Index Name").and_then(Value::as_str);
            found.extend(name.map(str::to_owned).filter(|it| !found.contains(it)));
            map.values().for_each(|it| indexes(it, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Makes queries that take too long end.
pub(super) async fn limit(client: &Client) -> Result<()> {
    Ok(client.batch_execute(&format!("SET statement_timeout = {LIMIT}")).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_has_a_name_and_a_text() {
        let all: Vec<Query> = queries().collect();
        assert_eq!(all.len(), 19);
        assert!(all.iter().all(|it| it.name.starts_with('Q') && it.text.contains("from")));
    }

    #[test]
    fn a_regression_takes_more_time_and_more_blocks() {
        let taken = |time, blocks| Taken { time, blocks, indexes: Vec::new() };
        let before = taken(100.0, Some(1000.0));
        assert!(taken(130.0, Some(1300.0)).is_worse_than(&before));
        assert!(!taken(130.0, Some(1100.0)).is_worse_than(&before));
        assert!(!taken(110.0, Some(1300.0)).is_worse_than(&before));
        assert!(taken(60_000.0, None).is_worse_than(&before));
        assert!(!taken(3.0, Some(30.0)).is_worse_than(&taken(1.0, Some(1.0))));
    }
}
