//! PgBouncer's files become configurations that pass, with every line accounted for.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use howdah::config::import::{self, Imported, Verdict};
use howdah::config::settings::Login;
use howdah::{Config, config};

/// Files in a directory of their own, removed at the end.
pub(crate) struct Files(PathBuf);

impl Files {
    pub(crate) fn new(name: &str, files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("howdah-{name}-{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("a directory");
        let made = Self(directory);
        files.iter().for_each(|(name, text)| made.put(name, text));
        made
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("a file");
    }

    pub(crate) fn import(&self) -> Imported {
        let imported = import::pgbouncer(&self.0.join("pgbouncer.ini"));
        imported.unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn sound(imported: &Imported) -> config::settings::Settings {
    if let Some(mistakes) = &imported.mistakes {
        panic!("{mistakes}\n{}", imported.toml);
    }
    Config::from_toml(&imported.toml).expect("it has passed").settings(1)
}

fn verdict(imported: &Imported, key: &str) -> Vec<Verdict> {
    imported.remarks.iter().filter(|one| one.key == key).map(|one| one.verdict).collect()
}

const USERLIST: &str = "\"app\" \"secret \"\"quoted\"\"\"\n\"admin\" \"boss\"\n";

#[test]
fn a_usual_file_keeps_its_meaning() {
    let ini = "[databases]\nshop = host=10.0.0.5 port=5433 dbname=shop_production pool_size=50 reserve_pool=5\n\
        reports = host=10.0.0.5 port=5433 pool_mode=session max_db_connections=7 max_db_client_connections=90\n* = host=10.0.0.6\n\
        [users]\napp = pool_mode=statement max_user_client_connections=40 max_user_connections=12\n\
        [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = 6543\nauth_type = scram-sha-256\nauth_file = userlist.txt\n\
        pool_mode = transaction\nmax_client_conn = 300\ndefault_pool_size = 15\nmin_pool_size = 2\nreserve_pool_timeout = 1.5\n\
        server_lifetime = 1800\nserver_idle_timeout = 60\nquery_wait_timeout = 20\nclient_idle_timeout = 0\n\
        idle_transaction_timeout = 30\ntransaction_timeout = 90\nserver_check_delay = 10\nmax_prepared_statements = 77\nadmin_users = admin, nobody\n\
        server_reset_query = DISCARD ALL\nlogfile = /var/log/x\n";
    let files = Files::new("usual", &[("pgbouncer.ini", ini), ("userlist.txt", USERLIST)]);
    let imported = files.import();
    let settings = sound(&imported);
    assert_eq!(settings.listen.tcp, ["127.0.0.1:6543".parse().expect("an address")]);
    assert_eq!(settings.max_clients, 300);
    assert_eq!(settings.client_idle_timeout, None);
    assert_eq!(settings.nodes.len(), 2, "two addresses: {}", imported.toml);
    let shop = settings.database("shop").expect("shop");
    assert_eq!(shop.server_database.as_deref(), Some("shop_production"));
    assert_eq!((shop.pool.max_size, shop.pool.reserve_size, shop.pool.min_size), (50, 5, 2));
    assert_eq!(shop.pool.mode.as_str(), "transaction");
    assert_eq!(shop.pool.reserve_after.as_millis(), 1500);
    assert_eq!(shop.pool.max_lifetime.as_secs(), 1800);
    assert_eq!(shop.pool.idle_timeout.as_secs(), 60);
    assert_eq!(shop.pool.checkout_timeout.as_secs(), 20);
    assert_eq!(shop.pool.connect_timeout.as_secs(), 15, "PgBouncer's default");
    assert_eq!(shop.pool.idle_in_transaction_timeout.map(|time| time.as_secs()), Some(30));
    assert_eq!(shop.pool.transaction_timeout.map(|time| time.as_secs()), Some(90));
    assert_eq!(shop.pool.check_after_idle.as_secs(), 10);
    assert_eq!(shop.pool.max_prepared, 77);
    let reports = settings.database("reports").expect("reports");
    assert_eq!((reports.pool.mode.as_str(), reports.max_servers), ("session", Some(7)));
    assert_eq!((reports.max_clients, shop.max_clients), (Some(90), None));
    assert_eq!(reports.primary, shop.primary, "one address, one cluster");
    assert_ne!(settings.database("anything").expect("*").primary, shop.primary);
    let app = settings.user("app").expect("app");
    assert_eq!(app.server.password.as_deref(), Some("secret \"quoted\""));
    assert!(matches!(app.login, Login::Scram(_)));
    assert_eq!(
        (app.max_clients, app.max_servers, app.pool_mode.map(|mode| mode.as_str())),
        (Some(40), Some(12), Some("statement"))
    );
    assert_eq!(settings.admin_users, ["admin"]);
    assert!(verdict(&imported, "admin_users").contains(&Verdict::Changed));
    assert_eq!(verdict(&imported, "logfile"), [Verdict::Needless]);
    assert_eq!(verdict(&imported, "pool_mode"), [Verdict::Taken]);
    assert!(
        imported.remarks.iter().all(|one| !one.text.contains("secret")),
        "{:?}",
        imported.remarks
    );
}

#[test]
fn every_line_is_in_the_account() {
    let ini = "[databases]\na = host=h connect_query='SELECT 1' client_encoding=UTF8\nb = nonsense\n\
        [users]\nu = pool_size=5\n[peers]\n1 = host=x\n[pgbouncer]\nauth_type = trust\n\
        transaction_timeout = 5\nmade_up = 1\nserver_lifetime = 0\nlisten_port = many\nlisten_addr = localhost, some.name\n\
        max_user_connections = 9\nserver_tls_ciphers = fast\n";
    let files = Files::new("account", &[("pgbouncer.ini", ini)]);
    let imported = files.import();
    let rows: &[(&str, Verdict)] = &[
        ("databases.a connect_query", Verdict::Dropped),
        ("databases.a client_encoding", Verdict::Dropped),
        ("databases.b", Verdict::Dropped),
        ("users.u pool_size", Verdict::Dropped),
        ("peers.1", Verdict::Dropped),
        ("transaction_timeout", Verdict::Taken),
        ("made_up", Verdict::Dropped),
        ("server_lifetime", Verdict::Changed),
        ("listen_port", Verdict::Dropped),
        ("max_user_connections", Verdict::Taken),
        ("server_tls_ciphers", Verdict::Needless),
    ];
    for (key, expected) in rows {
        assert_eq!(verdict(&imported, key), [*expected], "{key}");
    }
    assert_eq!(verdict(&imported, "listen_addr"), [Verdict::Dropped, Verdict::Taken]);
    let count = ini.lines().filter(|line| line.contains('=')).count();
    let mut seen: Vec<_> = imported.remarks.iter().map(|one| one.line).collect();
    seen.dedup();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count, "{:?}", imported.remarks);
    assert!(imported.remarks.windows(2).all(|pair| pair[0].verdict <= pair[1].verdict));
    sound(&imported);
}

#[test]
fn a_forced_user_becomes_the_server_user() {
    let ini = "[databases]\na = host=h user=owner password='it''s'\nb = host=h user=owner password='it''s'\n\
        [pgbouncer]\nlisten_addr = *\nauth_type = md5\nauth_file = userlist.txt\n";
    let files = Files::new("forced", &[("pgbouncer.ini", ini), ("userlist.txt", USERLIST)]);
    let settings = sound(&files.import());
    let app = settings.user("app").expect("app");
    assert_eq!(app.server.user.as_deref(), Some("owner"));
    assert_eq!(app.server.password.as_deref(), Some("it's"));
    assert!(matches!(app.login, Login::Md5(_)));
    let ini = ini.replace("b = host=h user=owner", "b = host=h user=other");
    let files = Files::new("differ", &[("pgbouncer.ini", &ini), ("userlist.txt", USERLIST)]);
    let imported = files.import();
    assert_eq!(verdict(&imported, "databases.b user"), [Verdict::Dropped]);
    assert_eq!(sound(&imported).user("app").expect("app").server.user, None);
}

#[test]
fn included_files_count_and_a_circle_is_an_error() {
    let files = Files::new(
        "include",
        &[
            (
                "pgbouncer.ini",
                "[pgbouncer]\nauth_type = trust\nlisten_addr = 127.0.0.1\n%include more.ini\n",
            ),
            ("more.ini", "listen_port = 7777\n[databases]\nx = host=h\n"),
        ],
    );
    let settings = sound(&files.import());
    assert_eq!(settings.listen.tcp[0].port(), 7777);
    assert!(settings.database("x").is_some());
    let circle = Files::new("circle", &[("pgbouncer.ini", "%include pgbouncer.ini\n")]);
    assert!(import::pgbouncer(&circle.0.join("pgbouncer.ini")).is_err());
    assert!(import::pgbouncer(Path::new("/no/such/file.ini")).is_err());
}

#[test]
fn the_file_that_pgbouncer_is_shipped_with_is_understood() {
    let shipped = Path::new("/etc/pgbouncer/pgbouncer.ini");
    let Ok(text) = std::fs::read_to_string(shipped) else {
        // Not installed here.
        return;
    };
    // All its examples, too: what is commented out with one semicolon is a setting.
    let on: String = text
        .lines()
        .map(|line| match line.strip_prefix(';').map(str::trim_start) {
            Some(rest) if !rest.starts_with(';') && rest.contains('=') => rest,
            _ => line,
        })
        .filter(|line| !line.starts_with("%include") && !line.contains('<'))
        .map(|line| format!("{line}\n"))
        .collect();
    let on = on.replace("auth_file = /etc/pgbouncer/userlist.txt", "auth_file = userlist.txt");
    let on = on.replace("/var/run/postgresql", "/tmp");
    let files = Files::new("shipped", &[("pgbouncer.ini", &on), ("userlist.txt", USERLIST)]);
    let imported = files.import();
    let unknown = imported.remarks.iter().filter(|one| one.text.contains("not a key of"));
    assert_eq!(unknown.map(|one| one.key.as_str()).collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(imported.remarks.len() > 80, "{}", imported.remarks.len());
    sound(&imported);
}
