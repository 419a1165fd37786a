//! An index that might be made: its columns, its statement, its size. Not whether it is worth it.

use std::fmt::Write as _;

use howdah_sql::Case;

use crate::catalog::{Catalog, Column, Comparison, Index, IndexKey, Table};

/// A prefix of an existing index has to be smaller than this share of it.
const PREFIX_SHARE: f64 = 0.6;
/// Below this correlation the estimates of one key and of several differ by less than is believed: (1 - 0.75²) 0.2² is 1.75 %.
const SCATTERED: f64 = 0.2;

/// An index that does not exist.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The table's oid.
    pub table: u32,
    /// What it is ordered by.
    pub keys: Vec<Key>,
    /// Columns that are only stored (`INCLUDE`), in order.
    pub included: Vec<i16>,
    /// Of which rows it is; `None`: of all.
    pub predicate: Option<Predicate>,
    /// How it finds rows.
    pub method: Method,
    /// Bytes that it will have, as predicted ([`crate::size`]).
    pub bytes: u64,
}

/// How an index finds rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// A B-tree.
    #[default]
    Btree,
    /// The least and the largest value of each range of pages (BRIN): tiny, and of use where the table is in order.
    Brin,
}

impl Method {
    const fn name(self) -> &'static str {
        match self {
            Self::Btree => "btree",
            Self::Brin => "brin",
        }
    }
}

/// What holds for the rows of a partial index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Predicate {
    /// Something of one column, by its number.
    Of(i16, Holds),
    /// Columns of a row are compared with each other: all of these, in order.
    Compared(Vec<Comparison>),
}

/// What holds for a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Holds {
    /// It equals a constant, as its text is.
    Equal(String),
    /// `IS NULL`.
    Null,
    /// `IS NOT NULL`.
    NotNull,
}

impl Predicate {
    /// Numbers of its columns.
    #[must_use]
    pub fn columns(&self) -> Vec<i16> {
        match self {
            Self::Of(column, _) => vec![*column],
            Self::Compared(all) => all.iter().flat_map(|it| [it.small, it.large]).collect(),
        }
    }

    /// Which share of the rows it is, as far as statistics say.
    #[must_use]
    pub fn share(&self, table: &Table) -> Option<f64> {
        match self {
            Self::Of(number, holds) => share_of(column(table, *number)?, holds),
            Self::Compared(all) => table.compared.iter().find(|(of, _)| of == all).map(|it| it.1),
        }
    }

    /// As it stands behind `WHERE`.
    #[must_use]
    pub fn text(&self, table: &Table) -> Option<String> {
        match self {
            Self::Of(number, holds) => Some(text_of(column(table, *number)?, holds)),
            Self::Compared(all) => comparisons(table, all),
        }
    }
}

fn share_of(column: &Column, holds: &Holds) -> Option<f64> {
    match holds {
        Holds::Null => column.nulls,
        Holds::NotNull => Some(1.0 - column.nulls?),
        Holds::Equal(value) => {
            // PostgreSQL shows truth by its first letter.
            let is_it = |known: &str| match column.type_name == "boolean" {
                true => value.starts_with(known),
                false => *value == known,
            };
            column.most_common.iter().find(|(known, _)| is_it(known)).map(|it| it.1)
        }
    }
}

fn text_of(column: &Column, holds: &Holds) -> String {
    let name = quoted(&column.name);
    match holds {
        Holds::Null => format!("{name} IS NULL"),
        Holds::NotNull => format!("{name} IS NOT NULL"),
        Holds::Equal(value) if column.type_name == "boolean" => match value.as_str() {
            "true" => name,
            _ => format!("NOT {name}"),
        },
        Holds::Equal(value) => format!("{name} = '{}'", value.replace('\'', "''")),
    }
}

/// Comparisons of columns, as they stand behind `WHERE`; `None` when the table lacks a column.
#[must_use]
pub fn comparisons(table: &Table, all: &[Comparison]) -> Option<String> {
    let name = |number: i16| Some(quoted(&column(table, number)?.name));
    let text = |it: &Comparison| {
        let sign = if it.or_equal { "<=" } else { "<" };
        Some(format!("{} {sign} {}", name(it.small)?, name(it.large)?))
    };
    Some(all.iter().map(text).collect::<Option<Vec<_>>>()?.join(" AND "))
}

/// A column of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Its number.
    pub column: i16,
    /// Largest first, nulls in front.
    pub descending: bool,
    /// Not its values, but what this function makes of them.
    pub case: Option<Case>,
}

impl Key {
    /// Smallest first.
    #[must_use]
    pub const fn up(column: i16) -> Self {
        Self { column, descending: false, case: None }
    }

    fn text(&self, table: &Table) -> Option<String> {
        let name = quoted(&column(table, self.column)?.name);
        let text = match self.case {
            Some(Case::Lower) => format!("lower({name})"),
            Some(Case::Upper) => format!("upper({name})"),
            None => name,
        };
        Some(if self.descending { format!("{text} DESC") } else { text })
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

    /// Numbers of all columns whose change changes it.
    pub fn touched_by(&self) -> impl Iterator<Item = i16> {
        self.columns().chain(self.predicate.iter().flat_map(Predicate::columns))
    }

    /// Whether it can do all that `other` can: a longer key, and every stored column.
    #[must_use]
    pub fn replaces(&self, other: &Self) -> bool {
        self.table == other.table
            && self.predicate == other.predicate
            && self.method == other.method
            && self.keys.starts_with(&other.keys)
            && other.columns().all(|column| self.columns().any(|own| own == column))
    }

    /// The statement that makes it; `name` is a plain name. `None` when the catalog lacks a column.
    #[must_use]
    pub fn statement(&self, table: &Table, name: &str, concurrently: bool) -> Option<String> {
        let keys: Option<Vec<String>> = self.keys.iter().map(|key| key.text(table)).collect();
        let mut sql = String::from("CREATE INDEX ");
        if concurrently {
            sql.push_str("CONCURRENTLY ");
        }
        if !name.is_empty() {
            let _ = write!(sql, "{} ", quoted(name));
        }
        let _ = write!(
            sql,
            "ON {} USING {} ({})",
            full_name(table),
            self.method.name(),
            keys?.join(", ")
        );
        if !self.included.is_empty() {
            let names: Option<Vec<String>> =
                self.included.iter().map(|&it| Some(quoted(&column(table, it)?.name))).collect();
            let _ = write!(sql, " INCLUDE ({})", names?.join(", "));
        }
        if let Some(predicate) = &self.predicate {
            let _ = write!(sql, " WHERE {}", predicate.text(table)?);
        }
        Some(sql)
    }

    /// `table (a, b) include (c)`, for people.
    #[must_use]
    pub fn describe(&self, table: &Table) -> String {
        let list = |all: Vec<String>| all.join(", ");
        let keys = list(self.keys.iter().filter_map(|key| key.text(table)).collect());
        let mut text = format!("{} ({keys})", table.name);
        if self.method == Method::Brin {
            text.push_str(" USING brin");
        }
        if !self.included.is_empty() {
            let names =
                self.included.iter().filter_map(|it| Some(column(table, *it)?.name.clone()));
            let _ = write!(text, " INCLUDE ({})", list(names.collect()));
        }
        if let Some(predicate) = self.predicate.as_ref().and_then(|it| it.text(table)) {
            let _ = write!(text, " WHERE {predicate}");
        }
        text
    }

    /// The size of the largest existing, valid index of the table that begins with the same keys, in either direction, and has all columns
    /// of this one: what this one can do, that one does, too.
    #[must_use]
    pub fn covered_by(&self, catalog: &Catalog) -> Option<u64> {
        if self.predicate.is_some() || self.method != Method::Btree {
            return None;
        }
        catalog
            .indexes_of(self.table)
            .filter(|index| is_plain(index) && self.is_prefix_of(index))
            .map(|index| index.bytes)
            .max()
    }

    /// Whether beside an existing index that [covers](Self::covered_by) it, it has anything of its own but looks.
    ///
    /// It can be much smaller. But of an index with one key PostgreSQL's planner believes that the table is in its order as far as statistics
    /// say, and of one with several keys only three quarters of that: by the estimate a single key then looks cheaper where rows stand
    /// together, though both find the same rows on the same pages. What is estimated with it proves nothing there.
    #[must_use]
    pub fn earns_its_place(&self, catalog: &Catalog) -> bool {
        let Some(existing) = self.covered_by(catalog) else { return true };
        let single = self.keys.len() == 1;
        let scattered = || {
            let first = column(catalog.table(self.table)?, self.first()?)?;
            Some(first.correlation?.abs() < SCATTERED)
        };
        (self.bytes as f64) < existing as f64 * PREFIX_SHARE
            && (!single || scattered().unwrap_or(false))
    }

    fn is_prefix_of(&self, index: &Index) -> bool {
        let keys = || self.keys.iter().zip(&index.keys);
        let same = |(own, other): (&Key, &IndexKey)| {
            own.case.is_none() && is_usual(other) && other.column == Some(own.column)
        };
        let stores = |column: &i16| {
            index.included.contains(column)
                || index.keys.iter().any(|key| key.column == Some(*column))
        };
        self.keys.len() <= index.keys.len()
            && keys().all(same)
            && (keys().all(|(own, other)| own.descending == other.descending)
                || keys().all(|(own, other)| own.descending != other.descending))
            && self.included.iter().all(stores)
    }
}

/// Ordered as a type is by itself.
fn is_usual(key: &IndexKey) -> bool {
    key.nulls_first == key.descending && !key.class.ends_with("_pattern_ops")
}

/// A B-tree over all rows that statements may use.
#[must_use]
pub(crate) fn is_plain(index: &Index) -> bool {
    index.method == "btree" && index.valid && index.predicate.is_none()
}

/// The column with a number.
#[must_use]
pub(crate) fn column(table: &Table, number: i16) -> Option<&Column> {
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
