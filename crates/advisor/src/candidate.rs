//! An index that might be made: its columns, its statement, its size. Not whether it is worth it.

use std::fmt::Write as _;

use crate::catalog::{Catalog, Index, Table};

/// An index that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The table's oid.
    pub table: u32,
    /// What it is ordered by.
    pub keys: Vec<Key>,
    /// Columns that are only stored (`INCLUDE`), in order.
    pub included: Vec<i16>,
    /// Bytes that it will have, as predicted ([`crate::size`]).
    pub bytes: u64,
}

/// A column of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Its number.
    pub column: i16,
    /// Largest first, nulls in front.
    pub descending: bool,
}

impl Key {
    /// Smallest first.
    #[must_use]
    pub const fn up(column: i16) -> Self {
        Self { column, descending: false }
    }
}

impl Candidate {
    /// The first column.
    #[must_use]
    pub fn first(&self) -> Option<i16> {
        self.keys.first().map(|key| key.column)
    }

    /// Numbers of all its columns.
    pub fn columns(&self) -> impl Iterator<Item = i16> {
        self.keys.iter().map(|key| key.column).chain(self.included.iter().copied())
    }

    /// Whether it can do all that `other` can: a longer key, and every stored column.
    #[must_use]
    pub fn replaces(&self, other: &Self) -> bool {
        self.table == other.table
            && self.keys.starts_with(&other.keys)
            && other.columns().all(|column| self.columns().any(|own| own == column))
    }

    /// The statement that makes it; `name` is a plain name. `None` when the catalog lacks a column.
    #[must_use]
    pub fn statement(&self, table: &Table, name: &str, concurrently: bool) -> Option<String> {
        let keys: Option<Vec<String>> = self
            .keys
            .iter()
            .map(|key| {
                let column = quoted(&column(table, key.column)?.name);
                Some(if key.descending { format!("{column} DESC") } else { column })
            })
            .collect();
        let mut sql = String::from("CREATE INDEX ");
        if concurrently {
            sql.push_str("CONCURRENTLY ");
        }
        if !name.is_empty() {
            let _ = write!(sql, "{} ", quoted(name));
        }
        let _ = write!(sql, "ON {} USING btree ({})", full_name(table), keys?.join(", "));
        if !self.included.is_empty() {
            let names: Option<Vec<String>> =
                self.included.iter().map(|&it| Some(quoted(&column(table, it)?.name))).collect();
            let _ = write!(sql, " INCLUDE ({})", names?.join(", "));
        }
        Some(sql)
    }

    /// `table (a, b) include (c)`, for people.
    #[must_use]
    pub fn describe(&self, table: &Table) -> String {
        let names = |columns: &mut dyn Iterator<Item = i16>| -> String {
            let names = columns.filter_map(|it| Some(column(table, it)?.name.clone()));
            names.collect::<Vec<_>>().join(", ")
        };
        let keys = names(&mut self.keys.iter().map(|key| key.column));
        match self.included.is_empty() {
            true => format!("{} ({keys})", table.name),
            false => format!(
                "{} ({keys}) INCLUDE ({})",
                table.name,
                names(&mut self.included.iter().copied())
            ),
        }
    }

    /// Whether an existing, valid index of the table begins with the same keys; and if so, the largest size of such an index, when it
    /// leaves nothing to this one but being smaller.
    #[must_use]
    pub fn covered_by(&self, catalog: &Catalog) -> Option<u64> {
        catalog
            .indexes_of(self.table)
            .filter(|index| is_plain(index) && self.is_prefix_of(index))
            .map(|index| index.bytes)
            .max()
    }

    fn is_prefix_of(&self, index: &Index) -> bool {
        let same = |(own, other): (&Key, &crate::catalog::IndexKey)| {
            other.column == Some(own.column) && other.descending == own.descending
        };
        let stores = |column: &i16| {
            index.included.contains(column)
                || index.keys.iter().any(|key| key.column == Some(*column))
        };
        self.keys.len() <= index.keys.len()
            && self.keys.iter().zip(&index.keys).all(same)
            && self.included.iter().all(stores)
    }
}

/// A B-tree over all rows that statements may use.
#[must_use]
pub(crate) fn is_plain(index: &Index) -> bool {
    index.method == "btree" && index.valid && index.predicate.is_none()
}

/// The column with a number.
#[must_use]
pub(crate) fn column(table: &Table, number: i16) -> Option<&crate::catalog::Column> {
    table.columns.iter().find(|column| column.number == number)
}

/// A name as PostgreSQL reads it back.
#[must_use]
pub fn quoted(name: &str) -> String {
    let mut letters = name.bytes();
    let plain = letters.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && letters.all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_')
        && !howdah_sql::is_keyword(name);
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Schema and name of a table.
#[must_use]
pub fn full_name(table: &Table) -> String {
    format!("{}.{}", quoted(&table.schema), quoted(&table.name))
}
