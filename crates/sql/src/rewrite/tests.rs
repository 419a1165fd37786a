//! What each rule makes of a query, and what it leaves alone.

use super::{Rewrite, Rule, rewrites};

fn by(rule: Rule, sql: &str) -> Option<Rewrite> {
    rewrites(sql).into_iter().find(|rewrite| rewrite.rule == rule)
}

/// A rule, a query, and what becomes of it.
const TEXTS: &[(Rule, &str, &str)] = &[
    (
        Rule::NotIn,
        "SELECT id FROM a WHERE a.x NOT IN (SELECT y FROM b WHERE b.z > 3) AND a.k = 1",
        "SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.z > 3 AND b.y = a.x) AND a.k = 1",
    ),
    (
        Rule::OrAcrossColumns,
        "SELECT id, x FROM a WHERE k = 1 AND (x = 2 OR y = $1)",
        "SELECT id, x FROM a WHERE k = 1 AND x = 2 UNION ALL SELECT id, x FROM a WHERE k = 1 AND y = $1 AND x = 2 IS NOT TRUE",
    ),
    (
        Rule::FunctionOnColumn,
        "SELECT * FROM a WHERE made::date = '2024-05-01'",
        "SELECT * FROM a WHERE a.made >= '2024-05-01'::date AND a.made < '2024-05-01'::date + 1",
    ),
    (
        Rule::FunctionOnColumn,
        "SELECT * FROM a WHERE date_trunc('month', made) = '2024-05-01'",
        "SELECT * FROM a WHERE a.made >= '2024-05-01'::date AND a.made < ('2024-05-01'::date + '1 month'::interval)::date",
    ),
    (
        Rule::FunctionOnColumn,
        "SELECT * FROM a WHERE extract(year FROM made) = 2024",
        "SELECT * FROM a WHERE a.made >= '2024-01-01'::date AND a.made < '2025-01-01'::date",
    ),
    (
        Rule::CastOnColumn,
        "SELECT x FROM a WHERE id::text = '42'",
        "SELECT x FROM a WHERE a.id = 42",
    ),
    (Rule::CastOnColumn, "SELECT x FROM a WHERE id = 42.00", "SELECT x FROM a WHERE a.id = 42"),
    (
        Rule::CountToExist,
        "SELECT x FROM a WHERE (SELECT count(*) FROM b WHERE b.x = a.x) > 0",
        "SELECT x FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x)",
    ),
    (
        Rule::CountToExist,
        "SELECT x FROM a WHERE 0 = (SELECT count(*) FROM b WHERE b.x = a.x)",
        "SELECT x FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.x = a.x)",
    ),
    (
        Rule::CorrelatedSubquery,
        "SELECT a.id, (SELECT sum(b.y) FROM b WHERE b.x = a.id AND b.z > 1) FROM a",
        "SELECT a.id, howdah_all.howdah_value AS sum FROM a LEFT JOIN (SELECT b.x AS howdah_key, sum(b.y) AS howdah_value FROM b WHERE b.z > 1 GROUP BY b.x) howdah_all ON howdah_all.howdah_key = a.id",
    ),
    (
        Rule::CorrelatedSubquery,
        "SELECT a.id FROM a WHERE a.y > (SELECT count(*) FROM b WHERE a.id = b.x)",
        "SELECT a.id FROM a LEFT JOIN (SELECT b.x AS howdah_key, count(*) AS howdah_value FROM b GROUP BY b.x) howdah_all ON howdah_all.howdah_key = a.id WHERE a.y > COALESCE(howdah_all.howdah_value, 0)",
    ),
    (
        Rule::DistinctJoin,
        "SELECT DISTINCT a.id, a.x FROM a JOIN b ON b.x = a.id WHERE a.k > 1 AND b.z = 2",
        "SELECT DISTINCT a.id, a.x FROM a WHERE a.k > 1 AND EXISTS (SELECT 1 FROM b WHERE b.x = a.id AND b.z = 2)",
    ),
];

#[test]
fn each_rule_gives_the_text_that_it_promises() {
    for (rule, sql, expected) in TEXTS {
        let found = by(*rule, sql).unwrap_or_else(|| panic!("{rule:?} says nothing of {sql}"));
        assert_eq!(found.text.as_deref(), Some(*expected), "{sql}");
    }
}

#[test]
fn a_long_list_of_numbers_is_one_array() {
    let list =
        |count: i32| (0..count).map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
    let found =
        by(Rule::LongInList, &format!("SELECT x FROM a WHERE id IN ({})", list(60))).unwrap();
    assert_eq!(found.text.unwrap(), format!("SELECT x FROM a WHERE id = ANY(ARRAY[{}])", list(60)));
    let not =
        by(Rule::LongInList, &format!("SELECT x FROM a WHERE id NOT IN ({})", list(60))).unwrap();
    assert!(not.text.unwrap().contains("id <> ALL(ARRAY["));
    assert!(by(Rule::LongInList, &format!("SELECT x FROM a WHERE id IN ({})", list(20))).is_none());
    let words = (0..60).map(|number| format!("'{number}'")).collect::<Vec<_>>().join(", ");
    assert_eq!(
        by(Rule::LongInList, &format!("SELECT x FROM a WHERE id IN ({words})")).unwrap().text,
        None
    );
}

#[test]
fn what_only_a_person_can_decide_is_a_hint() {
    for (rule, sql) in [
        (Rule::Offset, "SELECT id FROM a ORDER BY id LIMIT 10 OFFSET 5000"),
        (Rule::Offset, "SELECT id FROM a ORDER BY id LIMIT 10 OFFSET $1"),
        (Rule::SelectStar, "SELECT * FROM a WHERE id = 1"),
        (Rule::LeadingWildcard, "SELECT id FROM a WHERE name LIKE '%son'"),
        (Rule::FunctionOnColumn, "SELECT id FROM a WHERE lower(name) = 'x'"),
        (Rule::FunctionOnColumn, "SELECT id FROM a WHERE date_trunc('month', made) = '2024-05-02'"),
        (Rule::FunctionOnColumn, "SELECT id FROM a WHERE made::date = $1"),
        (
            Rule::FunctionOnColumn,
            "SELECT a.id FROM a LEFT JOIN b ON a.id = b.id WHERE b.made::date = '2024-05-01'",
        ),
        (Rule::NotIn, "SELECT id FROM a WHERE x NOT IN (SELECT y FROM b LIMIT 3)"),
        (Rule::NotIn, "SELECT id FROM a WHERE x NOT IN (SELECT a.y FROM a)"),
        (Rule::NotIn, "SELECT id FROM a WHERE x + 1 NOT IN (SELECT y FROM b)"),
        (Rule::OrAcrossColumns, "SELECT count(*) FROM a WHERE x = 1 OR y = 2"),
        (Rule::OrAcrossColumns, "SELECT id FROM a WHERE x = 1 OR y = 2 LIMIT 5"),
        (Rule::OrAcrossColumns, "SELECT DISTINCT id FROM a WHERE x = 1 OR y = 2"),
        (Rule::OrAcrossColumns, "SELECT id FROM a WHERE (x = 1 OR y = 2) AND random() < 0.5"),
        (Rule::CorrelatedSubquery, "SELECT *, (SELECT sum(b.y) FROM b WHERE b.x = a.id) FROM a"),
        (Rule::CorrelatedSubquery, "SELECT a.id, (SELECT sum(b.y) FROM b WHERE b.x > a.id) FROM a"),
        (
            Rule::CorrelatedSubquery,
            "SELECT a.id, (SELECT sum(b.y * a.k) FROM b WHERE b.x = a.id) FROM a",
        ),
        (
            Rule::CorrelatedSubquery,
            "SELECT a.id, (SELECT sum(b.y) FROM b WHERE b.x = a.id AND b.z = a.k) FROM a",
        ),
        (Rule::CountToExist, "SELECT x FROM a WHERE (SELECT count(*) FROM b GROUP BY x) > 0"),
    ] {
        let found = by(rule, sql).unwrap_or_else(|| panic!("{rule:?} says nothing of {sql}"));
        assert_eq!(found.text, None, "{sql}");
        assert!(found.needs.is_empty() && !found.why.is_empty(), "{sql}");
    }
}

#[test]
fn what_is_well_written_is_left_alone() {
    for sql in [
        "SELECT id, x FROM a WHERE id = $1",
        "SELECT id FROM a WHERE x IN (SELECT y FROM b)",
        "SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.y = a.x)",
        "SELECT id FROM a WHERE x = 1 OR x = 2",
        "SELECT id FROM a WHERE made >= '2024-05-01' AND made < '2024-05-02'",
        "SELECT id FROM a WHERE name LIKE 'son%'",
        "SELECT id FROM a ORDER BY id LIMIT 10 OFFSET 20",
        "SELECT id FROM a WHERE x > (SELECT avg(y) FROM b)",
        "SELECT DISTINCT a.id, b.y FROM a JOIN b ON b.x = a.id",
        "SELECT DISTINCT x FROM a",
        "SELECT count(*) FROM a",
        "SELECT lower(name) FROM a WHERE id = 3",
        "INSERT INTO a SELECT 1",
        "SELECT 1; SELECT 2",
        "not sql at all",
    ] {
        assert_eq!(rewrites(sql), [], "{sql}");
    }
}
