//! The changes of real databases, followed: what is kept is refused in time, whatever happens to the stream.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod answers;
mod asked;
mod bed;
mod checker;
mod coalesce;
mod events;
mod faults;
mod fresh;
mod functions;
mod order;
mod patched;
mod race;
mod replicas;
mod rules;
mod shared;
mod sound;
mod soundness;
mod timed;
mod two;
mod warm;
