//! The clients of the desk: which statement comes how often, by whose key.
//!
//! Invariant: nine of ten statements read; with a rate, a client that is late asks at once and its delay counts.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::pgbench::Address;
use crate::plan::Protocol;
use crate::sample::quantile;
use crate::zipf::client::{Client, Statement};
use crate::zipf::keys::{Dice, Zipf};

/// By what a statement is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    User,
    Order,
    Symbol,
}

/// Of a hundred statements so many are this.
struct Part {
    share: u32,
    statement: Statement,
    key: Key,
    reads: bool,
}

const fn part(
    share: u32,
    (name, text): (&'static str, &'static str),
    key: Key,
    reads: bool,
) -> Part {
    Part { share, statement: Statement { name, text }, key, reads }
}

const PARTS: [Part; 9] = [
    part(
        35,
        ("market", "SELECT bid, ask, volume FROM market WHERE symbol = $1"),
        Key::Symbol,
        true,
    ),
    part(
        20,
        ("positions", "SELECT symbol, quantity, price FROM positions WHERE user_id = $1"),
        Key::User,
        true,
    ),
    part(
        20,
        ("order", "SELECT symbol, quantity, price, status FROM orders WHERE id = $1"),
        Key::Order,
        true,
    ),
    part(
        8,
        ("trades", "SELECT id, quantity, price FROM trades WHERE order_id = $1"),
        Key::Order,
        true,
    ),
    part(7, ("user", "SELECT name, tier FROM users WHERE id = $1"), Key::User, true),
    part(
        4,
        (
            "quote",
            "UPDATE market SET bid = bid + 0.01, ask = ask + 0.01, volume = volume + 1 WHERE symbol = $1",
        ),
        Key::Symbol,
        false,
    ),
    part(
        2,
        ("fill", "UPDATE orders SET quantity = quantity - 1, status = 'partly' WHERE id = $1"),
        Key::Order,
        false,
    ),
    part(
        2,
        ("trade", "INSERT INTO trades (order_id, quantity, price) VALUES ($1, 1, 1)"),
        Key::Order,
        false,
    ),
    part(
        2,
        (
            "book",
            "UPDATE positions SET quantity = quantity + 1 WHERE user_id = $1 AND symbol = ($1 * 7 + 31) % 500 + 1",
        ),
        Key::User,
        false,
    ),
];

/// What the clients do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) users: Zipf,
    pub(super) orders: Zipf,
    pub(super) symbols: Zipf,
    pub(super) protocol: Protocol,
    pub(super) clients: u32,
    /// Statements per second of all clients together; 0: as many as they can.
    pub(super) rate: u32,
    pub(super) time: Duration,
    pub(super) seed: u64,
}

/// What they have seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Of all statements that were answered, in microseconds; sorted.
    pub(super) latencies: Vec<u64>,
    pub(super) reads: u64,
    pub(super) errors: u64,
}

impl Seen {
    /// A latency that so many thousandths do not exceed.
    pub(super) fn latency(&self, permille: usize) -> Option<u64> {
        quantile(&self.latencies, permille)
    }

    pub(super) fn average(&self) -> Option<u64> {
        let count = u64::try_from(self.latencies.len()).ok()?;
        self.latencies.iter().sum::<u64>().checked_div(count)
    }
}

impl Load {
    /// Runs it.
    pub(super) fn run(self, address: &Address) -> Result<Seen> {
        let one = |number| move || self.client(address, number);
        let mut seen = thread::scope(|scope| {
            let clients: Vec<_> =
                (0..self.clients).map(|number| scope.spawn(one(number))).collect();
            clients.into_iter().try_fold(Seen::default(), |mut all, client| {
                let one = client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
                all.latencies.extend(one.latencies);
                all.reads += one.reads;
                all.errors += one.errors;
                Ok::<_, anyhow::Error>(all)
            })
        })?;
        seen.latencies.sort_unstable();
        Ok(seen)
    }

    fn client(self, address: &Address, number: u32) -> Result<Seen> {
        let statements = PARTS.map(|part| part.statement);
        let mut client = Client::asking(address, self.protocol, &statements)?;
        let mut dice = Dice(self.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(number)));
        let mut seen = Seen::default();
        let begun = Instant::now();
        let gap = Duration::from_secs(1).saturating_mul(self.clients).checked_div(self.rate);
        let mut next = begun + gap.unwrap_or_default().mul_f64(dice.unit());
        while begun.elapsed() < self.time {
            let mut asked = Instant::now();
            if let Some(gap) = gap {
                thread::sleep(next.saturating_duration_since(asked));
                // From when it should have been sent: waiting behind a late answer counts.
                (asked, next) = (next, next + gap);
            }
            let part = pick(&mut dice);
            let key = match part.key {
                Key::User => self.users,
                Key::Order => self.orders,
                Key::Symbol => self.symbols,
            };
            if client.ask(part.statement, key.key(&mut dice)).is_err() {
                seen.errors += 1;
                client = Client::asking(address, self.protocol, &statements)?;
                continue;
            }
            seen.reads += u64::from(part.reads);
            let micros = asked.elapsed().as_micros();
            seen.latencies.push(u64::try_from(micros).unwrap_or(u64::MAX));
        }
        Ok(seen)
    }
}

fn pick(dice: &mut Dice) -> &'static Part {
    static ALL: [Part; 9] = PARTS;
    let mut left = dice.unit() * 100.0;
    let [first, ..] = &ALL;
    let found = ALL.iter().find(|part| {
        left -= f64::from(part.share);
        left < 0.0
    });
    found.unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_of_ten_statements_read() {
        let reads: u32 = PARTS.iter().filter(|part| part.reads).map(|part| part.share).sum();
        assert_eq!((reads, PARTS.iter().map(|part| part.share).sum::<u32>()), (90, 100));
        let mut dice = Dice(3);
        let found = (0..100_000).filter(|_| pick(&mut dice).reads).count();
        assert!((89_000..91_000).contains(&found), "{found}");
    }
}
