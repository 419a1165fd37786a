//! Which tables are published, and what PostgreSQL tells of their rows that are changed. Not what should be told: `howdah_advisor::schema::identities`.
//!
//! Invariant: changes nothing. How many answers a cache loses by table is counted nowhere, so none are told of.

use howdah_advisor::catalog::Catalog;
use howdah_advisor::schema::{Cached, Identity};
use tokio_postgres::Client;

use crate::catalog::{Error, in_transaction, rows};

#[derive(Debug, serde::Deserialize)]
struct Published {
    table: u32,
    /// `pg_class.relreplident`.
    identity: char,
}

/// Reads it of the tables that were read.
///
/// The connection must not be in a transaction. Not cancel safe: dropped half-way it leaves the connection in one.
pub(crate) async fn published(client: &Client, catalog: &Catalog) -> Result<Vec<Cached>, Error> {
    let tables: Vec<u32> = catalog.tables.iter().map(|table| table.oid).collect();
    let found: Vec<Published> = in_transaction(client, async || {
        rows(client, include_str!("published.sql"), &[&tables]).await
    })
    .await?;
    let cached = |one: Published| {
        let identity = match one.identity {
            'd' => Identity::Default,
            'f' => Identity::Full,
            'i' => Identity::Index,
            _ => Identity::Nothing,
        };
        Cached { table: one.table, identity, published: true, lost_per_day: 0.0 }
    };
    Ok(found.into_iter().map(cached).collect())
}
