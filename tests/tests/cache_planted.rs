//! With a wrong rule in the place of the right one, a real PostgreSQL leaves answers that stay stale. Needs the feature `planted-bugs`.
//!
//! A binary of its own with one test: planted bugs hold for the whole process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[allow(dead_code, reason = "a part of what the tests of the cache use")]
#[path = "cache/bed.rs"]
mod bed;

use bed::{BOUND, Bed, direct, eventually, oid, watch};
use howdah_core::cache::faults::{Fault, plant};
use howdah_core::cache::{Refusal, Tag};

#[test]
fn the_usual_rules_keep_an_answer_that_stays_stale_and_ours_does_not() {
    let nodes = bed::nodes()
        .replicas(1)
        .synchronous(true)
        .sql("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 0)")
        .sql("CREATE PUBLICATION howdah FOR ALL TABLES");
    let bed = Bed::on(nodes, "");
    let freshness = bed.open();
    let mut client = bed.direct();
    let t = oid(&mut client, "t");
    watch(&freshness, t, &[1]);
    let tags = [Tag::whole(t), Tag::row(t, [(1, &b"1"[..])])];
    let read = "SELECT v FROM t WHERE id = 1";
    let standby = &bed.cluster.replicas()[0];
    let primary = bed.cluster.primary();
    let mut stays_stale = |faults: &[Fault]| {
        plant(&[]);
        let before = bed::keep(&freshness, &mut client, read, &tags);
        plant(faults);
        standby.freeze().unwrap();
        let kept = std::thread::scope(|scope| {
            let writer = scope.spawn(|| direct(primary).run("UPDATE t SET v = v + 1 WHERE id = 1"));
            eventually("the commit was delivered", || {
                bed::valid(&freshness, &before, BOUND) == Err(Refusal::Changed)
            });
            let kept = bed::ask(&freshness, &mut client, read, &tags);
            standby.thaw().unwrap();
            writer.join().unwrap();
            kept
        });
        bed::catch_up(&freshness);
        let now = client.value(read);
        kept.is_ok_and(|kept| kept.value != now && bed::valid(&freshness, &kept, BOUND).is_ok())
    };
    assert!(!stays_stale(&[]), "by our rule");
    for fault in [Fault::EpochGate, Fault::LsnGate] {
        assert!(stays_stale(&[fault]), "{fault:?} is not noticed");
    }
    plant(&[]);
}
