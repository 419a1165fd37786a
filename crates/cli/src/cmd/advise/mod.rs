//! `howdah advise`: what would make a database better. One file for each kind of advice; nothing is changed by any of them.

mod indexes;
mod plan;
mod rewrite;
mod schema;

use anyhow::anyhow;
use clap::Subcommand;
use howdah::advisor::catalog::Catalog;
use howdah::ops::apply::Connect as _;
use howdah::ops::catalog;

use crate::cmd::recommendations::block_on;
use crate::cmd::recommendations::reach::Reach;
use crate::exit::{Exit, Failure, Outcome};

/// Arguments of `howdah advise`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    about: About,
}

#[derive(Debug, Subcommand)]
enum About {
    /// Which indexes to make for a workload, and what each would bring and cost
    Indexes(indexes::Args),
    /// What is wrong with indexes, definitions and upkeep, as the catalog shows it
    Schema(schema::Args),
    /// What is wrong with a plan, in words
    Plan(plan::Args),
    /// Which statements would be better written differently
    Rewrite(rewrite::Args),
}

/// Advises.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.about {
        About::Indexes(args) => indexes::run(args),
        About::Schema(args) => schema::run(args),
        About::Plan(args) => plan::run(args),
        About::Rewrite(args) => rewrite::run(args),
    }
}

impl Reach {
    /// The catalog of the one database that is meant.
    fn catalog(&self) -> Result<Catalog, Failure> {
        block_on(async {
            let client = self.door().await?.connect().await;
            let client = client.map_err(|text| Failure::new(Exit::Unreachable, anyhow!(text)))?;
            let read = catalog::read(&client).await;
            read.map_err(|error| Failure::new(Exit::Failed, anyhow!(error)))
        })
    }
}
