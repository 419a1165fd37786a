-- Foreign keys as JSON, one a row: the fields of howdah_advisor::catalog::ForeignKey. $1: the tables that were read. Those that partitions have from their
-- parent are not told twice.
SELECT json_build_object(
    'name', c.conname,
    'table', c.conrelid::int8,
    'columns', to_json(c.conkey),
    'refers_to', c.confrelid::int8,
    'refers_to_columns', to_json(c.confkey),
    'relies_on', c.conindid::int8
)::text
FROM pg_constraint c
WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = ANY ($1)
ORDER BY c.conrelid, c.conname
