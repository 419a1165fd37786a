//! What is carried out is what was advised, and what is taken back leaves the catalog as it was.

use howdah::advisor::Kind;
use howdah::ops::apply::Event;
use howdah::ops::journal::State;

use crate::bed::{Bed, advice, index};

/// All that defines the indexes, statistics and parameters of the table.
const PICTURE: &str = "\
SELECT string_agg(line, E'\\n' ORDER BY line) FROM ( \
  SELECT pg_get_indexdef(i.indexrelid) || ' ' || i.indisvalid || i.indisready || i.indisclustered || coalesce(ts.spcname, '-') || coalesce(obj_description(c.oid, 'pg_class'), '-') \
    || (SELECT string_agg(attnum || ':' || attstattarget, ',') FROM pg_attribute WHERE attrelid = c.oid) AS line \
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace WHERE i.indrelid = 't'::regclass \
  UNION ALL SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxrelid = 't'::regclass \
  UNION ALL SELECT 'options ' || coalesce((SELECT string_agg(o, ',' ORDER BY o) FROM unnest(reloptions) o), '') FROM pg_class WHERE oid = 't'::regclass) lines";

#[test]
fn an_index_is_made_and_taken_away_again() {
    let bed = Bed::new();
    let before = bed.value(PICTURE);
    let index = index();
    assert_eq!(bed.apply(&index).unwrap().state, State::Applied);
    assert_eq!(bed.state(&index), State::Applied);
    assert!(bed.value(PICTURE).contains("howdah_t_a"));
    let runs = bed.runs(&index);
    assert_eq!((runs.len(), runs[0].who.as_str(), runs[0].statements.len()), (1, "a test", 1));
    assert_eq!(runs[0].statements[0].back, ["DROP INDEX CONCURRENTLY \"public\".\"howdah_t_a\""]);
    assert_eq!(bed.undo(&index).unwrap().state, State::Reverted);
    assert_eq!(bed.value(PICTURE), before);
    assert!(bed.undo(&index).is_err(), "nothing is taken back twice");
}

#[test]
fn indexes_of_every_kind_that_is_advised_are_made_and_taken_away_again() {
    let bed = Bed::new();
    bed.sql("CREATE EXTENSION pg_trgm");
    let before = bed.value(PICTURE);
    for what in [
        "USING gin (c public.gin_trgm_ops)",
        "USING btree (b) INCLUDE (c) WHERE a < b",
        "USING btree (lower(c), a)",
        "USING brin (a)",
    ] {
        let sql = format!("CREATE INDEX CONCURRENTLY howdah_t_kind ON public.t {what}");
        let make = advice(Kind::CreateIndex, &[&sql]);
        assert_eq!(bed.apply(&make).unwrap().state, State::Applied, "{what}");
        assert!(bed.value(PICTURE).contains("howdah_t_kind"), "{what}");
        assert_eq!(bed.undo(&make).unwrap().state, State::Reverted, "{what}");
        assert_eq!(bed.value(PICTURE), before, "{what}");
    }
}

#[test]
fn a_dropped_index_comes_back_with_everything() {
    let bed = Bed::new();
    bed.sql("CREATE INDEX odd ON t (lower(c) DESC NULLS LAST, a) INCLUDE (b) WITH (fillfactor = 70) WHERE c <> 'it''s \\ -- odd; '");
    bed.sql("COMMENT ON INDEX odd IS 'it''s \\ mine'; ALTER INDEX odd ALTER COLUMN 1 SET STATISTICS 500");
    bed.sql("CREATE INDEX plain ON t (b); ALTER TABLE t CLUSTER ON plain");
    let before = bed.value(PICTURE);
    for name in ["odd", "plain"] {
        let sql = format!("DROP INDEX CONCURRENTLY public.{name}");
        let drop = advice(Kind::DropUnusedIndex, &[&sql]);
        assert_eq!(bed.apply(&drop).unwrap().state, State::Applied, "{name}");
        assert_ne!(bed.value(PICTURE), before, "{name}");
        assert_eq!(bed.undo(&drop).unwrap().state, State::Reverted, "{name}");
        assert_eq!(bed.value(PICTURE), before, "{name}");
    }
}

#[test]
fn parameters_and_statistics_go_back_to_what_they_were() {
    let bed = Bed::new();
    bed.sql("ALTER TABLE t SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.5)");
    let before = bed.value(PICTURE);
    let settings = advice(
        Kind::Setting,
        &[
            "ALTER TABLE public.t SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.01)",
            "CREATE STATISTICS public.howdah_t_b_c (dependencies) ON b, c FROM public.t",
            "ANALYZE public.t",
        ],
    );
    assert_eq!(bed.apply(&settings).unwrap().state, State::Applied);
    assert_ne!(bed.value(PICTURE), before);
    assert_ne!(bed.value("SELECT count(*) FROM pg_stats WHERE tablename = 't'"), "0");
    assert_eq!(bed.undo(&settings).unwrap().state, State::Reverted);
    assert_eq!(bed.value(PICTURE), before);
}

#[test]
fn an_index_is_rebuilt_under_its_name() {
    let bed = Bed::new();
    bed.sql("CREATE INDEX i ON t (a)");
    let before = bed.value(PICTURE);
    let oid = bed.value("SELECT pg_relation_filenode('i')");
    let rebuild = advice(Kind::RebuildIndex, &["REINDEX INDEX CONCURRENTLY public.i"]);
    assert_eq!(bed.apply(&rebuild).unwrap().state, State::Applied);
    assert_eq!(bed.value(PICTURE), before);
    assert_ne!(bed.value("SELECT pg_relation_filenode('i')"), oid);
}

#[test]
fn what_is_there_already_is_not_made_again_and_not_taken_away() {
    let bed = Bed::new();
    bed.sql("CREATE INDEX howdah_t_a ON t (a)");
    let before = bed.value(PICTURE);
    let index = index();
    let going = bed.begin(&index);
    going.until("a step that is passed over", |event| matches!(event, Event::Skipped(_)));
    assert_eq!(going.end().unwrap().state, State::Applied);
    assert!(bed.undo(&index).is_err(), "somebody else made it");
    assert_eq!(bed.value(PICTURE), before);
}
