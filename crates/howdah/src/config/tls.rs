//! The keys `tls…` of `[listen]` and `[[cluster.node]]` into what speaks TLS. They name files, which are read here, so every load and
//! every reload reads them again.
//!
//! Invariant: a file that cannot be used is a mistake of the configuration, so a reload with one changes nothing.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use howdah_proxy::tls::{
    Acceptor, Authorities, ClientMode, Connector, Identity, MinimumVersion, NodeMode, Part,
    Unusable,
};

use super::error::{Mistake, Notice};
use super::read::{Hidden, Reader};

/// A certificate that expires sooner is worth a warning.
const SOON: Duration = Duration::from_hours(14 * 24);
/// Instead of a file: the authorities that the machine trusts.
const SYSTEM: &str = "system";

/// What speaks TLS with clients.
pub(crate) fn listen(reader: &mut Reader<'_>) -> Option<Arc<Acceptor>> {
    let minimum = match reader.word("tls_min_version") {
        Some("1.3") => MinimumVersion::Tls13,
        Some(_) | None => MinimumVersion::Tls12,
    };
    let implied = if reader.is_given("tls_cert") { "prefer" } else { "disable" };
    let mode = match reader.word("tls") {
        Some(mode) => mode,
        None if reader.is_given("tls") => return None,
        None => {
            reader.implied("tls", implied);
            implied
        }
    };
    let mode = match mode {
        "disable" => return None,
        "require" => ClientMode::Required,
        "verify-ca" | "verify-full" => ClientMode::Verified,
        _ => ClientMode::Optional,
    };
    let identity = identity(reader);
    let authorities = file(reader, "tls_ca").map(|pem| Authorities::read(&pem));
    let authorities = report(reader, authorities);
    if identity.is_none() && !reader.is_given("tls_cert") {
        let fix = "tls_cert = \"/etc/howdah/server.crt\" and tls_key = \"/etc/howdah/server.key\"";
        reader.fail(Mistake::Missing, "tls_cert", "TLS needs a certificate", fix);
    }
    if mode == ClientMode::Verified && !reader.is_given("tls_ca") {
        let fix =
            "tls_ca = \"/etc/howdah/clients.crt\", the authority that signs their certificates";
        reader.fail(Mistake::Missing, "tls_ca", "nothing to check clients' certificates with", fix);
    }
    let (identity, authorities) = (identity?, authorities.ok()?);
    let acceptor = Acceptor::new(mode, minimum, &identity, authorities.as_ref());
    let acceptor = report(reader, Some(acceptor)).ok()??;
    remark_expiry(reader, acceptor.expires());
    Some(Arc::new(acceptor))
}

fn remark_expiry(reader: &mut Reader<'_>, expires: SystemTime) {
    let text = match expires.duration_since(SystemTime::now()) {
        Ok(left) if left >= SOON => return,
        Ok(left) => {
            let hours = left.as_secs() / 3600;
            let left =
                if hours < 48 { format!("{hours} hours") } else { format!("{} days", hours / 24) };
            format!("the certificate of listen.tls_cert expires in {left}: renew it and reload")
        }
        Err(_) => "the certificate of listen.tls_cert has expired: renew it and reload".to_owned(),
    };
    let origin = reader.origin("tls_cert");
    reader.findings().notices.push(Notice { text, origin });
}

/// What speaks TLS with a node. `is_socket`: it is reached through a Unix socket, over which nothing is encrypted.
pub(crate) fn node(reader: &mut Reader<'_>, is_socket: bool) -> Option<Arc<Connector>> {
    let given = reader.is_given("tls");
    let mode = match reader.word("tls")? {
        "prefer" => NodeMode::Prefer,
        "require" => NodeMode::Require,
        "verify-ca" => NodeMode::VerifyCa,
        "verify-full" => NodeMode::VerifyFull,
        _ => return None,
    };
    if is_socket {
        if given && mode != NodeMode::Prefer {
            let fix = "leave tls out: what passes through a Unix socket stays on this machine";
            reader.fail(
                Mistake::Conflict,
                "tls",
                "PostgreSQL speaks no TLS over a Unix socket",
                fix,
            );
        }
        return None;
    }
    let authorities = match (authorities_file(reader), mode) {
        (Some(result), _) => Some(result),
        (None, NodeMode::VerifyCa | NodeMode::VerifyFull) if !reader.is_given("tls_ca") => {
            Some(Authorities::system())
        }
        (None, _) => None,
    };
    let authorities = report(reader, authorities);
    let identity = identity(reader);
    let unread = identity.is_none() && reader.is_given("tls_cert")
        || authorities.as_ref().is_ok_and(Option::is_none) && reader.is_given("tls_ca");
    let authorities = authorities.ok().filter(|_| !unread)?;
    let connector = Connector::new(mode, authorities, identity.as_ref());
    report(reader, Some(connector)).ok()?.map(Arc::new)
}

fn authorities_file(reader: &mut Reader<'_>) -> Option<Result<Authorities, Unusable>> {
    let path = reader.text("tls_ca")?;
    if path == SYSTEM {
        return Some(Authorities::system());
    }
    contents(reader, "tls_ca", &path).map(|pem| Authorities::read(&pem))
}

/// A certificate with its key; `None`: neither is named, or a mistake is reported.
fn identity(reader: &mut Reader<'_>) -> Option<Identity> {
    for (key, other) in [("tls_cert", "tls_key"), ("tls_key", "tls_cert")] {
        if reader.is_given(key) && !reader.is_given(other) {
            let reason = format!("{key} without {other}");
            reader.fail(Mistake::Missing, other, reason, "a certificate and its key go together");
        }
    }
    let certificate = file(reader, "tls_cert");
    let key = file(reader, "tls_key");
    let read = Identity::read(&certificate?, &key?);
    report(reader, Some(read)).ok()?
}

/// The contents of the file that a key names.
fn file(reader: &mut Reader<'_>, key: &str) -> Option<Vec<u8>> {
    let path = reader.text(key)?;
    contents(reader, key, &path)
}

fn contents(reader: &mut Reader<'_>, key: &str, path: &str) -> Option<Vec<u8>> {
    match std::fs::read(path) {
        Ok(contents) => {
            let path = reader.path(key);
            let entries = reader.findings().entries.iter_mut();
            if let Some(entry) = entries.rev().find(|entry| entry.key == path) {
                // A file with other contents is a change that a reload tells of.
                entry.hidden = Some(Hidden(String::from_utf8_lossy(&contents).into_owned()));
            }
            Some(contents)
        }
        Err(error) => {
            let reason = format!("cannot be read: {error}");
            reader.fail(
                Mistake::Unreadable,
                key,
                reason,
                "a file in PEM form that this user may read",
            );
            None
        }
    }
}

/// Makes what cannot be used a mistake of its key. `Err`: that has happened.
fn report<T>(
    reader: &mut Reader<'_>,
    result: Option<Result<T, Unusable>>,
) -> Result<Option<T>, ()> {
    match result {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(Unusable { part, reason })) => {
            let (key, fix) = match part {
                Part::Certificate => {
                    ("tls_cert", "the certificate in PEM form, those above it behind it")
                }
                Part::Key => {
                    ("tls_key", "the certificate's private key in PEM form, without a passphrase")
                }
                Part::Authorities => ("tls_ca", "certificates of authorities in PEM form"),
            };
            reader.fail(Mistake::Unreadable, key, reason, fix);
            Err(())
        }
    }
}
