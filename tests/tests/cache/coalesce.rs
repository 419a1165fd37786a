//! Equal misses at the same time: one request, whose answer is for all who may have it; and whatever happens to it, or to one of them,
//! is nobody else's trouble.

use std::time::Duration;

use howdah_core::cache::Freshness;
use howdah_tests::raw::{Connection, Failure};

use crate::answers::{ON, counts, simple, warm};
use crate::bed::{Bed, catch_up, eventually};

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT n, n FROM generate_series(1, 100) n; \
    CREATE TABLE gate (id int PRIMARY KEY); INSERT INTO gate VALUES (1); \
    CREATE TABLE many (n int PRIMARY KEY); INSERT INTO many SELECT generate_series(1, 2200)";
/// It waits at the gate before it sees anything.
const READ: &str = "SELECT v FROM t JOIN gate ON true WHERE t.id = 7";
/// It looks first, and then it takes a while.
const LONG: &str = "SELECT v, (SELECT count(*) FROM many a, many b WHERE a.n + b.n + t.v <> 0) FROM t WHERE t.id = 7";

/// The gate is shut.
struct Shut(Connection);

impl Shut {
    fn new(bed: &Bed) -> Self {
        let mut keeper = bed.direct();
        keeper.run("BEGIN; LOCK TABLE gate IN ACCESS EXCLUSIVE MODE");
        Self(keeper)
    }

    fn open(mut self) {
        self.0.run("COMMIT");
    }
}

/// A bed whose cache knows that the read takes long, so that it is worth waiting for.
fn bed() -> Bed {
    let bed = Bed::start(SETUP, ON);
    let freshness = bed.open();
    let mut client = bed.client();
    // Changes of all that it reads are followed from here on.
    warm(&bed, &mut client, &simple("SELECT t.id FROM t JOIN gate ON true WHERE t.id = 7"));
    let before = counts(&bed).fills;
    let shut = Shut::new(&bed);
    client.send(&simple(READ)).unwrap();
    assert!(client.is_silent(Duration::from_secs(3)), "the gate is shut");
    shut.open();
    client.until(b'Z', 1).unwrap();
    assert_eq!(counts(&bed).fills, before + 1, "{:?}", counts(&bed));
    touch(&bed, &freshness);
    bed
}

/// What is kept is not valid any more.
fn touch(bed: &Bed, freshness: &Freshness) {
    bed.direct().run("UPDATE t SET v = v WHERE id = 7");
    catch_up(freshness);
}

fn at_the_gate(observer: &mut Connection) -> usize {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query = '{READ}'"
    );
    observer.value(&sql).parse().expect("a number")
}

fn is_running(observer: &mut Connection, sql: &str) -> bool {
    let is = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query";
    observer.value(&format!("{is} = '{}'", sql.replace('\'', "''"))) != "0"
}

/// The first asks, and is at the gate; then all others ask, and wait for it.
fn lead(bed: &Bed, observer: &mut Connection, followers: usize) -> (Connection, Vec<Connection>) {
    let mut all: Vec<_> = (0..followers).map(|_| bed.client()).collect();
    let mut leader = bed.client();
    leader.send(&simple(READ)).unwrap();
    eventually("the first is at the gate", || at_the_gate(observer) == 1);
    for follower in &mut all {
        follower.send(&simple(READ)).unwrap();
    }
    eventually("the others wait", || bed.waiting() == followers);
    (leader, all)
}

fn value(client: &mut Connection) -> Vec<String> {
    client.until(b'Z', 1).unwrap().values()
}

#[test]
fn many_who_miss_the_same_send_one_request() {
    const FOLLOWERS: usize = 199;
    let bed = bed();
    let (mut observer, shut) = (bed.direct(), Shut::new(&bed));
    let before = counts(&bed);
    let (mut leader, mut followers) = lead(&bed, &mut observer, FOLLOWERS);
    assert_eq!(at_the_gate(&mut observer), 1, "{FOLLOWERS} more have asked");
    shut.open();
    assert_eq!(value(&mut leader), ["7"]);
    for follower in &mut followers {
        assert_eq!(value(follower), ["7"]);
    }
    let after = counts(&bed);
    let grown = |of: fn(&howdah::CacheCounts) -> u64| of(&after) - of(&before);
    assert_eq!(
        (grown(|c| c.misses), grown(|c| c.coalesced), grown(|c| c.hits), grown(|c| c.fills)),
        (1, FOLLOWERS as u64, FOLLOWERS as u64, 1)
    );
}

#[test]
fn when_the_one_that_asks_goes_away_the_others_ask_themselves() {
    let bed = bed();
    let (mut observer, shut) = (bed.direct(), Shut::new(&bed));
    let (leader, mut followers) = lead(&bed, &mut observer, 8);
    drop(leader);
    eventually("the others ask", || at_the_gate(&mut observer) >= 8);
    shut.open();
    for follower in &mut followers {
        assert_eq!(value(follower), ["7"]);
    }
}

#[test]
fn when_the_one_that_asks_is_cancelled_the_others_ask_themselves() {
    let bed = bed();
    let (mut observer, shut) = (bed.direct(), Shut::new(&bed));
    let (mut leader, mut followers) = lead(&bed, &mut observer, 8);
    leader.cancel();
    let errors = leader.until(b'Z', 1).unwrap().errors();
    assert_eq!(errors.iter().map(|error| &*error.code).collect::<Vec<_>>(), ["57014"]);
    eventually("the others ask", || at_the_gate(&mut observer) == 8);
    shut.open();
    for follower in &mut followers {
        assert_eq!(value(follower), ["7"]);
    }
}

#[test]
fn when_the_server_of_the_one_that_asks_dies_the_others_ask_themselves() {
    let bed = bed();
    let (mut observer, shut) = (bed.direct(), Shut::new(&bed));
    let (mut leader, mut followers) = lead(&bed, &mut observer, 8);
    observer.run(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query = '{READ}'"
    ));
    eventually("the others ask", || at_the_gate(&mut observer) >= 8);
    shut.open();
    for follower in &mut followers {
        assert_eq!(value(follower), ["7"]);
    }
    // It was sent again, or the client was told.
    assert!(matches!(leader.until(b'Z', 1), Ok(_) | Err(Failure::Closed)));
}

#[test]
fn one_that_waits_can_be_cancelled_or_go_and_the_one_that_asks_goes_on() {
    let bed = bed();
    let (mut observer, shut) = (bed.direct(), Shut::new(&bed));
    let (mut leader, mut followers) = lead(&bed, &mut observer, 3);
    let mut cancelled = followers.pop().expect("three");
    cancelled.cancel();
    let errors = cancelled.until(b'Z', 1).unwrap().errors();
    assert_eq!(errors.iter().map(|error| &*error.code).collect::<Vec<_>>(), ["57014"]);
    drop(followers.pop());
    eventually("one still waits", || bed.waiting() == 1);
    assert_eq!(at_the_gate(&mut observer), 1);
    shut.open();
    assert_eq!(value(&mut leader), ["7"]);
    assert_eq!(value(&mut followers[0]), ["7"]);
    assert_eq!(cancelled.value("SELECT v FROM t WHERE id = 8"), "8", "it goes on");
}

#[test]
fn nobody_is_given_what_is_older_than_it_may_see() {
    let bed = Bed::start(SETUP, ON);
    let freshness = bed.open();
    let mut observer = bed.direct();
    let (mut writer, mut reader) = (bed.client(), bed.client());
    let first = |mut client: Connection| {
        client.until(b'Z', 1).unwrap().values().into_iter().next().expect("a row")
    };
    for round in 100..103 {
        // What is asked for now was true when it began.
        let old = observer.value("SELECT v FROM t WHERE id = 7");
        touch(&bed, &freshness);
        let mut leader = bed.client();
        leader.send(&simple(LONG)).unwrap();
        eventually("it runs", || is_running(&mut observer, LONG));
        if round % 2 == 0 {
            writer.run(&format!("UPDATE t SET v = {round} WHERE id = 7"));
            let given = writer.run(LONG).values();
            assert_eq!(given, [round.to_string()], "a session sees what it has written");
        } else {
            observer.run(&format!("UPDATE t SET v = {round} WHERE id = 7"));
            catch_up(&freshness);
            let given = reader.run(LONG).values();
            assert_eq!(given, [round.to_string()], "what was delivered is seen");
        }
        assert_eq!(first(leader), old, "round {round}: it began before");
    }
}

#[test]
fn who_wants_what_describes_the_rows_does_not_wait_for_an_answer_without() {
    let bed = bed();
    let (mut observer, shut) = (bed.direct(), Shut::new(&bed));
    let (mut leader, mut other) = (bed.client(), bed.client());
    // The same text and no parameters, asked for with a description and without.
    let bare = || howdah_tests::raw::Frames::new().parse("", READ).bind("", "", &[]).execute("", 0);
    let full = howdah_tests::raw::Frames::new().extended(READ, &[]).sync();
    leader.send(&bare().sync()).unwrap();
    eventually("the first is at the gate", || at_the_gate(&mut observer) == 1);
    other.send(&full).unwrap();
    eventually("the other asks, too", || at_the_gate(&mut observer) == 2);
    shut.open();
    assert_eq!(leader.until(b'Z', 1).unwrap().summary(), "1 2 D C Z(I)");
    assert_eq!(other.until(b'Z', 1).unwrap().summary(), "1 2 T D C Z(I)");
}
