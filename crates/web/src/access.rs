//! Who somebody is, and what they may do: names with passwords, tokens, roles. Not what an endpoint needs (`endpoints`) and not what is
//! refused for other reasons (`guard`).
//!
//! Invariant: proofs are compared in constant time and are in no message; whoever guesses is slowed down by address.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use howdah_wire::scram::Verifier;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What somebody may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Act on traffic: cancel and disconnect, silence, mark.
    Operator,
    /// And see the configuration.
    Admin,
}

impl Role {
    /// All, from the least.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// How somebody shows who they are.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// A password (HTTP Basic): what PostgreSQL would store of it.
    Password(Verifier),
    /// A token (HTTP Bearer): its SHA-256.
    Token([u8; 32]),
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(…)",
            Self::Token(_) => "Token(…)",
        })
    }
}

/// Somebody who may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Name; that of a token is for the log alone.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// How they show who they are.
    pub proof: Proof,
}

/// Failures of one address within a window; more have to wait for its end.
const FAILURES: u32 = 10;
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses that are told apart; the others share one account.
const ADDRESSES: usize = 1_024;
/// Proven headers that are remembered, because a password costs a millisecond.
const PROVEN: usize = 64;
const REMEMBERED: Duration = Duration::from_mins(5);

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stranger {
    /// They did not say who they are.
    Unnamed,
    /// The proof is wrong, or nobody has this name.
    Wrong,
    /// Too many wrong ones came from this address.
    TooMany,
}

/// Everybody who may come in, and what has been tried.
#[derive(Debug)]
pub(crate) struct Access {
    credentials: Vec<Credential>,
    /// Makes remembered headers worthless elsewhere, and nobody's name as expensive as somebody's.
    secret: [u8; 32],
    proven: Mutex<HashMap<[u8; 32], (usize, Instant)>>,
    failures: Mutex<HashMap<Option<IpAddr>, (u32, Instant)>>,
}

impl Access {
    pub(crate) fn new(credentials: Vec<Credential>, secret: [u8; 32]) -> Self {
        Self { credentials, secret, proven: Mutex::default(), failures: Mutex::default() }
    }

    /// Nobody has to say who they are, so only this machine is answered.
    pub(crate) fn is_open(&self) -> bool {
        self.credentials.is_empty()
    }

    /// Who somebody is, from an `Authorization` header.
    pub(crate) fn admit(
        &self,
        header: Option<&str>,
        from: IpAddr,
        now: Instant,
    ) -> Result<&Credential, Stranger> {
        let header = header.ok_or(Stranger::Unnamed)?;
        let key = Sha256::new().chain_update(self.secret).chain_update(header).finalize().into();
        if let Some(known) = self.remembered(&key, now) {
            return Ok(known);
        }
        if self.has_failed_too_often(from, now) {
            return Err(Stranger::TooMany);
        }
        let Some(at) = self.find(header) else {
            self.on_failed(from, now);
            return Err(Stranger::Wrong);
        };
        let mut proven = self.proven.lock();
        if proven.len() >= PROVEN {
            proven.clear();
        }
        proven.insert(key, (at, now));
        self.credentials.get(at).ok_or(Stranger::Wrong)
    }

    fn remembered(&self, key: &[u8; 32], now: Instant) -> Option<&Credential> {
        let (at, since) = *self.proven.lock().get(key)?;
        let fresh = now.saturating_duration_since(since) < REMEMBERED;
        self.credentials.get(at).filter(|_| fresh)
    }

    fn find(&self, header: &str) -> Option<usize> {
        let (scheme, given) = header.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            let given: [u8; 32] = Sha256::digest(given.trim()).into();
            // All are compared, so that the time tells nothing of which.
            return self.credentials.iter().enumerate().fold(None, |found, (at, one)| {
                let same = match &one.proof {
                    Proof::Token(hash) => bool::from(hash.ct_eq(&given)),
                    Proof::Password(_) => false,
                };
                if same { Some(at) } else { found }
            });
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(given.trim()).ok()?).ok()?;
        let (name, password) = text.split_once(':')?;
        let mut named =
            self.credentials.iter().enumerate().filter_map(|(at, one)| match &one.proof {
                Proof::Password(verifier) if one.name == name => Some((Some(at), verifier.clone())),
                Proof::Password(_) | Proof::Token(_) => None,
            });
        let nobody = || (None, Verifier::mock(name.as_bytes(), &self.secret));
        let (at, verifier) = named.next().unwrap_or_else(nobody);
        let made = Verifier::from_password(password, &verifier.salt, verifier.iterations);
        at.filter(|_| bool::from(made.stored_key.ct_eq(&verifier.stored_key)))
    }

    fn has_failed_too_often(&self, from: IpAddr, now: Instant) -> bool {
        let failures = self.failures.lock();
        let account = failures.get(&Some(from)).or_else(|| failures.get(&None));
        account.is_some_and(|(count, since)| {
            *count >= FAILURES && now.saturating_duration_since(*since) < WINDOW
        })
    }

    fn on_failed(&self, from: IpAddr, now: Instant) {
        let mut failures = self.failures.lock();
        let over = |since: Instant| now.saturating_duration_since(since) >= WINDOW;
        if failures.len() >= ADDRESSES {
            failures.retain(|_, (_, since)| !over(*since));
        }
        let full = failures.len() >= ADDRESSES && !failures.contains_key(&Some(from));
        let account = failures.entry((!full).then_some(from)).or_insert((0, now));
        *account = if over(account.1) { (1, now) } else { (account.0 + 1, account.1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let password = |name: &str, password: &str, role| Credential {
            name: name.to_owned(),
            role,
            proof: Proof::Password(Verifier::from_password(password, b"salt", 10)),
        };
        let token = Credential {
            name: "prometheus".to_owned(),
            role: Role::Viewer,
            proof: Proof::Token(Sha256::digest("secret-token").into()),
        };
        let people =
            [password("ann", "right", Role::Admin), password("bob", "other", Role::Viewer)];
        Access::new(people.into_iter().chain([token]).collect(), [7; 32])
    }

    fn basic(name: &str, password: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
    }

    #[test]
    fn who_somebody_is_is_told_by_password_and_by_token() {
        let (access, now) = (access(), Instant::now());
        let from = IpAddr::from([127, 0, 0, 1]);
        let name = |header: &str| access.admit(Some(header), from, now).map(|one| one.name.clone());
        assert_eq!(name(&basic("ann", "right")).unwrap(), "ann");
        assert_eq!(name(&basic("ann", "right")).unwrap(), "ann");
        assert_eq!(name(&basic("bob", "other")).unwrap(), "bob");
        assert_eq!(name("Bearer secret-token").unwrap(), "prometheus");
        assert_eq!(access.admit(None, from, now).unwrap_err(), Stranger::Unnamed);
        for wrong in [
            basic("ann", "other"),
            basic("nobody", "right"),
            basic("prometheus", "secret-token"),
            "Bearer other".to_owned(),
            "Bearer ".to_owned(),
            "Basic !!!".to_owned(),
            "Digest x".to_owned(),
            String::new(),
        ] {
            assert_eq!(name(&wrong).unwrap_err(), Stranger::Wrong, "{wrong}");
        }
    }

    #[test]
    fn whoever_guesses_has_to_wait_and_others_have_not() {
        let (access, now) = (access(), Instant::now());
        let (from, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let right = basic("bob", "other");
        assert!(access.admit(Some(&right), other, now).is_ok());
        for guess in 0..FAILURES {
            let wrong = basic("ann", &guess.to_string());
            assert_eq!(access.admit(Some(&wrong), from, now).unwrap_err(), Stranger::Wrong);
        }
        let ann = basic("ann", "right");
        assert_eq!(access.admit(Some(&ann), from, now).unwrap_err(), Stranger::TooMany);
        assert!(access.admit(Some(&right), from, now).is_ok(), "who was in stays in");
        assert!(access.admit(Some(&ann), from, now + WINDOW).is_ok());
        for guess in 0..5_000_u32 {
            let from = IpAddr::from(guess.to_be_bytes());
            let _ = access.admit(Some("Bearer x"), from, now);
        }
        assert!(access.failures.lock().len() <= ADDRESSES + 1);
    }

    #[test]
    fn a_proof_is_in_no_message() {
        let text = format!("{:?}", access().credentials);
        assert!(!text.contains("stored_key") && text.contains("Password(…)"), "{text}");
    }
}
