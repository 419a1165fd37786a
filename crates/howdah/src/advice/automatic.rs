//! What follows advice: what was carried out is measured, and, in automatic mode, what is worth it is carried out, and what does not help is taken back. Which of that is next is
//! decided in `next`.
//!
//! Invariant: one change a look for a database, so that what is measured is its doing; outside the window nothing is changed.

use std::time::Duration;

use howdah_advisor::{Impact, Recommendation};
use howdah_ops::Usage;
use howdah_ops::apply::{self, Error, Event, Finished, Job, Limits};
use howdah_ops::journal::{Journal, State, now_ms};
use tokio::sync::watch;

use super::next::{Known, Next, WHO, next};
use super::{Advisor, Door};

/// Who measures, in every mode.
const MEASURES: &str = "Howdah";
/// How long another run on the same database is waited for; then there is the next look.
const WAIT: Duration = Duration::from_secs(5);

/// What a look at a database has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) advice: Vec<Recommendation>,
    pub(super) usage: Usage,
}

impl Advisor {
    /// Measures what was carried out, and acts if it may.
    pub(super) async fn follow_up_all(
        &self,
        found: Vec<(Door, Found)>,
        stopped: &watch::Receiver<bool>,
    ) {
        for (door, found) in found {
            if *stopped.borrow() {
                return;
            }
            if let Err(why) = self.follow_up(&door, &found, stopped).await {
                tracing::warn!(database = door.name(), why, "advice");
            }
        }
    }

    async fn follow_up(
        &self,
        door: &Door,
        found: &Found,
        stopped: &watch::Receiver<bool>,
    ) -> Result<(), String> {
        let journal = self.journal()?;
        let place = door.place().await?;
        let limits = Limits { window: self.options.window, wait: WAIT, ..Limits::default() };
        let job = |who| Job {
            connect: door,
            journal: &journal,
            who,
            limits: &limits,
            samples: &[],
            tell: &tell,
            stop: stopped.clone(),
        };
        measure(&job(MEASURES), &place.key).await?;
        match self.options.automatic {
            Some(from) if self.may_change(door).await? => {
                let known = known(&journal, &place.key)?;
                act(&job(WHO), &known, (found, from)).await;
            }
            _ => {}
        }
        Ok(())
    }

    async fn may_change(&self, door: &Door) -> Result<bool, String> {
        let Some(window) = self.options.window else { return Ok(true) };
        let client = door.primary().await.map_err(|refused| refused.reason)?;
        window.is_open(&client).await.map_err(|error| error.to_string())
    }
}

/// Measures what was carried out and has no verdict yet.
async fn measure(job: &Job<'_>, place: &str) -> Result<(), String> {
    let all = job.journal.entries(Some(place)).map_err(|error| error.to_string())?;
    for entry in all.iter().filter(|entry| entry.state == State::Applied) {
        match apply::verify(job, &entry.advice).await {
            Ok(verdict) => tracing::info!(advice = entry.advice.id, why = verdict.why, "measured"),
            // What nothing was measured of before cannot be judged.
            Err(Error::NothingToVerify) => {}
            Err(error) => tracing::warn!(advice = entry.advice.id, %error, "not measured"),
        }
    }
    Ok(())
}

fn known(journal: &Journal, place: &str) -> Result<Vec<Known>, String> {
    let read = || {
        let all = journal.entries(Some(place))?.into_iter();
        let known = all.map(|entry| {
            let runs = journal.runs(place, &entry.advice.id)?;
            Ok(Known { entry, runs })
        });
        known.collect::<Result<_, howdah_ops::journal::Error>>()
    };
    read().map_err(|error| error.to_string())
}

/// Makes one change; what stands against one does not stand against the next.
async fn act(job: &Job<'_>, known: &[Known], (found, from): (&Found, Impact)) {
    match next(known, (&found.advice, &found.usage), (from, now_ms())) {
        Next::TakeBack(back) => {
            for (advice, why) in back {
                tracing::info!(advice = advice.title, why, "to be taken back");
                if is_over("taken back", advice, apply::undo(job, advice).await) {
                    break;
                }
            }
        }
        Next::CarryOut(wanted) => {
            for advice in wanted {
                if is_over("carried out", advice, apply::apply(job, advice).await) {
                    break;
                }
            }
        }
    }
}

/// Tells what became of it; false: it was not even begun.
fn is_over(what: &str, advice: &Recommendation, ended: Result<Finished, Error>) -> bool {
    match ended {
        Ok(finished) => {
            tracing::info!(advice = advice.title, outcome = finished.outcome, "{what}");
            true
        }
        Err(error) => {
            tracing::warn!(advice = advice.title, %error, "not {what}");
            !matches!(error, Error::Refused(_) | Error::ForPeople(_) | Error::Missing(_))
        }
    }
}

fn tell(event: Event) {
    if let Event::Cleaned(text) | Event::Recovered(text) | Event::Waits(text) = event {
        tracing::info!(text, "advice");
    }
}
