//! Other texts of statements, tried on a real server: costs, equal rows, rows that differ; and a look at a database as a whole with what it was asked.

use std::sync::Arc;

use howdah_advisor::hygiene::Options;
use howdah_advisor::{Impact, Kind};
use howdah_ops::trial::{Trial, attempt};
use howdah_ops::{Counted, Limits, Subject, look};

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
        let counted = |fingerprint: &str, sql: &str, calls, time| Counted {
            fingerprint: fingerprint.to_owned(),
            sql: sql.to_owned(),
            calls,
            time,
        };
        let statements = [
            counted("untraded", UNTRADED, 100.0, 30.0),
            counted("by note", "SELECT id FROM orders WHERE note = 'secret 4711'", 500.0, 60.0),
            counted("by part", "SELECT id FROM orders WHERE note LIKE '%4711%'", 10.0, 10.0),
        ];
        let url = bed.url("howdah");
        let subject = Subject {
            connect: Arc::new(move || {
                let url = url.clone();
                Box::pin(async move { Ok(connect(&url).await) })
            }),
            replicas: &[],
            complete: true,
            statements: Some(&statements),
            options: Options::default(),
            limits: Limits::default(),
        };
        let looked = look(subject, |_| ()).await.unwrap();
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
