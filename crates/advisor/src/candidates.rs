//! Which indexes might help: from what statements want of tables to keys and stored columns. Generous: what is of no use is found by asking
//! for costs. Not a choice.
//!
//! Invariant: bounded by [`MAX_CANDIDATES`]; no candidate that an existing index makes superfluous.

use std::collections::HashSet;

use crate::candidate::{Candidate, Holds, Key, Method, Predicate, column};
use crate::catalog::{Catalog, Column, Table};
use crate::size::{Shape, bytes, bytes_of_part, bytes_of_ranges, distinct_of};
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
/// A constant is rare when it has at most this share of the rows, and half of what it would have if all values were as frequent; and tells
/// states apart when there are not more values than these. Others are parameters of a question, which will have another value tomorrow.
const RARE: f64 = 0.2;
const STATES: f64 = 20.0;
/// Rows with or without a value are worth an index of their own when the others are at least one of five.
const MOST_ROWS: f64 = 0.8;
/// Pages of a table of which ranges are summarised (100 MB), and how well it has to be in order.
const MIN_SUMMARISED: u64 = 12_800;
const IN_ORDER: f64 = 0.95;

/// What might help, without repetition.
#[must_use]
pub fn candidates(catalog: &Catalog, accesses: &[Access]) -> Vec<Candidate> {
    let mut found = Found { catalog, seen: HashSet::new(), all: Vec::new() };
    let large = |access: &Access| {
        let table = catalog.table(access.table).filter(|table| table.pages >= MIN_PAGES);
        table.map(|table| (table, access.clone()))
    };
    for (table, access) in accesses.iter().filter_map(large) {
        for keys in keys_for(table, &access) {
            found.forms(table, &access, &keys, None);
        }
        found.cased(table, &access);
        found.parts(table, &access);
        found.summaries(table, &access);
    }
    found.all
}

/// Candidates made of two others of one table: one does the work of both.
#[must_use]
pub(crate) fn merged(catalog: &Catalog, of: &[Candidate], room: usize) -> Vec<Candidate> {
    let mut found = Found { catalog, seen: HashSet::new(), all: Vec::new() };
    found.seen.extend(of.iter().map(|it| Candidate { bytes: 0, ..it.clone() }));
    for one in of {
        for other in of {
            let alike = (one.table, one.method, &one.predicate)
                == (other.table, other.method, &other.predicate);
            let longer = alike && one.keys.starts_with(&other.keys) && one != other;
            if !longer || found.all.len() >= room {
                continue;
            }
            let Some(table) = catalog.table(one.table) else { continue };
            let more = other.included.iter().filter(|it| !one.columns().any(|own| own == **it));
            let mut included: Vec<i16> = one.included.iter().chain(more).copied().collect();
            included.sort_unstable();
            found.add(table, Candidate { included, ..one.clone() });
        }
    }
    found.all
}

struct Found<'a> {
    catalog: &'a Catalog,
    /// Without their sizes.
    seen: HashSet<Candidate>,
    all: Vec<Candidate>,
}

impl Found<'_> {
    /// A key alone, and with what the statement needs besides.
    fn forms(&mut self, table: &Table, access: &Access, keys: &[Key], of: Option<&Predicate>) {
        let form = |keys: Vec<Key>, included: Vec<i16>| Candidate {
            keys,
            included,
            predicate: of.cloned(),
            ..Candidate::default()
        };
        self.add(table, form(keys.to_vec(), Vec::new()));
        let is_key = |number: &i16| keys.iter().any(|key| key.column == *number);
        let mut rest: Vec<i16> = access.columns.iter().copied().filter(|it| !is_key(it)).collect();
        rest.sort_unstable();
        if rest.is_empty() {
            return;
        }
        self.add(table, form(keys.to_vec(), rest.clone()));
        // As keys they may be smaller: equal keys are stored once.
        if rest.len() + keys.len() <= MAX_KEYS {
            let rows = table.rows.unwrap_or(1.0);
            let values = |number: &i16| {
                column(table, *number).and_then(|it| distinct_of(it, rows)).unwrap_or(rows)
            };
            rest.sort_by(|a, b| values(a).total_cmp(&values(b)));
            let all = keys.iter().copied().chain(rest.into_iter().map(Key::up)).collect();
            self.add(table, form(all, Vec::new()));
        }
    }

    /// `lower(column) = …`, alone and in front of an equality.
    fn cased(&mut self, table: &Table, access: &Access) {
        for &(number, case) in &access.cased {
            let key = Key { case: Some(case), ..Key::up(number) };
            let alone = Candidate { keys: vec![key], ..Candidate::default() };
            self.add(table, alone.clone());
            for &one in &access.equal {
                self.add(table, Candidate { keys: vec![key, Key::up(one)], ..alone.clone() });
            }
        }
    }

    /// Indexes of the rows alone for which the statement's own text says something that is rare.
    fn parts(&mut self, table: &Table, access: &Access) {
        for predicate in access.certain.iter().filter(|it| is_worth_a_part(table, it)) {
            let said = predicate.columns();
            let other = |list: &[i16]| -> Vec<i16> {
                list.iter().copied().filter(|it| !said.contains(it)).collect()
            };
            let mut without = access.clone();
            if let Predicate::Of(..) = predicate {
                without.equal = other(&access.equal);
                without.range = other(&access.range);
            } else {
                without.columns.clone_from(&access.needed);
            }
            let mut all = keys_for(table, &without);
            if all.is_empty() {
                all.extend(said.first().map(|first| vec![Key::up(*first)]));
            }
            for keys in all {
                self.forms(table, &without, &keys, Some(predicate));
            }
        }
    }

    /// Summaries of ranges of pages, where the table is in order.
    fn summaries(&mut self, table: &Table, access: &Access) {
        let in_order = |number: &&i16| {
            let known = column(table, **number).and_then(|it| it.correlation);
            table.pages >= MIN_SUMMARISED && known.is_some_and(|it| it.abs() >= IN_ORDER)
        };
        for &number in access.range.iter().filter(in_order) {
            let keys = vec![Key::up(number)];
            self.add(table, Candidate { keys, method: Method::Brin, ..Candidate::default() });
        }
    }

    /// One more, unless it cannot be or is there; its table and size are put in.
    fn add(&mut self, table: &Table, new: Candidate) {
        let mut new = Candidate { table: table.oid, bytes: 0, ..new };
        let storable = |number: &i16| column(table, *number).is_some();
        let width: f64 = new.included.iter().filter_map(|&it| width(column(table, it)?)).sum();
        let fits = !new.keys.is_empty()
            && self.all.len() < MAX_CANDIDATES
            && new.included.len() <= MAX_INCLUDED
            && width <= MAX_INCLUDED_WIDTH
            && new.included.iter().all(storable)
            && new.keys.iter().all(|key| column(table, key.column).is_some_and(is_orderable));
        if !fits || !self.seen.insert(new.clone()) {
            return;
        }
        let Some(bytes) = self.size(table, &new) else { return };
        new.bytes = bytes;
        if new.earns_its_place(self.catalog) {
            self.all.push(new);
        }
    }

    fn size(&self, table: &Table, of: &Candidate) -> Option<u64> {
        let numbers: Vec<i16> = of.keys.iter().map(|key| key.column).collect();
        let shape = Shape { keys: &numbers, included: &of.included, unique: false };
        match (&of.predicate, of.method) {
            (_, Method::Brin) => bytes_of_ranges(table, of.first()?),
            (Some(predicate), Method::Btree) => bytes_of_part(table, shape, predicate),
            (None, Method::Btree) => bytes(self.catalog, table, shape),
        }
    }
}

/// Whether the rows of which something holds are few enough.
fn is_worth_a_part(table: &Table, predicate: &Predicate) -> bool {
    let Some(share) = predicate.share(table) else { return false };
    match predicate {
        Predicate::Of(_, Holds::Null | Holds::NotNull) | Predicate::Compared(_) => {
            share <= MOST_ROWS
        }
        Predicate::Of(number, Holds::Equal(_)) => {
            let rows = table.rows.unwrap_or(0.0);
            let values = column(table, *number).and_then(|it| distinct_of(it, rows));
            values.is_some_and(|values| values <= STATES && share * values <= 0.5) && share <= RARE
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
        access.order.iter().map(|&(it, descending)| Key { descending, ..Key::up(it) }).collect();
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

#[cfg(test)]
mod tests;
