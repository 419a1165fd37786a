//! Materialized views for aggregations that are asked again and again: what is kept, how it is refreshed, what that costs and how old answers become. A person does it, because the
//! application has to ask something else and has to bear old answers.
//!
//! Invariant: refreshing costs at most a fifth of what is saved, by what the statement takes today.

use crate::catalog::{Catalog, Table};
use crate::hygiene::qualified;
use crate::{Costs, Evidence, Impact, Kind, Recommendation};

/// Calls a day, and seconds of each, below which nobody has to care; and seconds of all of them.
const CALLS: f64 = 100.0;
const SECONDS: f64 = 0.2;
const TOGETHER: f64 = 600.0;
/// Rows that are read at least, and which share of them an answer may have.
const READ: f64 = 10_000.0;
const SHARE: f64 = 0.01;
/// What refreshing may cost of what is saved.
const REFRESHING: f64 = 0.2;
/// No more than once in so many seconds.
const OFTEN: f64 = 60.0;
const DAY: f64 = 86_400.0;
/// Bytes of a row that is kept, about.
const ROW: f64 = 96.0;

/// A statement as it was counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aggregation<'a> {
    /// Its identity, as people are told it.
    pub fingerprint: &'a str,
    /// Its normal form: what is a literal in it is `$1`, and then it cannot be kept.
    pub text: &'a str,
    /// Calls a day.
    pub calls_per_day: f64,
    /// Seconds of a call, mean.
    pub mean: f64,
    /// Rows of an answer, mean.
    pub rows: f64,
    /// Share of the time of all statements, 0 to 1, where that is known.
    pub share: Option<f64>,
}

/// Advice to keep its answer, if that pays.
#[must_use]
pub fn materialized_view(catalog: &Catalog, asked: &Aggregation<'_>) -> Option<Recommendation> {
    let spent = asked.calls_per_day * asked.mean;
    let often = asked.calls_per_day >= CALLS && asked.mean >= SECONDS && spent >= TOGETHER;
    if !often || !is_constant(asked.text) || !aggregates(asked.text) {
        return None;
    }
    let tables = tables(catalog, asked.text)?;
    let read: f64 = tables.iter().filter_map(|table| table.rows).sum();
    if read < READ || asked.rows > read * SHARE {
        return None;
    }
    // Nothing has to be refreshed when nothing was written.
    let writes = writes_per_day(catalog, &tables);
    let affordable = (asked.calls_per_day * REFRESHING).min(DAY / OFTEN);
    let refreshes = writes.map_or(affordable, |writes| writes.min(affordable)).max(1.0);
    let saved = spent - refreshes * asked.mean;
    (saved >= spent * (1.0 - REFRESHING) * 0.99).then(|| advice(asked, &tables, refreshes, writes))
}

/// It asks the same each time: without literals, and without anything that is another value each time.
fn is_constant(text: &str) -> bool {
    let parameter = text
        .match_indices('$')
        .any(|(at, _)| text.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit));
    let lower = text.to_lowercase();
    let moving = [
        "now(",
        "current_",
        "localtime",
        "random(",
        "clock_timestamp",
        "statement_timestamp",
        "transaction_timestamp",
        "timeofday",
        "nextval",
        "currval",
        "session_user",
        "for update",
        "for share",
    ];
    !parameter && lower.starts_with("select") && !moving.iter().any(|word| lower.contains(word))
}

fn aggregates(text: &str) -> bool {
    let lower = text.to_lowercase();
    let words = [
        "group by",
        "count(",
        "sum(",
        "avg(",
        "min(",
        "max(",
        "array_agg(",
        "string_agg(",
        "percentile_",
    ];
    words.iter().any(|word| lower.contains(word))
}

/// The tables that it reads; `None` when one is not known.
fn tables<'a>(catalog: &'a Catalog, text: &str) -> Option<Vec<&'a Table>> {
    let mut found: Vec<&Table> = Vec::new();
    for scope in howdah_sql::scopes(text)? {
        for named in scope.sources.iter().filter_map(|source| source.table.as_ref()) {
            let is_meant = |table: &&Table| {
                *table.name == *named.name
                    && named.schema.as_ref().is_none_or(|schema| **schema == *table.schema)
            };
            let mut meant = catalog.tables.iter().filter(is_meant);
            let table = meant.next().filter(|_| meant.next().is_none())?;
            if found.iter().all(|other| other.oid != table.oid) {
                found.push(table);
            }
        }
    }
    (!found.is_empty()).then_some(found)
}

fn writes_per_day(catalog: &Catalog, tables: &[&Table]) -> Option<f64> {
    let age = catalog.statistics_age.filter(|age| *age >= 3_600.0)?;
    let writes = tables.iter().map(|table| {
        let it = &table.activity;
        it.inserted as f64 + it.updated as f64 + it.deleted as f64
    });
    Some(writes.sum::<f64>() / age * DAY)
}

/// The columns that no two rows of the answer have alike, as far as the text shows them.
fn keys(text: &str) -> Option<Vec<String>> {
    let scopes = howdah_sql::scopes(text)?;
    let outer = scopes.iter().find(|scope| scope.around.is_none())?;
    let lower = text.to_lowercase();
    let shown = lower.get(..lower.find(" from ")?)?;
    let words: Vec<&str> = shown.split(|it: char| !(it.is_alphanumeric() || it == '_')).collect();
    let is_shown = |column: &str| words.contains(&column) && !words.contains(&"as");
    let keys: Vec<String> = outer.group.iter().map(|name| name.column.to_string()).collect();
    (!keys.is_empty() && keys.iter().all(|key| is_shown(key))).then_some(keys)
}

fn advice(
    asked: &Aggregation<'_>,
    tables: &[&Table],
    refreshes: f64,
    writes: Option<f64>,
) -> Recommendation {
    let id = Recommendation::id_of(Kind::MaterializedView, asked.fingerprint);
    let view = format!("howdah_view_{id}");
    let keys = keys(asked.text);
    let every = DAY / refreshes;
    let spent = asked.calls_per_day * asked.mean;
    let left = refreshes * asked.mean;
    let mut steps = format!("CREATE MATERIALIZED VIEW {view} AS {}", asked.text);
    steps.push_str(&match &keys {
        Some(keys) => {
            let columns: Vec<String> = keys.iter().map(|key| crate::quoted(key)).collect();
            format!("; CREATE UNIQUE INDEX ON {view} ({}); REFRESH MATERIALIZED VIEW CONCURRENTLY {view}", columns.join(", "))
        }
        None => format!("; REFRESH MATERIALIZED VIEW {view}"),
    });
    let names: Vec<String> = tables.iter().map(|it| qualified(&it.schema, &it.name)).collect();
    let fact = |what: &str, now: String, then: String, check: &str| Evidence {
        what: what.to_owned(),
        now,
        then,
        check: check.to_owned(),
    };
    let mut evidence = vec![
        fact(
            "calls a day, each reads everything",
            format!("{:.0}", asked.calls_per_day),
            format!("{refreshes:.0} refreshes"),
            "",
        ),
        fact("time of the server's a day", format!("{spent:.0} s"), format!("{left:.0} s"), ""),
        fact(
            "rows that are read for each answer, and rows of it",
            format!("{:.0}", tables.iter().filter_map(|it| it.rows).sum::<f64>()),
            format!("{:.0}", asked.rows),
            "",
        ),
        fact("what to do", asked.text.to_owned(), steps, ""),
    ];
    if let Some(writes) = writes {
        evidence.push(fact(
            "rows written a day in its tables",
            format!("{writes:.0}"),
            String::new(),
            "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables",
        ));
    }
    let locks = if keys.is_some() {
        "REFRESH … CONCURRENTLY needs the unique index; readers go on meanwhile, and two refreshes cannot run at the same time"
    } else {
        "without a unique index readers wait while it is refreshed; with one on columns that no two rows have alike, REFRESH … CONCURRENTLY lets them go on"
    };
    Recommendation {
        id,
        kind: Kind::MaterializedView,
        subject: asked.fingerprint.to_owned(),
        title: format!("keep the answer of an aggregation over {}", names.join(", ")),
        why: "The same aggregation is computed again and again from all rows, mostly to the same answer: a materialized view keeps it.".to_owned(),
        evidence,
        impact: if asked.share.unwrap_or(0.0) >= 0.1 { Impact::High } else { Impact::Medium },
        confidence: if writes.is_some() { 0.6 } else { 0.4 },
        saves: asked.share.map(|share| share * (1.0 - left / spent)),
        costs: Costs { bytes: i64::try_from(crate::size::whole(asked.rows * ROW)).unwrap_or(i64::MAX), writes: 0.0 },
        apply: Vec::new(),
        undo: vec![format!("DROP MATERIALIZED VIEW {view}")],
        statements: vec![asked.fingerprint.to_owned()],
        cautions: vec![
            format!("answers are up to {} old, when it is refreshed that often; the application has to bear that, and to ask the view", age(every)),
            locks.to_owned(),
            "row level security and rights of the tables do not reach through the view: grant on it what may be seen".to_owned(),
        ],
    }
}

fn age(seconds: f64) -> String {
    match seconds {
        short if short < 120.0 => format!("{short:.0} s"),
        medium if medium < 7_200.0 => format!("{:.0} minutes", medium / 60.0),
        long => format!("{:.0} hours", long / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Activity, TableKind};

    fn catalog(rows: f64, written: u64) -> Catalog {
        let orders = Table {
            oid: 1,
            schema: "public".to_owned(),
            name: "orders".to_owned(),
            kind: TableKind::Table,
            parent: None,
            pages: 1_000,
            rows: Some(rows),
            all_visible_pages: 0,
            bytes: 8_192_000,
            columns: Vec::new(),
            compared: Vec::new(),
            activity: Activity { inserted: written, ..Activity::default() },
        };
        Catalog { statistics_age: Some(DAY), tables: vec![orders], ..Catalog::default() }
    }

    const ASKED: Aggregation<'static> = Aggregation {
        fingerprint: "aa",
        text: "select country, count(*), sum(total) from orders group by country",
        calls_per_day: 5_000.0,
        mean: 0.8,
        rows: 40.0,
        share: Some(0.3),
    };

    #[test]
    fn an_aggregation_that_is_asked_often_is_worth_keeping() {
        let advice = materialized_view(&catalog(1e6, 200_000), &ASKED).unwrap();
        assert_eq!((advice.kind, advice.impact), (Kind::MaterializedView, Impact::High));
        assert!(advice.apply.is_empty(), "a person does it");
        let todo = advice.evidence.iter().find(|fact| fact.what == "what to do").unwrap();
        assert!(todo.then.contains("CREATE UNIQUE INDEX ON howdah_view_"), "{}", todo.then);
        assert!(
            todo.then.contains("(country); REFRESH MATERIALIZED VIEW CONCURRENTLY"),
            "{}",
            todo.then
        );
        assert_eq!(advice.undo.len(), 1);
        // 1,000 refreshes of 0.8 s: a fifth.
        assert_eq!(advice.evidence[1].then, "800 s");
        assert!((advice.saves.unwrap() - 0.24).abs() < 1e-9);
        assert!(advice.cautions[0].contains("86 s old"), "{}", advice.cautions[0]);
        // Tables that are written once a day are refreshed once a day.
        let quiet = materialized_view(&catalog(1e6, 1), &ASKED).unwrap();
        assert!(quiet.cautions[0].contains("24 hours old"), "{}", quiet.cautions[0]);
    }

    #[test]
    fn without_a_key_that_is_shown_readers_wait_and_are_told_so() {
        let text = "select count(*) from orders";
        let advice =
            materialized_view(&catalog(1e6, 10), &Aggregation { text, rows: 1.0, ..ASKED })
                .unwrap();
        assert!(advice.cautions[1].contains("readers wait"), "{}", advice.cautions[1]);
        assert!(advice.evidence.iter().all(|fact| !fact.then.contains("UNIQUE")));
    }

    #[test]
    fn what_cannot_or_need_not_be_kept_is_not() {
        let many = catalog(1e6, 1_000);
        for (why, asked) in [
            ("seldom", Aggregation { calls_per_day: 20.0, ..ASKED }),
            ("fast", Aggregation { mean: 0.01, ..ASKED }),
            ("large answers", Aggregation { rows: 50_000.0, ..ASKED }),
            (
                "a literal",
                Aggregation { text: "select count(*) from orders where day = $1", ..ASKED },
            ),
            ("no aggregation", Aggregation { text: "select id from orders", ..ASKED }),
            (
                "today",
                Aggregation {
                    text: "select count(*) from orders where day = current_date",
                    ..ASKED
                },
            ),
            (
                "a table that nobody knows",
                Aggregation { text: "select count(*) from others", ..ASKED },
            ),
            (
                "a change",
                Aggregation {
                    text: "delete from orders where (select count(*) from orders) > 1",
                    ..ASKED
                },
            ),
        ] {
            assert_eq!(materialized_view(&many, &asked), None, "{why}");
        }
        assert_eq!(materialized_view(&catalog(500.0, 1), &ASKED), None, "a small table");
    }
}
