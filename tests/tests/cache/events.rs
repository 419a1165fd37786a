//! Everything that can happen to rows and definitions, and which answers it makes wrong: those, and no others where that can be known.

use howdah_core::cache::{ColumnSet, Freshness, Refusal, Tag, Unseen};
use howdah_tests::raw::Connection;

use crate::bed::{self, BOUND, Bed, Kept, eventually, oid, watch};

const TABLES: &str = "\
CREATE TABLE t (id int PRIMARY KEY, tenant text, note text); \
CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE); \
CREATE TABLE exact (id int PRIMARY KEY, tenant text); ALTER TABLE exact REPLICA IDENTITY FULL; \
CREATE TABLE audit (id serial PRIMARY KEY, what text); \
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit (what) VALUES (TG_OP); RETURN NULL; END $$; \
CREATE TRIGGER note AFTER UPDATE ON child FOR EACH ROW EXECUTE FUNCTION note(); \
CREATE FUNCTION write() RETURNS int LANGUAGE sql AS 'UPDATE t SET note = ''f'' WHERE id = 1 RETURNING 1'; \
CREATE VIEW v AS SELECT * FROM t; \
CREATE RULE r AS ON INSERT TO exact WHERE NEW.tenant = 'ruled' DO ALSO INSERT INTO audit (what) VALUES ('rule'); \
CREATE TABLE root (id int, tenant text, PRIMARY KEY (id)) PARTITION BY RANGE (id); \
CREATE TABLE leaf (gone int, tenant text, id int NOT NULL); ALTER TABLE leaf DROP COLUMN gone; \
ALTER TABLE root ATTACH PARTITION leaf FOR VALUES FROM (0) TO (100); \
CREATE TABLE parent (id int PRIMARY KEY, tenant text); \
CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (parent); \
CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY); \
CREATE MATERIALIZED VIEW seen AS SELECT count(*) FROM t; \
INSERT INTO t VALUES (1, 'a', 'x'), (2, 'b', repeat(md5(random()::text), 2000)), (3, 'a', 'x'), (4, 'd', 'x'); \
INSERT INTO child VALUES (1, 3), (2, 2); INSERT INTO exact VALUES (1, 'a'), (2, 'b'); \
INSERT INTO root VALUES (1, 'a'), (2, 'b'); INSERT INTO heir VALUES (1, 'a')";

/// Answers with a name each.
struct Answers<'a> {
    freshness: &'a Freshness,
    client: Connection,
    tags: Vec<(&'static str, Vec<Tag>)>,
}

impl Answers<'_> {
    /// Which answers are refused after this was run.
    fn refused(&mut self, run: &mut dyn FnMut(&mut Connection)) -> Vec<&'static str> {
        let (freshness, client) = (self.freshness, &mut self.client);
        let kept: Vec<(&str, Kept)> = self
            .tags
            .iter()
            .map(|(name, tags)| (*name, bed::keep(freshness, client, "SELECT 1", tags)))
            .collect();
        run(client);
        bed::catch_up(freshness);
        let is_refused = |kept: &Kept| match bed::valid(freshness, kept, BOUND) {
            Ok(()) => false,
            Err(Refusal::Changed) => true,
            Err(other) => panic!("{other}"),
        };
        kept.iter().filter(|(_, kept)| is_refused(kept)).map(|(name, _)| *name).collect()
    }
}

/// All relations of a name, each with the tags of answers about it.
fn answers<'a>(freshness: &'a Freshness, bed: &Bed) -> Answers<'a> {
    let mut client = bed.direct();
    let mut tags = Vec::new();
    let mut add = |relation: &str, attnums: [i16; 2], names: [&'static str; 5]| {
        let oid = oid(&mut client, relation);
        let [id, tenant] = attnums;
        for set in [&[id], &[tenant]] {
            watch(freshness, oid, set);
        }
        let whole = Tag::whole(oid);
        let row = |attnum: i16, value: &'static str| Tag::row(oid, [(attnum, value.as_bytes())]);
        let [table, one, two, a, b] = names;
        tags.push((table, vec![whole, Tag::table(oid)]));
        tags.push((one, vec![whole, row(id, "1")]));
        tags.push((two, vec![whole, row(id, "2")]));
        // By tenant, with the wildcard for rows that leave.
        tags.push((a, vec![whole, row(tenant, "a"), Tag::columns(oid, &[tenant])]));
        tags.push((b, vec![whole, row(tenant, "b"), Tag::columns(oid, &[tenant])]));
    };
    add("t", [1, 2], ["t", "t1", "t2", "ta", "tb"]);
    add("exact", [1, 2], ["e", "e1", "e2", "ea", "eb"]);
    add("root", [1, 2], ["r", "r1", "r2", "ra", "rb"]);
    add("parent", [1, 2], ["p", "p1", "p2", "pa", "pb"]);
    for (name, relation) in [("child", "child"), ("audit", "audit"), ("leaf", "leaf")] {
        let oid = oid(&mut client, relation);
        tags.push((name, vec![Tag::whole(oid), Tag::table(oid)]));
    }
    Answers { freshness, client, tags }
}

#[test]
fn each_event_refuses_the_answers_that_it_makes_wrong() {
    let bed = Bed::start(TABLES, "");
    let freshness = bed.open();
    let mut answers = answers(&freshness, &bed);
    let events: &[(&str, &str, &[&str])] = &[
        ("insert", "INSERT INTO t VALUES (10, 'c', '')", &["t"]),
        ("insert into a predicate", "INSERT INTO t VALUES (11, 'a', '')", &["t", "ta"]),
        (
            "update, old values not told",
            "UPDATE t SET note = 'y' WHERE id = 1",
            &["t", "t1", "ta", "tb"],
        ),
        (
            "unchanged large value",
            "UPDATE t SET tenant = 'b' WHERE id = 2",
            &["t", "t2", "ta", "tb"],
        ),
        ("update of the key", "UPDATE t SET id = 12 WHERE id = 4", &["t", "ta", "tb"]),
        ("delete, key told", "DELETE FROM t WHERE id = 12", &["t", "ta", "tb"]),
        ("full identity", "UPDATE exact SET tenant = 'c' WHERE id = 1", &["e", "e1", "ea"]),
        ("full identity, delete", "DELETE FROM exact WHERE id = 2", &["e", "e2", "eb"]),
        ("rule", "INSERT INTO exact VALUES (20, 'ruled')", &["e", "audit"]),
        ("trigger", "UPDATE child SET t = 2 WHERE id = 2", &["child", "audit"]),
        ("cascade", "DELETE FROM t WHERE id = 3", &["t", "ta", "tb", "child"]),
        ("function", "SELECT write()", &["t", "t1", "ta", "tb"]),
        ("through a view", "UPDATE v SET note = 'z' WHERE id = 2", &["t", "t2", "ta", "tb"]),
        ("copy", "COPY t FROM PROGRAM 'echo 30,c,q' (FORMAT csv)", &["t"]),
        (
            "savepoint that is rolled back",
            "BEGIN; SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; INSERT INTO exact VALUES (30, 'x'); COMMIT",
            &["e"],
        ),
        ("rollback", "BEGIN; DELETE FROM t; ROLLBACK", &[]),
        ("prepared", "BEGIN; INSERT INTO t VALUES (40, 'c', ''); PREPARE TRANSACTION 'p'", &[]),
        ("commit prepared", "COMMIT PREPARED 'p'", &["t"]),
        (
            "rollback prepared",
            "BEGIN; DELETE FROM t; PREPARE TRANSACTION 'q'; ROLLBACK PREPARED 'q'",
            &[],
        ),
        (
            "partition, columns in another order",
            "INSERT INTO root VALUES (3, 'b')",
            &["r", "rb", "leaf"],
        ),
        (
            "partition itself",
            "UPDATE leaf SET tenant = 'a' WHERE id = 2",
            &["r", "r2", "ra", "rb", "leaf"],
        ),
        ("inheritance", "INSERT INTO heir VALUES (2, 'b')", &["p", "p2", "pb"]),
        ("nothing that is followed", "SELECT nextval('audit_id_seq')", &[]),
        ("truncate of one partition", "TRUNCATE leaf", &["r", "r1", "r2", "ra", "rb", "leaf"]),
        ("truncate", "TRUNCATE exact", &["e", "e1", "e2", "ea", "eb"]),
        ("truncate cascade", "TRUNCATE t CASCADE", &["t", "t1", "t2", "ta", "tb", "child"]),
    ];
    for (name, sql, expected) in events {
        let mut run = |client: &mut Connection| {
            // Statements that may not be in one transaction.
            for part in sql.split_inclusive(';').map(str::trim).filter(|it| !it.is_empty()) {
                client.run(part);
            }
        };
        let refused = answers.refused(&mut run);
        assert_eq!(refused, *expected, "{name}: {sql}");
    }
}

#[test]
fn what_is_not_told_is_not_promised() {
    let nodes = bed::nodes().sql(TABLES).sql("CREATE TABLE private (id int PRIMARY KEY)");
    let nodes = nodes.sql("CREATE TABLE narrow (id int PRIMARY KEY, v int)");
    let nodes =
        nodes.sql("CREATE PUBLICATION howdah FOR TABLE t, leaf, ONLY parent, narrow WHERE (v > 0)");
    let bed = Bed::on(nodes, "catalog_poll = \"100ms\"\n");
    let freshness = bed.open();
    let mut client = bed.direct();
    for (relation, expected) in [
        ("t", None),
        ("leaf", None),
        ("root", None),
        // Rows of its heir are rows of it.
        ("parent", Some(Unseen::NotPublished)),
        ("private", Some(Unseen::NotPublished)),
        ("narrow", Some(Unseen::Filtered)),
        ("fleeting", Some(Unseen::Unlogged)),
        ("seen", Some(Unseen::Unlogged)),
    ] {
        let set = ColumnSet::new(oid(&mut client, relation), &[]);
        assert_eq!(freshness.since(&set).err(), expected, "{relation}");
    }
    // A table that is added is followed from a new stream on.
    client.run("ALTER PUBLICATION howdah ADD TABLE private");
    let set = ColumnSet::new(oid(&mut client, "private"), &[]);
    eventually("it is followed", || freshness.since(&set).is_ok());
    assert_eq!(bed.report().stream.counters.streams, 2);
}

#[test]
fn changed_definitions_are_noticed_by_asking_the_catalog() {
    let bed = Bed::start(TABLES, "catalog_poll = \"50ms\"\n");
    let freshness = bed.open();
    let mut client = bed.direct();
    let t = oid(&mut client, "t");
    let tags = [Tag::whole(t), Tag::table(t)];
    for change in [
        "ALTER TABLE t ADD COLUMN more int",
        "ALTER TABLE t RENAME COLUMN more TO other",
        "CREATE OR REPLACE VIEW v AS SELECT id, tenant, note FROM t WHERE id > 0",
        "CREATE POLICY p ON t USING (true)",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "GRANT SELECT ON t TO pg_monitor",
        "REVOKE SELECT ON t FROM pg_monitor",
        "ALTER FUNCTION write() STABLE",
        "ALTER TABLE root DETACH PARTITION leaf",
        "CREATE ROLE somebody",
        "GRANT pg_monitor TO somebody",
        "ALTER DATABASE postgres SET search_path = public",
    ] {
        let kept = bed::keep(&freshness, &mut client, "SELECT count(*) FROM t", &tags);
        client.run(change);
        eventually(change, || bed::valid(&freshness, &kept, BOUND) == Err(Refusal::Definitions));
    }
    // What applications do all the time is none.
    bed::catch_up(&freshness);
    let kept = bed::keep(&freshness, &mut client, "SELECT count(*) FROM t", &tags);
    client.run(
        "CREATE TEMP TABLE mine (id int); INSERT INTO mine VALUES (1); ANALYZE t; TRUNCATE exact",
    );
    let reads = bed.report().stream.counters.definitions;
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(bed.report().stream.counters.definitions, reads);
    assert_eq!(bed::verdict(&freshness, &kept), Ok(()));
}

#[test]
fn event_triggers_tell_of_changed_definitions_in_the_order_of_commits() {
    let nodes =
        howdah::setup::EVENT_TRIGGERS.iter().fold(bed::nodes().sql(TABLES), |it, sql| it.sql(sql));
    let nodes = nodes.sql("CREATE PUBLICATION howdah FOR ALL TABLES");
    let bed = Bed::on(nodes, "catalog_poll = \"1h\"\n");
    let freshness = bed.open();
    let mut client = bed.direct();
    let t = oid(&mut client, "t");
    let tags = [Tag::whole(t), Tag::table(t)];
    for (change, matters) in [
        ("ALTER TABLE t ADD COLUMN more int", true),
        ("DROP VIEW v", true),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", true),
        ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", true),
        ("REVOKE SELECT ON t FROM public", true),
        ("ALTER TABLE root DETACH PARTITION leaf", true),
        ("CREATE TEMP TABLE mine AS SELECT 1 AS n", false),
        ("DROP TABLE mine", false),
        ("REFRESH MATERIALIZED VIEW seen", false),
        ("VACUUM t", false),
        ("BEGIN; CREATE TABLE never (id int); ROLLBACK", false),
    ] {
        let kept = bed::keep(&freshness, &mut client, "SELECT count(*) FROM t", &tags);
        for part in change.split("; ") {
            client.run(part);
        }
        bed::catch_up(&freshness);
        let valid = bed::verdict(&freshness, &kept);
        let expected = if matters { Err(Refusal::Definitions) } else { Ok(()) };
        assert_eq!(valid, expected, "{change}");
    }
    // A row of a table that was changed is hashed by its columns of now.
    client.run("ALTER TABLE t RENAME COLUMN tenant TO renter");
    watch(&freshness, t, &[2]);
    let tenant = [Tag::whole(t), Tag::row(t, [(2, &b"a"[..])]), Tag::columns(t, &[2])];
    let kept = bed::keep(&freshness, &mut client, "SELECT count(*) FROM t", &tenant);
    client.run("INSERT INTO t VALUES (100, 'a')");
    bed::catch_up(&freshness);
    assert_eq!(bed::verdict(&freshness, &kept), Err(Refusal::Changed));
}
