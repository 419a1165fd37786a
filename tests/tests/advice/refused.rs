//! What stands against a change is said before anything is sent.

use std::sync::Arc;
use std::time::Duration;

use howdah::advisor::Kind;
use howdah::ops::apply::Error;
use howdah_tests::{Servers, eventually};

use crate::bed::{Bed, advice, index};

fn refusal(bed: &Bed, sql: &str) -> String {
    match bed.apply(&advice(Kind::CreateIndex, &[sql])) {
        Err(error @ Error::Refused(_)) => error.to_string(),
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn an_index_of_a_partitioned_table_is_refused_with_a_recipe_that_works() {
    let bed = Bed::new();
    bed.sql("CREATE TABLE p (a int, b int) PARTITION BY RANGE (a)");
    bed.sql("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE \"P 2\" PARTITION OF p FOR VALUES FROM (10) TO (20)");
    let text = refusal(&bed, "CREATE INDEX CONCURRENTLY howdah_p_b ON public.p (b) WHERE a > 1");
    assert!(text.contains("public.p is partitioned"), "{text}");
    for line in text.lines().filter_map(|line| line.strip_prefix("  ")) {
        bed.sql(line);
    }
    let valid =
        bed.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'howdah_p_b'::regclass");
    assert_eq!(valid, "t", "{text}");
}

#[test]
fn an_old_transaction_is_named() {
    let mut bed = Bed::new();
    bed.limits.oldest = Duration::from_millis(100);
    let mut report = bed.snapshot();
    eventually("it is old", || {
        bed.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'a long report' AND datname = current_database() AND xact_start < clock_timestamp() - interval '0.2 s'") == "1"
    });
    let text = bed.apply(&index()).unwrap_err().to_string();
    assert!(text.contains("a long report") && text.contains("idle in transaction"), "{text}");
    report.run("COMMIT");
    bed.apply(&index()).unwrap();
    bed.limits.oldest = Duration::from_secs(300);
}

#[test]
fn what_has_to_stay_stays() {
    let bed = Bed::new();
    bed.sql("ALTER TABLE t ADD CONSTRAINT t_key UNIQUE (a); CREATE UNIQUE INDEX identity ON t (a); ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE t REPLICA IDENTITY USING INDEX identity");
    for (name, why) in [("t_key", "the constraint t_key"), ("identity", "the replica identity")] {
        let text = refusal(&bed, &format!("DROP INDEX CONCURRENTLY public.{name}"));
        assert!(text.contains(why), "{text}");
    }
    bed.sql("CREATE TABLE other (a int); CREATE INDEX howdah_t_a ON other (a)");
    let text = refusal(&bed, "CREATE INDEX CONCURRENTLY howdah_t_a ON public.t (a)");
    assert!(text.contains("an index of public.other"), "{text}");
}

#[test]
fn an_invalid_index_of_somebody_else_is_left_alone() {
    let bed = Bed::new();
    bed.sql("UPDATE t SET a = 1 WHERE a = 2");
    let mut admin = bed.admin();
    let _ = admin.query("CREATE UNIQUE INDEX CONCURRENTLY howdah_t_a ON t (a)");
    admin.close();
    assert_eq!(bed.invalid(), "1");
    let text = refusal(&bed, "CREATE INDEX CONCURRENTLY howdah_t_a ON public.t (a)");
    assert!(text.contains("Howdah has not made it"), "{text}");
    assert_eq!(bed.invalid(), "1");
}

#[test]
fn a_replica_is_not_changed() {
    let servers = Arc::new(Servers::start_with_replicas(1));
    let bed = Bed::on(servers);
    bed.servers.cluster().wait_for_replay().unwrap();
    let replica = bed.servers.cluster().replicas()[0].url(&bed.database, "howdah");
    let output = crate::command::howdah_at(&bed, &replica, &["dry"]);
    assert!(output.contains("this server is a replica"), "{output}");
}
