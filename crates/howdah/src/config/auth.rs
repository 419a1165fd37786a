//! `[auth]`: users of a file, look-ups, limits. The file's own form is in `userlist`, that of the rules in `hba`.
//!
//! Invariant: a file that cannot be read or understood is a mistake, at a reload too, so what was in force stays in force.

use std::collections::HashMap;
use std::path::Path;

use howdah_proxy::settings::{Auth, AuthQuery, Database, Rates, Secret, ServerCredentials, User};

use super::document::{self, Table};
use super::error::{ConfigError, Mistake};
use super::keys::{AUTH, DATABASE};
use super::read::{Findings, Hidden, Reader};
use super::userlist::{self, Userlist};
use super::{hba, secret, users};

/// What `[auth]` says.
pub(crate) struct Read {
    /// For the data plane.
    pub(crate) auth: Auth,
    /// Users of the file.
    pub(crate) userlist: Userlist,
    query: Option<AuthQuery>,
}

/// Reads `[auth]` and the files that it names.
pub(crate) fn read(
    root: &Table,
    environment: &HashMap<String, String>,
    findings: &mut Findings,
) -> Read {
    let mut reader = Reader::new(AUTH.keys, root.single("auth"), "auth", findings);
    let userlist = file(&mut reader, "file", userlist::parse).unwrap_or_default();
    let listed = file(&mut reader, "hba_file", hba::parse);
    let query = query(&mut reader, environment);
    let method = reader.word("method").and_then(hba::method);
    let limit = |number: Option<u32>| number.filter(|number| *number > 0);
    let rates = Rates {
        failures_per_minute: limit(reader.integer("failures_per_minute")),
        logins_per_second: limit(reader.integer("logins_per_second")),
        max_pending: limit(reader.integer("max_pending")),
    };
    let rules = hba::read(root, reader.findings());
    if listed.is_some() && rules.is_some() {
        let reason = "contradicts the [[hba]] sections: rules have one order";
        reader.fail(Mistake::Conflict, "hba_file", reason, "keep one of them");
    }
    Read { auth: Auth { rules: rules.or(listed), method, rates }, userlist, query }
}

/// The parsed text of a file that a key names.
fn file<T>(
    reader: &mut Reader<'_>,
    key: &str,
    parse: impl FnOnce(&str, &Path, &mut Vec<ConfigError>) -> T,
) -> Option<T> {
    let path = reader.text(key)?;
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            let reason = format!("cannot be read: {error}");
            reader.fail(Mistake::Unreadable, key, reason, "a file that this user may read");
            return None;
        }
    };
    let parsed = parse(&text, Path::new(&path), &mut reader.findings().errors);
    // What changes at a reload is the text, not its place.
    let key = reader.path(key);
    let entries = reader.findings().entries.iter_mut();
    if let Some(entry) = entries.rev().find(|entry| entry.key == key) {
        entry.hidden = Some(Hidden(text));
    }
    Some(parsed)
}

fn query(reader: &mut Reader<'_>, environment: &HashMap<String, String>) -> Option<AuthQuery> {
    let user = reader.text("query_user");
    let password = secret::read(reader, "query_password", environment);
    let query = reader.text("query")?;
    let database = reader.text("query_database");
    let cache = reader.duration("query_cache").unwrap_or_default();
    let Some(user) = user else {
        let said = ["query_password", "query", "query_database"];
        if let Some(key) = said.iter().find(|key| reader.is_given(key)) {
            let reason = "without query_user nobody asks";
            reader.fail(Mistake::Missing, key, reason, "query_user = \"howdah_auth\"");
        }
        return None;
    };
    let credentials = ServerCredentials { password, ..ServerCredentials::default() };
    Some(AuthQuery { query, user, credentials, database, cache })
}

impl Read {
    /// Whether users without an entry are looked up.
    pub(crate) const fn looks_up(&self) -> bool {
        self.query.is_some()
    }

    /// Gives the databases their look-ups, and the role that asks its password, now that users are known.
    pub(crate) fn finish(
        mut self,
        root: &Table,
        users: &[User],
        databases: &mut [Database],
        findings: &mut Findings,
    ) -> Auth {
        if let Some(query) = &mut self.query
            && query.credentials.password.is_none()
            && let Some(user) = users.iter().find(|user| user.name == query.user)
        {
            query.credentials = user.server.clone();
        }
        let tables = root.named("database");
        for database in databases {
            let found = tables
                .iter()
                .enumerate()
                .find(|(_, table)| table.name().is_some_and(|name| name == database.name));
            database.auth_query = match found {
                Some((index, table)) => self.of(table, index, findings),
                None => self.query.clone(),
            };
        }
        self.auth
    }

    /// The look-ups of a database with an entry.
    fn of(&self, table: &Table, index: usize, findings: &mut Findings) -> Option<AuthQuery> {
        let path = document::path("", table.section, Some((index, table.name().as_deref())));
        let mut reader = Reader::new(DATABASE.keys, Some(table), path, findings);
        let own = reader.text("auth_query");
        let database = reader.text("auth_database");
        let off = own.as_deref() == Some("off");
        let Some(query) = &self.query else {
            if let Some(key) =
                ["auth_query", "auth_database"].iter().find(|key| reader.is_given(key))
                && !off
            {
                let fix = "[auth]\nquery_user = \"howdah_auth\"";
                reader.fail(Mistake::Missing, key, "without auth.query_user nobody asks", fix);
            }
            return None;
        };
        let mut query = query.clone();
        query.query = own.unwrap_or(query.query);
        query.database = database.or(query.database);
        Some(query).filter(|_| !off)
    }
}

/// An entry of the file, as a user.
pub(crate) fn user(name: &str, secret: Option<&Secret>, auth: &Auth) -> User {
    let (login, server) = users::of_stored(secret, auth.method);
    let name = name.to_owned();
    User {
        name,
        login,
        server,
        read_server: None,
        pool_mode: None,
        share: None,
        max_clients: None,
        max_servers: None,
    }
}
