//! Asking PostgreSQL for the numbers. Not what they mean.
//!
//! Invariant: nothing is written: statements are run in read-only transactions that are rolled back, within a time.

use std::collections::BTreeMap;

use howdah_advisor::Recommendation;
use howdah_sql::{Analyses, Class};
use tokio_postgres::Client;

use super::{Counted, Counts, Measured, Sampled};

/// Runs of a statement that count; one before them fills the cache.
const RUNS: usize = 5;
/// A run may take this long, and finds tables as the role does.
const BEGIN: &str =
    "BEGIN READ ONLY; SET LOCAL statement_timeout = '30s'; SET LOCAL search_path TO DEFAULT";
/// Statements that are looked at, the most expensive ones.
const STATEMENTS: usize = 5_000;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// PostgreSQL says so.
    #[error("{0}")]
    Server(#[from] tokio_postgres::Error),
    /// A statement is none that may be run.
    #[error("{0}: only statements that read, with functions that change nothing, are run")]
    Writes(String),
    /// What PostgreSQL explains is not understood.
    #[error("EXPLAIN of {0} is not understood")]
    Unreadable(String),
}

/// Looks at the statements that concern a piece of advice, and runs these.
///
/// # Errors
/// PostgreSQL refuses, or a sample is not for running.
pub async fn measure(
    client: &Client,
    advice: &Recommendation,
    samples: &[String],
) -> Result<Measured, Error> {
    let counted = counted(client, advice).await?;
    let mut measured = Measured { counted, samples: Vec::new() };
    let mut analyses = Analyses::new(8);
    for text in samples {
        let analysis = analyses.analyse(text.as_bytes());
        if analysis.class != Class::Read
            || analysis.calls_unknown_functions
            || analysis.statements.len() != 1
        {
            return Err(Error::Writes(text.clone()));
        }
        measured.samples.push(sample(client, text).await?);
    }
    Ok(measured)
}

async fn counted(
    client: &Client,
    advice: &Recommendation,
) -> Result<Option<Counted>, tokio_postgres::Error> {
    const WHERE: &str = "SELECT format('%I', n.nspname), to_regclass(format('%I.pg_stat_statements_info', n.nspname)) IS NOT NULL \
        FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements' \
        AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(format('%I.pg_stat_statements', n.nspname)) AND attname = 'stddev_exec_time')";
    let Some(row) = client.query_opt(WHERE, &[]).await? else { return Ok(None) };
    let (schema, tells): (String, bool) = (row.get(0), row.get(1));
    let since = if tells {
        let sql = format!("SELECT stats_reset::text FROM {schema}.pg_stat_statements_info");
        client.query_one(&sql, &[]).await.map(|row| row.get::<_, String>(0))
    } else {
        Ok(String::new())
    };
    let sql = format!(
        "SELECT queryid::text, min(query), sum(calls)::float8, sum(total_exec_time)::float8, \
         sum(calls * (stddev_exec_time * stddev_exec_time + mean_exec_time * mean_exec_time))::float8, sum(shared_blks_hit + shared_blks_read)::float8 \
         FROM {schema}.pg_stat_statements WHERE queryid IS NOT NULL AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
         GROUP BY queryid ORDER BY 4 DESC LIMIT {STATEMENTS}"
    );
    // Installed and not loaded: then nothing is counted.
    let (Ok(since), Ok(rows)) = (since, client.query(&sql, &[]).await) else { return Ok(None) };
    let table = advice.subject.rsplit('.').next().unwrap_or_default().trim_matches('"').to_owned();
    let mut analyses = Analyses::new(1_024);
    let mut statements = BTreeMap::new();
    for row in rows {
        let (id, text): (String, String) = (format!("query {}", row.get::<_, &str>(0)), row.get(1));
        let analysis = analyses.analyse(text.as_bytes());
        let tables = analysis.details.iter().flat_map(|details| &details.tables);
        let concerned = advice.statements.contains(&id)
            || advice.statements.contains(&format!("{:016x}", analysis.fingerprint.0))
            || tables.into_iter().any(|named| *named.name == *table);
        if !concerned || !matches!(analysis.class, Class::Read | Class::Write) {
            continue;
        }
        let writes = analysis.class == Class::Write;
        let (calls, time, squares, blocks) = (row.get(2), row.get(3), row.get(4), row.get(5));
        statements.insert(id, Counts { text, writes, calls, time, squares, blocks });
    }
    Ok(Some(Counted { since, statements }))
}

async fn sample(client: &Client, text: &str) -> Result<Sampled, Error> {
    let mut sampled = Sampled { text: text.to_owned(), ..Sampled::default() };
    for run in 0..=RUNS {
        client.batch_execute(BEGIN).await?;
        let sql = format!("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {text}");
        let explained = client.simple_query(&sql).await;
        client.batch_execute("ROLLBACK").await?;
        let (time, blocks) = read(&explained?).ok_or_else(|| Error::Unreadable(text.to_owned()))?;
        if run > 0 {
            sampled.times.push(time);
            sampled.blocks = blocks;
        }
    }
    Ok(sampled)
}

/// Milliseconds and blocks of an explained run.
fn read(messages: &[tokio_postgres::SimpleQueryMessage]) -> Option<(f64, f64)> {
    let rows = messages.iter().filter_map(|message| {
        if let tokio_postgres::SimpleQueryMessage::Row(row) = message { row.get(0) } else { None }
    });
    let text: String = rows.collect();
    let value: serde_json::Value = serde_json::from_str(&text).ok()?;
    let whole = value.get(0)?;
    let plan = whole.get("Plan")?;
    let blocks = |name| plan.get(name).and_then(serde_json::Value::as_f64).unwrap_or(0.0);
    let time = whole.get("Execution Time")?.as_f64()?;
    Some((time, blocks("Shared Hit Blocks") + blocks("Shared Read Blocks")))
}
