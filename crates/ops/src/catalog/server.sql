-- What is said of the server as a whole. Counts of a database that were never reset by hand are as old as the server's own, which begin again
-- after a crash.
SELECT json_build_object(
    'version', current_setting('server_version_num')::int4,
    'statistics_age', extract(epoch FROM clock_timestamp() - greatest(
        (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()),
        (SELECT stats_reset FROM pg_stat_bgwriter)))::float8,
    -- Logical subscribers keep statistics of their own tables: they do not count.
    'replicas', (
        SELECT count(*) FROM pg_stat_replication r
        WHERE NOT EXISTS (SELECT FROM pg_replication_slots l WHERE l.active_pid = r.pid AND l.slot_type = 'logical')),
    'extensions', coalesce((
        SELECT json_agg(json_build_object('name', e.extname, 'schema', n.nspname))
        FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace), '[]'),
    'locked', coalesce((
        SELECT json_agg(DISTINCT l.relation::int8) FROM pg_locks l
        WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid()
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())), '[]')
)::text
