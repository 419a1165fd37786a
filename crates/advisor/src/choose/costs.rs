//! What sets of candidates cost: answers of the oracle, remembered so that as few questions as possible are asked. Not a search.
//!
//! Two answers are the same question: candidates that a statement has no use for do not count; and a plan that uses *U* out of *C* is
//! the cheapest for everything between *U* and *C*.

use std::collections::HashMap;

use super::{Limits, Oracle, Plan, Question};
use crate::candidate::Candidate;
use crate::set::Set;
use crate::workload::{Access, Workload};

/// What statements cost with sets of candidates.
pub(crate) struct Costs<'o, O> {
    oracle: &'o mut O,
    candidates: Vec<Candidate>,
    statements: Vec<Statement>,
    /// What each candidate costs in writes.
    charges: Vec<f64>,
    limit: u64,
    pub(crate) calls: u64,
    pub(crate) requests: u64,
}

/// One statement, and what is known of it.
struct Statement {
    weight: f64,
    /// Candidates that it may have use for.
    relevant: Set,
    exact: HashMap<Set, Option<Plan>>,
    /// Sets that were asked for, with their plans.
    asked: Vec<(Set, Plan)>,
}

impl Statement {
    /// What is known, or follows from it.
    fn known(&self, set: &Set) -> Option<Option<Plan>> {
        if let Some(plan) = self.exact.get(set) {
            return Some(*plan);
        }
        let implied =
            |(asked, plan): &&(Set, Plan)| plan.used.is_within(set) && set.is_within(asked);
        self.asked.iter().find(implied).map(|(_, plan)| Some(*plan))
    }
}

impl<'o, O: Oracle> Costs<'o, O> {
    pub(crate) fn new(
        workload: &Workload,
        accesses: &[Access],
        candidates: Vec<Candidate>,
        limits: Limits,
        oracle: &'o mut O,
    ) -> Self {
        let statement = |it: &crate::workload::Asked| Statement {
            weight: it.weight,
            relevant: Set::default(),
            exact: HashMap::new(),
            asked: Vec::new(),
        };
        let mut costs = Self {
            oracle,
            candidates: Vec::new(),
            statements: workload.statements.iter().map(statement).collect(),
            charges: Vec::new(),
            limit: limits.calls,
            calls: 0,
            requests: 0,
        };
        costs.extend(accesses, candidates);
        costs
    }

    pub(crate) fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    pub(crate) fn bytes(&self, set: &Set) -> u64 {
        set.iter().filter_map(|at| self.candidates.get(at)).map(|it| it.bytes).sum()
    }

    /// Nothing new should be begun.
    pub(crate) fn is_over(&self) -> bool {
        self.calls >= self.limit || self.oracle.is_over()
    }

    /// More candidates behind those that are there.
    pub(crate) fn extend(&mut self, accesses: &[Access], more: Vec<Candidate>) {
        for candidate in more {
            let at = self.candidates.len();
            for access in accesses {
                let leads = candidate.first().is_some_and(|first| access.columns.contains(&first));
                if access.table == candidate.table
                    && leads
                    && let Some(statement) = self.statements.get_mut(access.statement)
                {
                    statement.relevant = statement.relevant.with(at);
                }
            }
            self.candidates.push(candidate);
            self.charges.push(0.0);
        }
    }

    /// What each candidate costs in writes, in the units of the workload.
    pub(crate) fn charge(&mut self, charges: Vec<f64>) {
        self.charges = charges;
    }

    /// What one of them costs in writes.
    pub(crate) fn charge_of(&self, at: usize) -> f64 {
        self.charges.get(at).copied().unwrap_or_default()
    }

    /// Forgets all other candidates.
    pub(crate) fn keep(&mut self, kept: &Set) {
        let places: Vec<usize> = kept.iter().collect();
        let moved = |set: &Set| -> Set {
            places
                .iter()
                .enumerate()
                .filter(|(_, old)| set.has(**old))
                .map(|(new, _)| new)
                .collect()
        };
        for statement in &mut self.statements {
            statement.relevant = moved(&statement.relevant);
            // What was asked with a forgotten candidate still tells of the rest, if that one was not used.
            let asked = std::mem::take(&mut statement.exact);
            statement.asked.clear();
            for (set, plan) in asked {
                match plan {
                    Some(plan) if plan.used.is_within(kept) => {
                        let plan = Plan { used: moved(&plan.used), ..plan };
                        statement.exact.insert(moved(&set), Some(plan));
                        statement.asked.push((moved(&set), plan));
                    }
                    None if set.is_within(kept) => {
                        statement.exact.insert(moved(&set), None);
                    }
                    _ => {}
                }
            }
        }
        let old = std::mem::take(&mut self.candidates);
        self.candidates =
            old.into_iter().enumerate().filter(|(at, _)| kept.has(*at)).map(|(_, it)| it).collect();
        self.charges = vec![0.0; self.candidates.len()];
    }

    /// Cost of the workload, weighted, with what writes cost.
    pub(crate) fn total(&mut self, set: &Set) -> Result<f64, O::Error> {
        Ok(self.totals(&[*set])?.first().copied().unwrap_or_default())
    }

    /// The same for several sets at once.
    pub(crate) fn totals(&mut self, sets: &[Set]) -> Result<Vec<f64>, O::Error> {
        self.ask(sets)?;
        Ok(sets.iter().map(|set| self.sum(set)).collect())
    }

    /// Cost of each statement.
    pub(crate) fn each(&mut self, set: &Set) -> Result<Vec<Option<f64>>, O::Error> {
        self.ask(&[*set])?;
        let cost = |it: &Statement| Some(it.known(&set.and(&it.relevant))??.cost);
        Ok(self.statements.iter().map(cost).collect())
    }

    /// Candidates of a set that the plan of some statement uses.
    pub(crate) fn used(&mut self, set: &Set) -> Result<Set, O::Error> {
        self.ask(&[*set])?;
        let plans = self.statements.iter().filter_map(|it| it.known(&set.and(&it.relevant))?);
        Ok(plans.fold(Set::default(), |all, plan| all.or(&plan.used)).and(set))
    }

    /// Candidates that are used when as many as possible are there at once.
    pub(crate) fn used_together(&mut self, all: &Set, at_once: usize) -> Result<Set, O::Error> {
        let mut used = Set::default();
        let places: Vec<usize> = all.iter().collect();
        for part in places.chunks(at_once.max(1)) {
            let part: Set = part.iter().copied().collect();
            used = used.or(&self.used(&part)?);
        }
        // The winners of each part against each other.
        let again = self.used(&used)?;
        Ok(if used.len() > at_once { used } else { again.or(&used) })
    }

    /// The largest share of its cost that a statement saves from one set to another.
    pub(crate) fn largest_share(&mut self, from: &Set, to: &Set) -> Result<f64, O::Error> {
        let (from, to) = (self.each(from)?, self.each(to)?);
        let shares = from.iter().zip(&to).filter_map(|(from, to)| {
            let (from, to) = ((*from)?, (*to)?);
            (from > 0.0).then_some((from - to) / from)
        });
        Ok(shares.fold(0.0, f64::max))
    }

    fn sum(&self, set: &Set) -> f64 {
        let cost = |it: &Statement| Some(it.weight * it.known(&set.and(&it.relevant))??.cost);
        let reads: f64 = self.statements.iter().filter_map(cost).sum();
        let writes: f64 = set.iter().filter_map(|at| self.charges.get(at)).sum();
        reads + writes
    }

    /// Asks what is not known yet.
    fn ask(&mut self, sets: &[Set]) -> Result<(), O::Error> {
        let mut questions: Vec<Question> = Vec::new();
        let mut new = std::collections::HashSet::new();
        for set in sets {
            for (statement, it) in self.statements.iter_mut().enumerate() {
                self.requests += 1;
                let with = set.and(&it.relevant);
                let question = Question { statement, with };
                match it.known(&with) {
                    Some(plan) => {
                        it.exact.entry(with).or_insert(plan);
                    }
                    None if new.insert(question) => questions.push(question),
                    None => {}
                }
            }
        }
        if questions.is_empty() {
            return Ok(());
        }
        self.calls += u64::try_from(questions.len()).unwrap_or(u64::MAX);
        let plans = self.oracle.plans(&self.candidates, &questions)?;
        for (question, plan) in questions.into_iter().zip(plans) {
            if let Some(statement) = self.statements.get_mut(question.statement) {
                statement.exact.insert(question.with, plan);
                statement.asked.extend(plan.map(|plan| (question.with, plan)));
            }
        }
        Ok(())
    }
}
