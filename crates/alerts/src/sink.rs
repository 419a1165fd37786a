//! One place where messages go: how one message is sent there, and what the answer means. Not when, and how often: `courier`.
//!
//! Invariant: an address or a key of a service is in no error, no log line and no `Debug`.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use howdah_core::alerts::{Notice, Severity};
use sha2::Sha256;

use crate::mail::{self, Mail};
use crate::payload::{self, Source};
use crate::web::{self, Answer};

/// PagerDuty's own address.
pub const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What kind of place, and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// A Slack channel, by its webhook.
    Slack(Hidden),
    /// A Discord channel, by its webhook.
    Discord(Hidden),
    /// A PagerDuty service, by its integration key.
    PagerDuty {
        /// Where its API is.
        address: Hidden,
        /// The integration key.
        key: Hidden,
    },
    /// Any program, by HTTP.
    Webhook {
        /// Its address.
        address: Hidden,
        /// What messages are signed with.
        key: Option<Hidden>,
    },
    /// A mailbox.
    Mail(Mail),
}

/// One place where messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// Its name.
    pub name: String,
    /// How it is reached.
    pub way: Way,
    /// What is less severe does not go there.
    pub severity: Severity,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// What a service has made of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It has it. In its own words.
    Taken(String),
    /// Not now; perhaps after so long.
    Later(String, Option<Duration>),
    /// Never: the message or the address is wrong.
    Refused(String),
}

impl Sink {
    /// Sends one message, once. Waits for the answer, [`Self::timeout`] at most.
    #[must_use]
    pub fn send(&self, notice: &Notice, source: &Source) -> Outcome {
        match &self.way {
            Way::Slack(address) => self.post(address, &payload::slack(notice, source), &[]),
            Way::Discord(address) => self.post(address, &payload::discord(notice, source), &[]),
            Way::PagerDuty { address, key } => {
                self.post(address, &payload::pagerduty(notice, source, &key.0), &[])
            }
            Way::Webhook { address, key } => {
                let body = payload::webhook(notice, source);
                let signature = key.as_ref().map(|key| signature(key, &body.to_string(), now()));
                let headers: Vec<_> =
                    signature.iter().map(|value| ("x-howdah-signature", value.as_str())).collect();
                self.post(address, &body, &headers)
            }
            Way::Mail(mail) => mail::send(mail, notice, source, self.timeout),
        }
    }

    fn post(
        &self,
        address: &Hidden,
        body: &serde_json::Value,
        headers: &[(&str, &str)],
    ) -> Outcome {
        match web::post(&address.0, &body.to_string(), headers, self.timeout) {
            Ok(answer) => judge(&answer),
            // The reason may hold the address.
            Err(reason) => Outcome::Later(reason.replace(&address.0, "…"), None),
        }
    }
}

/// What an answer means.
fn judge(answer: &Answer) -> Outcome {
    let text = match answer.body.trim() {
        "" => format!("HTTP {}", answer.status),
        body => format!("HTTP {}: {}", answer.status, body.chars().take(200).collect::<String>()),
    };
    match answer.status {
        200..=299 => Outcome::Taken(text),
        408 | 425 | 429 | 500..=599 => Outcome::Later(text, answer.retry_after),
        _ => Outcome::Refused(text),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// `t=SECONDS,v1=HEX`: HMAC-SHA256 of `SECONDS.BODY`.
fn signature(key: &Hidden, body: &str, seconds: u64) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.0.as_bytes()) else {
        // HMAC takes keys of any length.
        return String::new();
    };
    mac.update(format!("{seconds}.{body}").as_bytes());
    let digest = mac.finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_for_what_they_mean() {
        let answer = |status| Answer { status, body: "words".to_owned(), retry_after: None };
        assert_eq!(judge(&answer(202)), Outcome::Taken("HTTP 202: words".to_owned()));
        for status in [429, 500, 503] {
            assert!(matches!(judge(&answer(status)), Outcome::Later(..)), "{status}");
        }
        for status in [301, 400, 401, 404, 410] {
            assert!(matches!(judge(&answer(status)), Outcome::Refused(_)), "{status}");
        }
        let wait = Answer { retry_after: Some(Duration::from_secs(7)), ..answer(429) };
        assert!(matches!(judge(&wait), Outcome::Later(_, Some(time)) if time.as_secs() == 7));
    }

    #[test]
    fn a_secret_is_not_shown() {
        let sink = Sink {
            name: "team".to_owned(),
            way: Way::Slack(Hidden("https://example.org/hunter2".to_owned())),
            severity: Severity::Info,
            timeout: Duration::from_millis(200),
        };
        assert!(!format!("{sink:?}").contains("hunter2"));
        let unreachable =
            Sink { way: Way::Slack(Hidden("http://127.0.0.1:1/hunter2".to_owned())), ..sink };
        let outcome = unreachable.send(&Notice::test(Severity::Info), &Source::default());
        assert!(
            matches!(&outcome, Outcome::Later(text, _) if !text.contains("hunter2")),
            "{outcome:?}"
        );
    }

    #[test]
    fn a_signature_is_that_of_the_time_and_the_body() {
        let made = signature(&Hidden("key".to_owned()), "{}", 7);
        // printf '7.{}' | openssl dgst -sha256 -hmac key
        assert_eq!(made, "t=7,v1=77bc83bd1f40422311e47918b203449aecf84b02c1568bb1b570ac2a474cc2d8");
    }
}
