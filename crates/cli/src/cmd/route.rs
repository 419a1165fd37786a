//! `howdah route`: where a statement goes. Asks a running Howdah, which knows the catalog of the database; without one says what can be
//! told from the text and the configuration.

use howdah::RouteTrial;
use howdah::config::Config;
use serde_json::json;

use crate::console::{self, LIMIT, Row, quoted, quoted_text};
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::{self, Talk};

/// Arguments of `howdah route`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What about it.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Whether a statement may run on a replica, and why
    Explain(Explain),
}

/// Arguments of `howdah route explain`.
#[derive(Debug, clap::Args)]
struct Explain {
    /// The statement
    sql: String,
    /// In which database, by the name that clients use [default: the only one]
    #[arg(long, short)]
    database: Option<String>,
    #[command(flatten)]
    console: console::Args,
}

/// Explains.
pub(crate) fn run(args: &Args) -> Outcome {
    let Verb::Explain(args) = &args.verb;
    let asked = console::ask(&args.console, async |console| {
        let database = args.database.as_deref().map(quoted).unwrap_or_default();
        let command = format!("SHOW ROUTE {database} {}", quoted_text(&args.sql));
        console.rows(&command, Some(LIMIT)).await
    });
    let row = match asked {
        Ok(rows) => rows.into_iter().next().unwrap_or_default(),
        Err(failure) if failure.exit == Exit::Unreachable => alone(args, &failure)?,
        Err(failure) => return Err(failure),
    };
    if args.console.json {
        terminal::json(&json!({ "schema": "howdah.route/1", "route": row }))?;
    } else {
        terminal::data(&text(&row))?;
    }
    Ok(Exit::Done)
}

/// What can be told without a running Howdah.
fn alone(args: &Explain, failure: &Failure) -> Result<Row, Failure> {
    if !args.console.json {
        failure.tell();
        Talk::new().line("judged by the text and the configuration alone:");
    }
    let loaded = Config::load(args.console.sources.options(Vec::new()));
    let trial = RouteTrial::of(&args.sql, loaded.as_ref().ok().map(|loaded| &loaded.config));
    let mut row = Row::from([
        ("destination".to_owned(), trial.destination.to_owned()),
        ("explanation".to_owned(), trial.explanation.to_owned()),
        ("catalog".to_owned(), "not known".to_owned()),
        ("fingerprint".to_owned(), trial.fingerprint),
        ("normal_form".to_owned(), trial.normal_form),
    ]);
    let reason = trial.reason.map(str::to_owned);
    for (name, value) in [("reason", reason), ("subject", trial.subject)] {
        row.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(row)
}

/// The row for people.
fn text(row: &Row) -> String {
    let value = |name: &str| row.get(name).map_or("", String::as_str);
    let only =
        if value("destination") == "primary" { "the primary" } else { "a replica may run it" };
    let mut text = format!("{only}: {}\n\n", value("explanation"));
    let mut catalog = value("catalog").to_owned();
    if catalog == "known" {
        let counts = (value("functions"), value("tables"), value("catalog_age_s"));
        catalog =
            format!("{} functions, {} tables, looked at {} s ago", counts.0, counts.1, counts.2);
    }
    for (name, value) in [
        ("reason", value("reason")),
        ("because of", value("subject")),
        ("database", value("database")),
        ("catalog", &catalog),
        ("", value("catalog_error")),
        ("fingerprint", value("fingerprint")),
        ("normal form", value("normal_form")),
    ] {
        if !value.is_empty() {
            text.push_str(&format!("{name:13}{value}\n"));
        }
    }
    text
}
