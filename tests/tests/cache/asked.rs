//! What the application itself asks of its answers: for how long they count, and by which tags they are forgotten.

use std::time::Duration;

use howdah_tests::raw::Connection;
use tokio_postgres::Client;

use crate::answers::{ON, counts, simple, warm};
use crate::bed::{Bed, catch_up, eventually, nodes};

const TABLES: &str = "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT n, n FROM generate_series(1, 9) n; \
    CREATE UNLOGGED TABLE quick (id int PRIMARY KEY, v int); INSERT INTO quick SELECT * FROM t; \
    CREATE TABLE secret (id int PRIMARY KEY, v int); INSERT INTO secret SELECT * FROM t; \
    ALTER TABLE secret ENABLE ROW LEVEL SECURITY; \
    CREATE FUNCTION mine(int) RETURNS int LANGUAGE sql AS 'SELECT $1'";

/// Only `t` is published.
fn bed(keys: &str) -> Bed {
    let nodes = nodes().sql(TABLES).sql("CREATE PUBLICATION howdah FOR TABLE t");
    let bed = Bed::on(nodes, &format!("{ON}{keys}"));
    bed.open();
    bed
}

fn read_of(table: &str) -> String {
    format!("SELECT v FROM {table} WHERE id = 7")
}

fn value(client: &mut Connection, sql: &str) -> String {
    client.answer(&simple(sql), 1).values().concat()
}

fn hits(bed: &Bed, client: &mut Connection, sql: &str) -> bool {
    let before = counts(bed).hits;
    client.answer(&simple(sql), 1);
    counts(bed).hits > before
}

/// Asks as often as would be enough.
#[track_caller]
fn never_hits(bed: &Bed, client: &mut Connection, sql: &str) {
    for _ in 0..5 {
        assert!(!hits(bed, client, sql), "{sql}");
        catch_up(&bed.open());
    }
}

#[test]
fn a_session_lets_its_own_answers_rest_on_their_age() {
    let bed = bed("");
    let (mut asks, mut plain, mut other) = (bed.client(), bed.client(), bed.direct());
    asks.run("SET howdah.cache_ttl = '1h'");
    warm(&bed, &mut asks, &simple(&read_of("quick")));
    other.run("UPDATE quick SET v = 100 WHERE id = 7");
    assert!(hits(&bed, &mut asks, &read_of("quick")));
    assert_eq!(value(&mut asks, &read_of("quick")), "7", "as it was");
    assert_eq!(value(&mut plain, &read_of("quick")), "100", "who has not asked is not given it");
    never_hits(&bed, &mut plain, &read_of("quick"));
    // A comment asks for its statement alone, and another time has other answers.
    let commented = format!("/* howdah: cache_ttl=2h */ {}", read_of("quick"));
    warm(&bed, &mut plain, &simple(&commented));
    assert_eq!(value(&mut plain, &commented), "100");
    never_hits(&bed, &mut plain, &read_of("quick"));
    // Who writes sees it.
    asks.run("UPDATE quick SET v = 200 WHERE id = 7");
    assert_eq!(value(&mut asks, &read_of("quick")), "200");
    // Whose answer it is, and what is another one each time, does not change with time.
    for sql in [read_of("secret"), format!("{} AND mine(1) = 1", read_of("quick"))] {
        never_hits(&bed, &mut asks, &sql);
    }
    asks.run("RESET howdah.cache_ttl");
    never_hits(&bed, &mut asks, &read_of("quick"));
}

#[test]
fn where_changes_are_followed_a_time_is_one_more_bound() {
    let bed = bed("");
    let freshness = bed.open();
    let (mut asks, mut plain, mut other) = (bed.client(), bed.client(), bed.direct());
    asks.run("SET howdah.cache_ttl = '300ms'");
    warm(&bed, &mut plain, &simple(&read_of("t")));
    warm(&bed, &mut asks, &simple(&read_of("t")));
    eventually("its time is over", || !hits(&bed, &mut asks, &read_of("t")));
    assert!(hits(&bed, &mut plain, &read_of("t")), "that of others is not");
    for change in 200..205 {
        warm(&bed, &mut asks, &simple(&read_of("t")));
        other.run(&format!("UPDATE t SET v = {change} WHERE id = 7"));
        catch_up(&freshness);
        assert_eq!(value(&mut asks, &read_of("t")), change.to_string(), "seen at once");
    }
}

#[test]
fn an_operator_can_forbid_that_sessions_rest_on_age() {
    let bed = bed("session_ttl = true\n");
    let mut asks = bed.client();
    asks.run("SET howdah.cache_ttl = '1h'");
    warm(&bed, &mut asks, &simple(&read_of("quick")));
    bed.reload(&format!("{ON}session_ttl = false\n"));
    never_hits(&bed, &mut asks, &read_of("quick"));
    // It bounds all the same.
    warm(&bed, &mut asks, &simple(&read_of("t")));
    asks.run("SET howdah.cache_ttl = '1us'");
    never_hits(&bed, &mut asks, &read_of("t"));
}

#[test]
fn what_sessions_have_tagged_is_forgotten_by_its_tag() {
    let bed = bed("");
    let (mut one, mut two, mut plain) = (bed.client(), bed.client(), bed.client());
    one.run("SET howdah.cache_tags = 'catalog, prices'");
    let commented = format!("/* howdah: cache_tags=stock */ {}", read_of("t"));
    for (client, sql) in
        [(&mut one, &read_of("t")), (&mut plain, &read_of("t")), (&mut two, &commented)]
    {
        warm(&bed, client, &simple(sql));
    }
    two.run("SET howdah.cache_tags = 'prices,catalog'");
    assert!(hits(&bed, &mut two, &read_of("t")), "the same tags have the same answers");
    two.run("RESET ALL");
    let forget = |tag: &str| bed.console().answer(&simple(&format!("CACHE FLUSH TAG {tag}")), 1);
    forget("other");
    assert!(hits(&bed, &mut one, &read_of("t")));
    forget("prices");
    assert!(!hits(&bed, &mut one, &read_of("t")), "forgotten");
    assert!(hits(&bed, &mut plain, &read_of("t")), "it has no tags");
    assert!(hits(&bed, &mut two, &commented), "it has another");
    forget("stock");
    assert!(!hits(&bed, &mut two, &commented), "forgotten");
    // Too much is no tag at all, and nothing is kept that could not be forgotten by it.
    one.run(&format!("SET howdah.cache_tags = '{}'", "x".repeat(65)));
    never_hits(&bed, &mut one, &read_of("t"));
}

/// Whether a client of the library is answered from the cache.
fn gives(bed: &Bed, client: &Client, sql: &str) -> bool {
    let before = counts(bed).hits;
    bed.wait(client.simple_query(sql)).expect("an answer");
    counts(bed).hits > before
}

#[test]
fn handles_of_the_library_ask_for_what_they_are_named_after() {
    let bed = bed("");
    let engine = bed.engine();
    let database = engine.database("postgres", "howdah");
    let hour = Duration::from_secs(3600);
    let tagged = bed.connected(database.cached().ttl(hour).tags(["prices", "shop"]).connect());
    let brief = bed.connected(database.cached().ttl(Duration::from_micros(1)).connect());
    let (primary, read) = (bed.connected(database.primary()), bed.connected(database.read()));
    for sql in [read_of("t"), read_of("quick")] {
        eventually("it is kept", || gives(&bed, &tagged, &sql));
        for client in [&brief, &primary, &read] {
            assert!((0..5).all(|_| !gives(&bed, client, &sql)), "{sql}");
        }
    }
    let stats = bed.wait(engine.cache_stats());
    assert!(stats.iter().any(|report| report.counts.hits > 0), "{stats:?}");
    engine.flush_tag("other");
    assert!(gives(&bed, &tagged, &read_of("t")));
    engine.flush_tag("shop");
    assert!(!gives(&bed, &tagged, &read_of("t")), "forgotten by its tag");
    eventually("it is kept again", || gives(&bed, &tagged, &read_of("t")));
    engine.flush_table("public.t");
    assert!(!gives(&bed, &tagged, &read_of("t")), "forgotten by its table");
    // Who takes back what it has set comes back to what the handle asks for.
    bed.wait(primary.batch_execute("RESET ALL")).expect("it is reset");
    eventually("it is kept once more", || gives(&bed, &tagged, &read_of("t")));
    let plain = bed.connected(database.cached().connect());
    eventually("without a wish it is kept, too", || gives(&bed, &plain, &read_of("t")));
    assert!(!gives(&bed, &primary, &read_of("t")));
}
