//! The data plane: sockets, sessions, pools, timers. It drives the decisions of `howdah-core` over the protocol of
//! `howdah-wire`. Not configuration and not assembly: that is `howdah`.
//!
//! The path of a query begins in `session.rs` and reads top to bottom there.

mod administer;
mod auth;
mod buffer;
mod cache;
mod calls;
mod cancel;
mod catalog;
mod clean;
mod clock;
mod connect;
mod console;
mod direct;
mod effects;
mod entry;
mod error;
pub mod faults;
mod feed;
mod flight;
mod gather;
mod holding;
pub mod holds;
pub mod host;
mod inquiry;
mod invalidate;
mod keys;
mod listener;
mod locks;
mod login;
mod node;
mod notify;
pub mod observe;
mod options;
mod outsiders;
mod paces;
mod pool;
mod prepare;
mod prepared;
mod proxy;
mod quota;
mod random;
mod relay;
mod rename;
mod repeated;
pub mod report;
mod rerun;
mod route;
mod rows;
mod rules;
mod server;
mod server_statistics;
mod session;
pub mod settings;
mod share;
mod shared;
mod shortcut;
#[cfg(feature = "simulation")]
pub mod simulation;
mod slow;
mod stats;
mod stream;
mod takeover;
mod tenure;
pub mod tls;
mod topology;
mod traffic;
mod turn;
mod waiting;
mod words;
mod worker;

pub use error::StartError;
pub use proxy::Proxy;
