//! Indexes that find values by what is in them (GIN): texts by three letters at a time, documents and arrays by their elements. No planner can be asked what they
//! would bring, because hypopg knows no GIN; so what is said of them is a rough estimate, and says so. Not the choice under a budget.
//!
//! Invariant: only for a search that reads a whole table now, and of which at least [`BELIEVED`] of the workload's cost would go.

use howdah_sql::Search;

use crate::advise::{BUILD, drop_statement, impact_of, name};
use crate::candidate::{Candidate, Key, column, full_name, quoted};
use crate::catalog::{Catalog, Column, Table};
use crate::choose::BELIEVED;
use crate::estimate::{PAGE, RANDOM_PAGE, ROW};
use crate::workload::Access;
use crate::writes::{burden, charges};
use crate::{Costs, Evidence, Kind, Recommendation, Told};

/// The extension that takes texts apart.
const TRIGRAMS: &str = "pg_trgm";
/// Pages of a table that is worth it (4 MB): below, reading all of it is quick.
const MIN_PAGES: u64 = 512;
/// Share of rows that a search finds, as PostgreSQL assumes without knowing better (`DEFAULT_MATCH_SEL`, src/include/utils/selfuncs.h).
const FOUND: f64 = 0.005;
/// Entries of a row as many times as those of a B-tree, at least.
const ENTRIES: f64 = 4.0;
/// A search has to save as much as the entries cost, this many times over: both are guesses.
const TIMES_ITS_WRITES: f64 = 3.0;
/// Bytes of the index for each byte of a value.
const BYTES_OF_TEXT: f64 = 1.0;
const BYTES_OF_ELEMENTS: f64 = 0.6;

/// What a GIN index of a column could be.
struct Inverted<'a> {
    table: &'a Table,
    column: &'a Column,
    search: Search,
    /// The operator class behind the column, with its schema; empty: the type's own.
    class: String,
    /// It cannot be made before this is.
    before: Option<&'static str>,
}

/// One recommendation for each column that is searched through, the most useful first.
#[must_use]
pub fn inverted(told: Told<'_>) -> Vec<Recommendation> {
    let mut seen: Vec<(u32, i16, Search)> = Vec::new();
    let mut all = Vec::new();
    for access in told.accesses {
        for &(number, search) in &access.searched {
            let one = (access.table, number, search);
            if !seen.contains(&one) {
                seen.push(one);
                all.extend(recommendation(&told, one));
            }
        }
    }
    all.sort_by(|a, b| b.saves.unwrap_or(0.0).total_cmp(&a.saves.unwrap_or(0.0)));
    all
}

fn recommendation(told: &Told<'_>, one: (u32, i16, Search)) -> Option<Recommendation> {
    let (oid, number, search) = one;
    let table = told.catalog.table(oid).filter(|table| table.pages >= MIN_PAGES)?;
    let of = index_for(told.catalog, table, column(table, number)?, search)?;
    if is_indexed(told.catalog, &of) {
        return None;
    }
    let all: f64 = weighted(told, |at| told.choice.before.get(at).copied().flatten());
    let searching: Vec<&Access> = told
        .accesses
        .iter()
        .filter(|it| it.table == oid && it.searched.contains(&(number, search)))
        .collect();
    let saved: Vec<(usize, f64)> = searching
        .iter()
        .filter_map(|it| Some((it.statement, saved(told, it.statement, table)?)))
        .collect();
    let like = Candidate { table: oid, keys: vec![Key::up(number)], ..Candidate::default() };
    let charge: f64 =
        charges(told.catalog, told.workload, told.accesses, std::slice::from_ref(&like))
            .iter()
            .sum();
    let sum: f64 = saved.iter().map(|it| it.1).sum();
    let share = sum / all.max(f64::MIN_POSITIVE);
    if share < BELIEVED || sum < charge * ENTRIES * TIMES_ITS_WRITES {
        return None;
    }
    let statements = saved.iter().filter_map(|(at, _)| told.workload.statements.get(*at));
    let statements = statements.map(|it| it.fingerprint.clone()).collect();
    let writes = burden(told.catalog, table, &like, told.accesses, told.workload).share() * ENTRIES;
    Some(told_of(&of, share.clamp(0.0, 1.0), writes, statements))
}

/// Sum over all statements.
fn weighted(told: &Told<'_>, cost: impl Fn(usize) -> Option<f64>) -> f64 {
    let all = told.workload.statements.iter().enumerate();
    all.filter_map(|(at, it)| Some(it.weight * cost(at)?)).sum()
}

/// What a statement would save, if with the other indexes it still reads the whole table.
fn saved(told: &Told<'_>, statement: usize, table: &Table) -> Option<f64> {
    let weight = told.workload.statements.get(statement)?.weight;
    let cost = told.choice.after.get(statement).copied().flatten()?;
    let rows = table.rows?;
    let (pages, found) = (table.pages as f64, rows * FOUND);
    let whole = pages * PAGE;
    let then = found.min(pages) * RANDOM_PAGE + found * ROW;
    (cost >= whole && then < whole).then_some(weight * (whole - then))
}

/// How a column would be indexed for a search, if it can be.
fn index_for<'a>(
    catalog: &Catalog,
    table: &'a Table,
    column: &'a Column,
    search: Search,
) -> Option<Inverted<'a>> {
    let kind = column.type_name.split('(').next().unwrap_or_default().trim();
    let is_text = ["text", "character varying", "character"].contains(&kind);
    let is_document = kind == "jsonb";
    let has_elements = is_document || kind.ends_with("[]") || kind == "tsvector";
    let known = catalog.extensions.iter().find(|it| it.name == TRIGRAMS);
    let (class, before) = match search {
        Search::Text if is_text => (
            known.map_or_else(
                || "gin_trgm_ops".to_owned(),
                |it| format!("{}.gin_trgm_ops", quoted(&it.schema)),
            ),
            known.is_none().then_some("CREATE EXTENSION pg_trgm"),
        ),
        // Smaller and quicker, and of use for nothing else.
        Search::Contained if is_document => ("jsonb_path_ops".to_owned(), None),
        Search::Contained | Search::Elements if has_elements => (String::new(), None),
        Search::Text | Search::Contained | Search::Elements => return None,
    };
    Some(Inverted { table, column, search, class, before })
}

/// Whether there is such an index.
fn is_indexed(catalog: &Catalog, of: &Inverted<'_>) -> bool {
    catalog.indexes_of(of.table.oid).any(|index| {
        ["gin", "gist"].contains(&index.method.as_str())
            && index.predicate.is_none()
            && index.keys.iter().any(|key| {
                let fits = match of.search {
                    Search::Text => key.class.ends_with("_trgm_ops"),
                    Search::Contained => true,
                    Search::Elements => !key.class.ends_with(".jsonb_path_ops"),
                };
                key.column == Some(of.column.number) && fits
            })
    })
}

fn told_of(of: &Inverted<'_>, saves: f64, writes: f64, statements: Vec<String>) -> Recommendation {
    let key = match of.class.as_str() {
        "" => quoted(&of.column.name),
        class => format!("{} {class}", quoted(&of.column.name)),
    };
    let target = format!("ON {} USING gin ({key})", full_name(of.table));
    let id = Recommendation::id_of(Kind::CreateIndex, &target);
    let name = name(of.table, &id);
    let apply = format!("CREATE INDEX CONCURRENTLY {} {target}", quoted(&name));
    let evidence = evidence(of, saves, &apply);
    let (do_it, take_back) = match of.before {
        None => (vec![apply], vec![drop_statement(of.table, &name)]),
        Some(_) => (Vec::new(), Vec::new()),
    };
    let what = match of.search {
        Search::Text => "Texts are searched for letters in the middle",
        Search::Contained | Search::Elements => "Values are searched for what is in them",
    };
    Recommendation {
        kind: Kind::CreateIndex,
        subject: full_name(of.table),
        title: format!("Index {} ({}) USING gin", of.table.name, of.column.name),
        why: format!(
            "{what}, and no B-tree helps with that: the whole table is read. A GIN index knows in which rows each part of a value is."
        ),
        evidence,
        impact: impact_of(saves),
        confidence: 0.4,
        saves: Some(saves),
        costs: Costs { bytes: bytes(of), writes },
        apply: do_it,
        undo: take_back,
        statements,
        cautions: cautions(of),
        id,
    }
}

fn evidence(of: &Inverted<'_>, saves: f64, apply: &str) -> Vec<Evidence> {
    let fact = |what: &str, now: String, then: String, check: String| Evidence {
        what: what.to_owned(),
        now,
        then,
        check,
    };
    let mut all = vec![
        fact(
            "pages of the table, all of which are read",
            of.table.pages.to_string(),
            format!("about {:.0}", of.table.rows.unwrap_or(0.0) * FOUND),
            format!("SELECT relpages FROM pg_class WHERE oid = {}", of.table.oid),
        ),
        fact(
            "share of the cost of all statements that this index might save",
            String::new(),
            format!("{:.1} %", saves * 100.0),
            String::new(),
        ),
    ];
    if let Some(before) = of.before {
        let first = format!("{before}, then {apply}");
        all.push(fact("what to do", String::new(), first, String::new()));
    }
    all
}

fn cautions(of: &Inverted<'_>) -> Vec<String> {
    let mut all = vec![
        "Nobody has verified this: hypopg knows no GIN indexes, so the planner cannot be asked. Howdah assumes that a search finds one row of 200; compare the time of the statements before and after.".to_owned(),
        "Each value makes an entry for each of its parts: writes of the table take longer, and now and then one of them tidies up for the others (gin_pending_list_limit).".to_owned(),
        BUILD.to_owned(),
    ];
    if of.search == Search::Text {
        all.push("It helps with three letters or more between the wildcards.".to_owned());
    }
    if let Some(before) = of.before {
        all.push(format!(
            "The extension {TRIGRAMS} is not in this database: {before} first (it comes with PostgreSQL's contrib package), and this can be carried out."
        ));
    }
    all
}

/// About how large it will be.
#[allow(clippy::cast_possible_truncation, reason = "sizes are far below 2^53")]
fn bytes(of: &Inverted<'_>) -> i64 {
    let values = of.table.rows.unwrap_or(0.0) * (1.0 - of.column.nulls.unwrap_or(0.0));
    let each = match of.search {
        Search::Text => BYTES_OF_TEXT,
        Search::Contained | Search::Elements => BYTES_OF_ELEMENTS,
    };
    (values * of.column.width.unwrap_or(0.0) * each).max(16_384.0) as i64
}
