//! Errors of every kind, and violations of the protocol. What PostgreSQL says is compared byte by byte; where Howdah has to
//! refuse a frame before a server sees it, the SQLSTATE and the fate of the session.

use howdah_tests::raw::Frames;
use howdah_tests::{Script, Until};

use crate::corpus::Case;

const KINDS: &[(&str, &[&str])] = &[
    (
        "syntax",
        &[
            "SELEC 1",
            "SELECT 'open",
            "SELECT \"open",
            "SELECT (1",
            "SELECT 1 FROM",
            "SELECT $1 +",
            "SELECT U&'\\zzzz'",
            ")",
        ],
    ),
    (
        "names",
        &[
            "SELECT nothing",
            "TABLE nowhere",
            "SELECT nowhere()",
            "SELECT 1::nothing",
            "SELECT own_rows.nothing FROM own_rows",
            "DROP TABLE nowhere",
            "ALTER TABLE own_rows DROP COLUMN nothing",
            "SELECT id FROM own_rows a, own_rows b",
        ],
    ),
    (
        "types",
        &[
            "SELECT 1 + 'x'",
            "SELECT '1'::int + true",
            "SELECT 'x'::own_mood",
            "SELECT 0::own_positive",
            "SELECT '{1'::int[]",
            "SELECT (1, 2)::own_pair",
            "SELECT '(1)'::own_pair",
            "SELECT '\\xz'::bytea",
            "SELECT 99999999999::int",
        ],
    ),
    (
        "arithmetic",
        &[
            "SELECT 1 / 0",
            "SELECT 1.0 / 0",
            "SELECT 2147483647 + 1",
            "SELECT sqrt(-1)",
            "SELECT ln(0)",
            "SELECT exp(10000.0::float8)",
            "SELECT 9223372036854775807 + 1",
            "SELECT date '5874897-12-31' + 1",
            "SELECT 1 % 0",
            "SELECT mod(1.5, 0)",
        ],
    ),
    (
        "in the middle of rows",
        &[
            "SELECT 10 / (500 - n) FROM generate_series(1, 1000) AS n",
            "SELECT n, 1 / (n - 3) FROM generate_series(1, 5) AS n",
            "COPY (SELECT 10 / (3 - n) FROM generate_series(1, 5) AS n) TO STDOUT",
        ],
    ),
    (
        "constraints",
        &[
            "INSERT INTO own_rows VALUES (1, 'twice')",
            "INSERT INTO own_rows VALUES (9, 'bad')",
            "INSERT INTO own_rows (id) VALUES (9)",
            "INSERT INTO own_rows VALUES (9, 'child', 0, 12345)",
            "DELETE FROM own_rows WHERE id = 1",
            "UPDATE own_rows SET id = 2 WHERE id = 1",
            "INSERT INTO own_rows VALUES (NULL, 'null')",
            "TRUNCATE own_rows, own_copied",
        ],
    ),
    (
        "permissions",
        &[
            "SET SESSION AUTHORIZATION howdah",
            "CREATE ROLE somebody",
            "SELECT * FROM pg_authid",
            "COPY own_rows TO '/tmp/nowhere'",
            "SELECT pg_read_file('/etc/passwd')",
            "ALTER SYSTEM SET work_mem = '1MB'",
            "SET log_statement = 'all'",
            "CREATE EXTENSION plpython3u",
        ],
    ),
    (
        "outside of a transaction",
        &[
            "SAVEPOINT a",
            "RELEASE a",
            "ROLLBACK TO a",
            "SET LOCAL work_mem = '5MB'",
            "DECLARE c CURSOR FOR SELECT 1",
            "COMMIT",
            "ROLLBACK",
            "COMMIT AND CHAIN",
            "LOCK own_rows",
            "PREPARE TRANSACTION 'x'",
            "SET TRANSACTION READ ONLY",
        ],
    ),
    (
        "inside of a transaction",
        &["BEGIN", "VACUUM", "CREATE DATABASE nowhere", "BEGIN", "COMMIT", "SELECT 'after'"],
    ),
    (
        "deferred until COMMIT",
        &[
            "BEGIN",
            "INSERT INTO own_rows VALUES (20, 'child', 0, 12345)",
            "SELECT 'not yet'",
            "COMMIT",
            "SELECT count(*) FROM own_rows",
            "INSERT INTO own_rows VALUES (20, 'child', 0, 12345); SELECT 1",
            "BEGIN; INSERT INTO own_rows VALUES (20, 'c', 0, 12345); COMMIT; SELECT 2",
        ],
    ),
    (
        "savepoints",
        &[
            "BEGIN",
            "SAVEPOINT a",
            "SELECT 1 / 0",
            "SELECT 1",
            "ROLLBACK TO a",
            "SAVEPOINT b",
            "SAVEPOINT b",
            "SELECT nothing",
            "RELEASE b",
            "ROLLBACK TO b",
            "RELEASE b",
            "ROLLBACK TO nothing",
            "ROLLBACK TO b",
            "ROLLBACK TO a",
            "COMMIT",
        ],
    ),
    (
        "failed transactions",
        &[
            "BEGIN",
            "SELECT 1 / 0",
            "SELECT 1",
            "SET work_mem = '1MB'",
            "BEGIN",
            "SAVEPOINT a",
            "FETCH 1 FROM c",
            "COMMIT",
            "SELECT 1",
        ],
    ),
    (
        "several statements",
        &[
            "SELECT 1; SELECT 1 / 0; SELECT 2",
            "INSERT INTO own_rows VALUES (30, 'lost'); SELECT 1 / 0",
            "SELECT count(*) FROM own_rows",
            "BEGIN; SELECT 1 / 0; ROLLBACK; SELECT 3",
            "ROLLBACK",
            "SELECT 1; SELEC 2; SELECT 3",
            "SELECT 1; COMMIT; SELECT 1 / 0",
            "BEGIN; COMMIT; BEGIN; SELECT 1/0",
            "END",
        ],
    ),
    (
        "statements prepared in SQL",
        &[
            "EXECUTE nothing",
            "PREPARE p AS SELECT $1::int",
            "PREPARE p AS SELECT 2",
            "EXECUTE p",
            "EXECUTE p('x')",
            "EXECUTE p(1, 2)",
            "EXECUTE p(1)",
            "DEALLOCATE p",
            "DEALLOCATE p",
            "EXECUTE p(1)",
        ],
    ),
    (
        "cursors",
        &[
            "FETCH 1 FROM c",
            "CLOSE c",
            "BEGIN",
            "DECLARE c CURSOR FOR SELECT 10 / (3 - n) FROM generate_series(1, 5) n",
            "FETCH 2 FROM c",
            "FETCH 2 FROM c",
            "FETCH 1 FROM c",
            "ROLLBACK",
            "BEGIN; DECLARE c NO SCROLL CURSOR FOR SELECT 1; FETCH BACKWARD 1 FROM c",
            "ROLLBACK",
        ],
    ),
    (
        "time limits",
        &[
            "SET statement_timeout = '20ms'",
            "SELECT pg_sleep(10)",
            "BEGIN",
            "SELECT pg_sleep(10)",
            "ROLLBACK",
            "RESET statement_timeout",
            "SELECT 'end'",
        ],
    ),
    (
        "everything RAISE can say",
        &[
            "DO $$ BEGIN RAISE EXCEPTION USING MESSAGE = 'm', DETAIL = 'd', HINT = 'h', ERRCODE = 'ZZ999', COLUMN = 'c', CONSTRAINT = 'k', DATATYPE = 'y', TABLE = 't', SCHEMA = 's'; END $$",
            "DO $$ BEGIN RAISE WARNING USING MESSAGE = 'm', DETAIL = 'd', HINT = 'h', ERRCODE = '01ZZZ', COLUMN = 'c', CONSTRAINT = 'k', DATATYPE = 'y', TABLE = 't', SCHEMA = 's'; END $$",
            "DO $$ BEGIN RAISE DEBUG 'hidden'; RAISE LOG 'hidden'; RAISE INFO 'shown'; RAISE NOTICE 'shown'; RAISE WARNING 'shown'; END $$",
            "SET client_min_messages = error",
            "DO $$ BEGIN RAISE WARNING 'hidden'; RAISE INFO 'shown'; END $$",
            "SET client_min_messages = log",
            "DO $$ BEGIN RAISE LOG 'shown'; END $$",
            "RESET client_min_messages",
            "DO $$ BEGIN PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN RAISE NOTICE 'caught %', SQLERRM; END $$",
            "DO $$ BEGIN BEGIN PERFORM 1 / 0; EXCEPTION WHEN OTHERS THEN RAISE; END; END $$",
            "DO $$ BEGIN ASSERT false, 'asserted'; END $$",
            "DO $$ BEGIN FOR n IN 1..50 LOOP RAISE NOTICE 'number %', n; END LOOP; RAISE EXCEPTION 'at the end'; END $$",
        ],
    ),
    (
        "notices of statements",
        &[
            "DROP TABLE IF EXISTS nowhere",
            "CREATE TABLE IF NOT EXISTS own_rows ()",
            "ROLLBACK",
            "SELECT 1 AS an_identifier_that_is_much_longer_than_sixty_three_bytes_and_is_cut_off_with_a_notice",
        ],
    ),
];

/// Formats that do not exist, or not in that number; types that are not known, or not yet; statements of a failed transaction.
fn parameters() -> [(&'static str, Script); 3] {
    let one = 1_i32.to_be_bytes();
    let formats = [
        (&[2][..], &[][..]),
        (&[0, 0], &[]),
        (&[], &[2]),
        (&[], &[0, 0]),
        (&[1], &[1]),
        (&[65535], &[65535]),
    ];
    let formats = formats.iter().fold(Script::new(), |script, (given, wanted)| {
        let bound = Frames::new().parse_typed("", "SELECT $1", &[23]);
        script.step(
            bound
                .bind_formats("", "", given, &[Some(&one)], wanted)
                .describe_portal("")
                .execute("", 0)
                .sync(),
        )
    });
    let types = Script::new()
        .step(Frames::new().parse("", "SELECT $1").describe_statement("").sync())
        .step(Frames::new().parse("", "SELECT $2").describe_statement("").sync())
        .step(Frames::new().parse("", "SELECT $1 + $2").describe_statement("").sync())
        .step(Frames::new().parse_typed("", "SELECT $1", &[4_000_000_000]).sync())
        .step(Frames::new().parse_typed("", "SELECT $1", &[0]).describe_statement("").sync())
        .step(Frames::new().parse_typed("", "SELECT $1, $2", &[23]).describe_statement("").sync())
        .step(Frames::new().parse("", "SELECT $99999").sync())
        .step(
            Frames::new()
                .parse("", "INSERT INTO own_rows VALUES ($1, $2, $3)")
                .describe_statement("")
                .sync(),
        );
    let aborted = Script::new()
        .query("BEGIN")
        .step(Frames::new().parse("in", "SELECT $1::int").sync())
        .step(Frames::new().bind("p", "in", &["x"]).sync())
        .step(Frames::new().bind("", "in", &["1"]).execute("", 0).sync())
        .step(Frames::new().parse("", "SELECT 1").sync())
        .step(Frames::new().describe_statement("in").sync())
        .step(Frames::new().extended("ROLLBACK", &[]).sync())
        .step(Frames::new().bind("", "in", &["1"]).execute("", 0).sync());
    [("formats", formats), ("types of parameters", types), ("a failed transaction", aborted)]
}

/// Requests of the extended protocol that fail, and what shows how the session is.
fn extended() -> Vec<Case> {
    let unknown = Script::new()
        .step(Frames::new().bind("", "unknown", &[]).sync())
        .step(Frames::new().describe_statement("unknown").sync())
        .step(Frames::new().describe_portal("unknown").sync())
        .step(Frames::new().execute("unknown", 0).sync())
        .step(Frames::new().execute("", 0).sync())
        .step(Frames::new().close_statement("unknown").close_portal("unknown").sync())
        .step(Frames::new().bind("", "", &[]).sync());
    let twice = Script::new()
        .step(Frames::new().parse("own", "SELECT 1").parse("own", "SELECT 2").sync())
        .step(Frames::new().bind("", "own", &[]).execute("", 0).sync())
        .step(Frames::new().bind("p", "own", &[]).bind("p", "own", &[]).sync())
        .step(
            Frames::new()
                .parse("", "SELECT 3")
                .parse("", "SELECT 4")
                .bind("", "", &[])
                .execute("", 0)
                .sync(),
        );
    let counts = ["", "1", "1 2 3"].iter().fold(Script::new(), |script, values| {
        let values: Vec<_> = values.split_whitespace().collect();
        script
            .step(
                Frames::new()
                    .parse("", "SELECT $1::int, $2::int")
                    .bind("", "", &values)
                    .execute("", 0)
                    .sync(),
            )
            .step(
                Frames::new()
                    .parse("two", "SELECT $1::int, $2::int")
                    .bind("", "two", &values)
                    .execute("", 0)
                    .sync(),
            )
            .step(Frames::new().bind("", "two", &values).sync())
            .step(Frames::new().close_statement("two").sync())
    });
    let skipped = Script::new()
        .step(
            Frames::new()
                .extended("SELECT 1", &[])
                .extended("SELECT 1 / 0", &[])
                .extended("SELECT 2", &[])
                .parse("s", "SELECT 3")
                .sync(),
        )
        .step(Frames::new().bind("", "s", &[]).sync())
        .until(
            Frames::new().extended("SELECT 1 / 0", &[]).query("SELECT 'skipped'").sync(),
            Until::Ready(1),
        )
        .until(Frames::new().sync().sync().sync(), Until::Ready(3))
        .until(Frames::new().extended("SELEC", &[]).flush(), Until::Flushed(4))
        .step(Frames::new().extended("SELECT 'skipped'", &[]).sync());
    [
        ("unknown names", unknown),
        ("names used twice", twice),
        ("wrong numbers of parameters", counts),
        ("what follows an error", skipped),
    ]
    .into_iter()
    .chain(parameters())
    .map(|(name, script)| Case::new(format!("errors: {name}"), script.query("SELECT 'end'")))
    .collect()
}

/// Frames that no driver sends and that PostgreSQL has an answer to, which Howdah passes on.
fn violations() -> [(&'static str, Frames); 5] {
    [
        ("Execute without a limit", Frames::new().frame(b'E', b"\0").sync()),
        ("Execute with more", Frames::new().frame(b'E', b"\0\0\0\0\0more").sync()),
        (
            "Bind with a length beyond its end",
            Frames::new()
                .parse("", "SELECT $1::text")
                .frame(b'B', b"\0\0\0\0\0\x01\0\0\xff\xffx")
                .sync(),
        ),
        (
            "Bind with more",
            Frames::new().parse("", "SELECT 1").frame(b'B', b"\0\0\0\0\0\0\0\0more").sync(),
        ),
        (
            "COPY data for nobody",
            Frames::new().copy_data(b"nobody\n").copy_done().copy_fail("nobody").sync(),
        ),
    ]
}

/// Frames that cannot be read: PostgreSQL refuses them and may go on, Howdah refuses them and ends the session.
fn unreadable() -> [(&'static str, Frames); 8] {
    [
        ("Describe of neither", Frames::new().frame(b'D', b"X\0").sync()),
        ("Close of neither", Frames::new().frame(b'C', b"X\0").sync()),
        ("Describe without a name", Frames::new().frame(b'D', b"S").sync()),
        ("an empty Describe", Frames::new().frame(b'D', b"").sync()),
        ("Parse without an end", Frames::new().frame(b'P', b"name").sync()),
        (
            "Parse with too few types",
            Frames::new().frame(b'P', b"\0SELECT 1\0\0\x05\0\0\0\x17").sync(),
        ),
        ("Bind without an end", Frames::new().frame(b'B', b"\0").sync()),
        ("Query without an end", Frames::new().frame(b'Q', b"SELECT 1")),
    ]
}

/// Bytes after which PostgreSQL hears no more. Howdah may say why.
fn deadly() -> [(&'static str, Frames); 7] {
    [
        ("an unknown kind", Frames::new().frame(b'y', b"")),
        ("a server's kind", Frames::new().frame(b'Z', b"I")),
        ("a password after the login", Frames::new().frame(b'p', b"secret\0")),
        ("a length below four", Frames::new().bytes(&[b'Q', 0, 0, 0, 3])),
        ("a negative length", Frames::new().bytes(&[b'Q', 255, 255, 255, 255])),
        ("zeros", Frames::new().bytes(&[0; 16])),
        (
            "Query in the middle of COPY",
            Frames::new().query("COPY own_copied FROM STDIN").query("SELECT 1"),
        ),
    ]
}

/// All frames that break the protocol, each in a session of its own.
fn broken() -> Vec<Case> {
    let before = || Script::new().query("SELECT 'before'");
    let mut cases = Vec::new();
    for (name, frames) in violations() {
        cases.push(Case::new(name, before().step(frames).query("SELECT 'after'")).of_fate());
    }
    for (name, frames) in unreadable() {
        cases.push(Case::new(name, before().step(frames).query("SELECT 'after'")).of_refusal());
    }
    for (name, frames) in deadly() {
        cases.push(Case::new(name, before().until(frames, Until::Closed)).of_refusal());
    }
    cases.into_iter().map(Case::writing).collect()
}

/// Large and many.
fn sizes() -> Vec<Case> {
    let columns = |count: usize| (1..=count).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let parameters =
        |count: usize| (1..=count).map(|n| format!("${n}::int")).collect::<Vec<_>>().join(", ");
    let many: Vec<_> = vec!["1"; 1600];
    let name = "n".repeat(3000);
    let wide = Script::new()
        .query(&format!("SELECT {}", columns(1600)))
        .query(&format!("SELECT {}", columns(1665)))
        .step(Frames::new().extended(&format!("SELECT {}", columns(1600)), &[]).sync())
        .step(Frames::new().extended(&format!("SELECT {}", parameters(1600)), &many).sync());
    let large = Script::new()
        .query("SELECT repeat('large ', 200000), n FROM generate_series(1, 3) AS n")
        .query("SELECT n, 'row' FROM generate_series(1, 20000) AS n")
        .step(Frames::new().extended("SELECT $1, length($1)", &[&"x".repeat(700_000)]).sync())
        .step(
            Frames::new()
                .parse("", "SELECT n FROM generate_series(1, 5000) AS n")
                .bind("", "", &[])
                .execute("", 4000)
                .execute("", 0)
                .sync(),
        );
    let long = Script::new()
        .step(
            Frames::new().parse(&name, "SELECT 1").bind(&name, &name, &[]).execute(&name, 0).sync(),
        )
        .step(Frames::new().bind("", &name, &[]).execute("", 0).close_statement(&name).sync())
        .step(Frames::new().bind("", &name, &[]).sync());
    [("many columns", wide), ("large values", large), ("long names", long)]
        .into_iter()
        .map(|(name, script)| Case::new(name, script))
        .collect()
}

/// All of them.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, queries) in KINDS {
        cases.push(Case::queries(format!("errors by simple query: {name}"), queries).writing());
        cases.push(Case::extended(format!("errors by extended query: {name}"), queries).writing());
    }
    cases.extend(extended());
    cases.extend(broken());
    cases.extend(sizes());
    cases
}
