//! Models for simulating a day of sessions in seconds: a PostgreSQL and its clients, over streams in memory and in tokio's
//! clock. The data plane between them is the real one; it is put there by `tests/`, which also holds what must be true all the
//! time. Not part of the product, and nothing here knows Howdah: only the protocol and what PostgreSQL does.
//!
//! Invariant: equal seeds give equal runs. Nothing here asks for the time of day, for chance, or for an order that a hash map
//! decides.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::wildcard_enum_match_arm,
    reason = "tests fail by panicking"
)]

mod backend;
mod book;
mod client;
mod lex;
mod line;
mod log;
mod machine;
mod node;
mod plan;
mod random;
mod reply;
mod session;
mod statement;

pub use book::{Book, Token};
pub use client::{Client, Door, Habits, Strictness};
pub use line::{Line, Weather};
pub use log::{Log, Who};
pub use machine::{Machine, Message};
pub use node::{Fault, Node};
pub use random::Random;
pub use reply::Reply;
pub use statement::Statement;
