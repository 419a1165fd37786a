//! What a trading desk asks: market data, orders, trades, positions and users, nine of ten statements reads, by Zipf's law, with and
//! without the result cache, in memory alone and with Redis as its second level. Averages over everything that is asked, reads and writes.
//!
//! Invariant: everybody asks the same statements in the same proportion; an error is a missed number.

mod load;

use std::time::Duration;

use anyhow::Result;
use howdah_local::Redis;

use crate::bed::{Bed, Transport};
use crate::plan::{Peer, Protocol};
use crate::proxy::Proxy;
use crate::zipf::{self, client::Client, keys::Zipf};
use crate::{Options, Outcome, howdah};
use load::{Load, Seen};

/// Users, and orders of each.
const USERS: u32 = 20_000;
const ORDERS: u32 = 10;
/// What is traded.
const SYMBOLS: u32 = 500;

const TABLES: &str = "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, tier int NOT NULL); \
    CREATE TABLE market (symbol int PRIMARY KEY, bid numeric(12,4) NOT NULL, ask numeric(12,4) NOT NULL, volume bigint NOT NULL); \
    CREATE TABLE positions (user_id int, symbol int, quantity int NOT NULL, price numeric(12,4) NOT NULL, PRIMARY KEY (user_id, symbol)); \
    CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL, symbol int NOT NULL, quantity int NOT NULL, price numeric(12,4) NOT NULL, status text NOT NULL); \
    CREATE TABLE trades (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id int NOT NULL, quantity int NOT NULL, price numeric(12,4) NOT NULL); \
    CREATE INDEX ON trades (order_id); CREATE INDEX ON orders (user_id);";

/// What `trading` is asked to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Seconds per cell; as many before it, which are not counted.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Clients.
    #[arg(long, default_value_t = 50)]
    clients: u32,
    /// Statements per second of all clients together; 0: as many as they can.
    #[arg(long, value_delimiter = ',', default_values_t = [12_000, 0])]
    rates: Vec<u32>,
    /// The exponent of Zipf's law: more than 0, less than 1.
    #[arg(long, default_value_t = 0.99)]
    theta: f64,
    /// How statements are sent.
    #[arg(long, default_value = "prepared")]
    protocol: Protocol,
}

/// Prints a line for each cell and subject.
pub(crate) fn run(arguments: &Arguments, options: &Options) -> Result<Outcome> {
    let settings = [("wal_level", "logical")];
    let bed = Bed::with(1, Transport::Tcp, &[Peer::Caching], &settings, options)?;
    options.say("filling the tables");
    fill(&bed)?;
    let redis = Redis::start()?;
    let second = format!("[cache.redis]\nurl = {:?}\n", redis.url());
    let start = |peer: Peer, more: &str| {
        let start = |variant| howdah::start_with(&bed, &[], variant, more);
        peer.howdah().map(start).transpose()
    };
    let subjects: [(&str, Option<Proxy>); 4] = [
        ("PostgreSQL", None),
        ("Howdah, no cache", start(Peer::Flights, "")?),
        ("Howdah, cache in memory", start(Peer::Caching, "")?),
        ("Howdah, and Redis", start(Peer::Caching, &second)?),
    ];
    println!(
        "| asked for | | per second | average | P50 | P99 | P99.9 | from the cache | errors |\n|---|---|---|---|---|---|---|---|---|"
    );
    let mut right = true;
    for rate in &arguments.rates {
        for (name, proxy) in &subjects {
            let load = Load {
                users: Zipf::new(USERS, arguments.theta),
                orders: Zipf::new(USERS * ORDERS, arguments.theta),
                symbols: Zipf::new(SYMBOLS, arguments.theta),
                protocol: arguments.protocol,
                clients: arguments.clients,
                rate: *rate,
                time: Duration::from_secs(arguments.seconds),
                seed: 1,
            };
            let address = proxy.as_ref().map_or_else(|| bed.server(), Proxy::address);
            load.run(&address)?;
            let before = hits(proxy.as_ref())?;
            let seen = Load { seed: 2, ..load }.run(&address)?;
            let hits = hits(proxy.as_ref())?.zip(before).map(|(after, before)| after - before);
            println!("{}", line(name, load, &seen, hits));
            right &= seen.errors == 0;
        }
    }
    Ok(if right { Outcome::Done } else { Outcome::Missed })
}

fn fill(bed: &Bed) -> Result<()> {
    bed.psql(TABLES)?;
    let orders = USERS * ORDERS;
    bed.psql(&format!(
        "INSERT INTO users SELECT n, 'user ' || n, n % 4 FROM generate_series(1, {USERS}) n; \
         INSERT INTO market SELECT n, n, n + 0.05, 0 FROM generate_series(1, {SYMBOLS}) n; \
         INSERT INTO positions SELECT u, (u * 7 + s * 31) % {SYMBOLS} + 1, s, s FROM generate_series(1, {USERS}) u, generate_series(1, 5) s; \
         INSERT INTO orders SELECT n, (n - 1) / {ORDERS} + 1, n % {SYMBOLS} + 1, 100, n % 90 + 1, 'open' FROM generate_series(1, {orders}) n; \
         INSERT INTO trades (order_id, quantity, price) SELECT n, 10, n % 90 + 1 FROM generate_series(1, {orders}) n; \
         ANALYZE; CREATE PUBLICATION howdah FOR TABLE users, market, positions, orders, trades"
    ))
}

fn line(name: &str, load: Load, seen: &Seen, hits: Option<u64>) -> String {
    let ms = |micros: Option<u64>| {
        micros.map_or_else(|| "–".to_owned(), |it| format!("{:.2} ms", it as f64 / 1000.0))
    };
    let share = hits.map_or_else(
        || "–".to_owned(),
        |hits| format!("{:.1} %", 100.0 * hits as f64 / seen.reads.max(1) as f64),
    );
    let asked = match load.rate {
        0 => "all that is possible".to_owned(),
        rate => format!("{rate} per second"),
    };
    format!(
        "| {asked} | {name} | {:.0} | {} | {} | {} | {} | {share} | {} |",
        seen.latencies.len() as f64 / load.time.as_secs_f64(),
        ms(seen.average()),
        ms(seen.latency(500)),
        ms(seen.latency(990)),
        ms(seen.latency(999)),
        seen.errors,
    )
}

/// Answers from the cache until now; `None`: there is none.
fn hits(proxy: Option<&Proxy>) -> Result<Option<u64>> {
    let Some(proxy) = proxy else { return Ok(None) };
    let mut console = Client::to(&proxy.address(), "howdah", Protocol::Simple)?;
    let row = console.rows("SHOW CACHE")?.into_iter().next().unwrap_or_default();
    Ok(row.get(zipf::HITS).and_then(|hits| hits.as_ref()?.parse().ok()))
}
