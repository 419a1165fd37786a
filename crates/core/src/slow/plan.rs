//! What `EXPLAIN (FORMAT JSON)` says, as a tree of a few facts. Not a judgement of plans.
//!
//! Invariant: bounded in nodes and text. Of what PostgreSQL says only what is listed here is kept, and of conditions, if they are to be
//! hidden, only what is left without their constants.

use serde_json::{Map, Value};

use crate::limits;

/// One node of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it does and with what: `Index Scan using orders_pkey on orders o`.
    pub what: String,
    /// Its kind alone: `Index Scan`.
    pub kind: String,
    /// What it is to the node above: `Outer`, `SubPlan`, …
    pub relationship: String,
    /// Its name, if it is a plan of its own: `SubPlan 1`.
    pub subplan: String,
    /// The table that it reads.
    pub relation: String,
    /// The index that it reads.
    pub index: String,
    /// Cost until it begins to give rows.
    pub startup_cost: f64,
    /// Cost until it is done, in PostgreSQL's units.
    pub cost: f64,
    /// Rows that PostgreSQL expects of it.
    pub rows: f64,
    /// Conditions and the like: a name and a text.
    pub details: Vec<(&'static str, String)>,
    /// What it gets its rows from.
    pub inputs: Vec<Self>,
}

impl Node {
    /// The tree in lines, as `EXPLAIN` writes it.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.write(0, &mut lines);
        lines
    }

    fn write(&self, depth: usize, lines: &mut Vec<String>) {
        let (arrow, margin) = match depth {
            0 => (String::new(), "  ".to_owned()),
            _ => (format!("{}->  ", " ".repeat(depth * 6 - 4)), " ".repeat(depth * 6 + 2)),
        };
        lines.push(format!("{arrow}{}  (cost={:.2} rows={:.0})", self.what, self.cost, self.rows));
        for (name, text) in &self.details {
            lines.push(format!("{margin}{name}: {text}"));
        }
        for input in &self.inputs {
            input.write(depth + 1, lines);
        }
    }
}

/// What was given is no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a plan")]
pub struct Unreadable;

/// Makes an expression one without constants; `None`: that cannot be done for certain.
pub type Redact = fn(&str) -> Option<String>;

/// Expressions that are kept, without their constants if these are to be hidden.
const EXPRESSIONS: &[&str] = &[
    "Index Cond",
    "Recheck Cond",
    "TID Cond",
    "Hash Cond",
    "Merge Cond",
    "Join Filter",
    "One-Time Filter",
    "Filter",
    "Order By",
    "Sort Key",
    "Presorted Key",
    "Group Key",
    "Cache Key",
    "Run Condition",
    "Conflict Filter",
];

/// Other facts that are kept: words, names and numbers.
const FACTS: &[&str] = &[
    "Strategy",
    "Workers Planned",
    "Conflict Resolution",
    "Conflict Arbiter Indexes",
    "Subplans Removed",
];

/// Reads the answer; `redact`: how constants are hidden, `None`: they are not.
///
/// # Errors
/// It is not a plan.
pub fn plan(answer: &[u8], redact: Option<Redact>) -> Result<Node, Unreadable> {
    // Nesting is bounded by the reader.
    let value: Value = serde_json::from_slice(answer).map_err(|_| Unreadable)?;
    let root = value.get(0).and_then(|first| first.get("Plan")).and_then(Value::as_object);
    let mut left = limits::PLAN_NODES;
    read(root.ok_or(Unreadable)?, redact, &mut left).ok_or(Unreadable)
}

/// `None`: it is no node, or there is no room for more.
fn read(node: &Map<String, Value>, redact: Option<Redact>, left: &mut usize) -> Option<Node> {
    *left = left.checked_sub(1)?;
    let what = what(node)?;
    let number = |name: &str| node.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    let mut details = Vec::new();
    for name in EXPRESSIONS {
        let hidden = |text: &str| match redact {
            Some(redact) => redact(text).unwrap_or_else(|| "(hidden)".to_owned()),
            None => text.to_owned(),
        };
        details.extend(node.get(*name).and_then(|value| text(value, hidden)).map(|it| (*name, it)));
    }
    for name in FACTS {
        let found = node.get(*name).and_then(|value| text(value, str::to_owned));
        details.extend(found.filter(|text| text != "Plain").map(|it| (*name, it)));
    }
    let inputs = node.get("Plans").and_then(Value::as_array).into_iter().flatten();
    let inputs = inputs.filter_map(Value::as_object).filter_map(|one| read(one, redact, left));
    let inputs = inputs.collect();
    let word = |name: &str| {
        let found = node.get(name).and_then(|value| text(value, str::to_owned));
        found.unwrap_or_default()
    };
    Some(Node {
        what,
        kind: word("Node Type"),
        relationship: word("Parent Relationship"),
        subplan: word("Subplan Name"),
        relation: word("Relation Name"),
        index: word("Index Name"),
        startup_cost: number("Startup Cost"),
        cost: number("Total Cost"),
        rows: number("Plan Rows"),
        details,
        inputs,
    })
}

/// What a node does, and with what.
fn what(node: &Map<String, Value>) -> Option<String> {
    let of = |name: &str| node.get(name).and_then(Value::as_str);
    let kind = of("Node Type")?;
    let mut what = String::new();
    if let Some(name) = of("Subplan Name") {
        what.push_str(&format!("{name}: "));
    }
    if node.get("Parallel Aware").and_then(Value::as_bool) == Some(true) {
        what.push_str("Parallel ");
    }
    match (kind, of("Operation"), of("Join Type")) {
        ("ModifyTable", Some(operation), _) => what.push_str(operation),
        (_, _, Some(join)) if join != "Inner" => what.push_str(&format!("{kind} ({join})")),
        _ => what.push_str(kind),
    }
    if let Some(index) = of("Index Name") {
        what.push_str(&format!(" using {index}"));
    }
    let source = ["Relation Name", "Function Name", "CTE Name", "Tuplestore Name"];
    let source = source.iter().find_map(|name| of(name));
    if let Some(source) = source {
        what.push_str(&format!(" on {source}"));
    }
    if let Some(alias) = of("Alias").filter(|alias| Some(*alias) != source) {
        what.push_str(&format!(" {alias}"));
    }
    cut(&mut what);
    Some(what)
}

/// A value as text; a list with commas.
fn text(value: &Value, each: impl Fn(&str) -> String) -> Option<String> {
    let mut text = match value {
        Value::String(text) => each(text),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => {
            let items = items.iter().filter_map(Value::as_str).map(each);
            items.collect::<Vec<_>>().join(", ")
        }
        Value::Null | Value::Bool(_) | Value::Object(_) => return None,
    };
    cut(&mut text);
    Some(text)
}

fn cut(text: &mut String) {
    if text.len() > limits::PLAN_DETAIL {
        text.truncate(text.floor_char_boundary(limits::PLAN_DETAIL));
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOIN: &str = r#"[{"Plan": {"Node Type": "Hash Join", "Parallel Aware": false, "Join Type": "Left",
        "Total Cost": 12.5, "Plan Rows": 40, "Plan Width": 8, "Hash Cond": "(o.customer = c.id)", "Plans": [
        {"Node Type": "Seq Scan", "Parent Relationship": "Outer", "Relation Name": "orders", "Alias": "o",
         "Total Cost": 3.0, "Plan Rows": 7, "Filter": "(state = 'paid'::text)", "Made Up": "'hunter2'"},
        {"Node Type": "Hash", "Total Cost": 1.0, "Plan Rows": 1, "Plans": [
        {"Node Type": "Index Scan", "Index Name": "customers_pkey", "Relation Name": "customers", "Alias": "c",
         "Total Cost": 0.5, "Plan Rows": 1, "Index Cond": "(id > 'hunter2'::text)"}]}]}}]"#;

    #[test]
    fn a_tree_reads_like_explain() {
        let tree = plan(JOIN.as_bytes(), None).unwrap();
        assert_eq!(
            tree.lines(),
            [
                "Hash Join (Left)  (cost=12.50 rows=40)",
                "  Hash Cond: (o.customer = c.id)",
                "  ->  Seq Scan on orders o  (cost=3.00 rows=7)",
                "        Filter: (state = 'paid'::text)",
                "  ->  Hash  (cost=1.00 rows=1)",
                "        ->  Index Scan using customers_pkey on customers c  (cost=0.50 rows=1)",
                "              Index Cond: (id > 'hunter2'::text)",
            ]
        );
    }

    #[test]
    fn conditions_are_kept_without_their_constants_and_what_is_not_known_not_at_all() {
        let lines = plan(JOIN.as_bytes(), Some(howdah_sql::redact)).unwrap().lines().join("\n");
        assert!(!lines.contains("hunter2") && !lines.contains("paid"), "{lines}");
        assert!(lines.contains("Filter: (state = $1::text)"), "{lines}");
        let hidden = plan(JOIN.as_bytes(), Some(|_| None)).unwrap().lines().join("\n");
        assert!(hidden.contains("Index Cond: (hidden)"), "{hidden}");
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        for text in ["", "[]", "[{}]", "{}", r#"[{"Plan": 5}]"#, r#"[{"Plan": {}}]"#] {
            assert_eq!(plan(text.as_bytes(), None), Err(Unreadable), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(plan(deep.as_bytes(), None), Err(Unreadable));
    }

    #[test]
    fn a_plan_is_bounded() {
        let leaf = format!(r#"{{"Node Type": "Seq Scan", "Filter": "{}"}}"#, "x".repeat(10_000));
        let many = vec![leaf; 1_000].join(",");
        let text = format!(r#"[{{"Plan": {{"Node Type": "Append", "Plans": [{many}]}}}}]"#);
        let tree = plan(text.as_bytes(), None).unwrap();
        assert_eq!(tree.inputs.len(), limits::PLAN_NODES - 1);
        assert!(tree.inputs[0].details[0].1.len() <= limits::PLAN_DETAIL + '…'.len_utf8());
    }
}
