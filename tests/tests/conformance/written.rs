//! Conversations by hand, each with a rig of its own.

use howdah_tests::raw::Frames;
use howdah_tests::{Rig, Script, Until};

#[test]
fn simple_queries() {
    let rig = Rig::start();
    let script = [
        "SELECT 1",
        "",
        ";",
        ";;  ;",
        "-- only a comment",
        "/* only /* a nested */ comment */",
        "SELECT 1; SELECT 2; ; SELECT 3",
        "SELECT NULL, '', 'ünïcödé', 1.5, true, ARRAY[1, 2], '{\"a\": 1}'::jsonb, E'\\\\x00ff'::bytea",
        "SELECT * FROM generate_series(1, 1000)",
        "SELECT",
        "SELECT FROM generate_series(1, 3)",
        "VALUES (1, 'a'), (2, 'b')",
        "SELEC 1",
        "SELECT 1; SELEC 2",
        "SELECT 1; SELECT 1 / 0; SELECT 2",
        "SELECT $1",
        "SELECT 'unterminated",
        "SELECT \"unterminated",
        "SELECT $$unterminated",
        "SELECT $tag$ dollar; quoted 'text' $tag$; SELECT 'next'",
        "SELECT E'a\\';b'; SELECT 'c;d'",
        "SELECT 'a' -- comment; with semicolon\n, 'b'; SELECT 'c'",
        "EXPLAIN (COSTS off) SELECT 1",
        "SHOW server_version",
        "SHOW no_such_setting",
        "TABLE no_such_table",
        "SELECT no_such_function()",
        "CREATE TABLE a (id int PRIMARY KEY, note text NOT NULL CHECK (note <> 'bad'))",
        "INSERT INTO a VALUES (1, 'one'), (2, 'two') RETURNING id + 0, note || ''",
        "INSERT INTO a VALUES (1, 'again')",
        "INSERT INTO a VALUES (3, 'bad')",
        "INSERT INTO a (id) VALUES (4)",
        "UPDATE a SET note = 'x' WHERE id = 99",
        "DELETE FROM a WHERE id = 1 RETURNING note || ''",
        "MERGE INTO a USING (VALUES (2)) AS v (id) ON a.id = v.id WHEN MATCHED THEN UPDATE SET note = 'merged'",
        "TRUNCATE a",
        "CREATE TABLE IF NOT EXISTS a ()",
        "DROP TABLE IF EXISTS no_such_table",
        "DROP TABLE a",
        "VACUUM",
        "ANALYZE",
        "CHECKPOINT",
        "SELECT pg_sleep(0.01)",
        "SELECT current_database() IS NOT NULL, current_user, session_user",
    ]
    .iter()
    .fold(Script::new(), |script, sql| script.query(sql));
    rig.same_as_direct("DROP TABLE IF EXISTS a", &script);
}

#[test]
fn transactions() {
    let rig = Rig::start();
    let script = [
        "COMMIT",
        "ROLLBACK",
        "BEGIN",
        "BEGIN",
        "SELECT 1",
        "SELECT 1 / 0",
        "SELECT 1",
        "COMMIT",
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY DEFERRABLE",
        "SHOW transaction_isolation",
        "CREATE TABLE no_way ()",
        "ROLLBACK",
        "BEGIN; SELECT 1; COMMIT; SELECT 2",
        "BEGIN; SELECT 1 / 0; COMMIT",
        "SELECT 'in the failed transaction'",
        "END",
        "SELECT 1; BEGIN; SELECT 2",
        "COMMIT AND CHAIN",
        "SELECT 'chained'",
        "ROLLBACK AND NO CHAIN",
        "COMMIT AND CHAIN",
        "SAVEPOINT outside",
        "BEGIN",
        "SAVEPOINT \"Quoted Name\"",
        "SELECT 1 / 0",
        "ROLLBACK TO \"Quoted Name\"",
        "RELEASE \"Quoted Name\"",
        "RELEASE nothing",
        "ABORT",
        "START TRANSACTION READ ONLY; SELECT 1",
        "SET TRANSACTION READ WRITE",
        "PREPARE TRANSACTION 'two phases'",
        "SET LOCAL work_mem = '5MB'",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SELECT 'end'",
    ]
    .iter()
    .fold(Script::new(), |script, sql| script.query(sql));
    rig.same_as_direct("", &script);
}

#[test]
fn notices_and_errors_with_all_their_fields() {
    let rig = Rig::start();
    let script = [
        "DO $$ BEGIN RAISE NOTICE 'hello %', 1; RAISE WARNING 'careful' USING HINT = 'a hint', DETAIL = 'a detail'; END $$",
        "DO $$ BEGIN RAISE EXCEPTION 'own' USING ERRCODE = 'ZZ001', HINT = 'h', DETAIL = 'd', TABLE = 't', SCHEMA = 's', COLUMN = 'c', DATATYPE = 'y', CONSTRAINT = 'k'; END $$",
        "DO $$ BEGIN FOR n IN 1..200 LOOP RAISE NOTICE 'number %', n; END LOOP; END $$",
        "SET client_min_messages = debug1",
        "CREATE TABLE e (a int PRIMARY KEY)",
        "DROP TABLE e",
        "RESET client_min_messages",
        "DO $$ BEGIN RAISE NOTICE '%', repeat('long ', 20000); END $$",
        "DO $$ BEGIN RAISE EXCEPTION '%', repeat('long ', 20000); END $$",
        "SELECT 'still here'",
        "SELECT 1 WHERE 'x' = nothing",
        "DO $$ BEGIN PERFORM 1 / 0; END $$",
    ]
    .iter()
    .fold(Script::new(), |script, sql| script.query(sql));
    rig.same_as_direct("", &script);
}

#[test]
fn an_error_of_several_megabytes() {
    let rig = Rig::start();
    let script = Script::new()
        .query("DO $$ BEGIN RAISE EXCEPTION '%', repeat('huge ', 1000000); END $$")
        .query("SELECT 'still here'")
        .query("DO $$ BEGIN RAISE NOTICE '%', repeat('huge ', 1000000); END $$")
        .query("SELECT 'still here'");
    rig.same_as_direct("", &script);
}

#[test]
fn a_statement_of_several_megabytes() {
    let rig = Rig::start();
    let text = "x".repeat(3_000_000);
    let script = Script::new()
        .query(&format!("SELECT length('{text}')"))
        .step(Frames::new().extended(&format!("SELECT length('{text}')"), &[]).sync())
        .step(Frames::new().extended("SELECT length($1), $1", &[&text]).sync())
        .step(Frames::new().parse("large", &format!("SELECT length('{text}') + $1::int")).sync())
        .step(Frames::new().execute_prepared("large", &["1"]).sync())
        .step(Frames::new().execute_prepared("large", &["2"]).sync())
        .query("SELECT 'end'");
    rig.same_as_direct("", &script);
}

#[test]
fn formats_and_parameters() {
    let rig = Rig::start();
    let one = 1_i32.to_be_bytes();
    let (int, text, bytes) = (23, 25, 17);
    let script = Script::new()
        .step(
            Frames::new()
                .parse_typed("", "SELECT $1, $2, $3", &[int, text, bytes])
                .bind_formats(
                    "",
                    "",
                    &[1, 0, 1],
                    &[Some(&one), Some(b"two"), Some(b"\0\xff")],
                    &[1, 0, 1],
                )
                .describe_portal("")
                .execute("", 0)
                .sync(),
        )
        .step(
            Frames::new()
                .parse_typed("", "SELECT $1, $2", &[int, text])
                .bind_formats("", "", &[1], &[Some(&one), None], &[1])
                .describe_portal("")
                .execute("", 0)
                .sync(),
        )
        .step(
            Frames::new()
                .parse("", "SELECT $1::int[], $2::jsonb")
                .bind("", "", &["{1,2}", "{\"a\":null}"])
                .execute("", 0)
                .sync(),
        )
        .step(Frames::new().parse("", "SELECT $1::int").bind("", "", &[]).execute("", 0).sync())
        .step(
            Frames::new()
                .parse("", "SELECT $1::int")
                .bind("", "", &["1", "2"])
                .execute("", 0)
                .sync(),
        )
        .step(
            Frames::new().parse("", "SELECT $1::int").bind("", "", &["one"]).execute("", 0).sync(),
        )
        .step(
            Frames::new()
                .parse_typed("", "SELECT $1", &[int])
                .bind_formats("", "", &[1], &[Some(b"xyz")], &[])
                .execute("", 0)
                .sync(),
        )
        .step(Frames::new().parse("", "SELECT 1; SELECT 2").sync())
        .step(
            Frames::new().parse("", "").bind("", "", &[]).describe_portal("").execute("", 0).sync(),
        )
        .step(
            Frames::new()
                .parse("", "SELECT 1, 2")
                .bind_formats("", "", &[], &[], &[1, 0])
                .describe_portal("")
                .execute("", 0)
                .sync(),
        )
        .step(
            Frames::new()
                .parse("", "SELECT 1, 2")
                .bind_formats("", "", &[], &[], &[1, 0, 1])
                .execute("", 0)
                .sync(),
        );
    rig.same_as_direct("", &script);
}

#[test]
fn function_calls() {
    let rig = Rig::start();
    // int4pl and text length by their object ids, which are the same in all installations.
    let (plus, length, unknown) = (177, 1257, 999_999_999);
    let script = Script::new()
        .step(Frames::new().function_call(plus, &["40", "2"]))
        .step(Frames::new().function_call(length, &["four"]))
        .step(Frames::new().function_call(unknown, &["x"]))
        .query("BEGIN")
        .step(Frames::new().function_call(plus, &["1", "many"]))
        .step(Frames::new().function_call(plus, &["1", "1"]))
        .query("ROLLBACK")
        .until(
            Frames::new().function_call(plus, &["1", "1"]).query("SELECT 'next'"),
            Until::Ready(2),
        );
    rig.same_as_direct("", &script);
}

#[test]
fn cursors() {
    let rig = Rig::start();
    let script = [
        "DECLARE c CURSOR FOR SELECT 1",
        "BEGIN; DECLARE c SCROLL CURSOR FOR SELECT * FROM generate_series(1, 10)",
        "FETCH 3 FROM c",
        "MOVE LAST IN c",
        "FETCH BACKWARD 2 FROM c",
        "FETCH ALL FROM c",
        "CLOSE c",
        "FETCH 1 FROM c",
        "ROLLBACK",
        "BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT * FROM generate_series(1, 10); COMMIT",
        "FETCH 3 FROM h",
        "FETCH 3 FROM h",
        "CLOSE ALL",
        "FETCH 3 FROM h",
    ]
    .iter()
    .fold(Script::new(), |script, sql| script.query(sql));
    rig.same_as_direct("", &script);
}

#[test]
fn session_statements() {
    let rig = Rig::start();
    let script = [
        "SET work_mem = '5MB'",
        "SHOW work_mem",
        "SET TimeZone = 'Europe/Berlin'",
        "SET TimeZone = 'Nowhere/Land'",
        "SET application_name = 'a''b'",
        "SET DateStyle = 'German'",
        "SELECT '2024-02-29'::date",
        "SET bytea_output = 'escape'",
        "SELECT '\\x00ff'::bytea",
        "SET extra_float_digits = 0",
        "SELECT 0.1::float8 * 3",
        "RESET ALL",
        "SELECT 0.1::float8 * 3, '2024-02-29'::date, '\\x00ff'::bytea",
        "SET ROLE role_a",
        "SET ROLE no_such_role",
        "SELECT current_user",
        "RESET ROLE",
        "SET SESSION AUTHORIZATION howdah",
        "SET no_such_setting = 1",
        "SET my.own = 1",
        "SHOW my.own",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "CREATE TABLE read_only ()",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SELECT set_config('work_mem', '6MB', true), current_setting('work_mem')",
        "SHOW work_mem",
        "BEGIN; SELECT set_config('work_mem', '6MB', true)",
        "SHOW work_mem",
        "COMMIT",
        "SHOW work_mem",
        "LISTEN here; NOTIFY here, 'self'",
        "UNLISTEN here",
        "DISCARD PLANS",
        "DISCARD SEQUENCES",
        "DISCARD TEMP",
        "DISCARD ALL",
        "SET NAMES 'LATIN1'",
        "SELECT chr(228)",
        "RESET client_encoding",
        "SET LOCAL work_mem = '7MB'; SHOW work_mem",
        "SHOW work_mem",
    ]
    .iter()
    .fold(Script::new(), |script, sql| script.query(sql));
    rig.same_as_direct("", &script);
}

#[test]
fn session_statements_by_extended_query() {
    let rig = Rig::start();
    let one = |sql: &str| Frames::new().extended(sql, &[]).sync();
    let script = Script::new()
        .step(one("SET work_mem = '5MB'"))
        .step(one("SHOW work_mem"))
        .step(
            Frames::new()
                .parse("set", "SET work_mem = '6MB'")
                .parse("show", "SHOW work_mem")
                .sync(),
        )
        .step(Frames::new().execute_prepared("set", &[]).execute_prepared("show", &[]).sync())
        .step(Frames::new().execute_prepared("show", &[]).sync())
        .step(Frames::new().execute_prepared("set", &[]).extended("SELECT 1 / 0", &[]).sync())
        .step(one("RESET work_mem"))
        .step(Frames::new().execute_prepared("set", &[]).extended("SELECT 1 / 0", &[]).sync())
        .step(one("SHOW work_mem"))
        .step(one("BEGIN"))
        .step(Frames::new().execute_prepared("set", &[]).sync())
        .step(one("ROLLBACK"))
        .step(Frames::new().execute_prepared("show", &[]).sync())
        .step(one("DISCARD ALL"))
        .step(Frames::new().execute_prepared("show", &[]).sync())
        .step(one("SELECT set_config('work_mem', '8MB', false)"))
        .step(one("SHOW work_mem"));
    rig.same_as_direct("", &script);
}
