//! What the cache may do, table by table: rules, and parts of the answers that are forgotten.

use howdah_tests::raw::Connection;

use crate::answers::{ON, counts, simple, warm};
use crate::bed::{Bed, catch_up, eventually};

const TABLES: &str = "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE u (id int PRIMARY KEY, v int); \
    CREATE TABLE s (id int PRIMARY KEY, v int); CREATE VIEW w AS SELECT id, v FROM t; \
    INSERT INTO t SELECT n, n FROM generate_series(1, 9) n; INSERT INTO u SELECT * FROM t; INSERT INTO s SELECT * FROM t";

const T: &str = "SELECT v FROM t WHERE id = 7";
const U: &str = "SELECT v FROM u WHERE id = 7";
const S: &str = "SELECT v FROM s WHERE id = 7";
const W: &str = "SELECT v FROM w WHERE id = 7";
const BOTH: &str = "SELECT t.v FROM t JOIN u USING (id) WHERE id = 7";

/// The rows of a command of the console, by columns.
fn console(bed: &Bed, command: &str) -> Vec<Vec<String>> {
    let answer = bed.console().answer(&simple(command), 1);
    let text = |cell: Option<String>| cell.unwrap_or_default();
    answer.rows().into_iter().map(|row| row.into_iter().map(text).collect()).collect()
}

/// Whether an answer comes from the cache.
fn hits(bed: &Bed, client: &mut Connection, sql: &str) -> bool {
    let before = counts(bed).hits;
    client.answer(&simple(sql), 1);
    counts(bed).hits > before
}

/// Asked often enough to be kept, an answer is not given.
#[track_caller]
fn is_never_given(bed: &Bed, client: &mut Connection, sql: &str) {
    let freshness = bed.open();
    for _ in 0..10 {
        assert!(!hits(bed, client, sql), "{sql}");
        catch_up(&freshness);
    }
}

#[test]
fn a_rule_turns_tables_on_and_off_whatever_the_database_says() {
    let keys = "mode = \"observe\"\nmax_staleness = \"10s\"\n\
        [[cache.rule]]\nname = \"on\"\ntable = \"t\"\nmode = \"on\"\n\
        [[cache.rule]]\nname = \"not-u\"\ntable = [\"public.u\", \"nowhere\"]\nmode = \"off\"\n";
    let bed = Bed::start(TABLES, keys);
    bed.open();
    let mut client = bed.client();
    warm(&bed, &mut client, &simple(T));
    warm(&bed, &mut client, &simple(W));
    // The most restrictive one counts.
    is_never_given(&bed, &mut client, BOTH);
    let before = counts(&bed);
    is_never_given(&bed, &mut client, U);
    assert_eq!(counts(&bed).observed, before.observed, "not even for numbers");
    is_never_given(&bed, &mut client, S);
    assert!(counts(&bed).observed > before.observed, "the database observes");
    assert!(!hits(&bed, &mut client, &format!("/* howdah: cache=off */ {T}")));
    assert!(!hits(&bed, &mut client, &format!("/* howdah: cache=observe */ {T}")));
    assert!(hits(&bed, &mut client, &format!("/* howdah: cache=on */ {T}")));
    let rules = console(&bed, "SHOW CACHE_RULES");
    let names: Vec<_> = rules.iter().map(|row| [&*row[0], &*row[1], &*row[2]]).collect();
    assert_eq!(names, [["on", "table=t", "on"], ["not-u", "table=public.u,nowhere", "off"]]);
    let number = |row: usize| rules[row][7].parse::<u64>().expect("a number");
    assert!(number(0) >= 2 && number(1) == 0, "{rules:?}");
    console(&bed, "CACHE OFF");
    assert!(!hits(&bed, &mut client, T), "an administrator has the last word");
    console(&bed, "CACHE RESET");
    warm(&bed, &mut client, &simple(T));
    let explained = console(&bed, &format!("CACHE EXPLAIN postgres '{BOTH}'"));
    assert_eq!(explained[0][6], "on, not-u", "{explained:?}");
}

#[test]
fn rules_change_with_a_reload() {
    let rule = |mode: &str| {
        format!(
            "mode = \"off\"\nmax_staleness = \"10s\"\n[[cache.rule]]\nname = \"r\"\ntable = \"t\"\nmode = \"{mode}\"\n"
        )
    };
    let bed = Bed::start(TABLES, &rule("on"));
    bed.open();
    let mut client = bed.client();
    warm(&bed, &mut client, &simple(T));
    is_never_given(&bed, &mut client, U);
    bed.reload(&rule("observe"));
    is_never_given(&bed, &mut client, T);
    bed.reload(&rule("on"));
    warm(&bed, &mut client, &simple(T));
    bed.reload("mode = \"on\"\nmax_staleness = \"10s\"\n");
    warm(&bed, &mut client, &simple(U));
}

#[test]
fn a_rule_asks_for_fresher_answers_of_a_table() {
    let keys = format!(
        "{ON}level = \"bounded\"\n[[cache.rule]]\nname = \"mine\"\ntable = \"t\"\nlevel = \"session\"\n"
    );
    let bed = Bed::start(TABLES, &keys);
    bed.open();
    let mut client = bed.client();
    for value in 100..140 {
        warm(&bed, &mut client, &simple(T));
        client.run(&format!("UPDATE t SET v = {value} WHERE id = 7"));
        assert_eq!(client.answer(&simple(T), 1).values(), [value.to_string()]);
        assert_eq!(client.answer(&simple(W), 1).values(), [value.to_string()]);
    }
}

#[test]
fn a_part_of_the_answers_is_forgotten() {
    let keys = format!("{ON}[[cache.rule]]\nname = \"r\"\ntable = \"s\"\ntags = [\"a\", \"b\"]\n");
    let bed = Bed::start(TABLES, &keys);
    bed.open();
    let mut client = bed.client();
    let all = [T, U, S, W, BOTH];
    let form = console(&bed, &format!("CACHE EXPLAIN postgres '{U}'"))[0][5].clone();
    for (command, lost) in [
        ("CACHE FLUSH TABLE t".to_owned(), vec![T, W, BOTH]),
        ("CACHE FLUSH TABLE public.u".to_owned(), vec![U, BOTH]),
        ("CACHE FLUSH TABLE other.u".to_owned(), vec![]),
        ("CACHE FLUSH TABLE w".to_owned(), vec![W]),
        ("CACHE FLUSH TAG b".to_owned(), vec![S]),
        ("CACHE FLUSH TAG c".to_owned(), vec![]),
        (format!("CACHE FLUSH FINGERPRINT {form}"), vec![U]),
        ("CACHE FLUSH".to_owned(), all.to_vec()),
    ] {
        all.iter().for_each(|sql| warm(&bed, &mut client, &simple(sql)));
        console(&bed, &command);
        let found = all.iter().filter(|sql| !hits(&bed, &mut client, sql));
        assert_eq!(found.copied().collect::<Vec<_>>(), lost, "{command}");
    }
}

#[test]
fn an_answer_on_its_way_is_forgotten_with_its_part() {
    let bed = Bed::start(TABLES, ON);
    bed.open();
    let (mut client, mut keeper, mut other) = (bed.client(), bed.direct(), bed.direct());
    // Changes of both are followed from here on.
    warm(&bed, &mut client, &simple("SELECT count(*) FROM t JOIN u USING (id)"));
    for (flush, kept) in [("CACHE FLUSH TABLE s", true), ("CACHE FLUSH TABLE u", false)] {
        let sql = format!("SELECT count(*), '{kept}' FROM t JOIN u USING (id)");
        let fills = counts(&bed).fills;
        keeper.run("BEGIN; LOCK TABLE u IN ACCESS EXCLUSIVE MODE");
        client.send(&simple(&sql)).expect("it is sent");
        eventually("it waits", || {
            other.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                == "1"
        });
        console(&bed, flush);
        keeper.run("COMMIT");
        client.until(b'Z', 1).expect("an answer");
        assert_eq!(counts(&bed).fills, fills + 1, "it has come");
        assert_eq!(hits(&bed, &mut client, &sql), kept, "{flush}");
    }
}

#[test]
fn tables_are_told_by_which_answers_are_lost() {
    let bed = Bed::start(TABLES, ON);
    let freshness = bed.open();
    let (mut client, mut other) = (bed.client(), bed.direct());
    for sql in [T, U, BOTH] {
        warm(&bed, &mut client, &simple(sql));
    }
    other.run("UPDATE u SET v = 0 WHERE id = 7");
    catch_up(&freshness);
    for sql in [T, U, BOTH] {
        client.answer(&simple(sql), 1);
    }
    let rows = console(&bed, "SHOW CACHE_TABLES");
    let of = |name: &str| rows.iter().find(|row| row[1] == name).expect("a line").clone();
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let (t, u) = (of("public.t"), of("public.u"));
    assert!(number(&t[2]) >= 2 && number(&t[3]) >= 2, "{rows:?}");
    assert_eq!((&*t[5], &*u[5]), ("0", "1"), "what is patched is not lost: {rows:?}");
}
