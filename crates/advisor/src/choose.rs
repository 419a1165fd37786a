//! Which candidates to make: the set that lowers the cost of a workload the most within a budget of bytes. Greedy by benefit per byte, then
//! dropping, swapping and replacing until nothing is better or the time is over. Not where costs come from: they are asked of an [`Oracle`].
//!
//! Invariant: what is chosen fits into the budget in predicted bytes, and every member changes the cost of some statement by at least
//! [`BELIEVED`]. It may be stopped after any answer, and has a valid choice then.

mod costs;
mod greedy;
mod local;
#[cfg(test)]
mod tests;

use crate::candidate::Candidate;
use crate::candidates::{MAX_CANDIDATES, merged};
use crate::catalog::Catalog;
use crate::set::Set;
use crate::workload::{Access, Workload};
use crate::writes;

pub(crate) use costs::Costs;

/// A smaller share of a statement's cost is noise of the estimate.
pub const BELIEVED: f64 = 0.02;
/// Candidates that are kept after each was looked at alone.
const MAX_SURVEYED: usize = 220;
/// Candidates that are hypothetical at once.
const AT_ONCE: usize = 120;
/// A candidate is worth a second look if it alone saves this share of the workload.
const WORTH_A_LOOK: f64 = 0.0004;

/// An index has to save this share of the workload's cost.
const WORTH_MAKING: f64 = 0.001;
/// An index has to save so many times what writes pay for it, that being taken off already: both are estimates.
const TIMES_ITS_WRITES: f64 = 2.0;

/// Says what statements would cost with other indexes.
pub trait Oracle {
    /// Why it cannot say anything any more.
    type Error;

    /// An answer to each question, in their order; `None` for a statement that cannot be planned, or candidates that cannot be.
    ///
    /// # Errors
    /// When no question can be answered any more.
    fn plans(
        &mut self,
        candidates: &[Candidate],
        questions: &[Question],
    ) -> Result<Vec<Option<Plan>>, Self::Error>;

    /// The time that it was given is over.
    fn is_over(&self) -> bool;
}

/// What would a statement cost if these indexes existed besides those that do?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Question {
    /// Place of the statement in the workload.
    pub statement: usize,
    /// Places of the candidates.
    pub with: Set,
}

/// What the cheapest plan of a statement costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Its cost, in the units of PostgreSQL's planner.
    pub cost: f64,
    /// Candidates that it uses.
    pub used: Set,
}

/// What may be spent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Bytes of all new indexes together.
    pub bytes: u64,
    /// Questions to the oracle.
    pub calls: u64,
}

/// What was chosen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choice {
    /// Everything that was looked at.
    pub candidates: Vec<Candidate>,
    /// Places of what is worth making, the most useful first.
    pub chosen: Vec<Chosen>,
    /// Cost of each statement as it is; `None`: it could not be planned.
    pub before: Vec<Option<f64>>,
    /// The same with everything chosen.
    pub after: Vec<Option<f64>>,
    /// Questions that were asked.
    pub calls: u64,
    /// Answers that were needed.
    pub requests: u64,
    /// The search was stopped by a limit.
    pub stopped: bool,
}

impl Choice {
    /// Weighted cost with everything chosen over that without; 1 when nothing is saved.
    #[must_use]
    pub fn ratio(&self, workload: &Workload) -> f64 {
        let sum = |costs: &[Option<f64>]| -> f64 {
            workload
                .statements
                .iter()
                .zip(costs)
                .filter_map(|(it, cost)| Some(it.weight * (*cost)?))
                .sum()
        };
        let before = sum(&self.before);
        if before > 0.0 { sum(&self.after) / before } else { 1.0 }
    }

    /// Predicted bytes of everything chosen.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.chosen
            .iter()
            .filter_map(|it| self.candidates.get(it.candidate))
            .map(|it| it.bytes)
            .sum()
    }
}

/// One chosen candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// Its place.
    pub candidate: usize,
    /// Share of the workload's cost that the others leave and this one saves.
    pub saves: f64,
    /// Cost of each statement with the others but without this one.
    pub without: Vec<Option<f64>>,
}

/// Looks for the best set of indexes.
///
/// # Errors
/// What the oracle says when it cannot answer.
pub fn choose<O: Oracle>(
    catalog: &Catalog,
    workload: &Workload,
    accesses: &[Access],
    limits: Limits,
    oracle: &mut O,
) -> Result<Choice, O::Error> {
    let candidates = crate::candidates::candidates(catalog, accesses);
    let mut costs = Costs::new(workload, accesses, candidates, limits, oracle);
    survey(catalog, workload, accesses, &mut costs)?;
    let chosen = local::improve(&mut costs, limits.bytes)?;
    let chosen = believed(catalog, &mut costs, chosen)?;
    conclude(&mut costs, chosen)
}

/// Looks at every candidate alone and at all of them together, and keeps what somebody has use for, and what can be made of it.
fn survey<O: Oracle>(
    catalog: &Catalog,
    workload: &Workload,
    accesses: &[Access],
    costs: &mut Costs<'_, O>,
) -> Result<(), O::Error> {
    keep_useful(costs)?;
    let kept = costs.candidates().to_vec();
    let more = merged(catalog, &kept, MAX_CANDIDATES - kept.len().min(MAX_CANDIDATES));
    if !more.is_empty() {
        costs.extend(accesses, more);
        keep_useful(costs)?;
    }
    let charges = writes::charges(catalog, workload, accesses, costs.candidates());
    costs.charge(charges);
    Ok(())
}

fn keep_useful<O: Oracle>(costs: &mut Costs<'_, O>) -> Result<(), O::Error> {
    let all: Set = (0..costs.candidates().len()).collect();
    let used = costs.used_together(&all, AT_ONCE)?;
    let before = costs.total(&Set::default())?;
    let singles: Vec<Set> = all.iter().map(|at| Set::default().with(at)).collect();
    let alone = costs.totals(&singles)?;
    let mut worth: Vec<(f64, usize)> = Vec::new();
    for (at, cost) in alone.into_iter().enumerate() {
        let gain = (before - cost) / before.max(f64::MIN_POSITIVE);
        if used.has(at) || gain > WORTH_A_LOOK {
            worth.push((if used.has(at) { gain + 1.0 } else { gain }, at));
        }
    }
    worth.sort_by(|a, b| b.0.total_cmp(&a.0));
    worth.truncate(MAX_SURVEYED);
    costs.keep(&worth.into_iter().map(|(_, at)| at).collect());
    Ok(())
}

/// Takes out what no statement has a believable use for, what hardly pays for its writes, and prefixes of existing indexes that do not earn it.
fn believed<O: Oracle>(
    catalog: &Catalog,
    costs: &mut Costs<'_, O>,
    mut chosen: Set,
) -> Result<Set, O::Error> {
    loop {
        let total = costs.total(&chosen)?;
        let base = costs.total(&Set::default())?;
        let mut weakest: Option<(f64, usize)> = None;
        for at in chosen.iter() {
            let without = chosen.without(at);
            let saves = (costs.total(&without)? - total) / base.max(f64::MIN_POSITIVE);
            let most = costs.largest_share(&without, &chosen)?;
            let prefix = costs.candidates().get(at).and_then(|it| it.covered_by(catalog)).is_some();
            let paid = costs.charge_of(at) * TIMES_ITS_WRITES / base.max(f64::MIN_POSITIVE);
            let least = if prefix { BELIEVED } else { WORTH_MAKING };
            let doubted = most < BELIEVED || saves < least.max(paid);
            if doubted && weakest.is_none_or(|(least, _)| saves < least) {
                weakest = Some((saves, at));
            }
        }
        let Some((_, at)) = weakest else { return Ok(chosen) };
        chosen = chosen.without(at);
    }
}

fn conclude<O: Oracle>(costs: &mut Costs<'_, O>, set: Set) -> Result<Choice, O::Error> {
    let base = costs.total(&Set::default())?;
    let total = costs.total(&set)?;
    let mut chosen = Vec::new();
    for candidate in set.iter() {
        let without = set.without(candidate);
        let saves = (costs.total(&without)? - total) / base.max(f64::MIN_POSITIVE);
        chosen.push(Chosen { candidate, saves, without: costs.each(&without)? });
    }
    chosen.sort_by(|a, b| b.saves.total_cmp(&a.saves));
    Ok(Choice {
        before: costs.each(&Set::default())?,
        after: costs.each(&set)?,
        chosen,
        calls: costs.calls,
        requests: costs.requests,
        stopped: costs.is_over(),
        candidates: costs.candidates().to_vec(),
    })
}
