//! `howdah reload`, `howdah pause`, `howdah resume` and `howdah mark`: commands of the console that give no rows.

use serde_json::json;

use crate::console::{self, LIMIT};
use crate::exit::{Exit, Outcome};
use crate::terminal::{self, Talk};

/// Arguments of `howdah pause` and `howdah resume`.
#[derive(Debug, clap::Args)]
pub(crate) struct Scope {
    /// One database; left out: all
    database: Option<String>,
    #[command(flatten)]
    console: console::Args,
}

/// Arguments of `howdah mark`.
#[derive(Debug, clap::Args)]
pub(crate) struct Mark {
    /// What happens now, for example "deploy 4df1657"
    text: String,
    #[command(flatten)]
    console: console::Args,
}

/// Has this moment remembered.
pub(crate) fn mark(args: &Mark) -> Outcome {
    command(&args.console, &format!("MARK {}", console::quoted_text(&args.text)), true)?;
    said(args.console.json, "mark", None, "remembered; the History page and reports show it")
}

/// Has the configuration read again.
pub(crate) fn reload(args: &console::Args) -> Outcome {
    // Commands that print passwords may take their time.
    command(args, "RELOAD", false)?;
    said(args.json, "reload", None, "the configuration was read again")
}

/// Holds clients back, and waits until no server is left.
pub(crate) fn pause(args: &Scope) -> Outcome {
    command(&args.console, &scoped("PAUSE", args), false)?;
    let text = "no server is connected; requests wait until howdah resume";
    said(args.console.json, "pause", args.database.as_deref(), text)
}

/// Lets clients go on.
pub(crate) fn resume(args: &Scope) -> Outcome {
    command(&args.console, &scoped("RESUME", args), true)?;
    said(args.console.json, "resume", args.database.as_deref(), "requests go on")
}

fn scoped(verb: &str, args: &Scope) -> String {
    let database = args.database.as_deref().map(|name| format!(" {}", console::quoted(name)));
    format!("{verb}{}", database.unwrap_or_default())
}

fn command(args: &console::Args, text: &str, at_once: bool) -> Outcome {
    let limit = at_once.then_some(LIMIT);
    console::ask(args, async |console| console.rows(text, limit).await)?;
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
