//! What replicas have shown a session before the primary shows it.

use std::time::{Duration, Instant};

use howdah_tests::ahead::Ahead;
use howdah_tests::eventually;
use howdah_tests::farm::Farm;

#[test]
fn a_session_that_a_replica_has_shown_a_commit_waits_until_the_primary_shows_it() {
    let farm = Farm::start(2, "", &[]);
    let read = Ahead::new(&farm).read_at_home(Some(Duration::from_millis(300)));
    assert_eq!(read, "1", "the session has gone back");
}

#[test]
fn a_commit_that_nobody_confirms_holds_no_session_for_ever() {
    let farm = Farm::start(1, "", &[]);
    // After the second that docs/guide/replicas.md states.
    assert_eq!(Ahead::new(&farm).read_at_home(None), "0");
}

#[test]
fn a_transaction_that_is_under_way_for_long_holds_nobody() {
    let farm = Farm::start(1, "", &[]);
    farm.settle();
    let mut writer = farm.direct(farm.primary());
    writer.run("CREATE TABLE slow (value int)");
    writer.run("BEGIN; INSERT INTO slow VALUES (1)");
    let mut session = farm.client();
    let reads = "SELECT pg_is_in_recovery() FROM pg_class LIMIT 1";
    eventually("a replica answers", || session.value(reads) == "t");
    // It would be let go after a second anyway: it has to be let go before, if not each time on a busy machine.
    eventually("it is not held", || {
        eventually("a replica answers again", || session.value(reads) == "t");
        let begin = Instant::now();
        assert_eq!(session.value(&format!("/* howdah: route=primary */ {reads}")), "f");
        println!("held for {:?}", begin.elapsed());
        begin.elapsed() < Duration::from_millis(900)
    });
    writer.run("ROLLBACK");
}
