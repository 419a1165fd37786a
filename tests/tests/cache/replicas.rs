//! The cache beside replicas: what they lack is never kept, and nobody is sent to one that lacks what the cache has shown.

use crate::answers::{ON, counts, simple, warm};
use crate::bed::{Bed, eventually, nodes};

const READ: &str = "SELECT count(*) FROM t";
/// The same, answered by a server.
const BESIDE: &str = "/* howdah: cache=off */ SELECT count(*) FROM t";

/// A replica that has stopped at 100 rows of 101.
fn behind(cache: &str) -> Bed {
    let nodes = nodes()
        .replicas(1)
        .sql("CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 100) n")
        .sql("CREATE PUBLICATION howdah FOR ALL TABLES");
    let bed =
        Bed::on(nodes, &format!("{cache}[route]\nconsistency = \"eventual\"\nmax_lag = \"off\"\n"));
    bed.open();
    bed.cluster.wait_for_replay().unwrap();
    bed.cluster.replicas()[0].pause_replay().unwrap();
    bed.direct().run("INSERT INTO t VALUES (101)");
    let mut client = bed.client();
    eventually("reads go to the replica", || client.value(BESIDE) == "100");
    bed
}

#[test]
fn what_a_replica_lacks_is_never_kept() {
    let bed = behind(ON);
    let mut client = bed.client();
    warm(&bed, &mut client, &simple(READ));
    for _ in 0..50 {
        assert_eq!(client.value(READ), "101");
    }
    // Somebody who wants replicas alone gets what they have, and leaves nothing behind.
    let mut other = bed.client();
    other.run("SET howdah.route = 'replica'");
    let sum = "SELECT sum(id) FROM t";
    for _ in 0..20 {
        assert_eq!(other.value(sum), "5050");
    }
    warm(&bed, &mut client, &simple(sum));
    assert_eq!(client.value(sum), "5151");
    assert!(counts(&bed).hits > 50, "{:?}", counts(&bed));
}

#[test]
fn a_session_that_was_shown_something_by_the_cache_finds_it_elsewhere() {
    let bed = behind(ON);
    let mut client = bed.client();
    warm(&bed, &mut client, &simple(READ));
    let mut session = bed.client();
    session.run("SET howdah.consistency = 'session'");
    for _ in 0..20 {
        assert_eq!(session.value(READ), "101", "from the cache");
        assert_eq!(session.value(BESIDE), "101", "it has seen more than the replica has");
    }
}

#[test]
fn observing_sends_nobody_elsewhere_and_counts() {
    let bed = behind("mode = \"observe\"\nmax_staleness = \"10s\"\n");
    let mut client = bed.client();
    eventually("a hit that was not given", || {
        assert_eq!(client.value(READ), "100", "as without a cache");
        counts(&bed).observed > 10
    });
    assert_eq!(counts(&bed).hits, 0);
}
