//! Rules about what PostgreSQL expected. Not about what it costs: a wrong estimate is the cause of other findings.
//!
//! Invariant: the lowest step that is wrong is named, not those that it misleads.

use super::plan::Node;
use super::words::number;
use super::{Finding, Step, What};

/// So many times more or fewer rows are worth a word.
const WRONG: f64 = 10.0;
/// Rows below which it does not matter.
const SOME: f64 = 100.0;

/// How many times too many (negative: too few) rows were expected; nothing when it was about right.
fn error(node: &Node, may_stop_early: bool) -> Option<f64> {
    let rows = node.rows.filter(|_| node.executions() > 0.0)?;
    let (expected, came) = (node.expected.max(1.0), rows.max(1.0));
    if expected.max(came) < SOME {
        return None;
    }
    if came >= WRONG * expected {
        Some(-came / expected)
    } else if expected >= WRONG * came && !may_stop_early {
        Some(expected / came)
    } else {
        None
    }
}

/// Far more or fewer rows came than were expected, and below that all was well.
pub(super) fn bad(step: &Step<'_>) -> Option<Finding> {
    let node = step.node;
    let stops = step.may_stop_early() || node.kind == "Limit";
    let wrong = error(node, stops)?;
    // A bitmap's index and its table tell the same; a hash or a sort tells what its child did.
    let is_echo = matches!(
        node.kind.as_str(),
        "Hash"
            | "Sort"
            | "Materialize"
            | "Memoize"
            | "Gather"
            | "Gather Merge"
            | "Bitmap Index Scan"
            | "BitmapAnd"
            | "BitmapOr"
            | "Limit"
    );
    let lower = node.children.iter().any(|child| has_error(child, stops));
    if is_echo || lower {
        return None;
    }
    let rows = node.rows.unwrap_or(0.0);
    let why = format!(
        "{} rows came where {} were expected: {} {}; what stands above was chosen for another number",
        number(rows),
        number(node.expected),
        number(wrong.abs()),
        if wrong < 0.0 { "times more" } else { "times fewer" }
    );
    let (advice, statements) = cause(step);
    let mut finding = step.finding(
        What::BadEstimate,
        why,
        &[("rows expected", node.expected), ("rows", rows)],
        advice,
    );
    if statements.first().is_some_and(|first| first.starts_with("CREATE STATISTICS")) {
        finding.undo = vec![format!("DROP STATISTICS {}", step.new_statistics())];
    }
    finding.statements = statements;
    Some(finding)
}

fn has_error(node: &Node, may_stop_early: bool) -> bool {
    // A bitmap's index has no filter of its own: an error there is that of its table.
    let own = !node.kind.starts_with("Bitmap Index") && error(node, may_stop_early).is_some();
    own || node.children.iter().any(|child| has_error(child, may_stop_early))
}

/// The likely reason, what to do, and statements.
fn cause(step: &Step<'_>) -> (String, Vec<String>) {
    let node = step.node;
    let name = step.statement_name();
    let conditions = format!("{} {} {}", node.filter, node.index_condition, node.recheck);
    if let Some(table) = step.table() {
        if table.activity.analyzed_ago.is_none() {
            return (format!("{name} was never analysed"), vec![format!("ANALYZE {name}")]);
        }
        if super::statistics::is_old(table) {
            return (
                format!("much of {name} has changed since it was analysed"),
                vec![format!("ANALYZE {name}")],
            );
        }
    }
    if !node.is_scan() {
        let what = match node.kind.as_str() {
            "Aggregate" | "Group" | "Unique" => {
                "how many groups there are is not known: statistics on the columns together (CREATE STATISTICS … (ndistinct)) say it"
            }
            _ => {
                "rows of both sides that match are not spread as assumed: the most common values of the compared columns may not be in their statistics (ALTER TABLE … ALTER COLUMN … SET STATISTICS), or a condition on one side decides which rows of the other one match"
            }
        };
        return (what.to_owned(), Vec::new());
    }
    if conditions.contains('$') {
        return ("the plan was made for any parameter: plan_cache_mode = force_custom_plan makes one for each".to_owned(), Vec::new());
    }
    let compared = columns(step, &conditions);
    if compared.len() >= 2 {
        let list = compared.join(", ");
        let statement =
            format!("CREATE STATISTICS (dependencies, ndistinct, mcv) ON {list} FROM {name}");
        // Before PostgreSQL 16 statistics need a name, which the server may not choose.
        let named =
            statement.replacen("STATISTICS", &format!("STATISTICS {}", step.new_statistics()), 1);
        return (
            format!(
                "conditions on {list} are taken as independent; statistics on them together say how they belong together"
            ),
            vec![named, format!("ANALYZE {name}")],
        );
    }
    if conditions.contains("(")
        && conditions.matches('(').count() > 2 * conditions.matches(" AND ").count() + 4
    {
        return ("a value that is computed has no statistics: an index on the expression, or CREATE STATISTICS on it, gives it some".to_owned(), vec![format!("ANALYZE {name}")]);
    }
    (
        format!(
            "statistics of {name} are too coarse or too old for this condition: ANALYZE, then a higher target (ALTER TABLE … ALTER COLUMN … SET STATISTICS 1000)"
        ),
        vec![format!("ANALYZE {name}")],
    )
}

/// Columns of the table that the conditions name.
fn columns(step: &Step<'_>, conditions: &str) -> Vec<String> {
    let Some(table) = step.table() else { return Vec::new() };
    let names = table.columns.iter().filter(|column| {
        conditions
            .split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
            .any(|word| word == column.name)
    });
    names.map(|column| crate::hygiene::quoted(&column.name)).collect()
}
