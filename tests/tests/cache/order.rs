//! A session never goes back: not to an answer that is older than one it was given, although both count as valid while the stream has not
//! told what came between; and not to a replica that lacks what it was given.

use rustix::process::{Pid, Signal, kill_process};

use crate::answers::{ON, counts, simple, warm};
use crate::bed::{Bed, eventually, nodes};
use crate::faults::walsender;

/// Nothing is told until this is dropped.
struct Silence(Pid);

impl Silence {
    fn new(bed: &Bed) -> Self {
        let sender = walsender(&mut bed.direct());
        kill_process(sender, Signal::STOP).expect("a process");
        Self(sender)
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}

#[test]
fn after_an_answer_that_is_newer_than_the_stream_no_older_one_is_given() {
    let bed =
        Bed::start("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (7, 1)", ON);
    bed.open();
    let (old, new) = (
        simple("SELECT v + 0 FROM t WHERE id = 7"),
        simple("SELECT v + 0 AS w FROM t WHERE id = 7"),
    );
    let (mut bounded, mut session, mut writer) = (bed.client(), bed.client(), bed.direct());
    bounded.run("SET howdah.cache_level = bounded");
    session.run("SET howdah.cache_level = session");
    // What is needed to keep the other is known, and it is not kept any more.
    warm(&bed, &mut bounded, &new);
    writer.run("UPDATE t SET v = 2 WHERE id = 7");
    crate::bed::catch_up(&bed.open());
    warm(&bed, &mut bounded, &old);
    warm(&bed, &mut session, &old);
    let silence = Silence::new(&bed);
    writer.run("UPDATE t SET v = 3 WHERE id = 7");
    assert_eq!(bounded.answer(&new, 1).values(), ["3"], "PostgreSQL's answer, which is kept");
    let before = counts(&bed).hits;
    assert_eq!(session.answer(&new, 1).values(), ["3"]);
    assert_eq!(bounded.answer(&old, 1).values(), ["2"], "within the bound");
    assert_eq!(counts(&bed).hits, before + 2);
    assert_eq!(session.answer(&old, 1).values(), ["3"], "it has seen that");
    assert_eq!(counts(&bed).hits, before + 2);
    drop(silence);
}

#[test]
fn after_an_answer_that_is_newer_than_the_stream_no_replica_without_it_is_asked() {
    const BESIDE: &str = "/* howdah: cache=off */ SELECT count(*) FROM t";
    let nodes = nodes()
        .replicas(1)
        .sql("CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 100) n")
        .sql("CREATE PUBLICATION howdah FOR ALL TABLES");
    let bed =
        Bed::on(nodes, &format!("{ON}[route]\nconsistency = \"eventual\"\nmax_lag = \"off\"\n"));
    bed.open();
    let (mut client, mut session) = (bed.client(), bed.client());
    let read = simple("SELECT count(*) FROM t");
    warm(&bed, &mut client, &read);
    bed.direct().run("INSERT INTO t VALUES (101)");
    crate::bed::catch_up(&bed.open());
    session.run("SET howdah.consistency = 'session'");
    let before = simple("SELECT sum(id) FROM t");
    warm(&bed, &mut session, &before);
    bed.cluster.wait_for_replay().unwrap();
    eventually("the replica is asked", || session.value(BESIDE) == "101");
    warm(&bed, &mut session, &before);
    bed.cluster.replicas()[0].pause_replay().unwrap();
    let silence = Silence::new(&bed);
    bed.direct().run("INSERT INTO t VALUES (102)");
    assert_eq!(client.answer(&read, 1).values(), ["102"], "the primary's answer, which is kept");
    eventually("reads go to the replica", || client.value(BESIDE) == "101");
    let hits = counts(&bed).hits;
    assert_eq!(session.answer(&read, 1).values(), ["102"]);
    assert_eq!(counts(&bed).hits, hits + 1);
    for _ in 0..20 {
        assert_eq!(session.value(BESIDE), "102", "the replica lacks what it was given");
    }
    drop(silence);
}

#[test]
fn a_session_that_writes_and_reads_without_a_pause_is_answered_from_the_cache() {
    let bed = Bed::start(
        "CREATE TABLE t (id int PRIMARY KEY, v int, name text); \
         INSERT INTO t SELECT n, n, 'n' || n FROM generate_series(1, 100) n",
        ON,
    );
    bed.open();
    let mut client = bed.client();
    let read = |id: u32| simple(&format!("SELECT name FROM t WHERE id = {id}"));
    let ids = || 1..=50;
    // Somebody who has not written has no fence.
    ids().for_each(|id| warm(&bed, &mut bed.client(), &read(id)));
    client.run("UPDATE t SET v = 0 WHERE id = 100");
    let before = counts(&bed).hits;
    for id in ids() {
        // Not in the cache: from PostgreSQL, and a new fence with it.
        client.answer(&simple(&format!("SELECT v FROM t WHERE id = {id}")), 1);
        client.answer(&read(id), 1);
    }
    let hits = counts(&bed).hits - before;
    // On a busy machine some heartbeats take longer than a session waits.
    assert!(hits >= 5, "{hits} of 50: {:?}", counts(&bed));
}
