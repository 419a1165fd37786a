//! Class and effect of statements, by table.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::enum_glob_use,
    clippy::panic,
    reason = "tests"
)]

use howdah_sql::Class::{self, *};
use howdah_sql::{Analyses, Analysis, Effect, Effect as E};

fn check(rows: &[(&str, Class, Effect)]) {
    let mut analyses = Analyses::new(1000);
    for (sql, class, effect) in rows {
        // Twice: found out, and remembered.
        for _ in 0..2 {
            let analysis = analyses.analyse(sql.as_bytes());
            assert_eq!(analysis.statements.len(), 1, "{sql}");
            assert_eq!((analysis.class, analysis.statements[0].effect), (*class, *effect), "{sql}");
            assert_eq!(analysis.has_effects, *effect != E::None, "{sql}");
            assert!(analysis.parsed, "{sql}");
        }
    }
}

#[test]
fn queries() {
    check(&[
        ("select 1", Read, E::None),
        ("SELECT abalance FROM pgbench_accounts WHERE aid = 1", Read, E::None),
        ("select * from t where a in (1, 2) order by b limit 3", Read, E::None),
        ("table t", Read, E::None),
        ("values (1), (2)", Read, E::None),
        ("(select 1) union (select 2)", Read, E::None),
        ("with x as (select 1) select * from x", Read, E::None),
        ("select count(*), sum(a), max(lower(b)) from t group by c", Read, E::None),
        ("select now(), random(), clock_timestamp(), gen_random_uuid()", Read, E::None),
        ("select pg_catalog.lower('X')", Read, E::None),
        ("select current_setting('x'), current_timestamp, version()", Read, E::None),
        ("select rank() over (partition by a order by b) from t", Read, E::None),
        ("select coalesce(a, 1), greatest(1, 2), nullif(a, b), row(1, 2) from t", Read, E::None),
        (
            "select extract(year from now()), substring('a' from 1), trim('a'), position('a' in 'b')",
            Read,
            E::None,
        ),
        ("select a ->> 'b', a @> '{}', a || b, a::text from t", Read, E::None),
        ("select jsonb_agg(a), array_agg(b), string_agg(c, ',') from t", Read, E::None),
        ("select * from generate_series(1, 3), unnest(array[1])", Read, E::None),
        ("select * from a join b using (c) left join lateral (select 1) d on true", Read, E::None),
        ("select xmlelement(name a), json_object('a': 1)", Read, E::None),
        ("select pg_is_in_recovery(), pg_size_pretty(pg_relation_size('t'))", Read, E::None),
        ("select pg_sleep(1)", Read, E::None),
        ("select a operator(pg_catalog.+) b from t", Read, E::None),
        ("select a operator(app.+) b from t", Other, E::None),
        ("select my_function(1)", Other, E::None),
        ("select * from my_table_function(1)", Other, E::None),
        ("select app.lower('x')", Other, E::None),
        ("select a from t where my_check(a)", Other, E::None),
        ("select a from t order by my_rank(a)", Other, E::None),
        ("select count(*) filter (where f(a)) from t", Other, E::None),
        ("select sum(a) over (order by f(b)) from t", Other, E::None),
        ("select case when f(a) then 1 end from t", Other, E::None),
        ("select (select f(a)) from t limit (select g())", Other, E::None),
        ("values (f(1))", Other, E::None),
        ("select * from t tablesample system (f(1))", Other, E::None),
        ("with x as (select f()) select 1 from x", Other, E::None),
        ("select 1 union all select f()", Other, E::None),
        ("select a[f(1)], array[f(2)], row(f(3)) from t", Other, E::None),
        ("select \"Lower\"(a) from t", Other, E::None),
        ("select \"lower\"(a) from t", Read, E::None),
        ("select postgis.st_area(g) from t", Other, E::None),
    ]);
}

#[test]
fn queries_that_do_more_than_read() {
    check(&[
        ("select * from t for update", Write, E::None),
        ("select * from t for share nowait", Write, E::None),
        ("select * from t for no key update skip locked", Write, E::None),
        ("select * from (select * from t for key share) x", Write, E::None),
        ("with x as (delete from t returning a) select * from x", Write, E::None),
        ("with x as (insert into t values (1) returning a) select * from x", Write, E::None),
        ("with x as (update t set a = 1 returning a) select * from x", Write, E::None),
        ("select * into u from t", Ddl, E::None),
        ("select * into temp u from t", Ddl, E::TemporaryTable),
        ("select * into temporary table u from t", Ddl, E::TemporaryTable),
        ("select * into pg_temp.u from t", Ddl, E::TemporaryTable),
        ("select nextval('s')", Write, E::None),
        ("select setval('s', 1)", Write, E::None),
        ("select currval('s')", Write, E::None),
        ("select lastval()", Write, E::None),
        ("select txid_current()", Write, E::None),
        ("select pg_current_xact_id()", Write, E::None),
        ("select pg_notify('a', 'b')", Write, E::None),
        ("select lo_create(0), lo_unlink(1)", Write, E::None),
        ("select lo_open(1, 2)", Write, E::None),
        ("select pg_cancel_backend(1)", Write, E::None),
        ("select pg_terminate_backend(1)", Write, E::None),
        ("select pg_switch_wal()", Write, E::None),
        ("select pg_advisory_xact_lock(1)", Write, E::None),
        ("select pg_try_advisory_xact_lock_shared(1)", Write, E::None),
        ("select pg_advisory_lock(1)", Write, E::AdvisoryLock),
        ("select pg_advisory_lock(1, 2)", Write, E::AdvisoryLock),
        ("select pg_advisory_lock_shared(1)", Write, E::AdvisoryLock),
        ("select pg_try_advisory_lock($1)", Write, E::AdvisoryLock),
        ("select pg_catalog.pg_try_advisory_lock_shared(1)", Write, E::AdvisoryLock),
        ("select 1 from t where pg_try_advisory_lock(a) limit 1", Write, E::AdvisoryLock),
        ("select pg_advisory_unlock(1)", Write, E::AdvisoryUnlock),
        ("select pg_advisory_unlock_shared(1)", Write, E::AdvisoryUnlock),
        ("select pg_advisory_unlock_all()", Write, E::AdvisoryUnlock),
        ("select PG_ADVISORY_LOCK(1)", Write, E::AdvisoryLock),
        ("select (1::bigint).pg_advisory_lock", Write, E::AdvisoryLock),
        ("select x.pg_advisory_lock from unnest(array[1::bigint]) x", Write, E::AdvisoryLock),
        ("select (a).b, x.c, (d)['pg_advisory_lock'], 'x.pg_advisory_lock' from x", Read, E::None),
        ("select pg_advisory_lock from x", Read, E::None),
        ("select \"pg_advisory_lock\"(1)", Write, E::AdvisoryLock),
        ("select pg_advisory_lock(1), pg_advisory_unlock(2)", Write, E::Unknown),
        ("select set_config('a', 'b', false)", Write, E::Settings),
        ("select set_config('a', 'b', true)", Write, E::Settings),
        ("select pg_catalog.set_config($1, $2, $3)", Write, E::Settings),
        ("select set_config('a', 'b', false), set_config('c', 'd', false)", Write, E::Settings),
        ("select set_config('a', 'b', false), pg_advisory_lock(1)", Write, E::Unknown),
        ("select app.set_config('a', 'b', false)", Other, E::None),
        ("select setseed(0.5)", Write, E::Unknown),
        ("select dblink_connect('a', 'host=x')", Write, E::Unknown),
        ("select query_to_xml('select 1', true, true, '')", Write, E::Unknown),
    ]);
}

#[test]
fn changes_of_data() {
    check(&[
        ("insert into t values (1)", Write, E::None),
        ("insert into t select * from u", Write, E::None),
        ("insert into t (a) values (my_function(1)) returning a", Write, E::None),
        ("insert into t values (1) on conflict do nothing", Write, E::None),
        ("insert into t values (set_config('a', 'b', false))", Write, E::Settings),
        ("with x as (select 1) insert into t select * from x", Write, E::None),
        ("update t set a = 1 where b = 2", Write, E::None),
        ("update t set a = nextval('s')", Write, E::None),
        ("update t set a = pg_advisory_lock(1)", Write, E::AdvisoryLock),
        ("delete from t using u where t.a = u.a", Write, E::None),
        ("merge into t using u on t.a = u.a when matched then delete", Write, E::None),
        ("truncate t", Write, E::None),
        ("lock table t in exclusive mode", Write, E::None),
        ("notify a, 'b'", Write, E::None),
        ("copy t from stdin", Copy, E::None),
        ("copy t to stdout with (format csv)", Copy, E::None),
        ("copy (select 1) to stdout", Copy, E::None),
        ("copy (delete from t returning a) to stdout", Copy, E::None),
        ("copy (select set_config('a', 'b', false)) to stdout", Copy, E::Unknown),
        ("copy (select pg_advisory_lock(1)) to stdout", Copy, E::AdvisoryLock),
        ("copy t from program 'x'", Copy, E::None),
    ]);
}

#[test]
fn transactions() {
    check(&[
        ("begin", TransactionControl, E::Begin),
        ("BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE", TransactionControl, E::Begin),
        ("start transaction read only", TransactionControl, E::Begin),
        ("commit", TransactionControl, E::Commit),
        ("end", TransactionControl, E::Commit),
        ("commit and chain", TransactionControl, E::Commit),
        ("rollback", TransactionControl, E::Rollback),
        ("abort work", TransactionControl, E::Rollback),
        ("rollback and chain", TransactionControl, E::Rollback),
        ("savepoint a", TransactionControl, E::Savepoint),
        ("release a", TransactionControl, E::Release),
        ("release savepoint a", TransactionControl, E::Release),
        ("rollback to a", TransactionControl, E::RollbackTo),
        ("rollback work to savepoint a", TransactionControl, E::RollbackTo),
        ("prepare transaction 'a'", TransactionControl, E::PrepareTransaction),
        ("commit prepared 'a'", TransactionControl, E::None),
        ("rollback prepared 'a'", TransactionControl, E::None),
    ]);
}

#[test]
fn the_session() {
    check(&[
        ("set a.b = 1", SessionState, E::Settings),
        ("set local a.b = 1", SessionState, E::Settings),
        ("set session a.b = 1", SessionState, E::Settings),
        ("set search_path to a, b", SessionState, E::Settings),
        ("set time zone 'utc'", SessionState, E::Settings),
        ("set names 'utf8'", SessionState, E::Settings),
        ("set role a", SessionState, E::Settings),
        ("set role none", SessionState, E::Settings),
        ("set session authorization a", SessionState, E::Settings),
        ("set session characteristics as transaction read only", SessionState, E::Settings),
        ("set transaction read only", SessionState, E::Settings),
        ("set constraints all immediate", SessionState, E::None),
        ("reset a.b", SessionState, E::Settings),
        ("reset all", SessionState, E::Settings),
        ("reset session authorization", SessionState, E::Settings),
        ("show a.b", Read, E::None),
        ("show all", Read, E::None),
        ("show transaction isolation level", Read, E::None),
        ("discard all", SessionState, E::DiscardAll),
        ("discard plans", SessionState, E::Discard),
        ("discard sequences", SessionState, E::Discard),
        ("discard temp", SessionState, E::Discard),
        ("discard temporary", SessionState, E::Discard),
        ("listen a", SessionState, E::Listen),
        ("unlisten a", SessionState, E::Unlisten),
        ("unlisten *", SessionState, E::Unlisten),
        ("load 'a'", SessionState, E::Load),
        ("prepare p as select 1", SessionState, E::Prepare),
        ("prepare p as select pg_advisory_lock(1)", SessionState, E::Prepare),
        ("prepare p as insert into t values ($1)", SessionState, E::Prepare),
        ("execute p", Other, E::Execute),
        ("execute p(1, 'a')", Other, E::Execute),
        ("deallocate p", SessionState, E::Deallocate),
        ("deallocate all", SessionState, E::Deallocate),
        ("deallocate prepare p", SessionState, E::Deallocate),
        ("declare c cursor for select 1", Other, E::None),
        ("declare c scroll cursor without hold for select 1", Other, E::None),
        ("declare c cursor with hold for select 1", Other, E::HoldCursor),
        (
            "declare c binary insensitive no scroll cursor with hold for select 1",
            Other,
            E::HoldCursor,
        ),
        ("declare c cursor for select pg_advisory_lock(1)", Other, E::AdvisoryLock),
        ("declare c cursor with hold for select pg_advisory_lock(1)", Other, E::Unknown),
        ("fetch 10 from c", Other, E::None),
        ("move forward all in c", Other, E::None),
        ("close c", Other, E::None),
        ("close all", Other, E::None),
        ("checkpoint", Other, E::None),
        ("do $$ begin end $$", Other, E::Unknown),
        ("call p()", Other, E::Unknown),
    ]);
}

#[test]
fn explained_statements() {
    check(&[
        ("explain select 1", Read, E::None),
        ("explain delete from t", Read, E::None),
        ("explain select set_config('a', 'b', false)", Read, E::None),
        ("explain (costs off) execute p", Other, E::Execute),
        ("explain create table t as execute p", Other, E::Execute),
        ("create table t as execute p", Ddl, E::Execute),
        ("create temp table t as execute p", Ddl, E::Unknown),
        ("explain create table t as select 1", Read, E::None),
        ("explain analyze select 1", Read, E::None),
        ("explain (analyze, buffers) select f()", Other, E::None),
        ("explain analyze update t set a = 1", Write, E::None),
        ("explain (analyze true) select * from t for update", Write, E::None),
        ("explain (analyze off) delete from t", Write, E::None),
        ("explain analyze execute p", Other, E::Execute),
        ("explain analyze create table t as select 1", Ddl, E::None),
        ("explain analyze create temp table t as select 1", Ddl, E::Unknown),
        ("explain analyze select set_config('a', 'b', false)", Write, E::Unknown),
        ("explain analyze select pg_advisory_lock(1)", Write, E::Unknown),
        ("explain analyze declare c cursor with hold for select 1", Other, E::Unknown),
        ("explain verbose select 1", Read, E::None),
    ]);
}

#[test]
fn definitions() {
    check(&[
        ("create table t (a int)", Ddl, E::None),
        ("create unlogged table t (a int)", Ddl, E::None),
        ("create table t as select 1", Ddl, E::None),
        ("create table t as select set_config('a', 'b', false)", Ddl, E::Unknown),
        ("create temp table t (a int)", Ddl, E::TemporaryTable),
        ("create temporary table if not exists t (a int) on commit drop", Ddl, E::TemporaryTable),
        ("create local temp table t (a int)", Ddl, E::TemporaryTable),
        ("create table pg_temp.t (a int)", Ddl, E::TemporaryTable),
        ("create table \"pg_temp\".t as select 1", Ddl, E::TemporaryTable),
        ("create temp table t as select pg_advisory_lock(1)", Ddl, E::Unknown),
        ("create temp view v as select 1", Ddl, E::TemporaryTable),
        ("create or replace temporary view v as select 1", Ddl, E::TemporaryTable),
        ("create temp sequence s", Ddl, E::TemporaryTable),
        (
            "create function pg_temp.f() returns int language sql as 'select 1'",
            Ddl,
            E::TemporaryTable,
        ),
        ("create type pg_temp.e as enum ('a')", Ddl, E::TemporaryTable),
        ("create domain pg_temp.d as int", Ddl, E::TemporaryTable),
        ("create materialized view v as select 1", Ddl, E::None),
        ("refresh materialized view v", Ddl, E::None),
        ("create view v as select nextval('s')", Ddl, E::None),
        ("create index concurrently on t (a)", Ddl, E::None),
        ("create sequence s", Ddl, E::None),
        ("create schema s", Ddl, E::None),
        ("create database d", Ddl, E::None),
        ("create role r", Ddl, E::None),
        ("create user u password 'x'", Ddl, E::None),
        ("create extension x", Ddl, E::None),
        ("create function f() returns int language sql as 'select 1'", Ddl, E::None),
        ("create procedure p() language sql begin atomic select 1; select 2; end", Ddl, E::None),
        ("create trigger t before insert on a execute function f()", Ddl, E::None),
        ("create rule r as on insert to t do (select 1; select 2)", Ddl, E::None),
        ("create policy p on t", Ddl, E::None),
        ("create type e as enum ('a')", Ddl, E::None),
        ("create type r as range (subtype = int4)", Ddl, E::None),
        ("create domain d as int", Ddl, E::None),
        ("create aggregate a (int) (sfunc = f, stype = int)", Ddl, E::None),
        ("create publication p for all tables", Ddl, E::None),
        ("create subscription s connection '' publication p", Ddl, E::None),
        ("create statistics s on a, b from t", Ddl, E::None),
        ("create foreign table t (a int) server s", Ddl, E::None),
        ("import foreign schema a from server s into b", Ddl, E::None),
        ("alter table t add column a int", Ddl, E::None),
        ("alter table t rename to u", Ddl, E::None),
        ("alter table t set schema s", Ddl, E::None),
        ("alter table t owner to u", Ddl, E::None),
        ("alter type e add value 'b'", Ddl, E::None),
        ("alter role r set a = 'b'", Ddl, E::None),
        ("alter database d set a = 'b'", Ddl, E::None),
        ("alter system set a = 'b'", Ddl, E::None),
        ("alter default privileges grant select on tables to u", Ddl, E::None),
        ("drop table t cascade", Ddl, E::None),
        ("drop index concurrently i", Ddl, E::None),
        ("drop function f(int)", Ddl, E::None),
        ("drop owned by u", Ddl, E::None),
        ("reassign owned by a to b", Ddl, E::None),
        ("grant select on t to u", Ddl, E::None),
        ("revoke a from b", Ddl, E::None),
        ("comment on table t is 'x'", Ddl, E::None),
        ("security label on table t is 'x'", Ddl, E::None),
        ("vacuum", Ddl, E::None),
        ("vacuum (full, analyze) t", Ddl, E::None),
        ("analyze t", Ddl, E::None),
        ("reindex table t", Ddl, E::None),
        ("cluster t", Ddl, E::None),
    ]);
}

fn analyse(sql: &str) -> Analysis {
    (*Analyses::new(10).analyse(sql.as_bytes())).clone()
}

#[test]
fn a_text_has_the_greatest_class_and_every_effect_of_its_statements() {
    let effects = |sql: &str| {
        let analysis = analyse(sql);
        (analysis.class, analysis.statements.iter().map(|one| one.effect).collect::<Vec<_>>())
    };
    assert_eq!(effects("select 1; select 2"), (Read, vec![E::None, E::None]));
    assert_eq!(
        effects("begin; select 1; commit;"),
        (TransactionControl, vec![E::Begin, E::None, E::Commit])
    );
    assert_eq!(
        effects("begin; update t set a = 1; commit"),
        (Write, vec![E::Begin, E::None, E::Commit])
    );
    assert_eq!(
        effects("select 1; set a = 1; select f()"),
        (Other, vec![E::None, E::Settings, E::None])
    );
    assert_eq!(
        effects("create temp table t (a int); listen x"),
        (Ddl, vec![E::TemporaryTable, E::Listen])
    );
    assert_eq!(effects(""), (Read, vec![]));
    assert_eq!(effects(" ; -- nothing\n;"), (Read, vec![]));
    assert!(analyse("").parsed && !analyse("").has_effects);
}

#[test]
fn what_does_not_parse_is_unknown_as_a_whole() {
    let mut analyses = Analyses::new(10);
    let texts: [&[u8]; 7] = [
        b"selec 1",
        b"select 1; nonsense",
        b"select 'open",
        b"select /* open",
        b"select \"\"",
        b"select \xff",
        b"$",
    ];
    for sql in texts {
        for _ in 0..2 {
            let analysis = analyses.analyse(sql);
            assert_eq!(
                (analysis.class, analysis.parsed, analysis.has_effects),
                (Other, false, true)
            );
            assert_eq!(analysis.statements.len(), 1);
            assert_eq!(analysis.statements[0].effect, E::Unknown);
        }
    }
    assert_ne!(analyse("selec 1").fingerprint, analyse("selec a").fingerprint);
}

#[test]
fn a_text_that_does_not_parse_never_speaks_for_one_that_does() {
    // One form, because type modifiers are literals; the second number is too large for one.
    let (good, bad) =
        ("select timestamp(3) '2020-01-01'", "select timestamp(99999999999) '2020-01-01'");
    let mut analyses = Analyses::new(10);
    assert!(!analyses.analyse(bad.as_bytes()).parsed);
    assert!(analyses.analyse(good.as_bytes()).parsed);
}

#[test]
fn analyses_of_one_form_are_one_and_the_map_is_bounded() {
    let mut analyses = Analyses::new(64);
    let first = analyses.analyse(b"select a from t where b = 1");
    let second = analyses.analyse(b"SELECT a FROM t -- again\n WHERE b = 'x';");
    assert!(std::sync::Arc::ptr_eq(&first, &second));
    let kept: Vec<_> =
        (0..10_000).map(|n| analyses.analyse(format!("select a{n}").as_bytes())).collect();
    let shared = kept.iter().filter(|analysis| std::sync::Arc::strong_count(analysis) > 1).count();
    assert!(shared <= 72, "{shared} of 10000 forms are kept");
}

#[test]
fn the_text_for_people_is_readable_and_bounded() {
    let text = |sql: &str| analyse(sql).text.to_string();
    assert_eq!(
        text("SELECT abalance FROM pgbench_accounts WHERE aid = 5;"),
        "select abalance from pgbench_accounts where aid = $1"
    );
    assert_eq!(
        text("select f(1,'x'),\"A\" from s.t where b in(1,2) and(c=-1 or d is null); select $7"),
        "select f($1, $2), \"A\" from s.t where b in ($3) and (c = $4 or d is null); select $5"
    );
    assert_eq!(text("insert into t(a,b)values(1,2),(3,4)"), "insert into t(a, b) values ($1, $2)");
    let long = format!("select {}", "é, ".repeat(5000));
    assert!(text(&long).len() <= Analysis::MAX_TEXT && text(&long).len() > Analysis::MAX_TEXT - 4);
}

#[test]
fn functions_that_may_leave_something_unseen_are_reported() {
    assert!(analyse("select f()").calls_unknown_functions);
    assert!(analyse("insert into t values (f())").calls_unknown_functions);
    // What a session remembers of sequences stays on the server.
    assert!(analyse("insert into t values (nextval('s'))").calls_unknown_functions);
    assert!(
        !analyse("select lower('x'), txid_current(), set_config('a', 'b', true)")
            .calls_unknown_functions
    );
}

#[test]
fn queries_are_reads_but_for_the_functions_that_they_name() {
    let named = |sql| {
        let analysis = analyse(sql);
        let names = analysis.read_through().into_iter().flatten().map(|one| one.name.clone());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(named("select app.f(a), lower(b), g() from t where h(c) > 1"), "f g h");
    assert_eq!(named("select * from f($1) where exists (select from t where t.a = g())"), "f g");
    assert_eq!(named("select app.lower('A')"), "lower");
    for sql in [
        "select 1",
        "select lower('A')",
        "select f(); select 1",
        "insert into t select f()",
        "with x as (delete from t returning a) select f(a) from x",
        "select f() from t for update",
        "select f() into u from t",
        "select f(), nextval('s')",
        "select f(), set_config('a', 'b', false)",
        "select f(), pg_advisory_lock(1)",
        "select f(), 1 operator(app.+) 2",
        "call f()",
        "do $$ begin perform f(); end $$",
        "explain analyze select f()",
        "copy (select f()) to stdout",
        "declare c cursor for select f()",
        "select f(",
    ] {
        assert!(analyse(sql).read_through().is_none(), "{sql}");
    }
}
