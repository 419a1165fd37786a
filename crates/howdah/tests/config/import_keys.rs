//! Every key of PgBouncer's documentation, one at a time: it changes the configuration, or it is said why not.
//!
//! The list is that of `doc/config.md` of PgBouncer's repository, 1.25 and what was added since.

use howdah::config::import::{Imported, Verdict};

use crate::import::Files;

use Verdict::{Changed, Dropped, Needless, Taken};

/// `[pgbouncer]`: key, a value that is not the default, what becomes of it.
const GENERAL: &[(&str, &str, Verdict)] = &[
    ("logfile", "/var/log/pgbouncer.log", Needless),
    ("pidfile", "/run/pgbouncer.pid", Needless),
    ("listen_addr", "127.0.0.1", Taken),
    ("listen_port", "6543", Taken),
    ("unix_socket_dir", "/run/pgbouncer", Taken),
    ("unix_socket_mode", "0700", Dropped),
    ("unix_socket_group", "app", Dropped),
    ("user", "postgres", Dropped),
    ("pool_mode", "transaction", Taken),
    ("max_client_conn", "77", Taken),
    ("default_pool_size", "7", Taken),
    ("min_pool_size", "2", Taken),
    ("reserve_pool_size", "2", Taken),
    ("reserve_pool_timeout", "3", Taken),
    ("max_db_connections", "9", Taken),
    ("max_db_client_connections", "9", Taken),
    ("max_user_connections", "9", Taken),
    ("max_user_client_connections", "9", Taken),
    ("server_round_robin", "1", Dropped),
    ("track_extra_parameters", "search_path", Needless),
    ("ignore_startup_parameters", "options", Needless),
    ("peer_id", "1", Dropped),
    ("disable_pqexec", "1", Dropped),
    ("application_name_add_host", "1", Dropped),
    ("conffile", "/etc/other.ini", Needless),
    ("service_name", "pooler", Needless),
    ("job_name", "pooler", Needless),
    ("stats_period", "30", Needless),
    ("max_prepared_statements", "55", Taken),
    ("scram_iterations", "8192", Needless),
    ("auth_type", "scram-sha-256", Taken),
    ("auth_hba_file", "hba.conf", Needless),
    ("auth_ident_file", "ident.conf", Dropped),
    ("auth_file", "userlist.txt", Taken),
    ("auth_user", "asker", Taken),
    ("auth_query", "SELECT 1, 2", Needless),
    ("auth_dbname", "users", Needless),
    ("auth_ldap_options", "ldapurl=x", Dropped),
    ("syslog", "1", Needless),
    ("syslog_ident", "x", Needless),
    ("syslog_facility", "auth", Needless),
    ("log_connections", "0", Needless),
    ("log_disconnections", "0", Needless),
    ("log_pooler_errors", "0", Needless),
    ("log_stats", "0", Needless),
    ("verbose", "1", Taken),
    ("admin_users", "app", Taken),
    ("stats_users", "app", Taken),
    ("server_reset_query", "DEALLOCATE ALL", Needless),
    ("server_reset_query_always", "1", Needless),
    ("server_check_delay", "9", Taken),
    ("server_check_query", "SELECT 1", Needless),
    ("server_fast_close", "1", Needless),
    ("server_lifetime", "99", Taken),
    ("server_idle_timeout", "99", Taken),
    ("server_connect_timeout", "9", Taken),
    ("server_login_retry", "9", Needless),
    ("client_login_timeout", "9", Taken),
    ("autodb_idle_timeout", "9", Needless),
    ("pool_idle_timeout", "9", Needless),
    ("dns_max_ttl", "9", Needless),
    ("dns_nxdomain_ttl", "9", Needless),
    ("dns_zone_check_period", "9", Needless),
    ("resolv_conf", "/etc/other.conf", Dropped),
    ("query_wait_notify", "9", Taken),
    ("login_notify_message", "hello", Dropped),
    ("client_tls_sslmode", "require", Taken),
    ("client_tls_key_file", "/etc/x.key", Taken),
    ("client_tls_cert_file", "/etc/x.crt", Taken),
    ("client_tls_ca_file", "/etc/ca.crt", Taken),
    ("client_tls_protocols", "tlsv1.3", Taken),
    ("client_tls_ciphers", "all", Needless),
    ("client_tls13_ciphers", "TLS_AES_128_GCM_SHA256", Needless),
    ("client_tls_ecdhcurve", "auto", Needless),
    ("client_tls_dheparams", "auto", Needless),
    ("server_tls_sslmode", "verify-full", Taken),
    ("server_tls_ca_file", "/etc/ca.crt", Taken),
    ("server_tls_key_file", "/etc/x.key", Taken),
    ("server_tls_cert_file", "/etc/x.crt", Taken),
    ("server_tls_protocols", "tlsv1.3", Changed),
    ("server_tls_ciphers", "all", Needless),
    ("server_tls13_ciphers", "TLS_AES_128_GCM_SHA256", Needless),
    ("query_timeout", "9", Taken),
    ("query_wait_timeout", "9", Taken),
    ("cancel_wait_timeout", "9", Needless),
    ("client_idle_timeout", "9", Taken),
    ("idle_transaction_timeout", "9", Taken),
    ("transaction_timeout", "9", Taken),
    ("suspend_timeout", "9", Needless),
    ("pkt_buf", "8192", Needless),
    ("max_packet_size", "1000", Needless),
    ("listen_backlog", "9", Needless),
    ("sbuf_loopcnt", "9", Needless),
    ("so_reuseport", "1", Needless),
    ("tcp_defer_accept", "0", Needless),
    ("tcp_socket_buffer", "9", Needless),
    ("tcp_keepalive", "0", Needless),
    ("tcp_keepcnt", "9", Needless),
    ("tcp_keepidle", "9", Needless),
    ("tcp_keepintvl", "9", Needless),
    ("tcp_user_timeout", "9", Needless),
];

/// `[databases]`: the same for keys of a connection string.
const DATABASE: &[(&str, &str, Verdict)] = &[
    ("dbname", "other", Taken),
    ("host", "10.0.0.9", Taken),
    ("port", "5555", Taken),
    ("user", "owner", Taken),
    ("auth_user", "asker", Taken),
    ("auth_query", "'SELECT 1, 2'", Needless),
    ("auth_dbname", "users", Needless),
    ("pool_size", "9", Taken),
    ("min_pool_size", "1", Taken),
    ("reserve_pool_size", "3", Taken),
    ("reserve_pool", "3", Taken),
    ("connect_query", "'SELECT 1'", Dropped),
    ("pool_mode", "statement", Taken),
    ("query_wait_timeout", "9", Taken),
    ("load_balance_hosts", "disable", Dropped),
    ("target_session_attrs", "primary", Dropped),
    ("max_db_connections", "9", Taken),
    ("max_db_client_connections", "9", Taken),
    ("server_lifetime", "99", Taken),
    ("client_encoding", "UTF8", Dropped),
    ("datestyle", "ISO", Dropped),
    ("timezone", "UTC", Dropped),
    ("application_name", "x", Dropped),
];

/// `[users]`.
const USER: &[(&str, &str, Verdict)] = &[
    ("pool_size", "9", Dropped),
    ("reserve_pool_size", "9", Dropped),
    ("pool_mode", "session", Taken),
    ("max_user_connections", "9", Taken),
    ("query_timeout", "9", Dropped),
    ("query_wait_timeout", "9", Dropped),
    ("idle_transaction_timeout", "9", Dropped),
    ("transaction_timeout", "9", Dropped),
    ("client_idle_timeout", "9", Dropped),
    ("max_user_client_connections", "9", Taken),
];

/// The configuration made of a database, a user and these lines of the three sections.
fn import(files: &Files, general: &str, database: &str, user: &str) -> Imported {
    let auth = if general.contains("auth_file") { "" } else { "auth_file = userlist.txt\n" };
    let users = if user.is_empty() { String::new() } else { format!("[users]\napp = {user}\n") };
    let ini = format!(
        "[pgbouncer]\nlogfile = x\n{auth}{general}\n[databases]\na = host=10.0.0.1 {database}\n{users}"
    );
    files.put("pgbouncer.ini", &ini);
    files.import()
}

fn files() -> Files {
    Files::new("keys", &[("userlist.txt", "\"app\" \"secret\"\n")])
}

/// Whether the line was accounted for as expected, and the result differs when it says so.
fn judge(key: &str, expected: Verdict, without: &Imported, with: &Imported) {
    let mine: Vec<_> = with.remarks.iter().filter(|one| one.key == key).collect();
    assert!(mine.iter().any(|one| one.verdict == expected), "{key}: {mine:?}");
    assert!(mine.iter().all(|one| !one.text.is_empty()), "{key}");
    assert_eq!(with.toml != without.toml, expected == Taken, "{key}:\n{}", with.toml);
    let unknown = mine.iter().find(|one| one.text.contains("not a key of"));
    assert!(unknown.is_none(), "{key}");
}

#[test]
fn every_general_key_is_mapped_or_reported() {
    let files = files();
    let plain = import(&files, "", "", "");
    // Without it nobody is listed.
    let bare = import(&files, ";auth_file", "", "");
    for (key, value, expected) in GENERAL {
        let without = if *key == "auth_file" { &bare } else { &plain };
        judge(key, *expected, without, &import(&files, &format!("{key} = {value}"), "", ""));
    }
}

#[test]
fn every_key_of_a_database_is_mapped_or_reported() {
    let files = files();
    let plain = import(&files, "", "", "");
    for (key, value, expected) in DATABASE {
        let with = import(&files, "", &format!("{key}={value}"), "");
        let whole = matches!(*expected, Taken) && !key.starts_with("auth");
        let name = if whole { "databases.a".to_owned() } else { format!("databases.a {key}") };
        judge(&name, *expected, &plain, &with);
    }
    // Its user's password belongs to it.
    let user = import(&files, "", "user=owner", "");
    let both = import(&files, "", "user=owner password=hidden", "");
    judge("databases.a", Taken, &user, &both);
}

#[test]
fn every_key_of_a_user_is_mapped_or_reported() {
    let files = files();
    for (key, value, expected) in USER {
        let with = import(&files, "", "", &format!("{key}={value}"));
        let plain = import(&files, "", "", "");
        if *expected == Taken {
            judge("users.app", *expected, &plain, &with);
        } else {
            let name = format!("users.app {key}");
            assert!(with.remarks.iter().any(|one| one.key == name && one.verdict == *expected));
        }
    }
}

#[test]
fn look_ups_are_taken_over_with_their_exceptions() {
    let files = files();
    let general = "auth_type = md5\nauth_user = asker\nauth_query = SELECT * FROM s.user_lookup($1)\nauth_dbname = a";
    let imported = import(
        &files,
        general,
        "dbname=real auth_query='SELECT 1, 2'\nb = host=h auth_user=other auth_query='SELECT 3'\nc = host=h",
        "",
    );
    assert!(imported.mistakes.is_none(), "{:?}\n{}", imported.mistakes, imported.toml);
    let settings = howdah::Config::from_toml(&imported.toml).expect("it has passed").settings(1);
    let query = |name: &str| settings.database(name).expect("a database").auth_query.clone();
    let a = query("a").expect("it looks up");
    assert_eq!((a.user.as_str(), a.query.as_str()), ("asker", "SELECT 1, 2"));
    assert_eq!(a.database.as_deref(), Some("real"), "the name on the server");
    assert!(query("b").is_none(), "as another role, which there cannot be");
    assert_eq!(query("c").expect("it looks up").query, "SELECT * FROM s.user_lookup($1)");
    let dropped: Vec<_> =
        imported.remarks.iter().filter(|one| one.verdict == Dropped).map(|one| &one.key).collect();
    assert_eq!(dropped, ["databases.b auth_user"]);
    let one = import(&files, "", "auth_user=asker\nb = host=h", "");
    let settings = howdah::Config::from_toml(&one.toml).expect("it passes").settings(1);
    assert!(settings.database("a").is_some_and(|one| one.auth_query.is_some()));
    assert!(settings.database("b").is_some_and(|one| one.auth_query.is_none()));
}

#[test]
fn rules_by_address_count_when_they_do_in_pgbouncer() {
    let rules =
        "local all all peer\nhostssl all app 10.0.0.0/8 scram-sha-256\nhost all all all reject\n";
    let ini = "[pgbouncer]\nauth_type = hba\nauth_hba_file = rules.conf\nauth_file = userlist.txt\nlisten_addr = *\n\
        client_tls_sslmode = allow\n[databases]\na = host=h\n";
    let users = "\"app\" \"secret\"\n";
    let files = [("pgbouncer.ini", ini), ("rules.conf", rules), ("userlist.txt", users)];
    let files = Files::new("rules", &files);
    let imported = files.import();
    let mistakes = imported.mistakes.expect("TLS without a certificate");
    assert_eq!(mistakes.0.len(), 1, "{mistakes}");
    let text = imported.toml.replace("tls = \"allow\"\n", "");
    let settings = howdah::Config::from_toml(&text).expect("nothing else is wrong").settings(1);
    assert_eq!(settings.auth.rules.map(|rules| rules.len()), Some(3));
}
