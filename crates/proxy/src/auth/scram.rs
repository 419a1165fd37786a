//! SCRAM-SHA-256 with a client, bound to the TLS channel if there is one, and the verifiers that it needs. Not the messages themselves: those are in `howdah_wire::scram`.
//!
//! Invariant: a verifier is made from a password once, not per login: it costs milliseconds.

use howdah_wire::sqlstate::SqlState;
use howdah_wire::{backend, frontend, scram};

use super::{Link, no_randomness};
use crate::error::Refusal;
use crate::settings::Secret;
use crate::tls::Channel;
use crate::worker::Worker;

/// Iterations of a SCRAM verifier made from a plain password: PostgreSQL's own default.
const ITERATIONS: u32 = 4096;

/// Has the client prove that it knows the password of a verifier.
pub(super) async fn exchange(
    worker: &Worker,
    link: &mut Link,
    verifier: scram::Verifier,
) -> Result<bool, Refusal> {
    let nonce = crate::random::token().map_err(no_randomness)?;
    let mut server = scram::Server::new(verifier, nonce);
    let end_point = link.stream.channel().and_then(Channel::end_point);
    let offered: &[&str] = match end_point {
        Some(_) => &[scram::MECHANISM_PLUS, scram::MECHANISM],
        None => &[scram::MECHANISM],
    };
    backend::authentication_sasl(link.outbox.bytes(&worker.shelf), offered);
    let body = link.password(worker).await?;
    let (mechanism, data) = frontend::sasl_initial_response(&body).map_err(Refusal::protocol)?;
    if !offered.iter().any(|name| name.as_bytes() == mechanism) {
        return Err(Refusal::protocol("the client chose a SASL mechanism that was not offered"));
    }
    if let Some(hash) = end_point {
        server = server.offered(hash, mechanism == scram::MECHANISM_PLUS.as_bytes());
    }
    let first = server
        .on_client_first(data.unwrap_or_default())
        .map_err(|error| Refusal::new(error.sqlstate(), error.to_string()))?;
    backend::authentication_sasl_continue(link.outbox.bytes(&worker.shelf), &first);
    let body = link.password(worker).await?;
    let Ok(last) = server.on_client_final(&body) else {
        return Ok(false);
    };
    backend::authentication_sasl_final(link.outbox.bytes(&worker.shelf), &last);
    Ok(true)
}

/// The verifier of a user; made once from a plain password, because that costs milliseconds.
pub(super) fn verifier(
    worker: &Worker,
    name: &str,
    secret: &Secret,
) -> Result<scram::Verifier, Refusal> {
    match secret {
        Secret::ScramVerifier(text) => parse_verifier(text),
        Secret::Plain(password) => {
            let salt = crate::random::bytes::<16>().map_err(no_randomness)?;
            Ok(worker.shared.verifier(name, password, || {
                scram::Verifier::from_password(password, &salt, ITERATIONS)
            }))
        }
        Secret::Md5(_) => Err(Refusal::new(
            SqlState::INVALID_PASSWORD,
            format!("password authentication failed for user {name:?}"),
        )),
    }
}

pub(super) fn parse_verifier(text: &str) -> Result<scram::Verifier, Refusal> {
    scram::Verifier::parse(text)
        .map_err(|_| Refusal::new(SqlState::INTERNAL, "a stored SCRAM verifier cannot be read"))
}
