//! Howdah's decisions as pure values: who gets which reply, what a session carries from server to server, which server a
//! client gets. No I/O, no clock (time is an argument), no tokio. The data plane in `howdah-proxy` drives these.
//!
//! Invariant: same inputs, same outputs; nothing here blocks, sleeps, reads a clock or draws a random number.

pub mod balance;
pub mod breaker;
pub mod limits;
pub mod login;
pub mod pool;
pub mod reply;
pub mod route;
pub mod rules;
pub mod session;
pub mod takeover;
pub mod topology;
