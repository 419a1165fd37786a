//! `howdah clients`: who is connected to a running Howdah, and disconnecting somebody.

use std::collections::BTreeSet;

use serde_json::json;

use crate::console::{self, LIMIT, cell};
use crate::exit::{Exit, Outcome};
use crate::table::Table;
use crate::terminal::{self, Talk};

/// Arguments of `howdah clients`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What about them.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// All clients, one a line
    List(console::Args),
    /// Sessions of PostgreSQL that do not come from Howdah
    Outsiders(console::Args),
    /// Disconnect one, and what it runs
    Kill {
        /// Its id, as the list shows it
        id: u32,
        #[command(flatten)]
        console: console::Args,
    },
}

/// Columns of the list, and what they are called for people.
const COLUMNS: [(&str, &str); 8] = [
    ("id", "id"),
    ("user", "user"),
    ("database", "database"),
    ("state", "state"),
    ("addr", "address"),
    ("application_name", "application"),
    ("connect_time", "since"),
    ("pinned", "pinned"),
];

/// Prints them, or ends one.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.verb {
        Verb::List(console) => list(console),
        Verb::Outsiders(console) => outsiders(console),
        Verb::Kill { id, console } => kill(*id, console),
    }
}

fn list(args: &console::Args) -> Outcome {
    let clients =
        console::ask(args, async |console| console.rows("SHOW CLIENTS", Some(LIMIT)).await)?;
    if args.json {
        terminal::json(&json!({ "schema": "howdah.clients/1", "clients": clients }))?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&COLUMNS.map(|(_, title)| title));
    for client in &clients {
        table.row(COLUMNS.iter().map(|(name, _)| cell(client, name)).collect());
    }
    terminal::data(&table.render())?;
    Ok(Exit::Done)
}

/// Columns of those that go past Howdah.
const OUTSIDERS: [&str; 9] = [
    "node",
    "process",
    "user",
    "database",
    "state",
    "transaction_ms",
    "address",
    "application",
    "statement",
];

fn outsiders(args: &console::Args) -> Outcome {
    let found =
        console::ask(args, async |console| console.rows("SHOW OUTSIDERS", Some(LIMIT)).await)?;
    if args.json {
        terminal::json(&json!({ "schema": "howdah.outsiders/1", "sessions": found }))?;
        return Ok(Exit::Done);
    }
    if found.is_empty() {
        terminal::data(
            "nobody is known to go past Howdah: nodes are asked while it has servers there\n",
        )?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&OUTSIDERS);
    for session in &found {
        table.row(OUTSIDERS.iter().map(|name| cell(session, name)).collect());
    }
    terminal::data(&table.render())?;
    let missing: BTreeSet<&String> =
        found.iter().filter_map(|row| row.get("missing")).filter(|it| !it.is_empty()).collect();
    missing.iter().for_each(|missing| Talk::new().line(missing));
    Ok(Exit::Done)
}

fn kill(id: u32, args: &console::Args) -> Outcome {
    let command = format!("KILL_CLIENT {id}");
    console::ask(args, async |console| console.rows(&command, Some(LIMIT)).await)?;
    if args.json {
        terminal::json(&json!({ "schema": "howdah.done/1", "done": "kill", "client": id }))?;
    } else {
        Talk::new().good("killed", &format!("client {id} was disconnected"));
    }
    Ok(Exit::Done)
}
