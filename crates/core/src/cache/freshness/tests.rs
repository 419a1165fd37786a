//! Beginnings, ends, other histories and definitions. The rule itself is tried out in `tests/cache.rs` of this crate.

use std::sync::Arc;

use super::stream::History;
use super::*;
use crate::cache::shared::Unusable;
use crate::cache::{ColumnSet, Commit, Touched};
use crate::limits;

const BOUND: Duration = Duration::from_secs(1);
const TABLE: u32 = 16_384;

/// A stream that is open at a position, with the table in it.
fn open(freshness: &Freshness, timeline: u32, start: u64) {
    freshness.on_begin(History { system: 1, timeline }, Lsn(start));
    beat(freshness, start + 10);
    assert!(freshness.on_snapshot(snapshot()));
    freshness.on_settled([(TABLE, None)].into());
    beat(freshness, start + 20);
}

fn snapshot() -> Snapshot {
    "100:100:".parse().unwrap()
}

fn beat(freshness: &Freshness, position: u64) {
    let number = freshness.on_heartbeat_sent(Instant::now());
    freshness.on_commit(commit(position, &[]), Some(number));
}

fn commit(position: u64, slots: &[Slot]) -> Commit {
    Commit { xid: 50, position: Lsn(position), touched: Touched::Slots(slots.into()) }
}

fn new() -> Freshness {
    Freshness::new(1 << 8, Instant::now(), Box::new(|| {}))
}

fn keep(freshness: &Freshness, tags: &[Tag]) -> Result<Seen, Refusal> {
    freshness.keep(tags, &freshness.stamp(tags, &[])?, None)
}

fn valid(freshness: &Freshness, tags: &[Tag], seen: Seen) -> Result<(), Refusal> {
    freshness.valid(tags, seen, Instant::now(), BOUND)
}

#[test]
fn on_another_history_positions_begin_anew_and_nothing_from_before_counts() {
    let freshness = new();
    let tags = [Tag::table(TABLE)];
    open(&freshness, 1, 1000);
    freshness.on_commit(commit(5000, &[freshness.slot(tags[0])]), None);
    freshness.on_snapshot(snapshot());
    let old = keep(&freshness, &tags).unwrap();
    assert_eq!((old.v, valid(&freshness, &tags, old)), (Lsn(5000), Ok(())));
    // The new primary had not received everything.
    open(&freshness, 2, 2000);
    let new = keep(&freshness, &tags).unwrap();
    assert!(new.v < old.v);
    assert_eq!(valid(&freshness, &tags, new), Ok(()));
    assert_eq!(valid(&freshness, &tags, old), Err(Refusal::Definitions));
}

#[test]
fn between_an_end_and_the_next_beginning_nothing_is_given_or_kept() {
    let freshness = new();
    let tags = [Tag::table(TABLE)];
    assert_eq!(freshness.stamp(&tags, &[]), Err(Refusal::NoStream));
    open(&freshness, 1, 1000);
    let stamp = freshness.stamp(&tags, &[]).unwrap();
    let kept = freshness.keep(&tags, &stamp, None).unwrap();
    freshness.on_end();
    assert_eq!(valid(&freshness, &tags, kept), Err(Refusal::NoStream));
    assert_eq!(freshness.stamp(&tags, &[]), Err(Refusal::NoStream));
    assert_eq!(freshness.since(&ColumnSet::new(TABLE, &[])), Err(Unseen::NoStream));
    open(&freshness, 1, 2000);
    assert!(valid(&freshness, &tags, kept).is_err());
    assert!(freshness.keep(&tags, &stamp, None).is_err(), "asked before the end");
}

#[test]
fn what_was_kept_under_other_definitions_is_not_given_and_new_answers_begin_at_w() {
    let freshness = new();
    let tags = [Tag::table(TABLE)];
    open(&freshness, 1, 1000);
    let kept = keep(&freshness, &tags).unwrap();
    freshness.on_unsettled();
    freshness.on_unsettled();
    assert_eq!(freshness.stamp(&tags, &[]), Err(Refusal::Definitions));
    assert_eq!(valid(&freshness, &tags, kept), Err(Refusal::Definitions));
    freshness.on_settled([(TABLE, Some(Unseen::NotPublished))].into());
    assert_eq!(valid(&freshness, &tags, kept), Err(Refusal::Definitions));
    assert_eq!(freshness.since(&ColumnSet::new(TABLE, &[])), Err(Unseen::NotPublished));
    assert_eq!(freshness.since(&ColumnSet::new(TABLE + 1, &[])), Err(Unseen::Unknown));
    assert!(keep(&freshness, &tags).is_ok());
}

#[test]
fn a_fence_is_passed_by_a_heartbeat_that_was_sent_after_it() {
    let freshness = new();
    open(&freshness, 1, 1000);
    let on_its_way = freshness.on_heartbeat_sent(Instant::now());
    let fence = freshness.fence();
    freshness.on_commit(commit(1100, &[]), Some(on_its_way));
    assert!(!freshness.passed(fence), "it was sent before");
    beat(&freshness, 1200);
    assert!(freshness.passed(fence));
}

#[test]
fn a_heartbeat_is_wanted_for_a_fence_without_one_and_for_what_is_in_doubt() {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let wake = Box::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let freshness = Freshness::new(1 << 8, Instant::now(), wake);
    let (calls, tag) = (|| calls.load(Ordering::Relaxed), Tag::table(TABLE));
    open(&freshness, 1, 1000);
    let fence = freshness.mark();
    freshness.want(fence);
    assert_eq!(calls(), 1);
    let _sent = freshness.on_heartbeat_sent(Instant::now());
    freshness.want(fence);
    assert_eq!(calls(), 1, "it is on its way");
    let touched = Touched::Slots([freshness.slot(tag)].into());
    freshness.on_commit(Commit { xid: 120, position: Lsn(1100), touched }, None);
    assert!(freshness.stamp(&[Tag::table(TABLE + 1)], &[]).is_ok());
    assert_eq!(calls(), 1, "not about what has changed");
    assert!(matches!(freshness.stamp(&[tag], &[]), Ok(Stamp::Hot { .. })));
    assert_eq!(calls(), 2);
}

#[test]
fn a_set_counts_from_where_the_stream_has_taken_it_up() {
    let freshness = new();
    open(&freshness, 1, 1000);
    let set = ColumnSet::new(TABLE, &[1]);
    assert_eq!(freshness.since(&set), Err(Unseen::Soon));
    beat(&freshness, 1500);
    let sets = freshness.take_sets().unwrap();
    assert_eq!(sets[&TABLE], std::slice::from_ref(&set));
    assert_eq!(freshness.since(&set), Ok(Lsn(1500)));
    assert!(freshness.take_sets().is_none(), "nobody has asked for another");
    for attnum in 2..=limits::COLUMN_SETS_PER_RELATION {
        let set = ColumnSet::new(TABLE, &[i16::try_from(attnum).unwrap()]);
        assert_eq!(freshness.since(&set), Err(Unseen::Soon));
    }
    assert_eq!(freshness.since(&ColumnSet::new(TABLE, &[1, 2])), Err(Unseen::TooManySets));
    // A new stream hashes for nothing until it has taken them up.
    open(&freshness, 1, 3000);
    assert_eq!(freshness.since(&set), Err(Unseen::Soon));
    freshness.take_sets().unwrap();
    assert_eq!(freshness.since(&set), Ok(Lsn(3020)));
}

/// An answer that another instance kept, asked about with our own tags.
fn adopted(freshness: &Freshness, tags: &[Tag], v: u64) -> Result<Seen, Unusable> {
    let standing = freshness.standing().ok_or(Refusal::Definitions)?;
    let seen = freshness.adopt(&standing, Lsn(v))?;
    Ok(freshness.keep(tags, &Stamp::Cold(seen), None)?)
}

/// The same with definitions that were read.
fn open_known(freshness: &Freshness, timeline: u32, start: u64) {
    freshness.on_begin(History { system: 1, timeline }, Lsn(start));
    beat(freshness, start + 10);
    assert!(freshness.on_snapshot(snapshot()));
    freshness.on_read("a");
    freshness.on_settled([(TABLE, None)].into());
    beat(freshness, start + 20);
}

#[test]
fn what_another_instance_kept_counts_between_our_beginning_and_what_we_know() {
    let freshness = new();
    let tags = [Tag::table(TABLE)];
    assert_eq!(adopted(&freshness, &tags, 1), Err(Refusal::Definitions.into()));
    open_known(&freshness, 1, 1000);
    beat(&freshness, 1500);
    for (v, expected) in [
        (999, Err(Refusal::Floor.into())),
        (1009, Err(Refusal::Floor.into())),
        (1010, Ok(())),
        (1200, Ok(())),
        (1500, Ok(())),
        (1501, Err(Unusable::Ahead)),
    ] {
        assert_eq!(adopted(&freshness, &tags, v).map(drop), expected, "{v}");
    }
    let kept = adopted(&freshness, &tags, 1200).unwrap();
    assert_eq!(valid(&freshness, &tags, kept), Ok(()), "it is an answer like any other");
    freshness.on_commit(commit(1600, &[freshness.slot(tags[0])]), None);
    assert_eq!(valid(&freshness, &tags, kept), Err(Refusal::Changed));
    assert_eq!(adopted(&freshness, &tags, 1599), Err(Refusal::Changed.into()));
    assert!(adopted(&freshness, &tags, 1600).is_ok());
    freshness.forget_answers();
    assert_eq!(adopted(&freshness, &tags, 1600), Err(Refusal::Changed.into()));
}

#[test]
fn what_another_instance_kept_does_not_count_across_definitions_and_histories() {
    let freshness = new();
    let tags = [Tag::table(TABLE)];
    open_known(&freshness, 1, 1000);
    let before = freshness.standing().unwrap();
    freshness.on_unsettled();
    assert_eq!(freshness.standing(), None);
    beat(&freshness, 1500);
    freshness.on_read("b");
    freshness.on_settled([(TABLE, None)].into());
    let after = freshness.standing().unwrap();
    assert_eq!((&*before.definitions, &*after.definitions), ("a", "b"));
    assert_eq!(
        adopted(&freshness, &tags, 1499),
        Err(Refusal::Changed.into()),
        "not judged by these"
    );
    assert!(adopted(&freshness, &tags, 1500).is_ok());
    let seen = freshness.adopt(&before, Lsn(1500)).unwrap();
    assert_eq!(freshness.keep(&tags, &Stamp::Cold(seen), None), Err(Refusal::Definitions));
    freshness.on_end();
    assert_eq!((freshness.standing(), adopted(&freshness, &tags, 1500).is_err()), (None, true));
    open_known(&freshness, 2, 1400);
    assert_eq!(freshness.standing().unwrap().history.timeline, 2);
    let seen = freshness.adopt(&after, Lsn(1410)).unwrap();
    assert_eq!(freshness.keep(&tags, &Stamp::Cold(seen), None), Err(Refusal::Definitions));
}
