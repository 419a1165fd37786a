//! Where configuration comes from: file, environment, command line, `DATABASE_URL`, and which of them wins.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use howdah::config::{Config, ConfigErrors, LoadOptions, Loaded, Mistake, example};
use howdah_proxy::settings::{Login, NodeAddress, Secret};

const URL: &str = "postgres://app:s3cret@db.internal:5433/shop";

fn environment(variables: &[(&str, &str)]) -> HashMap<String, String> {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn load(variables: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
    Config::load(LoadOptions {
        env: environment(variables),
        ..LoadOptions::default()
    })
}

/// A file that is removed at the end of the test.
struct File(PathBuf);

impl File {
    fn new(text: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("howdah-config-{}-{count}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

fn value<'a>(loaded: &'a Loaded, key: &str) -> (&'a str, String) {
    let entry = loaded
        .config
        .entries()
        .iter()
        .find(|entry| entry.key == key);
    let entry = entry.unwrap_or_else(|| panic!("{key} is not there"));
    (&entry.value, entry.origin.to_string())
}

#[test]
fn a_url_with_a_password_serves_its_database_to_its_user_by_scram() {
    let loaded = load(&[("DATABASE_URL", URL)]).unwrap();
    let settings = loaded.config.settings(1);
    assert_eq!(
        settings.nodes[0].address,
        NodeAddress::Tcp {
            host: "db.internal".to_owned(),
            port: 5433
        }
    );
    assert_eq!(settings.databases.len(), 1);
    assert_eq!(settings.databases[0].name, "shop");
    assert_eq!(settings.users.len(), 1);
    assert_eq!(settings.users[0].name, "app");
    assert!(
        matches!(&settings.users[0].login, Login::Scram(Secret::Plain(text)) if text == "s3cret")
    );
    assert_eq!(settings.users[0].server.password.as_deref(), Some("s3cret"));
    assert_eq!(loaded.variables, ["DATABASE_URL"]);
    assert_eq!(
        settings.databases[0].name,
        Config::from_url(URL).unwrap().settings(0).databases[0].name
    );
}

#[test]
fn a_url_without_a_password_trusts_this_machine_and_no_other() {
    let url = "postgres://app@127.0.0.1/shop";
    let settings = load(&[("DATABASE_URL", url)]).unwrap().config.settings(1);
    assert!(matches!(settings.users[0].login, Login::Trust));
    let errors = load(&[
        ("DATABASE_URL", url),
        ("HOWDAH__LISTEN__ADDRESS", "0.0.0.0"),
    ])
    .unwrap_err();
    assert_eq!(errors.0.len(), 1);
    assert_eq!(errors.0[0].key, "user.app.password");
    assert!(errors.0[0].fix.contains("127.0.0.1"));
}

#[test]
fn urls_are_read_in_all_their_forms() {
    for (url, host, port, user, database, password) in [
        ("postgresql://u@h/d", "h", 5432, "u", "d", None),
        (
            "postgres://u:p%40ss%2Fw@h:1/d%20b",
            "h",
            1,
            "u",
            "d b",
            Some("p@ss/w"),
        ),
        ("postgres://u:p/w?d@h/d", "h", 5432, "u", "d", Some("p/w?d")),
        ("postgres://u@[::1]:7/d", "::1", 7, "u", "d", None),
        ("postgres://u@h", "h", 5432, "u", "u", None),
        (
            "postgres:///d?user=u&password=p",
            "127.0.0.1",
            5432,
            "u",
            "d",
            Some("p"),
        ),
        (
            "postgres://u@h/d?sslmode=prefer&application_name=x",
            "h",
            5432,
            "u",
            "d",
            None,
        ),
        (
            "postgres://u@h/d?sslmode=allow&pgbouncer=true&connect_timeout=3",
            "h",
            5432,
            "u",
            "d",
            None,
        ),
        (
            "host=h port=9 user=u password='p w' dbname=d",
            "h",
            9,
            "u",
            "d",
            Some("p w"),
        ),
    ] {
        let settings = load(&[("DATABASE_URL", url)])
            .unwrap_or_else(|e| panic!("{url}: {e}"))
            .config
            .settings(0);
        let address = NodeAddress::Tcp {
            host: host.to_owned(),
            port,
        };
        assert_eq!(settings.nodes[0].address, address, "{url}");
        assert_eq!(settings.users[0].name, user, "{url}");
        assert_eq!(settings.databases[0].name, database, "{url}");
        assert_eq!(
            settings.users[0].server.password.as_deref(),
            password,
            "{url}"
        );
    }
    for url in [
        "postgres://u@/d?host=/run/postgresql",
        "postgres://u@%2Frun%2Fpostgresql/d",
    ] {
        let settings = load(&[("DATABASE_URL", url)]).unwrap().config.settings(0);
        let socket = NodeAddress::Unix {
            directory: "/run/postgresql".into(),
            port: 5432,
        };
        assert_eq!(settings.nodes[0].address, socket, "{url}");
    }
}

#[test]
fn a_url_that_leads_to_howdah_itself_is_refused() {
    for (url, listen) in [
        ("postgres://app@127.0.0.1:6432/shop", "127.0.0.1"),
        ("postgres://app@localhost:6432/shop", "127.0.0.1"),
        ("postgres://app:x@[::1]:6432/shop", "::"),
    ] {
        let errors = load(&[("DATABASE_URL", url), ("HOWDAH__LISTEN__ADDRESS", listen)]);
        let errors = errors.unwrap_err().0;
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].reason.contains("itself"), "{}", errors[0]);
    }
    let other = [("DATABASE_URL", "postgres://app@127.0.0.1:6433/shop")];
    assert!(load(&other).is_ok());
}

#[test]
fn a_connect_timeout_and_a_missing_user_come_from_where_libpq_takes_them() {
    let loaded = load(&[
        ("DATABASE_URL", "postgres://h/d?connect_timeout=3"),
        ("USER", "me"),
    ])
    .unwrap();
    let settings = loaded.config.settings(0);
    assert_eq!(settings.users[0].name, "me");
    assert_eq!(
        settings.databases[0].pool.connect_timeout,
        Duration::from_secs(3)
    );
}

#[test]
fn a_wrong_url_is_explained_without_its_password() {
    for (url, kind, reason) in [
        (
            "mysql://u:s3cret@h/d",
            Mistake::Value,
            "mysql:// is not a PostgreSQL URL",
        ),
        ("nonsense", Mistake::Value, "not a PostgreSQL URL"),
        ("postgres://u:s3cret@h:port/d", Mistake::Value, "port"),
        ("postgres://u:s3c@ret@h/d", Mistake::Value, "%40"),
        (
            "postgres://u:s3cret@h/d?colour=red",
            Mistake::Value,
            "colour",
        ),
        (
            "postgres://u:s3cret@h,i/d",
            Mistake::Unsupported,
            "several hosts",
        ),
        (
            "postgres://u:s3cret@h/d?sslmode=require",
            Mistake::Unsupported,
            "TLS",
        ),
        (
            "postgres://u:s3cret@h/d?sslmode=verify-full",
            Mistake::Unsupported,
            "TLS",
        ),
        (
            "host=h user=u password=s3cret sslmode=verify-full",
            Mistake::Unsupported,
            "TLS",
        ),
        (
            "postgres://u:s3cret@h/d?sslmode=sometimes",
            Mistake::Value,
            "sometimes",
        ),
        ("postgres://h/d", Mistake::Missing, "names no user"),
    ] {
        let errors = load(&[("DATABASE_URL", url)]).unwrap_err();
        assert_eq!(errors.0.len(), 1, "{url}: {errors}");
        let error = &errors.0[0];
        assert_eq!(
            (error.kind, error.key.as_str()),
            (kind, "DATABASE_URL"),
            "{url}"
        );
        assert!(error.to_string().contains(reason), "{url}: {error}");
        let shown = format!("{errors} {errors:?}");
        for part in ["s3cret", "s3c", "ret@"] {
            assert!(!shown.contains(part), "{url}: {shown}");
        }
    }
}

#[test]
fn replicas_are_listed_and_said_not_to_be_used() {
    let urls = "postgres://app@r1:5432/shop, postgres://app@r2:5432/shop";
    let loaded = load(&[("DATABASE_URL", URL), ("DATABASE_READ_URLS", urls)]).unwrap();
    let settings = loaded.config.settings(0);
    assert_eq!(settings.nodes.len(), 3);
    assert_eq!(settings.databases[0].primary, 0);
    assert_eq!(
        loaded.config.clusters()[0].replicas().collect::<Vec<_>>(),
        [1, 2]
    );
    let notices: Vec<_> = loaded.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        ["replicas are not routed to yet: r1:5432, r2:5432"]
    );
    let errors = load(&[("DATABASE_READ_URLS", urls)]).unwrap_err();
    assert!(
        errors
            .0
            .iter()
            .any(|error| error.fix.contains("DATABASE_URL")),
        "{errors}"
    );
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let file = File::new(
        "[pool]\nmax_size = 1\nmin_size = 1\nmax_opening = 1\nmax_prepared = 1\n[[database]]\nname = \"Shop\"\n",
    );
    let loaded = Config::load(LoadOptions {
        config_path: Some(file.0.clone()),
        env: environment(&[
            ("DATABASE_URL", "postgres://app@127.0.0.1/other"),
            ("DB_POOL_MAX", "22"),
            ("DB_POOL_MIN", "2"),
            ("DB_POOL_IDLE_TIMEOUT", "1500"),
            ("DB_POOL_CONNECTION_TIMEOUT", "60000"),
            ("HOWDAH__POOL__MAX_SIZE", "33"),
            ("HOWDAH__POOL__MAX_OPENING", "3"),
            ("HOWDAH__DATABASE__SHOP__POOL__MAX_SIZE", "7"),
        ]),
        overrides: vec![("pool.max_opening".to_owned(), "4".to_owned())],
    })
    .unwrap();
    let file = file.0.display().to_string();
    for (key, expected, origin) in [
        (
            "pool.max_opening",
            "4",
            "command line pool.max_opening".to_owned(),
        ),
        (
            "pool.max_size",
            "33",
            "env HOWDAH__POOL__MAX_SIZE".to_owned(),
        ),
        ("pool.min_size", "2", "env DB_POOL_MIN".to_owned()),
        (
            "pool.idle_timeout",
            "1s500ms",
            "env DB_POOL_IDLE_TIMEOUT".to_owned(),
        ),
        (
            "pool.checkout_timeout",
            "1m",
            "env DB_POOL_CONNECTION_TIMEOUT".to_owned(),
        ),
        ("pool.max_prepared", "1", format!("{file}:5")),
        ("pool.max_lifetime", "1h", "default".to_owned()),
        (
            "database.Shop.pool.max_size",
            "7",
            "env HOWDAH__DATABASE__SHOP__POOL__MAX_SIZE".to_owned(),
        ),
        ("database.Shop.name", "Shop", format!("{file}:7")),
        (
            "database.other.cluster",
            "main",
            "env DATABASE_URL".to_owned(),
        ),
    ] {
        assert_eq!(value(&loaded, key), (expected, origin), "{key}");
    }
}

#[test]
fn the_url_stays_reachable_beside_what_a_file_adds() {
    let file = File::new(
        "[[cluster]]\nname = \"main\"\n[[cluster.node]]\nhost = \"10.0.0.1\"\n[[database]]\nname = \"reports\"\n[[user]]\nname = \"app\"\nauth = \"md5\"\npassword_env = \"NEVER_READ\"\n[[user]]\nname = \"dba\"\npassword = \"x\"\n",
    );
    let loaded = Config::load(LoadOptions {
        config_path: Some(file.0.clone()),
        env: environment(&[("DATABASE_URL", URL)]),
        ..LoadOptions::default()
    })
    .unwrap();
    let settings = loaded.config.settings(0);
    let node = |name: &str| {
        let database = settings
            .databases
            .iter()
            .find(|one| one.name == name)
            .unwrap();
        settings.nodes[database.primary].name.as_str()
    };
    assert_eq!(node("reports"), "10.0.0.1:5432", "the file's own cluster");
    assert_eq!(node("shop"), "db.internal:5433");
    let app = settings
        .users
        .iter()
        .find(|user| user.name == "app")
        .unwrap();
    assert!(matches!(&app.login, Login::Md5(Secret::Plain(text)) if text == "s3cret"));
    assert!(settings.users.iter().any(|user| user.name == "dba"));
    assert!(
        settings.admin_users.is_empty(),
        "with several users nobody is an administrator unasked"
    );
}

#[test]
fn a_mistake_names_the_variable_or_the_flag_that_made_it() {
    let loaded = Config::load(LoadOptions {
        env: environment(&[
            ("DATABASE_URL", URL),
            ("DB_POOL_IDLE_TIMEOUT", "10m"),
            ("HOWDAH__POOL__MAX_SISE", "5"),
            ("HOWDAH__DATABASE__SHOP", "5"),
            ("HOWDAH__DATABASE__NEW__COLOUR", "5"),
        ]),
        overrides: vec![
            ("pool.max_size".to_owned(), "none".to_owned()),
            ("pool".to_owned(), "1".to_owned()),
        ],
        ..LoadOptions::default()
    });
    let found: Vec<_> = loaded
        .unwrap_err()
        .0
        .into_iter()
        .map(|error| (error.origin.to_string(), error.kind, error.fix))
        .collect();
    let expected = [
        (
            "env DB_POOL_IDLE_TIMEOUT",
            Mistake::Value,
            "for example DB_POOL_IDLE_TIMEOUT=30000",
        ),
        (
            "env HOWDAH__DATABASE__NEW__COLOUR",
            Mistake::UnknownKey,
            "keys of database.new: name, cluster, server_database, pool_mode, max_servers, pool",
        ),
        (
            "env HOWDAH__DATABASE__SHOP",
            Mistake::Shape,
            "for example database.shop.max_servers=…",
        ),
        (
            "env HOWDAH__POOL__MAX_SISE",
            Mistake::UnknownKey,
            "did you mean max_size?",
        ),
        (
            "command line pool",
            Mistake::Shape,
            "for example pool.mode=…",
        ),
        (
            "command line pool.max_size",
            Mistake::Value,
            "a whole number from 1 to 1000000",
        ),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(origin, kind, fix)| ((*origin).to_owned(), *kind, (*fix).to_owned()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn variables_of_later_features_are_remarked_and_no_mistake() {
    let loaded = load(&[
        ("DATABASE_URL", URL),
        ("REDIS_URL", "redis://x"),
        ("CACHE_TTL", "60"),
        ("ALERT_QUERY_TIME", ""),
    ])
    .unwrap();
    let notices: Vec<_> = loaded.notices.iter().map(ToString::to_string).collect();
    assert_eq!(notices, ["this version does not use REDIS_URL, CACHE_TTL"]);
}

#[test]
fn a_file_that_is_named_and_not_there_is_the_only_mistake() {
    let errors = load(&[("HOWDAH_CONFIG", "/nowhere/howdah.toml")]).unwrap_err();
    assert_eq!(errors.0.len(), 1, "{errors}");
    assert_eq!(errors.0[0].kind, Mistake::Unreadable);
    assert!(errors.0[0].fix.contains("howdah config init"));
}

#[test]
fn the_example_file_is_the_one_in_the_repository_and_is_valid() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../howdah.example.toml");
    let kept = std::fs::read_to_string(path).unwrap();
    assert_eq!(
        kept,
        example(),
        "write it anew: howdah config init --stdout > howdah.example.toml"
    );
    let file = File::new(&kept);
    let loaded = Config::load(LoadOptions {
        config_path: Some(file.0.clone()),
        env: environment(&[("APP_PASSWORD", "x")]),
        ..LoadOptions::default()
    })
    .unwrap();
    assert_eq!(loaded.config.settings(0).users[0].name, "app");
}

#[test]
fn every_line_that_the_example_comments_out_is_a_key_with_a_value() {
    let mut text = String::new();
    for line in example().lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let bare = bare.strip_prefix("e.g. ").unwrap_or(bare);
        let key = bare.split_once(" = ").map_or("", |(key, _)| key);
        let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if is_key || bare.starts_with('[') && bare.ends_with(']') {
            text.push_str(bare);
            text.push('\n');
        }
    }
    let errors = Config::from_toml(&text).unwrap_err();
    let wrong = |kind: Mistake| {
        matches!(
            kind,
            Mistake::Syntax | Mistake::UnknownKey | Mistake::Shape | Mistake::Value
        )
    };
    assert!(errors.0.iter().all(|error| !wrong(error.kind)), "{errors}");
}
