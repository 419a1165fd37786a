//! `howdah nodes`: the nodes of a running Howdah: who is the primary, how far the others are behind; take one out and put it back.
//! Not whether they can be reached from here: `howdah check`.

use anyhow::anyhow;
use serde_json::json;

use crate::console::{self, LIMIT, Row, cell, number};
use crate::exit::{Exit, Failure, Outcome};
use crate::table::Table;
use crate::terminal::{self, Talk};

/// Arguments of `howdah nodes`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What about them.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// All nodes, one a line
    List(console::Args),
    /// Send no reads to a replica from now on: for maintenance
    Drain(One),
    /// Send it reads again
    Undrain(One),
    /// Whether every node is what it should be; exit status 5 if not
    Check(console::Args),
}

/// One node.
#[derive(Debug, clap::Args)]
struct One {
    /// Its name in `howdah nodes list`
    node: String,
    #[command(flatten)]
    console: console::Args,
}

/// Does it.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.verb {
        Verb::List(console) => list(console),
        Verb::Drain(one) => command("DRAIN", "drain", "no new reads go there", one),
        Verb::Undrain(one) => command("UNDRAIN", "undrain", "reads may go there again", one),
        Verb::Check(console) => check(console),
    }
}

fn nodes(args: &console::Args) -> Result<Vec<Row>, Failure> {
    console::ask(args, async |console| console.rows("SHOW NODES", Some(LIMIT)).await)
}

fn list(args: &console::Args) -> Outcome {
    let nodes = nodes(args)?;
    if args.json {
        terminal::json(&json!({ "schema": "howdah.nodes/1", "nodes": nodes }))?;
    } else {
        terminal::data(&table(&nodes))?;
    }
    Ok(Exit::Done)
}

fn check(args: &console::Args) -> Outcome {
    let nodes = nodes(args)?;
    let faults: Vec<String> = nodes.iter().filter_map(fault).collect();
    if args.json {
        let value = json!({ "schema": "howdah.nodes_check/1", "nodes": nodes, "faults": faults });
        terminal::json(&value)?;
    } else {
        terminal::data(&table(&nodes))?;
    }
    if faults.is_empty() {
        return Ok(Exit::Done);
    }
    Err(Failure::new(Exit::CheckFailed, anyhow!(faults.join("\n"))))
}

fn command(verb: &str, done: &str, text: &str, one: &One) -> Outcome {
    let command = format!("{verb} {}", console::quoted(&one.node));
    console::ask(&one.console, async |console| console.rows(&command, Some(LIMIT)).await)?;
    if one.console.json {
        terminal::json(&json!({ "schema": "howdah.done/1", "done": done, "node": one.node }))?;
    } else {
        Talk::new().good(done, &format!("{}: {text}", one.node));
    }
    Ok(Exit::Done)
}

/// What is wrong with a node, and what to do.
fn fault(node: &Row) -> Option<String> {
    let what = match cell(node, "standing").as_str() {
        "primary" | "replica" => return breaker(node),
        "unlisted" => {
            let host = cell(node, "host");
            return Some(format!(
                "a replica at {host} follows the primary and is not configured: a [[cluster.node]] for it, or leave it"
            ));
        }
        "down" => "does not answer",
        "detached" => {
            "is a replica, but not known to be on the primary's timeline; [health] user needs pg_monitor to see it at once"
        }
        "fenced" => "takes writes on an older timeline: stop it and make it a replica",
        "rival" => "takes writes on the same timeline as another node: stop the wrong one",
        "stranger" => "is a copy of another database cluster",
        "suspect" => "has just contradicted what it was; ask again",
        _ => "has not said what it is: the log of Howdah says why",
    };
    Some(format!("{} {what}", cell(node, "name")))
}

fn breaker(node: &Row) -> Option<String> {
    let open = cell(node, "breaker") == "open";
    open.then(|| format!("{} fails: {}", cell(node, "name"), cell(node, "last_error")))
}

/// The nodes for people, one a line.
fn table(rows: &[Row]) -> String {
    let mut table = Table::new(&[
        "name", "address", "role", "standing", "timeline", "lag", "behind", "weight", "busy",
        "free",
    ]);
    for row in rows {
        let port = Some(cell(row, "port")).filter(|port| !port.is_empty());
        let host = cell(row, "host");
        let drained = number(row, "drained") == 1;
        let standing = cell(row, "standing");
        table.row(vec![
            cell(row, "name"),
            port.map_or_else(|| host.clone(), |port| format!("{host}:{port}")),
            cell(row, "role"),
            if drained { format!("{standing}, drained") } else { standing },
            cell(row, "timeline"),
            unit(row, "lag_ms", "ms"),
            unit(row, "lag_bytes", "bytes"),
            cell(row, "weight"),
            cell(row, "sv_active"),
            cell(row, "sv_idle"),
        ]);
    }
    let mut text = String::from(
        "lag: how old what the node shows is at most; behind: what it has not replayed\n",
    );
    text.push_str(&table.render());
    text
}

fn unit(row: &Row, name: &str, unit: &str) -> String {
    match cell(row, name) {
        none if none.is_empty() => "-".to_owned(),
        value => format!("{value} {unit}"),
    }
}
