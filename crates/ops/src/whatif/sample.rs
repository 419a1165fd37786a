//! How many different values columns really have, where ANALYZE is known to err: when equal values stand together in the table, rows of a
//! sample are from few places, and their values look rarer than they are. Whole pages tell: what repeats there repeats everywhere.
//!
//! Invariant: a look at some pages of a table, in a read-only session with a timeout; what it cannot tell stays as ANALYZE said.

use howdah_advisor::catalog::{Catalog, Table};
use howdah_advisor::{Access, full_name, quoted};
use tokio_postgres::Client;

/// Equal values stand together above this correlation.
const TOGETHER: f64 = 0.8;
/// Pages that are looked at.
const PAGES: f64 = 400.0;
/// A table of fewer rows is analysed well enough.
const MIN_ROWS: f64 = 50_000.0;

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
    let percent = (PAGES / (table.pages as f64).max(1.0) * 100.0).clamp(0.001, 100.0);
    let chosen = table.columns.iter().filter(|it| columns.contains(&it.number));
    let counts: Vec<String> =
        chosen.map(|it| format!("count(DISTINCT {})::float8", quoted(&it.name))).collect();
    let sql = format!(
        "SELECT count(*)::float8, {} FROM {} TABLESAMPLE SYSTEM ({percent}) REPEATABLE (1)",
        counts.join(", "),
        full_name(table)
    );
    let row = client.query_one(&sql, &[]).await?;
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

/// More values make a larger index: in doubt the larger number.
fn note(table: &mut Table, number: i16, values: f64) {
    if let Some(column) = table.columns.iter_mut().find(|it| it.number == number)
        && column.distinct.is_some_and(|said| said < values)
    {
        column.distinct = Some(values);
    }
}
