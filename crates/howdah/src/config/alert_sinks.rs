//! `[[alerts.sink]]`: where messages about what is wrong go. Not which messages, and not how they are sent: `howdah_alerts`.
//!
//! Invariant: an address or a key is in no mistake.

use std::collections::HashMap;
use std::time::Duration;

use howdah_alerts::{Hidden, Mail, MailPart, PAGERDUTY, Sink, Way};
use howdah_core::alerts::Severity;

use super::document::{self, Table};
use super::error::Mistake;
use super::keys::ALERT_SINK;
use super::read::{Findings, Reader};
use super::secret;
use super::validate::unique;

/// Reads all of them.
pub(super) fn read(
    table: Option<&Table>,
    environment: &HashMap<String, String>,
    findings: &mut Findings,
) -> Vec<Sink> {
    let tables = table.map(|table| table.named("sink")).unwrap_or_default();
    unique(tables, "alerts", findings);
    let mut sinks = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        let path = document::path("alerts", table.section, Some((index, table.name().as_deref())));
        let mut reader = Reader::new(ALERT_SINK.keys, Some(table), path, findings);
        sinks.extend(sink(&mut reader, environment));
    }
    sinks
}

fn sink(reader: &mut Reader<'_>, environment: &HashMap<String, String>) -> Option<Sink> {
    let name = reader.text("name");
    if name.is_none() && !reader.is_given("name") {
        reader.fail(Mistake::Missing, "name", "a sink without a name", "name = \"team\"");
    }
    let kind = reader.word("type");
    if kind.is_none() && !reader.is_given("type") {
        let fix = "type = \"slack\", \"discord\", \"pagerduty\", \"webhook\" or \"email\"";
        reader.fail(Mistake::Missing, "type", "a sink of no type", fix);
    }
    let address = secret::read(reader, "url", environment);
    let secret = secret::read(reader, "secret", environment).map(Hidden);
    let severity = reader.word("severity").and_then(Severity::parse);
    let timeout = reader.duration("timeout").unwrap_or(Duration::from_secs(10));
    let kind = kind?;
    let way = match kind {
        "email" => mail(reader, address, secret)?,
        "pagerduty" => {
            let address = match address {
                Some(address) => web(reader, address)?,
                None => Hidden(PAGERDUTY.to_owned()),
            };
            let fix = "secret = \"…\", the integration key of its service";
            Way::PagerDuty { address, key: needed(reader, "secret", secret, fix)? }
        }
        _ => {
            let address = needed(reader, "url", address, "url = \"https://…\", or url_file")?;
            let address = web(reader, address)?;
            match kind {
                "slack" => Way::Slack(address),
                "discord" => Way::Discord(address),
                _ => Way::Webhook { address, key: secret },
            }
        }
    };
    let default = if kind == "pagerduty" { Severity::Critical } else { Severity::Warning };
    Some(Sink { name: name?, way, severity: severity.unwrap_or(default), timeout })
}

/// What a sink of this type cannot do without.
fn needed<T>(reader: &mut Reader<'_>, key: &str, value: Option<T>, fix: &str) -> Option<T> {
    // One that is given and cannot be read is reported already.
    if value.is_none() && !secret::is_given(reader, key) {
        reader.fail(Mistake::Missing, key, "a sink of this type needs it", fix);
    }
    value
}

fn web(reader: &mut Reader<'_>, address: String) -> Option<Hidden> {
    let good = ["https://", "http://"]
        .iter()
        .any(|scheme| address.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
        && !address.contains(char::is_whitespace);
    if !good {
        let reason = "not an address on the web";
        reader.fail(Mistake::Value, "url", reason, "it begins with https:// or http://");
        return None;
    }
    Some(Hidden(address))
}

fn mail(reader: &mut Reader<'_>, address: Option<String>, password: Option<Hidden>) -> Option<Way> {
    let user = reader.text("user");
    let from = reader.text("from");
    let to = reader.list("to").unwrap_or_default();
    let address = needed(reader, "url", address, "url = \"smtps://example.org\"");
    let from = needed(reader, "from", from, "from = \"howdah@example.org\"");
    if to.is_empty() {
        reader.fail(Mistake::Missing, "to", "a letter to nobody", "to = [\"team@example.org\"]");
    }
    if user.is_some() != password.is_some() {
        let fix = "both of user and secret, or none";
        reader.fail(Mistake::Missing, "user", "half of a login", fix);
    }
    let (address, from) = (address?, from?);
    match Mail::new(&address, user.zip(password), &from, &to) {
        Ok(mail) => Some(Way::Mail(mail)),
        Err((part, reason)) => {
            let (key, fix) = match part {
                MailPart::Address => {
                    ("url", "smtps://HOST, smtp+starttls://HOST:587, smtp://localhost")
                }
                MailPart::From => ("from", "howdah@example.org"),
                MailPart::To => ("to", "team@example.org"),
            };
            reader.fail(Mistake::Value, key, reason, fix);
            None
        }
    }
}
