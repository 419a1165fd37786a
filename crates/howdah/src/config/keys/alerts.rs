//! The keys of `[alerts]`.

use super::{Key, Kind, SWITCH, Section, Shape, Zero};

const SEVERITY: Kind = Kind::Word(&["info", "warning", "critical"]);

/// `[alerts]`
pub(crate) static ALERTS: Section = Section {
    name: "alerts",
    shape: Shape::One,
    doc: "Who is told when something is wrong. Works without a word here: what is wrong is in the log, SHOW ALERTS and the dashboard.",
    sections: &[&ALERT_SINK, &ALERT_RULE],
    keys: &[
        Key::new("enabled", SWITCH, "Whether anything is looked at: once a second, from memory.")
            .default("true"),
        Key::new(
            "repeat",
            Kind::Duration(Zero::Refused),
            "After how long somebody is told again that it is still so.",
        )
        .default("4h"),
        Key::new(
            "repeat_critical",
            Kind::Duration(Zero::Refused),
            "The same for what is critical.",
        )
        .default("1h"),
        Key::new(
            "resolve_after",
            Kind::Duration(Zero::Refused),
            "How long it has to be right again before it counts as over.",
        )
        .default("1m"),
    ],
};

/// `[[alerts.rule]]`
pub(crate) static ALERT_RULE: Section = Section {
    name: "rule",
    shape: Shape::Named,
    doc: "What differs from the rules as howdah alerts rules lists them.",
    sections: &[],
    keys: &[
        Key::new("name", Kind::Text, "Which rule.").example("replica_lag"),
        Key::new("enabled", SWITCH, "false: it is not looked at.").example("false"),
        Key::new(
            "threshold",
            Kind::Number,
            "Where it begins to be wrong, in the unit of the rule (seconds, percent, …).",
        )
        .example("30"),
        Key::new("for", Kind::Duration(Zero::Allowed), "How long it has to be wrong.")
            .example("5m"),
        Key::new("severity", SEVERITY, "How bad it is.").example("critical"),
    ],
};

/// `[[alerts.sink]]`
pub(crate) static ALERT_SINK: Section = Section {
    name: "sink",
    shape: Shape::Named,
    doc: "Where messages go. Without one they are in the log alone. howdah alerts test tries one out.",
    sections: &[],
    keys: &[
        Key::new("name", Kind::Text, "What reports call it.").example("team"),
        Key::new("type", Kind::Word(&["slack", "discord", "pagerduty", "webhook", "email"]), "What is there.").example("slack"),
        Key::new("url", Kind::Text, "Its address, which is a secret: the incoming webhook of Slack or Discord; of a webhook; of a mail server:\nsmtps://HOST, smtp+starttls://HOST or, in clear, smtp://HOST. PagerDuty needs none. Better one of the next three.").example("…").secret(),
        Key::new("url_file", Kind::Text, "File that holds it.").example("/run/secrets/slack"),
        Key::new("url_env", Kind::Text, "Environment variable that holds it.").example("SLACK_WEBHOOK"),
        Key::new("url_command", Kind::Text, "Shell command that prints it.").example("pass show slack"),
        Key::new("secret", Kind::Text, "PagerDuty: the integration key. Webhook: what messages are signed with. E-mail: the password of user.").example("…").secret(),
        Key::new("secret_file", Kind::Text, "File that holds it.").example("/run/secrets/pagerduty"),
        Key::new("secret_env", Kind::Text, "Environment variable that holds it.").example("PAGERDUTY_KEY"),
        Key::new("secret_command", Kind::Text, "Shell command that prints it.").example("pass show pagerduty"),
        Key::new("user", Kind::Text, "E-mail: whom to log in to the mail server as.").example("howdah"),
        Key::new("from", Kind::Text, "E-mail: who it is from.").example("howdah@example.org"),
        Key::new("to", Kind::List, "E-mail: who gets it.").example("team@example.org"),
        Key::new("severity", SEVERITY, "What is less severe does not go there. Left out: warning, and critical for PagerDuty.").example("critical"),
        Key::new("timeout", Kind::Duration(Zero::Refused), "How long one attempt may take.").default("10s"),
    ],
};
