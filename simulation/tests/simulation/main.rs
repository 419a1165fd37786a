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
mod seeds;

/// A planted bug holds for the whole process: who plants writes, all others read.
static PLANTED: parking_lot::RwLock<()> = parking_lot::RwLock::new(());
