//! What follows advice: what was carried out is measured, and, in automatic mode, what is worth it is carried out, and what does not help is taken back.
//!
//! Invariant: one change a look for a database, so that what is measured is its doing; only kinds that harm nobody, and only what a run here has made is taken back.

use howdah_advisor::{Impact, Kind};
use howdah_ops::apply::{self, Event, Job, Limits};
use howdah_ops::journal::{Direction, Entry, Journal, State, now_ms};
use tokio::sync::watch;

use super::{Advisor, Door};

/// Whose yes it was.
const WHO: &str = "Howdah, by advice.mode = \"automatic\"";
/// Less sure advice is left to people.
const SURE: f64 = 0.7;
/// Milliseconds that an index is waited for to show what it does, before the next one is made.
const TRIAL: i64 = 86_400_000;
/// What may be done without a person: it takes nothing away.
const KINDS: [Kind; 3] = [Kind::CreateIndex, Kind::Analyze, Kind::RebuildIndex];

impl Advisor {
    /// Measures what was carried out, and acts if it may.
    pub(super) async fn follow_up_all(&self, stopped: &watch::Receiver<bool>) {
        for door in Self::doors(&self.observer.settings()) {
            if *stopped.borrow() {
                return;
            }
            if let Err(why) = self.follow_up(&door, stopped).await {
                tracing::warn!(database = door.name(), why, "advice");
            }
        }
    }

    async fn follow_up(&self, door: &Door, stopped: &watch::Receiver<bool>) -> Result<(), String> {
        let journal = self.journal()?;
        let place = door.place().await?;
        let limits = Limits {
            window: self.options.window,
            wait: std::time::Duration::from_secs(5),
            ..Limits::default()
        };
        let job = Job {
            connect: door,
            journal: &journal,
            who: WHO,
            limits: &limits,
            samples: &[],
            tell: &tell,
            stop: stopped.clone(),
        };
        let known = || journal.entries(Some(&place.key)).map_err(|error| error.to_string());
        for entry in known()?.iter().filter(|entry| entry.state == State::Applied) {
            // What nothing was measured of before cannot be judged.
            let verdict = apply::verify(&job, &entry.advice).await;
            if let Ok(verdict) = verdict {
                tracing::info!(advice = entry.advice.id, why = verdict.why, "measured");
            }
        }
        let Some(from) = self.options.automatic else { return Ok(()) };
        let all = known()?;
        if let Some(entry) = all.iter().find(|entry| did_not_help(&journal, entry)) {
            let undone =
                apply::undo(&job, &entry.advice).await.map_err(|error| error.to_string())?;
            tracing::info!(advice = entry.advice.title, outcome = undone.outcome, "taken back");
            return Ok(());
        }
        let mut wanted: Vec<&Entry> = all.iter().filter(|entry| is_wanted(entry, from)).collect();
        wanted.sort_by(|a, b| saves(b).total_cmp(&saves(a)));
        if let Some(entry) = wanted.first().filter(|_| !all.iter().any(is_on_trial)) {
            let done =
                apply::apply(&job, &entry.advice).await.map_err(|error| error.to_string())?;
            tracing::info!(advice = entry.advice.title, outcome = done.outcome, "carried out");
        }
        Ok(())
    }
}

fn saves(entry: &Entry) -> f64 {
    entry.advice.saves.unwrap_or(0.0)
}

/// Somebody has carried it out not long ago, and what it does is not known yet.
fn is_on_trial(entry: &Entry) -> bool {
    let recent = now_ms().saturating_sub(entry.changed_ms) < TRIAL;
    recent && entry.state == State::Applied && entry.advice.kind == Kind::CreateIndex
}

fn is_wanted(entry: &Entry, from: Impact) -> bool {
    let advice = &entry.advice;
    entry.state == State::Open
        && KINDS.contains(&advice.kind)
        && advice.impact >= from
        && advice.confidence >= SURE
        && !advice.apply.is_empty()
}

/// It made something slower, and it was nobody's wish but this one's.
fn did_not_help(journal: &Journal, entry: &Entry) -> bool {
    let runs = journal.runs(&entry.place.key, &entry.advice.id).unwrap_or_default();
    let last = runs.iter().rfind(|run| run.direction == Direction::Apply);
    entry.state == State::Regressed && last.is_some_and(|run| run.who == WHO)
}

fn tell(event: Event) {
    if let Event::Cleaned(text) | Event::Recovered(text) | Event::Waits(text) = event {
        tracing::info!(text, "advice");
    }
}
