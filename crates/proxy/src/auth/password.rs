//! Password in clear text on the wire, compared with whatever is stored. Not whether that is wise on this connection.
//!
//! Invariant: the comparison takes the same time wherever the texts differ.

use howdah_wire::{backend, frontend, md5, scram};

use super::{Link, constant_time_eq, no_threads};
use crate::error::Refusal;
use crate::keys::{Lesson, aside};
use crate::settings::Secret;
use crate::worker::Worker;

/// Asks for the password.
pub(super) async fn ask(worker: &Worker, link: &mut Link) -> Result<String, Refusal> {
    backend::authentication_cleartext(link.outbox.bytes(&worker.shelf));
    let body = link.password(worker).await?;
    let given = frontend::password_text(&body).map_err(Refusal::protocol)?;
    Ok(String::from_utf8_lossy(given).into_owned())
}

/// Compares it. `None`: it is another.
pub(super) async fn check(
    name: &str,
    secret: &Secret,
    given: &str,
) -> Result<Option<Lesson>, Refusal> {
    let equal = match secret {
        Secret::Plain(password) => constant_time_eq(password.as_bytes(), given.as_bytes()),
        Secret::Md5(shadow) => {
            constant_time_eq(shadow.as_bytes(), md5::shadow(name, given).as_bytes())
        }
        Secret::ScramVerifier(text) => {
            let verifier = super::scram::parse_verifier(text)?;
            let (password, salt, rounds) =
                (given.to_owned(), verifier.salt.clone(), verifier.iterations);
            let made = aside(move || scram::Verifier::from_password(&password, &salt, rounds));
            let made = made.await.ok_or_else(no_threads)?;
            constant_time_eq(&made.stored_key, &verifier.stored_key)
        }
    };
    Ok(equal.then(|| Lesson::Password(given.to_owned())))
}
