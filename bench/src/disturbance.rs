//! What pgbench's own latency log costs: the same load without it, with the sampling that a run uses, and with every
//! transaction logged. Not a benchmark of anything else.
//!
//! Invariant: the three take turns, and are compared within a round.

use anyhow::Result;

use crate::bed::{Bed, Transport};
use crate::plan::{Cell, Peer, Protocol, Workload};
use crate::sample::Spread;
use crate::{Options, Outcome};

/// What `disturbance` is asked to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds per run.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
}

/// Prints throughput with sampling and with the full log as a share of that without.
pub(crate) fn run(arguments: &Arguments, options: &Options) -> Result<Outcome> {
    let bed = Bed::start(10, Transport::Tcp, &[Peer::Direct], options)?;
    let server = bed.server();
    println!(
        "| protocol | clients | sampled | tps × no log | all × no log |\n|---|---|---|---|---|"
    );
    // The cheapest statements: nothing else is disturbed more.
    for clients in [1, 32] {
        let cell = Cell { workload: Workload::Select, protocol: Protocol::Prepared, clients };
        let sampling = cell.sampling();
        let variants = [None, sampling, Some("1")];
        let mut shares = [Vec::new(), Vec::new()];
        bed.pgbench().run(&server, cell, 1, None)?;
        for round in 0..arguments.rounds {
            let mut tps = [0.0; 3];
            for turn in 0..variants.len() {
                let variant = (turn + round) % variants.len();
                let log = variants.get(variant).copied().flatten();
                let outcome = bed.pgbench().run(&server, cell, arguments.seconds, log)?;
                if let Some(slot) = tps.get_mut(variant) {
                    *slot = outcome.tps;
                }
            }
            let [without, sampled, all] = tps;
            let [sampled_shares, all_shares] = &mut shares;
            sampled_shares.push(sampled / without);
            all_shares.push(all / without);
        }
        let columns = shares.map(|shares| {
            Spread::of(shares).map_or_else(
                || "–".to_owned(),
                |Spread { min, median, max }| format!("{median:.3} ({min:.3}–{max:.3})"),
            )
        });
        println!(
            "| prepared | {clients} | {} | {} |",
            sampling.unwrap_or("–"),
            columns.join(" | ")
        );
    }
    Ok(Outcome::Done)
}
