//! `[users]` and the `auth_file`: who may log in, and how. Not what they may do.
//!
//! Invariant: a secret goes into the configuration and nowhere else.

use std::collections::BTreeMap;
use std::path::Path;

use super::databases::Databases;
use super::ini::{self, Line};
use super::table::{General, list};
use super::write::{Tables, Value};
use super::{Account, ImportError, Verdict};

/// One user.
#[derive(Debug, Default)]
struct User {
    secret: Option<String>,
    pool_mode: Option<String>,
    max_clients: Option<u64>,
}

/// All users by name.
#[derive(Debug, Default)]
pub(super) struct Users(BTreeMap<String, User>);

impl Users {
    pub(super) fn read(
        lines: &[Line],
        general: &General<'_>,
        path: &Path,
        account: &mut Account,
    ) -> Result<Self, ImportError> {
        let mut users = Self::default();
        if let Some(name) = general.get("auth_file") {
            let file = ini::relative(path, name);
            for (name, secret) in secrets(&ini::text(&file)?) {
                users.0.entry(name).or_default().secret = secret;
            }
        }
        for line in lines.iter().filter(|line| line.section == "users") {
            users.configure(line, account);
        }
        Ok(users)
    }

    fn configure(&mut self, line: &Line, account: &mut Account) {
        let key = format!("users.{}", line.key);
        let Some(pairs) = ini::pairs(&line.value) else {
            return account.add(line, key, Verdict::Dropped, "not a list of key=value");
        };
        let user = self.0.entry(line.key.clone()).or_default();
        let mut sound = true;
        for (name, value) in pairs {
            match name.as_str() {
                "pool_mode" => user.pool_mode = Some(value),
                "max_user_client_connections" => {
                    user.max_clients = value.parse().ok().filter(|number| *number > 0);
                }
                _ => {
                    sound = false;
                    let why =
                        "is not a user's in Howdah: see the keys of [pool] and [database.pool]";
                    account.add(line, format!("{key} {name}"), Verdict::Dropped, why);
                }
            }
        }
        if sound {
            account.add(line, key, Verdict::Taken, format!("[[user]] {}", line.key));
        }
    }

    /// The users, and those of them that may use the console.
    pub(super) fn write(
        &self,
        databases: &Databases,
        general: &General<'_>,
        tables: &mut Tables,
        account: &mut Account,
    ) {
        let kind = general.get("auth_type").unwrap_or("md5");
        let line = general.line("auth_type");
        let mut note = |verdict, text: String| {
            if let Some(line) = line.or_else(|| general.line("auth_file")) {
                account.add(line, "auth_type", verdict, text);
            }
        };
        let all = matches!(kind, "trust" | "any");
        match kind {
            "trust" | "any" => note(
                Verdict::Changed,
                format!(
                    "{kind} admits clients of this machine only, and as any user: give users passwords for others"
                ),
            ),
            "plain" | "md5" | "scram-sha-256" => {}
            other => note(
                Verdict::Changed,
                format!(
                    "{other} is not served: users prove themselves by what auth_file has of their passwords"
                ),
            ),
        }
        let mut written = Vec::new();
        for (name, user) in &self.0 {
            let method = if all { Some("trust") } else { method(kind, user.secret.as_deref()) };
            let Some(method) = method else {
                note(
                    Verdict::Dropped,
                    format!("user {name} has no password in auth_file: add a [[user]]"),
                );
                continue;
            };
            written.push(name);
            let secret = user.secret.as_deref();
            let stored = secret.is_some_and(|text| is_md5(text) || is_verifier(text));
            if stored && databases.forced().and_then(|(_, password)| password).is_none() {
                note(
                    Verdict::Changed,
                    format!(
                        "user {name}: what auth_file has of the password cannot be used to log in to servers: set server_password, or let the servers trust Howdah"
                    ),
                );
            }
            if stored && kind == "plain" {
                note(
                    Verdict::Taken,
                    format!("user {name}: the stored form serves auth = \"{method}\""),
                );
            }
            entry(tables, (name, method, user), databases, general);
        }
        if all {
            entry(tables, ("*", "trust", &User::default()), databases, general);
        } else if written.is_empty() {
            note(Verdict::Dropped, "no user was found: add a [[user]] with a password".to_owned());
        }
        for (key, path) in [("admin_users", "admin.users"), ("stats_users", "admin.stats_users")] {
            let Some(line) = general.line(key).filter(|_| !all && super::has_key(path)) else {
                continue;
            };
            let (known, unknown): (Vec<_>, Vec<_>) =
                list(&line.value).into_iter().partition(|name| written.contains(&name));
            if !unknown.is_empty() {
                let text = format!("not among the users, and left out: {}", unknown.join(", "));
                account.add(line, key, Verdict::Changed, text);
            }
            tables.unset(path);
            if !known.is_empty() {
                tables.set(path, Value::List(known));
            }
        }
    }
}

fn entry(
    tables: &mut Tables,
    (name, method, user): (&str, &str, &User),
    databases: &Databases,
    general: &General<'_>,
) {
    let entry = tables.begin("user");
    let mut text = |key: &str, value: &str| {
        entry.push((key.to_owned(), Value::Text(value.to_owned())));
    };
    text("name", name);
    text("auth", method);
    if let Some(secret) = &user.secret {
        text("password", secret);
    }
    if let Some((user, password)) = databases.forced() {
        text("server_user", user);
        if let Some(password) = password {
            text("server_password", password);
        }
    }
    if let Some(mode) = &user.pool_mode {
        text("pool_mode", mode);
    }
    let clients = user.max_clients.or_else(|| general.bound("max_user_client_connections"));
    if let Some(number) = clients.filter(|_| name != "*") {
        entry.push(("max_clients".to_owned(), Value::Number(number)));
    }
}

fn is_md5(secret: &str) -> bool {
    secret.len() == 35 && secret.starts_with("md5")
}

fn is_verifier(secret: &str) -> bool {
    secret.starts_with("SCRAM-SHA-256$")
}

/// How a user proves himself; `None`: nothing is known of his password.
fn method(kind: &str, secret: Option<&str>) -> Option<&'static str> {
    let secret = secret?;
    Some(match kind {
        _ if is_verifier(secret) => "scram-sha-256",
        _ if is_md5(secret) => "md5",
        "plain" => "password",
        "md5" => "md5",
        _ => "scram-sha-256",
    })
}

/// Names and secrets of an `auth_file`: two quoted texts a line, a doubled quote stands for itself.
fn secrets(text: &str) -> Vec<(String, Option<String>)> {
    let quoted = |text: &str| -> Option<(String, String)> {
        let (mut value, mut rest) = (String::new(), text.trim_start().strip_prefix('"')?);
        loop {
            let (part, after) = rest.split_once('"')?;
            value.push_str(part);
            match after.strip_prefix('"') {
                Some(more) => {
                    value.push('"');
                    rest = more;
                }
                None => return Some((value, after.to_owned())),
            }
        }
    };
    let lines = text.lines().filter(|line| !line.trim_start().starts_with(';'));
    lines
        .filter_map(|line| {
            let (name, rest) = quoted(line)?;
            let secret = quoted(&rest).map(|(secret, _)| secret);
            Some((name, secret.filter(|secret| !secret.is_empty())))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auth_file_is_read_with_its_quotes() {
        let text = "; comment\n\"a\" \"p\"\"w\" \"\"\n\n\"b\"  \"md5x\"\n\"c\" \"\"\nnonsense\n";
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            secrets(text),
            [
                ("a".to_owned(), some("p\"w")),
                ("b".to_owned(), some("md5x")),
                ("c".to_owned(), None)
            ]
        );
    }

    #[test]
    fn the_stored_form_decides_how_a_user_proves_himself() {
        let md5 = format!("md5{}", "0".repeat(32));
        let rows = [
            ("md5", "plain", Some("md5")),
            ("plain", "plain", Some("password")),
            ("scram-sha-256", "plain", Some("scram-sha-256")),
            ("hba", "plain", Some("scram-sha-256")),
            ("scram-sha-256", md5.as_str(), Some("md5")),
            ("md5", "SCRAM-SHA-256$4096:a$b:c", Some("scram-sha-256")),
        ];
        for (kind, secret, expected) in rows {
            assert_eq!(method(kind, Some(secret)), expected, "{kind} {secret}");
        }
        assert_eq!(method("md5", None), None);
    }
}
