//! A pool as a pure value: its sizes ([`PoolConfig`]) and who has which server ([`Ledger`]).

mod config;
mod ledger;

pub use config::{PoolConfig, PoolMode};
pub use ledger::{Checkin, Counts, Ledger, QueueFull};
