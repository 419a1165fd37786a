//! `howdah advise rewrite FILE`: statements that would be better written differently, with the other text where the catalog says that it has the same rows. Changes nothing.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use howdah::advisor::rewrites::{Suggestion, each};
use serde_json::json;

use crate::cmd::recommendations::reach::Reach;
use crate::exit::{Exit, Outcome};
use crate::terminal;

/// Arguments of `howdah advise rewrite`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Queries with semicolons between them
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    reach: Reach,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Looks and prints.
pub(crate) fn run(args: &Args) -> Outcome {
    let text = std::fs::read_to_string(&args.file)
        .with_context(|| format!("{}: cannot be read", args.file.display()))?;
    let catalog = args.reach.catalog()?;
    let found = each(&text, &catalog);
    if args.json {
        let list: Vec<_> = found.iter().map(|(statement, suggestions)| json!({"statement": statement, "suggestions": suggestions})).collect();
        terminal::json(&json!(list))?;
    } else {
        terminal::data(&page(&found))?;
    }
    Ok(Exit::Done)
}

fn page(found: &[(&str, Vec<Suggestion>)]) -> String {
    let mut text = String::new();
    for (statement, suggestions) in found.iter().filter(|(_, suggestions)| !suggestions.is_empty())
    {
        let _ = writeln!(text, "{statement}\n");
        for suggestion in suggestions {
            let _ = writeln!(text, "  {}\n    {}", suggestion.part, suggestion.why);
            if let Some(other) = &suggestion.text {
                let _ = writeln!(text, "    → {other}");
            }
            for condition in &suggestion.conditions {
                let _ = writeln!(text, "    ! {condition}");
            }
        }
        text.push('\n');
    }
    if text.is_empty() {
        text.push_str("Nothing to write differently.\n");
    }
    text
}
