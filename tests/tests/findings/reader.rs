//! The catalog as it is read: every kind of table and index, and what a role without rights sees.

use howdah_advisor::catalog::{Catalog, Index, Table, TableKind};
use howdah_advisor::hygiene::Options;
use howdah_ops::catalog::{add_usage, read, usage};

use crate::bed::{Bed, connect, run};

const SCHEMA: &str = r#"
CREATE SCHEMA "Odd schema";
CREATE DOMAIN inner_domain AS bigint;
CREATE DOMAIN outer_domain AS inner_domain CHECK (VALUE > 0);
CREATE TABLE customers (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, score outer_domain, city char(10), gone int);
ALTER TABLE customers DROP COLUMN gone;
INSERT INTO customers SELECT n, 'c' || n || '@example.org', n, 'city ' || n % 3 FROM generate_series(1, 1000) AS n;
CREATE TABLE "Odd schema"."Orders of" (
    id bigint PRIMARY KEY, customer bigint REFERENCES customers, made timestamptz, note text);
CREATE INDEX everything ON customers USING btree
    (lower(email) COLLATE "C" text_pattern_ops DESC NULLS LAST, score) INCLUDE (city) WHERE score > 10;
CREATE UNIQUE INDEX identity ON customers (email, id);
COMMENT ON INDEX identity IS 'it''s said';
ALTER TABLE customers ALTER COLUMN id SET NOT NULL;
ALTER TABLE customers REPLICA IDENTITY USING INDEX identity;
CREATE TABLE parted (id bigint, day date) PARTITION BY RANGE (day);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE INDEX parted_day ON parted (day);
CREATE MATERIALIZED VIEW summary AS SELECT city, count(*) FROM customers GROUP BY city;
CREATE TEMP TABLE passing (a int);
ANALYZE customers;
"#;

fn table<'a>(catalog: &'a Catalog, name: &str) -> &'a Table {
    catalog
        .tables
        .iter()
        .find(|table| table.name == name)
        .unwrap_or_else(|| panic!("no table {name}"))
}

fn index<'a>(catalog: &'a Catalog, name: &str) -> &'a Index {
    catalog
        .indexes
        .iter()
        .find(|index| index.name == name)
        .unwrap_or_else(|| panic!("no index {name}"))
}

#[test]
fn every_kind_of_table_and_index_is_read_with_all_its_parts() {
    run(async {
        let bed = Bed::new();
        let client = bed.superuser().await;
        client.batch_execute(SCHEMA).await.unwrap();
        let catalog = read(&client).await.unwrap();
        assert!(catalog.version >= 130_000, "{}", catalog.version);
        assert!(catalog.statistics_age.is_some_and(|age| age >= 0.0));
        assert_eq!((catalog.replicas, catalog.replicas_asked), (Some(0), 0));
        assert_eq!(catalog.missing, Vec::<String>::new());
        let names: Vec<&str> = catalog.tables.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(names, ["Orders of", "customers", "parted", "parted_1", "summary"]);

        let customers = table(&catalog, "customers");
        assert_eq!((customers.schema.as_str(), customers.kind), ("public", TableKind::Table));
        assert_eq!(customers.rows, Some(1_000.0));
        assert!(customers.pages > 0 && customers.bytes >= customers.pages * 8_192);
        assert!(customers.activity.analyzed_ago.is_some());
        let columns: Vec<_> =
            customers.columns.iter().map(|column| (column.number, column.name.as_str())).collect();
        assert_eq!(columns, [(1, "id"), (2, "email"), (3, "score"), (4, "city")]);
        let [id, email, score, city] = customers.columns.as_slice() else { panic!("four columns") };
        assert_eq!(
            (id.type_name.as_str(), id.type_oid, id.type_length, id.alignment, id.not_null),
            ("bigint", 20, 8, 8, true)
        );
        assert_eq!(
            (id.distinct, id.nulls, id.width, id.correlation),
            (Some(-1.0), Some(0.0), Some(8.0), Some(1.0))
        );
        assert_eq!((email.type_length, email.alignment), (-1, 4));
        assert_eq!((score.type_name.as_str(), score.type_oid), ("public.outer_domain", 20));
        assert_eq!((city.type_name.as_str(), city.distinct), ("character(10)", Some(3.0)));
        assert_eq!(city.most_common.len(), 3);
        assert!(
            city.most_common[0].0.starts_with("city")
                && (city.most_common[0].1 - 0.333).abs() < 0.01
        );
        assert_eq!(table(&catalog, "parted").kind, TableKind::Partitioned);
        assert_eq!(table(&catalog, "parted_1").parent, Some(table(&catalog, "parted").oid));
        assert_eq!(table(&catalog, "parted_1").rows, None);
        assert_eq!(table(&catalog, "summary").kind, TableKind::Materialized);

        let orders = table(&catalog, "Orders of");
        let [key] = catalog.foreign_keys.as_slice() else { panic!("{:?}", catalog.foreign_keys) };
        assert_eq!((key.table, key.refers_to), (orders.oid, customers.oid));
        assert_eq!(
            (key.columns.as_slice(), key.refers_to_columns.as_slice()),
            ([2].as_slice(), [1].as_slice())
        );
        assert_eq!(key.relies_on, index(&catalog, "customers_pkey").oid);
        the_parts_of_indexes(&catalog, customers);
    });
}

fn the_parts_of_indexes(catalog: &Catalog, customers: &Table) {
    let everything = index(catalog, "everything");
    assert_eq!(everything.table, customers.oid);
    assert_eq!(
        (everything.method.as_str(), everything.included.as_slice()),
        ("btree", [4].as_slice())
    );
    let [lower, score] = everything.keys.as_slice() else { panic!("{:?}", everything.keys) };
    assert_eq!((lower.column, lower.expression.as_deref()), (None, Some("lower(email)")));
    assert_eq!(
        (lower.class.as_str(), lower.collation.as_str()),
        ("pg_catalog.text_pattern_ops", "pg_catalog.C")
    );
    assert_eq!((lower.descending, lower.nulls_first), (true, false));
    assert_eq!(
        (score.column, score.class.as_str(), score.collation.as_str()),
        (Some(3), "pg_catalog.int8_ops", "")
    );
    assert_eq!((score.descending, score.nulls_first), (false, false));
    let predicate = everything.predicate.as_deref().unwrap();
    assert!(
        everything.definition.ends_with(&format!(" WHERE {predicate}")),
        "{}",
        everything.definition
    );
    assert!(everything.definition.contains(" ON public.customers "), "{}", everything.definition);
    assert!(everything.valid && everything.ready && !everything.building && !everything.unique);
    assert!(everything.bytes > 0 && everything.rows == Some(990.0), "{:?}", everything.rows);
    let identity = index(catalog, "identity");
    assert!(identity.unique && identity.replica_identity && identity.constraint.is_none());
    assert_eq!(identity.comment.as_deref(), Some("it's said"));
    let primary = index(catalog, "customers_pkey");
    assert!(
        primary.primary
            && !primary.replica_identity
            && primary.constraint.as_deref() == Some("customers_pkey")
    );
    assert!(index(catalog, "Orders of_pkey").replica_identity);
    let children: Vec<_> = catalog.indexes_of(table(catalog, "parted_1").oid).collect();
    assert_eq!(children[0].parent, Some(index(catalog, "parted_day").oid));
}

#[test]
fn a_role_without_rights_sees_what_there_is_and_is_told_what_it_does_not_see() {
    run(async {
        let bed = Bed::new();
        let client = bed.superuser().await;
        client.batch_execute(SCHEMA).await.unwrap();
        client.batch_execute("CREATE TABLE mine (a int); ALTER TABLE mine OWNER TO app; GRANT SELECT (id) ON customers TO app").await.unwrap();
        let catalog = read(&bed.connect("app").await).await.unwrap();
        let full = read(&client).await.unwrap();
        assert_eq!(catalog.indexes.len(), full.indexes.len());
        let definitions = |catalog: &Catalog| -> Vec<String> {
            catalog.indexes.iter().map(|index| index.definition.clone()).collect()
        };
        assert_eq!(definitions(&catalog), definitions(&full));
        let customers = table(&catalog, "customers");
        assert_eq!(customers.columns[0].width, Some(8.0));
        assert_eq!(customers.columns[1].width, None);
        let told = catalog.missing.join("\n");
        assert!(
            told.contains("statistics of public.customers: columns email, score, city "),
            "{told}"
        );
        assert!(!told.contains("mine"), "{told}");
    });
}

#[test]
fn a_table_that_is_locked_is_left_out_and_named() {
    run(async {
        let bed = Bed::new();
        let client = bed.superuser().await;
        client.batch_execute(SCHEMA).await.unwrap();
        let holder = bed.superuser().await;
        holder.batch_execute("BEGIN; LOCK TABLE customers IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let catalog = read(&client).await.unwrap();
        assert!(catalog.tables.iter().all(|table| table.name != "customers"));
        assert!(catalog.indexes.iter().all(|index| index.name != "everything"));
        assert_eq!(catalog.missing, ["public.customers: locked exclusively just now"]);
        holder.batch_execute("ROLLBACK").await.unwrap();
        let catalog = read(&client).await.unwrap();
        assert_eq!(catalog.missing, Vec::<String>::new());
        assert!(catalog.indexes.iter().any(|index| index.name == "everything"));
    });
}

#[test]
fn scans_on_a_replica_count_and_the_younger_statistics_do() {
    run(async {
        let servers = howdah_tests::Servers::start_with_replicas(1);
        let primary = connect(&servers.primary().url("postgres", "howdah")).await;
        primary.batch_execute(SCHEMA).await.unwrap();
        servers.cluster().wait_for_replay().unwrap();
        let replica = connect(&servers.cluster().replicas()[0].url("postgres", "howdah")).await;
        for _ in 0..3 {
            replica
                .batch_execute("SET enable_seqscan = off; SELECT count(*) FROM customers WHERE email = 'c7@example.org'")
                .await
                .unwrap();
        }
        replica.batch_execute("SELECT pg_stat_force_next_flush()").await.unwrap();
        let mut catalog = read(&primary).await.unwrap();
        assert_eq!((catalog.replicas, catalog.replicas_asked), (Some(1), 0));
        let scans = |catalog: &Catalog| {
            index(catalog, "customers_email_key").scans + index(catalog, "identity").scans
        };
        assert_eq!(scans(&catalog), 0);
        let there = usage(&replica).await.unwrap();
        let before = catalog.statistics_age.unwrap();
        add_usage(&mut catalog, &there);
        assert_eq!(scans(&catalog), 3);
        assert_eq!(catalog.replicas_asked, 1);
        assert!(catalog.statistics_age.unwrap() <= before);
    });
}

#[test]
fn upkeep_is_read_and_all_findings_are_gathered() {
    run(async {
        let bed = Bed::new();
        let client = bed.superuser().await;
        client
            .batch_execute(
                "CREATE TABLE counted (id serial PRIMARY KEY, b bigint GENERATED ALWAYS AS IDENTITY) WITH (autovacuum_enabled = off);
                 SELECT setval('counted_id_seq', 2000000000); CREATE INDEX counted_b ON counted (b); CREATE INDEX counted_b_again ON counted (b)",
            )
            .await
            .unwrap();
        let catalog = read(&client).await.unwrap();
        let upkeep = howdah_ops::catalog::upkeep(&client, &catalog).await.unwrap();
        assert_eq!(
            (upkeep.freeze_max_age, upkeep.vacuum_scale_factor, upkeep.autovacuum),
            (200_000_000, 0.2, true)
        );
        let [b, id] = upkeep.sequences.as_slice() else { panic!("{:?}", upkeep.sequences) };
        assert_eq!(
            (id.last, id.end, id.column.clone().unwrap().2.as_str()),
            (Some(2_000_000_000), 2_147_483_647, "integer")
        );
        assert_eq!((b.last, b.column.clone().unwrap().0.as_str()), (None, "public.counted"));
        assert_eq!(upkeep.tables[0].options, ["autovacuum_enabled=off"]);
        let titles: Vec<String> = howdah_ops::findings(&client, &[], &Options::default())
            .await
            .unwrap()
            .into_iter()
            .map(|advice| advice.title)
            .collect();
        assert_eq!(
            titles,
            [
                "public.counted_id_seq has given 93 % of its numbers",
                "drop index counted_b_again: counted_b is the same"
            ]
        );
        // Without rights less is seen, and nothing fails.
        howdah_ops::findings(&bed.connect("app").await, &[], &Options::default()).await.unwrap();
    });
}
