//! What a pool can log in to its servers with: the configured password, and what logins of its clients have taught. Not the
//! login itself: `connect`.
//!
//! Invariant: what was taught is used only for servers of the very user who has proved it, and nothing here is printed.

use std::cell::RefCell;
use std::fmt;

use howdah_wire::{md5, scram};

use crate::settings::ServerCredentials;

/// SCRAM keys kept from logins: the present password and a few that it has replaced, which servers that lag may still have.
const LEARNED: usize = 4;

/// What a successful login has revealed of a client's password.
#[derive(Clone, Default)]
pub(crate) enum Lesson {
    /// Nothing.
    #[default]
    Nothing,
    /// The password.
    Password(String),
    /// The form that PostgreSQL stores for md5.
    Md5(String),
    /// SCRAM keys that satisfy servers with the same salt and count.
    Scram(ScramKeys),
}

impl fmt::Debug for Lesson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Password(_) => "Password(…)",
            Self::Md5(_) => "Md5(…)",
            Self::Scram(_) => "Scram(…)",
        })
    }
}

/// Keys for one salt and count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScramKeys {
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
    pub(crate) keys: scram::ClientKeys,
}

/// What is known for the logins of one server user.
#[derive(Default)]
pub(crate) struct Keys(RefCell<Known>);

#[derive(Default)]
struct Known {
    password: Option<String>,
    md5: Option<String>,
    /// Derived from the password or taught, the newest last. Deriving costs milliseconds, and a server's salt rarely changes.
    scram: Vec<ScramKeys>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    /// What the configuration knows.
    pub(crate) fn new(credentials: &ServerCredentials) -> Self {
        let ServerCredentials { password, md5, .. } = credentials.clone();
        Self(RefCell::new(Known { password, md5, scram: Vec::new() }))
    }

    /// Whether nothing is known: only a server that asks for nothing can be logged in to.
    pub(crate) fn is_empty(&self) -> bool {
        let known = self.0.borrow();
        known.password.is_none() && known.md5.is_none() && known.scram.is_empty()
    }

    /// Remembers what a login has taught. `true`: it was not known before.
    pub(crate) fn learn(&self, lesson: Lesson) -> bool {
        let known = &mut *self.0.borrow_mut();
        match lesson {
            Lesson::Nothing => false,
            Lesson::Password(password) => {
                let new = known.password.as_ref() != Some(&password);
                if new {
                    // Keys of the old password may have the salt of a server that has the new one.
                    *known = Known { password: Some(password), ..Known::default() };
                }
                new
            }
            Lesson::Md5(shadow) => known.md5.replace(shadow.clone()) != Some(shadow),
            Lesson::Scram(keys) => known.remember(keys),
        }
    }

    /// The password itself.
    pub(crate) fn password(&self) -> Option<String> {
        self.0.borrow().password.clone()
    }

    /// What PostgreSQL stores for md5 of this user's password.
    pub(crate) fn md5(&self, user: &str) -> Option<String> {
        let known = self.0.borrow();
        let made = known.password.as_ref().map(|password| md5::shadow(user, password));
        made.or_else(|| known.md5.clone())
    }

    /// The SCRAM keys for a server's salt and count. Cancel safe.
    pub(crate) async fn scram(&self, salt: &[u8], iterations: u32) -> Option<scram::ClientKeys> {
        let known =
            self.0.borrow().scram.iter().rev().find(|keys| keys.fit(salt, iterations)).cloned();
        if let Some(known) = known {
            return Some(known.keys);
        }
        let password = self.password()?;
        let made = (password.clone(), salt.to_vec());
        let keys = aside(move || scram::ClientKeys::derive(&made.0, &made.1, iterations)).await?;
        let known = &mut *self.0.borrow_mut();
        if known.password.as_ref() == Some(&password) {
            known.remember(ScramKeys { salt: salt.to_vec(), iterations, keys: keys.clone() });
        }
        Some(keys)
    }
}

impl Known {
    fn remember(&mut self, keys: ScramKeys) -> bool {
        let new = !self.scram.contains(&keys);
        self.scram.retain(|old| !old.fit(&keys.salt, keys.iterations));
        if self.scram.len() >= LEARNED {
            self.scram.remove(0);
        }
        self.scram.push(keys);
        new
    }
}

impl ScramKeys {
    fn fit(&self, salt: &[u8], iterations: u32) -> bool {
        self.salt == salt && self.iterations == iterations
    }
}

/// Does what takes long on another thread, so that the other clients of this worker do not wait for it. `None`: there is none.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(salt: u8, password: &str) -> ScramKeys {
        let keys = scram::ClientKeys::derive(password, &[salt], 1);
        ScramKeys { salt: vec![salt], iterations: 1, keys }
    }

    #[test]
    fn keys_of_the_old_and_the_new_password_are_known_side_by_side() {
        let known = Keys::default();
        assert!(known.is_empty());
        assert!(known.learn(Lesson::Scram(keys(1, "old"))));
        assert!(known.learn(Lesson::Scram(keys(2, "new"))));
        assert!(!known.learn(Lesson::Scram(keys(1, "old"))));
        for salt in 3..3 + u8::try_from(LEARNED).expect("a few") - 1 {
            known.learn(Lesson::Scram(keys(salt, "next")));
        }
        let known = known.0.borrow();
        assert_eq!(known.scram.len(), LEARNED);
        assert!(known.scram.iter().any(|keys| keys.fit(&[1], 1)));
        assert!(!known.scram.iter().any(|keys| keys.fit(&[2], 1)));
    }

    #[test]
    fn another_password_ends_the_keys_of_the_one_before() {
        let known = Keys::default();
        known.learn(Lesson::Password("old".to_owned()));
        known.0.borrow_mut().remember(keys(1, "old"));
        assert!(!known.learn(Lesson::Password("old".to_owned())));
        assert_eq!(known.0.borrow().scram.len(), 1);
        assert!(known.learn(Lesson::Password("new".to_owned())));
        assert!(known.0.borrow().scram.is_empty());
        assert_eq!(known.md5("app"), Some(md5::shadow("app", "new")));
    }

    #[test]
    fn a_stored_form_serves_when_there_is_no_password() {
        let credentials =
            ServerCredentials { md5: Some("md5…".to_owned()), ..Default::default() };
        let known = Keys::new(&credentials);
        assert_eq!((known.password(), known.md5("app").as_deref()), (None, Some("md5…")));
        assert_eq!(format!("{known:?} {:?}", Lesson::Md5("x".to_owned())), "Keys { .. } Md5(…)");
    }
}
