//! A result of the console: columns of a few types, rows of texts. Not what is in it: `show`.
//!
//! Invariant: a row has as many values as there are columns, and a number's text is a whole number without a sign.

use std::time::{Duration, Instant, SystemTime};

use howdah_wire::backend;

use crate::clock;

/// Type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int4,
    Int8,
    Numeric,
}

impl Kind {
    /// Number and size of the type.
    const fn oid(self) -> (u32, i16) {
        match self {
            Self::Text => (25, -1),
            Self::Int4 => (23, 4),
            Self::Int8 => (20, 8),
            Self::Numeric => (1700, -1),
        }
    }

    /// A value in PostgreSQL's binary format.
    fn binary(self, text: &str) -> Vec<u8> {
        let number: u64 = text.parse().unwrap_or(0);
        match self {
            Self::Text => text.as_bytes().to_vec(),
            Self::Int4 => i32::try_from(number).unwrap_or(i32::MAX).to_be_bytes().to_vec(),
            Self::Int8 => i64::try_from(number).unwrap_or(i64::MAX).to_be_bytes().to_vec(),
            Self::Numeric => numeric(number),
        }
    }
}

/// A whole number as a `numeric`: digits to the base of 10,000, the first one first.
fn numeric(mut number: u64) -> Vec<u8> {
    let mut digits = Vec::new();
    while number > 0 {
        digits.push(u16::try_from(number % 10_000).unwrap_or(0));
        number /= 10_000;
    }
    let count = u16::try_from(digits.len()).unwrap_or(0);
    let header = [count, count.saturating_sub(1), 0, 0];
    let words = header.into_iter().chain(digits.into_iter().rev());
    words.flat_map(u16::to_be_bytes).collect()
}

/// Names and types, in order.
pub(super) type Columns = &'static [(&'static str, Kind)];

/// Values in the order of the columns; `None` is NULL.
pub(super) type Row = Vec<Option<String>>;

/// A value that is never NULL.
#[expect(clippy::unnecessary_wraps, reason = "rows are written as lists of values")]
pub(super) fn cell(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

/// `1` or `0`.
pub(super) fn flag(value: bool) -> Option<String> {
    cell(u8::from(value))
}

/// A date of a moment, as PgBouncer writes it.
pub(super) fn date(moment: Instant) -> Option<String> {
    date_of(clock::date_of(moment))
}

/// A date, as PgBouncer writes it.
pub(super) fn date_of(time: SystemTime) -> Option<String> {
    cell(calendar(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()))
}

/// `2026-11-21 12:00:00 UTC`, from the time since 1970.
fn calendar(since: Duration) -> String {
    let written = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since).to_string();
    written.replace('T', " ").replace('Z', " UTC")
}

/// In which format each column is wanted: none means text, one is for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Formats(pub(super) Vec<i16>);

impl Formats {
    fn of(&self, column: usize) -> i16 {
        match self.0.as_slice() {
            [] => 0,
            [all] => *all,
            each => each.get(column).copied().unwrap_or(0),
        }
    }
}

/// Appends the description of rows.
pub(super) fn describe(out: &mut Vec<u8>, columns: Columns, formats: &Formats) {
    let described = columns.iter().enumerate().map(|(at, (name, kind))| {
        let (type_oid, type_size) = kind.oid();
        backend::Column {
            name: name.as_bytes(),
            table: 0,
            number: 0,
            type_oid,
            type_size,
            type_modifier: -1,
            format: formats.of(at),
        }
    });
    backend::row_description(out, described);
}

/// Appends a row.
pub(super) fn write(out: &mut Vec<u8>, columns: Columns, formats: &Formats, row: &Row) {
    let value = |(at, text): (usize, &Option<String>)| {
        let text = text.as_ref()?;
        let kind = columns.get(at).map_or(Kind::Text, |(_, kind)| *kind);
        Some(match formats.of(at) {
            0 => text.clone().into_bytes(),
            _ => kind.binary(text),
        })
    };
    let values: Vec<Option<Vec<u8>>> = row.iter().enumerate().map(value).collect();
    backend::data_row(out, &values);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_binary_are_postgresqls() {
        assert_eq!(Kind::Int4.binary("258"), [0, 0, 1, 2]);
        assert_eq!(Kind::Int8.binary("258"), [0, 0, 0, 0, 0, 0, 1, 2]);
        // As `SELECT numeric_send(…)` gives them.
        assert_eq!(numeric(0), [0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(numeric(12_345), [0, 2, 0, 1, 0, 0, 0, 0, 0, 1, 0x09, 0x29]);
        assert_eq!(numeric(10_000), [0, 2, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn dates_are_written_as_pgbouncer_writes_them() {
        assert_eq!(calendar(Duration::from_secs(951_827_696)), "2000-02-29 12:34:56 UTC");
    }
}
