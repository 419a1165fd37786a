//! Clients that read, and sometimes write, by keys of Zipf's law, on one address for some time.
//!
//! Invariant: what is counted was answered within the time; what was written past the proxy is known to the watch, too.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::client::Client;
use super::keys::{Dice, Zipf};
use super::watch::Watch;
use crate::pgbench::Address;
use crate::plan::Protocol;
use crate::sample::quantile;

/// What the clients do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) zipf: Zipf,
    pub(super) protocol: Protocol,
    pub(super) clients: u32,
    /// Of a hundred statements.
    pub(super) writes: u32,
    /// Statements per second of all clients together; 0: as many as they can.
    pub(super) rate: u32,
    pub(super) time: Duration,
    /// Another one for every cell, so that no cell repeats what the last one has asked for.
    pub(super) seed: u64,
}

/// What they have seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) statements: u64,
    pub(super) reads: u64,
    /// Latencies of reads in microseconds.
    pub(super) latencies: Vec<u64>,
    /// How stale reads were that were not fresh, in microseconds.
    pub(super) stale: Vec<u64>,
    /// Reads of a key that did not show what the same client had written to it.
    pub(super) lost: u64,
}

impl Seen {
    fn add(mut self, other: Self) -> Self {
        self.statements += other.statements;
        self.reads += other.reads;
        self.latencies.extend(other.latencies);
        self.stale.extend(other.stale);
        self.lost += other.lost;
        self
    }

    /// A latency of reads that so many thousandths do not exceed.
    pub(super) fn latency(&self, permille: usize) -> Option<u64> {
        quantile(&self.latencies, permille)
    }

    /// The same of staleness, over all reads.
    pub(super) fn staleness(&self, permille: usize) -> u64 {
        let reads = usize::try_from(self.reads).unwrap_or(usize::MAX);
        let rank = (reads * permille).div_ceil(1000);
        let fresh = reads - self.stale.len();
        let at = rank.checked_sub(fresh + 1).and_then(|at| self.stale.get(at));
        at.copied().unwrap_or_default()
    }
}

impl Load {
    /// Runs it.
    pub(super) fn run(self, address: &Address, watch: &Watch) -> Result<Seen> {
        let one = |number| move || self.client(address, watch, number);
        let mut seen = thread::scope(|scope| {
            let clients: Vec<_> =
                (0..self.clients).map(|number| scope.spawn(one(number))).collect();
            clients.into_iter().try_fold(Seen::default(), |all, client| {
                let outcome = client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?;
                Ok::<_, anyhow::Error>(all.add(outcome?))
            })
        })?;
        seen.latencies.sort_unstable();
        seen.stale.sort_unstable();
        Ok(seen)
    }

    fn client(self, address: &Address, watch: &Watch, number: u32) -> Result<Seen> {
        let mut client = Client::connect(address, self.protocol)?;
        let mut dice = Dice(self.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(number)));
        let (mut seen, mut own) = (Seen::default(), std::collections::HashMap::new());
        let begun = Instant::now();
        let gap = Duration::from_secs(1).saturating_mul(self.clients).checked_div(self.rate);
        let mut next = begun + gap.unwrap_or_default().mul_f64(dice.unit());
        while begun.elapsed() < self.time {
            if let Some(gap) = gap {
                thread::sleep(next.saturating_duration_since(Instant::now()));
                next += gap;
            }
            let key = self.zipf.key(&mut dice);
            let asked = Instant::now();
            seen.statements += 1;
            if dice.unit() * 100.0 < f64::from(self.writes) {
                let number = client.write(key)?;
                watch.on_written(key, number);
                own.insert(key, number);
                continue;
            }
            let number = client.read(key)?;
            seen.reads += 1;
            seen.latencies.push(micros(asked.elapsed()));
            let staleness = watch.staleness(key, number, asked);
            if !staleness.is_zero() {
                seen.stale.push(micros(staleness));
            }
            seen.lost += u64::from(own.get(&key).is_some_and(|own| number < *own));
        }
        Ok(seen)
    }

    /// Reads every key twice: a form of which hardly any answer is asked for again is not kept.
    pub(super) fn warm(self, address: &Address, keys: u32) -> Result<()> {
        let one = |number| {
            move || -> Result<()> {
                let mut client = Client::connect(address, self.protocol)?;
                let own = (1..=keys).filter(|key| key % self.clients == number);
                own.flat_map(|key| [key, key]).try_for_each(|key| client.read(key).map(drop))
            }
        };
        thread::scope(|scope| {
            let clients: Vec<_> =
                (0..self.clients).map(|number| scope.spawn(one(number))).collect();
            clients
                .into_iter()
                .try_for_each(|client| client.join().ok().context("a client panicked")?)
        })
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staleness_is_that_of_all_reads() {
        let seen = Seen { reads: 100, stale: vec![5, 9], ..Seen::default() };
        assert_eq!((seen.staleness(500), seen.staleness(990), seen.staleness(1000)), (0, 5, 9));
    }
}
