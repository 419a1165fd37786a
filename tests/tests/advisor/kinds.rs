//! Indexes of a part of the rows and of expressions: priced before, built, and used.

use howdah::ops::Advice;

use crate::bed::Shop;

const PART: &str = "SELECT id, total FROM orders WHERE state = 'open' ORDER BY total LIMIT 20";
const GONE: &str = "SELECT name FROM customers WHERE left_at IS NOT NULL AND balance > 9000";
const CASED: &str = "SELECT id FROM customers WHERE lower(name) = 'customer 77'";

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
fn names_that_are_compared_without_their_case_are_indexed_so() {
    let shop = Shop::new();
    let advice = shop.advice(CASED, 10_000_000);
    let [only] = advice.recommendations.as_slice() else { panic!("{:#?}", advice.recommendations) };
    assert_eq!(only.title, "Index customers (lower(\"name\"))");
    assert!(only.cautions.iter().any(|it| it.contains("ANALYZE")), "{only:#?}");
    followed(&shop, &advice, CASED);
    assert!(plan(&shop, CASED).contains("howdah_customers"));
}
