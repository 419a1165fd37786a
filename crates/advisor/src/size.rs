//! How large a B-tree will be when it is built: rows, widths and repetitions in, bytes out. As PostgreSQL 13 and later build it, with
//! equal keys stored once (deduplication). Not the size of one that was updated for a long time.
//!
//! Invariant: without statistics of a column there is no size, never a guessed one; in doubt the larger size.

use crate::candidate::{Holds, Predicate, column};
use crate::catalog::{Catalog, Column, Table};

/// Bytes of a page.
const PAGE: f64 = 8192.0;
/// Bytes of a leaf page that are filled: without its header (24), its special space (16), and what a fill factor of 90 leaves free (819).
const LEAF: f64 = 7333.0;
/// The same of a page above the leaves, with a fill factor of 70.
const INNER: f64 = 5695.0;
/// Header of an entry, and its line pointer.
const HEADER: f64 = 8.0;
const POINTER: f64 = 4.0;
/// Bytes of an entry with several rows at most, and of each row in it.
const POSTING: f64 = 812.0;
const ROW: f64 = 6.0;
/// The share of an entry's size that stays empty at the end of each page.
const UNFILLED: f64 = 0.35;

/// An index as far as its size depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    /// Numbers of its key columns.
    pub keys: &'a [i16],
    /// Numbers of the columns that are only stored.
    pub included: &'a [i16],
    /// No two rows have equal keys.
    pub unique: bool,
}

/// Bytes of an index when it is built; `None` without statistics.
#[must_use]
pub fn bytes(catalog: &Catalog, table: &Table, shape: Shape<'_>) -> Option<u64> {
    let rows = table.rows.filter(|rows| *rows >= 0.0)?;
    let columns = shape.keys.iter().chain(shape.included);
    let columns: Vec<&Column> = columns.map(|&it| column(table, it)).collect::<Option<_>>()?;
    let entry = entry_bytes(&columns)?;
    let single = rows * (entry + POINTER);
    let merges = !shape.unique
        && shape.included.is_empty()
        && shape.keys.iter().all(|&it| column(table, it).is_some_and(is_equal_image));
    let leaves =
        if merges { merged(catalog, table, shape.keys, entry)?.min(single) } else { single };
    Some(pages_of(leaves, entry))
}

/// The same of an index of a part of the rows; `None` also when nobody knows how many they are.
#[must_use]
pub fn bytes_of_part(table: &Table, shape: Shape<'_>, predicate: &Predicate) -> Option<u64> {
    let rows = table.rows?.max(1.0);
    let share = predicate.share(table)?;
    let part = |column: &Column| {
        let mut column = Column { most_common: Vec::new(), ..column.clone() };
        // So many of the values are met by so many rows.
        let met = |values: f64| values * (1.0 - (1.0 - share).max(0.0).powf(rows / values));
        column.distinct = distinct_of(&column, rows).map(met);
        match predicate {
            Predicate::Of(of, holds) if *of == column.number => {
                column.nulls = Some(if *holds == Holds::Null { 1.0 } else { 0.0 });
                if *holds != Holds::NotNull {
                    column.distinct = Some(1.0);
                }
            }
            // What is compared is not null.
            Predicate::Compared(_) if predicate.columns().contains(&column.number) => {
                column.nulls = Some(0.0);
            }
            Predicate::Of(..) | Predicate::Compared(_) => {}
        }
        column
    };
    let columns = table.columns.iter().map(part).collect();
    let part = Table { rows: Some((rows * share).max(1.0)), columns, ..table.clone() };
    bytes(&Catalog::default(), &part, shape)
}

/// Bytes of a BRIN index of a column: the least and the largest value of each 128 pages, and where to find them.
#[must_use]
pub fn bytes_of_ranges(table: &Table, number: i16) -> Option<u64> {
    let ranges = (table.pages as f64 / 128.0).ceil();
    let entry = entry_bytes(&[column(table, number)?])? * 2.0 + POINTER;
    let pages = 1.0 + (ranges / 1360.0).ceil() + (ranges * entry / PAGE).ceil();
    Some(whole(pages * PAGE))
}

/// Pages for entries of so many bytes together, as bytes.
fn pages_of(leaf_bytes: f64, entry: f64) -> u64 {
    let leaves = (leaf_bytes / LEAF).ceil().max(1.0);
    let mut pages = 1.0 + leaves;
    let fanout = (INNER / (entry + POINTER)).max(2.0);
    let mut level = leaves;
    while level > 1.0 {
        level = (level / fanout).ceil();
        pages += level;
    }
    whole(pages * PAGE)
}

/// Bytes of an entry without its line pointer.
fn entry_bytes(columns: &[&Column]) -> Option<f64> {
    let nullable = columns.iter().any(|column| column.nulls.is_some_and(|share| share > 0.0));
    let mut width: f64 = if nullable { HEADER } else { 0.0 };
    for column in columns {
        let own = match column.type_length {
            length if length > 0 => f64::from(length),
            // ANALYZE cuts the fraction of a mean off.
            _ => column.width? + 0.5,
        };
        // A short value that varies in length is not aligned.
        let alignment = match column.type_length {
            length if length < 0 && own < 127.0 => 1.0,
            _ => f64::from(column.alignment.max(1)),
        };
        let filled = 1.0 - column.nulls.unwrap_or(0.0);
        width = (width / alignment).ceil() * alignment + own * filled;
    }
    // The mean of what is rounded up in each entry: texts vary a lot in length, numbers hardly.
    let steps: &[f64] = if columns.iter().any(|it| is_text(it)) {
        &[-2.0, -1.0, 0.0, 1.0, 2.0]
    } else if columns.iter().any(|it| it.type_length < 0) {
        &[-1.0, 0.0, 0.0, 0.0, 1.0]
    } else {
        &[0.0]
    };
    let sum: f64 = steps.iter().map(|step| ((width + step).max(1.0) / 8.0).ceil() * 8.0).sum();
    let rounded = sum / steps.len() as f64;
    Some(HEADER + rounded)
}

/// Whether values of a column vary a lot in length.
fn is_text(column: &Column) -> bool {
    let fixed = ["numeric", "character(", "bit("];
    column.type_length < 0 && !fixed.iter().any(|name| column.type_name.starts_with(name))
}

/// Bytes of the leaf entries when equal keys are stored once.
fn merged(catalog: &Catalog, table: &Table, keys: &[i16], entry: f64) -> Option<f64> {
    let rows = table.rows?;
    let mut left = (rows, distinct(catalog, table, keys)?.max(1.0));
    let mut sum = 0.0;
    if let [only] = keys {
        let frequent = &column(table, *only)?.most_common;
        let known: f64 = frequent.iter().map(|(_, share)| share * rows).sum();
        let count = f64::from(u32::try_from(frequent.len()).ok()?);
        if count < left.1 {
            sum = frequent.iter().map(|(_, share)| group_bytes(share * rows, entry)).sum();
            left = ((rows - known).max(0.0), left.1 - count);
        } else {
            left.1 = count.max(1.0);
        }
    }
    let (rows, values) = left;
    let repeated = rows / values;
    let (low, high) = (repeated.floor().max(1.0), repeated.floor().max(1.0) + 1.0);
    let share = (repeated - low).clamp(0.0, 1.0);
    let mean = group_bytes(low, entry) * (1.0 - share) + group_bytes(high, entry) * share;
    // Large entries do not fill the end of a page.
    let unfilled = 1.0 + UNFILLED * mean.min(POSTING) / LEAF;
    Some((sum + values * mean) * unfilled)
}

/// Bytes of all entries of one key that so many rows have.
fn group_bytes(rows: f64, entry: f64) -> f64 {
    if rows < 2.0 {
        return rows.max(1.0) * (entry + POINTER);
    }
    let most = ((POSTING - entry) / ROW).floor().max(2.0);
    let full = (rows / most).floor();
    let posting = |count: f64| match count {
        none if none < 1.0 => 0.0,
        one if one < 2.0 => entry + POINTER,
        several => entry + (several * ROW / 8.0).ceil() * 8.0 + POINTER,
    };
    full * posting(most) + posting(rows - full * most)
}

/// Whether equal values of a type are the same bytes, so that PostgreSQL stores repeated keys once.
fn is_equal_image(column: &Column) -> bool {
    let name = column.type_name.split('(').next().unwrap_or_default().trim();
    let plain = [
        "smallint",
        "integer",
        "bigint",
        "oid",
        "date",
        "time without time zone",
        "time with time zone",
        "timestamp without time zone",
        "timestamp with time zone",
        "uuid",
        "text",
        "character",
        "character varying",
        "bytea",
        "boolean",
        "\"char\"",
        "name",
        "inet",
        "cidr",
        "macaddr",
        "macaddr8",
        "money",
        "bit",
        "bit varying",
        "pg_lsn",
        "tid",
    ];
    // Modifiers stand inside of some names: timestamp(3) without time zone.
    plain.contains(&name) || name == "timestamp" || name == "time"
}

/// How many different combinations of values the columns have. Never more than rows; in doubt more rather than fewer.
#[must_use]
pub fn distinct(catalog: &Catalog, table: &Table, keys: &[i16]) -> Option<f64> {
    let rows = table.rows?.max(1.0);
    let mut combinations = 1.0_f64;
    for &key in keys {
        combinations *= distinct_of(column(table, key)?, rows)?;
    }
    // So many of the possible combinations are met by so many rows.
    let met = match keys {
        [_] => combinations.min(rows),
        _ => combinations * -(-rows / combinations).exp_m1(),
    };
    Some(met.max(at_least(catalog, table, keys, rows)).clamp(1.0, rows))
}

/// Values of one column.
#[must_use]
pub fn distinct_of(column: &Column, rows: f64) -> Option<f64> {
    let said = column.distinct?;
    let values = if said < 0.0 { -said * rows } else { said };
    (values > 0.0).then(|| values.min(rows).max(1.0))
}

/// What a unique index proves: with few values in its other columns, these must have many.
fn at_least(catalog: &Catalog, table: &Table, keys: &[i16], rows: f64) -> f64 {
    let unique = catalog.indexes_of(table.oid).filter(|index| {
        index.unique
            && index.valid
            && index.predicate.is_none()
            && index.keys.iter().all(|key| key.column.is_some())
    });
    let proofs = unique.filter_map(|index| {
        let mut others = 1.0;
        for number in index.keys.iter().filter_map(|key| key.column) {
            if !keys.contains(&number) {
                others *= distinct_of(column(table, number)?, rows)?;
            }
        }
        Some(rows / others)
    });
    proofs.fold(1.0, f64::max)
}

/// A number of bytes or pages as a whole one.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes are positive and far below 2^53"
)]
pub(crate) fn whole(value: f64) -> u64 {
    value.max(0.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Activity, Index, IndexKey, TableKind};

    fn table(rows: f64, columns: &[(&str, i16, u8, f64, f64)]) -> Table {
        let column = |(at, (name, length, alignment, width, distinct)): (
            usize,
            &(&str, i16, u8, f64, f64),
        )| Column {
            number: i16::try_from(at).unwrap() + 1,
            name: format!("c{at}"),
            type_name: (*name).to_owned(),
            type_length: *length,
            alignment: *alignment,
            width: Some(*width),
            distinct: Some(*distinct),
            nulls: Some(0.0),
            ..Column::default()
        };
        Table {
            oid: 1,
            schema: "public".to_owned(),
            name: "t".to_owned(),
            kind: TableKind::Table,
            parent: None,
            pages: 1000,
            rows: Some(rows),
            all_visible_pages: 0,
            bytes: 0,
            columns: columns.iter().enumerate().map(column).collect(),
            compared: Vec::new(),
            activity: Activity::default(),
        }
    }

    fn size(table: &Table, keys: &[i16], included: &[i16], unique: bool) -> f64 {
        let catalog = Catalog { tables: vec![table.clone()], ..Catalog::default() };
        bytes(&catalog, table, Shape { keys, included, unique }).unwrap() as f64
    }

    /// Within this share of what PostgreSQL 15 has built.
    fn close(predicted: f64, built: f64, share: f64) {
        let error = predicted / built - 1.0;
        assert!(error.abs() <= share, "{predicted} instead of {built}: {:.1} %", error * 100.0);
    }

    #[test]
    fn a_unique_key_has_the_size_that_postgresql_builds() {
        // pgbench_accounts_pkey at scale 1.
        close(
            size(&table(100_000.0, &[("integer", 4, 4, 4.0, -1.0)]), &[1], &[], true),
            2_260_992.0,
            0.01,
        );
    }

    #[test]
    fn repeated_keys_are_stored_once_and_others_are_not() {
        let shipdate = table(6_001_215.0, &[("date", 4, 4, 4.0, 2507.0)]);
        close(size(&shipdate, &[1], &[], false), 42_700_000.0, 0.03);
        // customer(c_mktsegment) of TPC-H.
        let fixed = table(150_000.0, &[("character(10)", -1, 4, 11.0, 5.0)]);
        close(size(&fixed, &[1], &[], false), 1_073_152.0, 0.04);
        let number = table(150_000.0, &[("numeric(10,2)", -1, 4, 5.0, 5.0)]);
        assert!(size(&number, &[1], &[], false) > 3.0 * size(&fixed, &[1], &[], false));
    }

    #[test]
    fn stored_columns_keep_equal_keys_apart() {
        let both = table(1e6, &[("integer", 4, 4, 4.0, 10.0), ("integer", 4, 4, 4.0, 10.0)]);
        assert!(size(&both, &[1], &[2], false) > 2.5 * size(&both, &[1, 2], &[], false));
    }

    #[test]
    fn without_statistics_there_is_no_size() {
        let mut unknown = table(1e6, &[("text", -1, 4, 8.0, 5.0)]);
        unknown.columns[0].width = None;
        let catalog = Catalog::default();
        assert_eq!(
            bytes(&catalog, &unknown, Shape { keys: &[1], included: &[], unique: false }),
            None
        );
    }

    #[test]
    fn a_unique_index_proves_that_a_part_of_it_has_many_values() {
        let lines = table(6e6, &[("integer", 4, 4, 4.0, 400_000.0), ("integer", 4, 4, 4.0, 7.0)]);
        let key = |column| IndexKey {
            column: Some(column),
            expression: None,
            class: "pg_catalog.int4_ops".to_owned(),
            collation: String::new(),
            descending: false,
            nulls_first: false,
        };
        let index: Index = Index {
            unique: true,
            valid: true,
            keys: vec![key(1), key(2)],
            ..crate::testing::index(1, "t_pkey")
        };
        let catalog =
            Catalog { tables: vec![lines.clone()], indexes: vec![index], ..Catalog::default() };
        let values = distinct(&catalog, &lines, &[1]).unwrap();
        assert!((values - 6e6 / 7.0).abs() < 1.0, "{values}");
    }
}
