//! Everything that would make a database better: what its catalog shows, and what its statements would gain by. Looked at through connections of its own.
//!
//! Invariant: changes nothing, and no literal of a statement is in what it finds.

use std::cmp::Ordering;

use howdah_advisor::catalog::{Catalog, Index};
use howdah_advisor::{
    Aggregation, Evidence, Kind, Recommendation, hygiene, impact_of, materialized_view, rewrites,
};
use tokio_postgres::Client;

use crate::apply::Name;
use crate::findings::read_and_look;
use crate::trial::{self, Trial};
use crate::whatif::{self, Connect, Counted, Limits, Source};

/// Statements that are looked at for another text: those with the most time.
const STATEMENTS: usize = 200;
/// Another text has to be expected to cost less than this share of what the statement costs.
const CHEAPER: f64 = 0.9;
/// Seconds.
const DAY: f64 = 86_400.0;
/// What stands for a text that cannot be shown without its literals.
const HIDDEN: &str = "…";

/// A database, and what is known of it.
#[derive(Clone)]
pub struct Subject<'a> {
    /// Logs in to its primary.
    pub connect: Connect,
    /// Connections to its replicas.
    pub replicas: &'a [Client],
    /// These are all: without that no index is called unused.
    pub complete: bool,
    /// What it was asked; `None`: `pg_stat_statements` knows, if anybody does.
    pub statements: Option<&'a [Counted]>,
    /// In how many seconds that was; `None`: nobody knows.
    pub seconds: Option<f64>,
    /// What counts as enough.
    pub options: hygiene::Options,
    /// What may be spent.
    pub limits: Limits,
}

impl std::fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").field("complete", &self.complete).finish_non_exhaustive()
    }
}

/// What was found.
#[derive(Debug)]
pub struct Look {
    /// The most important first.
    pub found: Vec<Recommendation>,
    /// The kinds that were looked for: what was found of them earlier, and is not any more, is over.
    pub kinds: Vec<Kind>,
    /// What could not be looked at, or would make this better, in words.
    pub missing: Vec<String>,
    /// The indexes that there are, and how often they were used.
    pub usage: Usage,
}

/// How often indexes were used.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// Since so many seconds it is known of every node that may use them; `None`: of some node it is not known.
    pub seconds: Option<f64>,
    /// Each of them.
    pub indexes: Vec<Used>,
}

/// How often an index was used.
#[derive(Debug, Clone, PartialEq)]
pub struct Used {
    /// The index.
    pub index: Name,
    /// Its table.
    pub table: Name,
    /// Bytes on disk.
    pub bytes: u64,
    /// Scans since statistics were reset.
    pub scans: u64,
}

impl Usage {
    fn of(catalog: &Catalog, complete: bool) -> Self {
        let used = |index: &Index| {
            let table = catalog.table(index.table)?;
            let name = |schema: &str, name: &str| Name { schema: schema.into(), name: name.into() };
            Some(Used {
                index: name(&index.schema, &index.name),
                table: name(&table.schema, &table.name),
                bytes: index.bytes,
                scans: index.scans,
            })
        };
        let all = complete && catalog.replicas.is_some_and(|all| all <= catalog.replicas_asked);
        let seconds = catalog.statistics_age.filter(|_| all);
        Self { seconds, indexes: catalog.indexes.iter().filter_map(used).collect() }
    }
}

/// Kinds that are looked for.
const KINDS: &[Kind] = &[
    Kind::CreateIndex,
    Kind::Rewrite,
    Kind::DropRedundantIndex,
    Kind::DropUnusedIndex,
    Kind::DropInvalidIndex,
    Kind::RebuildIndex,
    Kind::Analyze,
    Kind::ExtendedStatistics,
    Kind::Setting,
    Kind::Schema,
];

/// Looks. `say` is told what is going on, in words.
///
/// Not cancel safe in one respect: dropped half-way, the search for indexes goes on until its time is over or its connections are lost.
///
/// # Errors
/// There is no connection, or the catalog cannot be read.
pub async fn look(
    subject: Subject<'_>,
    say: impl Fn(&str) + Send + Sync,
) -> Result<Look, whatif::Error> {
    let primary = (subject.connect)().await.map_err(whatif::Error::Connection)?;
    let (catalog, mut found) = read_and_look(&primary, subject.replicas, &subject.options).await?;
    let mut missing = Vec::new();
    if !subject.complete {
        // Somebody whom we cannot ask may use it.
        found.retain(|one| one.kind != Kind::DropUnusedIndex);
        missing.push("not all replicas can be asked: no index is called unused".to_owned());
    }
    let statements = match subject.statements {
        Some(known) => known.to_vec(),
        None => {
            let (found, why) = whatif::from_statistics(&primary, catalog.version).await?;
            missing.extend(why);
            found
        }
    };
    let mut kinds = KINDS.to_vec();
    if !statements.is_empty() {
        let counted = Source::Counted(statements.clone(), subject.seconds);
        let advice = whatif::advise_indexes(subject.connect, counted, subject.limits, say).await?;
        found.extend(advice.recommendations.into_iter().map(without_literals));
        missing.extend(advice.missing);
        found.extend(rewritten(&primary, &catalog, &statements).await?);
        if let Some(seconds) = subject.seconds.filter(|seconds| *seconds > 0.0) {
            found.extend(kept(&catalog, &statements, seconds));
            kinds.push(Kind::MaterializedView);
        }
    }
    found.sort_by(by_gain);
    let usage = Usage::of(&catalog, subject.complete);
    Ok(Look { found, kinds, missing, usage })
}

/// Which of two comes first: by impact, then by what it saves: time of all statements, of writes, bytes.
#[must_use]
pub fn by_gain(one: &Recommendation, other: &Recommendation) -> Ordering {
    let saves = |it: &Recommendation| it.saves.unwrap_or(0.0);
    let gain = other.impact.cmp(&one.impact).then(saves(other).total_cmp(&saves(one)));
    gain.then(one.costs.writes.total_cmp(&other.costs.writes))
        .then(one.costs.bytes.cmp(&other.costs.bytes))
        .then_with(|| one.title.cmp(&other.title))
}

fn without_literals(mut advice: Recommendation) -> Recommendation {
    for evidence in &mut advice.evidence {
        if let Some(sql) = evidence.check.strip_prefix("EXPLAIN ") {
            evidence.check = format!("EXPLAIN {}", shown(sql));
        }
    }
    advice
}

/// A statement as it may be shown.
fn shown(sql: &str) -> String {
    let normal = howdah_sql::normal_text(sql.as_bytes());
    if normal.is_normal { normal.text } else { HIDDEN.to_owned() }
}

/// A part of a statement as it may be shown.
fn shown_part(part: &str) -> String {
    howdah_sql::redact(part).unwrap_or_else(|| HIDDEN.to_owned())
}

/// Aggregations whose answers should be kept.
fn kept(catalog: &Catalog, statements: &[Counted], seconds: f64) -> Vec<Recommendation> {
    let all: f64 = statements.iter().map(|one| one.time).sum();
    let advice = |one: &Counted| {
        let calls = one.calls.max(1.0);
        let text = shown(&one.sql);
        let asked = Aggregation {
            fingerprint: &one.fingerprint,
            text: &text,
            calls_per_day: one.calls / seconds * DAY,
            mean: one.time / calls,
            rows: one.rows / calls,
            share: (all > 0.0).then(|| one.time / all),
        };
        materialized_view(catalog, &asked)
    };
    statements.iter().filter_map(advice).collect()
}

/// Statements that would be better written differently, by what that saves.
async fn rewritten(
    client: &Client,
    catalog: &Catalog,
    statements: &[Counted],
) -> Result<Vec<Recommendation>, tokio_postgres::Error> {
    let all: f64 = statements.iter().map(|one| one.time).sum();
    let mut most: Vec<&Counted> = statements.iter().collect();
    most.sort_by(|a, b| b.time.total_cmp(&a.time));
    let mut found = Vec::new();
    for one in most.into_iter().take(STATEMENTS) {
        let share = if all > 0.0 { one.time / all } else { 0.0 };
        for suggestion in rewrites::look(&one.sql, catalog) {
            let trial = match &suggestion.text {
                Some(text) => trial::attempt(client, &one.sql, text).await?,
                None => None,
            };
            let mut advice = suggestion.recommendation(&one.fingerprint);
            advice.title = advice.title.replace(&suggestion.part, &shown_part(&suggestion.part));
            for evidence in &mut advice.evidence {
                evidence.now = shown_part(&evidence.now);
                if !evidence.then.is_empty() {
                    evidence.then = shown(&evidence.then);
                }
            }
            if judged(&mut advice, suggestion.text.is_some(), trial, share) {
                found.push(advice);
            }
        }
    }
    Ok(found)
}

/// Puts what was tried into the advice. `false`: it is none.
fn judged(advice: &mut Recommendation, has_text: bool, trial: Option<Trial>, share: f64) -> bool {
    match trial {
        // What PostgreSQL does not take, or gives other rows for, is no advice.
        None if has_text => false,
        Some(trial) if trial.differs => false,
        None => {
            advice.impact = advice.impact.min(impact_of(share));
            true
        }
        Some(Trial { costs: (before, after), equal, .. }) => {
            if after > before * CHEAPER {
                return false;
            }
            let saves = share * (1.0 - after / before);
            advice.saves = Some(saves);
            advice.impact = impact_of(saves);
            advice.confidence = if equal > 0 { 0.85 } else { advice.confidence };
            advice.evidence.push(Evidence {
                what: "cost, as PostgreSQL's planner expects it".to_owned(),
                now: format!("{before:.0}"),
                then: format!("{after:.0}"),
                check: String::new(),
            });
            advice.evidence.push(Evidence {
                what: "share of the time of all statements".to_owned(),
                now: format!("{:.1} %", share * 100.0),
                then: format!("{:.1} %", (share - saves) * 100.0),
                check: String::new(),
            });
            let compared = match equal {
                0 => "rows were not compared: no values are known, or it takes too long".to_owned(),
                1 => "both gave the same rows when they were tried".to_owned(),
                sets => {
                    format!("both gave the same rows for {sets} sets of values from the tables")
                }
            };
            advice.cautions.push(compared);
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use howdah_advisor::Impact;

    use super::*;

    fn advice() -> Recommendation {
        let catalog = Catalog::default();
        let found = rewrites::look("SELECT * FROM t WHERE a = 1", &catalog);
        found[0].recommendation("1")
    }

    fn judge(trial: Option<Trial>) -> Option<Recommendation> {
        let mut advice = advice();
        judged(&mut advice, true, trial, 0.5).then_some(advice)
    }

    #[test]
    fn another_text_is_advice_when_it_is_cheaper_and_gives_the_same_rows() {
        let trial = |after, equal, differs| Some(Trial { costs: (100.0, after), equal, differs });
        let found = judge(trial(10.0, 3, false)).unwrap();
        assert_eq!((found.saves, found.impact), (Some(0.45), Impact::High));
        assert!(judge(trial(10.0, 2, true)).is_none(), "other rows");
        assert!(judge(trial(95.0, 3, false)).is_none(), "hardly cheaper");
        assert!(judge(None).is_none(), "PostgreSQL refuses it");
        assert!(judge(trial(10.0, 0, false)).unwrap().confidence < found.confidence);
    }
}
