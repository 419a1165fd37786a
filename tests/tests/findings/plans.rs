//! Plans of a real server that are bad in a known way, and good ones of which nothing is to be said.

use howdah_advisor::catalog::Catalog;
use howdah_advisor::plans::{Finding, Plan, What, compare, look, shape};
use howdah_ops::catalog::read;
use tokio_postgres::Client;

use crate::bed::{Bed, run};

const SCHEMA: &str = "
CREATE TABLE orders (id int PRIMARY KEY, customer int, city int, zip int, note text, made int);
INSERT INTO orders SELECT n, n % 5000, n % 100, n % 100, repeat('x', 200), n FROM generate_series(1, 100000) AS n;
CREATE INDEX orders_customer ON orders (customer);
CREATE INDEX orders_made ON orders (made);
CREATE TABLE customers (id int PRIMARY KEY, name text, grade int);
INSERT INTO customers SELECT n, 'c' || n, n % 10 FROM generate_series(1, 5000) AS n;
CREATE TABLE unknown (id int, a int) WITH (autovacuum_enabled = off);
INSERT INTO unknown SELECT n, n FROM generate_series(1, 5000) AS n;
CREATE TABLE grown (id int, a int) WITH (autovacuum_enabled = off);
INSERT INTO grown SELECT n, 1 FROM generate_series(1, 10) AS n;
ALTER TABLE orders SET (autovacuum_enabled = off); ALTER TABLE customers SET (autovacuum_enabled = off);
SELECT pg_stat_force_next_flush();
VACUUM ANALYZE orders; ANALYZE customers; ANALYZE grown;
INSERT INTO grown SELECT n, n % 2 FROM generate_series(1, 20000) AS n;
SET max_parallel_workers_per_gather = 0; SET jit = off;
SELECT pg_stat_force_next_flush();
";

async fn prepare(bed: &Bed) -> (Client, Catalog) {
    let client = bed.superuser().await;
    for statement in SCHEMA.split_inclusive(";\n").flat_map(|line| line.split_inclusive("; ")) {
        client.batch_execute(statement).await.unwrap();
    }
    let catalog = read(&client).await.unwrap();
    (client, catalog)
}

async fn explain(client: &Client, settings: &str, how: &str, statement: &str) -> Plan {
    client.batch_execute(&format!("BEGIN; {settings}")).await.unwrap();
    let rows =
        client.simple_query(&format!("EXPLAIN (FORMAT JSON{how}) {statement}")).await.unwrap();
    client.batch_execute("ROLLBACK").await.unwrap();
    let text = rows.iter().find_map(|row| match row {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Plan::parse(&text.unwrap()).unwrap()
}

fn kinds(findings: &[Finding]) -> Vec<What> {
    let mut kinds: Vec<What> = findings.iter().map(|finding| finding.what).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Settings, a statement, what has to be found in its plan, and a word that the sentences have to say.
const BAD: &[(&str, &str, &[What], &str)] = &[
    ("", "SELECT * FROM orders WHERE note = 'y' AND made > 5", &[What::WastefulScan], "orders"),
    (
        "SET LOCAL work_mem = '64kB'",
        "SELECT * FROM orders ORDER BY note, id",
        &[What::SortSpill],
        "note",
    ),
    (
        "SET LOCAL work_mem = '64kB'",
        "SELECT count(*) FROM orders o JOIN customers c ON o.customer = c.id JOIN orders p ON p.made = o.made",
        &[What::HashSpill],
        "parts",
    ),
    (
        "SET LOCAL work_mem = '64kB'; SET LOCAL enable_sort = off",
        "SELECT made * 2, count(*) FROM orders GROUP BY made * 2",
        &[What::HashSpill],
        "groups",
    ),
    (
        "SET LOCAL work_mem = '64kB'; SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off",
        "SELECT count(note) FROM orders WHERE customer < 2500",
        &[What::LossyBitmap],
        "work_mem",
    ),
    (
        "",
        "SELECT * FROM orders WHERE city = 7 AND zip = 7 AND made > 0 AND made < 90000 AND id > 10",
        &[What::BadEstimate, What::WastefulScan],
        "independent",
    ),
    (
        "",
        "SELECT * FROM customers c WHERE grade > (SELECT avg(city) FROM orders o WHERE o.customer = c.id)",
        &[What::RepeatedSubquery],
        "SubPlan",
    ),
    (
        "",
        "SELECT * FROM orders ORDER BY id OFFSET 60000 LIMIT 10",
        &[What::DeepOffset],
        "60 thousand",
    ),
    (
        "",
        "SELECT * FROM orders WHERE customer < 200 AND note = 'y' AND zip > 100",
        &[What::FilterAfterIndex],
        "customer < 200",
    ),
    (
        "SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off",
        "SELECT * FROM orders WHERE zip = 150 ORDER BY made LIMIT 5",
        &[What::OrderedSearch],
        "orders_made",
    ),
    (
        "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off",
        "SELECT * FROM customers a JOIN customers b ON a.grade + 1 = b.id * 2 AND a.id < 1000",
        &[What::LoopExplosion],
        "pairs",
    ),
    (
        "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off",
        "SELECT * FROM grown g JOIN customers c ON c.id = g.id WHERE g.a = 0",
        &[What::LoopExplosion, What::OldStatistics],
        "ANALYZE",
    ),
    (
        "SET LOCAL jit = on; SET LOCAL jit_above_cost = 0; SET LOCAL jit_inline_above_cost = 0; SET LOCAL jit_optimize_above_cost = 0",
        "SELECT id + 1, grade * 2 FROM customers WHERE id < 50",
        &[What::Compilation],
        "jit",
    ),
    ("", "SELECT * FROM unknown WHERE a = 3", &[What::NoStatistics], "ANALYZE public.unknown"),
];

/// Statements whose plans are as good as they get.
const GOOD: &[&str] = &[
    "SELECT * FROM orders WHERE id = 7",
    "SELECT * FROM orders WHERE customer = 7",
    "SELECT * FROM orders ORDER BY made DESC LIMIT 20",
    "SELECT count(*) FROM orders",
    "SELECT grade, count(*) FROM customers GROUP BY grade",
    "SELECT * FROM customers WHERE name = 'c17'",
    "SELECT c.name, o.note FROM customers c JOIN orders o ON o.customer = c.id WHERE c.id = 55",
    "SELECT c.grade, count(*) FROM customers c JOIN orders o ON o.customer = c.id GROUP BY c.grade",
    "SELECT * FROM orders WHERE made BETWEEN 10 AND 50 ORDER BY made",
    "SELECT c.*, (SELECT count(*) FROM orders o WHERE o.customer = c.id) FROM customers c WHERE c.id < 20",
    "SELECT * FROM customers WHERE EXISTS (SELECT FROM orders WHERE orders.customer = customers.id) AND id < 100",
    "SELECT * FROM orders ORDER BY id OFFSET 100 LIMIT 10",
    "SELECT id FROM orders WHERE id < 100 ORDER BY id",
    "SELECT * FROM customers WHERE id NOT IN (SELECT customer FROM orders WHERE customer > 10 AND id < 1000)",
];

#[test]
fn every_kind_of_bad_plan_is_found_and_nothing_is_said_of_good_ones() {
    run(async {
        let bed = Bed::new();
        let (client, catalog) = prepare(&bed).await;
        let mut wrong = Vec::new();
        for (settings, statement, expected, word) in BAD {
            let (mut plan, mut findings) = (None, Vec::new());
            // Shares of time are another thing when the machine was busy elsewhere meanwhile.
            for _ in 0..3 {
                let shown = explain(&client, settings, ", ANALYZE, BUFFERS", statement).await;
                findings = look(&shown, Some(&catalog));
                plan = Some(shown);
                let (kinds, said) = (kinds(&findings), format!("{findings:?}"));
                if expected.iter().all(|what| kinds.contains(what)) && said.contains(word) {
                    plan = None;
                    break;
                }
            }
            if let Some(plan) = plan {
                wrong.push(format!(
                    "{statement}\n  wanted {expected:?} and {word}, found {findings:#?}\n{plan:?}"
                ));
            }
        }
        for statement in GOOD {
            let plan = explain(&client, "", ", ANALYZE, BUFFERS", statement).await;
            let findings = look(&plan, Some(&catalog));
            if !findings.is_empty() {
                wrong.push(format!("{statement}\n  wanted nothing, found {findings:#?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    });
}

#[test]
fn an_index_only_scan_that_looks_into_the_table_is_found_until_vacuum_has_been_there() {
    run(async {
        let bed = Bed::new();
        let (client, catalog) = prepare(&bed).await;
        let settings = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off";
        let statement = "SELECT made FROM orders WHERE made < 20000";
        client.batch_execute("UPDATE orders SET note = 'z' WHERE id < 30000").await.unwrap();
        let plan = explain(&client, settings, ", ANALYZE", statement).await;
        let findings = look(&plan, Some(&catalog));
        assert!(kinds(&findings).contains(&What::HeapFetches), "{findings:#?}");
        let remedy: Vec<_> = findings
            .iter()
            .filter(|finding| finding.what == What::HeapFetches)
            .flat_map(|finding| finding.statements.clone())
            .collect();
        for statement in remedy {
            client.batch_execute(&statement).await.unwrap();
        }
        let findings =
            look(&explain(&client, settings, ", ANALYZE", statement).await, Some(&catalog));
        assert!(!kinds(&findings).contains(&What::HeapFetches), "{findings:#?}");
    });
}

#[test]
fn statistics_on_columns_together_are_advised_and_mend_the_estimate() {
    run(async {
        let bed = Bed::new();
        let (client, catalog) = prepare(&bed).await;
        let statement = "SELECT * FROM orders WHERE city = 7 AND zip = 7";
        let findings = look(&explain(&client, "", ", ANALYZE", statement).await, Some(&catalog));
        let bad = findings.iter().find(|finding| finding.what == What::BadEstimate).unwrap();
        for statement in &bad.statements {
            client
                .batch_execute(statement)
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        }
        let findings = look(&explain(&client, "", ", ANALYZE", statement).await, Some(&catalog));
        assert!(!kinds(&findings).contains(&What::BadEstimate), "{findings:#?}");
        let made = "SELECT count(*) FROM pg_statistic_ext WHERE stxrelid = 'orders'::regclass";
        let count = async || client.query_one(made, &[]).await.unwrap().get::<_, i64>(0);
        assert_eq!(count().await, 1);
        assert_eq!(bad.undo.len(), 1);
        client.batch_execute(&bad.undo[0]).await.unwrap();
        assert_eq!(count().await, 0);
    });
}

#[test]
fn without_being_executed_a_plan_tells_less_but_nothing_wrong() {
    run(async {
        let bed = Bed::new();
        let (client, catalog) = prepare(&bed).await;
        let offset =
            explain(&client, "", "", "SELECT * FROM orders ORDER BY id OFFSET 60000 LIMIT 10")
                .await;
        assert_eq!(kinds(&look(&offset, Some(&catalog))), [What::DeepOffset]);
        let scan = explain(&client, "", "", "SELECT * FROM orders WHERE note = 'y'").await;
        assert_eq!(kinds(&look(&scan, Some(&catalog))), [What::WastefulScan]);
        assert_eq!(kinds(&look(&scan, None)), []);
        for statement in GOOD {
            assert_eq!(
                look(&explain(&client, "", "", statement).await, Some(&catalog)),
                [],
                "{statement}"
            );
        }
    });
}

#[test]
fn plans_are_told_apart_by_what_they_do_and_compared_in_words() {
    run(async {
        let bed = Bed::new();
        let (client, _) = prepare(&bed).await;
        let join =
            "SELECT count(o.note) FROM customers c JOIN orders o ON o.customer = c.id WHERE c.id <";
        let few = explain(&client, "", ", ANALYZE, BUFFERS", &format!("{join} 5")).await;
        let fewer = explain(&client, "", ", ANALYZE, BUFFERS", &format!("{join} 4")).await;
        let many = explain(&client, "", ", ANALYZE, BUFFERS", &format!("{join} 4000")).await;
        assert_eq!(shape(&few), shape(&fewer), "a constant makes no other plan");
        assert_ne!(shape(&few), shape(&many));
        let worse = compare(&few, &many);
        assert!(!worse.same_shape && worse.cost > 2.0 && worse.blocks.unwrap() > 2.0, "{worse:?}");
        let words = worse.differences.join("\n");
        assert!(
            words.contains("o: Seq Scan, before: ")
                && words.contains("orders_customer")
                && words.contains("Hash Join, before: Nested Loop"),
            "{words}"
        );
        let same = compare(&few, &few);
        assert!(same.same_shape && same.differences.is_empty(), "{same:?}");
    });
}
