//! Reads a database's catalog and statistics into [`howdah_advisor::catalog::Catalog`]: a handful of statements in one read-only
//! transaction, each of which gives its rows as JSON with the names of the fields. What the numbers mean is not decided here.
//!
//! Invariant: changes nothing, waits for nobody's locks for long, and works with a role that has no special rights: what such a role cannot see is absent and
//! named in [`Catalog::missing`].

mod usage;

use howdah_advisor::catalog::{Catalog, Extension};
use howdah_advisor::schema::Upkeep;
use serde::de::DeserializeOwned;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

pub use usage::{Usage, add_usage, usage};

/// Bounds of the whole look, and names that are qualified whatever the role's search path: then definitions can be carried out by anybody.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
    SET LOCAL statement_timeout = '30s'; SET LOCAL lock_timeout = '2s'; SET LOCAL search_path = ''; SET LOCAL jit = off";

/// Why a catalog could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection or PostgreSQL said no.
    #[error("the catalog cannot be read: {0}")]
    Postgres(#[from] tokio_postgres::Error),
    /// PostgreSQL answered something that no supported version answers.
    #[error("the catalog cannot be understood: {0}")]
    Answer(#[from] serde_json::Error),
}

/// What is said of the server as a whole.
#[derive(Debug, Default, serde::Deserialize)]
struct Server {
    version: u32,
    statistics_age: Option<f64>,
    replicas: Option<u32>,
    locked: Vec<u32>,
    extensions: Vec<Extension>,
}

/// Reads everything, as this connection's role may see it. Indexes' usage is that of this node alone: see [`add_usage`].
///
/// The connection must not be in a transaction. Not cancel safe: dropped half-way it leaves the connection in one.
///
/// # Errors
/// The connection broke, a table that was just locked stayed locked for two seconds, or a statement took longer than 30.
pub async fn read(client: &Client) -> Result<Catalog, Error> {
    in_transaction(client, async || read_all(client).await).await
}

/// Reads what of upkeep is not in the catalog: sequences, ages, settings of tables.
///
/// The connection must not be in a transaction. Not cancel safe: dropped half-way it leaves the connection in one.
///
/// # Errors
/// The connection broke, or a statement took longer than 30 seconds.
pub async fn upkeep(client: &Client, catalog: &Catalog) -> Result<Upkeep, Error> {
    let tables: Vec<u32> = catalog.tables.iter().map(|table| table.oid).collect();
    in_transaction(client, async || {
        let found = rows(client, include_str!("upkeep.sql"), &[&tables]).await?;
        Ok(found.into_iter().next().unwrap_or_default())
    })
    .await
}

/// Does something in one read-only transaction with the bounds of a look.
pub(crate) async fn in_transaction<T>(
    client: &Client,
    look: impl AsyncFnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    client.batch_execute(BEGIN).await?;
    let found = look().await;
    // What failed is told, rather than that the transaction could not be ended after it.
    let ended = client.batch_execute("ROLLBACK").await;
    let found = found?;
    ended?;
    Ok(found)
}

async fn read_all(client: &Client) -> Result<Catalog, Error> {
    let mut servers = rows::<Server>(client, include_str!("server.sql"), &[]).await?;
    let server = servers.pop().unwrap_or_default();
    let locked = server.locked;
    let mut catalog = Catalog {
        version: server.version,
        statistics_age: server.statistics_age,
        replicas: server.replicas,
        extensions: server.extensions,
        ..Catalog::default()
    };
    catalog.tables = rows(client, include_str!("tables.sql"), &[&locked]).await?;
    let tables: Vec<u32> = catalog.tables.iter().map(|table| table.oid).collect();
    catalog.indexes = rows(client, include_str!("indexes.sql"), &[&locked, &tables]).await?;
    catalog.foreign_keys = rows(client, include_str!("foreign_keys.sql"), &[&tables]).await?;
    let missing = client.query(include_str!("unreadable.sql"), &[&tables, &locked]).await?;
    for row in missing {
        catalog.missing.push(row.try_get(0)?);
    }
    Ok(catalog)
}

/// The rows of a statement whose only column is JSON text.
pub(crate) async fn rows<T: DeserializeOwned>(
    client: &Client,
    statement: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<T>, Error> {
    let mut found = Vec::new();
    for row in client.query(statement, parameters).await? {
        found.push(serde_json::from_str(row.try_get(0)?)?);
    }
    Ok(found)
}
