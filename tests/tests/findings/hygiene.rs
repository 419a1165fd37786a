//! Real indexes of which it is known whether they are superfluous, in one database: what is found is counted against what is true.

use std::collections::{BTreeMap, BTreeSet};

use howdah_advisor::Kind;
use howdah_advisor::catalog::{Catalog, Index};
use howdah_advisor::hygiene::{Options, look};
use howdah_ops::catalog::read;
use tokio_postgres::Client;

use crate::bed::{Bed, run};

/// What is true of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Truth {
    Keep,
    /// The same as another one, or the beginning of another one.
    Redundant,
    Unused,
    Invalid,
}

use Truth::{Invalid, Keep, Redundant, Unused};

const TABLES: &str = r#"
CREATE TABLE plain (id int PRIMARY KEY, a int, b int, c int, d text, e timestamptz, f jsonb, g int, h int, i text, j int, k int);
INSERT INTO plain SELECT n, n % 7, n % 5, n % 3, 't' || n, now(), '{}', n, n, 'x', n, n FROM generate_series(1, 300) AS n;
CREATE TABLE uniq (id int PRIMARY KEY, a int NOT NULL, b int, c int, d int, e int CONSTRAINT uniq_e UNIQUE, f int CONSTRAINT uniq_f UNIQUE DEFERRABLE INITIALLY DEFERRED,
    g int CONSTRAINT uniq_g UNIQUE, span int4range, CONSTRAINT uniq_span EXCLUDE USING gist (span WITH &&));
ALTER TABLE uniq ADD CONSTRAINT uniq_g_twice UNIQUE (g);
CREATE TABLE referred (x int, y int, UNIQUE (x, y), z int);
CREATE TABLE "Odd table" ("select" int, "B""c" int);
CREATE TABLE parted (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE MATERIALIZED VIEW summary AS SELECT a, count(*) AS n FROM plain GROUP BY a;
CREATE TABLE live (a int); CREATE TABLE killed (a int); CREATE TABLE halted (a int);
CREATE TABLE doubled (a int); INSERT INTO doubled VALUES (1), (1);
CREATE TABLE big (id int PRIMARY KEY, a int, b int, c int, d text, e int REFERENCES uniq, f int);
INSERT INTO uniq (id, a) SELECT n, n FROM generate_series(1, 10) AS n;
INSERT INTO big SELECT n, n % 100, n % 50, n % 10, repeat('x', 60), n % 10 + 1, n FROM generate_series(1, 20000) AS n;
CREATE UNIQUE INDEX referred_z ON referred (z);
CREATE TABLE pointing (id int, z int REFERENCES referred (z));
CREATE TABLE bare (id int, e int CONSTRAINT bare_e REFERENCES uniq);
CREATE TABLE odd_condition (id int, e int CONSTRAINT odd_condition_e REFERENCES uniq);
CREATE TABLE half (x int, y int, t int, CONSTRAINT half_xy FOREIGN KEY (x, y) REFERENCES referred (x, y));
CREATE TABLE swapped (x int, y int, t int, FOREIGN KEY (x, y) REFERENCES referred (x, y));
CREATE TABLE no_nulls (id int, e int REFERENCES uniq, x int, y int, FOREIGN KEY (x, y) REFERENCES referred (x, y));
CREATE TABLE first_key (e int REFERENCES uniq, id int, PRIMARY KEY (e, id));
CREATE TABLE hashed (e int REFERENCES uniq);
CREATE TABLE small (e int REFERENCES uniq);
INSERT INTO bare SELECT n, n % 10 + 1 FROM generate_series(1, 2000) AS n;
INSERT INTO odd_condition SELECT n, n % 10 + 1 FROM generate_series(1, 2000) AS n;
INSERT INTO half SELECT NULL, n, n FROM generate_series(1, 2000) AS n;
INSERT INTO swapped SELECT NULL, n, n FROM generate_series(1, 2000) AS n;
INSERT INTO no_nulls SELECT n, n % 10 + 1 FROM generate_series(1, 2000) AS n;
INSERT INTO first_key SELECT n % 10 + 1, n FROM generate_series(1, 2000) AS n;
INSERT INTO hashed SELECT n % 10 + 1 FROM generate_series(1, 2000) AS n;
INSERT INTO small VALUES (1);
"#;

/// Indexes by name, how each is made (nothing: it came with its table), and what is true of it.
const INDEXES: &[(&str, &str, Truth)] = &[
    ("plain_pkey", "", Keep),
    ("plain_id", "ON plain (id)", Redundant),
    ("plain_a", "ON plain (a)", Redundant),
    ("plain_a_b", "ON plain (a, b)", Keep),
    ("plain_a_b_again", "ON plain (a, b)", Redundant),
    ("plain_b_a", "ON plain (b, a)", Keep),
    ("plain_c_desc", "ON plain (c DESC)", Keep),
    ("plain_c_nulls", "ON plain (c DESC NULLS LAST)", Keep),
    ("plain_e", "ON plain (e)", Redundant),
    ("plain_e_back", "ON plain (e DESC)", Redundant),
    ("plain_e_mixed", "ON plain (e, h DESC)", Redundant),
    ("plain_e_mixed_back", "ON plain (e DESC, h, k)", Keep),
    ("plain_d", "ON plain (d)", Keep),
    ("plain_d_pattern", "ON plain (d text_pattern_ops)", Keep),
    ("plain_d_c", "ON plain (d COLLATE \"C\")", Redundant),
    ("plain_d_c_longer", "ON plain (d COLLATE \"C\", a)", Keep),
    ("plain_lower", "ON plain (lower(d))", Keep),
    ("plain_lower_again", "ON plain (lower(d))", Redundant),
    ("plain_upper", "ON plain (upper(d))", Keep),
    ("partial_b", "ON plain (b) WHERE c > 5", Redundant),
    ("partial_b_again", "ON plain (b) WHERE c > 5", Redundant),
    ("partial_b_other", "ON plain (b) WHERE c > 6", Keep),
    ("partial_b_c", "ON plain (b, c) WHERE c > 5", Keep),
    ("stored_g", "ON plain (g) INCLUDE (h)", Keep),
    ("stored_none", "ON plain (g)", Redundant),
    ("stored_other", "ON plain (g) INCLUDE (j)", Keep),
    ("stored_order", "ON plain (h, g) INCLUDE (a, b)", Keep),
    ("stored_order_again", "ON plain (h, g) INCLUDE (b, a)", Redundant),
    ("stored_in_key", "ON plain (k) INCLUDE (a)", Redundant),
    ("stored_as_key", "ON plain (k, a)", Keep),
    ("gin_f", "ON plain USING gin (f)", Keep),
    ("gin_f_path", "ON plain USING gin (f jsonb_path_ops)", Keep),
    ("gin_f_again", "ON plain USING gin (f)", Redundant),
    ("hash_j", "ON plain USING hash (j)", Keep),
    ("hash_j_again", "ON plain USING hash (j)", Redundant),
    ("tree_j", "ON plain (j) WITH (fillfactor = 70)", Keep),
    ("brin_e", "ON plain USING brin (e)", Keep),
    ("brin_e_fine", "ON plain USING brin (e) WITH (pages_per_range = 16)", Keep),
    ("uniq_pkey", "", Keep),
    ("uniq_e", "", Keep),
    ("uniq_f", "", Keep),
    ("uniq_g", "", Keep),
    ("uniq_g_twice", "", Redundant),
    ("uniq_span", "", Keep),
    ("uniq_e_plain", "ON uniq (e)", Redundant),
    ("uniq_e_again", "UNIQUE ON uniq (e)", Redundant),
    ("uniq_e_longer", "UNIQUE ON uniq (e, b)", Keep),
    ("uniq_f_now", "UNIQUE ON uniq (f)", Keep),
    ("uniq_c", "UNIQUE ON uniq (c)", Keep),
    ("uniq_c_some", "UNIQUE ON uniq (c) WHERE d > 1", Keep),
    ("uniq_b", "ON uniq (b)", Redundant),
    ("uniq_b_c", "UNIQUE ON uniq (b, c)", Keep),
    ("uniq_a", "UNIQUE ON uniq (a)", Redundant),
    ("uniq_a_identity", "UNIQUE ON uniq (a)", Keep),
    ("referred_x_y_key", "", Keep),
    ("referred_z", "", Keep),
    ("referred_z_plain", "ON referred (z)", Redundant),
    ("Odd \"index", "ON \"Odd table\" (\"select\", \"B\"\"c\")", Keep),
    ("Odd index WHERE", "ON \"Odd table\" (\"select\") WHERE \"B\"\"c\" IS NULL", Keep),
    ("order", "ON \"Odd table\" (\"select\")", Redundant),
    ("parted_day", "ON parted (day)", Keep),
    ("parted_day_again", "ON parted (day)", Redundant),
    ("parted_incomplete", "ON ONLY parted (id)", Keep),
    ("summary_a", "ON summary (a)", Keep),
    ("summary_a_again", "ON summary (a)", Redundant),
    ("half_x_t", "ON half (x, t)", Keep),
    ("swapped_y_x", "ON swapped (y, x, t)", Keep),
    ("no_nulls_e", "ON no_nulls (e) WHERE e IS NOT NULL", Keep),
    ("no_nulls_x_y", "ON no_nulls (x, y) WHERE x IS NOT NULL AND y IS NOT NULL", Keep),
    ("odd_condition_e", "ON odd_condition (e) WHERE id > 5", Keep),
    ("first_key_pkey", "", Keep),
    ("hashed_e", "ON hashed USING hash (e)", Keep),
    ("big_pkey", "", Keep),
    ("big_a", "ON big (a)", Redundant),
    ("big_a_b", "ON big (a, b)", Keep),
    ("big_b", "ON big (b)", Keep),
    ("big_c", "ON big (c)", Unused),
    ("big_d", "ON big (substr(d, 1, 2))", Unused),
    ("big_partial", "ON big (b) WHERE c = 3", Unused),
    ("big_e", "ON big (e)", Keep),
    ("big_f", "UNIQUE ON big (f)", Keep),
    ("live_a", "", Keep),
    ("killed_a", "", Invalid),
    ("halted_a", "", Invalid),
    ("doubled_a", "", Invalid),
];

/// Makes what there is, and leaves the sessions that have to stay open.
async fn prepare(bed: &Bed) -> Vec<Client> {
    let client = bed.superuser().await;
    client.batch_execute(TABLES).await.unwrap();
    for (name, how, _) in INDEXES.iter().filter(|(_, how, _)| !how.is_empty()) {
        let (unique, how) = how.strip_prefix("UNIQUE ").map_or(("", *how), |rest| ("UNIQUE", rest));
        let name = name.replace('"', "\"\"");
        client.batch_execute(&format!("CREATE {unique} INDEX \"{name}\" {how}")).await.unwrap();
    }
    client.batch_execute("ALTER TABLE uniq REPLICA IDENTITY USING INDEX uniq_a_identity; COMMENT ON INDEX uniq_b IS 'it''s \\ said'; \
        ALTER TABLE plain CLUSTER ON plain_a; ANALYZE").await.unwrap();
    client.batch_execute("SET enable_seqscan = off; SELECT count(*) FROM big WHERE a = 1; SELECT count(*) FROM big WHERE b = 1; \
        SELECT pg_stat_force_next_flush()").await.unwrap();
    client
        .batch_execute("CREATE UNIQUE INDEX CONCURRENTLY doubled_a ON doubled (a)")
        .await
        .unwrap_err();
    // A snapshot that is older than the build keeps it in its last phase, a writer in its first.
    kill_a_build(bed, "halted", "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1", true).await;
    kill_a_build(bed, "killed", "BEGIN; INSERT INTO killed VALUES (1)", false).await;
    let writer = bed.superuser().await;
    writer.batch_execute("BEGIN; INSERT INTO live VALUES (1)").await.unwrap();
    vec![writer, start_a_build(bed, "live", false).await]
}

async fn start_a_build(bed: &Bed, table: &str, ready: bool) -> Client {
    let builder = bed.superuser().await;
    let watcher = bed.superuser().await;
    let statement = format!("CREATE INDEX CONCURRENTLY {table}_a ON {table} (a)");
    let pid: i32 = builder.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let build = async move {
        let _ = builder.batch_execute(&statement).await;
    };
    tokio::spawn(build);
    let waiting = "SELECT EXISTS (SELECT FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_stat_activity a ON a.pid = $3 \
        WHERE c.relname = $1 AND NOT x.indisvalid AND x.indisready = $2 AND a.wait_event_type = 'Lock')";
    for _ in 0..2_000 {
        let there: bool = watcher
            .query_one(waiting, &[&format!("{table}_a"), &ready, &pid])
            .await
            .unwrap()
            .get(0);
        if there {
            return watcher;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the build of {table}_a does not wait");
}

async fn kill_a_build(bed: &Bed, table: &str, blocker: &str, ready: bool) {
    let holder = bed.superuser().await;
    holder.batch_execute(blocker).await.unwrap();
    let watcher = start_a_build(bed, table, ready).await;
    let ended = watcher
        .query_one(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
             WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY ' || $1 || '%'",
            &[&table],
        )
        .await
        .unwrap();
    assert!(ended.get::<_, bool>(0), "{table}");
    holder.batch_execute("ROLLBACK").await.unwrap();
}

const OPTIONS: Options = Options {
    unused_for: 0.0,
    unused_from: 1024 * 1024,
    bloat_from: 64 * 1024,
    bloat_share: 0.4,
    foreign_key_from: 1_000.0,
};

fn named<'a>(catalog: &'a Catalog, name: &str) -> &'a Index {
    catalog
        .indexes
        .iter()
        .find(|index| index.name == name)
        .unwrap_or_else(|| panic!("no index {name}"))
}

/// Names of the indexes that findings say to drop, by kind.
fn dropped(catalog: &Catalog) -> BTreeMap<String, Truth> {
    let mut found = BTreeMap::new();
    for advice in look(catalog, &OPTIONS) {
        let truth = match advice.kind {
            Kind::DropRedundantIndex => Redundant,
            Kind::DropUnusedIndex => Unused,
            Kind::DropInvalidIndex => Invalid,
            _ => continue,
        };
        let index = catalog.indexes.iter().find(|index| {
            howdah_advisor::Recommendation::id_of(
                advice.kind,
                &format!("{}.{}", index.schema, index.name),
            ) == advice.id
        });
        assert!(
            found.insert(index.unwrap().name.clone(), truth).is_none(),
            "twice: {}",
            advice.title
        );
    }
    found
}

#[test]
fn what_is_said_of_indexes_is_true_and_little_is_missed() {
    run(async {
        let bed = Bed::new();
        let _open = prepare(&bed).await;
        let client = bed.superuser().await;
        let catalog = read(&client).await.unwrap();
        let found = dropped(&catalog);
        let truth: BTreeMap<&str, Truth> =
            INDEXES.iter().map(|(name, _, truth)| (*name, *truth)).collect();
        for name in truth.keys() {
            named(&catalog, name);
        }
        let wrong: Vec<_> = found
            .iter()
            .filter(|(name, truth_)| truth.get(name.as_str()) != Some(truth_))
            .collect();
        let missed: Vec<_> = truth
            .iter()
            .filter(|(name, truth)| **truth != Keep && !found.contains_key(**name))
            .collect();
        let superfluous = truth.values().filter(|truth| **truth != Keep).count();
        let recall = 1.0
            - f64::from(u32::try_from(missed.len()).unwrap())
                / f64::from(u32::try_from(superfluous).unwrap());
        println!(
            "{} indexes, {superfluous} superfluous, {} found, recall {recall:.3}, missed {missed:?}",
            truth.len(),
            found.len()
        );
        assert!(truth.len() >= 40 && superfluous >= 20);
        assert!(wrong.is_empty(), "not true: {wrong:?}");
        assert!(recall >= 0.95, "missed: {missed:?}");
        // A role that may not see what others build, nor any statistics, is told the same.
        assert_eq!(dropped(&read(&bed.connect("app").await).await.unwrap()), found);

        let keys: BTreeSet<String> = look(&catalog, &OPTIONS)
            .iter()
            .filter(|advice| advice.kind == Kind::CreateIndex)
            .map(|advice| advice.subject.clone())
            .collect();
        let bare = ["public.bare", "public.half", "public.odd_condition"].map(str::to_owned);
        assert_eq!(keys, BTreeSet::from(bare));
        let rebuilt =
            look(&catalog, &OPTIONS).into_iter().filter(|advice| advice.kind == Kind::RebuildIndex);
        assert_eq!(
            rebuilt.map(|advice| advice.title).collect::<Vec<_>>(),
            Vec::<String>::new(),
            "all are as they were built"
        );
        silence_is_no_evidence(&catalog);
    });
}

fn silence_is_no_evidence(catalog: &Catalog) {
    let unused =
        |catalog: &Catalog| dropped(catalog).values().filter(|truth| **truth == Unused).count();
    assert_eq!(unused(catalog), 3);
    assert_eq!(unused(&Catalog { replicas: Some(1), ..catalog.clone() }), 0);
    assert_eq!(unused(&Catalog { replicas: Some(1), replicas_asked: 1, ..catalog.clone() }), 3);
    assert_eq!(unused(&Catalog { replicas: None, ..catalog.clone() }), 0);
    assert_eq!(unused(&Catalog { statistics_age: None, ..catalog.clone() }), 0);
    let young = look(catalog, &Options::default());
    assert!(young.iter().all(|advice| advice.kind != Kind::DropUnusedIndex));
}

#[test]
fn everything_that_is_said_can_be_carried_out_and_taken_back() {
    run(async {
        let bed = Bed::new();
        let open = prepare(&bed).await;
        drop(open);
        let client = bed.superuser().await;
        let before = read(&client).await.unwrap();
        let mut carried_out = Vec::new();
        for advice in look(&before, &OPTIONS) {
            for statement in &advice.apply {
                client
                    .batch_execute(statement)
                    .await
                    .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
            }
            carried_out.push(advice);
        }
        assert!(carried_out.iter().filter(|advice| !advice.apply.is_empty()).count() >= 20);
        let after = read(&client).await.unwrap();
        let left: Vec<_> = look(&after, &OPTIONS)
            .into_iter()
            .filter(|advice| !advice.apply.is_empty())
            .map(|advice| advice.title)
            .collect();
        assert_eq!(left, Vec::<String>::new(), "nothing is left to do");
        for advice in carried_out.iter().filter(|advice| advice.kind != Kind::DropInvalidIndex) {
            for statement in &advice.undo {
                client
                    .batch_execute(statement)
                    .await
                    .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
            }
        }
        let again = read(&client).await.unwrap();
        let parts = |catalog: &Catalog| -> BTreeMap<String, (String, Option<String>, bool)> {
            let valid = catalog
                .indexes
                .iter()
                .filter(|index| index.valid && !index.name.starts_with("live_"));
            valid
                .map(|index| {
                    (
                        index.name.clone(),
                        (index.definition.clone(), index.comment.clone(), index.clustered),
                    )
                })
                .collect()
        };
        assert_eq!(parts(&again), parts(&before));
    });
}

#[test]
fn an_index_is_called_bloated_after_rows_are_gone_and_until_it_is_rebuilt() {
    run(async {
        let bed = Bed::new();
        let client = bed.superuser().await;
        for statement in [
            "CREATE TABLE t (id int PRIMARY KEY, kind int, name text, made timestamptz, price numeric, code char(8)) WITH (autovacuum_enabled = off)",
            "INSERT INTO t SELECT n, n % 20, 'name ' || n, now() + n * interval '1 s', n * 1.5, 'c' || n % 9 FROM generate_series(1, 50000) AS n",
            "CREATE INDEX t_kind ON t (kind); CREATE INDEX t_name ON t (name); CREATE INDEX t_made ON t (made, id); CREATE INDEX t_price ON t (price)",
            "CREATE INDEX t_code ON t (code); CREATE INDEX t_stored ON t (id) INCLUDE (name); CREATE INDEX t_some ON t (id, kind) WHERE kind = 3",
            "SELECT pg_stat_force_next_flush()",
            "VACUUM ANALYZE t",
        ] {
            client.batch_execute(statement).await.unwrap();
        }
        // Nothing else is to be said of them.
        let options = Options { unused_for: f64::INFINITY, ..OPTIONS };
        let bloated = async || -> Vec<(String, Vec<String>)> {
            let catalog = read(&client).await.unwrap();
            let found = look(&catalog, &options)
                .into_iter()
                .filter(|advice| advice.kind == Kind::RebuildIndex);
            found.map(|advice| (advice.title, advice.apply)).collect()
        };
        assert_eq!(bloated().await, []);
        // One row of ten stays, in every page.
        for statement in [
            "DELETE FROM t WHERE id % 10 <> 0",
            "SELECT pg_stat_force_next_flush()",
            "VACUUM ANALYZE t",
        ] {
            client.batch_execute(statement).await.unwrap();
        }
        let found = bloated().await;
        for name in ["t_pkey", "t_name", "t_made", "t_price", "t_stored"] {
            assert!(
                found
                    .iter()
                    .any(|(title, _)| title.starts_with(&format!("rebuild index {name}: "))),
                "{name}: {found:?}"
            );
        }
        assert!(found.iter().all(|(title, _)| !title.contains("t_some")), "{found:?}");
        for statement in found.iter().flat_map(|(_, apply)| apply) {
            client.batch_execute(statement).await.unwrap();
        }
        assert_eq!(bloated().await, []);
    });
}
