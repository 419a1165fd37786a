//! A shop with a hundred thousand orders, made in SQL: one server for all tests, one database each.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use howdah::ops::{Advice, Connect, Connecting, Limits, Source, advise_indexes};
use howdah_local::Cluster;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// Deterministic, with values that repeat, that are rare, that stand together and that do not.
const SHOP: &str = "
    CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL, country text NOT NULL, segment character(10) NOT NULL,
        balance numeric(12,2) NOT NULL, left_at date);
    INSERT INTO customers SELECT i, 'customer ' || i, 'country ' || i % 40, 'segment ' || i % 5, i % 9973,
        CASE WHEN i % 50 = 0 THEN date '2024-01-01' + i % 300 END FROM generate_series(1, 10000) AS i;
    CREATE TABLE orders (id integer PRIMARY KEY, customer integer NOT NULL, placed date NOT NULL, state text NOT NULL,
        total numeric(12,2) NOT NULL, remark text NOT NULL);
    INSERT INTO orders SELECT i, (i * 7919::bigint) % 10000 + 1, date '2020-01-01' + ((i * 104729::bigint) % 1500)::integer,
        CASE WHEN i % 100 = 0 THEN 'open' ELSE 'shipped' END, (i * 31) % 50000, repeat('x', 60) FROM generate_series(1, 100000) AS i;
    CREATE TABLE lines (order_id integer, line integer, product integer NOT NULL, amount integer NOT NULL, price numeric(12,2) NOT NULL,
        note text NOT NULL, PRIMARY KEY (order_id, line));
    INSERT INTO lines SELECT i / 3 + 1, i % 3 + 1, (i * 7907::bigint) % 5000, i % 10, i % 777, repeat('y', 40)
        FROM generate_series(0, 299999) AS i;
    VACUUM ANALYZE";

/// What the shop is asked.
pub(crate) const QUESTIONS: &str = "
    SELECT sum(total) FROM orders WHERE customer = 4711;
    SELECT o.id, l.product FROM orders o JOIN lines l ON l.order_id = o.id WHERE o.placed = '2022-03-04';
    SELECT count(*) FROM lines WHERE product = 17 AND amount > 3;
    SELECT name FROM customers WHERE left_at BETWEEN '2024-02-01' AND '2024-02-03';
    SELECT customer, count(*) FROM orders WHERE state = 'open' GROUP BY customer;
    SELECT sum(amount) FROM lines WHERE product BETWEEN 100 AND 120;
    SELECT id, placed FROM orders ORDER BY total DESC LIMIT 10;
    UPDATE customers SET balance = 0 WHERE name = 'customer 5'";

static SERVER: OnceLock<Cluster> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

fn server() -> &'static Cluster {
    SERVER.get_or_init(|| {
        let cluster = Cluster::builder()
            .setting("autovacuum", "off")
            .setting("shared_preload_libraries", "pg_stat_statements")
            .start()
            .unwrap();
        let node = cluster.primary();
        node.psql("CREATE DATABASE shop").unwrap();
        node.psql_on("shop", SHOP).unwrap();
        cluster
    })
}

/// A database of the test's own.
pub(crate) struct Shop {
    pub(crate) name: String,
    pub(crate) runtime: Runtime,
}

impl Shop {
    /// A copy of the shop, with hypopg.
    pub(crate) fn new() -> Self {
        let shop = Self::without_hypopg();
        shop.psql("CREATE EXTENSION hypopg");
        shop
    }

    /// A copy of the shop.
    pub(crate) fn without_hypopg() -> Self {
        let name = format!("shop_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        // A template must not be copied by two at once while the other looks at it.
        server().primary().psql(&format!("CREATE DATABASE {name} TEMPLATE shop")).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        Self { name, runtime }
    }

    pub(crate) fn psql(&self, sql: &str) -> String {
        server().primary().psql_on(&self.name, sql).unwrap()
    }

    pub(crate) fn url(&self) -> String {
        server().primary().url(&self.name, "howdah")
    }

    /// Connections to it.
    pub(crate) fn connect(&self) -> Connect {
        let url = self.url();
        Arc::new(move || -> Connecting {
            let url = url.clone();
            Box::pin(async move {
                let (client, connection) = tokio_postgres::connect(&url, NoTls)
                    .await
                    .map_err(|error| error.to_string())?;
                tokio::spawn(connection);
                Ok(client)
            })
        })
    }

    /// Advice for a text of statements.
    pub(crate) fn advice(&self, statements: &str, bytes: u64) -> Advice {
        self.advice_by(self.connect(), statements, bytes)
    }

    /// The same over connections that are made differently.
    pub(crate) fn advice_by(&self, connect: Connect, statements: &str, bytes: u64) -> Advice {
        self.advice_of(connect, Source::Text(statements.to_owned()), bytes)
    }

    /// Advice for what PostgreSQL has counted.
    pub(crate) fn advice_of_the_past(&self, bytes: u64) -> Advice {
        self.advice_of(self.connect(), Source::Statistics, bytes)
    }

    fn advice_of(&self, connect: Connect, source: Source, bytes: u64) -> Advice {
        let limits =
            Limits { bytes: Some(bytes), time: Duration::from_secs(60), ..Limits::default() };
        self.runtime.block_on(advise_indexes(connect, source, limits, |_| {})).unwrap()
    }

    /// The planner's costs of the statements of a text, as things are.
    pub(crate) fn costs(&self, statements: &str) -> Vec<f64> {
        self.runtime.block_on(async {
            let client: Client = (self.connect())().await.unwrap();
            let mut costs = Vec::new();
            for sql in statements.split(';').filter(|sql| !sql.trim().is_empty()) {
                let messages = client.simple_query(&format!("EXPLAIN {sql}")).await.unwrap();
                let mut cost: Option<f64> = None;
                for message in &messages {
                    if let SimpleQueryMessage::Row(row) = message {
                        cost = cost.or_else(|| {
                            row.get(0)?.split_once("..")?.1.split(' ').next()?.parse().ok()
                        });
                    }
                }
                costs.push(cost.unwrap());
            }
            costs
        })
    }
}
