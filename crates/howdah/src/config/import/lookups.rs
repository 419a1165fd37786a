//! `auth_user`, `auth_query` and `auth_dbname`, in general and of single databases: who asks PostgreSQL for users, and how.
//!
//! Invariant: a database in which PgBouncer looks nobody up has `auth_query = "off"` when others have look-ups.

use super::databases::Database;
use super::ini::Line;
use super::table::General;
use super::write::{Tables, Value};
use super::{Account, Verdict};

/// What is taken over changes its meaning in one point.
const SEARCH_PATH: &str = "auth.query; its search_path is pg_catalog alone, so functions of other schemas need theirs in front";

/// What a connection string says about look-ups.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    pub(super) user: Option<(Line, String)>,
    pub(super) query: Option<(Line, String)>,
    pub(super) database: Option<(Line, String)>,
}

/// Who asks: one role for all databases.
pub(super) fn asker<'a>(databases: &'a [Database], general: &General<'a>) -> Option<&'a str> {
    let own = || databases.iter().find_map(|database| database.lookup.user.as_ref());
    general.get("auth_user").or_else(|| own().map(|(_, user)| user.as_str()))
}

/// Writes `[auth]`, and gives each database its keys.
pub(super) fn write(
    databases: &mut [Database],
    general: &General<'_>,
    tables: &mut Tables,
    account: &mut Account,
) {
    let Some(asker) = asker(databases, general).map(str::to_owned) else {
        for key in ["auth_query", "auth_dbname"] {
            if let Some(line) = general.line(key) {
                account.add(line, key, Verdict::Needless, "nobody asks without auth_user");
            }
        }
        for database in databases {
            for (key, (line, _)) in database.lookup.rest() {
                let key = format!("databases.{} {key}", database.name);
                account.add(line, key, Verdict::Needless, "nobody asks without auth_user");
            }
        }
        return;
    };
    tables.set("auth.query_user", Value::Text(asker.clone()));
    if let Some(line) = general.line("auth_user") {
        let text = "auth.query_user; its password is that of the auth_file";
        account.add(line, "auth_user", Verdict::Taken, text);
    }
    if let Some(line) = general.line("auth_query") {
        tables.set("auth.query", Value::Text(line.value.clone()));
        account.add(line, "auth_query", Verdict::Changed, SEARCH_PATH);
    }
    if let Some(line) = general.line("auth_dbname") {
        let name = server_name(databases, &line.value);
        tables.set("auth.query_database", Value::Text(name));
        account.add(line, "auth_dbname", Verdict::Taken, "auth.query_database");
    }
    let names: Vec<_> = databases
        .iter()
        .map(|one| one.lookup.database.as_ref().map(|(_, name)| server_name(databases, name)))
        .collect();
    let default = general.get("auth_user").is_some();
    for (database, auth_database) in databases.iter_mut().zip(names) {
        database.look_up(&asker, default, auth_database, account);
    }
}

/// The name on the server of a database that clients know by this one.
fn server_name(databases: &[Database], name: &str) -> String {
    let known = databases.iter().find(|database| database.name == name);
    let other = known.and_then(|database| database.server_database.clone());
    other.unwrap_or_else(|| name.to_owned())
}

impl Lookup {
    fn rest(&self) -> impl Iterator<Item = (&'static str, &(Line, String))> {
        let query = self.query.iter().map(|said| ("auth_query", said));
        query.chain(self.database.iter().map(|said| ("auth_dbname", said)))
    }
}

impl Database {
    fn look_up(
        &mut self,
        asker: &str,
        default: bool,
        auth_database: Option<String>,
        account: &mut Account,
    ) {
        let mut keys = Vec::new();
        let mut off = !default;
        if let Some((line, user)) = &self.lookup.user {
            let key = format!("databases.{} auth_user", self.name);
            off = user != asker;
            if off {
                let text = format!(
                    "look-ups ask as one role, {asker}: in this database nobody is looked up"
                );
                account.add(line, key, Verdict::Dropped, text);
            } else {
                account.add(line, key, Verdict::Taken, "auth.query_user");
            }
        }
        if off {
            keys.push(("auth_query", Value::Text("off".to_owned())));
        }
        for (name, (line, value)) in self.lookup.rest() {
            let key = format!("databases.{} {name}", self.name);
            if off {
                account.add(line, key, Verdict::Needless, "nobody asks in this database");
            } else if name == "auth_query" {
                keys.push(("auth_query", Value::Text(value.clone())));
                account.add(line, key, Verdict::Changed, SEARCH_PATH);
            } else {
                account.add(line, key, Verdict::Taken, "auth_database");
            }
        }
        if let Some(name) = auth_database.filter(|_| !off) {
            keys.push(("auth_database", Value::Text(name)));
        }
        self.keys = keys;
    }
}
