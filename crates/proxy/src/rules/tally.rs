//! How often each rule had a part in something, and the lines about it in the log. Not the deciding.
//!
//! Invariant: of one form of statement there is one line a minute and rule at most, and nothing in it that a value may hold.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use howdah_core::limits;
use howdah_core::rules::{Action, Rules, Verdict};
use howdah_sql::{Analysis, Class};

use crate::clock;
use crate::error::seconds;
use crate::report::RuleReport;

/// How long nothing more is logged of a form of statement that a rule has met.
const QUIET: Duration = Duration::from_secs(60);

/// Counts of one rule.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    hits: u64,
    blocked: u64,
    flagged: u64,
    last: Option<Instant>,
}

/// Counts of all rules, by their place.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    tallies: Vec<Tally>,
    /// When a rule's meeting with a form of statement was logged last.
    logged: HashMap<(usize, u64), Instant>,
}

impl Tallies {
    /// Rules have changed: those of the same name keep their counts.
    pub(super) fn reload(&mut self, old: &Rules, new: &Rules) {
        let kept = |name: &str| {
            let at = old.iter().position(|rule| rule.name == name)?;
            self.tallies.get(at).copied()
        };
        self.tallies = new.iter().map(|rule| kept(&rule.name).unwrap_or_default()).collect();
        self.logged.clear();
    }

    pub(super) fn count(
        &mut self,
        rules: &Rules,
        verdict: &Verdict,
        (analysis, user, database): (&Analysis, &str, &str),
        now: Instant,
    ) {
        for at in verdict.rules() {
            let Some(tally) = self.tallies.get_mut(at) else { continue };
            let blocked = verdict.blocked_by() == Some(at);
            let flagged = verdict.flagged_by().any(|rule| rule == at);
            tally.hits += 1;
            tally.blocked += u64::from(blocked);
            tally.flagged += u64::from(flagged);
            tally.last = Some(now);
            if !(blocked || flagged) || !self.is_to_be_logged(at, analysis, now) {
                continue;
            }
            let rule = rules.get(at).map_or("", |rule| rule.name.as_str());
            let action = if blocked { Action::Block } else { Action::Flag }.as_str();
            let undecided = verdict.undecided.contains(&at);
            let signals: Vec<_> = verdict.signals.iter().map(|signal| signal.as_str()).collect();
            tracing::warn!(
                rule,
                action,
                undecided,
                user,
                database,
                fingerprint = format_args!("{:016x}", analysis.fingerprint.0),
                signals = signals.join(", "),
                statement = text(analysis),
                "a rule about statements"
            );
        }
    }

    fn is_to_be_logged(&mut self, rule: usize, analysis: &Analysis, now: Instant) -> bool {
        let quiet = |since: &Instant| now.saturating_duration_since(*since) < QUIET;
        let key = (rule, analysis.fingerprint.0);
        if self.logged.get(&key).is_some_and(quiet) {
            return false;
        }
        if self.logged.len() >= limits::LOGGED_FORMS {
            self.logged.retain(|_, since| quiet(since));
        }
        let room = self.logged.len() < limits::LOGGED_FORMS;
        if room {
            self.logged.insert(key, now);
        }
        room
    }

    pub(super) fn report(&self, rules: &Rules) -> Vec<RuleReport> {
        let of = |(rule, tally): (&howdah_core::rules::Rule, &Tally)| RuleReport {
            name: rule.name.clone(),
            conditions: rule.conditions.to_string(),
            effect: effect(rule),
            hits: tally.hits,
            blocked: tally.blocked,
            flagged: tally.flagged,
            last_hit: tally.last.map(clock::date_of),
        };
        rules.iter().zip(&self.tallies).map(of).collect()
    }
}

/// What a rule does, in a few words.
fn effect(rule: &howdah_core::rules::Rule) -> String {
    let action = rule.action.map(|action| action.as_str().to_owned());
    let timeout = rule.query_timeout.map(|time| format!("query_timeout={}", seconds(time)));
    let rows = rule.max_rows.map(|rows| format!("max_rows={rows}"));
    let parts: Vec<_> = action.into_iter().chain(timeout).chain(rows).collect();
    parts.join(" ")
}

/// The statement without its values. Other statements than queries keep theirs in the normal form, passwords among them.
fn text(analysis: &Analysis) -> &str {
    let query = |class: &Class| matches!(class, Class::Read | Class::Write);
    let classes = analysis.details.as_ref().map(|details| &details.classes);
    if classes.is_some_and(|classes| classes.iter().all(query)) { &analysis.text } else { "…" }
}
