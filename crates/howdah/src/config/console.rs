//! The configuration as the console's `SHOW CONFIG` has it: every key, and PgBouncer's names for what it calls otherwise, because
//! exporters and scripts ask for those. Not `config show`, which also says where a value comes from.
//!
//! Invariant: a secret is not shown.

use std::time::Duration;

use howdah_proxy::settings::ShownKey;

use super::duration;
use super::read::Entry;

/// What a value looks like in PgBouncer's terms.
#[derive(Debug, Clone, Copy)]
enum As {
    /// The same.
    Is,
    /// A number of seconds; off is 0.
    Seconds,
}

/// PgBouncer's names and ours.
const PGBOUNCER: &[(&str, &str, As)] = &[
    ("admin_users", "admin.users", As::Is),
    ("client_idle_timeout", "listen.client_idle_timeout", As::Seconds),
    ("client_login_timeout", "listen.login_timeout", As::Seconds),
    ("default_pool_size", "pool.max_size", As::Is),
    ("idle_transaction_timeout", "pool.idle_in_transaction_timeout", As::Seconds),
    ("listen_addr", "listen.address", As::Is),
    ("listen_port", "listen.port", As::Is),
    ("max_client_conn", "listen.max_clients", As::Is),
    ("max_prepared_statements", "pool.max_prepared", As::Is),
    ("min_pool_size", "pool.min_size", As::Is),
    ("pool_mode", "pool.mode", As::Is),
    ("query_timeout", "pool.query_timeout", As::Seconds),
    ("query_wait_notify", "pool.wait_notice", As::Seconds),
    ("query_wait_timeout", "pool.checkout_timeout", As::Seconds),
    ("reserve_pool_size", "pool.reserve_size", As::Is),
    ("reserve_pool_timeout", "pool.reserve_after", As::Seconds),
    ("server_check_delay", "pool.check_after_idle", As::Seconds),
    ("server_connect_timeout", "pool.connect_timeout", As::Seconds),
    ("server_idle_timeout", "pool.idle_timeout", As::Seconds),
    ("server_lifetime", "pool.max_lifetime", As::Seconds),
    ("stats_users", "admin.stats_users", As::Is),
    ("transaction_timeout", "pool.transaction_timeout", As::Seconds),
    ("unix_socket_dir", "listen.unix_socket", As::Is),
];

/// PgBouncer's settings that are always so here: no cap of that kind, and a period that is not configured.
const FIXED: &[(&str, &str)] = &[
    ("max_db_client_connections", "0"),
    ("max_db_connections", "0"),
    ("max_user_client_connections", "0"),
    ("max_user_connections", "0"),
    ("stats_period", "60"),
];

/// All keys, in the order of their names.
pub(crate) fn shown(entries: &[Entry]) -> Vec<ShownKey> {
    let mut shown: Vec<ShownKey> =
        entries.iter().map(|entry| key(entry, &entry.key, As::Is)).collect();
    for (theirs, ours, form) in PGBOUNCER {
        let entry = entries.iter().find(|entry| entry.key == *ours);
        shown.push(entry.map_or_else(|| fixed(theirs, ""), |entry| key(entry, theirs, *form)));
    }
    shown.extend(FIXED.iter().map(|(name, value)| fixed(name, value)));
    shown.sort_by(|a, b| a.name.cmp(&b.name));
    shown
}

fn key(entry: &Entry, name: &str, form: As) -> ShownKey {
    let written = |value: &str| match form {
        As::Is => value.to_owned(),
        As::Seconds => seconds(value),
    };
    ShownKey {
        name: name.to_owned(),
        value: written(&entry.value),
        default: entry.default.map(written),
        reloads: !entry.needs_restart,
    }
}

fn fixed(name: &str, value: &str) -> ShownKey {
    let value = value.to_owned();
    ShownKey { name: name.to_owned(), default: Some(value.clone()), value, reloads: false }
}

fn seconds(value: &str) -> String {
    let time = duration::parse(value).unwrap_or(Duration::ZERO);
    time.as_secs_f64().to_string()
}

#[cfg(test)]
mod tests {
    use crate::Config;

    fn value(config: &Config, name: &str) -> (String, Option<String>, bool) {
        let shown = config.settings(1).shown;
        let key = shown.into_iter().find(|key| key.name == name);
        let key = key.unwrap_or_else(|| panic!("{name} is not shown"));
        (key.value, key.default, key.reloads)
    }

    #[test]
    fn keys_are_shown_under_both_names() {
        let toml = "[pool]\nmax_size = 7\ncheckout_timeout = \"2m\"\n[listen]\nmax_clients = 50\n\
                    [[cluster]]\nname = \"main\"\n[[cluster.node]]\nhost = \"127.0.0.1\"\n\
                    [[user]]\nname = \"app\"\npassword = \"s3cret\"\n";
        let config = Config::from_toml(toml).unwrap();
        let of = |value: &str, default: &str| (value.to_owned(), Some(default.to_owned()), true);
        assert_eq!(value(&config, "pool.max_size"), of("7", "20"));
        assert_eq!(value(&config, "default_pool_size"), of("7", "20"));
        assert_eq!(value(&config, "max_client_conn"), of("50", "10000"));
        assert_eq!(value(&config, "query_wait_timeout"), of("120", "30"));
        assert_eq!(value(&config, "query_timeout"), of("0", "0"));
        assert_eq!(value(&config, "max_user_connections").0, "0");
        assert!(!value(&config, "listen.port").2, "it needs a restart");
        let all = format!("{:?}", config.settings(1).shown);
        assert!(!all.contains("s3cret"), "{all}");
    }
}
