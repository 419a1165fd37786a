//! `[[user]]` into users of the data plane: how clients prove who they are, and what Howdah logs in to servers with.
//!
//! Invariant: a user that is not proved to be anyone (trust without saying so) never comes with an address others can reach.

use std::collections::HashMap;

use howdah_core::pool::PoolMode;
use howdah_proxy::settings::{Auth, Login, Method, Secret, ServerCredentials, User};

use super::auth;
use super::document::{self, Table};
use super::error::{Mistake, Notice};
use super::keys::USER;
use super::read::{Findings, Reader};
use super::secret;
use super::userlist::Userlist;
use super::validate::{mode, shares, unique};

/// What there is to know beside the entries themselves.
pub(crate) struct Around<'a> {
    /// Clients of other machines can connect.
    pub(crate) reachable: bool,
    /// Variables that passwords may be in.
    pub(crate) environment: &'a HashMap<String, String>,
    /// Users of `auth.file`.
    pub(crate) userlist: &'a Userlist,
    /// What `[auth]` says.
    pub(crate) auth: &'a Auth,
    /// Others are looked up.
    pub(crate) looked_up: bool,
}

/// Reads all users: entries first, then those of the file that have none.
pub(crate) fn read(root: &Table, around: &Around<'_>, findings: &mut Findings) -> Vec<User> {
    let tables = root.named("user");
    unique(tables, "", findings);
    let mut users = Vec::with_capacity(tables.len());
    for (index, table) in tables.iter().enumerate() {
        let name = table.name();
        let path = document::path("", table.section, Some((index, name.as_deref())));
        let mut reader = Reader::new(USER.keys, Some(table), path, findings);
        users.extend(user(&mut reader, around));
    }
    let entries: Vec<_> = tables.iter().filter_map(Table::name).collect();
    let listed = around.userlist.iter().filter(|(name, _)| !entries.contains(name));
    users.extend(listed.map(|(name, secret)| auth::user(name, secret.as_ref(), around.auth)));
    if users.is_empty() && tables.is_empty() && !around.looked_up {
        let mut reader = Reader::new(USER.keys, None, "user", findings);
        reader.fail(
            Mistake::Missing,
            "name",
            "no user: there is no name for clients to log in as",
            "[[user]]\nname = \"app\"\npassword_env = \"APP_PASSWORD\"",
        );
    }
    users
}

fn user(reader: &mut Reader<'_>, around: &Around<'_>) -> Option<User> {
    let name = reader.text("name");
    if name.is_none() && !reader.is_given("name") {
        let fix = "name = \"app\"";
        reader.fail(Mistake::Missing, "name", "a user without a name", fix);
    }
    let password = secret::read(reader, "password", around.environment);
    let listed = name.as_ref().and_then(|name| around.userlist.get(name)).cloned().flatten();
    let proof = password.map(Secret::recognise).or(listed);
    let asked = reader.word("auth");
    let pass_through = reader.word("pass_through") == Some("true");
    let login = if pass_through {
        pass_through_login(reader)
    } else {
        login(reader, asked, proof.as_ref(), around.reachable)
    };
    let server = server(reader, proof.as_ref(), around.environment);
    let read_server = read_server(reader, &server, around.environment);
    let pool_mode: Option<PoolMode> = reader.word("pool_mode").map(mode);
    let share = reader.word("share").map(shares);
    let max_clients = reader.integer("max_clients");
    let max_servers = reader.integer("max_servers");
    let name = name?;
    let many = matches!(login, Login::Trust | Login::Certificate(None) | Login::PassThrough);
    if name == "*" && !many {
        reader.fail(
            Mistake::Conflict,
            "name",
            "\"*\" stands for many users, who cannot have one password",
            "auth = \"trust\" for clients of this machine, pass_through = true, [auth] query_user, or an entry for each user",
        );
    }
    Some(User { name, login, server, read_server, pool_mode, share, max_clients, max_servers })
}

/// The password is PostgreSQL's business alone, so nothing else can be said about it.
fn pass_through_login(reader: &mut Reader<'_>) -> Login {
    const OTHERS: [&str; 11] = [
        "auth",
        "password",
        "password_file",
        "password_env",
        "password_command",
        "server_user",
        "server_password",
        "server_password_file",
        "server_password_env",
        "server_password_command",
        "read_server_user",
    ];
    if let Some(key) = OTHERS.iter().find(|key| reader.is_given(key)) {
        let reason = "contradicts pass_through: the client's own password is used";
        reader.fail(Mistake::Conflict, key, reason, "keep one of them");
    }
    Login::PassThrough
}

/// The login of a user of whom only what is stored is known, and what it is good for on servers.
pub(crate) fn of_stored(
    secret: Option<&Secret>,
    method: Option<Method>,
) -> (Login, ServerCredentials) {
    let login = match (method, secret.cloned()) {
        (_, None) | (Some(Method::Scram), Some(Secret::Md5(_))) => Login::NoPassword,
        (Some(Method::Password), Some(secret)) => Login::Password(secret),
        (Some(Method::Md5), Some(secret @ Secret::Plain(_)))
        | (_, Some(secret @ Secret::Md5(_))) => Login::Md5(secret),
        (_, Some(secret)) => Login::Scram(secret),
    };
    (login, stored_credentials(secret))
}

/// What is stored of a client's password, as credentials for servers.
fn stored_credentials(secret: Option<&Secret>) -> ServerCredentials {
    match secret {
        Some(Secret::Plain(password)) => {
            ServerCredentials { password: Some(password.clone()), ..Default::default() }
        }
        Some(Secret::Md5(shadow)) => {
            ServerCredentials { md5: Some(shadow.clone()), ..Default::default() }
        }
        // Its owner's login reveals the key to it.
        Some(Secret::ScramVerifier(_)) | None => ServerCredentials::default(),
    }
}

fn login(
    reader: &mut Reader<'_>,
    asked: Option<&'static str>,
    proof: Option<&Secret>,
    reachable: bool,
) -> Login {
    let unread = secret::is_given(reader, "password") && proof.is_none();
    if asked == Some("cert") {
        return Login::Certificate(reader.text("cert_name"));
    }
    if reader.is_given("cert_name") {
        let reason = "the name in a certificate, and the user does not log in with one";
        reader.fail(Mistake::Conflict, "cert_name", reason, "auth = \"cert\"");
    }
    let Some(proof) = proof else {
        match asked {
            // A password that could not be read is one mistake, already reported.
            _ if unread => {}
            None if reader.is_given("auth") => {}
            None => {
                reader.implied("auth", "trust");
                if reachable {
                    reader.fail(
                        Mistake::Missing,
                        "password",
                        "without a password everybody who reaches listen.address would be let in",
                        "give a password (in DATABASE_URL: user:password@host), or listen on 127.0.0.1",
                    );
                }
            }
            Some("trust") => {
                if reachable {
                    let notice = Notice {
                        text: "auth = \"trust\" is for this machine: clients of others are refused"
                            .to_owned(),
                        origin: reader.origin("auth"),
                    };
                    reader.findings().notices.push(notice);
                }
            }
            Some(method) => reader.fail(
                Mistake::Missing,
                "auth",
                format!("{method} without a password to compare with"),
                "password_file = \"…\", password_env = \"…\" or password = \"…\"",
            ),
        }
        return Login::Trust;
    };
    let method = asked.unwrap_or(match proof {
        Secret::Md5(_) => "md5",
        Secret::Plain(_) | Secret::ScramVerifier(_) => "scram-sha-256",
    });
    if asked.is_none() && !reader.is_given("auth") {
        reader.implied("auth", method);
    }
    match (method, proof) {
        ("trust", _) => Login::Trust,
        ("password", proof) => Login::Password(proof.clone()),
        ("md5", Secret::ScramVerifier(_)) => {
            let fix = "auth = \"scram-sha-256\"";
            reader.fail(Mistake::Conflict, "auth", "the stored password is of SCRAM-SHA-256", fix);
            Login::Trust
        }
        ("md5", proof) => Login::Md5(proof.clone()),
        (_, Secret::Md5(_)) => {
            let fix =
                "auth = \"md5\", or store the password with password_encryption = 'scram-sha-256'";
            reader.fail(Mistake::Conflict, "auth", "the stored password is of md5", fix);
            Login::Trust
        }
        (_, proof) => Login::Scram(proof.clone()),
    }
}

fn server(
    reader: &mut Reader<'_>,
    proof: Option<&Secret>,
    environment: &HashMap<String, String>,
) -> ServerCredentials {
    let user = reader.text("server_user");
    if let Some(own) = secret::read(reader, "server_password", environment) {
        return ServerCredentials { user, password: Some(own), md5: None };
    }
    if user.is_some() && matches!(proof, Some(Secret::Md5(_) | Secret::ScramVerifier(_))) {
        let notice = Notice {
            text: format!(
                "{} has no server_password, and what is stored of the client's is of no use for another user: the servers must trust it",
                reader.path("server_user")
            ),
            origin: reader.origin("server_user"),
        };
        reader.findings().notices.push(notice);
        return ServerCredentials { user, ..ServerCredentials::default() };
    }
    ServerCredentials { user, ..stored_credentials(proof) }
}

/// Credentials for replicas; `None`: nothing is said about them.
fn read_server(
    reader: &mut Reader<'_>,
    server: &ServerCredentials,
    environment: &HashMap<String, String>,
) -> Option<ServerCredentials> {
    let user = reader.text("read_server_user");
    let password = secret::read(reader, "read_server_password", environment);
    match (user, password) {
        (None, None) => None,
        (None, password) => {
            Some(ServerCredentials { user: server.user.clone(), password, md5: None })
        }
        (user, None) => {
            let notice = Notice {
                text: format!(
                    "{} has no read_server_password: the replicas must trust it",
                    reader.path("read_server_user")
                ),
                origin: reader.origin("read_server_user"),
            };
            reader.findings().notices.push(notice);
            Some(ServerCredentials { user, ..ServerCredentials::default() })
        }
        (user, password) => Some(ServerCredentials { user, password, md5: None }),
    }
}
