//! A pool as a pure value: its sizes ([`PoolConfig`]), who has which server ([`Ledger`]), how many it needs ([`Sizing`]), what its
//! parts in several workers owe each other ([`Part`]), and how fast servers of a node may be opened ([`Ramp`]).

mod climb;
mod config;
mod flights;
mod ledger;
mod lending;
mod pace;
mod ramp;
mod sizing;

pub use config::{PoolConfig, PoolMode};
pub use flights::Fare;
pub use ledger::{Checkin, Counts, Ledger, QueueFull};
pub use lending::{Gift, Part, RESTED, Want, Wanted};
pub use pace::Pace;
pub use ramp::Ramp;
pub use sizing::{Advice, Sample, Sizing};
