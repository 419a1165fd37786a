//! One run at a time for a database: an advisory lock, held by the connection that changes things. Whoever was killed while its server builds on
//! holds it through that server, until the build has ended.

use std::time::Duration;

use tokio_postgres::Client;

use super::preflight::{Check, Weight};
use super::session::Sessions;
use super::{Error, Event};

/// "howdah", and a number for this purpose.
const KEY: i64 = 0x686f_7764_6168_0001;
/// How often somebody else's end is looked for.
const LOOK: Duration = Duration::from_millis(500);

const HOLDER: &str = "\
SELECT l.pid, extract(epoch FROM clock_timestamp() - a.query_start)::float8, \
  (SELECT p.phase || coalesce(', ' || CASE WHEN p.blocks_total > 0 THEN 100 * p.blocks_done / p.blocks_total END || ' %', '') FROM pg_stat_progress_create_index p WHERE p.pid = l.pid) \
FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.classid::bigint << 32 | l.objid::bigint = $1";

/// Takes it, or waits until whoever has it has ended.
pub(super) async fn take(sessions: &Sessions<'_>) -> Result<(), Error> {
    let begun = tokio::time::Instant::now();
    let mut told = String::new();
    loop {
        let row = sessions.runner.query_one("SELECT pg_try_advisory_lock($1)", &[&KEY]).await?;
        if row.get(0) {
            return Ok(());
        }
        let text = holder(&sessions.observer).await?;
        let text = text.unwrap_or_else(|| "another run has just ended".to_owned());
        if begun.elapsed() >= sessions.job.limits.wait {
            return Err(Error::Busy(text));
        }
        if sessions.stopped() {
            return Err(Error::Stopped);
        }
        if told != text {
            (sessions.job.tell)(Event::Waits(text.clone()));
            told = text;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether somebody has it, as something to know before a run.
pub(super) async fn look(sessions: &Sessions<'_>) -> Result<Vec<Check>, Error> {
    let text = holder(&sessions.observer).await?;
    let check = |text| Check { name: "others", weight: Weight::Noted, text };
    Ok(text.into_iter().map(check).collect())
}

async fn holder(client: &Client) -> Result<Option<String>, Error> {
    let row = client.query_opt(HOLDER, &[&KEY]).await?;
    Ok(row.map(|row| {
        let (pid, progress): (i32, Option<String>) = (row.get(0), row.get(2));
        match progress {
            Some(progress) => {
                format!("another run of Howdah changes this database: process {pid}, {progress}")
            }
            None => format!("another run of Howdah changes this database: process {pid}"),
        }
    }))
}
