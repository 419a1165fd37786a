//! `[web]`: where metrics and the dashboard are served, and to whom.
//!
//! Invariant: an address that other machines can reach is refused while nobody has to say who they are.

use std::collections::HashMap;
use std::net::SocketAddr;

use howdah_web::{Credential, Proof, Role};
use howdah_wire::scram::Verifier;

use super::document::{self, Table};
use super::error::{Mistake, Notice};
use super::keys::{WEB, WEB_TOKEN, WEB_USER};
use super::read::{Findings, Reader};
use super::secret;
use super::validate::unique;

/// Where and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    /// The address.
    pub address: SocketAddr,
    /// Who may come in; nobody: everybody on this machine.
    pub credentials: Vec<Credential>,
}

/// What is said; `None`: nowhere.
pub(crate) fn read(
    root: &Table,
    environment: &HashMap<String, String>,
    findings: &mut Findings,
) -> Option<Web> {
    let web = root.single("web");
    let credentials = credentials(web, environment, findings);
    let mut reader = Reader::new(WEB.keys, web, "web", findings);
    let text = reader.text("listen")?;
    if text == "off" {
        return None;
    }
    let written = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.clone(),
    };
    let fix = "for example \"127.0.0.1:9640\", \"[::1]:9640\", or \"off\"";
    let Ok(address) = written.parse::<SocketAddr>() else {
        reader.fail(Mistake::Value, "listen", format!("{text} is not ADDRESS:PORT"), fix);
        return None;
    };
    if !address.ip().is_loopback() && credentials.is_empty() {
        let reason = format!(
            "{text} can be reached from other machines, and nobody has to say who they are there"
        );
        let fix = "a [[web.user]] or a [[web.token]]; or an address of this machine, such as \"127.0.0.1:9640\", and a tunnel (ssh -L 9640:127.0.0.1:9640) for others";
        reader.fail(Mistake::Value, "listen", reason, fix);
        return None;
    }
    if !address.ip().is_loopback() {
        let text = format!(
            "web.listen = {text}: passwords and tokens travel as they are; put something that speaks TLS in front"
        );
        let origin = reader.origin("listen");
        reader.findings().notices.push(Notice { text, origin });
    }
    Some(Web { address, credentials })
}

fn credentials(
    web: Option<&Table>,
    environment: &HashMap<String, String>,
    findings: &mut Findings,
) -> Vec<Credential> {
    let mut found = Vec::new();
    for section in [&WEB_USER, &WEB_TOKEN] {
        let tables = web.map(|web| web.named(section.name)).unwrap_or_default();
        unique(tables, "web", findings);
        for (index, table) in tables.iter().enumerate() {
            let name = table.name();
            let path = document::path("web", table.section, Some((index, name.as_deref())));
            let mut reader = Reader::new(section.keys, Some(table), path, findings);
            let name = reader.text("name");
            if name.is_none() && !reader.is_given("name") {
                reader.fail(Mistake::Missing, "name", "nobody's name", "name = \"ann\"");
            }
            let role = reader.word("role").and_then(Role::parse).unwrap_or(Role::Viewer);
            let proof = match section.name {
                "user" => password(&mut reader, environment),
                _ => token(&mut reader),
            };
            found.extend(name.zip(proof).map(|(name, proof)| Credential { name, role, proof }));
        }
    }
    found
}

fn password(reader: &mut Reader<'_>, environment: &HashMap<String, String>) -> Option<Proof> {
    let found = secret::read(reader, "password", environment);
    let Some(text) = found else {
        if !secret::is_given(reader, "password") {
            let fix = "password_env = \"HOWDAH_WEB_PASSWORD\"";
            reader.fail(Mistake::Missing, "password", "somebody without a password", fix);
        }
        return None;
    };
    if text.starts_with("SCRAM-SHA-256$") {
        return match Verifier::parse(&text) {
            Ok(verifier) => Some(Proof::Password(verifier)),
            Err(error) => {
                let fix = "as in pg_authid.rolpassword, or the password itself";
                reader.fail(Mistake::Value, "password", error.to_string(), fix);
                None
            }
        };
    }
    // It is in the configuration in clear text: a salt of its own would protect nothing.
    let salt = reader.path("password");
    Some(Proof::Password(Verifier::from_password(&text, salt.as_bytes(), ITERATIONS)))
}

/// Rounds for a password that is in the configuration in clear text: PostgreSQL's.
const ITERATIONS: u32 = 4_096;

fn token(reader: &mut Reader<'_>) -> Option<Proof> {
    let fix = "64 hexadecimal digits: printf %s \"$TOKEN\" | sha256sum";
    let Some(text) = reader.text("sha256") else {
        reader.fail(Mistake::Missing, "sha256", "a token without its hash", fix);
        return None;
    };
    let digits = text.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    let bytes: Option<Vec<u8>> = digits.collect();
    match bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
        Some(hash) => Some(Proof::Token(hash)),
        None => {
            reader.fail(Mistake::Value, "sha256", "not the hash of a token", fix);
            None
        }
    }
}
