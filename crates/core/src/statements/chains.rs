//! What several units and sessions have in common: how often a statement ran once for each row of another one, and how sure that is. Not how it is seen (`chain`).
//!
//! Invariant: what was refuted more often than confirmed is not told of.

use std::sync::Arc;

use super::chain::{Bond, Chain};
use super::facet::Origin;

/// Answers of a form that are listened to after it was suspected.
const LISTENED: u8 = 16;
/// How often that is begun anew because the form was suspected again: most of its answers may be asked for by themselves.
const AGAIN: u8 = 64;
/// Forms that are suspected at a time.
const SUSPECTS: usize = 64;

/// How sure it is that statements run once for each row of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sureness {
    /// It is not so: other values are asked for than were given.
    Refuted,
    /// It looks like it.
    Candidate,
    /// The counts agree several times or exactly, or the values do.
    Likely,
    /// The values agree, again and again, in several sessions.
    Certain,
}

/// What was seen of one pair of forms.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sightings {
    /// Units in which it was so.
    pub times: u64,
    /// Calls in them.
    pub calls: u64,
    /// Microseconds that one call for all would have saved.
    pub wasted_us: u64,
    /// Number of the value that is another one each time, from 1.
    pub varying: u8,
    exact: u64,
    by_value: u64,
    refuted: u64,
    /// Bits of the sessions and of the numbers of calls.
    sessions: u64,
    counts: u64,
    alone: bool,
    pub(super) origin: Origin,
}

impl Sightings {
    /// One more, in a session with this number.
    pub(super) fn see(&mut self, chain: &Chain, session: u64) {
        let bit = |number: u64| 1_u64.rotate_left(u32::try_from(number % 64).unwrap_or(0));
        if chain.bond == Bond::Refuted {
            self.refuted += 1;
            return;
        }
        self.times += 1;
        self.calls += chain.calls;
        self.wasted_us = self.wasted_us.saturating_add(chain.wasted_us);
        self.varying = chain.varying;
        self.exact += u64::from(chain.bond == Bond::Exact);
        self.by_value += u64::from(chain.bond == Bond::Values);
        self.alone = chain.bond == Bond::Alone;
        self.sessions |= bit(session);
        self.counts |= bit(chain.calls);
        self.origin = chain.origin;
    }

    /// Adds others.
    pub(super) fn add(&mut self, other: &Self) {
        self.times += other.times;
        self.calls += other.calls;
        self.wasted_us = self.wasted_us.saturating_add(other.wasted_us);
        self.exact += other.exact;
        self.by_value += other.by_value;
        self.refuted += other.refuted;
        self.sessions |= other.sessions;
        self.counts |= other.counts;
        if other.times > 0 {
            (self.varying, self.alone) = (other.varying, other.alone);
            self.origin = other.origin;
        }
    }

    /// Sessions in which it was so: of two and more it is only certain that they are several.
    #[must_use]
    pub const fn sessions(&self) -> u32 {
        self.sessions.count_ones()
    }

    /// How sure it is.
    #[must_use]
    pub const fn sureness(&self) -> Sureness {
        let (several, counts) = (self.sessions() >= 2, self.counts.count_ones() >= 2);
        if self.refuted > self.by_value {
            return Sureness::Refuted;
        }
        if self.alone {
            let likely = self.times >= 3 && several && counts;
            return if likely { Sureness::Likely } else { Sureness::Candidate };
        }
        if self.by_value >= 3 && several {
            return Sureness::Certain;
        }
        let agree = self.times >= 2 && counts || self.times >= 3 && several;
        if self.by_value > 0 || self.exact > 0 || agree {
            return Sureness::Likely;
        }
        Sureness::Candidate
    }
}

/// Statements that ran once for every row of others.
#[derive(Debug, Clone)]
pub struct ChainTotal {
    /// The name clients use.
    pub database: Arc<str>,
    /// The name clients use.
    pub user: Arc<str>,
    /// Fingerprint of the statement that gave the rows; `None`: not seen.
    pub parent: Option<u64>,
    /// Fingerprint of the one that ran for each of them.
    pub child: u64,
    /// What was seen.
    pub seen: Sightings,
    /// Application and route of the last of them; empty: it said none.
    pub application: Arc<str>,
    /// See [`ChainTotal::application`].
    pub route: Arc<str>,
    /// When it was seen last, in seconds.
    pub last: u64,
}

/// Forms that gave as many rows as another one ran: whether they gave what that asked for has to be listened to.
#[derive(Debug, Default)]
pub(super) struct Suspects(Vec<Suspect>);

#[derive(Debug)]
struct Suspect {
    form: u64,
    /// Answers that are still listened to.
    left: u8,
    again: u8,
}

impl Suspects {
    /// A chain was seen.
    pub(super) fn on_chain(&mut self, chain: &Chain) {
        let Some(parent) = chain.parent else { return };
        if let Some(known) = self.0.iter_mut().find(|known| known.form == parent) {
            if known.left == 0 && known.again > 0 {
                (known.left, known.again) = (LISTENED, known.again - 1);
            }
            return;
        }
        if self.0.len() >= SUSPECTS {
            self.0.remove(0);
        }
        self.0.push(Suspect { form: parent, left: LISTENED, again: AGAIN });
    }

    /// Whether the next answer of a form should be listened to.
    pub(super) fn listen(&mut self, form: u64) -> bool {
        let found = self.0.iter_mut().find(|known| known.form == form && known.left > 0);
        found.map(|known| known.left -= 1).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_listened_to_again_as_often_as_it_is_suspected_again_up_to_a_bound() {
        let chain = Chain {
            parent: Some(1),
            child: 2,
            calls: 10,
            varying: 1,
            bond: Bond::Exact,
            wasted_us: 0,
            origin: Origin::default(),
        };
        let mut suspects = Suspects::default();
        assert!(!suspects.listen(1));
        let mut listened = 0;
        for _ in 0..1_000 {
            suspects.on_chain(&chain);
            while suspects.listen(1) {
                listened += 1;
            }
        }
        assert_eq!(listened, u32::from(LISTENED) * (1 + u32::from(AGAIN)));
        assert!(!suspects.listen(2), "the one that asks is not what gives");
    }
}
