//! What is left on the servers after all clients have gone: nothing.

use crate::raw::{Connection, Target};

/// Settings of the session as text, but for what belongs to one connection or transaction.
const SETTINGS: &str = "SELECT name || '=' || setting FROM pg_catalog.pg_settings \
     WHERE name NOT LIKE 'transaction%' ORDER BY name";

/// What must give no row on a clean server, and what a row means.
const REMAINS: [(&str, &str); 6] = [
    (
        "an advisory lock",
        "SELECT objid::text FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()",
    ),
    ("a channel", "SELECT c FROM pg_catalog.pg_listening_channels() AS c"),
    ("a cursor", "SELECT name FROM pg_catalog.pg_cursors WHERE name <> ''"),
    (
        "a temporary table",
        "SELECT relname::text FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.pg_my_temp_schema() AND relkind = 'r'",
    ),
    (
        "a client's statement",
        "SELECT name FROM pg_catalog.pg_prepared_statements WHERE (from_sql AND name NOT LIKE 'howdah\\_%') OR name IN ('s0', 's1', 's2', 'shared', 'a statement with spaces')",
    ),
    ("a role", "SELECT current_user::text WHERE current_user <> session_user"),
];

/// Looks at every server of a pool of `size` by holding all of them at once, and compares it with a fresh connection to PostgreSQL
/// itself. Everything that differs is in the answer. Distinct servers seen are counted in the second value.
///
/// # Panics
/// When the proxy or PostgreSQL does not answer.
#[must_use]
pub fn inspect(proxy: &Target, direct: &Target, size: usize) -> (Vec<String>, usize) {
    let mut fresh = direct.client();
    let expected = fresh.run(SETTINGS).values();
    fresh.close();
    let mut holders: Vec<Connection> = (0..size).map(|_| proxy.client()).collect();
    let mut found = Vec::new();
    let mut servers = Vec::new();
    for holder in &mut holders {
        holder.run("BEGIN");
        let server = holder.backend();
        for value in holder.run(SETTINGS).values() {
            if !expected.contains(&value) {
                found.push(format!("server {server}: setting {value}"));
            }
        }
        for (what, sql) in REMAINS {
            for value in holder.run(sql).values() {
                found.push(format!("server {server}: {what}: {value}"));
            }
        }
        servers.push(server);
    }
    for mut holder in holders {
        holder.run("ROLLBACK");
        holder.close();
    }
    servers.sort_unstable();
    servers.dedup();
    (found, servers.len())
}
