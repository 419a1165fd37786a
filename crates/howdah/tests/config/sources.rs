//! File, environment and command line: which of them wins, and how each is named in a mistake.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use howdah::config::{Config, LoadOptions, Loaded, Mistake, example};
use howdah_proxy::settings::{Login, Secret};

use crate::url::URL;
use crate::{environment, load};

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
    let entry = loaded.config.entries().iter().find(|entry| entry.key == key);
    let entry = entry.unwrap_or_else(|| panic!("{key} is not there"));
    (&entry.value, entry.origin.to_string())
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
        ("pool.max_opening", "4", "command line pool.max_opening".to_owned()),
        ("pool.max_size", "33", "env HOWDAH__POOL__MAX_SIZE".to_owned()),
        ("pool.min_size", "2", "env DB_POOL_MIN".to_owned()),
        ("pool.idle_timeout", "1s500ms", "env DB_POOL_IDLE_TIMEOUT".to_owned()),
        ("pool.checkout_timeout", "1m", "env DB_POOL_CONNECTION_TIMEOUT".to_owned()),
        ("pool.max_prepared", "1", format!("{file}:5")),
        ("pool.max_lifetime", "1h", "default".to_owned()),
        (
            "database.Shop.pool.max_size",
            "7",
            "env HOWDAH__DATABASE__SHOP__POOL__MAX_SIZE".to_owned(),
        ),
        ("database.Shop.name", "Shop", format!("{file}:7")),
        ("database.other.cluster", "main", "env DATABASE_URL".to_owned()),
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
        let database = settings.databases.iter().find(|one| one.name == name).unwrap();
        settings.nodes[database.primary].name.as_str()
    };
    assert_eq!(node("reports"), "10.0.0.1:5432", "the file's own cluster");
    assert_eq!(node("shop"), "db.internal:5433");
    let app = settings.users.iter().find(|user| user.name == "app").unwrap();
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
        ("env DB_POOL_IDLE_TIMEOUT", Mistake::Value, "for example DB_POOL_IDLE_TIMEOUT=30000"),
        (
            "env HOWDAH__DATABASE__NEW__COLOUR",
            Mistake::UnknownKey,
            "keys of database.new: name, cluster, server_database, auth_query, auth_database, pool_mode, share, max_servers, max_clients, pool, route, cache",
        ),
        ("env HOWDAH__DATABASE__SHOP", Mistake::Shape, "for example database.shop.max_clients=…"),
        ("env HOWDAH__POOL__MAX_SISE", Mistake::UnknownKey, "did you mean max_size?"),
        ("command line pool", Mistake::Shape, "for example pool.mode=…"),
        ("command line pool.max_size", Mistake::Value, "a whole number from 1 to 1000000"),
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
        ("CACHE_ENABLE_WARMING", "true"),
        ("CACHE_TTL", "60"),
        ("ALERT_QUERY_TIME", ""),
    ])
    .unwrap();
    let notices: Vec<_> = loaded.notices.iter().map(ToString::to_string).collect();
    assert_eq!(notices, ["this version does not use CACHE_TTL, CACHE_ENABLE_WARMING"]);
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
    assert_eq!(kept, example(), "write it anew: howdah config init --stdout > howdah.example.toml");
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
        matches!(kind, Mistake::Syntax | Mistake::UnknownKey | Mistake::Shape | Mistake::Value)
    };
    assert!(errors.0.iter().all(|error| !wrong(error.kind)), "{errors}");
}
