//! Functions of somebody's own: answers that come from one are kept if the configuration says what it reads, and are dropped with that.

use crate::answers::{counts, simple, warm};
use crate::bed::{Bed, catch_up, eventually};

const TABLES: &str = "CREATE TABLE prices (id int PRIMARY KEY, price int); CREATE TABLE rates (id int PRIMARY KEY, rate int); \
    CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT n, n FROM generate_series(1, 9) n; \
    INSERT INTO prices SELECT n, 10 * n FROM generate_series(1, 9) n; INSERT INTO rates VALUES (1, 2); \
    CREATE FUNCTION price_of(int) RETURNS bigint LANGUAGE plpgsql STABLE AS \
     'BEGIN RETURN (SELECT p.price * r.rate FROM prices p, rates r WHERE p.id = $1); END'; \
    CREATE FUNCTION sly(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT $1 + (SELECT rate FROM rates)'; \
    CREATE FUNCTION loud(int) RETURNS int LANGUAGE sql AS 'SELECT $1'";

const DECLARED: &str = "mode = \"on\"\nmax_staleness = \"10s\"\ncatalog_poll = \"50ms\"\n\
    [[cache.function]]\nname = \"public.price_of\"\nreads = [\"prices\", \"rates\"]\n\
    [[cache.function]]\nname = \"public.loud\"\nreads = []\n";

const PRICE: &str = "SELECT price_of(7)";
const PRICED: &str = "SELECT v, price_of(id) FROM t WHERE id = 7";
const PLAIN: &str = "SELECT v FROM t WHERE id = 7";

/// What is given is what PostgreSQL says, soon after this was changed past Howdah.
#[track_caller]
fn is_seen(bed: &Bed, change: &str, sql: &str, value: &str) {
    let mut client = bed.client();
    warm(bed, &mut client, &simple(sql));
    bed.direct().run(change);
    eventually(change, || {
        client.answer(&simple(sql), 1).rows()[0].last() == Some(&Some(value.to_owned()))
    });
    catch_up(&bed.open());
    warm(bed, &mut client, &simple(sql));
    assert_eq!(
        client.answer(&simple(sql), 1).rows()[0].last(),
        Some(&Some(value.to_owned())),
        "{change}"
    );
}

#[test]
fn an_answer_changes_with_what_its_function_is_said_to_read() {
    let bed = Bed::start(TABLES, DECLARED);
    bed.open();
    is_seen(&bed, "UPDATE prices SET price = 71 WHERE id = 7", PRICE, "142");
    is_seen(&bed, "UPDATE rates SET rate = 3", PRICED, "213");
    is_seen(
        &bed,
        "DELETE FROM prices WHERE id = 6; UPDATE prices SET price = 72 WHERE id = 7",
        PRICED,
        "216",
    );
    is_seen(
        &bed,
        "CREATE OR REPLACE FUNCTION price_of(int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT -1::bigint FROM prices LIMIT 1'",
        PRICED,
        "-1",
    );
    let explained = bed.console().answer(&simple(&format!("CACHE EXPLAIN '{PRICED}'")), 1);
    assert!(format!("{:?}", explained.rows()).contains("rates"), "{:?}", explained.rows());
}

#[test]
fn who_calls_what_is_declared_is_still_given_what_is_kept() {
    let bed = Bed::start(TABLES, DECLARED);
    bed.open();
    let mut client = bed.client();
    warm(&bed, &mut client, &simple(PLAIN));
    client.run("SELECT price_of(3), lower('A')");
    warm(&bed, &mut client, &simple(PLAIN));
    // It reads, so nothing of what it may have written is waited for.
    assert_eq!(client.value("SELECT price_of(7)"), "140");
    for doubtful in [
        "SELECT sly(1)",
        "SELECT loud(1)",
        "SELECT price_of(1), sly(1)",
        "SELECT other.price_of(1)",
    ] {
        let mut client = bed.client();
        warm(&bed, &mut client, &simple(PLAIN));
        if doubtful.contains("other.") {
            bed.direct().run("CREATE SCHEMA other; CREATE FUNCTION other.price_of(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'");
            eventually("the new function is known", || {
                let row =
                    bed.console().answer(&simple(&format!("CACHE EXPLAIN '{PRICE}'")), 1).rows();
                format!("{row:?}").contains("other.price_of")
            });
        }
        let before = counts(&bed).hits;
        for _ in 0..10 {
            client.run(doubtful);
            client.run(PLAIN);
        }
        assert_eq!(
            counts(&bed).hits,
            before,
            "{doubtful}: what it has done to the session, nobody knows"
        );
    }
    // Nobody can tell which of both is called.
    let mut client = bed.client();
    let before = counts(&bed).hits;
    for _ in 0..10 {
        client.run("SELECT price_of(8)");
    }
    assert_eq!(counts(&bed).hits, before);
}
