//! Values between instances: whole, of the right key, or an error.

use howdah_wire::backend;
use proptest::prelude::*;

use super::*;
use crate::cache::freshness::Freshness;

fn answer(rows: usize, described: bool) -> Answer {
    let mut frames = Vec::new();
    if described {
        backend::row_description_text(&mut frames, &["v"]);
    }
    for row in 0..rows {
        backend::data_row(&mut frames, &[Some(format!("row {}", row % 7).into_bytes())]);
    }
    backend::command_complete(&mut frames, &format!("SELECT {rows}"));
    Answer::of(&frames).unwrap()
}

const HISTORY: History = History { system: 7, timeline: 2 };

/// What holds in an instance that has read these definitions.
fn standing(history: History, definitions: &str) -> Standing {
    let freshness = Freshness::new(64, std::time::Instant::now(), Box::new(|| {}));
    freshness.on_begin(history, Lsn(100));
    let number = freshness.on_heartbeat_sent(std::time::Instant::now());
    let touched = crate::cache::Touched::Slots([].into());
    let commit = crate::cache::Commit { xid: 50, position: Lsn(110), touched };
    freshness.on_commit(commit, Some(number));
    freshness.on_snapshot("100:100:".parse().unwrap());
    freshness.on_read(definitions);
    freshness.on_settled(std::collections::BTreeMap::new());
    Standing::clone(&freshness.standing().unwrap())
}

fn value(rows: usize, described: bool) -> Value {
    let shape = described.then_some(5);
    Value { v: Lsn(150), cost: Duration::from_micros(1500), shape, answer: answer(rows, described) }
}

#[test]
fn what_was_put_comes_back_small_or_large() {
    let standing = standing(HISTORY, "a");
    for (rows, described) in [(0, true), (1, false), (1, true), (500, true), (500, false)] {
        let value = value(rows, described);
        let bytes = value.encode(&standing, b"key");
        assert_eq!(Value::decode(&bytes, &standing, b"key"), Ok(value.clone()), "{rows}");
        if rows == 500 {
            assert!(bytes.len() < value.answer.len() / 2, "it is compressed");
        }
    }
}

#[test]
fn what_was_put_for_something_else_is_refused() {
    let here = standing(HISTORY, "a");
    let bytes = value(3, true).encode(&here, b"key");
    let other = |standing: &Standing, key: &[u8]| Value::decode(&bytes, standing, key).err();
    assert_eq!(other(&here, b"another"), Some(Unusable::Other));
    assert_eq!(other(&standing(HISTORY, "b"), b"key"), Some(Unusable::Other));
    let timeline = History { timeline: 3, ..HISTORY };
    assert_eq!(other(&standing(timeline, "a"), b"key"), Some(Unusable::Other));
    let system = History { system: 8, ..HISTORY };
    assert_eq!(other(&standing(system, "a"), b"key"), Some(Unusable::Other));
    let mut version = bytes.clone();
    version[4] += 1;
    assert_eq!(Value::decode(&version, &here, b"key"), Err(Unusable::Version));
}

#[test]
fn one_byte_that_is_changed_or_lost_is_noticed() {
    let standing = standing(HISTORY, "a");
    for rows in [2, 200] {
        let bytes = value(rows, true).encode(&standing, b"key");
        for at in 0..bytes.len() {
            assert!(Value::decode(&bytes[..at], &standing, b"key").is_err(), "{at} bytes");
            let mut changed = bytes.clone();
            changed[at] ^= 0x20;
            assert!(Value::decode(&changed, &standing, b"key").is_err(), "byte {at}");
        }
    }
}

#[test]
fn every_part_of_a_question_counts() {
    let (database, roles, settings, request) = ("d", ["r", "u"], "s", b"q".as_slice());
    let plain = Question { history: HISTORY, database, roles, settings, request };
    let others = [
        Question { history: History { timeline: 1, ..HISTORY }, ..plain },
        Question { history: History { system: 1, ..HISTORY }, ..plain },
        Question { database: "e", ..plain },
        Question { roles: ["u", "r"], ..plain },
        Question { roles: ["ru", ""], ..plain },
        Question { roles: ["", "ru"], settings: "s", ..plain },
        Question { settings: "", request: b"sq", ..plain },
        Question { request: b"p", ..plain },
    ];
    for other in others {
        assert_ne!(other.key(), plain.key(), "{other:?}");
        assert_ne!(name("p:", &other.key()), name("p:", &plain.key()));
    }
    assert_eq!(
        name("p:", b""),
        "p:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
}

proptest! {
    /// Behind a checksum that is right, too: whoever can write to the store can make one.
    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0_usize..400) {
        let standing = standing(HISTORY, "a");
        prop_assert!(Value::decode(&bytes, &standing, b"key").is_err());
        let mut value = value(40, true).encode(&standing, b"key");
        let at = (MAGIC.len() + CHECKSUM + cut).min(value.len());
        value.truncate(at);
        value.extend_from_slice(&bytes);
        let sum = checksum(&value[MAGIC.len() + CHECKSUM..]);
        value[MAGIC.len()..MAGIC.len() + CHECKSUM].copy_from_slice(&sum);
        let _ = Value::decode(&value, &standing, b"key");
    }
}
