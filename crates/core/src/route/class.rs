//! Whether a statement may run on a replica: from its text, and from what the catalog of its database says about the functions and
//! tables that it names. Not whether it should, nor on which replica.
//!
//! A statement may run on a replica if it gives there what it would give on the primary, as of the moment the replica has reached,
//! and has no effect but its result. Whoever calls a function `STABLE` or `IMMUTABLE` is believed.
//!
//! Invariant: in doubt it may not, with the reason.

mod built_in;
mod catalog;
mod overrides;
mod reason;
#[cfg(test)]
mod tests;

use std::fmt;

use howdah_sql::{Act, Analysis, BuiltIn, Details, Function, Table};

pub use catalog::{Builder, Catalog, Kind};
pub use overrides::{Destination, Override, Overrides, Subject};
pub use reason::UnsafeReason;

use catalog::Danger;

/// Whether a statement may run on a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Safety {
    /// It may.
    Replica,
    /// Only the primary may run it.
    Primary(UnsafeReason),
}

/// The name of a function or relation in the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The schema.
    pub schema: Box<str>,
    /// The name in it.
    pub name: Box<str>,
}

impl Name {
    /// A name in a schema.
    #[must_use]
    pub fn new(schema: &str, name: &str) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// [`Safety`] for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What was decided.
    pub safety: Safety,
    /// The function, table or override that decided, if it was one.
    pub subject: Option<String>,
}

impl Judgement {
    /// Why it is so, in a sentence.
    #[must_use]
    pub fn explanation(&self) -> &'static str {
        match self.safety {
            Safety::Replica => "it reads, and has no other effect",
            Safety::Primary(reason) => reason.sentence(),
        }
    }
}

/// Whether a statement may run on a replica. Depends on nothing else, so an answer holds as long as the catalog and the overrides do.
#[must_use]
pub fn safety(analysis: &Analysis, catalog: &Catalog, overrides: &Overrides) -> Safety {
    judge(analysis, catalog, overrides).safety
}

/// [`safety`], and what decided.
#[must_use]
pub fn judge(analysis: &Analysis, catalog: &Catalog, overrides: &Overrides) -> Judgement {
    let mut judge = Judge { catalog, overrides, found: None };
    match &analysis.details {
        Some(details) => judge.details(details),
        None => judge.add(UnsafeReason::Unparsed, None),
    }
    let doubtful = judge.found.as_ref().is_none_or(|(reason, _)| reason.is_doubt());
    if doubtful && let Some((name, to)) = overrides.of_statement(analysis) {
        judge.found =
            (to == Destination::Primary).then(|| (UnsafeReason::Override, Some(name.to_owned())));
        if to == Destination::Replica {
            return Judgement { safety: Safety::Replica, subject: Some(name.to_owned()) };
        }
    }
    match judge.found {
        Some((reason, subject)) => Judgement { safety: Safety::Primary(reason), subject },
        None => Judgement { safety: Safety::Replica, subject: None },
    }
}

/// What was found against a statement so far. What is certain counts more than what is in doubt, and of equals the first.
struct Judge<'a> {
    catalog: &'a Catalog,
    overrides: &'a Overrides,
    found: Option<(UnsafeReason, Option<String>)>,
}

impl Judge<'_> {
    fn add(&mut self, reason: UnsafeReason, subject: Option<String>) {
        let counts_more =
            self.found.as_ref().is_none_or(|(known, _)| known.is_doubt() && !reason.is_doubt());
        if counts_more {
            self.found = Some((reason, subject));
        }
    }

    fn details(&mut self, details: &Details) {
        for act in &details.acts {
            self.add(reason_of(*act), None);
        }
        let uses = &details.uses;
        if uses.more || details.more_tables {
            self.add(UnsafeReason::TooManyNames, None);
        }
        for function in &uses.functions {
            self.function(function);
        }
        for table in &details.tables {
            self.relation(table, &uses.queries);
        }
        for field in &uses.fields {
            self.field(field);
        }
        for operator in &uses.operators {
            self.implied(self.catalog.operator(operator));
        }
        for of_type in &uses.types {
            self.implied(self.catalog.type_check(of_type));
        }
        self.implied(self.catalog.everywhere());
    }

    /// A function that is called by its name.
    fn function(&mut self, function: &Function) {
        let (schema, name) = (function.schema.as_deref(), &*function.name);
        let system = schema.is_none_or(|schema| schema == built_in::SCHEMA);
        let subject = || Some(spoken(schema, name));
        if let Some((of, to)) = self.overrides.may_be_of_function(schema, name)
            && to == Destination::Primary
        {
            return self.add(UnsafeReason::Override, Some(of.to_owned()));
        }
        if schema.is_some_and(built_in::is_temporary) {
            return self.add(UnsafeReason::Temporary, subject());
        }
        if system && let Some(reason) = built_in::function(name) {
            let built_in = Name::new(built_in::SCHEMA, name);
            if !reason.is_doubt() || !self.is_believed(&built_in) {
                self.add(reason, subject());
            }
            return;
        }
        let mut known = system && howdah_sql::built_in(name) == Some(BuiltIn::Pure);
        for candidate in self.catalog.functions(schema, name) {
            known = true;
            if candidate.volatile && !self.is_believed(&candidate.name) {
                self.add(UnsafeReason::VolatileFunction, Some(candidate.name.to_string()));
            }
        }
        if known {
            return;
        }
        // It is not there, or not known yet; an override that names it with its schema can be believed for that one alone.
        let asked = Name::new(schema.unwrap_or_default(), name);
        if !self.is_believed(&asked) {
            self.add(self.unknown(UnsafeReason::UnknownFunction), subject());
        }
    }

    /// A name behind a dot: without such a column it calls a function with one argument.
    fn field(&mut self, name: &str) {
        for candidate in self.catalog.functions(None, name) {
            if candidate.volatile && candidate.unary && !self.is_believed(&candidate.name) {
                self.add(UnsafeReason::VolatileFunction, Some(candidate.name.to_string()));
            }
        }
    }

    fn relation(&mut self, table: &Table, queries: &[Box<str>]) {
        let (schema, name) = (table.schema.as_deref(), &*table.name);
        let subject = || Some(spoken(schema, name));
        let is_query = schema.is_none() && queries.iter().any(|query| **query == *name);
        if let Some((of, to)) = self.overrides.may_be_of_table(schema, name)
            && to == Destination::Primary
            && !is_query
        {
            return self.add(UnsafeReason::Override, Some(of.to_owned()));
        }
        if schema.is_some_and(built_in::is_temporary) {
            return self.add(UnsafeReason::Temporary, subject());
        }
        let system = schema.is_none_or(|schema| schema == built_in::SCHEMA);
        if system && built_in::is_of_node(name) && !is_query {
            if !self.is_table_believed(&Name::new(built_in::SCHEMA, name)) {
                self.add(UnsafeReason::Node, subject());
            }
            return;
        }
        let mut known = is_query || schema.is_some_and(built_in::is_system);
        for candidate in self.catalog.relations(schema, name) {
            known = true;
            if !self.is_table_believed(&candidate.name) {
                candidate.dangers.iter().for_each(|danger| self.danger(danger));
            }
        }
        if !known {
            let asked = Name::new(schema.unwrap_or_default(), name);
            if !self.is_table_believed(&asked) {
                self.add(self.unknown(UnsafeReason::UnknownTable), subject());
            }
        }
    }

    /// What a table or view brings with it.
    fn danger(&mut self, danger: &Danger) {
        let believed = if danger.reason == UnsafeReason::VolatileFunction {
            self.is_believed(&danger.of)
        } else {
            danger.reason.is_doubt() && self.is_table_believed(&danger.of)
        };
        if !believed {
            self.add(danger.reason, Some(danger.of.to_string()));
        }
    }

    /// Functions that are called without their name.
    fn implied<'b>(&mut self, functions: impl IntoIterator<Item = &'b Name>) {
        for function in functions {
            if !self.is_believed(function) {
                self.add(UnsafeReason::VolatileFunction, Some(function.to_string()));
            }
        }
    }

    fn is_believed(&self, function: &Name) -> bool {
        self.overrides.is_function_believed(function)
    }

    fn is_table_believed(&self, table: &Name) -> bool {
        self.overrides.is_table_believed(table)
    }

    fn unknown(&self, reason: UnsafeReason) -> UnsafeReason {
        if self.catalog.is_known() { reason } else { UnsafeReason::NoCatalog }
    }
}

/// Why a statement that does this is for the primary.
const fn reason_of(act: Act) -> UnsafeReason {
    match act {
        Act::ChangesData => UnsafeReason::Write,
        Act::Locks => UnsafeReason::Lock,
        Act::Defines => UnsafeReason::Definition,
        Act::Maintains => UnsafeReason::Maintenance,
        Act::Transaction => UnsafeReason::Transaction,
        Act::Session => UnsafeReason::Session,
        Act::ShowsSetting => UnsafeReason::Setting,
        Act::Notifies => UnsafeReason::Notification,
        Act::CopiesIn => UnsafeReason::CopyIn,
        Act::ServerFile => UnsafeReason::ServerFile,
        Act::Cursor => UnsafeReason::Cursor,
        Act::Executes => UnsafeReason::Execute,
        Act::Procedure => UnsafeReason::Procedure,
        Act::Other => UnsafeReason::Other,
    }
}

fn spoken(schema: Option<&str>, name: &str) -> String {
    schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"))
}
