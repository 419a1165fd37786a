//! `/api/v1/alerts`: what is wrong, the rules with their numbers, silences, and where messages went. Not the decisions:
//! `howdah_core::alerts`.
//!
//! Invariant: no address and no secret of a sink is in it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State as With};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use howdah_core::alerts::{Alert, Board, Delivery, Past, Rule, Tuned, rule};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::State;

/// Alerts that are over, and messages, in an answer.
const LINES: usize = 50;

/// `GET /api/v1/alerts`
pub(crate) async fn show(With(state): With<Arc<State>>) -> Json<Value> {
    Json(state.observer.alerts(|board| shown(board, board.now())))
}

fn shown(board: &Board, now: Duration) -> Value {
    let (pending, firing): (Vec<Alert>, Vec<Alert>) =
        board.alerts().into_iter().partition(|alert| alert.state == "pending");
    let silences = board.silences().iter().map(|silence| {
        json!({
            "id": silence.id,
            "rule": silence.rule,
            "left_s": silence.until.saturating_sub(now).as_secs(),
            "reason": silence.reason,
        })
    });
    json!({
        "schema": "howdah.alerts/1",
        "enabled": board.tuning().enabled,
        "firing": firing.iter().map(alert).collect::<Vec<_>>(),
        "pending": pending.iter().map(alert).collect::<Vec<_>>(),
        "rules": board.tuning().all().map(|(rule, tuned)| one_rule(board, rule, &tuned)).collect::<Vec<_>>(),
        "past": board.past().rev().take(LINES).map(|one| past(one, now)).collect::<Vec<_>>(),
        "silences": silences.collect::<Vec<_>>(),
        "sinks": board.sinks().map(|(name, sent, failed)| json!({ "name": name, "sent": sent, "failed": failed })).collect::<Vec<_>>(),
        "deliveries": board.deliveries().rev().take(LINES).map(|one| delivery(one, now)).collect::<Vec<_>>(),
    })
}

fn alert(alert: &Alert) -> Value {
    json!({
        "rule": alert.rule.name,
        "severity": alert.severity.as_str(),
        "state": alert.state,
        "about": alert.subject.to_string(),
        "title": alert.title,
        "evidence": alert.evidence,
        "first_step": alert.rule.first_step,
        "page": alert.rule.page.address(),
        "value": alert.value,
        "lasting_s": alert.lasting.as_secs(),
        "cause": alert.cause,
        "silenced": alert.silenced,
        "flapping": alert.flapping,
    })
}

fn one_rule(board: &Board, rule: &Rule, tuned: &Tuned) -> Value {
    json!({
        "name": rule.name,
        "enabled": tuned.enabled,
        "severity": tuned.severity.as_str(),
        "what": rule.what,
        "condition": rule.condition(tuned),
        "threshold": tuned.threshold,
        "for_s": tuned.hold.as_secs_f64(),
        "now": board.latest(rule).map(|value| rule.unit.write(value)),
        "first_step": rule.first_step,
    })
}

fn past(past: &Past, now: Duration) -> Value {
    json!({
        "rule": past.rule.name,
        "title": past.title,
        "about": past.subject.to_string(),
        "began_s": now.saturating_sub(past.from).as_secs(),
        "ended_s": now.saturating_sub(past.to).as_secs(),
    })
}

fn delivery(delivery: &Delivery, now: Duration) -> Value {
    json!({
        "sink": delivery.sink,
        "rule": delivery.rule,
        "occasion": delivery.occasion.as_str(),
        "ago_s": now.saturating_sub(delivery.at).as_secs(),
        "error": delivery.outcome.as_ref().err(),
    })
}

/// What is silenced, or not any more.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    /// A rule, or `all`.
    rule: String,
    /// For how long, in seconds; 0: no longer.
    for_s: u64,
    #[serde(default)]
    reason: String,
}

/// `POST /api/v1/alerts/silence`
pub(crate) async fn silence(
    With(state): With<Arc<State>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let named = rule(&wanted.rule);
    if named.is_none() && wanted.rule != "all" {
        let error = format!("there is no rule {:?}: /api/v1/alerts lists them", wanted.rule);
        return (StatusCode::NOT_FOUND, Json(json!({ "error": error }))).into_response();
    }
    state.observer.alerts(|board| {
        board.unsilence(named);
        if wanted.for_s > 0 {
            board.silence(named, Duration::from_secs(wanted.for_s), &wanted.reason);
        }
    });
    let (rule, seconds) = (named.map_or("all", |rule| rule.name), wanted.for_s);
    tracing::info!(rule, seconds, reason = %wanted.reason, "alerts silenced from the dashboard");
    Json(json!({ "done": true })).into_response()
}
