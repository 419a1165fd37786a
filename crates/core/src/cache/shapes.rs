//! What the catalog says of the relations whose changes are told: their columns, and of which others their rows are rows as well
//! (partitions, inheritance). Not who reads the catalog.
//!
//! Invariant: a relation is seen only when every relation whose rows are its rows is told of completely.

use std::collections::BTreeMap;

use super::Unseen;
use super::tag::Oid;

/// What a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A table, or a partition with rows.
    Table,
    /// A table whose rows are in its partitions.
    Partitioned,
    /// Something whose changes are never told: a materialized view, a foreign table, a table that is not logged.
    Untold,
}

/// One relation of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Relation {
    /// What it is.
    pub kind: Kind,
    /// Whether the publication tells of it.
    pub published: bool,
    /// Whether the publication leaves out rows or columns of it.
    pub filtered: bool,
    /// Numbers of its columns, by name.
    pub columns: BTreeMap<Box<[u8]>, i16>,
    /// Relations of which its rows are rows as well: next above.
    pub parents: Vec<Oid>,
}

impl Relation {
    /// Without columns and parents.
    #[must_use]
    pub fn new(kind: Kind, published: bool) -> Self {
        Self { kind, published, filtered: false, columns: BTreeMap::new(), parents: Vec::new() }
    }
}

/// All relations of a database that matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Shapes {
    relations: BTreeMap<Oid, Relation>,
}

impl Shapes {
    /// From what was read. Parents that are not among the relations are of no concern.
    #[must_use]
    pub fn new(relations: BTreeMap<Oid, Relation>) -> Self {
        Self { relations }
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, relation: Oid) -> Option<&Relation> {
        self.relations.get(&relation)
    }

    /// Relations that are told.
    pub fn published(&self) -> impl Iterator<Item = Oid> + '_ {
        self.relations.iter().filter(|(_, it)| it.published).map(|(oid, _)| *oid)
    }

    /// All relations of which the rows of this one are rows, itself first.
    #[must_use]
    pub fn upwards(&self, relation: Oid) -> Vec<Oid> {
        let mut found = vec![relation];
        let mut at = 0;
        while let Some(oid) = found.get(at) {
            let parents = self.get(*oid).map(|it| it.parents.clone()).unwrap_or_default();
            for parent in parents {
                if !found.contains(&parent) {
                    found.push(parent);
                }
            }
            at += 1;
        }
        found
    }

    /// Whether changes of each relation are seen, and why not.
    #[must_use]
    pub fn seen(&self) -> BTreeMap<Oid, Option<Unseen>> {
        let mut seen: BTreeMap<Oid, Option<Unseen>> = BTreeMap::new();
        for (oid, relation) in &self.relations {
            let own = match relation.kind {
                Kind::Untold => Some(Unseen::Unlogged),
                _ if relation.filtered => Some(Unseen::Filtered),
                // It has no rows of its own.
                Kind::Partitioned => None,
                Kind::Table if relation.published => None,
                Kind::Table => Some(Unseen::NotPublished),
            };
            for above in self.upwards(*oid) {
                let all = seen.entry(above).or_default();
                *all = all.or(own);
            }
        }
        seen.retain(|oid, _| self.relations.contains_key(oid));
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(kind: Kind, published: bool, parents: &[Oid]) -> Relation {
        Relation { parents: parents.to_vec(), ..Relation::new(kind, published) }
    }

    #[test]
    fn a_relation_is_seen_when_all_that_have_its_rows_are_told() {
        let shapes = Shapes::new(BTreeMap::from([
            (1, relation(Kind::Partitioned, false, &[])),
            (2, relation(Kind::Partitioned, false, &[1])),
            (3, relation(Kind::Table, true, &[2])),
            (4, relation(Kind::Table, true, &[1])),
            (10, relation(Kind::Partitioned, false, &[])),
            (11, relation(Kind::Table, true, &[10])),
            (12, relation(Kind::Table, false, &[10])),
            (20, relation(Kind::Table, true, &[])),
            (21, relation(Kind::Untold, false, &[20])),
            (30, Relation { filtered: true, ..relation(Kind::Table, true, &[]) }),
        ]));
        assert_eq!(shapes.upwards(3), [3, 2, 1]);
        let seen = shapes.seen();
        for oid in [1, 2, 3, 4, 11] {
            assert_eq!(seen[&oid], None, "{oid}");
        }
        assert_eq!(seen[&10], Some(Unseen::NotPublished));
        assert_eq!(seen[&20], Some(Unseen::Unlogged), "a child is not told");
        assert_eq!(seen[&30], Some(Unseen::Filtered));
    }
}
