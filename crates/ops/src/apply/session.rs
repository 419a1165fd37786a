//! The two connections of a run: one that changes the database, and one that looks on and can cancel. Not what they are used for.
//!
//! Invariant: names are resolved once, by the connection that changes things, and have their schemas from then on.

use std::time::Duration;

use tokio_postgres::Client;

use super::statement::{Action, Name, Step};
use super::{Error, Job, lock, place_of};
use crate::journal::Place;

/// Between two attempts to reach a server that is gone.
const AGAIN: Duration = Duration::from_millis(250);

/// Both connections, to one database.
pub(super) struct Sessions<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) place: Place,
    /// Changes things; holds the advisory lock.
    pub(super) runner: Client,
    /// Its process.
    pub(super) pid: i32,
    /// Looks on.
    pub(super) observer: Client,
    /// Settings for the statements to come, after a new login, too.
    pub(super) settings: Vec<String>,
}

impl<'a> Sessions<'a> {
    /// Logs in twice.
    pub(super) async fn open(job: &'a Job<'a>) -> Result<Self, Error> {
        let (runner, pid, observer) = log_in(job).await?;
        let place = place_of(&observer).await?;
        Ok(Self { job, place, runner, pid, observer, settings: Vec::new() })
    }

    /// Logs in again after the server was gone, and takes the lock again, which whoever went on building without us holds until it has ended.
    pub(super) async fn renew(&mut self) -> Result<(), Error> {
        let begun = tokio::time::Instant::now();
        loop {
            match self.again().await {
                Ok(()) => return lock::take(self).await,
                Err(error) if begun.elapsed() >= self.job.limits.reconnect => return Err(error),
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    async fn again(&mut self) -> Result<(), Error> {
        let (runner, pid, observer) = log_in(self.job).await?;
        // Another server at the same address would be told to drop indexes that it never had.
        let place = place_of(&observer).await?;
        if place.key != self.place.key {
            return Err(Error::Unreachable(format!("{} is another database now", place.name)));
        }
        for sql in &self.settings {
            runner.batch_execute(sql).await?;
        }
        (self.runner, self.pid, self.observer) = (runner, pid, observer);
        Ok(())
    }

    /// Gives every name its schema.
    pub(super) async fn qualify(&self, steps: Vec<Step>) -> Result<Vec<Step>, Error> {
        let mut qualified = Vec::with_capacity(steps.len());
        for mut step in steps {
            match &mut step.action {
                Action::CreateIndex { index, table } => {
                    self.relation(table).await?;
                    index.schema.clone_from(&table.schema);
                }
                Action::DropIndex { index } if index.schema.is_empty() => {
                    self.relation(index).await?;
                }
                Action::Reindex { index } => self.relation(index).await?,
                Action::Analyze { table } | Action::Options { table, .. } => {
                    self.relation(table).await?;
                }
                Action::CreateStatistics { statistics, table } => {
                    self.relation(table).await?;
                    self.schema(statistics).await?;
                }
                Action::DropStatistics { statistics } => self.schema(statistics).await?,
                Action::DropIndex { .. } | Action::Attribute | Action::Session => {}
            }
            qualified.push(step);
        }
        Ok(qualified)
    }

    async fn relation(&self, name: &mut Name) -> Result<(), Error> {
        const FIND: &str = "SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)";
        let found = self.runner.query_opt(FIND, &[&name.quoted()]).await?;
        name.schema = found.ok_or_else(|| Error::Missing(name.to_string()))?.get(0);
        Ok(())
    }

    async fn schema(&self, name: &mut Name) -> Result<(), Error> {
        if name.schema.is_empty() {
            let row = self.runner.query_one("SELECT current_schema()::text", &[]).await?;
            name.schema = row.get::<_, Option<String>>(0).unwrap_or_default();
        }
        Ok(())
    }

    /// It shall stop.
    pub(super) fn stopped(&self) -> bool {
        *self.job.stop.borrow()
    }
}

async fn log_in(job: &Job<'_>) -> Result<(Client, i32, Client), Error> {
    let runner = job.connect.connect().await.map_err(Error::Unreachable)?;
    // A build takes as long as it takes. The lock's own limit is set for each statement.
    let row = runner
        .query_one(
            "SELECT pg_backend_pid(), set_config('statement_timeout', '0', false), \
             (SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout')",
            &[],
        )
        .await?;
    let pid = row.get(0);
    let observer = job.connect.connect().await.map_err(Error::Unreachable)?;
    observer
        .batch_execute(
            "SET search_path = pg_catalog; SET statement_timeout = '30s'; SET lock_timeout = '5s'",
        )
        .await?;
    observer
        .query_opt("SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'", &[])
        .await?;
    Ok((runner, pid, observer))
}
