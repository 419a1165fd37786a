//! Proof of identity of a client: trust for local ones, password, md5, SCRAM-SHA-256.
//!
//! Invariant: a user that does not exist costs the same messages and the same time as a wrong password, and the answers are
//! the same.

use std::rc::Rc;

use howdah_wire::sqlstate::SqlState;
use howdah_wire::{backend, frame, frontend, md5, scram};
use subtle::ConstantTimeEq;

use crate::buffer::{Inbox, Outbox};
use crate::error::Refusal;
use crate::settings::{Login, Secret, Settings, User};
use crate::stream::{Peer, Stream};
use crate::worker::Worker;

/// Iterations of a SCRAM verifier made from a plain password: PostgreSQL's own default.
const ITERATIONS: u32 = 4096;

/// Longest message a client may send while it logs in.
const LOGIN_MESSAGE: usize = 8 * 1024;

/// A connection that is logging in.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) stream: Stream,
    pub(crate) peer: Peer,
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
}

impl Link {
    pub(crate) fn new(stream: Stream, peer: Peer) -> Self {
        Self { stream, peer, inbox: Inbox::default(), outbox: Outbox::default() }
    }

    /// A connection of which these bytes were read already.
    pub(crate) fn holding(stream: Stream, peer: Peer, bytes: Vec<u8>) -> Self {
        Self { inbox: Inbox::holding(bytes), ..Self::new(stream, peer) }
    }

    /// Reads once; `false`: the client is gone.
    pub(crate) async fn fill(&mut self, worker: &Worker) -> bool {
        if self.inbox.is_full() {
            return false;
        }
        let (inbox, stream) = (&mut self.inbox, &mut self.stream);
        let count = std::future::poll_fn(|cx| inbox.poll_fill(stream, &worker.shelf, cx)).await;
        count.is_ok_and(|count| count > 0)
    }

    /// Writes all that waits; a client that is gone is noticed by the next read.
    pub(crate) async fn flush(&mut self, worker: &Worker) {
        let (outbox, stream) = (&mut self.outbox, &mut self.stream);
        let _ = std::future::poll_fn(|cx| outbox.poll_flush(stream, &worker.shelf, cx)).await;
    }

    /// The next password message.
    async fn password(&mut self, worker: &Worker) -> Result<Vec<u8>, Refusal> {
        self.flush(worker).await;
        loop {
            let header = frame::header(self.inbox.unread()).map_err(Refusal::protocol)?;
            if let Some(header) = header
                && (header.tag != frontend::tag::PASSWORD || header.frame_len() > LOGIN_MESSAGE)
            {
                return Err(Refusal::protocol("expected a password message"));
            }
            let complete = frame::split(self.inbox.unread()).map_err(Refusal::protocol)?;
            if let Some((found, _)) = complete {
                let (body, whole) = (found.body.to_vec(), found.bytes.len());
                self.inbox.consume(whole);
                return Ok(body);
            }
            if !self.fill(worker).await {
                return Err(Refusal::protocol("the connection ended during the login"));
            }
        }
    }
}

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
        Login::Password(secret) => clear_text(worker, link, name, secret).await?,
        Login::Md5(secret) => md5_challenge(worker, link, name, secret).await?,
        Login::Scram(secret) => {
            let verifier = verifier(worker, name, secret)?;
            scram_exchange(worker, link, verifier).await?
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
        Some(Login::Password(_)) => clear_text(worker, link, name, &nobody).await.map(drop),
        Some(Login::Md5(_)) => md5_challenge(worker, link, name, &nobody).await.map(drop),
        _ => {
            let verifier =
                scram::Verifier::mock(name.as_bytes(), worker.shared.stranger().as_bytes());
            scram_exchange(worker, link, verifier).await.map(drop)
        }
    }
}

async fn clear_text(
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
            let verifier = parse_verifier(text)?;
            let given = String::from_utf8_lossy(given);
            let made = scram::Verifier::from_password(&given, &verifier.salt, verifier.iterations);
            constant_time_eq(made.to_string().as_bytes(), verifier.to_string().as_bytes())
        }
    })
}

async fn md5_challenge(
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

async fn scram_exchange(
    worker: &Worker,
    link: &mut Link,
    verifier: scram::Verifier,
) -> Result<bool, Refusal> {
    let nonce = crate::random::token().map_err(no_randomness)?;
    let mut server = scram::Server::new(verifier, nonce);
    backend::authentication_sasl(link.outbox.bytes(&worker.shelf), &["SCRAM-SHA-256"]);
    let body = link.password(worker).await?;
    let (mechanism, data) = frontend::sasl_initial_response(&body).map_err(Refusal::protocol)?;
    if mechanism != b"SCRAM-SHA-256" {
        return Err(Refusal::protocol("the client chose a SASL mechanism that was not offered"));
    }
    let first = server.on_client_first(data.unwrap_or_default()).map_err(Refusal::protocol)?;
    backend::authentication_sasl_continue(link.outbox.bytes(&worker.shelf), &first);
    let body = link.password(worker).await?;
    let Ok(last) = server.on_client_final(&body) else {
        return Ok(false);
    };
    backend::authentication_sasl_final(link.outbox.bytes(&worker.shelf), &last);
    Ok(true)
}

/// The verifier of a user; made once from a plain password, because that costs milliseconds.
fn verifier(worker: &Worker, name: &str, secret: &Secret) -> Result<scram::Verifier, Refusal> {
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

fn parse_verifier(text: &str) -> Result<scram::Verifier, Refusal> {
    scram::Verifier::parse(text)
        .map_err(|_| Refusal::new(SqlState::INTERNAL, "a stored SCRAM verifier cannot be read"))
}

/// Compares without telling by its time where the difference is.
pub(crate) fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

fn no_randomness(error: std::io::Error) -> Refusal {
    Refusal::new(SqlState::INTERNAL, format!("no random bytes: {error}"))
}
