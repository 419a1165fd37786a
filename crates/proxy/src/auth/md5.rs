//! PostgreSQL's md5 challenge, for what is stored in clear text or as md5. Not for SCRAM verifiers, which cannot answer it.
//!
//! Invariant: every challenge has a salt of its own.

use howdah_wire::{backend, frontend, md5};

use super::{Link, no_randomness};
use crate::error::Refusal;
use crate::settings::Secret;
use crate::worker::Worker;

/// Sends a salt and checks the answer.
pub(super) async fn challenge(
    worker: &Worker,
    link: &mut Link,
    name: &str,
    secret: &Secret,
) -> Result<bool, Refusal> {
    let salt = crate::random::bytes::<4>().map_err(no_randomness)?;
    backend::authentication_md5(link.outbox.bytes(&worker.shelf), salt);
    let body = link.password(worker).await?;
    let given = frontend::password_text(&body).map_err(Refusal::protocol)?;
    let shadow = match secret {
        Secret::Plain(password) => md5::shadow(name, password),
        Secret::Md5(shadow) => shadow.clone(),
        Secret::ScramVerifier(_) => return Ok(false),
    };
    Ok(md5::verify(&shadow, salt, given))
}
