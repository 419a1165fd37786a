//! Rules about statements: which are flagged, which are refused, how long they may run, how many rows they may give. Not rules by
//! address: those are about logins.
//!
//! Two steps: which rules concern a client at all ([`Rules::concerning`], asked rarely), and what those say about a statement
//! ([`Rules::judge`]). The answer to the second depends on nothing but the analysis of the text, unless
//! [`Verdict::by_text`] says otherwise.
//!
//! Invariant: what cannot be told of a statement is neither taken for a condition that holds nor for one that does not; each rule
//! says what to do then.

mod conditions;
mod verdict;

use std::time::Duration;

pub use conditions::{Client, Conditions, Pattern, TableName, Truth, class_of, word_of};
pub use verdict::{Trial, Verdict};

/// What happens to a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It runs, and no later rule decides otherwise.
    Allow,
    /// It runs, is counted and logged.
    Flag,
    /// It is refused with SQLSTATE 42501.
    Block,
}

impl Action {
    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Flag => "flag",
            Self::Block => "block",
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name, unique.
    pub name: String,
    /// All have to hold.
    pub conditions: Conditions,
    /// What is decided; `None`: nothing, later rules go on.
    pub action: Option<Action>,
    /// What happens when it cannot be told whether the conditions hold; only [`Action::Block`] decides.
    pub undecided: Action,
    /// Longest run of the statement.
    pub query_timeout: Option<Duration>,
    /// Rows that the statement may give.
    pub max_rows: Option<u64>,
}

/// All rules, in the order of the configuration: the first that fits decides, and the first that fits and names a limit sets it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// Rules in their order.
    #[must_use]
    pub const fn new(rules: Vec<Rule>) -> Self {
        Self(rules)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter()
    }

    /// The rule at a place.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&Rule> {
        self.0.get(at)
    }

    /// Whether the name of an application matters.
    #[must_use]
    pub fn ask_for_application(&self) -> bool {
        self.iter().any(|rule| !rule.conditions.applications.is_empty())
    }

    /// Places of the rules whose conditions about the client hold.
    #[must_use]
    pub fn concerning(&self, client: &Client<'_>) -> Vec<usize> {
        let holds = |(_, rule): &(usize, &Rule)| rule.conditions.concern(client);
        self.iter().enumerate().filter(holds).map(|(at, _)| at).collect()
    }
}

#[cfg(test)]
mod tests;
