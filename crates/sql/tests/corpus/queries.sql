select 1

SELECT 'a'

select $1

select -1

select - 1

select +1

select - (1)

select -(-1)

select - -1

select -'1'

select -$1

select -1::int

select - 1 :: int

select 1::int

select '1'::int

select $1::int

select (-1)::int

select -1 ^ 2

select 1 ^ 2

select a - 1 from t

select a -1 from t

select a - $1 from t

select a - 'x' from t

select a + 1 from t

select a - -1 from t

select a - (1) from t

select a - (-1) from t

select a * -1 from t

select a *-1 from t

select t.a -1 from t

select t.* - 1 from t

select "a" -1 from t

select f(1) -1

select a[1] -1 from t

select a[2] from t

select a[1:2] from t

select a[i:j] from t

select a[-1] from t

select value -1 from t

select value - $1 from t

select a::int -1 from t

select a::int[3] from t

select a::int[4] from t

select a::int[] from t

select a::int array[3] from t

select array[1] from t

select array[5]

select array[1, 2]

select array[[1, 2], [3, 4]]

select 1.5, .5, 1., 1e10, 1.5e-3

select null

select true

select null, true, false

select coalesce(null, 1)

select coalesce(a, null) from t

select coalesce(a, 1) from t

select not null

select a is null from t

select a is not null from t

select a is true from t

select a = true from t

select a = null from t

select a = 1 from t

select a = 'x' from t

select a = $3 from t

select a = E'x\'y' from t

select a = U&'d\0061t' from t

select a = U&'d!0061t' uescape '!' from t

select U&"d\0061t" from t

select U&"d!0061t" uescape '!' from t

select N'abc'

select nchar 'abc'

select n'x' = 'y'

select B'101', X'1F'

select b'1' || x'f'

select $$it's$$

select $tag$a $$ b$tag$

select 'a'
'b'

select 'a' -- comment
  'b'

select 'it''s'

select 'a' /* c */ , 'b'

select date '2020-01-01'

select interval '1 day'

select interval '1' day

select interval '1' year to month

select interval(3) '1 day'

select interval '1' second(3)

select timestamp '2020-01-01 00:00:00'

select timestamp(3) '2020-01-01 00:00:00'

select timestamp with time zone '2020-01-01 00:00:00+00'

select time '10:00'

select float8 '1.5'

select float(10) '1'

select float(30) '1'

select a::float(10) from t

select a::float(40) from t

select a::numeric(10, 2) from t

select a::numeric(12, 4) from t

select a::varchar(10) from t

select cast(a as char(3)) from t

select cast('1' as bigint)

select cast(1 as text)

select bit varying(5) '101'

select current_timestamp, current_date, localtime

select current_timestamp(3)

select current_timestamp(0)

select current_time(2)

select localtimestamp(1)

select now() - interval '5 minutes'

select now() - 5 * interval '1 minute'

select extract(year from now())

select extract('year' from now())

select extract(epoch from a) from t

select position('a' in 'b')

select position('a' in b) from t

select position('a' in ('b'))

select substring('abc' from 1 for 2)

select substring(a from '[0-9]+') from t

select overlay('abc' placing 'x' from 2 for 1)

select trim(both 'x' from a) from t

select trim(a) from t

select a collate "C" from t

select -1 collate "x"

select a at time zone 'utc' from t

select a like 'x%' from t

select a like 'x%' escape '!' from t

select a ilike $1 from t

select a similar to 'x' from t

select a ~ '^x' from t

select a !~* '^x' from t

select a <> 1 from t

select a != 1 from t

select a between 1 and 10 from t

select a between -1 and 10 from t

select a between symmetric 10 and 1 from t

select a not between 1 and $1 from t

select a in (1) from t

select a in (1, 2) from t

select a in (1, 2, 3, 4, 5) from t

select a in ($1, $2) from t

select a in ('x', 'y', 'z') from t

select a in (-1, -2) from t

select a in (null, 1, true) from t

select a not in (1, 2) from t

select a in (1, b) from t

select a in (b, 1) from t

select a in (select b from u) from t

select a in (select b from u where c in (1, 2)) from t

select (a, b) in ((1, 2), (3, 4)) from t

select (a, b) in ((1, 2)) from t

select a in ((1), (2)) from t

select a in (1::int, 2::int) from t

select a in (lower('x'), lower('y')) from t

select position(1 in (2)) from t

select a in (array[1, 2], array[3, 4]) from t

select a in (array[1, 2, 3]) from t

select a = any(array[1, 2, 3]) from t

select a = any($1) from t

select a = any('{1,2}'::int[]) from t

select a <> all(array['x', 'y']::text[]) from t

select a = some(select b from u) from t

select exists (select 1 from u where u.a = t.a) from t

select case when a = 1 then 'one' when a = 2 then 'two' else 'many' end from t

select case a when 1 then -1 else 0 end from t

select case when a then null else 0 end from t

select a || 'x' || b from t

select a -> 'k' from t

select a ->> 'k' from t

select a #> '{a,b}' from t

select a #>> '{a,b}' from t

select a @> '{"a": 1}' from t

select a @> '{"a": 1}'::jsonb from t

select a ? 'k' from t

select a ?| array['k', 'l'] from t

select a ?& array['k'] from t

select a @? '$.a' from t

select a @@ to_tsquery('x & y') from t

select jsonb_path_query(a, '$.b[*]') from t

select jsonb_build_object('a', 1, 'b', x) from t

select json_object('a': 1, 'b': null)

select json_object('a' value 1)

select json_array(1, 2, null null on null)

select json_arrayagg(a order by b) from t

select json_query(a, '$.x' with wrapper) from t

select json_value(a, '$.x' returning int default 0 on error) from t

select json_exists(a, '$.x') from t

select a is json from t

select * from json_table('[1]', '$[*]' columns (id for ordinality, v int path '$'))

select xmlelement(name a, xmlattributes(1 as b), 'c')

select xmlforest(a as b) from t

select xmlparse(document '<a/>')

select xmlroot(xmlparse(document '<a/>'), version '1.0', standalone yes)

select * from xmltable('/a' passing x columns b int path 'c' default 1)

select row(1, 2)

select (1, 2)

select row(1)

select (row(1, 2)).f1

select (a).b from t

select $1.b

select $1[1]

select a operator(pg_catalog.+) 1 from t

select 5 operator(pg_catalog.-) 1

select count(*) from t

select count(*) filter (where a > 1) from t

select count(distinct a) from t

select sum(a) over (partition by b order by c rows between 1 preceding and current row) from t

select sum(a) over (order by c range between unbounded preceding and 5 following exclude ties) from t

select rank() over w from t window w as (partition by a order by b desc nulls last)

select percentile_cont(0.5) within group (order by a) from t

select string_agg(a, ',' order by a) from t

select array_agg(a order by b desc) from t

select lag(a, 1, 0) over (order by b) from t

select ntile(4) over (order by a) from t

select a, count(*) from t group by a having count(*) > 5 order by 2 desc limit 10

select a, b, sum(c) from t group by rollup (a, b)

select a, b, sum(c) from t group by cube (a, b), grouping sets ((a), (b), ())

select grouping(a) from t group by a

select distinct a from t

select distinct on (a) a, b from t order by a, b

select all a from t

select a from t order by a limit 10 offset 20

select a from t order by a limit $1 offset $2

select a from t limit all

select a from t limit null

select a from t fetch first 5 rows only

select a from t fetch first row only

select a from t order by a fetch first $1 rows with ties

select a from t offset 5 rows fetch next 10 rows only

select a from t order by a using <

select a from t order by a asc nulls first, b desc

select a from t for update

select a from t for update of t nowait

select a from t for share skip locked

select a from t for no key update

select a from t for key share

select * from t

select t.* from t

select public.t.a from public.t

select * from public.t

select * from other.t

select * from only t

select * from t *

select * from t as x

select * from t x (a, b)

select * from t1, t2 where t1.a = t2.a

select * from t1 join t2 on t1.a = t2.a

select * from t1 inner join t2 using (a, b)

select * from t1 left join t2 on t1.a = t2.a and t2.b = 5

select * from t1 right outer join t2 on true

select * from t1 full join t2 using (a) as j

select * from t1 natural join t2

select * from t1 cross join t2

select * from t1, lateral (select * from t2 where t2.a = t1.a limit 3) x

select * from (select 1) x

select * from (values (1, 'a'), (2, 'b')) v (id, name)

select * from (values (1, 'a')) v (id, name)

select * from generate_series(1, 10) g

select * from generate_series(1, 10) with ordinality as g (v, n)

select * from unnest($1::int[], $2::text[]) as u (a, b)

select * from rows from (generate_series(1, 3), generate_series(1, 5)) x

select * from json_to_record('{"a":1}') as x (a int, b varchar(10))

select * from t tablesample bernoulli (10)

select * from t tablesample system (0.5) repeatable (42)

select 1 union select 2

select 1 union all select 2 union all select 3

select a from t intersect select a from u

select a from t except all select a from u order by 1

(select 1) union (select 2) limit 1

((select 1))

values (1, 'a')

values (1, 'a'), (2, 'b'), (3, 'c')

values (1, 'a'), (2, b), (3, 'c')

values (1), ($1), (null)

values (default)

values (1), (2) order by 1 limit 1

table t

with x as (select 1) select * from x

with x as materialized (select 1), y as not materialized (select 2) select * from x, y

with recursive r (n) as (values (1) union all select n + 1 from r where n < 100) select sum(n) from r

with recursive r as (select 1 as n union select n + 1 from r) search depth first by n set o select * from r

with recursive r as (select 1 as n union select n + 1 from r) cycle n set c to true default false using p select * from r

with x as (insert into t values (1) returning a) select * from x

with x as (delete from t where a = 1 returning *) insert into u select * from x

with x as (update t set a = 1 returning a) select count(*) from x

insert into t values (1, 'a')

insert into t values (1, 'a'), (2, 'b')

insert into t (a, b) values ($1, $2)

insert into t (a, b) values (1, null)

insert into t (a, b) values (1, default)

insert into t (a, b) values (1, default), (2, default)

insert into t (a, b) values (1, now()), (2, now())

insert into t (a, b) values (1, 'x') returning id

insert into t (a, b) values (1, 'x') returning *

insert into t default values

insert into t select * from u where a = 1

insert into t (a) overriding system value values (1)

insert into t (a, b) values (1, 2) on conflict do nothing

insert into t (a, b) values (1, 2) on conflict (a) do update set b = excluded.b

insert into t (a, b) values (1, 2) on conflict (a) where b > 1 do update set b = excluded.b + 1 where t.b < 10

insert into t (a, b) values (1, 2) on conflict on constraint t_pkey do update set (a, b) = (1, 2)

insert into t as x (a) values (1)

insert into t (a[1], b.c) values (1, 2)

update t set a = 1

update t set a = a + 1 where b = 2

update t set a = a - 1 where b = 2

update t set a = a - $1 where b = $2

update t set a = a + -5 where b = 2

update t set a = -5 where b = 2

update t set a = null, b = default where c = 'x'

update t set (a, b) = (1, 2) where c = 3

update t set (a, b) = (select 1, 2) where c = 3

update t as x set a = u.a from u where u.b = x.b and u.c in (1, 2, 3)

update only t set a[1] = 5 where current of c

update t set a = 1 where b = 2 returning a, b

delete from t

delete from t where a = 1

delete from t using u where t.a = u.a and u.b = 'x' returning t.*

delete from only t where a < now() - interval '7 days'

merge into t using u on t.a = u.a when matched then update set b = u.b when not matched then insert (a, b) values (u.a, 1)

merge into t using (values (1, 2)) u (a, b) on t.a = u.a when matched and u.b = 0 then delete when not matched then do nothing

merge into t using u on t.a = u.a when not matched by source then delete returning merge_action(), t.*

select s.values(1)

select s.values(1), (1)

select s."in"(1, 1)

select s.position(1)

select a as "Select", b as limit from t

select "A", "a" from "T"

select "weird ""name"" here" from "x;y"

select a.b.c.d from a.b.c

select é from tablé

select ÉCOLE from t

select Name, NAME, name from Users

select /*+ SeqScan(t) */ a from t

select /* outer /* nested */ still */ a from t

select a -- end

select a from t -- where b = 1

select a from t where b = 1 -- or c = 2
 and d = 3

select 1;

;select 1;;

select 1; select 2

select 1; select 'x'; select $1

begin; select 1; commit

begin; update t set a = 1; set local x = 'y'; commit;

select pg_advisory_lock(1)

select pg_try_advisory_lock(1, 2)

select pg_advisory_xact_lock($1)

select set_config('a.b', 'c', false)

select set_config('a.b', 'd', true)

select nextval('s'), currval('s')

select my_function(1, 'x')

select app.my_function(1, b => 'x', c := 2)

select format('%s', variadic array['a', 'b'])

select coalesce(a, b, 'c'), nullif(a, ''), greatest(1, 2), least(a, 3) from t

select a, b into temp x from t

select a into x from t where b = 1

select a from t where (a, b) > (1, 2) order by a, b limit 10

select a from t where a > 1 and b < 2 or not c

select a from t where not (a = 1 and b = 2)

select a from t where a is distinct from 1

select a from t where a is not distinct from null

select a from t where (b is null) = true

select a from t where ts && tsrange('2020-01-01', '2021-01-01', '[)')

select a from t where point(1, 2) <@ box '((0,0),(3,3))'

select a <-> point '(1,2)' from t order by 1

select @ -5, |/ 25, !! 3

select ~ 5, 5 # 3, 5 & 3, 5 | 3, 1 << 4

select 10 % 3, 10 / 3, 2 ^ 10

select a <= 1, b >= 2, f(c => 3) from t

select a.b from a where a.b=-1 and a.c=+1

select a from t where b=-.5

select 1 + -1 - +1 * -2.5

select a,b,c from t where d=1 and e='x' and f in(1,2)

select "fetch".a from "fetch"

select "position"('a', 'b')

select a from t where b = any (values (1), (2))

select a from t where b in (values (1), (2), (3))

select (select 1), (select a from t limit 1)

select array(select a from t where b = 1)

select (array[1, 2, 3])[1]

select ('{1,2}'::int[])[1]

select a from t where b = 'x' group by a, 1

select 'a' as x, 'b' x2, 1 y

select treat(a as b) from t

select normalize('x', nfc), 'x' is nfc normalized

select collation for ('x')

select system_user, session_user, current_user, user, current_role, current_catalog, current_schema

select grouping(a, b), a from t group by grouping sets (a, b)

select a from t where a = 'back\slash'

select a from t where a = E'tab\tx' and b = E'\\' and c = 'x'

select $1 - 1, 1 - $1, 'x' - 1

explain select * from t where a = 1

explain (analyze, buffers, format json) select * from t where a = 'x'

explain analyze verbose update t set a = 5

explain (costs off) insert into t values (1, 2)

declare c cursor for select * from t where a = 1

declare c no scroll cursor with hold for select 'x'

prepare p as select $1

prepare p (int, numeric(10, 2)) as select * from t where a = $1 and b = 'x'

execute p

execute p (1, 'x')

execute p(2,'y')

call p(1, 'x', null)
