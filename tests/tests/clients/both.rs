//! Every driver's checks run twice: directly against PostgreSQL, which shows that the checks are right, and through Howdah in
//! transaction mode with three servers, which other clients take and give back all the time.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use howdah_tests::raw::Target;
use howdah_tests::{Churn, Login, Random, Rig};

use crate::checks::{Outcome, Place};

/// Servers of the pool. For each worker there are other clients, one fewer than servers.
const SERVERS: u32 = 3;
/// Fewer than the drivers' checks prepare, so that servers must forget some.
const STATEMENTS: &str = "50";

/// Runs a driver's checks in both places.
///
/// # Panics
/// When a check fails, or others have run through Howdah than directly, or servers did not change.
#[track_caller]
pub(crate) fn directly_and_through_howdah(run: impl Fn(&Place) -> Outcome) {
    let pooled = through_workers(1, run);
    let counts = pooled.servers;
    assert!(counts.iter().any(|count| *count > 1), "servers did not change: {counts:?}");
}

/// Runs a driver's checks in both places; Howdah has this many workers, which share the pool's servers.
///
/// # Panics
/// When a check fails, or others have run through Howdah than directly.
#[track_caller]
pub(crate) fn through_workers(workers: u32, run: impl Fn(&Place) -> Outcome) -> Outcome {
    let user = Login::Scram.role();
    let password = Login::PASSWORD;
    let toml = format!(
        "[[user]]\nname = \"{user}\"\nauth = \"scram-sha-256\"\npassword = \"{password}\"\n\
         server_password = \"{password}\"\n"
    );
    let rig = Rig::builder()
        .listen("workers", &workers.to_string())
        .users(&toml)
        .pool_size(SERVERS)
        .pool("max_prepared", STATEMENTS)
        .in_process();
    let place = |port| Place {
        port,
        user: user.to_owned(),
        password: password.to_owned(),
        database: rig.database().to_owned(),
        environment: Vec::new(),
    };
    let direct = run(&place(rig.servers().primary().port()));
    assert!(direct.failed.is_empty(), "directly:\n{}", direct.failed.join("\n"));
    assert!(!direct.passed.is_empty(), "no checks");
    let counts = direct.servers;
    assert!(counts.iter().all(|count| *count == 1), "one server, directly: {counts:?}");

    let target = rig.target().user(user).password(password);
    let (pooled, others) = while_servers_change(&target, workers, || run(&place(rig.port())));
    assert!(pooled.failed.is_empty(), "through Howdah:\n{}", pooled.failed.join("\n"));
    assert_eq!(pooled.passed, direct.passed, "the same checks");
    others.expect("the other clients were served and saw nothing strange");
    pooled
}

/// Does something while other clients hold servers, each for a moment; and how it went for those.
fn while_servers_change<T>(
    target: &Target,
    workers: u32,
    work: impl FnOnce() -> T,
) -> (T, thread::Result<()>) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = &over;
        let others: Vec<_> = (0..workers * (SERVERS - 1))
            .map(|seed| scope.spawn(move || churn(target, seed.into(), over)))
            .collect();
        let result = catch_unwind(AssertUnwindSafe(work));
        over.store(true, Ordering::Relaxed);
        // All are waited for before the first failure is looked at.
        let ends: Vec<_> = others.into_iter().map(thread::ScopedJoinHandle::join).collect();
        (result.unwrap_or_else(|panic| resume_unwind(panic)), ends.into_iter().collect())
    })
}

fn churn(target: &Target, seed: u64, over: &AtomicBool) {
    let mut random = Random::new(seed);
    let mut client = Churn::new(target, 1);
    while !over.load(Ordering::Relaxed) {
        client.turn();
        thread::sleep(Duration::from_micros(random.below(4000)));
        client.rest();
        thread::sleep(Duration::from_micros(random.below(2000)));
    }
}
