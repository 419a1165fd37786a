//! What the configuration says about functions, tables and statements, against what would be concluded. Not about single clients.
//!
//! Invariant: an override sends nothing to a replica for which there is a certain reason against it.

use howdah_sql::{Analysis, Fingerprint};

use super::Name;
use crate::rules::{Pattern, TableName};

/// Where an override sends what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// Always to the primary.
    Primary,
    /// To a replica, too, if it would go to the primary for a doubt only.
    Replica,
}

/// What an override is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// Functions, by name.
    Functions(Vec<TableName>),
    /// Tables and views, by name.
    Tables(Vec<TableName>),
    /// Statements with one of these fingerprints.
    Fingerprints(Vec<Fingerprint>),
    /// Statements in whose normal form this is found.
    Pattern(Pattern),
}

/// One override.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// Its name, unique.
    pub name: String,
    /// What it is about.
    pub subject: Subject,
    /// Where that goes.
    pub to: Destination,
}

/// All overrides in their order: the first that fits counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides(Vec<Override>);

impl Overrides {
    /// Overrides in their order.
    #[must_use]
    pub const fn new(overrides: Vec<Override>) -> Self {
        Self(overrides)
    }

    /// The overrides in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Override> {
        self.0.iter()
    }

    /// The first that fits.
    fn first(&self, fits: impl Fn(&Subject) -> bool) -> Option<(&str, Destination)> {
        let found = self.0.iter().find(|one| fits(&one.subject));
        found.map(|one| (one.name.as_str(), one.to))
    }

    /// What is said about a whole statement.
    pub(super) fn of_statement(&self, analysis: &Analysis) -> Option<(&str, Destination)> {
        self.0
            .iter()
            .find(|one| match &one.subject {
                Subject::Functions(_) | Subject::Tables(_) => false,
                Subject::Fingerprints(all) => all.contains(&analysis.fingerprint),
                Subject::Pattern(pattern) => match pattern.is_in_analysis(analysis) {
                    Some(found) => found,
                    // Of a text that is too long only the beginning is known.
                    None => one.to == Destination::Primary,
                },
            })
            .map(|one| (one.name.as_str(), one.to))
    }

    /// What is said about a function that may be meant.
    pub(super) fn may_be_of_function(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Option<(&str, Destination)> {
        self.first(|subject| match subject {
            Subject::Functions(names) => names.iter().any(|known| known.may_mean(schema, name)),
            Subject::Tables(_) | Subject::Fingerprints(_) | Subject::Pattern(_) => false,
        })
    }

    /// What is said about a table that may be meant.
    pub(super) fn may_be_of_table(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Option<(&str, Destination)> {
        self.first(|subject| match subject {
            Subject::Tables(names) => names.iter().any(|known| known.may_mean(schema, name)),
            Subject::Functions(_) | Subject::Fingerprints(_) | Subject::Pattern(_) => false,
        })
    }

    /// Whether a function is said to be harmless.
    pub(super) fn is_function_believed(&self, name: &Name) -> bool {
        let said = self.first(|subject| match subject {
            Subject::Functions(names) => names.iter().any(|known| is(known, name)),
            Subject::Tables(_) | Subject::Fingerprints(_) | Subject::Pattern(_) => false,
        });
        said.is_some_and(|(_, to)| to == Destination::Replica)
    }

    /// Whether a table is said to be harmless.
    pub(super) fn is_table_believed(&self, name: &Name) -> bool {
        let said = self.first(|subject| match subject {
            Subject::Tables(names) => names.iter().any(|known| is(known, name)),
            Subject::Functions(_) | Subject::Fingerprints(_) | Subject::Pattern(_) => false,
        });
        said.is_some_and(|(_, to)| to == Destination::Replica)
    }
}

/// Whether a name of the configuration is certainly this one. Without a schema it is meant in every schema.
fn is(known: &TableName, name: &Name) -> bool {
    *known.name == *name.name
        && known.schema.as_deref().is_none_or(|schema| *schema == *name.schema)
}
