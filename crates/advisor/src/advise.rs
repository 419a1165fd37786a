//! A choice of indexes as recommendations: statements to make and drop them, the numbers behind, what to know before. Not the choice.

use crate::candidate::{Candidate, Method, Predicate, column, full_name, quoted};
use crate::catalog::{Catalog, Table};
use crate::choose::{BELIEVED, Choice, Chosen};
use crate::workload::{Access, Workload};
use crate::writes::{Burden, burden, is_updated};
use crate::{Costs, Evidence, Impact, Kind, Recommendation};

/// What every build of an index does.
pub(crate) const BUILD: &str = "CREATE INDEX CONCURRENTLY reads the table twice and waits for transactions that are open; reads and writes go on meanwhile.";
/// Statements that are shown with their costs.
const SHOWN: usize = 5;
/// A covering index is of use when so many pages are known to be visible to all.
const VISIBLE: f64 = 0.8;
/// Shares of what all statements cost that count as much, and as something.
const HIGH: f64 = 0.2;
const MEDIUM: f64 = 0.05;

/// Who said what statements would cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// PostgreSQL's planner, with hypothetical indexes.
    Planner,
    /// Howdah's own small model.
    Model,
}

/// Everything that a choice is told by.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The database.
    pub catalog: &'a Catalog,
    /// What it is asked.
    pub workload: &'a Workload,
    /// What that wants of tables.
    pub accesses: &'a [Access],
    /// What was chosen.
    pub choice: &'a Choice,
    /// Who said what statements would cost.
    pub verified: Verified,
}

/// One recommendation for each index, the most useful first.
#[must_use]
pub fn recommendations(told: Told<'_>) -> Vec<Recommendation> {
    told.choice.chosen.iter().filter_map(|chosen| recommendation(&told, chosen)).collect()
}

fn recommendation(told: &Told<'_>, chosen: &Chosen) -> Option<Recommendation> {
    let candidate = told.choice.candidates.get(chosen.candidate)?;
    let table = told.catalog.table(candidate.table)?;
    let what = candidate.statement(table, "", false)?;
    let id = Recommendation::id_of(Kind::CreateIndex, &what);
    let name = name(table, &id);
    let burden = burden(told.catalog, table, candidate, told.accesses, told.workload);
    let helped = helped(told, chosen);
    let statements = helped.iter().filter_map(|it| told.workload.statements.get(it.statement));
    Some(Recommendation {
        id,
        kind: Kind::CreateIndex,
        subject: full_name(table),
        title: format!("Index {}", candidate.describe(table)),
        why: why(told, candidate, &helped),
        evidence: evidence(told, chosen, candidate, &helped, burden),
        impact: impact_of(chosen.saves),
        confidence: match told.verified {
            Verified::Planner => 0.8,
            Verified::Model => 0.3,
        },
        saves: Some(chosen.saves.clamp(0.0, 1.0)),
        costs: Costs { bytes: i64::try_from(candidate.bytes).ok()?, writes: burden.share() },
        apply: vec![candidate.statement(table, &name, true)?],
        undo: vec![drop_statement(table, &name)],
        statements: statements.map(|it| it.fingerprint.clone()).collect(),
        cautions: cautions(told, candidate, table, burden),
    })
}

/// How much a share of what all statements cost, or of their time, matters.
#[must_use]
pub fn impact_of(share: f64) -> Impact {
    match share {
        much if much >= HIGH => Impact::High,
        some if some >= MEDIUM => Impact::Medium,
        _ => Impact::Low,
    }
}

/// A name that says whose it is, in at most 63 bytes.
pub(crate) fn name(table: &Table, id: &str) -> String {
    let mut base = String::new();
    for letter in table.name.chars() {
        if base.len() + letter.len_utf8() > 40 {
            break;
        }
        base.push(letter);
    }
    format!("howdah_{base}_{id}")
}

/// What takes a new index of a table back.
pub(crate) fn drop_statement(table: &Table, name: &str) -> String {
    format!("DROP INDEX CONCURRENTLY {}.{}", quoted(&table.schema), quoted(name))
}

/// A statement that a chosen index makes cheaper.
struct Helped {
    statement: usize,
    without: f64,
    with: f64,
    /// Weighted difference.
    saves: f64,
}

/// Statements that a chosen index makes believably cheaper, the most affected first.
fn helped(told: &Told<'_>, chosen: &Chosen) -> Vec<Helped> {
    let mut all = Vec::new();
    for (statement, (without, with)) in chosen.without.iter().zip(&told.choice.after).enumerate() {
        let (Some(without), Some(with)) = (*without, *with) else { continue };
        let weight = told.workload.statements.get(statement).map_or(0.0, |it| it.weight);
        if with < without * (1.0 - BELIEVED) {
            all.push(Helped { statement, without, with, saves: weight * (without - with) });
        }
    }
    all.sort_by(|a, b| b.saves.total_cmp(&a.saves));
    all
}

fn why(told: &Told<'_>, candidate: &Candidate, helped: &[Helped]) -> String {
    let covering = if candidate.included.is_empty() {
        ""
    } else {
        " It holds every column that they need of the table, which then need not be read."
    };
    let count = match helped.len() {
        1 => "One statement finds".to_owned(),
        several => format!("{several} statements find"),
    };
    let by = match told.verified {
        Verified::Planner => "PostgreSQL's planner says so with the index as a hypothetical one.",
        Verified::Model => {
            "This is an estimate by Howdah's own model: nobody has verified it. With the extension hypopg in the database (CREATE EXTENSION hypopg), PostgreSQL's own planner is asked instead."
        }
    };
    format!("{count} rows by this index at a lower cost.{covering} {by}")
}

fn evidence(
    told: &Told<'_>,
    chosen: &Chosen,
    candidate: &Candidate,
    helped: &[Helped],
    burden: Burden,
) -> Vec<Evidence> {
    let fact = |what: String, now: String, then: String, check: String| Evidence {
        what,
        now,
        then,
        check,
    };
    let mut all = Vec::new();
    for one in helped.iter().take(SHOWN) {
        let Some(asked) = told.workload.statements.get(one.statement) else { continue };
        all.push(fact(
            format!("cost of {}, with the other recommended indexes", asked.fingerprint),
            format!("{:.0}", one.without),
            format!("{:.0}", one.with),
            format!("EXPLAIN {}", asked.sql),
        ));
    }
    all.push(fact(
        "cost of all statements that were looked at, by weight; without any and with all recommended indexes".to_owned(),
        "1.00".to_owned(),
        format!("{:.2}", told.choice.ratio(told.workload)),
        String::new(),
    ));
    all.push(fact(
        "share of that cost which this index saves, the others being there".to_owned(),
        String::new(),
        format!("{:.1} %", chosen.saves * 100.0),
        String::new(),
    ));
    all.push(fact(
        "predicted size".to_owned(),
        "0".to_owned(),
        format!("{:.1} MB", candidate.bytes as f64 / 1e6),
        String::new(),
    ));
    if burden.written > 0.0 {
        all.push(fact(
            "index entries made by writes of the table since statistics were reset".to_owned(),
            format!("{:.0}", burden.existing),
            format!("{:.0}", burden.existing + burden.entries),
            "SELECT * FROM pg_stat_user_tables".to_owned(),
        ));
    }
    all
}

/// What to know of an index that is not simply one of columns.
fn about_its_kind(candidate: &Candidate, table: &Table) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(predicate) = candidate.predicate.as_ref().and_then(|it| it.text(table)) {
        let or_not = match candidate.predicate {
            Some(Predicate::Compared(_)) => "",
            Some(Predicate::Of(..)) | None => ": not when the value is a parameter",
        };
        all.push(format!("Statements use it only when their text says {predicate}{or_not}."));
    }
    if candidate.keys.iter().any(|key| key.case.is_some()) {
        all.push(format!(
            "PostgreSQL knows how many rows have a value of an expression only after ANALYZE {}.",
            full_name(table)
        ));
    }
    if candidate.method == Method::Brin {
        all.push("It stays useful as long as rows come in the order of the column; each question still reads 128 pages at least.".to_owned());
    }
    all
}

fn cautions(told: &Told<'_>, candidate: &Candidate, table: &Table, burden: Burden) -> Vec<String> {
    let mut all = vec![
        BUILD.to_owned(),
        "The planner's cost is an estimate: compare the time of the statements before and after."
            .to_owned(),
    ];
    let visible = table.all_visible_pages as f64 / (table.pages as f64).max(1.0);
    if !candidate.included.is_empty() && visible < VISIBLE {
        all.push(format!(
            "Only {:.0} % of the table's pages are known to be visible to all: run VACUUM {}, or the table is read all the same.",
            visible * 100.0,
            full_name(table)
        ));
    }
    if is_updated(candidate, told.accesses) {
        all.push("Statements update a column of this index: those updates have to make an entry in every index of the table.".to_owned());
    }
    if burden.lost_hot > 0.0 {
        all.push(format!("Updates that touch no index now (HOT) would: about {:.0} entries more since statistics were reset.", burden.lost_hot));
    }
    if table.activity.changed_since_analyze as f64 > 0.2 * table.rows.unwrap_or(0.0).max(1.0) {
        all.push(format!(
            "Many rows changed since the last ANALYZE: run ANALYZE {} and ask again.",
            full_name(table)
        ));
    }
    all.extend(about_its_kind(candidate, table));
    let unknown = candidate
        .keys
        .iter()
        .any(|key| column(table, key.column).is_none_or(|it| it.distinct.is_none()));
    if unknown {
        all.push("Statistics of a column are missing.".to_owned());
    }
    all
}
