//! Indexes that look better than the existing ones that they repeat, against servers where they are really built.

use crate::bed::Shop;

/// Every line of some orders, found by the primary key `(order_id, line)`.
const LINES: &str = "SELECT sum(l.amount) FROM orders o JOIN lines l ON l.order_id = o.id WHERE o.placed < '2020-02-01'";
const SETTINGS: &str = "SET enable_hashjoin = off; SET enable_mergejoin = off; SET max_parallel_workers_per_gather = 0;";

/// Definitions of what exists, under hypothetical names.
const TWINS: &str = "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid, \
    hypopg_create_index(pg_get_indexdef(i.indexrelid)) WHERE c.relnamespace = 'public'::regnamespace;";

/// The total cost of the first node of a plan.
fn cost(plan: &str) -> f64 {
    plan.split_once("..").unwrap().1.split(' ').next().unwrap().parse().unwrap()
}

/// What the last of some statements says.
fn last<'a>(answers: &'a str, from: &str) -> &'a str {
    answers.get(answers.find(from).unwrap()..).unwrap()
}

#[test]
fn copies_of_existing_indexes_change_no_cost_that_advice_is_made_of() {
    let shop = Shop::new();
    let questions = [
        "SELECT remark FROM orders WHERE id = 5",
        "SELECT sum(l.amount) FROM orders o JOIN lines l ON l.order_id = o.id WHERE o.customer = 7",
    ];
    let advice = shop.advice(&questions.join(";"), 1_000_000_000);
    for (question, before) in questions.iter().zip(&advice.choice.before) {
        let priced = |hypothetical: &str| {
            let answers = shop.psql(&format!("{hypothetical} EXPLAIN {question}"));
            let plan = answers.lines().find(|line| line.contains("(cost=")).unwrap().to_owned();
            cost(&plan)
        };
        let (plain, copied, twice) =
            (priced(""), priced(TWINS), priced(&format!("{TWINS} {TWINS}")));
        // A copy looks cheaper than what it is a copy of; a second one not cheaper than the first one.
        assert!(copied < plain, "{copied} instead of {plain}: twins are not needed");
        assert_eq!(*before, Some(copied), "{question}");
        assert_eq!(twice.to_bits(), copied.to_bits(), "{question}");
    }
}

#[test]
fn the_first_key_of_a_primary_key_is_not_advised_for_what_the_planner_thinks_of_single_keys() {
    let shop = Shop::new();
    let look = || {
        let answers =
            shop.psql(&format!("{SETTINGS} EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {LINES}"));
        let plan = last(&answers, "Aggregate").to_owned();
        let pages: f64 = plan
            .lines()
            .find_map(|line| line.split_once("Buffers: shared hit="))
            .map(|it| it.1.split(' ').next().unwrap().parse().unwrap())
            .unwrap();
        (cost(&plan), pages)
    };
    let questions = format!("{LINES}; {}", LINES.replace("< '2020-02-01'", "> '2024-01-01'"));
    let advice = shop.advice(&questions, 1_000_000_000);
    let titles: Vec<&str> = advice.recommendations.iter().map(|it| it.title.as_str()).collect();
    assert!(titles.iter().any(|it| it.starts_with("Index orders (placed")), "{titles:?}");
    assert!(!titles.contains(&"Index lines (order_id)"), "{titles:?}");
    // Built nevertheless, it lowers the estimate, and finds the same rows on the same pages.
    look();
    let without = look();
    shop.psql("CREATE INDEX lines_order ON lines (order_id)");
    look();
    let with = look();
    assert!(with.0 < without.0 * 0.95, "{with:?} instead of {without:?}");
    assert!(with.1 > without.1 * 0.95, "{with:?} instead of {without:?}");
}
