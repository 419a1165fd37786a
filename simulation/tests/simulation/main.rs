//! Days of sessions and faults around the real data plane, in virtual time. `HOWDAH_SIMULATION_SEED=…` repeats one seed,
//! `HOWDAH_SIMULATION_HOURS=…` makes its day longer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod day;
mod invariants;
#[cfg(feature = "planted-bugs")]
mod planted;
#[cfg(not(feature = "planted-bugs"))]
mod seeds;
