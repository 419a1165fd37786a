//! From facts to named numbers about subjects, with the windows that some of them are taken over. Not when a number is wrong.
//!
//! Invariant: a number that cannot be told (too little traffic, nothing known) is absent, never a guess; bounded by
//! [`limits::ALERT_SUBJECTS`](crate::limits::ALERT_SUBJECTS) databases.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Subject;
use super::observation::{AdviceSeen, CacheSeen, DatabaseSeen, NodeSeen, Observation, PoolSeen};
use super::window::Window;
use crate::limits;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the rules that look at them say what they are")]
pub enum Number {
    StuckWorker,
    Rivals,
    NoPrimary,
    NoNode,
    NewPrimary,
    NodeDown,
    Lag,
    Refused,
    IdleInTransaction,
    OldestTransaction,
    OldestWait,
    ClientShare,
    OutOfResources,
    BurnFast,
    BurnSlow,
    ErrorShare,
    SlowShare,
    PinnedShare,
    CachePaused,
    CacheShare,
    FailedLogins,
    CertificateDays,
    RefusedReloads,
    SinkFailures,
    FormsForgotten,
    OpenAdvice,
}

/// A number about a subject, now.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Which.
    pub number: Number,
    /// About what.
    pub subject: Subject,
    /// How much.
    pub value: f64,
    /// What else is known about it.
    pub detail: Option<String>,
}

/// Server errors that are within the budget: one in a thousand.
const BUDGET: f64 = 0.001;
/// With fewer statements within its shorter window, a share says nothing.
const ENOUGH: u64 = 100;
/// With fewer look-ups a hit ratio says nothing; nor does one that is usually lower than this.
const ENOUGH_LOOKUPS: u64 = 500;
const USUAL_HITS: f64 = 0.1;
/// A pool so small that one pinned server is half of it is none to worry about.
const PINNED_AT_LEAST: u64 = 2;

const MINUTE: u64 = 60;

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * MINUTE)
}

/// What has to be remembered for that.
#[derive(Debug, Default)]
pub struct Numbers {
    /// Calls, server errors, errors, slow ones, errors of class 53; by database.
    databases: BTreeMap<Subject, Window<5>>,
    /// Hits and misses, by database.
    caches: BTreeMap<Subject, Window<2>>,
    /// Failed logins, refused reloads, forgotten forms.
    process: Option<Window<3>>,
    sinks: BTreeMap<String, Window<1>>,
    /// The primary of each cluster, and when it became it in place of another one.
    primaries: BTreeMap<String, (String, Option<Duration>)>,
    /// It has looked before, or the process is young: what is new began at zero.
    begun: bool,
}

/// A process is young for so long.
const YOUNG: Duration = Duration::from_secs(60);

fn window<const N: usize>(begun: bool, now: Duration) -> Window<N> {
    if begun { Window::from_zero(now) } else { Window::default() }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn at(number: Number, subject: Subject, value: f64) -> Reading {
    Reading { number, subject, value, detail: None }
}

fn flag(wrong: bool) -> f64 {
    f64::from(u8::from(wrong))
}

impl Numbers {
    /// The numbers, `now` after the start.
    pub fn read(&mut self, now: Duration, seen: &Observation) -> Vec<Reading> {
        let mut readings = Vec::new();
        self.begun |= now < YOUNG;
        self.clusters(now, seen, &mut readings);
        readings.extend(seen.nodes.iter().flat_map(node));
        readings.extend(seen.pools.iter().flat_map(pool));
        for database in &seen.databases {
            self.database(now, database, &mut readings);
        }
        for cache in &seen.caches {
            self.cache(now, cache, &mut readings);
        }
        self.process(now, seen, &mut readings);
        readings.extend(seen.advice.iter().take(limits::ALERT_SUBJECTS).map(advice));
        for (name, failures) in &seen.sinks {
            let window = self.sinks.entry(name.clone()).or_insert_with(|| window(self.begun, now));
            window.observe(now, [*failures]);
            let [failed] = window.within(minutes(15));
            let subject = Subject { sink: Some(name.clone()), ..Subject::default() };
            readings.push(at(Number::SinkFailures, subject, failed as f64));
        }
        self.sinks.retain(|name, _| seen.sinks.iter().any(|(known, _)| known == name));
        self.begun = true;
        readings
    }

    fn clusters(&mut self, now: Duration, seen: &Observation, readings: &mut Vec<Reading>) {
        let mut clusters: BTreeMap<&str, Vec<&NodeSeen>> = BTreeMap::new();
        for node in &seen.nodes {
            clusters.entry(&node.cluster).or_default().push(node);
        }
        if !seen.nodes.is_empty() {
            let none = seen.nodes.iter().all(|node| !node.answers);
            readings.push(at(Number::NoNode, Subject::process(), flag(none)));
        }
        self.primaries.retain(|cluster, _| clusters.contains_key(&**cluster));
        for (name, nodes) in clusters {
            let subject = Subject::cluster(name);
            let primary = nodes.iter().find(|node| node.primary && node.answers);
            let down =
                nodes.iter().filter(|node| !node.answers).find_map(|node| node.error.clone());
            readings.push(Reading {
                number: Number::NoPrimary,
                subject: subject.clone(),
                value: flag(primary.is_none()),
                detail: down,
            });
            let rivals = nodes.iter().filter(|node| node.rival).count();
            readings.push(at(Number::Rivals, subject.clone(), rivals as f64));
            if let Some(primary) = primary {
                let known = self
                    .primaries
                    .entry(name.to_owned())
                    .or_insert_with(|| (primary.name.clone(), None));
                if known.0 != primary.name {
                    *known = (primary.name.clone(), Some(now));
                }
            }
            if let Some((is, since)) = self.primaries.get(name) {
                let fresh = since.is_some_and(|since| now.saturating_sub(since) < minutes(5));
                let detail = Some(format!("it is {is} now"));
                readings.push(Reading {
                    number: Number::NewPrimary,
                    subject,
                    value: flag(fresh),
                    detail,
                });
            }
        }
    }

    fn database(&mut self, now: Duration, seen: &DatabaseSeen, readings: &mut Vec<Reading>) {
        let subject = Subject::database(&seen.cluster, &seen.name);
        let mut push = |number, value| readings.push(at(number, subject.clone(), value));
        if let Some(age) = seen.oldest_transaction {
            push(Number::OldestTransaction, age.as_secs_f64());
        }
        let full = self.databases.len() >= limits::ALERT_SUBJECTS;
        if !full || self.databases.contains_key(&subject) {
            let window = self.databases.entry(subject.clone());
            let window = window.or_insert_with(|| self::window(self.begun, now));
            let counters =
                [seen.calls, seen.server_errors, seen.errors, seen.slow, seen.out_of_resources];
            window.observe(now, counters);
            let burn = |short: u64, long: u64| {
                let [calls, failed, ..] = window.within(minutes(short));
                let [all, ever, ..] = window.within(minutes(long));
                (calls >= ENOUGH).then(|| share(failed, calls).min(share(ever, all)) / BUDGET)
            };
            if let Some(burn) = burn(5, 60) {
                push(Number::BurnFast, burn);
            }
            if let Some(burn) = burn(30, 360) {
                push(Number::BurnSlow, burn);
            }
            let [calls, _, errors, ..] = window.within(minutes(2));
            if calls >= ENOUGH {
                push(Number::ErrorShare, 100.0 * share(errors, calls));
            }
            let [calls, _, _, slow, refused] = window.within(minutes(5));
            push(Number::OutOfResources, refused as f64);
            if calls >= 3 * ENOUGH {
                push(Number::SlowShare, 100.0 * share(slow, calls));
            }
        }
        if let Some((idle, who)) = &seen.idle_in_transaction {
            let (number, value) = (Number::IdleInTransaction, idle.as_secs_f64());
            readings.push(Reading { number, subject, value, detail: Some(who.clone()) });
        }
    }

    fn cache(&mut self, now: Duration, seen: &CacheSeen, readings: &mut Vec<Reading>) {
        let subject = Subject::database(&seen.cluster, &seen.database);
        readings.push(Reading {
            number: Number::CachePaused,
            subject: subject.clone(),
            value: flag(seen.trouble.is_some()),
            detail: seen.trouble.clone(),
        });
        if self.caches.len() >= limits::ALERT_SUBJECTS && !self.caches.contains_key(&subject) {
            return;
        }
        let window = self.caches.entry(subject.clone());
        let window = window.or_insert_with(|| self::window(self.begun, now));
        window.observe(now, [seen.hits, seen.misses]);
        let ([hits, misses], [all_hits, all_misses]) =
            (window.within(minutes(5)), window.within(minutes(360)));
        // What is usual is what was before: the last minutes would hide their own fall.
        let (lookups, before) = (hits + misses, (all_hits + all_misses) - (hits + misses));
        let usual = share(all_hits - hits, before);
        if lookups >= ENOUGH_LOOKUPS && before >= ENOUGH_LOOKUPS && usual >= USUAL_HITS {
            let value = 100.0 * share(hits, lookups) / usual;
            readings.push(at(Number::CacheShare, subject, value));
        }
    }

    fn process(&mut self, now: Duration, seen: &Observation, readings: &mut Vec<Reading>) {
        let window = self.process.get_or_insert_with(|| window(self.begun, now));
        window.observe(now, [seen.failed_logins, seen.refused_reloads, seen.forgotten]);
        let mut push = |number, value| readings.push(at(number, Subject::process(), value));
        let stuck = seen.workers.iter().max().copied().unwrap_or_default();
        push(Number::StuckWorker, stuck.as_secs_f64());
        push(Number::ClientShare, 100.0 * share(seen.clients.0, seen.clients.1));
        let [logins, ..] = window.within(minutes(5));
        push(Number::FailedLogins, logins as f64);
        let [_, reloads, forgotten] = window.within(minutes(10));
        push(Number::RefusedReloads, reloads as f64);
        push(Number::FormsForgotten, forgotten as f64);
        if let Some(left) = seen.certificate {
            push(Number::CertificateDays, left.as_secs_f64() / 86_400.0);
        }
    }
}

fn advice(seen: &AdviceSeen) -> Reading {
    Reading {
        number: Number::OpenAdvice,
        subject: Subject { database: Some(seen.database.clone()), ..Subject::default() },
        value: seen.high as f64,
        detail: Some(seen.first.clone()),
    }
}

fn node(seen: &NodeSeen) -> Vec<Reading> {
    if seen.primary || seen.rival || seen.drained {
        return Vec::new();
    }
    let subject = Subject::node(&seen.cluster, &seen.name);
    let down = Reading {
        number: Number::NodeDown,
        subject: subject.clone(),
        value: flag(!seen.answers || !seen.belongs),
        detail: seen.error.clone(),
    };
    let lag = seen.lag.filter(|_| seen.answers);
    let lag = lag.map(|lag| at(Number::Lag, subject, lag.as_secs_f64()));
    std::iter::once(down).chain(lag).collect()
}

fn pool(seen: &PoolSeen) -> Vec<Reading> {
    if seen.paused {
        return Vec::new();
    }
    let subject = Subject {
        node: Some(seen.node.clone()),
        user: Some(seen.user.clone()),
        ..Subject::database(&seen.cluster, &seen.database)
    };
    let waiting = if seen.waiting > 0 { seen.oldest_wait } else { Duration::ZERO };
    let pinned =
        if seen.pinned >= PINNED_AT_LEAST { share(seen.pinned, seen.max_size) } else { 0.0 };
    vec![
        Reading {
            number: Number::Refused,
            subject: subject.clone(),
            value: flag(seen.error.is_some() && seen.active == 0),
            detail: seen.error.clone(),
        },
        Reading {
            number: Number::OldestWait,
            subject: subject.clone(),
            value: waiting.as_secs_f64(),
            detail: Some(format!(
                "{} wait, {} of {} servers are busy",
                seen.waiting, seen.active, seen.max_size
            )),
        },
        at(Number::PinnedShare, subject, 100.0 * pinned),
    ]
}
