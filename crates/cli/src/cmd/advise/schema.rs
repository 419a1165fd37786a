//! `howdah advise schema`: what the catalog shows to be wrong: indexes that nobody needs, keys without an index, numbers that run out, statistics that are missing.
//! Changes nothing; what is found is in the journal from then on, as `howdah recommendations` shows it.

use anyhow::Context as _;
use howdah::advisor::Recommendation;
use howdah::ops::journal::now_ms;
use serde_json::json;

use crate::cmd::recommendations::reach::Reach;
use crate::cmd::recommendations::{block_on, card};
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::{self, Talk};

/// Arguments of `howdah advise schema`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    reach: Reach,
    /// For programs
    #[arg(long)]
    json: bool,
}

/// Looks and prints.
pub(crate) fn run(args: &Args) -> Outcome {
    let journal = args.reach.journal()?;
    let talk = Talk::new();
    let looked = block_on(async {
        let mut looked = Vec::new();
        for door in args.reach.doors().await? {
            let found = door.findings(talk).await?;
            looked.push((door.place, found));
        }
        Ok::<_, Failure>(looked)
    })?;
    for (place, found) in &looked {
        journal.take_in(place, found, now_ms()).context("the journal")?;
    }
    if args.json {
        let list: Vec<_> = looked
            .iter()
            .map(|(place, found)| json!({ "database": place.name, "recommendations": found }))
            .collect();
        terminal::json(&json!({ "schema": "howdah.advice.schema/1", "databases": list }))?;
        return Ok(Exit::Done);
    }
    for (place, found) in &looked {
        talk.line(&format!("{}: {} found", place.name, found.len()));
        terminal::data(&page(found))?;
    }
    Ok(Exit::Done)
}

fn page(found: &[Recommendation]) -> String {
    if found.is_empty() {
        return "Nothing is wrong with indexes, definitions and upkeep, as far as the catalog shows.\n".to_owned();
    }
    let mut text = String::new();
    for advice in found {
        card::brief(&mut text, advice);
    }
    text
}
