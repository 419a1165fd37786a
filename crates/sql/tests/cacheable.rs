//! What the answer to a text depends on, by table.
#![allow(clippy::expect_used, reason = "tests")]

use howdah_sql::{Given, Reading, Unkept, shape};

/// `table[column=value,value;column=…]`, one for each reading.
fn told(sql: &str) -> String {
    let shape = match shape(sql) {
        Ok(shape) => shape,
        Err(unkept) => return format!("{unkept:?}"),
    };
    let reading = |reading: &Reading| {
        let equalities = reading.equalities.iter().map(|equality| {
            let values = equality.values.iter().map(|value| {
                let given = match &value.given {
                    Given::Parameter(number) => format!("${number}"),
                    Given::Elements(number) => format!("*{number}"),
                    Given::Number(text) => text.to_string(),
                    Given::Text(text) => format!("'{text}'"),
                    Given::NumberAt(at) | Given::TextAt(at) => format!("#{at}"),
                    Given::Boolean(truth) => truth.to_string(),
                };
                value.cast.as_ref().map_or_else(|| given.clone(), |cast| format!("{given}:{cast}"))
            });
            format!("{}={}", equality.column, values.collect::<Vec<_>>().join(","))
        });
        let equalities = equalities.collect::<Vec<_>>().join(";");
        let query = if reading.may_be_query { "?" } else { "" };
        format!("{}{query}[{equalities}]", reading.table.name)
    };
    shape.readings.iter().map(reading).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(rows: &[(&str, &str)]) {
    for (sql, expected) in rows {
        assert_eq!(told(sql), *expected, "{sql}");
    }
}

#[test]
fn equalities_restrict_what_is_read() {
    check(&[
        ("SELECT 1", ""),
        ("SELECT * FROM t", "t[]"),
        ("SELECT * FROM t WHERE id = $1", "t[id=$1]"),
        ("SELECT * FROM s.t AS x WHERE x.id = 7", "t[id=7]"),
        ("SELECT * FROM t WHERE 'a' = name AND b = true", "t[name='a';b=true]"),
        ("SELECT * FROM t WHERE id = $1::int8", "t[id=$1:int8]"),
        ("SELECT * FROM t WHERE id = -5", "t[id=-5]"),
        ("SELECT * FROM t WHERE id IN (1, 2, $3)", "t[id=1,2,$3]"),
        ("SELECT * FROM t WHERE id = ANY($1)", "t[id=*1]"),
        ("SELECT * FROM t WHERE id = ANY(ARRAY[1, 2])", "t[id=1,2]"),
        ("SELECT max(v) FROM t WHERE k = $1 AND v > 3 GROUP BY w HAVING count(*) > 1", "t[k=$1]"),
        ("SELECT * FROM t WHERE k = $1 ORDER BY v LIMIT 3 OFFSET 2", "t[k=$1]"),
        ("SELECT count(*) FROM (SELECT * FROM t WHERE id = $1) x", "t[id=$1]"),
        ("WITH x AS (SELECT * FROM t WHERE id = $1) SELECT * FROM x", "t[id=$1] x?[]"),
        ("WITH t AS (SELECT * FROM t WHERE id = $1) SELECT * FROM t", "t?[] t?[]"),
        ("SELECT * FROM t WHERE id = 1 UNION SELECT * FROM u WHERE id = 2", "t[id=1] u[id=2]"),
    ]);
}

#[test]
fn what_is_no_equality_restricts_nothing() {
    check(&[
        ("SELECT * FROM t WHERE id = 1 OR id = 2", "t[]"),
        ("SELECT * FROM t WHERE NOT (id = 1)", "t[]"),
        ("SELECT * FROM t WHERE id <> 1", "t[]"),
        ("SELECT * FROM t WHERE id = v", "t[]"),
        ("SELECT * FROM t WHERE id = NULL", "t[]"),
        ("SELECT * FROM t WHERE id NOT IN (1, 2)", "t[]"),
        ("SELECT * FROM t WHERE id = ALL($1)", "t[]"),
        ("SELECT * FROM t WHERE id IS NOT DISTINCT FROM 1", "t[]"),
        ("SELECT * FROM t WHERE lower(name) = 'a'", "t[]"),
        ("SELECT * FROM t WHERE id = $1::numeric(3)", "t[]"),
        ("SELECT * FROM t WHERE id OPERATOR(pg_catalog.=) 1", "t[]"),
        ("SELECT * FROM t x(a) WHERE a = 1", "t[]"),
        ("SELECT id = 1 FROM t", "t[]"),
        ("SELECT * FROM t, u WHERE id = 1", "t[] u[]"),
    ]);
}

#[test]
fn joins_pass_equalities_on() {
    check(&[
        ("SELECT * FROM a JOIN b ON b.a = a.id WHERE a.id = $1", "a[id=$1] b[a=$1]"),
        (
            "SELECT * FROM a, b, c WHERE b.a = a.id AND c.b = b.a AND c.b = 3",
            "a[id=3] b[a=3] c[b=3]",
        ),
        ("SELECT * FROM a JOIN b ON a.x = 1 AND b.y = 2", "a[x=1] b[y=2]"),
        // The side that may be missing is restricted by the condition, the other one is not.
        ("SELECT * FROM a LEFT JOIN b ON b.a = a.id WHERE a.id = $1", "a[id=$1] b[a=$1]"),
        ("SELECT * FROM a LEFT JOIN b ON b.a = a.id AND a.id = 5", "a[] b[a=5]"),
        ("SELECT * FROM a LEFT JOIN b ON b.a = a.id AND b.a = 5", "a[] b[a=5]"),
        ("SELECT * FROM a LEFT JOIN b ON b.a = a.id WHERE b.a = 5", "a[] b[a=5]"),
        ("SELECT * FROM a RIGHT JOIN b ON b.a = a.id WHERE b.a = 5", "a[id=5] b[a=5]"),
        ("SELECT * FROM a RIGHT JOIN b ON b.a = a.id AND b.a = 5", "a[id=5] b[]"),
        ("SELECT * FROM a FULL JOIN b ON b.a = a.id WHERE b.a = 5", "a[] b[]"),
        (
            "SELECT * FROM a LEFT JOIN (b JOIN c ON c.b = b.id) ON b.a = a.id WHERE a.id = 1",
            "a[id=1] b[a=1] c[]",
        ),
        ("SELECT * FROM a JOIN a b ON a.id = b.up WHERE a.id = 1", "a[id=1] a[up=1]"),
    ]);
}

#[test]
fn queries_inside_have_their_own() {
    check(&[
        ("SELECT * FROM a WHERE EXISTS (SELECT FROM b WHERE b.x = 1 AND b.a = a.id)", "a[] b[x=1]"),
        ("SELECT * FROM a WHERE id IN (SELECT a FROM b WHERE x = $1)", "a[] b[x=$1]"),
        ("SELECT (SELECT max(v) FROM b WHERE k = 1) FROM a WHERE id = 2", "a[id=2] b[k=1]"),
        // Where nobody looks, every relation is read without restriction.
        (
            "SELECT coalesce((SELECT v FROM b WHERE k = 1), 2) FROM a WHERE id = 2",
            "a[id=2] b[] a[]",
        ),
        ("SELECT * FROM a ORDER BY (SELECT 1 FROM b)", "a[] a[] b[]"),
    ]);
}

#[test]
fn what_may_change_by_itself_is_refused() {
    for (sql, expected) in [
        ("SELEC", Unkept::Unparsed),
        ("SELECT 1; SELECT 2", Unkept::Several),
        ("", Unkept::Several),
        ("UPDATE t SET a = 1", Unkept::NotQuery),
        ("EXPLAIN SELECT 1", Unkept::NotQuery),
        ("SELECT * FROM t FOR UPDATE", Unkept::Writes),
        ("SELECT 1 INTO t", Unkept::Writes),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", Unkept::Writes),
        ("SELECT CURRENT_DATE", Unkept::Clock),
        ("SELECT * FROM t WHERE at < LOCALTIMESTAMP", Unkept::Clock),
        ("SELECT CURRENT_USER", Unkept::Clock),
        ("SELECT 'now'::timestamptz", Unkept::Clock),
        ("SELECT * FROM t WHERE day = ' Today '", Unkept::Clock),
        ("SELECT * FROM t TABLESAMPLE bernoulli(1)", Unkept::Construct("RangeTableSample")),
        ("SELECT xmlelement(name a)", Unkept::Construct("XmlExpr")),
        ("SELECT (a || b)::date FROM t", Unkept::ClockCast),
        ("SELECT coalesce(a, b)::timestamp FROM t", Unkept::ClockCast),
        ("SELECT * FROM pg_temp.t", Unkept::Temporary),
    ] {
        assert_eq!(shape(sql), Err(expected), "{sql}");
        assert!(!expected.to_string().is_empty());
    }
}

#[test]
fn casts_of_columns_to_dates_are_told() {
    let casts = |sql: &str| shape(sql).map(|shape| shape.clock_casts.join(","));
    for (sql, expected) in [
        ("SELECT at::date FROM t", "at"),
        ("SELECT cast(t.at AS timestamp with time zone), id::int FROM t", "at"),
        ("SELECT at::text::date FROM t", "ClockCast"),
        ("SELECT '2020-01-01'::date, $1::timestamptz", ""),
        ("SELECT id::int8 FROM t WHERE name::text = 'know'", ""),
    ] {
        let found = casts(sql).unwrap_or_else(|unkept| format!("{unkept:?}"));
        assert_eq!(found, expected, "{sql}");
    }
}

#[test]
fn every_relation_that_is_named_is_read() {
    for sql in [
        "SELECT * FROM a, LATERAL (SELECT * FROM b WHERE b.x = a.x) y JOIN c USING (id)",
        "SELECT CASE WHEN EXISTS (SELECT FROM b) THEN (SELECT 1 FROM c) END FROM a",
        "WITH RECURSIVE r AS (SELECT * FROM a UNION ALL SELECT b.* FROM b JOIN r ON b.up = r.id) SELECT * FROM r, c",
        "SELECT array(SELECT x FROM a), (SELECT count(*) FILTER (WHERE x IN (SELECT y FROM b)) FROM c)",
        "VALUES ((SELECT 1 FROM a)), ((SELECT 2 FROM b)), ((SELECT 3 FROM c))",
    ] {
        let shape = shape(sql).expect("it can be kept");
        for name in ["a", "b", "c"] {
            assert!(
                shape.readings.iter().any(|reading| *reading.table.name == *name),
                "{name}: {sql}"
            );
        }
    }
}

#[test]
fn parameters_that_are_used_twice_are_told() {
    let shape = shape("SELECT * FROM t WHERE a = $1 AND b = $2 AND c > $1::numeric AND d = $3")
        .expect("it can be kept");
    assert_eq!(*shape.repeated, [1]);
}
