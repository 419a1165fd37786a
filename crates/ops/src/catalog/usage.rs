//! How often other nodes of a cluster used each index. An index that the primary never uses may be the one that replicas live on.
//! Not for logical subscribers: their indexes are others.
//!
//! Invariant: a node that could not be asked is never counted as one that was.

use std::collections::HashMap;

use howdah_advisor::catalog::Catalog;
use tokio_postgres::Client;

use super::{Error, in_transaction, rows};

/// What one node counted. Physical replicas number indexes as their primary does.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    statistics_age: Option<f64>,
    indexes: Vec<IndexUsage>,
}

#[derive(Debug, Clone, serde::Deserialize)]
struct IndexUsage {
    index: u32,
    scans: u64,
    entries_read: u64,
    used_ago: Option<f64>,
}

/// Reads what this node, a standby, counted.
///
/// The connection must not be in a transaction. Not cancel safe: dropped half-way it leaves the connection in one.
///
/// # Errors
/// The connection broke, or a statement took longer than 30 seconds.
pub async fn usage(client: &Client) -> Result<Usage, Error> {
    in_transaction(client, async || {
        let mut servers = rows::<super::Server>(client, include_str!("server.sql"), &[]).await?;
        Ok(Usage {
            statistics_age: servers.pop().and_then(|server| server.statistics_age),
            indexes: rows(client, include_str!("usage.sql"), &[]).await?,
        })
    })
    .await
}

/// Adds what a standby counted to the catalog of its primary: statistics are then as old as the younger of both.
pub fn add_usage(catalog: &mut Catalog, usage: &Usage) {
    let counted: HashMap<u32, &IndexUsage> =
        usage.indexes.iter().map(|index| (index.index, index)).collect();
    for index in &mut catalog.indexes {
        let Some(there) = counted.get(&index.oid) else { continue };
        index.scans = index.scans.saturating_add(there.scans);
        index.entries_read = index.entries_read.saturating_add(there.entries_read);
        index.used_ago = match (index.used_ago, there.used_ago) {
            (Some(here), Some(there)) => Some(here.min(there)),
            (here, there) => here.or(there),
        };
    }
    catalog.statistics_age = match (catalog.statistics_age, usage.statistics_age) {
        (Some(here), Some(there)) => Some(here.min(there)),
        _ => None,
    };
    catalog.replicas_asked = catalog.replicas_asked.saturating_add(1);
}
