//! One statement after the other: written down, sent, watched, judged by the catalog, and cleaned up after.
//!
//! Invariant: a statement counts as done when the catalog says so, not when the connection says so.

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;

use super::error::said;
use super::session::Sessions;
use super::statement::{Action, Name, Step, quoted};
use super::{Error, Event, Picture};
use crate::journal::{Intent, Purpose};

/// How a run ends that did all.
pub(super) const WELL: &str = "done";
/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long one look may take, and how many in a row may fail, before the server counts as gone.
const ANSWER: Duration = Duration::from_secs(10);
const SILENT: u32 = 6;
/// How often what is left of a build is tried to be dropped.
const CLEANINGS: usize = 3;

const PROGRESS: &str = "\
SELECT p.phase, CASE WHEN p.blocks_total > 0 THEN 100 * p.blocks_done / p.blocks_total WHEN p.tuples_total > 0 THEN 100 * p.tuples_done / p.tuples_total \
  WHEN p.lockers_total > 0 THEN 100 * p.lockers_done / p.lockers_total END::int, \
  coalesce((SELECT format('process %s (%s, %s)', a.pid, a.usename, coalesce(nullif(a.application_name, ''), 'no application name')) FROM pg_stat_activity a WHERE a.pid = p.current_locker_pid), '') \
FROM pg_stat_progress_create_index p WHERE p.pid = $1";

/// How one attempt ended.
enum Ended {
    /// PostgreSQL says it is done.
    Well,
    /// PostgreSQL refuses.
    Refused(tokio_postgres::Error),
    /// The connection has ended, or nobody answers.
    Gone,
    /// It shall stop, and was cancelled.
    Stopped,
}

/// What the journal calls the thing that a statement is about.
pub(super) fn object(action: &Action) -> String {
    serde_json::to_string(action).unwrap_or_default()
}

/// Runs all steps; the text says how it ended.
pub(super) async fn all(
    sessions: &mut Sessions<'_>,
    run: i64,
    steps: &[Step],
) -> Result<String, Error> {
    for step in steps {
        if sessions.stopped() {
            return Err(Error::Stopped);
        }
        one(sessions, run, step).await?;
    }
    Ok(WELL.to_owned())
}

async fn one(sessions: &mut Sessions<'_>, run: i64, step: &Step) -> Result<(), Error> {
    let job = sessions.job;
    if step.action == Action::Session {
        sessions.runner.batch_execute(&step.sql).await?;
        sessions.settings.push(step.sql.clone());
        return Ok(());
    }
    let mut attempts = 0;
    loop {
        let before = Picture::of(&sessions.observer, &step.action).await?;
        if is_reached(&step.action, &before) == Some(true) {
            (job.tell)(Event::Skipped(step.sql.clone()));
            return Ok(());
        }
        attempts += 1;
        let intent = Intent {
            purpose: Purpose::Step,
            sql: step.sql.clone(),
            object: object(&step.action),
            before: serde_json::to_string(&before).unwrap_or_default(),
            back: before.back(&step.action),
        };
        let statement = job.journal.intend(run, &intent)?;
        let begun = Instant::now();
        let why = match send(sessions, &step.sql, &step.action).await? {
            Ended::Well => None,
            Ended::Refused(error) if is_gone(&error) => Some(gone(sessions, &step.sql).await?),
            Ended::Gone => Some(gone(sessions, &step.sql).await?),
            Ended::Refused(error) => Some(Why { text: said(&error), again: is_for_a_lock(&error) }),
            Ended::Stopped => Some(Why { text: "stopped".to_owned(), again: false }),
        };
        let after = Picture::of(&sessions.observer, &step.action).await?;
        let mut done = is_reached(&step.action, &after).unwrap_or_else(|| why.is_none());
        let text = why.as_ref().map_or_else(|| WELL.to_owned(), |why| why.text.clone());
        if !done {
            clean(sessions, run, &step.action).await?;
            // Half of a DROP cannot be taken back by itself: cleaning up after it ends it.
            let after = Picture::of(&sessions.observer, &step.action).await?;
            done = is_reached(&step.action, &after).unwrap_or(false);
        }
        if done {
            job.journal.ended(statement, true, &text)?;
            (job.tell)(Event::Done { sql: step.sql.clone(), took: begun.elapsed() });
            return Ok(());
        }
        job.journal.ended(statement, false, &text)?;
        if sessions.stopped() {
            return Err(Error::Stopped);
        }
        let pause = job.limits.pauses.get(attempts - 1).copied();
        let again = why.as_ref().is_none_or(|why| why.again);
        match pause {
            Some(after) if again => {
                (job.tell)(Event::Again { why: text, after });
                rest(sessions, after).await;
            }
            _ if again => {
                return Err(Error::Blocked { sql: step.sql.clone(), said: text, attempts });
            }
            _ => return Err(Error::Failed { sql: step.sql.clone(), said: text }),
        }
    }
}

/// Why an attempt was none, and whether another one may be luckier.
struct Why {
    text: String,
    again: bool,
}

/// Whether the catalog is as the action wants it; `None`: it does not show.
fn is_reached(action: &Action, picture: &Picture) -> Option<bool> {
    match action {
        Action::CreateIndex { .. } => Some(picture.is_whole()),
        Action::DropIndex { .. } | Action::DropStatistics { .. } => {
            Some(*picture == Picture::Absent)
        }
        Action::CreateStatistics { .. } => Some(*picture != Picture::Absent),
        Action::Reindex { .. }
        | Action::Analyze { .. }
        | Action::Options { .. }
        | Action::Attribute
        | Action::Session => None,
    }
}

fn is_for_a_lock(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        *code == SqlState::LOCK_NOT_AVAILABLE || *code == SqlState::T_R_DEADLOCK_DETECTED
    })
}

/// The server ends our connection, or has ended.
fn is_gone(error: &tokio_postgres::Error) -> bool {
    let ending = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW];
    error.code().is_none_or(|code| ending.contains(code))
}

/// Comes back to a server that was gone.
async fn gone(sessions: &mut Sessions<'_>, sql: &str) -> Result<Why, Error> {
    (sessions.job.tell)(Event::Waits("the server, which is gone".to_owned()));
    match sessions.renew().await {
        Ok(()) => Ok(Why { text: "the connection was lost".to_owned(), again: true }),
        Err(_) => Err(Error::Lost { sql: sql.to_owned() }),
    }
}

/// Waits, unless it shall stop.
async fn rest(sessions: &Sessions<'_>, pause: Duration) {
    let mut stop = sessions.job.stop.clone();
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = asked_to_stop(&mut stop) => {}
    }
}

/// Returns when it shall stop. Cancel safe.
async fn asked_to_stop(stop: &mut tokio::sync::watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could ask.
        std::future::pending::<()>().await;
    }
}

/// Sends a statement and watches it.
async fn send(sessions: &Sessions<'_>, sql: &str, action: &Action) -> Result<Ended, Error> {
    let limits = sessions.job.limits;
    let lock = if action.is_concurrent() { limits.concurrent_lock } else { limits.lock };
    let limit = format!("SET lock_timeout = {}", lock.as_millis().max(1));
    if let Err(error) = sessions.runner.batch_execute(&limit).await {
        return Ok(Ended::Refused(error));
    }
    (sessions.job.tell)(Event::Sent(sql.to_owned()));
    // In this form PostgreSQL admits one statement.
    let mut running = std::pin::pin!(sessions.runner.execute(sql, &[]));
    let mut stop = sessions.job.stop.clone();
    let (mut silent, mut told, mut stopped) = (0, None, false);
    loop {
        tokio::select! {
            ended = &mut running => {
                return Ok(match ended {
                    Ok(_) => Ended::Well,
                    Err(_) if stopped => Ended::Stopped,
                    Err(error) => Ended::Refused(error),
                });
            }
            () = asked_to_stop(&mut stop), if !stopped => {
                stopped = true;
                let _ = look(sessions, "SELECT pg_cancel_backend($1)").await;
            }
            () = tokio::time::sleep(LOOK) => match look(sessions, PROGRESS).await {
                Ok(progress) => {
                    silent = 0;
                    if progress.is_some() && progress != told {
                        told.clone_from(&progress);
                        if let Some(progress) = progress {
                            (sessions.job.tell)(progress);
                        }
                    }
                }
                Err(()) => silent += 1,
            },
        }
        if silent > SILENT {
            return Ok(Ended::Gone);
        }
    }
}

/// Asks the connection that looks on about the one that works.
async fn look(sessions: &Sessions<'_>, sql: &str) -> Result<Option<Event>, ()> {
    let of: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&sessions.pid];
    let asked = sessions.observer.query_opt(sql, &of);
    let row = tokio::time::timeout(ANSWER, asked).await.map_err(drop)?.map_err(drop)?;
    let Some(row) = row.filter(|row| row.len() == 3) else { return Ok(None) };
    let percent: Option<i32> = row.get(1);
    Ok(Some(Event::Progress {
        phase: row.get(0),
        percent: percent.and_then(|percent| u8::try_from(percent).ok()),
        waits_for: row.get(2),
    }))
}

/// Removes what a build that failed has left: the index of this name if it is invalid, the passing copies of a rebuild.
pub(super) async fn clean(
    sessions: &mut Sessions<'_>,
    run: i64,
    action: &Action,
) -> Result<(), Error> {
    let left = match action {
        Action::CreateIndex { index, .. } | Action::DropIndex { index } => {
            match Picture::of(&sessions.observer, action).await? {
                Picture::Index(found) if !found.valid => vec![index.clone()],
                Picture::Absent
                | Picture::Index(_)
                | Picture::Statistics { .. }
                | Picture::Options(_)
                | Picture::Nothing => Vec::new(),
            }
        }
        Action::Reindex { index } => copies(sessions, index).await?,
        Action::Analyze { .. }
        | Action::CreateStatistics { .. }
        | Action::DropStatistics { .. }
        | Action::Options { .. }
        | Action::Attribute
        | Action::Session => Vec::new(),
    };
    for index in left {
        remove(sessions, run, index).await?;
    }
    Ok(())
}

/// What `REINDEX CONCURRENTLY` of this index leaves when it fails: invalid ones beside it, under names that PostgreSQL makes from its name.
async fn copies(sessions: &Sessions<'_>, index: &Name) -> Result<Vec<Name>, Error> {
    const LEFT: &str = "\
SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
WHERE n.nspname = $1 AND NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND starts_with($2, regexp_replace(c.relname::text, '_cc(new|old)[0-9]*$', '')) \
  AND i.indrelid = (SELECT o.indrelid FROM pg_index o JOIN pg_class oc ON oc.oid = o.indexrelid WHERE oc.relnamespace = n.oid AND oc.relname = $2) \
  AND (octet_length(c.relname::text) >= 63 OR regexp_replace(c.relname::text, '_cc(new|old)[0-9]*$', '') = $2)";
    let rows = sessions.observer.query(LEFT, &[&index.schema, &index.name]).await?;
    let name = |row: &tokio_postgres::Row| Name { schema: index.schema.clone(), name: row.get(0) };
    Ok(rows.iter().map(name).collect())
}

/// Drops an invalid index.
async fn remove(sessions: &mut Sessions<'_>, run: i64, index: Name) -> Result<(), Error> {
    let sql = format!("DROP INDEX CONCURRENTLY {}.{}", quoted(&index.schema), quoted(&index.name));
    let action = Action::DropIndex { index };
    let mut text = String::new();
    for _ in 0..CLEANINGS {
        let intent = Intent {
            purpose: Purpose::Clean,
            sql: sql.clone(),
            object: object(&action),
            before: String::new(),
            back: Vec::new(),
        };
        let statement = sessions.job.journal.intend(run, &intent)?;
        (sessions.job.tell)(Event::Sent(sql.clone()));
        let limit = sessions.job.limits.concurrent_lock.as_millis().max(1);
        let sent = async {
            sessions.runner.batch_execute(&format!("SET lock_timeout = {limit}")).await?;
            sessions.runner.execute(sql.as_str(), &[]).await
        };
        match sent.await {
            Ok(_) => {
                sessions.job.journal.ended(statement, false, WELL)?;
                (sessions.job.tell)(Event::Cleaned(sql));
                return Ok(());
            }
            Err(error) => {
                text = said(&error);
                if is_gone(&error) {
                    gone(sessions, &sql).await?;
                }
                sessions.job.journal.ended(statement, false, &text)?;
            }
        }
        if Picture::of(&sessions.observer, &action).await? == Picture::Absent {
            return Ok(());
        }
    }
    let Action::DropIndex { index } = action else { return Ok(()) };
    Err(Error::Left { index: index.quoted(), said: text })
}
