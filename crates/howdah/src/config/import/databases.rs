//! `[databases]`: connection strings into clusters, databases and their pools.
//!
//! Invariant: databases on one address share a cluster.

use super::ini::{self, Line};
use super::lookups::{self, Lookup};
use super::table::General;
use super::write::{Tables, Value};
use super::{Account, NO_LIMIT, Verdict, seconds};

/// Where PgBouncer looks for a server when nothing is said.
const SOCKETS: &str = "/tmp";

/// One database.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) name: String,
    cluster: usize,
    pub(super) server_database: Option<String>,
    max_servers: Option<u64>,
    max_clients: Option<u64>,
    pub(super) lookup: Lookup,
    /// Further keys of its own.
    pub(super) keys: Vec<(&'static str, Value)>,
    pool: Vec<(&'static str, Value)>,
}

/// All databases, and where they are.
#[derive(Debug, Default)]
pub(super) struct Databases {
    /// Host and port, in the order of their first use.
    addresses: Vec<(String, u64)>,
    all: Vec<Database>,
    /// What all databases are logged in to with, if it is the same for all.
    forced: Forced,
}

/// The user that clients of databases become on the server.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum Forced {
    /// No database was seen.
    #[default]
    Unseen,
    /// It is the client's own.
    Own,
    /// This one, with this password.
    One(String, Option<String>),
    /// Some databases differ from others.
    Many,
}

impl Databases {
    pub(super) fn read(lines: &[Line], general: &General<'_>, account: &mut Account) -> Self {
        let mut databases = Self::default();
        for line in lines.iter().filter(|line| line.section == "databases") {
            let key = format!("databases.{}", line.key);
            match ini::pairs(&line.value) {
                Some(pairs) => databases.add(line, &key, pairs, general, account),
                None => account.add(line, key, Verdict::Dropped, "not a connection string"),
            }
        }
        databases
    }

    /// Finds out who asks for users, and how.
    pub(super) fn look_up(
        &mut self,
        general: &General<'_>,
        tables: &mut Tables,
        account: &mut Account,
    ) {
        lookups::write(&mut self.all, general, tables, account);
    }

    /// Whether users are looked up somewhere.
    pub(super) fn looks_up(&self, general: &General<'_>) -> bool {
        lookups::asker(&self.all, general).is_some()
    }

    /// User and password that all clients become on the server.
    pub(super) fn forced(&self) -> Option<(&str, Option<&str>)> {
        match &self.forced {
            Forced::One(user, password) => Some((user, password.as_deref())),
            Forced::Unseen | Forced::Own | Forced::Many => None,
        }
    }

    fn add(
        &mut self,
        line: &Line,
        key: &str,
        pairs: Vec<(String, String)>,
        general: &General<'_>,
        account: &mut Account,
    ) {
        let (mut host, mut port) = (None, 5432);
        let (mut user, mut password) = (None, None);
        let mut database = Database {
            name: line.key.clone(),
            cluster: 0,
            server_database: None,
            max_servers: general.bound("max_db_connections"),
            max_clients: general.bound("max_db_client_connections"),
            lookup: Lookup::default(),
            keys: Vec::new(),
            pool: Vec::new(),
        };
        let mut sound = true;
        for (name, value) in pairs {
            let full = format!("{key} {name}");
            let number = value.parse::<u64>().ok();
            match name.as_str() {
                "host" => host = Some(value),
                "port" => match number {
                    Some(number) => port = number,
                    None => account.add(line, full, Verdict::Dropped, "not a number"),
                },
                "dbname" => database.server_database = Some(value).filter(|name| *name != line.key),
                "user" => user = Some(value),
                "password" => password = Some(value),
                "max_db_connections" => database.max_servers = number.filter(|number| *number > 0),
                "max_db_client_connections" => {
                    database.max_clients = number.filter(|number| *number > 0);
                }
                "pool_size" => database.pool.extend(number.map(|n| ("max_size", Value::Number(n)))),
                "min_pool_size" => {
                    database.pool.extend(number.map(|n| ("min_size", Value::Number(n))));
                }
                "reserve_pool" | "reserve_pool_size" => {
                    database.pool.extend(number.map(|n| ("reserve_size", Value::Number(n))));
                }
                "pool_mode" => database.pool.push(("mode", Value::Text(value))),
                "query_wait_timeout" => {
                    let time =
                        if number == Some(0) { Some(NO_LIMIT.to_owned()) } else { seconds(&value) };
                    database.pool.extend(time.map(|t| ("checkout_timeout", Value::Text(t))));
                }
                "auth_user" => database.lookup.user = Some((line.clone(), value)),
                "auth_query" => database.lookup.query = Some((line.clone(), value)),
                "auth_dbname" => database.lookup.database = Some((line.clone(), value)),
                "target_session_attrs" if value == "any" => {}
                "server_lifetime" if number != Some(0) => {
                    database.pool.extend(seconds(&value).map(|t| ("max_lifetime", Value::Text(t))));
                }
                _ => {
                    sound = false;
                    account.add(line, full, Verdict::Dropped, why_not(&name));
                }
            }
        }
        let host = match host
            .unwrap_or_else(|| general.get("unix_socket_dir").unwrap_or(SOCKETS).to_owned())
        {
            list if list.contains(',') => {
                let first = list.split(',').next().unwrap_or_default().trim().to_owned();
                let text = "several hosts in turn are not served: the first was taken; nodes of a cluster are a primary and its replicas";
                account.add(line, format!("{key} host"), Verdict::Changed, text);
                first
            }
            host => host,
        };
        self.force(line, key, user, password, account);
        database.cluster = self.address(host, port);
        // A name that comes again replaces what was said before, as in PgBouncer.
        self.all.retain(|other| other.name != database.name);
        self.all.push(database);
        if sound {
            account.add(line, key, Verdict::Taken, format!("[[database]] {}", line.key));
        }
    }

    fn force(
        &mut self,
        line: &Line,
        key: &str,
        user: Option<String>,
        password: Option<String>,
        account: &mut Account,
    ) {
        let wanted = user.map_or(Forced::Own, |user| Forced::One(user, password));
        match &self.forced {
            Forced::Unseen => self.forced = wanted,
            known if *known == wanted => {}
            Forced::Own | Forced::One(..) | Forced::Many => {
                self.forced = Forced::Many;
                let text = "databases differ in the user they are logged in to with, which belongs to a [[user]] here: set server_user and server_password there";
                account.add(line, format!("{key} user"), Verdict::Dropped, text);
            }
        }
    }

    fn address(&mut self, host: String, port: u64) -> usize {
        let known = self.addresses.iter().position(|known| *known == (host.clone(), port));
        known.unwrap_or_else(|| {
            self.addresses.push((host, port));
            self.addresses.len() - 1
        })
    }

    /// Clusters with one node each, and databases.
    pub(super) fn write(&self, tables: &mut Tables) {
        let name = |at: usize| {
            if at == 0 { "main".to_owned() } else { format!("cluster-{}", at + 1) }
        };
        for (at, (host, port)) in self.addresses.iter().enumerate() {
            let cluster = tables.begin("cluster");
            cluster.push(("name".to_owned(), Value::Text(name(at))));
            tables.begin_node(host, *port);
        }
        for database in &self.all {
            let entry = tables.begin("database");
            entry.push(("name".to_owned(), Value::Text(database.name.clone())));
            entry.push(("cluster".to_owned(), Value::Text(name(database.cluster))));
            if let Some(other) = &database.server_database {
                entry.push(("server_database".to_owned(), Value::Text(other.clone())));
            }
            let keys = database.keys.iter();
            entry.extend(keys.map(|(key, value)| ((*key).to_owned(), value.clone())));
            if let Some(number) = database.max_servers {
                entry.push(("max_servers".to_owned(), Value::Number(number)));
            }
            if let Some(number) = database.max_clients {
                entry.push(("max_clients".to_owned(), Value::Number(number)));
            }
            if !database.pool.is_empty() {
                let pool = tables.begin_inner("database.pool");
                let keys = database.pool.iter();
                pool.extend(keys.map(|(key, value)| ((*key).to_owned(), value.clone())));
            }
        }
    }
}

/// Why a key of a connection string is not taken over.
fn why_not(name: &str) -> &'static str {
    match name {
        "connect_query" | "client_encoding" | "datestyle" | "timezone" | "application_name" => {
            "settings are the session's own here: use ALTER DATABASE … SET or ALTER ROLE … SET"
        }
        "load_balance_hosts" => "several hosts in turn are not served",
        "target_session_attrs" => {
            "a server is what its node's role says: the first node of a cluster is the primary"
        }
        "server_lifetime" => "0 (a server is used once) has no equivalent: see pool.max_lifetime",
        _ => "not a key of PgBouncer 1.25",
    }
}
