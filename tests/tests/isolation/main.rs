//! The isolation soak through Howdah, and the proof that its checker sees a proxy that mixes clients up.
//!
//! `HOWDAH_SOAK_SECONDS` runs it longer; `HOWDAH_SOAK_SEED` repeats the clients of a run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

use std::time::Duration;

use howdah_tests::isolation::{self, Outcome, Plan};
use howdah_tests::raw::Target;
use howdah_tests::{Rig, Servers, seed, variable};

/// Long enough for every kind of operation hundreds of times.
const SECONDS: u64 = 20;
const CLIENTS: u64 = 64;
const SERVERS: u32 = 8;
/// Sessions that may pin a server at once: the others still have five.
const PINNED: usize = 3;

fn plan(target: Target, clients: u64, seconds: u64) -> Plan {
    let seed = seed();
    let target = target.timeout(Duration::from_secs(40));
    Plan { target, clients, time: Duration::from_secs(seconds), seed, pinned: PINNED }
}

fn print(outcome: &Outcome) {
    println!("{} operations in {} sessions:", outcome.total(), outcome.sessions);
    for (kind, count) in &outcome.counts {
        println!("  {count:>8}  {kind}");
    }
    for violation in &outcome.violations {
        println!("VIOLATION {violation}");
    }
}

fn never_run(outcome: &Outcome) -> Vec<&'static str> {
    isolation::kinds().filter(|kind| !outcome.counts.contains_key(kind)).collect()
}

fn rig() -> Rig {
    let rig = Rig::builder()
        .pool_size(SERVERS)
        .pool("checkout_timeout", "\"30s\"")
        // Small, so that statements are closed on servers and parsed again all the time.
        .pool("max_prepared", "20")
        .listen("workers", "2")
        .in_process();
    rig.observer().run(isolation::SETUP);
    rig
}

#[test]
fn nothing_of_one_client_reaches_another() {
    let rig = rig();
    let seconds = variable("HOWDAH_SOAK_SECONDS").unwrap_or(SECONDS);
    let outcome = isolation::run(&plan(rig.target(), CLIENTS, seconds));
    print(&outcome);
    assert!(outcome.violations.is_empty(), "{:#?}", outcome.violations);
    assert_eq!(
        never_run(&outcome),
        Vec::<&str>::new(),
        "kinds of operations that never ended well"
    );
    let mut observer = rig.observer();
    let left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND state LIKE 'idle in transaction%'";
    let settled = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        observer.value(left) == "0"
    });
    assert!(settled, "transactions of clients that are gone are still open");
    let size = usize::try_from(SERVERS).expect("a small number");
    let (remains, servers) = isolation::inspect(&rig.target(), &rig.direct(), size);
    assert_eq!(remains, Vec::<String>::new(), "left on the servers");
    assert_eq!(servers, size, "every server of the pool was looked at");
    assert_eq!(observer.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
    assert_eq!(observer.value("SELECT count(*) FROM public.inbox"), "0");
}

#[test]
fn a_client_of_postgresql_itself_passes_the_checker() {
    let servers = Servers::shared();
    let database = servers.create_database();
    servers.superuser(&database).run(isolation::SETUP);
    let outcome = isolation::run(&plan(servers.target("app", &database), 8, 5));
    print(&outcome);
    assert!(outcome.violations.is_empty(), "{:#?}", outcome.violations);
    servers.drop_database(&database);
}

#[test]
fn a_pooler_that_leaks_settings_is_found_out() {
    let servers = Servers::shared();
    let database = servers.create_database();
    servers.superuser(&database).run(isolation::SETUP);
    let bouncer = howdah_local::PgBouncer::builder(servers.primary()).pool_size(4).user("app", "");
    let bouncer = bouncer.start().unwrap_or_else(|error| panic!("{error}"));
    let target = Target::port(bouncer.port(), "app", &database);
    let outcome = isolation::run(&plan(target, 16, 3));
    let leaks = outcome.violations.iter().filter(|violation| violation.contains("instead of"));
    assert!(leaks.count() > 0, "nothing was found: {:#?}", outcome.violations);
    servers.drop_database(&database);
}
