select 1

select 2.5

select -3

select 's'

select $1

select null

select a

select t.a

select "A"

select a + 1

select a - 1

select -a

select -a * 2

select not a

select a is null

select a = 1

select a 

select  'x'

select f(a)

select lower('X')

select count(*)

select case when a then 1 else -1 end

select a::int

select '1'::int

select -1::int

select (1)

select (-1)

select array[1, 2]

select row(1, a)

select (select 1)

select a in (1, 2)

select a between -1 and 1

select a like '%x'

select a ->> 'k'

select a[1]

select (a).b

select cast(1 as text)

select coalesce(a, null, 0)

select interval '1 day'

select date '2020-01-01'

select extract(day from a)

select a at time zone 'utc'

select exists (select 1)

select a = any(array[1])

select current_timestamp(3)

select a collate "C"

select $1::text

select - $2

select + 4

select a <> -1

select a != 5

select @ -1

select 1 as x, 1 from t

select 2.5 as x, 1 from t

select -3 as x, 1 from t

select 's' as x, 1 from t

select $1 as x, 1 from t

select null as x, 1 from t

select a as x, 1 from t

select t.a as x, 1 from t

select "A" as x, 1 from t

select a + 1 as x, 1 from t

select a - 1 as x, 1 from t

select -a as x, 1 from t

select -a * 2 as x, 1 from t

select not a as x, 1 from t

select a is null as x, 1 from t

select a = 1 as x, 1 from t

select a  as x, 1 from t

select  'x' as x, 1 from t

select f(a) as x, 1 from t

select lower('X') as x, 1 from t

select count(*) as x, 1 from t

select case when a then 1 else -1 end as x, 1 from t

select a::int as x, 1 from t

select '1'::int as x, 1 from t

select -1::int as x, 1 from t

select (1) as x, 1 from t

select (-1) as x, 1 from t

select array[1, 2] as x, 1 from t

select row(1, a) as x, 1 from t

select (select 1) as x, 1 from t

select a in (1, 2) as x, 1 from t

select a between -1 and 1 as x, 1 from t

select a like '%x' as x, 1 from t

select a ->> 'k' as x, 1 from t

select a[1] as x, 1 from t

select (a).b as x, 1 from t

select cast(1 as text) as x, 1 from t

select coalesce(a, null, 0) as x, 1 from t

select interval '1 day' as x, 1 from t

select date '2020-01-01' as x, 1 from t

select extract(day from a) as x, 1 from t

select a at time zone 'utc' as x, 1 from t

select exists (select 1) as x, 1 from t

select a = any(array[1]) as x, 1 from t

select current_timestamp(3) as x, 1 from t

select a collate "C" as x, 1 from t

select $1::text as x, 1 from t

select - $2 as x, 1 from t

select + 4 as x, 1 from t

select a <> -1 as x, 1 from t

select a != 5 as x, 1 from t

select @ -1 as x, 1 from t

select * from t where 1 = 5

select * from t where 2.5 = 5

select * from t where -3 = 5

select * from t where 's' = 5

select * from t where $1 = 5

select * from t where null = 5

select * from t where a = 5

select * from t where t.a = 5

select * from t where "A" = 5

select * from t where a + 1 = 5

select * from t where a - 1 = 5

select * from t where -a = 5

select * from t where -a * 2 = 5

select * from t where not a = 5

select * from t where a is null = 5

select * from t where a  = 5

select * from t where  'x' = 5

select * from t where f(a) = 5

select * from t where lower('X') = 5

select * from t where count(*) = 5

select * from t where case when a then 1 else -1 end = 5

select * from t where a::int = 5

select * from t where '1'::int = 5

select * from t where -1::int = 5

select * from t where (1) = 5

select * from t where (-1) = 5

select * from t where array[1, 2] = 5

select * from t where row(1, a) = 5

select * from t where (select 1) = 5

select * from t where a in (1, 2) = 5

select * from t where a between -1 and 1 = 5

select * from t where a like '%x' = 5

select * from t where a ->> 'k' = 5

select * from t where a[1] = 5

select * from t where (a).b = 5

select * from t where cast(1 as text) = 5

select * from t where coalesce(a, null, 0) = 5

select * from t where interval '1 day' = 5

select * from t where date '2020-01-01' = 5

select * from t where extract(day from a) = 5

select * from t where a at time zone 'utc' = 5

select * from t where exists (select 1) = 5

select * from t where a = any(array[1]) = 5

select * from t where current_timestamp(3) = 5

select * from t where a collate "C" = 5

select * from t where $1::text = 5

select * from t where - $2 = 5

select * from t where + 4 = 5

select * from t where @ -1 = 5

select * from t where b = 1 and c = 'y'

select * from t where b = 2.5 and c = 'y'

select * from t where b = -3 and c = 'y'

select * from t where b = 's' and c = 'y'

select * from t where b = $1 and c = 'y'

select * from t where b = null and c = 'y'

select * from t where b = a and c = 'y'

select * from t where b = t.a and c = 'y'

select * from t where b = "A" and c = 'y'

select * from t where b = a + 1 and c = 'y'

select * from t where b = a - 1 and c = 'y'

select * from t where b = -a and c = 'y'

select * from t where b = -a * 2 and c = 'y'

select * from t where b = not a and c = 'y'

select * from t where b = a is null and c = 'y'

select * from t where b = a  and c = 'y'

select * from t where b =  'x' and c = 'y'

select * from t where b = f(a) and c = 'y'

select * from t where b = lower('X') and c = 'y'

select * from t where b = count(*) and c = 'y'

select * from t where b = case when a then 1 else -1 end and c = 'y'

select * from t where b = a::int and c = 'y'

select * from t where b = '1'::int and c = 'y'

select * from t where b = -1::int and c = 'y'

select * from t where b = (1) and c = 'y'

select * from t where b = (-1) and c = 'y'

select * from t where b = array[1, 2] and c = 'y'

select * from t where b = row(1, a) and c = 'y'

select * from t where b = (select 1) and c = 'y'

select * from t where b = a in (1, 2) and c = 'y'

select * from t where b = a between -1 and 1 and c = 'y'

select * from t where b = a like '%x' and c = 'y'

select * from t where b = a ->> 'k' and c = 'y'

select * from t where b = a[1] and c = 'y'

select * from t where b = (a).b and c = 'y'

select * from t where b = cast(1 as text) and c = 'y'

select * from t where b = coalesce(a, null, 0) and c = 'y'

select * from t where b = interval '1 day' and c = 'y'

select * from t where b = date '2020-01-01' and c = 'y'

select * from t where b = extract(day from a) and c = 'y'

select * from t where b = a at time zone 'utc' and c = 'y'

select * from t where b = exists (select 1) and c = 'y'

select * from t where b = current_timestamp(3) and c = 'y'

select * from t where b = a collate "C" and c = 'y'

select * from t where b = $1::text and c = 'y'

select * from t where b = - $2 and c = 'y'

select * from t where b = + 4 and c = 'y'

select * from t where b = @ -1 and c = 'y'

select * from t where x in (1, 9)

select * from t where x in (2.5, 9)

select * from t where x in (-3, 9)

select * from t where x in ('s', 9)

select * from t where x in ($1, 9)

select * from t where x in (null, 9)

select * from t where x in (a, 9)

select * from t where x in (t.a, 9)

select * from t where x in ("A", 9)

select * from t where x in (a + 1, 9)

select * from t where x in (a - 1, 9)

select * from t where x in (-a, 9)

select * from t where x in (-a * 2, 9)

select * from t where x in (not a, 9)

select * from t where x in (a is null, 9)

select * from t where x in (a = 1, 9)

select * from t where x in (a , 9)

select * from t where x in ( 'x', 9)

select * from t where x in (f(a), 9)

select * from t where x in (lower('X'), 9)

select * from t where x in (count(*), 9)

select * from t where x in (case when a then 1 else -1 end, 9)

select * from t where x in (a::int, 9)

select * from t where x in ('1'::int, 9)

select * from t where x in (-1::int, 9)

select * from t where x in ((1), 9)

select * from t where x in ((-1), 9)

select * from t where x in (array[1, 2], 9)

select * from t where x in (row(1, a), 9)

select * from t where x in ((select 1), 9)

select * from t where x in (a in (1, 2), 9)

select * from t where x in (a between -1 and 1, 9)

select * from t where x in (a like '%x', 9)

select * from t where x in (a ->> 'k', 9)

select * from t where x in (a[1], 9)

select * from t where x in ((a).b, 9)

select * from t where x in (cast(1 as text), 9)

select * from t where x in (coalesce(a, null, 0), 9)

select * from t where x in (interval '1 day', 9)

select * from t where x in (date '2020-01-01', 9)

select * from t where x in (extract(day from a), 9)

select * from t where x in (a at time zone 'utc', 9)

select * from t where x in (exists (select 1), 9)

select * from t where x in (a = any(array[1]), 9)

select * from t where x in (current_timestamp(3), 9)

select * from t where x in (a collate "C", 9)

select * from t where x in ($1::text, 9)

select * from t where x in (- $2, 9)

select * from t where x in (+ 4, 9)

select * from t where x in (a <> -1, 9)

select * from t where x in (a != 5, 9)

select * from t where x in (@ -1, 9)

select * from t order by 1 desc

select * from t order by 2.5 desc

select * from t order by -3 desc

select * from t order by 's' desc

select * from t order by $1 desc

select * from t order by null desc

select * from t order by a desc

select * from t order by t.a desc

select * from t order by "A" desc

select * from t order by a + 1 desc

select * from t order by a - 1 desc

select * from t order by -a desc

select * from t order by -a * 2 desc

select * from t order by not a desc

select * from t order by a is null desc

select * from t order by a = 1 desc

select * from t order by a  desc

select * from t order by  'x' desc

select * from t order by f(a) desc

select * from t order by lower('X') desc

select * from t order by count(*) desc

select * from t order by case when a then 1 else -1 end desc

select * from t order by a::int desc

select * from t order by '1'::int desc

select * from t order by -1::int desc

select * from t order by (1) desc

select * from t order by (-1) desc

select * from t order by array[1, 2] desc

select * from t order by row(1, a) desc

select * from t order by (select 1) desc

select * from t order by a in (1, 2) desc

select * from t order by a between -1 and 1 desc

select * from t order by a like '%x' desc

select * from t order by a ->> 'k' desc

select * from t order by a[1] desc

select * from t order by (a).b desc

select * from t order by cast(1 as text) desc

select * from t order by coalesce(a, null, 0) desc

select * from t order by interval '1 day' desc

select * from t order by date '2020-01-01' desc

select * from t order by extract(day from a) desc

select * from t order by a at time zone 'utc' desc

select * from t order by exists (select 1) desc

select * from t order by a = any(array[1]) desc

select * from t order by current_timestamp(3) desc

select * from t order by a collate "C" desc

select * from t order by $1::text desc

select * from t order by - $2 desc

select * from t order by + 4 desc

select * from t order by a <> -1 desc

select * from t order by a != 5 desc

select * from t order by @ -1 desc

select f(1, 1)

select f(2.5, 2.5)

select f(-3, -3)

select f('s', 's')

select f($1, $1)

select f(null, null)

select f(a, a)

select f(t.a, t.a)

select f("A", "A")

select f(a + 1, a + 1)

select f(a - 1, a - 1)

select f(-a, -a)

select f(-a * 2, -a * 2)

select f(not a, not a)

select f(a is null, a is null)

select f(a = 1, a = 1)

select f(a , a )

select f( 'x',  'x')

select f(f(a), f(a))

select f(lower('X'), lower('X'))

select f(count(*), count(*))

select f(case when a then 1 else -1 end, case when a then 1 else -1 end)

select f(a::int, a::int)

select f('1'::int, '1'::int)

select f(-1::int, -1::int)

select f((1), (1))

select f((-1), (-1))

select f(array[1, 2], array[1, 2])

select f(row(1, a), row(1, a))

select f((select 1), (select 1))

select f(a in (1, 2), a in (1, 2))

select f(a between -1 and 1, a between -1 and 1)

select f(a like '%x', a like '%x')

select f(a ->> 'k', a ->> 'k')

select f(a[1], a[1])

select f((a).b, (a).b)

select f(cast(1 as text), cast(1 as text))

select f(coalesce(a, null, 0), coalesce(a, null, 0))

select f(interval '1 day', interval '1 day')

select f(date '2020-01-01', date '2020-01-01')

select f(extract(day from a), extract(day from a))

select f(a at time zone 'utc', a at time zone 'utc')

select f(exists (select 1), exists (select 1))

select f(a = any(array[1]), a = any(array[1]))

select f(current_timestamp(3), current_timestamp(3))

select f(a collate "C", a collate "C")

select f($1::text, $1::text)

select f(- $2, - $2)

select f(+ 4, + 4)

select f(a <> -1, a <> -1)

select f(a != 5, a != 5)

select f(@ -1, @ -1)

insert into t (a) values (1)

insert into t (a) values (2.5)

insert into t (a) values (-3)

insert into t (a) values ('s')

insert into t (a) values ($1)

insert into t (a) values (null)

insert into t (a) values (a)

insert into t (a) values (t.a)

insert into t (a) values ("A")

insert into t (a) values (a + 1)

insert into t (a) values (a - 1)

insert into t (a) values (-a)

insert into t (a) values (-a * 2)

insert into t (a) values (not a)

insert into t (a) values (a is null)

insert into t (a) values (a = 1)

insert into t (a) values (a )

insert into t (a) values ( 'x')

insert into t (a) values (f(a))

insert into t (a) values (lower('X'))

insert into t (a) values (count(*))

insert into t (a) values (case when a then 1 else -1 end)

insert into t (a) values (a::int)

insert into t (a) values ('1'::int)

insert into t (a) values (-1::int)

insert into t (a) values ((1))

insert into t (a) values ((-1))

insert into t (a) values (array[1, 2])

insert into t (a) values (row(1, a))

insert into t (a) values ((select 1))

insert into t (a) values (a in (1, 2))

insert into t (a) values (a between -1 and 1)

insert into t (a) values (a like '%x')

insert into t (a) values (a ->> 'k')

insert into t (a) values (a[1])

insert into t (a) values ((a).b)

insert into t (a) values (cast(1 as text))

insert into t (a) values (coalesce(a, null, 0))

insert into t (a) values (interval '1 day')

insert into t (a) values (date '2020-01-01')

insert into t (a) values (extract(day from a))

insert into t (a) values (a at time zone 'utc')

insert into t (a) values (exists (select 1))

insert into t (a) values (a = any(array[1]))

insert into t (a) values (current_timestamp(3))

insert into t (a) values (a collate "C")

insert into t (a) values ($1::text)

insert into t (a) values (- $2)

insert into t (a) values (+ 4)

insert into t (a) values (a <> -1)

insert into t (a) values (a != 5)

insert into t (a) values (@ -1)

update t set a = 1 where b = 1

update t set a = 2.5 where b = 2.5

update t set a = -3 where b = -3

update t set a = 's' where b = 's'

update t set a = $1 where b = $1

update t set a = null where b = null

update t set a = a where b = a

update t set a = t.a where b = t.a

update t set a = "A" where b = "A"

update t set a = a + 1 where b = a + 1

update t set a = a - 1 where b = a - 1

update t set a = -a where b = -a

update t set a = -a * 2 where b = -a * 2

update t set a = not a where b = not a

update t set a = a is null where b = a is null

update t set a = a  where b = a 

update t set a =  'x' where b =  'x'

update t set a = f(a) where b = f(a)

update t set a = lower('X') where b = lower('X')

update t set a = count(*) where b = count(*)

update t set a = case when a then 1 else -1 end where b = case when a then 1 else -1 end

update t set a = a::int where b = a::int

update t set a = '1'::int where b = '1'::int

update t set a = -1::int where b = -1::int

update t set a = (1) where b = (1)

update t set a = (-1) where b = (-1)

update t set a = array[1, 2] where b = array[1, 2]

update t set a = row(1, a) where b = row(1, a)

update t set a = (select 1) where b = (select 1)

update t set a = a in (1, 2) where b = a in (1, 2)

update t set a = a between -1 and 1 where b = a between -1 and 1

update t set a = a like '%x' where b = a like '%x'

update t set a = a ->> 'k' where b = a ->> 'k'

update t set a = a[1] where b = a[1]

update t set a = (a).b where b = (a).b

update t set a = cast(1 as text) where b = cast(1 as text)

update t set a = coalesce(a, null, 0) where b = coalesce(a, null, 0)

update t set a = interval '1 day' where b = interval '1 day'

update t set a = date '2020-01-01' where b = date '2020-01-01'

update t set a = extract(day from a) where b = extract(day from a)

update t set a = a at time zone 'utc' where b = a at time zone 'utc'

update t set a = exists (select 1) where b = exists (select 1)

update t set a = current_timestamp(3) where b = current_timestamp(3)

update t set a = a collate "C" where b = a collate "C"

update t set a = $1::text where b = $1::text

update t set a = - $2 where b = - $2

update t set a = + 4 where b = + 4

update t set a = @ -1 where b = @ -1

select case when x then 1 else 1 end from t

select case when x then 2.5 else 2.5 end from t

select case when x then -3 else -3 end from t

select case when x then 's' else 's' end from t

select case when x then $1 else $1 end from t

select case when x then null else null end from t

select case when x then a else a end from t

select case when x then t.a else t.a end from t

select case when x then "A" else "A" end from t

select case when x then a + 1 else a + 1 end from t

select case when x then a - 1 else a - 1 end from t

select case when x then -a else -a end from t

select case when x then -a * 2 else -a * 2 end from t

select case when x then not a else not a end from t

select case when x then a is null else a is null end from t

select case when x then a = 1 else a = 1 end from t

select case when x then a  else a  end from t

select case when x then  'x' else  'x' end from t

select case when x then f(a) else f(a) end from t

select case when x then lower('X') else lower('X') end from t

select case when x then count(*) else count(*) end from t

select case when x then case when a then 1 else -1 end else case when a then 1 else -1 end end from t

select case when x then a::int else a::int end from t

select case when x then '1'::int else '1'::int end from t

select case when x then -1::int else -1::int end from t

select case when x then (1) else (1) end from t

select case when x then (-1) else (-1) end from t

select case when x then array[1, 2] else array[1, 2] end from t

select case when x then row(1, a) else row(1, a) end from t

select case when x then (select 1) else (select 1) end from t

select case when x then a in (1, 2) else a in (1, 2) end from t

select case when x then a between -1 and 1 else a between -1 and 1 end from t

select case when x then a like '%x' else a like '%x' end from t

select case when x then a ->> 'k' else a ->> 'k' end from t

select case when x then a[1] else a[1] end from t

select case when x then (a).b else (a).b end from t

select case when x then cast(1 as text) else cast(1 as text) end from t

select case when x then coalesce(a, null, 0) else coalesce(a, null, 0) end from t

select case when x then interval '1 day' else interval '1 day' end from t

select case when x then date '2020-01-01' else date '2020-01-01' end from t

select case when x then extract(day from a) else extract(day from a) end from t

select case when x then a at time zone 'utc' else a at time zone 'utc' end from t

select case when x then exists (select 1) else exists (select 1) end from t

select case when x then a = any(array[1]) else a = any(array[1]) end from t

select case when x then current_timestamp(3) else current_timestamp(3) end from t

select case when x then a collate "C" else a collate "C" end from t

select case when x then $1::text else $1::text end from t

select case when x then - $2 else - $2 end from t

select case when x then + 4 else + 4 end from t

select case when x then a <> -1 else a <> -1 end from t

select case when x then a != 5 else a != 5 end from t

select case when x then @ -1 else @ -1 end from t

select array[1, 1]

select array[2.5, 2.5]

select array[-3, -3]

select array['s', 's']

select array[$1, $1]

select array[null, null]

select array[a, a]

select array[t.a, t.a]

select array["A", "A"]

select array[a + 1, a + 1]

select array[a - 1, a - 1]

select array[-a, -a]

select array[-a * 2, -a * 2]

select array[not a, not a]

select array[a is null, a is null]

select array[a = 1, a = 1]

select array[a , a ]

select array[ 'x',  'x']

select array[f(a), f(a)]

select array[lower('X'), lower('X')]

select array[count(*), count(*)]

select array[case when a then 1 else -1 end, case when a then 1 else -1 end]

select array[a::int, a::int]

select array['1'::int, '1'::int]

select array[-1::int, -1::int]

select array[(1), (1)]

select array[(-1), (-1)]

select array[array[1, 2], array[1, 2]]

select array[row(1, a), row(1, a)]

select array[(select 1), (select 1)]

select array[a in (1, 2), a in (1, 2)]

select array[a between -1 and 1, a between -1 and 1]

select array[a like '%x', a like '%x']

select array[a ->> 'k', a ->> 'k']

select array[a[1], a[1]]

select array[(a).b, (a).b]

select array[cast(1 as text), cast(1 as text)]

select array[coalesce(a, null, 0), coalesce(a, null, 0)]

select array[interval '1 day', interval '1 day']

select array[date '2020-01-01', date '2020-01-01']

select array[extract(day from a), extract(day from a)]

select array[a at time zone 'utc', a at time zone 'utc']

select array[exists (select 1), exists (select 1)]

select array[a = any(array[1]), a = any(array[1])]

select array[current_timestamp(3), current_timestamp(3)]

select array[a collate "C", a collate "C"]

select array[$1::text, $1::text]

select array[- $2, - $2]

select array[+ 4, + 4]

select array[a <> -1, a <> -1]

select array[a != 5, a != 5]

select array[@ -1, @ -1]

select * from t group by b having 1 > 0

select * from t group by b having 2.5 > 0

select * from t group by b having -3 > 0

select * from t group by b having 's' > 0

select * from t group by b having $1 > 0

select * from t group by b having null > 0

select * from t group by b having a > 0

select * from t group by b having t.a > 0

select * from t group by b having "A" > 0

select * from t group by b having a + 1 > 0

select * from t group by b having a - 1 > 0

select * from t group by b having -a > 0

select * from t group by b having -a * 2 > 0

select * from t group by b having not a > 0

select * from t group by b having a is null > 0

select * from t group by b having a  > 0

select * from t group by b having  'x' > 0

select * from t group by b having f(a) > 0

select * from t group by b having lower('X') > 0

select * from t group by b having count(*) > 0

select * from t group by b having case when a then 1 else -1 end > 0

select * from t group by b having a::int > 0

select * from t group by b having '1'::int > 0

select * from t group by b having -1::int > 0

select * from t group by b having (1) > 0

select * from t group by b having (-1) > 0

select * from t group by b having array[1, 2] > 0

select * from t group by b having row(1, a) > 0

select * from t group by b having (select 1) > 0

select * from t group by b having a in (1, 2) > 0

select * from t group by b having a between -1 and 1 > 0

select * from t group by b having a like '%x' > 0

select * from t group by b having a ->> 'k' > 0

select * from t group by b having a[1] > 0

select * from t group by b having (a).b > 0

select * from t group by b having cast(1 as text) > 0

select * from t group by b having coalesce(a, null, 0) > 0

select * from t group by b having interval '1 day' > 0

select * from t group by b having date '2020-01-01' > 0

select * from t group by b having extract(day from a) > 0

select * from t group by b having a at time zone 'utc' > 0

select * from t group by b having exists (select 1) > 0

select * from t group by b having a = any(array[1]) > 0

select * from t group by b having current_timestamp(3) > 0

select * from t group by b having a collate "C" > 0

select * from t group by b having $1::text > 0

select * from t group by b having - $2 > 0

select * from t group by b having + 4 > 0

select * from t group by b having @ -1 > 0

with q as (select 1) select * from q

with q as (select 2.5) select * from q

with q as (select -3) select * from q

with q as (select 's') select * from q

with q as (select $1) select * from q

with q as (select null) select * from q

with q as (select a) select * from q

with q as (select t.a) select * from q

with q as (select "A") select * from q

with q as (select a + 1) select * from q

with q as (select a - 1) select * from q

with q as (select -a) select * from q

with q as (select -a * 2) select * from q

with q as (select not a) select * from q

with q as (select a is null) select * from q

with q as (select a = 1) select * from q

with q as (select a ) select * from q

with q as (select  'x') select * from q

with q as (select f(a)) select * from q

with q as (select lower('X')) select * from q

with q as (select count(*)) select * from q

with q as (select case when a then 1 else -1 end) select * from q

with q as (select a::int) select * from q

with q as (select '1'::int) select * from q

with q as (select -1::int) select * from q

with q as (select (1)) select * from q

with q as (select (-1)) select * from q

with q as (select array[1, 2]) select * from q

with q as (select row(1, a)) select * from q

with q as (select (select 1)) select * from q

with q as (select a in (1, 2)) select * from q

with q as (select a between -1 and 1) select * from q

with q as (select a like '%x') select * from q

with q as (select a ->> 'k') select * from q

with q as (select a[1]) select * from q

with q as (select (a).b) select * from q

with q as (select cast(1 as text)) select * from q

with q as (select coalesce(a, null, 0)) select * from q

with q as (select interval '1 day') select * from q

with q as (select date '2020-01-01') select * from q

with q as (select extract(day from a)) select * from q

with q as (select a at time zone 'utc') select * from q

with q as (select exists (select 1)) select * from q

with q as (select a = any(array[1])) select * from q

with q as (select current_timestamp(3)) select * from q

with q as (select a collate "C") select * from q

with q as (select $1::text) select * from q

with q as (select - $2) select * from q

with q as (select + 4) select * from q

with q as (select a <> -1) select * from q

with q as (select a != 5) select * from q

with q as (select @ -1) select * from q

select x - (1) from t

select x - (2.5) from t

select x - (-3) from t

select x - ('s') from t

select x - ($1) from t

select x - (null) from t

select x - (a) from t

select x - (t.a) from t

select x - ("A") from t

select x - (a + 1) from t

select x - (a - 1) from t

select x - (-a) from t

select x - (-a * 2) from t

select x - (not a) from t

select x - (a is null) from t

select x - (a = 1) from t

select x - (a ) from t

select x - ( 'x') from t

select x - (f(a)) from t

select x - (lower('X')) from t

select x - (count(*)) from t

select x - (case when a then 1 else -1 end) from t

select x - (a::int) from t

select x - ('1'::int) from t

select x - (-1::int) from t

select x - ((1)) from t

select x - ((-1)) from t

select x - (array[1, 2]) from t

select x - (row(1, a)) from t

select x - ((select 1)) from t

select x - (a in (1, 2)) from t

select x - (a between -1 and 1) from t

select x - (a like '%x') from t

select x - (a ->> 'k') from t

select x - (a[1]) from t

select x - ((a).b) from t

select x - (cast(1 as text)) from t

select x - (coalesce(a, null, 0)) from t

select x - (interval '1 day') from t

select x - (date '2020-01-01') from t

select x - (extract(day from a)) from t

select x - (a at time zone 'utc') from t

select x - (exists (select 1)) from t

select x - (a = any(array[1])) from t

select x - (current_timestamp(3)) from t

select x - (a collate "C") from t

select x - ($1::text) from t

select x - (- $2) from t

select x - (+ 4) from t

select x - (a <> -1) from t

select x - (a != 5) from t

select x - (@ -1) from t

select a || 'x' || b

select a || 'x' || b as x, 1 from t

select * from t where a || 'x' || b = 5

select * from t where b = a || 'x' || b and c = 'y'

select * from t where x in (a || 'x' || b, 9)

select * from t order by a || 'x' || b desc

select f(a || 'x' || b, a || 'x' || b)

insert into t (a) values (a || 'x' || b)

update t set a = a || 'x' || b where b = a || 'x' || b

select case when x then a || 'x' || b else a || 'x' || b end from t

select array[a || 'x' || b, a || 'x' || b]

select * from t group by b having a || 'x' || b > 0

with q as (select a || 'x' || b) select * from q

select x - (a || 'x' || b) from t
