//! `howdah reload`, `howdah pause` and `howdah resume`: commands of the console that give no rows.

use serde_json::json;

use crate::console::{self, LIMIT};
use crate::exit::{Exit, Outcome};
use crate::terminal::{self, Talk};

/// Arguments of `howdah reload`.
#[derive(Debug, clap::Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    target: console::Target,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `howdah pause` and `howdah resume`.
#[derive(Debug, clap::Args)]
pub(crate) struct Scope {
    /// One database; left out: all
    database: Option<String>,
    #[command(flatten)]
    target: console::Target,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Has the configuration read again.
pub(crate) fn reload(args: &Reload) -> Outcome {
    // Commands that print passwords may take their time.
    command(&args.target, "RELOAD", false)?;
    said(args.json, "reload", None, "the configuration was read again")
}

/// Holds clients back, and waits until no server is left.
pub(crate) fn pause(args: &Scope) -> Outcome {
    command(&args.target, &scoped("PAUSE", args), false)?;
    let text = "no server is connected; requests wait until howdah resume";
    said(args.json, "pause", args.database.as_deref(), text)
}

/// Lets clients go on.
pub(crate) fn resume(args: &Scope) -> Outcome {
    command(&args.target, &scoped("RESUME", args), true)?;
    said(args.json, "resume", args.database.as_deref(), "requests go on")
}

fn scoped(verb: &str, args: &Scope) -> String {
    let database = args.database.as_deref().map(|name| format!(" {}", console::quoted(name)));
    format!("{verb}{}", database.unwrap_or_default())
}

fn command(target: &console::Target, text: &str, at_once: bool) -> Outcome {
    let limit = at_once.then_some(LIMIT);
    console::ask(target, async |console| console.rows(text, limit).await)?;
    Ok(Exit::Done)
}

fn said(as_json: bool, verb: &str, database: Option<&str>, text: &str) -> Outcome {
    if as_json {
        let value = json!({ "schema": "howdah.done/1", "done": verb, "database": database });
        terminal::json(&value)?;
    } else {
        Talk::new().good(verb, text);
    }
    Ok(Exit::Done)
}
