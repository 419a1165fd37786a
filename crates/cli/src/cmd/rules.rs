//! `howdah rules`: what the rules about statements have done in a running Howdah, and what those of a configuration say about a
//! statement, for which nothing has to run.

use std::net::IpAddr;

use howdah::{Sender, Trial};
use serde_json::json;

use crate::configuration::Sources;
use crate::console::{self, LIMIT, cell};
use crate::exit::{Exit, Outcome};
use crate::table::Table;
use crate::terminal;

/// Arguments of `howdah rules`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What about them.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// All rules in their order, with what they have done
    List(console::Args),
    /// Which rule of the configuration decides about a statement, and why
    Test(Test),
}

/// Arguments of `howdah rules test`.
#[derive(Debug, clap::Args)]
struct Test {
    /// The statement
    sql: String,
    #[command(flatten)]
    sources: Sources,
    /// Who sends it
    #[arg(long, short = 'U', default_value = "")]
    user: String,
    /// In which database
    #[arg(long, short, default_value = "")]
    database: String,
    /// Under which name of an application
    #[arg(long, default_value = "")]
    application: String,
    /// From which address
    #[arg(long, value_name = "IP")]
    client_address: Option<IpAddr>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Columns of the list.
const COLUMNS: [&str; 7] =
    ["name", "conditions", "effect", "hits", "blocked", "flagged", "last_hit"];

/// Prints them, or tries them out.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.verb {
        Verb::List(args) => list(args),
        Verb::Test(args) => test(args),
    }
}

fn list(args: &console::Args) -> Outcome {
    let rules = console::ask(args, async |console| console.rows("SHOW RULES", Some(LIMIT)).await)?;
    if args.json {
        terminal::json(&json!({ "schema": "howdah.rules/1", "rules": rules }))?;
        return Ok(Exit::Done);
    }
    if rules.is_empty() {
        terminal::data("no rules about statements: [[rule]] in the configuration makes one\n")?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&COLUMNS.map(|name| if name == "last_hit" { "last" } else { name }));
    for rule in &rules {
        table.row(COLUMNS.iter().map(|name| cell(rule, name)).collect());
    }
    terminal::data(&table.render())?;
    Ok(Exit::Done)
}

fn test(args: &Test) -> Outcome {
    let loaded = args.sources.load(args.json)?;
    let sender = Sender {
        user: args.user.clone(),
        database: args.database.clone(),
        application: args.application.clone(),
        address: args.client_address,
    };
    let trial = loaded.config.try_rules(&sender, &args.sql);
    if args.json {
        terminal::json(&json!({ "schema": "howdah.rule-trial/1", "trial": trial }))?;
    } else {
        terminal::data(&text(&trial))?;
    }
    Ok(Exit::Done)
}

/// The trial for people.
fn text(trial: &Trial) -> String {
    let mut text = match &trial.decided_by {
        Some(rule) => format!("{}, by rule {rule:?}\n", trial.decision),
        None => "it runs: no rule decides\n".to_owned(),
    };
    for rule in &trial.undecided {
        text.push_str(&format!("flagged by {rule:?}, as it cannot be told whether it fits\n"));
    }
    if let Some(seconds) = trial.query_timeout_s {
        text.push_str(&format!("for {seconds} s at most\n"));
    }
    if let Some(rows) = trial.max_rows {
        text.push_str(&format!("{rows} rows at most\n"));
    }
    let classes = if trial.known { trial.classes.join(", ") } else { "not known".to_owned() };
    let mut facts = vec![
        ("normal form", trial.normal_form.clone()),
        ("fingerprint", trial.fingerprint.clone()),
        ("class", classes),
        ("tables", trial.tables.join(", ")),
    ];
    if trial.unbounded {
        facts.push(("unbounded", "no column restricts what it changes".to_owned()));
    }
    facts.extend(trial.signals.iter().map(|reason| ("injection", (*reason).to_owned())));
    text.push('\n');
    for (name, value) in facts {
        text.push_str(format!("{name:13}{value}").trim_end());
        text.push('\n');
    }
    if !trial.rules.is_empty() {
        let mut table = Table::new(&["rule", "conditions", "result"]);
        for rule in &trial.rules {
            table.row(vec![rule.name.clone(), rule.conditions.clone(), rule.result.to_owned()]);
        }
        text.push('\n');
        text.push_str(&table.render());
    }
    text
}
