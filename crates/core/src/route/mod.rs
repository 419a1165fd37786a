//! Where a request goes: `class`, whether a statement may run on a replica at all; `wish`, what somebody wants of routing; `position`,
//! what a session has seen; `choose`, the decision, with its reason.
//!
//! Invariant: in doubt the primary.

pub mod class;

mod choose;
mod position;
mod wish;

pub use choose::{Reason, Replica, Route, choose};
pub use position::{Ahead, Position};
pub(crate) use wish::comment;
pub use wish::{Consistency, LagPolicy, Policy, Wish, parse_time};
