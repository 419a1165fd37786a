//! `howdah ha`: hands the part of the primary from one node to another, for clusters that nothing else looks after. What the nodes say is in
//! `node`, what is against it in `objections`, the steps in `steps`.
//!
//! Invariant: nothing is changed anywhere before the yes, and clients are held back only while this process lives.

mod command;
mod conninfo;
mod node;
mod objections;
mod plan;
mod steps;

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Context as _, anyhow};
use serde_json::json;

use crate::console;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::{self, Talk};
use objections::Severity;
use plan::Plan;

/// Arguments of `howdah ha`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What about it.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Make a replica the primary and the primary a replica, in order: clients wait for a moment, nothing is lost
    Switchover(Switchover),
}

/// Arguments of `howdah ha switchover`.
#[derive(Debug, clap::Args)]
pub(crate) struct Switchover {
    /// Without Patroni or another keeper: Howdah stops, promotes and rewires the nodes itself
    #[arg(long, required = true)]
    native: bool,
    /// The cluster [default: the only one]
    #[arg(long)]
    cluster: Option<String>,
    /// The node that becomes the primary [default: the replica that is closest behind]
    #[arg(long, value_name = "NODE")]
    to: Option<String>,
    /// Say what would be done and what is against it, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    console: console::Args,
}

/// Does it.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.verb {
        Verb::Switchover(args) => switchover(args),
    }
}

fn switchover(args: &Switchover) -> Outcome {
    let loaded = args.console.sources.load(args.console.json)?;
    let talk = Talk::new();
    console::ask(&args.console, async |console| {
        let plan =
            Plan::make(&loaded.config, &console, args.cluster.as_deref(), args.to.as_deref())
                .await?;
        plan.tell(talk);
        let prevented = plan.objections.iter().any(|it| it.severity == Severity::Prevents);
        if prevented || args.dry_run {
            if args.console.json {
                terminal::json(&plan.as_json())?;
            }
            if prevented {
                let error = anyhow!("{} cannot become the primary now: see above", plan.to.name);
                return Err(Failure::new(Exit::CheckFailed, error));
            }
            return Ok(Exit::Done);
        }
        if !args.yes {
            confirm(&plan)?;
        }
        let done = steps::run(&plan, console, talk).await?;
        if args.console.json {
            terminal::json(&json!({ "schema": "howdah.switchover/1", "done": done }))?;
        } else {
            talk.good("done", &done.to_string());
        }
        Ok(if done.left_to_do.is_empty() { Exit::Done } else { Exit::Failed })
    })
}

/// Has the name of the new primary typed.
fn confirm(plan: &Plan) -> Result<(), Failure> {
    let name = &plan.to.name;
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let error = anyhow!("nobody to ask whether to go on: --yes says it");
        return Err(Failure::new(Exit::Usage, error));
    }
    terminal::ask(&format!("Type {name} to make it the primary: "));
    let mut line = String::new();
    stdin.lock().read_line(&mut line).context("cannot read the answer")?;
    if line.trim() == name {
        return Ok(());
    }
    Err(Failure::new(Exit::Interrupted, anyhow!("nothing was changed")))
}
