//! What becomes of each key of `[pgbouncer]`: every key of PgBouncer 1.25, once. Not the sections with names of the user's own.
//!
//! Invariant: a key that is not here is reported as unknown, never passed over.

use std::collections::HashMap;

use super::ini::Line;
use super::write::{Tables, Value};
use super::{Account, NO_LIMIT, Verdict, has_key, seconds};

/// What becomes of a key.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// A number at this path.
    Number(&'static str),
    /// A time at this path; 0 is `off`.
    Time(&'static str),
    /// A time at this path that must be longer than 0; what 0 means in PgBouncer.
    Long(&'static str, &'static str),
    /// A text at this path.
    Text(&'static str),
    /// A comma-separated list at this path.
    List(&'static str),
    /// Read by the part that needs it, and accounted for here with this sentence.
    Elsewhere(Verdict, &'static str),
    /// Read and accounted for by the part that needs it.
    Later,
    /// `sslmode` of the servers.
    ServerTls,
    /// Versions of TLS; with only 1.3, this key is set, if there is one.
    Protocols(Option<&'static str>),
}

use Fate::{Elsewhere, Later, List, Long, Number, Protocols, ServerTls, Text, Time};
use Verdict::{Changed, Dropped, Needless, Taken};

const LOG: &str = "the log goes to standard error; the service manager keeps it";
const TCP: &str = "TCP keep-alive towards servers is always on";
const OWN: &str = "Howdah does this by itself";
const BUFFERS: &str = "buffers exist only while bytes are in flight";
const CIPHERS: &str =
    "only the safe suites of TLS 1.2 and 1.3 are spoken; see listen.tls_min_version";

/// Every key.
const KEYS: &[(&str, Fate)] = &[
    ("admin_users", List("admin.users")),
    (
        "application_name_add_host",
        Elsewhere(Dropped, "application_name stays the client's; SHOW CLIENTS has the address"),
    ),
    ("auth_dbname", Later),
    ("auth_file", Later),
    ("auth_hba_file", Later),
    ("auth_ident_file", Elsewhere(Dropped, "names are not mapped: list the users")),
    ("auth_ldap_options", Elsewhere(Dropped, "LDAP is not served: list the users with passwords")),
    ("auth_query", Later),
    ("auth_type", Later),
    ("auth_user", Later),
    ("autodb_idle_timeout", Elsewhere(Needless, "an unused pool costs nothing and goes by itself")),
    ("cancel_wait_timeout", Elsewhere(Needless, "a cancel request never waits in line")),
    ("client_idle_timeout", Time("listen.client_idle_timeout")),
    ("client_login_timeout", Long("listen.login_timeout", "no limit")),
    ("client_tls13_ciphers", Elsewhere(Needless, CIPHERS)),
    ("client_tls_ca_file", Text("listen.tls_ca")),
    ("client_tls_cert_file", Text("listen.tls_cert")),
    ("client_tls_ciphers", Elsewhere(Needless, CIPHERS)),
    ("client_tls_dheparams", Elsewhere(Needless, CIPHERS)),
    ("client_tls_ecdhcurve", Elsewhere(Needless, CIPHERS)),
    ("client_tls_key_file", Text("listen.tls_key")),
    ("client_tls_protocols", Protocols(Some("listen.tls_min_version"))),
    ("client_tls_sslmode", Text("listen.tls")),
    ("conffile", Elsewhere(Needless, "a reload reads the file of the start")),
    ("default_pool_size", Number("pool.max_size")),
    (
        "disable_pqexec",
        Elsewhere(
            Dropped,
            "several statements in one simple query cannot be forbidden by this key",
        ),
    ),
    ("dns_max_ttl", Elsewhere(Needless, "names are looked up by the system for each new server")),
    (
        "dns_nxdomain_ttl",
        Elsewhere(Needless, "names are looked up by the system for each new server"),
    ),
    (
        "dns_zone_check_period",
        Elsewhere(Needless, "names are looked up by the system for each new server"),
    ),
    ("idle_transaction_timeout", Time("pool.idle_in_transaction_timeout")),
    (
        "ignore_startup_parameters",
        Elsewhere(
            Needless,
            "every startup parameter is kept for the session, so none has to be ignored",
        ),
    ),
    ("job_name", Elsewhere(Needless, LOG)),
    ("listen_addr", Elsewhere(Taken, "listen.address")),
    ("listen_backlog", Elsewhere(Needless, "as long as the system allows")),
    ("listen_port", Number("listen.port")),
    (
        "log_connections",
        Elsewhere(Needless, "refused logins are logged, others at log.level = \"debug\""),
    ),
    (
        "log_disconnections",
        Elsewhere(Needless, "refused logins are logged, others at log.level = \"debug\""),
    ),
    (
        "log_pooler_errors",
        Elsewhere(Needless, "refused logins are logged, others at log.level = \"debug\""),
    ),
    ("log_stats", Elsewhere(Needless, "SHOW STATS and howdah status have the figures")),
    ("logfile", Elsewhere(Needless, LOG)),
    (
        "login_notify_message",
        Elsewhere(
            Dropped,
            "clients are not greeted: what tells a pooler apart is SHOW VERSION on the console",
        ),
    ),
    ("max_client_conn", Number("listen.max_clients")),
    ("max_db_client_connections", Elsewhere(Taken, "max_clients of each [[database]]")),
    ("max_db_connections", Elsewhere(Taken, "max_servers of each [[database]]")),
    ("max_packet_size", Elsewhere(Needless, "messages stream: their length needs no bound")),
    ("max_prepared_statements", Elsewhere(Taken, "pool.max_prepared")),
    ("max_user_client_connections", Elsewhere(Taken, "max_clients of each [[user]]")),
    ("max_user_connections", Elsewhere(Taken, "max_servers of each [[user]]")),
    ("min_pool_size", Number("pool.min_size")),
    (
        "peer_id",
        Elsewhere(
            Dropped,
            "one process serves all: workers share the port, and cancel requests find their worker",
        ),
    ),
    ("pidfile", Elsewhere(Needless, "the service manager knows the process")),
    ("pkt_buf", Elsewhere(Needless, BUFFERS)),
    (
        "pool_idle_timeout",
        Elsewhere(
            Needless,
            "an unused pool costs nothing, goes by itself, and leaves its counts behind",
        ),
    ),
    ("pool_mode", Text("pool.mode")),
    ("query_timeout", Time("pool.query_timeout")),
    ("query_wait_notify", Time("pool.wait_notice")),
    ("query_wait_timeout", Long("pool.checkout_timeout", "no limit")),
    ("reserve_pool_size", Number("pool.reserve_size")),
    ("reserve_pool_timeout", Time("pool.reserve_after")),
    ("resolv_conf", Elsewhere(Dropped, "names are looked up by the system")),
    ("sbuf_loopcnt", Elsewhere(Needless, BUFFERS)),
    (
        "scram_iterations",
        Elsewhere(Needless, "stored verifiers bring theirs; others use PostgreSQL's number"),
    ),
    ("server_check_delay", Time("pool.check_after_idle")),
    (
        "server_check_query",
        Elsewhere(Needless, "a server is asked for a sign of life with an empty query"),
    ),
    ("server_connect_timeout", Long("pool.connect_timeout", "no limit")),
    (
        "server_fast_close",
        Elsewhere(
            Needless,
            "sessions keep their server in session mode until they end, unless KILL ends them",
        ),
    ),
    ("server_idle_timeout", Long("pool.idle_timeout", "never")),
    ("server_lifetime", Long("pool.max_lifetime", "a server is used once")),
    (
        "server_login_retry",
        Elsewhere(
            Needless,
            "attempts that fail are repeated after a growing pause, from 100 ms to 10 s",
        ),
    ),
    (
        "server_reset_query",
        Elsewhere(
            Needless,
            "what a session leaves behind is known and cleaned, with DISCARD ALL where that is not certain",
        ),
    ),
    (
        "server_reset_query_always",
        Elsewhere(Needless, "what a session leaves behind is known and cleaned in every mode"),
    ),
    (
        "server_round_robin",
        Elsewhere(
            Dropped,
            "the server used last is used first: fewer stay warm, and surplus ones can be closed",
        ),
    ),
    ("server_tls13_ciphers", Elsewhere(Needless, CIPHERS)),
    ("server_tls_ca_file", Text("cluster.node.tls_ca")),
    ("server_tls_cert_file", Text("cluster.node.tls_cert")),
    ("server_tls_ciphers", Elsewhere(Needless, CIPHERS)),
    ("server_tls_key_file", Text("cluster.node.tls_key")),
    ("server_tls_protocols", Protocols(None)),
    ("server_tls_sslmode", ServerTls),
    ("service_name", Elsewhere(Needless, LOG)),
    (
        "so_reuseport",
        Elsewhere(
            Needless,
            "one process serves all, with listen.workers threads; howdah restart replaces it without a gap",
        ),
    ),
    ("stats_period", Elsewhere(Needless, OWN)),
    ("stats_users", List("admin.stats_users")),
    (
        "suspend_timeout",
        Elsewhere(Needless, "howdah restart replaces the process without suspending anybody"),
    ),
    ("syslog", Elsewhere(Needless, LOG)),
    ("syslog_facility", Elsewhere(Needless, LOG)),
    ("syslog_ident", Elsewhere(Needless, LOG)),
    ("tcp_defer_accept", Elsewhere(Needless, OWN)),
    ("tcp_keepalive", Elsewhere(Needless, TCP)),
    ("tcp_keepcnt", Elsewhere(Needless, TCP)),
    ("tcp_keepidle", Elsewhere(Needless, TCP)),
    ("tcp_keepintvl", Elsewhere(Needless, TCP)),
    ("tcp_socket_buffer", Elsewhere(Needless, TCP)),
    ("tcp_user_timeout", Elsewhere(Needless, TCP)),
    ("track_extra_parameters", Elsewhere(Needless, "every setting of a session is tracked")),
    ("transaction_timeout", Time("pool.transaction_timeout")),
    ("unix_socket_dir", Elsewhere(Taken, "listen.unix_socket")),
    (
        "unix_socket_group",
        Elsewhere(
            Dropped,
            "the socket is open to all who reach its directory: restrict the directory",
        ),
    ),
    (
        "unix_socket_mode",
        Elsewhere(
            Dropped,
            "the socket is open to all who reach its directory: restrict the directory",
        ),
    ),
    ("user", Elsewhere(Dropped, "start Howdah as the user it is to run as")),
    ("verbose", Elsewhere(Taken, "log.level")),
];

/// Values of `[pgbouncer]` by key; the last one counts.
#[derive(Debug, Default)]
pub(super) struct General<'a>(HashMap<&'a str, &'a Line>);

impl<'a> General<'a> {
    /// The value of a key that is not empty.
    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.line(key).map(|line| line.value.as_str()).filter(|value| !value.is_empty())
    }

    /// The line of a key.
    pub(super) fn line(&self, key: &str) -> Option<&'a Line> {
        self.0.get(key).copied()
    }

    /// A number that is not 0.
    pub(super) fn bound(&self, key: &str) -> Option<u64> {
        self.get(key)?.parse().ok().filter(|number| *number > 0)
    }
}

/// Reads `[pgbouncer]` and writes what stands for itself.
pub(super) fn read<'a>(
    lines: &'a [Line],
    tables: &mut Tables,
    account: &mut Account,
) -> General<'a> {
    // PgBouncer's defaults, where ours would make a difference to clients.
    tables.set("pool.mode", Value::Text("session".to_owned()));
    tables.set("pool.checkout_timeout", Value::Text("120s".to_owned()));
    tables.set("pool.connect_timeout", Value::Text("15s".to_owned()));
    let mut general = General::default();
    for line in lines.iter().filter(|line| line.section == "pgbouncer") {
        general.0.insert(&line.key, line);
        let known = KEYS.iter().find(|(key, _)| *key == line.key);
        match known {
            Some((_, fate)) => apply(*fate, line, tables, account),
            None => account.add(line, &line.key, Dropped, "not a key of PgBouncer 1.25"),
        }
    }
    for line in lines {
        if !matches!(line.section.as_str(), "pgbouncer" | "databases" | "users") {
            let why = "sections other than databases, users and pgbouncer are not taken over: one process serves all";
            account.add(line, format!("{}.{}", line.section, line.key), Dropped, why);
        }
    }
    listen(&general, tables, account);
    if general.get("client_tls_cert_file").is_some() && general.get("client_tls_sslmode").is_none()
    {
        tables.set("listen.tls", Value::Text("disable".to_owned()));
    }
    if let Some(level) = general.bound("verbose") {
        let level = if level > 1 { "trace" } else { "debug" };
        tables.set("log.level", Value::Text(level.to_owned()));
    }
    match general.get("max_prepared_statements").map(str::parse::<u64>) {
        Some(Ok(0)) | None => {}
        Some(Ok(number)) => tables.set("pool.max_prepared", Value::Number(number)),
        Some(Err(_)) => {}
    }
    let number =
        |key: &str, default| general.get(key).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (min, max): (u64, u64) = (number("min_pool_size", 0), number("default_pool_size", 20));
    if min > max
        && let Some(line) = general.line("min_pool_size")
    {
        tables.set("pool.min_size", Value::Number(max));
        account.add(line, "min_pool_size", Changed, "lowered to default_pool_size");
    }
    general
}

fn apply(fate: Fate, line: &Line, tables: &mut Tables, account: &mut Account) {
    let (path, value) = match fate {
        Elsewhere(verdict, text) => return account.add(line, &line.key, verdict, text),
        Later => return,
        ServerTls if line.value == "allow" => {
            tables.set(NODE_TLS, Value::Text("prefer".to_owned()));
            let text = "cluster.node.tls = \"prefer\": TLS with servers that speak it";
            return account.add(line, &line.key, Changed, text);
        }
        ServerTls => (NODE_TLS, Some(Value::Text(line.value.clone()))),
        Protocols(key) => return protocols(key, line, tables, account),
        Number(path) => (path, line.value.parse().ok().map(Value::Number)),
        Time(path) => {
            let zero = line.value.parse::<f64>().is_ok_and(|number| number == 0.0);
            let off = if path.ends_with("after") || path.ends_with("idle") { "0s" } else { "off" };
            let value = if zero { Some(off.to_owned()) } else { seconds(&line.value) };
            (path, value.map(Value::Text))
        }
        Long(path, meaning) if line.value.parse::<f64>().is_ok_and(|number| number == 0.0) => {
            tables.set(path, Value::Text(NO_LIMIT.to_owned()));
            let text = format!("0 means {meaning} there; {path} = {NO_LIMIT:?} here");
            return account.add(line, &line.key, Changed, text);
        }
        Long(path, _) => (path, seconds(&line.value).map(Value::Text)),
        Text(path) => {
            let given = Some(line.value.clone()).filter(|text| !text.is_empty());
            (path, given.map(Value::Text))
        }
        List(path) => (path, Some(Value::List(list(&line.value)))),
    };
    match value {
        None => account.add(line, &line.key, Dropped, "the value cannot be read"),
        Some(_) if !has_key(path) => {
            account.add(line, &line.key, Dropped, "has no equivalent in this version");
        }
        Some(Value::List(names)) if names.is_empty() => {
            account.add(line, &line.key, Needless, "it names nobody");
        }
        Some(value) => {
            tables.set(path, value);
            account.add(line, &line.key, Taken, path);
        }
    }
}

const NODE_TLS: &str = "cluster.node.tls";

/// Versions of TLS: 1.2 and 1.3 are spoken, or with clients 1.3 alone.
fn protocols(key: Option<&'static str>, line: &Line, tables: &mut Tables, account: &mut Account) {
    let names = list(&line.value);
    let is = |known: &[&str]| names.iter().all(|name| known.contains(&name.as_str()));
    match key {
        _ if is(&["secure", "tlsv1.2", "tlsv1.3"]) && !is(&["tlsv1.3"]) => {
            account.add(line, &line.key, Needless, "TLS 1.2 and 1.3 are spoken");
        }
        Some(path) if is(&["tlsv1.3"]) => {
            tables.set(path, Value::Text("1.3".to_owned()));
            account.add(line, &line.key, Taken, path);
        }
        _ => account.add(line, &line.key, Changed, "TLS 1.2 and 1.3 are spoken, and no other"),
    }
}

/// Names separated by commas.
pub(super) fn list(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn listen(general: &General<'_>, tables: &mut Tables, account: &mut Account) {
    let mut addresses = Vec::new();
    for name in general.get("listen_addr").map(list).unwrap_or_default() {
        match name.as_str() {
            "*" => addresses.push("::".to_owned()),
            "localhost" => addresses.push("127.0.0.1".to_owned()),
            other if other.parse::<std::net::IpAddr>().is_ok() => addresses.push(name),
            other => {
                if let Some(line) = general.line("listen_addr") {
                    let text = format!("{other} is a name: listen.address wants IP addresses");
                    account.add(line, "listen_addr", Dropped, text);
                }
            }
        }
    }
    if let Some(directory) = general.get("unix_socket_dir") {
        tables.set("listen.unix_socket", Value::Text(directory.to_owned()));
    }
    if addresses.is_empty() {
        // Without addresses PgBouncer listens on its Unix socket alone.
        addresses.push("off".to_owned());
        if general.get("unix_socket_dir").is_none() {
            tables.set("listen.unix_socket", Value::Text("/tmp".to_owned()));
        }
    }
    tables.set("listen.address", Value::List(addresses));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_names_each_key_once() {
        assert!(KEYS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
