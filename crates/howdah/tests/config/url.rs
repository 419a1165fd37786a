//! `DATABASE_URL` and `DATABASE_READ_URLS`: every form of them, and what is wrong with one.

use std::time::Duration;

use howdah::config::{Config, Mistake};
use howdah_proxy::settings::{Login, NodeAddress, Secret};

use crate::load;

/// One with everything.
pub(crate) const URL: &str = "postgres://app:s3cret@db.internal:5433/shop";

#[test]
fn a_url_with_a_password_serves_its_database_to_its_user_by_scram() {
    let loaded = load(&[("DATABASE_URL", URL)]).unwrap();
    let settings = loaded.config.settings(1);
    assert_eq!(
        settings.nodes[0].address,
        NodeAddress::Tcp { host: "db.internal".to_owned(), port: 5433 }
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
    let errors =
        load(&[("DATABASE_URL", url), ("HOWDAH__LISTEN__ADDRESS", "0.0.0.0")]).unwrap_err();
    assert_eq!(errors.0.len(), 1);
    assert_eq!(errors.0[0].key, "user.app.password");
    assert!(errors.0[0].fix.contains("127.0.0.1"));
}

#[test]
fn urls_are_read_in_all_their_forms() {
    for (url, host, port, user, database, password) in [
        ("postgresql://u@h/d", "h", 5432, "u", "d", None),
        ("postgres://u:p%40ss%2Fw@h:1/d%20b", "h", 1, "u", "d b", Some("p@ss/w")),
        ("postgres://u:p/w?d@h/d", "h", 5432, "u", "d", Some("p/w?d")),
        ("postgres://u@[::1]:7/d", "::1", 7, "u", "d", None),
        ("postgres://u@h", "h", 5432, "u", "u", None),
        ("postgres:///d?user=u&password=p", "127.0.0.1", 5432, "u", "d", Some("p")),
        ("postgres://u@h/d?sslmode=prefer&application_name=x", "h", 5432, "u", "d", None),
        (
            "postgres://u@h/d?sslmode=allow&pgbouncer=true&connect_timeout=3",
            "h",
            5432,
            "u",
            "d",
            None,
        ),
        ("host=h port=9 user=u password='p w' dbname=d", "h", 9, "u", "d", Some("p w")),
    ] {
        let settings = load(&[("DATABASE_URL", url)])
            .unwrap_or_else(|e| panic!("{url}: {e}"))
            .config
            .settings(0);
        let address = NodeAddress::Tcp { host: host.to_owned(), port };
        assert_eq!(settings.nodes[0].address, address, "{url}");
        assert_eq!(settings.users[0].name, user, "{url}");
        assert_eq!(settings.databases[0].name, database, "{url}");
        assert_eq!(settings.users[0].server.password.as_deref(), password, "{url}");
    }
    for url in ["postgres://u@/d?host=/run/postgresql", "postgres://u@%2Frun%2Fpostgresql/d"] {
        let settings = load(&[("DATABASE_URL", url)]).unwrap().config.settings(0);
        let socket = NodeAddress::Unix { directory: "/run/postgresql".into(), port: 5432 };
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
    let loaded =
        load(&[("DATABASE_URL", "postgres://h/d?connect_timeout=3"), ("USER", "me")]).unwrap();
    let settings = loaded.config.settings(0);
    assert_eq!(settings.users[0].name, "me");
    assert_eq!(settings.databases[0].pool.connect_timeout, Duration::from_secs(3));
}

#[test]
fn a_wrong_url_is_explained_without_its_password() {
    for (url, kind, reason) in [
        ("mysql://u:s3cret@h/d", Mistake::Value, "mysql:// is not a PostgreSQL URL"),
        ("nonsense", Mistake::Value, "not a PostgreSQL URL"),
        ("postgres://u:s3cret@h:port/d", Mistake::Value, "port"),
        ("postgres://u:s3c@ret@h/d", Mistake::Value, "%40"),
        ("postgres://u:s3cret@h/d?colour=red", Mistake::Value, "colour"),
        ("postgres://u:s3cret@h,i/d", Mistake::Unsupported, "several hosts"),
        ("postgres://u:s3cret@h/d?sslmode=sometimes", Mistake::Value, "sometimes"),
        ("postgres://h/d", Mistake::Missing, "names no user"),
    ] {
        let errors = load(&[("DATABASE_URL", url)]).unwrap_err();
        assert_eq!(errors.0.len(), 1, "{url}: {errors}");
        let error = &errors.0[0];
        assert_eq!((error.kind, error.key.as_str()), (kind, "DATABASE_URL"), "{url}");
        assert!(error.to_string().contains(reason), "{url}: {error}");
        let shown = format!("{errors} {errors:?}");
        for part in ["s3cret", "s3c", "ret@"] {
            assert!(!shown.contains(part), "{url}: {shown}");
        }
    }
}

#[test]
fn an_address_that_others_can_reach_is_remarked() {
    let listen = ("HOWDAH__LISTEN__ADDRESS", "127.0.0.1, 0.0.0.0");
    let loaded = load(&[("DATABASE_URL", URL), listen]).unwrap();
    let notices: Vec<_> = loaded.notices.iter().map(ToString::to_string).collect();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("not encrypted"), "{notices:?}");
    assert!(notices[0].ends_with("(env HOWDAH__LISTEN__ADDRESS)"), "{notices:?}");
}

#[test]
fn replicas_are_listed_behind_the_primary() {
    let urls = "postgres://app@r1:5432/shop, postgres://app@r2:5432/shop";
    let loaded = load(&[("DATABASE_URL", URL), ("DATABASE_READ_URLS", urls)]).unwrap();
    let settings = loaded.config.settings(0);
    assert_eq!(settings.nodes.len(), 3);
    assert_eq!(settings.databases[0].primary, 0);
    assert_eq!(loaded.config.clusters()[0].replicas().collect::<Vec<_>>(), [1, 2]);
    let errors = load(&[("DATABASE_READ_URLS", urls)]).unwrap_err();
    assert!(errors.0.iter().any(|error| error.fix.contains("DATABASE_URL")), "{errors}");
}
