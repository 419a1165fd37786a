//! What the catalog of a database says that matters for keeping answers: what relations are, their columns, what views read and call,
//! and which functions, operators and types are not known to give the same answer each time. Not the asking.
//!
//! Invariant: complete or unknown: when there is more than is kept, nothing is known and nothing may be kept.

use std::collections::{HashMap, HashSet};

use super::tag::Oid;
use crate::limits;
use crate::route::class::Name;

type Map<K, V> = HashMap<K, V, foldhash::quality::RandomState>;

/// What is known of one database; [`Definitions::default`]: nothing.
#[derive(Debug, Default)]
pub struct Definitions {
    known: bool,
    relations: Map<Oid, Relation>,
    /// By their names without schema.
    by_name: Map<Box<str>, Vec<Oid>>,
    /// What is read with a relation: by a view, a partitioned table, a parent.
    parts: Map<Oid, Vec<Oid>>,
    functions: Map<Box<str>, Vec<Function>>,
    operators: HashSet<Box<str>>,
    types: HashSet<Box<str>>,
    everywhere: Option<Name>,
}

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A table that is logged.
    Table,
    /// A table that is, or may be, read together with others: partitioned, or with children.
    Parent,
    /// A view.
    View,
    /// A view that holds parts which may change by themselves.
    UnsteadyView,
    /// A materialized view.
    Materialized,
    /// A foreign table.
    Foreign,
    /// A sequence.
    Sequence,
    /// A table whose changes are not in the log.
    Unlogged,
    /// A relation of PostgreSQL's own.
    System,
}

/// A relation.
#[derive(Debug)]
pub struct Relation {
    /// Its name.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
    /// Policies decide who sees which rows.
    pub row_security: bool,
    /// Columns of its primary key, or of what takes the place of it for replication; in no order.
    pub identity: Box<[i16]>,
    columns: Map<Box<str>, Column>,
    /// Functions that are called when it is read.
    calls: Vec<Function>,
}

impl Relation {
    /// A column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<Column> {
        self.columns.get(name).copied()
    }

    /// All columns in their order.
    #[must_use]
    pub fn columns(&self) -> Vec<Column> {
        let mut columns: Vec<_> = self.columns.values().copied().collect();
        columns.sort_by_key(|column| column.attnum);
        columns
    }

    /// Functions that are called when it is read, and are not known to be steady.
    pub fn calls(&self) -> impl Iterator<Item = &Function> {
        self.calls.iter()
    }

    /// The name of a column.
    #[must_use]
    pub fn column_name(&self, attnum: i16) -> Option<&str> {
        let mut columns = self.columns.iter();
        columns.find(|(_, column)| column.attnum == attnum).map(|(name, _)| &**name)
    }
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its number.
    pub attnum: i16,
    /// What it holds.
    pub holds: Holds,
    /// A value is the same text whatever the settings of a session are.
    pub steady: bool,
}

/// Types, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// `smallint`, `integer`, `bigint`.
    Integer,
    /// `text`, `varchar` under a deterministic collation.
    Text,
    /// `uuid`.
    Uuid,
    /// `boolean`.
    Boolean,
    /// An enumeration.
    Label,
    /// A date or time.
    Time,
    /// Anything else: equal values may be written differently.
    Other,
}

/// A function that is not known to be steady.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: Name,
    /// It comes with PostgreSQL.
    pub built_in: bool,
    /// It can be called with one argument.
    pub unary: bool,
    /// It may do anything, by what it is declared as.
    pub volatile: bool,
}

impl Definitions {
    /// Whether anything is known.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.known
    }

    /// Relations that a name may mean.
    pub fn named(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> impl Iterator<Item = (Oid, &Relation)> {
        let all = self.by_name.get(name).into_iter().flatten();
        all.filter_map(|oid| Some((*oid, self.relations.get(oid)?))).filter(move |(_, relation)| {
            schema.is_none_or(|schema| *relation.name.schema == *schema)
        })
    }

    /// A relation.
    #[must_use]
    pub fn relation(&self, oid: Oid) -> Option<&Relation> {
        self.relations.get(&oid)
    }

    /// What is read when this is: itself, and everything that belongs to it.
    #[must_use]
    pub fn read_with(&self, oid: Oid) -> Vec<Oid> {
        let (mut found, mut at) = (vec![oid], 0);
        while let Some(whole) = found.get(at).copied() {
            at += 1;
            for part in self.parts.get(&whole).into_iter().flatten() {
                if !found.contains(part) {
                    found.push(*part);
                }
            }
        }
        found
    }

    /// Functions of this name that are not known to be steady.
    pub fn functions(&self, schema: Option<&str>, name: &str) -> impl Iterator<Item = &Function> {
        let all = self.functions.get(name).into_iter().flatten();
        all.filter(move |function| schema.is_none_or(|schema| *function.name.schema == *schema))
    }

    /// Whether an operator of this name is somebody's own.
    #[must_use]
    pub fn is_own_operator(&self, name: &str) -> bool {
        self.operators.contains(name)
    }

    /// Whether a type of this name is somebody's own, and values may mean something else each time.
    #[must_use]
    pub fn is_own_type(&self, name: &str) -> bool {
        self.types.contains(name)
    }

    /// A function of somebody's own that any statement may call.
    #[must_use]
    pub const fn everywhere(&self) -> Option<&Name> {
        self.everywhere.as_ref()
    }
}

/// Makes [`Definitions`] of rows, in any order.
#[derive(Debug, Default)]
pub struct Builder {
    made: Definitions,
    calls: Vec<(Oid, Oid)>,
    by_oid: Map<Oid, Function>,
    links: usize,
    too_much: bool,
}

impl Builder {
    /// A relation.
    pub fn relation(&mut self, oid: Oid, name: Name, kind: Kind, row_security: bool) {
        self.too_much |= self.made.relations.len() >= limits::CATALOG_RELATIONS;
        if self.too_much {
            return;
        }
        self.made.by_name.entry(name.name.clone()).or_default().push(oid);
        let relation = Relation {
            name,
            kind,
            row_security,
            identity: Box::default(),
            columns: Map::default(),
            calls: Vec::new(),
        };
        self.made.relations.insert(oid, relation);
    }

    /// A column of a relation that was told before.
    pub fn column(&mut self, relation: Oid, name: &str, column: Column) {
        self.link();
        if !self.too_much
            && let Some(relation) = self.made.relations.get_mut(&relation)
        {
            relation.columns.insert(name.into(), column);
        }
    }

    /// The identity of a relation that was told before.
    pub fn identity(&mut self, relation: Oid, attnums: Box<[i16]>) {
        if let Some(relation) = self.made.relations.get_mut(&relation) {
            relation.identity = attnums;
        }
    }

    /// Whoever reads `whole` reads `part`, too.
    pub fn reads(&mut self, whole: Oid, part: Oid) {
        self.link();
        if !self.too_much && whole != part {
            self.made.parts.entry(whole).or_default().push(part);
        }
    }

    /// A function that is not known to be steady.
    pub fn function(&mut self, oid: Oid, function: Function) {
        self.too_much |= self.by_oid.len() >= limits::CATALOG_FUNCTIONS;
        if self.too_much {
            return;
        }
        let list = self.made.functions.entry(function.name.name.clone()).or_default();
        list.push(function.clone());
        self.by_oid.insert(oid, function);
    }

    /// Whoever reads the relation calls this function.
    pub fn calls(&mut self, relation: Oid, function: Oid) {
        self.link();
        if !self.too_much {
            self.calls.push((relation, function));
        }
    }

    /// An operator of somebody's own.
    pub fn operator(&mut self, name: &str) {
        self.link();
        self.made.operators.insert(name.into());
    }

    /// A type of somebody's own.
    pub fn own_type(&mut self, name: &str) {
        self.link();
        self.made.types.insert(name.into());
    }

    /// A function of somebody's own that belongs to a cast, a type or a comparison.
    pub fn everywhere(&mut self, name: Name) {
        self.made.everywhere.get_or_insert(name);
    }

    fn link(&mut self) {
        self.links += 1;
        self.too_much |= self.links > limits::CATALOG_LINKS;
    }

    /// The definitions; nothing is known if there was too much.
    #[must_use]
    pub fn build(mut self) -> Definitions {
        if self.too_much {
            return Definitions::default();
        }
        for (relation, function) in self.calls {
            let function = self.by_oid.get(&function);
            if let (Some(relation), Some(function)) =
                (self.made.relations.get_mut(&relation), function)
            {
                relation.calls.push(function.clone());
            }
        }
        self.made.known = true;
        self.made
    }
}
