//! `/api/v1/direct`: what PostgreSQL has run for others than Howdah's clients, by form.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as With;
use howdah_core::direct::Direct;
use serde_json::{Value, json};

use crate::server::State;

/// `GET /api/v1/direct`
pub(crate) async fn direct(With(state): With<Arc<State>>) -> Json<Value> {
    let nodes = state.observer.direct();
    let line = |one: &Direct| {
        json!({
            "database": &*one.database,
            "fingerprint": format!("{:016x}", one.fingerprint),
            "statement": one.text,
            "kind": one.kind,
            "calls": one.calls,
            "direct": one.direct,
            "time_ms": one.time_ms,
        })
    };
    Json(json!({
        "schema": "howdah.direct/1",
        "nodes": nodes.iter().map(|node| json!({
            "node": node.node,
            "missing": node.missing,
            "direct": node.found.iter().map(line).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    }))
}
