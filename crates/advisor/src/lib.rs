//! What would make a database better: recommendations with evidence, a way to apply each and a way back.
//!
//! Pure: a snapshot of the catalog ([`catalog::Catalog`]) and what the database is asked come in as values, what statements would cost with other
//! indexes is asked of a trait. Not here: connections, clocks, files, and carrying anything out (`howdah-ops`).
//!
//! Invariant: nothing is recommended without evidence that a person can check, and without the statements that take it back.

mod advise;
mod candidate;
mod candidates;
pub mod catalog;
mod choose;
mod estimate;
pub mod hygiene;
mod inverted;
mod materialized;
pub mod n_plus_one;
pub mod plans;
mod recommendation;
pub mod rewrites;
pub mod schema;
mod set;
pub mod settings;
pub mod size;
#[cfg(test)]
mod testing;
mod workload;
mod writes;

pub use advise::{Told, Verified, impact_of, recommendations};
pub use candidate::{Candidate, Holds, Key, Method, Predicate, comparisons, full_name, quoted};
pub use candidates::{MAX_CANDIDATES, candidates};
pub use choose::{BELIEVED, Choice, Chosen, Limits, Oracle, Plan, Question, choose};
pub use estimate::Estimate;
pub use inverted::inverted;
pub use materialized::{Aggregation, materialized_view};
pub use recommendation::{Costs, Evidence, Impact, Kind, Recommendation};
pub use set::Set;
pub use workload::{Access, Asked, Workload, accesses};
pub use writes::{Burden, burden};
