//! Howdah's decisions as pure values: who gets which reply, what a session carries from server to server, which server a
//! client gets. No I/O, no clock (time is an argument), no tokio. The data plane in `howdah-proxy` drives these.
//!
//! Invariant: same inputs, same outputs; nothing here blocks, sleeps, reads a clock or draws a random number.

pub mod alerts;
pub mod balance;
pub mod breaker;
pub mod cache;
pub mod direct;
pub mod limits;
pub mod login;
pub mod pool;
pub mod reply;
pub mod route;
pub mod rules;
pub mod server_statistics;
pub mod session;
pub mod slow;
pub mod statements;
pub mod takeover;
pub mod topology;
