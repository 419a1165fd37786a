//! What a cache costs where it does not answer: a statement that misses, against plain forwarding, and the stream of changes on the server, against
//! no stream.
//!
//! Invariant: both sides of a comparison are measured in turns.

use anyhow::Result;

use super::{Arguments, Reading, Subject, median, ratio};
use crate::bed::Bed;
use crate::cpu::Snapshot;
use crate::pgbench::Script;
use crate::plan::{Peer, Protocol};
use crate::sample::Spread;
use crate::{Options, howdah};

/// A store of one MiB: of these keys about one in eight is in it, so that the form is not given up as one that is never found.
const KEYS: u32 = 20_000;
const SMALL: &str = "\n[cache]\nmode = \"on\"\nsize = 1\npublication = \"howdah\"\n[[database]]\nname = \"bench\"\n";

/// Prints what both cost. What was missed.
pub(super) fn run(bed: &Bed, arguments: &Arguments, options: &Options) -> Result<Vec<String>> {
    let mut missed = Vec::new();
    for protocol in &arguments.protocols {
        missed.extend(misses(bed, *protocol, arguments, options)?);
    }
    stream(bed, arguments, options)?;
    Ok(missed)
}

/// Most microseconds of processor time that a miss may cost over plain forwarding (design of the cache).
const MISS: f64 = 5.0;

fn misses(
    bed: &Bed,
    protocol: Protocol,
    arguments: &Arguments,
    options: &Options,
) -> Result<Option<String>> {
    options.say(&format!("statements that miss ({})", protocol.name()));
    let Some(plain) = Peer::Flights.howdah() else { return Ok(None) };
    let subject = |name, more: &str| -> Result<Subject> {
        Ok(Subject { name, proxy: Some(howdah::start_with(bed, &[], plain, more)?) })
    };
    let subjects = [subject("Howdah, no cache", "")?, subject("Howdah, a small cache", SMALL)?];
    let text = format!(
        "\\set aid random(1, {KEYS})\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
    );
    let script =
        Script { text: &text, protocol, clients: 32, seconds: arguments.seconds, sampling: "0.05" };
    let mut readings: [Vec<Reading>; 2] = Default::default();
    // The first of each is not counted: there nothing is known yet.
    for round in 0..=arguments.rounds {
        for (subject, of) in subjects.iter().zip(&mut readings) {
            let reading = super::measure(bed, subject, &script)?;
            if round > 0 {
                of.push(reading);
            }
        }
    }
    let [plain, small] = &readings;
    let tps = |reading: &Reading| Some(reading.ran.tps);
    let cpu = |reading: &Reading| Some(reading.cpu.0 + reading.cpu.1);
    let share = median(small, |reading| reading.hits).unwrap_or_default();
    let more = Spread::of(plain.iter().zip(small).map(|(plain, small)| {
        let (plain, small) = (plain.cpu.0 + plain.cpu.1, small.cpu.0 + small.cpu.1);
        small - plain
    }));
    let Some(more) = more else { return Ok(None) };
    println!(
        "\nStatements that miss, {}: {:.0} per second without a cache and {:.2} × as many with one that answers {:.1} %; CPU per statement {:.1} µs and {:.1} µs, {:+.1} µs ({:+.1} to {:+.1}).",
        protocol.name(),
        median(plain, tps).unwrap_or_default(),
        ratio(small, plain, tps).unwrap_or_default(),
        share * 100.0,
        median(plain, cpu).unwrap_or_default(),
        median(small, cpu).unwrap_or_default(),
        more.median,
        more.min,
        more.max,
    );
    let what = || {
        format!("a miss, {}: {:+.1} µs of CPU, wanted at most {MISS}", protocol.name(), more.median)
    };
    Ok((more.median > MISS).then(what))
}

/// Updates by key directly at the server, with nobody who follows changes and with one Howdah that does.
fn stream(bed: &Bed, arguments: &Arguments, options: &Options) -> Result<()> {
    options.say("the stream of changes");
    let text = "\\set aid random(1, 100000)\nUPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;\n";
    let script = Script {
        text,
        protocol: Protocol::Prepared,
        clients: 8,
        seconds: arguments.seconds,
        sampling: "0.05",
    };
    let server = bed.server_pid()?;
    let one = || -> Result<(f64, f64)> {
        let before = Snapshot::take()?.cpu(&[server]);
        let ran = bed.pgbench().script(&bed.server(), &script)?;
        let cpu = (Snapshot::take()?.cpu(&[server]) - before).total();
        Ok((ran.tps, cpu / ran.transactions.max(1) as f64 * 1e6))
    };
    let (mut tps, mut cpu, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let without = one()?;
        let Some(variant) = Peer::Caching.howdah() else { return Ok(()) };
        let proxy = howdah::start(bed, &[], variant)?;
        let with = one()?;
        proxy.stop()?;
        tps.push(with.0 / without.0);
        cpu.push(with.1 - without.1);
        alone.push(without.1);
    }
    if let (Some(tps), Some(cpu), Some(alone)) =
        (Spread::of(tps), Spread::of(cpu), Spread::of(alone))
    {
        println!(
            "\nThe stream: updates by key directly at PostgreSQL cost it {:.1} µs of CPU each without a follower, and {:+.1} µs ({:+.1} to {:+.1}) more with one; throughput {:.2} × ({:.2}–{:.2}).",
            alone.median, cpu.median, cpu.min, cpu.max, tps.median, tps.min, tps.max
        );
    }
    Ok(())
}
