//! `howdah config tune`: which settings of PostgreSQL its machine and what was measured speak for, each with why and where that is written. Changes nothing; the rules are the
//! library's (`howdah::advisor::settings`).

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::anyhow;
use howdah::advisor::settings::{Change, Disk, Machine, tune};
use howdah::ops::apply::Connect as _;
use howdah::ops::settings;
use serde_json::json;
use tokio_postgres::Client;

use crate::cmd::recommendations::block_on;
use crate::cmd::recommendations::reach::Reach;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::{self, Talk};

/// Arguments of `howdah config tune`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Memory that PostgreSQL has for itself: 16GB [default: this machine's, if the server is here]
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    memory: Option<u64>,
    /// Processors that it has for itself [default: this machine's, if the server is here]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    cores: Option<u32>,
    /// What its data is on [default: looked up, if the server is here]
    #[arg(long, value_name = "KIND")]
    disk: Option<Kind>,
    /// Connections that poolers and others open at most, together [default: `max_connections`]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    connections: Option<u32>,
    /// Print ALTER SYSTEM statements
    #[arg(long, conflicts_with = "json")]
    sql: bool,
    /// For programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    Ssd,
    Hdd,
}

/// Powers of 1,024, as memory is sold and PostgreSQL counts.
fn memory(text: &str) -> Result<u64, String> {
    let end = text.find(|it: char| it.is_ascii_alphabetic()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number: u64 =
        digits.trim().parse().map_err(|_| "not a size, for example 16GB".to_owned())?;
    let shift = match unit.to_ascii_uppercase().as_str() {
        "MB" | "M" => 20,
        "GB" | "G" => 30,
        "TB" | "T" => 40,
        _ => return Err("the unit is not MB, GB or TB".to_owned()),
    };
    number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "no such size".to_owned())
}

/// Looks, decides, prints.
pub(super) fn run(args: &Args) -> Outcome {
    let (machine, measured, missing) = block_on(async {
        let client = args.reach.door().await?.connect().await;
        let client = client.map_err(|why| Failure::new(Exit::Unreachable, anyhow!(why)))?;
        let (mut measured, mut missing) = settings(&client).await?;
        let machine = args.machine(&client, &mut missing).await?;
        measured.connections = args.connections;
        Ok((machine, measured, missing))
    })?;
    let changes = tune(machine, &measured);
    let talk = Talk::new();
    missing.iter().for_each(|text| talk.warn("missing", text));
    if args.json {
        terminal::json(&json!({
            "schema": "howdah.config.tune/1", "machine": machine, "changes": changes, "missing": missing,
        }))?;
        return Ok(Exit::Done);
    }
    terminal::data(&if args.sql { script(&changes) } else { page(machine, &changes) })?;
    Ok(Exit::Done)
}

impl Args {
    /// The machine that the server runs on: as it is told, else this one, if it runs here.
    async fn machine(
        &self,
        client: &Client,
        missing: &mut Vec<String>,
    ) -> Result<Machine, Failure> {
        let here = is_here(client).await?;
        let own = |found: Option<u64>| found.filter(|_| here);
        let (Some(memory), Some(cores)) = (
            self.memory.or_else(|| own(memory_here())),
            self.cores.or_else(|| own(cores_here()).and_then(|it| u32::try_from(it).ok())),
        ) else {
            let text = "the server is on another machine: --memory 64GB --cores 16 say what that has, --disk ssd what its data is on";
            return Err(Failure::new(Exit::Usage, anyhow!(text)));
        };
        let told = self.disk.map(|kind| match kind {
            Kind::Ssd => Disk::Ssd,
            Kind::Hdd => Disk::Hdd,
        });
        let disk = match told {
            None if here => disk_here(client).await,
            told => told,
        };
        if disk.is_none() {
            missing.push("what the data is on cannot be seen: --disk ssd or --disk hdd adds what the planner and autovacuum should assume of it".to_owned());
        }
        Ok(Machine { memory, cores, disk })
    }
}

/// Whether the server's connection does not leave this machine.
async fn is_here(client: &Client) -> anyhow::Result<bool> {
    let sql = "SELECT inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1'";
    Ok(client.query_one(sql, &[]).await?.try_get(0)?)
}

/// Memory of this machine, or of the container that we are in.
fn memory_here() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let whole = line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?.checked_mul(1024)?;
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|text| text.trim().parse().ok());
    Some(limit.map_or(whole, |limit: u64| limit.min(whole)))
}

fn cores_here() -> Option<u64> {
    let cores = std::thread::available_parallelism().ok()?;
    u64::try_from(cores.get()).ok()
}

/// What the data directory is on; `None`: nobody may know, or it is no disk of its own.
async fn disk_here(client: &Client) -> Option<Disk> {
    let row = client.query_one("SELECT current_setting('data_directory')", &[]).await.ok()?;
    let device = std::fs::metadata(row.try_get::<_, String>(0).ok()?).ok()?.dev();
    // As Linux packs the two numbers of a device.
    let major = (device >> 8) & 0xfff | (device >> 32) & !0xfff;
    let minor = device & 0xff | (device >> 12) & !0xff;
    let block = Path::new("/sys/dev/block").join(format!("{major}:{minor}"));
    // A partition's queue is that of its disk.
    let turning = ["queue/rotational", "../queue/rotational"]
        .iter()
        .find_map(|place| std::fs::read_to_string(block.join(place)).ok())?;
    Some(if turning.trim() == "0" { Disk::Ssd } else { Disk::Hdd })
}

fn page(machine: Machine, changes: &[Change]) -> String {
    let disk = match machine.disk {
        Some(Disk::Ssd) => ", data on a disk without moving parts",
        Some(Disk::Hdd) => ", data on a turning disk",
        None => "",
    };
    let mut text = format!(
        "For {:.1} GB of memory, {} processors{disk}:\n\n",
        machine.memory as f64 / (1_u64 << 30) as f64,
        machine.cores
    );
    if changes.is_empty() {
        text.push_str("Nothing to change.\n");
        return text;
    }
    for change in changes {
        let how = if change.restart { "restart" } else { "reload" };
        let _ = writeln!(
            text,
            "{}: {} → {}  [{how}]\n  {}\n  PostgreSQL's documentation: {}\n",
            change.name, change.now, change.then, change.why, change.source
        );
    }
    let restarts = changes.iter().filter(|change| change.restart).count();
    let _ = writeln!(
        text,
        "{} settings, of which {restarts} take a restart. Nothing was changed: --sql prints the statements.",
        changes.len()
    );
    text
}

fn script(changes: &[Change]) -> String {
    let mut text = String::new();
    for change in changes {
        let how = if change.restart { "restart" } else { "reload" };
        let _ = writeln!(
            text,
            "-- {}, now {} ({how}); back: {};\n{};",
            change.name,
            change.now,
            change.way_back(),
            change.statement()
        );
    }
    if changes.iter().any(|change| !change.restart) {
        text.push_str("SELECT pg_reload_conf();\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_as_postgresql_does() {
        assert_eq!(memory("16GB"), Ok(16 << 30));
        assert_eq!(memory("512mb"), Ok(512 << 20));
        assert!(memory("16").is_err() && memory("GB").is_err() && memory("0GB").is_err());
    }
}
