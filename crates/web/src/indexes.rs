//! `/api/v1/indexes`: how often indexes were used, day by day, from the journal of advice. Not advice: what is unused says `recommendations`.
//!
//! Invariant: the file is read beside the event loop, never on it, and looking makes no file.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as With;
use axum::response::{IntoResponse as _, Response};
use howdah_ops::journal::IndexHistory;
use serde_json::{Value, json};

use crate::recommendations::{OFF, file, with};
use crate::server::State;

/// `GET /api/v1/indexes`
pub(crate) async fn show(With(state): With<Arc<State>>) -> Response {
    match file(&state) {
        None => answer(Some(OFF), &[]),
        Some(path) if !path.exists() => answer(None, &[]),
        Some(path) => with(path, |journal| Ok(answer(None, &journal.index_histories(None)?))).await,
    }
}

fn answer(why: Option<&str>, all: &[IndexHistory]) -> Response {
    let indexes: Vec<Value> = all.iter().map(one).collect();
    Json(json!({ "schema": "howdah.indexes/1", "on": why.is_none(), "why": why, "indexes": indexes }))
        .into_response()
}

fn one(of: &IndexHistory) -> Value {
    json!({
        "place": of.place.key,
        "database": of.place.name,
        "table": of.table,
        "index": of.index,
        "bytes": of.bytes,
        "days": of.days,
    })
}
