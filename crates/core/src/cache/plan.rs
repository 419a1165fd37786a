//! From what a text depends on, and what the catalog says about its names, to the tags of its answers. Not whether an answer is fresh.
//!
//! Invariant: every change that can change an answer raises one of its tags; in doubt the statement is refused, or the tag is a
//! coarser one.

mod request;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use howdah_sql::{Operand, Output, Shape, Table};

use super::declared::{self, Said};
use super::definitions::{Column, Definitions, Function, Holds, Kind, Relation};
use super::patch::Form;
use super::refusal::{Reason, Uncacheable};
use super::rules::Rules;
use super::shown::{Place, Shown};
use super::{ColumnSet, tag::Oid};
use crate::route::class::Name;
use crate::rules::TableName;

/// Tags of rows that one reading may have; with more it has that of the table.
const ROWS: usize = 64;
/// Columns of an equality that are looked at.
const COLUMNS: usize = 4;

/// `STABLE` functions of PostgreSQL's own whose answers depend, besides their arguments, on settings alone.
const STEADY: [&str; 34] = [
    "array_agg",
    "array_to_json",
    "array_to_string",
    "concat",
    "concat_ws",
    "date_part",
    "date_trunc",
    "extract",
    "format",
    "json_agg",
    "json_build_array",
    "json_build_object",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_object_agg",
    "phraseto_tsquery",
    "plainto_tsquery",
    "quote_literal",
    "quote_nullable",
    "row_to_json",
    "string_agg",
    "timezone",
    "to_char",
    "to_date",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_timestamp",
    "to_tsquery",
    "to_tsvector",
    "ts_headline",
    "websearch_to_tsquery",
];

/// How the answers to one text are tagged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// All that it reads, views included.
    relations: Box<[(Oid, Name)]>,
    /// Those of them whose answers may rest on their age.
    covered: Box<[Oid]>,
    reads: Box<[Read]>,
    sets: Box<[ColumnSet]>,
    repeated: Box<[u16]>,
    shown: Option<Shown>,
    /// Answers are one row that is looked up by what identifies it.
    patch: Option<Arc<Form>>,
}

/// One relation that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Read {
    relation: Oid,
    /// Columns in ascending order; none: the whole table.
    keys: Box<[Key]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    attnum: i16,
    holds: Holds,
    values: Box<[Operand]>,
}

/// Values of a request: the types that its Parse names, for each parameter its format (binary or not) and its bytes, and the literals of
/// its text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parameters<'a> {
    /// Types by number; 0, or none: not said.
    pub types: &'a [u32],
    /// Whether it is in binary form, and the value; `None`: NULL.
    pub values: &'a [(bool, Option<&'a [u8]>)],
    /// If the plan is that of a masked text ([`howdah_sql::Masked`]).
    pub literals: &'a [&'a [u8]],
}

impl Parameters<'_> {
    /// Whether a value may be read as the present moment.
    #[must_use]
    pub fn say_now(&self) -> bool {
        let mut values = self.values.iter().filter_map(|(_, value)| *value);
        values.any(howdah_sql::says_now)
    }
}

/// How the answers to a text of this shape are tagged. `rules`: what is said of functions. `covers`: answers may rest on their age as far
/// as they read this, so that nobody has to tell of its changes.
///
/// # Errors
/// Why they are not kept.
pub fn plan(
    shape: &Shape,
    definitions: &Definitions,
    (rules, covers): (&Rules, &dyn Fn(&Name) -> bool),
) -> Result<Plan, Uncacheable> {
    if !definitions.is_known() {
        return Err(Uncacheable::new(Reason::NoCatalog));
    }
    let planner = Planner { shape, definitions, rules, covers };
    let mut read = AllRead::default();
    planner.names(&mut read)?;
    for (index, reading) in shape.readings.iter().enumerate() {
        let table = (reading.table.schema.as_deref(), &*reading.table.name);
        if !planner.read(table, Some(index), &mut read)? && !reading.may_be_query {
            return Err(Uncacheable::of(Reason::UnknownTable, spoken(&reading.table)));
        }
    }
    let mut at = 0;
    while let Some(table) = read.through.get(at).copied() {
        at += 1;
        if !planner.read((table.schema.as_deref(), &table.name), None, &mut read)? {
            return Err(Uncacheable::of(Reason::UnknownTable, table));
        }
    }
    let AllRead { mut reads, mut relations, covered, .. } = read;
    if reads.is_empty() {
        return Err(Uncacheable::new(Reason::NoTables));
    }
    reads.dedup();
    let (shown, patch) = match reads.as_slice() {
        [read] => (planner.shown(read), planner.patch(read).map(Arc::new)),
        _ => (None, None),
    };
    let mut sets: Vec<ColumnSet> = reads.iter().map(Read::set).collect();
    sets.sort();
    sets.dedup();
    relations.sort();
    relations.dedup();
    let (reads, sets, repeated) = (reads.into(), sets.into(), shape.repeated.clone());
    Ok(Plan {
        relations: relations.into(),
        covered: covered.into(),
        reads,
        sets,
        repeated,
        shown,
        patch,
    })
}

struct Planner<'a> {
    shape: &'a Shape,
    definitions: &'a Definitions,
    rules: &'a Rules,
    covers: &'a dyn Fn(&Name) -> bool,
}

/// What is read, as far as it is found.
#[derive(Default)]
struct AllRead<'a> {
    reads: Vec<Read>,
    relations: Vec<(Oid, Name)>,
    covered: Vec<Oid>,
    /// Tables that functions are said to read.
    through: Vec<&'a TableName>,
}

impl<'a> Planner<'a> {
    /// Functions, operators and types.
    fn names(&self, read: &mut AllRead<'a>) -> Result<(), Uncacheable> {
        let uses = &self.shape.uses;
        for function in &uses.functions {
            let schema = function.schema.as_deref();
            self.functions(self.definitions.functions(schema, &function.name), read)?;
        }
        for field in &uses.fields {
            if !self.is_column_everywhere(field) {
                let candidates = self.definitions.functions(None, field);
                self.functions(candidates.filter(|function| function.unary), read)?;
            }
        }
        if let Some(operator) =
            uses.operators.iter().find(|name| self.definitions.is_own_operator(name))
        {
            return Err(Uncacheable::of(Reason::Operator, operator));
        }
        let own = |name: &str| name.starts_with("reg") || self.definitions.is_own_type(name);
        if let Some(of_type) = uses.types.iter().find(|name| own(name)) {
            return Err(Uncacheable::of(Reason::Type, of_type));
        }
        if let Some(function) = self.definitions.everywhere() {
            return Err(Uncacheable::of(Reason::Everywhere, function));
        }
        let timely = |name: &str| {
            self.columns(name).all(|found| found.is_some_and(|column| column.holds == Holds::Time))
        };
        match self.shape.clock_casts.iter().find(|name| !timely(name)) {
            Some(name) => Err(Uncacheable::of(Reason::ClockCast, name)),
            None => Ok(()),
        }
    }

    /// Functions that may be called.
    fn functions<'b>(
        &self,
        candidates: impl Iterator<Item = &'b Function>,
        read: &mut AllRead<'a>,
    ) -> Result<(), Uncacheable> {
        for function in candidates.filter(|function| !is_steady(function)) {
            let reason = match declared::said(self.rules, function) {
                Said::Reads(tables) => {
                    let new = tables.iter().filter(|table| !read.through.contains(table));
                    let new: Vec<_> = new.collect();
                    read.through.extend(new);
                    continue;
                }
                Said::Volatile => Reason::VolatileFunction,
                Said::Nothing => Reason::Function,
            };
            return Err(Uncacheable::of(reason, &function.name));
        }
        Ok(())
    }

    /// Every relation that this name may mean is read, as the reading of this index, or as a whole; whether there is one.
    fn read(
        &self,
        (schema, name): (Option<&str>, &str),
        index: Option<usize>,
        all: &mut AllRead<'a>,
    ) -> Result<bool, Uncacheable> {
        let mut known = false;
        for (oid, relation) in self.definitions.named(schema, name) {
            known = true;
            let whole = (self.covers)(&relation.name);
            self.relation(relation, whole, all)?;
            let index = index.filter(|_| relation.kind == Kind::Table);
            for part in self.definitions.read_with(oid) {
                let relation = self
                    .definitions
                    .relation(part)
                    .ok_or_else(|| Uncacheable::of(Reason::UnknownTable, part))?;
                let by_age = whole || (self.covers)(&relation.name);
                self.relation(relation, by_age, all)?;
                all.relations.push((part, relation.name.clone()));
                all.covered.extend(by_age.then_some(part));
                if !matches!(relation.kind, Kind::View | Kind::UnsteadyView) {
                    let keys = index.map(|index| self.keys(index, relation));
                    let keys = keys.unwrap_or_default();
                    all.reads.push(Read { relation: part, keys });
                }
            }
        }
        Ok(known)
    }

    /// The column of this name in each relation that is read; at least one.
    fn columns(&self, name: &str) -> impl Iterator<Item = Option<Column>> {
        let readings = self.shape.readings.iter();
        let mut columns: Vec<_> = readings
            .flat_map(|reading| {
                let schema = reading.table.schema.as_deref();
                let relations = self.definitions.named(schema, &reading.table.name);
                let mut found: Vec<_> =
                    relations.map(|(_, relation)| relation.column(name)).collect();
                if reading.may_be_query {
                    found.push(None);
                }
                found
            })
            .collect();
        if columns.is_empty() {
            columns.push(None);
        }
        columns.into_iter()
    }

    fn is_column_everywhere(&self, name: &str) -> bool {
        self.columns(name).all(|column| column.is_some())
    }

    /// A relation that is named, or read with one that is; `by_age`: nobody has to tell of its changes.
    fn relation(
        &self,
        relation: &Relation,
        by_age: bool,
        all: &mut AllRead<'a>,
    ) -> Result<(), Uncacheable> {
        let reason = match relation.kind {
            _ if relation.row_security => Reason::RowSecurity,
            Kind::Table | Kind::Parent => return Ok(()),
            Kind::Materialized | Kind::Foreign | Kind::Unlogged if by_age => return Ok(()),
            Kind::View => return self.functions(relation.calls(), all),
            Kind::UnsteadyView => Reason::UnsteadyView,
            Kind::Materialized => Reason::Materialized,
            Kind::Foreign => Reason::ForeignTable,
            Kind::Sequence => Reason::Sequence,
            Kind::Unlogged => Reason::Unlogged,
            Kind::System => Reason::SystemTable,
        };
        Err(Uncacheable::of(reason, &relation.name))
    }

    /// The columns by whose values a reading is tagged: its identity if all of that is given, because then no change of a row goes
    /// unseen; otherwise those that are given.
    fn keys(&self, index: usize, relation: &Relation) -> Box<[Key]> {
        let Some(reading) = self.shape.readings.get(index) else { return Box::default() };
        let mut keys: Vec<Key> = Vec::new();
        for equality in &reading.equalities {
            let Some(column) = relation.column(&equality.column) else { continue };
            let alike = equality.through.iter().all(|(of, name)| self.all_hold(*of, name, column));
            let usable = !matches!(column.holds, Holds::Other | Holds::Time);
            if usable && alike && keys.iter().all(|key| key.attnum != column.attnum) {
                let values = equality.values.clone();
                keys.push(Key { attnum: column.attnum, holds: column.holds, values });
            }
        }
        let given = |attnum: &i16| keys.iter().any(|key| key.attnum == *attnum);
        if !relation.identity.is_empty() && relation.identity.iter().all(given) {
            keys.retain(|key| relation.identity.contains(&key.attnum));
        }
        keys.sort_by_key(|key| key.attnum);
        keys.truncate(COLUMNS);
        keys.into()
    }

    /// Where answers show what identifies their rows, if they do, and if not every row that was asked for is identified anyway.
    fn shown(&self, read: &Read) -> Option<Shown> {
        let (outputs, relation) =
            (self.shape.outputs.as_ref()?, self.definitions.relation(read.relation)?);
        let is_asked = |attnum: &i16| read.keys.iter().any(|key| key.attnum == *attnum);
        if relation.identity.is_empty()
            || read.keys.is_empty()
            || relation.identity.iter().all(is_asked)
        {
            return None;
        }
        let columns = columns_of(outputs, relation);
        let place = |attnum: &i16| {
            let found = columns.iter().enumerate().find_map(|(at, column)| {
                column.filter(|column| column.attnum == *attnum).map(|column| (at, column))
            });
            let (at, column) = found?;
            let usable = !matches!(column.holds, Holds::Other | Holds::Time);
            usable.then_some(Place { attnum: *attnum, holds: column.holds, at })
        };
        let places: Option<Vec<_>> = relation.identity.iter().map(place).collect();
        Some(Shown::new(read.relation, &read.set(), columns.len(), places?))
    }

    /// How answers can be made anew from a row that was changed: what identifies it is asked for, and nothing else.
    fn patch(&self, read: &Read) -> Option<Form> {
        let (outputs, relation) =
            (self.shape.outputs.as_ref()?, self.definitions.relation(read.relation)?);
        let [reading] = &*self.shape.readings else { return None };
        let is_asked = |attnum: &i16| read.keys.iter().any(|key| key.attnum == *attnum);
        let by_identity = !relation.identity.is_empty()
            && relation.identity.len() == read.keys.len()
            && relation.identity.iter().all(is_asked);
        let alone = relation.kind == Kind::Table && reading.equalities.len() == read.keys.len();
        let columns: Option<Vec<_>> = columns_of(outputs, relation).into_iter().collect();
        let form = Form::new(read.relation, columns?)?;
        (self.shape.exact && by_identity && alone).then_some(form)
    }

    /// Whether a column, of whatever relation its name may mean, holds what another does.
    fn all_hold(&self, reading: usize, name: &str, other: Column) -> bool {
        let Some(reading) = self.shape.readings.get(reading) else { return false };
        let schema = reading.table.schema.as_deref();
        let mut relations = self.definitions.named(schema, &reading.table.name);
        !reading.may_be_query
            && relations.all(|(_, relation)| {
                relation.column(name).is_some_and(|column| column.holds == other.holds)
            })
    }
}

/// The columns of an answer, in its order; `None`: something else.
fn columns_of(outputs: &[Output], relation: &Relation) -> Vec<Option<Column>> {
    let mut columns = Vec::new();
    for output in outputs {
        match output {
            Output::Column(name) => columns.push(relation.column(name)),
            Output::All => columns.extend(relation.columns().into_iter().map(Some)),
            Output::Other => columns.push(None),
        }
    }
    columns
}

fn is_steady(function: &Function) -> bool {
    function.built_in && STEADY.binary_search(&&*function.name.name).is_ok()
}

fn spoken(table: &Table) -> String {
    let schema = table.schema.iter().map(|schema| format!("{schema}."));
    schema.chain([table.name.to_string()]).collect()
}

impl Read {
    fn set(&self) -> ColumnSet {
        let attnums: Vec<i16> = self.keys.iter().map(|key| key.attnum).collect();
        ColumnSet::new(self.relation, &attnums)
    }
}

impl Plan {
    /// What it reads: tables, and views that are read through.
    #[must_use]
    pub fn relations(&self) -> &[(Oid, Name)] {
        &self.relations
    }

    /// Whether answers may rest on their age as far as they read this.
    #[must_use]
    pub fn covers(&self, relation: Oid) -> bool {
        self.covered.contains(&relation)
    }

    /// Whether they may as far as they read anything.
    #[must_use]
    pub fn covers_all(&self) -> bool {
        self.reads.iter().all(|read| self.covers(read.relation))
    }

    /// What has to be followed by the stream of changes.
    #[must_use]
    pub fn sets(&self) -> &[ColumnSet] {
        &self.sets
    }

    /// How answers are tagged by the rows that they show, if they are.
    #[must_use]
    pub const fn shown(&self) -> Option<&Shown> {
        self.shown.as_ref()
    }

    /// What answers depend on, for people: relations, each with the columns by whose values its rows are told apart.
    #[must_use]
    pub fn describe(&self, definitions: &Definitions) -> Vec<String> {
        let one = |set: &ColumnSet| {
            let relation = definitions.relation(set.relation());
            let name = relation.map_or_else(String::new, |relation| relation.name.to_string());
            let columns = set.attnums().iter().filter_map(|number| relation?.column_name(*number));
            match columns.collect::<Vec<_>>().join(", ") {
                all if all.is_empty() => format!("all of {name}"),
                columns => format!("rows of {name} by {columns}"),
            }
        };
        self.sets.iter().map(one).collect()
    }
}
