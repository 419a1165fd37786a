//! Users whose password Howdah does not know: it is asked for in clear text, and right when PostgreSQL lets it in. Not the login of
//! the pool's servers, which use it afterwards.
//!
//! Invariant: a password counts as right only when PostgreSQL has asked for it; a server that trusts everybody proves nothing.

use howdah_wire::sqlstate::SqlState;

use super::{Link, constant_time_eq, password};
use crate::clock;
use crate::connect::{self, Login, OpenError, Proof};
use crate::error::Refusal;
use crate::keys::{Keys, Lesson};
use crate::pool::PoolKey;
use crate::settings::Settings;
use crate::worker::Worker;

/// How long a password that was right counts as right.
const COUNTS: std::time::Duration = std::time::Duration::from_secs(5);

/// Asks for the password and tries it out. `None`: it is wrong, or there is no server that could say so, as on the console.
pub(super) async fn prove(
    worker: &Worker,
    link: &mut Link,
    settings: &Settings,
    key: PoolKey,
) -> Result<Option<Lesson>, Refusal> {
    if !link.is_private() {
        return Err(Refusal::new(
            SqlState::INVALID_AUTHORIZATION,
            "the password of this user would cross the network in clear text",
        )
        .hint("Connect with TLS, from this machine, or by the Unix socket."));
    }
    let given = password::ask(worker, link).await?;
    if crate::console::is_console(settings, &key.database) {
        return Ok(None);
    }
    let Some((target, config)) = settings.pool(&key.database, &key.user) else {
        return Ok(None);
    };
    let since = clock::now().checked_sub(COUNTS);
    let right = since.is_some_and(|since| {
        let passed = worker.passed.borrow();
        let known = passed.get(&key, since);
        known.is_some_and(|known| constant_time_eq(known.as_bytes(), given.as_bytes()))
    });
    if right {
        // Not taught again: meanwhile somebody may have come with a newer one.
        return Ok(Some(Lesson::Nothing));
    }
    // A few at once: every attempt costs PostgreSQL a process. The semaphore is never closed.
    let _turn = worker.trying.acquire().await.ok();
    let keys = Keys::default();
    keys.learn(Lesson::Password(given.clone()));
    let settings = &[("application_name", "howdah login")];
    let login = Login { user: &key.user, settings, ..target.login(&key.user, &keys) };
    let opened = tokio::time::timeout(config.connect_timeout, connect::open(&login, &worker.shelf));
    let late = || OpenError::Timeout { address: target.address.to_string() };
    match opened.await.unwrap_or_else(|_| Err(late())) {
        Ok(mut opened) => {
            // Best effort: the login was all it was for.
            let _ = opened.stream.say_goodbye();
            if opened.proof == Proof::Nothing {
                tracing::error!(
                    user = %key.user,
                    "pass_through: PostgreSQL at {} lets this user in without a password, so none is proved; change its pg_hba.conf",
                    target.address
                );
                return Ok(None);
            }
            worker.passed.borrow_mut().put(key, given.clone(), clock::now());
            Ok(Some(Lesson::Password(given)))
        }
        Err(OpenError::Refused { code, .. })
            if code == SqlState::INVALID_PASSWORD || code == SqlState::INVALID_AUTHORIZATION =>
        {
            Ok(None)
        }
        Err(error) => {
            tracing::warn!(user = %key.user, "cannot try out a password: {error}");
            Err(error.refusal())
        }
    }
}
