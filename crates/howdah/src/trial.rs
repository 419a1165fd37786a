//! What the rules and routes of a configuration say about a statement, found out without a server. Not the running state: nothing is
//! counted, and no catalog is known.

use howdah_core::route::class::{Catalog, Safety, judge};
use howdah_core::rules::{Action, Client, Truth, word_of};
use howdah_sql::{Analyses, Table};
use serde::Serialize;

use crate::Config;

/// Who sends the statement that is tried; empty texts stand for nobody in particular.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    /// The name it logs in with.
    pub user: String,
    /// The database it names.
    pub database: String,
    /// Its `application_name`.
    pub application: String,
    /// Its address.
    pub address: Option<std::net::IpAddr>,
}

/// What the rules say about a statement, and what they go by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// `allow`, `flag`, `block`, or `run` if no rule decides.
    pub decision: &'static str,
    /// The rule that decides.
    pub decided_by: Option<String>,
    /// Rules that flag it because it cannot be told whether they fit.
    pub undecided: Vec<String>,
    /// Longest run in seconds.
    pub query_timeout_s: Option<f64>,
    /// Rows at most.
    pub max_rows: Option<u64>,
    /// 16 hexadecimal digits.
    pub fingerprint: String,
    /// What patterns are held against.
    pub normal_form: String,
    /// Whether classes and tables are known.
    pub known: bool,
    /// Words of the classes.
    pub classes: Vec<&'static str>,
    /// Tables that are named.
    pub tables: Vec<String>,
    /// A write that no column restricts.
    pub unbounded: bool,
    /// Signs of injection, in sentences.
    pub signals: Vec<&'static str>,
    /// Every rule in its order.
    pub rules: Vec<RuleTrial>,
}

/// How one rule looks at the statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleTrial {
    /// Its name.
    pub name: String,
    /// What it asks for.
    pub conditions: String,
    /// `fits`, `does not fit`, `cannot be told`, or `other clients` if it does not concern the sender.
    pub result: &'static str,
}

/// Whether a statement may run on a replica, as far as that can be told without the catalog of its database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteTrial {
    /// `primary`, or `replica`: there, too.
    pub destination: &'static str,
    /// Why only the primary, in one word.
    pub reason: Option<&'static str>,
    /// The same in a sentence.
    pub explanation: &'static str,
    /// The function, table or override that decides.
    pub subject: Option<String>,
    /// 16 hexadecimal digits.
    pub fingerprint: String,
    /// What patterns are held against.
    pub normal_form: String,
}

impl RouteTrial {
    /// Whether a statement may run on a replica, by its text and the overrides of a configuration alone.
    #[must_use]
    pub fn of(sql: &str, config: Option<&Config>) -> Self {
        let analysis = Analyses::new(1).analyse(sql.as_bytes());
        let overrides = config.map(|config| config.settings(0).overrides).unwrap_or_default();
        let judgement = judge(&analysis, &Catalog::default(), &overrides);
        let (destination, reason) = match judgement.safety {
            Safety::Replica => ("replica", None),
            Safety::Primary(reason) => ("primary", Some(reason)),
        };
        Self {
            destination,
            reason: reason.map(|reason| reason.word()),
            explanation: judgement.explanation(),
            subject: judgement.subject,
            fingerprint: format!("{:016x}", analysis.fingerprint.0),
            normal_form: analysis.text.to_string(),
        }
    }
}

impl Config {
    /// Tries the rules out on a text.
    #[must_use]
    pub fn try_rules(&self, sender: &Sender, sql: &str) -> Trial {
        let rules = self.settings(0).rules;
        let places = rules.concerning(&Client {
            user: &sender.user,
            database: &sender.database,
            application: &sender.application,
            address: sender.address,
        });
        let analysis = Analyses::new(1).analyse(sql.as_bytes());
        let verdict = rules.judge(&places, &analysis, sql.as_bytes());
        let name = |at: usize| rules.get(at).map(|rule| rule.name.clone()).unwrap_or_default();
        let details = analysis.details.clone().unwrap_or_default();
        let table = |table: &Table| match &table.schema {
            Some(schema) => format!("{schema}.{}", table.name),
            None => table.name.to_string(),
        };
        let signals = howdah_sql::injection_signals(sql.as_bytes(), &analysis);
        let trials = rules.explain(&places, &analysis, sql.as_bytes());
        let looked = trials.iter().filter_map(|trial| {
            let rule = rules.get(trial.rule)?;
            Some(RuleTrial {
                name: rule.name.clone(),
                conditions: rule.conditions.to_string(),
                result: match trial.truth {
                    _ if !trial.concerns => "other clients",
                    Truth::Holds => "fits",
                    Truth::Fails => "does not fit",
                    Truth::Unknown => "cannot be told",
                },
            })
        });
        Trial {
            decision: verdict.decided.map_or("run", |(action, _)| Action::as_str(action)),
            decided_by: verdict.decided.map(|(_, at)| name(at)),
            undecided: verdict.undecided.iter().map(|at| name(*at)).collect(),
            query_timeout_s: verdict.query_timeout.map(|(time, _)| time.as_secs_f64()),
            max_rows: verdict.max_rows.map(|(rows, _)| rows),
            fingerprint: format!("{:016x}", analysis.fingerprint.0),
            normal_form: howdah_sql::normal_text(sql.as_bytes()).text,
            known: analysis.details.is_some(),
            classes: details.classes.iter().map(|class| word_of(*class)).collect(),
            tables: details.tables.iter().map(table).collect(),
            unbounded: details.unbounded,
            signals: signals.iter().map(|signal| signal.reason()).collect(),
            rules: looked.collect(),
        }
    }
}
