//! Advice on indexes against real servers: predicted sizes and costs against indexes that are really built, twins, limits, lost connections,
//! indexes beside their like, writes, a database without hypopg, and the command.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod advice;
mod bed;
mod kinds;
mod sizes;
mod twins;
mod writes;
