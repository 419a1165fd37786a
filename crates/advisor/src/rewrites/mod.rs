//! Statements that would be better written differently: what the text alone shows (`howdah_sql::rewrite`), held against the catalog. Never carried out: the application's text is
//! the application's.
//!
//! Invariant: a text is shown only when the catalog says that it has the same rows; otherwise the advice says what is not known.

use howdah_sql::rewrite::{Need, Relation, Rewrite, Rule, rewrites};
use serde::Serialize;

use crate::catalog::{Catalog, Column, Table};
use crate::{Costs, Evidence, Impact, Kind, Recommendation};

/// How a statement could be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// Which rule says so.
    pub rule: Rule,
    /// The part of the statement that it is about.
    pub part: String,
    /// Why, and what to do where there is no text.
    pub why: String,
    /// The statement written differently, with the same rows.
    pub text: Option<String>,
    /// What makes them the same, or what is not known of it.
    pub conditions: Vec<String>,
}

/// Whether something is true of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Yes,
    No,
    Unknown,
}

/// What could be written differently in a text with one query.
#[must_use]
pub fn look(sql: &str, catalog: &Catalog) -> Vec<Suggestion> {
    rewrites(sql).into_iter().filter_map(|rewrite| judge(rewrite, catalog)).collect()
}

/// The same for each statement of a text.
#[must_use]
pub fn each<'a>(text: &'a str, catalog: &Catalog) -> Vec<(&'a str, Vec<Suggestion>)> {
    let statements = howdah_sql::split(text).into_iter().filter_map(|range| text.get(range));
    statements.map(|statement| (statement, look(statement, catalog))).collect()
}

fn judge(rewrite: Rewrite, catalog: &Catalog) -> Option<Suggestion> {
    let mut conditions = Vec::new();
    let mut all = Known::Yes;
    for need in &rewrite.needs {
        let known = holds(need, catalog);
        conditions.push(words(need, known));
        all = match (all, known) {
            (Known::No, _) | (_, Known::No) => Known::No,
            (Known::Unknown, _) | (_, Known::Unknown) => Known::Unknown,
            (Known::Yes, Known::Yes) => Known::Yes,
        };
    }
    // A column of the type that it is compared with is not converted at all.
    if rewrite.rule == Rule::CastOnColumn && all == Known::No {
        return None;
    }
    if rewrite.rule == Rule::FunctionOnColumn && has_index_on(&rewrite.part, catalog) {
        return None;
    }
    let text = rewrite.text.filter(|_| all == Known::Yes);
    Some(Suggestion { rule: rewrite.rule, part: rewrite.part, why: rewrite.why, text, conditions })
}

/// An index on the expression is the other way out, and it was taken.
fn has_index_on(part: &str, catalog: &Catalog) -> bool {
    let mut expressions = catalog
        .indexes
        .iter()
        .flat_map(|index| &index.keys)
        .filter_map(|key| key.expression.as_deref());
    // Neither side writes qualifiers, casts and spaces like the other one; letters and digits are the same.
    let bare = |text: &str| -> String {
        text.replace("::text", "").chars().filter(char::is_ascii_alphanumeric).collect()
    };
    let part = bare(part);
    expressions.any(|expression| part.starts_with(&bare(expression)))
}

fn holds(need: &Need, catalog: &Catalog) -> Known {
    let (relation, name) = match need {
        Need::NotNull { relation, column } | Need::Type { relation, column, .. } => {
            (relation, column)
        }
    };
    let Some(column) = column(catalog, relation, name) else { return Known::Unknown };
    let is = match need {
        Need::NotNull { .. } => column.not_null,
        Need::Type { types, .. } => types.contains(&without_modifiers(&column.type_name).as_str()),
    };
    if is { Known::Yes } else { Known::No }
}

/// `timestamp(3) without time zone` as `timestamp without time zone`.
fn without_modifiers(type_name: &str) -> String {
    match (type_name.find('('), type_name.find(')')) {
        (Some(from), Some(until)) => {
            let (before, after) = (type_name.get(..from), type_name.get(until + 1..));
            format!("{}{}", before.unwrap_or_default(), after.unwrap_or_default())
        }
        _ => type_name.to_owned(),
    }
}

fn column<'a>(catalog: &'a Catalog, relation: &Relation, name: &str) -> Option<&'a Column> {
    let is = |table: &&Table| {
        table.name == relation.name
            && relation.schema.as_ref().is_none_or(|schema| *schema == table.schema)
    };
    let mut tables = catalog.tables.iter().filter(is);
    let table = tables.next()?;
    // Without a schema the search path decides between two.
    if tables.next().is_some() {
        return None;
    }
    table.columns.iter().find(|column| column.name == name)
}

fn words(need: &Need, known: Known) -> String {
    let (what, no) = match need {
        Need::NotNull { relation, column } => (
            format!("{}.{column} is never null", relation.name),
            format!(
                "{}.{column} may be null: as long as it may, the statements say different things. If it never is, say so (NOT NULL)",
                relation.name
            ),
        ),
        Need::Type { relation, column, types } => (
            format!("{}.{column} is {}", relation.name, types.join(" or ")),
            format!("{}.{column} is of another type", relation.name),
        ),
    };
    match known {
        Known::Yes => what,
        Known::No => no,
        Known::Unknown => format!("not known whether {what}: the catalog says nothing of it"),
    }
}

impl Suggestion {
    /// As advice about a statement with this fingerprint.
    #[must_use]
    pub fn recommendation(&self, fingerprint: &str) -> Recommendation {
        let evidence = match &self.text {
            Some(text) => Evidence {
                what: "the statement".to_owned(),
                now: self.part.clone(),
                then: text.clone(),
                check: "EXPLAIN both, and compare their answers".to_owned(),
            },
            None => Evidence {
                what: "the part of the statement".to_owned(),
                now: self.part.clone(),
                then: String::new(),
                check: String::new(),
            },
        };
        Recommendation {
            id: Recommendation::id_of(Kind::Rewrite, &format!("{fingerprint} {:?}", self.rule)),
            kind: Kind::Rewrite,
            subject: fingerprint.to_owned(),
            title: format!("write {} differently", self.part),
            why: self.why.clone(),
            evidence: vec![evidence],
            impact: if self.rule == Rule::SelectStar { Impact::Low } else { Impact::Medium },
            confidence: if self.text.is_some() { 0.7 } else { 0.4 },
            saves: None,
            costs: Costs::default(),
            apply: Vec::new(),
            undo: Vec::new(),
            statements: vec![fingerprint.to_owned()],
            cautions: self.conditions.clone(),
        }
    }
}
