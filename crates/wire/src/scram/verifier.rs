//! Keys of SCRAM: what a server stores, and what a client derives from a password.
//!
//! Not here: the exchange.
//!
//! Invariant: `Debug` prints no key.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::Error;

use super::{DEFAULT_ITERATIONS, MAX_ITERATIONS};

/// A SHA-256 sum or key.
pub(super) type Key = [u8; 32];

/// HMAC-SHA-256 of the concatenated `parts`.
pub(super) fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    let mut mac = keyed(key);
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

/// `Hi` of RFC 5802: PBKDF2 with one block.
fn salted_password(password: &str, salt: &[u8], iterations: u32) -> Key {
    let password = normalized(password);
    let mac = keyed(password.as_bytes());
    let mut block: Key = mac
        .clone()
        .chain_update(salt)
        .chain_update(1_u32.to_be_bytes())
        .finalize()
        .into_bytes()
        .into();
    let mut sum = block;
    for _ in 1..iterations {
        block = mac.clone().chain_update(block).finalize().into_bytes().into();
        xor(&mut sum, &block);
    }
    sum
}

/// `left` becomes `left` xor `right`.
pub(super) fn xor(left: &mut Key, right: &Key) {
    for (byte, other) in left.iter_mut().zip(right) {
        *byte ^= other;
    }
}

/// SASLprep as PostgreSQL applies it: ASCII stays as it is, and so does what SASLprep refuses.
fn normalized(password: &str) -> std::borrow::Cow<'_, str> {
    if password.is_ascii() {
        return password.into();
    }
    match stringprep::saslprep(password) {
        Ok(prepared) if !prepared.is_empty() => prepared,
        _ => password.into(),
    }
}

/// What a client needs of a password for one salt and iteration count. Deriving it is the expensive
/// step of a login; the result may be kept as long as the server sends the same salt and count.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientKeys {
    /// Proves the password to the server.
    pub client_key: [u8; 32],
    /// Checks that the server knows the verifier.
    pub server_key: [u8; 32],
}

impl ClientKeys {
    /// Derives the keys; takes about a microsecond for each iteration.
    pub fn derive(password: &str, salt: &[u8], iterations: u32) -> Self {
        let salted = salted_password(password, salt, iterations);
        Self {
            client_key: hmac(&salted, &[b"Client Key"]),
            server_key: hmac(&salted, &[b"Server Key"]),
        }
    }
}

impl fmt::Debug for ClientKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClientKeys").finish_non_exhaustive()
    }
}

/// What a server stores of a password. Parsed from and printed in the form of
/// `pg_authid.rolpassword`.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    /// Iteration count.
    pub iterations: u32,
    /// Salt.
    pub salt: Vec<u8>,
    /// Hash of the client key.
    pub stored_key: [u8; 32],
    /// Proves the server to the client.
    pub server_key: [u8; 32],
}

impl Verifier {
    /// Makes the verifier of a password; as expensive as [`ClientKeys::derive`].
    pub fn from_password(password: &str, salt: &[u8], iterations: u32) -> Self {
        let keys = ClientKeys::derive(password, salt, iterations);
        Self {
            iterations,
            salt: salt.to_vec(),
            stored_key: Sha256::digest(keys.client_key).into(),
            server_key: keys.server_key,
        }
    }

    /// Reads `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`.
    ///
    /// # Errors
    /// [`Error::Verifier`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.strip_prefix("SCRAM-SHA-256$").ok_or(Error::Verifier("another scheme"))?;
        let (parameters, keys) =
            text.split_once('$').ok_or(Error::Verifier("the keys are missing"))?;
        let (iterations, salt) =
            parameters.split_once(':').ok_or(Error::Verifier("the salt is missing"))?;
        let (stored_key, server_key) =
            keys.split_once(':').ok_or(Error::Verifier("the server key is missing"))?;
        let iterations = iterations
            .parse()
            .map_err(|_| Error::Verifier("the iteration count is not a number"))?;
        if !(1..=MAX_ITERATIONS).contains(&iterations) {
            return Err(Error::Verifier("the iteration count is out of range"));
        }
        let salt = STANDARD.decode(salt).map_err(|_| Error::Verifier("the salt is not base64"))?;
        Ok(Self { iterations, salt, stored_key: key(stored_key)?, server_key: key(server_key)? })
    }

    /// A verifier for a user who does not exist, so that the exchange looks and costs the same as
    /// for one who does: the same user always gets the same salt, and no password satisfies it.
    /// `secret` must stay the same and unknown to clients.
    pub fn mock(user: &[u8], secret: &[u8]) -> Self {
        let mut salt = hmac(secret, &[b"salt", user]).to_vec();
        salt.truncate(16);
        Self {
            iterations: DEFAULT_ITERATIONS,
            salt,
            stored_key: hmac(secret, &[b"stored key", user]),
            server_key: hmac(secret, &[b"server key", user]),
        }
    }
}

fn key(text: &str) -> Result<Key, Error> {
    let bytes = STANDARD.decode(text).map_err(|_| Error::Verifier("a key is not base64"))?;
    bytes.try_into().map_err(|_| Error::Verifier("a key is not 32 bytes long"))
}

impl fmt::Display for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { iterations, salt, stored_key, server_key } = self;
        let [salt, stored_key, server_key] =
            [&salt[..], stored_key, server_key].map(|bytes| STANDARD.encode(bytes));
        write!(formatter, "SCRAM-SHA-256${iterations}:{salt}${stored_key}:{server_key}")
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Verifier")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}
