//! What an answer from the cache costs: statements whose answers are all kept, asked by pgbench of PostgreSQL, of Howdah with and without its
//! cache, and of a program that answers everything with the same row (`canned`), which no cache on a socket can be faster than. Then what a
//! cache costs where it does not answer: statements that miss, and the stream of changes on the server.
//!
//! Invariant: ratios are taken within a round; everything is in the cache before its cell is measured, and how much was answered from it is
//! in every line.

pub(crate) mod canned;
mod costs;

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::bed::{Bed, DATABASE, Transport};
use crate::cpu::Snapshot;
use crate::pgbench::{Outcome as Ran, Script};
use crate::plan::{Peer, Protocol};
use crate::proxy::Proxy;
use crate::sample::Spread;
use crate::zipf::{self, client::Client};
use crate::{Options, Outcome, howdah};

/// What `cached` is asked to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds per measurement.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Rows that are asked for: at most 100,000.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    keys: u32,
    /// Clients; a group of cells for each.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32])]
    clients: Vec<u32>,
    /// How statements are sent.
    #[arg(long, value_delimiter = ',', default_values = ["simple", "prepared"])]
    protocols: Vec<Protocol>,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    /// One row by its key.
    Point,
    /// What takes PostgreSQL a millisecond: the sum of so many rows.
    Dear(u32),
}

impl Question {
    /// What takes PostgreSQL a millisecond when nobody else asks, the way there and back left out.
    fn dear(bed: &Bed) -> Result<Self> {
        let mut client = Client::to(&bed.server(), DATABASE, Protocol::Simple)?;
        let mut millis = |rows: u32| -> Result<f64> {
            let text = Self::Dear(rows).sql("1");
            let mut times = Vec::new();
            for _ in 0..LOOKS {
                let begun = Instant::now();
                client.rows(&text)?;
                times.push(begun.elapsed().as_secs_f64() * 1e3);
            }
            Ok(Spread::of(times).context("nothing was measured")?.median)
        };
        let (few, many) = (0, 10_000);
        let (way, whole) = (millis(few)?, millis(many)?);
        let rows = (f64::from(many) / (whole - way).max(0.01)).clamp(500.0, 50_000.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped")]
        Ok(Self::Dear(rows.round() as u32))
    }

    fn name(self) -> String {
        match self {
            Self::Point => "a row by its key".to_owned(),
            Self::Dear(rows) => format!("a sum over {rows} rows"),
        }
    }

    /// The statement, with this in the place of what is different each time.
    fn sql(self, value: &str) -> String {
        match self {
            Self::Point => format!("SELECT abalance FROM pgbench_accounts WHERE aid = {value};\n"),
            Self::Dear(rows) => format!(
                "SELECT sum(abalance) FROM pgbench_accounts WHERE aid BETWEEN {value} AND {value} + {rows};\n"
            ),
        }
    }

    fn script(self, keys: u32) -> String {
        let values = if self == Self::Point { keys } else { 50 };
        format!("\\set value random(1, {values})\n{}", self.sql(":value"))
    }

    /// What the cache must reach with many clients against PostgreSQL, by the issue of the cache.
    const fn wanted(self, protocol: Protocol) -> Option<f64> {
        match (self, protocol) {
            (Self::Point, Protocol::Simple) => Some(3.0),
            (Self::Point, Protocol::Prepared) => Some(2.2),
            (Self::Dear(_), _) => Some(50.0),
            (Self::Point, Protocol::Extended) => None,
        }
    }
}

/// How often the dear statement is tried.
const LOOKS: usize = 101;
/// Most latency with one client, against the canned reply.
const LATENCY: f64 = 1.3;
/// Most microseconds of processor time for an answer from the cache.
const CPU: f64 = 6.0;

/// Who answers.
struct Subject {
    name: &'static str,
    proxy: Option<Proxy>,
}

/// One measurement.
struct Reading {
    ran: Ran,
    /// Microseconds of the process per statement: user, system.
    cpu: (f64, f64),
    /// Share of statements that the cache has answered.
    hits: Option<f64>,
}

/// Prints a line for each cell and subject, and what was missed.
pub(crate) fn run(arguments: &Arguments, options: &Options) -> Result<Outcome> {
    let settings = [("wal_level", "logical")];
    let bed = Bed::with(1, Transport::Tcp, &[Peer::Caching], &settings, options)?;
    bed.psql("CREATE PUBLICATION howdah FOR TABLE pgbench_accounts")?;
    let peer = |name, peer: Peer| -> Result<Subject> {
        let proxy = peer.howdah().map(|variant| howdah::start(&bed, &[], variant)).transpose()?;
        Ok(Subject { name, proxy })
    };
    let subjects = [
        peer("PostgreSQL", Peer::Direct)?,
        Subject { name: "a canned reply", proxy: Some(start_canned(&bed)?) },
        peer("Howdah, no cache", Peer::Flights)?,
        peer("Howdah, cache", Peer::Caching)?,
    ];
    println!(
        "| asked | | per second | × PostgreSQL | P50 | P99 | CPU per statement (user + system) | from the cache |\n|---|---|---|---|---|---|---|---|"
    );
    let mut missed = Vec::new();
    for question in [Question::Point, Question::dear(&bed)?] {
        for protocol in &arguments.protocols {
            let text = question.script(arguments.keys);
            let script = Script {
                text: &text,
                protocol: *protocol,
                clients: 32,
                seconds: arguments.seconds,
                sampling: "0.05",
            };
            warm(&bed, &subjects, &script, options)?;
            for clients in &arguments.clients {
                let script = Script { clients: *clients, ..script };
                missed.extend(cell(&bed, &subjects, question, &script, arguments.rounds)?);
            }
        }
    }
    missed.extend(costs::run(&bed, arguments, options)?);
    for target in &missed {
        println!("missed: {target}");
    }
    Ok(if missed.is_empty() { Outcome::Done } else { Outcome::Missed })
}

fn start_canned(bed: &Bed) -> Result<Proxy> {
    let copy = bed.directory().join("howdah-bench");
    fs::copy(std::env::current_exe()?, &copy).context("cannot copy this program")?;
    let port = howdah_local::free_port()?;
    let mut command = bed.workplace().command(&copy);
    command.args(["--quiet", "canned", "--port", &port.to_string()]);
    Proxy::start(bed, command, port)
}

/// Asks until everything is in the cache.
fn warm(bed: &Bed, subjects: &[Subject], script: &Script<'_>, options: &Options) -> Result<()> {
    let Some(subject) = subjects.last() else { return Ok(()) };
    options.say(&format!("filling the cache ({})", script.protocol.name()));
    for _ in 0..30 {
        if measure(bed, subject, script)?.hits.is_some_and(|share| share > 0.998) {
            return Ok(());
        }
    }
    bail!("the cache does not get to answer everything")
}

/// All rounds of one cell. What was missed.
fn cell(
    bed: &Bed,
    subjects: &[Subject],
    question: Question,
    script: &Script<'_>,
    rounds: usize,
) -> Result<Vec<String>> {
    let mut readings: Vec<Vec<Reading>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for turn in 0..subjects.len() {
            let at = (round + turn) % subjects.len();
            if let (Some(subject), Some(of)) = (subjects.get(at), readings.get_mut(at)) {
                of.push(measure(bed, subject, script)?);
            }
        }
    }
    let Some([direct, canned, _, cached]) = readings.first_chunk() else { return Ok(Vec::new()) };
    for (subject, of) in subjects.iter().zip(&readings) {
        println!("{}", line(subject, question, script, of, direct));
    }
    let (name, protocol, clients) = (question.name(), script.protocol.name(), script.clients);
    let asked = format!("{name}, {protocol}, {clients} clients");
    let mut missed = Vec::new();
    let mut judge =
        |what: &str, (found, floor): (Option<f64>, Option<f64>), limit: f64, at_most| {
            let good = found.is_some_and(|it| if at_most { it <= limit } else { it >= limit });
            if !good {
                let floor =
                    floor.map_or_else(String::new, |it| format!(" (a canned reply: {it:.2})"));
                let found = found.unwrap_or(f64::NAN);
                missed.push(format!("{asked}: {what} {found:.2}{floor}, wanted {limit}"));
            }
        };
    let tps = |reading: &Reading| Some(reading.ran.tps);
    match question.wanted(script.protocol) {
        Some(wanted) if clients > 1 => {
            let times = (ratio(cached, direct, tps), ratio(canned, direct, tps));
            judge("× PostgreSQL", times, wanted, false);
            let cpu = |of| median(of, |it| Some(it.cpu.0 + it.cpu.1));
            judge("CPU per hit, µs", (cpu(cached), cpu(canned)), CPU, true);
        }
        _ if clients == 1 => {
            let p50 = |reading: &Reading| reading.ran.p50_ms;
            judge("P50 × a canned reply", (ratio(cached, canned, p50), None), LATENCY, true);
        }
        _ => {}
    }
    let errors: u64 = readings.iter().flatten().map(|reading| reading.ran.errors).sum();
    judge("errors", (Some(errors as f64), None), 0.0, true);
    Ok(missed)
}

fn line(
    subject: &Subject,
    question: Question,
    script: &Script<'_>,
    of: &[Reading],
    direct: &[Reading],
) -> String {
    let ms = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |it| format!("{it:.3} ms"));
    let cpu = match &subject.proxy {
        Some(_) => format!(
            "{:.1} + {:.1} µs",
            median(of, |it| Some(it.cpu.0)).unwrap_or_default(),
            median(of, |it| Some(it.cpu.1)).unwrap_or_default()
        ),
        None => "–".to_owned(),
    };
    format!(
        "| {}, {}, {} | {} | {:.0} | {} | {} | {} | {cpu} | {} |",
        question.name(),
        script.protocol.name(),
        script.clients,
        subject.name,
        median(of, |it| Some(it.ran.tps)).unwrap_or_default(),
        spread(of, direct, |it| Some(it.ran.tps)),
        ms(median(of, |it| it.ran.p50_ms)),
        ms(median(of, |it| it.ran.p99_ms)),
        median(of, |it| it.hits)
            .map_or_else(|| "–".to_owned(), |it| format!("{:.1} %", it * 100.0)),
    )
}

fn measure(bed: &Bed, subject: &Subject, script: &Script<'_>) -> Result<Reading> {
    let address = subject.proxy.as_ref().map_or_else(|| bed.server(), Proxy::address);
    let roots: Vec<u32> = subject.proxy.iter().map(Proxy::pid).collect();
    let before = (Snapshot::take()?.cpu(&roots), hits(subject)?);
    let ran = bed.pgbench().script(&address, script)?;
    let cpu = Snapshot::take()?.cpu(&roots) - before.0;
    let each = ran.transactions.max(1) as f64;
    let hits = hits(subject)?.zip(before.1).map(|(after, before)| (after - before) as f64 / each);
    Ok(Reading { cpu: (cpu.user / each * 1e6, cpu.system / each * 1e6), hits, ran })
}

/// Answers from the cache until now; `None`: there is none.
fn hits(subject: &Subject) -> Result<Option<u64>> {
    let Some(proxy) = subject.proxy.as_ref().filter(|_| subject.name.ends_with("cache")) else {
        return Ok(None);
    };
    let mut console = Client::to(&proxy.address(), "howdah", Protocol::Simple)?;
    let row = console.rows("SHOW CACHE")?.into_iter().next().unwrap_or_default();
    Ok(row.get(zipf::HITS).and_then(|hits| hits.as_ref()?.parse().ok()))
}

fn median(of: &[Reading], metric: impl Fn(&Reading) -> Option<f64>) -> Option<f64> {
    Some(Spread::of(of.iter().filter_map(metric))?.median)
}

fn ratios(
    of: &[Reading],
    to: &[Reading],
    metric: impl Fn(&Reading) -> Option<f64>,
) -> Option<Spread> {
    let pairs = of.iter().zip(to);
    Spread::of(pairs.filter_map(|(of, to)| Some(metric(of)? / metric(to)?)))
}

fn ratio(of: &[Reading], to: &[Reading], metric: impl Fn(&Reading) -> Option<f64>) -> Option<f64> {
    Some(ratios(of, to, metric)?.median)
}

fn spread(of: &[Reading], to: &[Reading], metric: impl Fn(&Reading) -> Option<f64>) -> String {
    ratios(of, to, metric).map_or_else(String::new, |found| {
        format!("{:.2} ({:.2}–{:.2})", found.median, found.min, found.max)
    })
}
