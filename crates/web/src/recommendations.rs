//! `/api/v1/recommendations`: what would make the databases better, and what became of it, from the journal of advice. Not the finding and not the
//! carrying out: that needs a person's yes and `howdah recommendations`.
//!
//! Invariant: the file is read and written beside the event loop, never on it, and looking makes no file; statements that somebody gave as samples are not
//! shown, because they have values.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, Query, State as With};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use howdah_ops::journal::{Entry, Error, FILE, Journal, State as Became};
use howdah_ops::verify::{self, Changed, Verdict};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::guard::Who;
use crate::server::State;

/// What is said without a journal.
pub(crate) const OFF: &str = "Nothing is written down: [history] path = \"/var/lib/howdah/history.db\" in the configuration, and a restart, turn it on.";
/// Measured statements that are shown of each, those that changed the most.
const MEASURED: usize = 5;

/// Which one is not wanted, and why.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Why {
    #[serde(default)]
    reason: String,
    /// The database, as `place` says it: needed if several have advice of that id.
    place: Option<String>,
}

fn wrong(status: StatusCode, what: &str) -> Response {
    (status, Json(json!({ "error": what }))).into_response()
}

fn answer(on: bool, why: Option<&str>, all: Vec<Value>) -> Response {
    Json(json!({ "schema": "howdah.recommendations/1", "on": on, "why": why, "recommendations": all }))
        .into_response()
}

/// Where the journal is: beside the file of the past; `None`: nothing is written down.
pub(crate) fn file(state: &State) -> Option<PathBuf> {
    state.past.as_ref().map(|past| past.path().with_file_name(FILE))
}

/// Works on the journal, on a thread that may wait.
pub(crate) async fn with(
    path: PathBuf,
    work: impl FnOnce(&Journal) -> Result<Response, Error> + Send + 'static,
) -> Response {
    let asked =
        tokio::task::spawn_blocking(move || Journal::open(&path).and_then(|file| work(&file)));
    match asked.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error @ Error::Unknown(_))) => wrong(StatusCode::NOT_FOUND, &error.to_string()),
        Ok(Err(error)) => wrong(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(error) => wrong(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// `GET /api/v1/recommendations`
pub(crate) async fn show(With(state): With<Arc<State>>) -> Response {
    match file(&state) {
        None => answer(false, Some(OFF), Vec::new()),
        // Nobody has asked for advice yet.
        Some(path) if !path.exists() => answer(true, None, Vec::new()),
        Some(path) => {
            with(path, |journal| {
                let entries = journal.entries(None)?;
                let all: Result<Vec<Value>, Error> =
                    entries.iter().map(|entry| one(journal, entry)).collect();
                Ok(answer(true, None, all?))
            })
            .await
        }
    }
}

fn one(journal: &Journal, entry: &Entry) -> Result<Value, Error> {
    let Entry { place, state, first_ms, changed_ms, advice } = entry;
    let runs = journal.runs(&place.key, &advice.id)?;
    let events = journal.events(&place.key, &advice.id)?;
    let verdict = verdict(journal, entry)?;
    Ok(json!({
        "id": advice.id,
        "place": place.key,
        "database": place.name,
        "kind": advice.kind,
        "subject": advice.subject,
        "title": advice.title,
        "why": advice.why,
        "impact": advice.impact,
        "confidence": advice.confidence,
        "saves": advice.saves,
        "bytes": advice.costs.bytes,
        "writes": advice.costs.writes,
        "state": state,
        "first_ms": first_ms,
        "changed_ms": changed_ms,
        "evidence": advice.evidence,
        "apply": advice.apply,
        "undo": advice.undo,
        "cautions": advice.cautions,
        "statements": advice.statements,
        "verdict": verdict.as_ref().map(|verdict| &verdict.why),
        "measured": verdict.iter().flat_map(|verdict| &verdict.statements).take(MEASURED).map(measured).collect::<Vec<_>>(),
        "runs": runs,
        "events": events,
    }))
}

/// What it has done, if it was carried out and measured since.
fn verdict(journal: &Journal, entry: &Entry) -> Result<Option<Verdict>, Error> {
    if !entry.state.is_applied() {
        return Ok(None);
    }
    verify::last(journal, &entry.place.key, &entry.advice.id)
}

fn measured(one: &Changed) -> Value {
    json!({
        "statement": one.text,
        "writes": one.writes,
        "calls": one.calls.1,
        "before_ms": one.time_ms.0,
        "after_ms": one.time_ms.1,
        "before_blocks": one.blocks.0,
        "after_blocks": one.blocks.1,
        "state": one.state,
    })
}

/// `POST /api/v1/recommendations/{id}/dismiss`
pub(crate) async fn dismiss(
    With(state): With<Arc<State>>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
    Query(why): Query<Why>,
) -> Response {
    let path = match file(&state) {
        None => return wrong(StatusCode::NOT_FOUND, OFF),
        Some(path) if !path.exists() => {
            return wrong(StatusCode::NOT_FOUND, &Error::Unknown(id).to_string());
        }
        Some(path) => path,
    };
    with(path, move |journal| {
        let mut known = journal.entries(why.place.as_deref())?;
        known.retain(|entry| entry.advice.id == id);
        let entry = match known.as_slice() {
            [] => return Err(Error::Unknown(id)),
            [entry] => entry,
            [_, _, ..] => {
                let text = "several databases have advice of this id: place says of which";
                return Ok(wrong(StatusCode::CONFLICT, text));
            }
        };
        if entry.state != Became::Open {
            let text = format!("it is {}: only what is open can be dismissed", entry.state.word());
            return Ok(wrong(StatusCode::CONFLICT, &text));
        }
        let who = format!("{}, over HTTP", who.0);
        journal.decide(&entry.place.key, &id, Became::Dismissed, (&who, why.reason.trim()))?;
        Ok(Json(json!({ "done": true })).into_response())
    })
    .await
}
