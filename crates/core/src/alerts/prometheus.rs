//! The rules for Prometheus, made from the table. Not how Howdah evaluates its own.
//!
//! Invariant: equal tunings give equal texts.

use std::fmt::Write as _;
use std::time::Duration;

use super::Tuning;

/// The name of a rule in Prometheus' spelling: `HowdahPrimaryDown`.
#[must_use]
pub fn alert_name(rule: &str) -> String {
    let mut name = "Howdah".to_owned();
    for word in rule.split('_') {
        let mut chars = word.chars();
        name.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(chars.as_str());
    }
    name
}

/// A file of rules for Prometheus, in YAML. What cannot be told from metrics alone is told from what Howdah itself has found.
#[must_use]
pub fn prometheus(tuning: &Tuning) -> String {
    let mut text = String::from(
        "# Made by: howdah alerts rules --format prometheus\ngroups:\n  - name: howdah\n    rules:\n",
    );
    entry(
        &mut text,
        "HowdahDown",
        "absent(howdah_build_info)",
        Duration::from_secs(60),
        "critical",
        ("Howdah cannot be scraped", "Look whether the process runs and [web] listen is reachable"),
    );
    for (rule, tuned) in tuning.all().filter(|(_, tuned)| tuned.enabled) {
        let own = format!("howdah_alerts_firing{{rule=\"{}\"}} > 0", rule.name);
        let expression = rule
            .expression
            .map(|expression| expression.replace("{threshold}", &tuned.threshold.to_string()));
        // Howdah's own verdict has waited already.
        let hold = if rule.expression.is_some() { tuned.hold } else { Duration::ZERO };
        entry(
            &mut text,
            &alert_name(rule.name),
            &expression.unwrap_or(own),
            hold,
            tuned.severity.as_str(),
            (&rule.title.replace("{}", "{{ $labels.instance }}"), rule.first_step),
        );
    }
    entry(
        &mut text,
        "HowdahWatchdog",
        "vector(1)",
        Duration::ZERO,
        "none",
        ("Always there: whoever misses it does not get alerts", "Nothing to do"),
    );
    text
}

fn entry(
    text: &mut String,
    name: &str,
    expression: &str,
    hold: Duration,
    severity: &str,
    (summary, first_step): (&str, &str),
) {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    // Writing to a String cannot fail.
    let _ = writeln!(text, "      - alert: {name}\n        expr: {}", quoted(expression));
    if !hold.is_zero() {
        let _ = writeln!(text, "        for: {}s", hold.as_secs());
    }
    let _ = writeln!(
        text,
        "        labels:\n          severity: {severity}\n        annotations:\n          summary: {}\n          description: {}",
        quoted(summary),
        quoted(first_step)
    );
}
