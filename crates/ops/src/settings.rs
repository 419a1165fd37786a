//! What a server's settings are and what it has measured of itself, for advice on them. What should be different is decided in `howdah-advisor`.
//!
//! Invariant: changes nothing, and what this role may not see is absent and named.

use howdah_advisor::settings::{Measured, Setting};
use tokio_postgres::Client;

use crate::catalog::{Error, in_transaction};

const SETTINGS: &str = "SELECT name, current_setting(name), \
    CASE WHEN vartype IN ('integer', 'real') THEN setting::float8 END, coalesce(unit, ''), context = 'postmaster', coalesce(enumvals, '{}') \
    FROM pg_settings WHERE context <> 'internal'";
const OVERALL: &str = "SELECT current_setting('server_version_num')::int, \
    (SELECT coalesce(sum(temp_bytes), 0)::int8 FROM pg_stat_database), \
    (SELECT count(*)::int4 FROM pg_stat_replication), (SELECT count(*)::int4 FROM pg_replication_slots), \
    (SELECT coalesce(max(reltuples), 0)::float8 FROM pg_class WHERE relkind IN ('r', 'm'))";
const CHECKPOINTS: &str = "SELECT checkpoints_timed, checkpoints_req, \
    extract(epoch FROM clock_timestamp() - coalesce(stats_reset, pg_postmaster_start_time()))::float8 FROM pg_stat_bgwriter";
/// PostgreSQL 17 and later.
const CHECKPOINTER: &str = "SELECT num_timed, num_requested, \
    extract(epoch FROM clock_timestamp() - coalesce(stats_reset, pg_postmaster_start_time()))::float8 FROM pg_stat_checkpointer";
/// PostgreSQL 14 and later.
const WAL: &str = "SELECT (wal_bytes / greatest(extract(epoch FROM clock_timestamp() - stats_reset), 1))::float8 FROM pg_stat_wal";
const STATEMENTS: &str = "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
    WHERE e.extname = 'pg_stat_statements' AND has_schema_privilege(n.oid, 'USAGE')";

/// Reads them, and says in words what could not be seen.
///
/// The connection must not be in a transaction. Not cancel safe: dropped half-way it leaves the connection in one.
///
/// # Errors
/// The connection broke, or a statement took longer than 30 seconds.
pub async fn settings(client: &Client) -> Result<(Measured, Vec<String>), Error> {
    let (mut measured, mut missing) = in_transaction(client, async || read(client).await).await?;
    // Its view fails where the library is not loaded, and a failure ends a transaction.
    match compiling(client, measured.version).await {
        Ok(share) => measured.compiling = share,
        Err(error) if error.as_db_error().is_some() => missing.push(
            "pg_stat_statements cannot be read: whether compiling (jit) pays is not known; shared_preload_libraries = 'pg_stat_statements' and a restart make it count"
                .to_owned(),
        ),
        Err(error) => return Err(error.into()),
    }
    Ok((measured, missing))
}

async fn read(client: &Client) -> Result<(Measured, Vec<String>), Error> {
    let row = client.query_one(OVERALL, &[]).await?;
    let count = |number: i32| u32::try_from(number).unwrap_or(0);
    let version = count(row.try_get(0)?);
    let mut measured = Measured {
        version,
        temporary_bytes: u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or(0),
        replicas: count(row.try_get(2)?),
        slots: count(row.try_get(3)?),
        largest_rows: row.try_get(4)?,
        ..Measured::default()
    };
    for row in client.query(SETTINGS, &[]).await? {
        measured.settings.push(Setting {
            name: row.try_get(0)?,
            shown: row.try_get(1)?,
            number: row.try_get(2)?,
            unit: row.try_get(3)?,
            restart: row.try_get(4)?,
            words: row.try_get(5)?,
        });
    }
    let sql = if version >= 170_000 { CHECKPOINTER } else { CHECKPOINTS };
    let row = client.query_one(sql, &[]).await?;
    let number = |at: usize| row.try_get::<_, i64>(at).map(|it| u64::try_from(it).unwrap_or(0));
    measured.checkpoints = (number(0)?, number(1)?);
    measured.counted_for = row.try_get(2)?;
    if version >= 140_000 {
        measured.wal_rate = client.query_one(WAL, &[]).await?.try_get(0)?;
    }
    let mut missing = Vec::new();
    if measured.checkpoints.0 + measured.checkpoints.1 < 10 {
        missing.push("fewer than ten checkpoints were counted: whether max_wal_size is enough is not known yet".to_owned());
    }
    Ok((measured, missing))
}

/// The share of the time of statements that compiling them takes; `None`: nobody counts that.
async fn compiling(client: &Client, version: u32) -> Result<Option<f64>, tokio_postgres::Error> {
    if version < 150_000 {
        return Ok(None);
    }
    let Some(row) = client.query_opt(STATEMENTS, &[]).await? else { return Ok(None) };
    let schema: String = row.try_get(0)?;
    let sql = format!(
        "SELECT sum(jit_generation_time + jit_inlining_time + jit_optimization_time + jit_emission_time) / nullif(sum(total_exec_time), 0) \
         FROM {schema}.pg_stat_statements"
    );
    client.query_one(&sql, &[]).await?.try_get(0)
}
