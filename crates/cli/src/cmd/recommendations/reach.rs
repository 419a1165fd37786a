//! Which databases advice is about, how their primaries are reached, and where the journal is. Not what is done there.
//!
//! Invariant: connections go directly to PostgreSQL, never through a pool, and only to a server that is no replica.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use howdah::advisor::{Kind, Recommendation};
use howdah::config::Config;
use howdah::config::settings::{Database, Node, Settings};
use howdah::ops::apply::{Connect, Connecting, place_of};
use howdah::ops::journal::{Journal, Place};
use tokio_postgres::Client;

use crate::configuration::{self, Sources};
use crate::exit::{Exit, Failure};
use crate::probe::{self, Login, Refused};
use crate::terminal::Talk;

/// A login may take this long.
const LIMIT: Duration = Duration::from_secs(10);
/// The journal's name beside the file of the past.
const FILE: &str = "advice.db";

/// Which databases, as whom, and where the journal is.
#[derive(Debug, clap::Args)]
pub(crate) struct Reach {
    /// A database, in place of those of the configuration
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    url: Option<String>,
    #[command(flatten)]
    sources: Sources,
    /// Only this database of the configuration
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    database: Option<String>,
    /// Role that looks at the databases and changes them; its password is in PGPASSWORD [default: the first user who can log in without a
    /// client]
    #[arg(long, value_name = "ROLE", conflicts_with = "url")]
    user: Option<String>,
    /// Where what was done is written down [default: advice.db beside history.path, else in the state directory of the user]
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

/// A database that can be reached.
pub(crate) struct Door {
    /// The nodes that may be its primary, the likeliest first.
    logins: Vec<Login>,
    /// Which database it is.
    pub(crate) place: Place,
}

impl Reach {
    fn config(&self) -> Result<Config, Failure> {
        let Some(url) = &self.url else { return Ok(self.sources.load(false)?.config) };
        let mut options = self.sources.options(Vec::new());
        options.config_path = Some(PathBuf::from("/dev/null"));
        options.env.retain(|name, _| matches!(name.as_str(), "PGUSER" | "USER"));
        options.env.insert("DATABASE_URL".to_owned(), url.clone());
        Ok(configuration::load(options, false)?.config)
    }

    /// Opens the journal, and makes it if need be.
    pub(crate) fn journal(&self) -> Result<Journal, Failure> {
        let path = match (&self.journal, self.config()) {
            (Some(path), _) => path.clone(),
            (None, Ok(config)) => default_journal(&config)?,
            (None, Err(failure)) => return Err(failure),
        };
        Journal::open(&path)
            .with_context(|| "nothing can be written down, so nothing is done\n    --journal FILE names another file")
            .map_err(Into::into)
    }

    /// Logs in to every database.
    pub(crate) async fn doors(&self) -> Result<Vec<Door>, Failure> {
        let config = self.config()?;
        let settings = config.settings(0);
        let named = |database: &&Database| match &self.database {
            Some(name) => database.name == *name,
            None => database.name != "*",
        };
        let mut doors = Vec::new();
        for database in settings.databases.iter().filter(named) {
            doors.push(self.open(&settings, database).await?);
        }
        if doors.is_empty() {
            let text = "no database is named: [[database]] with a name in the configuration, or --url postgres://user@host/database";
            return Err(Failure::new(Exit::Configuration, anyhow!(text)));
        }
        Ok(doors)
    }

    /// Logs in to the one database that is meant.
    pub(crate) async fn door(&self) -> Result<Door, Failure> {
        let mut doors = self.doors().await?;
        match (doors.pop(), doors.is_empty()) {
            (Some(door), true) => Ok(door),
            _ => {
                let text = "several databases are named: --database NAME";
                Err(Failure::new(Exit::Usage, anyhow!(text)))
            }
        }
    }

    async fn open(&self, settings: &Settings, database: &Database) -> Result<Door, Failure> {
        let mut nodes = vec![database.primary];
        let cluster = settings.clusters.iter().find(|it| it.nodes.contains(&database.primary));
        nodes.extend(
            cluster.iter().flat_map(|it| it.nodes.clone()).filter(|at| *at != database.primary),
        );
        let nodes = nodes.into_iter().filter_map(|at| settings.nodes.get(at));
        let logins: Vec<Login> =
            nodes.map(|node| self.login(settings, node, database)).collect::<Result<_, _>>()?;
        let unreached = |refused: Refused| {
            Failure::new(Exit::Unreachable, anyhow!(told(&database.name, &refused)))
        };
        let client = primary(&logins).await.map_err(unreached)?;
        let place = place_of(&client).await.context("PostgreSQL does not tell who it is")?;
        Ok(Door { logins, place })
    }

    fn login(
        &self,
        settings: &Settings,
        node: &Node,
        database: &Database,
    ) -> Result<Login, Failure> {
        let own = settings.users.iter().find(|user| user.logs_in_alone());
        match (&self.user, own) {
            (Some(user), _) => Ok(Login {
                address: node.address.clone(),
                tls: node.tls.clone(),
                database: database.on_server(&database.name).to_owned(),
                user: user.clone(),
                password: std::env::var("PGPASSWORD").ok(),
            }),
            (None, Some(user)) => Ok(Login::of(node, database, user)),
            (None, None) => {
                let error = anyhow!("nobody is known who can log in without a client: --user ROLE");
                Err(Failure::new(Exit::Usage, error))
            }
        }
    }
}

impl Door {
    /// Connections to the other nodes that answer and are replicas.
    async fn replicas(&self) -> Vec<Client> {
        let mut found = Vec::new();
        for login in &self.logins {
            let Ok((client, _)) = probe::connect(login, LIMIT).await else { continue };
            let row = client.query_one("SELECT pg_is_in_recovery()", &[]).await;
            if row.is_ok_and(|row| row.get::<_, bool>(0)) {
                found.push(client);
            }
        }
        found
    }
}

/// Logs in to the first node that is a primary; if there is none, to the first that answers, which will say what it is.
async fn primary(logins: &[Login]) -> Result<Client, Refused> {
    let mut refused = None;
    let mut replica = None;
    for login in logins {
        match probe::connect(login, LIMIT).await {
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

impl Door {
    /// Looks at the database now.
    pub(crate) async fn findings(&self, talk: Talk) -> Result<Vec<Recommendation>, Failure> {
        let primary = self.connect().await;
        let primary = primary.map_err(|why| Failure::new(Exit::Unreachable, anyhow!(why)))?;
        let replicas = self.replicas().await;
        let complete = self.are_all(&primary, replicas.len()).await;
        let found = howdah::ops::findings(&primary, &replicas).await;
        let mut found = found.map_err(|error| Failure::new(Exit::Failed, anyhow!(error)))?;
        if !complete {
            // Somebody whom we cannot ask may use it.
            found.retain(|one| one.kind != Kind::DropUnusedIndex);
            talk.warn("replicas", "not all of them can be asked: no index is called unused");
        }
        Ok(found)
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

impl Door {
    /// A way to connections for work on several threads.
    pub(crate) fn lanes(&self) -> howdah::ops::Connect {
        let door = (self.logins.clone(), self.place.name.clone());
        Arc::new(move || -> howdah::ops::Connecting {
            let (logins, name) = door.clone();
            Box::pin(async move {
                // Logging in is not for other threads, its result is.
                let here = tokio::runtime::Handle::current();
                let attempt = tokio::task::spawn_blocking(move || {
                    here.block_on(primary(&logins)).map_err(|refused| told(&name, &refused))
                });
                attempt.await.map_err(|error| error.to_string())?
            })
        })
    }
}

impl Connect for Door {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async {
            primary(&self.logins).await.map_err(|refused| told(&self.place.name, &refused))
        })
    }
}

/// Why a database cannot be reached, and what to do about it.
fn told(name: &str, refused: &Refused) -> String {
    format!("{name}: {}\n    {}", refused.reason, refused.fix)
}

/// Beside the file of the past; else where programs of this user keep such things.
fn default_journal(config: &Config) -> Result<PathBuf, Failure> {
    if let Some(history) = config.history() {
        return Ok(history.path.with_file_name(FILE));
    }
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
    let Some(state) = state else {
        let text = "nowhere to write down what is done: --journal FILE, or [history] path";
        return Err(Failure::new(Exit::Usage, anyhow!(text)));
    };
    let directory = state.join("howdah");
    make(&directory)?;
    Ok(directory.join(FILE))
}

fn make(directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("{}: --journal FILE names another place", directory.display()))
}
