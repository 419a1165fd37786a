//! `howdah alerts`: what is wrong in a running Howdah, the rules, silences, and whether messages arrive. Not what is looked at:
//! `howdah::alerts`.

use std::time::Duration;

use anyhow::anyhow;
use howdah::alerts::{self, Notice, Severity, Tuning};
use howdah::sinks::Outcome as Sent;
use serde_json::json;

use crate::configuration::Sources;
use crate::console::{self, LIMIT, Row, cell, number};
use crate::exit::{Exit, Failure, Outcome};
use crate::table::Table;
use crate::terminal::{self, Talk};

/// Arguments of `howdah alerts`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What about them.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// What is wrong, or about to be; exit status 5 when something fires
    List(console::Args),
    /// The rules of the configuration, for people or for Prometheus
    Rules(Rules),
    /// Send a test message, and say what the service answers
    Test(Test),
    /// Tell nobody about a rule for a while
    Silence(Silence),
    /// End a silence
    Unsilence {
        /// The rule, or all
        rule: String,
        #[command(flatten)]
        console: console::Args,
    },
}

/// Arguments of `howdah alerts rules`.
#[derive(Debug, clap::Args)]
struct Rules {
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    sources: Sources,
}

/// A form of the rules.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people
    Table,
    /// JSON
    Json,
    /// A file of rules for Prometheus
    Prometheus,
}

/// Arguments of `howdah alerts test`.
#[derive(Debug, clap::Args)]
struct Test {
    /// The sink, by its name in the configuration [default: all]
    #[arg(long)]
    sink: Option<String>,
    #[command(flatten)]
    sources: Sources,
}

/// Arguments of `howdah alerts silence`.
#[derive(Debug, clap::Args)]
struct Silence {
    /// The rule, or all
    rule: String,
    /// For how long
    #[arg(long = "for", value_name = "TIME", default_value = "2h", value_parser = howdah::config::parse_duration)]
    time: Duration,
    /// Why
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    console: console::Args,
}

/// Does it.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.verb {
        Verb::List(console) => list(console),
        Verb::Rules(rules) => print(rules),
        Verb::Test(args) => test(args),
        Verb::Silence(args) => silence(args),
        Verb::Unsilence { rule, console } => {
            let command = format!("UNSILENCE {}", console::quoted(rule));
            told(&command, "unsilenced", &format!("messages about {rule} are sent again"), console)
        }
    }
}

fn list(args: &console::Args) -> Outcome {
    let rows = console::ask(args, async |console| console.rows("SHOW ALERTS", Some(LIMIT)).await)?;
    let fires = rows.iter().any(|row| cell(row, "state") == "firing");
    let exit = if fires { Exit::CheckFailed } else { Exit::Done };
    if args.json {
        terminal::json(&json!({ "schema": "howdah.alerts_list/1", "alerts": rows }))?;
        return Ok(exit);
    }
    if rows.is_empty() {
        terminal::data("nothing is wrong\n")?;
        return Ok(exit);
    }
    terminal::data(&rows.iter().map(one).collect::<Vec<_>>().join("\n"))?;
    Ok(exit)
}

/// An alert in lines.
fn one(row: &Row) -> String {
    let of = |column: &str| cell(row, column);
    let mut text = format!(
        "{} {}  {}\n  {} for {} s: {}\n",
        of("severity"),
        of("state"),
        of("title"),
        of("rule"),
        number(row, "since_s"),
        of("evidence"),
    );
    if let Some(cause) = row.get("cause").filter(|cause| !cause.is_empty()) {
        text.push_str(&format!("  because of {cause}\n"));
    }
    if number(row, "silenced") == 1 {
        text.push_str("  silenced\n");
    }
    text.push_str(&format!("  first: {}\n", of("first_step")));
    text
}

fn print(args: &Rules) -> Outcome {
    let loaded = args.sources.load(false);
    // Without a configuration the rules are those of the table.
    let tuning = match loaded {
        Ok(loaded) => loaded.config.alerts().tuning.clone(),
        Err(_) => Tuning::default(),
    };
    match args.format {
        Format::Prometheus => terminal::data(&alerts::prometheus(&tuning))?,
        Format::Json => {
            let rules = tuning.all().map(|(rule, tuned)| {
                json!({
                    "name": rule.name,
                    "enabled": tuned.enabled,
                    "severity": tuned.severity.as_str(),
                    "condition": rule.condition(&tuned),
                    "threshold": tuned.threshold,
                    "for_s": tuned.hold.as_secs_f64(),
                    "first_step": rule.first_step,
                    "causes": rule.causes,
                })
            });
            terminal::json(
                &json!({ "schema": "howdah.alert_rules/1", "rules": rules.collect::<Vec<_>>() }),
            )?;
        }
        Format::Table => {
            let mut table = Table::new(&["rule", "severity", "for", "condition"]);
            for (rule, tuned) in tuning.all() {
                let severity = if tuned.enabled { tuned.severity.as_str() } else { "off" };
                let hold = howdah::config::format_duration(tuned.hold);
                let cells =
                    vec![rule.name.to_owned(), severity.to_owned(), hold, rule.condition(&tuned)];
                table.row(cells);
            }
            terminal::data(&table.render())?;
        }
    }
    Ok(Exit::Done)
}

fn test(args: &Test) -> Outcome {
    let loaded = args.sources.load(false)?;
    let alerts = loaded.config.alerts();
    let wanted = |name: &str| args.sink.as_ref().is_none_or(|sink| sink == name);
    let sinks: Vec<_> = alerts.sinks.iter().filter(|sink| wanted(&sink.name)).collect();
    if sinks.is_empty() {
        let text = match &args.sink {
            Some(name) => format!(
                "there is no sink {name:?} in the configuration\n    add [[alerts.sink]] with name, type and url"
            ),
            None => {
                "the configuration has no sink\n    add [[alerts.sink]] with name, type and url"
                    .to_owned()
            }
        };
        return Err(Failure::new(Exit::Failed, anyhow!(text)));
    }
    let talk = Talk::new();
    let mut exit = Exit::Done;
    for sink in sinks {
        match sink.send(&Notice::test(Severity::Info), &alerts.source) {
            Sent::Taken(answer) => talk.good(&sink.name, &format!("taken: {answer}")),
            Sent::Later(reason, _) | Sent::Refused(reason) => {
                talk.bad(&sink.name, &format!("not taken: {reason}"));
                exit = Exit::CheckFailed;
            }
        }
    }
    Ok(exit)
}

fn silence(args: &Silence) -> Outcome {
    let seconds = args.time.as_secs().max(1);
    let (rule, reason) = (console::quoted(&args.rule), console::quoted_text(&args.reason));
    let command = format!("SILENCE {rule} {seconds}s {reason}");
    let time = howdah::config::format_duration(args.time);
    told(
        &command,
        "silenced",
        &format!("nobody is told of {} for {time}", args.rule),
        &args.console,
    )
}

fn told(command: &str, done: &str, text: &str, args: &console::Args) -> Outcome {
    console::ask(args, async |console| console.rows(command, Some(LIMIT)).await)?;
    if args.json {
        terminal::json(&json!({ "schema": "howdah.done/1", "done": done }))?;
    } else {
        Talk::new().good(done, text);
    }
    Ok(Exit::Done)
}
