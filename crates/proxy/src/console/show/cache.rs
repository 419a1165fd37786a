//! `SHOW CACHE`: what the result cache does, one line for each database that uses it; `SHOW CACHE_RULES` and `SHOW CACHE_TABLES`: the
//! same by rules and by tables; `CACHE EXPLAIN`: whether answers to a statement are kept, and why not; and what came of `CACHE WARM`.

use std::rc::Rc;
use std::time::Duration;

use howdah_core::cache::Plan;
use howdah_core::cache::declared::Declared;
use howdah_core::cache::rules::Rule;

use super::super::table::{Columns, Kind, Row, cell};
use super::View;
use super::route;
use crate::cache::warm::Outcome;
use crate::cache::{self, Uses, UsesByName};
use crate::error::Refusal;
use crate::report::{CacheReport, SharedCacheReport};
use crate::worker::Worker;

use Kind::{Int8, Text};

pub(super) const CACHE: Columns = &[
    ("database", Text),
    ("mode", Text),
    ("hits", Int8),
    ("coalesced", Int8),
    ("shared", Int8),
    ("would_hit", Int8),
    ("misses", Int8),
    ("hit_percent", Int8),
    ("kept", Int8),
    ("answered_bytes", Int8),
    ("saved_ms", Int8),
    ("reasons", Text),
    ("all_entries", Int8),
    ("all_bytes", Int8),
    ("news_age_ms", Int8),
    ("trouble", Text),
    ("shared_cache", Text),
    ("patched", Int8),
    ("age_p50_us", Int8),
    ("age_p99_us", Int8),
    ("warmed", Int8),
];

pub(in super::super) const EXPLAINED: Columns = &[
    ("database", Text),
    ("kept", Text),
    ("reason", Text),
    ("explanation", Text),
    ("depends_on", Text),
    ("fingerprint", Text),
    ("rules", Text),
];

pub(in super::super) const WARMED: Columns = &[
    ("remembered", Int8),
    ("warmed", Int8),
    ("already_kept", Int8),
    ("failed", Int8),
    ("left_out", Int8),
];

pub(super) const RULES: Columns = &[
    ("name", Text),
    ("selects", Text),
    ("mode", Text),
    ("level", Text),
    ("max_staleness_ms", Int8),
    ("ttl_ms", Int8),
    ("tags", Text),
    ("hits", Int8),
    ("misses", Int8),
    ("changed", Int8),
];

pub(super) const TABLES: Columns = &[
    ("database", Text),
    ("table", Text),
    ("hits", Int8),
    ("misses", Int8),
    ("hit_percent", Int8),
    ("changed", Int8),
];

/// The line about a statement in a database; without a name in the only one.
///
/// # Errors
/// It is not clear in which database.
pub(in super::super) async fn explain(
    worker: &Rc<Worker>,
    database: Option<&str>,
    sql: &str,
) -> Result<Row, Refusal> {
    let (name, watched) = route::known(worker, database).await?;
    let definitions = watched.map(|watched| watched.definitions()).unwrap_or_default();
    let analysis = worker.analyse(sql.as_bytes());
    let rules = &worker.settings().cache_rules;
    let mut chosen = None;
    let (kept, reason, explanation, sets) =
        match cache::explained(sql.as_bytes(), &analysis, &definitions, rules) {
            Ok(plan) => {
                chosen = rules.about(analysis.fingerprint, plan.relations().into()).chosen;
                let ttl = chosen.as_ref().and_then(|chosen| chosen.ttl);
                ("yes", None, told(&plan, ttl), plan.describe(&definitions))
            }
            Err(refusal) => ("no", Some(refusal.reason.word()), refusal.to_string(), Vec::new()),
        };
    Ok(vec![
        cell(name),
        cell(kept),
        reason.and_then(cell),
        cell(explanation),
        cell(sets.join(", ")),
        cell(format_args!("{:016x}", analysis.fingerprint.0)),
        chosen.and_then(|chosen| cell(chosen.names.join(", "))),
    ])
}

/// For how long answers are kept.
fn told(plan: &Plan, ttl: Option<Duration>) -> String {
    let told = "its answers are kept as long as nothing that they depend on changes";
    match ttl.map(|ttl| ttl.as_secs_f64()) {
        None => told.to_owned(),
        Some(seconds) if plan.covers_all() => format!(
            "its answers are kept for {seconds} s at most; where changes are not followed, also when something has changed"
        ),
        Some(seconds) => format!("{told}, and for {seconds} s at most"),
    }
}

/// What came of asking again.
pub(in super::super) fn warmed(outcome: Outcome) -> Row {
    let Outcome { remembered, warmed, already, failed, left_out } = outcome;
    [remembered, warmed, already, failed, left_out].map(cell).into()
}

pub(super) fn rows(view: &View) -> Vec<Row> {
    view.report.cache.iter().map(|report| row(view, report)).collect()
}

/// Rules, in their order, and how often they had a part in something; and what is said of functions.
pub(super) fn rules(view: &View) -> Vec<Row> {
    let mut used = UsesByName::default();
    for report in &view.report.cache {
        report.counts.used.rules.iter().for_each(|(name, uses)| used.add(name, uses));
    }
    let row = |rule: &Rule| {
        let uses = used.of(&rule.name);
        vec![
            cell(&rule.name),
            cell(&rule.subject),
            rule.mode.and_then(|mode| cell(mode.as_str())),
            rule.level.and_then(|level| cell(level.as_str())),
            rule.max_staleness.and_then(|bound| cell(bound.as_millis())),
            rule.ttl.and_then(|ttl| cell(ttl.as_millis())),
            cell(rule.tags.join(", ")),
            cell(uses.hits),
            cell(uses.misses),
            cell(uses.changed),
        ]
    };
    let declared = |function: &Declared| {
        let subject = format!("function={function}");
        let mut row = vec![cell(&function.name), cell(subject)];
        row.resize(10, None);
        row
    };
    let rules = &view.settings.cache_rules;
    rules.iter().map(row).chain(rules.functions().map(declared)).collect()
}

/// Tables, by what was found and lost of statements that read them.
pub(super) fn tables(view: &View) -> Vec<Row> {
    let row = |database: &str, name: &str, uses: Uses| {
        let percent = (100 * uses.hits).checked_div(uses.hits + uses.misses);
        vec![
            cell(database),
            cell(name),
            cell(uses.hits),
            cell(uses.misses),
            percent.and_then(cell),
            cell(uses.changed),
        ]
    };
    let of = |report: &CacheReport| {
        let tables = report.counts.used.tables.iter();
        tables.map(|(name, uses)| row(&report.database, name, uses)).collect::<Vec<_>>()
    };
    view.report.cache.iter().flat_map(of).collect()
}

fn row(view: &View, report: &CacheReport) -> Row {
    let counts = &report.counts;
    let database = view.settings.database(&report.database);
    let lookups = counts.hits + counts.observed + counts.misses;
    let percent = (100 * (counts.hits + counts.observed)).checked_div(lookups);
    let reasons = counts.reasons.iter().map(|(word, count)| format!("{word}={count}"));
    let age = |part| counts.ages.quantile(part).and_then(cell);
    let changes = view.report.changes_of(&view.settings, &report.database);
    vec![
        cell(&report.database),
        database.and_then(|database| cell(database.cache.mode.as_str())),
        cell(counts.hits),
        cell(counts.coalesced),
        cell(counts.shared),
        cell(counts.observed),
        cell(counts.misses),
        percent.and_then(cell),
        cell(counts.fills),
        cell(counts.bytes),
        cell(counts.saved.as_millis()),
        cell(reasons.collect::<Vec<_>>().join(" ")),
        cell(view.report.cached.0),
        cell(view.report.cached.1),
        changes.and_then(|changes| cell(changes.age?.as_millis())),
        changes.and_then(|changes| changes.trouble.clone()),
        view.report.shared_cache.as_ref().and_then(shared),
        cell(counts.patched),
        age(0.5),
        age(0.99),
        cell(counts.warmed),
    ]
}

/// How the cache that instances share is, in one line.
fn shared(report: &SharedCacheReport) -> Option<String> {
    let counts = &report.counts;
    let state = match &report.trouble {
        None if report.open => "open",
        Some(trouble) => trouble,
        None => "opening",
    };
    cell(format_args!(
        "{state}; hits={} misses={} refused={} errors={} skipped={} written={} dropped={}",
        counts.hits,
        counts.misses,
        counts.refused,
        counts.errors,
        counts.skipped,
        counts.written,
        counts.dropped
    ))
}
