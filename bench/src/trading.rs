//! What a trading desk asks: market data, orders, trades, positions and users, nine of ten statements reads, by Zipf's law, with and
//! without the result cache, in memory alone and with Redis as its second level. Latencies are those of all statements, reads and writes.
//!
//! Invariant: everybody asks the same statements in the same proportion, everything has been asked for twice before, and only who is measured runs;
//! an error is a missed number.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use howdah_local::Redis;

use crate::bed::{Bed, Transport};
use crate::pgbench::{Outcome as Ran, Script, Scripts};
use crate::plan::{Peer, Protocol};
use crate::proxy::Proxy;
use crate::zipf::{self, client::Client, client::Row};
use crate::{Options, Outcome, howdah};

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

/// Of a hundred statements so many are this one, by the key of one of so many things.
const PARTS: [(u32, u32, &str); 9] = [
    (35, SYMBOLS, "SELECT bid, ask, volume FROM market WHERE symbol = :key"),
    (20, USERS, "SELECT symbol, quantity, price FROM positions WHERE user_id = :key"),
    (20, USERS * ORDERS, "SELECT symbol, quantity, price, status FROM orders WHERE id = :key"),
    (8, USERS * ORDERS, "SELECT id, quantity, price FROM trades WHERE order_id = :key"),
    (7, USERS, "SELECT name, tier FROM users WHERE id = :key"),
    (
        4,
        SYMBOLS,
        "UPDATE market SET bid = bid + 0.01, ask = ask + 0.01, volume = volume + 1 WHERE symbol = :key",
    ),
    (
        2,
        USERS * ORDERS,
        "UPDATE orders SET quantity = quantity - 1, status = 'partly' WHERE id = :key",
    ),
    (2, USERS * ORDERS, "INSERT INTO trades (order_id, quantity, price) VALUES (:key, 1, 1)"),
    (
        2,
        USERS,
        "UPDATE positions SET quantity = quantity + 1 WHERE user_id = :key AND symbol = (:key * 7 + 31) % 500 + 1",
    ),
];

/// What the desk wants: milliseconds on average and at P99, statements per second, and the share of reads that the cache answers.
const WANTED: (f64, f64, f64, f64) = (1.0, 5.0, 10_000.0, 0.9);

/// What `trading` is asked to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Seconds per cell.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Clients.
    #[arg(long, default_value_t = 50)]
    clients: u32,
    /// Statements per second of all clients together; 0: as many as they can.
    #[arg(long, value_delimiter = ',', default_values_t = [10_500, 0])]
    rates: Vec<u32>,
    /// The exponent of Zipf's law: more than 1, as pgbench has it.
    #[arg(long, default_value_t = 1.01)]
    theta: f64,
    /// How statements are sent.
    #[arg(long, default_value = "prepared")]
    protocol: Protocol,
}

/// Prints a line for each subject and cell.
pub(crate) fn run(arguments: &Arguments, options: &Options) -> Result<Outcome> {
    let settings = [("wal_level", "logical")];
    let bed = Bed::with(1, Transport::Tcp, &[Peer::Caching], &settings, options)?;
    options.say("filling the tables");
    fill(&bed)?;
    let redis = Redis::start()?;
    let second = format!("[cache.redis]\nurl = {:?}\n", redis.url());
    let files = files(&bed, arguments)?;
    println!(
        "| asked for | | per second | average | P50 | P99 | from the cache | errors |\n|---|---|---|---|---|---|---|---|"
    );
    let mut missed = Vec::new();
    for (name, peer, more) in [
        ("PostgreSQL", Peer::Direct, ""),
        ("Howdah, no cache", Peer::Flights, ""),
        ("Howdah, cache in memory", Peer::Caching, ""),
        ("Howdah, and Redis", Peer::Caching, second.as_str()),
    ] {
        let start = |variant| howdah::start_with(&bed, &[], variant, more);
        let proxy = peer.howdah().map(start).transpose()?;
        let address = proxy.as_ref().map_or_else(|| bed.server(), Proxy::address);
        let load = |rate| Scripts {
            files: &files,
            protocol: arguments.protocol,
            clients: arguments.clients,
            rate,
            seconds: arguments.seconds,
            sampling: "0.2",
        };
        options.say(&format!("asking for everything twice ({name})"));
        for (_, keys, sql) in PARTS.iter().filter(|(.., sql)| sql.starts_with("SELECT")) {
            let (protocol, clients) = (arguments.protocol, arguments.clients);
            let text = format!("{sql};\n");
            let script = Script { text: &text, protocol, clients, seconds: 0, sampling: "1" };
            bed.pgbench().visit(&address, &script, *keys)?;
        }
        for rate in &arguments.rates {
            let before = hits(proxy.as_ref())?;
            let known = reasons(proxy.as_ref())?;
            let ran = bed.pgbench().scripts(&address, &load(*rate))?;
            let hits = hits(proxy.as_ref())?.zip(before).map(|(after, before)| after - before);
            let reads = 0.9 * ran.transactions.max(1) as f64;
            let share = hits.map(|hits| hits as f64 / reads);
            println!("{}", line(name, *rate, &ran, share));
            let all = reasons(proxy.as_ref())?;
            let grown = all.iter().map(|(word, count)| {
                format!("{word}={}", count - known.get(word).copied().unwrap_or_default())
            });
            options.say(&format!("not from the cache: {}", grown.collect::<Vec<_>>().join(" ")));
            if let Some(share) = share.filter(|_| *rate > 0 && peer == Peer::Caching) {
                missed.extend(judge(name, &ran, share));
            }
            if ran.errors > 0 {
                missed.push(format!("{name}: {:?}", ran.complaints));
            }
        }
    }
    for target in &missed {
        println!("missed: {target}");
    }
    Ok(if missed.is_empty() { Outcome::Done } else { Outcome::Missed })
}

/// A script for each part, with its weight.
fn files(bed: &Bed, arguments: &Arguments) -> Result<Vec<(PathBuf, u32)>> {
    let one = |(number, (share, keys, sql)): (usize, &(u32, u32, &str))| {
        let path = bed.directory().join(format!("desk-{number}.sql"));
        let theta = arguments.theta;
        let script = format!(
            "\\set key 1 + permute(random_zipfian(1, {keys}, {theta}) - 1, {keys})\n{sql};\n"
        );
        fs::write(&path, script).with_context(|| format!("cannot write {}", path.display()))?;
        Ok((path, *share))
    };
    PARTS.iter().enumerate().map(one).collect()
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

fn line(name: &str, rate: u32, ran: &Ran, share: Option<f64>) -> String {
    let ms = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |it| format!("{it:.2} ms"));
    let asked = match rate {
        0 => "all that is possible".to_owned(),
        rate => format!("{rate} per second"),
    };
    format!(
        "| {asked} | {name} | {:.0} | {:.2} ms | {} | {} | {} | {} |",
        ran.tps,
        ran.average_ms,
        ms(ran.p50_ms),
        ms(ran.p99_ms),
        share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", 100.0 * share)),
        ran.errors,
    )
}

/// What was missed.
fn judge(name: &str, ran: &Ran, share: f64) -> Vec<String> {
    let (average, p99, tps, hits) = WANTED;
    let found = [
        ("average, ms", ran.average_ms, ran.average_ms <= average, average),
        ("P99, ms", ran.p99_ms.unwrap_or(f64::NAN), ran.p99_ms.is_some_and(|it| it <= p99), p99),
        ("per second", ran.tps, ran.tps >= tps, tps),
        ("from the cache", share, share >= hits, hits),
    ];
    let missed = found.iter().filter(|(_, _, good, _)| !good);
    missed.map(|(what, it, _, limit)| format!("{name}: {what} {it:.2}, wanted {limit}")).collect()
}

/// Answers from the cache until now; `None`: there is none.
fn hits(proxy: Option<&Proxy>) -> Result<Option<u64>> {
    let Some(proxy) = proxy else { return Ok(None) };
    Ok(shown(proxy)?.get(zipf::HITS).and_then(|hits| hits.as_ref()?.parse().ok()))
}

/// Why others were not, until now, in the words of `SHOW CACHE`.
fn reasons(proxy: Option<&Proxy>) -> Result<BTreeMap<String, u64>> {
    let Some(proxy) = proxy else { return Ok(BTreeMap::new()) };
    let text = shown(proxy)?.get(zipf::REASONS).cloned().flatten().unwrap_or_default();
    let one = |word: &str| {
        let (word, count) = word.split_once('=')?;
        Some((word.to_owned(), count.parse().ok()?))
    };
    Ok(text.split(' ').filter_map(one).collect())
}

/// The line of `SHOW CACHE`.
fn shown(proxy: &Proxy) -> Result<Row> {
    let mut console = Client::to(&proxy.address(), "howdah", Protocol::Simple)?;
    Ok(console.rows("SHOW CACHE")?.into_iter().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_of_ten_statements_read() {
        let reads = PARTS.iter().filter(|(.., sql)| sql.starts_with("SELECT"));
        let share = |parts: &mut dyn Iterator<Item = &(u32, u32, &str)>| {
            parts.map(|(share, ..)| share).sum::<u32>()
        };
        assert_eq!((share(&mut reads.into_iter()), share(&mut PARTS.iter())), (90, 100));
    }
}
