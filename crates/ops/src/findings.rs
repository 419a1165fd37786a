//! Everything that the catalog alone shows to be wrong with a database: indexes, definitions, upkeep. Not what its statements would gain by.
//!
//! Invariant: changes nothing.

use howdah_advisor::Recommendation;
use howdah_advisor::catalog::Catalog;
use howdah_advisor::hygiene::{self, Options};
use howdah_advisor::schema;
use tokio_postgres::Client;

use crate::catalog::{Error, add_usage, read, upkeep, usage};
use crate::published::published;

/// Looks at a database through its primary, and at how its replicas use its indexes: give all of them, or nothing is called unused.
///
/// The connections must not be in a transaction. Not cancel safe: dropped half-way it leaves them in one.
///
/// # Errors
/// A connection broke, or the catalog could not be read in time.
pub async fn findings(
    primary: &Client,
    replicas: &[Client],
    options: &Options,
) -> Result<Vec<Recommendation>, Error> {
    read_and_look(primary, replicas, options).await.map(|(_, found)| found)
}

/// The same, with the catalog in which it was found; indexes are used there as often as by all of these nodes.
pub(crate) async fn read_and_look(
    primary: &Client,
    replicas: &[Client],
    options: &Options,
) -> Result<(Catalog, Vec<Recommendation>), Error> {
    let mut catalog = read(primary).await?;
    for replica in replicas {
        add_usage(&mut catalog, &usage(replica).await?);
    }
    let upkeep = upkeep(primary, &catalog).await?;
    let mut found = hygiene::look(&catalog, options);
    found.extend(schema::look(&catalog, &upkeep));
    // Changes of what is published without an identity are refused whatever wal_level is.
    found.extend(schema::identities(&catalog, &published(primary, &catalog).await?, true));
    found.sort_by(|a, b| b.impact.cmp(&a.impact).then_with(|| a.title.cmp(&b.title)));
    Ok((catalog, found))
}
