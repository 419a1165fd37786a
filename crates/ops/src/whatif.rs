//! Which indexes to make, asked of PostgreSQL itself: a workload, the catalog, hypothetical indexes by the extension hypopg, and a choice
//! by `howdah-advisor`. Nothing is made here.
//!
//! Invariant: the database is only read: no statement of the workload is run, each is only planned, in read-only sessions with a timeout.

mod hypopg;
mod lane;
mod sample;
mod workload;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use howdah_advisor::catalog::Catalog;
use howdah_advisor::{Access, Choice, Recommendation, Told, Verified, Workload};
use tokio_postgres::Client;

use hypopg::Hypothetical;
pub(crate) use workload::from_statistics;
use workload::{from_counted, from_text};

/// One part of so many of a budget is kept back: predicted sizes err by a few per cent.
const RESERVE: u64 = 50;

/// A connection to the database that advice is for, one that nobody else uses, or why there is none.
pub type Connecting = Pin<Box<dyn Future<Output = Result<Client, String>> + Send>>;

/// Makes connections to the database that advice is for.
pub type Connect = Arc<dyn Fn() -> Connecting + Send + Sync>;

/// Why there is no advice on indexes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no connection, or not any more.
    #[error("no connection to the database: {0}")]
    Connection(String),
    /// The catalog cannot be read.
    #[error(transparent)]
    Catalog(#[from] crate::catalog::Error),
    /// PostgreSQL said no.
    #[error("PostgreSQL: {0}")]
    Postgres(#[from] tokio_postgres::Error),
    /// The search ended in a way that it must not.
    #[error("the search for indexes broke off")]
    Broken,
}

/// What may be spent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Bytes of all new indexes together; `None`: half of what the tables have.
    pub bytes: Option<u64>,
    /// Time for the search.
    pub time: Duration,
    /// Statements that are planned at most.
    pub calls: u64,
    /// Connections that plan at the same time.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: None, time: Duration::from_secs(60), calls: 100_000, connections: 2 }
    }
}

/// Where the workload comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Statements with semicolons between them; each counts as much as its cost.
    Text(String),
    /// `pg_stat_statements`, by time.
    Statistics,
    /// Statements that somebody else has counted, by time, and for how many seconds, if that is known: what the tables' writes of that time
    /// were is reckoned by it.
    Counted(Vec<Counted>, Option<f64>),
}

/// A form of statements, as somebody has counted it.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// Its identity, to be told to people.
    pub fingerprint: String,
    /// A text of it, best with its literals: it is planned.
    pub sql: String,
    /// How often it ran.
    pub calls: f64,
    /// The time of all calls, in seconds.
    pub time: f64,
    /// Rows of all answers.
    pub rows: f64,
}

/// Advice on indexes, and what it was made of.
#[derive(Debug)]
#[non_exhaustive]
pub struct Advice {
    /// The catalog as it was read.
    pub catalog: Catalog,
    /// The statements, with their weights.
    pub workload: Workload,
    /// What they want of tables.
    pub accesses: Vec<Access>,
    /// What was chosen.
    pub choice: Choice,
    /// Who said what statements would cost.
    pub verified: Verified,
    /// The advice.
    pub recommendations: Vec<Recommendation>,
    /// What could not be looked at, or would make this better, in words.
    pub missing: Vec<String>,
    /// Time that the search took.
    pub time: Duration,
}

/// Advises on indexes for a workload. `say` is told what is going on, in words.
///
/// Not cancel safe in one respect: dropped half-way, the search goes on until its time is over or its connections are lost.
///
/// # Errors
/// There is no connection, the catalog cannot be read, or statistics of statements are wanted where there are none.
pub async fn advise_indexes(
    connect: Connect,
    source: Source,
    limits: Limits,
    say: impl Fn(&str) + Send + Sync,
) -> Result<Advice, Error> {
    let client = connect().await.map_err(Error::Connection)?;
    let mut catalog = crate::catalog::read(&client).await?;
    say(&format!("{} tables, {} indexes", catalog.tables.len(), catalog.indexes.len()));
    let workload = match source {
        Source::Text(text) => from_text(&text),
        Source::Statistics => {
            let (counted, missing) = from_statistics(&client, catalog.version).await?;
            Workload { missing, ..from_counted(counted) }
        }
        Source::Counted(counted, seconds) => {
            let part = seconds.zip(catalog.statistics_age).filter(|(_, age)| *age > 0.0);
            let unit = part.map_or(1.0, |(seconds, age)| seconds / age);
            Workload { unit: Some(unit), ..from_counted(counted) }
        }
    };
    let schema = hypopg::schema(&client).await?;
    let accesses = howdah_advisor::accesses(&catalog, &workload);
    sample::correct(&client, &mut catalog, &accesses).await?;
    drop(client);
    let mut asked = Asked { catalog, workload, limits, missing: Vec::new() };
    asked.note_missing(schema.is_none());
    say(&format!("{} statements", asked.workload.statements.len()));
    let (asked, accesses, choice, verified) = match schema {
        Some(schema) => asked.ask_planner(connect, schema, &say).await?,
        None => asked.ask_model().await?,
    };
    let Asked { catalog, workload, mut missing, .. } = asked;
    let (choice, time) = choice;
    for (statement, _) in
        workload.statements.iter().zip(&choice.before).filter(|(_, cost)| cost.is_none())
    {
        missing.push(format!(
            "{} cannot be planned, and was left out: the role needs SELECT on its tables (GRANT SELECT … or pg_read_all_data), or PostgreSQL does not take it; EXPLAIN says which",
            statement.fingerprint
        ));
    }
    let told = Told {
        catalog: &catalog,
        workload: &workload,
        accesses: &accesses,
        choice: &choice,
        verified,
    };
    let mut recommendations = howdah_advisor::recommendations(told);
    recommendations.extend(howdah_advisor::inverted(told));
    Ok(Advice { recommendations, catalog, workload, accesses, choice, verified, missing, time })
}

/// What is known before anything is asked.
struct Asked {
    catalog: Catalog,
    workload: Workload,
    limits: Limits,
    missing: Vec<String>,
}

type Answered = (Asked, Vec<Access>, (Choice, Duration), Verified);

impl Asked {
    fn note_missing(&mut self, no_hypopg: bool) {
        self.missing.append(&mut self.workload.missing);
        self.missing.extend(self.catalog.missing.iter().cloned());
        if no_hypopg {
            self.missing.push(
                "the extension hypopg is not in this database: costs are Howdah's own estimate, unverified; with it (package postgresql-…-hypopg, then CREATE EXTENSION hypopg) PostgreSQL's own planner says which hypothetical indexes it would use, and no index is made for that"
                    .to_owned(),
            );
        }
        let never = self.catalog.tables.iter().filter(|table| table.rows.is_none());
        for table in never.take(20) {
            self.missing
                .push(format!("{}.{} was never analysed: run ANALYZE", table.schema, table.name));
        }
    }

    fn budget(&self) -> howdah_advisor::Limits {
        let tables: u64 = self.catalog.tables.iter().map(|table| table.bytes).sum();
        let bytes = self.limits.bytes.unwrap_or(tables / 2);
        howdah_advisor::Limits { bytes: bytes - bytes / RESERVE, calls: self.limits.calls }
    }

    /// With hypothetical indexes; on a thread of its own, because the search asks and waits.
    async fn ask_planner(
        mut self,
        connect: Connect,
        schema: String,
        say: &(impl Fn(&str) + Send + Sync),
    ) -> Result<Answered, Error> {
        let accesses = howdah_advisor::accesses(&self.catalog, &self.workload);
        let twins = hypopg::twins(&self.catalog, &accesses);
        let settings =
            lane::Settings { connect, schema, twins, statements: Vec::new(), tables: Vec::new() };
        let mut oracle =
            Hypothetical::open(settings, &self.workload, &self.catalog, self.limits).await?;
        let before = oracle.before().await?;
        workload::weigh(&mut self.workload, &before);
        say("asking the planner");
        let (progress, mut news) = tokio::sync::watch::channel(String::new());
        let search = tokio::task::spawn_blocking(move || {
            let started = std::time::Instant::now();
            oracle.tell(progress);
            let limits = self.budget();
            let choice = howdah_advisor::choose(
                &self.catalog,
                &self.workload,
                &accesses,
                limits,
                &mut oracle,
            );
            choice.map(|choice| (self, accesses, (choice, started.elapsed()), Verified::Planner))
        });
        while news.changed().await.is_ok() {
            let text = news.borrow_and_update().clone();
            say(&text);
        }
        search.await.map_err(|_| Error::Broken)?
    }

    /// Without: by a model, which asks nobody.
    async fn ask_model(mut self) -> Result<Answered, Error> {
        let ones = vec![Some(1.0); self.workload.statements.len()];
        workload::weigh(&mut self.workload, &ones);
        let search = tokio::task::spawn_blocking(move || {
            let started = std::time::Instant::now();
            let accesses = howdah_advisor::accesses(&self.catalog, &self.workload);
            let mut model = howdah_advisor::Estimate::new(&self.catalog, &accesses);
            let limits = self.budget();
            let choice = howdah_advisor::choose(
                &self.catalog,
                &self.workload,
                &accesses,
                limits,
                &mut model,
            );
            let choice = match choice {
                Ok(choice) => choice,
                Err(never) => match never {},
            };
            (self, accesses, (choice, started.elapsed()), Verified::Model)
        });
        search.await.map_err(|_| Error::Broken)
    }
}
