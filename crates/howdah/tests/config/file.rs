//! What a file says arrives in the settings; differences between two files; secrets stay out of sight.

use std::time::Duration;

use howdah::config::{Config, Mistake};
use howdah_core::pool::{PoolConfig, PoolMode};
use howdah_proxy::settings::{Login, NodeAddress, Secret};

use crate::{LEAST, mistakes};

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
share = "reads"
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
share = "off"
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
    assert_eq!(settings.client_idle_timeout, Some(Duration::from_secs(3600)));
    let primary = &settings.nodes[1];
    let socket = NodeAddress::Unix { directory: "/run/postgresql".into(), port: 5433 };
    assert_eq!((&primary.address, primary.max_servers), (&socket, Some(90)));
    let shop = &settings.databases[0];
    assert_eq!(shop.primary, 1, "the node whose role says so");
    assert_eq!(shop.server_database.as_deref(), Some("shop_production"));
    assert_eq!((shop.pool.mode, shop.max_servers), (PoolMode::Session, Some(40)));
    assert_eq!((shop.pool.max_size, shop.pool.min_size), (5, 2), "own, then [pool]");
    assert_eq!(shop.pool.query_timeout, Some(Duration::from_secs(30)));
    assert_eq!(settings.databases[1].pool.max_size, 8);
    assert_eq!(settings.databases[1].pool.idle_timeout, Duration::from_secs(90));
    let app = &settings.users[0];
    assert!(matches!(&app.login, Login::Md5(Secret::Md5(_))));
    assert_eq!(app.server.user.as_deref(), Some("app_rw"));
    assert_eq!(app.server.password.as_deref(), Some("other"));
    assert_eq!((app.pool_mode, app.max_clients), (Some(PoolMode::Statement), Some(10)));
    assert!(shop.pool.share);
    assert_eq!((app.share, settings.users[1].share), (Some(false), None));
    let dba = &settings.users[1];
    assert!(matches!(&dba.login, Login::Password(Secret::ScramVerifier(_))));
    assert_eq!(dba.server.password, None, "a stored password cannot log in");
    assert_eq!(settings.admin_users, ["dba"]);
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
    for (listen, auth) in [("127.0.0.1", ""), ("::1", ""), ("0.0.0.0", "auth = \"trust\"")] {
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
    let found: Vec<_> =
        changes.iter().map(|change| (change.to_string(), change.needs_restart)).collect();
    assert_eq!(
        found,
        [
            ("database.*.name: * → (none)".to_owned(), false),
            ("database.d.cluster: (none) → main".to_owned(), false),
            ("database.d.name: (none) → d".to_owned(), false),
            ("listen.port: 7000 → 7001  (needs a restart)".to_owned(), true),
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
    assert_eq!(users[1].server.password.as_deref(), Some("from-file-s3cret"));
    assert_eq!(users[2].server.password.as_deref(), Some("from-42-s3cret"));
    let json = serde_json::to_string(config.entries()).unwrap();
    for shown in [format!("{config:?}"), format!("{:?}", config.settings(0)), json] {
        for secret in ["server-s3cret", "from-file-s3cret", "from-42-s3cret", "\"s3cret\""] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
    let broken = format!(
        "{LEAST}auth = \"nonsense\"\nserver_password = [\"list-s3cret\"]\npasword = \"misspelt-s3cret\"\nserver_pw = \"s3cret\"\n[user.pool]\n"
    );
    let errors = Config::from_toml(&broken).unwrap_err();
    for shown in
        [errors.to_string(), format!("{errors:?}"), serde_json::to_string(&errors).unwrap()]
    {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
