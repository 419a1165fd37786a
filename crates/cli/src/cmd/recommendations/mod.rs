//! `howdah recommendations`: what would make the databases better, carried out after a yes and taken back. The finding and the carrying out are the
//! library's (`howdah::ops`).
//!
//! Invariant: nothing is changed in a database before the yes, and `--dry-run` changes nothing at all.

pub(crate) mod card;
mod carry;
mod export;
pub(crate) mod reach;

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use howdah::advisor::Recommendation;
use howdah::ops::apply::Window;
use howdah::ops::by_gain;
use howdah::ops::journal::{Entry, Journal, State, now_ms};
use serde_json::json;

use crate::exit::{Exit, Failure, Outcome};
use crate::table::Table;
use crate::terminal::{self, Talk};
use reach::{Door, Reach};

/// Arguments of `howdah recommendations`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What to do with advice.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// What would make the databases better, and what became of earlier advice
    List(List),
    /// One of them closely: why, what it costs, the statements, what was done
    Show(One),
    /// Carry one out, after showing it
    Apply(Apply),
    /// Take one back, exactly
    Undo(Apply),
    /// What one that was carried out has done to statements, measured
    Verify(Verify),
    /// Never offer one again
    Dismiss(Dismiss),
    /// The statements of what is open, for a migration
    Export(Export),
    /// Take in advice from a file: what `--json` of this and of `howdah advise` prints
    Add(Add),
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    reach: Reach,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Only what is known from earlier: the databases are not looked at
    #[arg(long)]
    known: bool,
    /// Dismissed and taken back ones, too
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Args)]
struct One {
    /// Its id
    id: String,
    #[command(flatten)]
    reach: Reach,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Apply {
    /// Its id
    id: String,
    #[command(flatten)]
    reach: Reach,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Show the statements and what stands against them, and change nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Builds begin only within this time of the day, in the server's time zone
    #[arg(long, value_name = "HH:MM-HH:MM")]
    window: Option<Window>,
    /// Pauses before further attempts when a lock is not had; their number bounds the attempts
    #[arg(long, value_name = "TIME", value_delimiter = ',', value_parser = howdah::config::parse_duration, default_value = "5s,25s,2m")]
    pauses: Vec<std::time::Duration>,
    /// How long transactions are waited for, at most
    #[arg(long, value_name = "TIME", value_parser = howdah::config::parse_duration, default_value = "5m")]
    lock_timeout: std::time::Duration,
    /// Statements that read, run before and, by `verify`, after, to see what it has done to them
    #[arg(long, value_name = "FILE")]
    samples: Option<PathBuf>,
    /// How long another run on the same database is waited for
    #[arg(long, value_name = "TIME", value_parser = howdah::config::parse_duration, default_value = "1h")]
    wait: std::time::Duration,
}

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// Its id
    id: String,
    #[command(flatten)]
    reach: Reach,
    /// The statements that `apply` was given
    #[arg(long, value_name = "FILE")]
    samples: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Dismiss {
    /// Its id
    id: String,
    /// Why, for whoever asks later
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, clap::Args)]
struct Export {
    /// Only these
    ids: Vec<String>,
    #[command(flatten)]
    reach: Reach,
    /// What it is written as
    #[arg(long, value_enum, default_value_t = export::Format::Sql)]
    format: export::Format,
}

#[derive(Debug, clap::Args)]
struct Add {
    /// The file; `-`: standard input
    file: PathBuf,
    #[command(flatten)]
    reach: Reach,
}

/// Waits, on this thread alone.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(work)
}

/// Does it.
pub(crate) fn run(args: &Args) -> Outcome {
    block_on(async {
        match &args.verb {
            Verb::List(args) => list(args).await,
            Verb::Show(args) => show(args).await,
            Verb::Apply(args) => carry::apply(args).await,
            Verb::Undo(args) => carry::undo(args).await,
            Verb::Verify(args) => carry::verify(args).await,
            Verb::Dismiss(args) => dismiss(args).await,
            Verb::Export(args) => write_down(args).await,
            Verb::Add(args) => add(args).await,
        }
    })
}

/// All advice for the databases, known from earlier and, if wanted, found now.
async fn look(reach: &Reach, now: bool) -> Result<(Journal, Vec<Entry>), Failure> {
    let journal = reach.journal()?;
    let mut entries = Vec::new();
    for door in reach.doors().await? {
        match if now { Some(reach.look(&door, Talk::new()).await) } else { None } {
            Some(Ok(look)) => {
                let found = (look.found.as_slice(), look.kinds.as_slice());
                journal.recommended(&door.place, found, now_ms()).context("the journal")?;
            }
            // What is known stays.
            Some(Err(failure)) => {
                let why = format!("{}: {failure}", door.place.name);
                Talk::new().warn("not looked at", &why);
            }
            None => {}
        }
        entries.extend(journal.entries(Some(&door.place.key)).context("the journal")?);
    }
    Ok((journal, entries))
}

async fn list(args: &List) -> Outcome {
    let (_, mut entries) = look(&args.reach, !args.known).await?;
    let hidden = |entry: &Entry| matches!(entry.state, State::Dismissed | State::Reverted);
    if !args.all {
        entries.retain(|entry| !hidden(entry));
    }
    entries.sort_by(|a, b| a.state.cmp(&b.state).then(by_gain(&a.advice, &b.advice)));
    if args.json {
        terminal::json(
            &json!({ "schema": "howdah.recommendations/1", "recommendations": entries }),
        )?;
        return Ok(Exit::Done);
    }
    if entries.is_empty() {
        Talk::new().line("nothing is recommended");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["id", "state", "impact", "sure", "saves", "what", "database"]);
    for Entry { state, advice, place, .. } in &entries {
        table.row(vec![
            advice.id.clone(),
            state.word().to_owned(),
            card::impact(advice.impact).to_owned(),
            format!("{:.0} %", advice.confidence * 100.0),
            advice.saves.map_or_else(String::new, |saves| format!("{:.1} %", saves * 100.0)),
            advice.title.clone(),
            place.name.clone(),
        ]);
    }
    terminal::data(&table.render())?;
    Ok(Exit::Done)
}

/// One piece of advice, with the door to its database. The beginning of an id is enough when it is the only one.
async fn find(reach: &Reach, id: &str) -> Result<(Journal, Door, Entry), Failure> {
    let journal = reach.journal()?;
    let mut found = Vec::new();
    let mut doors = reach.doors().await?;
    for (at, door) in doors.iter().enumerate() {
        let entries = journal.entries(Some(&door.place.key)).context("the journal")?;
        let entries = entries.into_iter().filter(|entry| entry.advice.id.starts_with(id));
        found.extend(entries.map(|entry| (at, entry)));
    }
    let text = match (found.pop(), found.len()) {
        (Some((at, entry)), 0) => return Ok((journal, doors.swap_remove(at), entry)),
        (None, _) => format!("no advice {id:?}: howdah recommendations list shows what there is"),
        (Some(_), _) => format!(
            "{id:?} is the beginning of several ids, or is known in several databases: --database NAME"
        ),
    };
    Err(Failure::new(Exit::Failed, anyhow!(text)))
}

async fn show(args: &One) -> Outcome {
    let (journal, _, entry) = find(&args.reach, &args.id).await?;
    let runs = journal.runs(&entry.place.key, &entry.advice.id).context("the journal")?;
    if args.json {
        let events = journal.events(&entry.place.key, &entry.advice.id).context("the journal")?;
        let value = json!({ "schema": "howdah.recommendation/1", "recommendation": entry, "runs": runs, "events": events });
        terminal::json(&value)?;
        return Ok(Exit::Done);
    }
    terminal::data(&card::text(&entry, &runs))?;
    Ok(Exit::Done)
}

async fn dismiss(args: &Dismiss) -> Outcome {
    let (journal, _, entry) = find(&args.reach, &args.id).await?;
    if entry.state != State::Open {
        let text = format!("it is {}: only what is open can be dismissed", entry.state.word());
        return Err(Failure::new(Exit::Failed, anyhow!(text)));
    }
    let why = (carry::who(), args.reason.as_str());
    journal
        .decide(&entry.place.key, &entry.advice.id, State::Dismissed, (&why.0, why.1))
        .context("the journal")?;
    Talk::new().good("dismissed", &entry.advice.title);
    Ok(Exit::Done)
}

async fn write_down(args: &Export) -> Outcome {
    let (_, mut entries) = look(&args.reach, false).await?;
    let wanted = |entry: &Entry| {
        let id = &entry.advice.id;
        match args.ids.as_slice() {
            [] => entry.state == State::Open,
            ids => ids.iter().any(|wanted| id.starts_with(wanted.as_str())),
        }
    };
    entries.retain(wanted);
    terminal::data(&export::text(&entries, args.format))?;
    Ok(Exit::Done)
}

async fn add(args: &Add) -> Outcome {
    let text = if args.file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(&args.file)
    };
    let text = text.with_context(|| args.file.display().to_string())?;
    let found = advice_in(&text).with_context(|| format!("{}: no advice", args.file.display()))?;
    let journal = args.reach.journal()?;
    let door = args.reach.door().await?;
    journal.take_in(&door.place, &found, now_ms()).context("the journal")?;
    Talk::new().good("taken in", &format!("{} for {}", found.len(), door.place.name));
    Ok(Exit::Done)
}

/// A list of advice, bare or below `recommendations`.
fn advice_in(text: &str) -> anyhow::Result<Vec<Recommendation>> {
    let value: serde_json::Value = serde_json::from_str(text)?;
    let list = value.get("recommendations").unwrap_or(&value);
    let list = list.as_array().context("not a list")?;
    let one = |value: &serde_json::Value| {
        let inner = value.get("advice").unwrap_or(value);
        Ok(serde_json::from_value(inner.clone())?)
    };
    list.iter().map(one).collect()
}
