//! How a database of the configuration is reached for advice. Not what is done there.
//!
//! Invariant: connections go directly to PostgreSQL, never through a pool; changes only to a server that is no replica.

use std::sync::Arc;
use std::time::Duration;

use howdah_advisor::hygiene;
use howdah_ops::apply::{Connect, Connecting, place_of};
use howdah_ops::journal::Place;
use howdah_ops::{Counted, Limits, Look, Subject};
use howdah_proxy::settings::{Database, Node, Settings};
use tokio_postgres::Client;

use crate::login::{self, Login, Refused};

/// A login may take this long.
const LIMIT: Duration = Duration::from_secs(10);

/// As whom databases are looked at and changed.
#[derive(Clone)]
pub enum As {
    /// The first user of the configuration who can log in without a client.
    Howdah,
    /// This role, with this password.
    Role(String, Option<String>),
}

impl std::fmt::Debug for As {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Howdah => "Howdah",
            Self::Role(role, _) => role,
        })
    }
}

/// A database that can be reached.
#[derive(Clone)]
pub struct Door {
    /// The nodes that may be its primary, the likeliest first.
    logins: Vec<Login>,
    name: String,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Door {
    /// To a database of the configuration; `None`: nobody is known who can log in without a client.
    #[must_use]
    pub fn of(settings: &Settings, database: &Database, whose: &As) -> Option<Self> {
        let mut nodes = vec![database.primary];
        let cluster = settings.clusters.iter().find(|it| it.nodes.contains(&database.primary));
        nodes.extend(
            cluster.iter().flat_map(|it| it.nodes.clone()).filter(|at| *at != database.primary),
        );
        let nodes = nodes.into_iter().filter_map(|at| settings.nodes.get(at));
        let logins = nodes.map(|node| login_of(settings, node, database, whose));
        Some(Self { logins: logins.collect::<Option<_>>()?, name: database.name.clone() })
    }

    /// The name that clients use.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Logs in to the first node that is a primary; if there is none, to the first that answers, which will say what it is.
    ///
    /// # Errors
    /// None answers.
    pub async fn primary(&self) -> Result<Client, Refused> {
        primary(&self.logins).await
    }

    /// Which database it is.
    ///
    /// # Errors
    /// It cannot be reached, in words.
    pub async fn place(&self) -> Result<Place, String> {
        let client = self.primary().await.map_err(|refused| refused.reason)?;
        place_of(&client).await.map_err(|error| login::text(&error))
    }

    /// Connections to the other nodes that answer and are replicas.
    pub async fn replicas(&self) -> Vec<Client> {
        let mut found = Vec::new();
        for login in &self.logins {
            let Ok((client, _)) = login::connect(login, LIMIT).await else { continue };
            let row = client.query_one("SELECT pg_is_in_recovery()", &[]).await;
            if row.is_ok_and(|row| row.get::<_, bool>(0)) {
                found.push(client);
            }
        }
        found
    }

    /// Looks at the database now, with what it was asked in so many seconds, if somebody knows that; otherwise `pg_stat_statements` is asked. `say` is told what is
    /// going on. Not cancel safe in one respect: dropped half-way, a search for indexes goes on until its time is over.
    ///
    /// # Errors
    /// It cannot be reached or looked at, in words.
    pub async fn look(
        &self,
        statements: Option<(&[Counted], f64)>,
        (options, limits): (hygiene::Options, Limits),
        say: impl Fn(&str) + Send + Sync,
    ) -> Result<Look, String> {
        let primary = self.primary().await.map_err(|refused| refused.reason)?;
        let replicas = self.replicas().await;
        let complete = self.are_all(&primary, replicas.len()).await;
        drop(primary);
        let replicas = replicas.as_slice();
        let connect = self.connections();
        let (statements, seconds) = statements.unzip();
        let subject = Subject { connect, replicas, complete, statements, seconds, options, limits };
        howdah_ops::look(subject, say).await.map_err(|error| error.to_string())
    }

    /// Makes connections for a search.
    #[must_use]
    pub fn connections(&self) -> howdah_ops::Connect {
        let door = (self.logins.clone(), self.name.clone());
        Arc::new(move || {
            let (logins, name) = door.clone();
            Box::pin(async move {
                // Logging in is not for other threads, its result is.
                let here = tokio::runtime::Handle::current();
                let attempt = move || {
                    let client = here.block_on(primary(&logins));
                    client.map_err(|refused| told(&name, &refused))
                };
                tokio::task::spawn_blocking(attempt).await.map_err(|error| error.to_string())?
            })
        })
    }

    /// Whether these replicas are all: those of the configuration, and those that follow the primary.
    async fn are_all(&self, primary: &Client, replicas: usize) -> bool {
        const FOLLOW: &str = "SELECT count(*) FROM pg_stat_replication r WHERE state <> 'backup' \
            AND NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')";
        let follow = primary.query_one(FOLLOW, &[]).await.map(|row| row.get::<_, i64>(0));
        let asked = i64::try_from(replicas).unwrap_or(i64::MAX);
        follow.is_ok_and(|follow| follow <= asked) && replicas + 1 >= self.logins.len()
    }
}

impl Connect for Door {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async { self.primary().await.map_err(|refused| told(&self.name, &refused)) })
    }
}

/// Why a database cannot be reached, and what to do about it.
#[must_use]
pub fn told(name: &str, refused: &Refused) -> String {
    format!("{name}: {}\n    {}", refused.reason, refused.fix)
}

fn login_of(settings: &Settings, node: &Node, database: &Database, whose: &As) -> Option<Login> {
    match whose {
        As::Role(user, password) => Some(Login {
            address: node.address.clone(),
            tls: node.tls.clone(),
            database: database.on_server(&database.name).to_owned(),
            user: user.clone(),
            password: password.clone(),
        }),
        As::Howdah => {
            let own = settings.users.iter().find(|user| user.logs_in_alone())?;
            Some(Login::of(node, database, own))
        }
    }
}

async fn primary(logins: &[Login]) -> Result<Client, Refused> {
    let mut refused = None;
    let mut replica = None;
    for login in logins {
        match login::connect(login, LIMIT).await {
            Ok((client, _)) => {
                let row = client.query_one("SELECT pg_is_in_recovery()", &[]).await?;
                if !row.get::<_, bool>(0) {
                    return Ok(client);
                }
                replica.get_or_insert(client);
            }
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    replica.ok_or_else(|| {
        refused.unwrap_or_else(|| Refused {
            reason: "no node".to_owned(),
            fix: "[[cluster.node]]".to_owned(),
            unreachable: true,
        })
    })
}
