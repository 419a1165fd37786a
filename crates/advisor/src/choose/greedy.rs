//! Adding candidates one by one, the one with the most benefit per byte first, until the budget is full. Benefits of earlier rounds are
//! believed until their candidate comes to the front: they rarely grow.
//!
//! Invariant: never over the budget.

use super::{Costs, Oracle};
use crate::set::Set;

/// Candidates that are looked at again at once.
const BATCH: usize = 4;

/// How benefit and size are set off: the size counts by this power of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rank(pub(super) f64);

/// What one more candidate would do.
#[derive(Debug, Clone, Copy)]
struct Step {
    candidate: usize,
    /// The set with it, and without what it replaces.
    set: Set,
    gain: f64,
    rank: f64,
    fresh: bool,
}

/// Adds to a set what fits and helps, nothing of `banned`.
pub(super) fn fill<O: Oracle>(
    costs: &mut Costs<'_, O>,
    start: Set,
    banned: Set,
    budget: u64,
    rank: Rank,
) -> Result<Set, O::Error> {
    let mut set = start;
    let mut total = costs.total(&set)?;
    let mut steps = first_steps(costs, set, banned, budget, rank, total)?;
    let least = costs.total(&Set::default())? * 1e-5;
    while !costs.is_over() {
        steps.retain(|step| step.gain > least && !set.has(step.candidate));
        steps.sort_by(|a, b| b.rank.total_cmp(&a.rank));
        let Some(best) = steps.first().copied() else { break };
        if best.fresh {
            set = best.set;
            total = costs.total(&set)?;
            set = prune(costs, set, &start)?;
            steps.iter_mut().for_each(|step| step.fresh = false);
            continue;
        }
        let stale: Vec<usize> = steps
            .iter()
            .enumerate()
            .filter(|(_, step)| !step.fresh)
            .map(|(at, _)| at)
            .take(BATCH)
            .collect();
        for at in &stale {
            if let Some(step) = steps.get_mut(*at) {
                step.set = joined(costs, set, step.candidate);
                if costs.bytes(&step.set) > budget {
                    step.gain = 0.0;
                }
            }
        }
        let sets: Vec<Set> =
            stale.iter().filter_map(|at| steps.get(*at)).map(|step| step.set).collect();
        let totals = costs.totals(&sets)?;
        for (at, cost) in stale.into_iter().zip(totals) {
            if let Some(step) = steps.get_mut(at) {
                step.gain = if step.gain > 0.0 { total - cost } else { 0.0 };
                step.rank = ranked(costs, &set, step, rank);
                step.fresh = true;
            }
        }
    }
    Ok(set)
}

fn first_steps<O: Oracle>(
    costs: &mut Costs<'_, O>,
    set: Set,
    banned: Set,
    budget: u64,
    rank: Rank,
    total: f64,
) -> Result<Vec<Step>, O::Error> {
    let all = (0..costs.candidates().len()).filter(|at| !set.has(*at) && !banned.has(*at));
    let mut steps: Vec<Step> = all
        .map(|candidate| Step {
            candidate,
            set: joined(costs, set, candidate),
            gain: 0.0,
            rank: 0.0,
            fresh: true,
        })
        .collect();
    steps.retain(|step| costs.bytes(&step.set) <= budget);
    let sets: Vec<Set> = steps.iter().map(|step| step.set).collect();
    for (step, cost) in steps.iter_mut().zip(costs.totals(&sets)?) {
        step.gain = total - cost;
        step.rank = ranked(costs, &set, step, rank);
    }
    Ok(steps)
}

fn ranked<O: Oracle>(costs: &Costs<'_, O>, from: &Set, step: &Step, rank: Rank) -> f64 {
    let more = costs.bytes(&step.set).saturating_sub(costs.bytes(from)).max(8192);
    step.gain / (more as f64).powf(rank.0)
}

/// With one more, and without what that one can do as well.
fn joined<O: Oracle>(costs: &Costs<'_, O>, set: Set, candidate: usize) -> Set {
    let all = costs.candidates();
    let Some(new) = all.get(candidate) else { return set };
    let replaced = set.iter().filter(|at| all.get(*at).is_some_and(|old| new.replaces(old)));
    set.minus(&replaced.collect()).with(candidate)
}

/// Without what no plan uses any more, but for what was there at the start.
fn prune<O: Oracle>(costs: &mut Costs<'_, O>, set: Set, start: &Set) -> Result<Set, O::Error> {
    let used = costs.used(&set)?;
    Ok(set.and(&used.or(start)))
}
