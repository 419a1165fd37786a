//! The result cache under point reads by keys of Zipf's law, with writes by key through Howdah and past it: how many reads it answers,
//! how old they may be, what they cost and how long they take, beside PostgreSQL itself and Howdah without a cache in the same run.
//!
//! Invariant: the keys are in the cache when a cell begins, whoever is measured; a read that is older than the bound, or hides the
//! client's own write, is a missed number.

pub(crate) mod client;
mod keys;
mod load;
mod watch;

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::bed::{Bed, Transport};
use crate::cpu::Snapshot;
use crate::plan::{Peer, Protocol};
use crate::proxy::Proxy;
use crate::{Options, Outcome, howdah};
use client::{Client, Row};
use keys::Zipf;
use load::{Load, Seen};
use watch::Watch;

/// Keys per unit of pgbench's scale.
const KEYS: u32 = 100_000;
/// The bound of Howdah's default configuration.
const BOUND: Duration = Duration::from_millis(100);
/// The seed of the writer that goes past Howdah.
const PAST: u64 = 77;

/// What `zipf` is asked to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Seconds per cell.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Keys, in units of 100,000.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    scale: u32,
    /// The exponent of Zipf's law: more than 0, less than 1.
    #[arg(long, default_value_t = 0.99)]
    theta: f64,
    /// Clients.
    #[arg(long, default_value_t = 32)]
    clients: u32,
    /// Statements per second of all clients together; 0: as many as they can.
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// Writes of a hundred statements; a group of cells for each.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 5, 10])]
    writes: Vec<u32>,
    /// Writes per second that go past Howdah, where there are writes.
    #[arg(long, default_value_t = 50)]
    past: u32,
    /// How statements are sent.
    #[arg(long, value_delimiter = ',', default_values = ["simple", "prepared"])]
    protocols: Vec<Protocol>,
}

/// Whom a cell is about.
struct Subject {
    name: &'static str,
    proxy: Option<Proxy>,
}

/// Prints a line for each cell and subject.
pub(crate) fn run(arguments: &Arguments, options: &Options) -> Result<Outcome> {
    let settings = [("wal_level", "logical")];
    let bed = Bed::with(arguments.scale, Transport::Tcp, &[Peer::Caching], &settings, options)?;
    bed.psql("CREATE PUBLICATION howdah FOR TABLE pgbench_accounts")?;
    let peer = |name, peer: Peer| -> Result<Subject> {
        let proxy = peer.howdah().map(|variant| howdah::start(&bed, &[], variant)).transpose()?;
        Ok(Subject { name, proxy })
    };
    let subjects = [
        peer("PostgreSQL", Peer::Direct)?,
        peer("Howdah, no cache", Peer::Flights)?,
        peer("Howdah, cache", Peer::Caching)?,
    ];
    let zipf = Zipf::new(arguments.scale * KEYS, arguments.theta);
    let mut right = true;
    println!(
        "| statements, writes | | per second | read P50 | P99 | from the cache | stale, P99 | over the bound, own writes hidden | CPU per statement |\n|---|---|---|---|---|---|---|---|---|"
    );
    for protocol in &arguments.protocols {
        let load = Load {
            zipf,
            protocol: *protocol,
            clients: arguments.clients,
            writes: 0,
            rate: 0,
            time: Duration::from_secs(arguments.seconds),
            seed: 1,
        };
        options.say(&format!("reading every key twice ({})", protocol.name()));
        if let [.., Subject { proxy: Some(proxy), .. }] = &subjects {
            load.warm(&proxy.address(), arguments.scale * KEYS)?;
        }
        for (cell, writes) in (2..).zip(&arguments.writes) {
            for subject in &subjects {
                let load = Load { writes: *writes, rate: arguments.rate, seed: cell, ..load };
                right &= measure(&bed, subject, load, arguments.past)?;
                if let Some(reasons) = reasons(subject)? {
                    options.say(&format!("reasons until now: {reasons}"));
                }
            }
        }
    }
    Ok(if right { Outcome::Done } else { Outcome::Missed })
}

/// One line. Whether everything that was read was as fresh as promised.
fn measure(bed: &Bed, subject: &Subject, load: Load, past: u32) -> Result<bool> {
    let address = subject.proxy.as_ref().map_or_else(|| bed.server(), Proxy::address);
    let roots: Vec<u32> = subject.proxy.iter().map(Proxy::pid).collect();
    let watch = Watch::new();
    let before = (Snapshot::take()?.cpu(&roots), hits(subject)?);
    let seen = thread::scope(|scope| {
        let bypass = (load.writes > 0 && past > 0).then(|| {
            let writes =
                Load { clients: 1, writes: 100, rate: past, seed: PAST + load.seed, ..load };
            let (server, watch) = (bed.server(), &watch);
            scope.spawn(move || writes.run(&server, watch))
        });
        let seen = load.run(&address, &watch)?;
        if let Some(bypass) = bypass {
            bypass.join().ok().context("the writer past Howdah panicked")??;
        }
        Ok::<_, anyhow::Error>(seen)
    })?;
    let cpu = (Snapshot::take()?.cpu(&roots) - before.0).total();
    let hits = hits(subject)?.zip(before.1).map(|(after, before)| after - before);
    let (over, line) = line(subject.name, load, &seen, hits, (!roots.is_empty()).then_some(cpu));
    println!("{line}");
    Ok(over == 0 && seen.lost == 0)
}

/// How many reads were older than the bound, and all of it for people.
fn line(
    name: &str,
    load: Load,
    seen: &Seen,
    hits: Option<u64>,
    cpu: Option<f64>,
) -> (usize, String) {
    let bound = u64::try_from(BOUND.as_micros()).unwrap_or(u64::MAX);
    let over = seen.stale.iter().filter(|stale| **stale > bound).count();
    let ms = |micros: Option<u64>| {
        micros.map_or_else(|| "–".to_owned(), |it| format!("{:.2} ms", it as f64 / 1000.0))
    };
    let share = hits.map_or_else(
        || "–".to_owned(),
        |hits| format!("{:.1} %", 100.0 * hits as f64 / (seen.reads.max(1)) as f64),
    );
    let cost = cpu.map_or_else(
        || "–".to_owned(),
        |cpu| format!("{:.1} µs", cpu / seen.statements.max(1) as f64 * 1e6),
    );
    let text = format!(
        "| {}, {} % | {name} | {:.0} | {} | {} | {share} | {} | {over}, {} | {cost} |",
        load.protocol.name(),
        load.writes,
        seen.statements as f64 / load.time.as_secs_f64(),
        ms(seen.latency(500)),
        ms(seen.latency(990)),
        ms(Some(seen.staleness(990))),
        seen.lost,
    );
    (over, text)
}

/// Where `SHOW CACHE` has hits and reasons.
pub(crate) const HITS: usize = 2;
pub(crate) const REASONS: usize = 11;

/// The line of `SHOW CACHE`.
fn shown(subject: &Subject) -> Result<Option<Row>> {
    let Some(proxy) = &subject.proxy else { return Ok(None) };
    let mut console = Client::to(&proxy.address(), "howdah", Protocol::Simple)?;
    Ok(console.rows("SHOW CACHE")?.into_iter().next())
}

/// Answers from the cache until now; `None`: there is none.
fn hits(subject: &Subject) -> Result<Option<u64>> {
    let row = shown(subject)?.unwrap_or_default();
    Ok(row.get(HITS).and_then(|hits| hits.as_ref()?.parse().ok()))
}

/// Why the others were not given until now, in the words of `SHOW CACHE`; `None`: there is no cache.
fn reasons(subject: &Subject) -> Result<Option<String>> {
    let row = shown(subject)?.unwrap_or_default();
    Ok(row.get(REASONS).cloned().flatten())
}
