//! Rewritten statements on generated rows, with nulls and duplicates: both have the same rows, as often. A wrong one is noticed.

use howdah_advisor::rewrites::{Suggestion, look};
use howdah_ops::catalog::read;
use tokio_postgres::Client;

use crate::bed::{Bed, run};

/// Few values in many rows, so that everything meets everything: duplicates, nulls, partners and none.
const SCHEMA: &str = "
CREATE TABLE a (id int NOT NULL, x int, y int, k int NOT NULL, name text, made timestamp, seen timestamptz, day date, big bigint);
CREATE TABLE b (id int NOT NULL, x int, y int, z int NOT NULL, note text);
INSERT INTO a SELECT n % 150, NULLIF(n * 7 % 11, 3), NULLIF(n * 13 % 5, 0), n % 4, CASE WHEN n % 6 <> 0 THEN 'n' || n % 9 END,
    timestamp '2023-12-28' + n * interval '5 hours', CASE WHEN n % 10 <> 0 THEN timestamptz '2023-12-28' + n * interval '7 hours' END,
    date '2023-11-01' + n % 500, NULLIF(n % 50, 7) FROM generate_series(1, 1000) AS n;
INSERT INTO b SELECT n % 60, NULLIF(n * 3 % 200, 9), NULLIF(n * 5 % 7, 0), n % 3 + 1, 'x' FROM generate_series(1, 700) AS n;
INSERT INTO a SELECT * FROM a WHERE id % 5 = 0;
INSERT INTO a (id, k) VALUES (1000, 1), (1000, 1);
INSERT INTO a (id, k, made, seen) VALUES (1001, 1, 'infinity', '-infinity');
SET timezone = 'Europe/Berlin';
";

/// Statements for which there is a text, by at least one rule.
const STATEMENTS: &[&str] = &[
    "SELECT a.id, a.x FROM a WHERE a.k NOT IN (SELECT z FROM b)",
    "SELECT x FROM a WHERE k NOT IN (SELECT z FROM b WHERE y IS NULL AND x > 5) AND y = 2",
    "SELECT a.x FROM a WHERE a.id NOT IN (SELECT b.id FROM b WHERE false)",
    "SELECT id, x, y FROM a WHERE x = 4 OR y = 2",
    "SELECT id FROM a WHERE (x = 4 OR y = 2 OR k = 1) AND id < 100",
    "SELECT a.id, b.y FROM a JOIN b ON b.id = a.id WHERE a.x >= 4 OR b.y = 2",
    "SELECT id FROM a WHERE made::date = '2024-01-07'",
    "SELECT id FROM a WHERE seen::date = '2024-03-31'",
    "SELECT id FROM a WHERE date_trunc('day', seen) = '2024-03-31' AND x > 2",
    "SELECT id FROM a WHERE date_trunc('month', made) = '2024-02-01'",
    "SELECT id FROM a WHERE date_trunc('year', seen) = '2024-01-01'::date",
    "SELECT id FROM a WHERE extract(year FROM made) = 2024",
    "SELECT id FROM a WHERE date_part('year', day) = 2024",
    "SELECT id FROM a WHERE id::text = '42'",
    "SELECT id FROM a WHERE big::text = '-3'",
    "SELECT x FROM a WHERE big = 30.0",
    "SELECT id, x FROM a WHERE (SELECT count(*) FROM b WHERE b.x = a.x) > 0",
    "SELECT id, x FROM a WHERE (SELECT count(*) FROM b WHERE b.x = a.x AND b.y = 3) = 0",
    "SELECT id FROM a WHERE 1 <= (SELECT count(*) FROM b WHERE b.y > a.y)",
    "SELECT a.id, (SELECT sum(b.y) FROM b WHERE b.x = a.id) FROM a",
    "SELECT a.id, (SELECT count(*) FROM b WHERE b.x = a.x AND b.z > 1) AS n FROM a",
    "SELECT a.id, coalesce((SELECT max(b.y) FROM b WHERE b.x = a.x), -1) FROM a WHERE a.k = 2",
    "SELECT a.id FROM a WHERE a.y < (SELECT avg(b.y) FROM b WHERE b.x = a.x)",
    "SELECT a.id FROM a WHERE a.y > (SELECT count(*) FROM b WHERE b.x = a.x)",
    "SELECT DISTINCT a.id, a.x FROM a JOIN b ON b.x = a.x",
    "SELECT DISTINCT a.id, a.name FROM a, b WHERE b.x = a.x AND a.k > 1 AND b.y = 3",
    "SELECT DISTINCT b.x FROM a JOIN b ON b.x = a.x WHERE a.y = 3",
    "SELECT id FROM a WHERE x IN (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50)",
    "SELECT id FROM a WHERE big NOT IN (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50)",
];

/// Texts that look right and are not: what the comparison has to notice.
const WRONG: &[(&str, &str)] = &[
    (
        "SELECT id FROM a WHERE x NOT IN (SELECT y FROM b)",
        "SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.y = a.x)",
    ),
    (
        "SELECT id, x, y FROM a WHERE x = 4 OR y = 2",
        "SELECT id, x, y FROM a WHERE x = 4 UNION SELECT id, x, y FROM a WHERE y = 2",
    ),
    (
        "SELECT id, x, y FROM a WHERE x = 4 OR y = 2",
        "SELECT id, x, y FROM a WHERE x = 4 UNION ALL SELECT id, x, y FROM a WHERE y = 2",
    ),
    (
        "SELECT id, x, y FROM a WHERE x = 4 OR y = 2",
        "SELECT id, x, y FROM a WHERE x = 4 UNION ALL SELECT id, x, y FROM a WHERE y = 2 AND NOT (x = 4)",
    ),
    (
        "SELECT a.id, (SELECT count(*) FROM b WHERE b.x = a.x) FROM a",
        "SELECT a.id, s.n FROM a LEFT JOIN (SELECT x, count(*) AS n FROM b GROUP BY x) s ON s.x = a.x",
    ),
    (
        "SELECT a.id, (SELECT sum(b.y) FROM b WHERE b.x = a.x) FROM a",
        "SELECT a.id, s.n FROM a JOIN (SELECT x, sum(y) AS n FROM b GROUP BY x) s ON s.x = a.x",
    ),
    (
        "SELECT id FROM a WHERE date_trunc('month', made) = '2024-02-02'",
        "SELECT id FROM a WHERE made >= '2024-02-02' AND made < '2024-03-02'",
    ),
    (
        "SELECT a.id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.x)",
        "SELECT a.id FROM a JOIN b ON b.x = a.x",
    ),
];

/// Other rows for every seed, from -1 to 1, again with few values, nulls and duplicates.
fn random_rows(seed: f64) -> String {
    let few = |most: i32| format!("(random() * {most})::int");
    let or_null = |value: &str| format!("CASE WHEN random() < 0.85 THEN {value} END");
    let (made, seen) = (
        "timestamp '2023-12-28' + (random() * 900)::int * interval '5 hours'",
        "timestamptz '2023-12-28' + (random() * 900)::int * interval '7 hours'",
    );
    format!(
        "SELECT setseed({seed}); TRUNCATE a, b;
         INSERT INTO a SELECT {}, {}, {}, {}, {}, {}, {}, {}, {} FROM generate_series(1, 400);
         INSERT INTO b SELECT {}, {}, {}, {}, 'x' FROM generate_series(1, 300);
         INSERT INTO a SELECT * FROM a WHERE id % 7 = 0",
        few(150),
        or_null(&few(10)),
        or_null(&few(5)),
        few(4),
        or_null("'n' || (random() * 9)::int"),
        or_null(made),
        or_null(seen),
        or_null("date '2023-11-01' + (random() * 500)::int"),
        or_null(&few(50)),
        few(60),
        or_null(&few(200)),
        or_null(&few(7)),
        few(3),
    )
}

/// Rows that one has and the other one has not, counted as often as they come.
async fn difference(client: &Client, one: &str, other: &str) -> i64 {
    let count = format!(
        "WITH one AS MATERIALIZED ({one}), other AS MATERIALIZED ({other}) SELECT \
         (SELECT count(*) FROM (SELECT * FROM one EXCEPT ALL SELECT * FROM other) AS x) + \
         (SELECT count(*) FROM (SELECT * FROM other EXCEPT ALL SELECT * FROM one) AS y)"
    );
    client
        .query_one(&count, &[])
        .await
        .unwrap_or_else(|error| panic!("{one}\n{other}\n{error:?}"))
        .get(0)
}

#[test]
fn rewritten_statements_have_the_same_rows_as_often_and_wrong_ones_are_noticed() {
    run(async {
        let bed = Bed::new();
        let client = bed.superuser().await;
        client.batch_execute(SCHEMA).await.unwrap();
        let catalog = read(&client).await.unwrap();
        let mut wrong = Vec::new();
        let mut rules = Vec::new();
        let mut answered = 0;
        for statement in STATEMENTS {
            let texts: Vec<Suggestion> = look(statement, &catalog)
                .into_iter()
                .filter(|suggestion| suggestion.text.is_some())
                .collect();
            if texts.is_empty() {
                wrong.push(format!("{statement}: no text, {:?}", look(statement, &catalog)));
            }
            let rows: i64 = client
                .query_one(&format!("SELECT count(*) FROM ({statement}) AS s"), &[])
                .await
                .unwrap()
                .get(0);
            answered += i32::from(rows > 0);
            for suggestion in texts {
                let text = suggestion.text.unwrap();
                let difference = difference(&client, statement, &text).await;
                if difference > 0 {
                    wrong.push(format!("{statement}\n  {text}\n  {difference} rows differ"));
                }
                rules.push(suggestion.rule);
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        rules.sort_unstable();
        rules.dedup();
        assert_eq!(rules.len(), 8, "{rules:?}");
        assert!(answered >= 25, "most have rows: {answered}");
        for (statement, text) in WRONG {
            assert!(difference(&client, statement, text).await > 0, "not noticed: {text}");
        }
    });
}

#[test]
fn rewritten_statements_have_the_same_rows_of_random_data_and_wrong_ones_have_not() {
    run(async {
        let bed = Bed::new();
        let client = bed.superuser().await;
        client.batch_execute(SCHEMA).await.unwrap();
        let catalog = read(&client).await.unwrap();
        let texts = |statement: &&'static str| -> Vec<(&'static str, String)> {
            let all = look(statement, &catalog).into_iter();
            all.filter_map(|suggestion| Some((*statement, suggestion.text?))).collect()
        };
        let right: Vec<(&str, String)> = STATEMENTS.iter().flat_map(texts).collect();
        assert!(right.len() >= STATEMENTS.len());
        // One that nobody has seen before, and four that are the same each time.
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_micros();
        let seeds = [f64::from(now) / 1e6, -0.75, -0.25, 0.25, 0.75];
        let mut noticed = vec![false; WRONG.len()];
        for seed in seeds {
            client.batch_execute(&random_rows(seed)).await.unwrap();
            for (statement, text) in &right {
                let differ = difference(&client, statement, text).await;
                assert_eq!(differ, 0, "seed {seed}: {statement}\n  {text}");
            }
            for ((statement, text), noticed) in WRONG.iter().zip(&mut noticed) {
                *noticed |= difference(&client, statement, text).await > 0;
            }
        }
        assert_eq!(noticed, vec![true; WRONG.len()]);
    });
}

#[test]
fn without_what_it_needs_a_rule_gives_no_text() {
    run(async {
        let bed = Bed::new();
        let client = bed.superuser().await;
        client.batch_execute(SCHEMA).await.unwrap();
        client.batch_execute("CREATE INDEX a_lower ON a (lower(name)); CREATE SCHEMA other; CREATE TABLE other.b (id int)").await.unwrap();
        let catalog = read(&client).await.unwrap();
        let hints = |sql: &str| {
            look(sql, &catalog).into_iter().filter(|suggestion| suggestion.text.is_none()).count()
        };
        // Nullable on either side, of another type, a table that is not known, or known twice.
        assert_eq!(hints("SELECT id FROM a WHERE x NOT IN (SELECT id FROM b)"), 1);
        assert_eq!(hints("SELECT id FROM a WHERE k NOT IN (SELECT y FROM public.b)"), 1);
        assert_eq!(hints("SELECT id FROM a WHERE k NOT IN (SELECT id FROM nowhere)"), 1);
        assert_eq!(hints("SELECT id FROM a WHERE k NOT IN (SELECT id FROM b)"), 1);
        assert_eq!(hints("SELECT id FROM a WHERE day::date = '2024-01-01'"), 1);
        // Not converted at all, or indexed as it is.
        assert_eq!(look("SELECT id FROM a WHERE name::text = '5'", &catalog), []);
        assert_eq!(look("SELECT id FROM a WHERE lower(name) = 'x'", &catalog), []);
        let said = look("SELECT id FROM a WHERE x NOT IN (SELECT id FROM public.b)", &catalog);
        assert!(said[0].conditions.join(" ").contains("a.x may be null"), "{said:?}");
        let advice = said[0].recommendation("0123456789abcdef");
        assert!(advice.apply.is_empty() && advice.statements == ["0123456789abcdef"]);
    });
}
