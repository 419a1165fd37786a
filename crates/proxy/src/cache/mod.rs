//! The result cache as the data plane has it: answers that are kept ([`Store`]), where they come from and as whom ([`place`]), what a
//! worker knows about statements ([`plans`]), the way of a request through it ([`session`]), and those who miss the same at once
//! ([`coalesce`]), what is not known of a session ([`doubt`]), what several instances share ([`shared`]), and what is asked again when answers were lost ([`warm`]). What may be kept and given is decided
//! by `howdah_core::cache`.
//!
//! Invariant: an answer is given only if `Freshness` says at that moment that it is valid, whatever is in the store.

mod coalesce;
mod doubt;
mod fence;
mod fill;
mod flushes;
mod patch;
pub(crate) mod place;
mod plans;
mod session;
pub(crate) mod shared;
mod store;
mod tally;
pub(crate) mod warm;

pub(crate) use place::LocalPlace;
pub(crate) use plans::explained;
pub(crate) use session::Caching;
pub(crate) use store::Store;
pub use tally::{Counts, Used, Uses, UsesByName};
