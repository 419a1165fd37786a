//! The rules about statements as a worker keeps them: which concern which client, what they said of which statement, how often.
//! What they say is decided in `howdah_core::rules`; what a session does about it is in `session`.
//!
//! Invariant: an answer is remembered for the analysis it was made for, as long as the rules are the same; of one that depends on
//! more than the analysis nothing is remembered.

mod counting;
mod session;
mod tally;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use howdah_core::limits;
use howdah_core::rules::{Client, Rule, Rules, Verdict};
use howdah_sql::{Analysis, Fingerprint};

use crate::clock;
use crate::error::Refusal;
use crate::faults::{self, Fault};
use crate::report::RuleReport;

use counting::MaxRows;
pub(crate) use session::Ruling;
use tally::Tallies;

/// Rules that concern a client, as a number that is the same for all whom the same rules concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Concern(usize);

/// Rules that concern somebody, and the address of an analysis.
type Key = (Concern, usize);

/// What was judged, kept so that its address is no other's.
type Judged = (Arc<Analysis>, Rc<Verdict>);

/// A worker's rules.
#[derive(Debug, Default)]
pub(crate) struct Rulebook {
    rules: RefCell<Arc<Rules>>,
    /// Counts changes of the rules; 0: there are none.
    revision: Cell<u64>,
    changes: Cell<u64>,
    concerns: RefCell<Vec<Vec<usize>>>,
    verdicts: RefCell<HashMap<Key, Judged, foldhash::fast::RandomState>>,
    tallies: RefCell<Tallies>,
}

impl Rulebook {
    /// The rules of a reload; equal ones go on as they were.
    pub(crate) fn reload(&self, rules: &Arc<Rules>) {
        if **rules == **self.rules.borrow() {
            return;
        }
        let old = self.rules.replace(Arc::clone(rules));
        self.changes.set(self.changes.get() + 1);
        self.revision.set(if rules.is_empty() { 0 } else { self.changes.get() });
        self.concerns.borrow_mut().clear();
        self.verdicts.borrow_mut().clear();
        self.tallies.borrow_mut().reload(&old, rules);
    }

    /// Whether there are rules.
    #[inline]
    pub(crate) fn is_active(&self) -> bool {
        self.revision.get() > 0 && !faults::is_planted(Fault::SkipRules)
    }

    /// The rules that concern a client; `None`: no rule does.
    fn concern(&self, client: &Client<'_>) -> Option<Concern> {
        let places = self.rules.borrow().concerning(client);
        if places.is_empty() {
            return None;
        }
        let mut concerns = self.concerns.borrow_mut();
        let known = concerns.iter().position(|known| *known == places);
        Some(Concern(known.unwrap_or_else(|| {
            concerns.push(places);
            concerns.len() - 1
        })))
    }

    /// What the rules that concern somebody say about a statement.
    fn judge(&self, concern: Concern, analysis: &Arc<Analysis>, sql: &[u8]) -> Rc<Verdict> {
        let key = (concern, Arc::as_ptr(analysis).addr());
        if let Some((_, verdict)) = self.verdicts.borrow().get(&key) {
            return Rc::clone(verdict);
        }
        let concerns = self.concerns.borrow();
        let places = concerns.get(concern.0).map_or(&[][..], Vec::as_slice);
        let verdict = Rc::new(self.rules.borrow().judge(places, analysis, sql));
        if !verdict.by_text && analysis.fingerprint != Fingerprint(0) {
            let mut verdicts = self.verdicts.borrow_mut();
            if verdicts.len() >= limits::VERDICTS {
                verdicts.clear();
            }
            verdicts.insert(key, (Arc::clone(analysis), Rc::clone(&verdict)));
        }
        verdict
    }

    /// A statement was judged and is refused or runs: counts that, and logs what is to be logged.
    pub(crate) fn count(&self, verdict: &Verdict, analysis: &Analysis, user: &str, database: &str) {
        let rules = self.rules.borrow();
        self.tallies.borrow_mut().count(&rules, verdict, (analysis, user, database), clock::now());
    }

    /// Something of the rule at a place.
    fn rule<T>(&self, at: usize, look: impl FnOnce(&Rule) -> T) -> Option<T> {
        self.rules.borrow().get(at).map(look)
    }

    /// What the client of a refused statement is told.
    fn refusal(&self, at: usize) -> Refusal {
        let name = self.rule(at, |rule| rule.name.clone());
        Refusal::blocked_by_rule(&name.unwrap_or_default())
    }

    /// What the client of a statement with more rows than a rule allows is told.
    fn too_many_rows(&self, (rows, at): MaxRows) -> Refusal {
        let name = self.rule(at, |rule| rule.name.clone());
        Refusal::too_many_rows(&name.unwrap_or_default(), rows)
    }

    /// What the client is told of a text whose rows cannot be counted.
    fn uncountable(&self, (_, at): MaxRows) -> Refusal {
        let name = self.rule(at, |rule| rule.name.clone());
        Refusal::uncountable(&name.unwrap_or_default())
    }

    /// How often each rule had a part in something.
    pub(crate) fn report(&self) -> Vec<RuleReport> {
        self.tallies.borrow().report(&self.rules.borrow())
    }
}
