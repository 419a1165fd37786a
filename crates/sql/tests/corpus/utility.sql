begin

BEGIN WORK

begin transaction isolation level serializable, read only, deferrable

start transaction

start transaction read write

commit

commit work and chain

end

rollback

abort

rollback and no chain

savepoint a

savepoint "A b"

rollback to a

rollback to savepoint b

release a

release savepoint b

prepare transaction 'x'

commit prepared 'x'

rollback prepared 'x'

set search_path to a, b

set search_path = 'a', "B"

set x.y = 'z'

set x.y to default

set local x = 1

set session x = on

set time zone 'utc'

set time zone interval '-08:00' hour to minute

set time zone local

set names 'utf8'

set role a

set role none

set session authorization a

set session authorization default

set session characteristics as transaction isolation level repeatable read

set transaction read only

set transaction snapshot '000-1'

set constraints all deferred

set xml option document

set schema 'x'

reset x

reset all

reset role

reset time zone

show x

show all

show time zone

show transaction isolation level

discard all

discard plans

discard temp

discard sequences

listen a

unlisten a

unlisten *

notify a

notify a, 'payload'

load 'lib'

deallocate p

deallocate all

deallocate prepare p

lock table t

lock t in access exclusive mode nowait

checkpoint

close c

close all

fetch next from c

fetch 10 from c

fetch -5 from c

fetch backward all in c

move forward 3 from c

copy t from stdin

copy t (a, b) to stdout with (format csv, header, delimiter ';')

copy (select a from t where b = 1) to stdout

copy t from '/tmp/x.csv' csv

copy t from program 'cat x' with (format text)

copy (insert into t values (1) returning a) to stdout

copy binary t to stdout

do $$ begin perform 1; end $$

do language plpgsql $x$ begin raise notice 'x'; end $x$

create table t (id serial primary key, a int not null default 5, b varchar(20) check (b <> ''), c timestamptz default now())

create table t (a numeric(10,2), b text collate "C", c int references u (id) on delete cascade, unique (a, b), foreign key (c) references u)

create table if not exists s.t (like u including all)

create unlogged table t (a int) with (fillfactor = 70)

create table t (a int) partition by range (a)

create table t1 partition of t for values from (1) to (10)

create table t2 partition of t for values in (1, 2, 3)

create table t3 partition of t default

create table t4 partition of t for values with (modulus 4, remainder 0)

create temp table t (a int) on commit drop

create temporary table if not exists t as select 1

create table pg_temp.t (a int)

create table t as select * from u where a = 1

create table t as execute p(1)

create table t (a int generated always as identity (start 10), b int generated always as (a * 2) stored)

create materialized view v as select 1 with no data

refresh materialized view concurrently v

create view v as select a from t where b = 'x'

create or replace view v (a) as values (1), (2)

create temp view v as select 1

create recursive view v (n) as select 1

create index on t (a)

create unique index concurrently if not exists i on t using btree (a desc nulls last, lower(b) text_pattern_ops) include (c) where d > 5

create index i on t using gin (a jsonb_path_ops) with (fastupdate = off)

create sequence s start 10 increment -1 minvalue -100 cycle

create temp sequence s

alter sequence s restart with 5

create function f(a int, b text default 'x') returns int language sql as $$ select 1; $$

create function f() returns int language sql begin atomic select 1; select case when true then 2 else 3 end; end

create or replace function f(int) returns int as 'select $1' language sql immutable strict parallel safe

create function f() returns trigger language plpgsql as $f$ begin new.a := 1; return new; end $f$ set search_path = x, pg_temp

create procedure p(inout a int) language sql begin atomic insert into t values (1); end

create aggregate a (int) (sfunc = int4pl, stype = int, initcond = '0')

create operator + (leftarg = x, rightarg = y, function = f)

create type t as (a int, b text)

create type e as enum ('a', 'b')

create type r as range (subtype = int4)

alter type e add value 'c' after 'b'

create domain d as text check (value ~ '^x')

create cast (a as b) with function f(a) as implicit

create collation c (locale = 'de_DE')

create conversion c for 'UTF8' to 'LATIN1' from f

create extension if not exists x with schema s version '1.0'

alter extension x update to '2'

create foreign data wrapper w handler h

create server s foreign data wrapper w options (host 'x', port '5432')

create user mapping for u server s options (user 'a', password 'b')

create foreign table t (a int) server s options (table_name 'x')

import foreign schema s limit to (a, b) from server x into y

create event trigger e on ddl_command_start execute function f()

create trigger tr before insert or update of a on t for each row when (new.a > 1) execute function f('x', 1)

create rule r as on insert to t do instead (insert into u values (1); insert into v values (2))

create rule r as on select to t do instead select 1

create policy p on t for select to a using (b = current_user) with check (c = 1)

create schema s authorization u

create schema s create table t (a int) create view v as select 1

create role r login password 'x' valid until '2030-01-01' connection limit 5

create user u

alter role r set x = 'y'

alter role r in database d reset all

alter user u with password 'y'

create database d template x encoding 'UTF8'

alter database d set x to 'y'

alter database d owner to u

drop database if exists d (force)

create tablespace x location '/x'

create text search configuration c (copy = english)

create statistics s (dependencies) on a, b from t

create publication p for table t (a, b) where (c > 1)

create publication p for all tables with (publish = 'insert')

create subscription s connection 'host=x' publication p with (enabled = false)

alter subscription s disable

drop subscription s

create access method m type index handler h

create operator class c for type t using btree as operator 1 <, function 1 f(t, t)

create transform for t language l (from sql with function f(internal), to sql with function g(internal))

create language l

alter table t add column a int default 1 not null

alter table t drop column a cascade

alter table t alter column a type bigint using a::bigint

alter table t alter a set default 5

alter table t add constraint c check (a > 1) not valid

alter table t validate constraint c

alter table t rename to u

alter table t rename column a to b

alter table t set schema s

alter table t owner to u

alter table t enable row level security

alter table t attach partition t1 for values from (1) to (2)

alter table t set (autovacuum_enabled = false)

alter table all in tablespace a set tablespace b

alter index i set (fillfactor = 50)

alter function f(int) owner to u

alter system set x = 'y'

alter system reset all

alter default privileges in schema s grant select on tables to u

alter view v set (security_barrier)

drop table t

drop table if exists a, b cascade

drop function f(int, text)

drop index concurrently i

drop owned by u

reassign owned by a to b

truncate t

truncate a, b restart identity cascade

vacuum

vacuum (full, analyze, verbose) t (a, b)

vacuum (parallel 4) t

analyze

analyze t (a)

reindex table concurrently t

cluster t using i

grant select (a), insert on t to u with grant option

grant a to b

revoke all on all tables in schema s from public

comment on table t is 'x'

comment on column t.a is null

security label for p on table t is 'x'

explain create table t as select 5

explain (format 'json', costs 'off') select 1
