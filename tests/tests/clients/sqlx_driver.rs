//! What applications do with `sqlx`: logins, types, its statement cache, streams.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode, PgTypeInfo};
use sqlx::{
    AssertSqlSafe, Column, Connection, Either, Executor, Postgres, Row, SqlSafeStr, Statement,
    TypeInfo,
};
use tokio::sync::mpsc;

use crate::checks::{Outcome, Place, failure, pause};

pub(crate) fn options(place: &Place) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass()
        .host(Place::HOST)
        .port(place.port)
        .database(&place.database);
    options.username(&place.user).password(&place.password).ssl_mode(PgSslMode::Disable)
}

pub(crate) async fn connect(place: &Place) -> PgConnection {
    PgConnection::connect_with(&options(place)).await.unwrap()
}

/// The only value of a query without parameters.
pub(crate) async fn one<T>(connection: &mut PgConnection, sql: &str) -> T
where
    T: for<'r> sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
{
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(connection).await.unwrap();
    row.get(0)
}

pub(crate) async fn execute(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
}

/// The server's refusal: SQLSTATE.
pub(crate) fn code<T>(result: Result<T, sqlx::Error>) -> String {
    let error = failure(result);
    let database =
        error.as_database_error().unwrap_or_else(|| panic!("not from the server: {error:?}"));
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
}

async fn login(place: Place) {
    let mut connection =
        PgConnection::connect_with(&options(&place).application_name("check")).await.unwrap();
    let who: String =
        one(&mut connection, "SELECT current_user || '@' || current_database()").await;
    assert_eq!(who, format!("{}@{}", place.user, place.database));
    assert_eq!(one::<String>(&mut connection, "SHOW application_name").await, "check");
    connection.ping().await.unwrap();
    assert_eq!(code(PgConnection::connect_with(&options(&place).password("wrong")).await), "28P01");
    assert_eq!(
        code(PgConnection::connect_with(&options(&place).database("no such thing")).await),
        "3D000"
    );
    connection.close().await.unwrap();
}

async fn values(place: Place) {
    let mut connection = connect(&place).await;
    let sql = "SELECT $1::int2, $2::int4, $3::int8, $4::float4, $5::float8, $6::bool, $7::text, $8::bytea, $9::int4[], $10::text[], \
               $11::int4";
    for text in ["", "ünïcödé € 🐘 ' \" \\ \n", &"x".repeat(70_000)] {
        let raw: Vec<u8> = (0..=255).collect();
        let (numbers, names) = (
            vec![Some(1), None, Some(i32::MIN)],
            vec!["a,b".to_owned(), String::new(), "d\"e".to_owned()],
        );
        let query = sqlx::query(sql)
            .bind(i16::MIN)
            .bind(i32::MAX)
            .bind(i64::MIN)
            .bind(-1024.25_f32)
            .bind(1.1e300_f64)
            .bind(true);
        let query = query.bind(text).bind(&raw).bind(&numbers).bind(&names).bind(None::<i32>);
        let row = query.fetch_one(&mut connection).await.unwrap();
        assert_eq!(
            (row.get::<i16, _>(0), row.get::<i32, _>(1), row.get::<i64, _>(2)),
            (i16::MIN, i32::MAX, i64::MIN)
        );
        assert!(
            row.get::<f32, _>(3) < -1024.0 && row.get::<f64, _>(4) > 1e300 && row.get::<bool, _>(5)
        );
        assert_eq!((row.get::<&str, _>(6), row.get::<Vec<u8>, _>(7)), (text, raw));
        assert_eq!(
            (row.get::<Vec<Option<i32>>, _>(8), row.get::<Vec<String>, _>(9)),
            (numbers, names)
        );
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
    fn encode_by_ref(
        &self,
        buffer: &mut sqlx::postgres::PgArgumentBuffer,
    ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
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
    execute(
        &mut owner,
        "DROP TYPE IF EXISTS x_thing, x_mood; CREATE TYPE x_mood AS ENUM ('sad', 'häppy')",
    )
    .await;
    execute(&mut owner, "CREATE TYPE x_thing AS (name text, mood x_mood)").await;
    for n in 0..5 {
        let mut connection = connect(&place).await; // what types are is asked anew
        let query =
            sqlx::query("SELECT $1, ROW('a', $1)::x_thing, 1::int4").bind(Mood("häppy".to_owned()));
        let row: PgRow = query.fetch_one(&mut connection).await.unwrap();
        assert_eq!(row.get::<Mood, _>(0).0, "häppy");
        assert_eq!(row.column(1).type_info().name(), "x_thing");
        let described = connection
            .prepare(AssertSqlSafe(format!("SELECT $1::x_mood, {n} AS n")).into_sql_str())
            .await
            .unwrap();
        assert_eq!(
            described.columns().iter().map(|column| column.name()).collect::<Vec<_>>(),
            ["x_mood", "n"]
        );
        let Some(Either::Left(parameters)) = described.parameters() else {
            panic!("no parameters")
        };
        assert_eq!(parameters.iter().map(TypeInfo::name).collect::<Vec<_>>(), ["x_mood"]);
        pause(n).await;
    }
}

async fn reused(place: Place, seen: mpsc::Sender<usize>) {
    let mut connection = connect(&place).await;
    let mut servers = BTreeSet::new();
    for n in 0..200_i64 {
        let row = sqlx::query("SELECT pg_backend_pid(), $1::int8 * 2")
            .bind(n)
            .fetch_one(&mut connection)
            .await
            .unwrap();
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
            let answer: String = sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(format!("{turn}."))
                .fetch_one(&mut *connection)
                .await
                .unwrap();
            assert_eq!(answer, format!("{turn}.{n}"));
        }
    }
}

async fn many_statements(place: Place) {
    let mut connection =
        PgConnection::connect_with(&options(&place).statement_cache_capacity(500)).await.unwrap();
    ask_many(&mut connection, 120).await;
    assert_eq!(connection.cached_statements_size(), 120);
    connection.clear_cached_statements().await.unwrap();
    ask_many(&mut connection, 5).await;
}

async fn evicted(place: Place) {
    let mut connection =
        PgConnection::connect_with(&options(&place).statement_cache_capacity(3)).await.unwrap();
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
    let rows = sqlx::query("SELECT n, repeat('z', 100) FROM generate_series(1, $1::int4) n")
        .bind(50_000)
        .fetch(&mut connection);
    let total: i64 = rows
        .try_fold(0, |sum, row| async move { Ok(sum + i64::from(row.get::<i32, _>(0))) })
        .await
        .unwrap();
    assert_eq!(total, 50_000 * 50_001 / 2);
    for turn in 0..3 {
        let mut rows = sqlx::query("SELECT generate_series(1, 100000)").fetch(&mut connection);
        assert_eq!(rows.try_next().await.unwrap().unwrap().get::<i32, _>(0), 1);
        drop(rows);
        assert_eq!(one::<i32>(&mut connection, "SELECT 7").await, 7); // after the driver has read the rest
        pause(turn).await;
    }
    let (text, raw) = ("äöü€".repeat(2_000_000), vec![200_u8; 15_000_000]);
    let row = sqlx::query("SELECT $1::text, $2::bytea")
        .bind(&text)
        .bind(&raw)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert!(row.get::<&str, _>(0) == text && row.get::<&[u8], _>(1) == raw);
}

async fn raw(place: Place) {
    let mut connection = connect(&place).await;
    let all: Vec<_> = sqlx::raw_sql("SELECT 1; SELECT 'two'; SELECT 3 WHERE false")
        .fetch_many(&mut connection)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(
        all.iter().map(Either::is_left).collect::<Vec<_>>(),
        [false, true, false, true, true]
    );
    execute(&mut connection, "").await;
    execute(&mut connection, "DROP TABLE IF EXISTS x_batch; CREATE TABLE x_batch (n int)").await;
    let failed = sqlx::raw_sql("INSERT INTO x_batch VALUES (1); SELECT 1 / 0; SELECT 2")
        .execute(&mut connection)
        .await;
    assert_eq!(code(failed), "22012");
    assert_eq!(one::<i64>(&mut connection, "SELECT count(*) FROM x_batch").await, 0);
}
