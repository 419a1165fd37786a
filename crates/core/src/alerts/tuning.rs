//! What the configuration says about alerts, where it differs from the table of rules.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Severity;
use super::registry::{RULES, Rule};

/// One rule as it is in force.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tuned {
    /// It is looked at.
    pub enabled: bool,
    /// Where it begins to be wrong.
    pub threshold: f64,
    /// How long it has to be wrong.
    pub hold: Duration,
    /// How bad it is.
    pub severity: Severity,
}

impl Tuned {
    /// As the table has it.
    #[must_use]
    pub const fn of(rule: &Rule) -> Self {
        Self { enabled: true, threshold: rule.threshold, hold: rule.hold, severity: rule.severity }
    }
}

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// Whether anything is looked at.
    pub enabled: bool,
    /// After how long somebody is told again that it is still so.
    pub repeat: Duration,
    /// The same for what is critical.
    pub repeat_critical: Duration,
    /// How long it has to be right again before it counts as over.
    pub resolve_after: Duration,
    /// Rules that differ, by name.
    pub rules: BTreeMap<&'static str, Tuned>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            enabled: true,
            repeat: Duration::from_secs(4 * 3_600),
            repeat_critical: Duration::from_secs(3_600),
            resolve_after: Duration::from_secs(60),
            rules: BTreeMap::new(),
        }
    }
}

impl Tuning {
    /// A rule as it is in force.
    #[must_use]
    pub fn of(&self, rule: &Rule) -> Tuned {
        let mut tuned = self.rules.get(rule.name).copied().unwrap_or_else(|| Tuned::of(rule));
        tuned.enabled &= self.enabled;
        tuned
    }

    /// All rules as they are in force, in their order.
    pub fn all(&self) -> impl Iterator<Item = (&'static Rule, Tuned)> + '_ {
        RULES.iter().map(|rule| (rule, self.of(rule)))
    }
}
