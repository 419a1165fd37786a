//! Statements that took long: which of them PostgreSQL is asked to explain, how often, and those that are remembered. Not how it is
//! asked (`howdah-proxy`), and not how often forms are slow (`statements`).
//!
//! Invariant: bounded, newest first; nothing in here was a value in a statement, unless the settings say that plans show them.

mod decide;
mod plan;

pub use decide::{Pace, Unexplained, explainable};
pub use plan::{Node, Redact, Unreadable, plan};

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use howdah_wire::sqlstate::SqlState;

use crate::limits;

/// What is known of a plan.
#[derive(Debug, Clone, PartialEq)]
pub enum Planned {
    /// PostgreSQL is being asked.
    Awaited,
    /// How it runs the statement.
    As {
        /// The root of the plan.
        root: Arc<Node>,
        /// It was made without the values of the call.
        generic: bool,
    },
    /// There is none, for this reason.
    Not(Unexplained),
}

impl Planned {
    /// What is to be said about it in words: why there is no plan, or what it does not know.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        match self {
            Self::Awaited => Some("PostgreSQL is being asked".to_owned()),
            Self::As { generic: true, .. } => {
                Some("made without the values of the call".to_owned())
            }
            Self::As { generic: false, .. } => None,
            Self::Not(reason) => Some(reason.to_string()),
        }
    }
}

/// One statement that took long.
#[derive(Debug, Clone, PartialEq)]
pub struct Slow {
    /// When it was answered.
    pub at: Instant,
    /// The name clients use.
    pub database: Box<str>,
    /// The name clients use.
    pub user: Box<str>,
    /// `application_name` of the session.
    pub application: String,
    /// Where the client is.
    pub address: String,
    /// Name of the node that answered.
    pub node: String,
    /// Identity of its form.
    pub fingerprint: u64,
    /// What kind of statement it is, in a word.
    pub kind: &'static str,
    /// Its form, without literals.
    pub text: String,
    /// Microseconds that it waited for a server.
    pub wait_us: u64,
    /// Microseconds that it took from then on.
    pub server_us: u64,
    /// Rows that it returned or changed.
    pub rows: u64,
    /// The error that it ended with.
    pub error: Option<SqlState>,
    /// Its plan.
    pub planned: Planned,
}

impl Slow {
    /// Microseconds in all.
    #[must_use]
    pub const fn time_us(&self) -> u64 {
        self.wait_us.saturating_add(self.server_us)
    }
}

/// Those of the process, as far as they are remembered.
#[derive(Debug, Default)]
pub struct Ring {
    /// Oldest first, each with its number.
    slow: VecDeque<(u64, Slow)>,
    next: u64,
    counts: BTreeMap<Box<str>, u64>,
    plans: u64,
    pace: Pace,
}

impl Ring {
    /// A statement took long. `decided`: why it need not be explained, as far as the statement itself tells. Its number, if PostgreSQL
    /// is to be asked for the plan: [`Self::on_planned`] says what became of that.
    pub fn on_slow(&mut self, mut slow: Slow, decided: Result<(), Unexplained>) -> Option<u64> {
        let room = self.counts.len() < limits::SLOW_DATABASES;
        let name = if room || self.counts.contains_key(&slow.database) {
            slow.database.clone()
        } else {
            "*".into()
        };
        *self.counts.entry(name).or_default() += 1;
        let admitted = decided.and_then(|()| {
            let form = (slow.database.clone(), slow.user.clone(), slow.fingerprint);
            self.pace.admit(form, slow.at)
        });
        slow.planned = admitted.map_or_else(Planned::Not, |()| Planned::Awaited);
        let number = self.next;
        self.next += 1;
        if self.slow.len() >= limits::SLOW {
            self.slow.pop_front();
        }
        self.slow.push_back((number, slow));
        admitted.is_ok().then_some(number)
    }

    /// PostgreSQL has been asked for the plan of the statement with this number. It may have been forgotten meanwhile.
    pub fn on_planned(&mut self, number: u64, planned: Planned) {
        self.pace.on_asked();
        self.plans += u64::from(matches!(planned, Planned::As { .. }));
        if let Some((_, slow)) = self.slow.iter_mut().find(|(known, _)| *known == number) {
            slow.planned = planned;
        }
    }

    /// Those that are remembered, the newest first, each with its number.
    pub fn all(&self) -> impl Iterator<Item = (u64, &Slow)> {
        self.slow.iter().rev().map(|(number, slow)| (*number, slow))
    }

    /// How many there were since the start, by database; `*`: of databases beyond [`limits::SLOW_DATABASES`].
    pub fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(database, count)| (&**database, *count))
    }

    /// Plans that PostgreSQL gave, since the start.
    #[must_use]
    pub const fn plans(&self) -> u64 {
        self.plans
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn slow(at: Instant, fingerprint: u64) -> Slow {
        Slow {
            at,
            database: "shop".into(),
            user: "app".into(),
            application: String::new(),
            address: String::new(),
            node: "primary".to_owned(),
            fingerprint,
            kind: "read",
            text: String::new(),
            wait_us: 1,
            server_us: 2,
            rows: 3,
            error: None,
            planned: Planned::Awaited,
        }
    }

    fn node() -> Arc<Node> {
        let text = br#"[{"Plan": {"Node Type": "Result"}}]"#;
        Arc::new(plan(text, None).expect("a plan"))
    }

    #[test]
    fn the_newest_come_first_and_the_oldest_make_way() {
        let (mut ring, now) = (Ring::default(), Instant::now());
        for form in 0..limits::SLOW as u64 + 10 {
            ring.on_slow(slow(now, form), Err(Unexplained::Off));
        }
        let forms: Vec<u64> = ring.all().map(|(_, slow)| slow.fingerprint).collect();
        assert_eq!(forms.len(), limits::SLOW);
        assert_eq!((forms.first(), forms.last()), (Some(&209), Some(&10)));
        assert_eq!(ring.counts().collect::<Vec<_>>(), [("shop", 210)], "none is lost in counts");
    }

    #[test]
    fn a_plan_finds_its_statement_or_nobody() {
        let (mut ring, now) = (Ring::default(), Instant::now());
        let first = ring.on_slow(slow(now, 1), Ok(())).expect("it is explained");
        let plan = Planned::As { root: node(), generic: false };
        ring.on_planned(first, plan.clone());
        assert_eq!(ring.all().next().map(|(_, slow)| slow.planned.clone()), Some(plan.clone()));
        let second =
            ring.on_slow(slow(now + Duration::from_secs(2), 2), Ok(())).expect("this, too");
        for form in 0..limits::SLOW as u64 {
            ring.on_slow(slow(now, 100 + form), Err(Unexplained::Off));
        }
        ring.on_planned(second, plan);
        assert!(ring.all().all(|(_, slow)| slow.planned == Planned::Not(Unexplained::Off)));
        assert_eq!(ring.plans(), 2);
    }

    #[test]
    fn whoever_is_not_explained_has_the_reason() {
        let (mut ring, now) = (Ring::default(), Instant::now());
        assert!(ring.on_slow(slow(now, 1), Ok(())).is_some());
        assert!(ring.on_slow(slow(now, 1), Ok(())).is_none());
        assert!(ring.on_slow(slow(now, 2), Err(Unexplained::Kind)).is_none());
        let reasons: Vec<_> = ring.all().map(|(_, slow)| slow.planned.clone()).collect();
        let not = Planned::Not;
        assert_eq!(reasons, [not(Unexplained::Kind), not(Unexplained::Lately), Planned::Awaited]);
    }

    #[test]
    fn databases_beyond_the_bound_count_together() {
        let (mut ring, now) = (Ring::default(), Instant::now());
        for number in 0..limits::SLOW_DATABASES + 5 {
            let database = format!("d{number}").into();
            ring.on_slow(Slow { database, ..slow(now, 1) }, Err(Unexplained::Off));
        }
        assert_eq!(ring.counts().find(|(name, _)| *name == "*"), Some(("*", 5)));
    }
}
