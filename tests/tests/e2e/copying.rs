//! COPY in both directions, as psql, as libpq, and as nobody would.

use howdah_tests::raw::Frames;
use howdah_tests::{Rig, Script, Until};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS c (a int, b text); TRUNCATE c";

fn lines(count: usize) -> Vec<u8> {
    (0..count).flat_map(|n| format!("{n}\tline {n}\n").into_bytes()).collect()
}

#[test]
fn copy_in_and_out_by_simple_query() {
    let rig = Rig::start();
    let script = Script::new()
        .step(Frames::new().query("COPY c FROM STDIN").copy_data(&lines(1000)).copy_done())
        .query("SELECT count(*), sum(a) FROM c")
        .query("COPY (SELECT * FROM c ORDER BY a) TO STDOUT")
        .query("COPY c TO STDOUT WITH (FORMAT csv, HEADER)")
        .query("COPY (SELECT 1 WHERE false) TO STDOUT")
        .step(Frames::new().query("COPY c FROM STDIN").copy_done())
        .query("SELECT count(*) FROM c");
    rig.same_as_direct(TABLE, &script);
}

#[test]
fn copy_data_may_be_cut_anywhere() {
    let rig = Rig::start();
    let data = lines(50);
    let frames = data
        .chunks(7)
        .fold(Frames::new().query("COPY c FROM STDIN"), |frames, part| frames.copy_data(part));
    let script = Script::new()
        .step(frames.copy_data(b"").copy_done())
        .query("SELECT count(*), sum(a) FROM c");
    rig.same_as_direct(TABLE, &script);
}

#[test]
fn copy_waits_for_its_data() {
    let rig = Rig::start();
    let script = Script::new()
        .until(Frames::new().query("COPY c FROM STDIN"), Until::Tag(b'G', 1))
        .until(Frames::new().copy_data(&lines(3)), Until::Nothing)
        .until(Frames::new().copy_data(&lines(2)), Until::Nothing)
        .step(Frames::new().copy_done())
        .query("SELECT count(*) FROM c");
    rig.same_as_direct(TABLE, &script);
}

#[test]
fn copy_by_extended_query() {
    let rig = Rig::start();
    let begin = || {
        Frames::new()
            .parse("", "COPY c FROM STDIN")
            .bind("", "", &[])
            .describe_portal("")
            .execute("", 0)
    };
    let script = Script::new()
        .until(begin().flush(), Until::Tag(b'G', 1))
        .step(Frames::new().copy_data(&lines(10)).copy_done().sync())
        .step(begin().copy_data(&lines(5)).copy_done().sync())
        .step(Frames::new().extended("COPY c TO STDOUT", &[]).sync())
        .step(
            Frames::new()
                .parse("out", "COPY (SELECT a FROM c ORDER BY a) TO STDOUT")
                .bind("", "out", &[])
                .execute("", 0)
                .sync(),
        )
        .step(Frames::new().bind("", "out", &[]).execute("", 0).sync())
        .query("SELECT count(*) FROM c");
    rig.same_as_direct(TABLE, &script);
}

#[test]
fn libpq_sends_an_early_sync_that_the_server_ignores() {
    let rig = Rig::start();
    let script = Script::new()
        .until(
            Frames::new()
                .parse("", "COPY c FROM STDIN")
                .bind("", "", &[])
                .describe_portal("")
                .execute("", 0)
                .sync(),
            Until::Tag(b'G', 1),
        )
        .step(Frames::new().copy_data(&lines(10)).copy_done().sync())
        .until(
            Frames::new().parse("", "COPY c FROM STDIN").bind("", "", &[]).execute("", 0).sync(),
            Until::Tag(b'G', 1),
        )
        .until(Frames::new().copy_data(b"not a number\n").copy_done().sync(), Until::Ready(1))
        .until(
            Frames::new().parse("", "COPY c FROM STDIN").bind("", "", &[]).execute("", 0).sync(),
            Until::Tag(b'G', 1),
        )
        .until(Frames::new().copy_fail("no more").sync(), Until::Ready(1))
        .query("SELECT count(*) FROM c");
    rig.same_as_direct(TABLE, &script);
}

#[test]
fn copy_fail_is_an_error_and_leaves_nothing() {
    let rig = Rig::start();
    let script = Script::new()
        .step(
            Frames::new()
                .query("COPY c FROM STDIN")
                .copy_data(&lines(10))
                .copy_fail("changed my mind"),
        )
        .query("SELECT count(*) FROM c")
        .step(
            Frames::new()
                .parse("", "COPY c FROM STDIN")
                .bind("", "", &[])
                .execute("", 0)
                .copy_data(&lines(10))
                .copy_fail("again")
                .sync(),
        )
        .query("SELECT count(*) FROM c")
        .query("BEGIN")
        .step(
            Frames::new()
                .query("COPY c FROM STDIN")
                .copy_data(&lines(10))
                .copy_fail("in a transaction"),
        )
        .query("ROLLBACK");
    rig.same_as_direct(TABLE, &script);
}

#[test]
fn late_copy_data_after_an_error_is_ignored() {
    let rig = Rig::start();
    let script = Script::new()
        .step(Frames::new().query("COPY c FROM STDIN").copy_data(b"wrong\n").copy_data(&lines(100)))
        .step(Frames::new().copy_data(&lines(100)).copy_done().query("SELECT 'after'"))
        .step(Frames::new().query("COPY no_such_table FROM STDIN"))
        .step(Frames::new().copy_data(&lines(3)).copy_done().query("SELECT 'and again'"))
        .step(
            Frames::new().copy_data(b"x").copy_fail("nobody asked").query("SELECT count(*) FROM c"),
        );
    rig.same_as_direct(TABLE, &script);
}

#[test]
fn a_segment_behind_a_copy_waits_for_its_turn() {
    let rig = Rig::start();
    let script = Script::new()
        .until(
            Frames::new()
                .query("COPY c FROM STDIN")
                .copy_data(&lines(4))
                .copy_done()
                .extended("SELECT count(*) FROM c", &[])
                .sync(),
            Until::Ready(2),
        )
        .until(
            Frames::new()
                .query("COPY c FROM STDIN")
                .copy_data(b"bad\n")
                .copy_done()
                .query("SELECT 'next'"),
            Until::Ready(2),
        )
        .until(Frames::new().query("COPY c TO STDOUT").query("SELECT 'next'"), Until::Ready(2));
    rig.same_as_direct(TABLE, &script);
}

#[test]
fn two_copies_in_one_query_string() {
    let rig = Rig::start();
    let script = Script::new()
        .step(
            Frames::new().query("COPY c FROM STDIN; SELECT count(*) FROM c; COPY c FROM STDIN; SELECT count(*) FROM c")
                .copy_data(&lines(2)).copy_done().copy_data(&lines(3)).copy_done(),
        )
        .query("COPY c TO STDOUT; COPY (SELECT 'second') TO STDOUT; SELECT 'end'");
    rig.same_as_direct(TABLE, &script);
}

#[test]
fn sync_and_flush_inside_a_copy_are_ignored() {
    let rig = Rig::start();
    let script = Script::new()
        .step(
            Frames::new()
                .query("COPY c FROM STDIN")
                .copy_data(&lines(2))
                .sync()
                .flush()
                .copy_data(&lines(2))
                .copy_done(),
        )
        .query("SELECT count(*) FROM c");
    rig.same_as_direct(TABLE, &script);
}

#[test]
fn a_query_inside_a_copy_ends_the_session_and_leaves_nothing() {
    let rig = Rig::start();
    let mut client = rig.client();
    client.run(TABLE);
    client
        .send(
            &Frames::new()
                .query("COPY c FROM STDIN")
                .copy_data(&lines(2))
                .query("SELECT 'not now'"),
        )
        .unwrap();
    let seen = client.until_closed().expect("PostgreSQL closes such a session");
    assert!(seen.errors().iter().any(|error| error.code == "08P01"), "{seen:?}");
    for _ in 0..4 {
        assert_eq!(rig.client().value("SELECT count(*) FROM c"), "0");
    }
}

#[test]
fn binary_copy_passes_through() {
    let rig = Rig::start();
    let mut client = rig.client();
    client.run(TABLE);
    client.run("INSERT INTO c SELECT n, repeat('x', n) FROM generate_series(1, 500) AS n");
    let out = client.run("COPY c TO STDOUT (FORMAT binary)");
    assert_eq!(&out.copied()[..11], b"PGCOPY\n\xff\r\n\0");
    let back = Frames::new()
        .query("COPY c FROM STDIN (FORMAT binary)")
        .copy_data(&out.copied())
        .copy_done();
    assert_eq!(client.answer(&back, 1).commands(), ["COPY 500"]);
    assert_eq!(client.value("SELECT count(*) = 2 * count(DISTINCT b) FROM c"), "t");
}

#[test]
fn a_copy_holds_its_server_and_others_go_on() {
    let rig = Rig::start();
    let mut client = rig.client();
    client.run(TABLE);
    client.send(&Frames::new().query("COPY c FROM STDIN").copy_data(&lines(1))).unwrap();
    assert_eq!(client.until(b'G', 1).unwrap().summary(), "G");
    let mut churn = rig.churn();
    for _ in 0..10 {
        churn.turn();
        let mut other = rig.client();
        churn.rest();
        assert_eq!(other.value("SELECT count(*) FROM c"), "0");
    }
    let seen = client.answer(&Frames::new().copy_data(&lines(1)).copy_done(), 1);
    assert_eq!(seen.commands(), ["COPY 2"]);
}
