//! Which indexes might help: from what statements want of tables to keys and stored columns. Generous: what is of no use is found by asking
//! for costs. Not a choice.
//!
//! Invariant: bounded by [`MAX_CANDIDATES`]; no candidate that an existing index makes superfluous.

use std::collections::HashSet;

use crate::candidate::{Candidate, Key, column};
use crate::catalog::{Catalog, Column, Table};
use crate::size::{Shape, bytes, distinct_of};
use crate::workload::Access;

/// Candidates of one workload.
pub const MAX_CANDIDATES: usize = 512;
/// Keys of a candidate.
const MAX_KEYS: usize = 4;
/// Columns that are only stored.
const MAX_INCLUDED: usize = 6;
/// Bytes of them.
const MAX_INCLUDED_WIDTH: f64 = 64.0;
/// Bytes of a key column.
const MAX_KEY_WIDTH: f64 = 200.0;
/// Pages of a table that is worth an index.
const MIN_PAGES: u64 = 16;

/// What might help, without repetition.
#[must_use]
pub fn candidates(catalog: &Catalog, accesses: &[Access]) -> Vec<Candidate> {
    let mut found = Found { catalog, seen: HashSet::new(), all: Vec::new() };
    for access in accesses {
        if let Some(table) = catalog.table(access.table).filter(|table| table.pages >= MIN_PAGES) {
            for keys in keys_for(table, access) {
                found.forms(table, access, &keys);
            }
        }
    }
    found.all
}

/// Candidates made of two others of one table: one does the work of both.
#[must_use]
pub(crate) fn merged(catalog: &Catalog, of: &[Candidate], room: usize) -> Vec<Candidate> {
    let mut found = Found { catalog, seen: HashSet::new(), all: Vec::new() };
    found.seen.extend(of.iter().map(|it| (it.table, it.keys.clone(), it.included.clone())));
    for one in of {
        for other in of {
            let longer =
                one.table == other.table && one.keys.starts_with(&other.keys) && one != other;
            if !longer || found.all.len() >= room {
                continue;
            }
            let Some(table) = catalog.table(one.table) else { continue };
            let more = other.included.iter().filter(|it| !one.columns().any(|own| own == **it));
            let mut included: Vec<i16> = one.included.iter().chain(more).copied().collect();
            included.sort_unstable();
            found.add(table, one.keys.clone(), included);
        }
    }
    found.all
}

struct Found<'a> {
    catalog: &'a Catalog,
    seen: HashSet<(u32, Vec<Key>, Vec<i16>)>,
    all: Vec<Candidate>,
}

impl Found<'_> {
    /// A key alone, and with what the statement needs besides.
    fn forms(&mut self, table: &Table, access: &Access, keys: &[Key]) {
        self.add(table, keys.to_vec(), Vec::new());
        let is_key = |number: &i16| keys.iter().any(|key| key.column == *number);
        let mut rest: Vec<i16> = access.columns.iter().copied().filter(|it| !is_key(it)).collect();
        rest.sort_unstable();
        if rest.is_empty() {
            return;
        }
        self.add(table, keys.to_vec(), rest.clone());
        // As keys they may be smaller: equal keys are stored once.
        if rest.len() + keys.len() <= MAX_KEYS {
            let rows = table.rows.unwrap_or(1.0);
            let values = |number: &i16| {
                column(table, *number).and_then(|it| distinct_of(it, rows)).unwrap_or(rows)
            };
            rest.sort_by(|a, b| values(a).total_cmp(&values(b)));
            let all = keys.iter().copied().chain(rest.into_iter().map(Key::up)).collect();
            self.add(table, all, Vec::new());
        }
    }

    fn add(&mut self, table: &Table, keys: Vec<Key>, included: Vec<i16>) {
        let storable = |number: &i16| column(table, *number).is_some();
        let width: f64 = included.iter().filter_map(|&it| width(column(table, it)?)).sum();
        let fits = !keys.is_empty()
            && self.all.len() < MAX_CANDIDATES
            && included.len() <= MAX_INCLUDED
            && width <= MAX_INCLUDED_WIDTH
            && included.iter().all(storable)
            && keys.iter().all(|key| column(table, key.column).is_some_and(is_orderable));
        if !fits || !self.seen.insert((table.oid, keys.clone(), included.clone())) {
            return;
        }
        let numbers: Vec<i16> = keys.iter().map(|key| key.column).collect();
        let shape = Shape { keys: &numbers, included: &included, unique: false };
        let Some(bytes) = bytes(self.catalog, table, shape) else { return };
        let candidate = Candidate { table: table.oid, keys, included, bytes };
        if candidate.earns_its_place(self.catalog) {
            self.all.push(candidate);
        }
    }
}

/// Keys that a statement may have use for.
fn keys_for(table: &Table, access: &Access) -> Vec<Vec<Key>> {
    let rows = table.rows.unwrap_or(1.0);
    let values =
        |number: &i16| column(table, *number).and_then(|it| distinct_of(it, rows)).unwrap_or(1.0);
    // The most selective first.
    let mut equal = access.equal.clone();
    equal.sort_by(|a, b| values(b).total_cmp(&values(a)));
    let order: Vec<Key> =
        access.order.iter().map(|&(column, descending)| Key { column, descending }).collect();
    // A scan goes in either direction: only mixed ones need directions.
    let mixed =
        order.iter().any(|key| Some(key.descending) != order.first().map(|it| it.descending));
    let order: Vec<Key> =
        order.into_iter().map(|key| Key { descending: mixed && key.descending, ..key }).collect();
    let up = |columns: &[i16]| -> Vec<Key> { columns.iter().copied().map(Key::up).collect() };
    let mut all = Keys::default();
    let singles = [&equal, &access.range, &access.joined, &access.alternative];
    for &one in singles.into_iter().flatten() {
        all.put(&[&up(&[one])]);
    }
    all.put(&[&up(&equal)]);
    for &range in &access.range {
        all.put(&[&up(&equal), &up(&[range])]);
        for &one in &equal {
            all.put(&[&up(&[one]), &up(&[range])]);
        }
        for &other in access.range.iter().filter(|it| **it != range) {
            all.put(&[&up(&[range, other])]);
        }
    }
    for &join in &access.joined {
        all.put(&[&up(&[join]), &up(&equal)]);
        all.put(&[&up(&equal), &up(&[join])]);
        for &range in &access.range {
            all.put(&[&up(&[join, range])]);
            all.put(&[&up(&[range, join])]);
            all.put(&[&up(&equal), &up(&[join, range])]);
        }
        for &other in access.joined.iter().filter(|it| **it != join) {
            all.put(&[&up(&[join, other])]);
        }
    }
    for list in [order, up(&access.group)] {
        all.put(&[&list]);
        all.put(&[list.get(..1).unwrap_or_default()]);
        all.put(&[&up(&equal), &list]);
    }
    // Reading an index from end to end may be cheaper than reading the table.
    if let Some(&first) = access.columns.first().filter(|_| access.columns.len() <= MAX_KEYS) {
        all.put(&[&up(&[first])]);
    }
    all.0
}

#[derive(Default)]
struct Keys(Vec<Vec<Key>>);

impl Keys {
    /// Parts one behind the other, each column once.
    fn put(&mut self, parts: &[&[Key]]) {
        let mut keys: Vec<Key> = Vec::new();
        for key in parts.iter().copied().flatten() {
            if keys.len() < MAX_KEYS && !keys.iter().any(|it| it.column == key.column) {
                keys.push(*key);
            }
        }
        if !keys.is_empty() && !self.0.contains(&keys) {
            self.0.push(keys);
        }
    }
}

/// Whether a B-tree can be ordered by a column, and should be.
fn is_orderable(column: &Column) -> bool {
    let name = column.type_name.split('(').next().unwrap_or_default().trim();
    let others = [
        "json",
        "jsonb",
        "xml",
        "point",
        "line",
        "lseg",
        "box",
        "path",
        "polygon",
        "circle",
        "tsvector",
        "tsquery",
        "bytea",
        "txid_snapshot",
        "pg_snapshot",
        "aclitem",
    ];
    !others.contains(&name)
        && !name.ends_with("[]")
        && width(column).is_some_and(|it| it <= MAX_KEY_WIDTH)
}

fn width(column: &Column) -> Option<f64> {
    if column.type_length > 0 { Some(f64::from(column.type_length)) } else { column.width }
}
