//! Writes against reads: what indexes cost is counted by the server, in blocks, in bytes of its log, and in updates that touched no index.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use howdah::ops::Advice;
use tokio_postgres::Client;

use crate::bed::Shop;

/// Tickets that are found by customer, that are touched all the time, and are hardly ever asked for by that.
const TICKETS: &str = "
    CREATE TABLE tickets (id integer PRIMARY KEY, customer integer NOT NULL, touched integer NOT NULL, text text NOT NULL)
        WITH (fillfactor = 60);
    INSERT INTO tickets SELECT i, (i * 7919::bigint) % 500, i % 1000, repeat('x', 100) FROM generate_series(1, 5000) AS i;
    CREATE EXTENSION pg_stat_statements";
const BY_ID: &str = "SELECT text FROM tickets WHERE id = $1";
const BY_CUSTOMER: &str = "SELECT sum(length(text)) FROM tickets WHERE customer = $1";
const BY_TOUCHED: &str = "SELECT sum(length(text)) FROM tickets WHERE touched = $1";
const TOUCH: &str = "UPDATE tickets SET touched = $2 WHERE id = $1";
/// How often each: three of ten statements write.
const TIMES: [(&str, i32); 4] = [(TOUCH, 2000), (BY_ID, 4160), (BY_CUSTOMER, 500), (BY_TOUCHED, 3)];

static RUNS: AtomicI32 = AtomicI32::new(1);

/// What a mix has cost, as PostgreSQL counts it.
#[derive(Debug)]
struct Spent {
    blocks: f64,
    log: f64,
    hot: f64,
}

/// Runs the mix; statistics are about this run alone afterwards.
fn run(shop: &Shop, mix: &[(&str, i32)]) -> Spent {
    shop.psql("VACUUM ANALYZE tickets");
    shop.psql("CHECKPOINT");
    shop.psql("SELECT pg_stat_reset(), pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = current_database()");
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    shop.runtime.block_on(async {
        let client: Client = (shop.connect())().await.unwrap();
        for (sql, times) in mix {
            let statement = client.prepare(sql).await.unwrap();
            for round in 0..*times {
                let id = round * 7 % 5000 + 1;
                if *sql == TOUCH {
                    // Another value than in the run before: an update that changes nothing is HOT.
                    let value = (id + run * 7) % 1000;
                    client.execute(&statement, &[&id, &value]).await.unwrap();
                } else {
                    client.query(&statement, &[&(id % 500)]).await.unwrap();
                }
            }
        }
    });
    let writes: i64 = mix.iter().filter(|it| it.0 == TOUCH).map(|it| i64::from(it.1)).sum();
    // A session's counts arrive when it ends.
    let limit = Instant::now() + Duration::from_secs(60);
    let updated = || number(shop, "pg_stat_get_tuples_updated('tickets'::regclass)");
    while updated() < writes as f64 {
        assert!(Instant::now() < limit, "the counts of a session do not arrive");
        std::thread::sleep(Duration::from_millis(20));
    }
    let counted = |what: &str| {
        number(
            shop,
            &format!(
                "(SELECT sum({what}) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid \
            WHERE d.datname = current_database() AND query LIKE '%tickets%$%')"
            ),
        )
    };
    Spent {
        blocks: counted("shared_blks_hit + shared_blks_read"),
        log: counted("wal_bytes"),
        hot: number(shop, "pg_stat_get_tuples_hot_updated('tickets'::regclass)"),
    }
}

fn number(shop: &Shop, what: &str) -> f64 {
    shop.psql(&format!("SELECT {what}")).parse().unwrap()
}

fn titles(advice: &Advice) -> Vec<&str> {
    advice.recommendations.iter().map(|it| it.title.as_str()).collect()
}

#[test]
fn with_writes_nothing_is_advised_that_costs_more_than_it_saves() {
    let shop = Shop::new();
    shop.psql(TICKETS);
    // Without writes, both ways to find tickets are worth an index.
    run(&shop, TIMES.get(1..).unwrap());
    let advice = shop.advice_of_the_past(100_000_000);
    let tempting = titles(&advice).into_iter().filter(|it| it.contains("(touched")).count();
    assert_eq!(tempting, 1, "{:?}", titles(&advice));

    let before = run(&shop, &TIMES);
    let advice = shop.advice_of_the_past(100_000_000);
    let advised = titles(&advice);
    assert!(advised.iter().any(|it| it.contains("(customer")), "{advised:?}");
    assert!(!advised.iter().any(|it| it.contains("touched")), "{advised:?}");
    for sql in advice.recommendations.iter().flat_map(|it| &it.apply) {
        shop.psql(sql);
    }
    let after = run(&shop, &TIMES);
    let seen = format!("before {before:?}, after {after:?}");
    assert!(before.hot > 1900.0, "{seen}");
    assert!(after.blocks < before.blocks * 0.5, "{seen}");
    assert!(after.log < before.log * 1.1 && after.hot > before.hot * 0.95, "{seen}");

    // What was not advised would have been dear.
    shop.psql("CREATE INDEX tempting ON tickets (touched)");
    let tempted = run(&shop, &TIMES);
    let seen = format!("{seen}, with the other index {tempted:?}");
    assert!(tempted.hot < 200.0 && tempted.log > after.log * 1.2, "{seen}");
    assert!(tempted.blocks > after.blocks, "{seen}");
}
