//! What the catalog of one database says about functions, tables and views, as far as it matters for where a statement may run. Not the
//! asking: that is the data plane's.
//!
//! Invariant: complete or unknown: when there is more than is kept, nothing is said to be harmless that may not be.

use std::collections::{HashMap, HashSet};

use super::{Name, UnsafeReason, built_in};
use crate::limits;

type Map<K, V> = HashMap<K, V, foldhash::quality::RandomState>;

/// What is known of one database; [`Catalog::default`]: nothing.
#[derive(Debug, Default)]
pub struct Catalog {
    known: bool,
    functions: Map<Box<str>, Vec<KnownFunction>>,
    relations: Map<Box<str>, Vec<KnownRelation>>,
    /// Volatile functions behind operators.
    operators: Map<Box<str>, Vec<Name>>,
    /// Volatile functions in the checks of domains.
    types: Map<Box<str>, Vec<Name>>,
    /// Volatile functions that may be called by any statement.
    everywhere: Vec<Name>,
}

/// All functions of one name in one schema.
#[derive(Debug)]
pub(super) struct KnownFunction {
    pub(super) name: Name,
    /// One of them is.
    pub(super) volatile: bool,
    /// One that is volatile can be called with one argument.
    pub(super) unary: bool,
}

/// A table, view or the like.
#[derive(Debug)]
pub(super) struct KnownRelation {
    pub(super) name: Name,
    /// Its own, and those of whatever is read with it.
    pub(super) dangers: Vec<Danger>,
}

/// Why a relation is not for replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Danger {
    pub(super) reason: UnsafeReason,
    /// The function or relation that it comes from.
    pub(super) of: Name,
}

impl Catalog {
    /// Whether anything is known.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.known
    }

    /// Functions and relations in it.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let functions = self.functions.values().map(Vec::len).sum();
        (functions, self.relations.values().map(Vec::len).sum())
    }

    /// Functions that a name may mean, built-in ones left out.
    pub(super) fn functions(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> impl Iterator<Item = &KnownFunction> {
        let all = self.functions.get(name).into_iter().flatten();
        all.filter(move |known| schema.is_none_or(|schema| *known.name.schema == *schema))
    }

    /// Relations that a name may mean.
    pub(super) fn relations(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> impl Iterator<Item = &KnownRelation> {
        let all = self.relations.get(name).into_iter().flatten();
        all.filter(move |known| schema.is_none_or(|schema| *known.name.schema == *schema))
    }

    /// Volatile functions that an operator may call.
    pub(super) fn operator(&self, name: &str) -> &[Name] {
        self.operators.get(name).map_or(&[], Vec::as_slice)
    }

    /// Volatile functions that a cast to a type may call.
    pub(super) fn type_check(&self, name: &str) -> &[Name] {
        self.types.get(name).map_or(&[], Vec::as_slice)
    }

    /// Volatile functions that any statement may call: of casts, of types, of comparisons.
    pub(super) fn everywhere(&self) -> &[Name] {
        &self.everywhere
    }
}

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A table, view or materialized view.
    Plain,
    /// A sequence.
    Sequence,
    /// A foreign table.
    Foreign,
    /// A table or the like without a copy on replicas.
    Unlogged,
}

/// A function as the catalog has it.
#[derive(Debug)]
struct FunctionRow {
    name: Name,
    volatile: bool,
    unary: bool,
}

#[derive(Debug)]
struct RelationRow {
    name: Name,
    kind: Kind,
}

/// Makes a [`Catalog`] of rows, in any order. Numbers are the object ids of the server.
#[derive(Debug, Default)]
pub struct Builder {
    functions: Map<u32, FunctionRow>,
    relations: Map<u32, RelationRow>,
    /// Who is read with whom: from the part to what has it.
    readers: Map<u32, Vec<u32>>,
    links: usize,
    /// Functions that a relation calls.
    calls: HashSet<(u32, u32)>,
    operators: Vec<(Box<str>, u32)>,
    types: Vec<(Box<str>, u32)>,
    everywhere: Vec<u32>,
    too_much: bool,
}

/// Comparisons, which `ORDER BY`, `DISTINCT` or `IN` ask for without a word.
const COMPARISONS: [&str; 6] = ["=", "<>", "<", "<=", ">", ">="];

/// Dangers of one relation that are kept; with more, the configuration cannot say otherwise about some.
const DANGERS: usize = 64;

impl Builder {
    /// A function; an aggregate is as volatile as the worst of its parts. `unary`: it can be called with one argument.
    pub fn function(&mut self, id: u32, name: Name, volatile: bool, unary: bool) {
        self.too_much |= self.functions.len() >= limits::CATALOG_FUNCTIONS;
        if !self.too_much {
            self.functions.insert(id, FunctionRow { name, volatile, unary });
        }
    }

    /// A relation.
    pub fn relation(&mut self, id: u32, name: Name, kind: Kind) {
        self.too_much |= self.relations.len() >= limits::CATALOG_RELATIONS;
        if !self.too_much {
            self.relations.insert(id, RelationRow { name, kind });
        }
    }

    /// Whoever reads `whole` reads `part`, too: of a view, a policy, a partitioned table, a table with children.
    pub fn reads(&mut self, whole: u32, part: u32) {
        self.links += 1;
        self.too_much |= self.links > limits::CATALOG_LINKS;
        if !self.too_much && whole != part {
            self.readers.entry(part).or_default().push(whole);
        }
    }

    /// Whoever reads a relation calls this function.
    pub fn calls(&mut self, relation: u32, function: u32) {
        self.too_much |= self.calls.len() >= limits::CATALOG_LINKS;
        if !self.too_much {
            self.calls.insert((relation, function));
        }
    }

    /// An operator calls this function.
    pub fn operator(&mut self, name: &str, function: u32) {
        if COMPARISONS.contains(&name) {
            self.everywhere(function);
        } else {
            self.operators.push((name.into(), function));
        }
    }

    /// A cast to a domain calls this function.
    pub fn type_check(&mut self, name: &str, function: u32) {
        self.types.push((name.into(), function));
    }

    /// Any statement may call this function: it belongs to a cast, a type or a comparison.
    pub fn everywhere(&mut self, function: u32) {
        self.everywhere.push(function);
    }

    /// The catalog; nothing is known if there was too much.
    #[must_use]
    pub fn build(self) -> Catalog {
        if self.too_much {
            return Catalog::default();
        }
        let dangers = self.dangers();
        let volatile = |id: &u32| self.functions.get(id).filter(|function| function.volatile);
        let by_name = |list: &[(Box<str>, u32)]| {
            let mut map: Map<Box<str>, Vec<Name>> = Map::default();
            for (name, function) in list {
                let found = volatile(function).map(|function| function.name.clone());
                map.entry(name.clone()).or_default().extend(found);
            }
            map
        };
        let (operators, types) = (by_name(&self.operators), by_name(&self.types));
        let mut everywhere: Vec<_> = self.everywhere.iter().filter_map(volatile).collect();
        everywhere.sort_by(|a, b| a.name.cmp(&b.name));
        let mut everywhere: Vec<_> = everywhere.iter().map(|row| row.name.clone()).collect();
        everywhere.dedup();
        Catalog {
            known: true,
            functions: functions(self.functions),
            relations: relations(self.relations, dangers),
            operators,
            types,
            everywhere,
        }
    }

    /// What relations are not for replicas, and why: by themselves, and through what is read with them.
    fn dangers(&self) -> Map<u32, Vec<Danger>> {
        let mut all: Map<u32, Vec<Danger>> = Map::default();
        let own = self.relations.iter().filter_map(|(id, relation)| Some((*id, own(relation)?)));
        let called = self.calls.iter().filter_map(|(relation, function)| {
            let function = self.functions.get(function)?;
            Some((*relation, Danger { reason: called(function)?, of: function.name.clone() }))
        });
        // What nobody knows is a part of something all the same.
        let lost = self.readers.keys().filter(|id| !self.relations.contains_key(id)).map(|id| {
            let of = Name::new("", &id.to_string());
            (*id, Danger { reason: UnsafeReason::UnknownTable, of })
        });
        let mut roots: Vec<_> = own.chain(called).chain(lost).collect();
        // The same for the same rows, whatever their order.
        roots.sort_by(|a, b| (a.0, a.1.reason, &a.1.of).cmp(&(b.0, b.1.reason, &b.1.of)));
        let mut at = roots.iter().peekable();
        while let Some((id, first)) = at.next() {
            let mut dangers = vec![first];
            while let Some((_, more)) = at.next_if(|(of, _)| of == id) {
                dangers.push(more);
            }
            for reader in self.all_readers(*id) {
                let known = all.entry(reader).or_default();
                for danger in &dangers {
                    add(known, danger);
                }
            }
        }
        all
    }

    /// A relation, and all with which it is read.
    fn all_readers(&self, id: u32) -> HashSet<u32> {
        let (mut found, mut next) = (HashSet::from([id]), vec![id]);
        while let Some(part) = next.pop() {
            let readers = self.readers.get(&part).into_iter().flatten();
            next.extend(readers.filter(|reader| found.insert(**reader)));
        }
        found
    }
}

fn add(known: &mut Vec<Danger>, danger: &Danger) {
    if known.contains(danger) {
        return;
    }
    if known.len() < DANGERS {
        known.push(danger.clone());
    } else if known.len() == DANGERS {
        known.push(Danger { reason: UnsafeReason::TooManyNames, of: danger.of.clone() });
    }
}

/// Why a relation by itself is not for replicas.
fn own(relation: &RelationRow) -> Option<Danger> {
    let system = *relation.name.schema == *built_in::SCHEMA;
    let reason = match relation.kind {
        Kind::Plain if system && built_in::is_of_node(&relation.name.name) => UnsafeReason::Node,
        Kind::Plain => return None,
        Kind::Sequence => UnsafeReason::Sequence,
        Kind::Foreign => UnsafeReason::ForeignTable,
        Kind::Unlogged => UnsafeReason::Unlogged,
    };
    Some(Danger { reason, of: relation.name.clone() })
}

/// Why a relation that calls this function is not for replicas.
fn called(function: &FunctionRow) -> Option<UnsafeReason> {
    let name = &*function.name.name;
    if *function.name.schema != *built_in::SCHEMA {
        return function.volatile.then_some(UnsafeReason::VolatileFunction);
    }
    built_in::function(name).or_else(|| {
        let harmless = howdah_sql::built_in(name) == Some(howdah_sql::BuiltIn::Pure);
        (function.volatile && !harmless).then_some(UnsafeReason::VolatileFunction)
    })
}

fn functions(rows: Map<u32, FunctionRow>) -> Map<Box<str>, Vec<KnownFunction>> {
    let mut map: Map<Box<str>, Vec<KnownFunction>> = Map::default();
    for (_, FunctionRow { name, volatile, unary }) in rows {
        // Their names say what they are, unless they are somebody else's.
        if *name.schema == *built_in::SCHEMA && howdah_sql::built_in(&name.name).is_some() {
            continue;
        }
        let known = map.entry(name.name.clone()).or_default();
        match known.iter_mut().find(|one| one.name == name) {
            Some(one) => {
                one.unary |= volatile && unary;
                one.volatile |= volatile;
            }
            None => known.push(KnownFunction { name, volatile, unary: volatile && unary }),
        }
    }
    sorted(map, |one| &one.name)
}

fn relations(
    rows: Map<u32, RelationRow>,
    mut dangers: Map<u32, Vec<Danger>>,
) -> Map<Box<str>, Vec<KnownRelation>> {
    let mut map: Map<Box<str>, Vec<KnownRelation>> = Map::default();
    for (id, RelationRow { name, .. }) in rows {
        let dangers = dangers.remove(&id).unwrap_or_default();
        map.entry(name.name.clone()).or_default().push(KnownRelation { name, dangers });
    }
    sorted(map, |one| &one.name)
}

/// In an order that does not depend on that of a map.
fn sorted<T>(mut map: Map<Box<str>, Vec<T>>, name: fn(&T) -> &Name) -> Map<Box<str>, Vec<T>> {
    map.values_mut().for_each(|list| list.sort_by(|a, b| name(a).cmp(name(b))));
    map
}
