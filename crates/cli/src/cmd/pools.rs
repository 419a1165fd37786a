//! `howdah pools`: the pools of a running Howdah, all of them or one database closely.

use std::time::Duration;

use anyhow::anyhow;
use serde_json::json;

use crate::console::{self, LIMIT, Row, cell, number};
use crate::exit::{Exit, Failure, Outcome};
use crate::table::Table;
use crate::terminal;

/// Arguments of `howdah pools`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What about them.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// All pools, one a line
    List(console::Args),
    /// The pools of one database, with all that is known of them and of their servers
    Show {
        /// The name clients use
        database: String,
        #[command(flatten)]
        console: console::Args,
    },
}

/// Prints them.
pub(crate) fn run(args: &Args) -> Outcome {
    match &args.verb {
        Verb::List(console) => list(console),
        Verb::Show { database, console } => show(database, console),
    }
}

fn list(args: &console::Args) -> Outcome {
    let pools = console::ask(args, async |console| console.rows("SHOW POOLS", Some(LIMIT)).await)?;
    if args.json {
        terminal::json(&json!({ "schema": "howdah.pools/1", "pools": pools }))?;
    } else {
        terminal::data(&table(&pools))?;
    }
    Ok(Exit::Done)
}

fn show(database: &str, args: &console::Args) -> Outcome {
    let (mut pools, mut servers) = console::ask(args, async |console| {
        let pools = console.rows("SHOW POOLS", Some(LIMIT)).await?;
        Ok((pools, console.rows("SHOW SERVERS", Some(LIMIT)).await?))
    })?;
    let here = |row: &Row| row.get("database").is_some_and(|name| name == database);
    pools.retain(here);
    servers.retain(here);
    if pools.is_empty() {
        let text = format!(
            "no pool of a database {database:?}\n    the first client makes one; howdah pools list shows those there are"
        );
        return Err(Failure::new(Exit::Failed, anyhow!(text)));
    }
    if args.json {
        let value = json!({ "schema": "howdah.pool/1", "pools": pools, "servers": servers });
        terminal::json(&value)?;
        return Ok(Exit::Done);
    }
    let mut text = table(&pools);
    text.push('\n');
    let columns =
        ["state", "remote_pid", "connect_time", "application_name", "prepared_statements"];
    let mut lines = Table::new(&["server", "pid", "since", "application", "statements"]);
    for server in &servers {
        lines.row(columns.iter().map(|name| cell(server, name)).collect());
    }
    text.push_str(&lines.render());
    terminal::data(&text)?;
    Ok(Exit::Done)
}

/// The pools for people, one a line, with what is wrong below.
pub(crate) fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        let why = "no pools yet: the first client of a database and user makes one\n";
        return why.to_owned();
    }
    let mut table = Table::new(&[
        "database",
        "user",
        "mode",
        "active",
        "waiting",
        "idle",
        "longest wait",
        "busy",
        "free",
        "opening",
        "max",
        "pinned",
    ]);
    let mut errors = String::new();
    for row in rows {
        let seconds = number(row, "maxwait").saturating_mul(1_000_000);
        let mut cells: Vec<_> =
            ["database", "user", "pool_mode"].iter().map(|name| cell(row, name)).collect();
        let idle = number(row, "cl_idle");
        // PgBouncer counts idle clients as active.
        cells.push(number(row, "cl_active").saturating_sub(idle).to_string());
        cells.push(cell(row, "cl_waiting"));
        cells.push(idle.to_string());
        cells.push(millis(seconds.saturating_add(number(row, "maxwait_us"))));
        let busy = number(row, "sv_active") + number(row, "sv_tested");
        cells.push(busy.to_string());
        cells.push((number(row, "sv_idle") + number(row, "sv_used")).to_string());
        for name in ["sv_login", "pool_size", "pinned"] {
            cells.push(cell(row, name));
        }
        table.row(cells);
        if row.get("paused").is_some_and(|paused| paused == "1") {
            let (database, user) = (cell(row, "database"), cell(row, "user"));
            errors.push_str(&format!("! {user}@{database} is paused: howdah resume\n"));
        }
        if let Some(error) = row.get("last_error").filter(|error| !error.is_empty()) {
            let (database, user) = (cell(row, "database"), cell(row, "user"));
            errors.push_str(&format!("! {user}@{database}: no new servers: {error}\n"));
        }
    }
    let mut text =
        String::from("clients: active, waiting, idle; servers: busy, free, opening, max\n");
    text.push_str(&table.render());
    text.push_str(&errors);
    text
}

/// Microseconds for people.
pub(crate) fn millis(us: u64) -> String {
    let time = Duration::from_micros(us);
    format!("{:.2} ms", time.as_secs_f64() * 1_000.0)
}
