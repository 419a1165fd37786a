//! What applications do with `tokio-postgres`: logins, types, prepared statements, pipelines of futures, portals, cancelling.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{Kind, Type};
use tokio_postgres::{AsyncMessage, Client, Config, Error, NoTls, SimpleQueryMessage};

use crate::checks::{Outcome, Place, failure, pause};

pub(crate) fn config(place: &Place) -> Config {
    let mut config = Config::new();
    config.host(Place::HOST).port(place.port).dbname(&place.database);
    config.user(&place.user).password(&place.password);
    config
}

/// A client and what the server says unasked.
pub(crate) async fn connect_with(
    config: &Config,
) -> Result<(Client, mpsc::Receiver<AsyncMessage>), Error> {
    let (client, mut connection) = config.connect(NoTls).await?;
    let (sender, receiver) = mpsc::channel(100);
    tokio::spawn(async move {
        let mut messages =
            futures_util::stream::poll_fn(move |context| connection.poll_message(context));
        while let Some(Ok(message)) = messages.next().await {
            let _ = sender.try_send(message);
        }
    });
    Ok((client, receiver))
}

pub(crate) async fn connect(place: &Place) -> Client {
    connect_with(&config(place)).await.unwrap().0
}

/// The first value of the first row, as text.
pub(crate) async fn one(client: &Client, sql: &str) -> String {
    let rows = client.simple_query(sql).await.unwrap();
    let row = rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    row.unwrap().get(0).unwrap_or("NULL").to_owned()
}

/// The SQLSTATE of something that the server must refuse.
#[track_caller]
pub(crate) fn refusal<T>(result: Result<T, Error>) -> SqlState {
    let error = failure(result);
    error.code().unwrap_or_else(|| panic!("not from the server: {error:?}")).clone()
}

/// Runs the checks of this file.
pub(crate) async fn run(place: &Place, outcome: &mut Outcome) {
    let here = || place.clone();
    outcome.run("a login is proved by SCRAM", login(here())).await;
    outcome.run("wrong logins are refused", wrong_logins(here())).await;
    outcome.run("values round trip in binary", values(here())).await;
    outcome.run("types of the application are looked up", own_types(here())).await;
    let (sender, mut seen) = mpsc::channel(1);
    outcome.run("a prepared statement is reused on every server", reused(here(), sender)).await;
    outcome.servers.extend(seen.recv().await);
    outcome.run("more statements than a server keeps stay prepared", many_statements(here())).await;
    outcome
        .run("statements are prepared and closed in a pipeline", prepared_together(here()))
        .await;
    outcome.run("a pipeline of futures is answered in order", pipeline(here())).await;
    outcome.run("portals are read in steps", portals(here())).await;
    outcome.run("a large result is streamed and left in the middle", large_result(here())).await;
    outcome.run("values of many megabytes go both ways", large_values(here())).await;
    outcome.run("statements without preparation", unprepared(here())).await;
    outcome.run("a running query is cancelled", cancel(here())).await;
}

async fn login(place: Place) {
    let (client, connection) =
        config(&place).application_name("check").connect(NoTls).await.unwrap();
    assert_eq!(connection.parameter("server_encoding"), Some("UTF8"));
    assert_eq!(connection.parameter("application_name"), Some("check"));
    tokio::spawn(connection);
    let who = one(&client, "SELECT current_user || '@' || current_database()").await;
    assert_eq!(who, format!("{}@{}", place.user, place.database));
}

async fn wrong_logins(place: Place) {
    let error = failure(connect_with(config(&place).password("wrong")).await.map(|_| ()));
    assert_eq!(error.code(), Some(&SqlState::INVALID_PASSWORD));
    let words = error.as_db_error().unwrap().message().to_owned();
    assert_eq!(words, format!("password authentication failed for user \"{}\"", place.user));
    let error = failure(connect_with(config(&place).dbname("no such thing")).await.map(|_| ()));
    assert_eq!(error.code(), Some(&SqlState::INVALID_CATALOG_NAME));
    assert_eq!(error.as_db_error().unwrap().message(), "database \"no such thing\" does not exist");
}

async fn values(place: Place) {
    let client = connect(&place).await;
    for text in ["", "ünïcödé € 🐘 ' \" \\ \n", &"x".repeat(70_000)] {
        let raw: Vec<u8> = (0..=255).collect();
        let now = SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
        let address: IpAddr = "fe80::1".parse().unwrap();
        let (numbers, names) = (vec![Some(1), None, Some(i32::MIN)], vec!["a,b", "", "d\"e"]);
        let sql = "SELECT $1::int2, $2::int4, $3::int8, $4::float4, $5::float8, $6::bool, $7::text, $8::bytea, $9::timestamptz, \
                   $10::inet, $11::int4[], $12::text[], $13::int4, $14::\"char\"";
        let nothing: Option<i32> = None;
        let row = client
            .query_one(
                sql,
                &[
                    &i16::MIN,
                    &i32::MAX,
                    &i64::MIN,
                    &-1024.25_f32,
                    &1.1e300_f64,
                    &true,
                    &text,
                    &raw,
                    &now,
                    &address,
                    &numbers,
                    &names,
                    &nothing,
                    &7_i8,
                ],
            )
            .await
            .unwrap();
        assert_eq!(
            (row.get::<_, i16>(0), row.get::<_, i32>(1), row.get::<_, i64>(2)),
            (i16::MIN, i32::MAX, i64::MIN)
        );
        assert_eq!(
            (row.get::<_, f32>(3).to_bits(), row.get::<_, f64>(4).to_bits()),
            ((-1024.25_f32).to_bits(), 1.1e300_f64.to_bits())
        );
        assert_eq!(
            (row.get::<_, bool>(5), row.get::<_, &str>(6), row.get::<_, Vec<u8>>(7)),
            (true, text, raw)
        );
        assert_eq!((row.get::<_, SystemTime>(8), row.get::<_, IpAddr>(9)), (now, address));
        assert_eq!(
            (row.get::<_, Vec<Option<i32>>>(10), row.get::<_, Vec<&str>>(11)),
            (numbers, names)
        );
        assert_eq!((row.get::<_, Option<i32>>(12), row.get::<_, i8>(13)), (None, 7));
    }
    for (value, kind) in [
        ("-12345678901234567890.0123456789", "numeric"),
        ("1 year 2 days 03:04:05.000006", "interval"),
        ("2024-02-29", "date"),
        ("23:59:59.999999", "time"),
        ("12345678-1234-5678-1234-567812345678", "uuid"),
        ("{\"ä\": [1, null]}", "jsonb"),
    ] {
        let sql = format!(
            "SELECT $1::text::{kind}::text, pg_typeof($1::text::{kind}) = '{kind}'::regtype"
        );
        let row = client.query_one(&sql, &[&value]).await.unwrap();
        let expected = if kind == "interval" { "1 year 2 days 03:04:05.000006" } else { value };
        assert_eq!((row.get::<_, &str>(0), row.get::<_, bool>(1)), (expected, true));
    }
}

async fn own_types(place: Place) {
    let client = connect(&place).await;
    let sql = "DROP TYPE IF EXISTS r_thing, r_mood; DROP DOMAIN IF EXISTS r_small; CREATE TYPE r_mood AS ENUM ('sad', 'häppy'); \
               CREATE DOMAIN r_small AS int CHECK (VALUE < 10); CREATE TYPE r_thing AS (name text, n r_small, moods r_mood[])";
    client.batch_execute(sql).await.unwrap();
    for n in 0..10 {
        client.clear_type_cache();
        let statement = client
            .prepare("SELECT $1::r_mood, NULL::r_thing, $2::r_small, NULL::int4range")
            .await
            .unwrap();
        let kinds: Vec<&Kind> =
            statement.columns().iter().map(|column| column.type_().kind()).collect();
        assert_eq!(*kinds[0], Kind::Enum(vec!["sad".to_owned(), "häppy".to_owned()]));
        let Kind::Composite(fields) = kinds[1] else { panic!("{:?}", kinds[1]) };
        assert_eq!(
            fields.iter().map(|field| field.name()).collect::<Vec<_>>(),
            ["name", "n", "moods"]
        );
        assert_eq!(*fields[1].type_().kind(), Kind::Domain(Type::INT4));
        assert!(
            matches!(fields[2].type_().kind(), Kind::Array(member) if member.name() == "r_mood")
        );
        assert_eq!(*kinds[3], Kind::Range(Type::INT4));
        pause(n).await;
    }
}

async fn reused(place: Place, seen: mpsc::Sender<usize>) {
    let client = connect(&place).await;
    let statement = client.prepare("SELECT pg_backend_pid(), $1::int8 * 2").await.unwrap();
    let mut servers = BTreeSet::new();
    for n in 0..200_u32 {
        let row = client.query_one(&statement, &[&i64::from(n)]).await.unwrap();
        assert_eq!(row.get::<_, i64>(1), i64::from(n) * 2);
        servers.insert(row.get::<_, i32>(0));
        pause(n.into()).await;
    }
    seen.send(servers.len()).await.unwrap();
}

async fn many_statements(place: Place) {
    let client = connect(&place).await;
    let mut statements = Vec::new();
    for n in 0..120 {
        statements.push(client.prepare(&format!("SELECT $1::text || '{n}'")).await.unwrap());
    }
    for turn in 0..3 {
        for (n, statement) in statements.iter().enumerate() {
            let row = client.query_one(statement, &[&format!("{turn}.")]).await.unwrap();
            assert_eq!(row.get::<_, String>(0), format!("{turn}.{n}"));
        }
    }
    let rest = statements.split_off(60);
    drop(statements); // closed on the way, with whatever comes next
    for (n, statement) in rest.iter().enumerate() {
        let row = client.query_one(statement, &[&"x"]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), format!("x{}", n + 60));
    }
}

async fn prepared_together(place: Place) {
    let client = connect(&place).await;
    for turn in 0..5 {
        let texts: Vec<String> = (0..40).map(|n| format!("SELECT $1::int4 + {n}")).collect();
        let statements = join_all(texts.iter().map(|text| client.prepare(text))).await;
        let statements: Vec<_> = statements.into_iter().map(Result::unwrap).collect();
        let wrong = join_all([client.prepare("SELECT nothing"), client.prepare("SELECT 1")]).await;
        assert_eq!(wrong.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true]);
        pause(turn).await;
        let rows =
            join_all(statements.iter().map(|statement| client.query_one(statement, &[&1_i32])))
                .await;
        let sums: Vec<i32> = rows.into_iter().map(|row| row.unwrap().get(0)).collect();
        assert_eq!(sums, (1..41).collect::<Vec<_>>());
    }
}

async fn pipeline(place: Place) {
    let client = connect(&place).await;
    let statement = client.prepare("SELECT 100 / $1::int4, repeat('x', $1 * 10)").await.unwrap();
    for turn in 0..5 {
        let numbers: Vec<i32> = (0..200).map(|n| n % 50).collect();
        let ask = async |n: &i32| client.query_one(&statement, &[n]).await;
        let answers = join_all(numbers.iter().map(ask)).await;
        for (n, answer) in numbers.iter().zip(answers) {
            if *n == 0 {
                assert_eq!(refusal(answer), SqlState::DIVISION_BY_ZERO);
            } else {
                let row = answer.unwrap();
                let text: String = row.get(1);
                assert_eq!(
                    (row.get::<_, i32>(0), text.len()),
                    (100 / n, usize::try_from(n * 10).unwrap())
                );
            }
        }
        let (simple, extended) = tokio::join!(
            client.simple_query("SELECT 'simple'"),
            client.query_one(&statement, &[&7_i32])
        );
        assert!(simple.is_ok());
        assert_eq!(extended.unwrap().get::<_, i32>(0), 14);
        pause(turn).await;
    }
}

async fn portals(place: Place) {
    let mut client = connect(&place).await;
    for turn in 0..5 {
        let transaction = client.transaction().await.unwrap();
        let all = transaction
            .bind("SELECT n FROM generate_series(1, $1::int4) n", &[&1000_i32])
            .await
            .unwrap();
        let some = transaction.bind("SELECT -n FROM generate_series(1, 10) n", &[]).await.unwrap();
        let mut count = 0;
        loop {
            let rows = transaction.query_portal(&all, 300).await.unwrap();
            let other = transaction.query_portal(&some, 1).await.unwrap();
            assert!(other.iter().all(|row| row.get::<_, i32>(0) < 0));
            if rows.is_empty() {
                break;
            }
            assert_eq!(rows[0].get::<_, i32>(0), count + 1);
            count += i32::try_from(rows.len()).unwrap();
        }
        assert_eq!(count, 1000);
        transaction.commit().await.unwrap();
        pause(turn).await;
    }
}

async fn large_result(place: Place) {
    let client = connect(&place).await;
    let rows = client
        .query_raw("SELECT n, repeat('z', 100) FROM generate_series(1, $1::int4) n", [50_000_i32])
        .await
        .unwrap();
    let total: i64 = rows
        .map_ok(|row| i64::from(row.get::<_, i32>(0)))
        .try_fold(0, |sum, n| async move { Ok(sum + n) })
        .await
        .unwrap();
    assert_eq!(total, 50_000 * 50_001 / 2);
    for turn in 0..3 {
        let mut rows = Box::pin(
            client.query_raw("SELECT generate_series(1, $1::int4)", [100_000_i32]).await.unwrap(),
        );
        assert_eq!(rows.next().await.unwrap().unwrap().get::<_, i32>(0), 1);
        drop(rows); // the driver throws the rest away
        assert_eq!(one(&client, "SELECT 'next'").await, "next");
        pause(turn).await;
    }
}

async fn large_values(place: Place) {
    let client = connect(&place).await;
    let (text, raw) = ("äöü€".repeat(2_000_000), vec![200_u8; 15_000_000]);
    let row = client.query_one("SELECT $1::text, $2::bytea", &[&text, &raw]).await.unwrap();
    assert!(row.get::<_, &str>(0) == text && row.get::<_, &[u8]>(1) == raw);
}

async fn unprepared(place: Place) {
    let client = connect(&place).await;
    for n in 0..30_i32 {
        let row = client.query_typed_one("SELECT $1 * 2", &[(&n, Type::INT4)]).await.unwrap();
        assert_eq!(row.get::<_, i32>(0), n * 2);
        let sql = format!("SELECT {n}; SELECT 'two'; SELECT 3 WHERE false");
        let rows = client.simple_query(&sql).await.unwrap();
        assert_eq!(
            rows.iter().filter(|message| matches!(message, SimpleQueryMessage::Row(_))).count(),
            2
        );
        assert_eq!(
            rows.iter()
                .filter(|message| matches!(message, SimpleQueryMessage::CommandComplete(_)))
                .count(),
            3
        );
        pause(n.unsigned_abs().into()).await;
    }
    client.batch_execute("").await.unwrap();
    client
        .batch_execute("DROP TABLE IF EXISTS r_batch; CREATE TABLE r_batch (n int)")
        .await
        .unwrap();
    let failed =
        client.batch_execute("INSERT INTO r_batch VALUES (1); SELECT 1 / 0; SELECT 2").await;
    assert_eq!(refusal(failed), SqlState::DIVISION_BY_ZERO);
    assert_eq!(one(&client, "SELECT count(*) FROM r_batch").await, "0");
}

async fn cancel(place: Place) {
    let client = connect(&place).await;
    let other = connect(&place).await;
    for _ in 0..3 {
        let token = client.cancel_token();
        let cancelling = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            token.cancel_query(NoTls).await.unwrap();
        };
        let (answer, (), bystander) = tokio::join!(
            client.simple_query("SELECT pg_sleep(20)"),
            cancelling,
            other.simple_query("SELECT pg_sleep(0.3)")
        );
        assert_eq!(refusal(answer), SqlState::QUERY_CANCELED);
        bystander.unwrap();
        assert_eq!(one(&client, "SELECT 'next'").await, "next");
    }
    client.cancel_token().cancel_query(NoTls).await.unwrap(); // of an idle client
    let (own, others) =
        tokio::join!(client.simple_query("SELECT 1"), other.simple_query("SELECT pg_sleep(0.2)"));
    others.unwrap();
    if let Err(error) = own {
        // the server may see the request only now; then it is this client's own statement that ends
        assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
    }
}
