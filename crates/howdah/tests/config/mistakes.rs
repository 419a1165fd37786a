//! Every mistake is found, with its line, its reason and a way out.

use howdah::config::{ConfigError, ConfigErrors, Mistake};

use crate::{LEAST, mistakes};

/// The mistake at a key of `LEAST` with `more` added.
#[track_caller]
fn one(more: &str) -> ConfigError {
    let mut errors = mistakes(&format!("{LEAST}{more}"));
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.remove(0)
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
[advisor]
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
        (19, "advisor", Mistake::LaterKey),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(line, key, kind)| (format!("configuration:{line}"), *key, *kind))
        .collect();
    assert_eq!(found, expected);
    assert!(errors.iter().all(|error| !error.reason.is_empty() && !error.fix.is_empty()));
    assert_eq!(errors[0].fix, "did you mean port?");
    assert_eq!(errors[3].fix, "did you mean \"main\"?");
    assert!(errors[7].fix.contains("did you mean \"transaction\"?"), "{}", errors[7].fix);
    let text = ConfigErrors(errors).to_string();
    assert!(text.starts_with("9 mistakes in the configuration"), "{text}");
    assert!(text.contains(" 9. advisor  (configuration:19)"), "{text}");
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
    ("[colour]\n", Mistake::UnknownKey, "colour", "no such key", "keys of the file: listen"),
    (
        "[advisor]\nttl = \"1m\"\n",
        Mistake::LaterKey,
        "advisor",
        "not a key of this version",
        "remove",
    ),
    ("[[pool]]\nmax_size = 3\n", Mistake::Shape, "pool", "appears once", "[pool]"),
    ("[database]\nname = \"a\"\n", Mistake::Shape, "database", "several times", "[[database]]"),
    ("[listen]\nport = { a = 1 }\n", Mistake::Shape, "listen.port", "neither a value", "port ="),
    ("[pool]\nmax_size = [\"1\"]\n", Mistake::Value, "pool.max_size", "not a list", "one"),
    (
        "[pool]\nmax_size = 2.5\n",
        Mistake::Value,
        "pool.max_size",
        "not a whole number",
        "from 1 to",
    ),
    ("[pool]\nmax_size = -1\n", Mistake::Value, "pool.max_size", "out of range", "from 1 to"),
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
        assert_eq!((error.kind, error.key.as_str()), (kind, key), "{more}: {error}");
        assert!(error.reason.contains(reason), "{more}: {error}");
        assert!(error.fix.contains(fix), "{more}: {error}");
    }
}

#[test]
fn a_line_that_is_not_toml_is_one_mistake_and_the_others_are_found_too() {
    let errors = mistakes("[pool]\nmax_size = none\nmin_size = \"few\"\n");
    let found: Vec<_> = errors.iter().map(|error| (error.origin.to_string(), error.kind)).collect();
    let expected = [("configuration:2", Mistake::Syntax), ("configuration:3", Mistake::Value)];
    assert_eq!(found, expected.map(|(origin, kind)| (origin.to_owned(), kind)));
    assert!(
        errors[0].to_string().starts_with("max_size = none  (configuration:2)"),
        "{}",
        errors[0]
    );
}

#[test]
fn mistakes_about_clusters_are_named() {
    let user = "[[user]]\nname = \"app\"\npassword = \"x\"\n";
    for (text, kind, key, reason) in [
        ("", Mistake::Missing, "cluster", "no PostgreSQL"),
        ("[[cluster]]\nname = \"a\"\n", Mistake::Missing, "cluster.a.node", "without nodes"),
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
        assert_eq!((errors[0].kind, errors[0].key.as_str()), (kind, key), "{text}");
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
