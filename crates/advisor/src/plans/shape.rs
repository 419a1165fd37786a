//! What two plans have in common: a number for the shape without costs, and the differences in words. Not which one is better: that the costs, the times and the
//! blocks say.
//!
//! Invariant: plans that differ in estimates, constants or times alone have the same shape.

use std::collections::BTreeMap;

use super::plan::{Node, Plan};
use super::words::{number, times};

/// A number of what a plan does: kinds of nodes, tables, indexes, and in which order they are joined. The same in every run and version.
#[must_use]
pub fn shape(plan: &Plan) -> u64 {
    let mut text = String::new();
    write(&plan.root, &mut text);
    // FNV-1a, 64 bits.
    text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn write(node: &Node, text: &mut String) {
    for part in
        [&node.kind, &node.join, &node.strategy, &node.relation, &node.index, &node.relationship]
    {
        text.push_str(part);
        text.push('\u{1f}');
    }
    text.push('(');
    for child in &node.children {
        write(child, text);
    }
    text.push(')');
}

/// How one plan differs from an earlier one.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Both do the same.
    pub same_shape: bool,
    /// Cost now against cost then.
    pub cost: f64,
    /// Time now against time then, if both were executed.
    pub time: Option<f64>,
    /// Blocks now against blocks then, if both say them.
    pub blocks: Option<f64>,
    /// What is different, most important first.
    pub differences: Vec<String>,
}

/// Compares a plan with an earlier one.
#[must_use]
pub fn compare(before: &Plan, after: &Plan) -> Comparison {
    let ratio = |now: f64, then: f64| if then > 0.0 { Some(now / then) } else { None };
    let blocks = |plan: &Plan| plan.root.hit + plan.root.read;
    let same_shape = shape(before) == shape(after);
    let mut differences = Vec::new();
    if !same_shape {
        accesses(&before.root, &after.root, &mut differences);
        joins(&before.root, &after.root, &mut differences);
        others(&before.root, &after.root, &mut differences);
        if differences.is_empty() {
            differences.push("the same steps in another order".to_owned());
        }
    }
    spills(&before.root, &after.root, &mut differences);
    if let (Some(then), Some(now)) = (before.root.rows, after.root.rows)
        && (then - now).abs() > 0.5
    {
        differences.push(format!("the answer has {} rows, before: {}", number(now), number(then)));
    }
    let comparison = Comparison {
        same_shape,
        cost: ratio(after.root.total_cost, before.root.total_cost).unwrap_or(1.0),
        time: before.time().zip(after.time()).and_then(|(then, now)| ratio(now, then)),
        blocks: ratio(blocks(after), blocks(before)),
        differences,
    };
    with_numbers(comparison)
}

fn with_numbers(mut comparison: Comparison) -> Comparison {
    let mut said = Vec::new();
    for (what, ratio) in [
        ("time", comparison.time),
        ("blocks read", comparison.blocks),
        ("estimated cost", Some(comparison.cost)),
    ] {
        if let Some(ratio) = ratio.filter(|ratio| !(0.8..=1.25).contains(ratio)) {
            said.push(format!("{what}: {}", times(ratio)));
        }
    }
    comparison.differences.extend(said);
    comparison
}

/// Every node below one, itself first.
pub(super) fn each<'a>(node: &'a Node, visit: &mut dyn FnMut(&'a Node)) {
    visit(node);
    for child in &node.children {
        each(child, visit);
    }
}

fn accesses(before: &Node, after: &Node, differences: &mut Vec<String>) {
    let (then, now) = (access(before), access(after));
    for (table, how) in &now {
        match then.get(table) {
            Some(other) if other != how => {
                differences.push(format!("{table}: {how}, before: {other}"))
            }
            Some(_) => {}
            None => differences.push(format!("{table}: {how}, before: not read")),
        }
    }
    for (table, how) in &then {
        if !now.contains_key(table) {
            differences.push(format!("{table}: not read, before: {how}"));
        }
    }
}

/// How each table is read, by what the statement calls it.
fn access(node: &Node) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    // A bitmap's indexes stand below the node of its table.
    fn indexes(node: &Node, names: &mut Vec<String>) {
        for child in &node.children {
            if child.kind.starts_with("Bitmap Index") {
                names.push(child.index.clone());
            }
            if child.kind.starts_with("Bitmap") {
                indexes(child, names);
            }
        }
    }
    each(node, &mut |node| {
        if node.is_scan() {
            let mut names = vec![node.index.clone()];
            indexes(node, &mut names);
            names.retain(|name| !name.is_empty());
            let using = if names.is_empty() {
                String::new()
            } else {
                format!(" using {}", names.join(" and "))
            };
            let called =
                if node.alias.is_empty() { node.relation.clone() } else { node.alias.clone() };
            let how = format!("{}{using}", node.kind);
            found
                .entry(called)
                .and_modify(|all| {
                    all.push_str(" and ");
                    all.push_str(&how);
                })
                .or_insert(how);
        }
    });
    found
}

fn joins(before: &Node, after: &Node, differences: &mut Vec<String>) {
    let order = |node: &Node| {
        let mut tables = Vec::new();
        each(node, &mut |node| {
            if node.is_scan() {
                tables.push(if node.alias.is_empty() {
                    node.relation.clone()
                } else {
                    node.alias.clone()
                });
            }
        });
        tables
    };
    let (then, now) = (order(before), order(after));
    let (mut then_sorted, mut now_sorted) = (then.clone(), now.clone());
    then_sorted.sort();
    now_sorted.sort();
    if then != now && then_sorted == now_sorted {
        differences.push(format!(
            "joined in the order {}, before: {}",
            now.join(", "),
            then.join(", ")
        ));
    }
    counted(
        before,
        after,
        |node| node.kind.ends_with("Join") || node.kind == "Nested Loop",
        differences,
    );
}

fn others(before: &Node, after: &Node, differences: &mut Vec<String>) {
    counted(
        before,
        after,
        |node| {
            !(node.kind.ends_with("Join")
                || node.kind == "Nested Loop"
                || node.is_scan()
                || node.kind.starts_with("Bitmap")
                || node.kind == "Hash")
        },
        differences,
    );
}

/// How often each kind of step is there, where that differs.
fn counted(before: &Node, after: &Node, which: fn(&Node) -> bool, differences: &mut Vec<String>) {
    let count = |node: &Node| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        each(node, &mut |node| {
            if which(node) {
                *counts
                    .entry(if node.relation.is_empty() { node.words() } else { node.kind.clone() })
                    .or_default() += 1;
            }
        });
        counts
    };
    let (then, now) = (count(before), count(after));
    let gone: Vec<String> = then
        .iter()
        .filter(|(kind, count)| now.get(*kind).unwrap_or(&0) < count)
        .map(|(kind, _)| kind.clone())
        .collect();
    let new: Vec<String> = now
        .iter()
        .filter(|(kind, count)| then.get(*kind).unwrap_or(&0) < count)
        .map(|(kind, _)| kind.clone())
        .collect();
    match (new.as_slice(), gone.as_slice()) {
        ([], []) => {}
        (new, []) => differences.push(format!("{}: new", new.join(", "))),
        ([], gone) => differences.push(format!("{}: gone", gone.join(", "))),
        (new, gone) => differences.push(format!("{}, before: {}", new.join(", "), gone.join(", "))),
    }
}

fn spills(before: &Node, after: &Node, differences: &mut Vec<String>) {
    let spilled = |node: &Node| {
        let mut count = 0_u32;
        each(node, &mut |node| {
            count += u32::from(
                node.sort_space_kind == "Disk" || node.hash_batches > 1.0 || node.disk > 0.0,
            );
        });
        count
    };
    let (then, now) = (spilled(before), spilled(after));
    if then != now {
        differences.push(format!("steps that went to disk: {now}, before: {then}"));
    }
}

/// What was measured of a statement under one plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Its shape.
    pub shape: u64,
    /// How often it ran.
    pub calls: u64,
    /// Milliseconds of a call, mean.
    pub mean: f64,
    /// Blocks of a call, mean.
    pub blocks: f64,
}

/// Whether a statement got worse by another plan: twice the blocks and half as much time again, over twenty calls of each.
#[must_use]
pub fn is_regression(before: &Measured, after: &Measured) -> bool {
    before.shape != after.shape
        && before.calls >= 20
        && after.calls >= 20
        && after.blocks >= 2.0 * before.blocks.max(1.0)
        && after.mean >= 1.5 * before.mean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regression_is_another_plan_that_reads_and_takes_more_over_enough_calls() {
        let before = Measured { shape: 1, calls: 50, mean: 10.0, blocks: 100.0 };
        let worse = Measured { shape: 2, calls: 20, mean: 15.0, blocks: 200.0 };
        assert!(is_regression(&before, &worse));
        for (why, before, after) in [
            ("the same plan", before, Measured { shape: 1, ..worse }),
            ("too few calls", before, Measured { calls: 19, ..worse }),
            ("too few before", Measured { calls: 19, ..before }, worse),
            ("not slower", before, Measured { mean: 14.9, ..worse }),
            ("no more blocks", before, Measured { blocks: 199.0, ..worse }),
        ] {
            assert!(!is_regression(&before, &after), "{why}");
        }
        // Of nothing twice as much is nothing: one block more is no regression.
        let none = Measured { blocks: 0.0, ..before };
        assert!(!is_regression(&none, &Measured { blocks: 1.0, ..worse }));
    }
}
