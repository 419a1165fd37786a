//! The flight soak through Howdah: requests of several clients share servers, and nobody gets another's answer.
//!
//! `HOWDAH_FLIGHT_REQUESTS` runs it longer, for example for 10000000 requests (`HOWDAH_FLIGHT_SECONDS` at most), `HOWDAH_FLIGHT_CANCELS` the one with cancel requests, for
//! example for 100000; `HOWDAH_SOAK_SEED` repeats the clients of a run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

use std::time::Duration;

use howdah_tests::flights::{self, Mix, Outcome, Plan};
use howdah_tests::{Rig, seed, variable};

/// Enough for every kind of request hundreds of times.
const REQUESTS: u64 = 150_000;
/// Cancel requests of the soak that is about them.
const CANCELS: u64 = 10_000;
const CLIENTS: u64 = 48;

fn rig() -> Rig {
    Rig::builder()
        .pool_size(2)
        .pool("share", "\"reads\"")
        .pool("checkout_timeout", "\"30s\"")
        .in_process()
}

fn plan(rig: &Rig) -> Plan {
    let requests = variable("HOWDAH_FLIGHT_REQUESTS").unwrap_or(REQUESTS);
    let usual = if requests == REQUESTS { 40 } else { 6 * 3600 };
    let seconds = variable("HOWDAH_FLIGHT_SECONDS").unwrap_or(usual);
    Plan {
        target: rig.target().timeout(Duration::from_secs(40)),
        killer: None,
        kill_every: Duration::from_millis(50),
        mix: Mix::All,
        clients: CLIENTS,
        requests,
        time: Duration::from_secs(seconds),
        seed: seed(),
    }
}

/// Runs a plan until requests did share servers: on a machine that has too much else to do no statement is short.
fn run(rig: &Rig, plan: &Plan) -> Outcome {
    for _ in 0..3 {
        let outcome = run_once(plan);
        let report = rig.block_on(rig.engine().report());
        let pool = report.pools.iter().find(|pool| pool.user == "app").expect("the pool of app");
        println!(
            "{} flights for {} requests; not shared: {:?}",
            pool.flights, pool.shared, pool.unshared
        );
        // Three requests in two flights: one takes what waits at that moment, and often that is one.
        if pool.flights > 100 && 2 * pool.shared > 3 * pool.flights {
            return outcome;
        }
    }
    panic!("hardly anything was shared");
}

fn run_once(plan: &Plan) -> Outcome {
    let outcome = flights::run(plan);
    println!("{} requests, {} servers killed:", outcome.total(), outcome.kills);
    for (kind, count) in &outcome.counts {
        println!("  {count:>9}  {kind}");
    }
    assert_eq!(outcome.violations, Vec::<String>::new());
    outcome
}

#[test]
fn every_answer_belongs_to_its_question() {
    let rig = rig();
    let outcome = run(&rig, &plan(&rig));
    assert_eq!(outcome.counts.len(), 10, "kinds of requests that never ended well: {outcome:?}");
}

#[test]
fn a_cancel_request_never_stops_the_statement_of_another_client() {
    let rig = rig();
    let cancels = variable("HOWDAH_FLIGHT_CANCELS").unwrap_or(CANCELS);
    // One request in eight is cancelled.
    let plan = Plan { mix: Mix::Cancels, requests: cancels * 9, ..plan(&rig) };
    let plan = Plan { time: Duration::from_secs(600), ..plan };
    let outcome = run(&rig, &plan);
    println!("{} statements were stopped", outcome.stopped);
    assert!(outcome.counts["cancelled"] >= cancels, "{outcome:?}");
    assert!(outcome.stopped >= cancels / 100, "cancel requests hardly ever arrived in time");
}

#[test]
fn killed_servers_cost_a_reading_client_no_error() {
    let rig = rig();
    let killer = rig.servers().superuser_target(rig.database());
    let plan = Plan { killer: Some(killer), ..plan(&rig) };
    let outcome = run(&rig, &plan);
    assert!(outcome.kills > 20, "only {} servers were killed", outcome.kills);
}
