//! Advice is carried out and taken back on real servers: exactly, also when builds are cancelled, locks are not had, servers and Howdah itself are
//! killed in the middle. Not what is advised.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests fail by panicking"
)]

mod automatic;
mod bed;
mod command;
mod demo;
mod exact;
mod faults;
mod refused;
mod verdict;
