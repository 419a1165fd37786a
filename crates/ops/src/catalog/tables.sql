-- Tables as JSON, one a row: the fields of howdah_advisor::catalog::Table. $1: relations that are locked exclusively, which a size would wait for.
WITH RECURSIVE wanted AS (
    SELECT c.oid, c.relname, c.relkind, c.relispartition, c.relpages, c.reltuples, c.relallvisible, n.nspname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
      AND c.oid <> ALL ($1)
      AND NOT EXISTS (
          SELECT FROM pg_depend d
          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e')
), domains (domain, base) AS (
    SELECT oid, typbasetype FROM pg_type WHERE typtype = 'd'
    UNION ALL
    SELECT d.domain, t.typbasetype FROM domains d JOIN pg_type t ON t.oid = d.base WHERE t.typtype = 'd'
), based AS (
    SELECT d.domain, d.base FROM domains d JOIN pg_type t ON t.oid = d.base WHERE t.typtype <> 'd'
), columns AS (
    SELECT a.attrelid,
        json_agg(json_build_object(
            'number', a.attnum,
            'name', a.attname,
            'type_name', format_type(a.atttypid, a.atttypmod),
            'type_oid', t.oid::int8,
            'type_length', a.attlen,
            'alignment', CASE a.attalign WHEN 'c' THEN 1 WHEN 's' THEN 2 WHEN 'i' THEN 4 ELSE 8 END,
            'not_null', a.attnotnull,
            'width', s.avg_width,
            'distinct', s.n_distinct,
            'nulls', s.null_frac,
            'correlation', s.correlation,
            'most_common', coalesce((
                SELECT json_agg(json_build_array(v.value, v.share) ORDER BY v.share DESC, v.value)
                FROM unnest(s.most_common_vals::text::text[], s.most_common_freqs) AS v (value, share)
                WHERE length(v.value) <= 256), '[]')
        ) ORDER BY a.attnum) AS list
    FROM wanted c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN based ON based.domain = a.atttypid
    JOIN pg_type t ON t.oid = coalesce(based.base, a.atttypid)
    LEFT JOIN pg_stats s ON s.schemaname = c.nspname AND s.tablename = c.relname AND s.attname = a.attname
        AND s.inherited = (c.relkind = 'p')
    GROUP BY a.attrelid
)
SELECT json_build_object(
    'oid', c.oid::int8,
    'schema', c.nspname,
    'name', c.relname,
    'kind', CASE c.relkind WHEN 'p' THEN 'partitioned' WHEN 'm' THEN 'materialized' ELSE 'table' END,
    'parent', CASE WHEN c.relispartition THEN
        (SELECT i.inhparent::int8 FROM pg_inherits i WHERE i.inhrelid = c.oid) END,
    'pages', greatest(c.relpages, 0),
    -- Before version 14, 0 rows in 0 pages means both: empty, and never looked at.
    'rows', CASE WHEN c.reltuples < 0 THEN NULL
        WHEN c.reltuples = 0 AND c.relpages = 0 AND current_setting('server_version_num')::int4 < 140000 THEN NULL
        ELSE c.reltuples::float8 END,
    'all_visible_pages', greatest(c.relallvisible, 0),
    'bytes', coalesce(pg_table_size(c.oid), 0),
    'columns', coalesce(columns.list, '[]'),
    'activity', json_build_object(
        'sequential_scans', coalesce(s.seq_scan, 0),
        'sequential_rows', coalesce(s.seq_tup_read, 0),
        'index_scans', coalesce(s.idx_scan, 0),
        'inserted', coalesce(s.n_tup_ins, 0),
        'updated', coalesce(s.n_tup_upd, 0),
        'hot_updated', coalesce(s.n_tup_hot_upd, 0),
        'deleted', coalesce(s.n_tup_del, 0),
        'live', coalesce(s.n_live_tup, 0),
        'dead', coalesce(s.n_dead_tup, 0),
        'changed_since_analyze', coalesce(s.n_mod_since_analyze, 0),
        'analyzed_ago', extract(epoch FROM clock_timestamp() - greatest(s.last_analyze, s.last_autoanalyze))::float8,
        'vacuumed_ago', extract(epoch FROM clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum))::float8
    )
)::text
FROM wanted c
LEFT JOIN columns ON columns.attrelid = c.oid
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
ORDER BY c.nspname, c.relname
