//! What happens to the stream: it stalls, is killed, is behind, moves to another node; and what it cannot be had from.

use std::time::{Duration, Instant};

use howdah_core::cache::{Refusal, Tag};
use howdah_tests::raw::Connection;
use rustix::process::{Pid, Signal, kill_process};

use crate::bed::{self, BOUND, Bed, direct, eventually, oid};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)";
const READ: &str = "SELECT sum(v) FROM t";

/// The bound of tests about it: far above a heartbeat, far below what a test waits for.
const SHORT: Duration = Duration::from_secs(2);

fn table(client: &mut Connection) -> Vec<Tag> {
    let t = oid(client, "t");
    vec![Tag::whole(t), Tag::table(t)]
}

/// The process that tells Howdah of changes.
pub(crate) fn walsender(client: &mut Connection) -> Pid {
    let pid = client.value(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walsender' AND application_name = 'howdah (cache)'",
    );
    Pid::from_raw(pid.parse().expect("a number")).expect("a process")
}

/// From `ack` on the answer may be given for the bound at most, and is refused in the end.
#[track_caller]
fn refused_within_the_bound(
    freshness: &howdah_core::cache::Freshness,
    kept: &bed::Kept,
    ack: Instant,
) {
    loop {
        let before = Instant::now();
        let valid = bed::valid(freshness, kept, SHORT);
        if valid.is_err() {
            println!("refused {:?} after the commit: {valid:?}", ack.elapsed());
            return;
        }
        assert!(before < ack + SHORT, "still valid longer than the bound after the commit");
    }
}

#[test]
fn while_the_sender_is_frozen_nothing_is_given_and_afterwards_what_is_still_true() {
    let bed = Bed::start(TABLE, "");
    let freshness = bed.open();
    let mut client = bed.direct();
    let tags = table(&mut client);
    let kept = bed::keep(&freshness, &mut client, READ, &tags);
    let sender = walsender(&mut client);
    kill_process(sender, Signal::STOP).unwrap();
    let frozen = Instant::now();
    eventually("the lease ends", || bed::valid(&freshness, &kept, SHORT) == Err(Refusal::Lease));
    println!("the lease ended {:?} after the sender was frozen", frozen.elapsed());
    kill_process(sender, Signal::CONT).unwrap();
    eventually("the lease is back", || bed::valid(&freshness, &kept, SHORT).is_ok());

    kill_process(sender, Signal::STOP).unwrap();
    client.run("UPDATE t SET v = 2");
    refused_within_the_bound(&freshness, &kept, Instant::now());
    kill_process(sender, Signal::CONT).unwrap();
    eventually("the change comes", || {
        bed::valid(&freshness, &kept, BOUND) == Err(Refusal::Changed)
    });
}

#[test]
fn after_the_sender_was_killed_answers_from_before_are_not_given_again() {
    let mut bed = Bed::start(TABLE, "");
    let freshness = bed.open();
    let mut client = bed.direct();
    let tags = table(&mut client);
    let kept = bed::keep(&freshness, &mut client, READ, &tags);
    let sender = walsender(&mut client);
    client.run(&format!("SELECT pg_terminate_backend({})", sender.as_raw_nonzero()));
    eventually("the end is noticed", || bed::valid(&freshness, &kept, BOUND).is_err());
    // A change that no stream tells of.
    client.run("UPDATE t SET v = 3");
    eventually("there is another stream", || {
        assert!(bed::valid(&freshness, &kept, BOUND).is_err());
        bed.report().stream.counters.streams == 2 && freshness.epoch().is_some()
    });
    bed::catch_up(&freshness);
    assert!(bed::valid(&freshness, &kept, BOUND).is_err());
    let again = bed::keep(&freshness, &mut client, READ, &tags);
    assert_eq!(again.value, "3");
    assert_eq!(bed::verdict(&freshness, &again), Ok(()));

    let slots = "SELECT count(*) FROM pg_replication_slots";
    assert_eq!(client.value(slots), "1");
    bed.stop();
    eventually("no slot is left", || client.value(slots) == "0");
}

#[test]
fn a_transaction_of_half_a_million_rows_makes_hits_rare_and_never_stale() {
    let bed = Bed::start(TABLE, "");
    let freshness = bed.open();
    let mut client = bed.direct();
    client.run("INSERT INTO t SELECT n, 1 FROM generate_series(2, 500000) n");
    bed::catch_up(&freshness);
    let tags = table(&mut client);
    let kept = bed::keep(&freshness, &mut client, READ, &tags);
    client.run("UPDATE t SET v = 2");
    let ack = Instant::now();
    refused_within_the_bound(&freshness, &kept, ack);
    // What was read before the transaction was delivered is refused when it is.
    eventually("answers are given again", || {
        let after = bed::keep(&freshness, &mut client, READ, &tags);
        assert_eq!(after.value, "1000000");
        bed::catch_up(&freshness);
        bed::valid(&freshness, &after, SHORT).is_ok()
    });
    println!("answers were given again {:?} after the commit", ack.elapsed());
}

#[test]
fn commits_that_are_acknowledged_before_they_are_in_the_log_are_told_within_the_bound() {
    let bed = Bed::start(TABLE, "");
    let freshness = bed.open();
    let mut client = bed.direct();
    let tags = table(&mut client);
    let mut writer = bed.direct();
    writer.run("SET synchronous_commit = off");
    for round in 0..20 {
        let kept = bed::keep(&freshness, &mut client, READ, &tags);
        writer.run(&format!("UPDATE t SET v = {}", round + 10));
        refused_within_the_bound(&freshness, &kept, Instant::now());
    }
}

#[test]
fn a_transaction_that_was_open_before_the_stream_is_waited_for() {
    let nodes = bed::nodes().sql(TABLE).sql("CREATE PUBLICATION howdah FOR ALL TABLES");
    let nodes = nodes.sql("BEGIN; UPDATE t SET v = 9; PREPARE TRANSACTION 'open'");
    let bed = Bed::on(nodes, "");
    let freshness = bed.freshness();
    let mut client = bed.direct();
    let tags = table(&mut client);
    // It is being connected: the slot waits for the transaction.
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'";
    eventually("the slot is being made", || client.value(waiting) == "1");
    for _ in 0..20 {
        assert_eq!(freshness.stamp(&tags, &[]), Err(Refusal::NoStream));
        std::thread::sleep(Duration::from_millis(10));
    }
    client.run("COMMIT PREPARED 'open'");
    bed.open();
    let kept = bed::keep(&freshness, &mut client, READ, &tags);
    assert_eq!((kept.value.as_str(), bed::verdict(&freshness, &kept)), ("9", Ok(())));
}

#[test]
fn after_a_failover_the_new_primary_is_followed_and_nothing_of_the_old_one_is_given() {
    let nodes = bed::nodes().replicas(1).sql(TABLE).sql("CREATE PUBLICATION howdah FOR ALL TABLES");
    let bed = Bed::on(nodes, "");
    let freshness = bed.open();
    let mut client = bed.direct();
    let tags = table(&mut client);
    let kept = bed::keep(&freshness, &mut client, READ, &tags);
    bed.cluster.wait_for_replay().unwrap();
    bed.cluster.primary().kill().unwrap();
    let heir = &bed.cluster.replicas()[0];
    heir.promote().unwrap();
    let mut client = direct(heir);
    client.run("UPDATE t SET v = 5");
    let begin = Instant::now();
    eventually("the new primary is followed", || {
        let valid = bed::valid(&freshness, &kept, SHORT);
        assert!(valid.is_err() || begin.elapsed() < SHORT, "an answer of the old primary");
        bed.report().stream.counters.streams >= 2 && freshness.epoch().is_some()
    });
    println!("followed {:?} after the promotion", begin.elapsed());
    bed::catch_up(&freshness);
    assert!(bed::valid(&freshness, &kept, BOUND).is_err());
    let again = bed::keep(&freshness, &mut client, READ, &tags);
    assert_eq!((again.value.as_str(), bed::verdict(&freshness, &again)), ("5", Ok(())));
    client.run("UPDATE t SET v = 6");
    refused_within_the_bound(&freshness, &again, Instant::now());
}

#[test]
fn what_is_missing_is_said_and_clients_are_served_all_the_same() {
    let plain = howdah_local::Cluster::builder().sql(TABLE);
    for (nodes, said) in
        [(plain, "wal_level = 'logical'"), (bed::nodes().sql(TABLE), "howdah setup")]
    {
        let bed = Bed::on(nodes, "");
        let freshness = bed.freshness();
        eventually("the reason is told", || {
            bed.report().trouble.is_some_and(|trouble| trouble.contains(said))
        });
        assert_eq!(freshness.stamp(&[], &[]), Err(Refusal::NoStream));
        assert_eq!(bed.client().value("SELECT v FROM t"), "1");
        assert_eq!(bed.direct().value("SELECT count(*) FROM pg_replication_slots"), "0");
    }
}
