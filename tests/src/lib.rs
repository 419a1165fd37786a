//! What the end-to-end tests are made of: a rig of real servers with a Howdah in front, a raw protocol client, and the isolation
//! checker. Not part of the product.
//!
//! Invariant: everything started here is stopped when its value is dropped, or at the latest when the test process ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    reason = "tests fail by panicking"
)]

pub mod advice;
pub mod ahead;
mod authority;
pub mod capture;
mod churn;
pub mod consistency;
pub mod exchange;
pub mod farm;
pub mod flights;
pub mod http;
pub mod isolation;
mod patience;
mod process;
pub mod raw;
pub mod refusals;
mod rig;
mod script;
mod seed;
mod servers;

pub use authority::{Authority, Files, Signed};
pub use churn::Churn;
pub use howdah_simulation::Random;
pub use patience::{PATIENCE, eventually};
pub use process::{HowdahProcess, program, run_verb};
pub use rig::{Builder, Rig};
pub use script::{Script, Until};
pub use seed::{seed, variable};
pub use servers::{Login, Servers};
