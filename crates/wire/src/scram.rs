//! SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL speaks it, for both sides.
//!
//! Not here: the certificate that channel binding is about (its hash is an argument), nonces and
//! salts (arguments), and the frames around the messages.
//!
//! Invariant: secrets are compared in constant time and never printed; no message makes either side
//! work longer than [`MAX_ITERATIONS`] rounds or keep more than [`MAX_MESSAGE_LEN`] bytes.

mod client;
mod message;
mod server;
mod verifier;

pub use client::{Challenge, ChannelBinding, Client};
pub use server::Server;
pub use verifier::{ClientKeys, Verifier};

/// The mechanism's name in SASL.
pub const MECHANISM: &str = "SCRAM-SHA-256";

/// The name of the mechanism with channel binding.
pub const MECHANISM_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// The only channel binding PostgreSQL knows, as the header of a client that uses it (RFC 5929).
const BOUND_FLAG: &str = "p=tls-server-end-point";

/// The iteration count PostgreSQL uses by default.
pub const DEFAULT_ITERATIONS: u32 = 4096;

/// The highest iteration count accepted, from a server or in a verifier: about a second of one
/// core.
pub const MAX_ITERATIONS: u32 = 1_000_000;

/// The longest message accepted, in bytes, as in PostgreSQL (`PG_MAX_SASL_MESSAGE_LENGTH`).
pub const MAX_MESSAGE_LEN: usize = 1024;
