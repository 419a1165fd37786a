//! Answers that are made anew from a changed row, in place of asking PostgreSQL again: the same bytes, and only where that can be said.

use howdah_tests::raw::{Connection, Frames, Transcript};

use crate::answers::{ON, counts, simple, warm};
use crate::bed::{Bed, catch_up, eventually};

/// One column of each type that can be patched, and `at`, whose text depends on settings.
const TABLE: &str = "CREATE TYPE mood AS ENUM ('good', 'bad'); \
    CREATE TABLE p (id int, part text, small int2, large int8, yes bool, name varchar(20), code char(6), price numeric(12,4), \
    key uuid, note jsonb, mood mood, at timestamptz, PRIMARY KEY (part, id)); \
    INSERT INTO p SELECT n, 'a', n, n, true, 'n' || n, 'c', n, gen_random_uuid(), '{\"n\": 1}', 'good', now() FROM generate_series(1, 20) n; \
    CREATE TABLE q (id int PRIMARY KEY, v text); INSERT INTO q SELECT n, n FROM generate_series(1, 20) n";

const BY_KEY: &str = "SELECT small, large, id, yes, name, code, price, key, note, mood FROM p WHERE id = $1 AND part = 'a'";
/// The types of which the binary form can be made.
const IN_BINARY: &str =
    "SELECT large, small, name, id, yes, mood FROM p WHERE part = 'a' AND id = $1";

fn extended(sql: &str, results: &[u16]) -> Frames {
    let parse = Frames::new().parse("", sql);
    let bind = parse.bind_formats("", "", &[], &[Some(b"7".as_slice())], results);
    bind.describe_portal("").execute("", 0).sync()
}

/// Asks until an answer was patched; what it is then.
#[track_caller]
fn patched(bed: &Bed, client: &mut Connection, frames: &Frames) -> Transcript {
    let before = counts(bed);
    let mut given = client.answer(frames, 1);
    eventually("the answer is made anew", || {
        let is_patched = counts(bed).patched > before.patched;
        if !is_patched {
            given = client.answer(frames, 1);
        }
        is_patched
    });
    assert!(counts(bed).hits > before.hits, "it was given");
    given
}

#[test]
fn an_answer_that_is_made_anew_is_that_of_postgresql() {
    let bed = Bed::start(TABLE, ON);
    bed.open();
    let (mut client, mut other) = (bed.client(), bed.direct());
    let all = [
        simple(&BY_KEY.replace("$1", "7")),
        extended(BY_KEY, &[]),
        extended(IN_BINARY, &[1]),
        extended(IN_BINARY, &[1, 1, 0, 1, 0, 1]),
    ];
    for change in [
        "UPDATE p SET large = -9000000000, small = -5, yes = false, name = 'it''s', price = 0.5, key = gen_random_uuid() WHERE id = 7",
        "UPDATE p SET code = 'c  d', note = '{\"b\": [1, 2.50]}', mood = 'bad', price = NULL, yes = NULL, name = NULL WHERE id = 7",
        "BEGIN; UPDATE p SET large = 1 WHERE id = 7; UPDATE p SET large = 2, small = 3, yes = true WHERE id = 7; COMMIT",
        "BEGIN; UPDATE p SET id = 70 WHERE id = 7; UPDATE p SET id = 7, large = 4 WHERE id = 70; COMMIT",
        "BEGIN; DELETE FROM p WHERE id = 7; INSERT INTO p SELECT 7, 'a', 1, 1, true, 'x', 'y', 1, key, note, mood, at FROM p WHERE id = 8; COMMIT",
    ] {
        for frames in &all {
            warm(&bed, &mut client, frames);
        }
        other.run(change);
        for frames in &all {
            let given = patched(&bed, &mut client, frames);
            assert_eq!(given, other.answer(frames, 1), "{change}: {:?}", frames.lines());
        }
    }
}

#[test]
fn rows_that_go_and_come_are_known_without_asking() {
    let bed = Bed::start(TABLE, ON);
    bed.open();
    let (mut client, mut other) = (bed.client(), bed.direct());
    let read = simple("SELECT v, id FROM q WHERE id = 7");
    for change in [
        "DELETE FROM q WHERE id = 7",
        "INSERT INTO q VALUES (7, 'new')",
        "UPDATE q SET id = 71 WHERE id = 7",
        "UPDATE q SET id = 7 WHERE id = 71",
    ] {
        warm(&bed, &mut client, &read);
        other.run(change);
        assert_eq!(patched(&bed, &mut client, &read), other.answer(&read, 1), "{change}");
    }
}

#[test]
fn what_cannot_be_said_is_asked_of_postgresql() {
    let bed = Bed::start(TABLE, ON);
    let freshness = bed.open();
    let (mut client, mut other) = (bed.client(), bed.direct());
    let of_q = simple("SELECT v FROM q WHERE id = 7");
    for (read, change) in [
        (
            simple("SELECT at FROM p WHERE id = 7 AND part = 'a'"),
            "UPDATE p SET at = now() WHERE id = 7",
        ),
        (
            simple("SELECT large + 1 FROM p WHERE id = 7 AND part = 'a'"),
            "UPDATE p SET large = large + 1 WHERE id = 7",
        ),
        (
            extended("SELECT price FROM p WHERE id = $1 AND part = 'a'", &[1]),
            "UPDATE p SET price = price + 1 WHERE id = 7",
        ),
        (of_q.clone(), "UPDATE q SET v = 'ä' WHERE id = 7"),
        (of_q.clone(), "UPDATE q SET v = repeat('x', 5000) WHERE id = 7"),
        (
            of_q.clone(),
            "BEGIN; UPDATE q SET v = 'a' WHERE id = 7; TRUNCATE q; INSERT INTO q VALUES (7, 'b'); COMMIT",
        ),
        (of_q, "BEGIN; UPDATE q SET v = 'a' || id WHERE id = 7; TRUNCATE q; COMMIT"),
    ] {
        warm(&bed, &mut client, &read);
        let before = counts(&bed).patched;
        other.run(change);
        catch_up(&freshness);
        assert_eq!(client.answer(&read, 1), other.answer(&read, 1), "{change}");
        assert_eq!(counts(&bed).patched, before, "{change}");
    }
}

#[test]
fn a_table_whose_column_has_changed_its_meaning_is_asked_anew() {
    let bed = Bed::start(TABLE, ON);
    bed.open();
    let (mut client, mut other) = (bed.client(), bed.direct());
    let read = simple("SELECT v FROM q WHERE id = 7");
    for change in [
        "ALTER TABLE q RENAME v TO old; ALTER TABLE q ADD v text DEFAULT 'd'; UPDATE q SET old = 'o' WHERE id = 7",
        "ALTER TABLE q DROP CONSTRAINT q_pkey; INSERT INTO q VALUES (7, 'x', 'second'); ALTER TABLE q REPLICA IDENTITY FULL",
    ] {
        warm(&bed, &mut client, &read);
        other.run(change);
        eventually("the answer is PostgreSQL's", || {
            client.answer(&read, 1) == other.answer(&read, 1)
        });
    }
}
