//! Where workloads come from: a file of statements, or what PostgreSQL has counted. Not what they cost.

use std::collections::HashMap;

use howdah_advisor::{Asked, Workload};
use tokio_postgres::Client;

use super::Counted;

/// Statements of one workload.
const MAX_STATEMENTS: usize = 200;
/// Statements that together take this share of the time are enough, when they are not few.
const ENOUGH: f64 = 0.95;
const FEW: usize = 20;

/// Statements with semicolons between them. Each weighs 1: its share is its cost.
#[must_use]
pub(super) fn from_text(text: &str) -> Workload {
    let mut workload = Workload::default();
    let mut others = 0;
    for range in howdah_sql::split(text) {
        let Some(sql) = text.get(range) else { continue };
        if !reads(sql) {
            others += 1;
            continue;
        }
        if workload.statements.len() >= MAX_STATEMENTS {
            workload
                .missing
                .push(format!("statements after the first {MAX_STATEMENTS} were left out"));
            break;
        }
        let number = workload.statements.len() + 1;
        workload.statements.push(Asked {
            sql: sql.to_owned(),
            fingerprint: format!("statement {number}"),
            weight: 1.0,
            calls: 0.0,
        });
    }
    if others > 0 {
        workload.missing.push(format!(
            "{others} statements were left out: not SELECT, INSERT, UPDATE or DELETE, or not understood"
        ));
    }
    workload
}

/// Whether it is one statement that reads or changes tables.
fn reads(sql: &str) -> bool {
    howdah_sql::scopes(sql).is_some_and(|scopes| {
        scopes.iter().any(|it| it.sources.iter().any(|it| it.table.is_some()))
    }) && !starts_with(sql, "explain")
}

fn starts_with(sql: &str, word: &str) -> bool {
    sql.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// What `pg_stat_statements` has counted in this database, and what it does not tell, in words.
///
/// # Errors
/// The connection broke.
pub(crate) async fn from_statistics(
    client: &Client,
    version: u32,
) -> Result<(Vec<Counted>, Vec<String>), tokio_postgres::Error> {
    let none = |why: String| Ok((Vec::new(), vec![why]));
    let schema = "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
                  WHERE e.extname = 'pg_stat_statements'";
    let Some(row) = client.query_opt(schema, &[]).await? else {
        return none(
            "the extension pg_stat_statements is not in this database: nobody has counted its statements; give a file of them, or add the extension (shared_preload_libraries, then CREATE EXTENSION pg_stat_statements)"
                .to_owned(),
        );
    };
    let schema: String = row.try_get(0)?;
    let time = if version >= 130_000 { "total_exec_time" } else { "total_time" };
    let sql = format!(
        "SELECT coalesce(queryid::text, ''), query, sum(calls)::float8, sum({time})::float8 / 1000, count(*), sum(rows)::float8 FROM {schema}.pg_stat_statements \
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query IS NOT NULL \
         GROUP BY queryid, query ORDER BY 4 DESC LIMIT 2000"
    );
    let rows = match client.query(&sql, &[]).await {
        Ok(rows) => rows,
        Err(error) if error.as_db_error().is_some() => {
            return none(format!("pg_stat_statements cannot be read: {error}"));
        }
        Err(error) => return Err(error),
    };
    let (mut found, mut missing, mut hidden) = (Vec::new(), Vec::new(), 0_i64);
    for row in rows {
        let (id, sql, calls, time): (String, String, f64, f64) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        if sql == "<insufficient privilege>" {
            hidden += row.try_get::<_, i64>(4)?;
        } else {
            let (fingerprint, rows) = (format!("query {id}"), row.try_get(5)?);
            found.push(Counted { fingerprint, sql, calls, time, rows });
        }
    }
    if hidden > 0 {
        missing.push(format!(
            "{hidden} statements of other roles are hidden: the role needs pg_read_all_stats (or pg_monitor)"
        ));
    }
    Ok((found, missing))
}

/// The statements that take most of the time. Their weights are times until [`weigh`] has made them weights of costs.
pub(super) fn from_counted(counted: Vec<Counted>) -> Workload {
    let mut counted = counted;
    counted.retain(|one| reads(&one.sql) && !is_about_catalogs(&one.sql));
    counted.sort_by(|a, b| b.time.total_cmp(&a.time));
    let all: f64 = counted.iter().map(|one| one.time).sum();
    let mut workload = Workload { unit: Some(1.0), ..Workload::default() };
    let mut sum = 0.0;
    for Counted { fingerprint, sql, calls, time, .. } in counted {
        let taken = workload.statements.len();
        if (sum >= all * ENOUGH && taken >= FEW) || taken >= MAX_STATEMENTS {
            break;
        }
        sum += time;
        workload.statements.push(Asked { sql, fingerprint, weight: time, calls });
    }
    workload
}

/// Questions about PostgreSQL itself are not the application's.
fn is_about_catalogs(sql: &str) -> bool {
    let scopes = howdah_sql::scopes(sql).unwrap_or_default();
    let mut tables =
        scopes.iter().flat_map(|scope| &scope.sources).filter_map(|it| it.table.as_ref());
    tables.any(|table| {
        table.name.starts_with("pg_")
            || table
                .schema
                .as_deref()
                .is_some_and(|it| it == "pg_catalog" || it == "information_schema")
    })
}

/// Makes weights of times into weights of costs, when costs are known, and says what a unit of cost weighs that is spent on one of the writes that the catalog has counted: the
/// unit was before which part of them was made in the time of these statements.
pub(super) fn weigh(workload: &mut Workload, costs: &[Option<f64>]) {
    if workload.unit.is_none() {
        return;
    }
    let (mut time, mut cost) = (0.0, 0.0);
    let known: HashMap<usize, f64> = costs
        .iter()
        .enumerate()
        .filter_map(|(at, it)| Some((at, it.filter(|it| *it > 0.0)?)))
        .collect();
    for (at, asked) in workload.statements.iter_mut().enumerate() {
        let Some(own) = known.get(&at) else { continue };
        time += asked.weight;
        cost += asked.calls * own;
        asked.weight /= own;
    }
    workload.unit = workload.unit.filter(|_| cost > 0.0).map(|part| part * time / cost);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_statements_and_says_what_it_leaves_out() {
        let workload = from_text(
            "SELECT 1 FROM t; VACUUM; /* x */ UPDATE t SET a = 1 WHERE b = 2; SELEC; EXPLAIN SELECT a FROM t",
        );
        let texts: Vec<&str> = workload.statements.iter().map(|it| it.sql.as_str()).collect();
        assert_eq!(texts, ["SELECT 1 FROM t", "UPDATE t SET a = 1 WHERE b = 2"]);
        assert_eq!(workload.missing.len(), 1);
        assert!(workload.missing[0].starts_with("3 statements"));
    }

    #[test]
    fn times_become_weights_of_costs() {
        let asked =
            |weight, calls| Asked { sql: String::new(), fingerprint: String::new(), weight, calls };
        let mut workload = Workload {
            statements: vec![asked(100.0, 10.0), asked(50.0, 1.0), asked(7.0, 1.0)],
            unit: Some(1.0),
            missing: Vec::new(),
        };
        weigh(&mut workload, &[Some(5.0), Some(50.0), None]);
        assert_eq!(workload.statements[0].weight, 20.0);
        assert_eq!(workload.statements[1].weight, 1.0);
        assert_eq!(workload.unit, Some(1.5));
    }
}
