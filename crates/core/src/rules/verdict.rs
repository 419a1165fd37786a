//! What the rules say about one statement. Not who is told of it, and not the counting.
//!
//! Invariant: at most one rule decides; a rule that is undecided never allows.

use std::time::Duration;

use howdah_sql::{Analysis, Signal};

use super::conditions::Statement;
use super::{Action, Rules, Truth};

/// What the rules say about a statement. Places are those of [`Rules::get`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is decided, and by which rule; `None`: it runs.
    pub decided: Option<(Action, usize)>,
    /// Rules that could not be decided, and flag it for that.
    pub undecided: Vec<usize>,
    /// Longest run, and the rule that says so.
    pub query_timeout: Option<(Duration, usize)>,
    /// Rows at most, and the rule that says so.
    pub max_rows: Option<(u64, usize)>,
    /// Signs of injection in the text, if a rule asked for them.
    pub signals: Vec<Signal>,
    /// Another text of the same analysis may be judged otherwise.
    pub by_text: bool,
}

impl Verdict {
    /// Whether it changes nothing: no rule fits, or one allows.
    #[must_use]
    pub fn lets_pass(&self) -> bool {
        matches!(self.decided, None | Some((Action::Allow, _)))
            && self.undecided.is_empty()
            && self.query_timeout.is_none()
            && self.max_rows.is_none()
    }

    /// The rule that refuses the statement.
    #[must_use]
    pub fn blocked_by(&self) -> Option<usize> {
        self.decided.filter(|(action, _)| *action == Action::Block).map(|(_, at)| at)
    }

    /// Rules that flag the statement.
    pub fn flagged_by(&self) -> impl Iterator<Item = usize> + '_ {
        let decided = self.decided.filter(|(action, _)| *action == Action::Flag);
        decided.map(|(_, at)| at).into_iter().chain(self.undecided.iter().copied())
    }

    /// All rules that have a part in this, each once.
    #[must_use]
    pub fn rules(&self) -> Vec<usize> {
        let limits = [self.query_timeout.map(|(_, at)| at), self.max_rows.map(|(_, at)| at)];
        let decided = self.decided.map(|(_, at)| at);
        let mut all: Vec<_> = self
            .undecided
            .iter()
            .copied()
            .chain(decided)
            .chain(limits.into_iter().flatten())
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// How one rule looks at a statement, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// Place of the rule.
    pub rule: usize,
    /// Whether its conditions hold; [`Truth::Fails`], too, if it does not concern the client.
    pub truth: Truth,
    /// Whether it concerns the client.
    pub concerns: bool,
}

impl Rules {
    /// What the rules at these places say about a text. `sql` may be empty if there is none.
    #[must_use]
    pub fn judge(&self, places: &[usize], analysis: &Analysis, sql: &[u8]) -> Verdict {
        let statement = Statement::new(analysis, sql);
        let mut verdict = Verdict::default();
        for (at, rule) in places.iter().filter_map(|at| Some((*at, self.get(*at)?))) {
            let wanted = verdict.decided.is_none() && rule.action.is_some()
                || verdict.query_timeout.is_none() && rule.query_timeout.is_some()
                || verdict.max_rows.is_none() && rule.max_rows.is_some();
            if !wanted {
                continue;
            }
            let mut truth = rule.conditions.hold(&statement, rule.action);
            if truth == Truth::Fails {
                continue;
            }
            if rule.conditions.injection {
                verdict.by_text = true;
                truth = truth.and(rule.conditions.suspect(&statement));
                verdict.signals = statement.signals().to_vec();
            }
            let decides = verdict.decided.is_none();
            match truth {
                Truth::Fails => {}
                Truth::Unknown => match rule.undecided {
                    _ if !decides || matches!(rule.action, None | Some(Action::Allow)) => {}
                    Action::Allow => {}
                    Action::Flag => verdict.undecided.push(at),
                    Action::Block => verdict.decided = Some((Action::Block, at)),
                },
                Truth::Holds => {
                    verdict.decided =
                        verdict.decided.or_else(|| rule.action.map(|action| (action, at)));
                    verdict.query_timeout =
                        verdict.query_timeout.or_else(|| rule.query_timeout.map(|time| (time, at)));
                    verdict.max_rows =
                        verdict.max_rows.or_else(|| rule.max_rows.map(|rows| (rows, at)));
                }
            }
        }
        verdict
    }

    /// How every rule looks at a text, for people; `places` are those of the rules that concern the client.
    #[must_use]
    pub fn explain(&self, places: &[usize], analysis: &Analysis, sql: &[u8]) -> Vec<Trial> {
        let statement = Statement::new(analysis, sql);
        let trials = self.iter().enumerate().map(|(at, rule)| {
            let concerns = places.contains(&at);
            let truth = if concerns {
                let truth = rule.conditions.hold(&statement, rule.action);
                truth.and(rule.conditions.suspect(&statement))
            } else {
                Truth::Fails
            };
            Trial { rule: at, truth, concerns }
        });
        trials.collect()
    }
}
