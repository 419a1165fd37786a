//! What is read of a database for advice, and what is advised: on real servers, with objects of which it is known what is true.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests fail by panicking"
)]

mod bed;
mod command;
mod hygiene;
mod identity;
mod limited;
mod plans;
mod reader;
mod rewrites;
mod trial;
