//! COPY in both directions: text, CSV and binary, data split at any place, and everything that can go wrong on the way.

use howdah_tests::raw::Frames;
use howdah_tests::{Script, Until};

use crate::corpus::Case;

const ROWS: &str = "SELECT n AS a, CASE n WHEN 2 THEN NULL WHEN 3 THEN '' ELSE E'x\\t\"y\",\\n\\\\z' END AS b, \
    n::float8 / 3 AS c, decode(repeat('5c', n), 'hex') AS d FROM generate_series(1, 4) AS n";
const FORMATS: &[&str] = &[
    "",
    "(FORMAT csv)",
    "(FORMAT csv, HEADER)",
    "(FORMAT csv, DELIMITER ';', QUOTE '''', ESCAPE '\\', NULL 'nil')",
    "(FORMAT csv, FORCE_QUOTE *)",
    "(HEADER)",
    "(DELIMITER '|', NULL '')",
    "(FORMAT binary)",
    "(ENCODING 'LATIN1')",
    "(FORMAT binary, HEADER)",
    "(FORMAT nothing)",
    "(DELIMITER 'ab')",
];
/// Data for `own_copied` as text, good and bad.
const DATA: &[&str] = &[
    "",
    "1\tone\t1.5\t\\\\x00\n",
    "1\tone\t1.5\t\\\\x00\n2\t\\N\t\\N\t\\N\n",
    "1\tone\t1.5\t\\\\x00",
    "1\tone\t1.5\t\\\\x00\n\\.\n",
    "1\tone\t1.5\t\\\\x00\n\\.\nmore",
    "1\tone\n",
    "1\tone\t1.5\t\\\\x00\textra\n",
    "x\tone\t1.5\t\\\\x00\n",
    "1\tone\tx\t\\\\x00\n",
    "1\tone\t1\t\\\\x0\n",
    "1\tone\r\n",
    "1\tt\\two\t2\tesc\\134\n",
];

/// The data in frames of this size.
fn split(frames: Frames, data: &[u8], size: usize) -> Frames {
    data.chunks(size).fold(frames, Frames::copy_data)
}

fn out() -> Vec<Case> {
    let mut cases = Vec::new();
    for format in FORMATS {
        let sql = format!("COPY ({ROWS}) TO STDOUT {format}");
        let script = Script::new()
            .query(&sql)
            .step(Frames::new().extended(&sql, &[]).sync())
            .query(&format!("SELECT 1; {sql}; SELECT 2"))
            .until(
                Frames::new().parse("c", &sql).bind("", "c", &[]).execute("", 1).flush(),
                Until::Nothing,
            )
            .step(Frames::new().sync())
            .step(Frames::new().execute_prepared("c", &[]).execute_prepared("c", &[]).sync());
        cases.push(Case::new(format!("COPY TO {format}"), script));
    }
    cases
}

fn back() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, data) in DATA.iter().enumerate() {
        let sql = "COPY own_copied FROM STDIN";
        let mut script = Script::new();
        for size in [1, 3, 1000] {
            let simple = split(Frames::new().query(sql), data.as_bytes(), size).copy_done();
            let extended = split(Frames::new().extended(sql, &[]), data.as_bytes(), size);
            script = script
                .step(simple)
                .step(extended.copy_done().sync())
                .query("SELECT * FROM own_copied ORDER BY a, b; DELETE FROM own_copied");
        }
        cases.push(Case::new(format!("COPY FROM, data {number}"), script).writing());
    }
    for format in FORMATS {
        let sql = format!("COPY own_copied FROM STDIN {format}");
        let data = b"a,b,c,d\n1,one,2,\\x00\n";
        let script = Script::new()
            .step(Frames::new().query(&sql).copy_data(data).copy_done())
            .step(Frames::new().extended(&sql, &[]).copy_data(data).copy_done().sync())
            .query("SELECT * FROM own_copied");
        cases.push(Case::new(format!("COPY FROM {format}"), script).writing());
    }
    cases
}

/// A binary stream with these rows of one `int4`.
fn binary(rows: &[i32]) -> Vec<u8> {
    let mut stream = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for row in rows {
        stream.extend_from_slice(&[0, 1, 0, 0, 0, 4]);
        stream.extend_from_slice(&row.to_be_bytes());
    }
    stream.extend_from_slice(&[255, 255]);
    stream
}

fn binaries() -> Case {
    let sql = "COPY own_copied (a) FROM STDIN (FORMAT binary)";
    let whole = binary(&[1, -1, i32::MAX]);
    let short = &whole[..whole.len() - 5];
    let script =
        [&whole[..], short, b"PGCOPY", b"", &[0; 30]].iter().fold(Script::new(), |script, data| {
            script
                .step(split(Frames::new().query(sql), data, 7).copy_done())
                .step(split(Frames::new().extended(sql, &[]), data, 64).copy_done().sync())
                .query("SELECT a FROM own_copied ORDER BY a; DELETE FROM own_copied")
        });
    Case::new("COPY FROM binary", script).writing()
}

/// Everything around the data.
fn surprises() -> Case {
    let sql = "COPY own_copied (a) FROM STDIN";
    let script = Script::new()
        .step(Frames::new().query(sql).copy_data(b"1\n").copy_fail("changed my mind"))
        .step(Frames::new().extended(sql, &[]).copy_data(b"1\n").copy_fail("again").sync())
        .step(Frames::new().query(sql).flush().copy_data(b"1\n").sync().copy_done())
        .step(
            Frames::new()
                .query(&format!("{sql}; SELECT count(*) FROM own_copied; {sql}; SELECT 'end'"))
                .copy_data(b"1\n")
                .copy_done()
                .copy_data(b"2\n")
                .copy_done(),
        )
        .step(
            Frames::new()
                .query(&format!("{sql}; SELECT 1 / 0; SELECT 'no'"))
                .copy_data(b"1\n")
                .copy_done(),
        )
        .query("SELECT count(*) FROM own_copied")
        .query("BEGIN")
        .step(Frames::new().query(sql).copy_data(b"3\n").copy_done())
        .step(Frames::new().query(sql).copy_data(b"x\n").copy_done())
        .query("SELECT 1")
        .query("ROLLBACK")
        .step(
            Frames::new()
                .query("COPY own_rows (id, note) FROM STDIN")
                .copy_data(b"1\ttwice\n")
                .copy_done(),
        )
        .step(
            Frames::new()
                .query("COPY own_rows (id, note) FROM STDIN")
                .copy_data(b"8\tbad\n")
                .copy_done(),
        )
        .step(Frames::new().query("COPY nowhere FROM STDIN").copy_data(b"8\tbad\n").copy_done())
        .query("COPY nowhere TO STDOUT")
        .query("COPY own_rows (nothing) TO STDOUT")
        .query("SELECT 'end'");
    Case::new("COPY with surprises", script).writing()
}

/// All of them.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = out();
    cases.extend(back());
    cases.push(binaries());
    cases.push(surprises());
    cases
}
