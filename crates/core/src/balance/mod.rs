//! Which of several nodes that may serve a read does. Not which may: the caller has looked at roles, freshness, health and drains.
//!
//! Invariant: a choice allocates nothing, and only nodes with a weight that may serve are chosen. The shares of round robin and of weights are
//! exact, not just likely: what a node misses while it may not serve it gets later, within a bound.

mod estimate;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use estimate::Estimate;

use crate::topology::NodeId;

/// Weights are counted in these parts, so that a node that is new can have a part of its own.
const PARTS: u64 = 1024;
/// What a node gets of its weight in the moment it comes (back), as one part in this many.
const FIRST_PART: u64 = 10;
/// The adaptive strategy looks at latencies when the slowest node is this many times slower than the fastest,
const SPREAD: f64 = 2.0;
/// until it is less than this many times.
const CALM: f64 = 1.5;
/// As many turns a node may be owed, and owe, so that one that comes back after long is not flooded.
const OWED: i64 = 16;

/// How a node is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// In turn.
    RoundRobin,
    /// In turn, each as often as its weight says.
    #[default]
    Weighted,
    /// Those with the smallest number, by weight; others only when none of these may serve.
    Priority,
    /// The one with the fewest busy servers for its weight.
    LeastConnections,
    /// The better of two drawn at random, by how long it took to answer lately and how many wait for it already.
    Latency,
    /// By weight while the nodes are about equally fast, by latency when they are not.
    Adaptive,
}

impl Strategy {
    /// The word used in the configuration and in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::Weighted => "weighted",
            Self::Priority => "priority",
            Self::LeastConnections => "least_connections",
            Self::Latency => "latency",
            Self::Adaptive => "adaptive",
        }
    }
}

/// A node that serves reads.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// Which one.
    pub node: NodeId,
    /// Whether it may serve this one.
    pub eligible: bool,
    /// How much of the traffic it should have, against the others' weights; 0: none.
    pub weight: u32,
    /// Smaller numbers come first, with [`Strategy::Priority`].
    pub priority: u32,
    /// Its servers that are in use now.
    pub busy: u32,
    /// How fast others found it, for as long as no answer has been told with [`Balancer::on_answer`].
    pub latency: Option<Duration>,
    /// Since when it may serve: it gets its share little by little from then on.
    pub since: Instant,
}

/// What is remembered of a node from one choice to the next.
#[derive(Debug, Clone, Copy, Default)]
struct Account {
    /// What the others had since it was chosen last, in parts of weight: whoever has most is next.
    credit: i64,
    estimate: Estimate,
}

/// Chooses nodes for one place that routes reads.
#[derive(Debug, Clone)]
pub struct Balancer {
    strategy: Strategy,
    /// How long it takes until a node that comes has its whole share.
    slow_start: Duration,
    /// By [`NodeId`].
    accounts: Vec<Account>,
    /// Whether the adaptive strategy looks at latencies now.
    uneven: bool,
}

impl Balancer {
    /// One for `nodes` nodes, numbered from 0; candidates with higher numbers are never chosen.
    #[must_use]
    pub fn new(strategy: Strategy, slow_start: Duration, nodes: usize) -> Self {
        Self { strategy, slow_start, accounts: vec![Account::default(); nodes], uneven: false }
    }

    /// The strategy.
    #[must_use]
    pub const fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// A node has answered a read, after `latency`.
    pub fn on_answer(&mut self, node: NodeId, latency: Duration, now: Instant) {
        if let Some(account) = self.accounts.get_mut(node.0) {
            account.estimate.on_answer(latency, now);
        }
    }

    /// How long a node takes to answer, as far as is known.
    #[must_use]
    pub fn latency(&self, node: NodeId, now: Instant) -> Option<Duration> {
        self.accounts.get(node.0)?.estimate.at(now).map(Duration::from_secs_f64)
    }

    /// The place in `candidates` of the one that serves next; `None`: none may. `chance` is a fresh random number.
    pub fn choose(&mut self, candidates: &[Candidate], now: Instant, chance: u64) -> Option<usize> {
        let parts = self.slow_start;
        let part = |candidate: &Candidate| share(candidate, parts, now);
        match self.strategy {
            Strategy::RoundRobin => {
                self.next(candidates, |it| part(&Candidate { weight: it.weight.min(1), ..*it }))
            }
            Strategy::Weighted => self.next(candidates, part),
            Strategy::Priority => {
                let usable = candidates.iter().filter(|it| it.may_serve());
                let first = usable.map(|it| it.priority).min()?;
                self.next(candidates, |it| if it.priority == first { part(it) } else { 0 })
            }
            Strategy::LeastConnections => {
                // Busy servers per weight, compared without dividing; equal ones in turn.
                let less = |a: &Candidate, b: &Candidate| {
                    u64::from(a.busy) * part(b) < u64::from(b.busy) * part(a)
                };
                let usable = || candidates.iter().filter(|it| it.may_serve());
                let least = usable().reduce(|a, b| if less(b, a) { b } else { a })?;
                self.next(candidates, |it| if less(least, it) { 0 } else { part(it) })
            }
            Strategy::Latency => self.faster_of_two(candidates, now, chance),
            Strategy::Adaptive => {
                self.look_at_spread(candidates, now);
                if self.uneven {
                    self.faster_of_two(candidates, now, chance)
                } else {
                    self.next(candidates, part)
                }
            }
        }
    }

    /// Smooth weighted round robin: everybody is credited its weight, the richest of those that may serve does and pays for all.
    fn next(
        &mut self,
        candidates: &[Candidate],
        weight: impl Fn(&Candidate) -> u64,
    ) -> Option<usize> {
        let (mut total, mut best) = (0_i64, None);
        for (at, candidate) in candidates.iter().enumerate() {
            let weight = i64::try_from(weight(candidate)).unwrap_or(i64::MAX);
            let Some(account) = self.accounts.get_mut(candidate.node.0) else { continue };
            if weight == 0 {
                continue;
            }
            total = total.saturating_add(weight);
            account.credit = account.credit.saturating_add(weight);
            if !candidate.eligible {
                continue;
            }
            if best.is_none_or(|(_, credit)| account.credit > credit) {
                best = Some((at, account.credit));
            }
        }
        let most = total.saturating_mul(OWED);
        for candidate in candidates.iter().filter(|it| !it.eligible) {
            let Some(account) = self.accounts.get_mut(candidate.node.0) else { continue };
            account.credit = account.credit.min(most);
        }
        let (chosen, _) = best?;
        let account = self.accounts.get_mut(candidates.get(chosen)?.node.0)?;
        account.credit = account.credit.saturating_sub(total).max(-most);
        Some(chosen)
    }

    /// Draws two and takes the better one. One that is new loses against any other as often as its share says.
    fn faster_of_two(&self, candidates: &[Candidate], now: Instant, chance: u64) -> Option<usize> {
        let known = |it: &&Candidate| it.may_serve() && it.node.0 < self.accounts.len();
        let nth = |n: u64| {
            let usable = candidates.iter().enumerate().filter(|(_, it)| known(it));
            usable.skip(usize::try_from(n).unwrap_or(0)).map(|(at, it)| (at, *it)).next()
        };
        let count = candidates.iter().filter(known).count() as u64;
        let (first, rest) = (chance.checked_rem(count)?, chance / count);
        let Some(other) = rest.checked_rem(count - 1) else {
            return nth(first).map(|(at, _)| at);
        };
        let chance = rest / (count - 1);
        let (first, second) = (nth(first)?, nth(if other < first { other } else { other + 1 })?);
        let ripe = |it: &Candidate, chance: u64| {
            let full = u64::from(it.weight) * PARTS;
            chance % PARTS < share(it, self.slow_start, now) * PARTS / full
        };
        let better = match (ripe(&first.1, chance), ripe(&second.1, chance / PARTS)) {
            (true, false) => first,
            (false, true) => second,
            (true, true) | (false, false) => {
                if self.cost(&second.1, now) < self.cost(&first.1, now) { second } else { first }
            }
        };
        Some(better.0)
    }

    /// What one more read would wait at a node, for its weight.
    fn cost(&self, candidate: &Candidate, now: Instant) -> f64 {
        let known = self.estimate(candidate, now).unwrap_or(0.0);
        known * (f64::from(candidate.busy) + 1.0) / f64::from(candidate.weight.max(1))
    }

    /// Seconds.
    fn estimate(&self, candidate: &Candidate, now: Instant) -> Option<f64> {
        let own = self.accounts.get(candidate.node.0)?.estimate.at(now);
        own.or_else(|| candidate.latency.map(|latency| latency.as_secs_f64()))
    }

    fn look_at_spread(&mut self, candidates: &[Candidate], now: Instant) {
        let (mut fastest, mut slowest) = (f64::MAX, 0.0_f64);
        for candidate in candidates.iter().filter(|it| it.may_serve()) {
            let Some(estimate) = self.estimate(candidate, now) else { continue };
            (fastest, slowest) = (fastest.min(estimate), slowest.max(estimate));
        }
        let factor = if self.uneven { CALM } else { SPREAD };
        self.uneven = slowest > fastest * factor;
    }
}

impl Candidate {
    const fn may_serve(&self) -> bool {
        self.eligible && self.weight > 0
    }
}

/// The weight of a candidate in parts; less while it is new.
fn share(candidate: &Candidate, slow_start: Duration, now: Instant) -> u64 {
    let full = u64::from(candidate.weight) * PARTS;
    let age = now.saturating_duration_since(candidate.since);
    if age >= slow_start {
        return full;
    }
    let (age, whole) = (age.as_millis(), slow_start.as_millis().max(1));
    let grown = u64::try_from(u128::from(full) * age / whole).unwrap_or(full);
    grown.clamp(full / FIRST_PART, full)
}
