//! PostgreSQL protocol 3 as bytes and values: frames, messages of both directions, the startup
//! packets, SCRAM and MD5.
//!
//! Not here: sockets, clocks, random numbers, buffers that grow by what a peer announces. Decoders
//! borrow from `&[u8]`, encoders append to a `Vec<u8>`; nonces, salts and secrets are arguments.
//!
//! Invariant: no input panics, and none makes this crate reserve more memory than the bytes that
//! have really arrived. A message that is incomplete is `None`, never an error; an error is for
//! good.

pub mod backend;
pub mod error;
pub mod frame;
pub mod frontend;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod list;
pub mod md5;
mod put;
pub mod replication;
pub mod scram;
pub mod sqlstate;
pub mod startup;

pub use error::Error;
pub use sqlstate::SqlState;
