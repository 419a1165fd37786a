//! Rules about work that did not fit into `work_mem`. Not about shared buffers.
//!
//! Invariant: only what the executed plan says went to disk.

use super::words::{kilobytes, number};
use super::{Finding, Step, What};

/// A sort that went to disk.
pub(super) fn sort(step: &Step<'_>) -> Option<Finding> {
    let node = step.node;
    if node.sort_space_kind != "Disk" {
        return None;
    }
    let key = node.sort_key.join(", ");
    let why = format!(
        "{} rows were sorted by {key} on disk, {}",
        number(node.rows.unwrap_or(0.0)),
        kilobytes(node.sort_space)
    );
    // In memory a row takes about twice what it takes in the file.
    let advice = format!(
        "an index on ({key}) gives them in order; or work_mem of {} for this statement (SET LOCAL work_mem)",
        kilobytes(node.sort_space * 2.5)
    );
    Some(step.finding(
        What::SortSpill,
        why,
        &[("kB on disk", node.sort_space), ("rows", node.rows.unwrap_or(0.0))],
        advice,
    ))
}

/// A hash table of a join that went to disk.
pub(super) fn hash(step: &Step<'_>) -> Option<Finding> {
    let node = step.node;
    if node.kind != "Hash" || node.hash_batches <= 1.0 {
        return None;
    }
    let why = format!(
        "the hash table of {} rows was divided into {} parts, all but one of which went to disk",
        number(node.rows.unwrap_or(0.0)),
        number(node.hash_batches)
    );
    let advice = format!(
        "about {} of work_mem (or a larger hash_mem_multiplier) for this statement; or a condition that leaves fewer rows on this side",
        kilobytes(node.memory.max(1.0) * node.hash_batches)
    );
    Some(step.finding(
        What::HashSpill,
        why,
        &[("parts", node.hash_batches), ("kB in memory", node.memory)],
        advice,
    ))
}

/// A hashed aggregation that went to disk.
pub(super) fn aggregate(step: &Step<'_>) -> Option<Finding> {
    let node = step.node;
    if node.kind != "Aggregate"
        || (node.aggregate_batches <= 1.0 && node.disk <= 0.0)
        || node.hash_batches > 1.0
    {
        return None;
    }
    let why = format!(
        "{} groups did not fit into memory: {} went to disk",
        number(node.rows.unwrap_or(0.0)),
        kilobytes(node.disk)
    );
    let advice = format!(
        "about {} of work_mem for this statement (SET LOCAL work_mem)",
        kilobytes(node.memory + node.disk * 2.0)
    );
    Some(step.finding(
        What::HashSpill,
        why,
        &[("kB on disk", node.disk), ("groups", node.rows.unwrap_or(0.0))],
        advice,
    ))
}
