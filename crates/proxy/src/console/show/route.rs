//! `SHOW ROUTE database 'statement'`: whether a statement may run on a replica, and why, by the catalog of a database.
//!
//! Not a view of the data plane: the catalog may have to be read first.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use howdah_core::route::class::{Catalog, Safety, judge};
use howdah_wire::sqlstate::SqlState;

use super::super::table::{Columns, Kind, Row, cell};
use crate::catalog::{Catalogs, Watched};
use crate::error::Refusal;
use crate::pool::PoolKey;
use crate::worker::Worker;

use Kind::{Int8, Text};

/// How long to wait for a catalog that nobody has asked for before.
const FIRST: Duration = Duration::from_secs(3);

pub(in super::super) const COLUMNS: Columns = &[
    ("database", Text),
    ("destination", Text),
    ("reason", Text),
    ("explanation", Text),
    ("subject", Text),
    ("catalog", Text),
    ("functions", Int8),
    ("tables", Int8),
    ("catalog_age_s", Int8),
    ("catalog_generation", Int8),
    ("catalog_error", Text),
    ("fingerprint", Text),
    ("normal_form", Text),
];

/// The line about a statement in a database; without a name in the only one.
///
/// # Errors
/// It is not clear in which database.
pub(in super::super) async fn route(
    worker: &Rc<Worker>,
    database: Option<&str>,
    sql: &str,
) -> Result<Row, Refusal> {
    let (name, watched) = known(worker, database).await?;
    let catalog: Arc<Catalog> = watched.as_ref().map(|one| one.catalog()).unwrap_or_default();
    let analysis = worker.analyse(sql.as_bytes());
    let judgement = judge(&analysis, &catalog, &worker.settings().overrides);
    let (destination, reason) = match judgement.safety {
        Safety::Replica => ("replica", None),
        Safety::Primary(reason) => ("primary", Some(reason)),
    };
    let condition = watched.as_ref().map(|watched| watched.condition());
    let (functions, tables) = catalog.counts();
    Ok(vec![
        cell(&name),
        cell(destination),
        reason.and_then(|reason| cell(reason.word())),
        cell(judgement.explanation()),
        judgement.subject,
        cell(if catalog.is_known() { "known" } else { "not known" }),
        cell(functions),
        cell(tables),
        condition.as_ref().and_then(|condition| cell(condition.age?.as_secs())),
        cell(watched.as_ref().map_or(0, |watched| watched.generation())),
        condition.and_then(|condition| condition.failure),
        cell(format_args!("{:016x}", analysis.fingerprint.0)),
        cell(&analysis.text),
    ])
}

/// The name of a database, and its catalog, which is waited for; without a name the only one.
///
/// # Errors
/// It is not clear which.
pub(super) async fn known(
    worker: &Rc<Worker>,
    database: Option<&str>,
) -> Result<(String, Option<Arc<Watched>>), Refusal> {
    let name = match database {
        Some(name) => name.to_owned(),
        None => only_database(worker)?,
    };
    let watched = watched(worker, &name);
    if let Some(watched) = &watched {
        watched.first(FIRST).await;
    }
    Ok((name, watched))
}

/// The catalog of a database, if somebody is known who can read it.
fn watched(worker: &Rc<Worker>, database: &str) -> Option<Arc<Watched>> {
    let settings = worker.settings();
    let mut pools = worker.all_pools().into_iter();
    let pool = pools.find(|pool| *pool.key.database == *database);
    if let Some(pool) = pool {
        return Some(Catalogs::of(worker, &pool));
    }
    let entry = settings.database(database)?;
    let node = settings.nodes.get(entry.primary)?;
    worker.shared.catalogs.at(&node.address, entry.on_server(database)).or_else(|| {
        let user = settings.users.iter().find(|user| user.name != "*")?;
        let key = PoolKey::home(database, user.name.as_str());
        Some(Catalogs::of(worker, &*worker.pool(key)?))
    })
}

fn only_database(worker: &Worker) -> Result<String, Refusal> {
    let settings = worker.settings();
    let configured = settings.databases.iter().map(|database| database.name.clone());
    let mut names: Vec<_> = configured.filter(|name| name != "*").collect();
    if names.is_empty() {
        names.extend(worker.all_pools().iter().map(|pool| pool.key.database.to_string()));
        names.sort_unstable();
        names.dedup();
    }
    match <[String; 1]>::try_from(names) {
        Ok([name]) => Ok(name),
        Err(_) => {
            let text = "in which database?";
            Err(Refusal::new(SqlState::INVALID_PARAMETER_VALUE, text)
                .hint("SHOW ROUTE database 'statement'; howdah route explain --database NAME."))
        }
    }
}
