//! The past over HTTP: `/api/v1/history`, `/api/v1/history/statements`, `/api/v1/marks`. Not the last quarter of an hour, which is in
//! memory (`history`).
//!
//! Invariant: the file is read beside the event loop, never on it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State as With};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use howdah_history::{Error, Handle, MARK_TEXT, Reader, Shape, Statement, Subject, now_ms};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::State;

/// Seconds that are answered when nothing else is asked for.
const HOUR: u64 = 3_600;
/// Statements unless more are asked for, and at most.
const LINES: usize = 50;
const MOST_LINES: usize = 500;
/// What is said while nothing is remembered.
const OFF: &str = "Nothing is remembered beyond a quarter of an hour: [history] path = \"/var/lib/howdah/history.db\" in the configuration, and a restart, turn it on.";

/// What is asked for. Times are in seconds since 1970.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    /// `all`, `pool:…`, `node:…`, `statement:…`.
    of: Option<String>,
    /// Names, separated by commas.
    series: Option<String>,
    from: Option<u64>,
    to: Option<u64>,
    step: Option<u64>,
    limit: Option<usize>,
}

impl Wanted {
    fn shape(&self) -> Result<Shape, String> {
        let to = self.to.unwrap_or_else(|| now_ms() / 1_000 + 1);
        let from = self.from.unwrap_or_else(|| to.saturating_sub(HOUR));
        if from >= to {
            return Err("from has to be before to; both are seconds since 1970".to_owned());
        }
        Ok(Shape { from, to, step: self.step.filter(|step| *step > 0) })
    }
}

fn wrong(status: StatusCode, what: &str) -> Response {
    (status, Json(json!({ "error": what }))).into_response()
}

/// Reads on a thread that may wait.
async fn reading(
    past: Handle,
    read: impl FnOnce(&Reader) -> Result<Result<Value, String>, Error> + Send + 'static,
) -> Response {
    let asked = tokio::task::spawn_blocking(move || past.read().and_then(|reader| read(&reader)));
    match asked.await {
        Ok(Ok(Ok(value))) => Json(value).into_response(),
        Ok(Ok(Err(what))) => wrong(StatusCode::BAD_REQUEST, &what),
        Ok(Err(error)) => wrong(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(error) => wrong(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// `GET /api/v1/history`: columns over time, with the marks of that time.
pub(crate) async fn history(
    With(state): With<Arc<State>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let Some(past) = state.past.clone() else {
        let none: [Value; 0] = [];
        let off = json!({
            "schema": "howdah.history/1", "on": false, "why": OFF, "step_s": 0, "times": none, "columns": none, "marks": none, "pools": none, "nodes": none,
        });
        return Json(off).into_response();
    };
    let recorder = past.state();
    reading(past, move |reader| {
        let of = wanted.of.as_deref().unwrap_or("all");
        let shape = match wanted.shape() {
            Ok(shape) => shape,
            Err(what) => return Ok(Err(what)),
        };
        let Some(subject) = Subject::parse(of) else {
            return Ok(Err(format!("{of}: all, pool:NAME, node:NAME or statement:NAME")));
        };
        let span = reader.span(&subject, shape)?;
        let names = match &wanted.series {
            Some(names) => names.split(',').map(str::to_owned).collect(),
            None => subject.columns(),
        };
        let mut columns = Vec::new();
        for name in names {
            match span.column(&subject, &name) {
                Some(column) => columns.push(column),
                None => {
                    let known = subject.columns().join(", ");
                    return Ok(Err(format!("there is no series {name}; there are {known}")));
                }
            }
        }
        let (pools, nodes) = reader.subjects()?;
        Ok(Ok(json!({
            "schema": "howdah.history/1",
            "on": true,
            "why": recorder.trouble,
            "of": of,
            "from": shape.from,
            "to": shape.to,
            "ring_s": span.ring,
            "step_s": span.step,
            "times": span.times(),
            "columns": columns,
            "marks": reader.marks(shape.from.saturating_mul(1_000), shape.to.saturating_mul(1_000))?,
            "pools": pools,
            "nodes": nodes,
            "bytes": recorder.bytes,
            "lost_s": recorder.lost_s,
        })))
    })
    .await
}

/// `GET /api/v1/history/statements`: what took the most time within some time.
pub(crate) async fn statements(
    With(state): With<Arc<State>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let Some(past) = state.past.clone() else {
        return wrong(StatusCode::NOT_FOUND, OFF);
    };
    reading(past, move |reader| {
        let shape = match wanted.shape() {
            Ok(shape) => shape,
            Err(what) => return Ok(Err(what)),
        };
        let found = reader.statements(shape.from, shape.to)?;
        let limit = wanted.limit.unwrap_or(LINES).min(MOST_LINES);
        Ok(Ok(json!({
            "schema": "howdah.history_statements/1",
            "from": shape.from,
            "to": shape.to,
            "forms": found.len(),
            "total_ms": found.iter().map(Statement::time_us).sum::<u64>() as f64 / 1_000.0,
            "statements": found.iter().take(limit).map(line).collect::<Vec<_>>(),
        })))
    })
    .await
}

fn line(one: &Statement) -> Value {
    let quantile = |share| one.sample.times.quantile(share).map(|us| us as f64 / 1_000.0);
    json!({
        "fingerprint": one.fingerprint,
        "database": one.database,
        "user": one.user,
        "statement": one.text,
        "calls": one.calls(),
        "errors": one.errors(),
        "total_ms": one.time_us() as f64 / 1_000.0,
        "p50_ms": quantile(0.5),
        "p95_ms": quantile(0.95),
        "p99_ms": quantile(0.99),
    })
}

/// What a mark says.
#[derive(Debug, Deserialize)]
pub(crate) struct Said {
    text: String,
}

/// `POST /api/v1/marks?text=…`: remembers this moment.
pub(crate) async fn mark(With(state): With<Arc<State>>, Query(said): Query<Said>) -> Response {
    let text = said.text.trim();
    if text.is_empty() || text.chars().count() > MARK_TEXT {
        return wrong(StatusCode::BAD_REQUEST, &format!("text: 1 to {MARK_TEXT} characters"));
    }
    match &state.past {
        None => wrong(StatusCode::NOT_FOUND, OFF),
        Some(past) if past.mark("mark", text) => Json(json!({ "done": true })).into_response(),
        Some(_) => wrong(StatusCode::TOO_MANY_REQUESTS, "too many marks wait to be written"),
    }
}
