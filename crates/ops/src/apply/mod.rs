//! Carrying advice out, and taking it back: over connections of its own, directly to the primary, one at a time for a database, each statement in the
//! journal before it is sent, and nothing half done left behind.
//!
//! Not here: what to advise, and asking whether to do it: the caller has the yes. Invariant: whatever happens, an invalid index that Howdah made is
//! removed, now or by the next run, which finds it by the journal.

mod error;
mod lock;
mod picture;
mod preflight;
mod recover;
mod run;
mod session;
mod statement;
mod words;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use howdah_advisor::Recommendation;
use tokio::sync::watch;
use tokio_postgres::Client;

pub use error::Error;
pub use picture::Picture;
pub use preflight::{Check, Weight, Window};
pub use statement::{Action, Name, Step, quoted};

use crate::journal::{Direction, Journal, Place, Run, State};
use crate::verify::{self, Verdict};
use preflight::Room;
use session::Sessions;

/// A login that goes on.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = Result<Client, String>> + 'a>>;

/// Where connections come from: each call logs in anew, directly to the server that is the primary.
pub trait Connect {
    /// Logs in.
    fn connect(&self) -> Connecting<'_>;
}

/// How far a run goes to get its way.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a statement that reads and writes would have to wait behind may wait itself (`ALTER TABLE`).
    pub lock: Duration,
    /// How long a statement that stops nobody (`CONCURRENTLY`) may wait for transactions that are older than it.
    pub concurrent_lock: Duration,
    /// Pauses before each further attempt after a lock was not had; their number bounds the attempts.
    pub pauses: Vec<Duration>,
    /// How long another run on the same database is waited for.
    pub wait: Duration,
    /// How long a server that is gone is waited for.
    pub reconnect: Duration,
    /// A transaction that is older is not waited for at all.
    pub oldest: Duration,
    /// A replica may be so far behind, in time.
    pub lag: Duration,
    /// When statements that build may begin; `None`: always.
    pub window: Option<Window>,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            lock: seconds(2),
            concurrent_lock: seconds(300),
            pauses: vec![seconds(5), seconds(25), seconds(125)],
            wait: seconds(3_600),
            reconnect: seconds(60),
            oldest: seconds(300),
            lag: seconds(60),
            window: None,
        }
    }
}

/// What happens, for whoever watches.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Something was looked at before anything is done.
    Checked(Check),
    /// Somebody else has to end first.
    Waits(String),
    /// A statement was sent.
    Sent(String),
    /// It goes on.
    Progress {
        /// What it does, in PostgreSQL's words.
        phase: String,
        /// How much of that, where it can be known.
        percent: Option<u8>,
        /// Whom it waits for; empty: nobody.
        waits_for: String,
    },
    /// It has ended well.
    Done {
        /// The statement.
        sql: String,
        /// How long it took.
        took: Duration,
    },
    /// What it would make is there already, or what it would remove is gone.
    Skipped(String),
    /// It will be tried again.
    Again {
        /// Why it failed.
        why: String,
        /// When.
        after: Duration,
    },
    /// What a build that failed had left is gone.
    Cleaned(String),
    /// An earlier run that was interrupted has been brought to an end.
    Recovered(String),
}

/// All that a run needs.
pub struct Job<'a> {
    /// Where connections come from.
    pub connect: &'a dyn Connect,
    /// Where everything is written down.
    pub journal: &'a Journal,
    /// Who has said yes.
    pub who: &'a str,
    /// How far to go.
    pub limits: &'a Limits,
    /// Statements that are run before and after, to see what it has done to them; reads only.
    pub samples: &'a [String],
    /// Who watches.
    pub tell: &'a (dyn Fn(Event) + Send + Sync),
    /// Becomes true when it shall stop: what runs is cancelled, and cleaned up.
    pub stop: watch::Receiver<bool>,
}

impl std::fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("who", &self.who)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What a run would do, and whether it may.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The database.
    pub place: Place,
    /// What would be sent.
    pub statements: Vec<String>,
    /// What was looked at.
    pub checks: Vec<Check>,
}

impl Preview {
    /// Nothing stands against it.
    #[must_use]
    pub fn may_begin(&self) -> bool {
        !self.checks.iter().any(|check| check.weight == Weight::Refused)
    }
}

/// What a run has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// What the advice is now.
    pub state: State,
    /// In words.
    pub outcome: String,
}

/// Which database a connection has reached.
///
/// # Errors
/// PostgreSQL does not answer.
pub async fn place_of(client: &Client) -> Result<Place, tokio_postgres::Error> {
    const ASK: &str = "SELECT current_database()::text, coalesce(inet_server_addr()::text, 'local'), coalesce(inet_server_port(), 0)";
    let row = client.query_one(ASK, &[]).await?;
    let (database, address): (String, String) = (row.get(0), row.get(1));
    let address = address.split('/').next().unwrap_or_default().to_owned();
    let name = match row.get::<_, i32>(2) {
        0 => format!("{database} ({address})"),
        port => format!("{database} ({address}:{port})"),
    };
    let system = client.query_one("SELECT system_identifier::text FROM pg_control_system()", &[]);
    // Where that is not for everybody to know, the address has to do.
    let system = system.await.map_or_else(|_| name.clone(), |row| row.get(0));
    Ok(Place { key: format!("{system}/{database}"), name })
}

/// What applying would do, without doing anything.
///
/// # Errors
/// The advice is nothing that Howdah carries out, or the server does not answer.
pub async fn preview(job: &Job<'_>, advice: &Recommendation) -> Result<Preview, Error> {
    let steps = steps(&advice.apply)?;
    let sessions = Sessions::open(job).await?;
    let steps = sessions.qualify(steps).await?;
    let mut checks = lock::look(&sessions).await?;
    checks.extend(preflight::look(&sessions, &steps, room(job, advice)).await?);
    let statements = steps.into_iter().map(|step| step.sql).collect();
    Ok(Preview { place: sessions.place, statements, checks })
}

fn room<'a>(job: &'a Job<'_>, advice: &Recommendation) -> Room<'a> {
    Room { bytes: u64::try_from(advice.costs.bytes).unwrap_or(0), limits: job.limits }
}

/// Carries advice out.
///
/// Dropping the future leaves the statement that runs to the server and the run to the next one; [`Job::stop`] is the way to end it.
///
/// # Errors
/// What stood against it, or how it failed; then nothing half done is left, except with [`Error::Lost`].
pub async fn apply(job: &Job<'_>, advice: &Recommendation) -> Result<Finished, Error> {
    let steps = steps(&advice.apply)?;
    let mut sessions = Sessions::open(job).await?;
    let steps = sessions.qualify(steps).await?;
    lock::take(&sessions).await?;
    recover::run(&mut sessions).await?;
    preflight::pass(&sessions, &steps, room(job, advice)).await?;
    remember(&sessions, advice).await?;
    let run = job.journal.begin(&sessions.place, advice, Direction::Apply, job.who)?;
    let done = run::all(&mut sessions, run, &steps).await;
    if done.is_ok()
        && let Ok(start) = verify::measure(&sessions.observer, advice, &[]).await
    {
        // What ran while it was carried out counts neither before nor after.
        job.journal.measured(&sessions.place.key, &advice.id, verify::START, &start)?;
    }
    conclude(&sessions, run, done, (State::Applied, State::Open))
}

/// Keeps what statements take before it is carried out.
async fn remember(sessions: &Sessions<'_>, advice: &Recommendation) -> Result<(), Error> {
    let job = sessions.job;
    let measured = verify::measure(&sessions.observer, advice, job.samples).await;
    let measured = measured.map_err(|error| Error::Samples(error.to_string()))?;
    Ok(job.journal.measured(&sessions.place.key, &advice.id, verify::BEFORE, &measured)?)
}

/// Says what advice that was carried out has done, and notes it as its state.
///
/// # Errors
/// It was not carried out, nothing was measured before, or the server does not answer.
pub async fn verify(job: &Job<'_>, advice: &Recommendation) -> Result<Verdict, Error> {
    let sessions = Sessions::open(job).await?;
    let (key, id) = (sessions.place.key.as_str(), advice.id.as_str());
    let applied = job.journal.entry(key, id)?.is_some_and(|entry| entry.state.is_applied());
    let begun = verify::begun(job.journal, key, id)?;
    let (true, Some((before, start))) = (applied, begun) else {
        return Err(Error::NothingToVerify);
    };
    let after = verify::measure(&sessions.observer, advice, job.samples).await;
    let after = after.map_err(|error| Error::Samples(error.to_string()))?;
    job.journal.measured(key, id, verify::AFTER, &after)?;
    let verdict = verify::judge(&before, &start, &after);
    if let Some(state) = verdict.state {
        job.journal.decide(key, id, state, (job.who, &verdict.why))?;
    }
    Ok(verdict)
}

/// Takes advice back: the exact way, as the journal has it, and compares the catalog with what it was.
///
/// As for dropping the future: see [`apply`].
///
/// # Errors
/// Nothing is there to take back, or how it failed.
pub async fn undo(job: &Job<'_>, advice: &Recommendation) -> Result<Finished, Error> {
    let mut sessions = Sessions::open(job).await?;
    lock::take(&sessions).await?;
    recover::run(&mut sessions).await?;
    let runs = job.journal.runs(&sessions.place.key, &advice.id)?;
    let was = job.journal.entry(&sessions.place.key, &advice.id)?.map(|entry| entry.state);
    let (texts, before) = ways_back(&runs);
    if texts.is_empty() {
        return Err(Error::NothingToUndo);
    }
    let steps = sessions.qualify(steps(&texts)?).await?;
    preflight::pass(&sessions, &steps, Room { bytes: 0, limits: job.limits }).await?;
    let run = job.journal.begin(&sessions.place, advice, Direction::Undo, job.who)?;
    let mut done = run::all(&mut sessions, run, &steps).await;
    if done.is_ok()
        && let Some(difference) = differs(&sessions, &before).await?
    {
        done = Err(Error::Differs(difference));
    }
    conclude(&sessions, run, done, (State::Reverted, was.unwrap_or(State::Applied)))
}

/// Ends the run in the journal, unless nobody knows how it ended.
fn conclude(
    sessions: &Sessions<'_>,
    run: i64,
    done: Result<String, Error>,
    (good, bad): (State, State),
) -> Result<Finished, Error> {
    match done {
        Ok(outcome) => {
            sessions.job.journal.finish(run, good, &outcome)?;
            Ok(Finished { state: good, outcome })
        }
        Err(error) => {
            if !error.leaves_doubt() {
                sessions.job.journal.finish(run, bad, &error.to_string())?;
            }
            Err(error)
        }
    }
}

/// Recognises statements.
///
/// # Errors
/// There are none, or one is for a person to run.
fn steps(statements: &[String]) -> Result<Vec<Step>, Error> {
    if statements.is_empty() {
        return Err(Error::ForPeople("it has no statements: a person has to do it".to_owned()));
    }
    statements.iter().map(|sql| Step::of(sql).map_err(Error::ForPeople)).collect()
}

/// The statements that take back all that these runs of one piece of advice have done.
#[must_use]
pub fn way_back(runs: &[Run]) -> Vec<String> {
    ways_back(runs).0
}

/// The indexes that these runs have made, whether they are still there or not.
#[must_use]
pub fn made(runs: &[Run]) -> Vec<Name> {
    let runs = runs.iter().filter(|run| run.direction == Direction::Apply);
    let done = runs.flat_map(|run| &run.statements).filter(|statement| statement.done);
    let made = done.filter_map(|statement| {
        let action = serde_json::from_str(&statement.object).ok()?;
        if let Action::CreateIndex { index, .. } = action { Some(index) } else { None }
    });
    made.collect()
}

/// What takes back all that was done and not yet taken back, the last first, and what the catalog said before.
fn ways_back(runs: &[Run]) -> (Vec<String>, Vec<(String, String)>) {
    let reverted = |run: &Run| run.direction == Direction::Undo && run.outcome == run::WELL;
    let from = runs.iter().rposition(reverted).map_or(0, |at| at + 1);
    let runs = runs.iter().skip(from).filter(|run| run.direction == Direction::Apply);
    let done: Vec<_> = runs
        .flat_map(|run| &run.statements)
        .filter(|statement| statement.done && !statement.back.is_empty())
        .collect();
    let texts = done.iter().rev().flat_map(|statement| statement.back.clone()).collect();
    let before =
        done.iter().map(|statement| (statement.object.clone(), statement.before.clone())).collect();
    (texts, before)
}

/// Where the catalog is not as it was, in words.
async fn differs(
    sessions: &Sessions<'_>,
    before: &[(String, String)],
) -> Result<Option<String>, Error> {
    for (object, was) in before {
        let (Ok(action), Ok(was)) =
            (serde_json::from_str::<Action>(object), serde_json::from_str::<Picture>(was))
        else {
            continue;
        };
        let now = Picture::of(&sessions.observer, &action).await?;
        if now != was {
            return Ok(Some(format!("before: {was:?}; now: {now:?}")));
        }
    }
    Ok(None)
}
