//! What somebody is told. Not in which words of which service: sinks know those.

use std::time::Duration;

use super::Severity;

/// Why they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// It has been wrong for long enough.
    Fired,
    /// It has more or worse consequences than when it was told.
    Worse,
    /// It is still so.
    Still,
    /// It comes and goes; nothing more is told until it has been quiet for a while.
    Flapping,
    /// It is over.
    Resolved,
    /// Somebody tries out whether messages arrive.
    Test,
}

impl Occasion {
    /// A word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Worse => "worse",
            Self::Still => "still",
            Self::Flapping => "flapping",
            Self::Resolved => "resolved",
            Self::Test => "test",
        }
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Why.
    pub occasion: Occasion,
    /// Name of the rule.
    pub rule: &'static str,
    /// How bad it is, its consequences included.
    pub severity: Severity,
    /// What is wrong, with what: a sentence.
    pub title: String,
    /// The number, against its bound, and what else is known.
    pub evidence: String,
    /// What to do first.
    pub first_step: &'static str,
    /// What it is about.
    pub subject: String,
    /// What else is wrong because of it.
    pub consequences: Vec<String>,
    /// How long it has been so, or was.
    pub lasting: Duration,
    /// The page of the dashboard that shows it.
    pub page: &'static str,
}

impl Notice {
    /// Equal for all messages about the same thing.
    #[must_use]
    pub fn key(&self) -> String {
        format!("howdah/{}/{}", self.rule, self.subject)
    }

    /// A message that tries out whether messages arrive.
    #[must_use]
    pub fn test(severity: Severity) -> Self {
        Self {
            occasion: Occasion::Test,
            rule: "test",
            severity,
            title: "This is a test of Howdah's alerts".to_owned(),
            evidence: "Nothing is wrong: somebody has asked for this message.".to_owned(),
            first_step: "Nothing to do",
            subject: "Howdah".to_owned(),
            consequences: Vec::new(),
            lasting: Duration::ZERO,
            page: "#/alerts",
        }
    }
}
