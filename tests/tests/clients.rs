//! The drivers that applications use, through Howdah: what works directly works the same when every transaction may run on
//! another server. The programs of other languages are in `tests/clients`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests fail by panicking"
)]

#[path = "clients/both.rs"]
mod both;
#[path = "clients/checks.rs"]
mod checks;
#[path = "clients/encrypted.rs"]
mod encrypted;
#[path = "clients/program.rs"]
mod program;
#[path = "clients/sqlx_driver.rs"]
mod sqlx_driver;
#[path = "clients/sqlx_sessions.rs"]
mod sqlx_sessions;
#[path = "clients/tokio_postgres_driver.rs"]
mod tokio_postgres_driver;
#[path = "clients/tokio_postgres_sessions.rs"]
mod tokio_postgres_sessions;

use both::{directly_and_through_howdah, through_workers};
use checks::{Outcome, Place};

/// Runs checks that are written in Rust.
fn in_a_runtime(checks: impl AsyncFnOnce(&mut Outcome)) -> Outcome {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut outcome = Outcome::default();
    runtime.block_on(checks(&mut outcome));
    runtime.shutdown_background();
    outcome
}

fn tokio_postgres(place: &Place) -> Outcome {
    in_a_runtime(async |outcome| {
        tokio_postgres_driver::run(place, outcome).await;
        tokio_postgres_sessions::run(place, outcome).await;
    })
}

#[test]
fn tokio_postgres_cannot_tell_howdah_from_postgresql() {
    directly_and_through_howdah(tokio_postgres);
}

#[test]
fn two_workers_share_a_small_pool() {
    through_workers(2, tokio_postgres);
}

#[test]
fn sqlx_cannot_tell_howdah_from_postgresql() {
    directly_and_through_howdah(|place| {
        in_a_runtime(async |outcome| {
            sqlx_driver::run(place, outcome).await;
            sqlx_sessions::run(place, outcome).await;
        })
    });
}

#[test]
fn psycopg_cannot_tell_howdah_from_postgresql() {
    directly_and_through_howdah(|place| program::python("psycopg_checks.py", place));
}

#[test]
fn asyncpg_cannot_tell_howdah_from_postgresql() {
    directly_and_through_howdah(|place| program::python("asyncpg_checks.py", place));
}

#[test]
fn node_postgres_cannot_tell_howdah_from_postgresql() {
    directly_and_through_howdah(|place| program::node("node_postgres.mjs", place));
}

#[test]
fn pgjdbc_cannot_tell_howdah_from_postgresql() {
    directly_and_through_howdah(|place| program::java("PgJdbc", place));
}

#[test]
fn psycopg_works_over_tls() {
    encrypted::directly_and_through_howdah(|place| program::python("psycopg_encrypted.py", place));
}

#[test]
fn node_postgres_works_over_tls() {
    encrypted::directly_and_through_howdah(|place| program::node("node_encrypted.mjs", place));
}

#[test]
fn pgjdbc_works_over_tls() {
    encrypted::directly_and_through_howdah(|place| program::java("Encrypted", place));
}

#[test]
fn psycopg_reads_the_console() {
    encrypted::on_the_console(|place| program::python("psycopg_console.py", place));
}

#[test]
fn node_postgres_reads_the_console() {
    encrypted::on_the_console(|place| program::node("node_console.mjs", place));
}

#[test]
fn pgjdbc_reads_the_console() {
    encrypted::on_the_console(|place| program::java("Console", place));
}
