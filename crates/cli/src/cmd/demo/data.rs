//! The sample database of the demo: a small exchange with users, instruments, orders and trades. Made by the server itself, from
//! sequences, in a second or two.
//!
//! Invariant: what is wrong with it or its load is wrong on purpose, and [`TROUBLES`] names it.

/// Owner and database.
pub(super) const ROLE: &str = "CREATE ROLE demo LOGIN; CREATE DATABASE demo OWNER demo;";

/// Users; their ids are 1 to this.
pub(super) const USERS: i32 = 20_000;
/// Instruments; their ids are 1 to this.
pub(super) const INSTRUMENTS: i32 = 200;

/// What there is, for people.
pub(super) const SUMMARY: &str = "20 000 users, 200 instruments, 200 000 orders, 150 000 trades";

/// What is wrong on purpose, for people.
pub(super) const TROUBLES: &str = "a slow report, an N+1 pattern, NOT IN, no index on orders (instrument_id, status), a redundant and an unused one, stale statistics of quotes: on purpose";

/// The tables, their data and their statistics.
pub(super) const TABLES: &str = "
DO $$ DECLARE extension text; BEGIN
    FOR extension IN SELECT name FROM pg_available_extensions WHERE name = 'hypopg'
        OR name = 'pg_stat_statements' AND current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%'
    LOOP EXECUTE format('CREATE EXTENSION %I', extension); END LOOP;
END $$;
GRANT pg_monitor TO demo;
SET ROLE demo;
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL, balance numeric(14, 2) NOT NULL);
CREATE TABLE instruments (id int PRIMARY KEY, symbol text NOT NULL UNIQUE, name text NOT NULL, price numeric(12, 4) NOT NULL);
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id int NOT NULL, instrument_id int NOT NULL,
    side text NOT NULL, quantity int NOT NULL, price numeric(12, 4) NOT NULL, status text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE trades (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, instrument_id int NOT NULL,
    quantity int NOT NULL, price numeric(12, 4) NOT NULL, traded_at timestamptz NOT NULL DEFAULT now());
INSERT INTO users SELECT n, 'user ' || n, 'user' || n || '@example.com', 10000 + n % 5000 FROM generate_series(1, 20000) n;
INSERT INTO instruments SELECT n, 'SYM' || n, 'Instrument ' || n, 10 + n % 300 FROM generate_series(1, 200) n;
INSERT INTO orders (user_id, instrument_id, side, quantity, price, status, created_at)
    SELECT 1 + n % 20000, 1 + n % 200, CASE n % 2 WHEN 0 THEN 'buy' ELSE 'sell' END, 1 + n % 100, 10 + n % 300,
        CASE WHEN n % 50 = 0 THEN 'open' ELSE 'filled' END, now() - n * interval '1 second' FROM generate_series(1, 200000) n;
INSERT INTO trades (order_id, instrument_id, quantity, price, traded_at)
    SELECT n, 1 + n % 200, 1 + n % 100, 10 + n % 300, now() - n * interval '1 second' FROM generate_series(1, 150000) n;
CREATE INDEX orders_of_user ON orders (user_id, created_at DESC);
CREATE INDEX orders_by_user ON orders (user_id);
CREATE INDEX trades_of_order ON trades (order_id);
CREATE INDEX trades_by_price ON trades (price, quantity);
CREATE TABLE quotes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, instrument_id int NOT NULL, bid numeric(12, 4) NOT NULL, quoted_at timestamptz NOT NULL DEFAULT now()) WITH (autovacuum_enabled = off);
INSERT INTO quotes (instrument_id, bid) SELECT 1 + n % 200, 10 + n % 300 FROM generate_series(1, 2000) n;
ANALYZE;
INSERT INTO quotes (instrument_id, bid) SELECT 1 + n % 200, 10 + n % 300 FROM generate_series(1, 30000) n;
";

/// Statements of the load, each once on every connection.
pub(super) struct Texts {
    /// A user by id.
    pub(super) user: &'static str,
    /// An instrument by symbol.
    pub(super) instrument: &'static str,
    /// The last orders of a user.
    pub(super) orders: &'static str,
    /// What was traded of an order: the N of the N+1 pattern.
    pub(super) trades_of_order: &'static str,
    /// Open orders of an instrument: the index for it is missing.
    pub(super) open_orders: &'static str,
    /// Turnover by instrument: reads all trades.
    pub(super) report: &'static str,
    /// Orders of a user that were not traded: `NOT IN` goes through all trades for each of them.
    pub(super) untraded: &'static str,
    /// A new order.
    pub(super) place: &'static str,
    /// An order is filled.
    pub(super) fill: &'static str,
    /// Its user pays.
    pub(super) pay: &'static str,
}

/// The statements.
pub(super) const TEXTS: Texts = Texts {
    user: "SELECT name, email, balance::text FROM users WHERE id = $1",
    instrument: "SELECT id, name, price::text FROM instruments WHERE symbol = $1",
    orders: "SELECT id, instrument_id, side, quantity, price::text, status FROM orders WHERE user_id = $1 ORDER BY created_at DESC LIMIT 10",
    trades_of_order: "SELECT quantity, price::text FROM trades WHERE order_id = $1",
    open_orders: "SELECT count(*), sum(quantity) FROM orders WHERE instrument_id = $1 AND status = 'open'",
    report: "SELECT i.symbol, count(*), sum(t.quantity * t.price)::text FROM trades t JOIN instruments i ON i.id = t.instrument_id GROUP BY i.symbol ORDER BY 3 DESC LIMIT 10",
    untraded: "SELECT id, quantity FROM orders WHERE user_id = $1 AND id NOT IN (SELECT order_id FROM trades)",
    place: "INSERT INTO orders (user_id, instrument_id, side, quantity, price, status) VALUES ($1, $2, 'buy', 1, 10, 'open') RETURNING id",
    fill: "UPDATE orders SET status = 'filled' WHERE id = $1",
    pay: "UPDATE users SET balance = balance - 10 WHERE id = $1",
};
