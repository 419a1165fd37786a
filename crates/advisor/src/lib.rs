//! What would make a database better: recommendations with evidence, a way to apply each and a way back.
//!
//! Pure: a snapshot of the catalog ([`catalog::Catalog`]) and what the database is asked come in as values, what statements would cost with other
//! indexes is asked of a trait. Not here: connections, clocks, files, and carrying anything out (`howdah-ops`).
//!
//! Invariant: nothing is recommended without evidence that a person can check, and without the statements that take it back.

pub mod catalog;
pub mod hygiene;
pub mod n_plus_one;
pub mod plans;
mod recommendation;
pub mod rewrites;
pub mod schema;

pub use recommendation::{Costs, Evidence, Impact, Kind, Recommendation};
