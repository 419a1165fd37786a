//! Proof of identity of a client: trust for local ones, password, md5, SCRAM-SHA-256, certificate.
//!
//! Invariant: a user that does not exist costs the same messages and the same time as a wrong password, and the answers are
//! the same.

use std::rc::Rc;

use howdah_wire::scram::Verifier;
use howdah_wire::sqlstate::SqlState;
use subtle::ConstantTimeEq;

use crate::error::Refusal;
use crate::settings::{Login, Secret, Settings, User};
use crate::stream::Peer;
use crate::worker::Worker;

mod certificate;
mod link;
mod md5;
mod password;
mod scram;

pub(crate) use link::Link;

/// Lets a client in or not.
///
/// # Errors
/// What the client is told: 28P01 for a wrong password and for an unknown user.
pub(crate) async fn authenticate(
    worker: &Rc<Worker>,
    link: &mut Link,
    settings: &Settings,
    name: &str,
    user: Option<&User>,
) -> Result<(), Refusal> {
    if link.peer == Peer::Memory {
        // The in-process door: whoever holds the engine is in already.
        return Ok(());
    }
    let failed = || {
        Refusal::new(
            SqlState::INVALID_PASSWORD,
            format!("password authentication failed for user {name:?}"),
        )
    };
    let Some(user) = user else {
        if settings.users.iter().all(|user| matches!(user.login, Login::Trust)) {
            return Err(Refusal::new(
                SqlState::INVALID_AUTHORIZATION,
                format!("user {name:?} is not configured in Howdah"),
            )
            .hint("Add a [[user]] with this name."));
        }
        return refuse_stranger(worker, link, settings, name).await.and_then(|()| Err(failed()));
    };
    let proven = match &user.login {
        Login::Trust if link.peer.is_local() => true,
        Login::Trust => {
            return Err(Refusal::new(
                SqlState::INVALID_AUTHORIZATION,
                format!("user {name:?} may log in without a password only from this machine"),
            )
            .hint("Give the user a password, and auth = \"scram-sha-256\"."));
        }
        Login::Password(secret) => password::clear_text(worker, link, name, secret).await?,
        Login::Md5(secret) => md5::challenge(worker, link, name, secret).await?,
        Login::Scram(secret) => {
            let verifier = scram::verifier(worker, name, secret)?;
            scram::exchange(worker, link, verifier).await?
        }
        Login::Certificate(wanted) => {
            return certificate::check(link, name, wanted.as_deref().unwrap_or(name));
        }
    };
    if proven { Ok(()) } else { Err(failed()) }
}

/// The exchange that a user of the most common kind would have, with a password that nobody has.
async fn refuse_stranger(
    worker: &Rc<Worker>,
    link: &mut Link,
    settings: &Settings,
    name: &str,
) -> Result<(), Refusal> {
    let nobody = Secret::Plain(worker.shared.stranger().to_owned());
    match settings.users.iter().map(|user| &user.login).find(|login| !matches!(login, Login::Trust))
    {
        Some(Login::Password(_)) => {
            password::clear_text(worker, link, name, &nobody).await.map(drop)
        }
        Some(Login::Md5(_)) => md5::challenge(worker, link, name, &nobody).await.map(drop),
        _ => {
            let verifier = Verifier::mock(name.as_bytes(), worker.shared.stranger().as_bytes());
            scram::exchange(worker, link, verifier).await.map(drop)
        }
    }
}

/// Compares without telling by its time where the difference is.
pub(crate) fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

fn no_randomness(error: std::io::Error) -> Refusal {
    Refusal::new(SqlState::INTERNAL, format!("no random bytes: {error}"))
}
