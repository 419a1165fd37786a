SELECT n.nspname as "Schema", c.relname as "Name", CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' END as "Type", pg_catalog.pg_get_userbyid(c.relowner) as "Owner" FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1,2

SELECT n.nspname as "Schema", c.relname as "Name", CASE c.relkind WHEN 'r_x' THEN 'table_x' WHEN 'v_x' THEN 'view_x' WHEN 'm_x' THEN 'materialized view' WHEN 'i_x' THEN 'index_x' END as "Type", pg_catalog.pg_get_userbyid(c.relowner) as "Owner" FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r_x','p_x','') AND n.nspname <> 'pg_catalog_x' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema_x' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1,2

SELECT n.nspname as "Schema",
  c.relname as "Name",
  CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' END as "Type",
  pg_catalog.pg_get_userbyid(c.relowner) as "Owner"
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r','p','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1,2

SELECT n.nspname as "Schema", c.relname as "Name", CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' END as "Type", pg_catalog.pg_get_userbyid(c.relowner) as "Owner" /* app:web,action:index */ FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1,2 -- traceparent=00-1

SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(users)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3

SELECT c.oid,
  n.nspname,
  c.relname
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname OPERATOR(pg_catalog.~) '^(users)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2,
  3

SELECT c.oid, n.nspname, c.relname /* app:web,action:index */ FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(users)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3 -- traceparent=00-1

SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull FROM pg_catalog.pg_attribute a WHERE a.attrelid = '16384' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum

SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull FROM pg_catalog.pg_attribute a WHERE a.attrelid = '16391' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum

SELECT a.attname,
  pg_catalog.format_type(a.atttypid,
  a.atttypmod),
  (SELECT pg_catalog.pg_get_expr(d.adbin,
  d.adrelid,
  true)
FROM pg_catalog.pg_attrdef d
WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef),
  a.attnotnull
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = '16384' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum

SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) /* app:web,action:index */ FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull /* app:web,action:index */ FROM pg_catalog.pg_attribute a WHERE a.attrelid = '16384' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum -- traceparent=00-1

SELECT c2.relname, i.indisprimary, i.indisunique, pg_catalog.pg_get_indexdef(i.indexrelid, 0, true) FROM pg_catalog.pg_class c, pg_catalog.pg_class c2, pg_catalog.pg_index i WHERE c.oid = '16384' AND c.oid = i.indrelid AND i.indexrelid = c2.oid ORDER BY i.indisprimary DESC, c2.relname

SELECT c2.relname, i.indisprimary, i.indisunique, pg_catalog.pg_get_indexdef(i.indexrelid, 0, true) FROM pg_catalog.pg_class c, pg_catalog.pg_class c2, pg_catalog.pg_index i WHERE c.oid = '16391' AND c.oid = i.indrelid AND i.indexrelid = c2.oid ORDER BY i.indisprimary DESC, c2.relname

SELECT c2.relname,
  i.indisprimary,
  i.indisunique,
  pg_catalog.pg_get_indexdef(i.indexrelid,
  0,
  true)
FROM pg_catalog.pg_class c,
  pg_catalog.pg_class c2,
  pg_catalog.pg_index i
WHERE c.oid = '16384' AND c.oid = i.indrelid AND i.indexrelid = c2.oid ORDER BY i.indisprimary DESC,
  c2.relname

SELECT c2.relname, i.indisprimary, i.indisunique, pg_catalog.pg_get_indexdef(i.indexrelid, 0, true) /* app:web,action:index */ FROM pg_catalog.pg_class c, pg_catalog.pg_class c2, pg_catalog.pg_index i WHERE c.oid = '16384' AND c.oid = i.indrelid AND i.indexrelid = c2.oid ORDER BY i.indisprimary DESC, c2.relname -- traceparent=00-1

SELECT r.rolname, r.rolsuper, ARRAY(SELECT b.rolname FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles b ON (m.roleid = b.oid) WHERE m.member = r.oid) as memberof FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1

SELECT r.rolname,
  r.rolsuper,
  ARRAY(SELECT b.rolname
FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles b ON (m.roleid = b.oid)
WHERE m.member = r.oid) as memberof
FROM pg_catalog.pg_roles r
WHERE r.rolname !~ '^pg_' ORDER BY 1

SELECT r.rolname, r.rolsuper, ARRAY(SELECT b.rolname /* app:web,action:index */ FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles b ON (m.roleid = b.oid) WHERE m.member = r.oid) as memberof /* app:web,action:index */ FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1 -- traceparent=00-1

SELECT d.datname as "Name", pg_catalog.pg_encoding_to_char(d.encoding) as "Encoding", pg_catalog.array_to_string(d.datacl, E'\n') AS "Access privileges" FROM pg_catalog.pg_database d ORDER BY 1

SELECT d.datname as "Name",
  pg_catalog.pg_encoding_to_char(d.encoding) as "Encoding",
  pg_catalog.array_to_string(d.datacl,
  E'\n') AS "Access privileges"
FROM pg_catalog.pg_database d ORDER BY 1

SELECT d.datname as "Name", pg_catalog.pg_encoding_to_char(d.encoding) as "Encoding", pg_catalog.array_to_string(d.datacl, E'\n') AS "Access privileges" /* app:web,action:index */ FROM pg_catalog.pg_database d ORDER BY 1 -- traceparent=00-1

SELECT t.oid, t.typname, t.typsend, t.typreceive, t.typoutput, t.typinput, coalesce(d.typelem, t.typelem) FROM pg_type AS t LEFT JOIN pg_type AS d ON t.typbasetype = d.oid WHERE t.oid NOT IN (SELECT TO_OID FROM (VALUES (16), (17)) AS x (TO_OID))

SELECT t.oid, t.typname, t.typsend, t.typreceive, t.typoutput, t.typinput, coalesce(d.typelem, t.typelem) FROM pg_type AS t LEFT JOIN pg_type AS d ON t.typbasetype = d.oid WHERE t.oid NOT IN (SELECT TO_OID FROM (VALUES (23), (24)) AS x (TO_OID))

SELECT t.oid,
  t.typname,
  t.typsend,
  t.typreceive,
  t.typoutput,
  t.typinput,
  coalesce(d.typelem,
  t.typelem)
FROM pg_type AS t LEFT JOIN pg_type AS d ON t.typbasetype = d.oid
WHERE t.oid NOT IN (SELECT TO_OID
FROM (VALUES (16),
  (17)) AS x (TO_OID))

SELECT t.oid, t.typname, t.typsend, t.typreceive, t.typoutput, t.typinput, coalesce(d.typelem, t.typelem) /* app:web,action:index */ FROM pg_type AS t LEFT JOIN pg_type AS d ON t.typbasetype = d.oid WHERE t.oid NOT IN (SELECT TO_OID /* app:web,action:index */ FROM (VALUES (16), (17)) AS x (TO_OID)) -- traceparent=00-1

SELECT typname, typtype, typelem, rngsubtype, typbasetype, nspname, typrelid FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid INNER JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = $1

SELECT typname,
  typtype,
  typelem,
  rngsubtype,
  typbasetype,
  nspname,
  typrelid
FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid INNER JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid
WHERE t.oid = $1

SELECT typname, typtype, typelem, rngsubtype, typbasetype, nspname, typrelid /* app:web,action:index */ FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid INNER JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = $1 -- traceparent=00-1

SELECT pid, usename, state, query, now() - query_start AS age FROM pg_stat_activity WHERE state <> 'idle' AND now() - query_start > interval '5 minutes' ORDER BY age DESC

SELECT pid, usename, state, query, now() - query_start AS age FROM pg_stat_activity WHERE state <> 'idle_x' AND now() - query_start > interval '5 minutes' ORDER BY age DESC

SELECT pid,
  usename,
  state,
  query,
  now() - query_start AS age
FROM pg_stat_activity
WHERE state <> 'idle' AND now() - query_start > interval '5 minutes' ORDER BY age DESC

SELECT pid, usename, state, query, now() - query_start AS age /* app:web,action:index */ FROM pg_stat_activity WHERE state <> 'idle' AND now() - query_start > interval '5 minutes' ORDER BY age DESC -- traceparent=00-1

SELECT blocked.pid, blocking.pid FROM pg_stat_activity blocked JOIN pg_stat_activity blocking ON blocking.pid = ANY(pg_blocking_pids(blocked.pid))

SELECT blocked.pid,
  blocking.pid
FROM pg_stat_activity blocked JOIN pg_stat_activity blocking ON blocking.pid = ANY(pg_blocking_pids(blocked.pid))

SELECT blocked.pid, blocking.pid /* app:web,action:index */ FROM pg_stat_activity blocked JOIN pg_stat_activity blocking ON blocking.pid = ANY(pg_blocking_pids(blocked.pid)) -- traceparent=00-1

SELECT relname, n_live_tup, n_dead_tup, last_autovacuum FROM pg_stat_user_tables WHERE n_dead_tup > 1000 ORDER BY n_dead_tup DESC LIMIT 20

SELECT relname, n_live_tup, n_dead_tup, last_autovacuum FROM pg_stat_user_tables WHERE n_dead_tup > 1007 ORDER BY n_dead_tup DESC LIMIT 27

SELECT relname,
  n_live_tup,
  n_dead_tup,
  last_autovacuum
FROM pg_stat_user_tables
WHERE n_dead_tup > 1000 ORDER BY n_dead_tup DESC LIMIT 20

SELECT relname, n_live_tup, n_dead_tup, last_autovacuum /* app:web,action:index */ FROM pg_stat_user_tables WHERE n_dead_tup > 1000 ORDER BY n_dead_tup DESC LIMIT 20 -- traceparent=00-1

SELECT pg_size_pretty(pg_total_relation_size('public.users')), pg_size_pretty(pg_database_size(current_database()))

SELECT pg_size_pretty(pg_total_relation_size('public.users')),
  pg_size_pretty(pg_database_size(current_database()))

SELECT pg_size_pretty(pg_total_relation_size('public.users')), pg_size_pretty(pg_database_size(current_database())) -- traceparent=00-1

SELECT sum(heap_blks_hit) / nullif(sum(heap_blks_hit) + sum(heap_blks_read), 0) FROM pg_statio_user_tables

SELECT sum(heap_blks_hit) / nullif(sum(heap_blks_hit) + sum(heap_blks_read),
  0)
FROM pg_statio_user_tables

SELECT sum(heap_blks_hit) / nullif(sum(heap_blks_hit) + sum(heap_blks_read), 0) /* app:web,action:index */ FROM pg_statio_user_tables -- traceparent=00-1

SELECT client_addr, state, pg_wal_lsn_diff(sent_lsn, replay_lsn) AS lag FROM pg_stat_replication

SELECT client_addr,
  state,
  pg_wal_lsn_diff(sent_lsn,
  replay_lsn) AS lag
FROM pg_stat_replication

SELECT client_addr, state, pg_wal_lsn_diff(sent_lsn, replay_lsn) AS lag /* app:web,action:index */ FROM pg_stat_replication -- traceparent=00-1

SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn()

SELECT pg_is_in_recovery(),
  pg_last_wal_replay_lsn()

SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn() -- traceparent=00-1

SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'users' ORDER BY ordinal_position

SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public_x' AND table_name = 'users_x' ORDER BY ordinal_position

SELECT table_name,
  column_name
FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = 'users' ORDER BY ordinal_position

SELECT table_name, column_name /* app:web,action:index */ FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'users' ORDER BY ordinal_position -- traceparent=00-1

SELECT setting FROM pg_settings WHERE name = 'max_connections'

SELECT setting FROM pg_settings WHERE name = 'max_connections_x'

SELECT setting
FROM pg_settings
WHERE name = 'max_connections'

SELECT setting /* app:web,action:index */ FROM pg_settings WHERE name = 'max_connections' -- traceparent=00-1

SELECT version()

SELECT version() -- traceparent=00-1

SELECT current_schema()

SELECT current_schema() -- traceparent=00-1

SELECT pg_catalog.set_config('search_path', '', false)

SELECT pg_catalog.set_config('search_path_x', '', false)

SELECT pg_catalog.set_config('search_path',
  '',
  false)

SELECT pg_catalog.set_config('search_path', '', false) -- traceparent=00-1

SELECT 1

SELECT 1 -- traceparent=00-1
