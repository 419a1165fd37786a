//! A PostgreSQL client that sends exactly the frames it is told to and keeps every reply, for sequences no driver makes. Not a
//! driver: no types, no pool, blocking sockets.
//!
//! Invariant: no read waits longer than the connection's timeout; what arrived is kept in order and whole.

mod connection;
mod frames;
mod login;
mod reply;
mod stream;
mod target;

pub use connection::{Connection, Failure};
pub use frames::Frames;
pub use reply::{ErrorReply, Reply, Transcript};
pub use target::{Address, Target, Tls};
