//! Which database advice is about, and how it is reached. Not what is asked there.
//!
//! Invariant: connections go directly to PostgreSQL, never through a pool.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use howdah::config::Config;
use howdah::ops::{Connect, Connecting};

use crate::configuration::{self, Sources};
use crate::exit::{Exit, Failure};
use crate::probe::{self, Login};

/// A login may take this long.
const LIMIT: Duration = Duration::from_secs(10);

/// Which database, as whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Reach {
    /// The database, in place of one of the configuration
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    url: Option<String>,
    #[command(flatten)]
    sources: Sources,
    /// A database of the configuration [default: the first with a name]
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    database: Option<String>,
}

impl Reach {
    fn config(&self) -> Result<Config, Failure> {
        let Some(url) = &self.url else { return Ok(self.sources.load(false)?.config) };
        // The address is read as that of `howdah up` is, and nothing else of a configuration counts.
        let mut options = self.sources.options(Vec::new());
        options.config_path = Some(PathBuf::from("/dev/null"));
        options.env.retain(|name, _| matches!(name.as_str(), "PGUSER" | "USER"));
        options.env.insert("DATABASE_URL".to_owned(), url.clone());
        Ok(configuration::load(options, false)?.config)
    }

    /// A way to connections.
    pub(super) fn connect(&self) -> Result<Connect, Failure> {
        let login = self.login()?;
        Ok(Arc::new(move || -> Connecting {
            let login = login.clone();
            Box::pin(async move {
                // Logging in is not for other threads, its result is.
                let here = tokio::runtime::Handle::current();
                let attempt = tokio::task::spawn_blocking(move || {
                    here.block_on(probe::connect(&login, LIMIT)).map(|(client, _)| client).map_err(
                        |refused| format!("{login}: {}\n    {}", refused.reason, refused.fix),
                    )
                });
                attempt.await.map_err(|error| error.to_string())?
            })
        }))
    }

    fn login(&self) -> Result<Login, Failure> {
        let config = self.config()?;
        let settings = config.settings(0);
        let mut databases = settings.databases.iter().filter(|database| match &self.database {
            Some(name) => database.name == *name,
            None => database.name != "*",
        });
        let usage = |text: &str| Failure::new(Exit::Usage, anyhow!("{text}"));
        let database = databases.next().ok_or_else(|| {
            usage("no database is named: --url postgres://user@host/database, or [[database]] in the configuration")
        })?;
        let node = settings
            .nodes
            .get(database.primary)
            .ok_or_else(|| usage("the database has no primary"))?;
        let user = settings
            .users
            .iter()
            .find(|user| user.logs_in_alone())
            .ok_or_else(|| usage("nobody is known who can log in without a client: --url"))?;
        Ok(Login::of(node, database, user))
    }
}
