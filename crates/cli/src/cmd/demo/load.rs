//! The load of the demo: clients that behave like a trading application, through Howdah's socket. Nine statements of ten read.
//!
//! Invariant: a client that loses its connection counts it, waits a moment and comes back; the load never ends by itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_postgres::{Client, Config, Error, NoTls, Statement};

use super::data::{INSTRUMENTS, TEXTS, USERS};
use crate::probe;

/// How long a client waits before it connects again.
const PAUSE: Duration = Duration::from_millis(200);
/// How often the one client that makes reports makes one.
const REPORT_EVERY: Duration = Duration::from_secs(2);
/// How long the clients have at the end.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Running clients.
pub(super) struct Load {
    clients: JoinSet<()>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    failures: AtomicU64,
    first_failure: std::sync::OnceLock<String>,
}

/// What went wrong during the load.
#[derive(Debug)]
pub(super) struct Trouble {
    /// How often.
    pub(super) failures: u64,
    /// The first.
    pub(super) first: String,
}

impl Load {
    /// Starts the clients on the current runtime.
    pub(super) fn start(address: SocketAddr, name: &str, count: u32) -> Self {
        let shared = Arc::new(Shared::default());
        let mut clients = JoinSet::new();
        for number in 0..count {
            let mut config = Config::new();
            config
                .host(address.ip().to_string())
                .port(address.port())
                .user(name)
                .dbname(name)
                .application_name("howdah demo");
            clients.spawn(client(config, number, Arc::clone(&shared)));
        }
        Self { clients, shared }
    }

    /// Stops them; says what went wrong, if anything did.
    pub(super) async fn stop(mut self) -> Option<Trouble> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let finish = async { while self.clients.join_next().await.is_some() {} };
        // Who is still in a long statement is cut off.
        let _ = tokio::time::timeout(LAST_WAIT, finish).await;
        let failures = self.shared.failures.load(Ordering::Relaxed);
        let first = self.shared.first_failure.get()?.clone();
        Some(Trouble { failures, first })
    }
}

async fn client(config: Config, number: u32, shared: Arc<Shared>) {
    let mut dice = Dice::new(number);
    while !shared.stop.load(Ordering::Relaxed) {
        if let Err(error) = work(&config, number, &mut dice, &shared).await {
            shared.failures.fetch_add(1, Ordering::Relaxed);
            shared.first_failure.get_or_init(|| probe::text(&error));
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn work(config: &Config, number: u32, dice: &mut Dice, shared: &Shared) -> Result<(), Error> {
    let (client, connection) = config.connect(NoTls).await?;
    let driver = tokio::spawn(connection);
    let session = Session::prepare(client).await?;
    let mut next_report = Instant::now() + REPORT_EVERY;
    while !shared.stop.load(Ordering::Relaxed) {
        session.step(dice).await?;
        if number == 0 && Instant::now() >= next_report {
            session.client.query(&session.report, &[]).await?;
            session.client.query(&session.untraded, &[&dice.any(USERS)]).await?;
            next_report = Instant::now() + REPORT_EVERY;
        }
    }
    drop(session);
    // The connection ends because its client is gone; whatever it says about that is of no interest.
    let _ = driver.await;
    Ok(())
}

/// A connection with its statements.
struct Session {
    client: Client,
    user: Statement,
    instrument: Statement,
    orders: Statement,
    trades_of_order: Statement,
    open_orders: Statement,
    report: Statement,
    untraded: Statement,
    place: Statement,
    fill: Statement,
    pay: Statement,
}

impl Session {
    async fn prepare(client: Client) -> Result<Self, Error> {
        Ok(Self {
            user: client.prepare(TEXTS.user).await?,
            instrument: client.prepare(TEXTS.instrument).await?,
            orders: client.prepare(TEXTS.orders).await?,
            trades_of_order: client.prepare(TEXTS.trades_of_order).await?,
            open_orders: client.prepare(TEXTS.open_orders).await?,
            report: client.prepare(TEXTS.report).await?,
            untraded: client.prepare(TEXTS.untraded).await?,
            place: client.prepare(TEXTS.place).await?,
            fill: client.prepare(TEXTS.fill).await?,
            pay: client.prepare(TEXTS.pay).await?,
            client,
        })
    }

    /// One thing that a visitor of the exchange does.
    async fn step(&self, dice: &mut Dice) -> Result<(), Error> {
        let client = &self.client;
        let user = dice.favourite(USERS);
        let instrument = dice.favourite(INSTRUMENTS);
        match dice.below(1_000) {
            // About a fifth of the time of all, on a slow machine as on a fast one.
            0..4 => {
                client.query(&self.open_orders, &[&instrument]).await?;
            }
            4..10 => self.orders_one_by_one(user).await?,
            10..20 => self.trade(user, instrument).await?,
            20..80 => {
                client.query(&self.place, &[&user, &instrument]).await?;
            }
            80..250 => {
                client.query(&self.orders, &[&user]).await?;
            }
            250..550 => {
                let symbol = format!("SYM{instrument}");
                client.query(&self.instrument, &[&symbol]).await?;
            }
            _ => {
                client.query(&self.user, &[&user]).await?;
            }
        }
        Ok(())
    }

    /// The N+1 pattern: one statement for a list, then one for each of its rows.
    async fn orders_one_by_one(&self, user: i32) -> Result<(), Error> {
        for order in self.client.query(&self.orders, &[&user]).await? {
            let id: i64 = order.get(0);
            self.client.query(&self.trades_of_order, &[&id]).await?;
        }
        Ok(())
    }

    async fn trade(&self, user: i32, instrument: i32) -> Result<(), Error> {
        self.client.batch_execute("BEGIN").await?;
        let order: i64 = self.client.query_one(&self.place, &[&user, &instrument]).await?.get(0);
        self.client.execute(&self.fill, &[&order]).await?;
        self.client.execute(&self.pay, &[&user]).await?;
        self.client.batch_execute("COMMIT").await
    }
}

/// Numbers that look random and are the same in every run (a splitmix generator).
struct Dice(u64);

impl Dice {
    fn new(seed: u32) -> Self {
        Self(u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to one less.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// An id from 1 to `count`.
    fn any(&mut self, count: i32) -> i32 {
        let bound = u64::try_from(count).unwrap_or(1);
        i32::try_from(1 + self.below(bound)).unwrap_or(1)
    }

    /// An id from 1 to `count`, the low ones much more often: everybody looks at the same few.
    fn favourite(&mut self, count: i32) -> i32 {
        let bound = u64::try_from(count).unwrap_or(1);
        let both = self.below(bound).saturating_mul(self.below(bound));
        i32::try_from(1 + both / bound).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn favourites_are_ids_and_mostly_low() {
        let mut dice = Dice::new(1);
        let ids: Vec<_> = (0..10_000).map(|_| dice.favourite(200)).collect();
        assert!(ids.iter().all(|id| (1..=200).contains(id)));
        let low = ids.iter().filter(|id| **id <= 50).count();
        assert!(low > 5_000, "{low} of 10000 in the lowest quarter");
    }
}
