//! `howdah metrics`: the families of `/metrics`, and the dashboard for Grafana that is made from them. Asks nobody.

use howdah::web::{FAMILIES, grafana};
use serde_json::json;

use crate::exit::{Exit, Outcome};
use crate::table::Table;
use crate::terminal;

/// Arguments of `howdah metrics`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What about them.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// All families, one a line
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// A dashboard for Grafana, as JSON to import
    Grafana,
}

/// Prints them.
pub(crate) fn run(args: &Args) -> Outcome {
    match args.verb {
        Verb::List { json } => list(json)?,
        Verb::Grafana => terminal::json(&grafana::dashboard())?,
    }
    Ok(Exit::Done)
}

fn list(as_json: bool) -> Result<(), crate::exit::Failure> {
    if as_json {
        let families: Vec<_> = FAMILIES
            .iter()
            .map(|family| json!({ "name": family.name, "kind": family.kind.as_str(), "labels": family.labels, "help": family.help }))
            .collect();
        terminal::json(&json!({ "schema": "howdah.metrics/1", "families": families }))?;
        return Ok(());
    }
    let mut table = Table::new(&["family", "kind", "labels", "meaning"]);
    for family in FAMILIES {
        let kind = family.kind.as_str().to_owned();
        let labels = family.labels.join(", ");
        table.row(vec![family.name.to_owned(), kind, labels, family.help.to_owned()]);
    }
    terminal::data(&table.render())?;
    Ok(())
}
