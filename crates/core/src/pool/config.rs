//! Sizes and times of a pool, as validated values. Not the configuration file: that is `howdah::config`, which fills this.
//!
//! Invariant: a `PoolConfig` handed to a ledger satisfies `min_size <= max_size` and `max_size >= 1`; the configuration checks it.

use std::time::Duration;

/// When a server goes back to its pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// At the end of every transaction.
    Transaction,
    /// When the client disconnects.
    Session,
    /// After every statement; transaction blocks are refused.
    Statement,
}

impl PoolMode {
    /// The word used in configuration and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Session => "session",
            Self::Statement => "statement",
        }
    }
}

/// Limits of one pool: the servers for one (node, database, user).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolConfig {
    /// When servers go back.
    pub mode: PoolMode,
    /// Servers kept open even when idle.
    pub min_size: u32,
    /// Servers open at most.
    pub max_size: u32,
    /// Servers beyond `max_size` for a spike, opened when a client has waited `reserve_after`.
    pub reserve_size: u32,
    /// How long the oldest waiter must have waited before reserve servers are opened.
    pub reserve_after: Duration,
    /// Clients that may wait at once; one more is refused with SQLSTATE 53300.
    pub max_waiters: usize,
    /// How long a client may wait for a server before SQLSTATE 53300.
    pub checkout_timeout: Duration,
    /// How long a client may wait while the pool is paused before SQLSTATE 57P03; `None`: until it is resumed.
    pub pause_timeout: Option<Duration>,
    /// A client that waits for longer is told by a notice why nothing comes; `None`: never.
    pub wait_notice: Option<Duration>,
    /// How long opening a server (TCP connect and login) may take.
    pub connect_timeout: Duration,
    /// Longest run of one request; `None`: unlimited.
    pub query_timeout: Option<Duration>,
    /// A server idle for longer is closed (down to `min_size`).
    pub idle_timeout: Duration,
    /// Longest idle time of a client inside a transaction; `None`: unlimited.
    pub idle_in_transaction_timeout: Option<Duration>,
    /// Longest transaction of a client; `None`: unlimited.
    pub transaction_timeout: Option<Duration>,
    /// A transaction open for longer is reported; `None`: none is.
    pub leak_threshold: Option<Duration>,
    /// A statement that took longer, its wait for a server included, is remembered; `None`: none is.
    pub slow_threshold: Option<Duration>,
    /// A server older than this is closed at its next checkin; the pool spreads it by up to a tenth.
    pub max_lifetime: Duration,
    /// A server idle for longer is asked for a sign of life before it is used.
    pub check_after_idle: Duration,
    /// Servers that may be opening at once.
    pub max_opening: u32,
    /// Holds as many servers as measured concurrency asks for, instead of growing on demand and shrinking by `idle_timeout`.
    pub dynamic: bool,
    /// Prepared statements kept on one server before the least recently used is closed.
    pub max_prepared: usize,
    /// Whether waiting reads of several clients may share a server.
    pub share: bool,
}

impl PoolConfig {
    /// How long a server may live: `max_lifetime`, less up to a tenth of it by `chance` (from 0 to 1), so that servers that were
    /// opened together do not leave together.
    #[must_use]
    pub fn lifetime(&self, chance: f64) -> Duration {
        self.max_lifetime.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 10.0)
    }
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            mode: PoolMode::Transaction,
            min_size: 0,
            // PostgreSQL is fastest with a few busy backends per core; 20 is what PgBouncer ships.
            max_size: 20,
            reserve_size: 0,
            reserve_after: Duration::from_secs(5),
            max_waiters: 10_000,
            checkout_timeout: Duration::from_secs(30),
            pause_timeout: None,
            wait_notice: Some(Duration::from_secs(5)),
            connect_timeout: Duration::from_secs(5),
            query_timeout: None,
            idle_timeout: Duration::from_secs(600),
            idle_in_transaction_timeout: None,
            transaction_timeout: None,
            leak_threshold: Some(Duration::from_secs(60)),
            slow_threshold: Some(Duration::from_millis(250)),
            max_lifetime: Duration::from_secs(3600),
            check_after_idle: Duration::from_secs(30),
            max_opening: 4,
            dynamic: false,
            max_prepared: 200,
            share: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_opened_together_leave_over_a_tenth_of_their_lifetime() {
        let max_lifetime = Duration::from_secs(1000);
        let config = PoolConfig { max_lifetime, ..PoolConfig::default() };
        let lives: Vec<_> = (0..=20_u32).map(|n| config.lifetime(f64::from(n) / 20.0)).collect();
        assert_eq!((lives[0], lives[20]), (max_lifetime, Duration::from_secs(900)));
        for pair in lives.windows(2) {
            assert!(pair[0] - pair[1] >= Duration::from_millis(4_999), "{lives:?}");
        }
        assert_eq!(config.lifetime(7.0), Duration::from_secs(900), "never less");
    }
}
