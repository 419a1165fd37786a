//! Other texts of statements, tried on a real server: costs, equal rows, rows that differ; and a look at a database as a whole with what it was asked.

use std::sync::Arc;

use howdah_advisor::hygiene::Options;
use howdah_advisor::{Impact, Kind};
use howdah_ops::trial::{Trial, attempt};
use howdah_ops::{Counted, Limits, Look, Subject, look};

use crate::bed::{Bed, connect, run};

const SCHEMA: &str = "
CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL, note text, made timestamptz NOT NULL);
CREATE TABLE trades (id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, refers_to bigint);
INSERT INTO orders SELECT n, n % 1000, 'note ' || n, '2024-01-01'::timestamptz + n * interval '1 minute' FROM generate_series(1, 20000) n;
INSERT INTO trades SELECT n, n, CASE WHEN n = 7 THEN NULL ELSE n END FROM generate_series(1, 15000) n;
CREATE INDEX orders_of_customer ON orders (customer);
CREATE INDEX trades_of_order ON trades (order_id);
ANALYZE;
";

const UNTRADED: &str =
    "SELECT id FROM orders WHERE customer = $1 AND id NOT IN (SELECT order_id FROM trades)";
const WITHOUT: &str = "SELECT id FROM orders WHERE customer = $1 AND NOT EXISTS (SELECT 1 FROM trades WHERE trades.order_id = orders.id)";

async fn tried(bed: &Bed, one: &str, other: &str) -> Option<Trial> {
    attempt(&bed.superuser().await, one, other).await.unwrap()
}

fn counted(fingerprint: &str, sql: &str, calls: f64, time: f64) -> Counted {
    let (fingerprint, sql) = (fingerprint.to_owned(), sql.to_owned());
    Counted { fingerprint, sql, calls, time, rows: calls }
}

async fn looked_at(bed: &Bed, statements: &[Counted], seconds: Option<f64>) -> Look {
    let url = bed.url("howdah");
    let subject = Subject {
        connect: Arc::new(move || {
            let url = url.clone();
            Box::pin(async move { Ok(connect(&url).await) })
        }),
        replicas: &[],
        complete: true,
        statements: Some(statements),
        seconds,
        options: Options::default(),
        limits: Limits::default(),
    };
    look(subject, |_| ()).await.unwrap()
}

#[test]
fn both_texts_give_the_same_rows_or_it_is_noticed() {
    run(async {
        let bed = Bed::new();
        bed.superuser().await.batch_execute(SCHEMA).await.unwrap();
        let same = tried(&bed, UNTRADED, WITHOUT).await.unwrap();
        assert_eq!((same.equal, same.differs), (3, false), "{same:?}");
        assert!(same.costs.1 < same.costs.0, "{same:?}");
        // With a null in the list NOT IN has no rows at all.
        let null = UNTRADED.replace("order_id", "refers_to");
        let other = WITHOUT.replace("trades.order_id", "trades.refers_to");
        assert!(tried(&bed, &null, &other).await.unwrap().differs);
        let twice = format!("{WITHOUT} UNION ALL {WITHOUT}");
        assert!(tried(&bed, UNTRADED, &twice).await.unwrap().differs, "as often");
        // Nothing is known of the value, or a text is none: nothing is compared, nothing is said.
        let unknown = tried(&bed, "SELECT $1::int", "SELECT $1::int").await.unwrap();
        assert_eq!((unknown.equal, unknown.differs), (0, false));
        assert_eq!(tried(&bed, UNTRADED, "SELECT nothing FROM nowhere").await, None);
        assert_eq!(tried(&bed, "DELETE FROM trades", "DELETE FROM trades").await.unwrap().equal, 0);
    });
}

#[test]
fn a_look_ranks_what_statements_gain_by_and_shows_no_literal() {
    run(async {
        let bed = Bed::new();
        bed.superuser().await.batch_execute(SCHEMA).await.unwrap();
        let statements = [
            counted("untraded", UNTRADED, 100.0, 30.0),
            counted("by note", "SELECT id FROM orders WHERE note = 'secret 4711'", 500.0, 60.0),
            counted("by part", "SELECT id FROM orders WHERE note LIKE '%4711%'", 10.0, 10.0),
        ];
        let looked = looked_at(&bed, &statements, None).await;
        let first = &looked.found[0];
        assert_eq!((first.kind, first.impact), (Kind::CreateIndex, Impact::High), "{looked:#?}");
        assert!(first.apply[0].contains("(note)"), "{first:#?}");
        let rewrite = looked.found.iter().find(|one| one.statements == ["untraded"]).unwrap();
        assert_eq!((rewrite.kind, rewrite.impact), (Kind::Rewrite, Impact::Medium), "{rewrite:#?}");
        assert!(rewrite.saves.unwrap() > 0.04, "{rewrite:#?}");
        assert!(rewrite.cautions.iter().any(|it| it.contains("3 sets of values")), "{rewrite:#?}");
        let said = serde_json::to_string(&looked.found).unwrap();
        assert!(said.contains("by part"), "{said}");
        assert!(!said.contains("4711"), "a literal of a statement is shown: {said}");
    });
}

#[test]
fn an_aggregation_that_is_asked_all_day_is_better_kept_if_it_is_known_how_often_that_is() {
    run(async {
        let bed = Bed::new();
        bed.superuser().await.batch_execute(SCHEMA).await.unwrap();
        let sql = "SELECT note IS NULL, count(*) FROM orders GROUP BY note IS NULL";
        let statements = [counted("all day", sql, 2_000.0, 1_000.0)];
        let kept = |look: &Look| look.found.iter().any(|it| it.kind == Kind::MaterializedView);
        assert!(kept(&looked_at(&bed, &statements, Some(86_400.0)).await));
        // In a month that is not worth it, and without a time nobody can tell, nor forget what was told before.
        assert!(!kept(&looked_at(&bed, &statements, Some(30.0 * 86_400.0)).await));
        let unknown = looked_at(&bed, &statements, None).await;
        assert!(!kept(&unknown) && !unknown.kinds.contains(&Kind::MaterializedView));
    });
}
