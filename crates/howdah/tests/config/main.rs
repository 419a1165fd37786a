//! The configuration from the outside: what is accepted, what every mistake says, where values come from, what is never shown.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod cache_rules;
mod file;
mod import;
mod import_keys;
mod mistakes;
mod route;
mod rules;
mod shared;
mod sources;
mod url;

use std::collections::HashMap;

use howdah::config::{Config, ConfigError, ConfigErrors, LoadOptions, Loaded};

/// The least that is valid.
pub(crate) const LEAST: &str = "
[[cluster]]
[[cluster.node]]
host = \"127.0.0.1\"
[[user]]
name = \"app\"
password = \"s3cret\"
";

pub(crate) fn mistakes(text: &str) -> Vec<ConfigError> {
    Config::from_toml(text).expect_err(text).0
}

pub(crate) fn environment(variables: &[(&str, &str)]) -> HashMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn load(variables: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
    Config::load(LoadOptions { env: environment(variables), ..LoadOptions::default() })
}
