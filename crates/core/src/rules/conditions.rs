//! The conditions of a rule, and whether they hold. Not what follows from that: `verdict`.
//!
//! Invariant: conditions about the client are decided without a statement, all others without the client.

use core::net::IpAddr;
use std::cell::OnceCell;
use std::fmt;

use howdah_sql::{Analysis, Class, Details, Fingerprint, NormalText, Signal, Table};
use ipnet::IpNet;
use regex::Regex;

use super::Action;

/// Who sends a statement.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// The name it logged in with.
    pub user: &'a str,
    /// The database it named.
    pub database: &'a str,
    /// Its `application_name`; empty if it has said none.
    pub application: &'a str,
    /// Its address; `None`: it came over a Unix socket, or from inside the process.
    pub address: Option<IpAddr>,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It does.
    Holds,
    /// It does not.
    Fails,
    /// That cannot be told.
    Unknown,
}

impl Truth {
    const fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }

    /// Both.
    pub(super) const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fails, _) | (_, Self::Fails) => Self::Fails,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Holds, Self::Holds) => Self::Holds,
        }
    }
}

/// A regular expression over the normal form of a text; equal if written equally.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles it.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn new(text: &str) -> Result<Self, String> {
        Regex::new(text).map(Self).map_err(|error| error.to_string())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// A table in a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// `None`: in any schema.
    pub schema: Option<String>,
    /// As PostgreSQL stores it.
    pub name: String,
}

impl TableName {
    /// `orders` or `shop.orders`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.split_once('.') {
            Some((schema, name)) => Self { schema: Some(schema.to_owned()), name: name.to_owned() },
            None => Self { schema: None, name: text.to_owned() },
        }
    }

    /// Whether a statement may mean it: where one of both leaves the schema out, it may.
    fn may_be(&self, table: &Table) -> bool {
        self.may_mean(table.schema.as_deref(), &table.name)
    }

    /// Whether it may be what somebody calls so.
    pub(crate) fn may_mean(&self, schema: Option<&str>, name: &str) -> bool {
        let schemas = self.schema.as_deref().zip(schema);
        *self.name == *name && schemas.is_none_or(|(own, other)| own == other)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)
    }
}

/// Classes and their words in the configuration.
const CLASSES: [(&str, Class); 7] = [
    ("read", Class::Read),
    ("write", Class::Write),
    ("ddl", Class::Ddl),
    ("copy", Class::Copy),
    ("transaction", Class::TransactionControl),
    ("session", Class::SessionState),
    ("other", Class::Other),
];

/// The class of a word.
#[must_use]
pub fn class_of(word: &str) -> Option<Class> {
    CLASSES.iter().find(|(known, _)| *known == word).map(|(_, class)| *class)
}

/// The word of a class.
#[must_use]
pub fn word_of(class: Class) -> &'static str {
    CLASSES.iter().find(|(_, known)| *known == class).map_or("other", |(word, _)| word)
}

/// What has to hold; an empty list and `None` and `false` ask nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conditions {
    /// One of these users.
    pub users: Vec<String>,
    /// One of these databases, by the names clients use.
    pub databases: Vec<String>,
    /// One of these `application_name`s.
    pub applications: Vec<String>,
    /// In one of these networks. A client without an address is in none.
    pub addresses: Vec<IpNet>,
    /// One of these fingerprints.
    pub fingerprints: Vec<Fingerprint>,
    /// Found in the normal form.
    pub pattern: Option<Pattern>,
    /// One of the statements is of one of these classes; for a rule that allows: all are.
    pub classes: Vec<Class>,
    /// One of these tables is named; for a rule that allows: no others are.
    pub tables: Vec<TableName>,
    /// An `UPDATE` or `DELETE` that no column restricts.
    pub unbounded: bool,
    /// Signs of injection.
    pub injection: bool,
}

/// A text with its analysis. What is found out about it on the way is kept.
pub(super) struct Statement<'a> {
    pub(super) analysis: &'a Analysis,
    sql: &'a [u8],
    normal: OnceCell<NormalText>,
    signals: OnceCell<Vec<Signal>>,
}

impl<'a> Statement<'a> {
    pub(super) const fn new(analysis: &'a Analysis, sql: &'a [u8]) -> Self {
        Self { analysis, sql, normal: OnceCell::new(), signals: OnceCell::new() }
    }

    /// Whether nobody has looked at the text.
    fn is_unseen(&self) -> bool {
        self.analysis.fingerprint == Fingerprint(0)
    }

    fn normal(&self) -> &NormalText {
        self.normal.get_or_init(|| howdah_sql::normal_text(self.sql))
    }

    pub(super) fn signals(&self) -> &[Signal] {
        self.signals.get_or_init(|| howdah_sql::injection_signals(self.sql, self.analysis))
    }
}

impl Conditions {
    /// Whether those about the client hold.
    pub(super) fn concern(&self, client: &Client<'_>) -> bool {
        let among = |names: &[String], name: &str| {
            names.is_empty() || names.iter().any(|known| known == name)
        };
        let inside = |address: IpAddr| {
            let address = address.to_canonical();
            self.addresses.iter().any(|network| network.contains(&address))
        };
        among(&self.users, client.user)
            && among(&self.databases, client.database)
            && among(&self.applications, client.application)
            && (self.addresses.is_empty() || client.address.is_some_and(inside))
    }

    /// Whether those about the statement hold, signs of injection apart.
    pub(super) fn hold(&self, statement: &Statement<'_>, action: Option<Action>) -> Truth {
        let details = statement.analysis.details.as_ref();
        let told = |holds: fn(&Self, &Details, bool) -> Truth| {
            details.map_or(Truth::Unknown, |details| {
                holds(self, details, action == Some(Action::Allow))
            })
        };
        let mut truth = Truth::Holds;
        if !self.fingerprints.is_empty() && !statement.is_unseen() {
            truth = Truth::of(self.fingerprints.contains(&statement.analysis.fingerprint));
        } else if !self.fingerprints.is_empty() {
            truth = Truth::Unknown;
        }
        if !self.classes.is_empty() {
            truth = truth.and(told(Self::is_of_class));
        }
        if !self.tables.is_empty() {
            truth = truth.and(told(Self::names_table));
        }
        if self.unbounded {
            truth = truth.and(told(|_, details, _| Truth::of(details.unbounded)));
        }
        if truth != Truth::Fails
            && let Some(pattern) = &self.pattern
        {
            truth = truth.and(pattern.is_in(statement));
        }
        truth
    }

    /// Whether there are signs of injection; only to be asked if [`Self::hold`] does not fail.
    pub(super) fn suspect(&self, statement: &Statement<'_>) -> Truth {
        if !self.injection {
            return Truth::Holds;
        }
        match statement.signals() {
            [] if statement.analysis.details.is_none() => Truth::Unknown,
            signals => Truth::of(!signals.is_empty()),
        }
    }

    fn is_of_class(&self, details: &Details, all: bool) -> Truth {
        let mut classes = details.classes.iter();
        let known = |class: &Class| self.classes.contains(class);
        Truth::of(if all { classes.all(known) } else { classes.any(known) })
    }

    fn names_table(&self, details: &Details, all: bool) -> Truth {
        let known = |table: &Table| self.tables.iter().any(|name| name.may_be(table));
        let mut tables = details.tables.iter();
        let none = details.tables.is_empty();
        let holds = if all { !none && tables.all(known) } else { tables.any(known) };
        match (holds, details.more_tables) {
            (holds, true) if holds == all => Truth::Unknown,
            (holds, _) => Truth::of(holds),
        }
    }
}

impl Pattern {
    /// Whether it is found in the normal form that an analysis remembers; `None`: the text is not known to its end.
    pub(crate) fn is_in_analysis(&self, analysis: &Analysis) -> Option<bool> {
        let found = self.0.is_match(&analysis.text);
        // One character more may not have had room.
        let whole = !analysis.text.is_empty() && analysis.text.len() < Analysis::MAX_TEXT - 4;
        (found || whole).then_some(found)
    }

    fn is_in(&self, statement: &Statement<'_>) -> Truth {
        if statement.is_unseen() {
            return Truth::Unknown;
        }
        let normal = statement.normal();
        if self.0.is_match(&normal.text) {
            Truth::Holds
        } else if normal.is_normal {
            Truth::Fails
        } else {
            Truth::Unknown
        }
    }
}

/// In a few words: `user=app class=write,ddl unbounded`; `any statement` when nothing is asked.
impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T: fmt::Display>(name: &str, items: impl IntoIterator<Item = T>) -> Option<String> {
            let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
            (!items.is_empty()).then(|| format!("{name}={}", items.join(",")))
        }
        let parts = [
            list("user", &self.users),
            list("database", &self.databases),
            list("application", &self.applications),
            list("address", &self.addresses),
            list("fingerprint", self.fingerprints.iter().map(|found| format!("{:016x}", found.0))),
            list("class", self.classes.iter().map(|class| word_of(*class))),
            list("table", &self.tables),
            self.unbounded.then(|| "unbounded".to_owned()),
            self.injection.then(|| "injection".to_owned()),
            self.pattern.as_ref().map(|pattern| format!("pattern={:?}", pattern.0.as_str())),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "any statement" } else { "" })?;
        f.write_str(&parts.join(" "))
    }
}
