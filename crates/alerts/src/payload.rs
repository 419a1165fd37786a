//! A notice in the words of each service: JSON for Slack, Discord, PagerDuty and webhooks. Not how it is sent.
//!
//! Invariant: within the limits of the service whatever the notice holds, and nothing in it calls anybody (`@everyone`, `<!channel>`) or
//! is markup.

use howdah_core::alerts::{Notice, Occasion, Severity};
use serde_json::{Value, json};

/// Characters of a text section at Slack, of a header there, and of a description at Discord; each a little below the limit.
const SLACK_TEXT: usize = 2_900;
const SLACK_HEADER: usize = 140;
const DISCORD_TITLE: usize = 250;
const DISCORD_TEXT: usize = 3_000;
/// Characters of a summary at PagerDuty, and of a key.
const PAGERDUTY_SUMMARY: usize = 1_000;
const PAGERDUTY_KEY: usize = 250;

/// Where messages come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Name of this Howdah.
    pub name: String,
    /// Address of the dashboard; `None`: there is none to link to.
    pub dashboard: Option<String>,
}

impl Source {
    fn link(&self, notice: &Notice) -> Option<String> {
        Some(format!("{}{}", self.dashboard.as_ref()?, notice.page))
    }
}

/// A text cut to so many characters.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// One line: what has happened, with what.
pub(crate) fn headline(notice: &Notice, source: &Source) -> String {
    let word = match (notice.occasion, notice.severity) {
        (Occasion::Resolved, _) => "resolved",
        (Occasion::Test, _) => "test",
        (Occasion::Flapping, _) => "flapping",
        (Occasion::Still, _) => "still",
        (Occasion::Fired | Occasion::Worse, severity) => severity.as_str(),
    };
    format!("[{word}] {} ({})", notice.title, source.name)
}

fn lasting(notice: &Notice) -> Option<String> {
    let seconds = notice.lasting.as_secs();
    let text = match seconds {
        0 => return None,
        1..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    };
    let word = if notice.occasion == Occasion::Resolved { "lasted" } else { "since" };
    Some(format!("{word} {text}"))
}

/// Names and texts of what there is to say, most telling first.
pub(crate) fn facts(notice: &Notice) -> Vec<(&'static str, String)> {
    let mut facts = vec![("Evidence", notice.evidence.clone())];
    if !notice.consequences.is_empty() {
        facts.push(("Because of it", notice.consequences.join("; ")));
    }
    if notice.occasion != Occasion::Resolved {
        facts.push(("First step", notice.first_step.to_owned()));
    }
    facts.extend(lasting(notice).map(|text| ("Time", text)));
    facts.push(("Rule", format!("{} ({})", notice.rule, notice.severity.as_str())));
    facts
}

/// For Slack: everything that is markup is escaped.
pub(crate) fn slack(notice: &Notice, source: &Source) -> Value {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let headline = headline(notice, source);
    let lines = facts(notice).into_iter();
    let lines: Vec<String> =
        lines.map(|(name, text)| format!("*{name}:* {}", escaped(&text))).collect();
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": cut(&headline, SLACK_HEADER) } }),
        json!({ "type": "section", "text": { "type": "mrkdwn", "text": cut(&lines.join("\n"), SLACK_TEXT) } }),
    ];
    if let Some(link) = source.link(notice) {
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": format!("<{}|Open the dashboard>", escaped(&link)) } }));
    }
    json!({ "text": cut(&escaped(&headline), SLACK_TEXT), "blocks": blocks })
}

/// For Discord: nobody is called, whatever the texts hold.
pub(crate) fn discord(notice: &Notice, source: &Source) -> Value {
    let colour = match (notice.occasion, notice.severity) {
        (Occasion::Resolved, _) => 0x1d_7a46,
        (_, Severity::Critical) => 0xb3_261e,
        (_, Severity::Warning) => 0xb0_7a10,
        (_, Severity::Info) => 0x4f_7fd1,
    };
    let lines = facts(notice).into_iter().map(|(name, text)| format!("**{name}:** {text}"));
    let text = lines.collect::<Vec<_>>().join("\n");
    json!({
        "allowed_mentions": { "parse": [] },
        "embeds": [{
            "title": cut(&headline(notice, source), DISCORD_TITLE),
            "description": cut(&text, DISCORD_TEXT),
            "color": colour,
            "url": source.link(notice),
        }],
    })
}

/// For PagerDuty's Events API, version 2; `key` is the integration's.
pub(crate) fn pagerduty(notice: &Notice, source: &Source, key: &str) -> Value {
    let resolved = notice.occasion == Occasion::Resolved;
    let dedup = cut(&format!("{}/{}", source.name, notice.key()), PAGERDUTY_KEY);
    let mut event = json!({
        "routing_key": key,
        "event_action": if resolved { "resolve" } else { "trigger" },
        "dedup_key": dedup,
    });
    if let (false, Some(event)) = (resolved, event.as_object_mut()) {
        let details = facts(notice).into_iter().map(|(name, text)| (name.to_owned(), json!(text)));
        event.insert(
            "payload".to_owned(),
            json!({
                "summary": cut(&headline(notice, source), PAGERDUTY_SUMMARY),
                "source": source.name,
                "severity": notice.severity.as_str(),
                "component": notice.subject,
                "group": "howdah",
                "class": notice.rule,
                "custom_details": details.collect::<serde_json::Map<_, _>>(),
            }),
        );
        if let Some(link) = source.link(notice) {
            event.insert("client".to_owned(), json!("Howdah"));
            event.insert("client_url".to_owned(), json!(link));
        }
    }
    event
}

/// For webhooks: all that is known, with a version.
pub(crate) fn webhook(notice: &Notice, source: &Source) -> Value {
    json!({
        "schema": "howdah.alert/1",
        "source": source.name,
        "occasion": notice.occasion.as_str(),
        "status": if notice.occasion == Occasion::Resolved { "resolved" } else { "firing" },
        "rule": notice.rule,
        "severity": notice.severity.as_str(),
        "about": notice.subject,
        "title": notice.title,
        "evidence": notice.evidence,
        "consequences": notice.consequences,
        "first_step": notice.first_step,
        "lasting_s": notice.lasting.as_secs(),
        "key": notice.key(),
        "link": source.link(notice),
    })
}

/// A letter: subject, and text.
pub(crate) fn letter(notice: &Notice, source: &Source) -> (String, String) {
    let mut text = format!("{}\n\n", notice.title);
    for (name, fact) in facts(notice) {
        text.push_str(&format!("{name}: {fact}\n"));
    }
    if let Some(link) = source.link(notice) {
        text.push_str(&format!("\n{link}\n"));
    }
    // A line end in a subject would begin another header.
    let subject = headline(notice, source).replace(['\r', '\n'], " ");
    (cut(&subject, SLACK_HEADER), text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn notice(text: &str) -> Notice {
        Notice {
            occasion: Occasion::Fired,
            rule: "pool_exhausted",
            severity: Severity::Critical,
            title: format!("Clients wait for a server: {text}"),
            evidence: text.to_owned(),
            first_step: "Look at the pools",
            subject: text.to_owned(),
            consequences: vec![text.to_owned()],
            lasting: Duration::from_secs(150),
            page: "#/pools",
        }
    }

    fn source() -> Source {
        let dashboard = Some("http://127.0.0.1:9640/admin/performance".to_owned());
        Source { name: "proxy-1".to_owned(), dashboard }
    }

    #[test]
    fn nobody_is_called_and_nothing_is_markup() {
        let odd = notice("<!channel> @everyone <b>&");
        let slack = slack(&odd, &source());
        assert_eq!(slack["blocks"][0]["text"]["type"], "plain_text");
        for text in [&slack["text"], &slack["blocks"][1]["text"]["text"]] {
            let text = text.as_str().unwrap();
            assert!(!text.contains('<') && text.contains("&lt;!channel&gt;"), "{text}");
        }
        let discord = discord(&odd, &source());
        assert_eq!(discord["allowed_mentions"]["parse"], json!([]));
        let (subject, _) = letter(&notice("a\r\nBcc: b@example.org"), &source());
        assert!(!subject.contains(['\r', '\n']), "{subject}");
    }

    #[test]
    fn messages_are_within_the_limits_of_their_service_however_long_texts_are() {
        let long = notice(&"é".repeat(10_000));
        let length = |value: &Value| value.as_str().unwrap().chars().count();
        let slack = slack(&long, &source());
        assert!(length(&slack["text"]) <= 3_000);
        assert!(length(&slack["blocks"][0]["text"]["text"]) <= 150);
        assert!(length(&slack["blocks"][1]["text"]["text"]) <= 3_000);
        let discord = discord(&long, &source());
        assert!(length(&discord["embeds"][0]["title"]) <= 256);
        assert!(length(&discord["embeds"][0]["description"]) <= 4_096);
        let pagerduty = pagerduty(&long, &source(), "key");
        assert!(length(&pagerduty["dedup_key"]) <= 255);
        assert!(length(&pagerduty["payload"]["summary"]) <= 1_024);
    }

    #[test]
    fn the_end_closes_what_the_beginning_has_opened() {
        let first = pagerduty(&notice("x"), &source(), "key");
        let last = Notice { occasion: Occasion::Resolved, ..notice("x") };
        let last = pagerduty(&last, &source(), "key");
        assert_eq!(
            (&first["event_action"], &last["event_action"]),
            (&json!("trigger"), &json!("resolve"))
        );
        assert_eq!(first["dedup_key"], last["dedup_key"]);
        assert_eq!(first["payload"]["severity"], "critical");
        assert_eq!(first["client_url"], "http://127.0.0.1:9640/admin/performance#/pools");
    }

    #[test]
    fn a_message_says_what_is_wrong_since_when_and_what_to_do() {
        let (subject, text) = letter(&notice("shop"), &source());
        assert_eq!(subject, "[critical] Clients wait for a server: shop (proxy-1)");
        for part in
            ["Evidence: shop", "First step: Look at the pools", "Time: since 2 min", "#/pools"]
        {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(webhook(&notice("shop"), &source())["status"], "firing");
    }
}
