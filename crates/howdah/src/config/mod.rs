//! The configuration: read from file, environment and command line, judged as a whole, then an immutable [`Config`]. Not the running
//! state, and not the data plane's own types, which [`Config::settings`] makes.
//!
//! Two stages: the sources become one tree of values as written (`file`, `environment`, `database_url` into `document`), then the
//! tree is judged (`validate`, `users`, `read`). Serde's own errors stop at the first mistake; this way one run lists all of them,
//! each with its place. The keys themselves are in one table, `keys`.
//!
//! Invariant: there is no `Config` with a mistake in it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

pub use howdah_proxy::settings;
use serde::Serialize;

mod advice;
mod alert_sinks;
mod alerts;
mod auth;
mod cache;
mod clusters;
mod console;
mod database_url;
mod databases;
mod document;
mod duration;
mod environment;
mod error;
mod example;
mod file;
mod ha;
mod hba;
mod history;
pub mod import;
mod keys;
mod read;
mod route;
mod rules;
mod secret;
mod statements;
mod suggest;
mod tls;
mod userlist;
mod users;
mod validate;
mod web;

pub use advice::Advice;
pub use document::Origin;
pub use duration::{format as format_duration, parse as parse_duration};
pub use error::{ConfigError, ConfigErrors, Mistake, Notice};
pub use example::example;
pub use ha::{Ha, NodeCommands};
pub use read::Entry;
pub use web::Web;

use document::Table;
use read::Findings;
use settings::{Cluster, Settings};

/// Where a file is looked for when none is named, the first that exists.
const SEARCH: [&str; 2] = ["howdah.toml", "/etc/howdah/howdah.toml"];
/// Variable that names the file.
const FILE_VARIABLE: &str = "HOWDAH_CONFIG";

/// A validated configuration. Cloning copies it; it never changes.
#[derive(Debug, Clone)]
pub struct Config {
    settings: Settings,
    ha: Ha,
    web: Option<Web>,
    history: Option<howdah_history::Options>,
    advice: Advice,
    alerts: howdah_alerts::Configuration,
    log: Log,
    entries: Vec<Entry>,
}

/// What is written to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'static str,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where to look for a configuration. Nothing is taken from the process itself: the caller hands in its environment.
#[derive(Clone, Default)]
pub struct LoadOptions {
    /// The file; `None`: `HOWDAH_CONFIG`, `./howdah.toml`, `/etc/howdah/howdah.toml`, the first that there is, or none.
    pub config_path: Option<PathBuf>,
    /// Environment variables.
    pub env: HashMap<String, String>,
    /// Keys and values that win over all other sources, such as `("pool.max_size", "10")`.
    pub overrides: Vec<(String, String)>,
}

impl std::fmt::Debug for LoadOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secrets.
        f.debug_struct("LoadOptions")
            .field("config_path", &self.config_path)
            .field("env", &self.env.keys())
            .field("overrides", &self.overrides.iter().map(|(key, _)| key).collect::<Vec<_>>())
            .finish()
    }
}

/// A configuration with what is worth saying about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Remarks that are no mistakes.
    pub notices: Vec<Notice>,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// The environment variables that were used.
    pub variables: Vec<String>,
}

/// One difference between two configurations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Path of the key.
    pub key: String,
    /// Before; `None`: it was not there. A secret is `…`.
    pub old: Option<String>,
    /// After; `None`: it is gone. A secret is `…`.
    pub new: Option<String>,
    /// It has no effect until a restart.
    pub needs_restart: bool,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (old, new) = (self.old.as_deref(), self.new.as_deref());
        let (old, new) = (old.unwrap_or("(none)"), new.unwrap_or("(none)"));
        write!(f, "{}: {old} → {new}", self.key)?;
        if self.needs_restart {
            f.write_str("  (needs a restart)")?;
        }
        Ok(())
    }
}

impl Config {
    /// Loads from all sources: overrides, then environment, then file, then defaults.
    ///
    /// Reads files and runs the commands of `password_command`, each for at most 10 seconds: call it outside of async code, or in
    /// `spawn_blocking`.
    ///
    /// # Errors
    /// Every mistake of every source at once.
    pub fn load(options: LoadOptions) -> Result<Loaded, ConfigErrors> {
        let named = options
            .config_path
            .clone()
            .or_else(|| environment::set(&options.env, FILE_VARIABLE).map(PathBuf::from));
        let file = named.or_else(|| {
            let found = SEARCH.iter().map(Path::new).find(|path| path.is_file());
            found.map(Path::to_owned)
        });
        let mut findings = Findings::default();
        let text = file.as_deref().and_then(|path| match std::fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) => {
                findings.errors.push(ConfigError::new(
                    Mistake::Unreadable,
                    "",
                    Origin::File { path: path.to_owned(), line: 0 },
                    format!("the file cannot be read: {error}"),
                    "name another with --config, or write one: howdah config init",
                ));
                None
            }
        });
        let source = text.as_deref().zip(file.as_deref());
        let mut loaded = Self::assemble(source, &options, findings)?;
        loaded.file = file;
        Ok(loaded)
    }

    /// Reads a configuration from the text of a file alone.
    ///
    /// # Errors
    /// Every mistake at once.
    pub fn from_toml(text: &str) -> Result<Self, ConfigErrors> {
        let source = Some((text, Path::new("configuration")));
        let loaded = Self::assemble(source, &LoadOptions::default(), Findings::default())?;
        Ok(loaded.config)
    }

    /// The smallest configuration: what `DATABASE_URL` alone gives.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn from_url(url: &str) -> Result<Self, ConfigErrors> {
        let options = LoadOptions {
            env: HashMap::from([("DATABASE_URL".to_owned(), url.to_owned())]),
            ..LoadOptions::default()
        };
        let loaded = Self::assemble(None, &options, Findings::default())?;
        Ok(loaded.config)
    }

    fn assemble(
        file: Option<(&str, &Path)>,
        options: &LoadOptions,
        mut findings: Findings,
    ) -> Result<Loaded, ConfigErrors> {
        let mut root = Table::new(&keys::ROOT, Origin::Default);
        if let Some((text, path)) = file {
            file::apply(&mut root, text, path, &mut findings.errors);
        }
        let variables = environment::apply(&mut root, &options.env, &mut findings);
        environment::apply_overrides(&mut root, &options.overrides, &mut findings);
        let unread = std::mem::take(&mut findings.errors);
        let config = validate::config(&root, &options.env, &mut findings);
        findings.errors.retain(|error| {
            !unread.iter().any(|cause| cause.explains(error) || cause.echoes_in(error))
        });
        findings.errors.extend(unread);
        if !findings.errors.is_empty() {
            findings.errors.sort_by(|a, b| a.origin.cmp(&b.origin));
            return Err(ConfigErrors(findings.errors));
        }
        Ok(Loaded { config, notices: findings.notices, file: None, variables })
    }

    /// What the data plane is told, as a snapshot with this revision.
    #[must_use]
    pub fn settings(&self, revision: u64) -> Settings {
        Settings { revision, ..self.settings.clone() }
    }

    /// Clusters with their primaries and replicas, as positions in the settings' nodes.
    #[must_use]
    pub fn clusters(&self) -> &[Cluster] {
        &self.settings.clusters
    }

    /// How the part of the primary is handed over.
    #[must_use]
    pub const fn ha(&self) -> &Ha {
        &self.ha
    }

    /// Where metrics and the dashboard are served, and to whom; `None`: nowhere.
    #[must_use]
    pub const fn web(&self) -> Option<&Web> {
        self.web.as_ref()
    }

    /// Where the past is remembered; `None`: nowhere.
    #[must_use]
    pub const fn history(&self) -> Option<&howdah_history::Options> {
        self.history.as_ref()
    }

    /// Whether it is looked for what would make the databases better. Without [`Self::history`] it is not.
    #[must_use]
    pub const fn advice(&self) -> &Advice {
        &self.advice
    }

    /// When somebody is told that something is wrong.
    #[must_use]
    pub const fn alerts(&self) -> &howdah_alerts::Configuration {
        &self.alerts
    }

    /// What is written to standard error.
    #[must_use]
    pub const fn log(&self) -> Log {
        self.log
    }

    /// Every effective value with its source, ordered by key.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What differs, ordered by key.
    #[must_use]
    pub fn diff(old: &Self, new: &Self) -> Vec<Change> {
        let by_key = |config: &'_ Self| -> BTreeMap<String, Entry> {
            let entries = config.entries.iter();
            entries.map(|entry| (entry.key.clone(), entry.clone())).collect()
        };
        let (old, new) = (by_key(old), by_key(new));
        let mut keys: Vec<_> = old.keys().chain(new.keys()).collect();
        keys.sort();
        keys.dedup();
        let mut changes = Vec::new();
        for key in keys {
            let (before, after) = (old.get(key), new.get(key));
            let same = before.map(|entry| (&entry.value, &entry.hidden))
                == after.map(|entry| (&entry.value, &entry.hidden));
            if !same {
                changes.push(Change {
                    key: key.clone(),
                    old: before.map(|entry| entry.value.clone()),
                    new: after.map(|entry| entry.value.clone()),
                    needs_restart: [before, after]
                        .iter()
                        .flatten()
                        .any(|entry| entry.needs_restart),
                });
            }
        }
        changes
    }
}
