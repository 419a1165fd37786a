//! Proof of identity of a client: what is asked of it (rules by address, its entry, a look-up), and the ways to answer, one a file.
//!
//! Invariant: a user that does not exist, has no password, or whose password is over costs the same messages as a wrong password, and
//! the answers are the same.

use std::rc::Rc;

use howdah_wire::scram::Verifier;
use howdah_wire::sqlstate::SqlState;
use subtle::ConstantTimeEq;

use crate::error::Refusal;
use crate::keys::Lesson;
use crate::pool::PoolKey;
use crate::settings::{Login, Method, Secret, Settings};
use crate::stream::Peer;
use crate::worker::Worker;

mod certificate;
mod limits;
mod link;
mod lookup;
mod md5;
mod pass_through;
mod password;
mod peer;
mod query;
mod rules;
mod scram;

pub(crate) use link::Link;
pub(crate) use lookup::Lookups;
pub(crate) use rules::bind_host;

use lookup::Lookup;

/// A client that has proved to be the user it names. There is no other way to get one than [`authenticate`].
#[derive(Debug)]
pub(crate) struct Authenticated {
    /// What the proof has revealed of the password.
    pub(crate) lesson: Lesson,
}

/// Who a name stands for.
enum Account<'a> {
    /// An entry of the configuration.
    Configured(&'a Login),
    /// Somebody who was looked up.
    Found(Secret),
    /// Nobody.
    Stranger,
}

/// What the client is told when its proof is wrong, whatever the reason.
fn failed(name: &str) -> Refusal {
    let words = format!("password authentication failed for user {name:?}");
    Refusal::new(SqlState::INVALID_PASSWORD, words)
}

/// Lets a client in or not. Cancel safe.
///
/// # Errors
/// What the client is told: 28P01 for a wrong password and for an unknown user.
pub(crate) async fn authenticate(
    worker: &Rc<Worker>,
    link: &mut Link,
    settings: &Settings,
    database: &str,
    name: &str,
) -> Result<Authenticated, Refusal> {
    if link.peer == Peer::Memory {
        // The in-process door: whoever holds the engine is in already.
        return Ok(Authenticated { lesson: Lesson::Nothing });
    }
    let rule = rules::method(settings, link, database, name)?;
    let attempt = limits::begin(&worker.shared, settings, link.peer).await?;
    let lookup = Lookup::new(settings, database, name);
    let account = match (settings.user(name), &lookup) {
        (Some(user), _) => Account::Configured(&user.login),
        (None, Some(lookup)) => match lookup.find(worker).await? {
            Some(secret) => Account::Found(secret),
            None => Account::Stranger,
        },
        (None, None) => Account::Stranger,
    };
    let login = asked(settings, link, name, rule, &account, lookup.is_some())?;
    let key = PoolKey::home(database, name);
    let proof = match (login, rule) {
        (None, Some(Method::Trust)) => Some(Lesson::Nothing),
        (None, Some(Method::Peer)) => peer::is(link, name).await.then_some(Lesson::Nothing),
        (None, Some(Method::Cert)) => {
            // The name that the user's entry says, also when the rule asks for it.
            let wanted = match account {
                Account::Configured(Login::Certificate(Some(wanted))) => wanted,
                Account::Configured(_) | Account::Found(_) | Account::Stranger => name,
            };
            certificate::check(link, name, wanted)?;
            Some(Lesson::Nothing)
        }
        (None, _) => None,
        (Some(Login::Certificate(wanted)), _) => {
            certificate::check(link, name, wanted.as_deref().unwrap_or(name))?;
            Some(Lesson::Nothing)
        }
        (Some(Login::PassThrough), _) => pass_through::prove(worker, link, settings, key).await?,
        (Some(login), _) => {
            let renew = lookup.as_ref().filter(|_| matches!(account, Account::Found(_)));
            challenge(worker, link, settings, name, login, renew).await?
        }
    };
    let Some(lesson) = proof else {
        attempt.failed().await;
        return Err(match rule {
            Some(Method::Peer) => no_peer(name),
            Some(_) | None => failed(name),
        });
    };
    Ok(Authenticated { lesson })
}

/// What a client has to do for its login; `None`: nothing, as the rule says.
fn asked(
    settings: &Settings,
    link: &Link,
    name: &str,
    rule: Option<Method>,
    account: &Account<'_>,
    looked_up: bool,
) -> Result<Option<Login>, Refusal> {
    let stored = match account {
        Account::Configured(login) => login.secret(),
        Account::Found(secret) => Some(secret),
        Account::Stranger => None,
    };
    match (rule, account) {
        (Some(Method::Trust | Method::Reject | Method::Peer | Method::Cert), _) => Ok(None),
        (_, Account::Configured(Login::PassThrough)) => Ok(Some(Login::PassThrough)),
        (Some(method), _) => {
            Ok(Some(stored.map_or(Login::NoPassword, |secret| by(Some(method), secret))))
        }
        (None, Account::Configured(Login::Trust)) if link.peer.is_local() => Ok(Some(Login::Trust)),
        (None, Account::Configured(Login::Trust)) => Err(Refusal::new(
            SqlState::INVALID_AUTHORIZATION,
            format!("user {name:?} may log in without a password only from this machine"),
        )
        .hint("Give the user a password, and auth = \"scram-sha-256\".")),
        (None, Account::Configured(login)) => Ok(Some((*login).clone())),
        (None, Account::Found(secret)) => Ok(Some(by(settings.auth.method, secret))),
        (None, Account::Stranger) => {
            let trusting = settings.users.iter().all(|user| matches!(user.login, Login::Trust));
            if trusting && !looked_up {
                let words = format!("user {name:?} is not configured in Howdah");
                return Err(Refusal::new(SqlState::INVALID_AUTHORIZATION, words)
                    .hint("Add a [[user]] with this name."));
            }
            Ok(Some(Login::NoPassword))
        }
    }
}

/// The login of somebody with this stored password, when that is the method.
fn by(method: Option<Method>, secret: &Secret) -> Login {
    match (method, secret) {
        (Some(Method::Password), secret) => Login::Password(secret.clone()),
        (Some(Method::Md5), Secret::Plain(_)) | (None | Some(Method::Md5), Secret::Md5(_)) => {
            Login::Md5(secret.clone())
        }
        // As in PostgreSQL, md5 in the rule means SCRAM for whom it is stored.
        (None | Some(Method::Md5), Secret::ScramVerifier(_))
        | (Some(Method::Scram), Secret::Plain(_) | Secret::ScramVerifier(_))
        | (None, Secret::Plain(_)) => Login::Scram(secret.clone()),
        (Some(Method::Scram), Secret::Md5(_))
        | (Some(Method::Trust | Method::Reject | Method::Cert | Method::Peer), _) => {
            Login::NoPassword
        }
    }
}

/// Has the client prove a password. `renew`: where the stored one comes from, if it may have changed. `None`: it is wrong.
async fn challenge(
    worker: &Worker,
    link: &mut Link,
    settings: &Settings,
    name: &str,
    login: Login,
    renew: Option<&Lookup<'_>>,
) -> Result<Option<Lesson>, Refusal> {
    let renewed = async |used: &Secret| match renew {
        Some(lookup) => lookup.renewed(worker, used).await,
        None => None,
    };
    match login {
        Login::Trust => Ok(Some(Lesson::Nothing)),
        Login::Password(secret) => {
            let given = password::ask(worker, link).await?;
            let proof = password::check(name, &secret, &given).await?;
            match proof {
                None => match renewed(&secret).await {
                    Some(secret) => password::check(name, &secret, &given).await,
                    None => Ok(None),
                },
                proof => Ok(proof),
            }
        }
        Login::Md5(secret) => {
            let answered = md5::ask(worker, link).await?;
            let proof = md5::check(name, &secret, &answered);
            match proof {
                None => Ok(renewed(&secret)
                    .await
                    .and_then(|secret| md5::check(name, &secret, &answered))),
                proof => Ok(proof),
            }
        }
        Login::Scram(secret) => {
            let Some(verifier) = scram::verifier(worker, name, &secret).await? else {
                return refuse_stranger(worker, link, settings, name).await;
            };
            let proof = scram::exchange(worker, link, verifier).await?;
            if proof.is_none() {
                // The salt is said already, so a new password is known to the next attempt.
                renewed(&secret).await;
            }
            Ok(proof)
        }
        Login::NoPassword | Login::PassThrough | Login::Certificate(_) => {
            refuse_stranger(worker, link, settings, name).await
        }
    }
}

/// The exchange that a user of the most usual kind would have, with a password that nobody has.
async fn refuse_stranger(
    worker: &Worker,
    link: &mut Link,
    settings: &Settings,
    name: &str,
) -> Result<Option<Lesson>, Refusal> {
    let nobody = worker.shared.stranger();
    let mock = Verifier::mock(name.as_bytes(), nobody.as_bytes());
    let unknown = |like: &Secret| match like {
        Secret::Plain(_) | Secret::Md5(_) => Secret::Plain(nobody.to_owned()),
        Secret::ScramVerifier(_) => Secret::ScramVerifier(mock.to_string()),
    };
    let usual =
        settings.users.iter().map(|user| &user.login).find(|login| login.secret().is_some());
    match (settings.auth.method, usual) {
        (Some(Method::Password), _) => {
            let given = password::ask(worker, link).await?;
            password::check(name, &Secret::ScramVerifier(mock.to_string()), &given).await?;
        }
        (None, Some(Login::Password(secret))) => {
            let given = password::ask(worker, link).await?;
            password::check(name, &unknown(secret), &given).await?;
        }
        (Some(Method::Md5), _) | (None, Some(Login::Md5(_))) => {
            let answered = md5::ask(worker, link).await?;
            md5::check(name, &Secret::Plain(nobody.to_owned()), &answered);
        }
        _ => {
            scram::exchange(worker, link, mock).await?;
        }
    }
    Ok(None)
}

/// The process at the other end is not the user's.
fn no_peer(name: &str) -> Refusal {
    let words = format!("peer authentication failed for user {name:?}");
    Refusal::new(SqlState::INVALID_AUTHORIZATION, words).hint(
        "Only a process of the operating system's user of this name, over a Unix socket, is admitted by this rule.",
    )
}

/// Compares without telling by its time where the difference is.
pub(crate) fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

fn no_randomness(error: std::io::Error) -> Refusal {
    Refusal::new(SqlState::INTERNAL, format!("no random bytes: {error}"))
}

fn no_threads() -> Refusal {
    Refusal::new(SqlState::INTERNAL, "the thread that checks passwords has ended")
}
