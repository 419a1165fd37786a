//! One rule about one subject: inactive, pending, firing, about to be over. Not who is told, and not why it happens: `board`.
//!
//! Invariant: it fires only after it has been wrong for all of its time, and is over only after it has been right for all of that.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::saved::SavedAlert;
use super::{Reading, Rule, Severity, Subject, Tuned};

/// Changes (fired, over) within [`FLAPS_WITHIN`] after which it counts as flapping.
const FLAPS: usize = 3;
/// And how long it has to be quiet to be over.
pub(super) const FLAPS_WITHIN: Duration = Duration::from_secs(30 * 60);

/// Where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It is right; remembered because it may be flapping.
    Inactive,
    /// It is wrong, since then.
    Pending(Duration),
    /// It has been wrong for long enough, since then.
    Firing(Duration),
    /// It fired since the first, and is right since the second.
    Ending(Duration, Duration),
}

/// What somebody was told about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) at: Duration,
    pub(super) severity: Severity,
    /// When it had fired then.
    pub(super) since: Duration,
}

/// One rule about one subject.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) rule: &'static Rule,
    pub(super) subject: Subject,
    pub(super) state: State,
    /// The last number that was wrong, and what is known about it.
    pub(super) value: f64,
    pub(super) detail: Option<String>,
    /// `None`: nobody was told, or was told that it is over.
    pub(super) told: Option<Told>,
    /// When it fired and was over.
    changes: VecDeque<Duration>,
    pub(super) flapping: bool,
}

impl Instance {
    pub(super) fn new(rule: &'static Rule, subject: Subject) -> Self {
        Self {
            rule,
            subject,
            state: State::Inactive,
            value: 0.0,
            detail: None,
            told: None,
            changes: VecDeque::new(),
            flapping: false,
        }
    }

    /// What outlives the process; `None`: nothing of it.
    pub(super) fn saved(&self) -> Option<SavedAlert> {
        let worth = self.firing().is_some() || self.told.is_some() || !self.changes.is_empty();
        worth.then(|| SavedAlert {
            rule: self.rule.name.to_owned(),
            subject: self.subject.clone(),
            firing: self.firing(),
            told: self.told,
            changes: self.changes.clone(),
            flapping: self.flapping,
            value: self.value,
            detail: self.detail.clone(),
        })
    }

    /// What was saved. What was about to be over has to be right for all of its time again: nobody has looked meanwhile.
    pub(super) fn restored(rule: &'static Rule, saved: SavedAlert) -> Self {
        let mut changes = saved.changes;
        changes.truncate(FLAPS);
        Self {
            rule,
            subject: saved.subject,
            state: saved.firing.map_or(State::Inactive, State::Firing),
            value: saved.value,
            detail: saved.detail,
            told: saved.told,
            changes,
            flapping: saved.flapping,
        }
    }

    /// A number that is wrong.
    pub(super) fn on_wrong(&mut self, now: Duration, tuned: &Tuned, reading: &Reading) {
        (self.value, self.detail) = (reading.value, reading.detail.clone());
        if let State::Inactive = self.state {
            self.state = State::Pending(now);
        }
        match self.state {
            State::Pending(since) if now.saturating_sub(since) >= tuned.hold => {
                self.state = State::Firing(since);
                self.on_change(now);
            }
            State::Ending(since, _) => self.state = State::Firing(since),
            State::Inactive | State::Pending(_) | State::Firing(_) => {}
        }
    }

    /// The number is right, or cannot be told any more. If it is over with that: since when it fired.
    pub(super) fn on_right(&mut self, now: Duration, resolve_after: Duration) -> Option<Duration> {
        if let State::Firing(since) = self.state {
            self.state = State::Ending(since, now);
        }
        match self.state {
            State::Ending(since, right) if now.saturating_sub(right) >= resolve_after => {
                self.state = State::Inactive;
                self.on_change(now);
                return Some(since);
            }
            State::Pending(_) => self.state = State::Inactive,
            State::Inactive | State::Firing(_) | State::Ending(..) => {}
        }
        None
    }

    fn on_change(&mut self, now: Duration) {
        self.changes.push_back(now);
        while self.changes.len() > FLAPS {
            self.changes.pop_front();
        }
    }

    /// Whether it has changed so often lately that each change is none to tell.
    pub(super) fn changes_often(&self, now: Duration) -> bool {
        let lately = |at: &&Duration| now.saturating_sub(**at) <= FLAPS_WITHIN;
        self.changes.iter().filter(lately).count() >= FLAPS
    }

    /// Whether it has been quiet for so long that it is not flapping any more.
    pub(super) fn is_quiet(&self, now: Duration) -> bool {
        let last = self.changes.back();
        let long = last.is_none_or(|at| now.saturating_sub(*at) > FLAPS_WITHIN);
        self.state == State::Inactive && long
    }

    /// Since when it has been wrong, as far as it fires.
    pub(super) const fn firing(&self) -> Option<Duration> {
        match self.state {
            State::Firing(since) | State::Ending(since, _) => Some(since),
            State::Inactive | State::Pending(_) => None,
        }
    }

    /// Whether it may be why something else is wrong.
    pub(super) const fn may_be_cause(&self) -> bool {
        !matches!(self.state, State::Inactive)
    }

    /// What is wrong, as a sentence.
    pub(super) fn title(&self) -> String {
        self.rule.title.replace("{}", &self.subject.to_string())
    }

    /// The number against its bound, and what else is known.
    pub(super) fn evidence(&self, tuned: &Tuned) -> String {
        let rule = self.rule;
        let flag = tuned.threshold == 0.0 && self.value <= 1.0;
        let mut text = if flag {
            String::new()
        } else {
            format!("{} ({})", rule.unit.write(self.value), rule.condition(tuned))
        };
        if let Some(detail) = &self.detail {
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str(detail);
        }
        if text.is_empty() { rule.what.to_owned() } else { text }
    }
}
