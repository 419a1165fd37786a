//! `SHOW CACHE`: what the result cache does, one line for each database that uses it; and `CACHE EXPLAIN`: whether answers to a
//! statement are kept, and why not.

use std::rc::Rc;

use super::super::table::{Columns, Kind, Row, cell};
use super::View;
use super::route;
use crate::cache;
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
];

pub(in super::super) const EXPLAINED: Columns = &[
    ("database", Text),
    ("kept", Text),
    ("reason", Text),
    ("explanation", Text),
    ("depends_on", Text),
    ("fingerprint", Text),
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
    let (kept, reason, explanation, sets) =
        match cache::explained(sql.as_bytes(), &analysis, &definitions) {
            Ok(plan) => {
                let told = "its answers are kept as long as nothing that they depend on changes";
                ("yes", None, told.to_owned(), plan.describe(&definitions))
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
    ])
}

pub(super) fn rows(view: &View) -> Vec<Row> {
    view.report.cache.iter().map(|report| row(view, report)).collect()
}

fn row(view: &View, report: &CacheReport) -> Row {
    let counts = &report.counts;
    let database = view.settings.database(&report.database);
    let lookups = counts.hits + counts.observed + counts.misses;
    let percent = (100 * (counts.hits + counts.observed)).checked_div(lookups);
    let reasons = counts.reasons.iter().map(|(word, count)| format!("{word}={count}"));
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
