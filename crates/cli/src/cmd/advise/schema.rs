//! `howdah advise schema`: what the catalog shows to be wrong: indexes that nobody needs, keys without an index, numbers that run out, statistics that are missing.
//! Changes nothing; what is found is in the journal from then on, as `howdah recommendations` shows it.

use std::fmt::Write as _;

use anyhow::{Context as _, anyhow};
use howdah::advisor::Recommendation;
use howdah::ops::apply::Connect as _;
use howdah::ops::findings;
use howdah::ops::journal::now_ms;
use serde_json::json;

use crate::cmd::recommendations::reach::{Door, Reach};
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let looked = runtime.block_on(async {
        let mut looked = Vec::new();
        for door in args.reach.doors().await? {
            let found = look(&door).await?;
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
        Talk::new().line(&format!("{}: {} found", place.name, found.len()));
        terminal::data(&page(found))?;
    }
    Ok(Exit::Done)
}

async fn look(door: &Door) -> Result<Vec<Recommendation>, Failure> {
    let client = door.connect().await;
    let client = client.map_err(|text| Failure::new(Exit::Unreachable, anyhow!(text)))?;
    let replicas = door.replicas().await;
    findings(&client, &replicas).await.map_err(|error| Failure::new(Exit::Failed, anyhow!(error)))
}

fn page(found: &[Recommendation]) -> String {
    if found.is_empty() {
        return "Nothing is wrong with indexes, definitions and upkeep, as far as the catalog shows.\n".to_owned();
    }
    let mut text = String::new();
    for advice in found {
        card(&mut text, advice);
    }
    text
}

fn card(text: &mut String, advice: &Recommendation) {
    let _ = writeln!(text, "{}  [{}]\n  {}", advice.title, advice.id, advice.why);
    for fact in &advice.evidence {
        let then = if fact.then.is_empty() { String::new() } else { format!(" → {}", fact.then) };
        let _ = writeln!(text, "  {}: {}{then}", fact.what, fact.now);
    }
    for (what, statements) in [("do it", &advice.apply), ("take it back", &advice.undo)] {
        for statement in statements {
            let _ = writeln!(text, "  {what}:  {statement};");
        }
    }
    for caution in &advice.cautions {
        let _ = writeln!(text, "  ! {caution}");
    }
    text.push('\n');
}
