-- How often this node used each index, as JSON.
SELECT json_build_object(
    'index', s.indexrelid::int8,
    'scans', coalesce(s.idx_scan, 0),
    'entries_read', coalesce(s.idx_tup_read, 0),
    'used_ago', extract(epoch FROM clock_timestamp() - (to_jsonb(s) ->> 'last_idx_scan')::timestamptz)::float8
)::text
FROM pg_stat_all_indexes s
WHERE s.schemaname <> 'pg_catalog' AND s.schemaname !~ '^pg_toast'
