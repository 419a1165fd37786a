//! Plans over HTTP: as trees with what each step took, and what is wrong with them in words. Those of slow statements (`slow`), and one that somebody
//! brings: `POST /api/v1/plan`. Not where plans come from.
//!
//! Invariant: a plan that is brought is answered and forgotten.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use howdah_advisor::plans::{self, Finding, Plan};
use howdah_core::slow::{Node, Slow};
use serde_json::{Value, json};

/// So many times more rows than expected are worth a word, if there are some.
const WRONG: f64 = 10.0;
const SOME: f64 = 100.0;

/// The tree of a plan that was made and not executed. Nesting is that of what PostgreSQL said, which is bounded.
pub(crate) fn tree(node: &Node) -> Value {
    json!({
        "what": node.what,
        "cost": node.cost,
        "rows": node.rows,
        "actual": null,
        "loops": null,
        "ms": null,
        "hit": null,
        "read": null,
        "details": node.details.iter().map(|(name, text)| json!({ "name": name, "text": text })).collect::<Vec<_>>(),
        "inputs": node.inputs.iter().map(tree).collect::<Vec<_>>(),
    })
}

/// What is wrong with the plan of a slow statement, as far as a plan tells that was not executed, and the rows that came.
pub(crate) fn findings(slow: &Slow, root: &Node) -> Vec<Value> {
    let plan = Plan { root: step(root), execution_time: None, planning_time: None, jit: None };
    let more = slow.rows as f64 / root.rows.max(1.0);
    // Rows of a statement that writes are those that it changed.
    let unexpected = (slow.kind == "read" && more >= WRONG && slow.rows as f64 >= SOME).then(|| {
        json!({
            "what": "bad_estimate",
            "node": root.what,
            "path": [],
            "why": format!("{} rows came where {:.0} were expected: the plan was chosen for another number", slow.rows, root.rows),
            "advice": "ANALYZE of its tables; where conditions on several columns depend on each other, CREATE STATISTICS on them together",
            "statements": [],
            "share": null,
        })
    });
    plans::look(&plan, None).iter().map(finding).chain(unexpected).collect()
}

fn finding(finding: &Finding) -> Value {
    json!({
        "what": finding.what,
        "node": finding.node,
        "path": finding.path,
        "why": finding.why,
        "advice": finding.advice,
        "statements": finding.statements,
        "share": finding.share,
    })
}

/// A step as the advisor knows it.
fn step(node: &Node) -> plans::Node {
    let detail = |name: &str| {
        let found = node.details.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| text.clone()).unwrap_or_default()
    };
    plans::Node {
        kind: node.kind.clone(),
        relationship: node.relationship.clone(),
        subplan: node.subplan.clone(),
        relation: node.relation.clone(),
        index: node.index.clone(),
        startup_cost: node.startup_cost,
        total_cost: node.cost,
        expected: node.rows,
        filter: detail("Filter"),
        join_filter: detail("Join Filter"),
        index_condition: detail("Index Cond"),
        recheck: detail("Recheck Cond"),
        children: node.inputs.iter().map(step).collect(),
        ..plans::Node::default()
    }
}

/// `POST /api/v1/plan`: the body is what `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)` has written.
pub(crate) async fn read(text: String) -> Response {
    match Plan::parse(&text) {
        Ok(plan) => Json(json!({
            "schema": "howdah.plan/1",
            "executed": plan.root.rows.is_some(),
            "ms": plan.time(),
            "plan": brought(&plan.root),
            "findings": plans::look(&plan, None).iter().map(finding).collect::<Vec<_>>(),
        }))
        .into_response(),
        Err(error) => {
            let error = json!({ "error": error.to_string() });
            (StatusCode::BAD_REQUEST, Json(error)).into_response()
        }
    }
}

/// The tree of a plan that somebody brings. Nesting is that of the text, which its reader bounds.
fn brought(node: &plans::Node) -> Value {
    let details = [
        ("Index Cond", &node.index_condition),
        ("Recheck Cond", &node.recheck),
        ("Hash Cond", &node.hash_condition),
        ("Merge Cond", &node.merge_condition),
        ("Join Filter", &node.join_filter),
        ("Filter", &node.filter),
        ("Sort Key", &node.sort_key.join(", ")),
        ("Sort Method", &node.sort_method),
    ];
    let details = details.iter().filter(|(_, text)| !text.is_empty());
    let name = if node.subplan.is_empty() {
        node.words()
    } else {
        format!("{}: {}", node.subplan, node.words())
    };
    json!({
        "what": name,
        "cost": node.total_cost,
        "rows": node.expected,
        "actual": node.rows,
        "loops": node.loops,
        "ms": node.whole_time(),
        "hit": node.rows.map(|_| node.hit),
        "read": node.rows.map(|_| node.read),
        "details": details.map(|(name, text)| json!({ "name": name, "text": text })).collect::<Vec<_>>(),
        "inputs": node.children.iter().map(brought).collect::<Vec<_>>(),
    })
}
