//! `[users]` and the `auth_file`: who may log in, and how. Not what they may do, nor who asks for users (`lookups`).
//!
//! Invariant: a secret of the `auth_file` stays there.

use std::collections::BTreeMap;
use std::path::Path;

use howdah_proxy::settings::Secret;

use super::databases::Databases;
use super::ini::{self, Line};
use super::table::{General, list};
use super::write::{Tables, Value};
use super::{Account, ImportError, Verdict};
use crate::config::userlist::{self, Userlist};

/// What `[users]` says of one.
#[derive(Debug, Default)]
struct Own {
    pool_mode: Option<String>,
    max_clients: Option<u64>,
    max_servers: Option<u64>,
}

/// What decides over all users.
struct Around<'a> {
    kind: &'a str,
    databases: &'a Databases,
    general: &'a General<'a>,
}

/// All users by name.
#[derive(Debug, Default)]
pub(super) struct Users {
    listed: Userlist,
    own: BTreeMap<String, Own>,
}

impl Users {
    pub(super) fn read(
        lines: &[Line],
        general: &General<'_>,
        path: &Path,
        account: &mut Account,
    ) -> Result<Self, ImportError> {
        let mut users = Self::default();
        if let Some(line) = general.line("auth_file").filter(|line| !line.value.is_empty()) {
            let file = ini::relative(path, &line.value);
            let mut errors = Vec::new();
            users.listed = userlist::parse(&ini::text(&file)?, &file, &mut errors);
            account.add(
                line,
                "auth_file",
                Verdict::Taken,
                "auth.file, which is read by each reload",
            );
            for error in errors {
                let text = format!("{}: {}: {}", error.origin, error.reason, error.fix);
                account.add(line, "auth_file", Verdict::Changed, text);
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
        let user = self.own.entry(line.key.clone()).or_default();
        let mut sound = true;
        for (name, value) in pairs {
            match name.as_str() {
                "pool_mode" => user.pool_mode = Some(value),
                "max_user_client_connections" => {
                    user.max_clients = value.parse().ok().filter(|number| *number > 0);
                }
                "max_user_connections" => {
                    user.max_servers = value.parse().ok().filter(|number| *number > 0);
                }
                _ => {
                    sound = false;
                    let why =
                        "is not a user's in Howdah: see the keys of [pool] and [database.pool]";
                    account.add(line, format!("{key} {name}"), Verdict::Dropped, why);
                }
            }
        }
        if !self.listed.contains_key(&line.key) {
            let text = "not in the auth_file: add a password to the [[user]], if one is to log in";
            account.add(line, key, Verdict::Dropped, text);
        } else if sound {
            account.add(line, key, Verdict::Taken, format!("[[user]] {}", line.key));
        }
    }

    /// The users, and those of them that may use the console.
    pub(super) fn write(
        &self,
        path: &Path,
        databases: &Databases,
        general: &General<'_>,
        tables: &mut Tables,
        account: &mut Account,
    ) {
        let kind = general.get("auth_type").unwrap_or("md5");
        let looked_up = databases.looks_up(general);
        let absolute = |name: &str| {
            let file = ini::relative(path, name);
            let absolute = std::path::absolute(&file).unwrap_or(file);
            Value::Text(absolute.display().to_string())
        };
        if let Some(name) = general.get("auth_file") {
            tables.set("auth.file", absolute(name));
        }
        if let Some(line) = general.line("auth_hba_file") {
            if kind == "hba" {
                tables.set("auth.hba_file", absolute(&line.value));
                account.add(line, "auth_hba_file", Verdict::Taken, "auth.hba_file");
            } else {
                let text = "it counts with auth_type = hba only";
                account.add(line, "auth_hba_file", Verdict::Needless, text);
            }
        }
        method(kind, general, tables, account);
        let around = Around { kind, databases, general };
        let everybody = matches!(kind, "trust" | "any");
        for (name, secret) in &self.listed {
            self.entry(name, secret.as_ref(), &around, tables);
            remark(name, secret.as_ref(), &around, account);
        }
        let all = if everybody { Some("trust") } else { None };
        let all = all.or_else(|| (kind == "cert" && looked_up).then_some("cert"));
        if let Some(method) = all {
            let entry = tables.begin("user");
            entry.push(("name".to_owned(), Value::Text("*".to_owned())));
            entry.push(("auth".to_owned(), Value::Text(method.to_owned())));
            server(entry, databases);
        } else if self.listed.values().all(Option::is_none) && !looked_up {
            note(
                general,
                account,
                Verdict::Dropped,
                "no user was found: add a [[user]] with a password",
            );
        }
        if looked_up && databases.forced().is_some() {
            let text =
                "users that are looked up log in to servers as themselves, and not as user= says";
            note(general, account, Verdict::Changed, text);
        }
        if !everybody && !looked_up {
            self.console(general, tables, account);
        }
    }

    /// An entry for a user of whom there is more to say than the file does.
    fn entry(&self, name: &str, secret: Option<&Secret>, around: &Around<'_>, tables: &mut Tables) {
        let Around { kind, databases, general } = *around;
        let auth = match (kind, secret) {
            ("trust" | "any", _) => "trust",
            ("cert", _) => "cert",
            // Nobody can log in with an empty password: the file says so.
            (_, None) => return,
            (_, Some(Secret::ScramVerifier(_))) => "scram-sha-256",
            (_, Some(Secret::Md5(_))) => "md5",
            ("plain", _) => "password",
            ("md5", _) => "md5",
            _ => "scram-sha-256",
        };
        let own = self.own.get(name);
        let bound = |own: Option<u64>, of_all: &str| own.or_else(|| general.bound(of_all));
        let clients = bound(own.and_then(|own| own.max_clients), "max_user_client_connections");
        let servers = bound(own.and_then(|own| own.max_servers), "max_user_connections");
        let plain = !matches!(auth, "trust" | "cert") && databases.forced().is_none();
        if plain && own.is_none() && clients.is_none() && servers.is_none() {
            return;
        }
        let entry = tables.begin("user");
        entry.push(("name".to_owned(), Value::Text(name.to_owned())));
        entry.push(("auth".to_owned(), Value::Text(auth.to_owned())));
        server(entry, databases);
        if let Some(mode) = own.and_then(|own| own.pool_mode.as_ref()) {
            entry.push(("pool_mode".to_owned(), Value::Text(mode.clone())));
        }
        if let Some(number) = clients {
            entry.push(("max_clients".to_owned(), Value::Number(number)));
        }
        if let Some(number) = servers {
            entry.push(("max_servers".to_owned(), Value::Number(number)));
        }
    }

    /// Names for the console are of users that there are.
    fn console(&self, general: &General<'_>, tables: &mut Tables, account: &mut Account) {
        for (key, path) in [("admin_users", "admin.users"), ("stats_users", "admin.stats_users")] {
            let Some(line) = general.line(key) else { continue };
            let (known, unknown): (Vec<_>, Vec<_>) =
                list(&line.value).into_iter().partition(|name| self.listed.contains_key(name));
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

/// What is different for a user.
fn remark(name: &str, secret: Option<&Secret>, around: &Around<'_>, account: &mut Account) {
    let kind = around.kind;
    let forced = around.databases.forced().is_some_and(|(_, password)| password.is_none());
    let text = match secret {
        None if !matches!(kind, "trust" | "any" | "cert") => {
            format!("user {name} has no password in the auth_file, and cannot log in")
        }
        Some(Secret::Md5(_)) if kind == "scram-sha-256" => format!(
            "user {name}: what is stored is of md5, and cannot prove anybody with SCRAM: store the password anew"
        ),
        Some(Secret::Md5(_) | Secret::ScramVerifier(_)) if forced => format!(
            "user {name}: what is stored cannot log in to servers as another user: set server_password, or let the servers trust Howdah"
        ),
        Some(_) | None => return,
    };
    note(around.general, account, Verdict::Changed, &text);
}

/// What all users are logged in to servers with.
fn server(entry: &mut Vec<(String, Value)>, databases: &Databases) {
    if let Some((user, password)) = databases.forced() {
        entry.push(("server_user".to_owned(), Value::Text(user.to_owned())));
        if let Some(password) = password {
            entry.push(("server_password".to_owned(), Value::Text(password.to_owned())));
        }
    }
}

/// How users prove who they are.
fn method(kind: &str, general: &General<'_>, tables: &mut Tables, account: &mut Account) {
    let word = match kind {
        "plain" => "password",
        "md5" | "scram-sha-256" => kind,
        "hba" => return note(general, account, Verdict::Taken, "the methods of auth.hba_file"),
        "cert" => return note(general, account, Verdict::Taken, "auth of each [[user]]"),
        "trust" | "any" => {
            let text = format!(
                "{kind} admits clients of this machine only, and as any user: give users passwords for others"
            );
            return note(general, account, Verdict::Changed, &text);
        }
        other => {
            let text = format!(
                "{other} is not served: users prove themselves by what the auth_file has of their passwords; with pass_through = true PostgreSQL judges, by whatever its pg_hba.conf says"
            );
            return note(general, account, Verdict::Dropped, &text);
        }
    };
    tables.set("auth.method", Value::Text(word.to_owned()));
    note(general, account, Verdict::Taken, "auth.method");
}

/// A remark on `auth_type`, wherever that is said.
fn note(general: &General<'_>, account: &mut Account, verdict: Verdict, text: &str) {
    let line = general.line("auth_type").or_else(|| general.line("auth_file"));
    if let Some(line) = line {
        account.add(line, "auth_type", verdict, text);
    }
}
