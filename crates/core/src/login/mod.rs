//! Decisions about logins: what is remembered of look-ups, and who has to wait. Not proofs of identity: those are exchanges.
//!
//! Invariant: what strangers can fill is bounded.

mod answers;
mod attempts;
mod bucket;

pub use answers::Answers;
pub use attempts::{Attempts, Rates};
pub use bucket::Bucket;
