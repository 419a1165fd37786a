//! Howdah as its clients see it: real servers behind it, raw protocol in front of it, other clients all around.
//!
//! `HOWDAH_TESTS_AGAINST=direct` puts PostgreSQL itself in Howdah's place, `pgbouncer` PgBouncer: what is expected here is what
//! PostgreSQL does, and a pooler that does not is found out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

mod access;
mod alerts;
mod authentication;
mod cancelling;
mod caps;
mod command_line;
mod console;
mod console_commands;
mod console_rights;
mod copying;
mod counting;
mod crowds;
mod doors;
mod errors;
mod exporter;
mod goodbyes;
mod history;
mod importing;
mod known_bugs_odyssey;
mod known_bugs_pgbouncer;
mod known_bugs_pgcat;
mod known_bugs_pgdog;
mod leaks;
mod leaving;
mod limits_by_rule;
mod local_sockets;
mod lookups;
mod modes;
mod notifications;
mod operating;
mod password_rotation;
mod pinning;
mod pipelines;
mod pools;
mod probe;
mod recommendations;
mod restarting;
mod routes;
mod rules_by_address;
mod seeing;
mod server_statistics;
mod settings;
mod sharing;
mod slow;
mod sql_prepare;
mod statement_rules;
mod statements;
mod tls_clients;
mod tls_rotation;
mod tls_servers;
mod topology;
mod workers;
