//! Making a choice better by small changes: leave one out and fill up again, put one in and leave out what it costs the least to lose,
//! leave out two. Stops when no change helps, or the time is over.
//!
//! Invariant: never over the budget, never worse than where it began.

use super::greedy::{Rank, fill};
use super::{Costs, Oracle};
use crate::set::Set;

/// A change has to save this share of the cost.
const PROGRESS: f64 = 1e-4;
/// How benefits and sizes are set off in the first round.
const RANKS: [Rank; 4] = [Rank(1.0), Rank(0.7), Rank(0.4), Rank(0.0)];

/// The best set that is found within the budget.
pub(super) fn improve<O: Oracle>(costs: &mut Costs<'_, O>, budget: u64) -> Result<Set, O::Error> {
    let nothing = Set::default();
    let mut found: Vec<(f64, Set)> = vec![(costs.total(&nothing)?, nothing)];
    for rank in RANKS {
        let set = fill(costs, nothing, nothing, budget, rank)?;
        let total = costs.total(&set)?;
        if !found.iter().any(|(_, known)| *known == set) {
            found.push((total, set));
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut best = found.first().copied().unwrap_or_default();
    for (total, set) in found.into_iter().take(2) {
        let better = climb(costs, (total, set), budget)?;
        if better.0 < best.0 {
            best = better;
        }
    }
    Ok(best.1)
}

/// Changes a set as long as that helps.
fn climb<O: Oracle>(
    costs: &mut Costs<'_, O>,
    start: (f64, Set),
    budget: u64,
) -> Result<(f64, Set), O::Error> {
    let mut best = start;
    let mut moved = true;
    while moved && !costs.is_over() {
        moved = false;
        for step in [leave_one_out, put_one_in, leave_two_out] {
            while let Some(better) = step(costs, best, budget)? {
                best = better;
                moved = true;
                if costs.is_over() {
                    return Ok(best);
                }
            }
        }
    }
    Ok(best)
}

type Found = Option<(f64, Set)>;

fn is_better(new: f64, old: f64) -> bool {
    new < old * (1.0 - PROGRESS)
}

fn refill<O: Oracle>(
    costs: &mut Costs<'_, O>,
    best: (f64, Set),
    set: Set,
    banned: Set,
    budget: u64,
) -> Result<Found, O::Error> {
    for rank in [Rank(1.0), Rank(0.3)] {
        let set = fill(costs, set, banned, budget, rank)?;
        let total = costs.total(&set)?;
        if is_better(total, best.0) {
            return Ok(Some((total, set)));
        }
    }
    Ok(None)
}

/// Leaves one out and fills up without it.
fn leave_one_out<O: Oracle>(
    costs: &mut Costs<'_, O>,
    best: (f64, Set),
    budget: u64,
) -> Result<Found, O::Error> {
    for at in best.1.iter() {
        if costs.is_over() {
            break;
        }
        let found = refill(costs, best, best.1.without(at), Set::default().with(at), budget)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Puts one in, leaves out what is missed least until it fits, and fills up.
fn put_one_in<O: Oracle>(
    costs: &mut Costs<'_, O>,
    best: (f64, Set),
    budget: u64,
) -> Result<Found, O::Error> {
    for new in 0..costs.candidates().len() {
        if best.1.has(new) || costs.is_over() {
            continue;
        }
        let mut set = best.1.with(new);
        while costs.bytes(&set) > budget {
            let others: Vec<usize> = set.iter().filter(|at| *at != new).collect();
            if others.is_empty() {
                break;
            }
            let sets: Vec<Set> = others.iter().map(|at| set.without(*at)).collect();
            let now = costs.total(&set)?;
            let totals = costs.totals(&sets)?;
            let loss = |(set_without, total): (&Set, &f64)| {
                let freed = costs.bytes(&set).saturating_sub(costs.bytes(set_without)).max(8192);
                (total - now) / freed as f64
            };
            let losses = sets.iter().zip(&totals).map(loss);
            let least = losses.zip(&sets).min_by(|a, b| a.0.total_cmp(&b.0));
            let Some((_, smaller)) = least else { break };
            set = *smaller;
        }
        if costs.bytes(&set) > budget {
            continue;
        }
        // Most are hopeless: what does not come near is not filled up.
        if costs.total(&set)? > best.0 * 1.02 {
            continue;
        }
        let found = refill(costs, best, set, Set::default(), budget)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Leaves two out and fills up without them.
fn leave_two_out<O: Oracle>(
    costs: &mut Costs<'_, O>,
    best: (f64, Set),
    budget: u64,
) -> Result<Found, O::Error> {
    let all: Vec<usize> = best.1.iter().collect();
    for (place, &one) in all.iter().enumerate() {
        for &other in all.iter().skip(place + 1) {
            if costs.is_over() {
                return Ok(None);
            }
            let left = best.1.without(one).without(other);
            let banned = Set::default().with(one).with(other);
            let found = refill(costs, best, left, banned, budget)?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    Ok(None)
}
