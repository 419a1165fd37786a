//! Bringing runs to an end that were interrupted: the journal says what had been sent, the catalog what became of it.
//!
//! Invariant: called with the advisory lock only, so that nobody is still at work on what is judged here.

use super::run::{self, clean};
use super::session::Sessions;
use super::statement::Action;
use super::{Error, Event, Picture, preflight};
use crate::journal::{Direction, Run, State, Statement};

/// Looks for them, and ends them.
pub(super) async fn run(sessions: &mut Sessions<'_>) -> Result<(), Error> {
    for interrupted in sessions.job.journal.unfinished(&sessions.place.key)? {
        // What stands against any change stands against cleaning up, too.
        preflight::primary(sessions).await?;
        let mut done = 0;
        for statement in &interrupted.statements {
            let well = match statement.ended_ms {
                Some(_) => statement.done,
                None => end(sessions, &interrupted, statement).await?,
            };
            done += usize::from(well);
        }
        let advice = sessions.job.journal.entry(&sessions.place.key, &interrupted.advice)?;
        let steps = match interrupted.direction {
            Direction::Apply => advice.map_or(0, |entry| entry.advice.apply.len()),
            Direction::Undo => usize::MAX,
        };
        let state = match interrupted.direction {
            Direction::Apply if done > 0 && done >= steps => State::Applied,
            Direction::Apply => State::Open,
            // What is taken back already is passed over by the next attempt.
            Direction::Undo => State::Applied,
        };
        let outcome = format!("interrupted; {done} statements had been carried out");
        sessions.job.journal.finish(interrupted.id, state, &outcome)?;
        (sessions.job.tell)(Event::Recovered(format!("an earlier run was {outcome}")));
    }
    Ok(())
}

/// Ends one statement of which nobody knows how it ended; true: it did what it should.
async fn end(sessions: &mut Sessions<'_>, run: &Run, statement: &Statement) -> Result<bool, Error> {
    let journal = sessions.job.journal;
    let Ok(action) = serde_json::from_str::<Action>(&statement.object) else {
        journal.ended(statement.id, false, "interrupted")?;
        return Ok(false);
    };
    let now = Picture::of(&sessions.observer, &action).await?;
    let well = match &action {
        Action::CreateIndex { .. } => now.is_whole(),
        // The yes was given, and half of a DROP has been done.
        Action::DropIndex { .. } => now == Picture::Absent || !now.is_whole(),
        Action::CreateStatistics { .. }
        | Action::DropStatistics { .. }
        | Action::Options { .. } => {
            serde_json::to_string(&now).is_ok_and(|now| now != statement.before)
        }
        Action::Reindex { .. } | Action::Analyze { .. } | Action::Attribute | Action::Session => {
            false
        }
    };
    let text = if well { "interrupted, and carried out" } else { "interrupted" };
    if !now.is_whole() || matches!(action, Action::Reindex { .. }) {
        clean(sessions, run.id, &action).await?;
    }
    journal.ended(statement.id, well, text)?;
    Ok(well)
}

/// Whether a run that was interrupted had begun to make this index.
pub(super) fn is_ours(sessions: &Sessions<'_>, action: &Action) -> Result<bool, Error> {
    let object = run::object(action);
    let runs = sessions.job.journal.unfinished(&sessions.place.key)?;
    let mut statements = runs.iter().flat_map(|run| &run.statements);
    Ok(statements.any(|statement| statement.object == object))
}
