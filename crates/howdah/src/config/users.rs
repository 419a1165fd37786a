//! `[[user]]` into users of the data plane: how clients prove who they are, and what Howdah logs in to servers with.
//!
//! Invariant: a user that is not proved to be anyone (trust without saying so) never comes with an address others can reach.

use std::collections::HashMap;

use howdah_core::pool::PoolMode;
use howdah_proxy::settings::{Login, Secret, ServerCredentials, User};

use super::document::{self, Table};
use super::error::{Mistake, Notice};
use super::keys::USER;
use super::read::{Findings, Reader};
use super::secret;
use super::validate::{mode, unique};

/// Reads all users. `reachable`: clients of other machines can connect.
pub(crate) fn read(
    root: &Table,
    reachable: bool,
    environment: &HashMap<String, String>,
    findings: &mut Findings,
) -> Vec<User> {
    let tables = root.named("user");
    unique(tables, "", findings);
    let mut users = Vec::with_capacity(tables.len());
    for (index, table) in tables.iter().enumerate() {
        let name = table.name();
        let path = document::path("", table.section, Some((index, name.as_deref())));
        let mut reader = Reader::new(USER.keys, Some(table), path, findings);
        users.extend(user(&mut reader, reachable, environment));
    }
    if tables.is_empty() {
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

fn user(
    reader: &mut Reader<'_>,
    reachable: bool,
    environment: &HashMap<String, String>,
) -> Option<User> {
    let name = reader.text("name");
    if name.is_none() && !reader.is_given("name") {
        let fix = "name = \"app\"";
        reader.fail(Mistake::Missing, "name", "a user without a name", fix);
    }
    let password = secret::read(reader, "password", environment);
    let asked = reader.word("auth");
    let proof = password.map(secret::recognise);
    let login = login(reader, asked, proof.as_ref(), reachable);
    let server = server(reader, proof.as_ref(), environment);
    let pool_mode: Option<PoolMode> = reader.word("pool_mode").map(mode);
    let max_clients = reader.integer("max_clients");
    let name = name?;
    if name == "*" && !matches!(login, Login::Trust | Login::Certificate(None)) {
        reader.fail(
            Mistake::Conflict,
            "name",
            "\"*\" stands for many users, who cannot have one password",
            "auth = \"trust\" for clients of this machine, or an entry for each user",
        );
    }
    Some(User { name, login, server, pool_mode, max_clients })
}

fn login(
    reader: &mut Reader<'_>,
    asked: Option<&'static str>,
    proof: Option<&Secret>,
    reachable: bool,
) -> Login {
    let unread = ["password", "password_file", "password_env", "password_command"]
        .iter()
        .any(|key| reader.is_given(key))
        && proof.is_none();
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
    let own = secret::read(reader, "server_password", environment);
    let password = match (own, proof) {
        (Some(own), _) => Some(own),
        (None, Some(Secret::Plain(password))) => Some(password.clone()),
        (None, Some(Secret::Md5(_) | Secret::ScramVerifier(_))) => {
            let notice = Notice {
                text: format!(
                    "{} has no server_password, and the stored form cannot be used to log in: the servers must trust it",
                    reader.path("server_password")
                ),
                origin: reader.origin("password"),
            };
            reader.findings().notices.push(notice);
            None
        }
        (None, None) => None,
    };
    ServerCredentials { user, password }
}
