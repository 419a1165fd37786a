//! `howdah status`: asks the console of a running Howdah and prints what matters. Everything else is in the console itself.

use std::time::Duration;

use serde_json::json;

use crate::cmd::pools::{self, millis};
use crate::console::{self, LIMIT, Row, number};
use crate::exit::{Exit, Outcome};
use crate::terminal;

/// What was asked, by name.
struct Answers {
    address: String,
    version: String,
    pools: Vec<Row>,
    /// Names and values of `SHOW TOTALS`.
    stats: Row,
}

/// Prints the state.
pub(crate) fn run(args: &console::Args) -> Outcome {
    let answers = console::ask(args, async |console| {
        let version = console.rows("SHOW VERSION", Some(LIMIT)).await?;
        let version = version.first().and_then(|row| row.values().next().cloned());
        let line = |mut row: Row| Some((row.remove("name")?, row.remove("value")?));
        Ok(Answers {
            address: console.address.to_string(),
            version: version.unwrap_or_default(),
            pools: console.rows("SHOW POOLS", Some(LIMIT)).await?,
            stats: console
                .rows("SHOW TOTALS", Some(LIMIT))
                .await?
                .into_iter()
                .filter_map(line)
                .collect(),
        })
    })?;
    if args.json {
        terminal::json(&json!({
            "schema": "howdah.status/2",
            "address": answers.address,
            "version": answers.version,
            "pools": answers.pools,
            "stats": answers.stats,
        }))?;
    } else {
        terminal::data(&render(&answers))?;
    }
    Ok(Exit::Done)
}

fn render(answers: &Answers) -> String {
    let stats = &answers.stats;
    let up = Duration::from_secs(number(stats, "uptime_s"));
    let up = howdah::config::format_duration(up);
    let mut text = format!("{} at {}, up {up}\n\n", answers.version, answers.address);
    text.push_str(&pools::table(&answers.pools));
    let count = |name| number(stats, name);
    let lines = [
        format!(
            "statements  {}, of which {} errors; P50 {}, P99 {}",
            count("total_query_count"),
            count("total_errors"),
            millis(count("query_p50_us")),
            millis(count("query_p99_us")),
        ),
        format!(
            "waits       {} for a server; P50 {}, P99 {}",
            count("total_waits"),
            millis(count("wait_p50_us")),
            millis(count("wait_p99_us")),
        ),
        format!(
            "servers     {} opened, {} closed, {} could not be opened",
            count("total_servers_opened"),
            count("total_servers_closed"),
            count("total_open_failures"),
        ),
        format!(
            "clients     {} came, {} were not let in; {} received, {} sent",
            count("total_connections"),
            count("total_failed_logins"),
            bytes(count("total_client_bytes")),
            bytes(count("total_server_bytes")),
        ),
    ];
    text.push('\n');
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Bytes for people.
fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, size) in UNITS {
        if count >= size {
            let tenths = count.saturating_mul(10) / size;
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{count} B")
}
