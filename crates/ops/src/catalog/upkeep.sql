-- What is to be known of upkeep, as JSON: the fields of howdah_advisor::schema::Upkeep. $1: the tables that were read.
SELECT json_build_object(
    'sequences', coalesce((
        SELECT json_agg(json_build_object(
            'schema', n.nspname,
            'name', c.relname,
            'type_name', format_type(s.seqtypid, NULL),
            'last', CASE WHEN has_sequence_privilege(c.oid, 'USAGE, SELECT') THEN pg_sequence_last_value(c.oid) END,
            'end', CASE WHEN s.seqincrement > 0 THEN s.seqmax ELSE s.seqmin END,
            'increment', s.seqincrement,
            'cycles', s.seqcycle,
            'column', (
                SELECT json_build_array(d.refobjid::regclass::text, quote_ident(a.attname), format_type(a.atttypid, NULL))
                FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
                LIMIT 1)
        ) ORDER BY n.nspname, c.relname)
        FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')), '[]'),
    'tables', coalesce((
        SELECT json_agg(json_build_object(
            'oid', c.oid::int8,
            'age', greatest(age(c.relfrozenxid), 0),
            'multixact_age', greatest(mxid_age(c.relminmxid), 0),
            'options', coalesce(to_json(c.reloptions), '[]')
        ) ORDER BY c.oid)
        FROM pg_class c WHERE c.oid = ANY ($1) AND c.relkind IN ('r', 'm')), '[]'),
    'freeze_max_age', current_setting('autovacuum_freeze_max_age')::int8,
    'vacuum_scale_factor', current_setting('autovacuum_vacuum_scale_factor')::float8,
    'autovacuum', current_setting('autovacuum')::bool
)::text
