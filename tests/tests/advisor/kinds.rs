//! Indexes of a part of the rows and of expressions: priced before, built, and used.

use howdah::ops::Advice;

use crate::bed::Shop;

const PART: &str = "SELECT id, total FROM orders WHERE state = 'open' ORDER BY total LIMIT 20";
const GONE: &str = "SELECT name FROM customers WHERE left_at IS NOT NULL AND balance > 9000";
const CASED: &str = "SELECT id FROM customers WHERE lower(name) = 'customer 77'";

/// Of 150,000 deliveries one in ten is late; PostgreSQL expects a third.
const DELIVERIES: &str = "
    CREATE TABLE deliveries (id integer PRIMARY KEY, shop integer NOT NULL, promised date NOT NULL, arrived date NOT NULL, remark text);
    INSERT INTO deliveries SELECT i, i % 200, date '2024-01-01' + i % 300, date '2024-01-01' + i % 300 + CASE WHEN i * 7919::bigint % 10 = 0 THEN 2 ELSE -2 END,
        repeat('z', 60) FROM generate_series(1, 150000) AS i;
    VACUUM ANALYZE deliveries";
const LATE: &str = "SELECT count(*) FROM deliveries WHERE shop = 7 AND arrived > promised";

/// Builds what is advised; what it costs now, over what was predicted.
fn followed(shop: &Shop, advice: &Advice, sql: &str) -> f64 {
    for statement in advice.recommendations.iter().flat_map(|it| &it.apply) {
        shop.psql(statement);
    }
    let real = shop.costs(sql).first().copied().unwrap();
    real / advice.choice.after.first().copied().flatten().unwrap()
}

fn plan(shop: &Shop, sql: &str) -> String {
    shop.psql(&format!("EXPLAIN {sql}"))
}

#[test]
fn rare_rows_get_an_index_of_their_own_that_statements_with_the_constant_use() {
    let shop = Shop::new();
    // A tenth of what an index of all rows needs.
    let advice = shop.advice(PART, 200_000);
    let [only] = advice.recommendations.as_slice() else { panic!("{:#?}", advice.recommendations) };
    assert!(only.title.ends_with("WHERE state = 'open'"), "{}", only.title);
    assert!(only.saves.is_some_and(|it| it > 0.9), "{only:#?}");
    let share = followed(&shop, &advice, PART);
    assert!((0.5..2.0).contains(&share), "{share}");
    let name = "SELECT relname FROM pg_class WHERE relname LIKE 'howdah_%'";
    let name = shop.psql(name);
    let bytes: f64 = shop.psql(&format!("SELECT pg_relation_size('{name}')")).parse().unwrap();
    // One page of a small index is a large share.
    assert!((bytes - only.costs.bytes as f64).abs() <= 16_384.0, "{bytes}: {only:#?}");
    assert!(plan(&shop, PART).contains(&name));
    assert!(!plan(&shop, &PART.replace("open", "shipped")).contains(&name));
    // The same question with a parameter cannot have such an index.
    let advice = shop.advice(&PART.replace("'open'", "$1"), 200_000);
    assert!(advice.recommendations.iter().all(|it| !it.title.contains("WHERE")));
}

#[test]
fn rows_that_have_a_value_get_an_index_of_their_own() {
    let shop = Shop::new();
    let advice = shop.advice(GONE, 100_000);
    let [only] = advice.recommendations.as_slice() else { panic!("{:#?}", advice.recommendations) };
    assert!(only.title.ends_with("WHERE left_at IS NOT NULL"), "{}", only.title);
    let share = followed(&shop, &advice, GONE);
    assert!((0.5..2.0).contains(&share), "{share}");
    assert!(plan(&shop, GONE).contains("howdah_customers"));
}

#[test]
fn rows_whose_columns_compare_get_an_index_of_their_own_that_parameters_do_not_spoil() {
    let shop = Shop::new();
    shop.psql(DELIVERIES);
    let advice = shop.advice(LATE, 200_000);
    let [only] = advice.recommendations.as_slice() else { panic!("{:#?}", advice.recommendations) };
    assert!(only.title.ends_with("WHERE promised < arrived"), "{}", only.title);
    assert!(only.title.contains("shop"), "{}", only.title);
    followed(&shop, &advice, LATE);
    let name = shop.psql("SELECT relname FROM pg_class WHERE relname LIKE 'howdah_%'");
    let bytes: f64 = shop.psql(&format!("SELECT pg_relation_size('{name}')")).parse().unwrap();
    // How many rows are late is known from a sample.
    let predicted = only.costs.bytes as f64 / bytes;
    assert!((0.7..1.5).contains(&predicted), "{predicted}: {only:#?}");
    assert!(plan(&shop, LATE).contains(&name));
    let prepared = "SET plan_cache_mode = force_generic_plan;
        PREPARE late(integer) AS SELECT count(*) FROM deliveries WHERE shop = $1 AND arrived > promised;
        EXPLAIN EXECUTE late(7)";
    assert!(shop.psql(prepared).contains(&name));
    assert!(!plan(&shop, &LATE.replace('>', "<")).contains(&name));
}

/// hypopg sees predicates and expressions of the first table alone.
#[test]
fn parts_and_expressions_are_priced_for_every_table_of_a_join() {
    let shop = Shop::new();
    shop.psql(DELIVERIES);
    let late = "SELECT c.name FROM customers c, deliveries d WHERE c.id = d.id AND d.shop = 7 AND d.arrived > d.promised";
    let cased = "SELECT o.id FROM orders o JOIN customers c ON c.id = o.customer WHERE lower(c.name) = 'customer 77'";
    for (sql, wanted) in [(late, "WHERE promised < arrived"), (cased, "(lower(\"name\"))")] {
        let advice = shop.advice(sql, 2_000_000);
        let titles: Vec<&String> = advice.recommendations.iter().map(|it| &it.title).collect();
        assert!(titles.iter().any(|it| it.contains(wanted)), "{titles:?}");
    }
}

#[test]
fn names_that_are_compared_without_their_case_are_indexed_so() {
    let shop = Shop::new();
    let advice = shop.advice(CASED, 10_000_000);
    let [only] = advice.recommendations.as_slice() else { panic!("{:#?}", advice.recommendations) };
    assert_eq!(only.title, "Index customers (lower(\"name\"))");
    assert!(only.cautions.iter().any(|it| it.contains("ANALYZE")), "{only:#?}");
    followed(&shop, &advice, CASED);
    assert!(plan(&shop, CASED).contains("howdah_customers"));
}

/// Notes whose texts, documents and lists are searched through.
const NOTES: &str = "
    CREATE TABLE notes (id integer PRIMARY KEY, body text NOT NULL, doc jsonb NOT NULL, tags text[] NOT NULL);
    INSERT INTO notes SELECT i, md5(i::text) || ' ' || md5((i * 7)::text), jsonb_build_object('owner', i % 3000, 'kind', md5((i % 50)::text)),
        ARRAY['t' || i % 900, 'u' || i % 7] FROM generate_series(1, 60000) AS i;
    VACUUM ANALYZE notes";
const SEARCHES: [(&str, &str); 3] = [
    ("SELECT id FROM notes WHERE body ILIKE '%7fd4a3%'", "Index notes (body) USING gin"),
    ("SELECT id FROM notes WHERE doc @> '{\"owner\": 77}'", "Index notes (doc) USING gin"),
    ("SELECT id FROM notes WHERE tags && '{t77}'", "Index notes (tags) USING gin"),
];

#[test]
fn what_is_searched_for_inside_of_values_is_indexed_by_its_parts() {
    let shop = Shop::new();
    shop.psql(NOTES);
    for (sql, title) in SEARCHES {
        let advice = shop.advice(sql, 100_000_000);
        let [only] = advice.recommendations.as_slice() else {
            panic!("{sql}: {:#?}", advice.recommendations)
        };
        assert_eq!(only.title, title);
        // Nobody could be asked, and that is said.
        assert!(
            only.confidence < 0.5 && only.cautions[0].contains("Nobody has verified"),
            "{only:#?}"
        );
        if title.contains("body") {
            assert!(only.apply.is_empty(), "{only:#?}");
            assert!(
                only.cautions.iter().any(|it| it.contains("CREATE EXTENSION pg_trgm")),
                "{only:#?}"
            );
            shop.psql("CREATE EXTENSION pg_trgm");
        }
    }
    for (sql, title) in SEARCHES {
        let before = shop.costs(sql)[0];
        let advice = shop.advice(sql, 100_000_000);
        let [only] = advice.recommendations.as_slice() else { panic!("{sql}") };
        shop.psql(&only.apply[0]);
        let after = shop.costs(sql)[0];
        assert!(after < before / 2.0, "{title}: {before} to {after}");
        let name = only.undo[0].rsplit('.').next().unwrap().to_owned();
        let real: f64 = shop.psql(&format!("SELECT pg_relation_size('{name}')")).parse().unwrap();
        let predicted = only.costs.bytes as f64 / real;
        assert!((0.2..5.0).contains(&predicted), "{title}: {predicted}");
        let again = shop.advice(sql, 100_000_000);
        assert!(again.recommendations.is_empty(), "{title}: {:#?}", again.recommendations);
    }
}

#[test]
fn searches_that_no_such_index_helps_get_none() {
    let shop = Shop::new();
    shop.psql(NOTES);
    for sql in [
        "SELECT id FROM notes WHERE body LIKE '%7f%'",
        "SELECT id FROM notes WHERE body LIKE '7fd4a3%'",
        "SELECT id FROM notes WHERE body ILIKE '%7fd4a3%' OR id > 5",
        "SELECT id FROM notes WHERE body ILIKE '%7fd4a3%' AND id = 5",
        "SELECT id FROM notes WHERE doc->>'owner' = '77'",
    ] {
        let advice = shop.advice(sql, 100_000_000);
        let gin = advice.recommendations.iter().find(|it| it.title.contains("gin"));
        assert!(gin.is_none(), "{sql}: {gin:#?}");
    }
}
