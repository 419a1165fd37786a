//! The configuration from the outside: what is accepted, what every mistake says, where values come from, what is never shown.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::time::Duration;

use howdah::config::{Config, ConfigError, Mistake};
use howdah_core::pool::{PoolConfig, PoolMode};
use howdah_proxy::settings::{Login, NodeAddress, Secret};

/// The least that is valid.
const LEAST: &str = "
[[cluster]]
[[cluster.node]]
host = \"127.0.0.1\"
[[user]]
name = \"app\"
password = \"s3cret\"
";

fn mistakes(text: &str) -> Vec<ConfigError> {
    Config::from_toml(text).expect_err(text).0
}

/// The mistake at a key of `LEAST` with `more` added.
#[track_caller]
fn one(more: &str) -> ConfigError {
    let mut errors = mistakes(&format!("{LEAST}{more}"));
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.remove(0)
}

#[test]
fn the_least_file_serves_every_database_of_its_only_node() {
    let settings = Config::from_toml(LEAST).unwrap().settings(7);
    assert_eq!(settings.revision, 7);
    assert_eq!(settings.listen.tcp, ["127.0.0.1:6432".parse().unwrap()]);
    assert_eq!(settings.databases[0].name, "*");
    assert_eq!(settings.databases[0].server_database, None);
    assert_eq!(settings.nodes[0].name, "127.0.0.1:5432");
    assert!(settings.workers >= 1);
    assert_eq!(settings.admin_users, ["app"]);
    let user = &settings.users[0];
    assert!(matches!(&user.login, Login::Scram(Secret::Plain(password)) if password == "s3cret"));
    assert_eq!(user.server.password.as_deref(), Some("s3cret"));
}

#[test]
fn the_pool_defaults_are_those_of_the_ledger() {
    let settings = Config::from_toml(LEAST).unwrap().settings(0);
    assert_eq!(settings.databases[0].pool, PoolConfig::default());
}

/// Every section and most keys.
const WHOLE: &str = r#"
[listen]
address = ["127.0.0.1", "::1"]
port = 7000
max_clients = 50
login_timeout = "5s"
client_idle_timeout = "1h"
workers = 3
[[cluster]]
name = "main"
[[cluster.node]]
name = "replica"
host = "10.0.0.2"
role = "replica"
[[cluster.node]]
name = "primary"
host = "/run/postgresql"
port = 5433
role = "primary"
max_servers = 90
[[database]]
name = "shop"
server_database = "shop_production"
pool_mode = "session"
max_servers = 40
[database.pool]
max_size = 5
query_timeout = "30s"
[[database]]
name = "*"
cluster = "main"
[[user]]
name = "app"
auth = "md5"
password = "md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
server_user = "app_rw"
server_password = "other"
pool_mode = "statement"
max_clients = 10
[[user]]
name = "dba"
auth = "password"
password = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy"
[pool]
max_size = 8
min_size = 2
idle_timeout = "90s"
[admin]
users = "dba"
"#;

#[test]
fn a_whole_file_arrives_in_the_settings() {
    let settings = Config::from_toml(WHOLE).unwrap().settings(0);
    assert_eq!(settings.listen.tcp.len(), 2);
    assert_eq!(settings.listen.tcp[1], "[::1]:7000".parse().unwrap());
    assert_eq!((settings.max_clients, settings.workers), (50, 3));
    assert_eq!(
        settings.client_idle_timeout,
        Some(Duration::from_secs(3600))
    );
    let primary = &settings.nodes[1];
    let socket = NodeAddress::Unix {
        directory: "/run/postgresql".into(),
        port: 5433,
    };
    assert_eq!((&primary.address, primary.max_servers), (&socket, Some(90)));
    let shop = &settings.databases[0];
    assert_eq!(shop.primary, 1, "the node whose role says so");
    assert_eq!(shop.server_database.as_deref(), Some("shop_production"));
    assert_eq!(
        (shop.pool.mode, shop.max_servers),
        (PoolMode::Session, Some(40))
    );
    assert_eq!(
        (shop.pool.max_size, shop.pool.min_size),
        (5, 2),
        "own, then [pool]"
    );
    assert_eq!(shop.pool.query_timeout, Some(Duration::from_secs(30)));
    assert_eq!(settings.databases[1].pool.max_size, 8);
    assert_eq!(
        settings.databases[1].pool.idle_timeout,
        Duration::from_secs(90)
    );
    let app = &settings.users[0];
    assert!(matches!(&app.login, Login::Md5(Secret::Md5(_))));
    assert_eq!(app.server.user.as_deref(), Some("app_rw"));
    assert_eq!(app.server.password.as_deref(), Some("other"));
    assert_eq!(
        (app.pool_mode, app.max_clients),
        (Some(PoolMode::Statement), Some(10))
    );
    let dba = &settings.users[1];
    assert!(matches!(
        &dba.login,
        Login::Password(Secret::ScramVerifier(_))
    ));
    assert_eq!(dba.server.password, None, "a stored password cannot log in");
    assert_eq!(settings.admin_users, ["dba"]);
}

#[test]
fn a_file_with_eight_mistakes_reports_all_eight_with_line_and_fix() {
    let errors = mistakes(
        r#"[listen]
prot = 6432
max_clients = 0
[[cluster]]
name = "main"
[[cluster.node]]
host = "127.0.0.1"
port = "many"
[[database]]
name = "shop"
cluster = "mian"
[[user]]
name = "app"
auth = "scram"
[pool]
min_size = 30
idle_timeout = 30
mode = "transactions"
[cache]
"#,
    );
    let found: Vec<_> = errors
        .iter()
        .map(|error| (error.origin.to_string(), error.key.as_str(), error.kind))
        .collect();
    let expected = [
        (2, "listen.prot", Mistake::UnknownKey),
        (3, "listen.max_clients", Mistake::Value),
        (8, "cluster.main.node[1].port", Mistake::Value),
        (11, "database.shop.cluster", Mistake::UnknownName),
        (14, "user.app.auth", Mistake::Value),
        (16, "pool.min_size", Mistake::Conflict),
        (17, "pool.idle_timeout", Mistake::Value),
        (18, "pool.mode", Mistake::Value),
        (19, "cache", Mistake::LaterKey),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(line, key, kind)| (format!("configuration:{line}"), *key, *kind))
        .collect();
    assert_eq!(found, expected);
    assert!(
        errors
            .iter()
            .all(|error| !error.reason.is_empty() && !error.fix.is_empty())
    );
    assert_eq!(errors[0].fix, "did you mean port?");
    assert_eq!(errors[3].fix, "did you mean \"main\"?");
    assert!(
        errors[7].fix.contains("did you mean \"transaction\"?"),
        "{}",
        errors[7].fix
    );
    let text = howdah::config::ConfigErrors(errors).to_string();
    assert!(
        text.starts_with("9 mistakes in the configuration"),
        "{text}"
    );
    assert!(text.contains(" 9. cache  (configuration:19)"), "{text}");
}

/// What is added to `LEAST`; kind, key, part of the reason, part of the fix.
const CASES: [(&str, Mistake, &str, &str, &str); 33] = [
    ("[pool\n", Mistake::Syntax, "", "not TOML", "quotes"),
    (
        "[pool]\nmax_sise = 3\n",
        Mistake::UnknownKey,
        "pool.max_sise",
        "no such key",
        "did you mean max_size?",
    ),
    (
        "[listen]\nmax_size = 3\n",
        Mistake::UnknownKey,
        "listen.max_size",
        "no such key",
        "did you mean",
    ),
    (
        "[listen]\nmin_size = 3\n",
        Mistake::UnknownKey,
        "listen.min_size",
        "no such key",
        "did you mean database.pool.min_size?",
    ),
    (
        "[colour]\n",
        Mistake::UnknownKey,
        "colour",
        "no such key",
        "keys of the file: listen",
    ),
    (
        "[pool]\nleak_threshold = \"1m\"\n",
        Mistake::LaterKey,
        "pool.leak_threshold",
        "not a key of this version",
        "remove",
    ),
    (
        "[[pool]]\nmax_size = 3\n",
        Mistake::Shape,
        "pool",
        "appears once",
        "[pool]",
    ),
    (
        "[database]\nname = \"a\"\n",
        Mistake::Shape,
        "database",
        "several times",
        "[[database]]",
    ),
    (
        "[listen]\nport = { a = 1 }\n",
        Mistake::Shape,
        "listen.port",
        "neither a value",
        "port =",
    ),
    (
        "[pool]\nmax_size = [\"1\"]\n",
        Mistake::Value,
        "pool.max_size",
        "not a list",
        "one",
    ),
    (
        "[pool]\nmax_size = 2.5\n",
        Mistake::Value,
        "pool.max_size",
        "not a whole number",
        "from 1 to",
    ),
    (
        "[pool]\nmax_size = -1\n",
        Mistake::Value,
        "pool.max_size",
        "out of range",
        "from 1 to",
    ),
    (
        "[pool]\nidle_timeout = \"off\"\n",
        Mistake::Value,
        "pool.idle_timeout",
        "cannot be off",
        "10m",
    ),
    (
        "[pool]\ncheckout_timeout = 0\n",
        Mistake::Value,
        "pool.checkout_timeout",
        "longer than nothing",
        "5s",
    ),
    (
        "[pool]\nquery_timeout = \"5 parsecs\"\n",
        Mistake::Value,
        "pool.query_timeout",
        "not a unit",
        "off",
    ),
    (
        "[listen]\naddress = \"localhost:6432\"\n",
        Mistake::Value,
        "listen.address",
        "not an IP address",
        "127.0.0.1",
    ),
    (
        "[listen]\naddress = \"off\"\n",
        Mistake::Missing,
        "listen.address",
        "nowhere to listen",
        "unix_socket",
    ),
    (
        "[listen]\nunix_socket = \"/nowhere/at/all\"\n",
        Mistake::Unreadable,
        "listen.unix_socket",
        "not a directory",
        "existing",
    ),
    (
        "[[database]]\ncluster = \"main\"\n",
        Mistake::Missing,
        "database[1].name",
        "without a name",
        "name =",
    ),
    (
        "[[database]]\nname = \"pgbouncer\"\n",
        Mistake::Conflict,
        "database.pgbouncer.name",
        "console",
        "server_database",
    ),
    (
        "[[database]]\nname = \"a\"\n[[database]]\nname = \"a\"\n",
        Mistake::Duplicate,
        "database.a",
        "is taken",
        "another name",
    ),
    (
        "[[database]]\nname = \"a\"\npool_mode = \"session\"\n[database.pool]\nmode = \"statement\"\n",
        Mistake::Conflict,
        "database.a.pool_mode",
        "contradicts",
        "keep one",
    ),
    (
        "[[database]]\nname = \"a\"\nmax_servers = 2\n[database.pool]\nmin_size = 3\n",
        Mistake::Conflict,
        "database.a.max_servers",
        "less than min_size",
        "3",
    ),
    (
        "[[user]]\nname = \"b\"\nauth = \"md5\"\n",
        Mistake::Missing,
        "user.b.auth",
        "without a password",
        "password_file",
    ),
    (
        "[[user]]\nname = \"b\"\npassword = \"x\"\npassword_env = \"Y\"\n",
        Mistake::Conflict,
        "user.b.password_env",
        "contradicts password",
        "keep one",
    ),
    (
        "[[user]]\nname = \"b\"\npassword_env = \"NOT_SET\"\n",
        Mistake::Unreadable,
        "user.b.password_env",
        "NOT_SET is not set",
        "set it",
    ),
    (
        "[[user]]\nname = \"b\"\npassword_file = \"/nowhere\"\n",
        Mistake::Unreadable,
        "user.b.password_file",
        "cannot be read",
        "file",
    ),
    (
        "[[user]]\nname = \"b\"\npassword_command = \"exit 3\"\n",
        Mistake::Unreadable,
        "user.b.password_command",
        "failed",
        "prints",
    ),
    (
        "[[user]]\nname = \"b\"\npassword_command = \"true\"\n",
        Mistake::Unreadable,
        "user.b.password_command",
        "empty password",
        "put one",
    ),
    (
        "[[user]]\nname = \"b\"\nauth = \"md5\"\npassword = \"SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy\"\n",
        Mistake::Conflict,
        "user.b.auth",
        "SCRAM-SHA-256",
        "scram-sha-256",
    ),
    (
        "[[user]]\nname = \"b\"\nauth = \"scram-sha-256\"\npassword = \"md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n",
        Mistake::Conflict,
        "user.b.auth",
        "of md5",
        "md5",
    ),
    (
        "[[user]]\nname = \"*\"\npassword = \"x\"\n",
        Mistake::Conflict,
        "user.*.name",
        "many users",
        "trust",
    ),
    (
        "[admin]\nusers = [\"ap\"]\n",
        Mistake::UnknownName,
        "admin.users",
        "no user is called ap",
        "did you mean \"app\"?",
    ),
];

#[test]
fn every_kind_of_mistake_says_what_and_what_instead() {
    for (more, kind, key, reason, fix) in CASES {
        let error = one(more);
        assert_eq!(
            (error.kind, error.key.as_str()),
            (kind, key),
            "{more}: {error}"
        );
        assert!(error.reason.contains(reason), "{more}: {error}");
        assert!(error.fix.contains(fix), "{more}: {error}");
    }
}

#[test]
fn a_line_that_is_not_toml_is_one_mistake_and_the_others_are_found_too() {
    let errors = mistakes("[pool]\nmax_size = none\nmin_size = \"few\"\n");
    let found: Vec<_> = errors
        .iter()
        .map(|error| (error.origin.to_string(), error.kind))
        .collect();
    let expected = [
        ("configuration:2", Mistake::Syntax),
        ("configuration:3", Mistake::Value),
    ];
    assert_eq!(
        found,
        expected.map(|(origin, kind)| (origin.to_owned(), kind))
    );
    assert!(
        errors[0]
            .to_string()
            .starts_with("max_size = none  (configuration:2)"),
        "{}",
        errors[0]
    );
}

#[test]
fn mistakes_about_clusters_are_named() {
    let user = "[[user]]\nname = \"app\"\npassword = \"x\"\n";
    for (text, kind, key, reason) in [
        ("", Mistake::Missing, "cluster", "no PostgreSQL"),
        (
            "[[cluster]]\nname = \"a\"\n",
            Mistake::Missing,
            "cluster.a.node",
            "without nodes",
        ),
        (
            "[[cluster]]\nname = \"a\"\n[[cluster.node]]\nport = 1\n",
            Mistake::Missing,
            "cluster.a.node[1].host",
            "without a host",
        ),
        (
            "[[cluster]]\nname = \"a\"\n[[cluster.node]]\nhost = \"postgres://x/y\"\n",
            Mistake::Value,
            "cluster.a.node[1].host",
            "a URL",
        ),
        (
            "[[cluster]]\nname = \"a\"\n[[cluster.node]]\nhost = \"x\"\nrole = \"replica\"\n",
            Mistake::Missing,
            "cluster.a.node",
            "without a primary",
        ),
        (
            "[[cluster]]\nname = \"a\"\n[[cluster.node]]\nhost = \"x\"\nrole = \"primary\"\n[[cluster.node]]\nhost = \"y\"\nrole = \"primary\"\n",
            Mistake::Conflict,
            "cluster.a.node",
            "several nodes",
        ),
        (
            "[[cluster]]\nname = \"a\"\n[[cluster.node]]\nhost = \"x\"\n[[cluster.node]]\nhost = \"x\"\n",
            Mistake::Duplicate,
            "cluster.a.node[2].host",
            "there already",
        ),
        (
            "[[cluster]]\nname = \"a\"\n[[cluster.node]]\nhost = \"x\"\n[[cluster]]\nname = \"b\"\n[[cluster.node]]\nhost = \"y\"\n",
            Mistake::Missing,
            "database.*.cluster",
            "several clusters",
        ),
        (
            "[[cluster]]\nname = \"a\"\n[[cluster.node]]\nhost = \"x\"\n[[cluster]]\nname = \"b\"\n[[cluster.node]]\nhost = \"y\"\n[[database]]\nname = \"d\"\n",
            Mistake::Missing,
            "database.d.cluster",
            "which?",
        ),
    ] {
        let errors = mistakes(&format!("{text}{user}"));
        assert_eq!(errors.len(), 1, "{text}: {errors:#?}");
        assert_eq!(
            (errors[0].kind, errors[0].key.as_str()),
            (kind, key),
            "{text}"
        );
        assert!(errors[0].reason.contains(reason), "{text}: {}", errors[0]);
    }
}

#[test]
fn a_file_without_users_says_how_to_add_one() {
    let errors = mistakes("[[cluster]]\n[[cluster.node]]\nhost = \"127.0.0.1\"\n");
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].kind, Mistake::Missing);
    assert!(errors[0].fix.contains("[[user]]"));
}

#[test]
fn trust_that_nobody_asked_for_does_not_listen_to_the_world() {
    let text = |listen: &str, auth: &str| {
        format!(
            "[listen]\naddress = \"{listen}\"\n[[cluster]]\n[[cluster.node]]\nhost = \"127.0.0.1\"\n[[user]]\nname = \"app\"\n{auth}"
        )
    };
    let errors = mistakes(&text("0.0.0.0", ""));
    assert_eq!(errors[0].kind, Mistake::Missing);
    assert_eq!(errors[0].key, "user.app.password");
    for (listen, auth) in [
        ("127.0.0.1", ""),
        ("::1", ""),
        ("0.0.0.0", "auth = \"trust\""),
    ] {
        let settings = Config::from_toml(&text(listen, auth)).unwrap().settings(0);
        assert!(matches!(settings.users[0].login, Login::Trust));
    }
}

#[test]
fn a_difference_names_old_new_and_whether_it_waits_for_a_restart() {
    let with = |more: &str| Config::from_toml(&format!("{LEAST}{more}")).unwrap();
    let old = with("[pool]\nmax_size = 5\nidle_timeout = \"60s\"\n[listen]\nport = 7000\n");
    let new = with(
        "[pool]\nmax_size = 6\nidle_timeout = \"1m\"\n[listen]\nport = 7001\n[[database]]\nname = \"d\"\n",
    );
    let changes = Config::diff(&old, &new);
    let found: Vec<_> = changes
        .iter()
        .map(|change| (change.to_string(), change.needs_restart))
        .collect();
    assert_eq!(
        found,
        [
            ("database.*.name: * → (none)".to_owned(), false),
            ("database.d.cluster: (none) → main".to_owned(), false),
            ("database.d.name: (none) → d".to_owned(), false),
            (
                "listen.port: 7000 → 7001  (needs a restart)".to_owned(),
                true
            ),
            ("pool.max_size: 5 → 6".to_owned(), false),
        ]
    );
    assert!(Config::diff(&old, &old).is_empty());
}

#[test]
fn a_changed_password_is_a_difference_that_shows_neither() {
    let with = |password: &str| Config::from_toml(&LEAST.replace("s3cret", password)).unwrap();
    let changes = Config::diff(&with("first-one"), &with("second-one"));
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].to_string(), "user.app.password: … → …");
}

#[test]
fn secrets_are_in_no_text_form() {
    let directory = std::env::temp_dir().join(format!("howdah-secret-{}", std::process::id()));
    std::fs::write(&directory, "from-file-s3cret\n").unwrap();
    let text = format!(
        "{LEAST}server_password = \"server-s3cret\"\n[[user]]\nname = \"f\"\npassword_file = \"{0}\"\n[[user]]\nname = \"c\"\npassword_command = \"printf from-$((40+2))-s3cret\"\n",
        directory.display()
    );
    let config = Config::from_toml(&text).unwrap();
    std::fs::remove_file(&directory).unwrap();
    let users = config.settings(0).users;
    assert_eq!(
        users[1].server.password.as_deref(),
        Some("from-file-s3cret")
    );
    assert_eq!(users[2].server.password.as_deref(), Some("from-42-s3cret"));
    let json = serde_json::to_string(config.entries()).unwrap();
    for shown in [
        format!("{config:?}"),
        format!("{:?}", config.settings(0)),
        json,
    ] {
        for secret in [
            "server-s3cret",
            "from-file-s3cret",
            "from-42-s3cret",
            "\"s3cret\"",
        ] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
    let broken = format!(
        "{LEAST}auth = \"nonsense\"\nserver_password = [\"list-s3cret\"]\npasword = \"misspelt-s3cret\"\nserver_pw = \"s3cret\"\n[user.pool]\n"
    );
    let errors = Config::from_toml(&broken).unwrap_err();
    for shown in [
        errors.to_string(),
        format!("{errors:?}"),
        serde_json::to_string(&errors).unwrap(),
    ] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
