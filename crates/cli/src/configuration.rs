//! The arguments that choose a configuration, and loading it: the mistakes in it end the run with code 3. Its meaning is the library's.

use std::path::PathBuf;

use howdah::config::{Config, ConfigErrors, LoadOptions, Loaded};
use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::terminal;

/// Where the configuration comes from.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Sources {
    #[arg(
        long,
        short,
        value_name = "FILE",
        help = "Configuration file [default: $HOWDAH_CONFIG, ./howdah.toml, /etc/howdah/howdah.toml]"
    )]
    config: Option<PathBuf>,
    #[arg(
        long = "set",
        value_name = "KEY=VALUE",
        value_parser = pair,
        help = "Override a key, for example --set pool.max_size=10"
    )]
    overrides: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| "not KEY=VALUE, for example pool.max_size=10".to_owned())?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

impl Sources {
    /// With the process's environment and further overrides.
    pub(crate) fn options(&self, more: Vec<(String, String)>) -> LoadOptions {
        let text = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        LoadOptions {
            config_path: self.config.clone(),
            env: text.collect(),
            overrides: self.overrides.iter().cloned().chain(more).collect(),
        }
    }

    /// Loads it, or fails with all mistakes; as JSON on standard output when asked.
    pub(crate) fn load(&self, as_json: bool) -> Result<Loaded, Failure> {
        load(self.options(Vec::new()), as_json)
    }
}

/// Loads a configuration, or fails with all mistakes; as JSON on standard output when asked.
pub(crate) fn load(options: LoadOptions, as_json: bool) -> Result<Loaded, Failure> {
    Config::load(options).map_err(|errors| {
        if as_json && let Err(error) = terminal::json(&as_value(&errors)) {
            return error.into();
        }
        Failure::new(Exit::Configuration, errors)
    })
}

fn as_value(errors: &ConfigErrors) -> serde_json::Value {
    json!({ "schema": "howdah.config-errors/1", "errors": errors })
}

/// Where it was read, for people: `howdah.toml, DATABASE_URL`.
pub(crate) fn sources(loaded: &Loaded) -> String {
    let file = loaded.file.iter().map(|path| path.display().to_string());
    let all: Vec<_> = file.chain(loaded.variables.iter().cloned()).collect();
    if all.is_empty() { "command line".to_owned() } else { all.join(", ") }
}
