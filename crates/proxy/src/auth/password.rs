//! Password in clear text on the wire, compared with whatever is stored. Not whether that is wise on this connection.
//!
//! Invariant: the comparison takes the same time wherever the texts differ.

use howdah_wire::{backend, frontend, md5, scram};

use super::{Link, constant_time_eq};
use crate::error::Refusal;
use crate::settings::Secret;
use crate::worker::Worker;

/// Asks for the password and compares it.
pub(super) async fn clear_text(
    worker: &Worker,
    link: &mut Link,
    name: &str,
    secret: &Secret,
) -> Result<bool, Refusal> {
    backend::authentication_cleartext(link.outbox.bytes(&worker.shelf));
    let body = link.password(worker).await?;
    let given = frontend::password_text(&body).map_err(Refusal::protocol)?;
    Ok(match secret {
        Secret::Plain(password) => constant_time_eq(password.as_bytes(), given),
        Secret::Md5(shadow) => {
            let given = String::from_utf8_lossy(given);
            constant_time_eq(shadow.as_bytes(), md5::shadow(name, &given).as_bytes())
        }
        Secret::ScramVerifier(text) => {
            let verifier = super::scram::parse_verifier(text)?;
            let given = String::from_utf8_lossy(given);
            let made = scram::Verifier::from_password(&given, &verifier.salt, verifier.iterations);
            constant_time_eq(made.to_string().as_bytes(), verifier.to_string().as_bytes())
        }
    })
}
