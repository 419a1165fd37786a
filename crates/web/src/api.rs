//! The JSON interface, `/api/v1/…`: what the dashboard reads, and whoever else wants to. Times are in milliseconds.
//!
//! Invariant: every answer names its schema and version; a field is added without a new version, never taken away.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State as With};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use howdah_core::statements::{Entry, Fault, Histogram, Overheads, Share, Sums};
use howdah_proxy::report::{NodeReport, PoolReport, SessionReport};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::findings::{self, MINUTES, recent};
use crate::origins::{OriginFilter, origins};
use crate::score::{WINDOW, score};
use crate::server::State;
use crate::snapshot::{Snapshot, entries};

/// Lines of a list unless more are asked for, and at most.
const LINES: usize = 100;
const MOST_LINES: usize = 1_000;

pub(crate) fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Nodes that are as they should be, and all.
pub(crate) fn nodes_well(nodes: &[NodeReport]) -> (usize, usize) {
    (nodes.iter().filter(|node| is_well(node)).count(), nodes.len())
}

/// Whether a node answers.
pub(crate) fn is_well(node: &NodeReport) -> bool {
    node.is_well()
}

/// What the live stream tells every second.
pub(crate) fn live(state: &State, snapshot: &Snapshot, point: &impl serde::Serialize) -> Value {
    let counts = state.history.lock().recent(WINDOW);
    json!({
        "point": point,
        "uptime_s": snapshot.report().uptime.as_secs(),
        "clients": snapshot.report().clients,
        "max_clients": snapshot.max_clients,
        "findings": findings::current(&state.observer, snapshot),
        "score": score(&counts, nodes_well(&snapshot.report().nodes)),
    })
}

/// `GET /api/v1/overview`
pub(crate) async fn overview(With(state): With<Arc<State>>) -> Json<Value> {
    let snapshot = Snapshot::take(&state.observer).await;
    let now = snapshot.report().uptime.as_secs();
    let (sums, times) = snapshot.all();
    let overheads = snapshot.overheads();
    let (points, counts) = {
        let history = state.history.lock();
        (history.points(), history.recent(WINDOW))
    };
    Json(json!({
        "schema": "howdah.overview/1",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": now,
        "clients": snapshot.report().clients,
        "max_clients": snapshot.max_clients,
        "listening": snapshot.report().listening.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "databases": snapshot.report().databases.iter().map(|database| &database.name).collect::<Vec<_>>(),
        "statements": totals(&sums, &times, &overheads),
        "kinds": snapshot.totals.iter().map(|one| {
            let mut value = totals(&one.total.sums, &one.total.times, &one.total.overheads);
            if let Some(value) = value.as_object_mut() {
                value.insert("database".to_owned(), json!(one.database));
                value.insert("kind".to_owned(), json!(one.kind));
            }
            value
        }).collect::<Vec<_>>(),
        "findings": findings::current(&state.observer, &snapshot),
        "score": score(&counts, nodes_well(&snapshot.report().nodes)),
        "history": points,
    }))
}

fn totals(sums: &Sums, times: &Histogram, overheads: &Overheads) -> Value {
    let overheads = overheads.histogram();
    json!({
        "calls": sums.calls,
        "rows": sums.rows,
        "errors": sums.all_errors(),
        "on_replica": sums.on_replica,
        "shared": sums.shared,
        "cached": sums.cached,
        "total_ms": ms(sums.time_us()),
        "wait_ms": ms(sums.wait_us),
        "server_ms": ms(sums.server_us),
        "overhead_ms": ms(sums.overhead_us),
        "overhead_p50_ms": overheads.quantile(0.5).map(ms),
        "overhead_p99_ms": overheads.quantile(0.99).map(ms),
        "longest_ms": ms(sums.longest_us),
        "p50_ms": times.quantile(0.5).map(ms),
        "p95_ms": times.quantile(0.95).map(ms),
        "p99_ms": times.quantile(0.99).map(ms),
        "p999_ms": times.quantile(0.999).map(ms),
    })
}

/// What several lines have in common.
fn together<'a>(entries: impl Iterator<Item = &'a Entry>) -> (Sums, Histogram, Overheads) {
    let mut all = (Sums::default(), Histogram::default(), Overheads::default());
    for entry in entries {
        all.0.add(&entry.sums);
        all.1.add(&entry.times);
        all.2.add(&entry.overheads);
    }
    all
}

fn line(entry: &Entry, now: u64) -> Value {
    let (calls, time_us, errors) = recent(entry, now);
    let mut value = totals(&entry.sums, &entry.times, &entry.overheads);
    let more = json!({
        "fingerprint": entry.fingerprint.map(|fingerprint| format!("{fingerprint:016x}")),
        "database": &*entry.database,
        "user": &*entry.user,
        "kind": entry.kind,
        "statement": &*entry.text,
        "errors_by": Fault::ALL.iter().map(|fault| (fault.as_str(), entry.sums.errors_of(*fault))).collect::<std::collections::BTreeMap<_, _>>(),
        "recent": { "minutes": MINUTES, "calls": calls, "total_ms": ms(time_us), "errors": errors },
        "minutes": minutes(entry, now),
        "first_seen_s": now.saturating_sub(entry.seen.0),
        "last_seen_s": now.saturating_sub(entry.seen.1),
    });
    if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
    value
}

/// The last half hour, minute by minute, oldest first: calls, milliseconds, errors.
fn minutes(entry: &Entry, now: u64) -> Vec<(u64, f64, u64)> {
    let last = now / 60;
    let of = |back: u64| {
        let number = last.checked_sub(back);
        let found = entry.minutes.iter().find(|minute| Some(minute.number) == number);
        found.map_or((0, 0.0, 0), |minute| (minute.calls, ms(minute.time_us), minute.errors))
    };
    (0..30).rev().map(of).collect()
}

/// What a list of statements is asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    limit: Option<usize>,
    database: Option<String>,
    #[serde(flatten)]
    from: OriginFilter,
}

/// `GET /api/v1/queries`
pub(crate) async fn queries(
    With(state): With<Arc<State>>,
    Query(wanted): Query<Wanted>,
) -> Json<Value> {
    // Workers tell what they have counted when they are asked how they are.
    let (report, _) = state.observer.look().await;
    let now = report.uptime.as_secs();
    let here = |entry: &Entry| {
        wanted.database.as_deref().is_none_or(|database| *entry.database == *database)
    };
    let found = entries(&state.observer, here);
    let part = |entry| Some((wanted.from.part(&entry)?, entry));
    let mut found: Vec<(Share, Entry)> = found.into_iter().filter_map(part).collect();
    found.sort_by_key(|(part, _)| std::cmp::Reverse(part.time_us));
    let (sums, times, overheads) = together(found.iter().map(|(_, entry)| entry));
    let shown = |(part, entry): &(Share, Entry)| {
        let mut value = line(entry, now);
        if let Some(value) = value.as_object_mut() {
            let part = json!({ "calls": part.calls, "total_ms": ms(part.time_us) });
            value.insert("part".to_owned(), part);
        }
        value
    };
    let limit = wanted.limit.unwrap_or(LINES).min(MOST_LINES);
    Json(json!({
        "schema": "howdah.queries/1",
        "forms": found.len(),
        "totals": totals(&sums, &times, &overheads),
        "from": origins(found.iter().map(|(_, entry)| entry)),
        "queries": found.iter().take(limit).map(shown).collect::<Vec<_>>(),
    }))
}

fn missing(what: &str) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": what }))).into_response()
}

/// `GET /api/v1/queries/{fingerprint}`
pub(crate) async fn query(
    With(state): With<Arc<State>>,
    Path(fingerprint): Path<String>,
) -> Response {
    let Ok(wanted) = u64::from_str_radix(&fingerprint, 16) else {
        return missing("a fingerprint is 16 hexadecimal digits, as /api/v1/queries lists them");
    };
    let (report, sessions) = state.observer.look().await;
    let now = report.uptime.as_secs();
    let found = entries(&state.observer, |entry| entry.fingerprint == Some(wanted));
    let Some(first) = found.first() else {
        return missing(
            "no statement of this fingerprint has run, or it had to make way for others",
        );
    };
    let (sums, times, overheads) = together(found.iter());
    let buckets = times.counts().iter().enumerate().filter(|(_, count)| **count > 0);
    let buckets: Vec<(f64, f64, u64)> = buckets
        .map(|(at, count)| (ms(Histogram::lower(at)), ms(Histogram::lower(at + 1)), *count))
        .collect();
    let running = sessions.iter().filter(|session| {
        session.fingerprint == Some(wanted) && matches!(session.state, "active" | "waiting")
    });
    Json(json!({
        "schema": "howdah.query/1",
        "fingerprint": format!("{wanted:016x}"),
        "statement": &*first.text,
        "kind": first.kind,
        "totals": totals(&sums, &times, &overheads),
        "buckets": buckets,
        "from": origins(found.iter()),
        "by": found.iter().map(|entry| line(entry, now)).collect::<Vec<_>>(),
        "running": running.map(session).collect::<Vec<_>>(),
    }))
    .into_response()
}

/// `GET /api/v1/pools`
pub(crate) async fn pools(With(state): With<Arc<State>>) -> Json<Value> {
    let (report, _) = state.observer.look().await;
    Json(json!({
        "schema": "howdah.pools/1",
        "pools": report.pools.iter().map(pool).collect::<Vec<_>>(),
    }))
}

fn pool(pool: &PoolReport) -> Value {
    json!({
        "database": pool.database,
        "user": pool.user,
        "node": pool.node,
        "mode": pool.mode,
        "clients": {
            "active": pool.clients_active,
            "waiting": pool.clients_waiting,
            "idle": pool.clients_idle,
        },
        "servers": {
            "active": pool.servers_active,
            "idle": pool.servers_idle + pool.servers_used,
            "tested": pool.servers_tested,
            "opening": pool.servers_opening,
            "max": pool.max_size,
        },
        "oldest_wait_ms": millis(pool.oldest_wait),
        "paused": pool.paused,
        "pinned": pool.pinned,
        "leaks": pool.leaks,
        "flights": pool.flights,
        "shared": pool.shared,
        "advice": pool.advice.as_ref().map(ToString::to_string),
        "last_error": pool.last_error,
    })
}

/// `GET /api/v1/nodes`
pub(crate) async fn nodes(With(state): With<Arc<State>>) -> Json<Value> {
    let (report, _) = state.observer.look().await;
    Json(json!({
        "schema": "howdah.nodes/1",
        "nodes": report.nodes.iter().map(|one| node(one, &report.pools)).collect::<Vec<_>>(),
        "unlisted": report.unlisted.iter().map(|one| json!({ "cluster": one.cluster, "address": one.address })).collect::<Vec<_>>(),
        "routes": report.routes.iter().map(|route| json!({
            "cluster": route.cluster,
            "reason": route.reason,
            "explanation": route.explanation,
            "requests": route.requests,
        })).collect::<Vec<_>>(),
    }))
}

fn node(node: &NodeReport, pools: &[PoolReport]) -> Value {
    let pools = || pools.iter().filter(|pool| pool.node == node.name);
    json!({
        "name": node.name,
        "address": node.address,
        "role": node.role,
        "standing": node.standing,
        "breaker": node.breaker,
        "failures": node.failures,
        "down_ms": node.down_for.map(millis),
        "answered_ms": node.answered.map(millis),
        "lag_ms": node.lag.map(millis),
        "lag_bytes": node.lag_bytes,
        "timeline": node.timeline,
        "drained": node.drained,
        "last_error": node.last_error,
        "servers_active": pools().map(|pool| pool.servers_active).sum::<usize>(),
        "servers": pools().map(|pool| pool.servers_active + pool.servers_idle + pool.servers_used).sum::<usize>(),
    })
}

/// `GET /api/v1/sessions`
pub(crate) async fn sessions(With(state): With<Arc<State>>) -> Json<Value> {
    let (_, mut found) = state.observer.look().await;
    found.retain(|session| !session.is_console);
    let rank = |session: &SessionReport| match session.state {
        "waiting" => 0,
        "active" => 1,
        "idle in transaction" => 2,
        "pinned" => 3,
        _ => 4,
    };
    found.sort_by_key(|session| (rank(session), std::cmp::Reverse(session.requested)));
    let all = found.len();
    found.truncate(MOST_LINES);
    let texts = state.observer.statements(|book| {
        let known =
            book.entries().filter_map(|entry| Some((entry.fingerprint?, entry.text.to_string())));
        known.collect::<std::collections::HashMap<_, _>>()
    });
    let sessions: Vec<Value> = found
        .iter()
        .map(|one| {
            let mut value = session(one);
            let text = one.fingerprint.and_then(|fingerprint| texts.get(&fingerprint));
            if let Some(value) = value.as_object_mut() {
                value.insert("statement".to_owned(), json!(text));
            }
            value
        })
        .collect();
    Json(json!({ "schema": "howdah.sessions/1", "all": all, "sessions": sessions }))
}

fn session(session: &SessionReport) -> Value {
    json!({
        "id": session.process_id,
        "database": session.database,
        "user": session.user,
        "application": session.application,
        "address": session.address,
        "state": session.state,
        "transaction_ms": session.transaction.map(millis),
        "requested_ms": millis(session.requested),
        "waiting_ms": session.waiting.map(millis),
        "connected_ms": millis(session.connected),
        "requests": session.requests,
        "fingerprint": session.fingerprint.map(|fingerprint| format!("{fingerprint:016x}")),
        "pin": session.pin,
        "server": session.server,
        "tls": session.tls,
    })
}

/// `POST /api/v1/sessions/{id}/cancel`
pub(crate) async fn cancel(With(state): With<Arc<State>>, Path(id): Path<u32>) -> Response {
    let found = state.observer.cancel(id).await;
    answer(found)
}

/// `POST /api/v1/sessions/{id}/disconnect`
pub(crate) async fn disconnect(With(state): With<Arc<State>>, Path(id): Path<u32>) -> Response {
    let found = state.observer.disconnect(id).await;
    answer(found)
}

fn answer(found: bool) -> Response {
    if found {
        Json(json!({ "done": true })).into_response()
    } else {
        missing("there is no such session any more")
    }
}

/// `GET /api/v1/setup`
pub(crate) async fn setup(With(state): With<Arc<State>>) -> Json<Value> {
    let settings = state.observer.settings();
    let keys: Vec<Value> = settings
        .shown
        .iter()
        .map(|shown| json!({ "key": shown.name, "value": shown.value, "default": shown.default }))
        .collect();
    Json(json!({
        "schema": "howdah.setup/1",
        "version": env!("CARGO_PKG_VERSION"),
        "revision": settings.revision,
        "workers": settings.workers,
        "keys": keys,
    }))
}
