//! `DATABASE_URL` and `DATABASE_READ_URLS`: what they say becomes a cluster, a database and a user of the tree. The grammar is that of
//! `tokio_postgres`; here are the parameters that Howdah treats in its own way, and the words for what is wrong.
//!
//! Invariant: a password of an URL gets into the tree and nowhere else.

use std::collections::HashMap;

use tokio_postgres::config::Host;

use super::document::{Given, Origin, Table};
use super::duration;
use super::environment::set;
use super::error::{ConfigError, Mistake, Notice};
use super::keys::{CLUSTER, DATABASE, NODE, POOL, USER};
use super::read::Findings;

/// Variable that names the primary.
const PRIMARY: &str = "DATABASE_URL";
/// Variable that names replicas, separated by commas.
const REPLICAS: &str = "DATABASE_READ_URLS";

/// Parameters that other libraries put into URLs and that mean nothing here.
const IGNORED: [&str; 14] = [
    "pgbouncer",
    "connection_limit",
    "pool_timeout",
    "socket_timeout",
    "statement_cache_size",
    "schema",
    "fallback_application_name",
    "client_encoding",
    "gssencmode",
    "sslcompression",
    "passfile",
    "application_name",
    "options",
    "pool_max_conns",
];

/// What an URL says, as far as Howdah uses it.
struct Target {
    host: String,
    port: u16,
    database: Option<String>,
    user: Option<String>,
    password: Option<String>,
    connect_timeout: Option<std::time::Duration>,
    /// Keys of the node about TLS, with their values.
    tls: Vec<(&'static str, String)>,
    ignored: Vec<String>,
}

/// What is wrong with an URL and what to write.
struct Refusal(Mistake, String, String);

fn refuse<T>(
    kind: Mistake,
    reason: impl Into<String>,
    fix: impl Into<String>,
) -> Result<T, Refusal> {
    Err(Refusal(kind, reason.into(), fix.into()))
}

const EXAMPLE: &str = "for example postgres://user:password@host:5432/database";

/// Applies both variables; returns the names of those that were used.
pub(crate) fn apply(
    root: &mut Table,
    environment: &HashMap<String, String>,
    findings: &mut Findings,
) -> Vec<String> {
    let mut used = Vec::new();
    // A file that describes a cluster `main` keeps it; the URL's is then another one.
    let cluster = if root.named("cluster").is_empty() { "main" } else { "url" };
    if let Some(url) = set(environment, PRIMARY) {
        used.push(PRIMARY.to_owned());
        let origin = Origin::environment(PRIMARY);
        match parse(url) {
            Ok(target) => primary(root, cluster, target, environment, &origin, findings),
            Err(refusal) => findings.errors.push(error(refusal, url, origin)),
        }
    }
    if let Some(urls) = set(environment, REPLICAS) {
        used.push(REPLICAS.to_owned());
        let origin = Origin::environment(REPLICAS);
        replicas(root, cluster, urls, &origin, findings);
    }
    used
}

fn replicas(root: &mut Table, cluster: &str, urls: &str, origin: &Origin, findings: &mut Findings) {
    let known: Vec<_> = root.named("cluster").iter().filter_map(Table::name).collect();
    let cluster = match known.as_slice() {
        [only] => only.clone(),
        _ => cluster.to_owned(),
    };
    if !known.contains(&cluster) && findings.errors.is_empty() {
        findings.errors.push(ConfigError::new(
            Mistake::Missing,
            REPLICAS,
            origin.clone(),
            "replicas without a primary",
            "set DATABASE_URL to the primary",
        ));
    }
    for url in split(urls) {
        match parse(&url) {
            Ok(target) => {
                let table = root.named_mut(&CLUSTER, &cluster, origin);
                node(table, &target, "replica", origin);
            }
            Err(refusal) => findings.errors.push(error(refusal, &url, origin.clone())),
        }
    }
}

fn primary(
    root: &mut Table,
    cluster: &str,
    target: Target,
    environment: &HashMap<String, String>,
    origin: &Origin,
    findings: &mut Findings,
) {
    let fallback = || set(environment, "PGUSER").or_else(|| set(environment, "USER"));
    let Some(user) = target.user.as_deref().or_else(fallback) else {
        findings.errors.push(ConfigError::new(
            Mistake::Missing,
            PRIMARY,
            origin.clone(),
            "names no user",
            EXAMPLE,
        ));
        return;
    };
    let user = user.to_owned();
    let database = target.database.clone().unwrap_or_else(|| user.clone());
    for parameter in &target.ignored {
        findings.notices.push(Notice {
            text: format!("the URL's parameter {parameter} has no effect; clients give their own"),
            origin: origin.clone(),
        });
    }
    node(root.named_mut(&CLUSTER, cluster, origin), &target, "primary", origin);
    let text = |text: &str| Given::text(text, origin.clone());
    let table = root.named_mut(&DATABASE, &database, origin);
    table.set("cluster", text(cluster));
    table.set("server_database", text(&database));
    if let Some(timeout) = target.connect_timeout {
        let pool = table.single_mut(&POOL, origin.clone());
        pool.set("connect_timeout", text(&duration::format(timeout)));
    }
    let table = root.named_mut(&USER, &user, origin);
    table.set("server_user", text(&user));
    if let Some(password) = &target.password {
        table.set("password", text(password));
        table.set("server_password", text(password));
    }
}

fn node(cluster: &mut Table, target: &Target, role: &str, origin: &Origin) {
    let text = |text: &str| Given::text(text, origin.clone());
    let mut node = Table::new(&NODE, origin.clone());
    node.set("host", text(&target.host));
    node.set("port", text(&target.port.to_string()));
    node.set("role", text(role));
    for (key, value) in &target.tls {
        node.set(key, text(value));
    }
    cluster.push(node);
}

fn error(Refusal(kind, reason, fix): Refusal, url: &str, origin: Origin) -> ConfigError {
    let key = match &origin {
        Origin::Environment { name } => name.clone(),
        Origin::Default | Origin::File { .. } | Origin::Flag { .. } => String::new(),
    };
    let error = ConfigError::new(kind, key, origin, reason, fix);
    match redacted(url) {
        Some(url) => error.with_value(url),
        None => error,
    }
}

/// The URL without its password; `None` when it is not certain where that is.
fn redacted(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let Some((credentials, rest)) = rest.rsplit_once('@') else {
        return Some(url.to_owned()).filter(|url| !url.contains("password"));
    };
    if rest.contains("password") {
        return None;
    }
    let user = credentials.split(':').next().unwrap_or_default();
    let hidden = if credentials.contains(':') { ":…" } else { "" };
    Some(format!("{scheme}://{user}{hidden}@{rest}"))
}

/// Splits at commas before a scheme: a comma may also stand between hosts of one URL.
fn split(urls: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for part in urls.split(',') {
        match found.last_mut() {
            Some(last) if !part.contains("://") => {
                last.push(',');
                last.push_str(part);
            }
            Some(_) | None => found.push(part.trim().to_owned()),
        }
    }
    found
}

fn parse(url: &str) -> Result<Target, Refusal> {
    let Stripped { plain, tls, ignored } = strip(url)?;
    let parsed: tokio_postgres::Config = match plain.parse() {
        Ok(parsed) => parsed,
        Err(error) => return refuse(Mistake::Value, explain(&error, url), EXAMPLE),
    };
    let mut hosts = parsed.get_hosts().iter();
    let host = match (hosts.next(), parsed.get_hostaddrs()) {
        (Some(Host::Tcp(host)), _) if host.contains('@') => {
            return refuse(
                Mistake::Value,
                "an @ inside the user or the password",
                "write it as %40",
            );
        }
        (Some(Host::Tcp(host)), _) => host.clone(),
        (Some(Host::Unix(path)), _) => path.display().to_string(),
        (None, [address, ..]) => address.to_string(),
        (None, []) => "127.0.0.1".to_owned(),
    };
    if hosts.next().is_some() {
        return refuse(
            Mistake::Unsupported,
            "several hosts in one URL",
            "name the primary in DATABASE_URL and the others in DATABASE_READ_URLS",
        );
    }
    let password = match parsed.get_password().map(<[u8]>::to_vec).map(String::from_utf8) {
        Some(Err(_)) => return refuse(Mistake::Value, "the password is not UTF-8", EXAMPLE),
        Some(Ok(password)) => Some(password).filter(|password| !password.is_empty()),
        None => None,
    };
    Ok(Target {
        host,
        port: parsed.get_ports().first().copied().unwrap_or(5432),
        database: parsed.get_dbname().map(str::to_owned),
        user: parsed.get_user().map(str::to_owned),
        password,
        connect_timeout: parsed.get_connect_timeout().copied(),
        tls,
        ignored,
    })
}

/// An URL without what `tokio_postgres` does not know.
struct Stripped {
    plain: String,
    tls: Vec<(&'static str, String)>,
    ignored: Vec<String>,
}

/// A parameter about TLS as a key of the node and its value; `None`: it is about something else.
fn tls_key(name: &str, value: &str) -> Result<Option<(&'static str, String)>, Refusal> {
    let value = decoded(value.trim_matches('\''));
    let key = match name {
        "sslmode" => "tls",
        "sslrootcert" => "tls_ca",
        "sslcert" => "tls_cert",
        "sslkey" => "tls_key",
        _ => return Ok(None),
    };
    match (name, value.as_str()) {
        // In clear if the server wants that, else with TLS: nobody is the worse for TLS first.
        ("sslmode", "allow") => Ok(Some((key, "prefer".to_owned()))),
        ("sslmode", "disable" | "prefer" | "require" | "verify-ca" | "verify-full") => {
            Ok(Some((key, value)))
        }
        ("sslmode", other) => refuse(
            Mistake::Value,
            format!("sslmode={other} is not a mode"),
            "disable, prefer, require, verify-ca or verify-full",
        ),
        _ => Ok(Some((key, value))),
    }
}

/// A value of an URL without its percent signs; what is no such thing stays.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| byte == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Takes out the parameters that `tokio_postgres` does not know, and judges them.
fn strip(url: &str) -> Result<Stripped, Refusal> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return match url.split_once("://") {
            Some((scheme, _)) => {
                refuse(Mistake::Value, format!("{scheme}:// is not a PostgreSQL URL"), EXAMPLE)
            }
            None if url.contains('=') => strip_words(url),
            None => refuse(Mistake::Value, "not a PostgreSQL URL", EXAMPLE),
        };
    }
    let (before, credentials) = match url.rsplit_once('@') {
        Some((before, rest)) => (rest, Some(before)),
        None => (url, None),
    };
    let mut found = Stripped { plain: url.to_owned(), tls: Vec::new(), ignored: Vec::new() };
    let Some((base, query)) = before.split_once('?') else {
        return Ok(found);
    };
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let Some(key) = tls_key(name, value)? {
            found.tls.push(key);
        } else if IGNORED.contains(&name) {
            found.ignored.push(name.to_owned());
        } else {
            kept.push(pair);
        }
    }
    let head = credentials.map_or_else(|| base.to_owned(), |head| format!("{head}@{base}"));
    found.plain = if kept.is_empty() { head } else { format!("{head}?{}", kept.join("&")) };
    Ok(found)
}

/// The same for the form `host=… user=…`.
fn strip_words(text: &str) -> Result<Stripped, Refusal> {
    let mut found = Stripped { plain: text.to_owned(), tls: Vec::new(), ignored: Vec::new() };
    for word in text.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        if let Some(key) = tls_key(name, value)? {
            found.tls.push(key);
            found.plain = found.plain.replacen(word, "", 1);
        }
    }
    Ok(found)
}

/// The parser's complaint in our words, without the URL.
fn explain(error: &tokio_postgres::Error, url: &str) -> String {
    let cause =
        std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    if cause.contains("`port`") {
        let hint = match url.rsplit_once("://").map(|(_, rest)| rest.contains('@')) {
            Some(false) => "the port is not a number; or an @ is missing before the host",
            Some(true) | None => "the port is not a number from 1 to 65535",
        };
        return hint.to_owned();
    }
    cause.replace('`', "")
}
