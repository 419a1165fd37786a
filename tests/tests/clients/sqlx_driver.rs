//! What applications do with `sqlx`: its pool, statement cache, transactions, listener, COPY, streams, advisory locks.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::join_all;
use sqlx::postgres::{
    PgAdvisoryLock, PgConnectOptions, PgConnection, PgDatabaseError, PgErrorPosition, PgListener, PgPool, PgPoolOptions, PgRow,
    PgSslMode, PgTypeInfo,
};
use sqlx::{AssertSqlSafe, Column, Connection, Either, Executor, Postgres, Row, Statement, TypeInfo};
use tokio::sync::mpsc;

use crate::checks::{Outcome, Place, failure, pause};

fn options(place: &Place) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass().host(Place::HOST).port(place.port).database(&place.database);
    options.username(&place.user).password(&place.password).ssl_mode(PgSslMode::Disable)
}

async fn connect(place: &Place) -> PgConnection {
    PgConnection::connect_with(&options(place)).await.unwrap()
}

async fn pool(place: &Place, size: u32) -> PgPool {
    PgPoolOptions::new().max_connections(size).connect_with(options(place)).await.unwrap()
}

/// The only value of a query without parameters.
async fn one<T>(connection: &mut PgConnection, sql: &str) -> T
where
    T: for<'r> sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(connection).await.unwrap();
    row.get(0)
}

async fn execute(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
}

/// The server's refusal: SQLSTATE.
fn code<T>(result: Result<T, sqlx::Error>) -> String {
    let error = failure(result);
    let database = error.as_database_error().unwrap_or_else(|| panic!("not from the server: {error:?}"));
    database.code().unwrap().into_owned()
}

/// Runs the checks of this file.
pub(crate) async fn run(place: &Place, outcome: &mut Outcome) {
    let here = || place.clone();
    outcome.run("a login is proved by SCRAM", login(here())).await;
    outcome.run("values round trip in binary", values(here())).await;
    outcome.run("types of the application are looked up", own_types(here())).await;
    let (sender, mut seen) = mpsc::channel(1);
    outcome.run("a prepared statement is reused on every server", reused(here(), sender)).await;
    outcome.servers.extend(seen.recv().await);
    outcome.run("more statements than a server keeps stay prepared", many_statements(here())).await;
    outcome.run("statements pushed out of the cache are closed", evicted(here())).await;
    outcome.run("statements that are not kept", unkept(here())).await;
    outcome.run("a large result is streamed and left in the middle", large_result(here())).await;
    outcome.run("several statements in one message", raw(here())).await;
    outcome.run("rows are copied in and out", copy(here())).await;
    outcome.run("an error has all its fields", errors(here())).await;
    outcome.run("transactions with savepoints", savepoints(here())).await;
    outcome.run("a transaction that is dropped is rolled back", dropped(here())).await;
    outcome.run("settings stay with their connection", settings(here())).await;
    outcome.run("notifications reach an idle listener", notifications(here())).await;
    outcome.run("advisory locks are held until they are released", locks(here())).await;
    outcome.run("a pool of the driver serves many at once", pooled(here())).await;
}

async fn login(place: Place) {
    let mut connection = PgConnection::connect_with(&options(&place).application_name("check")).await.unwrap();
    let who: String = one(&mut connection, "SELECT current_user || '@' || current_database()").await;
    assert_eq!(who, format!("{}@{}", place.user, place.database));
    assert_eq!(one::<String>(&mut connection, "SHOW application_name").await, "check");
    connection.ping().await.unwrap();
    assert_eq!(code(PgConnection::connect_with(&options(&place).password("wrong")).await), "28P01");
    assert_eq!(code(PgConnection::connect_with(&options(&place).database("no such thing")).await), "3D000");
    connection.close().await.unwrap();
}

async fn values(place: Place) {
    let mut connection = connect(&place).await;
    let sql = "SELECT $1::int2, $2::int4, $3::int8, $4::float4, $5::float8, $6::bool, $7::text, $8::bytea, $9::int4[], $10::text[], \
               $11::int4";
    for text in ["", "ünïcödé € 🐘 ' \" \\ \n", &"x".repeat(70_000)] {
        let raw: Vec<u8> = (0..=255).collect();
        let (numbers, names) = (vec![Some(1), None, Some(i32::MIN)], vec!["a,b".to_owned(), String::new(), "d\"e".to_owned()]);
        let query = sqlx::query(sql).bind(i16::MIN).bind(i32::MAX).bind(i64::MIN).bind(-1024.25_f32).bind(1.1e300_f64).bind(true);
        let query = query.bind(text).bind(&raw).bind(&numbers).bind(&names).bind(None::<i32>);
        let row = query.fetch_one(&mut connection).await.unwrap();
        assert_eq!((row.get::<i16, _>(0), row.get::<i32, _>(1), row.get::<i64, _>(2)), (i16::MIN, i32::MAX, i64::MIN));
        assert!(row.get::<f32, _>(3) < -1024.0 && row.get::<f64, _>(4) > 1e300 && row.get::<bool, _>(5));
        assert_eq!((row.get::<&str, _>(6), row.get::<Vec<u8>, _>(7)), (text, raw));
        assert_eq!((row.get::<Vec<Option<i32>>, _>(8), row.get::<Vec<String>, _>(9)), (numbers, names));
        assert_eq!(row.get::<Option<i32>, _>(10), None);
    }
}

/// A value of an enum that the application defined.
struct Mood(String);

impl sqlx::Type<Postgres> for Mood {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("x_mood")
    }
}

impl sqlx::Encode<'_, Postgres> for Mood {
    fn encode_by_ref(&self, buffer: &mut sqlx::postgres::PgArgumentBuffer) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
        <&str as sqlx::Encode<'_, Postgres>>::encode_by_ref(&self.0.as_str(), buffer)
    }
}

impl<'r> sqlx::Decode<'r, Postgres> for Mood {
    fn decode(value: sqlx::postgres::PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        Ok(Self(value.as_str()?.to_owned()))
    }
}

async fn own_types(place: Place) {
    let mut owner = connect(&place).await;
    execute(&mut owner, "DROP TYPE IF EXISTS x_thing, x_mood; CREATE TYPE x_mood AS ENUM ('sad', 'häppy')").await;
    execute(&mut owner, "CREATE TYPE x_thing AS (name text, mood x_mood)").await;
    for n in 0..5 {
        let mut connection = connect(&place).await; // what types are is asked anew
        let query = sqlx::query("SELECT $1, ROW('a', $1)::x_thing, 1::int4").bind(Mood("häppy".to_owned()));
        let row: PgRow = query.fetch_one(&mut connection).await.unwrap();
        assert_eq!(row.get::<Mood, _>(0).0, "häppy");
        assert_eq!(row.column(1).type_info().name(), "x_thing");
        let described = connection.prepare(AssertSqlSafe(format!("SELECT $1::x_mood, {n} AS n"))).await.unwrap();
        assert_eq!(described.columns().iter().map(|column| column.name()).collect::<Vec<_>>(), ["x_mood", "n"]);
        let Some(Either::Left(parameters)) = described.parameters() else { panic!("no parameters") };
        assert_eq!(parameters.iter().map(TypeInfo::name).collect::<Vec<_>>(), ["x_mood"]);
        pause(n).await;
    }
}

async fn reused(place: Place, seen: mpsc::Sender<usize>) {
    let mut connection = connect(&place).await;
    let mut servers = BTreeSet::new();
    for n in 0..200_i64 {
        let row = sqlx::query("SELECT pg_backend_pid(), $1::int8 * 2").bind(n).fetch_one(&mut connection).await.unwrap();
        assert_eq!(row.get::<i64, _>(1), n * 2);
        servers.insert(row.get::<i32, _>(0));
        pause(n.unsigned_abs()).await;
    }
    seen.send(servers.len()).await.unwrap();
}

async fn ask_many(connection: &mut PgConnection, statements: u32) {
    for turn in 0..3 {
        for n in 0..statements {
            let sql = format!("SELECT $1::text || '{n}'");
            let answer: String =
                sqlx::query_scalar(AssertSqlSafe(sql)).bind(format!("{turn}.")).fetch_one(&mut *connection).await.unwrap();
            assert_eq!(answer, format!("{turn}.{n}"));
        }
    }
}

async fn many_statements(place: Place) {
    let mut connection = PgConnection::connect_with(&options(&place).statement_cache_capacity(500)).await.unwrap();
    ask_many(&mut connection, 120).await;
    assert_eq!(connection.cached_statements_size(), 120);
    connection.clear_cached_statements().await.unwrap();
    ask_many(&mut connection, 5).await;
}

async fn evicted(place: Place) {
    let mut connection = PgConnection::connect_with(&options(&place).statement_cache_capacity(3)).await.unwrap();
    ask_many(&mut connection, 10).await;
    assert_eq!(connection.cached_statements_size(), 3);
}

async fn unkept(place: Place) {
    let mut connection = connect(&place).await;
    for n in 0..30_i32 {
        let query = sqlx::query_scalar::<_, i32>("SELECT $1::int4 * 2").bind(n).persistent(false);
        assert_eq!(query.fetch_one(&mut connection).await.unwrap(), n * 2);
        pause(n.unsigned_abs().into()).await;
    }
}

async fn large_result(place: Place) {
    let mut connection = connect(&place).await;
    let rows = sqlx::query("SELECT n, repeat('z', 100) FROM generate_series(1, $1::int4) n").bind(50_000).fetch(&mut connection);
    let total: i64 = rows.try_fold(0, |sum, row| async move { Ok(sum + i64::from(row.get::<i32, _>(0))) }).await.unwrap();
    assert_eq!(total, 50_000 * 50_001 / 2);
    for turn in 0..3 {
        let mut rows = sqlx::query("SELECT generate_series(1, 100000)").fetch(&mut connection);
        assert_eq!(rows.try_next().await.unwrap().unwrap().get::<i32, _>(0), 1);
        drop(rows);
        assert_eq!(one::<i32>(&mut connection, "SELECT 7").await, 7); // after the driver has read the rest
        pause(turn).await;
    }
    let (text, raw) = ("äöü€".repeat(2_000_000), vec![200_u8; 15_000_000]);
    let row = sqlx::query("SELECT $1::text, $2::bytea").bind(&text).bind(&raw).fetch_one(&mut connection).await.unwrap();
    assert!(row.get::<&str, _>(0) == text && row.get::<&[u8], _>(1) == raw);
}

async fn raw(place: Place) {
    let mut connection = connect(&place).await;
    let all: Vec<_> = sqlx::raw_sql("SELECT 1; SELECT 'two'; SELECT 3 WHERE false").fetch_many(&mut connection).try_collect().await.unwrap();
    assert_eq!(all.iter().map(Either::is_left).collect::<Vec<_>>(), [false, true, false, true, true]);
    execute(&mut connection, "").await;
    execute(&mut connection, "DROP TABLE IF EXISTS x_batch; CREATE TABLE x_batch (n int)").await;
    let failed = sqlx::raw_sql("INSERT INTO x_batch VALUES (1); SELECT 1 / 0; SELECT 2").execute(&mut connection).await;
    assert_eq!(code(failed), "22012");
    assert_eq!(one::<i64>(&mut connection, "SELECT count(*) FROM x_batch").await, 0);
}

async fn copy(place: Place) {
    let mut connection = connect(&place).await;
    execute(&mut connection, "DROP TABLE IF EXISTS x_copied; CREATE TABLE x_copied (id int PRIMARY KEY, name text)").await;
    let lines: String = (0..5000).map(|n| format!("{n}\tnäme {n}\n")).collect();
    let mut copy = connection.copy_in_raw("COPY x_copied FROM STDIN").await.unwrap();
    copy.send(lines.as_bytes()).await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 5000);
    for _ in 0..3 {
        let mut copy = connection.copy_in_raw("COPY x_copied FROM STDIN").await.unwrap();
        copy.send(b"1\ttwice\n".as_slice()).await.unwrap();
        assert_eq!(code(copy.finish().await), "23505");
        let mut copy = connection.copy_in_raw("COPY x_copied FROM STDIN").await.unwrap();
        copy.send(b"6000\tgiven up\n".as_slice()).await.unwrap();
        copy.abort("given up").await.unwrap();
        assert_eq!(one::<i64>(&mut connection, "SELECT count(*) FROM x_copied").await, 5000);
    }
    let out = connection.copy_out_raw("COPY (SELECT * FROM x_copied ORDER BY id) TO STDOUT").await.unwrap();
    let seen = out.try_fold(Vec::new(), |mut all, part| async move {
        all.extend_from_slice(&part);
        Ok(all)
    });
    assert!(seen.await.unwrap() == lines.as_bytes());
}

async fn errors(place: Place) {
    let mut connection = connect(&place).await;
    let sql = "DROP TABLE IF EXISTS x_errors; CREATE TABLE x_errors (id int CONSTRAINT x_key PRIMARY KEY); INSERT INTO x_errors VALUES (1)";
    execute(&mut connection, sql).await;
    for turn in 0..5 {
        let error = failure(sqlx::query("INSERT INTO x_errors VALUES ($1)").bind(1).execute(&mut connection).await);
        let error = error.as_database_error().unwrap();
        assert!(error.is_unique_violation());
        assert_eq!((error.constraint(), error.table()), (Some("x_key"), Some("x_errors")));
        let error: &PgDatabaseError = error.downcast_ref();
        assert_eq!((error.code(), error.detail()), ("23505", Some("Key (id)=(1) already exists.")));
        let error = failure(sqlx::query("SELECT nothing FROM x_errors").execute(&mut connection).await);
        let error: &PgDatabaseError = error.as_database_error().unwrap().downcast_ref();
        assert_eq!((error.code(), error.position()), ("42703", Some(PgErrorPosition::Original(8))));
        pause(turn).await;
    }
}

async fn savepoints(place: Place) {
    let mut connection = connect(&place).await;
    execute(&mut connection, "DROP TABLE IF EXISTS x_nested; CREATE TABLE x_nested (n int UNIQUE)").await;
    for turn in 0..5 {
        let mut outer = connection.begin().await.unwrap();
        sqlx::query("INSERT INTO x_nested VALUES (1)").execute(&mut *outer).await.unwrap();
        let mut inner = outer.begin().await.unwrap();
        assert_eq!(code(sqlx::query("INSERT INTO x_nested VALUES (1)").execute(&mut *inner).await), "23505");
        assert_eq!(code(sqlx::query("SELECT 1").execute(&mut *inner).await), "25P02");
        inner.rollback().await.unwrap();
        let mut inner = outer.begin().await.unwrap();
        sqlx::query("INSERT INTO x_nested VALUES (2)").execute(&mut *inner).await.unwrap();
        inner.commit().await.unwrap();
        assert_eq!(one::<i64>(&mut outer, "SELECT count(*) FROM x_nested").await, 2);
        outer.rollback().await.unwrap();
        assert_eq!(one::<i64>(&mut connection, "SELECT count(*) FROM x_nested").await, 0);
        let mut serializable = connection.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY").await.unwrap();
        assert_eq!(one::<String>(&mut serializable, "SHOW transaction_isolation").await, "serializable");
        assert_eq!(code(sqlx::query("INSERT INTO x_nested VALUES (3)").execute(&mut *serializable).await), "25006");
        drop(serializable);
        pause(turn).await;
    }
}

async fn dropped(place: Place) {
    let pool = pool(&place, 2).await;
    sqlx::raw_sql("DROP TABLE IF EXISTS x_dropped; CREATE TABLE x_dropped (n int)").execute(&pool).await.unwrap();
    for _ in 0..5 {
        let mut transaction = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO x_dropped VALUES (1)").execute(&mut *transaction).await.unwrap();
        drop(transaction);
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM x_dropped").fetch_one(&pool).await.unwrap();
        assert_eq!(left, 0);
    }
    pool.close().await;
}

async fn settings(place: Place) {
    let asked = options(&place).options([("work_mem", "1234kB"), ("lock_timeout", "4s")]);
    let mut connection = PgConnection::connect_with(&asked).await.unwrap();
    let mut other = connect(&place).await;
    let usual: String = one(&mut other, "SHOW statement_timeout").await;
    execute(&mut connection, "SET statement_timeout = '54s'; SET search_path = pg_catalog").await;
    for n in 0..30 {
        let all: String = sqlx::query_scalar("SELECT concat_ws(' ', current_setting('work_mem'), current_setting('lock_timeout'), current_setting('statement_timeout'), current_setting('search_path'), current_setting('TimeZone'))")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(all, "1234kB 4s 54s pg_catalog UTC");
        assert_eq!(one::<String>(&mut other, "SHOW statement_timeout").await, usual);
        pause(n).await;
    }
}

async fn notifications(place: Place) {
    let pool = pool(&place, 3).await;
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen("Ünï").await.unwrap();
    for n in 0..5 {
        sqlx::query("SELECT pg_notify('Ünï', $1)").bind(format!("number {n}")).execute(&pool).await.unwrap();
        let heard = tokio::time::timeout(Duration::from_secs(5), listener.recv()).await.unwrap().unwrap();
        assert_eq!((heard.channel(), heard.payload()), ("Ünï", format!("number {n}").as_str()));
    }
    listener.unlisten_all().await.unwrap();
    sqlx::query("NOTIFY \"Ünï\"").execute(&pool).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(100), listener.recv()).await.is_err());
}

async fn locks(place: Place) {
    let lock = PgAdvisoryLock::new("a lock of the application");
    let (first, second) = (connect(&place).await, connect(&place).await);
    let mut guard = lock.acquire(first).await.unwrap();
    let mut waiting = Some(second);
    for n in 0..10 {
        assert_eq!(one::<i32>(&mut guard, "SELECT 1").await, 1);
        let Either::Right(refused) = lock.try_acquire(waiting.take().unwrap()).await.unwrap() else { panic!("locked twice") };
        waiting = Some(refused);
        pause(n).await;
    }
    guard.release_now().await.unwrap();
    let Either::Left(guard) = lock.try_acquire(waiting.take().unwrap()).await.unwrap() else { panic!("still locked") };
    guard.release_now().await.unwrap();
}

async fn pooled(place: Place) {
    let pool = pool(&place, 20).await;
    join_all((0..40).map(|number| one_of_many(pool.clone(), number))).await;
    pool.close().await;
}

async fn one_of_many(pool: PgPool, number: i32) {
    for n in 0..10 {
        let mut connection = pool.acquire().await.unwrap();
        let mine = format!("{}kB", 1100 + number);
        execute(&mut connection, &format!("SET work_mem = '{mine}'")).await;
        let query = sqlx::query("SELECT $1::text, current_setting('work_mem')").bind(format!("{number}/{n}"));
        let row = query.fetch_one(&mut *connection).await.unwrap();
        assert_eq!((row.get::<String, _>(0), row.get::<String, _>(1)), (format!("{number}/{n}"), mine));
        let mut transaction = connection.begin().await.unwrap();
        assert_eq!(code(sqlx::query("SELECT 1 / $1::int4").bind(0).execute(&mut *transaction).await), "22012");
        transaction.rollback().await.unwrap();
        drop(connection);
        let echoed: i32 = sqlx::query_scalar("SELECT $1::int4").bind(n).fetch_one(&pool).await.unwrap();
        assert_eq!(echoed, n);
    }
}
