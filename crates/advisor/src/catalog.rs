//! A snapshot of what PostgreSQL's catalogs and statistics say about one database, as far as advice needs it. Values only: who
//! reads them from a server is `howdah-ops`.
//!
//! Numbers that PostgreSQL estimates (rows, distinct values) are kept as it says them.

use serde::{Deserialize, Serialize};

/// One database at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// `server_version_num`: 150018 for 15.18.
    pub version: u32,
    /// Seconds since statistics were last reset, on the node where that is most recent; `None` when nobody may know.
    pub statistics_age: Option<f64>,
    /// Standbys that followed this server when it was read; `None` when it cannot be known.
    pub replicas: Option<u32>,
    /// Standbys whose counts of usage are in here.
    pub replicas_asked: u32,
    /// Ordinary, partitioned and materialized tables outside PostgreSQL's own schemas, without temporary ones and those of extensions.
    pub tables: Vec<Table>,
    /// Their indexes.
    pub indexes: Vec<Index>,
    /// Their foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// What is installed in the database.
    #[serde(default)]
    pub extensions: Vec<Extension>,
    /// What could not be read, and which right or extension is missing, in words.
    pub missing: Vec<String>,
}

impl Catalog {
    /// The table with this oid.
    #[must_use]
    pub fn table(&self, oid: u32) -> Option<&Table> {
        self.tables.iter().find(|table| table.oid == oid)
    }

    /// The indexes of a table.
    pub fn indexes_of(&self, table: u32) -> impl Iterator<Item = &Index> {
        self.indexes.iter().filter(move |index| index.table == table)
    }
}

/// An extension of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// The schema that its things are in, unquoted.
    pub schema: String,
}

/// What kind of relation a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// An ordinary table, or a partition.
    Table,
    /// A partitioned table: has no rows of its own.
    Partitioned,
    /// A materialized view.
    Materialized,
}

/// A table, its size, its columns, and what happened to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// `pg_class.oid`.
    pub oid: u32,
    /// Its schema, unquoted.
    pub schema: String,
    /// Its name, unquoted.
    pub name: String,
    /// Its kind.
    pub kind: TableKind,
    /// The partitioned table it belongs to.
    pub parent: Option<u32>,
    /// `relpages`: pages when it was last analysed or vacuumed.
    pub pages: u64,
    /// `reltuples`; `None` when it was never analysed.
    pub rows: Option<f64>,
    /// `relallvisible`.
    pub all_visible_pages: u64,
    /// Bytes on disk of the table without indexes, now.
    pub bytes: u64,
    /// In order of their numbers, without dropped ones.
    pub columns: Vec<Column>,
    /// For which share of the rows columns compare like this, all of them at once: counted in a sample, for what statements ask.
    #[serde(default)]
    pub compared: Vec<(Vec<Comparison>, f64)>,
    /// What happened since statistics were reset.
    pub activity: Activity,
}

/// A column of a row is below another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Comparison {
    /// The number of the column that is below.
    pub small: i16,
    /// The number of the other.
    pub large: i16,
    /// They may be equal.
    pub or_equal: bool,
}

/// Counts of `pg_stat_user_tables`, since statistics were reset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// Sequential scans, and rows they read.
    pub sequential_scans: u64,
    /// Rows read by them.
    pub sequential_rows: u64,
    /// Index scans.
    pub index_scans: u64,
    /// Rows inserted.
    pub inserted: u64,
    /// Rows updated.
    pub updated: u64,
    /// Rows updated without a new index entry (HOT).
    pub hot_updated: u64,
    /// Rows deleted.
    pub deleted: u64,
    /// Rows now alive.
    pub live: u64,
    /// Rows now dead.
    pub dead: u64,
    /// Rows changed since the last ANALYZE.
    pub changed_since_analyze: u64,
    /// Seconds since the last ANALYZE, automatic or by hand; `None`: never.
    pub analyzed_ago: Option<f64>,
    /// Seconds since the last VACUUM, automatic or by hand; `None`: never.
    pub vacuumed_ago: Option<f64>,
}

/// A column and its statistics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// `attnum`.
    pub number: i16,
    /// Its name, unquoted.
    pub name: String,
    /// As `format_type` says it, with modifiers: `character(10)`.
    pub type_name: String,
    /// `pg_type.oid`; of the base type for a domain.
    pub type_oid: u32,
    /// `typlen`: bytes of a value, -1 when it varies.
    pub type_length: i16,
    /// Bytes on which it is aligned: 1, 2, 4, 8.
    pub alignment: u8,
    /// Never null.
    pub not_null: bool,
    /// Mean bytes of a value; `None` without statistics, or without the right to see them.
    pub width: Option<f64>,
    /// `pg_stats.n_distinct`: a number of values, or minus a share of the rows.
    pub distinct: Option<f64>,
    /// Share of nulls.
    pub nulls: Option<f64>,
    /// Order on disk against order of values, -1 to 1.
    pub correlation: Option<f64>,
    /// Most common values as text, with their share of the rows.
    pub most_common: Vec<(String, f64)>,
}

/// An index, ready or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// `pg_class.oid`.
    pub oid: u32,
    /// The table it belongs to.
    pub table: u32,
    /// Its schema, unquoted.
    pub schema: String,
    /// Its name, unquoted.
    pub name: String,
    /// `btree`, `gin`, …
    pub method: String,
    /// What it is ordered or searched by.
    pub keys: Vec<IndexKey>,
    /// Numbers of columns that are only stored (`INCLUDE`).
    pub included: Vec<i16>,
    /// The condition of a partial index, as PostgreSQL writes it.
    pub predicate: Option<String>,
    /// Admits no equal keys.
    pub unique: bool,
    /// `NULLS NOT DISTINCT`.
    pub nulls_not_distinct: bool,
    /// The primary key's.
    pub primary: bool,
    /// Exclusion constraint's.
    pub exclusion: bool,
    /// Name of the constraint it belongs to.
    pub constraint: Option<String>,
    /// Checked at the end of a statement or transaction.
    pub deferrable: bool,
    /// The table's replica identity.
    pub replica_identity: bool,
    /// The table was clustered by it.
    pub clustered: bool,
    /// Statements may use it (`indisvalid`).
    pub valid: bool,
    /// Writes maintain it (`indisready`).
    pub ready: bool,
    /// A build of it is running (`pg_stat_progress_create_index`).
    pub building: bool,
    /// The index of the partitioned table that it is attached to.
    pub parent: Option<u32>,
    /// Bytes on disk.
    pub bytes: u64,
    /// `reltuples` of the index.
    pub rows: Option<f64>,
    /// `pg_get_indexdef`: creates it again, but for its tablespace and comment. Names are qualified, whatever the search path.
    pub definition: String,
    /// Its tablespace, unquoted; `None`: the database's.
    #[serde(default)]
    pub tablespace: Option<String>,
    /// `COMMENT ON INDEX`.
    #[serde(default)]
    pub comment: Option<String>,
    /// Scans since statistics were reset, on the primary and every replica that was asked.
    pub scans: u64,
    /// Entries read by them.
    pub entries_read: u64,
    /// Seconds since it was last used (PostgreSQL 16 and later); `None`: never, or nobody knows.
    pub used_ago: Option<f64>,
}

/// One key of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexKey {
    /// Number of the column; `None` for an expression.
    pub column: Option<i16>,
    /// The expression as PostgreSQL writes it; `None` for a column.
    pub expression: Option<String>,
    /// Operator class with its schema: `pg_catalog.int4_ops`.
    pub class: String,
    /// Collation with its schema; empty when the type has none.
    pub collation: String,
    /// Largest first.
    pub descending: bool,
    /// Nulls in front.
    pub nulls_first: bool,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Name of the constraint.
    pub name: String,
    /// The table that refers.
    pub table: u32,
    /// Its columns, in the order of the key.
    pub columns: Vec<i16>,
    /// The table that is referred to.
    pub refers_to: u32,
    /// The columns there.
    pub refers_to_columns: Vec<i16>,
    /// The unique index there that it relies on.
    #[serde(default)]
    pub relies_on: u32,
}
