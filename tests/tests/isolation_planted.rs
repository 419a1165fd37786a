//! The isolation checker, and what is said of rules, turn red when the proxy is broken on purpose. Needs the feature `planted-bugs`.
//!
//! A binary of its own with one test: planted bugs hold for the whole process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

use std::time::Duration;

use howdah::faults::{Fault, plant};
use howdah_tests::ahead::Ahead;
use howdah_tests::consistency::{self, Level};
use howdah_tests::farm::Farm;
use howdah_tests::flights;
use howdah_tests::isolation::{self, Plan};
use howdah_tests::raw::Frames;
use howdah_tests::refusals;
use howdah_tests::{Rig, eventually};

const CLIENTS: u64 = 24;
const SERVERS: u32 = 4;

/// Violations seen within a few seconds, by the clients or on the servers after them.
fn violations(faults: &[Fault]) -> Vec<String> {
    plant(faults);
    let rig = Rig::builder().pool_size(SERVERS).pool("checkout_timeout", "\"5s\"").in_process();
    rig.observer().run(isolation::SETUP);
    let target = rig.target().timeout(Duration::from_secs(10));
    let plan = Plan { target, clients: CLIENTS, time: Duration::from_secs(6), seed: 1, pinned: 2 };
    let mut violations = isolation::run(&plan).violations;
    if violations.is_empty() {
        let size = usize::try_from(SERVERS).unwrap();
        violations = isolation::inspect(&rig.target(), &rig.direct(), size).0;
    }
    plant(&[]);
    violations
}

/// Violations seen within a few seconds by clients whose requests share servers.
fn violations_in_flight(faults: &[Fault]) -> Vec<String> {
    plant(faults);
    let rig = Rig::builder()
        .pool_size(2)
        .pool("share", "\"reads\"")
        .pool("checkout_timeout", "\"5s\"")
        .in_process();
    let plan = flights::Plan {
        target: rig.target().timeout(Duration::from_secs(10)),
        killer: None,
        kill_every: Duration::ZERO,
        mix: flights::Mix::All,
        clients: CLIENTS,
        requests: 200_000,
        time: Duration::from_secs(8),
        seed: 1,
    };
    let violations = flights::run(&plan).violations;
    plant(&[]);
    violations
}

/// Statements that were stopped by a cancel request of another client behind them on the same server. (That there are none
/// otherwise is tested at random in `flights`; here the two share a server for certain.)
fn violations_by_cancels(faults: &[Fault]) -> Vec<String> {
    plant(faults);
    let rig = Rig::builder().pool_size(1).pool("share", "\"reads\"").in_process();
    let [mut first, mut second, mut holder] = [(); 3].map(|()| rig.target().client());
    let sleep = |seconds| Frames::default().query(&format!("SELECT pg_sleep({seconds})"));
    let mut violations = Vec::new();
    for _ in 0..3 {
        rig.until_shared(&mut first, &mut holder, "SELECT pg_sleep(0)");
        holder.run("BEGIN");
        for (reader, seconds) in [(&mut first, "0.3"), (&mut second, "0")] {
            reader.send(&sleep(seconds)).expect("a reader is connected");
        }
        eventually("both wait for the only server", || {
            rig.block_on(rig.engine().report()).pools.iter().any(|pool| pool.clients_waiting == 2)
        });
        holder.run("COMMIT");
        second.cancel();
        let stopped = first.until(b'Z', 1).expect("an answer").errors();
        violations.extend(stopped.iter().map(|error| format!("{error:?}")));
        second.until(b'Z', 1).expect("an answer");
    }
    plant(&[]);
    violations
}

/// Reads that miss what they are promised, within a few seconds of replicas that answer whatever they have. (That there are none
/// otherwise is the test of `routes`.)
fn violations_of_promise(level: Level) -> Vec<String> {
    let farm = Farm::start(2, "[pool]\nmax_size = 8\n", &[]);
    plant(&[Fault::SkipPosition]);
    let plan = consistency::Plan {
        level,
        sessions: 12,
        time: Duration::from_secs(5),
        promotions: false,
        seed: 1,
    };
    let violations = consistency::run(&farm, &plan).violations;
    plant(&[]);
    violations
}

#[test]
fn every_planted_bug_is_found() {
    assert_eq!(violations(&[]), Vec::<String>::new(), "violations without a bug");
    for fault in [Fault::SkipReset, Fault::SkipAlign, Fault::EarlyRelease] {
        let found = violations(&[fault]);
        println!("{fault:?}: {found:#?}");
        assert!(!found.is_empty(), "{fault:?} is not found");
    }
    assert_eq!(violations_in_flight(&[]), Vec::<String>::new(), "violations without a bug");
    for fault in [Fault::SwapAnswers, Fault::SkipAlign] {
        let found = violations_in_flight(&[fault]);
        println!("{fault:?}: {found:#?}");
        assert!(!found.is_empty(), "{fault:?} is not found among flights");
    }
    assert_eq!(violations_by_cancels(&[]), Vec::<String>::new(), "violations without a bug");
    let found = violations_by_cancels(&[Fault::EagerCancel]);
    println!("{:?}: {found:#?}", Fault::EagerCancel);
    assert!(!found.is_empty(), "{:?} is not found", Fault::EagerCancel);
    for level in [Level::Session, Level::Bounded(Duration::from_millis(300))] {
        let found = violations_of_promise(level);
        println!("{:?}, {level:?}: {} violations", Fault::SkipPosition, found.len());
        assert!(!found.is_empty(), "{:?} is not found at {level:?}", Fault::SkipPosition);
    }
    plant(&[Fault::SkipSettle]);
    let farm = Farm::start(1, "", &[]);
    let read = Ahead::new(&farm).read_at_home(Some(Duration::from_millis(300)));
    assert_eq!(read, "0", "{:?} is not found", Fault::SkipSettle);
    plant(&[]);
    assert_eq!(refusals::violations(), Vec::<String>::new(), "violations without a bug");
    plant(&[Fault::SkipRules]);
    let found = refusals::violations();
    plant(&[]);
    println!("{:?}: {found:#?}", Fault::SkipRules);
    assert_eq!(found.len(), 4, "every way past the rules is found");
}
