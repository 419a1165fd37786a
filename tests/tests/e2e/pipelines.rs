//! Several segments in flight, errors in the middle, Flush without Sync: every reply comes, in its order, to its client.

use howdah_tests::raw::Frames;
use howdah_tests::{Rig, Script, Until};

fn ok(text: &str) -> Frames {
    Frames::new().extended("SELECT $1::text", &[text]).sync()
}

#[test]
fn many_segments_in_one_write_are_answered_in_order() {
    let rig = Rig::start();
    let frames = (0..50).fold(Frames::new(), |frames, n| frames.then(&ok(&n.to_string())));
    rig.same_as_direct("", &Script::new().until(frames, Until::Ready(50)));
}

#[test]
fn an_error_skips_to_its_sync_and_the_next_segment_runs() {
    let rig = Rig::start();
    let failing = |sql: &str| {
        Frames::new()
            .extended("SELECT 1", &[])
            .extended(sql, &[])
            .extended("SELECT 'skipped'", &[])
            .sync()
    };
    let script = Script::new()
        .until(failing("SELECT 1 / 0").then(&ok("after")), Until::Ready(2))
        .until(
            failing("SELEC").then(&ok("after")).then(&failing("SELECT $1")).then(&ok("end")),
            Until::Ready(4),
        )
        .until(
            Frames::new()
                .parse("s", "SELECT 1 / (n - 2) FROM generate_series(1, 3) AS n")
                .bind("", "s", &[])
                .execute("", 0)
                .sync()
                .then(&ok("rows first")),
            Until::Ready(2),
        )
        .until(
            Frames::new()
                .parse("known", "SELECT 'known'")
                .sync()
                .bind("", "unknown", &[])
                .execute("", 0)
                .parse("new", "SELECT 1")
                .bind("", "known", &[])
                .execute("", 0)
                .close_statement("known")
                .sync()
                .then(&ok("next")),
            Until::Ready(3),
        )
        .step(Frames::new().execute_prepared("known", &[]).sync())
        .step(Frames::new().execute_prepared("new", &[]).sync());
    rig.same_as_direct("", &script);
}

#[test]
fn a_known_statement_parsed_after_an_error_gives_no_reply_of_its_own() {
    // The peers' mistake: a made-up `ParseComplete` between the error and its ReadyForQuery.
    let rig = Rig::start();
    let mut first = rig.client();
    first.answer(
        &Frames::new().parse("warm", "SELECT 'same text'").execute_prepared("warm", &[]).sync(),
        1,
    );
    let script = Script::new()
        .step(Frames::new().parse("a", "SELECT 'same text'").execute_prepared("a", &[]).sync())
        .until(
            Frames::new()
                .extended("SELECT 1 / 0", &[])
                .parse("b", "SELECT 'same text'")
                .execute_prepared("b", &[])
                .sync()
                .parse("c", "SELECT 'same text'")
                .execute_prepared("c", &[])
                .sync(),
            Until::Ready(2),
        )
        .step(Frames::new().execute_prepared("b", &[]).sync())
        .step(
            Frames::new()
                .close_statement("a")
                .parse("a", "SELECT 1 / 0")
                .execute_prepared("a", &[])
                .close_statement("c")
                .sync(),
        )
        .step(Frames::new().execute_prepared("c", &[]).sync())
        .step(Frames::new().execute_prepared("a", &[]).sync());
    rig.same_as_direct("", &script);
}

#[test]
fn parse_describe_flush_then_bind_execute_sync_is_one_request() {
    let rig = Rig::start();
    let script = Script::new()
        .until(
            Frames::new().parse("", "SELECT $1::int").describe_statement("").flush(),
            Until::Tag(b'T', 1),
        )
        .step(Frames::new().bind("", "", &["5"]).execute("", 0).sync())
        .until(
            Frames::new().parse("n", "SELECT $1::int * 2").describe_statement("n").flush(),
            Until::Tag(b'T', 1),
        )
        .until(Frames::new().bind("p", "n", &["6"]).flush(), Until::Tag(b'2', 1))
        .until(Frames::new().execute("p", 0).flush(), Until::Tag(b'C', 1))
        .step(Frames::new().sync())
        .step(Frames::new().execute_prepared("n", &["7"]).sync());
    rig.same_as_direct("", &script);
}

#[test]
fn an_error_before_a_flush_is_seen_before_the_sync() {
    let rig = Rig::start();
    let script = Script::new()
        .until(Frames::new().parse("", "SELEC").describe_statement("").flush(), Until::Tag(b'E', 1))
        .until(Frames::new().parse("", "SELECT 1").flush(), Until::Nothing)
        .step(Frames::new().sync())
        .step(ok("fine"));
    rig.same_as_direct("", &script);
}

#[test]
fn a_row_limit_suspends_the_portal() {
    let rig = Rig::start();
    let script = Script::new()
        .query("BEGIN")
        .until(
            Frames::new()
                .parse("", "SELECT * FROM generate_series(1, 7)")
                .bind("p", "", &[])
                .describe_portal("p")
                .execute("p", 3)
                .flush(),
            Until::Tag(b's', 1),
        )
        .until(Frames::new().execute("p", 3).flush(), Until::Tag(b's', 1))
        .step(Frames::new().execute("p", 3).sync())
        .step(Frames::new().execute("p", 3).sync())
        .query("COMMIT")
        // Outside of a transaction the portal ends with its Sync.
        .step(
            Frames::new()
                .parse("", "SELECT * FROM generate_series(1, 7)")
                .bind("q", "", &[])
                .execute("q", 3)
                .sync(),
        )
        .step(Frames::new().execute("q", 3).sync())
        .until(
            Frames::new()
                .parse("", "SELECT * FROM generate_series(1, 4)")
                .bind("", "", &[])
                .execute("", 3)
                .flush(),
            Until::Tag(b's', 1),
        )
        .step(Frames::new().execute("", 3).sync());
    rig.same_as_direct("", &script);
}

#[test]
fn portals_live_as_long_as_their_transaction() {
    let rig = Rig::start();
    let script = Script::new()
        .query("BEGIN")
        .step(
            Frames::new()
                .parse("s", "SELECT $1::text")
                .bind("a", "s", &["one"])
                .bind("b", "s", &["two"])
                .sync(),
        )
        .step(Frames::new().execute("b", 0).describe_portal("a").execute("a", 0).sync())
        .step(Frames::new().bind("a", "s", &["again"]).sync())
        .query("ROLLBACK")
        .step(Frames::new().execute("a", 0).sync());
    rig.same_as_direct("", &script);
}

#[test]
fn simple_queries_between_extended_segments_keep_their_place() {
    let rig = Rig::start();
    let frames = ok("one")
        .query("SELECT 'two'")
        .then(&ok("three"))
        .query("SELECT 1 / 0")
        .query("")
        .then(&ok("four"))
        .query("SELECT 'five'; SELECT 'six'")
        .sync()
        .sync();
    rig.same_as_direct("", &Script::new().until(frames, Until::Ready(9)).query("SELECT 'end'"));
}

#[test]
fn a_simple_query_inside_an_open_segment_is_answered_as_by_postgresql() {
    let rig = Rig::start();
    // One session each: PostgreSQL 18 itself is out of step afterwards.
    for (inside, readies) in [("SELECT 'open'", 2), ("SELECT 1 / 0", 1)] {
        let frames = Frames::new().extended(inside, &[]).query("SELECT 'simple'").sync();
        rig.same_as_direct("", &Script::new().until(frames, Until::Ready(readies)));
    }
}

#[test]
fn a_server_that_got_a_query_inside_an_open_segment_serves_nobody_else() {
    let rig = Rig::builder().pool_size(1).in_process();
    let before = rig.client().value("SELECT pg_backend_pid()");
    let mut client = rig.client();
    let seen =
        client.answer(&Frames::new().parse("", "SELECT 1").query("SELECT pg_backend_pid()"), 1);
    assert_eq!(seen.values(), std::slice::from_ref(&before));
    let mut other = rig.client();
    assert_eq!(other.run("BEGIN").commands(), ["BEGIN"]);
    assert_ne!(other.value("SELECT pg_backend_pid()"), before);
}

#[test]
fn transactions_inside_a_pipeline_are_one_servers() {
    let rig = Rig::start();
    let setup = "CREATE TABLE IF NOT EXISTS t (a int); TRUNCATE t";
    let script = Script::new()
        .until(
            Frames::new()
                .extended("BEGIN", &[])
                .sync()
                .extended("INSERT INTO t VALUES (1)", &[])
                .sync()
                .extended("SELECT count(*) FROM t", &[])
                .sync()
                .extended("COMMIT", &[])
                .sync(),
            Until::Ready(4),
        )
        .until(
            Frames::new()
                .extended("BEGIN", &[])
                .extended("INSERT INTO t VALUES (2)", &[])
                .extended("SELECT 1 / 0", &[])
                .sync()
                .extended("INSERT INTO t VALUES (3)", &[])
                .sync()
                .extended("ROLLBACK", &[])
                .sync()
                .extended("SELECT count(*) FROM t", &[])
                .sync(),
            Until::Ready(4),
        )
        .step(
            Frames::new()
                .extended("INSERT INTO t VALUES (4)", &[])
                .extended("SELECT 1 / 0", &[])
                .sync(),
        )
        .query("SELECT array_agg(a) FROM t")
        .until(
            Frames::new()
                .query("BEGIN")
                .query("INSERT INTO t VALUES (5)")
                .query("COMMIT")
                .query("TABLE t"),
            Until::Ready(4),
        );
    rig.same_as_direct(setup, &script);
}

#[test]
fn a_bare_sync_and_a_bare_flush_are_answered_as_by_postgresql() {
    let rig = Rig::start();
    let script = Script::new()
        .step(Frames::new().sync())
        .until(Frames::new().sync().sync().sync(), Until::Ready(3))
        .until(Frames::new().flush().flush(), Until::Nothing)
        .query("SELECT 1")
        .step(Frames::new().flush().sync())
        .query("BEGIN")
        .step(Frames::new().sync())
        .query("SELECT 1 / 0")
        .step(Frames::new().sync())
        .query("ROLLBACK");
    rig.same_as_direct("", &script);
}

#[test]
fn frames_that_arrive_byte_by_byte_are_understood() {
    let rig = Rig::start();
    let mut client = rig.client();
    let frames = Frames::new()
        .parse("slow", "SELECT $1::text")
        .sync()
        .then(&Frames::new().execute_prepared("slow", &["drop by drop"]).sync());
    for byte in frames.as_bytes() {
        client.write(&[*byte]).unwrap();
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    let seen = client.until(b'Z', 2).unwrap();
    assert_eq!(seen.summary(), "1 Z(I) 2 D C Z(I)");
    assert_eq!(seen.values(), ["drop by drop"]);
}

#[test]
fn a_client_that_writes_much_before_it_reads_does_not_block_the_rest() {
    let rig = Rig::start();
    let mut client = rig.client();
    let count = 2000;
    let frames =
        (0..count).fold(Frames::new(), |frames, n| frames.then(&ok(&format!("{n:0>500}"))));
    // Replies of 1 MB wait while 1 MB of requests is being written.
    let sending = std::thread::spawn(move || {
        client.send(&frames).unwrap();
        client
    });
    let mut other = rig.client();
    for n in 0..20 {
        assert_eq!(other.value(&format!("SELECT {n}")), n.to_string());
    }
    let mut client = sending.join().unwrap();
    let seen = client.until(b'Z', count).unwrap();
    assert_eq!(seen.values(), (0..count).map(|n| format!("{n:0>500}")).collect::<Vec<_>>());
}

#[test]
fn a_large_bind_may_arrive_in_small_pieces_and_stops_nobody() {
    let rig = Rig::start();
    let (mut slow, mut other) = (rig.client(), rig.client());
    let named = Frames::new().parse("a statement with a name", "SELECT length($1)").sync();
    slow.answer(&named, 1);
    let text = "x".repeat(200_000);
    let bind = Frames::new().bind("", "a statement with a name", &[&text]).execute("", 0).sync();
    let (mut at, bytes) = (0, bind.as_bytes());
    for piece in [5, 1, 1, 5, 30, 60_000, 100_000] {
        slow.write(&bytes[at..at + piece]).unwrap();
        at += piece;
        std::thread::sleep(std::time::Duration::from_millis(30));
        assert_eq!(other.value("SELECT 'there'"), "there", "after {at} bytes");
    }
    slow.write(&bytes[at..]).unwrap();
    assert_eq!(slow.until(b'Z', 1).unwrap().values(), ["200000"]);
}
