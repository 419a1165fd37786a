//! What statements would cost with other indexes, by a small model, for databases where PostgreSQL cannot be asked. Far simpler than the
//! planner: it knows whole tables, lookups and ranges, and which table of a join is cheap to begin with.
//!
//! Invariant: an index never makes a statement dearer.

use std::convert::Infallible;

use crate::candidate::{Candidate, Key, Method, Predicate, column, is_plain};
use crate::catalog::{Catalog, Table};
use crate::choose::{Oracle, Plan, Question};
use crate::set::Set;
use crate::size::distinct_of;
use crate::workload::Access;

/// PostgreSQL's default costs of a page in order, a page out of order, a row, an entry.
pub(crate) const PAGE: f64 = 1.0;
pub(crate) const RANDOM_PAGE: f64 = 4.0;
pub(crate) const ROW: f64 = 0.01;
const ENTRY: f64 = 0.005;
/// Descending a B-tree.
const DESCENT: f64 = 0.5;
/// The share of rows that a range is assumed to have.
const RANGE: f64 = 0.1;
/// Bytes of a page.
const PAGE_BYTES: f64 = 8192.0;

/// The model of one workload.
#[derive(Debug)]
pub struct Estimate<'a> {
    catalog: &'a Catalog,
    accesses: &'a [Access],
}

impl<'a> Estimate<'a> {
    /// A model of what these statements want.
    #[must_use]
    pub const fn new(catalog: &'a Catalog, accesses: &'a [Access]) -> Self {
        Self { catalog, accesses }
    }

    fn plan(&self, candidates: &[Candidate], question: &Question) -> Option<Plan> {
        let own: Vec<&Access> =
            self.accesses.iter().filter(|it| it.statement == question.statement).collect();
        let mut cost = 1.0;
        let mut used = Set::default();
        for access in &own {
            let table = self.catalog.table(access.table)?;
            let (least, by) = self.cheapest(candidates, question, access, table, &own);
            cost += least;
            used = by.into_iter().fold(used, Set::with);
        }
        (!own.is_empty()).then_some(Plan { cost, used })
    }

    /// The cheapest way to what is wanted of one table, and the candidate that it uses.
    fn cheapest(
        &self,
        candidates: &[Candidate],
        question: &Question,
        access: &Access,
        table: &Table,
        all: &[&Access],
    ) -> (f64, Option<usize>) {
        let rows = table.rows.unwrap_or(0.0);
        let mut best = (table.pages as f64 * PAGE + rows * ROW, None);
        let outer =
            all.iter().filter(|it| !std::ptr::eq(**it, access)).filter_map(|it| self.rows_of(it));
        let outer = outer.fold(f64::INFINITY, f64::min);
        for index in self.catalog.indexes_of(table.oid).filter(|it| is_plain(it)) {
            let keys: Option<Vec<Key>> = index
                .keys
                .iter()
                .map(|key| Some(Key { descending: key.descending, ..Key::up(key.column?) }))
                .collect();
            let existing = Candidate {
                table: table.oid,
                keys: keys.unwrap_or_default(),
                included: index.included.clone(),
                bytes: index.bytes,
                ..Candidate::default()
            };
            best.0 = lookup(table, access, &existing, outer).unwrap_or(f64::INFINITY).min(best.0);
        }
        for at in question.with.iter() {
            let Some(candidate) = candidates.get(at).filter(|it| it.table == table.oid) else {
                continue;
            };
            if let Some(cost) =
                lookup(table, access, candidate, outer).filter(|cost| *cost < best.0)
            {
                best = (cost, Some(at));
            }
        }
        best
    }

    /// Rows that are left of a table by its own conditions.
    fn rows_of(&self, access: &Access) -> Option<f64> {
        let table = self.catalog.table(access.table)?;
        let rows = table.rows?;
        let equal: f64 = access.equal.iter().map(|it| share(table, *it)).product();
        let range = if access.range.is_empty() { 1.0 } else { RANGE };
        Some((rows * equal * range).max(1.0))
    }
}

/// The share of rows with one value of a column.
fn share(table: &Table, number: i16) -> f64 {
    let rows = table.rows.unwrap_or(1.0).max(1.0);
    column(table, number).and_then(|it| distinct_of(it, rows)).map_or(1.0, |values| 1.0 / values)
}

/// What reading by an index costs; `None` when it does not restrict anything and does not have all columns either.
fn lookup(table: &Table, access: &Access, index: &Candidate, outer: f64) -> Option<f64> {
    let uncertain = index.predicate.iter().any(|it| !access.certain.contains(it));
    if uncertain || index.method != Method::Btree {
        return None;
    }
    let part = index.predicate.as_ref().map_or(Some(1.0), |it| it.share(table))?;
    let rows = (table.rows? * part).max(1.0);
    let wanted = match index.predicate {
        Some(Predicate::Compared(_)) => &access.needed,
        Some(Predicate::Of(..)) | None => &access.columns,
    };
    let covers = index.keys.iter().all(|key| key.case.is_none())
        && wanted.iter().all(|it| index.columns().any(|own| own == *it));
    let (mut matched, mut loops, mut any) = (1.0, 1.0_f64, false);
    for key in &index.keys {
        if let Some(case) = key.case {
            if !access.cased.contains(&(key.column, case)) {
                break;
            }
            matched *= share(table, key.column);
        } else if access.equal.contains(&key.column) {
            matched *= share(table, key.column);
        } else if access.joined.contains(&key.column) && outer.is_finite() {
            matched *= share(table, key.column);
            loops = outer;
        } else {
            if access.range.contains(&key.column) {
                matched *= RANGE;
                any = true;
            }
            break;
        }
        any = true;
    }
    let ordered = access.order.first().map(|it| it.0) == index.first();
    if !any && !covers && !ordered && index.predicate.is_none() {
        return None;
    }
    let found = (rows * matched).max(1.0);
    let entries = found * ENTRY + (index.bytes as f64 / PAGE_BYTES) * matched * PAGE + found * ROW;
    let heap = if covers {
        let seen = table.all_visible_pages as f64 / (table.pages as f64).max(1.0);
        found * (1.0 - seen.min(1.0)) * RANDOM_PAGE
    } else {
        let sorted =
            index.first().and_then(|it| column(table, it)?.correlation).unwrap_or(0.0).powi(2);
        let scattered = found.min(table.pages as f64) * RANDOM_PAGE;
        scattered * (1.0 - sorted) + sorted * table.pages as f64 * matched * PAGE
    };
    Some(loops * (DESCENT + entries + heap))
}

impl Oracle for Estimate<'_> {
    type Error = Infallible;

    fn plans(
        &mut self,
        candidates: &[Candidate],
        questions: &[Question],
    ) -> Result<Vec<Option<Plan>>, Infallible> {
        Ok(questions.iter().map(|question| self.plan(candidates, question)).collect())
    }

    fn is_over(&self) -> bool {
        false
    }
}
