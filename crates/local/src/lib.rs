//! Real servers in a private directory: a PostgreSQL cluster (one primary, any number of streaming
//! replicas), Redis and `PgBouncer`, each on a free loopback port, started, stopped and broken at will.
//!
//! Serves `howdah demo`, the tests and the benchmarks. It is not a way to run servers that anybody
//! depends on: durability is off unless asked for, and everything is deleted at the end.
//!
//! Invariant: nothing outlives the process that started it. A [`Directory`] is guarded by a watchdog
//! that kills every process of the directory and removes it, whether its owner dropped it or died.
//!
//! ```no_run
//! # fn main() -> Result<(), howdah_local::Error> {
//! let cluster = howdah_local::Cluster::builder().replicas(2).start()?;
//! cluster.primary().psql("CREATE TABLE t AS SELECT 1 AS a")?;
//! cluster.wait_for_replay()?;
//! assert_eq!(cluster.replicas()[1].psql("SELECT a FROM t")?, "1");
//! # Ok(())
//! # }
//! ```

mod account;
mod binaries;
mod cluster;
mod daemon;
mod directory;
mod error;
mod node;
mod pgbouncer;
mod port;
mod process;
mod redis;
mod replica;
mod settings;
mod template;

pub use binaries::{Binaries, find_program};
pub use cluster::{Auth, Cluster, ClusterBuilder};
pub use directory::Directory;
pub use error::Error;
pub use node::{Mode, Node};
pub use pgbouncer::{PgBouncer, PgBouncerBuilder, PoolMode};
pub use port::free_port;
pub use process::{cpu_seconds, pss_kib};
pub use redis::Redis;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;
