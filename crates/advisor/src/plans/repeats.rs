//! Rules about steps that run again and again, about rows that are made to be skipped, and about work around the plan.
//!
//! Invariant: few repetitions are what joins are made of; they are left alone.

use super::words::{milliseconds, number, percent};
use super::{Finding, Look, Step, What};

/// Repetitions from which on it matters.
const OFTEN: f64 = 1_000.0;
/// Skipped rows from which on it matters.
const DEEP: f64 = 10_000.0;

/// A nested loop over far more rows than expected, or over whole tables.
pub(super) fn nested_loop(step: &Step<'_>) -> Option<Finding> {
    let node = step.node;
    if node.kind != "Nested Loop" {
        return None;
    }
    let (outer, inner) = node.sides()?;
    let (rows, loops) = (outer.rows?, inner.loops?);
    let unexpected = loops >= OFTEN && rows >= 10.0 * outer.expected.max(1.0);
    let pairs = node.join_filtered * node.executions();
    let all_pairs = pairs >= 1e6 && pairs >= 100.0 * node.all_rows().unwrap_or(0.0).max(1.0);
    if !unexpected && !all_pairs {
        return None;
    }
    let (why, advice) = if all_pairs {
        let condition =
            if node.join_filter.is_empty() { "the condition" } else { &node.join_filter };
        (
            format!("{} pairs of rows were compared by {condition}, one by one, for {} that match", number(pairs), number(node.all_rows().unwrap_or(0.0))),
            "a comparison with = of columns of the same type can be hashed; an index on the inner side finds its rows".to_owned(),
        )
    } else {
        (
            format!(
                "{} ran {} times, for {} rows where {} were expected: a nested loop was chosen for few",
                inner.words(),
                number(loops),
                number(rows),
                number(outer.expected)
            ),
            format!(
                "mend the estimate of {} (see there); until then SET LOCAL enable_nestloop = off shows what the other plan takes",
                outer.words()
            ),
        )
    };
    let numbers =
        [("repetitions", loops), ("rows expected", outer.expected), ("pairs thrown away", pairs)];
    Some(step.finding(What::LoopExplosion, why, &numbers, advice))
}

/// A subquery that runs once for each row of the query around it.
pub(super) fn subquery(step: &Step<'_>) -> Option<Finding> {
    let node = step.node;
    if node.relationship != "SubPlan" || is_hashed(step) {
        return None;
    }
    let parent = step.above.last()?;
    let (often, seen) = match node.loops {
        Some(loops) => (loops, "ran"),
        None => (parent.expected, "would run"),
    };
    // What is repeated costs something: a look into an index a thousand times is nothing to speak of.
    let matters = match step.share() {
        Some(share) => share >= 0.1,
        None => node.total_cost * often >= 0.1 * step.look.plan.root.total_cost,
    };
    if often < OFTEN || !matters {
        return None;
    }
    let why = format!(
        "{} {seen} {} times, once for each row of {}",
        node.subplan,
        number(often),
        parent.words()
    );
    let advice = "computed once for all rows (a join with the subquery, grouped by what it compares) it is read once; an index on what it compares makes each run cheap".to_owned();
    Some(step.finding(
        What::RepeatedSubquery,
        why,
        &[("repetitions", often), ("cost of one", node.total_cost)],
        advice,
    ))
}

/// A hashed subplan runs once: the condition of its parent names it so.
fn is_hashed(step: &Step<'_>) -> bool {
    let hashed = format!("hashed {}", step.node.subplan);
    step.above.last().is_some_and(|parent| {
        parent.filter.contains(&hashed) || parent.join_filter.contains(&hashed)
    })
}

/// `OFFSET` with many rows.
pub(super) fn offset(step: &Step<'_>) -> Option<Finding> {
    let node = step.node;
    let child = node.children.first().filter(|_| node.kind == "Limit")?;
    let skipped = match (child.rows, node.rows) {
        (Some(made), Some(given)) => made - given,
        _ => {
            let whole = child.total_cost - child.startup_cost;
            if whole <= 0.0 {
                0.0
            } else {
                (node.startup_cost - child.startup_cost) / whole * child.expected
            }
        }
    };
    // A parallel child gives rows beyond the limit, too, though few.
    if skipped < DEEP {
        return None;
    }
    let why = format!(
        "{} rows were made in order to be skipped: OFFSET reads all that it leaves out, on every page anew",
        number(skipped)
    );
    let advice = "go on from the last row of the page before: WHERE (key) > (the last one's) ORDER BY key LIMIT n, with an index on the key".to_owned();
    Some(step.finding(What::DeepOffset, why, &[("rows skipped", skipped)], advice))
}

/// Fewer processes than asked for.
pub(super) fn workers(step: &Step<'_>) -> Option<Finding> {
    let node = step.node;
    let launched = node.workers_launched?;
    if launched >= node.workers_planned {
        return None;
    }
    let why = format!(
        "{} of {} parallel processes came: the others were busy",
        number(launched),
        number(node.workers_planned)
    );
    let advice = "max_parallel_workers is shared by all statements: raise it with the cores there are, or plan fewer for this statement (max_parallel_workers_per_gather)".to_owned();
    Some(step.finding(
        What::MissingWorkers,
        why,
        &[("planned", node.workers_planned), ("came", launched)],
        advice,
    ))
}

/// Compilation that takes a large share of the time.
pub(super) fn compilation(look: &Look<'_>) -> Option<Finding> {
    let jit = look.plan.jit.as_ref()?;
    let all = look.plan.execution_time.filter(|all| *all > 0.0)?;
    let share = jit.timing.total / all;
    if share < 0.3 || jit.timing.total < 10.0 {
        return None;
    }
    let step = Step { look, node: &look.plan.root, above: &[], path: &[] };
    let why = format!(
        "{} of {} went into compiling {} functions ({})",
        milliseconds(jit.timing.total),
        milliseconds(all),
        number(jit.functions),
        percent(share)
    );
    let advice =
        "SET LOCAL jit = off for this statement, or a higher jit_above_cost for all".to_owned();
    let mut finding = step.finding(
        What::Compilation,
        why,
        &[("ms of compilation", jit.timing.total), ("ms in all", all)],
        advice,
    );
    finding.share = Some(share.min(1.0));
    Some(finding)
}
