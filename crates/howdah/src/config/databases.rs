//! `[[database]]` into the databases of the data plane: where each is, and its pools. Not whether it exists there.
//!
//! Invariant: without a mistake every database has a primary, and there is at least one database.

use howdah_core::cache;
use howdah_core::pool::PoolConfig;
use howdah_core::route::Wish;
use howdah_proxy::settings::Database;

use super::Cluster;
use super::document::{self, Origin, Table};
use super::error::Mistake;
use super::keys::{DATABASE, DATABASE_CACHE, DATABASE_ROUTE, POOL};
use super::read::{Findings, Reader};
use super::route;
use super::validate::{mode, named, pool as read_pool, shares, unique};

/// Databases of the console; clients cannot have others of these names.
const CONSOLE: [&str; 2] = ["howdah", "pgbouncer"];

/// What a database has that says nothing else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Base<'a> {
    /// Of its pools.
    pub(crate) pool: &'a PoolConfig,
    /// Where its reads go.
    pub(crate) wish: Wish,
    /// What the cache does.
    pub(crate) cache: cache::wish::Wish,
}

/// Reads all databases; without any there is one for every name.
pub(crate) fn read(
    root: &Table,
    clusters: &[Cluster],
    base: &Base<'_>,
    findings: &mut Findings,
) -> Vec<Database> {
    let tables = root.named("database");
    unique(tables, "", findings);
    if tables.is_empty() {
        let mut reader = Reader::new(DATABASE.keys, None, "database.*", findings);
        reader.implied("name", "*");
        let primary = match clusters {
            [only] => only.primary,
            [] => return Vec::new(),
            [_, _, ..] => {
                let fix = "[[database]]\nname = \"shop\"\ncluster = \"main\"";
                let reason = "several clusters, and nothing says which database is where";
                reader.fail(Mistake::Missing, "cluster", reason, fix);
                return Vec::new();
            }
        };
        return vec![Database {
            name: "*".to_owned(),
            server_database: None,
            primary,
            pool: base.pool.clone(),
            max_servers: None,
            auth_query: None,
            max_clients: None,
            wish: base.wish,
            cache: base.cache,
        }];
    }
    let mut databases = Vec::with_capacity(tables.len());
    for (index, table) in tables.iter().enumerate() {
        let name = table.name();
        let path = document::path("", table.section, Some((index, name.as_deref())));
        databases.extend(database(root, table, &path, clusters, base, findings));
    }
    databases
}

fn database(
    root: &Table,
    table: &Table,
    path: &str,
    clusters: &[Cluster],
    base: &Base<'_>,
    findings: &mut Findings,
) -> Option<Database> {
    let inner = document::join(path, "pool");
    let mut reader = Reader::new(POOL.keys, table.single("pool"), inner, findings).overrides();
    let mut pool = read_pool(&mut reader, base.pool.clone());
    let (own_mode, own_share) = (reader.is_given("mode"), reader.is_given("share"));
    let inner = document::join(path, DATABASE_ROUTE.name);
    let given = table.single(DATABASE_ROUTE.name);
    let mut reader = Reader::new(DATABASE_ROUTE.keys, given, inner, findings).overrides();
    let wish = route::wish(&mut reader, base.wish);
    let inner = document::join(path, DATABASE_CACHE.name);
    let given = table.single(DATABASE_CACHE.name);
    let mut reader = Reader::new(DATABASE_CACHE.keys, given, inner, findings).overrides();
    let cache = super::cache::wish(&mut reader, base.cache);
    let mut reader = Reader::new(DATABASE.keys, Some(table), path, findings);
    let name = reader.text("name");
    if name.is_none() && !reader.is_given("name") {
        let fix = "name = \"shop\", or name = \"*\" for all";
        reader.fail(Mistake::Missing, "name", "a database without a name", fix);
    }
    if name.as_deref().is_some_and(|name| CONSOLE.contains(&name)) {
        let fix = "another name, with server_database = the name on the server";
        reader.fail(Mistake::Conflict, "name", "the name of the console", fix);
    }
    if let Some(word) = reader.word("pool_mode") {
        if own_mode && pool.mode != mode(word) {
            let reason = "contradicts mode in [database.pool]";
            reader.fail(Mistake::Conflict, "pool_mode", reason, "keep one of them");
        }
        pool.mode = mode(word);
    }
    if let Some(word) = reader.word("share") {
        if own_share && pool.share != shares(word) {
            let reason = "contradicts share in [database.pool]";
            reader.fail(Mistake::Conflict, "share", reason, "keep one of them");
        }
        pool.share = shares(word);
    }
    let primary = cluster(root, &mut reader, clusters);
    let server_database = reader.text("server_database");
    let max_servers: Option<u32> = reader.integer("max_servers");
    if max_servers.is_some_and(|most| most < pool.min_size) {
        let fix = format!("at least min_size of its pools, {}", pool.min_size);
        reader.fail(Mistake::Conflict, "max_servers", "less than min_size", fix);
    }
    let max_clients = reader.integer("max_clients");
    let (name, primary) = (name?, primary?);
    // Look-ups come later: they need the users.
    let auth_query = None;
    Some(Database {
        name,
        server_database,
        primary,
        pool,
        max_servers,
        max_clients,
        auth_query,
        wish,
        cache,
    })
}

/// The primary of the cluster that a database is in.
fn cluster(root: &Table, reader: &mut Reader<'_>, clusters: &[Cluster]) -> Option<usize> {
    if reader.is_given("cluster") {
        let name = reader.text("cluster")?;
        let found = clusters.iter().find(|cluster| cluster.name == name);
        if found.is_none() {
            let names: Vec<_> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
            let fix = named(&name, &names);
            reader.fail(Mistake::UnknownName, "cluster", "no cluster has this name", fix);
        }
        return found.map(|cluster| cluster.primary);
    }
    // Sections of a file mean the cluster of that file, not the one that DATABASE_URL brings.
    let written: Vec<_> = root
        .named("cluster")
        .iter()
        .filter(|table| !matches!(table.origin, Origin::Environment { .. }))
        .filter_map(Table::name)
        .collect();
    let candidates: Vec<_> = clusters
        .iter()
        .filter(|cluster| written.is_empty() || written.contains(&cluster.name))
        .collect();
    match candidates.as_slice() {
        [only] => {
            reader.implied("cluster", only.name.clone());
            Some(only.primary)
        }
        [] => clusters.first().map(|cluster| cluster.primary),
        [first, ..] => {
            let fix = format!("cluster = \"{}\"", first.name);
            reader.fail(Mistake::Missing, "cluster", "one of several clusters; which?", fix);
            None
        }
    }
}
