//! What applications do with `tokio-postgres`: COPY, errors, notices, notifications, transactions, and what a connection keeps.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{SinkExt, TryStreamExt};
use tokio::sync::mpsc;
use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutStream};
use tokio_postgres::error::{DbError, ErrorPosition, SqlState};
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, CopyInSink, Error, IsolationLevel};

use crate::checks::{Outcome, Place, failure, pause};
use crate::tokio_postgres_driver::{config, connect, connect_with, one, refusal};

/// Runs the checks of this file.
pub(crate) async fn run(place: &Place, outcome: &mut Outcome) {
    let here = || place.clone();
    outcome.run("rows are copied in and out, as text and in binary", copy(here())).await;
    outcome.run("a broken off copy copies nothing", broken_copy(here())).await;
    outcome.run("an error has all its fields", errors(here())).await;
    outcome.run("notices arrive with their statement", notices(here())).await;
    outcome.run("notifications reach an idle listener", notifications(here())).await;
    outcome.run("transactions with savepoints", savepoints(here())).await;
    outcome.run("isolation levels and modes are kept", isolation(here())).await;
    outcome.run("settings stay with their connection", settings(here())).await;
    outcome.run("temporary tables and locks stay with their connection", temporary(here())).await;
    outcome.run("a client that vanishes is rolled back", vanishing(here())).await;
    outcome.run("twenty connections work at once", twenty(here())).await;
}

async fn copy(place: Place) {
    let client = connect(&place).await;
    client
        .batch_execute(
            "DROP TABLE IF EXISTS r_copied; CREATE TABLE r_copied (id int PRIMARY KEY, name text)",
        )
        .await
        .unwrap();
    let lines: String = (0..5000).map(|n| format!("{n}\tnäme {n}\n")).collect();
    let mut sink = pin!(client.copy_in("COPY r_copied FROM STDIN").await.unwrap());
    sink.send(Bytes::from(lines.clone())).await.unwrap();
    assert_eq!(sink.finish().await.unwrap(), 5000);
    let types = [Type::INT4, Type::TEXT];
    let stream = client.copy_out("COPY r_copied TO STDOUT (FORMAT binary)").await.unwrap();
    let rows: Vec<(i32, String)> = BinaryCopyOutStream::new(stream, &types)
        .map_ok(|row| (row.get(0), row.get(1)))
        .try_collect()
        .await
        .unwrap();
    client.batch_execute("TRUNCATE r_copied").await.unwrap();
    let sink = client.copy_in("COPY r_copied FROM STDIN (FORMAT binary)").await.unwrap();
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for (id, name) in &rows {
        writer.as_mut().write(&[id, name]).await.unwrap();
    }
    assert_eq!(writer.finish().await.unwrap(), 5000);
    let out = client.copy_out("COPY (SELECT * FROM r_copied ORDER BY id) TO STDOUT").await.unwrap();
    let seen: Vec<Bytes> = out.try_collect().await.unwrap();
    assert!(seen.concat() == lines.as_bytes());
}

async fn broken_copy(place: Place) {
    let client = connect(&place).await;
    client
        .batch_execute("DROP TABLE IF EXISTS r_broken; CREATE TABLE r_broken (id int PRIMARY KEY)")
        .await
        .unwrap();
    for turn in 0..3 {
        let mut sink = pin!(client.copy_in("COPY r_broken FROM STDIN").await.unwrap());
        let sent = send_many(sink.as_mut()).await;
        let error = match sent {
            Ok(()) => failure(sink.finish().await),
            Err(error) => error,
        };
        assert_eq!(error.code(), Some(&SqlState::UNIQUE_VIOLATION), "{error:?}");
        assert_eq!(error.as_db_error().unwrap().where_(), Some("COPY r_broken, line 2"));
        let mut dropped =
            Box::pin(client.copy_in::<_, Bytes>("COPY r_broken FROM STDIN").await.unwrap());
        dropped.send(Bytes::from_static(b"1\n")).await.unwrap();
        drop(dropped); // the driver sends CopyFail
        assert_eq!(one(&client, "SELECT count(*) FROM r_broken").await, "0");
        let mut out = Box::pin(
            client.copy_out("COPY (SELECT generate_series(1, 100000)) TO STDOUT").await.unwrap(),
        );
        assert!(out.try_next().await.unwrap().is_some());
        drop(out);
        assert_eq!(one(&client, "SELECT 'next'").await, "next");
        pause(turn).await;
    }
}

async fn send_many(mut sink: std::pin::Pin<&mut CopyInSink<Bytes>>) -> Result<(), Error> {
    for _ in 0..200 {
        sink.send(Bytes::from("1\n".repeat(1000))).await?;
    }
    Ok(())
}

fn details(result: Result<impl Sized, Error>) -> DbError {
    failure(result.map(|_| ())).as_db_error().unwrap().clone()
}

async fn errors(place: Place) {
    let client = connect(&place).await;
    let sql = "DROP TABLE IF EXISTS r_errors; CREATE TABLE r_errors (id int CONSTRAINT r_key PRIMARY KEY, n int NOT NULL); \
               INSERT INTO r_errors VALUES (1, 1)";
    client.batch_execute(sql).await.unwrap();
    for turn in 0..5 {
        let error = details(client.execute("INSERT INTO r_errors VALUES ($1, 1)", &[&1_i32]).await);
        assert_eq!((error.code(), error.severity()), (&SqlState::UNIQUE_VIOLATION, "ERROR"));
        assert_eq!(
            (error.schema(), error.table(), error.constraint()),
            (Some("public"), Some("r_errors"), Some("r_key"))
        );
        assert_eq!(
            (error.detail(), error.routine()),
            (Some("Key (id)=(1) already exists."), Some("_bt_check_unique"))
        );
        let error = details(client.execute("INSERT INTO r_errors VALUES (2, NULL)", &[]).await);
        assert_eq!((error.code(), error.column()), (&SqlState::NOT_NULL_VIOLATION, Some("n")));
        let error = details(client.query("SELECT nothing FROM r_errors", &[]).await);
        assert_eq!(
            (error.code(), error.position()),
            (&SqlState::UNDEFINED_COLUMN, Some(&ErrorPosition::Original(8)))
        );
        let raising = "DO $$ BEGIN RAISE 'oops' USING ERRCODE = 'HD001', HINT = 'ünï'; END $$";
        let error = details(client.batch_execute(raising).await);
        assert_eq!((error.code().code(), error.hint()), ("HD001", Some("ünï")));
        assert_eq!(error.where_(), Some("PL/pgSQL function inline_code_block line 1 at RAISE"));
        let error = details(
            client.batch_execute("DO $$ BEGIN EXECUTE 'SELECT bad FROM r_errors'; END $$").await,
        );
        let inner =
            ErrorPosition::Internal { position: 8, query: "SELECT bad FROM r_errors".to_owned() };
        assert_eq!(error.position(), Some(&inner));
        pause(turn).await;
    }
}

/// The next notice, as severity and words.
async fn next_notice(messages: &mut mpsc::Receiver<AsyncMessage>) -> (String, String) {
    match messages.recv().await.unwrap() {
        AsyncMessage::Notice(notice) => (notice.severity().to_owned(), notice.message().to_owned()),
        other => panic!("no notice but {other:?}"),
    }
}

async fn notices(place: Place) {
    let (client, mut messages) = connect_with(&config(&place)).await.unwrap();
    for n in 0..20 {
        let sql = format!("DO $$ BEGIN RAISE NOTICE 'n %', {n}; RAISE WARNING 'w'; END $$");
        client.batch_execute(&sql).await.unwrap();
        assert_eq!(next_notice(&mut messages).await, ("NOTICE".to_owned(), format!("n {n}")));
        assert_eq!(next_notice(&mut messages).await, ("WARNING".to_owned(), "w".to_owned()));
        assert!(messages.is_empty());
        pause(n).await;
    }
}

async fn notifications(place: Place) {
    let (listener, mut messages) = connect_with(&config(&place)).await.unwrap();
    let sender = connect(&place).await;
    listener.batch_execute("LISTEN \"Ünï\"").await.unwrap();
    for n in 0..5 {
        sender.execute("SELECT pg_notify('Ünï', $1)", &[&format!("number {n}")]).await.unwrap();
        let heard =
            tokio::time::timeout(Duration::from_secs(5), messages.recv()).await.unwrap().unwrap();
        let AsyncMessage::Notification(heard) = heard else { panic!("{heard:?}") };
        assert_eq!((heard.channel(), heard.payload()), ("Ünï", format!("number {n}").as_str()));
    }
    listener.batch_execute("UNLISTEN *").await.unwrap();
    sender.batch_execute("NOTIFY \"Ünï\"").await.unwrap();
    assert_eq!(one(&listener, "SELECT 1").await, "1");
    assert!(messages.is_empty());
}

async fn savepoints(place: Place) {
    let mut client = connect(&place).await;
    client
        .batch_execute("DROP TABLE IF EXISTS r_nested; CREATE TABLE r_nested (n int UNIQUE)")
        .await
        .unwrap();
    for turn in 0..5 {
        let mut outer = client.transaction().await.unwrap();
        outer.execute("INSERT INTO r_nested VALUES (1)", &[]).await.unwrap();
        let inner = outer.transaction().await.unwrap();
        let twice = inner.execute("INSERT INTO r_nested VALUES ($1)", &[&1_i32]).await;
        assert_eq!(refusal(twice), SqlState::UNIQUE_VIOLATION);
        assert_eq!(
            refusal(inner.query("SELECT 1", &[]).await),
            SqlState::IN_FAILED_SQL_TRANSACTION
        );
        drop(inner); // rolled back on the way
        let inner = outer.savepoint("kept").await.unwrap();
        inner.execute("INSERT INTO r_nested VALUES (2)", &[]).await.unwrap();
        inner.commit().await.unwrap();
        let row = outer.query_one("SELECT count(*) FROM r_nested", &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 2);
        drop(outer);
        assert_eq!(one(&client, "SELECT count(*) FROM r_nested").await, "0");
        pause(turn).await;
    }
}

async fn isolation(place: Place) {
    let mut client = connect(&place).await;
    for level in [
        IsolationLevel::Serializable,
        IsolationLevel::RepeatableRead,
        IsolationLevel::ReadCommitted,
    ] {
        let builder =
            client.build_transaction().isolation_level(level).read_only(true).deferrable(true);
        let transaction = builder.start().await.unwrap();
        let sql = "SELECT current_setting('transaction_isolation') || current_setting('transaction_read_only') \
                   || current_setting('transaction_deferrable')";
        let row = transaction.query_one(sql, &[]).await.unwrap();
        let name = match level {
            IsolationLevel::Serializable => "serializable",
            IsolationLevel::RepeatableRead => "repeatable read",
            _ => "read committed",
        };
        assert_eq!(row.get::<_, String>(0), format!("{name}onon"));
        let written = transaction.batch_execute("CREATE TABLE never (n int)").await;
        assert_eq!(refusal(written), SqlState::READ_ONLY_SQL_TRANSACTION);
        transaction.rollback().await.unwrap();
        assert_eq!(one(&client, "SHOW transaction_read_only").await, "off");
    }
}

async fn settings(place: Place) {
    let asked = "-c work_mem=1234kB -c search_path=pg_catalog,public";
    let (client, _messages) =
        connect_with(config(&place).options(asked).application_name("mine")).await.unwrap();
    let other = connect(&place).await;
    let usual = one(&other, "SHOW statement_timeout").await;
    client
        .batch_execute("SET statement_timeout = '54s'; SET TimeZone = 'Asia/Tokyo'")
        .await
        .unwrap();
    client.query("SELECT set_config('lock_timeout', $1, false)", &[&"4s"]).await.unwrap();
    let all = "SELECT array_to_string(ARRAY[current_setting('work_mem'), current_setting('search_path'), \
               current_setting('statement_timeout'), current_setting('TimeZone'), current_setting('lock_timeout'), \
               current_setting('application_name')], ' ')";
    for n in 0..30 {
        assert_eq!(one(&client, all).await, "1234kB pg_catalog,public 54s Asia/Tokyo 4s mine");
        assert_eq!(one(&other, "SHOW statement_timeout").await, usual);
        client.batch_execute("BEGIN; SET LOCAL work_mem = '77MB'").await.unwrap();
        assert_eq!(one(&client, "SHOW work_mem").await, "77MB");
        client.batch_execute(if n % 2 == 0 { "COMMIT" } else { "ROLLBACK" }).await.unwrap();
        pause(n).await;
    }
    client.batch_execute("BEGIN; SET statement_timeout = '1s'; ROLLBACK").await.unwrap();
    assert_eq!(one(&client, "SHOW statement_timeout").await, "54s");
    client.batch_execute("RESET ALL").await.unwrap();
    assert_eq!(one(&client, "SHOW statement_timeout").await, usual);
    assert_eq!(one(&client, "SHOW work_mem").await, "1234kB");
}

async fn temporary(place: Place) {
    let other = connect(&place).await;
    let client = connect(&place).await;
    client
        .batch_execute("CREATE TEMP TABLE mine (n int); SELECT pg_advisory_lock(97)")
        .await
        .unwrap();
    for n in 0..10_i32 {
        client.execute("INSERT INTO mine VALUES ($1)", &[&n]).await.unwrap();
        assert_eq!(one(&other, "SELECT pg_try_advisory_lock(97)").await, "f");
        pause(n.unsigned_abs().into()).await;
    }
    assert_eq!(one(&client, "SELECT count(*) FROM mine").await, "10");
    assert_eq!(refusal(other.query("SELECT * FROM mine", &[]).await), SqlState::UNDEFINED_TABLE);
    drop(client);
    other.batch_execute("SET lock_timeout = '5s'; SELECT pg_advisory_lock(97)").await.unwrap();
    assert_eq!(one(&other, "SELECT pg_advisory_unlock(97)").await, "t");
}

async fn vanishing(place: Place) {
    let client = connect(&place).await;
    client
        .batch_execute(
            "DROP TABLE IF EXISTS r_lost; CREATE TABLE r_lost (n int); SET lock_timeout = '5s'",
        )
        .await
        .unwrap();
    for _ in 0..3 {
        let (lost, connection) = config(&place).connect(tokio_postgres::NoTls).await.unwrap();
        let task = tokio::spawn(connection);
        lost.batch_execute("BEGIN; INSERT INTO r_lost VALUES (1)").await.unwrap();
        task.abort(); // the socket is closed without a word
        client.batch_execute("TRUNCATE r_lost").await.unwrap();
        assert_eq!(one(&client, "SELECT count(*) FROM r_lost").await, "0");
    }
}

async fn twenty(place: Place) {
    join_all((0..20).map(|number| one_of_twenty(place.clone(), number))).await;
}

async fn one_of_twenty(place: Place, number: i32) {
    let mut client: Client = connect(&place).await;
    let mine = format!("{}kB", 1100 + number);
    client.batch_execute(&format!("SET work_mem = '{mine}'")).await.unwrap();
    let statement = client.prepare("SELECT $1::text, current_setting('work_mem')").await.unwrap();
    for n in 0..40 {
        let token = format!("{number}/{n}");
        let row = client.query_one(&statement, &[&token]).await.unwrap();
        assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), (token.as_str(), mine.as_str()));
        if n % 10 == 0 {
            let transaction = client.transaction().await.unwrap();
            transaction.batch_execute("SET LOCAL work_mem = '99MB'").await.unwrap();
            assert_eq!(
                refusal(transaction.batch_execute("SELECT 1 / 0").await),
                SqlState::DIVISION_BY_ZERO
            );
            drop(transaction);
        }
    }
}
