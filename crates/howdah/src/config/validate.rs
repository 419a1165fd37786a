//! From the merged tree to a [`Config`]: defaults, rules between keys. Clusters, databases and
//! users have files of their own.
//!
//! Invariant: a `Config` comes out only without a mistake, and then its settings satisfy what the data plane relies on.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use howdah_core::pool::{PoolConfig, PoolMode};
use howdah_proxy::settings::{
    Health, Listen, Login, Probe, ServerCredentials, Settings, TakeoverSocket, UnixListen, User,
};

use super::document::{self, Origin, Table};
use super::error::{ConfigError, Mistake, Notice};
use super::keys::{ADMIN, HEALTH, LISTEN, LOG, POOL};
use super::read::{Findings, Reader};
use super::{
    Config, Log, LogFormat, advice, alerts, auth, cache, clusters, console, databases, ha, history,
    route, rules, secret, statements, suggest, tls, users, web,
};

/// Most workers when nobody says a number: one moves tens of thousands of statements a second.
const WORKERS_AT_MOST: usize = 8;

/// Judges the tree. The configuration is of use only when `findings` has no mistakes afterwards.
pub(crate) fn config(
    root: &Table,
    environment: &HashMap<String, String>,
    findings: &mut Findings,
) -> Config {
    let mut reader = Reader::new(LISTEN.keys, root.single("listen"), "listen", findings);
    let listen = listen(&mut reader);
    let tls = tls::listen(&mut reader);
    let max_clients = reader.integer("max_clients").unwrap_or(usize::MAX);
    let login_timeout = reader.duration("login_timeout").unwrap_or(Duration::MAX);
    let client_idle_timeout = reader.limit("client_idle_timeout").flatten();
    let workers = workers(reader.integer("workers").unwrap_or(0));
    let mut reader = Reader::new(POOL.keys, root.single("pool"), "pool", findings);
    let pool = pool(&mut reader, PoolConfig::default());
    let reachable = listen.tcp.iter().any(|address| !address.ip().is_loopback());
    if reachable && !tls.as_ref().is_some_and(|tls| tls.is_required()) {
        warn_of_clear_text(root, findings);
    }
    let (nodes, clusters) = clusters::read(root, &listen, findings);
    let routes = route::routes(root, findings);
    let (kept, cache, cache_rules) = cache::answers(root, findings);
    let base = databases::Base { pool: &pool, wish: routes.wish, cache };
    let mut databases = databases::read(root, &clusters, &base, findings);
    let logins = auth::read(root, environment, findings);
    let looked_up = logins.looks_up();
    let around = users::Around {
        reachable,
        environment,
        userlist: &logins.userlist,
        auth: &logins.auth,
        looked_up,
    };
    let users = users::read(root, &around, findings);
    let auth = logins.finish(root, &users, &mut databases, findings);
    certificates(root, &users, findings);
    let (admin_users, stats_users) = administrators(root, &users, looked_up, findings);
    let (health, probe) = watching(root, &users, environment, findings);
    let statements = statements::read(root, findings);
    let (changes, shared_cache) = cache::changes(root, &users, environment, findings);
    let ha = ha::read(root, &users, environment, findings);
    let (rules, overrides) = (rules::read(root, findings), route::overrides(root, findings));
    let alerts = alerts::read(root, environment, findings);
    let (advice, log) = (advice::read(root, findings), log(root, findings));
    let web = web::read(root, environment, findings);
    let history = history::read(root, environment, findings);
    findings.entries.sort_by(|a, b| a.key.cmp(&b.key));
    Config {
        settings: Settings {
            revision: 0,
            listen,
            tls,
            workers,
            max_clients,
            login_timeout,
            client_idle_timeout,
            health,
            probe,
            changes,
            nodes,
            clusters,
            databases,
            users,
            auth,
            admin_users,
            stats_users,
            rules: Arc::new(rules),
            overrides: Arc::new(overrides),
            balance: routes.balance,
            slow_start: routes.slow_start,
            kept,
            cache_rules: Arc::new(cache_rules),
            shared_cache,
            server_statistics: statements.server_statistics,
            explain: statements.explain,
            counts_statements: statements.counted,
            shown: console::shown(&findings.entries),
        },
        ha,
        web,
        history,
        advice,
        alerts,
        log,
        entries: std::mem::take(&mut findings.entries),
    }
}

/// How nodes are watched, and as whom.
fn watching(
    root: &Table,
    users: &[User],
    environment: &HashMap<String, String>,
    findings: &mut Findings,
) -> (Health, Probe) {
    let mut reader = Reader::new(HEALTH.keys, root.single("health"), "health", findings);
    (health(&mut reader), probe(&mut reader, users, environment))
}

fn warn_of_clear_text(root: &Table, findings: &mut Findings) {
    let reader = Reader::new(LISTEN.keys, root.single("listen"), "listen", findings);
    let origin = reader.origin("address");
    let text = "listen.address can be reached from other machines, and traffic is not encrypted unless the client wants it: listen.tls = \"require\"";
    findings.notices.push(Notice { text: text.to_owned(), origin });
}

fn workers(asked: usize) -> usize {
    if asked > 0 {
        return asked;
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors / 2).clamp(1, WORKERS_AT_MOST)
}

fn listen(reader: &mut Reader<'_>) -> Listen {
    let port = reader.integer("port").unwrap_or(0);
    let mut tcp = Vec::new();
    for text in reader.list("address").unwrap_or_default() {
        let address = match text.as_str() {
            "off" => continue,
            "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            "*" => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            text => text.trim_matches(['[', ']']).parse().ok(),
        };
        match address {
            Some(address) => tcp.push(SocketAddr::new(address, port)),
            None => reader.fail(
                Mistake::Value,
                "address",
                format!("{text} is not an IP address (the port is a key of its own)"),
                "for example \"127.0.0.1\", \"0.0.0.0\", [\"10.0.0.5\", \"::1\"], or \"off\"",
            ),
        }
    }
    let directory = reader.text("unix_socket").filter(|text| text != "off");
    let unix: Vec<_> = directory
        .map(|directory| UnixListen { directory: directory.into(), port })
        .into_iter()
        .collect();
    if unix.iter().any(|unix| !unix.directory.is_dir()) {
        reader.fail(
            Mistake::Unreadable,
            "unix_socket",
            "not a directory",
            "an existing directory in which this user may make files",
        );
    }
    let clear = reader.findings().errors.is_empty();
    if tcp.is_empty() && unix.is_empty() && clear {
        let fix = "an address, or unix_socket = \"/run/howdah\"";
        reader.fail(Mistake::Missing, "address", "nowhere to listen", fix);
    }
    let takeover = match reader.text("takeover_socket").as_deref() {
        None => TakeoverSocket::Derived,
        Some("off") => TakeoverSocket::Off,
        Some(path) => TakeoverSocket::At(path.into()),
    };
    if matches!(&takeover, TakeoverSocket::At(path) if !path.is_absolute()) {
        reader.fail(
            Mistake::Value,
            "takeover_socket",
            "not a path from the root",
            "for example \"/run/howdah/takeover\", or \"off\"",
        );
    }
    Listen { tcp, unix, takeover }
}

/// The mode of a word of the table of keys.
pub(crate) fn mode(word: &str) -> PoolMode {
    match word {
        "session" => PoolMode::Session,
        "statement" => PoolMode::Statement,
        _ => PoolMode::Transaction,
    }
}

/// Whether this word of `share` lets reads share servers.
pub(crate) fn shares(word: &str) -> bool {
    word == "reads"
}

/// Reads a `[pool]` over the values of `base`.
pub(crate) fn pool(reader: &mut Reader<'_>, base: PoolConfig) -> PoolConfig {
    let pool = PoolConfig {
        mode: reader.word("mode").map_or(base.mode, mode),
        min_size: reader.integer("min_size").unwrap_or(base.min_size),
        max_size: reader.integer("max_size").unwrap_or(base.max_size),
        reserve_size: reader.integer("reserve_size").unwrap_or(base.reserve_size),
        reserve_after: reader.duration("reserve_after").unwrap_or(base.reserve_after),
        max_waiters: reader.integer("max_waiters").unwrap_or(base.max_waiters),
        checkout_timeout: reader.duration("checkout_timeout").unwrap_or(base.checkout_timeout),
        pause_timeout: reader.limit("pause_timeout").unwrap_or(base.pause_timeout),
        wait_notice: reader.limit("wait_notice").unwrap_or(base.wait_notice),
        connect_timeout: reader.duration("connect_timeout").unwrap_or(base.connect_timeout),
        query_timeout: reader.limit("query_timeout").unwrap_or(base.query_timeout),
        idle_timeout: reader.duration("idle_timeout").unwrap_or(base.idle_timeout),
        idle_in_transaction_timeout: reader
            .limit("idle_in_transaction_timeout")
            .unwrap_or(base.idle_in_transaction_timeout),
        transaction_timeout: reader
            .limit("transaction_timeout")
            .unwrap_or(base.transaction_timeout),
        leak_threshold: reader.limit("leak_threshold").unwrap_or(base.leak_threshold),
        slow_threshold: reader.limit("slow_threshold").unwrap_or(base.slow_threshold),
        max_lifetime: reader.duration("max_lifetime").unwrap_or(base.max_lifetime),
        check_after_idle: reader.duration("check_after_idle").unwrap_or(base.check_after_idle),
        max_opening: reader.integer("max_opening").unwrap_or(base.max_opening),
        dynamic: reader.switch("dynamic").unwrap_or(base.dynamic),
        max_prepared: reader.integer("max_prepared").unwrap_or(base.max_prepared),
        share: reader.word("share").map_or(base.share, shares),
    };
    let said = reader.is_given("min_size") || reader.is_given("max_size");
    if said && pool.min_size > pool.max_size {
        let (key, other) = if reader.is_given("min_size") {
            ("min_size", "max_size")
        } else {
            ("max_size", "min_size")
        };
        reader.fail(
            Mistake::Conflict,
            key,
            format!("min_size ({}) is more than max_size ({})", pool.min_size, pool.max_size),
            format!("change it or {other}"),
        );
    }
    pool
}

fn health(reader: &mut Reader<'_>) -> Health {
    let base = Health::default();
    Health {
        interval: reader.limit("interval").unwrap_or(base.interval),
        timeout: reader.duration("timeout").unwrap_or(base.timeout),
        failure_threshold: reader.integer("failure_threshold").unwrap_or(base.failure_threshold),
        breaker_open: reader.duration("breaker_open").unwrap_or(base.breaker_open),
        breaker_hold: reader.limit("breaker_hold").unwrap_or(base.breaker_hold),
    }
}

fn probe(reader: &mut Reader<'_>, users: &[User], environment: &HashMap<String, String>) -> Probe {
    let base = Probe::default();
    Probe {
        login: role(reader, "howdah_probe", users, environment),
        interval: reader.duration("probe_interval").unwrap_or(base.interval),
        database: reader.text("database"),
    }
}

/// The keys `user` and `password` of a section: as whom Howdah logs in on its own account. `example` is for the mistake.
pub(crate) fn role(
    reader: &mut Reader<'_>,
    example: &str,
    users: &[User],
    environment: &HashMap<String, String>,
) -> Option<ServerCredentials> {
    let user = reader.text("user");
    let password = secret::read(reader, "password", environment);
    let Some(user) = user else {
        if password.is_some() {
            let fix = format!("user = \"{example}\"");
            reader.fail(Mistake::Missing, "user", "a password, and nobody whose it is", fix);
        }
        return None;
    };
    let entry = users.iter().find(|known| known.name == user);
    let known = entry.map(|known| known.server.clone()).filter(|_| password.is_none());
    let mut login = known.unwrap_or_default();
    login.password = password.or(login.password);
    login.user.get_or_insert(user);
    Some(login)
}

/// Reports names that occur twice among sections of one kind.
pub(crate) fn unique(tables: &[Table], parent: &str, findings: &mut Findings) {
    let mut seen: BTreeMap<String, &Origin> = BTreeMap::new();
    for table in tables {
        let Some(name) = table.name() else { continue };
        let path = document::path(parent, table.section, Some((0, Some(&name))));
        if let Some(first) = seen.get(&name) {
            findings.errors.push(ConfigError::new(
                Mistake::Duplicate,
                path,
                table.origin.clone(),
                format!("the name {name:?} is taken ({first})"),
                "give it another name, or put the keys into one section",
            ));
        } else {
            seen.insert(name, &table.origin);
        }
    }
}

/// "Did you mean", or all there are.
pub(crate) fn named(name: &str, known: &[&str]) -> String {
    match suggest::nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("there are: {}", known.join(", ")),
    }
}

/// Who may change things on the console, and who may look.
fn administrators(
    root: &Table,
    users: &[User],
    looked_up: bool,
    findings: &mut Findings,
) -> (Vec<String>, Vec<String>) {
    let mut reader = Reader::new(ADMIN.keys, root.single("admin"), "admin", findings);
    let admins = admins(&mut reader, users, looked_up);
    let stats = if reader.is_given("stats_users") {
        listed(&mut reader, "stats_users", users, looked_up)
    } else {
        Vec::new()
    };
    (admins, stats)
}

fn admins(reader: &mut Reader<'_>, users: &[User], looked_up: bool) -> Vec<String> {
    if !reader.is_given("users") {
        // An entry for everybody is nobody's name.
        let only = match users {
            [only] if only.name != "*" => Some(only.name.clone()),
            _ => None,
        };
        reader.implied("users", only.clone().unwrap_or_default());
        return only.into_iter().collect();
    }
    listed(reader, "users", users, looked_up)
}

/// Names of users, each of whom there is, unless users are looked up.
fn listed(reader: &mut Reader<'_>, key: &str, users: &[User], looked_up: bool) -> Vec<String> {
    let names = reader.list(key).unwrap_or_default();
    let known: Vec<_> = users.iter().map(|user| user.name.as_str()).collect();
    for name in &names {
        if !looked_up && !known.contains(&name.as_str()) && !known.contains(&"*") {
            let fix = named(name, &known);
            let reason = format!("no user is called {name}");
            reader.fail(Mistake::UnknownName, key, reason, fix);
        }
    }
    names
}

fn log(root: &Table, findings: &mut Findings) -> Log {
    let mut reader = Reader::new(LOG.keys, root.single("log"), "log", findings);
    Log {
        level: reader.word("level").unwrap_or("info"),
        format: match reader.word("format") {
            Some("json") => LogFormat::Json,
            Some(_) | None => LogFormat::Text,
        },
    }
}

/// Reports users who are to log in with certificates that nothing checks.
fn certificates(root: &Table, users: &[User], findings: &mut Findings) {
    let named = |user: &&User| matches!(user.login, Login::Certificate(_));
    let Some(user) = users.iter().find(named) else { return };
    let mut reader = Reader::new(LISTEN.keys, root.single("listen"), "listen", findings);
    if !reader.is_given("tls_ca") || !reader.is_given("tls_cert") {
        let reason =
            format!("user {} logs in with a certificate, and nothing checks it", user.name);
        let fix =
            "tls_cert, tls_key, and tls_ca with the authority that signs clients' certificates";
        reader.fail(Mistake::Missing, "tls_ca", reason, fix);
    }
}
