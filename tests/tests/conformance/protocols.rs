//! Random sequences of messages: statements and portals by name and without, pipelines with Sync and Flush, row limits, several
//! statements in a query, transactions and savepoints, mistakes in all of them.
//!
//! The unnamed statement is used only in the request that made it: what is left of it after an error in a pipeline that made several
//! is a known difference (docs/conformance.md).
//!
//! Invariant: how far to read follows from the frames alone, whatever the server makes of them.

use howdah_tests::raw::Frames;
use howdah_tests::{Random, Script, Until};

use crate::corpus::Case;

/// Texts that are prepared, with the number of their parameters.
const PREPARED: &[(&str, usize)] = &[
    ("SELECT $1::int + 1 AS more", 1),
    ("SELECT $1::text, $2::int", 2),
    ("SELECT n FROM generate_series(1, 10) AS n", 0),
    ("SELECT n, repeat('x', n) FROM generate_series(1, $1::int) AS n", 1),
    ("SELECT 10 / (3 - n) FROM generate_series(1, 5) AS n", 0),
    ("SELECT * FROM own_rows ORDER BY id", 0),
    ("INSERT INTO own_rows VALUES ($1::int, $2::text) RETURNING *", 2),
    ("UPDATE own_rows SET note = $1 WHERE id = 1", 1),
    ("DELETE FROM own_rows WHERE id = $1::int + 100", 1),
    ("INSERT INTO own_rows VALUES (50, 'child', NULL, 999)", 0),
    ("SELECT count(*) FROM own_rows WHERE note = $1", 1),
    ("", 0),
    ("-- a comment", 0),
    ("BEGIN", 0),
    ("COMMIT", 0),
    ("ROLLBACK", 0),
    ("SAVEPOINT a", 0),
    ("ROLLBACK TO a", 0),
    ("SET work_mem = '2222kB'", 0),
    ("SET LOCAL work_mem = '3333kB'", 0),
    ("SHOW work_mem", 0),
    ("SET application_name = 'named'", 0),
    ("COPY (SELECT n FROM generate_series(1, 3) AS n) TO STDOUT", 0),
    ("CREATE TEMP TABLE IF NOT EXISTS own_scratch (a int) ON COMMIT DROP", 0),
    ("DECLARE cursor_a CURSOR FOR SELECT n FROM generate_series(1, 5) AS n", 0),
    ("FETCH 2 FROM cursor_a", 0),
    ("EXPLAIN (COSTS off) SELECT 1", 0),
    ("SELECT pg_notify('own_channel', $1)", 1),
    ("SELEC 1", 0),
    ("SELECT no_such_column FROM own_rows", 0),
    ("SELECT 1; SELECT 2", 0),
];

/// Parts of simple queries.
const SIMPLE: &[&str] = &[
    "SELECT 1 AS one",
    "SELECT n FROM generate_series(1, 5) AS n",
    "SELECT 10 / (3 - n) FROM generate_series(1, 5) AS n",
    "BEGIN",
    "BEGIN ISOLATION LEVEL SERIALIZABLE",
    "COMMIT",
    "ROLLBACK",
    "COMMIT AND CHAIN",
    "ROLLBACK AND CHAIN",
    "SAVEPOINT a",
    "SAVEPOINT b",
    "ROLLBACK TO a",
    "RELEASE b",
    "",
    "INSERT INTO own_rows VALUES (4, 'four'), (5, 'five')",
    "INSERT INTO own_rows VALUES (1, 'again')",
    "INSERT INTO own_rows VALUES (60, 'child', NULL, 998)",
    "SET CONSTRAINTS ALL IMMEDIATE",
    "DELETE FROM own_rows WHERE id > 3",
    "SELECT count(*), sum(id) FROM own_rows",
    "SET work_mem = '4444kB'",
    "SET LOCAL work_mem = '5555kB'",
    "RESET work_mem",
    "SHOW work_mem",
    "SET TimeZone = 'Asia/Tokyo'",
    "SET DateStyle = 'German'",
    "SELECT timestamptz '2024-02-29 12:00:00+00'",
    "SELECT set_config('work_mem', '6666kB', false)",
    "DO $$ BEGIN RAISE NOTICE 'noted'; END $$",
    "DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = 'ZZ001'; END $$",
    "COPY (SELECT 1, 'two') TO STDOUT",
    "PREPARE own_plan AS SELECT $1::int * 2",
    "EXECUTE own_plan(21)",
    "DEALLOCATE own_plan",
    "DECLARE cursor_b CURSOR WITH HOLD FOR SELECT n FROM generate_series(1, 5) AS n",
    "FETCH 2 FROM cursor_b",
    "CLOSE cursor_b",
    "DISCARD PLANS",
    "DEALLOCATE ALL",
    "SELECT no_such_function()",
    "SELEC",
];

const VALUES: &[&str] = &["1", "7", "42", "two", "", "2147483648"];

fn statement(random: &mut Random) -> String {
    (*random.pick(&["s0", "s1", "s2"])).to_owned()
}

fn portal(random: &mut Random) -> String {
    (*random.pick(&["", "", "", "p0", "p1"])).to_owned()
}

/// A Bind that is right most of the time.
fn bind(frames: Frames, random: &mut Random, portal: &str, name: &str, count: usize) -> Frames {
    let count = if random.once_in(20) { count + 1 } else { count };
    let values: Vec<_> =
        (0..count).map(|_| (!random.once_in(8)).then(|| random.pick(VALUES).as_bytes())).collect();
    let formats: &[u16] = match random.below(30) {
        0 => &[1],
        1 => &[7],
        2 => &[0, 0, 0],
        _ => &[],
    };
    let results: &[u16] = match random.below(12) {
        0..=2 => &[1],
        3 => &[0],
        4 => &[2],
        5 => &[1, 0],
        _ => &[],
    };
    frames.bind_formats(portal, name, formats, &values, results)
}

/// One message or a few that belong together, and how many answers they get before a Flush.
fn messages(frames: Frames, random: &mut Random) -> (Frames, usize) {
    let (text, count) = *random.pick(PREPARED);
    let (name, place) = (statement(random), portal(random));
    let limit = *random.pick(&[0, 0, 0, 1, 2, 100]);
    match random.below(12) {
        0 => (frames.parse(&name, text), 1),
        1 => (frames.close_statement(&name).parse(&name, text).describe_statement(&name), 3),
        2 => (bind(frames, random, &place, &name, count), 1),
        3 => (frames.describe_statement(&name), 1),
        4 => (frames.describe_portal(&place), 1),
        5 => (frames.execute(&place, limit), 1),
        6 => (frames.close_statement(&name), 1),
        7 => (frames.close_portal(&place), 1),
        8 => (bind(frames, random, &place, &name, count).execute(&place, limit), 2),
        _ => {
            let frames = bind(frames.parse("", text), random, &place, "", count);
            (frames.describe_portal(&place).execute(&place, limit), 4)
        }
    }
}

fn pipeline(random: &mut Random) -> (Frames, usize) {
    let mut all = (Frames::new(), 0);
    for _ in 0..1 + random.below(5) {
        let (frames, answers) = messages(all.0, random);
        all = (frames, all.1 + answers);
    }
    all
}

fn query(random: &mut Random) -> String {
    let count = if random.once_in(3) { 1 + random.below(4) } else { 1 };
    (0..count).map(|_| *random.pick(SIMPLE)).collect::<Vec<_>>().join("; ")
}

fn exchange(script: Script, random: &mut Random) -> Script {
    match random.below(10) {
        0..=2 => script.query(&query(random)),
        3 => script.until(
            Frames::new().query(&query(random)).then(&pipeline(random).0.sync()),
            Until::Ready(2),
        ),
        4 => {
            let (frames, answers) = pipeline(random);
            let script = script.until(frames.flush(), Until::Flushed(answers));
            let (frames, answers) = pipeline(random);
            let script = script.until(frames.flush(), Until::Flushed(answers));
            script.step(pipeline(random).0.sync())
        }
        5 => {
            let two = pipeline(random).0.sync().then(&pipeline(random).0.sync());
            script.until(two, Until::Ready(2))
        }
        6 => {
            let frames = Frames::new().query("COPY own_copied (a, b) FROM STDIN");
            script.step(frames.copy_data(b"1\tone\n2\tt").copy_data(b"wo\n").copy_done())
        }
        7 => {
            let frames = Frames::new().extended("COPY own_copied (a) FROM STDIN", &[]);
            script.step(frames.copy_data(b"1\n").copy_data(b"x\n").copy_done().sync())
        }
        _ => script.step(pipeline(random).0.sync()),
    }
}

/// A random conversation.
pub(crate) fn case(number: usize, random: &mut Random) -> Case {
    let mut script = Script::new();
    for _ in 0..4 + random.below(12) {
        script = exchange(script, random);
    }
    let script =
        script.query("ROLLBACK").query("SHOW work_mem").query("SELECT count(*) FROM own_rows");
    Case::new(format!("random sequence {number}"), script).writing()
}
