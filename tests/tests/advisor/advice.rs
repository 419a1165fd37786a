//! Advice, and what becomes of it when it is followed.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use howdah::advisor::Verified;
use howdah::ops::Connecting;
use howdah_tests::program;
use serde_json::Value;

use crate::bed::{QUESTIONS, Shop};

#[test]
fn what_is_advised_costs_and_measures_what_was_predicted_when_it_is_built() {
    let shop = Shop::new();
    let budget = 12_000_000;
    let advice = shop.advice(QUESTIONS, budget);
    assert_eq!(advice.verified, Verified::Planner);
    assert!(advice.recommendations.len() >= 4, "{:#?}", advice.recommendations);
    let before: f64 = shop.costs(QUESTIONS).iter().sum();
    for sql in advice.recommendations.iter().flat_map(|it| &it.apply) {
        shop.psql(sql);
    }
    shop.psql("VACUUM");
    let after: f64 = shop.costs(QUESTIONS).iter().sum();
    let (said, real) = (advice.choice.ratio(&advice.workload), after / before);
    assert!((said - real).abs() < 0.05, "predicted {said:.3}, really {real:.3}");
    assert!(real < 0.4, "{real:.3}");
    let size = "SELECT coalesce(sum(pg_relation_size(indexrelid)), 0) FROM pg_index WHERE indexrelid::regclass::text LIKE 'howdah_%'";
    let bytes: u64 = shop.psql(size).parse().unwrap();
    assert!(bytes <= budget, "{bytes} of {budget}");
    // Columns that depend on each other make an index smaller than predicted, not larger.
    let share = advice.choice.bytes() as f64 / bytes as f64;
    assert!((0.97..1.25).contains(&share), "predicted {}, really {bytes}", advice.choice.bytes());
    // And back.
    for sql in advice.recommendations.iter().flat_map(|it| &it.undo) {
        shop.psql(sql);
    }
    assert_eq!(shop.psql(size), "0");
}

#[test]
fn a_smaller_budget_is_kept_and_a_hopeless_one_gives_no_advice() {
    let shop = Shop::new();
    let advice = shop.advice(QUESTIONS, 1_500_000);
    assert!(!advice.recommendations.is_empty() && advice.choice.bytes() <= 1_500_000);
    assert!(shop.advice(QUESTIONS, 8192).recommendations.is_empty());
}

#[test]
fn copies_of_primary_keys_gain_nothing() {
    let shop = Shop::new();
    // Without twins an index (id, total) looks better than the primary key: nobody pays for descending it.
    let advice = shop.advice(
        "SELECT * FROM lines l JOIN orders o ON o.id = l.order_id WHERE l.product = 7 AND o.total > 1;
         SELECT * FROM orders WHERE id = 5 AND total > 1",
        1_000_000_000,
    );
    let copies =
        advice.recommendations.iter().filter(|it| it.title.starts_with("Index orders (id"));
    assert_eq!(copies.count(), 0, "{:#?}", advice.recommendations);
}

#[test]
fn a_lost_connection_costs_a_question_and_not_the_advice() {
    let shop = Shop::new();
    let (opened, plain) = (Arc::new(AtomicU32::new(0)), shop.connect());
    let count = opened.clone();
    let connect: howdah::ops::Connect = Arc::new(move || -> Connecting {
        let (plain, at) = (plain.clone(), count.fetch_add(1, Ordering::SeqCst));
        Box::pin(async move {
            let client = plain().await?;
            // The first reads the catalog; the next one is ended while it plans.
            if at == 1 {
                let pid: i32 = client
                    .query_one("SELECT pg_backend_pid()", &[])
                    .await
                    .map_err(|error| error.to_string())?
                    .get(0);
                let killer = plain().await?;
                tokio::spawn(async move {
                    let waits =
                        "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND query LIKE '%EXPLAIN%'";
                    while killer.query(waits, &[&pid]).await.is_ok_and(|rows| rows.is_empty()) {
                        tokio::task::yield_now().await;
                    }
                    let _ = killer.query("SELECT pg_terminate_backend($1)", &[&pid]).await;
                });
            }
            Ok(client)
        })
    });
    let advice = shop.advice_by(connect, QUESTIONS, 12_000_000);
    assert!(opened.load(Ordering::SeqCst) >= 4, "no connection was replaced");
    assert!(advice.choice.before.iter().all(Option::is_some));
    assert!(advice.recommendations.len() >= 4);
}

#[test]
fn without_hypopg_the_advice_is_an_estimate_and_says_so() {
    let shop = Shop::without_hypopg();
    let advice = shop.advice(QUESTIONS, 12_000_000);
    assert_eq!(advice.verified, Verified::Model);
    assert!(advice.missing.iter().any(|text| text.contains("hypopg")), "{:?}", advice.missing);
    let titles: Vec<&str> = advice.recommendations.iter().map(|it| it.title.as_str()).collect();
    assert!(titles.iter().any(|title| title.starts_with("Index orders (customer")), "{titles:?}");
    assert!(
        advice.recommendations.iter().all(|it| it.confidence < 0.5 && it.why.contains("hypopg"))
    );
}

#[test]
fn the_command_prints_advice_for_people_and_programs_and_changes_nothing() {
    let shop = Shop::new();
    let file =
        std::env::temp_dir().join(format!("howdah-{}-{}.sql", shop.name, std::process::id()));
    std::fs::write(&file, QUESTIONS).unwrap();
    let run = |more: &[&str]| {
        let mut command = Command::new(program());
        command
            .args(["advise", "indexes", "--url", &shop.url(), "--budget", "12MB", "--workload"])
            .arg(&file)
            .args(more);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let page = run(&[]);
    assert!(
        page.contains("CREATE INDEX CONCURRENTLY") && page.contains("DROP INDEX CONCURRENTLY"),
        "{page}"
    );
    let value: Value = serde_json::from_str(&run(&["--json"])).unwrap();
    assert_eq!(value["schema"], "howdah.advice.indexes/1");
    assert!(value["recommendations"].as_array().is_some_and(|all| all.len() >= 4));
    assert_eq!(shop.psql("SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE relnamespace = 'public'::regnamespace"), "3");
    std::fs::remove_file(&file).unwrap();
}
