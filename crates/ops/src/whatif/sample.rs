//! How many different values columns really have, where ANALYZE is known to err: when equal values stand together in the table, rows of a
//! sample are from few places, and their values look rarer than they are. Whole pages tell: what repeats there repeats everywhere.
//! And for how many rows columns compare as statements want it, of which ANALYZE says nothing.
//!
//! Invariant: a look at some pages of a table, in a read-only session with a timeout; what it cannot tell stays as ANALYZE said.

use howdah_advisor::catalog::{Catalog, Comparison, Table};
use howdah_advisor::{Access, Predicate, comparisons, full_name, quoted};
use tokio_postgres::Client;

/// Equal values stand together above this correlation.
const TOGETHER: f64 = 0.8;
/// Pages that are looked at.
const PAGES: f64 = 400.0;
/// A table of fewer rows is analysed well enough.
const MIN_ROWS: f64 = 50_000.0;
/// Sets of comparisons of one table that are counted.
const MAX_COMPARED: usize = 16;

/// Puts right what ANALYZE said of columns that statements use.
pub(super) async fn correct(
    client: &Client,
    catalog: &mut Catalog,
    accesses: &[Access],
) -> Result<(), tokio_postgres::Error> {
    client
        .batch_execute("SET statement_timeout = '10s'; SET default_transaction_read_only = on")
        .await?;
    for table in &mut catalog.tables {
        match compared(client, table, accesses).await {
            Ok(found) => table.compared = found,
            Err(error) if error.as_db_error().is_some() => {}
            Err(error) => return Err(error),
        }
        let used = |number: i16| {
            accesses.iter().any(|it| it.table == table.oid && it.columns.contains(&number))
        };
        let columns: Vec<i16> = table
            .columns
            .iter()
            .filter(|it| {
                it.correlation.is_some_and(|it| it.abs() > TOGETHER)
                    && it.distinct.is_some_and(|it| it > 0.0)
            })
            .map(|it| it.number)
            .filter(|it| used(*it))
            .collect();
        if columns.is_empty() || table.rows.unwrap_or(0.0) < MIN_ROWS {
            continue;
        }
        match counted(client, table, &columns).await {
            Ok(found) => found.into_iter().for_each(|(number, values)| note(table, number, values)),
            // No right to read the table, or too slow: as ANALYZE said.
            Err(error) if error.as_db_error().is_some() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Values of columns, from the share of different ones in some pages.
async fn counted(
    client: &Client,
    table: &Table,
    columns: &[i16],
) -> Result<Vec<(i16, f64)>, tokio_postgres::Error> {
    let chosen = table.columns.iter().filter(|it| columns.contains(&it.number));
    let counts: Vec<String> =
        chosen.map(|it| format!("count(DISTINCT {})::float8", quoted(&it.name))).collect();
    let row = client.query_one(&of_some_pages(table, &counts), &[]).await?;
    let (seen, rows): (f64, f64) = (row.try_get(0)?, table.rows.unwrap_or(0.0));
    let mut found = Vec::new();
    for (at, number) in columns.iter().enumerate() {
        let values: f64 = row.try_get(at + 1)?;
        if seen > 0.0 {
            found.push((*number, values / seen * rows));
        }
    }
    Ok(found)
}

/// For which share of the rows each set of comparisons of statements holds.
async fn compared(
    client: &Client,
    table: &Table,
    accesses: &[Access],
) -> Result<Vec<(Vec<Comparison>, f64)>, tokio_postgres::Error> {
    let mut wanted: Vec<(&Vec<Comparison>, String)> = Vec::new();
    let here = accesses.iter().filter(|it| it.table == table.oid);
    for predicate in here.flat_map(|it| &it.certain) {
        let Predicate::Compared(all) = predicate else { continue };
        let Some(text) = comparisons(table, all) else { continue };
        if wanted.len() < MAX_COMPARED && !wanted.iter().any(|(known, _)| *known == all) {
            wanted.push((all, format!("(count(*) FILTER (WHERE {text}))::float8")));
        }
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let counts: Vec<String> = wanted.iter().map(|(_, count)| count.clone()).collect();
    let row = client.query_one(&of_some_pages(table, &counts), &[]).await?;
    let seen: f64 = row.try_get(0)?;
    let mut found = Vec::new();
    for (at, (all, _)) in wanted.into_iter().enumerate().filter(|_| seen > 0.0) {
        let held: f64 = row.try_get(at + 1)?;
        found.push((all.clone(), held / seen));
    }
    Ok(found)
}

/// What counts the rows of some pages of a table, and these things of them.
fn of_some_pages(table: &Table, counts: &[String]) -> String {
    let percent = (PAGES / (table.pages as f64).max(1.0) * 100.0).clamp(0.001, 100.0);
    format!(
        "SELECT count(*)::float8, {} FROM {} TABLESAMPLE SYSTEM ({percent}) REPEATABLE (1)",
        counts.join(", "),
        full_name(table)
    )
}

/// More values make a larger index: in doubt the larger number.
fn note(table: &mut Table, number: i16, values: f64) {
    if let Some(column) = table.columns.iter_mut().find(|it| it.number == number)
        && column.distinct.is_some_and(|said| said < values)
    {
        column.distinct = Some(values);
    }
}
