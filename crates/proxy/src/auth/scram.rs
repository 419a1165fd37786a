//! SCRAM-SHA-256 with a client, bound to the TLS channel if there is one, and the verifiers that it needs. Not the messages themselves: those are in `howdah_wire::scram`.
//!
//! Invariant: a verifier is made from a password once, not per login: it costs milliseconds.

use howdah_wire::sqlstate::SqlState;
use howdah_wire::{backend, frontend, scram};

use super::{Link, no_randomness, no_threads};
use crate::error::Refusal;
use crate::keys::{Lesson, ScramKeys, aside};
use crate::settings::Secret;
use crate::tls::Channel;
use crate::worker::Worker;

/// Iterations of a SCRAM verifier made from a plain password: PostgreSQL's own default.
const ITERATIONS: u32 = 4096;

/// Has the client prove that it knows the password of a verifier. `None`: it does not.
pub(super) async fn exchange(
    worker: &Worker,
    link: &mut Link,
    verifier: scram::Verifier,
) -> Result<Option<Lesson>, Refusal> {
    let (salt, iterations) = (verifier.salt.clone(), verifier.iterations);
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
        return Ok(None);
    };
    backend::authentication_sasl_final(link.outbox.bytes(&worker.shelf), &last);
    let keys = server.client_keys().cloned();
    Ok(keys.map(|keys| Lesson::Scram(ScramKeys { salt, iterations, keys })))
}

/// The verifier of a user; made once from a plain password, and by one of those who wait for it. `None`: what is stored has none.
pub(super) async fn verifier(
    worker: &Worker,
    name: &str,
    secret: &Secret,
) -> Result<Option<scram::Verifier>, Refusal> {
    let password = match secret {
        Secret::ScramVerifier(text) => return parse_verifier(text).map(Some),
        Secret::Md5(_) => return Ok(None),
        Secret::Plain(password) => password,
    };
    let known = || worker.shared.verifier(name, password);
    if let Some(known) = known() {
        return Ok(Some(known));
    }
    let _turn = worker.hashing.lock().await;
    if let Some(known) = known() {
        return Ok(Some(known));
    }
    let salt = crate::random::bytes::<16>().map_err(no_randomness)?;
    let owned = password.clone();
    let made = aside(move || scram::Verifier::from_password(&owned, &salt, ITERATIONS)).await;
    let made = made.ok_or_else(no_threads)?;
    worker.shared.remember_verifier(name, password, &made);
    Ok(Some(made))
}

pub(super) fn parse_verifier(text: &str) -> Result<scram::Verifier, Refusal> {
    scram::Verifier::parse(text)
        .map_err(|_| Refusal::new(SqlState::INTERNAL, "a stored SCRAM verifier cannot be read"))
}
