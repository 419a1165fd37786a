//! `/api/v1/outsiders`: sessions of PostgreSQL that do not come from Howdah.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as With;
use howdah_proxy::report::Outsider;
use serde_json::{Value, json};

use crate::api::millis;
use crate::server::State;

/// `GET /api/v1/outsiders`
pub(crate) async fn outsiders(With(state): With<Arc<State>>) -> Json<Value> {
    let nodes = state.observer.outsiders();
    let nodes = nodes.iter().map(|node| {
        json!({
            "node": node.node,
            "missing": node.missing,
            "age_ms": millis(node.age),
            "all": node.all,
            "sessions": node.sessions.iter().map(session).collect::<Vec<_>>(),
        })
    });
    Json(json!({ "schema": "howdah.outsiders/1", "nodes": nodes.collect::<Vec<_>>() }))
}

fn session(session: &Outsider) -> Value {
    json!({
        "process": session.process_id,
        "database": session.database,
        "user": session.user,
        "application": session.application,
        "address": session.address,
        "state": session.state,
        "lasting_ms": session.lasting.map(millis),
        "transaction_ms": session.transaction.map(millis),
        "statement": session.statement,
    })
}
