//! `/api/v1/slow`: the statements that took long, with their plans as trees. Never with values of theirs.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Query, State as With};
use howdah_core::slow::{Planned, Slow};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::ms;
use crate::plan;
use crate::server::State;

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    limit: Option<usize>,
    database: Option<String>,
    fingerprint: Option<String>,
}

/// `GET /api/v1/slow`
pub(crate) async fn slow(
    With(state): With<Arc<State>>,
    Query(wanted): Query<Wanted>,
) -> Json<Value> {
    let now = Instant::now();
    let is_wanted = |slow: &Slow| {
        let form = format!("{:016x}", slow.fingerprint);
        wanted.database.as_deref().is_none_or(|database| *slow.database == *database)
            && wanted.fingerprint.as_deref().is_none_or(|wanted| form == wanted)
    };
    let (slow, counts, plans) = state.observer.slow(|ring| {
        let found = ring.all().filter(|(_, slow)| is_wanted(slow));
        let found = found.take(wanted.limit.unwrap_or(usize::MAX));
        let found: Vec<_> = found.map(|(number, slow)| (number, slow.clone())).collect();
        let counts = ring.counts().map(|(database, count)| (database.to_owned(), count));
        (found, counts.collect::<Vec<_>>(), ring.plans())
    });
    Json(json!({
        "schema": "howdah.slow/1",
        "counts": counts.iter().map(|(database, count)| json!({ "database": database, "count": count })).collect::<Vec<_>>(),
        "plans": plans,
        "slow": slow.iter().map(|(number, slow)| line(*number, slow, now)).collect::<Vec<_>>(),
    }))
}

fn line(number: u64, slow: &Slow, now: Instant) -> Value {
    let root = match &slow.planned {
        Planned::As { root, .. } => Some(&**root),
        Planned::Awaited | Planned::Not(_) => None,
    };
    json!({
        "id": number,
        "ago_ms": now.saturating_duration_since(slow.at).as_millis(),
        "database": &*slow.database,
        "user": &*slow.user,
        "application": slow.application,
        "address": slow.address,
        "node": slow.node,
        "kind": slow.kind,
        "fingerprint": format!("{:016x}", slow.fingerprint),
        "statement": slow.text,
        "time_ms": ms(slow.time_us()),
        "wait_ms": ms(slow.wait_us),
        "server_ms": ms(slow.server_us),
        "rows": slow.rows,
        "error": slow.error.map(|code| code.to_string()),
        "plan": root.map(plan::tree),
        "plan_text": root.map(|root| root.lines().join("\n")),
        "findings": root.map_or_else(Vec::new, |root| plan::findings(slow, root)),
        "remark": slow.planned.remark(),
    })
}
