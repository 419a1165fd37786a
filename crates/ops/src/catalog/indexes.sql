-- Indexes as JSON, one a row: the fields of howdah_advisor::catalog::Index. $1: relations that are locked exclusively; $2: the tables that
-- were read. Columns that older versions lack are looked for in the row as JSON, where what is missing is null.
SELECT json_build_object(
    'oid', i.oid::int8,
    'table', x.indrelid::int8,
    'schema', n.nspname,
    'name', i.relname,
    'method', am.amname,
    'keys', keys.list,
    'included', coalesce((
        SELECT json_agg(x.indkey[k] ORDER BY k)
        FROM generate_series(x.indnkeyatts, x.indnatts - 1) AS k), '[]'),
    'predicate', pg_get_expr(x.indpred, x.indrelid),
    'unique', x.indisunique,
    'nulls_not_distinct', coalesce((to_jsonb(x) ->> 'indnullsnotdistinct')::bool, false),
    'primary', x.indisprimary,
    'exclusion', x.indisexclusion,
    'constraint', (
        SELECT con.conname FROM pg_constraint con
        WHERE con.conindid = i.oid AND con.conrelid = x.indrelid AND con.contype IN ('p', 'u', 'x') LIMIT 1),
    'deferrable', NOT x.indimmediate,
    -- Without an index of its own the default identity is the primary key.
    'replica_identity', x.indisreplident OR (x.indisprimary AND t.relreplident = 'd'),
    'clustered', x.indisclustered,
    'valid', x.indisvalid,
    'ready', x.indisready,
    -- Who has no right to see other sessions' progress sees their locks: a build holds one on the table until it ends.
    'building', EXISTS (
            SELECT FROM pg_stat_progress_create_index p
            WHERE p.datid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND p.index_relid = i.oid)
        OR (NOT x.indisvalid AND EXISTS (
            SELECT FROM pg_locks l
            WHERE l.locktype = 'relation' AND l.relation = x.indrelid
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock'))),
    'parent', CASE WHEN i.relispartition THEN
        (SELECT h.inhparent::int8 FROM pg_inherits h WHERE h.inhrelid = i.oid) END,
    'bytes', coalesce(pg_relation_size(i.oid), 0),
    'rows', CASE WHEN i.reltuples < 0 THEN NULL ELSE i.reltuples::float8 END,
    'definition', pg_get_indexdef(i.oid),
    'tablespace', (SELECT spcname FROM pg_tablespace s WHERE s.oid = i.reltablespace),
    'comment', obj_description(i.oid, 'pg_class'),
    'scans', coalesce(s.idx_scan, 0),
    'entries_read', coalesce(s.idx_tup_read, 0),
    'used_ago', extract(epoch FROM clock_timestamp() - (to_jsonb(s) ->> 'last_idx_scan')::timestamptz)::float8
)::text
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = i.relnamespace
JOIN pg_am am ON am.oid = i.relam
LEFT JOIN pg_stat_all_indexes s ON s.indexrelid = i.oid
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object(
        'column', CASE WHEN x.indkey[k] <> 0 THEN x.indkey[k] END,
        'expression', CASE WHEN x.indkey[k] = 0 THEN pg_get_indexdef(i.oid, k + 1, false) END,
        'class', (
            SELECT format('%s.%s', cn.nspname, c.opcname)
            FROM pg_opclass c JOIN pg_namespace cn ON cn.oid = c.opcnamespace WHERE c.oid = x.indclass[k]),
        'collation', coalesce((
            SELECT format('%s.%s', cn.nspname, c.collname)
            FROM pg_collation c JOIN pg_namespace cn ON cn.oid = c.collnamespace WHERE c.oid = x.indcollation[k]), ''),
        'descending', (x.indoption[k] & 1) <> 0,
        'nulls_first', (x.indoption[k] & 2) <> 0
    ) ORDER BY k) AS list
    FROM generate_series(0, x.indnkeyatts - 1) AS k
) AS keys
WHERE x.indrelid = ANY ($2) AND i.oid <> ALL ($1) AND x.indislive
ORDER BY n.nspname, i.relname
