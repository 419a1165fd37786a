//! A day or a week in one page: what happened, what is different from the time before, what was changed meanwhile. Merged from hours
//! and their histograms, so that a week costs what a few hundred rows cost. Not how it is drawn: `html`, `markdown`.
//!
//! Invariant: every number is of what was observed, and how much that was is said; what cannot be told is absent.

mod html;
mod markdown;

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;

use crate::error::Error;
use crate::marks::Mark;
use crate::read::{Reader, Shape, Statement};
use crate::rings::Ring;
use crate::sample::Sample;
use crate::series::Subject;

/// Lines of a list of statements.
const LINES: usize = 10;
/// A statement is slower when its P95 is so many times what it was, with so many calls in both.
const SLOWER: f64 = 1.5;
const CALLS: u64 = 100;
/// One server error in so many statements is worth a word.
const ERRORS: f64 = 0.001;
/// Marks of a report.
const MARKS: usize = 50;

/// How much time a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// 24 hours.
    Daily,
    /// Seven days.
    Weekly,
}

impl Period {
    /// Seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Daily => 86_400,
            Self::Weekly => 7 * 86_400,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Daily => "day",
            Self::Weekly => "week",
        }
    }
}

/// What happened in some time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Numbers {
    /// Share of the time that was observed.
    pub observed: f64,
    /// Statements.
    pub calls: u64,
    /// Rows.
    pub rows: u64,
    /// Statements that failed, and of these because of the server.
    pub errors: u64,
    /// See `errors`.
    pub errors_server: u64,
    /// Times of statements, in milliseconds.
    pub p50_ms: Option<f64>,
    /// See `p50_ms`.
    pub p95_ms: Option<f64>,
    /// See `p50_ms`.
    pub p99_ms: Option<f64>,
    /// Servers at work, on average.
    pub busy: f64,
    /// Share of the time of statements that they waited for a server.
    pub waited: f64,
    /// Statements that a replica answered.
    pub on_replica: u64,
    /// Requests that were answered from the cache.
    pub cache_hits: u64,
    /// Most clients that waited at once.
    pub waiting_most: u64,
}

/// One hour.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hour {
    /// Its first second, since 1970.
    pub at: u64,
    /// Statements per second.
    pub rate: f64,
    /// Errors per second.
    pub errors: f64,
    /// In milliseconds.
    pub p50_ms: Option<f64>,
    /// In milliseconds.
    pub p99_ms: Option<f64>,
    /// Servers at work, on average.
    pub busy: f64,
}

/// One form of statements.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Its fingerprint.
    pub fingerprint: String,
    /// The name clients use.
    pub database: String,
    /// The name clients use.
    pub user: String,
    /// Without literals.
    pub statement: String,
    /// Share of the time of all.
    pub share: f64,
    /// Calls.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// In milliseconds.
    pub p95_ms: Option<f64>,
    /// The same in the time before.
    pub p95_before_ms: Option<f64>,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// `howdah.report/1`
    pub schema: &'static str,
    /// How much time it is about.
    pub period: Period,
    /// Seconds since 1970.
    pub from: u64,
    /// Seconds since 1970.
    pub to: u64,
    /// In a sentence.
    pub verdict: String,
    /// What happened.
    pub now: Numbers,
    /// What happened in the time before; absent when nothing of it is remembered.
    pub before: Option<Numbers>,
    /// Hour by hour; hours in which nothing was observed are missing.
    pub hours: Vec<Hour>,
    /// Statements that took the most time.
    pub top: Vec<Line>,
    /// Those that are slower than in the time before.
    pub slower: Vec<Line>,
    /// Those that are new, and take the most time of these.
    pub new: Vec<Line>,
    /// What changed meanwhile, oldest first.
    pub marks: Vec<Mark>,
    /// What cannot be told, and why.
    pub missing: Vec<String>,
}

impl Report {
    /// The period up to the end of the hour that `now` is in, in seconds since 1970.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn make(reader: &Reader, period: Period, now: u64) -> Result<Self, Error> {
        let hour = Ring::Hour.seconds();
        let to = (now / hour + 1) * hour;
        let (from, length) = (to - period.seconds(), period.seconds());
        let shape = |from, to| Shape { from, to, step: Some(hour) };
        let span = reader.span(&Subject::All, shape(from, to))?;
        let earlier = reader.span(&Subject::All, shape(from - length, from))?;
        // The hour that has not ended counts as far as it has come.
        let passed = now.saturating_sub(from).clamp(1, length);
        let numbers_now = numbers(&span.whole(), passed);
        let before = (!earlier.slots.is_empty()).then(|| numbers(&earlier.whole(), length));
        let hours = span.slots.iter().map(|(at, sample)| one_hour(*at, sample)).collect();
        let statements = reader.statements(from, to)?;
        let past = reader.statements(from - length, from)?;
        let mut marks = reader.marks(from * 1_000, to * 1_000)?;
        marks.drain(..marks.len().saturating_sub(MARKS));
        let lists = Lists::of(&statements, &past, before.is_some());
        let missing = missing(&numbers_now, before.as_ref(), period);
        let verdict = verdict(period, &numbers_now, before.as_ref(), lists.slower.len());
        Ok(Self {
            schema: "howdah.report/1",
            period,
            from,
            to,
            verdict,
            now: numbers_now,
            before,
            hours,
            top: lists.top,
            slower: lists.slower,
            new: lists.new,
            marks,
            missing,
        })
    }

    /// As a page that needs nothing else.
    #[must_use]
    pub fn html(&self) -> String {
        html::page(self)
    }

    /// As Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        markdown::text(self)
    }
}

/// The sum of a series of everything, by name.
fn sum(sample: &Sample, name: &str) -> u64 {
    let at = Subject::All.series().iter().position(|series| series.name == name);
    at.map_or(0, |at| sample.sum(at))
}

fn errors(sample: &Sample) -> u64 {
    let kinds = ["errors_client", "errors_server", "errors_retryable", "errors_canceled"];
    kinds.iter().map(|kind| sum(sample, kind)).sum()
}

fn quantile(sample: &Sample, share: f64) -> Option<f64> {
    sample.times.quantile(share).map(|us| us as f64 / 1_000.0)
}

fn numbers(sample: &Sample, seconds: u64) -> Numbers {
    let (wait, server) = (sum(sample, "wait_us") as f64, sum(sample, "server_us") as f64);
    let series = Subject::All.series();
    let waiting = series.iter().position(|series| series.name == "clients_waiting");
    let observed = sample.span_us as f64 / 1e6;
    Numbers {
        observed: (observed / seconds.max(1) as f64).min(1.0),
        calls: sum(sample, "calls"),
        rows: sum(sample, "rows"),
        errors: errors(sample),
        errors_server: sum(sample, "errors_server"),
        p50_ms: quantile(sample, 0.5),
        p95_ms: quantile(sample, 0.95),
        p99_ms: quantile(sample, 0.99),
        busy: if observed > 0.0 { server / 1e6 / observed } else { 0.0 },
        waited: if wait + server > 0.0 { wait / (wait + server) } else { 0.0 },
        on_replica: sum(sample, "on_replica"),
        cache_hits: sum(sample, "cache_hits"),
        waiting_most: waiting.map_or(0, |at| sample.most(at)),
    }
}

fn one_hour(at: u64, sample: &Sample) -> Hour {
    let seconds = (sample.span_us as f64 / 1e6).clamp(0.001, Ring::Hour.seconds() as f64);
    Hour {
        at,
        rate: sum(sample, "calls") as f64 / seconds,
        errors: errors(sample) as f64 / seconds,
        p50_ms: quantile(sample, 0.5),
        p99_ms: quantile(sample, 0.99),
        busy: sum(sample, "server_us") as f64 / 1e6 / seconds,
    }
}

struct Lists {
    top: Vec<Line>,
    slower: Vec<Line>,
    new: Vec<Line>,
}

impl Lists {
    fn of(statements: &[Statement], past: &[Statement], comparable: bool) -> Self {
        let key =
            |one: &Statement| (one.fingerprint.clone(), one.database.clone(), one.user.clone());
        let past: BTreeMap<_, &Statement> = past.iter().map(|one| (key(one), one)).collect();
        let whole = statements.iter().map(Statement::time_us).sum::<u64>().max(1) as f64;
        let line = |one: &Statement| Line {
            fingerprint: one.fingerprint.clone(),
            database: one.database.clone(),
            user: one.user.clone(),
            statement: one.text.clone(),
            share: one.time_us() as f64 / whole,
            calls: one.calls(),
            errors: one.errors(),
            p95_ms: quantile(&one.sample, 0.95),
            p95_before_ms: past.get(&key(one)).and_then(|before| quantile(&before.sample, 0.95)),
        };
        let slower = |one: &&Statement| {
            let Some(before) = past.get(&key(one)) else { return false };
            let enough = one.calls() >= CALLS && before.calls() >= CALLS;
            let times = quantile(&one.sample, 0.95).zip(quantile(&before.sample, 0.95));
            enough && times.is_some_and(|(now, before)| now >= before * SLOWER)
        };
        let new = |one: &&Statement| comparable && !past.contains_key(&key(one));
        Self {
            top: statements.iter().take(LINES).map(line).collect(),
            slower: statements.iter().filter(slower).take(LINES).map(line).collect(),
            new: statements.iter().filter(new).take(LINES).map(line).collect(),
        }
    }
}

fn missing(now: &Numbers, before: Option<&Numbers>, period: Period) -> Vec<String> {
    let mut missing = Vec::new();
    if now.observed < 0.99 {
        missing.push(format!(
            "Howdah observed {:.1} % of the {}; what happened in the rest is not known.",
            100.0 * now.observed,
            period.word()
        ));
    }
    match before {
        None => missing.push(format!(
            "Nothing is remembered of the {} before, so nothing is compared.",
            period.word()
        )),
        Some(before) if before.observed < 0.99 => missing.push(format!(
            "Of the {} before, {:.1} % were observed.",
            period.word(),
            100.0 * before.observed
        )),
        Some(_) => {}
    }
    missing
}

fn verdict(period: Period, now: &Numbers, before: Option<&Numbers>, slower: usize) -> String {
    if now.calls == 0 {
        return format!("No statements in this {}.", period.word());
    }
    let failed = now.errors_server as f64 / now.calls as f64;
    let p99 = now.p99_ms.zip(before.and_then(|before| before.p99_ms));
    let mut wrong = Vec::new();
    if failed >= ERRORS {
        wrong.push(format!("{:.2} % of statements failed because of the server", 100.0 * failed));
    }
    if let Some((now, before)) = p99.filter(|(now, before)| *now >= before * SLOWER) {
        wrong.push(format!("P99 went from {} to {}", millis(Some(before)), millis(Some(now))));
    }
    if now.waited >= 0.05 {
        wrong.push(format!(
            "statements spent {:.0} % of their time waiting for a server",
            100.0 * now.waited
        ));
    }
    if slower > 0 {
        wrong.push(format!("{slower} statements are slower than before"));
    }
    if wrong.is_empty() {
        format!("A {} without trouble: {} statements.", period.word(), grouped(now.calls))
    } else {
        let mut text = wrong.join("; ");
        if let Some(first) = text.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        format!("{text}.")
    }
}

/// Milliseconds for people.
fn millis(ms: Option<f64>) -> String {
    match ms {
        None => "–".to_owned(),
        Some(ms) if ms >= 1_000.0 => format!("{:.2} s", ms / 1_000.0),
        Some(ms) if ms >= 100.0 => format!("{ms:.0} ms"),
        Some(ms) if ms >= 1.0 => format!("{ms:.1} ms"),
        Some(ms) => format!("{:.0} µs", ms * 1_000.0),
    }
}

/// A number for people.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A moment for people, in UTC.
fn date(seconds: u64) -> String {
    let text = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds));
    text.to_string().replace('T', " ").chars().take(16).collect()
}

/// The numbers side by side: name, now, before.
fn table(report: &Report) -> Vec<[String; 3]> {
    let row = |name: &str, value: &dyn Fn(&Numbers) -> String| {
        let before = report.before.as_ref().map_or_else(|| "–".to_owned(), value);
        [name.to_owned(), value(&report.now), before]
    };
    let percent = |part: u64, whole: u64| match whole {
        0 => "–".to_owned(),
        whole => format!("{} ({:.2} %)", grouped(part), 100.0 * part as f64 / whole as f64),
    };
    vec![
        row("Statements", &|n| grouped(n.calls)),
        row("Rows", &|n| grouped(n.rows)),
        row("Failed", &|n| percent(n.errors, n.calls)),
        row("Failed because of the server", &|n| percent(n.errors_server, n.calls)),
        row("P50", &|n| millis(n.p50_ms)),
        row("P95", &|n| millis(n.p95_ms)),
        row("P99", &|n| millis(n.p99_ms)),
        row("Servers at work, on average", &|n| format!("{:.2}", n.busy)),
        row("Time spent waiting for a server", &|n| format!("{:.1} %", 100.0 * n.waited)),
        row("Most clients waiting at once", &|n| grouped(n.waiting_most)),
        row("Answered by a replica", &|n| percent(n.on_replica, n.calls)),
        row("Answered from the cache", &|n| grouped(n.cache_hits)),
        row("Time observed", &|n| format!("{:.1} %", 100.0 * n.observed)),
    ]
}
