//! What an answer depends on, as numbers: a row, the rows with some values, a table, all of a relation. Not which statement depends
//! on what, nor which tags a change raises.
//!
//! Invariant: equal things have equal tags in every process of the same build, so an answer may travel between instances. Two things
//! with one tag cost a hit, nothing else.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;

/// The number of a table or another relation in `pg_class`.
pub type Oid = u32;

/// What an answer depends on, and what a change raises.
///
/// An answer carries for each relation that it reads [`Tag::whole`], and one of
/// - [`Tag::table`]: any change of the table matters;
/// - [`Tag::row`] of a set of columns: only changes of rows with these values matter. Rows that *leave* the values may be unseen, so
///   there is also [`Tag::columns`] of the set, unless the primary keys of all rows in the answer are tagged as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u64);

#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    Whole = 1,
    Table = 2,
    Columns = 3,
    Row = 4,
}

impl Tag {
    /// All of a relation at once: it was truncated, or what has happened to it cannot be told by rows. Every answer carries it for
    /// each relation that it reads.
    #[must_use]
    pub fn whole(relation: Oid) -> Self {
        Self(start(Kind::Whole, relation).finish())
    }

    /// Raised by every change of a row.
    #[must_use]
    pub fn table(relation: Oid) -> Self {
        Self(start(Kind::Table, relation).finish())
    }

    /// Raised by a change after which it is not known which values of these columns a row had before. `attnums` in ascending order.
    #[must_use]
    pub fn columns(relation: Oid, attnums: &[i16]) -> Self {
        let mut hasher = start(Kind::Columns, relation);
        for attnum in attnums {
            hasher.write_i16(*attnum);
        }
        Self(hasher.finish())
    }

    /// Raised by changes of rows that have, or had, these values in these columns: each with its `attnum`, in ascending order, and
    /// the text that PostgreSQL writes for the value under the stream's settings. No value is NULL: no equality finds those.
    #[must_use]
    pub fn row<'a>(relation: Oid, values: impl IntoIterator<Item = (i16, &'a [u8])>) -> Self {
        let mut hasher = start(Kind::Row, relation);
        for (attnum, value) in values {
            hasher.write_i16(attnum);
            hasher.write_usize(value.len());
            hasher.write(value);
        }
        Self(hasher.finish())
    }
}

fn start(kind: Kind, relation: Oid) -> impl Hasher {
    /// Any number; another one is another space of tags.
    const SPACE: u64 = 0x686f_7764_6168_0001;
    let mut hasher = FixedState::with_seed(SPACE).build_hasher();
    hasher.write_u8(kind as u8);
    hasher.write_u32(relation);
    hasher
}

/// Columns of a relation by whose values answers are tagged.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnSet {
    relation: Oid,
    attnums: Box<[i16]>,
}

impl ColumnSet {
    /// These columns, in any order. None: the relation alone.
    #[must_use]
    pub fn new(relation: Oid, attnums: &[i16]) -> Self {
        let mut attnums = attnums.to_vec();
        attnums.sort_unstable();
        attnums.dedup();
        Self { relation, attnums: attnums.into() }
    }

    /// Whose columns.
    #[must_use]
    pub const fn relation(&self) -> Oid {
        self.relation
    }

    /// Their numbers, ascending, each once.
    #[must_use]
    pub fn attnums(&self) -> &[i16] {
        &self.attnums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_things_have_different_tags_and_equal_things_equal_ones() {
        let row = |values: &[(i16, &'static [u8])]| Tag::row(7, values.iter().copied());
        let tags = [
            Tag::whole(7),
            Tag::table(7),
            Tag::table(8),
            Tag::columns(7, &[1]),
            Tag::columns(7, &[1, 2]),
            Tag::columns(7, &[]),
            row(&[(1, b"a")]),
            row(&[(2, b"a")]),
            row(&[(1, b"a"), (2, b"")]),
            row(&[(1, b""), (2, b"a")]),
            row(&[(1, b"ab"), (2, b"c")]),
            row(&[(1, b"a"), (2, b"bc")]),
        ];
        let distinct: std::collections::BTreeSet<_> = tags.iter().collect();
        assert_eq!(distinct.len(), tags.len());
        assert_eq!(row(&[(1, b"a"), (2, b"bc")]), row(&[(1, b"a"), (2, b"bc")]));
        assert_eq!(ColumnSet::new(7, &[3, 1, 3]).attnums(), [1, 3]);
    }
}
