//! `/api/v1/cache`: what the result cache does in each database, and why it did not answer.
//!
//! Invariant: nothing of an answer is shown.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as With;
use howdah_proxy::report::{CacheReport, Report, SharedCacheReport};
use howdah_proxy::settings::Settings;
use serde_json::{Value, json};

use crate::api::millis;
use crate::server::State;

/// `GET /api/v1/cache`
pub(crate) async fn cache(With(state): With<Arc<State>>) -> Json<Value> {
    let (report, _) = state.observer.look().await;
    let settings = state.observer.settings();
    let forced = state.observer.forced_cache();
    let of = |one: &CacheReport| database(one, &report, &settings);
    Json(json!({
        "schema": "howdah.cache/1",
        "forced": forced.map(|mode| mode.as_str()),
        "answers": report.cached.0,
        "bytes": report.cached.1,
        "shared": report.shared_cache.as_ref().map(shared),
        "databases": report.cache.iter().map(of).collect::<Vec<_>>(),
    }))
}

/// What instances share.
fn shared(report: &SharedCacheReport) -> Value {
    let counts = &report.counts;
    json!({
        "open": report.open,
        "trouble": report.trouble,
        "hits": counts.hits,
        "misses": counts.misses,
        "refused": counts.refused,
        "errors": counts.errors,
        "skipped": counts.skipped,
        "written": counts.written,
        "dropped": counts.dropped,
        "read_bytes": counts.read_bytes,
        "written_bytes": counts.written_bytes,
        "waited_ms": millis(counts.waited),
    })
}

fn database(one: &CacheReport, report: &Report, settings: &Settings) -> Value {
    let counts = &one.counts;
    let configured = settings.database(&one.database);
    let changes = report.changes_of(settings, &one.database);
    json!({
        "database": one.database,
        "mode": configured.map(|database| database.cache.mode.as_str()),
        "bound_ms": configured.map(|database| millis(database.cache.max_staleness)),
        "hits": counts.hits,
        "would_hit": counts.observed,
        "misses": counts.misses,
        "coalesced": counts.coalesced,
        "shared": counts.shared,
        "kept": counts.fills,
        "patched": counts.patched,
        "warmed": counts.warmed,
        "answered_bytes": counts.bytes,
        "saved_ms": millis(counts.saved),
        "reasons": counts.reasons,
        "news_ms": changes.and_then(|changes| changes.age).map(millis),
        "trouble": changes.and_then(|changes| changes.trouble.clone()),
    })
}
