//! Looking at a PostgreSQL server directly: can this user log in, which version, which role, how many connections. Changes nothing.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use howdah::config::settings::{Database, Node, NodeAddress, User};
use howdah::tls::{self, Connector};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

/// A login to try. No `Debug`: the password is in it.
#[derive(Clone)]
pub(crate) struct Login {
    /// Where.
    pub(crate) address: NodeAddress,
    /// Which database.
    pub(crate) database: String,
    /// As whom.
    pub(crate) user: String,
    /// With which password.
    pub(crate) password: Option<String>,
    /// Encrypted how; `None`: in clear.
    pub(crate) tls: Option<Arc<Connector>>,
}

/// Database that every server has, for looking at one when every name is passed on.
const ANY_DATABASE: &str = "postgres";

impl Login {
    /// What Howdah itself would use for this user and database of an application.
    pub(crate) fn of(node: &Node, database: &Database, user: &User) -> Self {
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
    pub(crate) fn of_lookups(node: &Node, database: &Database) -> Option<Self> {
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

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.database)
    }
}

/// What a server says about itself.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Facts {
    /// For people: `15.8`.
    pub(crate) version: String,
    /// For comparing: 150008.
    pub(crate) version_number: u32,
    /// Whether it is a replica now.
    pub(crate) replica: bool,
    /// `max_connections`.
    pub(crate) max_connections: u32,
    /// Of these, kept for superusers.
    pub(crate) reserved: u32,
    /// Connections of clients now, ours not counted.
    pub(crate) used: u32,
    /// `wal_level`.
    pub(crate) wal_level: String,
    /// What the connection is encrypted with, as `TLSv1.3/TLS_AES_256_GCM_SHA384`.
    pub(crate) tls: Option<String>,
    /// One round trip, in microseconds.
    pub(crate) round_trip_us: u64,
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = if self.replica { "replica" } else { "primary" };
        let away = Duration::from_micros(self.round_trip_us).as_secs_f64() * 1_000.0;
        write!(
            f,
            "PostgreSQL {}, {role}, {away:.2} ms away, {}; {} of {} connections in use",
            self.version,
            self.tls.as_deref().unwrap_or("not encrypted"),
            self.used,
            self.max_connections
        )
    }
}

/// Why a login did not work.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    /// What is wrong.
    pub(crate) reason: String,
    /// What to do about it.
    pub(crate) fix: String,
    /// No server answered at all.
    pub(crate) unreachable: bool,
}

/// Logs in; the connection is driven by a task until the client is dropped.
///
/// Also says what it is encrypted with.
pub(crate) async fn connect(
    login: &Login,
    limit: Duration,
) -> Result<(Client, Option<String>), Refused> {
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

/// Logs in and asks.
pub(crate) async fn facts(login: &Login, limit: Duration) -> Result<Facts, Refused> {
    const ASK: &str = "SELECT current_setting('server_version'), current_setting('server_version_num')::int, \
        pg_is_in_recovery(), current_setting('max_connections')::int, \
        current_setting('superuser_reserved_connections')::int, \
        (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()), \
        current_setting('wal_level')";
    let (client, tls) = connect(login, limit).await?;
    let ask = async {
        let row = client.query_one(ASK, &[]).await?;
        let begin = Instant::now();
        client.simple_query("").await?;
        Ok((row, begin.elapsed()))
    };
    let late = |_| Refused {
        reason: format!("logged in, but no answer within {} s", limit.as_secs()),
        fix: "look at the load of the server".to_owned(),
        unreachable: true,
    };
    let asked: Result<_, tokio_postgres::Error> =
        tokio::time::timeout(limit, ask).await.map_err(late)?;
    let (row, round_trip) = asked?;
    let count = |at: usize| u32::try_from(row.get::<_, i32>(at)).unwrap_or(0);
    let version: String = row.get(0);
    Ok(Facts {
        version: version.split(' ').next().unwrap_or_default().to_owned(),
        version_number: count(1),
        replica: row.get(2),
        max_connections: count(3),
        reserved: count(4),
        used: count(5),
        wal_level: row.get(6),
        tls,
        round_trip_us: u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX),
    })
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
pub(crate) fn text(error: &tokio_postgres::Error) -> String {
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
pub(crate) fn host(address: &NodeAddress) -> String {
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
