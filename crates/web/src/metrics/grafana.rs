//! The dashboard for Grafana, made from one table of panels over the families of metrics. Not Howdah's own dashboard.
//!
//! Invariant: every metric and label that a panel names is one of [`FAMILIES`](super::FAMILIES) (tested), so an upgrade cannot leave a panel empty.

use serde_json::{Value, json};

/// One panel: a title, the unit of its axis as Grafana calls it, and what is drawn.
struct Panel {
    title: &'static str,
    what: &'static str,
    unit: &'static str,
    look: Look,
    /// Expressions with the text of their legend.
    drawn: &'static [(&'static str, &'static str)],
}

/// How a panel looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// One number.
    Number,
    /// Lines over time.
    Lines,
    /// Areas on top of each other.
    Stack,
}

const COLUMNS: u64 = 24;

macro_rules! panels {
    ($($look:ident $title:literal $unit:literal $what:literal { $($expr:literal => $legend:literal),* $(,)? })*) => {
        &[$(Panel { title: $title, what: $what, unit: $unit, look: Look::$look, drawn: &[$(($expr, $legend)),*] }),*]
    };
}

const PANELS: &[Panel] = panels! {
    Number "Score" "percentunit" "What it loses, and why, is on Howdah's own dashboard." {
        "howdah_performance_score_ratio{instance=~\"$instance\"}" => "{{instance}}" }
    Number "Statements per second" "reqps" "All databases." {
        "sum(rate(howdah_queries_total{instance=~\"$instance\"}[$__rate_interval]))" => "" }
    Number "P99" "s" "Of all statements, waiting included." {
        "histogram_quantile(0.99, sum by (le) (rate(howdah_query_duration_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))" => "" }
    Number "Errors" "percentunit" "Statements that the server could not answer, of all." {
        "sum(rate(howdah_queries_total{instance=~\"$instance\",outcome=\"error_server\"}[$__rate_interval])) / sum(rate(howdah_queries_total{instance=~\"$instance\"}[$__rate_interval]))" => "" }
    Number "Clients that wait" "short" "For a server." {
        "sum(howdah_pool_clients_waiting{instance=~\"$instance\"})" => "" }
    Number "Alerts" "short" "That fire now." {
        "sum(howdah_alerts_firing{instance=~\"$instance\"})" => "" }
    Stack "Statements per second, by kind" "reqps" "What applications ask." {
        "sum by (kind) (rate(howdah_queries_total{instance=~\"$instance\"}[$__rate_interval]))" => "{{kind}}" }
    Lines "How long statements take" "s" "Waiting included. Percentiles are exact to the edges of the buckets." {
        "histogram_quantile(0.5, sum by (le) (rate(howdah_query_duration_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))" => "P50",
        "histogram_quantile(0.95, sum by (le) (rate(howdah_query_duration_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))" => "P95",
        "histogram_quantile(0.99, sum by (le) (rate(howdah_query_duration_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))" => "P99" }
    Stack "Where the time goes" "short" "Seconds of clients per second: waiting for a server, and with one. The second is the number of busy servers." {
        "sum(rate(howdah_query_wait_seconds_total{instance=~\"$instance\"}[$__rate_interval]))" => "waiting",
        "sum(rate(howdah_query_server_seconds_total{instance=~\"$instance\"}[$__rate_interval]))" => "with a server" }
    Lines "What Howdah itself takes" "s" "Of each statement with a server of its own, the network and PostgreSQL left out." {
        "histogram_quantile(0.5, sum by (le) (rate(howdah_proxy_overhead_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))" => "P50",
        "histogram_quantile(0.99, sum by (le) (rate(howdah_proxy_overhead_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))" => "P99" }
    Stack "Errors per second, by class of SQLSTATE" "short" "As clients were told of them." {
        "sum by (sqlstate_class) (rate(howdah_query_errors_total{instance=~\"$instance\"}[$__rate_interval]))" => "{{sqlstate_class}}" }
    Stack "Who answers" "reqps" "Replicas, the result cache, and shared servers, of all statements per second." {
        "sum(rate(howdah_queries_on_replica_total{instance=~\"$instance\"}[$__rate_interval]))" => "replicas",
        "sum(rate(howdah_queries_cached_total{instance=~\"$instance\"}[$__rate_interval]))" => "cache",
        "sum(rate(howdah_queries_shared_total{instance=~\"$instance\"}[$__rate_interval]))" => "shared a server" }
    Lines "Result cache, hits" "percentunit" "Of what was looked up." {
        "db_cache_hit_rate{instance=~\"$instance\"}" => "{{database}}" }
    Stack "Clients" "short" "By what they do." {
        "sum by (state) (howdah_client_connections{instance=~\"$instance\"})" => "{{state}}" }
    Stack "Servers" "short" "Connections to PostgreSQL, by what they do." {
        "sum by (state) (howdah_server_connections{instance=~\"$instance\"})" => "{{state}}" }
    Lines "Longest wait for a server" "s" "Of a client that waits now." {
        "max by (database) (howdah_pool_oldest_wait_seconds{instance=~\"$instance\"})" => "{{database}}" }
    Lines "Use of pools" "percent" "Busy servers in a hundred." {
        "db_connection_utilization_percent{instance=~\"$instance\"}" => "{{database}}" }
    Lines "Replicas behind" "s" "How old what they show is at most." {
        "howdah_node_replication_lag_seconds{instance=~\"$instance\"}" => "{{node}}" }
    Lines "Nodes that answer" "short" "1: it does." {
        "howdah_node_up{instance=~\"$instance\"}" => "{{node}} ({{role}})" }
    Stack "Why reads went where they went" "reqps" "Requests of clusters with replicas." {
        "sum by (reason) (rate(howdah_route_decisions_total{instance=~\"$instance\"}[$__rate_interval]))" => "{{reason}}" }
    Lines "What a statement costs Howdah" "s" "Processor time of the process by statements: its own overhead, whatever the database does." {
        "rate(process_cpu_seconds_total{instance=~\"$instance\"}[$__rate_interval]) / sum without (database, kind, outcome) (rate(howdah_queries_total{instance=~\"$instance\"}[$__rate_interval]))" => "{{instance}}" }
    Lines "Memory" "bytes" "Of the process." {
        "process_resident_memory_bytes{instance=~\"$instance\"}" => "{{instance}}" }
    Stack "Bytes to and from clients" "Bps" "Of all databases." {
        "sum(rate(howdah_client_sent_bytes_total{instance=~\"$instance\"}[$__rate_interval]))" => "sent",
        "sum(rate(howdah_client_received_bytes_total{instance=~\"$instance\"}[$__rate_interval]))" => "received" }
};

/// Every expression of the dashboard, with Grafana's variables in it.
pub fn expressions() -> impl Iterator<Item = &'static str> {
    PANELS.iter().flat_map(|panel| panel.drawn.iter().map(|(expression, _)| *expression))
}

/// The dashboard as Grafana reads it, with variables for the source of data and the instance.
#[must_use]
pub fn dashboard() -> Value {
    let (mut x, mut y, mut panels) = (0, 0, Vec::new());
    for (at, panel) in PANELS.iter().enumerate() {
        let (width, height) = if panel.look == Look::Number { (4, 4) } else { (12, 8) };
        panels.push(drawn(panel, at, json!({ "x": x, "y": y, "w": width, "h": height })));
        x += width;
        if x >= COLUMNS {
            (x, y) = (0, y + height);
        }
    }
    json!({
        "uid": "howdah",
        "title": "Howdah",
        "tags": ["postgresql", "howdah"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": { "from": "now-1h", "to": "now" },
        "templating": { "list": [
            { "name": "source", "label": "Source", "type": "datasource", "query": "prometheus" },
            {
                "name": "instance",
                "label": "Instance",
                "type": "query",
                "datasource": source(),
                "query": { "query": "label_values(howdah_build_info, instance)", "refId": "instance" },
                "refresh": 2,
                "multi": true,
                "includeAll": true,
                "current": { "text": "All", "value": "$__all" },
            },
        ] },
        "panels": panels,
    })
}

fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${source}" })
}

fn drawn(panel: &Panel, at: usize, place: Value) -> Value {
    let targets: Vec<Value> = panel
        .drawn
        .iter()
        .zip('A'..='Z')
        .map(|((expression, legend), name)| json!({ "refId": name.to_string(), "datasource": source(), "expr": expression, "legendFormat": legend }))
        .collect();
    let stack = if panel.look == Look::Stack { "normal" } else { "none" };
    let fill = if panel.look == Look::Stack { 40 } else { 8 };
    json!({
        "id": at + 1,
        "type": if panel.look == Look::Number { "stat" } else { "timeseries" },
        "title": panel.title,
        "description": panel.what,
        "datasource": source(),
        "gridPos": place,
        "targets": targets,
        "fieldConfig": {
            "defaults": { "unit": panel.unit, "min": 0, "custom": { "fillOpacity": fill, "showPoints": "never", "stacking": { "mode": stack } } },
            "overrides": [],
        },
        "options": if panel.look == Look::Number {
            json!({ "reduceOptions": { "calcs": ["lastNotNull"] }, "graphMode": "area" })
        } else {
            json!({ "legend": { "displayMode": "list", "placement": "bottom" }, "tooltip": { "mode": "multi", "sort": "desc" } })
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::{FAMILIES, Kind};
    use super::*;

    /// The family of a metric in an expression, and whether that is one of its counters.
    fn family(name: &str) -> Option<(&'static super::super::Family, bool)> {
        FAMILIES.iter().find_map(|family| {
            let rest = name.strip_prefix(family.name)?;
            let of_histogram =
                family.kind == Kind::Histogram && ["_bucket", "_sum", "_count"].contains(&rest);
            let whole = rest.is_empty() && family.kind != Kind::Histogram;
            (whole || of_histogram).then_some((family, family.kind != Kind::Gauge))
        })
    }

    #[test]
    fn panels_name_metrics_and_labels_that_there_are_and_rates_are_of_counters() {
        for expression in expressions() {
            let names = |text: &'static str| {
                text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| {
                    ["howdah_", "db_", "process_"].iter().any(|start| word.starts_with(start))
                })
            };
            let found: Vec<_> = names(expression).map(|name| (name, family(name))).collect();
            assert!(!found.is_empty(), "{expression}");
            for (name, family) in found {
                let (family, counts) = family.unwrap_or_else(|| panic!("no metric {name}"));
                assert_eq!(
                    expression.contains(&format!("rate({name}")),
                    counts,
                    "a rate is of what only grows, and the other way round: {expression}"
                );
                let by = expression.split(" by (").skip(1).map(|part| part.split(')').next());
                for label in by.flatten() {
                    assert!(label == "le" || family.labels.contains(&label), "{expression}");
                }
            }
        }
        for panel in PANELS {
            for (expression, legend) in panel.drawn {
                for label in legend.split("{{").skip(1).filter_map(|part| part.split("}}").next()) {
                    let known = FAMILIES.iter().any(|family| {
                        expression.contains(family.name) && family.labels.contains(&label)
                    });
                    assert!(known || label == "instance", "{legend} of {expression}");
                }
            }
        }
    }

    #[test]
    fn panels_lie_beside_each_other_and_none_on_another() {
        let dashboard = dashboard();
        let mut taken = std::collections::BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            let of = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            assert!(of("x") + of("w") <= COLUMNS);
            for x in of("x")..of("x") + of("w") {
                for y in of("y")..of("y") + of("h") {
                    assert!(taken.insert((x, y)), "{}", panel["title"]);
                }
            }
        }
    }
}
