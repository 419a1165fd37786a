//! `howdah version`.

use serde_json::json;

use crate::exit::{Exit, Outcome};
use crate::terminal;

/// Arguments of `howdah version`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the version.
pub(crate) fn run(args: &Args) -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    if args.json {
        terminal::json(&json!({ "schema": "howdah.version/1", "version": version }))?;
    } else {
        terminal::data(&format!("howdah {version}\n"))?;
    }
    Ok(Exit::Done)
}
