-- Tables of which updates or deletes are published, as JSON, one a row, and what is told of their rows. $1: the tables that were read. A partition is published with what it
-- belongs to. An index that was to identify rows may be gone.
WITH published AS (
    SELECT t.oid
    FROM pg_publication p
    JOIN pg_publication_tables m ON m.pubname = p.pubname
    JOIN pg_namespace n ON n.nspname = m.schemaname
    JOIN pg_class t ON t.relnamespace = n.oid AND t.relname = m.tablename
    WHERE p.pubupdate OR p.pubdelete
)
SELECT json_build_object(
    'table', c.oid::int8,
    'identity', CASE
        WHEN c.relreplident = 'i' AND NOT EXISTS (
            SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisreplident) THEN 'n'
        ELSE c.relreplident::text END
)::text
FROM pg_class c
WHERE c.oid = ANY ($1) AND c.relkind = 'r' AND EXISTS (
    SELECT FROM published p
    WHERE p.oid = c.oid OR (c.relispartition AND p.oid IN (SELECT relid FROM pg_partition_ancestors(c.oid))))
ORDER BY c.oid
