//! `howdah advise`: what would make a database better. One file for each kind of advice; nothing is changed by any of them.

mod plan;
mod rewrite;
mod schema;

use clap::Subcommand;

use crate::exit::Outcome;

/// Arguments of `howdah advise`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    about: About,
}

#[derive(Debug, Subcommand)]
enum About {
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
        About::Schema(args) => schema::run(args),
        About::Plan(args) => plan::run(args),
        About::Rewrite(args) => rewrite::run(args),
    }
}
