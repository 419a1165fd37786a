//! What applications do with `sqlx`: COPY, errors, transactions, settings, listeners, advisory locks, its pool.

use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::join_all;
use sqlx::postgres::{
    PgAdvisoryLock, PgConnection, PgDatabaseError, PgErrorPosition, PgListener, PgPool,
    PgPoolOptions,
};
use sqlx::{Connection, Either, Row};

use crate::checks::{Outcome, Place, failure, pause};
use crate::sqlx_driver::{code, connect, execute, one, options};

/// Runs the checks of this file.
pub(crate) async fn run(place: &Place, outcome: &mut Outcome) {
    let here = || place.clone();
    outcome.run("rows are copied in and out", copy(here())).await;
    outcome.run("an error has all its fields", errors(here())).await;
    outcome.run("transactions with savepoints", savepoints(here())).await;
    outcome.run("a transaction that is dropped is rolled back", dropped(here())).await;
    outcome.run("settings stay with their connection", settings(here())).await;
    outcome.run("notifications reach an idle listener", notifications(here())).await;
    outcome.run("advisory locks are held until they are released", locks(here())).await;
    outcome.run("a pool of the driver serves many at once", pooled(here())).await;
}

async fn pool(place: &Place, size: u32) -> PgPool {
    PgPoolOptions::new().max_connections(size).connect_with(options(place)).await.unwrap()
}

async fn copy(place: Place) {
    let mut connection = connect(&place).await;
    execute(
        &mut connection,
        "DROP TABLE IF EXISTS x_copied; CREATE TABLE x_copied (id int PRIMARY KEY, name text)",
    )
    .await;
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
    let out = connection
        .copy_out_raw("COPY (SELECT * FROM x_copied ORDER BY id) TO STDOUT")
        .await
        .unwrap();
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
        let error = failure(
            sqlx::query("INSERT INTO x_errors VALUES ($1)").bind(1).execute(&mut connection).await,
        );
        let error = error.as_database_error().unwrap();
        assert!(error.is_unique_violation());
        assert_eq!((error.constraint(), error.table()), (Some("x_key"), Some("x_errors")));
        let error: &PgDatabaseError = error.downcast_ref();
        assert_eq!((error.code(), error.detail()), ("23505", Some("Key (id)=(1) already exists.")));
        let error =
            failure(sqlx::query("SELECT nothing FROM x_errors").execute(&mut connection).await);
        let error: &PgDatabaseError = error.as_database_error().unwrap().downcast_ref();
        assert_eq!((error.code(), error.position()), ("42703", Some(PgErrorPosition::Original(8))));
        pause(turn).await;
    }
}

async fn savepoints(place: Place) {
    let mut connection = connect(&place).await;
    execute(&mut connection, "DROP TABLE IF EXISTS x_nested; CREATE TABLE x_nested (n int UNIQUE)")
        .await;
    for turn in 0..5 {
        let mut outer = connection.begin().await.unwrap();
        sqlx::query("INSERT INTO x_nested VALUES (1)").execute(&mut *outer).await.unwrap();
        let mut inner = outer.begin().await.unwrap();
        assert_eq!(
            code(sqlx::query("INSERT INTO x_nested VALUES (1)").execute(&mut *inner).await),
            "23505"
        );
        assert_eq!(code(sqlx::query("SELECT 1").execute(&mut *inner).await), "25P02");
        inner.rollback().await.unwrap();
        let mut inner = outer.begin().await.unwrap();
        sqlx::query("INSERT INTO x_nested VALUES (2)").execute(&mut *inner).await.unwrap();
        inner.commit().await.unwrap();
        assert_eq!(one::<i64>(&mut outer, "SELECT count(*) FROM x_nested").await, 2);
        outer.rollback().await.unwrap();
        assert_eq!(one::<i64>(&mut connection, "SELECT count(*) FROM x_nested").await, 0);
        let mut serializable =
            connection.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY").await.unwrap();
        assert_eq!(
            one::<String>(&mut serializable, "SHOW transaction_isolation").await,
            "serializable"
        );
        assert_eq!(
            code(sqlx::query("INSERT INTO x_nested VALUES (3)").execute(&mut *serializable).await),
            "25006"
        );
        drop(serializable);
        pause(turn).await;
    }
}

async fn dropped(place: Place) {
    let pool = pool(&place, 2).await;
    sqlx::raw_sql("DROP TABLE IF EXISTS x_dropped; CREATE TABLE x_dropped (n int)")
        .execute(&pool)
        .await
        .unwrap();
    for _ in 0..5 {
        let mut transaction = pool.begin().await.unwrap();
        sqlx::query("INSERT INTO x_dropped VALUES (1)").execute(&mut *transaction).await.unwrap();
        drop(transaction);
        let left: i64 =
            sqlx::query_scalar("SELECT count(*) FROM x_dropped").fetch_one(&pool).await.unwrap();
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
        sqlx::query("SELECT pg_notify('Ünï', $1)")
            .bind(format!("number {n}"))
            .execute(&pool)
            .await
            .unwrap();
        let heard =
            tokio::time::timeout(Duration::from_secs(5), listener.recv()).await.unwrap().unwrap();
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
        assert_eq!(one::<i32>(guard.as_mut(), "SELECT 1").await, 1);
        let Either::Right(refused) = lock.try_acquire(waiting.take().unwrap()).await.unwrap()
        else {
            panic!("locked twice")
        };
        waiting = Some(refused);
        pause(n).await;
    }
    guard.release_now().await.unwrap();
    let Either::Left(guard) = lock.try_acquire(waiting.take().unwrap()).await.unwrap() else {
        panic!("still locked")
    };
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
        let query = sqlx::query("SELECT $1::text, current_setting('work_mem')")
            .bind(format!("{number}/{n}"));
        let row = query.fetch_one(&mut *connection).await.unwrap();
        assert_eq!(
            (row.get::<String, _>(0), row.get::<String, _>(1)),
            (format!("{number}/{n}"), mine)
        );
        let mut transaction = connection.begin().await.unwrap();
        assert_eq!(
            code(sqlx::query("SELECT 1 / $1::int4").bind(0).execute(&mut *transaction).await),
            "22012"
        );
        transaction.rollback().await.unwrap();
        drop(connection);
        let echoed: i32 =
            sqlx::query_scalar("SELECT $1::int4").bind(n).fetch_one(&pool).await.unwrap();
        assert_eq!(echoed, n);
    }
}
