//! `SHOW STATEMENTS`: what the statements of each form did since the start, those that took the most time first. `SHOW ORIGINS`: from which
//! applications, addresses and routes they came.

use howdah_core::statements::{self, Book, Entry, Facet, Fault};

use super::super::table::{Columns, Kind, Row, cell};

use Kind::{Int8, Text};

pub(super) const STATEMENTS: Columns = &[
    ("fingerprint", Text),
    ("database", Text),
    ("user", Text),
    ("kind", Text),
    ("calls", Int8),
    ("rows", Int8),
    ("errors", Int8),
    ("errors_client", Int8),
    ("errors_server", Int8),
    ("errors_retryable", Int8),
    ("errors_canceled", Int8),
    ("on_replica", Int8),
    ("shared", Int8),
    ("cached", Int8),
    ("total_us", Int8),
    ("wait_us", Int8),
    ("server_us", Int8),
    ("p50_us", Int8),
    ("p95_us", Int8),
    ("p99_us", Int8),
    ("p999_us", Int8),
    ("longest_us", Int8),
    ("statement", Text),
    ("overhead_us", Int8),
    ("overhead_p50_us", Int8),
    ("overhead_p99_us", Int8),
];

pub(super) const ORIGINS: Columns =
    &[("facet", Text), ("name", Text), ("calls", Int8), ("total_us", Int8)];

/// Names of each facet that `SHOW ORIGINS` shows; the rest is one line.
const NAMES: usize = 100;

/// One line per application, address and route.
pub(super) fn origins(book: &Book) -> Vec<Row> {
    let found = statements::origins(book.entries().map(|entry| &entry.origins), NAMES);
    let rows = Facet::ALL.iter().zip(found).flat_map(|(facet, parts)| {
        parts.into_iter().map(|(name, share)| {
            vec![cell(facet.as_str()), cell(name), cell(share.calls), cell(share.time_us)]
        })
    });
    rows.collect()
}

/// One line per form, database and user; the fingerprint is NULL where forms count together.
pub(super) fn rows(book: &Book) -> Vec<Row> {
    let mut entries: Vec<&Entry> = book.entries().collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.sums.time_us()));
    entries.into_iter().map(row).collect()
}

fn row(entry: &Entry) -> Row {
    let sums = &entry.sums;
    let overheads = entry.overheads.histogram();
    let overhead = |share| overheads.quantile(share).and_then(cell);
    let quantile = |share| entry.times.quantile(share).and_then(cell);
    let errors = |fault: Fault| cell(sums.errors_of(fault));
    vec![
        entry.fingerprint.map(|fingerprint| format!("{fingerprint:016x}")),
        cell(&entry.database),
        cell(&entry.user),
        cell(entry.kind),
        cell(sums.calls),
        cell(sums.rows),
        cell(sums.all_errors()),
        errors(Fault::Client),
        errors(Fault::Server),
        errors(Fault::Retryable),
        errors(Fault::Canceled),
        cell(sums.on_replica),
        cell(sums.shared),
        cell(sums.cached),
        cell(sums.time_us()),
        cell(sums.wait_us),
        cell(sums.server_us),
        quantile(0.5),
        quantile(0.95),
        quantile(0.99),
        quantile(0.999),
        cell(sums.longest_us),
        cell(&entry.text),
        cell(sums.overhead_us),
        overhead(0.5),
        overhead(0.99),
    ]
}
