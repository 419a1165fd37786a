//! `apply` and `undo`: showing what will be done, asking, and telling how it goes. The doing is the library's.
//!
//! Invariant: without `--yes` and without a terminal nothing is done. The first Ctrl-C cancels and cleans up; the second one leaves that to the next run.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use howdah::ops::apply::{self, Error, Event, Job, Limits, Weight};
use howdah::ops::journal::{Entry, Journal, State};
use serde_json::json;
use tokio::sync::watch;

use super::{Apply, Door, Verify, card, find};
use crate::exit::{Exit, Failure, Outcome};
use crate::signals::Signals;
use crate::table::Table;
use crate::terminal::{self, Talk};

/// Who sits here.
pub(super) fn who() -> String {
    let name = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let name = name.unwrap_or_else(|| format!("user {}", rustix::process::getuid().as_raw()));
    format!("{name}, at the command line")
}

impl Apply {
    fn limits(&self) -> Limits {
        Limits {
            concurrent_lock: self.lock_timeout,
            pauses: self.pauses.clone(),
            wait: self.wait,
            window: self.window,
            ..Limits::default()
        }
    }
}

/// Carries advice out.
pub(super) async fn apply(args: &Apply) -> Outcome {
    let (journal, door, entry) = find(&args.reach, &args.id).await?;
    let talk = Talk::new();
    let limits = args.limits();
    let who = who();
    let (stop, stopped) = watch::channel(false);
    let samples = samples(args.samples.as_deref())?;
    let job = Job { samples: &samples, ..job(&door, &journal, (&who, &limits), stopped) };
    if entry.state.is_applied() {
        talk.good("applied", "it is carried out already");
        return Ok(Exit::Done);
    }
    for caution in &entry.advice.cautions {
        talk.warn("caution", caution);
    }
    let preview = apply::preview(&job, &entry.advice).await.map_err(|error| failure(&error))?;
    for sql in &preview.statements {
        terminal::data(&format!("{sql};\n"))?;
    }
    if args.dry_run {
        for check in &preview.checks {
            tell_check(talk, check);
        }
        let exit = if preview.may_begin() { Exit::Done } else { Exit::CheckFailed };
        return Ok(exit);
    }
    confirm(args, &format!("Type yes to run this in {}: ", preview.place.name))?;
    let finished = until_stopped(stop, apply::apply(&job, &entry.advice)).await?;
    let finished = finished.map_err(|error| failure(&error))?;
    talk.good(finished.state.word(), &entry.advice.title);
    talk.hint("undo", &format!("howdah recommendations undo {}", entry.advice.id));
    Ok(Exit::Done)
}

/// Takes advice back.
pub(super) async fn undo(args: &Apply) -> Outcome {
    let (journal, door, entry) = find(&args.reach, &args.id).await?;
    let limits = args.limits();
    let who = who();
    let (stop, stopped) = watch::channel(false);
    let job = job(&door, &journal, (&who, &limits), stopped);
    let statements = undone(&journal, &entry)?;
    for sql in &statements {
        terminal::data(&format!("{sql};\n"))?;
    }
    if args.dry_run {
        return Ok(Exit::Done);
    }
    confirm(args, &format!("Type yes to run this in {}: ", door.place.name))?;
    let finished = until_stopped(stop, apply::undo(&job, &entry.advice)).await?;
    let finished = finished.map_err(|error| failure(&error))?;
    Talk::new()
        .good(finished.state.word(), &format!("{}: the catalog is as it was", entry.advice.title));
    Ok(Exit::Done)
}

/// What would take it back.
fn undone(journal: &Journal, entry: &Entry) -> Result<Vec<String>, Failure> {
    let runs = journal.runs(&entry.place.key, &entry.advice.id).context("the journal")?;
    let statements = apply::way_back(&runs);
    if statements.is_empty() {
        let text = format!("{}: Howdah has not changed anything for it", entry.advice.title);
        return Err(Failure::new(Exit::Failed, anyhow!(text)));
    }
    Ok(statements)
}

fn job<'a>(
    door: &'a Door,
    journal: &'a Journal,
    (who, limits): (&'a str, &'a Limits),
    stop: watch::Receiver<bool>,
) -> Job<'a> {
    Job { connect: door, journal, who, limits, samples: &[], tell: &tell, stop }
}

/// Says what advice that was carried out has done.
pub(super) async fn verify(args: &Verify) -> Outcome {
    let (journal, door, entry) = find(&args.reach, &args.id).await?;
    let (limits, who) = (Limits::default(), who());
    let samples = samples(args.samples.as_deref())?;
    let (_stop, stopped) = watch::channel(false);
    let job = Job { samples: &samples, ..job(&door, &journal, (&who, &limits), stopped) };
    let verdict = apply::verify(&job, &entry.advice).await.map_err(|error| failure(&error))?;
    if args.json {
        terminal::json(&json!({ "schema": "howdah.verdict/1", "verdict": verdict }))?;
        return Ok(Exit::Done);
    }
    let mut table =
        Table::new(&["statement", "before ms", "after ms", "blocks before", "after", "calls", ""]);
    for one in &verdict.statements {
        table.row(vec![
            card::short(&one.text),
            format!("{:.3}", one.time_ms.0),
            format!("{:.3}", one.time_ms.1),
            format!("{:.0}", one.blocks.0),
            format!("{:.0}", one.blocks.1),
            format!("{:.0}", one.calls.1),
            one.state.map_or("too few calls", State::word).to_owned(),
        ]);
    }
    terminal::data(&table.render())?;
    let talk = Talk::new();
    match verdict.state {
        Some(State::Regressed) => {
            talk.bad("regressed", &verdict.why);
            talk.hint("undo", &format!("howdah recommendations undo {}", entry.advice.id));
        }
        Some(state) => talk.good(state.word(), &verdict.why),
        None => talk.warn("not yet", &verdict.why),
    }
    Ok(Exit::Done)
}

/// The statements of a file.
fn samples(file: Option<&Path>) -> Result<Vec<String>, Failure> {
    let Some(file) = file else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Ok(howdah::ops::statements_in(&text))
}

/// Lets it run; the first signal asks it to stop, the second ends the wait.
async fn until_stopped<T>(
    stop: watch::Sender<bool>,
    work: impl Future<Output = T>,
) -> Result<T, Failure> {
    let mut signals = Signals::listen().context("cannot listen to signals")?;
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            _ = signals.stop() => {
                if stop.send_replace(true) {
                    let text = "left as it is: the next run looks what became of it";
                    return Err(Failure::new(Exit::Interrupted, anyhow!(text)));
                }
                Talk::new().line("stopping, and cleaning up; again: at once");
            }
        }
    }
}

fn confirm(args: &Apply, question: &str) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let error =
            anyhow!("nobody to ask whether to run this: --yes says it, --dry-run only shows");
        return Err(Failure::new(Exit::Usage, error));
    }
    terminal::ask(question);
    let mut line = String::new();
    stdin.lock().read_line(&mut line).context("cannot read the answer")?;
    if line.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::new(Exit::Interrupted, anyhow!("nothing was changed")))
}

fn failure(error: &Error) -> Failure {
    let exit = match error {
        Error::Refused(_) | Error::Busy(_) => Exit::CheckFailed,
        Error::Unreachable(_) | Error::Lost { .. } => Exit::Unreachable,
        Error::Stopped => Exit::Interrupted,
        Error::ForPeople(_)
        | Error::Missing(_)
        | Error::Failed { .. }
        | Error::Blocked { .. }
        | Error::Left { .. }
        | Error::NothingToUndo
        | Error::NothingToVerify
        | Error::Samples(_)
        | Error::Differs(_)
        | Error::Journal(_) => Exit::Failed,
    };
    Failure::new(exit, anyhow!(error.to_string()))
}

fn tell_check(talk: Talk, check: &apply::Check) {
    match check.weight {
        Weight::Good => talk.good(check.name, &check.text),
        Weight::Noted => talk.warn(check.name, &check.text),
        Weight::Refused => talk.bad(check.name, &check.text),
    }
}

fn tell(event: Event) {
    let talk = Talk::new();
    match event {
        Event::Checked(check) => tell_check(talk, &check),
        Event::Waits(text) => talk.warn("waits", &text),
        Event::Sent(sql) => talk.hint("runs", &sql),
        Event::Progress { phase, percent, waits_for } => {
            let percent = percent.map_or_else(String::new, |percent| format!(", {percent} %"));
            let waits = match waits_for.as_str() {
                "" => String::new(),
                whom => format!(", for {whom}"),
            };
            talk.hint("", &format!("{phase}{percent}{waits}"));
        }
        Event::Done { sql, took } => {
            talk.good("done", &format!("{sql} ({:.1} s)", took.as_secs_f64()));
        }
        Event::Skipped(sql) => talk.good("there already", &sql),
        Event::Again { why, after } => {
            talk.warn("again", &format!("{why}; next attempt in {} s", after.as_secs()));
        }
        Event::Cleaned(sql) => talk.warn("cleaned up", &sql),
        Event::Recovered(text) => talk.warn("recovered", &text),
    }
}
