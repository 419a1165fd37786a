//! PostgreSQL's md5 challenge, for what is stored in clear text or as md5. Not for SCRAM verifiers, which cannot answer it.
//!
//! Invariant: every challenge has a salt of its own.

use howdah_wire::{backend, frontend, md5};

use super::{Link, no_randomness};
use crate::error::Refusal;
use crate::keys::Lesson;
use crate::settings::Secret;
use crate::worker::Worker;

/// A challenge with the client's answer.
pub(super) struct Answered {
    salt: [u8; 4],
    answer: Vec<u8>,
}

/// Sends a salt and takes the answer.
pub(super) async fn ask(worker: &Worker, link: &mut Link) -> Result<Answered, Refusal> {
    let salt = crate::random::bytes::<4>().map_err(no_randomness)?;
    backend::authentication_md5(link.outbox.bytes(&worker.shelf), salt);
    let body = link.password(worker).await?;
    let answer = frontend::password_text(&body).map_err(Refusal::protocol)?.to_vec();
    Ok(Answered { salt, answer })
}

/// Compares the answer. `None`: it is that of another password.
pub(super) fn check(name: &str, secret: &Secret, answered: &Answered) -> Option<Lesson> {
    let (shadow, lesson) = match secret {
        Secret::Plain(password) => {
            (md5::shadow(name, password), Lesson::Password(password.clone()))
        }
        Secret::Md5(shadow) => (shadow.clone(), Lesson::Md5(shadow.clone())),
        Secret::ScramVerifier(_) => return None,
    };
    md5::verify(&shadow, answered.salt, &answered.answer).then_some(lesson)
}
