//! Environment variables and overrides from the command line into the tree of sections. Not the process's environment: it is handed in,
//! so that nothing here is global.
//!
//! Invariant: of two variables for one key the general form (`HOWDAH__POOL__MAX_SIZE`) wins over the traditional one (`DB_POOL_MAX`),
//! and an override wins over both.

use std::collections::HashMap;
use std::time::Duration;

use super::database_url;
use super::document::{self, Given, Origin, Table, Written};
use super::duration;
use super::error::{ConfigError, Mistake, Notice};
use super::file::unknown_key;
use super::keys::{ROOT, Section, Shape};
use super::read::Findings;

/// Start of the general form.
const GENERAL: &str = "HOWDAH__";

/// Traditional variables, the key each sets, and whether it counts milliseconds.
const TRADITIONAL: [(&str, &str, bool); 5] = [
    ("REDIS_URL", "cache.redis.url", false),
    ("DB_POOL_MIN", "pool.min_size", false),
    ("DB_POOL_MAX", "pool.max_size", false),
    ("DB_POOL_IDLE_TIMEOUT", "pool.idle_timeout", true),
    ("DB_POOL_CONNECTION_TIMEOUT", "pool.checkout_timeout", true),
];

/// Traditional variables of features that this version does not have.
const LATER: [&str; 13] = [
    "CACHE_TTL",
    "CACHE_MAX_MEMORY",
    "CACHE_ENABLE_COMPRESSION",
    "CACHE_ENABLE_WARMING",
    "MONITORING_ENABLED",
    "SLOW_QUERY_THRESHOLD",
    "METRICS_RETENTION_DAYS",
    "PARTITIONING_ENABLED",
    "PARTITION_MAINTENANCE_SCHEDULE",
    "ALERT_POOL_USAGE",
    "ALERT_CACHE_HIT_RATE",
    "ALERT_QUERY_TIME",
    "ALERT_ERROR_RATE",
];

/// Applies the environment; returns the names of the variables that were used.
pub(crate) fn apply(
    root: &mut Table,
    environment: &HashMap<String, String>,
    findings: &mut Findings,
) -> Vec<String> {
    let mut used = database_url::apply(root, environment, findings);
    for (name, key, millis) in TRADITIONAL {
        if let Some(text) = set(environment, name) {
            used.push(name.to_owned());
            let origin = Origin::environment(name);
            match traditional(text, millis) {
                Some(text) => assign(root, key, &text, &origin, findings),
                None => findings.errors.push(
                    ConfigError::new(
                        Mistake::Value,
                        key,
                        origin,
                        "not a whole number of milliseconds",
                        format!("for example {name}=30000"),
                    )
                    .with_value(text),
                ),
            }
        }
    }
    let mut general: Vec<_> = environment
        .iter()
        .filter_map(|(name, text)| Some((name, name.strip_prefix(GENERAL)?, text)))
        .collect();
    general.sort();
    for (name, key, text) in general {
        used.push(name.clone());
        let key = key.to_lowercase().replace("__", ".");
        assign(root, &key, text, &Origin::environment(name), findings);
    }
    let later: Vec<_> = LATER.into_iter().filter(|name| set(environment, name).is_some()).collect();
    if !later.is_empty() {
        findings.notices.push(Notice {
            text: format!("this version does not use {}", later.join(", ")),
            origin: Origin::Default,
        });
    }
    used
}

/// Applies `key=value` pairs of the command line.
pub(crate) fn apply_overrides(
    root: &mut Table,
    overrides: &[(String, String)],
    findings: &mut Findings,
) {
    for (key, value) in overrides {
        let origin = Origin::Flag { key: key.clone() };
        assign(root, key, value, &origin, findings);
    }
}

/// The variable's value; an empty one counts as absent, as everywhere in the world of containers.
pub(crate) fn set<'a>(environment: &'a HashMap<String, String>, name: &str) -> Option<&'a str> {
    environment.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn traditional(text: &str, millis: bool) -> Option<String> {
    if !millis {
        return Some(text.to_owned());
    }
    let time = Duration::from_millis(text.parse().ok()?);
    Some(duration::format(time))
}

/// Sets the key of a dotted path: `pool.max_size`, `database.shop.pool.mode`.
fn assign(root: &mut Table, path: &str, text: &str, origin: &Origin, findings: &mut Findings) {
    let parts: Vec<&str> = path.split('.').collect();
    if let Err(error) = descend(root, "", &parts, text, origin) {
        findings.errors.push(*error);
    }
}

fn descend(
    table: &mut Table,
    path: &str,
    parts: &[&str],
    text: &str,
    origin: &Origin,
) -> Result<(), Box<ConfigError>> {
    let Some((first, rest)) = parts.split_first() else {
        return Err(Box::new(incomplete(path, table.section, origin)));
    };
    if let (Some(key), true) = (table.section.key(first), rest.is_empty()) {
        table.set(key.name, Given::text(text, origin.clone()));
        return Ok(());
    }
    let Some(section) = table.section.section(first) else {
        let value = Some(Written::Text(text.to_owned())).filter(|_| rest.is_empty());
        let error = unknown_key(table.section, path, first, value, origin.clone());
        return Err(Box::new(error));
    };
    match section.shape {
        Shape::One => {
            let path = document::path(path, section, None);
            let inner = table.single_mut(section, origin.clone());
            descend(inner, &path, rest, text, origin)
        }
        Shape::Named => {
            let Some((name, rest)) = rest.split_first() else {
                let path = document::path(path, section, None);
                return Err(Box::new(incomplete(&path, section, origin)));
            };
            if rest.is_empty() {
                let path = document::path(path, section, Some((0, Some(name))));
                return Err(Box::new(incomplete(&path, section, origin)));
            }
            let path = document::path(path, section, Some((0, Some(name))));
            // A key that does not exist must not make an entry.
            check(section, &path, rest, text, origin)?;
            let known = spelling(table.named(section.name), name, origin);
            let inner = table.named_mut(section, &known, origin);
            descend(inner, &path, rest, text, origin)
        }
    }
}

/// The name as an entry spells it: variables are upper case, so they do not tell `Shop` from `shop`.
fn spelling(entries: &[Table], name: &str, origin: &Origin) -> String {
    let loose = matches!(origin, Origin::Environment { .. });
    let known = entries.iter().filter_map(Table::name);
    let mut same = known.filter(|known| loose && known.to_lowercase() == name);
    same.next().unwrap_or_else(|| name.to_owned())
}

fn check(
    section: &'static Section,
    path: &str,
    parts: &[&str],
    text: &str,
    origin: &Origin,
) -> Result<(), Box<ConfigError>> {
    let mut scratch = Table::new(section, origin.clone());
    descend(&mut scratch, path, parts, text, origin)
}

fn incomplete(path: &str, section: &Section, origin: &Origin) -> ConfigError {
    let example = match section.shape {
        Shape::One => section.keys.first().map_or("", |key| key.name).to_owned(),
        Shape::Named => {
            let key = section.keys.last().map_or("", |key| key.name);
            if path.ends_with(section.name) { format!("NAME.{key}") } else { key.to_owned() }
        }
    };
    let whole = if std::ptr::eq(section, &ROOT) {
        "pool.max_size".to_owned()
    } else {
        format!("{path}.{example}")
    };
    ConfigError::new(
        Mistake::Shape,
        path,
        origin.clone(),
        "names a section, not a key",
        format!("for example {whole}=…"),
    )
}
