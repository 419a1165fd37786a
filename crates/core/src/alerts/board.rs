//! All alerts: what fires, who is told about what, which is the cause of which, what is silenced. Not where messages go.
//!
//! Invariant: nobody is told of a consequence while its cause is wrong, and a cause is as bad as the worst of its consequences; whoever was told that
//! something is wrong is told once that it is over.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::instance::{Instance, State, Told};
use super::saved::{Saved, SavedSilence};
use super::{Notice, Number, Occasion, Reading, Rule, Severity, Subject, Tuned, Tuning};
use crate::limits;

/// Alerts that are over, and messages, that are remembered.
const REMEMBERED: usize = 100;

/// An alert that is not inactive.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Its rule.
    pub rule: &'static Rule,
    /// What it is about.
    pub subject: Subject,
    /// `pending`, `firing` or `ending` (right again, but not yet for long enough).
    pub state: &'static str,
    /// How bad it is, its consequences included.
    pub severity: Severity,
    /// A sentence.
    pub title: String,
    /// The number against its bound.
    pub evidence: String,
    /// The last number that was wrong.
    pub value: f64,
    /// How long it has been wrong.
    pub lasting: Duration,
    /// The name of the rule that is why; nobody is told of this one apart.
    pub cause: Option<&'static str>,
    /// Nobody is told.
    pub silenced: bool,
    /// It comes and goes.
    pub flapping: bool,
}

/// An alert that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// Its rule.
    pub rule: &'static Rule,
    /// What it was about.
    pub subject: Subject,
    /// A sentence.
    pub title: String,
    /// When it was first wrong, in the time of the board.
    pub from: Duration,
    /// When it was over.
    pub to: Duration,
}

/// Number of a silence.
pub type SilenceId = u64;

/// Somebody does not want to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its number.
    pub id: SilenceId,
    /// Of this rule; `None`: of none.
    pub rule: Option<&'static str>,
    /// Until then, in the time of the board.
    pub until: Duration,
    /// Why.
    pub reason: String,
}

/// A message that was sent or given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// When, since the start of the process; in the time of the board once it knows of it.
    pub at: Duration,
    /// Where to.
    pub sink: String,
    /// Of which rule.
    pub rule: &'static str,
    /// Why.
    pub occasion: Occasion,
    /// `Err`: why it was not taken; without secrets.
    pub outcome: Result<(), String>,
}

/// All alerts.
#[derive(Debug, Default)]
pub struct Board {
    tuning: Tuning,
    instances: BTreeMap<(usize, Subject), Instance>,
    silences: Vec<Silence>,
    silenced: SilenceId,
    past: VecDeque<Past>,
    deliveries: VecDeque<Delivery>,
    /// Messages that each sink took, and did not.
    sent: BTreeMap<String, (u64, u64)>,
    /// The worst number about each rule, as last read.
    latest: BTreeMap<usize, f64>,
    /// Whether a primary of each cluster answers, as last read.
    primaries: BTreeMap<String, bool>,
    refused_reloads: u64,
    /// Its age when this process began.
    begun: Duration,
    now: Duration,
}

impl Board {
    /// Obeys another configuration. What fires goes on, unless its rule is off now.
    pub fn tune(&mut self, tuning: Tuning) {
        self.tuning = tuning;
    }

    /// What is in force.
    #[must_use]
    pub const fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// What of it is worth more than the process.
    #[must_use]
    pub fn saved(&self) -> Saved {
        let silence = |one: &Silence| SavedSilence {
            id: one.id,
            rule: one.rule.map(str::to_owned),
            until: one.until,
            reason: one.reason.clone(),
        };
        Saved {
            now: self.now,
            alerts: self.instances.values().filter_map(Instance::saved).collect(),
            silences: self.silences.iter().map(silence).collect(),
        }
    }

    /// Goes on for another board, which was saved so long ago. To be called before the first step; rules that there are no more are
    /// left out.
    pub fn restore(&mut self, saved: Saved, ago: Duration) {
        self.begun = saved.now.saturating_add(ago);
        self.now = self.begun;
        for alert in saved.alerts.into_iter().take(limits::ALERTS) {
            if let Some(rule) = super::rule(&alert.rule) {
                let key = (rule.rank(), alert.subject.clone());
                self.instances.insert(key, Instance::restored(rule, alert));
            }
        }
        for one in saved.silences.into_iter().take(limits::SILENCES) {
            let rule = one.rule.as_deref().map(|name| super::rule(name).map(|rule| rule.name));
            // A silence of a rule that is gone is not one of all.
            let Some(rule) = rule.map_or(Some(None), |known| known.map(Some)) else { continue };
            self.silenced = self.silenced.max(one.id);
            let (id, until, reason) = (one.id, one.until, one.reason);
            self.silences.push(Silence { id, rule, until, reason });
        }
    }

    /// Looks at the numbers of this moment, an age of the process; what is to be told, causes first.
    pub fn step(&mut self, now: Duration, readings: &[Reading]) -> Vec<Notice> {
        let now = self.begun.saturating_add(now);
        self.now = now;
        self.silences.retain(|silence| silence.until > now);
        let rules: Vec<(usize, &'static Rule, Tuned)> = self
            .tuning
            .all()
            .enumerate()
            .map(|(rank, (rule, tuned))| (rank, rule, tuned))
            .collect();
        let mut by_number: BTreeMap<Number, Vec<&Reading>> = BTreeMap::new();
        for reading in readings {
            by_number.entry(reading.number).or_default().push(reading);
        }
        let primaries = by_number.get(&Number::NoPrimary).into_iter().flatten();
        self.primaries = primaries
            .filter_map(|reading| Some((reading.subject.cluster.clone()?, reading.value == 0.0)))
            .collect();
        self.latest.clear();
        let mut notices = Vec::new();
        for (rank, rule, tuned) in &rules {
            let of = by_number.get(&rule.number).map(Vec::as_slice).unwrap_or_default();
            self.note_latest(*rank, rule, of);
            self.judge(*rank, rule, tuned, of, &mut notices);
        }
        for (rank, _, tuned) in &rules {
            self.tell(*rank, tuned, &mut notices);
        }
        self.instances.retain(|_, one| one.told.is_some() || !one.is_quiet(now));
        notices
    }

    fn note_latest(&mut self, rank: usize, rule: &Rule, readings: &[&Reading]) {
        let values = readings.iter().map(|reading| reading.value);
        let worst = match rule.bound {
            super::Bound::Above => values.reduce(f64::max),
            super::Bound::Below => values.reduce(f64::min),
        };
        if let Some(worst) = worst {
            self.latest.insert(rank, worst);
        }
    }

    /// Moves all instances of a rule; those that are over are told at once.
    fn judge(
        &mut self,
        rank: usize,
        rule: &'static Rule,
        tuned: &Tuned,
        readings: &[&Reading],
        notices: &mut Vec<Notice>,
    ) {
        let now = self.now;
        let wrong = |reading: &&&Reading| tuned.enabled && rule.is_wrong(tuned, reading.value);
        let wrong: BTreeMap<&Subject, &Reading> =
            readings.iter().filter(wrong).map(|reading| (&reading.subject, *reading)).collect();
        for (subject, reading) in &wrong {
            let known = self.instances.contains_key(&(rank, (*subject).clone()));
            if known || self.instances.len() < limits::ALERTS {
                let make = || Instance::new(rule, (*subject).clone());
                let one = self.instances.entry((rank, (*subject).clone())).or_insert_with(make);
                one.on_wrong(now, tuned, reading);
            }
        }
        let resolve_after = self.tuning.resolve_after;
        let of_rule = (rank, Subject::default())..(rank + 1, Subject::default());
        for ((_, subject), one) in self.instances.range_mut(of_rule) {
            if wrong.contains_key(subject) {
                continue;
            }
            if let Some(from) = one.on_right(now, resolve_after) {
                self.past.push_back(Past {
                    rule,
                    subject: subject.clone(),
                    title: one.title(),
                    from,
                    to: now,
                });
                self.past.drain(..self.past.len().saturating_sub(REMEMBERED));
            }
            let over = one.state == State::Inactive && (!one.flapping || one.is_quiet(now));
            if let Some(told) = one.told.filter(|_| over) {
                (one.told, one.flapping) = (None, false);
                let lasting = now.saturating_sub(told.since);
                notices.push(notice(one, Occasion::Resolved, told.severity, tuned, lasting));
            }
        }
    }

    /// Tells about the instances of a rule that fire.
    fn tell(&mut self, rank: usize, tuned: &Tuned, notices: &mut Vec<Notice>) {
        let now = self.now;
        let of_rule = (rank, Subject::default())..(rank + 1, Subject::default());
        let firing: Vec<Subject> = self
            .instances
            .range(of_rule)
            .filter(|(_, one)| one.firing().is_some())
            .map(|((_, subject), _)| subject.clone())
            .collect();
        for subject in firing {
            let key = (rank, subject);
            let Some(one) = self.instances.get(&key) else { continue };
            if self.is_silenced(one) || (one.told.is_none() && self.cause(one).is_some()) {
                continue;
            }
            let effects = self.effects(one);
            let severity =
                effects.iter().map(|(_, severity)| *severity).fold(tuned.severity, Severity::max);
            let repeat = match severity {
                Severity::Critical => self.tuning.repeat_critical,
                Severity::Warning => self.tuning.repeat,
                // Worth knowing is worth saying once.
                Severity::Info => Duration::MAX,
            };
            let occasion = match &one.told {
                None if one.changes_often(now) => Occasion::Flapping,
                None => Occasion::Fired,
                Some(told) if severity > told.severity => Occasion::Worse,
                Some(told) if now.saturating_sub(told.at) >= repeat && one.flapping => {
                    Occasion::Flapping
                }
                Some(told) if now.saturating_sub(told.at) >= repeat => Occasion::Still,
                Some(_) => continue,
            };
            let lasting = one.firing().map_or(Duration::ZERO, |since| now.saturating_sub(since));
            let mut told = notice(one, occasion, severity, tuned, lasting);
            told.consequences = effects.into_iter().map(|(title, _)| title).collect();
            notices.push(told);
            if let Some(one) = self.instances.get_mut(&key) {
                let since = now.saturating_sub(lasting);
                one.told = Some(Told { at: now, severity, since });
                one.flapping |= occasion == Occasion::Flapping;
            }
        }
    }

    /// What may be why: the first rule in the order of the table that is wrong about something that touches.
    fn cause(&self, one: &Instance) -> Option<&Instance> {
        let is_cause = |other: &&Instance| {
            one.rule.causes.contains(&other.rule.name)
                && other.may_be_cause()
                && other.subject.touches(&one.subject)
                && !self.is_silenced(other)
        };
        self.instances.values().find(is_cause)
    }

    /// The cause that has none itself. Causes stand above in the table, so this ends.
    fn root(&self, one: &Instance) -> Option<&Instance> {
        let mut root = self.cause(one)?;
        while let Some(above) = self.cause(root) {
            root = above;
        }
        Some(root)
    }

    /// What fires because of this one and is told of with it, and how bad it is.
    fn effects(&self, one: &Instance) -> Vec<(String, Severity)> {
        let is_effect = |other: &&Instance| {
            let root = || self.root(other).map(|root| (root.rule.name, &root.subject));
            other.firing().is_some()
                && other.told.is_none()
                && !self.is_silenced(other)
                && root() == Some((one.rule.name, &one.subject))
        };
        let found = self.instances.values().filter(is_effect);
        found.map(|other| (other.title(), self.tuning.of(other.rule).severity)).collect()
    }

    fn is_silenced(&self, one: &Instance) -> bool {
        let of = |silence: &Silence| silence.rule.is_none_or(|rule| rule == one.rule.name);
        self.silences.iter().any(of)
    }

    /// Everything that is not inactive, causes first.
    #[must_use]
    pub fn alerts(&self) -> Vec<Alert> {
        let alert = |one: &Instance| {
            let (state, since) = match one.state {
                State::Inactive => return None,
                State::Pending(since) => ("pending", since),
                State::Firing(since) => ("firing", since),
                State::Ending(since, _) => ("ending", since),
            };
            let tuned = self.tuning.of(one.rule);
            let severities = self.effects(one).into_iter().map(|(_, severity)| severity);
            Some(Alert {
                rule: one.rule,
                subject: one.subject.clone(),
                state,
                severity: severities.fold(tuned.severity, Severity::max),
                title: one.title(),
                evidence: one.evidence(&tuned),
                value: one.value,
                lasting: self.now.saturating_sub(since),
                cause: self.root(one).map(|root| root.rule.name),
                silenced: self.is_silenced(one),
                flapping: one.flapping,
            })
        };
        self.instances.values().filter_map(alert).collect()
    }

    /// The worst number that a rule looks at, as last read; `None`: there is none to tell.
    #[must_use]
    pub fn latest(&self, rule: &Rule) -> Option<f64> {
        self.latest.get(&rule.rank()).copied()
    }

    /// Clusters, and whether a primary of each answers, as last read.
    pub fn primaries(&self) -> impl Iterator<Item = (&str, bool)> {
        self.primaries.iter().map(|(cluster, up)| (cluster.as_str(), *up))
    }

    /// Those that are over, the last one last.
    pub fn past(&self) -> impl DoubleEndedIterator<Item = &Past> {
        self.past.iter()
    }

    /// Its age at the last look: that of the process, and of those that it goes on for.
    #[must_use]
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// From now on nobody is told of a rule, or of any, for so long.
    pub fn silence(
        &mut self,
        rule: Option<&'static Rule>,
        time: Duration,
        reason: &str,
    ) -> SilenceId {
        self.silenced += 1;
        self.silences.drain(..self.silences.len().saturating_sub(limits::SILENCES - 1));
        self.silences.push(Silence {
            id: self.silenced,
            rule: rule.map(|rule| rule.name),
            until: self.now.saturating_add(time),
            reason: reason.to_owned(),
        });
        self.silenced
    }

    /// Ends the silences of a rule, or those of all rules together; how many there were.
    pub fn unsilence(&mut self, rule: Option<&'static Rule>) -> usize {
        let before = self.silences.len();
        self.silences.retain(|silence| silence.rule != rule.map(|rule| rule.name));
        before - self.silences.len()
    }

    /// Silences in force.
    #[must_use]
    pub fn silences(&self) -> &[Silence] {
        &self.silences
    }

    /// A message was taken, or given up.
    pub fn on_delivery(&mut self, mut delivery: Delivery) {
        delivery.at = self.begun.saturating_add(delivery.at);
        let (sent, failed) = self.sent.entry(delivery.sink.clone()).or_default();
        match &delivery.outcome {
            Ok(()) => *sent += 1,
            Err(_) => *failed += 1,
        }
        self.deliveries.push_back(delivery);
        self.deliveries.drain(..self.deliveries.len().saturating_sub(REMEMBERED));
    }

    /// The sinks that there are now; counts of others are forgotten.
    pub fn set_sinks(&mut self, names: &[String]) {
        self.sent.retain(|name, _| names.contains(name));
        for name in names {
            self.sent.entry(name.clone()).or_default();
        }
    }

    /// Messages, the last one last.
    pub fn deliveries(&self) -> impl DoubleEndedIterator<Item = &Delivery> {
        self.deliveries.iter()
    }

    /// Sinks, with the messages that they took and did not take.
    pub fn sinks(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.sent.iter().map(|(name, (sent, failed))| (name.as_str(), *sent, *failed))
    }

    /// A reload was refused.
    pub const fn on_refused_reload(&mut self) {
        self.refused_reloads += 1;
    }

    /// Reloads that were refused.
    #[must_use]
    pub const fn refused_reloads(&self) -> u64 {
        self.refused_reloads
    }
}

fn notice(
    one: &Instance,
    occasion: Occasion,
    severity: Severity,
    tuned: &Tuned,
    lasting: Duration,
) -> Notice {
    Notice {
        occasion,
        rule: one.rule.name,
        severity,
        title: one.title(),
        evidence: one.evidence(tuned),
        first_step: one.rule.first_step,
        subject: one.subject.to_string(),
        consequences: Vec::new(),
        lasting,
        page: one.rule.page.address(),
    }
}
