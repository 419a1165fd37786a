//! Which databases advice is about, how their primaries are reached, and where the journal is. Not what is done there.
//!
//! Invariant: connections go directly to PostgreSQL, never through a pool, and only to a server that is no replica.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use howdah::advice::{self, As, told};
use howdah::advisor::Recommendation;
use howdah::advisor::hygiene::Options;
use howdah::config::Config;
use howdah::config::settings::{Database, Settings};
use howdah::history::{Reader, now_ms};
use howdah::login::Refused;
use howdah::ops::apply::{Connect, Connecting, place_of};
use howdah::ops::journal::{Journal, Place};
use howdah::ops::{Counted, Limits, Look};

use crate::configuration::{self, Sources};
use crate::exit::{Exit, Failure};
use crate::terminal::Talk;

/// The search for indexes may take so long.
const SEARCH: Duration = Duration::from_secs(30);
/// Statements of so many seconds count.
const DAY: u64 = 86_400;

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
    door: advice::Door,
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
        let whose = match &self.user {
            Some(user) => As::Role(user.clone(), std::env::var("PGPASSWORD").ok()),
            None => As::Howdah,
        };
        let door = advice::Door::of(settings, database, &whose).ok_or_else(|| {
            let error = anyhow!("nobody is known who can log in without a client: --user ROLE");
            Failure::new(Exit::Usage, error)
        })?;
        let unreached = |refused: Refused| {
            Failure::new(Exit::Unreachable, anyhow!(told(&database.name, &refused)))
        };
        let client = door.primary().await.map_err(unreached)?;
        let place = place_of(&client).await.context("PostgreSQL does not tell who it is")?;
        Ok(Door { door, place })
    }

    /// What the file of the past knows of the statements of a database; `None`: there is no such file.
    fn remembered(&self, database: &str) -> Option<(Vec<Counted>, f64)> {
        let config = self.config().ok()?;
        let reader = Reader::open(&config.history()?.path).ok()?;
        let now = now_ms() / 1_000;
        let (first, _) = reader.reach().ok()??;
        let from = first.max(now.saturating_sub(DAY));
        let all = reader.statements(from, now).ok()?;
        let of = all.into_iter().filter(|one| one.database == database);
        let counted: Vec<Counted> = of
            .map(|one| Counted {
                calls: one.calls() as f64,
                time: one.time_us() as f64 / 1e6,
                rows: one.rows() as f64,
                fingerprint: one.fingerprint,
                sql: one.text,
            })
            .collect();
        let seconds = now.saturating_sub(from) as f64;
        Some((counted, seconds)).filter(|(all, _)| !all.is_empty())
    }

    /// Looks at a database as a whole, with what it was asked, as far as that is known.
    pub(crate) async fn look(&self, door: &Door, talk: Talk) -> Result<Look, Failure> {
        let remembered = self.remembered(door.door.name());
        let remembered = remembered.as_ref();
        door.look(remembered.map(|(all, seconds)| (all.as_slice(), *seconds)), talk).await
    }
}

impl Door {
    /// What the catalog alone shows.
    pub(crate) async fn findings(&self, talk: Talk) -> Result<Vec<Recommendation>, Failure> {
        Ok(self.look(Some((&[], 0.0)), talk).await?.found)
    }

    async fn look(
        &self,
        statements: Option<(&[Counted], f64)>,
        talk: Talk,
    ) -> Result<Look, Failure> {
        let how = (Options::default(), Limits { time: SEARCH, ..Limits::default() });
        let look = self.door.look(statements, how, |_| ()).await;
        let look = look.map_err(|why| Failure::new(Exit::Unreachable, anyhow!(why)))?;
        for missing in &look.missing {
            talk.warn("missing", missing);
        }
        Ok(look)
    }

    /// A way to connections for work on several threads.
    pub(crate) fn lanes(&self) -> howdah::ops::Connect {
        self.door.connections()
    }
}

impl Connect for Door {
    fn connect(&self) -> Connecting<'_> {
        self.door.connect()
    }
}

/// Beside the file of the past; else where programs of this user keep such things.
fn default_journal(config: &Config) -> Result<PathBuf, Failure> {
    if let Some(history) = config.history() {
        return Ok(history.path.with_file_name(advice::FILE));
    }
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")));
    let Some(state) = state else {
        let text = "nowhere to write down what is done: --journal FILE, or [history] path";
        return Err(Failure::new(Exit::Usage, anyhow!(text)));
    };
    let directory = state.join("howdah");
    make(&directory)?;
    Ok(directory.join(advice::FILE))
}

fn make(directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("{}: --journal FILE names another place", directory.display()))
}
