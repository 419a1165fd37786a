-- What this role may not see, in words, one a row. $1: the tables that were read; $2: relations that are locked exclusively.
SELECT format('statistics of %s: columns %s (needs SELECT on them, or pg_read_all_data)',
    c.oid::regclass, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.oid = ANY ($1) AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT')
GROUP BY c.oid
UNION ALL
SELECT format('statistics of %s: hidden by row security (needs its owner, or BYPASSRLS)', c.oid::regclass)
FROM pg_class c
WHERE c.oid = ANY ($1) AND row_security_active(c.oid)
UNION ALL
SELECT format('%s: locked exclusively just now', c.oid::regclass)
FROM pg_class c
WHERE c.oid = ANY ($2)
