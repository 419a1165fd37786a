//! Logging in to a PostgreSQL server directly, not through a pool: for looking at it, and for advice. With words for what may stand against it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use howdah_proxy::settings::{Database, Node, NodeAddress, User};
use howdah_proxy::tls::{self, Connector};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

/// A login to try. No `Debug`: the password is in it.
#[derive(Clone)]
pub struct Login {
    /// Where.
    pub address: NodeAddress,
    /// Which database.
    pub database: String,
    /// As whom.
    pub user: String,
    /// With which password.
    pub password: Option<String>,
    /// Encrypted how; `None`: in clear.
    pub tls: Option<Arc<Connector>>,
}

/// Database that every server has, for looking at one when every name is passed on.
const ANY_DATABASE: &str = "postgres";

impl Login {
    /// What Howdah itself would use for this user and database of an application.
    pub fn of(node: &Node, database: &Database, user: &User) -> Self {
        let name = match database.name.as_str() {
            "*" => ANY_DATABASE,
            name => name,
        };
        Self {
            address: node.address.clone(),
            tls: node.tls.clone(),
            database: database.on_server(name).to_owned(),
            user: user.server.user.clone().unwrap_or_else(|| user.name.clone()),
            password: user.server.password.clone(),
        }
    }

    /// What Howdah would use to look users of this database up, if it does.
    pub fn of_lookups(node: &Node, database: &Database) -> Option<Self> {
        let query = database.auth_query.as_ref()?;
        let name = Some(database.name.as_str()).filter(|name| *name != "*");
        let own = query.database.as_deref().or(database.server_database.as_deref()).or(name);
        Some(Self {
            address: node.address.clone(),
            tls: node.tls.clone(),
            database: own.unwrap_or(ANY_DATABASE).to_owned(),
            user: query.user.clone(),
            password: query.credentials.password.clone(),
        })
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({self})")
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.database)
    }
}

/// Why a login did not work.
#[derive(Debug, Clone)]
pub struct Refused {
    /// What is wrong.
    pub reason: String,
    /// What to do about it.
    pub fix: String,
    /// No server answered at all.
    pub unreachable: bool,
}

/// Logs in; the connection is driven by a task until the client is dropped.
///
/// Also says what it is encrypted with.
pub async fn connect(login: &Login, limit: Duration) -> Result<(Client, Option<String>), Refused> {
    let mut config = Config::new();
    config.user(&login.user).dbname(&login.database).application_name("howdah");
    if let Some(password) = &login.password {
        config.password(password);
    }
    let begin = async {
        let stream = tls::dial(&login.address, login.tls.as_deref()).await;
        let stream = stream.map_err(|reason| unreached(reason, login))?;
        let encryption = stream.tls().map(|tls| tls.to_string());
        let connected = config.connect_raw(stream, NoTls).await;
        connected.map_err(|error| explain(&error, login)).map(|pair| (pair, encryption))
    };
    match tokio::time::timeout(limit, begin).await {
        Ok(Ok(((client, connection), encryption))) => {
            tokio::spawn(async move {
                // It ends with an error when the server goes away; the statement in progress says so as well.
                let _ = connection.await;
            });
            Ok((client, encryption))
        }
        Ok(Err(refused)) => Err(refused),
        Err(_) => Err(Refused {
            reason: format!("no answer within {} s", limit.as_secs()),
            fix: "a firewall may drop the packets; pool.connect_timeout is the limit".to_owned(),
            unreachable: true,
        }),
    }
}

impl From<tokio_postgres::Error> for Refused {
    fn from(error: tokio_postgres::Error) -> Self {
        Self {
            reason: text(&error),
            fix: "look into the server's log".to_owned(),
            unreachable: false,
        }
    }
}

/// The server's own words, or the cause below the driver's.
pub fn text(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return error.message().to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn explain(error: &tokio_postgres::Error, login: &Login) -> Refused {
    let Login { database, user, .. } = login;
    let reason = text(error);
    let Some(code) = error.code() else {
        return unreached(reason, login);
    };
    let fix = if *code == SqlState::INVALID_PASSWORD {
        format!(
            "give the right password to user.{user}, or on the server (which does not say when there is no such role): ALTER ROLE {} PASSWORD '…';",
            quoted(user)
        )
    } else if *code == SqlState::INVALID_CATALOG_NAME {
        format!(
            "database.{database}.server_database names another, or: CREATE DATABASE {};",
            quoted(database)
        )
    } else if reason.contains("does not exist") {
        format!("CREATE ROLE {} LOGIN PASSWORD '…';", quoted(user))
    } else if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
        format!(
            "add to pg_hba.conf: host {database} {user} ADDRESS/32 scram-sha-256   then: SELECT pg_reload_conf();"
        )
    } else if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        format!("GRANT CONNECT ON DATABASE {} TO {};", quoted(database), quoted(user))
    } else if *code == SqlState::TOO_MANY_CONNECTIONS {
        "free connections, lower pool.max_size, or raise max_connections (restarts PostgreSQL)"
            .to_owned()
    } else {
        format!("SQLSTATE {}; look into the server's log", code.code())
    };
    Refused { reason, fix, unreachable: false }
}

/// Nobody has answered with a SQLSTATE.
fn unreached(reason: String, login: &Login) -> Refused {
    let Login { address, user, password, .. } = login;
    let missing = password.is_none() && reason.contains("password");
    let fix = if reason.contains("lookup") {
        "is the host's name right? the resolver of this machine does not know it".to_owned()
    } else if missing {
        format!(
            "the server wants a password: user.{user}.server_password_file = \"…\", or one in DATABASE_URL"
        )
    } else if reason.starts_with("TLS") {
        "tls, tls_ca, tls_cert and tls_key of the node say what is asked and shown".to_owned()
    } else {
        format!("is PostgreSQL running there? pg_isready -h {} -p {}", host(address), port(address))
    };
    Refused { fix, unreachable: !missing, reason }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The host for a command line.
pub fn host(address: &NodeAddress) -> String {
    match address {
        NodeAddress::Tcp { host, .. } => host.clone(),
        NodeAddress::Unix { directory, .. } => directory.display().to_string(),
    }
}

const fn port(address: &NodeAddress) -> u16 {
    match address {
        NodeAddress::Tcp { port, .. } | NodeAddress::Unix { port, .. } => *port,
    }
}
