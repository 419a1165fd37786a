//! `/api/v1/openapi.json`: the table of endpoints, and what each answers, as a document for programs. Not where answers are made
//! (`api`, `past`): a test compares the two.
//!
//! Invariant: every path of the JSON interface has a line here (tested).

use axum::Json;
use serde_json::{Map, Value, json};

use crate::endpoints::{ENDPOINTS, Endpoint, Method, Needs};

/// What is answered, by path: fields with their types (`n` number, `s` text, `b` yes or no, `a` anything; `?`: or null), `name{…}` for an
/// object, `name[]` for a list, `@name` for one of [`PARTS`].
const ANSWERS: &[(&str, &str)] = &[
    (
        "/api/v1/overview",
        "schema:s version:s uptime_s:n clients:n max_clients:n listening[]:s databases[]:s statements{@totals} kinds[]{@totals database:s kind:s} findings[]{@finding} score{@score} history[]{@point}",
    ),
    (
        "/api/v1/queries",
        "schema:s forms:n totals{@totals} from{@origins} queries[]{@query part{calls:n total_ms:n}}",
    ),
    (
        "/api/v1/queries/{fingerprint}",
        "schema:s fingerprint:s statement:s kind:s totals{@totals} buckets[]:a from{@origins} by[]{@query} running[]{@session}",
    ),
    (
        "/api/v1/slow",
        "schema:s counts[]{database:s count:n} plans:n slow[]{id:n ago_ms:n database:s user:s application:s address:s node:s kind:s fingerprint:s statement:s time_ms:n wait_ms:n server_ms:n rows:n error:s? plan:a plan_text:s? findings[]{@plan_finding} remark:s?}",
    ),
    ("/api/v1/plan", "schema:s executed:b ms:n? plan:a findings[]{@plan_finding}"),
    (
        "/api/v1/direct",
        "schema:s nodes[]{node:s missing:s? direct[]{database:s fingerprint:s statement:s kind:s calls:n direct:n time_ms:n}}",
    ),
    (
        "/api/v1/outsiders",
        "schema:s nodes[]{node:s missing:s? age_ms:n all:n sessions[]{process:n database:s user:s application:s address:s state:s lasting_ms:n? transaction_ms:n? statement:s}}",
    ),
    (
        "/api/v1/pools",
        "schema:s pools[]{database:s user:s node:s mode:s clients{active:n waiting:n idle:n} servers{active:n idle:n tested:n opening:n max:n} oldest_wait_ms:n paused:b pinned:a leaks:n flights:n shared:n advice:s? last_error:s?}",
    ),
    (
        "/api/v1/nodes",
        "schema:s nodes[]{name:s address:s role:s standing:s breaker:s failures:n down_ms:n? answered_ms:n? lag_ms:n? lag_bytes:n? timeline:n? drained:b last_error:s? servers_active:n servers:n} unlisted[]{cluster:s address:s} routes[]{cluster:s reason:s explanation:s requests:n}",
    ),
    (
        "/api/v1/cache",
        "schema:s forced:s? answers:n bytes:n shared:a databases[]{database:s mode:s? bound_ms:n? hits:n would_hit:n misses:n coalesced:n shared:n kept:n patched:n warmed:n answered_bytes:n saved_ms:n reasons:a news_ms:n? trouble:s?}",
    ),
    ("/api/v1/sessions", "schema:s all:n sessions[]{@session statement:s?}"),
    ("/api/v1/sessions/{id}/cancel", "done:b"),
    ("/api/v1/sessions/{id}/disconnect", "done:b"),
    (
        "/api/v1/alerts",
        "schema:s enabled:b firing[]{@alert} pending[]{@alert} rules[]{name:s enabled:b severity:s what:s condition:s threshold:n for_s:n now:s? first_step:s} past[]{rule:s title:s about:s began_s:n ended_s:n} silences[]{id:n rule:s? left_s:n reason:s} sinks[]{name:s sent:n failed:n} deliveries[]{sink:s rule:s occasion:s ago_s:n error:s?}",
    ),
    ("/api/v1/alerts/silence", "done:b"),
    (
        "/api/v1/recommendations",
        "schema:s on:b why:s? recommendations[]{id:s place:s database:s kind:s subject:s title:s why:s impact:s confidence:n saves:n? bytes:n writes:n state:s first_ms:n changed_ms:n evidence[]{what:s now:s then:s check:s} apply[]:s undo[]:s cautions[]:s statements[]:s verdict:s? measured[]{statement:s writes:b calls:n before_ms:n after_ms:n before_blocks:n after_blocks:n state:s?} runs[]{direction:s who:s begun_ms:n ended_ms:n? outcome:s statements[]{purpose:s sql:s back[]:s sent_ms:n ended_ms:n? done:b outcome:s}} events[]{at_ms:n who:s state:s text:s}}",
    ),
    (
        "/api/v1/indexes",
        "schema:s on:b why:s? indexes[]{place:s database:s table:s index:s bytes:n days[]{at_ms:n scans:n}}",
    ),
    ("/api/v1/recommendations/{id}/dismiss", "done:b"),
    ("/api/v1/setup", "schema:s version:s revision:n workers:n keys[]{key:s value:s default:s?}"),
    (
        "/api/v1/history",
        "schema:s on:b why:s? of:s from:n to:n ring_s:n step_s:n times[]:n columns[]{name:s values[]:n?} marks[]{at_ms:n kind:s text:s} pools[]:s nodes[]:s bytes:n lost_s:n",
    ),
    (
        "/api/v1/history/statements",
        "schema:s from:n to:n forms:n total_ms:n statements[]{fingerprint:s database:s user:s statement:s calls:n errors:n total_ms:n p50_ms:n? p95_ms:n? p99_ms:n?}",
    ),
    ("/api/v1/marks", "done:b"),
    (
        "/api/v1/live",
        "point{@point} uptime_s:n clients:n max_clients:n findings[]{@finding} score{@score}",
    ),
    ("/api/v1/openapi.json", "openapi:s info:a paths:a components:a"),
];

/// What several answers have.
const PARTS: &[(&str, &str)] = &[
    (
        "totals",
        "calls:n rows:n errors:n on_replica:n shared:n cached:n total_ms:n wait_ms:n server_ms:n overhead_ms:n overhead_p50_ms:n? overhead_p99_ms:n? longest_ms:n p50_ms:n? p95_ms:n? p99_ms:n? p999_ms:n?",
    ),
    (
        "origins",
        "application[]{name:s calls:n total_ms:n} address[]{name:s calls:n total_ms:n} route[]{name:s calls:n total_ms:n}",
    ),
    (
        "point",
        "t:n qps:n eps:n rows:n p50:n? p95:n? p99:n? working:n queued:n active:n idle:n in_transaction:n waiting:n sv_active:n sv_idle:n sv_max:n rx:n tx:n",
    ),
    (
        "alert",
        "rule:s severity:s state:s about:s title:s evidence:s first_step:s page:s value:n lasting_s:n cause:s? silenced:b flapping:b",
    ),
    ("plan_finding", "what:s node:s path[]:n why:s advice:s statements[]:s share:n?"),
    ("finding", "severity:s title:s evidence:s action:s link:s"),
    ("score", "value:n? grade:s? parts[]{name:s weight:n lost:n why:s}"),
    (
        "query",
        "@totals fingerprint:s? database:s user:s kind:s statement:s errors_by{client:n server:n retryable:n canceled:n} recent{minutes:n calls:n total_ms:n errors:n} minutes[]:a first_seen_s:n last_seen_s:n",
    ),
    (
        "session",
        "id:n database:s user:s application:s address:s state:s transaction_ms:n? requested_ms:n waiting_ms:n? connected_ms:n requests:n fingerprint:s? pin:s? server:n? tls:b",
    ),
];

/// What can be asked for, by path.
const PARAMETERS: &[(&str, &str, &str)] = &[
    ("/api/v1/queries", "limit", "Lines at most."),
    ("/api/v1/queries", "database", "Of this database alone."),
    ("/api/v1/queries", "application", "With calls of this application_name."),
    ("/api/v1/queries", "address", "With calls from this address."),
    ("/api/v1/queries", "route", "With calls of this route, as comments in statements say it."),
    ("/api/v1/slow", "limit", "Lines at most."),
    ("/api/v1/slow", "database", "Of this database alone."),
    ("/api/v1/slow", "fingerprint", "Of this form alone."),
    (
        "/api/v1/history",
        "of",
        "all, pool:DATABASE/USER/NODE, node:NAME or statement:FINGERPRINT/DATABASE/USER.",
    ),
    ("/api/v1/history", "series", "Names of columns, with commas; left out: all."),
    ("/api/v1/history", "from", "Seconds since 1970; left out: an hour before to."),
    ("/api/v1/history", "to", "Seconds since 1970; left out: now."),
    (
        "/api/v1/history",
        "step",
        "Seconds of a slot at least; left out: as fine as a picture shows.",
    ),
    ("/api/v1/history/statements", "from", "Seconds since 1970; left out: an hour before to."),
    ("/api/v1/history/statements", "to", "Seconds since 1970; left out: now."),
    ("/api/v1/history/statements", "limit", "Lines at most."),
    ("/api/v1/alerts/silence", "rule", "A rule, or all."),
    ("/api/v1/alerts/silence", "for_s", "Seconds; 0 ends a silence."),
    ("/api/v1/alerts/silence", "reason", "Why."),
    ("/api/v1/recommendations/{id}/dismiss", "reason", "Why it is not wanted."),
    (
        "/api/v1/recommendations/{id}/dismiss",
        "place",
        "The database, as place says it, where several have advice of this id.",
    ),
    ("/api/v1/marks", "text", "What happens now, up to 200 characters."),
];

/// `GET /api/v1/openapi.json`
pub(crate) async fn openapi() -> Json<Value> {
    Json(document())
}

/// The document.
fn document() -> Value {
    let mut paths = Map::new();
    for endpoint in
        ENDPOINTS.iter().filter(|one| !one.path.starts_with("/admin") && one.path != "/")
    {
        let method = match endpoint.method {
            Method::Get => "get",
            Method::Post => "post",
        };
        let of_path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        if let Some(of_path) = of_path.as_object_mut() {
            of_path.insert(method.to_owned(), operation(endpoint));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Howdah",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What a running Howdah tells. Times are in milliseconds unless a name says otherwise. A field is added without a new schema version, never taken away.",
        },
        "paths": paths,
        "components": { "securitySchemes": {
            "password": { "type": "http", "scheme": "basic" },
            "token": { "type": "http", "scheme": "bearer" },
        }},
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut parameters: Vec<Value> = endpoint
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    for (_, name, what) in PARAMETERS.iter().filter(|(path, ..)| *path == endpoint.path) {
        parameters.push(json!({ "name": name, "in": "query", "description": what, "schema": { "type": "string" } }));
    }
    if endpoint.method == Method::Post {
        parameters.push(json!({ "name": "x-howdah", "in": "header", "required": true, "description": "1: it is meant.", "schema": { "type": "string" } }));
    }
    let content = match ANSWERS.iter().find(|(path, _)| *path == endpoint.path) {
        Some((path, fields)) => {
            let kind =
                if path.ends_with("/live") { "text/event-stream" } else { "application/json" };
            json!({ kind: { "schema": schema(fields) } })
        }
        None => json!({ "text/plain": { "schema": { "type": "string" } } }),
    };
    let mut value = json!({
        "summary": endpoint.what,
        "parameters": parameters,
        "responses": { "200": { "description": "The answer.", "content": content } },
    });
    if let (Needs::Role(role), Some(value)) = (endpoint.needs, value.as_object_mut()) {
        value.insert("security".to_owned(), json!([{ "password": [] }, { "token": [] }]));
        value.insert("x-role".to_owned(), json!(role.as_str()));
    }
    value
}

/// The schema of an object with these fields.
fn schema(fields: &str) -> Value {
    let (mut properties, mut rest) = (Map::new(), fields.trim());
    while !rest.is_empty() {
        if let Some(part) = rest.strip_prefix('@') {
            let (name, after) = part.split_at(part.find(' ').unwrap_or(part.len()));
            let found = PARTS.iter().find(|(known, _)| *known == name);
            if let Some(Value::Object(more)) =
                found.and_then(|(_, fields)| schema(fields).get_mut("properties").map(Value::take))
            {
                properties.extend(more);
            }
            rest = after.trim_start();
            continue;
        }
        let (name, after) = rest.split_at(rest.find([':', '{', '[']).unwrap_or(rest.len()));
        let (value, after) = value(after);
        properties.insert(name.to_owned(), value);
        rest = after.trim_start();
    }
    json!({ "type": "object", "properties": properties })
}

/// The schema of what is behind a name, and what is behind that.
fn value(text: &str) -> (Value, &str) {
    if let Some(items) = text.strip_prefix("[]") {
        let (items, after) = value(items);
        return (json!({ "type": "array", "items": items }), after);
    }
    if let Some(inner) = text.strip_prefix('{') {
        let (mut depth, mut end) = (1, inner.len());
        for (at, char) in inner.char_indices() {
            match char {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                end = at;
                break;
            }
        }
        let (fields, after) = inner.split_at(end);
        return (schema(fields), after.strip_prefix('}').unwrap_or(after));
    }
    let (word, after) = text.split_at(text.find(' ').unwrap_or(text.len()));
    let word = word.trim_start_matches(':');
    let (word, null) = word.strip_suffix('?').map_or((word, false), |word| (word, true));
    let of = match word {
        "n" => "number",
        "s" => "string",
        "b" => "boolean",
        _ => return (json!({}), after),
    };
    (if null { json!({ "type": [of, "null"] }) } else { json!({ "type": of }) }, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_interface_has_its_answer_and_none_is_invented() {
        for endpoint in ENDPOINTS.iter().filter(|one| one.path.starts_with("/api/")) {
            assert!(ANSWERS.iter().any(|(path, _)| *path == endpoint.path), "{endpoint:?}");
        }
        let known = |path: &str| ENDPOINTS.iter().any(|endpoint| endpoint.path == path);
        assert!(ANSWERS.iter().all(|(path, _)| known(path)));
        assert!(PARAMETERS.iter().all(|(path, ..)| known(path)));
    }

    #[test]
    fn fields_are_read_as_they_are_meant() {
        let read = schema("a:n b[]{c:s? @score} d{e[]:b} f:a");
        assert_eq!(read["properties"]["a"]["type"], "number");
        let inner = &read["properties"]["b"]["items"]["properties"];
        assert_eq!(inner["c"]["type"], json!(["string", "null"]));
        assert_eq!(inner["parts"]["items"]["properties"]["why"]["type"], "string");
        assert_eq!(read["properties"]["d"]["properties"]["e"]["items"]["type"], "boolean");
        assert_eq!(read["properties"]["f"], json!({}));
    }
}
