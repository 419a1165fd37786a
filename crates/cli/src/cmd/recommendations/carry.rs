//! `apply` and `undo`: showing what will be done, asking, and telling how it goes. The doing is the library's.
//!
//! Invariant: without `--yes` and without a terminal nothing is done. The first Ctrl-C cancels and cleans up; the second one leaves that to the next run.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Context as _, anyhow};
use howdah::ops::apply::{self, Error, Event, Job, Limits, Weight};
use howdah::ops::journal::{Entry, Journal};
use tokio::sync::watch;

use super::{Apply, Door, find};
use crate::exit::{Exit, Failure, Outcome};
use crate::signals::Signals;
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
    let job = job(&door, &journal, (&who, &limits), stopped);
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
    Job { connect: door, journal, who, limits, tell: &tell, stop }
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
