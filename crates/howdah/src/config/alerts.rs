//! `[alerts]`: which rules differ from the table of rules, and when somebody is told again. Not what the rules are:
//! `howdah_core::alerts`.

use std::collections::HashMap;

use howdah_alerts::{Configuration, Source, machine};
use howdah_core::alerts::{self, RULES, Rule, Severity, Tuned, Tuning};

use super::alert_sinks;
use super::document::{self, Table};
use super::error::Mistake;
use super::keys::{ALERT_RULE, ALERTS};
use super::read::{Findings, Reader};
use super::validate::{named, unique};

/// Reads what there is of it.
pub(crate) fn read(
    root: &Table,
    environment: &HashMap<String, String>,
    findings: &mut Findings,
) -> Configuration {
    let table = root.single("alerts");
    let base = Tuning::default();
    let mut reader = Reader::new(ALERTS.keys, table, "alerts", findings);
    let mut tuning = Tuning {
        enabled: reader.switch("enabled").unwrap_or(base.enabled),
        repeat: reader.duration("repeat").unwrap_or(base.repeat),
        repeat_critical: reader.duration("repeat_critical").unwrap_or(base.repeat_critical),
        resolve_after: reader.duration("resolve_after").unwrap_or(base.resolve_after),
        rules: base.rules,
    };
    let source = Source {
        name: reader.text("name").unwrap_or_else(machine),
        dashboard: reader.text("dashboard").map(|text| text.trim_end_matches('/').to_owned()),
    };
    let tables = table.map(|table| table.named("rule")).unwrap_or_default();
    unique(tables, "alerts", findings);
    for (index, table) in tables.iter().enumerate() {
        let path = document::path("alerts", table.section, Some((index, table.name().as_deref())));
        let mut reader = Reader::new(ALERT_RULE.keys, Some(table), path, findings);
        if let Some((rule, tuned)) = rule(&mut reader) {
            tuning.rules.insert(rule.name, tuned);
        }
    }
    let sinks = alert_sinks::read(table, environment, findings);
    Configuration { tuning, source, sinks }
}

fn rule(reader: &mut Reader<'_>) -> Option<(&'static Rule, Tuned)> {
    let name = reader.text("name");
    let found = name.as_deref().and_then(alerts::rule);
    match (&name, found) {
        (None, _) if !reader.is_given("name") => {
            let fix = "name = \"replica_lag\"; howdah alerts rules lists them";
            reader.fail(Mistake::Missing, "name", "a change of no rule", fix);
        }
        (Some(name), None) => {
            let all: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
            let reason = format!("there is no rule {name}");
            reader.fail(Mistake::UnknownName, "name", reason, named(name, &all));
        }
        (None | Some(_), _) => {}
    }
    let base = found.map(Tuned::of);
    let enabled = reader.switch("enabled");
    let threshold = reader.number("threshold");
    let hold = reader.duration("for");
    let severity = reader.word("severity").and_then(Severity::parse);
    let base = base?;
    let tuned = Tuned {
        enabled: enabled.unwrap_or(base.enabled),
        threshold: threshold.unwrap_or(base.threshold),
        hold: hold.unwrap_or(base.hold),
        severity: severity.unwrap_or(base.severity),
    };
    Some((found?, tuned))
}
